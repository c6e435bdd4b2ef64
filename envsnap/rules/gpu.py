"""GPU: the accelerators that programs see."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.rules._core import NeedError, Open, Pair, Said, Side, drift, health, need
from envsnap.rules._cuda import computes_on_gpu, is_machine_alone
from envsnap.rules._findings import Outcome, Scope
from envsnap.rules._sources import (
    CUBLAS,
    CUDA_VARIABLES,
    CUDNN,
    ENVSNAP,
    NCCL_ORDER,
    NO_DEVICE,
    OUT_OF_MEMORY,
)
from envsnap.rules._views import GpuKind, gib, gpu_peaks, looked_into, sm, visible_gpus
from envsnap.rules.login_node import job_with_gpu
from envsnap.sections import Device, Gpu, Packages, Python, Run, Unknown

_LESS = 0.97  # ECC and firmware take a share of the same card's memory


@drift(
    "GPU001", scope=Scope.BOTH, worst=Outcome.BLOCKS, reads=(Gpu, Packages, Python, Run),
    source=NO_DEVICE,
)  # fmt: skip
def no_gpu(pair: Pair) -> Iterator[Said]:
    """What asks for the GPU stops; what can do without it runs on the processor.

    The wanted environment had a GPU and packages that compute on one, and no program sees a GPU
    of that vendor on the found machine: what is built for one vendor's does not run on
    another's. A container uses the machine's GPU. Where `envsnap run` recorded a run that ended
    well and held no GPU memory, it is a note.
    """
    wanted = visible_gpus(pair.wanted)
    if not wanted or not computes_on_gpu(pair.wanted):
        return
    vendors = {each.vendor for each in wanted}
    gpu = pair.found.need(Gpu)
    devices = need(gpu.devices, pair.found.path("gpu.devices"))
    hidden = None
    if any(each.vendor in vendors for each in devices):
        if vendors & {each.vendor for each in visible_gpus(pair.found)}:
            return
        hidden = need(gpu.hidden, pair.found.path("gpu.hidden"))
    what = f"{wanted[0].title} -> {hidden or _no_such(devices)}"
    said = Said(
        "GPU", Outcome.BLOCKS, what, wanted=wanted[0].title, found="none",
        remedy=job_with_gpu(pair)
        or _way_to_a_gpu(wanted[0].vendor, hidden, has_other=bool(devices)),
    )  # fmt: skip
    if _ran_without(pair.wanted):
        said = said._replace(outcome=Outcome.NOTE, why="the recorded run held no memory on one")
    yield said


def _no_such(devices: tuple[Device, ...]) -> str:
    """'no such GPU', and which one is there instead."""
    if not devices or isinstance(devices[0].name, Unknown):
        return "no such GPU"
    return f"no such GPU, but {devices[0].name}"


def _way_to_a_gpu(vendor: str, hidden: str | None, *, has_other: bool) -> str | None:
    """What the reader can do; what is wrong with a driver is the driver rules' matter."""
    if hidden:
        by_variable = "_VISIBLE_DEVICES" in hidden
        return "show it to programs (CUDA_VISIBLE_DEVICES)" if by_variable else None
    other = ", or packages built for the one that is here" if has_other else ""
    return f"a machine with {_article(vendor)} GPU{other}"


def _ran_without(side: Side) -> bool:
    """Whether a run that ended well was recorded, and held no memory on a GPU."""
    run = looked_into(side, Run)
    return run is not None and run.exit_status == 0 and gpu_peaks(side) is None


@drift(
    "GPU003", scope=Scope.BOTH, worst=Outcome.NUMERICS, reads=(Gpu, Packages, Python), source=CUDNN
)
def other_kind(pair: Pair) -> Iterator[Said]:
    """The same bits are promised within one kind of GPU only (cuDNN).

    The compute capability differs. Libraries take other kernels for each, and cuDNN promises
    the same bits on the same architecture alone. AMD's GPUs are GPU020's matter.
    """
    wanted = _but_amds(_computing(pair))
    theirs = {_capability(each) for each in wanted}
    for found in _distinct(_counterparts(pair, wanted)):
        ours = _capability(found)
        if ours not in theirs:
            yield Said(
                "GPU kind", Outcome.NUMERICS,
                f"{_words(wanted[0])} -> {_words(found)}",
                wanted=_words(wanted[0]), found=_words(found),
            )  # fmt: skip


