"""NVIDIA_REQUIRE_*: what an image asks of driver and GPU, read and judged as NVIDIA's toolkit does.

The language and its odd corners are those of libnvidia-container, which `docker run --gpus` has
decide: a space between alternatives, a comma between what must hold together. It reads from left
to right and stops at the first alternative that holds, so that a fault behind it is never seen.
Several variables must all hold, for every GPU that the container gets.
Read 2026-11-21: libnvidia-container src/cli/dsl.c and configure.c; nvidia-container-toolkit
internal/config/image/cuda_image.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import Enum

from envsnap._typing import NamedTuple

PREFIX = "NVIDIA_REQUIRE_"
_NOT_READ = "NVIDIA_REQUIRE_JETPACK"
_DISABLE = "NVIDIA_DISABLE_REQUIRE"
_CUDA = "NVIDIA_REQUIRE_CUDA"
_LEGACY = "CUDA_VERSION"
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_LONGEST = 16384
_FACTOR = re.compile(r"(?P<name>[^<>=!]+)(?P<operator>[<>=!]+)(?P<value>.+)\Z", re.DOTALL)
_OPERATORS = {"=": "=", "!=": "!=", "!": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_NUMERIC = re.compile(r"[0-9.]+\Z")
_LARGEST = 2**64 - 1
_LEGACY_CUDA = re.compile(r"(\d+)\.(\d+)")


class Factor(NamedTuple):
    """One condition: 'driver>=535'."""

    name: str
    """cuda, driver, arch or brand; any case."""
    operator: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}{self.operator}{self.value}"


class Malformed(NamedTuple):
    """What is no condition. Where the toolkit comes to it, the container does not start."""

    text: str

    def __str__(self) -> str:
        return self.text


Requirement = tuple[tuple[Factor | Malformed, ...], ...]
"""Alternatives, each of conditions that must hold together."""


class Offer(NamedTuple):
    """What a machine has, of one of its GPUs. None is what is not known."""

    cuda: str | None
    """The newest CUDA that the driver serves."""
    driver: str | None
    arch: str | None
    """The compute capability."""
    brand: str | None


class Decision(str, Enum):
    """What the toolkit would do."""

    STARTS = "starts"
    REFUSED = "refused"
    OPEN = "open"
    """It depends on what is not known."""

    def __str__(self) -> str:
        return self.value


def parse(text: str) -> Requirement:
    """The requirement in a variable's value. No text is refused here: the toolkit reads any.

    >>> parse("cuda>=12.4 brand=tesla,driver>=535,driver<536")[1][1]
    Factor(name='driver', operator='>=', value='535')
    """
    if len(text) > _LONGEST:
        return ((Malformed(text[:_LONGEST]),),)
    alternatives = (
        tuple(_factor(part) for part in term.split(",") if part) for term in text.split(" ")
    )
    return tuple(each for each in alternatives if each)


def written(requirement: Requirement) -> str:
    """The requirement as a variable's value: `parse` reads it back."""
    return " ".join(",".join(map(str, each)) for each in requirement)


def _factor(text: str) -> Factor | Malformed:
    found = _FACTOR.match(text)
    operator = _OPERATORS.get(found["operator"]) if found else None
    known = found is not None and found["name"].lower() in {"cuda", "driver", "arch", "brand"}
    if found is None or operator is None or not known:
        return Malformed(text)
    return Factor(found["name"].lower(), operator, found["value"])


def requirements(variables: Mapping[str, str]) -> tuple[str, ...]:
    """What an image with these variables asks for; nothing where it says not to look."""
    if variables.get(_DISABLE) in _TRUE:
        return ()
    found = [
        value
        for name, value in sorted(variables.items())
        if name.startswith(PREFIX) and not name.startswith(_NOT_READ)
    ]
    legacy = _LEGACY_CUDA.match(variables.get(_LEGACY, ""))
    if legacy and not variables.get(_CUDA):
        found.append(f"cuda>={legacy[1]}.{legacy[2]}")
    return tuple(found)


