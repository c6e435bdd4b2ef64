"""GPU: whether the packages have code, and number formats, for the GPU at hand."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap._typing import NamedTuple
from envsnap.facts import Looked, gpu_arch, torch_cuda
from envsnap.rules._code import capability_of, numbers_of, runs_as_ptx, runs_compiled
from envsnap.rules._core import NeedError, Open, Pair, Said, Side, drift, fit, health, look_up
from envsnap.rules._cuda import (
    computes_on_gpu,
    is_for_amd,
    machine,
    needs,
    published_torch,
    torch_of,
)
from envsnap.rules._findings import Condition, Outcome, Scope
from envsnap.rules._sources import CUDA_GUIDE, NUMBER_FORMATS, TORCH_BUILDS
from envsnap.rules._views import GpuKind, listed_gpus, looked_into, sm, visible_gpus
from envsnap.sections import Gpu, GpuCode, Os, Package, Packages, Python, Unknown

_MACHINES = ("x86_64", "aarch64")
"""Those that the tables have builds of PyTorch for, the likelier first."""


@fit(
    "GPU002", scope=Scope.BOTH, worst=Outcome.BLOCKS, reads=(Gpu, GpuCode, Os, Packages, Python),
    source=CUDA_GUIDE,
)  # fmt: skip
def torch_code(pair: Pair) -> Iterator[Said | Condition | Open]:
    """Its first kernel fails: no kernel image is available for the device.

    Compiled GPU code runs on its own compute capability and later ones of the same major; PTX
    is compiled by the driver for any later one. What PyTorch's published wheels contain is
    taken from a table, where `capture --deep` did not read it from the libraries themselves.
    Where the machine's architecture, or which cards programs see, is not told, the build for
    x86_64 and all the cards are held to be likely, which is a limit and not yet a no.
    """
    if looked_into(pair.wanted, GpuCode) is not None:
        return  # GPU009 says it of every library
    torch = torch_of(pair.wanted)
    cards, unseen = _cards(pair.found) if torch else ([], None)
    if torch is None or not cards:
        return
    capabilities = {capability_of(each): each for each in cards}
    builds = _not_proved(pair, set(capabilities))
    if builds is None:
        return
    if not (builds.known or is_for_amd("torch", torch) or _same_kinds(pair, set(capabilities))):
        yield _not_read("GPU002", "torch")
    for capability, gpu in sorted(capabilities.items()):
        lacking = [each for each in builds.known if _lacks(each.value, capability, gpu)]
        is_sure = builds.is_whole or _is_dropped(pair.wanted, capability)
        if lacking and lacking == builds.known:
            yield _no_code(torch, builds, gpu, capability, is_sure=is_sure and not unseen)
        if builds.unknown and not (is_sure and lacking in ([], builds.known)):
            yield builds.unknown
    if unseen:
        yield unseen


def _not_proved(pair: Pair, found: set[str]) -> _Builds | None:
    """The builds to judge; None where nobody says which it is, and it ran on GPUs of that kind."""
    try:
        builds = _builds(pair.wanted)
    except NeedError:
        if _ran_there(pair, found):
            return None  # whatever it contains
        raise
    return None if builds.labels and _ran_there(pair, found) else builds


def _ran_there(pair: Pair, found: set[str]) -> bool:
    """Whether the environment is known to come from GPUs of these kinds."""
    try:
        return not pair.is_one and _same_kinds(pair, found)
    except NeedError:
        return False


def _cards(side: Side) -> tuple[list[GpuKind], Open | None]:
    """NVIDIA's GPUs that programs see; all of them and what is open, where that is not told."""
    seen, unseen = side.need(Gpu).visible, None
    if isinstance(seen, Unknown) and listed_gpus(side):
        unseen = Open(side.path("gpu.visible"), seen)
    gpus = listed_gpus(side) if unseen else visible_gpus(side)
    return [each for each in gpus if each.vendor == "nvidia"], unseen