@drift(
    "GPU004", scope=Scope.BOTH, worst=Outcome.NUMERICS, reads=(Gpu, Packages, Python), source=CUBLAS
)
def other_size(pair: Pair) -> Iterator[Said]:
    """Sums are split by the number of multiprocessors (cuBLAS).

    cuBLAS promises the same bits on GPUs of the same architecture and the same number of
    streaming multiprocessors only: an H100 of another form, or a MIG slice, is another size.
    AMD's GPUs are GPU020's matter.
    """
    wanted = _but_amds(_computing(pair))
    theirs = {need(each.multiprocessors, f"{each.path}.multiprocessors") for each in wanted}
    for found in _distinct(_counterparts(pair, wanted)):
        ours = need(found.multiprocessors, f"{found.path}.multiprocessors")
        if ours not in theirs:
            yield Said(
                "GPU size", Outcome.NUMERICS,
                f"{_numbers(theirs)} -> {ours} multiprocessors",
                wanted=_numbers(theirs), found=str(ours),
            )  # fmt: skip


@drift(
    "GPU005", scope=Scope.BOTH, worst=Outcome.DEGRADES, reads=(Gpu, Packages, Python, Run),
    source=OUT_OF_MEMORY,
)  # fmt: skip
def less_memory(pair: Pair) -> Iterator[Said]:
    """What filled the wanted GPU's memory does not fit.

    What the computation needed is not recorded, only what its GPU had. A smaller batch needs
    less, and is another computation. Where `envsnap run` recorded what it needed, that counts
    (RUN001).
    """
    wanted = _computing(pair)
    if not wanted or gpu_peaks(pair.wanted) is not None:
        return
    theirs = min(need(each.memory_mib, f"{each.path}.memory_mib") for each in wanted)
    for found in _distinct(_counterparts(pair, wanted)):
        ours = need(found.memory_mib, f"{found.path}.memory_mib")
        if ours < theirs and ours < theirs * _LESS:
            yield Said(
                "GPU memory", Outcome.DEGRADES, f"{gib(theirs)} -> {gib(ours)}",
                remedy=f"a smaller batch, or a GPU with {gib(theirs)}",
                wanted=gib(theirs), found=gib(ours),
            )  # fmt: skip


@drift(
    "GPU006", scope=Scope.BOTH, worst=Outcome.DEGRADES, reads=(Gpu, Packages, Python),
    source=NCCL_ORDER,
)  # fmt: skip
def other_number(pair: Pair) -> Iterator[Said]:
    """Sums over GPUs are split by their number.

    A program that uses all the GPUs it sees divides the batch by their number, and adds the
    parts in another order. One that needs the wanted number does not start with fewer.
    """
    wanted = _computing(pair)
    found = _counterparts(pair, wanted)
    if len(found) == len(wanted) or not found:
        return
    if len(found) < len(wanted):
        outcome = Outcome.DEGRADES
    else:
        outcome = Outcome.NUMERICS if len(wanted) > 1 else Outcome.NOTE
    yield Said(
        "GPU count", outcome, f"{len(wanted)} -> {len(found)} GPUs",
        remedy=f"CUDA_VISIBLE_DEVICES={','.join(map(str, range(len(wanted))))}"
        if len(found) > len(wanted) else "a machine with as many, or another configuration",
        wanted=str(len(wanted)), found=str(len(found)),
    )  # fmt: skip


