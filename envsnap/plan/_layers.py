"""Which wheels are installed together, and by which program: small changes must stay cheap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile

from envsnap import facts
from envsnap._typing import NamedTuple
from envsnap.facts import installers
from envsnap.facts.machines import machine_of
from envsnap.manifest import canonical_name
from envsnap.plan._conda import UNPACKS_BY
from envsnap.plan._model import IN_THE_IMAGE, OWN_PIP, BuildPlan, Installer, Interpreter, Layer, Why
from envsnap.plan._safe import is_odd
from envsnap.sections import MADE_HERE, Artifact

ALONE = 100_000_000
"""Bytes of a wheel from which it has a layer of its own.

Measured on 380 packages, 1.2 GB of wheels: a layer costs a third of a second, and one wheel is
fetched and unpacked by one core where several would be by all; from 100 MB on that is little beside
fetching it once more."""
_TOGETHER = (("medium", 1_000_000), ("small", 100_000), ("tiny", 0))
"""The other layers, and from how many bytes on a wheel belongs to one."""
_CHANGING = frozenset({"tiny", "local", "unpacked"})
MOST_ALONE = 16
"""An image has at most 127 layers."""


def layers(wheels: Sequence[Artifact], sizes: Mapping[str, int]) -> tuple[Layer, ...]:
    """Every wheel once, in the order of installation: the largest first, local code last.

    What changes invalidates all that comes after it; so what is large and seldom changes comes
    first, and a build after a change of a small package repeats the last layers alone. `sizes` has
    the bytes of files whose size the lock does not know, by their SHA-256.
    """
    odd = [each for each in wheels if is_odd(each.version)]
    usual = [each for each in wheels if not is_odd(each.version)] if odd else wheels
    local = [each for each in usual if _is_local(each)]
    others = [each for each in usual if not _is_local(each)]
    known = [(size, each) for each in others if (size := _size(each, sizes)) is not None]
    unknown = [each for each in others if _size(each, sizes) is None]
    large = sorted(
        ((size, each) for size, each in known if size >= ALONE),
        key=lambda pair: (-pair[0], canonical_name(pair[1].name)),
    )[:MOST_ALONE]
    alone = [each for _, each in large]
    names = {each.name for each in alone}
    rest = [(size, each) for size, each in known if each.name not in names]
    together: dict[str, list[Artifact]] = {name: [] for name, _ in _TOGETHER}
    for size, each in rest:
        together[next(name for name, least in _TOGETHER if size >= least)].append(each)
    together["medium"] += unknown
    groups = [
        *((canonical_name(each.name), [each]) for each in alone),
        *together.items(),
        ("local", local),
    ]
    unpacked = (Layer("unpacked", _sorted(odd), unpacked=True),) if odd else ()
    return (*(Layer(name, _sorted(found)) for name, found in groups if found), *unpacked)


def settled_layers(found: Sequence[Layer]) -> int:
    """How many come first that seldom change; then small packages, many of them, and local code."""
    return sum(1 for _ in takewhile(lambda each: each.name not in _CHANGING, found))


def installer(python: str, interpreter: Interpreter = IN_THE_IMAGE) -> tuple[Installer, Why]:
    """The program that unpacks the wheels for this Python, and why it is that one."""
    found = installers.uv_wheels(python)
    if not isinstance(found, facts.Looked):
        return _pip(python, interpreter, str(found))
    version = found.value[0].version
    return (
        Installer("uv", version, tuple(each.sha256 for each in found.value)),
        Why(f"uv {version} installs the wheels, and is not in the image",
            "it unpacks several at a time and checks every hash; its own wheels are known by "
            "their SHA-256", f"table installers of {facts.date_of('installers')}"),
    )  # fmt: skip


def _pip(python: str, interpreter: Interpreter, because: str) -> tuple[Installer, Why]:
    """The base image's own pip; one by its hash where Python is compiled, and has a dated one."""
    table = f"table installers of {facts.date_of('installers')}"
    found = installers.pip_wheels(python)
    if interpreter.how != "compiled" or not isinstance(found, facts.Looked):
        return OWN_PIP, Why("the base image's own pip installs the wheels", because, table)
    version = found.value[0].version
    return (
        Installer("pip", version, tuple(each.sha256 for each in found.value)),
        Why(f"pip {version} installs the wheels, and is not in the image", because, table),
    )


def layer_reason(found: Sequence[Layer]) -> Why:
    """What is said of the layers."""
    alone = [each.name for each in found if len(each.wheels) == 1]
    noun = "layer" if len(found) == 1 else "layers"
    return Why(
        f"the packages lie in {len(found)} {noun}",
        "the largest come first and have one each, local code comes last: after a small change "
        "only the last ones are made again"
        if alone
        else "after a change of the last ones the others are kept",
        "sizes of the lock's files",
    )


def _is_local(each: Artifact) -> bool:
    return each.url is None and each.how in MADE_HERE


def _size(each: Artifact, sizes: Mapping[str, int]) -> int | None:
    size = each.size if isinstance(each.size, int) else sizes.get(each.sha256)
    return None if size is None else max(size, 0)  # a manifest can say anything


def _sorted(found: Sequence[Artifact]) -> tuple[Artifact, ...]:
    return tuple(sorted(found, key=lambda each: canonical_name(each.name)))


class Travels(NamedTuple):
    """A file that lies in `wheels` beside a recipe and is no package of the environment."""

    filename: str
    sha256: str
    tool: bool
    """Whether it is a program that unpacks packages; else it is the interpreter's archive."""


def travelling_tools(plan: BuildPlan) -> tuple[Travels, ...]:
    """What must lie beside the recipe for its steps to need no network, packages apart.

    The wheels of what installs where everything travels, and the interpreter's archive where the
    plan has no address of it. Whoever plans so sees to it that they are there.
    """
    found = []
    name = plan.interpreter.filename
    if name is not None and plan.interpreter.url is None and plan.interpreter.sha256 is not None:
        found.append(Travels(name, plan.interpreter.sha256, tool=False))
    for each in _tools(plan) if plan.offline else ():
        machine, libc = machine_of(plan.platform), _libc(plan)
        found += [
            Travels(wheel.filename, wheel.sha256, tool=True)
            for wheel in each
            if wheel.machine in {machine, "any"} and libc in wheel.libc
        ][:1]
    return tuple(found)


def _tools(plan: BuildPlan) -> list[tuple[installers.Wheel, ...]]:
    """The wheels of every program that the plan unpacks with."""
    asked = []
    if plan.installer.name == "uv":
        asked.append(installers.uv_wheels(plan.python))
    elif plan.installer.version is not None:
        asked.append(installers.pip_wheels(plan.python))
    if plan.unpacker is not None:
        asked.append(installers.rattler_wheels(UNPACKS_BY))
    return [each.value for each in asked if isinstance(each, facts.Looked)]


def _libc(plan: BuildPlan) -> str:
    """The C library that the base image has."""
    named = "alpine" in (plan.base.tag or "") or "alpine" in plan.base.repository
    return (
        "musl" if named or any("-musllinux_" in each.filename for each in plan.wheels) else "glibc"
    )