def decide(requirement: Requirement, cards: Iterable[tuple[Offer, ...]]) -> Decision:
    """What the toolkit does for a container that gets all these cards.

    Each card is all that it may be: one offer where everything is known.
    """
    each_card = [
        {result for offer in offers for result in _possible(requirement, offer)} for offers in cards
    ]
    if any(True not in results for results in each_card):
        return Decision.REFUSED
    is_sure = all(results == {True} for results in each_card)
    return Decision.STARTS if is_sure else Decision.OPEN


def _possible(requirement: Requirement, offer: Offer) -> set[bool | None]:
    """Every way that it may end: true, false, or None at a fault."""
    if not requirement:
        return {True}
    results: set[bool | None] = {False}
    for alternative in requirement:
        if False in results:
            results = (results - {False}) | _together(alternative, offer)
    return results


def _together(alternative: tuple[Factor | Malformed, ...], offer: Offer) -> set[bool | None]:
    results: set[bool | None] = {True}
    for factor in alternative:
        if True in results:
            results = (results - {True}) | _one(factor, offer)
    return results


def _one(factor: Factor | Malformed, offer: Offer) -> set[bool | None]:
    if isinstance(factor, Malformed):
        return {None}
    theirs = getattr(offer, factor.name)
    if factor.name == "brand":
        if factor.operator not in {"=", "!="}:
            return {None}
        if theirs is None:
            return {True, False}
        return {(theirs.lower() == factor.value.lower()) is (factor.operator == "=")}
    if not _NUMERIC.match(factor.value):
        return {None}
    return {True, False} if theirs is None else {compared(theirs, factor.operator, factor.value)}


def compared(one: str, operator: str, other: str) -> bool | None:
    """Two versions in that order, part by part; None where one of them is no version.

    >>> compared("12.4", ">=", "12.4.0"), compared("525.60.13", "<", "525.60.2")
    (True, False)
    """
    parts = [_parts(one), _parts(other)]
    if parts[0] is None or parts[1] is None:
        return None
    ours, theirs = parts[0], parts[1]
    longest = max(len(ours), len(theirs))
    first = ours + (0,) * (longest - len(ours))
    second = theirs + (0,) * (longest - len(theirs))
    return {
        "=": first == second, "!=": first != second, "<": first < second,
        "<=": first <= second, ">": first > second, ">=": first >= second,
    }[operator]  # fmt: skip


def _parts(text: str) -> tuple[int, ...] | None:
    if not _NUMERIC.match(text) or text.startswith("."):
        return None
    if any(len(each) > len(str(_LARGEST)) for each in text.split(".")):
        return None
    numbers = tuple(int(each) for each in text.split(".") if each)
    return numbers if all(each < _LARGEST for each in numbers) else None


def brands(name: str) -> tuple[str | None, ...]:
    """The brands that NVML may give a card of that name; None stands for any.

    >>> brands("NVIDIA GeForce RTX 4090"), brands("Tesla T4")
    (('geforce', 'geforcertx'), ('tesla',))
    """
    plain = name.casefold()
    for words, found in _BRANDS:
        if all(word in plain for word in words):
            return found
    return (None,)


_BRANDS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("geforce", "rtx"), ("geforce", "geforcertx")),
    (("geforce",), ("geforce",)),
    (("titan", "rtx"), ("titan", "titanrtx")),
    (("titan",), ("titan",)),
    (("quadro", "rtx"), ("quadro", "quadrortx")),
    (("quadro",), ("quadro",)),
    (("tesla",), ("tesla",)),
)
"""A name says its brand only where it holds it; what NVML says of an A100 changed with drivers."""


def card(
    cuda: str | None, driver: str | None, arch: str | None, name: str | None
) -> tuple[Offer, ...]:
    """All that a card of that name may offer, with its driver. None is what is not known."""
    known = brands(name) if name is not None else (None,)
    return tuple(Offer(cuda, driver, arch, brand) for brand in known)
