"""CPU: whether the processor has the instructions that compiled code takes without asking."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.facts import cpu_features
from envsnap.rules._core import Open, Pair, Said, fit, look_up, need
from envsnap.rules._cuda import is_machine_alone
from envsnap.rules._findings import Outcome, Scope
from envsnap.rules._sources import CONDA_LEVELS, CPU_BASELINE
from envsnap.rules._views import asked_for, few
from envsnap.sections import Cpu, Math, Os, Packages, Python, Reason, Unknown

_LEVELS = ("x86_64", "x86_64_v2", "x86_64_v3", "x86_64_v4")
_NAMES = {"amd64": "x86_64", "arm64": "aarch64"}
_CONDA_LEVEL = "_x86_64-microarch-level"
"""What conda-forge's packages for one level and later depend on; its version is the level."""


@fit("CPU020", scope=Scope.NATIVE, worst=Outcome.BLOCKS, reads=(Cpu, Math, Os), source=CPU_BASELINE)
def numpy_baseline(pair: Pair) -> Iterator[Said]:
    """NumPy refuses to be imported on a processor below what it was compiled for.

    NumPy's baseline is what its code uses without asking the processor, as `capture --deep` read
    it from the library. What it takes beyond that, it chooses as it starts (CPU006).
    """
    math = asked_for(pair.wanted, Math)
    if _is_another(pair):
        return
    path = pair.wanted.path("math.numpy_baseline")
    names = need(math.numpy_baseline, path) or ()
    lacking = [name for name in names if not _has(pair, name, path)]
    if lacking:
        yield Said(
            "NumPy", Outcome.BLOCKS,
            f"NumPy is compiled for {few(lacking)}, which this processor has not",
            remedy="run it on a newer processor, or build NumPy here",
            wanted=", ".join(names), found=f"without {', '.join(lacking)}",
        )  # fmt: skip


def _is_another(pair: Pair) -> bool:
    """Whether the processors are known to be of two architectures, as SYS002 and SYS003 say."""
    systems = [side.manifest.section(Os) for side in pair]
    names = {
        _NAMES.get(each.architecture.lower(), each.architecture)
        for each in systems
        if not isinstance(each, Unknown) and not isinstance(each.architecture, Unknown)
    }
    return len(names) > 1


def _has(pair: Pair, name: str, path: str) -> bool:
    asked = look_up(cpu_features.asked(name), path).value
    cpu = pair.found.need(Cpu)
    if asked.level is not None:
        level = need(cpu.generic_level, pair.found.path("cpu.generic_level"))
        return level in _LEVELS and _LEVELS.index(level) >= _LEVELS.index(asked.level)
    features = need(cpu.features, pair.found.path("cpu.features"))
    return set(asked.flags or ()) <= set(features)


@fit(
    "CPU021",
    scope=Scope.BOTH,
    worst=Outcome.BLOCKS,
    reads=(Cpu, Os, Packages, Python),
    source=CONDA_LEVELS,
)
def conda_level(pair: Pair) -> Iterator[Said | Open]:
    """Packages for a higher level stop with an illegal instruction.

    conda-forge builds some packages for one x86-64 level and later; conda chose them by the
    wanted machine's processor (__archspec). An image of them is of that level, too.
    """
    if is_machine_alone(pair.wanted) or _is_another(pair):
        return
    packages = pair.wanted.need(Packages)
    for record in need(packages.conda_only, pair.wanted.path("packages.conda_only")):
        if record.name != _CONDA_LEVEL:
            continue
        wanted = _LEVELS[0] if record.version == "1" else f"x86_64_v{record.version}"
        if wanted not in _LEVELS:
            what = Unknown(Reason.NOT_SUPPORTED, f"level {record.version} of x86-64 is not known")
            yield Open(pair.wanted.path(f"packages.conda_only.{_CONDA_LEVEL}.version"), what)
            continue
        level = need(pair.found.need(Cpu).generic_level, pair.found.path("cpu.generic_level"))
        if level not in _LEVELS or _LEVELS.index(level) < _LEVELS.index(wanted):
            yield Said(
                "CPU level", Outcome.BLOCKS,
                f"conda packages for {wanted}; this processor is {level or 'no x86-64'}",
                remedy="install the packages of a lower level from conda-forge",
                wanted=wanted, found=level or "none",
            )  # fmt: skip
