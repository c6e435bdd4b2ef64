"""GPU: whether the packages have code, and number formats, for the GPU at hand."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.facts import Looked, gpu_arch, torch_cuda
from envsnap.rules._code import capability_of, numbers_of, runs_as_ptx, runs_compiled
from envsnap.rules._core import Pair, Said, Side, drift, fit, health, look_up
from envsnap.rules._cuda import computes_on_gpu, machine, needs, published_torch
from envsnap.rules._findings import Condition, Outcome, Scope
from envsnap.rules._sources import CUDA_GUIDE, TORCH_RANDOMNESS
from envsnap.rules._views import GpuKind, looked_into, sm, visible_gpus
from envsnap.sections import Gpu, GpuCode, Packages, Python


@fit(
    "GPU002", scope=Scope.BOTH, worst=Outcome.BLOCKS, reads=(Gpu, GpuCode, Packages, Python),
    source=CUDA_GUIDE,
)  # fmt: skip
def torch_code(pair: Pair) -> Iterator[Said]:
    """Its first kernel fails: no kernel image is available for the device.

    Compiled GPU code runs on its own compute capability and later ones of the same major; PTX
    is compiled by the driver for any later one. What PyTorch's published wheels contain is
    taken from a table, where `capture --deep` did not read it from the libraries themselves.
    """
    if looked_into(pair.wanted, GpuCode) is not None:
        return  # GPU009 says it of every library
    torch = published_torch(pair.wanted)
    gpus = [each for each in visible_gpus(pair.found) if each.vendor == "nvidia"] if torch else []
    if torch is None or not gpus:
        return
    code = torch_cuda.code(torch.version, machine=machine(pair.wanted))
    capabilities = {capability_of(each): each for each in gpus}
    if not isinstance(code, Looked):
        if not pair.is_one and _same_kinds(pair, set(capabilities)):
            return  # whatever it contains, it ran there
        look_up(code, pair.wanted.path("packages.installed.torch.version"))
        return
    for capability, gpu in sorted(capabilities.items()):
        if code.value.arch_list and not _covers(code.value, capability, gpu):
            yield Said(
                "GPU code", Outcome.BLOCKS,
                f"torch {torch.version} has no code for {gpu.title} ({sm(capability)}), "
                f"only for {', '.join(code.value.arch_list)}",
                remedy=f"a build of torch with {sm(capability)}, or another GPU",
                wanted=", ".join(code.value.arch_list), found=sm(capability), rests_on=code,
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
        yield Condition(
            code="GPU016",
            text=f"whether {', '.join(names)} has code for this GPU was not read (capture --deep)",
        )


def _is_below(capability: str, oldest: gpu_arch.Arch) -> bool:
    return numbers_of(capability) < numbers_of(oldest.compute_capability)


@drift(
    "GPU007", scope=Scope.BOTH, worst=Outcome.DEGRADES, reads=(Gpu, Packages, Python),
    source=TORCH_RANDOMNESS,
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
    source=CUDA_GUIDE,
)  # fmt: skip
def cpu_build(side: Side) -> Iterator[Said]:
    """PyTorch computes on the processor, and the GPU stays idle.

    The build of PyTorch that is installed has no GPU code, on a machine that has a GPU.
    """
    torch = published_torch(side)
    if torch is None:
        return
    gpus = visible_gpus(side)
    if not gpus:
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


def _covers(code: torch_cuda.Code, capability: str, gpu: GpuKind) -> bool:
    path = f"{gpu.path}.compute_capability"
    compiled = runs_compiled(code.arch_list, capability, path)
    return compiled or runs_as_ptx((code.ptx,) if code.ptx else (), capability, path)


def _has(side: Side, capability: str, name: str) -> bool:
    return bool(getattr(_features(side, capability).value, name))


def _features(side: Side, capability: str) -> Looked[gpu_arch.Features]:
    return look_up(gpu_arch.features(capability), side.path("gpu.devices"))
