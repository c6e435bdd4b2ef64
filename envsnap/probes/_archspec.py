"""The microarchitecture of a processor, by archspec's table.

Only archspec's data is used: its code costs 25 ms to import and looks at the running machine,
while a host may be a recording. The choice follows archspec's own; a test holds the two together.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable, Mapping

from envsnap._typing import Any, NamedTuple

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
"""What Windows, macOS and the BSDs call the families."""


class Witness(NamedTuple):
    """What a processor says of itself, as far as the choice needs it."""

    machine: str
    """The architecture, as uname tells it."""
    vendor: str = "generic"
    features: frozenset[str] = frozenset()
    part: str = ""
    """ARM's part number, as '0xd0c'."""
    generation: int = 0
    """POWER's generation."""
    name: str = ""
    """The microarchitecture's own name, where the system tells it: RISC-V and Apple."""


class Match(NamedTuple):
    """The newest target that fits, and the newest that any vendor's processors fit."""

    name: str
    generic: str


class _Target(NamedTuple):
    name: str
    vendor: str
    features: frozenset[str]
    generation: int
    part: str
    ancestors: frozenset[str]


@functools.cache
def _document() -> Mapping[str, Any]:
    """Read archspec's table, from its folder or from inside a zip."""
    import archspec

    if archspec.__spec__ is None or archspec.__spec__.loader is None or archspec.__file__ is None:
        message = "archspec was loaded without a loader"
        raise ImportError(message)
    path = os.path.join(
        os.path.dirname(archspec.__file__), "json", "cpu", "microarchitectures.json"
    )
    loader: Any = archspec.__spec__.loader
    document: Mapping[str, Any] = json.loads(loader.get_data(path))
    return document


@functools.cache
def _targets() -> Mapping[str, _Target]:
    rows = _document()["microarchitectures"]
    found: dict[str, _Target] = {}

    def add(name: str) -> _Target:
        if name not in found:
            row = rows[name]
            parents = [add(parent) for parent in row["from"]]
            found[name] = _Target(
                name,
                row["vendor"],
                _with_sse3(row["features"]),
                row.get("generation", 0),
                row.get("cpupart", ""),
                frozenset().union(*({p.name} | p.ancestors for p in parents)),
            )
        return found[name]

    for name in rows:
        add(name)
    return found


def _with_sse3(features: Iterable[str]) -> frozenset[str]:
    """Linux calls SSE3 'pni'; whatever has SSSE3 has it."""
    found = frozenset(features)
    return found | {"sse3"} if "ssse3" in found else found


def arm_vendor(implementer: str) -> str | None:
    """The company behind an 'CPU implementer' code of /proc/cpuinfo; None for a new one.

    >>> arm_vendor("0x41")
    'ARM'
    """
    vendor: str | None = _document()["conversions"]["arm_vendors"].get(implementer)
    return vendor


def darwin_features(spoken: str) -> frozenset[str]:
    """The flags that macOS tells of an Intel processor, by their names on Linux."""
    found = set(spoken.lower().split())
    for theirs, ours in _document()["conversions"]["darwin_flags"].items():
        if found.issuperset(theirs.split()):
            found.update(ours.split())
    return frozenset(found)


def match(witness: Witness) -> Match | None:
    """The microarchitecture of that processor; None for a family that the table lacks."""
    family = _MACHINES.get(witness.machine.lower(), witness.machine)
    targets = _targets()
    if family not in targets:
        return None
    witness = witness._replace(machine=family, features=_with_sse3(witness.features))
    fitting = [target for target in targets.values() if _fits(target, witness, targets)]
    if not fitting:
        return Match(family, family)
    generic = max((t for t in fitting if t.vendor == "generic"), key=_rank, default=targets[family])
    same_part = [t for t in fitting if witness.part and t.part == witness.part]
    better = [t for t in same_part or fitting if generic.name in t.ancestors]
    return Match(max(better, key=_rank).name if better else generic.name, generic.name)


def _rank(target: _Target) -> tuple[int, int]:
    return len(target.ancestors), len(target.features)


def _fits(target: _Target, witness: Witness, targets: Mapping[str, _Target]) -> bool:
    family = witness.machine
    if target.name != family and family not in target.ancestors:
        return False
    of_vendor = target.vendor in (witness.vendor, "generic")
    if family == "riscv64":
        return target.name == witness.name or target.vendor == "generic"
    if family in {"ppc64", "ppc64le"}:
        return target.generation <= witness.generation
    if family == "aarch64" and target.vendor == "generic":
        return target.name == family  # features alone do not tell a version of the architecture
    if family == "aarch64" and witness.vendor == "Apple" and witness.name:
        model = targets.get(witness.name, targets[family])
        return of_vendor and target.name in model.ancestors | {model.name}
    return of_vendor and target.features <= witness.features
