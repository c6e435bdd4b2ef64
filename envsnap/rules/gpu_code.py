"""GPU: whether the packages have code, and number formats, for the GPU at hand."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.facts import Looked, NewerThanFacts, gpu_arch, torch_cuda
from envsnap.facts.gpu_arch import Target
from envsnap.rules._core import Pair, Said, Side, drift, fit, health, look_up, need, not_decidable
from envsnap.rules._cuda import computes_on_gpu, is_machine_alone, machine
from envsnap.rules._findings import Outcome, Scope
from envsnap.rules._sources import CUDA_GUIDE, TORCH_RANDOMNESS
from envsnap.rules._views import GpuKind, active, sm, visible_gpus
from envsnap.sections import Gpu, Package, Packages, Python


@fit(
    "GPU002", scope=Scope.BOTH, worst=Outcome.BLOCKS, reads=(Gpu, Packages, Python),
    source=CUDA_GUIDE,
)  # fmt: skip
def torch_code(pair: Pair) -> Iterator[Said]:
    """Its first kernel fails: no kernel image is available for the device.

    Compiled GPU code runs on its own compute capability and later ones of the same major; PTX
    is compiled by the driver for any later one. What PyTorch's published wheels contain is
    taken from a table; other libraries' code is not looked at.
    """
    torch = _published_torch(pair.wanted)
    gpus = [each for each in visible_gpus(pair.found) if each.vendor == "nvidia"] if torch else []
    if torch is None or not gpus:
        return
    code = torch_cuda.code(torch.version, machine=machine(pair.wanted))
    capabilities = {_capability(each): each for each in gpus}
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
    theirs = {_capability(each) for each in wanted}
    for ours in sorted({_capability(each) for each in found} - theirs):
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
    torch = _published_torch(side)
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


def _published_torch(side: Side) -> Package | None:
    """PyTorch as its project publishes it; None where it is another's build, or not there."""
    torch = None if is_machine_alone(side) else active(side).get("torch")
    if torch is None or torch.conda is not None or "rocm" in torch.version:
        return None
    return torch if torch.origin.kind in {"index", "archive"} else None


def _capability(gpu: GpuKind) -> str:
    path = f"{gpu.path}.compute_capability"
    capability = need(gpu.capability, path)
    if capability is None:
        not_decidable(path, "an NVIDIA GPU without a compute capability")
    return capability


def _same_kinds(pair: Pair, found: set[str]) -> bool:
    wanted = visible_gpus(pair.wanted)
    return found <= {str(each.capability) for each in wanted if isinstance(each.capability, str)}


def _covers(code: torch_cuda.Code, capability: str, gpu: GpuKind) -> bool:
    path = f"{gpu.path}.compute_capability"
    asked = _numbers(capability)
    for name in code.arch_list:
        target = gpu_arch.by_target(name)
        if isinstance(target, NewerThanFacts):
            look_up(target, path)
        if isinstance(target, Looked) and _runs(target.value, asked):
            return True
    ptx = code.ptx and gpu_arch.by_target(code.ptx.replace("compute_", "sm_"))
    return isinstance(ptx, Looked) and _numbers(ptx.value.compute_capability) <= asked


def _runs(target: Target, asked: tuple[int, ...]) -> bool:
    built = _numbers(target.compute_capability)
    if target.scope == "exact":
        return built == asked
    return built[:1] == asked[:1] and built <= asked


def _has(side: Side, capability: str, name: str) -> bool:
    return bool(getattr(_features(side, capability).value, name))


def _features(side: Side, capability: str) -> Looked[gpu_arch.Features]:
    return look_up(gpu_arch.features(capability), side.path("gpu.devices"))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
