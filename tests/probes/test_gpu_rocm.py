"""GPUs that are no cards of NVIDIA's on a bus: Jetson boards, and AMD's with and without ROCm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.host import Uname
from envsnap.probes._gpu import _rocm, _seen
from envsnap.sections import CudaLibrary, Driver, GpuLink, Reason, Rocm, Unknown
from tests.probes.gpus import MI300, NO_LIBRARY, devices_of, driver_files, gpu, machine, pci

TEGRA = Uname("Linux", "5.10.120-tegra", "#1 SMP PREEMPT", "aarch64")


def test_jetson_linux_before_36_has_no_drivers_number() -> None:
    host = machine(
        {
            "/etc/nv_tegra_release": "# R35 (release), REVISION: 4.1, GCID: 33958178\n",
            "/proc/device-tree/compatible": "nvidia,p3701-0005\0nvidia,tegra234\0",
            "/proc/device-tree/model": "NVIDIA Orin NX Developer Kit\0",
            **driver_files("35.4.1"),
        },
        uname=TEGRA,
        nvml=NO_LIBRARY,
    )
    own = Unknown(Reason.NOT_SUPPORTED, "Jetson Linux 35.4.1: the driver is in it")
    driver = gpu(host).driver
    assert isinstance(driver, Driver)
    assert (driver.version, driver.kernel_module, driver.flavour) == (own, own, own)
    (device,) = devices_of(gpu(host))
    assert (device.name, device.shown_by) == ("NVIDIA Orin NX Developer Kit", ("tegra",))


def node(number: int, location: int, unique: int = 0) -> dict[str, str]:
    said = MI300.replace("location_id 1280", f"location_id {location}")
    said = said.replace("unique_id 77", f"unique_id {unique}")
    return {f"/sys/class/kfd/kfd/topology/nodes/{number}/properties": said}


AMD_CARDS = {
    **pci("0000:05:00.0", "1002", "74a1", "0x120000"),
    **pci("0000:26:00.0", "1002", "74a1", "0x120000"),
    **node(1, 0x2600, 0xBEEF),
    **node(2, 0x500, 0xCAFE),
}


@pytest.mark.parametrize(
    ("environ", "visible", "hidden"),
    [
        ({"HIP_VISIBLE_DEVICES": "0"}, (1,), "HIP_VISIBLE_DEVICES hides 1"),
        ({"CUDA_VISIBLE_DEVICES": "1"}, (0,), "CUDA_VISIBLE_DEVICES hides 1"),
        ({"HIP_VISIBLE_DEVICES": "0,1", "CUDA_VISIBLE_DEVICES": "0"}, (0, 1), None),
        ({"ROCR_VISIBLE_DEVICES": "GPU-000000000000cafe"}, (0,), "ROCR_VISIBLE_DEVICES hides 1"),
        (
            {"ROCR_VISIBLE_DEVICES": "1", "HIP_VISIBLE_DEVICES": "1"},
            (),
            "ROCR_VISIBLE_DEVICES and HIP_VISIBLE_DEVICES hide 2",
        ),
        ({"ROCR_VISIBLE_DEVICES": "GPU-12"}, (), "ROCR_VISIBLE_DEVICES hides 2"),
        ({"HIP_VISIBLE_DEVICES": "-1"}, (), "HIP_VISIBLE_DEVICES hides 2"),
    ],
)
def test_hip_counts_in_the_order_of_the_compute_driver(
    environ: dict[str, str], visible: tuple[int, ...], hidden: str | None
) -> None:
    found = gpu(machine(AMD_CARDS, devices=["/dev/kfd"], environ=environ))
    assert (found.visible, found.hidden) == (visible, hidden)


def test_a_card_named_by_another_kind_of_id_leaves_open_what_is_visible() -> None:
    environ = {"ROCR_VISIBLE_DEVICES": "GPU-4b2c1a9f-8d3e-6f7a-b5c9-2e4d8a1f6c3b"}
    found = gpu(machine(AMD_CARDS, devices=["/dev/kfd"], environ=environ))
    assert found.visible == Unknown(
        Reason.NOT_SUPPORTED, "a GPU named by its unique id cannot be told"
    )


def test_the_parts_of_a_partitioned_card_are_gpus_of_their_own() -> None:
    parts: dict[str, str] = {}
    for number in (1, 2):
        part = node(number, 0x500 | (number - 1) << 28)
        folder = f"/sys/class/kfd/kfd/topology/nodes/{number}"
        bank = "heap_type 1\nsize_in_bytes 51527024640\n"
        parts |= {path: text.replace("1216", "152") for path, text in part.items()}
        parts[f"{folder}/mem_banks/0/properties"] = bank
    host = machine(
        {**pci("0000:05:00.0", "1002", "74a1", "0x120000"), **parts}, devices=["/dev/kfd"]
    )
    found = gpu(host)
    assert [(each.multiprocessors, each.memory_mib) for each in devices_of(found)] == [
        (38, 49140),
        (38, 49140),
    ]
    assert (found.visible, found.hidden) == ((0, 1), None)
    assert found.topology == (GpuLink(first=0, second=1, way="internal"),)


def test_rocm_is_told_by_its_files() -> None:
    host = machine(
        {
            **AMD_CARDS,
            "/sys/module/amdgpu/version": "6.8.5\n",
            "/opt/rocm-6.2.4/.info/version": "6.2.4-139\n",
            "/opt/rocm-6.2.4/lib/librccl.so.1.0.60204": "",
        },
        links={"/opt/rocm": "rocm-6.2.4"},
        devices=["/dev/kfd"],
    )
    location = "/opt/rocm-6.2.4/lib/librccl.so.1.0.60204"
    rccl = CudaLibrary(
        family="rccl", version="1.0.60204", source="system", owner=None, location=location
    )
    assert gpu(host).rocm == Rocm(driver="6.8.5", release="6.2.4", libraries=(rccl,))


def test_the_kernels_own_driver_has_no_version_and_rocm_may_be_missing() -> None:
    folders = {"/sys/module": ["amdgpu", "kernel"], "/sys/module/amdgpu": ["refcnt"]}
    found = gpu(machine(AMD_CARDS, devices=["/dev/kfd"], folders=folders))
    assert found.rocm == Rocm(driver=None, release=None, libraries=())


@given(st.text(), st.binary())
def test_no_text_raises(text: str, raw: bytes) -> None:
    assert _rocm.parse_release(text) is None or isinstance(_rocm.parse_release(text), str)
    assert all(name == text for _, _, name in _rocm.parse_names([text]))
    assert _seen.parse_release(raw) is None or raw.startswith(b"# R")


def test_the_kernel_tells_which_cards_xgmi_joins() -> None:
    def link(node_from: int, number: int, kind: int, node_to: int) -> dict[str, str]:
        folder = f"/sys/class/kfd/kfd/topology/nodes/{node_from}/io_links/{number}"
        return {f"{folder}/properties": f"type {kind}\nnode_from {node_from}\nnode_to {node_to}\n"}

    joined = {**AMD_CARDS, **link(1, 0, 2, 0), **link(1, 1, 11, 2)}
    (way,) = topology_of(joined)
    assert way == GpuLink(first=0, second=1, way="xgmi")
    untold = Unknown(Reason.NOT_SUPPORTED, "no driver tells which way joins them")
    assert topology_of({**AMD_CARDS, **link(1, 0, 2, 0)}) == (
        GpuLink(first=0, second=1, way=untold),
    )


def topology_of(files: dict[str, str]) -> tuple[GpuLink, ...]:
    found = gpu(machine(files, devices=["/dev/kfd"])).topology
    assert isinstance(found, tuple)
    return found
