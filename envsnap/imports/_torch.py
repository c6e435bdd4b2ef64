"""PyTorch, as reports and its own warnings tell of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from envsnap.facts import Looked, torch_cuda
from envsnap.imports._listed import listed
from envsnap.sections import Fact, Origin, Package, Unknown, replace

_VERSION = re.compile(r"\d{1,3}\.\d{1,3}(?:\.\d{1,3})?[\w.+-]{0,80}\Z", re.ASCII)
_CUDA = re.compile(r"(\d{1,2})\.(\d{1,2})")
_NOT_COMPATIBLE = re.compile(
    r"^(.{3,100}?) with CUDA capability sm_(\d{1,2})(\d) is not compatible", re.MULTILINE
)
_FOUND = re.compile(
    r"Found GPU\d{1,2} (.{3,100}?) which is of (?:cuda capability|compute capability \(CC\)) "
    r"(\d{1,2}\.\d)\b"
)
_TOO_OLD = re.compile(r"driver on your system is too old \(found version (\d{4,5})\)")


def capabilities(text: str) -> Mapping[str, str]:
    """The compute capabilities that PyTorch's warnings tell, by the names of the cards.

    >>> capabilities("GeForce RTX 3080 with CUDA capability sm_86 is not compatible with")
    {'GeForce RTX 3080': '8.6'}
    """
    found = {name.strip(): f"{major}.{minor}" for name, major, minor in
             _NOT_COMPATIBLE.findall(text)}  # fmt: skip
    return {**found, **{name.strip(): number for name, number in _FOUND.findall(text)}}


def driver_serves(text: str) -> str | None:
    """The CUDA version that the driver serves, by PyTorch's complaint about it; None without one.

    >>> driver_serves("The NVIDIA driver on your system is too old (found version 11040).")
    '11.4'
    """
    match = _TOO_OLD.search(text)
    number = int(match[1]) if match else 0
    return f"{number // 1000}.{number % 1000 // 10}" if number else None


def with_torch(
    packages: Iterable[Package], version: str | None, cuda: str | None, *, machine: Fact[str]
) -> list[Package]:
    """The packages of a report, PyTorch among them, and where its build surely comes from.

    PyTorch itself says its version with the build's label, which the package index's own wheels
    have not in their metadata: what a list of packages says comes first.
    """
    found = list(packages)
    at = next((at for at, each in enumerate(found) if each.name == "torch"), None)
    if at is None and version is not None and _VERSION.match(version):
        found.append(listed("torch", version))
        at = len(found) - 1
    if at is not None and is_published(found[at], cuda, machine):
        found[at] = replace(found[at], origin=Origin(kind="index"))
    return found


def is_published(torch: Package, cuda: str | None, machine: Fact[str]) -> bool:
    """Whether this is surely a build that PyTorch's project publishes.

    Its label is one of the table's for that release, or it has none and was built with the very
    CUDA of the index's own build. Conda's builds have the same versions and other code.
    """
    if torch.origin.kind != "unknown" or torch.conda is not None:
        return False
    is_labelled = "+" in torch.version
    if isinstance(machine, Unknown) and not is_labelled:
        return False
    build = torch_cuda.variant(
        torch.version, machine="x86_64" if isinstance(machine, Unknown) else machine
    )
    if not isinstance(build, Looked):
        return False
    told = _CUDA.match(cuda or "")
    expected = _CUDA.match(build.value.cuda or "")
    if told is None:
        return is_labelled
    return expected is not None and told.groups() == expected.groups()


NO_CUDA = "PyTorch, built for CUDA, finds no GPU it can use (Is CUDA available: False)"
"""Why programs see none of the cards, as far as the report tells it."""
