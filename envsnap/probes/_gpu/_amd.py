"""AMD's GPUs as the kernel's compute driver (KFD) shows them, without ROCm."""

from __future__ import annotations

from envsnap._typing import NamedTuple
from envsnap.host import Host
from envsnap.probes._gpu._pci import DEVICES
from envsnap.sections import Device, Fact, Reason, Unknown

NODES = "/sys/class/kfd/kfd/topology/nodes"
_AMD = 0x1002
_INTEGRATED = {  # graphics parts of processors, from LLVM's table of AMDGPU targets
    "gfx902", "gfx909", "gfx90c", "gfx1033", "gfx1035", "gfx1036", "gfx1037", "gfx1103", "gfx1150",
    "gfx1152", "gfx1153",
}  # fmt: skip
_NOT_ASKED = Unknown(Reason.NOT_SUPPORTED, "not told by the kernel")


class Node(NamedTuple):
    """One compute node with SIMD units: a GPU, or a partition of one."""

    bus_id: str
    number: int
    """The driver's own number of the node: HIP counts in that order."""
    target: Fact[str]
    """As 'gfx942'."""
    compute_units: Fact[int]
    integrated: bool
    """Whether it is the graphics part of a processor rather than a card."""
    unique_id: int
    """What ROCR_VISIBLE_DEVICES may name it by; 0 where it tells none."""


def parse_properties(text: str) -> dict[str, int]:
    """The numbers of a node's `properties` file, by name."""
    found = {}
    for line in text.splitlines():
        name, _, value = line.strip().partition(" ")
        if value.isascii() and value.isdecimal() and len(value) <= 20:  # noqa: PLR2004 - 64 bits
            found[name] = int(value)
    return found


def parse_target(number: int) -> str | None:
    """The name of a gfx_target_version; None for nonsense.

    >>> parse_target(90402), parse_target(90010), parse_target(110000)
    ('gfx942', 'gfx90a', 'gfx1100')
    """
    major, minor, step = number // 10000, number // 100 % 100, number % 100
    if not 0 < major < 100 or minor > 15 or step > 15:  # noqa: PLR2004 - hexadecimal digits
        return None
    return f"gfx{major}{minor:x}{step:x}"


def bus_id(properties: dict[str, int]) -> str:
    """The PCI address in a node's domain and location_id."""
    place = properties.get("location_id", 0)
    domain = properties.get("domain", 0)
    return f"{domain:04x}:{place >> 8 & 0xFF:02x}:{place >> 3 & 0x1F:02x}.{place & 7:x}"


def nodes(host: Host) -> Fact[tuple[Node, ...]]:
    """The GPUs that the compute driver offers; empty where it offers none."""
    names = host.list(NODES)
    if names is None or isinstance(names, Unknown):
        return names or ()
    found = []
    for name in names:
        raw = host.read(f"{NODES}/{name}/properties", limit=65536)
        if isinstance(raw, bytes) and name.isascii() and name.isdecimal():
            node = read_node(int(name), parse_properties(raw.decode("ascii", "replace")))
            if node is not None:
                found.append(node)
    return tuple(sorted(found))


def read_node(number: int, properties: dict[str, int]) -> Node | None:
    """The GPU in a node's properties; None for a processor's node."""
    simds, each = properties.get("simd_count", 0), properties.get("simd_per_cu", 0)
    if not simds or properties.get("vendor_id") != _AMD:
        return None
    target = parse_target(properties.get("gfx_target_version", 0))
    return Node(
        bus_id(properties),
        number,
        target or Unknown(Reason.UNPARSABLE, f"{properties.get('gfx_target_version')}"),
        simds // each if each else _NOT_ASKED,
        integrated=target in _INTEGRATED,
        unique_id=properties.get("unique_id", 0),
    )


def device(host: Host, node: Node, *, is_part: bool, identify: bool) -> Device:
    """The facts of one AMD GPU; of a part of one (MI300's CPX mode) its own memory."""
    folder = f"{DEVICES}/{node.bus_id}"
    memory = _line(host, f"{folder}/mem_info_vram_total")
    if is_part:
        bank = host.read(f"{NODES}/{node.number}/mem_banks/0/properties", limit=4096)
        banks = parse_properties(bank.decode("ascii", "replace")) if isinstance(bank, bytes) else {}
        memory = str(banks["size_in_bytes"]) if "size_in_bytes" in banks else _NOT_ASKED
    return Device(
        vendor="amd",
        name=_line(host, f"{folder}/product_name"),
        pci_bus_id=node.bus_id,
        architecture=node.target,
        compute_capability=None,
        multiprocessors=node.compute_units,
        memory_mib=_mib(memory),
        vbios=_line(host, f"{folder}/vbios_version"),
        ecc=_NOT_ASKED,
        mig=None,
        slices=(),
        compute_mode=_NOT_ASKED,
        power_limit_w=_NOT_ASKED,
        max_sm_clock_mhz=_NOT_ASKED,
        max_memory_clock_mhz=_NOT_ASKED,
        application_sm_clock_mhz=_NOT_ASKED,
        default_power_limit_w=_NOT_ASKED,
        persistence=_NOT_ASKED,
        pcie_generation=_NOT_ASKED,
        pcie_width=_NOT_ASKED,
        nvlinks=_NOT_ASKED,
        numa_node=_NOT_ASKED,
        virtualization=_NOT_ASKED,
        shown_by=_NOT_ASKED,
        uuid=_line(host, f"{folder}/unique_id")
        if identify
        else Unknown(Reason.NOT_ASKED, "--identify records it"),
    )


def _line(host: Host, path: str) -> Fact[str]:
    raw = host.read(path, limit=256)
    if isinstance(raw, Unknown):
        return raw
    text = (raw or b"").decode("utf-8", "replace").strip()
    return text if text and text.isprintable() else _NOT_ASKED


def _mib(text: Fact[str]) -> Fact[int]:
    if isinstance(text, Unknown):
        return text
    if not (text.isascii() and text.isdecimal() and len(text) <= 20):  # noqa: PLR2004 - 64 bits
        return Unknown(Reason.UNPARSABLE, text[:60])
    return int(text) // (1024 * 1024) or Unknown(Reason.UNPARSABLE, text)