class _Builds(NamedTuple):
    """The builds of PyTorch that the environment may have."""

    known: list[Looked[torch_cuda.Code]]
    """The code of each, as far as the tables have it; empty for a build of somebody's own."""
    is_whole: bool
    """Whether these are all."""
    unknown: Open | None
    """What would tell which of them it is; None where that is known."""
    labels: tuple[str, ...] = ()
    """What they are called, where nobody says which of all that were published it is."""


def _builds(side: Side) -> _Builds:
    """The code of PyTorch's published build: of each machine's, where the machine is not told."""
    try:
        torch = published_torch(side)
    except NeedError as error:
        return _any_published(side, error)
    if torch is None:
        return _Builds([], is_whole=True, unknown=None)
    path = side.path("packages.installed.torch.version")
    try:
        name = machine(side)
    except NeedError as error:
        answers = [torch_cuda.code(torch.version, machine=each) for each in _MACHINES]
        known = [each for each in answers if isinstance(each, Looked)]
        is_whole = len(known) == len(answers)
        known = known or [look_up(answers[0], path)]
        return _Builds(known, is_whole, Open(error.path, error.reason))
    code = look_up(torch_cuda.code(torch.version, machine=name), path)
    return _Builds([code], is_whole=True, unknown=None)


def _any_published(side: Side, error: NeedError) -> _Builds:
    """The code of all the builds for CUDA that were published; ends the rule if one is unknown."""
    torch = torch_of(side)
    labels = torch_cuda.labels(torch.version) if torch else ()
    answers = [torch_cuda.code(torch.version, each) for each in labels] if torch else []
    known = [each for each in answers if isinstance(each, Looked)]
    if not known or len(known) < len(answers):
        raise error
    return _Builds(known, is_whole=False, unknown=Open(error.path, error.reason), labels=labels)


def _is_dropped(side: Side, capability: str) -> bool:
    """Whether the CUDA that PyTorch is built for makes no code for it, on whatever machine."""
    try:
        asked = needs(side)
    except NeedError:
        return False
    oldest = (gpu_arch.oldest(each.cuda) for each in asked if each.package == "torch")
    return any(isinstance(each, Looked) and _is_below(capability, each.value) for each in oldest)


def _no_code(
    torch: Package, builds: _Builds, gpu: GpuKind, capability: str, *, is_sure: bool
) -> Said:
    """What is to be said of a GPU that no kernel was built for."""
    code, card = builds.known[0], f"{gpu.title} ({sm(capability)})"
    names = ", ".join(code.value.arch_list)
    what = f"torch {torch.version} has no code for {card}, only for {names}"
    if builds.labels:
        labels = ", ".join(builds.labels)
        what = f"no build of torch {torch.version} ({labels}) has code for {card}"
    return Said(
        "GPU code", Outcome.BLOCKS if is_sure else Outcome.DEGRADES, what,
        remedy=f"a build of torch with {sm(capability)}, or another GPU",
        wanted=names, found=sm(capability), rests_on=code,
    )  # fmt: skip


@fit(
    "GPU016", scope=Scope.BOTH, worst=Outcome.BLOCKS, reads=(Gpu, GpuCode, Packages, Python),
    source=CUDA_GUIDE,
)  # fmt: skip
def dropped_by_toolkit(pair: Pair) -> Iterator[Said | Condition]:
    """A CUDA release that has dropped a GPU has no code for it in its libraries.

    CUDA 13 was the end for GPUs before Turing, CUDA 12 for Kepler. For packages other than
    PyTorch this is all that is known of their code without `capture --deep`.
    """
    if looked_into(pair.wanted, GpuCode) is not None:
        return  # GPU009 looks into every library
    asked = [each for each in needs(pair.wanted) if each.package != "torch"]
    gpus = [each for each in visible_gpus(pair.found) if each.vendor == "nvidia"] if asked else []
    for capability, gpu in sorted({capability_of(each): each for each in gpus}.items()):
        for each in asked:
            oldest = gpu_arch.oldest(each.cuda)
            if isinstance(oldest, Looked) and _is_below(capability, oldest.value):
                yield Said(
                    f"GPU code of {each.package}", Outcome.BLOCKS,
                    f"{each.package} is built for CUDA {each.cuda}, which makes no code for "
                    f"{gpu.title} ({sm(capability)})",
                    remedy="a build for an older CUDA, or another GPU",
                    wanted=each.cuda, found=sm(capability), rests_on=oldest,
                )  # fmt: skip
                break
    names = sorted({each.package for each in asked if not each.package.startswith("nvidia-")})
    if names and gpus and not _same_kinds(pair, {capability_of(each) for each in gpus}):
        yield _not_read("GPU016", ", ".join(names))


