"""Whether GPU code runs on a GPU: compiled code, PTX, and AMD's targets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from envsnap.facts import Looked, NewerThanFacts, gpu_arch
from envsnap.facts.gpu_arch import Target
from envsnap.rules._core import look_up, need, not_decidable
from envsnap.rules._views import GpuKind

_AMD_NUMBERS = 3


def capability_of(gpu: GpuKind) -> str:
    """An NVIDIA GPU's compute capability; ends the rule where it is not known."""
    path = f"{gpu.path}.compute_capability"
    capability = need(gpu.capability, path)
    if capability is None:
        not_decidable(path, "an NVIDIA GPU without a compute capability")
    return capability


def runs_compiled(targets: Iterable[str], capability: str, path: str) -> bool:
    """Whether code compiled for one of the targets, as 'sm_86', runs on that capability.

    Ends the rule where a target that the tables do not know yet could be the one.
    """
    return _one_of(targets, capability, path, onwards=False)


def runs_as_ptx(targets: Iterable[str], capability: str, path: str) -> bool:
    """Whether the driver can compile PTX of one of the targets, as 'compute_90', for it."""
    names = (each.replace("compute_", "sm_") for each in targets)
    return _one_of(names, capability, path, onwards=True)


def first_toolkit(targets: Iterable[str], capability: str) -> tuple[int, ...]:
    """The first CUDA release that can have made PTX of these for that capability.

    >>> first_toolkit(["compute_90", "compute_100"], "12.0")
    (11, 8)
    """
    asked = numbers_of(capability)
    looked = (gpu_arch.by_target(each.replace("compute_", "sm_")) for each in targets)
    return min(
        numbers_of(each.value.first_toolkit)
        for each in looked
        if isinstance(each, Looked) and _runs(each.value, asked, onwards=True)
    )


def runs_on_amd(targets: Iterable[str], gfx: str, path: str) -> bool:
    """Whether code for one of AMD's targets runs on that one: names are matched exactly."""
    names = {each.partition(":")[0] for each in targets}
    if gfx.partition(":")[0] in names:
        return True
    if any(each.endswith("-generic") for each in names):
        not_decidable(path, f"whether generic code runs on {gfx} is not in the tables")
    return False


def overridden(gfx: str, variables: Mapping[str, str]) -> str:
    """The target that ROCm takes the GPU for, HSA_OVERRIDE_GFX_VERSION applied.

    >>> overridden("gfx1031", {"HSA_OVERRIDE_GFX_VERSION": "10.3.0"}), overridden("gfx90a", {})
    ('gfx1030', 'gfx90a')
    """
    numbers = numbers_of(variables.get("HSA_OVERRIDE_GFX_VERSION", ""))
    if len(numbers) != _AMD_NUMBERS:
        return gfx
    return f"gfx{numbers[0]}{numbers[1]:x}{numbers[2]:x}"


def numbers_of(version: str) -> tuple[int, ...]:
    """The numbers of a version, those parts left out that are none."""
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def _one_of(targets: Iterable[str], capability: str, path: str, *, onwards: bool) -> bool:
    asked, newer = numbers_of(capability), None
    for name in targets:
        target = gpu_arch.by_target(name)
        if isinstance(target, NewerThanFacts):
            newer = target
        elif isinstance(target, Looked) and _runs(target.value, asked, onwards=onwards):
            return True
    if newer is not None:
        look_up(newer, path)
    return False


def _runs(target: Target, asked: tuple[int, ...], *, onwards: bool) -> bool:
    built = numbers_of(target.compute_capability)
    if target.scope == "exact":
        return built == asked
    if target.scope == "onwards" and onwards:
        return built <= asked
    if any(_is_tegra(each) for each in {built, asked}):
        return built == asked
    return built[:1] == asked[:1] and built <= asked


def _is_tegra(capability: tuple[int, ...]) -> bool:
    known = gpu_arch.by_capability(".".join(map(str, capability)))
    return isinstance(known, Looked) and known.value.tegra
