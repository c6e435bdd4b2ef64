"""What must hold, in the languages that others read: NVIDIA's, conda's and pixi's.

None of them can say everything. What cannot be said is named, never left out in silence.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from envsnap._typing import NamedTuple
from envsnap.constraints._language import Asked, Expression, OfFact
from envsnap.constraints._versions import version

_NUMERIC = re.compile(r"\d{1,9}(?:\.\d{1,9}){0,5}\Z")
_WILDCARD = re.compile(r"(\d{1,9}(?:\.\d{1,9}){0,5})\.\*\Z")
_FLOOR = re.compile(r"(__[a-z]+) >=(\d{1,9}(?:\.\d{1,9}){0,5})\Z")
_WORD = re.compile(r"[A-Za-z0-9_]{1,40}\Z")
_MINOR_COMPATIBLE = 11
"""Since CUDA 11 a driver that serves the first release of a major version serves them all."""
_MOST = 64
_NVIDIA = {"cuda": "cuda", "driver": "driver", "gpu.compute_capability": "arch"}
_CONDA = {"cuda": "__cuda", "glibc": "__glibc", "kernel": "__linux"}
_PIXI = {"cuda": "cuda", "kernel": "linux", "glibc": "libc"}
_ARCHSPEC = ("cpu.level", "cpu.microarchitecture")


class Needs(NamedTuple):
    """What the environment itself asks of a machine, whatever its author states."""

    cuda: tuple[str, ...] = ()
    """The CUDA versions that its packages are built for."""
    glibc: str | None = None
    """The oldest glibc that all its wheels are content with."""


class Emitted(NamedTuple):
    """The text for another tool, and what it does not say."""

    text: str
    """Empty where there is nothing to say."""
    left_out: tuple[str, ...]
    """The expressions that this language cannot hold."""


def cuda_floor(versions: Iterable[str]) -> str | None:
    """The oldest CUDA that a driver must serve for all of these; None without any.

    >>> cuda_floor(["12.4", "11.8"]), cuda_floor(["10.2"])
    ('12.0', '10.2')
    """
    numbers = [each.numbers for text in versions if (each := version(text)) and each.numbers]
    if not numbers:
        return None
    newest = max(numbers)
    if newest[0] >= _MINOR_COMPATIBLE:
        return f"{newest[0]}.0"
    return ".".join(map(str, newest)) if len(newest) > 1 else f"{newest[0]}.0"


def nvidia(must: Sequence[Expression], needs: Needs) -> Emitted:
    """The value of NVIDIA_REQUIRE_CUDA: alternatives divided by spaces."""
    floor = cuda_floor(needs.cuda)
    own = f"cuda>={floor}" if floor else ""
    parts = [[[own]]] if own else []
    left_out = []
    for each in must:
        told = _for_nvidia(each)
        if told is None:
            left_out.append(str(each))
        else:
            parts += told
    count = 1
    for part in parts:
        count *= len(part)
    if count > _MOST:
        return Emitted(own, tuple(map(str, must)))
    alternatives = [
        ",".join(dict.fromkeys(itertools.chain.from_iterable(each)))
        for each in itertools.product(*parts)
    ]
    return Emitted(" ".join(dict.fromkeys(alternatives)) if parts else "", tuple(left_out))


def _for_nvidia(expression: Expression) -> list[list[list[str]]] | None:
    """For each test its alternatives, each of factors; None where it cannot be said."""
    name = _NVIDIA.get(expression.name) if isinstance(expression, OfFact) else None
    if name is None or not isinstance(expression, OfFact):
        return None
    found = []
    for test in expression.tests:
        values = [each.text for each in test.values]
        if not all(_NUMERIC.match(each) or _WILDCARD.match(each) for each in values):
            return None
        if test.operator in {"==", "in"}:
            found.append([_equal(name, each) for each in values])
        elif test.operator in {"!=", "not in"}:
            found += [_unequal(name, each) for each in values]
        else:
            found.append([[f"{name}{test.operator}{values[0]}"]])
    return found


def _equal(name: str, value: str) -> list[str]:
    span = _span(value)
    return [f"{name}={value}"] if span is None else [f"{name}>={span[0]}", f"{name}<{span[1]}"]


def _unequal(name: str, value: str) -> list[list[str]]:
    span = _span(value)
    if span is None:
        return [[f"{name}!={value}"]]
    return [[f"{name}<{span[0]}"], [f"{name}>={span[1]}"]]


def _span(value: str) -> tuple[str, str] | None:
    """Where a wildcard begins, and where it is over: 535.* is 535 up to 536."""
    found = _WILDCARD.match(value)
    if found is None:
        return None
    *first, last = found[1].split(".")
    return found[1], ".".join([*first, str(int(last) + 1)])


def conda(must: Sequence[Expression], needs: Needs) -> Emitted:
    """Conda's virtual packages, a match specification a line."""
    floors = {"cuda": cuda_floor(needs.cuda), "glibc": needs.glibc}
    lines = [f"{_CONDA[name]} >={floor}" for name, floor in floors.items() if floor]
    found = _told(must, lines, _for_conda)
    return found._replace(text="\n".join(_highest_floors(found.text.splitlines())))