def _not_read(code: str, names: str) -> Condition:
    return Condition(
        code=code, text=f"whether {names} has code for this GPU was not read",
        remedy="envsnap capture --deep",
    )  # fmt: skip


def _is_below(capability: str, oldest: gpu_arch.Arch) -> bool:
    return numbers_of(capability) < numbers_of(oldest.compute_capability)


@drift(
    "GPU007", scope=Scope.BOTH, worst=Outcome.DEGRADES, reads=(Gpu, Packages, Python),
    source=NUMBER_FORMATS,
)  # fmt: skip
def number_formats(pair: Pair) -> Iterator[Said]:
    """Computing in it is refused, or emulated slowly.

    The wanted GPU's tensor cores compute in a number format (bfloat16, FP8, FP4) that the found
    GPU's do not have. Whether the computation used it is not recorded: bfloat16 is common and
    a limit, the smaller formats are a note.
    """
    wanted = [each for each in visible_gpus(pair.wanted) if each.vendor == "nvidia"]
    if not wanted or not computes_on_gpu(pair.wanted):
        return
    found = [each for each in visible_gpus(pair.found) if each.vendor == "nvidia"]
    theirs = {capability_of(each) for each in wanted}
    for ours in sorted({capability_of(each) for each in found} - theirs):
        lost = [
            title
            for name, title in (("bf16", "bfloat16"), ("fp8", "FP8"), ("fp4", "FP4"))
            if all(_has(pair.wanted, each, name) for each in theirs)
            and not _has(pair.found, ours, name)
        ]
        if lost:
            yield Said(
                lost[0], Outcome.DEGRADES if "bfloat16" in lost else Outcome.NOTE,
                f"{', '.join(lost)}: not in {sm(ours)}'s hardware",
                remedy="float16 or float32, and say so in the report",
                wanted=", ".join(map(sm, sorted(theirs))), found=sm(ours),
                rests_on=_features(pair.found, ours),
            )  # fmt: skip


@health(
    "GPU012", scope=Scope.NATIVE, worst=Outcome.PERF, reads=(Gpu, Packages, Python),
    source=TORCH_BUILDS,
)  # fmt: skip
def cpu_build(side: Side) -> Iterator[Said]:
    """PyTorch computes on the processor, and the GPU stays idle.

    The build of PyTorch that is installed has no GPU code, on a machine that has a GPU.
    """
    gpus = visible_gpus(side) if torch_of(side) else ()
    torch = published_torch(side) if gpus else None
    if torch is None:
        return
    build = torch_cuda.variant(torch.version, machine=machine(side))
    if isinstance(build, Looked) and build.value.cuda is None:
        yield Said(
            "torch", Outcome.PERF, f"torch {torch.version} is built without CUDA, beside "
            f"{gpus[0].title}",
            remedy="install a build with CUDA from PyTorch's own index", rests_on=build,
        )  # fmt: skip


def _same_kinds(pair: Pair, found: set[str]) -> bool:
    wanted = visible_gpus(pair.wanted)
    return found <= {str(each.capability) for each in wanted if isinstance(each.capability, str)}


def _lacks(code: torch_cuda.Code, capability: str, gpu: GpuKind) -> bool:
    """Whether it computes on GPUs, and not on that one."""
    path = f"{gpu.path}.compute_capability"
    if not code.arch_list or runs_compiled(code.arch_list, capability, path):
        return False
    return not runs_as_ptx((code.ptx,) if code.ptx else (), capability, path)


def _has(side: Side, capability: str, name: str) -> bool:
    return bool(getattr(_features(side, capability).value, name))


def _features(side: Side, capability: str) -> Looked[gpu_arch.Features]:
    return look_up(gpu_arch.features(capability), side.path("gpu.devices"))