@drift(
    "GPU008", scope=Scope.BOTH, worst=Outcome.NOTE, reads=(Gpu, Packages, Python), source=ENVSNAP
)
def unused(pair: Pair) -> Iterator[Said | Open]:
    """Nothing that is installed computes on a GPU.

    The two machines' GPUs differ, and no package of the wanted environment is known to use one.
    Where it is not known what is installed, they are named, and what it means is left open.
    """
    wanted, found = visible_gpus(pair.wanted), visible_gpus(pair.found)
    unknown, why = None, None
    try:
        if computes_on_gpu(pair.wanted) and (wanted or not is_machine_alone(pair.wanted)):
            return  # GPU019 says it where a GPU computes now and none did
    except NeedError as error:
        unknown = Open(error.path, error.reason)
        why = "whether what is installed computes on a GPU is not known"
    theirs, ours = ([_title(each) for each in side] for side in (wanted, found))
    if sorted(theirs) != sorted(ours):
        yield Said(
            "GPU", Outcome.NOTE, f"{_titles(theirs)} -> {_titles(ours)}", why=why,
            wanted=_titles(theirs), found=_titles(ours),
        )  # fmt: skip
        if unknown is not None:
            yield unknown


@health("GPU010", scope=Scope.BOTH, worst=Outcome.NOTE, reads=(Gpu,), source=CUDA_VARIABLES)
def hidden(side: Side) -> Iterator[Said]:
    """Programs see fewer GPUs than the machine has.

    An environment variable, the batch system or the container's settings show a part of them.
    """
    why = need(side.need(Gpu).hidden, side.path("gpu.hidden"))
    if why is not None:
        is_containers = "NVIDIA_VISIBLE_DEVICES" in why.replace("CUDA_VISIBLE_DEVICES", "")
        remedy = "docker run --gpus all, or apptainer exec --nv" if is_containers else None
        yield Said("GPU", Outcome.NOTE, why, remedy=remedy)


@health("GPU011", scope=Scope.BOTH, worst=Outcome.NOTE, reads=(Gpu,), source=CUDNN)
def mixed(side: Side) -> Iterator[Said]:
    """Which of them a program takes decides its digits.

    The GPUs that programs see are of different models.
    """
    kinds = sorted({_title(each) for each in visible_gpus(side)})
    if len(kinds) > 1:
        yield Said(
            "GPU models", Outcome.NOTE, f"different models: {', '.join(kinds)}",
            remedy="choose one with CUDA_VISIBLE_DEVICES",
        )  # fmt: skip


def _computing(pair: Pair) -> tuple[GpuKind, ...]:
    """The wanted GPUs, if there are packages that compute on them."""
    wanted = visible_gpus(pair.wanted)
    return wanted if wanted and computes_on_gpu(pair.wanted) else ()


def _but_amds(gpus: tuple[GpuKind, ...]) -> tuple[GpuKind, ...]:
    return tuple(each for each in gpus if each.vendor != "amd")


def _counterparts(pair: Pair, wanted: tuple[GpuKind, ...]) -> tuple[GpuKind, ...]:
    """The found GPUs of the wanted one's vendors; another vendor's are GPU001's matter."""
    if not wanted:
        return ()
    vendors = {each.vendor for each in wanted}
    return tuple(each for each in visible_gpus(pair.found) if each.vendor in vendors)


def _distinct(gpus: tuple[GpuKind, ...]) -> tuple[GpuKind, ...]:
    """One of each kind, in the order of their first."""
    kinds = {each._replace(path=""): each for each in reversed(gpus)}
    return tuple(reversed(list(kinds.values())))


def _capability(gpu: GpuKind) -> str | None:
    return need(gpu.capability, f"{gpu.path}.compute_capability")


def _words(gpu: GpuKind) -> str:
    capability = _capability(gpu)
    return f"{gpu.title} ({sm(capability)})" if capability else gpu.title


def _title(gpu: GpuKind) -> str:
    need(gpu.name, f"{gpu.path}.name")
    need(gpu.profile, f"{gpu.path}.mig")
    return gpu.title


def _titles(titles: list[str]) -> str:
    kinds = sorted(set(titles))
    return (
        ", ".join(
            f"{titles.count(kind)} x {kind}" if titles.count(kind) > 1 else kind for kind in kinds
        )
        or "none"
    )


def _numbers(numbers: set[int]) -> str:
    return " or ".join(map(str, sorted(numbers)))


def _article(vendor: str) -> str:
    return {"nvidia": "an NVIDIA", "amd": "an AMD", "intel": "an Intel"}.get(vendor, f"a {vendor}")
