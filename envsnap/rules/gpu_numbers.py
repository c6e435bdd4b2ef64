"""GPU: what another model, or a GPU where there was none, does to random numbers and sums."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.rules._core import Pair, Said, Side, drift, need
from envsnap.rules._cuda import computes_on_gpu, gpu_packages, is_for_amd, is_machine_alone
from envsnap.rules._findings import Level, Outcome, Scope
from envsnap.rules._sources import CUBLAS, TORCH_RANDOMNESS, TORCH_STREAMS
from envsnap.rules._views import GpuKind, active, all_are_listed, sm, visible_gpus
from envsnap.sections import Gpu, Packages, Python, Scheduler

_LIBRARIES = ("nvidia-", "cuda-", "cudatoolkit")


@drift(
    "GPU017", scope=Scope.BOTH, worst=Outcome.NOTE, reads=(Gpu, Packages, Python), source=CUBLAS,
    lowers=Level.SAME_ARCHITECTURE,
)  # fmt: skip
def other_model(pair: Pair) -> Iterator[Said]:
    """It takes the same kernels: the architecture and the size agree.

    Another model of the same compute capability and the same number of multiprocessors, as an
    A100 of 80 GB for one of 40. What NVIDIA promises for one architecture holds between them;
    that they are the same card, nobody can say. AMD's GPUs are GPU020's matter.
    """
    wanted, found = (
        [each for each in some if each.vendor != "amd"] for some in both_computing(pair)
    )
    theirs = {_geometry(each): each for each in wanted}
    names = {_title(each) for each in wanted}
    for model in sorted({_title(each) for each in found} - names):
        same = [each for each in found if _title(each) == model and _geometry(each) in theirs]
        if same:
            there = theirs[_geometry(same[0])].title
            yield Said(
                "GPU model", Outcome.NOTE, f"{there} -> {model}", wanted=there, found=model,
                lowers=Level.SAME_ARCHITECTURE,
            )  # fmt: skip


@drift(
    "GPU018", scope=Scope.BOTH, worst=Outcome.NUMERICS, reads=(Gpu, Packages, Python),
    source=TORCH_STREAMS,
)  # fmt: skip
def random_numbers(pair: Pair) -> Iterator[Said]:
    """PyTorch draws other random numbers there from the same seed.

    Its generator on the GPU gives each thread a stream of its own, and takes as many threads as
    the GPU runs at once: multiprocessors times the threads of each, which the compute capability
    fixes. A tensor with more elements than that is filled otherwise on another GPU; no switch of
    PyTorch's changes it.
    """
    if not _draws_with_torch(pair.wanted):
        return
    wanted, found = both_computing(pair)
    theirs = {_geometry(each) for each in wanted}
    ours = {_geometry(each) for each in found} - theirs
    if ours and theirs:
        there, here = (_geometries(each) for each in (theirs, ours))
        yield Said(
            "random numbers", Outcome.NUMERICS, f"PyTorch's streams: {there} -> {here}",
            remedy="draw them on the processor (a generator with device='cpu')",
            wanted=there, found=here,
        )  # fmt: skip


@drift(
    "GPU019", scope=Scope.BOTH, worst=Outcome.NUMERICS,
    reads=(Gpu, Packages, Python, Scheduler), source=TORCH_RANDOMNESS,
)  # fmt: skip
def gpu_for_processor(pair: Pair) -> Iterator[Said]:
    """What takes a GPU where it finds one computes on it now: other numbers.

    Programs saw no GPU on the wanted machine, and see one here that the installed packages
    compute on. PyTorch promises no agreement between processor and GPU. On a node of a cluster
    the results may come from another node: SYS012 speaks of it.
    """
    if is_machine_alone(pair.wanted) or visible_gpus(pair.wanted):
        return
    vendors = pair.wanted.once(_computing_vendors)
    found = [each for each in visible_gpus(pair.found) if each.vendor in vendors]
    if not found:
        return
    kind = need(pair.wanted.need(Scheduler).kind, pair.wanted.path("scheduler.kind"))
    if kind is None:
        yield Said(
            "GPU", Outcome.NUMERICS, f"none -> {found[0].title}",
            remedy="export CUDA_VISIBLE_DEVICES=''", wanted="none", found=found[0].title,
        )  # fmt: skip


def both_computing(pair: Pair) -> tuple[list[GpuKind], list[GpuKind]]:
    """The GPUs of both sides that the wanted environment computes on, of the same vendors."""
    wanted = visible_gpus(pair.wanted)
    if not wanted or not computes_on_gpu(pair.wanted):
        return [], []
    vendors = {each.vendor for each in wanted}
    found = [each for each in visible_gpus(pair.found) if each.vendor in vendors]
    return list(wanted), found


def _geometry(gpu: GpuKind) -> tuple[str, int]:
    """The architecture, and how many multiprocessors there are of it."""
    capability = need(gpu.capability, f"{gpu.path}.compute_capability")
    kind = capability or need(gpu.architecture, f"{gpu.path}.architecture")
    return kind, need(gpu.multiprocessors, f"{gpu.path}.multiprocessors")


def _geometries(some: set[tuple[str, int]]) -> str:
    """'40 multiprocessors of sm_75'."""
    named = [
        f"{number} multiprocessors of {sm(kind) if kind[:1].isdecimal() else kind}"
        for kind, number in sorted(some)
    ]
    return " or ".join(named)


def _title(gpu: GpuKind) -> str:
    need(gpu.name, f"{gpu.path}.name")
    need(gpu.profile, f"{gpu.path}.mig")
    return gpu.title


def _draws_with_torch(side: Side) -> bool:
    """Whether PyTorch is there, and not in a build for the processor alone."""
    if is_machine_alone(side):
        return False
    torch = active(side).get("torch")
    # A build for the processor may stand beside another package's libraries for GPUs.
    return torch is not None and not torch.version.endswith("+cpu") and computes_on_gpu(side)


def _computing_vendors(side: Side) -> set[str]:
    """Whose GPUs the installed packages compute on, without being told to."""
    packages = active(side)
    if any(is_for_amd(name, each) for name, each in packages.items()):
        return {"amd"}
    # NVIDIA's libraries come with packages that take a GPU only where they are asked to.
    takes_one = any(not each.startswith(_LIBRARIES) for each in gpu_packages(side))
    if takes_one or _draws_with_torch(side):
        return {"nvidia"}
    if "tensorflow" in set(packages) and computes_on_gpu(side):
        return {"nvidia"}
    all_are_listed(side)
    return set()