def _highest_floors(lines: Sequence[str]) -> Iterator[str]:
    """The lines without each floor that another one of the same package is above."""
    highest: dict[str, str] = {}
    for found in filter(None, map(_FLOOR.match, lines)):
        highest[found[1]] = max(highest.get(found[1], "0"), found[2], key=_order)
    for each in lines:
        floor = _FLOOR.match(each)
        if floor is None or highest[floor[1]] == floor[2]:
            yield each


def _for_conda(expression: OfFact) -> Iterator[str]:
    if expression.name in _ARCHSPEC:
        for value in _exact(expression):
            yield f"__archspec 1 {value}"
    elif expression.name in _CONDA:
        specs = [_spec(each) for each in expression.tests]
        if all(specs):
            yield f"{_CONDA[expression.name]} {','.join(filter(None, specs))}"


def _spec(test: Asked) -> str | None:
    """A test as conda writes versions: a comma is 'and', a bar is 'or'."""
    values = [each.text for each in test.values]
    if not all(_NUMERIC.match(each) or _WILDCARD.match(each) for each in values):
        return None
    if test.operator in {"==", "in"}:
        return "|".join(each if each.endswith("*") else f"=={each}" for each in values)
    if test.operator in {"!=", "not in"}:
        return ",".join(f"!={each}" for each in values)
    return f"{test.operator}{values[0]}"


def pixi(must: Sequence[Expression], needs: Needs) -> Emitted:
    """Pixi's table of system requirements: the lowest versions that will do."""
    floors = {"cuda": cuda_floor(needs.cuda), "libc": needs.glibc}
    lowest = {key: floor for key, floor in floors.items() if floor}
    archspec, left_out = None, []
    for each in must:
        told = _lowest(each) if isinstance(each, OfFact) else None
        if told is not None and isinstance(each, OfFact):
            key = _PIXI[each.name]
            lowest[key] = max(lowest.get(key, "0"), told, key=_order)
        elif isinstance(each, OfFact) and each.name in _ARCHSPEC and _exact(each):
            archspec = _exact(each)[0]
        else:
            left_out.append(str(each))
    lines = [
        f'{key} = {{ family = "glibc", version = "{value}" }}'
        if key == "libc"
        else f'{key} = "{value}"'
        for key, value in sorted(lowest.items())
    ]
    lines += [f'archspec = "{archspec}"'] if archspec else []
    text = "\n".join(["[system-requirements]", *sorted(lines)]) if lines else ""
    return Emitted(text, tuple(left_out))


def _lowest(expression: OfFact) -> str | None:
    """The lowest version, where that is all that is asked."""
    if expression.name not in _PIXI or len(expression.tests) != 1:
        return None
    (test,) = expression.tests
    value = test.values[0].text
    return value if test.operator == ">=" and _NUMERIC.match(value) else None


def _order(text: str) -> tuple[int, ...]:
    found = version(text)
    return found.numbers if found else ()


def _exact(expression: OfFact) -> list[str]:
    """The one word that is asked for; nothing where it is more than one, or an order."""
    values = [each.text for test in expression.tests for each in test.values]
    is_one = len(values) == 1 and expression.tests[0].operator in {"==", "in"}
    return values if is_one and _WORD.match(values[0]) else []


def _told(
    must: Sequence[Expression], lines: list[str], tell: Callable[[OfFact], Iterable[str]]
) -> Emitted:
    left_out = []
    for each in must:
        told = list(tell(each)) if isinstance(each, OfFact) else []
        lines += told
        if not told:
            left_out.append(str(each))
    return Emitted("\n".join(dict.fromkeys(lines)), tuple(left_out))
