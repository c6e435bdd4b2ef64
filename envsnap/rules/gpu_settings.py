"""GPU: how the accelerators are set and joined, and which arithmetic they are allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from envsnap._typing import NamedTuple
from envsnap.facts import gpu_arch
from envsnap.rules._core import NeedError, Open, Pair, Said, Side, drift, look_up, need
from envsnap.rules._cuda import computes_on_gpu, is_machine_alone
from envsnap.rules._findings import Outcome, Scope
from envsnap.rules._sources import GPU_SETTINGS, NCCL_ORDER, TF32
from envsnap.rules._views import active, all_are_listed, visible_gpus
from envsnap.sections import Device, Environ, Fact, Gpu, Packages, Python

_OFF = ("0", "off", "false")
_OVERRIDE = "NVIDIA_TF32_OVERRIDE"
_TORCH_MATMUL = "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"
_JAX_MATMUL = "JAX_DEFAULT_MATMUL_PRECISION"
_FULL = ("highest", "float32", "f32_f32_f32")
_FIRST, _LAST = (1, 7), (1, 11)
"""The releases of PyTorch that use it for matrix products; from the first one for convolutions."""


@drift(
    "GPU013", scope=Scope.BOTH, worst=Outcome.NUMERICS, reads=(Environ, Gpu, Packages, Python),
    source=TF32,
)  # fmt: skip
def tf32(pair: Pair) -> Iterator[Said]:
    """TensorFloat-32 keeps ten bits of a number: results differ in the third digit.

    Ampere and later GPUs compute float32 in it where a framework allows it, and older GPUs do
    not have it. PyTorch allows it for what cuDNN computes (convolutions, recurrent layers) since
    1.7, for matrix products from 1.7 to 1.11 or with TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1;
    TensorFlow for both; JAX for both unless JAX_DEFAULT_MATMUL_PRECISION asks for more. With
    NVIDIA_TF32_OVERRIDE=0 no NVIDIA library uses it. What the program itself sets is not known.
    """
    if is_machine_alone(pair.wanted) or not computes_on_gpu(pair.wanted):
        return
    theirs, ours = _have_tf32(pair.wanted), _have_tf32(pair.found)
    if not theirs or not ours or theirs == ours:
        return
    has = pair.found if True in ours else pair.wanted
    uses = list(_uses(pair.wanted, has))
    if uses and not _is_off(has):
        words = {True: "with it", False: "without it"}
        then, now = (" and ".join(words[each] for each in sorted(one)) for one in (theirs, ours))
        yield Said(
            "TF32", Outcome.NUMERICS, f"float32 {', '.join(uses)}: {then} -> {now}",
            remedy=f"export {_OVERRIDE}=0" if has is pair.found else None,
            wanted=then, found=now,
        )  # fmt: skip


def _uses(wanted: Side, has: Side) -> Iterator[str]:
    """What computes in it, by the wanted packages and the variables where a GPU has it."""
    packages = active(wanted)
    torch = packages["torch"] if "torch" in set(packages) else None
    if torch is not None:
        first = tuple(int(part) for part in torch.version.split(".")[:2] if part.isdecimal())
        is_allowed = _variable(has, _TORCH_MATMUL) == "1"
        if first >= _FIRST and (first <= _LAST or is_allowed):
            yield "convolutions and matrix products of PyTorch"
        elif first >= _FIRST:
            yield "convolutions of PyTorch"
    if "tensorflow" in set(packages):
        yield "convolutions and matrix products of TensorFlow"
    if "jax" in set(packages) and _variable(has, _JAX_MATMUL).lower() not in _FULL:
        yield "convolutions and matrix products of JAX"
    if not {"torch", "tensorflow", "jax"} & set(packages):
        all_are_listed(wanted)


def _have_tf32(side: Side) -> frozenset[bool]:
    """Whether the visible GPUs have it: both, where some do."""
    return frozenset(
        look_up(gpu_arch.features(capability), f"{each.path}.compute_capability").value.tf32
        for each in visible_gpus(side)
        if each.vendor == "nvidia"
        if (capability := need(each.capability, f"{each.path}.compute_capability"))
    )


def _is_off(side: Side) -> bool:
    return _variable(side, _OVERRIDE).lower() in _OFF


def _variable(side: Side, name: str) -> str:
    variables = need(side.need(Environ).variables, side.path("environ.variables"))
    return variables.get(name, "").strip()


class _Setting(NamedTuple):
    """One way in which two cards of a model can be set."""

    field: str
    title: str
    outcome: Outcome
    unit: str = ""


_SETTINGS = (
    _Setting("power_limit_w", "power limit", Outcome.PERF, " W"),
    _Setting("max_sm_clock_mhz", "highest SM clock", Outcome.PERF, " MHz"),
    _Setting("max_memory_clock_mhz", "highest memory clock", Outcome.PERF, " MHz"),
    _Setting("application_sm_clock_mhz", "SM clock for programs", Outcome.PERF, " MHz"),
    _Setting("ecc", "ECC", Outcome.PERF),
    _Setting("pcie_generation", "PCIe generation", Outcome.PERF),
    _Setting("pcie_width", "PCIe lanes", Outcome.PERF),
    _Setting("persistence", "persistence mode", Outcome.NOTE),
    _Setting("compute_mode", "compute mode", Outcome.NOTE),
    _Setting("virtualization", "virtualization", Outcome.NOTE),
    _Setting("vbios", "VBIOS", Outcome.NOTE),
)


@drift(
    "GPU014",
    scope=Scope.BOTH,
    worst=Outcome.PERF,
    reads=(Gpu, Packages, Python),
    source=GPU_SETTINGS,
)
def settings(pair: Pair) -> Iterator[Said | Open]:
    """The same model runs at another speed; its digits stay.

    Compared are the cards of a model that both machines have: power limit, clocks, ECC, PCIe.
    Persistence, compute mode, virtualization and VBIOS are a note.
    """
    if not computes_on_gpu(pair.wanted):
        return
    theirs, ours = _by_model(pair.wanted), _by_model(pair.found)
    for model in sorted(theirs.keys() & ours.keys()):
        for setting in _SETTINGS:
            yield from _setting(setting, model, theirs[model], ours[model])


def _setting(
    setting: _Setting, model: str, wanted: Mapping[str, Device], found: Mapping[str, Device]
) -> Iterator[Said | Open]:
    try:
        theirs, ours = (_values(each, setting) for each in (wanted, found))
    except NeedError as error:
        yield Open(error.path, error.reason)
        return
    if theirs != ours:
        yield Said(
            f"{setting.title} of {model}", setting.outcome,
            f"{setting.title} of {model}: {theirs} -> {ours}", wanted=theirs, found=ours,
        )  # fmt: skip


def _values(devices: Mapping[str, Device], setting: _Setting) -> str:
    """The values of one setting on all cards of a model, in words."""
    facts: dict[str, Fact[object]] = {
        f"{path}.{setting.field}": getattr(device, setting.field)
        for path, device in devices.items()
    }
    values = {_word(need(fact, path), setting.unit) for path, fact in facts.items()}
    return " and ".join(sorted(values))


def _word(value: object, unit: str) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value}{unit}"


def _by_model(side: Side) -> Mapping[str, Mapping[str, Device]]:
    """The visible cards whose name is known, by it, each by its place."""
    found: dict[str, dict[str, Device]] = {}
    for path, device in _visible(side):
        name = need(device.name, f"{path}.name").removeprefix("NVIDIA ")
        found.setdefault(name, {})[path] = device
    return found


def _visible(side: Side) -> Iterator[tuple[str, Device]]:
    gpu = side.need(Gpu)
    devices = need(gpu.devices, side.path("gpu.devices"))
    if not devices:
        return
    for position in need(gpu.visible, side.path("gpu.visible")):
        if 0 <= position < len(devices):
            yield side.path(f"gpu.devices[{position}]"), devices[position]


@drift(
    "GPU015", scope=Scope.BOTH, worst=Outcome.NUMERICS, reads=(Gpu, Packages, Python),
    source=NCCL_ORDER,
)  # fmt: skip
def links(pair: Pair) -> Iterator[Said]:
    """NCCL adds up in the order of the links between GPUs.

    The GPUs that programs see are joined in another way: by NVLink, through a PCIe switch, or
    over the processors. Sums over several GPUs take another way, and another time.
    """
    if not computes_on_gpu(pair.wanted):
        return
    counts = [len(list(_visible(side))) for side in pair]
    if min(counts) < _SEVERAL or counts[0] != counts[1]:
        return  # another number of GPUs is GPU006's matter
    theirs, ours = (_ways(side) for side in pair)
    if theirs != ours:
        yield Said("GPU links", Outcome.NUMERICS, f"{theirs} -> {ours}", wanted=theirs, found=ours)


_SEVERAL = 2


def _ways(side: Side) -> str:
    """How the visible GPUs are joined, each way with its number."""
    gpu = side.need(Gpu)
    visible = set(need(gpu.visible, side.path("gpu.visible")))
    topology = need(gpu.topology, side.path("gpu.topology"))
    ways = [
        _link(need(each.way, side.path(f"gpu.topology[{index}].way")))
        for index, each in enumerate(topology)
        if {each.first, each.second} <= visible
    ]
    return ", ".join(f"{ways.count(way)} x {way}" for way in sorted(set(ways))) or "not joined"


def _link(way: str) -> str:
    kind, _, number = way.partition(":")
    return f"{number} NVLinks" if kind == "nvlink" else way
