"""Whole machines: what the witnesses say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from envsnap.host import Ran, RecordedHost, Uname
from envsnap.probes._registry import Look, Options
from envsnap.probes.gpu import probe_gpu
from envsnap.sections import Device, Driver, Gpu, MigSlice, PciDevice, Reason, Unknown, fields

LINUX = Uname("Linux", "6.1.0-18-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1", "x86_64")
SYSFS = "/sys/bus/pci/devices"
NVRM = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n"
    "GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n"
)
LIBCUDA = "/usr/lib/x86_64-linux-gnu"
NO_SUPPORT = {"error": "NVML_ERROR_NOT_SUPPORTED"}
NOT_ASKED = Unknown(Reason.NOT_ASKED, "--identify records it")


def pci(bus_id: str, vendor: str, device: str, kind: str = "0x030200") -> dict[str, str]:
    folder = f"{SYSFS}/{bus_id}"
    return {
        f"{folder}/vendor": f"0x{vendor}\n",
        f"{folder}/device": f"0x{device}\n",
        f"{folder}/class": f"{kind}\n",
    }


BRIDGE = pci("0000:00:00.0", "8086", "1237", "0x060000")


def driver_files(version: str = "550.54.15") -> dict[str, str]:
    return {"/proc/driver/nvidia/version": NVRM.replace("550.54.15", version)}


def libcuda(version: str = "550.54.15") -> dict[str, Any]:
    return {
        "files": {f"{LIBCUDA}/libcuda.so.{version}": ""},
        "links": {f"{LIBCUDA}/libcuda.so.1": f"libcuda.so.{version}"},
    }


def machine(
    files: Mapping[str, str | bytes | Unknown],
    *,
    library: str | None = None,
    **more: Any,  # noqa: ANN401 - what RecordedHost.made takes
) -> RecordedHost:
    extra = libcuda(library) if library else {"files": {}, "links": {}}
    more.setdefault("uname", LINUX)
    links = {**extra["links"], **more.pop("links", {})}
    folders = {"/sys/module": ["kernel"], **more.pop("folders", {})}
    return RecordedHost.made(
        files={**BRIDGE, **extra["files"], **files},
        links=links,
        folders=folders,
        absent_below=["/"],
        **more,
    )


def gpu(host: RecordedHost, *, identify: bool = False) -> Gpu:
    nowhere = Unknown(Reason.NOT_ASKED)
    options = Options(identify=identify)
    return probe_gpu(Look(host=host, options=options, have={}, environment=lambda: nowhere))


def nvml_device(**changed: object) -> dict[str, object]:
    return {
        "name": "NVIDIA A100-SXM4-80GB",
        "pci_bus_id": "00000000:41:00.0",
        "uuid": "GPU-11111111-2222-3333-4444-555555555555",
        "compute_capability": [8, 0],
        "architecture": 7,
        "cores": 6912,
        "memory_bytes": 85899345920,
        "vbios": "92.00.45.00.05",
        "ecc": [1, 1],
        "mig": [0, 0],
        "compute_mode": 0,
        "power_limit_mw": 400000,
        "max_sm_clock_mhz": 1410,
        "slices": [],
        **changed,
    }


def nvml(*devices: Mapping[str, object], **changed: object) -> dict[str, object]:
    return {
        "driver_version": "550.54.15",
        "cuda_driver_version": 12040,
        "count": len(devices),
        "devices": list(devices),
        **changed,
    }


A100 = Device(
    vendor="nvidia",
    name="NVIDIA A100-SXM4-80GB",
    pci_bus_id="0000:41:00.0",
    architecture="ampere",
    compute_capability="8.0",
    multiprocessors=108,
    memory_mib=81920,
    vbios="92.00.45.00.05",
    ecc=True,
    mig=False,
    slices=(),
    compute_mode="default",
    power_limit_w=400,
    max_sm_clock_mhz=1410,
    uuid=NOT_ASKED,
)
A100_CARD = pci("0000:41:00.0", "10de", "20b2")
NONE = Gpu(kind="none", platform="none", pci=(), driver=None, devices=(), visible=(), hidden=None)
NO_LIBRARY = Unknown(Reason.TOOL_MISSING, "libnvidia-ml.so.1")
MISMATCH = Unknown(Reason.WITNESSES_DISAGREE, "NVML_ERROR_LIB_RM_VERSION_MISMATCH")


def test_a_readable_bus_without_a_gpu_vendor_and_no_marker_is_no_gpu() -> None:
    display = pci("0000:00:02.0", "1234", "1111", "0x030000")
    assert gpu(machine(display)) == NONE


def test_a_machine_whose_sysfs_lists_no_pci_bus_has_no_gpu() -> None:
    host = RecordedHost.made(
        files={}, folders={"/sys/bus": ["cpu", "virtio"]}, absent_below=["/"], uname=LINUX
    )
    assert gpu(host) == NONE


def test_without_sysfs_nothing_is_known() -> None:
    host = RecordedHost.made(files={}, absent_below=["/"], uname=LINUX, nvml=NO_LIBRARY)
    why = Unknown(Reason.NOT_SUPPORTED, "/sys shows no PCI bus here")
    assert gpu(host) == Gpu(
        kind=why, platform=why, pci=why, driver=why, devices=why, visible=why, hidden=why
    )


def test_an_unreadable_bus_proves_nothing() -> None:
    denied = Unknown(Reason.NO_PERMISSION)
    host = machine({f"{SYSFS}/0000:41:00.0/class": denied}, nvml=NO_LIBRARY)
    assert gpu(host) == Gpu(
        kind=denied,
        platform=denied,
        pci=denied,
        driver=denied,
        devices=denied,
        visible=denied,
        hidden=denied,
    )


@pytest.mark.parametrize("marker", ["/dev/nvidiactl", "/dev/nvidia0", "/proc/driver/nvidia"])
def test_a_marker_without_a_card_is_never_no_gpu(marker: str) -> None:
    loaded = {"/sys/module": ["kernel", "nvidia"]}
    found = gpu(machine({}, devices=[marker], nvml=NO_LIBRARY, folders=loaded))
    why = Unknown(Reason.WITNESSES_DISAGREE, f"{marker} is there, no NVIDIA GPU is on the PCI bus")
    assert found.kind == why
    assert found.devices == why
    assert found.driver == why


def test_a_control_file_that_nvml_left_behind_is_no_gpu() -> None:
    assert gpu(machine({}, devices=["/dev/nvidiactl"])) == NONE
    hidden = {"/sys/module": Unknown(Reason.NO_PERMISSION)}
    found = gpu(machine({}, devices=["/dev/nvidiactl"], nvml=NO_LIBRARY, folders=hidden))
    assert isinstance(found.kind, Unknown)


def test_kfd_without_an_amd_gpu_is_never_no_gpu() -> None:
    found = gpu(machine({}, devices=["/dev/kfd"]))
    assert found.kind == Unknown(Reason.WITNESSES_DISAGREE, "/dev/kfd is there, no AMD GPU is")


def test_the_graphics_of_an_intel_processor_are_listed_and_are_no_gpu() -> None:
    found = gpu(machine(pci("0000:00:02.0", "8086", "9a49", "0x030000")))
    listed = PciDevice(bus_id="0000:00:02.0", vendor="intel", device="9a49", driver=None)
    assert found == Gpu(
        kind="none",
        platform="none",
        pci=(listed,),
        driver=None,
        devices=(),
        visible=(),
        hidden=None,
    )


def test_an_intel_card_is_a_gpu_that_runs_no_cuda() -> None:
    found = gpu(machine(pci("0000:03:00.0", "8086", "56a0", "0x030000")))
    assert (found.kind, found.platform, found.driver) == ("intel", "pci", None)
    assert (found.visible, found.hidden) == ((), "Intel's GPUs run no CUDA")


def test_one_card_is_told_by_all_its_witnesses() -> None:
    host = machine(
        {**A100_CARD, **driver_files()},
        library="550.54.15",
        links={f"{SYSFS}/0000:41:00.0/driver": "../../../../bus/pci/drivers/nvidia"},
        nvml=nvml(nvml_device()),
    )
    assert gpu(host) == Gpu(
        kind="nvidia",
        platform="pci",
        pci=(PciDevice(bus_id="0000:41:00.0", vendor="nvidia", device="20b2", driver="nvidia"),),
        driver=Driver(
            version="550.54.15",
            kernel_module="550.54.15",
            flavour="proprietary",
            library="550.54.15",
            cuda="12.4",
        ),
        devices=(A100,),
        visible=(0,),
        hidden=None,
    )


def test_the_uuid_is_recorded_only_when_asked_for() -> None:
    host = machine({**A100_CARD, **driver_files()}, nvml=nvml(nvml_device()))
    (device,) = devices_of(gpu(host, identify=True))
    assert device.uuid == "GPU-11111111-2222-3333-4444-555555555555"
    assert "GPU-1111" not in repr(gpu(host))


def devices_of(found: Gpu) -> tuple[Device, ...]:
    assert isinstance(found.devices, tuple)
    return found.devices


def test_a_card_on_the_bus_without_nvml_is_there_and_unknown() -> None:
    found = gpu(machine(A100_CARD, nvml=NO_LIBRARY))
    (device,) = devices_of(found)
    assert (found.kind, device.vendor, device.pci_bus_id) == ("nvidia", "nvidia", "0000:41:00.0")
    rest = {field.name: getattr(device, field.name) for field in fields(device)}
    del rest["vendor"], rest["pci_bus_id"]
    assert set(rest.values()) == {NO_LIBRARY}
    assert found.driver == Driver(
        version=NO_LIBRARY, kernel_module=None, flavour=None, library=None, cuda=NO_LIBRARY
    )
    assert (found.visible, found.hidden) == (NO_LIBRARY, NO_LIBRARY)


def test_proc_names_a_card_that_nvml_does_not() -> None:
    information = (
        "Model: \t\t NVIDIA A100-SXM4-80GB\nIRQ:   \t\t 311\nGPU UUID: \t GPU-1111\n"
        "Video BIOS: \t 92.00.45.00.05\nBus Type: \t PCIe\nBus Location: \t 0000:41:00.0\n"
    )
    path = "/proc/driver/nvidia/gpus/0000:41:00.0/information"
    found = gpu(machine({**A100_CARD, **driver_files(), path: information}, nvml=NO_LIBRARY))
    (device,) = devices_of(found)
    assert (device.name, device.vbios) == ("NVIDIA A100-SXM4-80GB", "92.00.45.00.05")
    assert device.memory_mib == NO_LIBRARY
    assert found.driver == Driver(
        version="550.54.15",
        kernel_module="550.54.15",
        flavour="proprietary",
        library=None,
        cuda=NO_LIBRARY,
    )


def test_a_driver_upgraded_without_a_reboot_keeps_both_versions_apart() -> None:
    host = machine({**A100_CARD, **driver_files("535.129.03")}, library="550.90.07", nvml=MISMATCH)
    found = gpu(host)
    assert found.driver == Driver(
        version=Unknown(Reason.WITNESSES_DISAGREE, "kernel module 535.129.03, library 550.90.07"),
        kernel_module="535.129.03",
        flavour="proprietary",
        library="550.90.07",
        cuda=MISMATCH,
    )
    assert found.visible == ()
    assert found.hidden == "the loaded kernel module and the libraries are of different versions"


def test_a_driver_that_is_not_loaded_shows_cuda_nothing() -> None:
    not_loaded = Unknown(Reason.NOT_SUPPORTED, "NVML_ERROR_DRIVER_NOT_LOADED")
    host = machine(
        A100_CARD,
        library="550.54.15",
        links={f"{SYSFS}/0000:41:00.0/driver": "../../../../bus/pci/drivers/nouveau"},
        nvml=not_loaded,
    )
    found = gpu(host)
    assert found.pci == (
        PciDevice(bus_id="0000:41:00.0", vendor="nvidia", device="20b2", driver="nouveau"),
    )
    assert (found.visible, found.hidden) == ((), "the NVIDIA driver is not loaded")
    assert found.driver == Driver(
        version=not_loaded, kernel_module=None, flavour=None, library="550.54.15", cuda=not_loaded
    )


def test_a_refused_field_is_unknown_for_that_card_alone() -> None:
    other = nvml_device(
        pci_bus_id="00000000:C1:00.0", memory_bytes={"error": "NVML_ERROR_NO_PERMISSION"}
    )
    host = machine(
        {**A100_CARD, **pci("0000:c1:00.0", "10de", "20b2")}, nvml=nvml(nvml_device(), other)
    )
    first, second = devices_of(gpu(host))
    assert first == A100
    assert second.memory_mib == Unknown(Reason.NO_PERMISSION, "NVML_ERROR_NO_PERMISSION")
    assert second.name == "NVIDIA A100-SXM4-80GB"


def test_a_consumer_card_has_no_ecc_and_no_mig() -> None:
    card = nvml_device(
        name="NVIDIA GeForce RTX 4090",
        compute_capability=[8, 9],
        architecture=8,
        cores=16384,
        ecc=NO_SUPPORT,
        mig=NO_SUPPORT,
    )
    (device,) = devices_of(gpu(machine(A100_CARD, nvml=nvml(card))))
    assert (device.ecc, device.mig) == (None, None)
    assert (device.multiprocessors, device.architecture) == (128, "ada")


def test_nonsense_is_told_and_believed_by_nobody() -> None:
    card = nvml_device(
        name="\x00\x01", compute_capability=[0, 77], memory_bytes=2**63, architecture=4294967295,
        cores=7, vbios="", ecc=[7, 0], compute_mode=99, power_limit_mw=4294967295,
        max_sm_clock_mhz=0, pci_bus_id="nowhere",
    )  # fmt: skip
    answer = nvml(card, driver_version="[N/A]", cuda_driver_version=-1)
    found = gpu(machine(A100_CARD, nvml=answer))
    (device,) = devices_of(found)
    for name in (
        "name", "compute_capability", "memory_mib", "architecture", "vbios", "ecc", "compute_mode",
        "power_limit_w", "max_sm_clock_mhz", "pci_bus_id",
    ):  # fmt: skip
        value = getattr(device, name)
        assert isinstance(value, Unknown), name
        assert value.reason is Reason.UNPARSABLE, name
    assert device.name == Unknown(Reason.UNPARSABLE, "NVML said '\\x00\\x01'")
    assert isinstance(found.driver, Driver)
    assert found.driver.version == Unknown(Reason.UNPARSABLE, "NVML said '[N/A]'")
    assert found.driver.cuda == Unknown(Reason.UNPARSABLE, "NVML said -1")


def test_cards_that_nvml_did_not_reach_keep_the_reason() -> None:
    answer = nvml(nvml_device(), count=2, ended="timed-out: no answer within 10 s")
    host = machine({**A100_CARD, **pci("0000:c1:00.0", "10de", "20b2")}, nvml=answer)
    found = gpu(host)
    first, second = devices_of(found)
    assert first == A100
    assert second.pci_bus_id == "0000:c1:00.0"
    assert second.name == Unknown(Reason.TIMED_OUT, "NVML: no answer within 10 s")
    assert (found.visible, found.hidden) == ((0,), "1 more on the PCI bus, not shown by NVML")


def test_a_card_that_is_lost_is_counted_once() -> None:
    answer = nvml(nvml_device(), {"error": "NVML_ERROR_GPU_IS_LOST"})
    host = machine({**A100_CARD, **pci("0000:c1:00.0", "10de", "20b2")}, nvml=answer)
    _, second = devices_of(gpu(host))
    assert second.name == Unknown(Reason.CRASHED, "NVML_ERROR_GPU_IS_LOST")


def test_a_card_that_a_job_may_not_use_is_hidden() -> None:
    host = machine({**A100_CARD, **pci("0000:c1:00.0", "10de", "20b2")}, nvml=nvml(nvml_device()))
    found = gpu(host)
    assert (found.visible, found.hidden) == ((0,), "1 more on the PCI bus, not shown by NVML")
    assert devices_of(found)[1].name == Unknown(
        Reason.NO_PERMISSION, "NVML does not show this card"
    )


def test_a_container_that_was_given_no_gpu_says_so() -> None:
    host = machine(A100_CARD, nvml=nvml(), environ={"NVIDIA_VISIBLE_DEVICES": "void"})
    found = gpu(host)
    assert found.visible == ()
    assert found.hidden == "1 more on the PCI bus, not shown by NVML (NVIDIA_VISIBLE_DEVICES=void)"


def two_kinds(**environ: str) -> RecordedHost:
    t4 = nvml_device(name="Tesla T4", pci_bus_id="00000000:05:00.0", uuid="GPU-77777777")
    return machine(
        {**A100_CARD, **pci("0000:05:00.0", "10de", "1eb8")},
        nvml=nvml(nvml_device(), t4),
        environ=environ,
    )


def test_devices_stand_in_the_order_of_their_address() -> None:
    found = gpu(two_kinds())
    assert [device.name for device in devices_of(found)] == ["Tesla T4", "NVIDIA A100-SXM4-80GB"]
    assert (found.visible, found.hidden) == ((0, 1), None)


@pytest.mark.parametrize(
    ("environ", "visible", "hidden"),
    [
        ({"CUDA_VISIBLE_DEVICES": ""}, (), "CUDA_VISIBLE_DEVICES hides 2"),
        ({"CUDA_VISIBLE_DEVICES": "NoDevFiles"}, (), "CUDA_VISIBLE_DEVICES hides 2"),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, (), "CUDA_VISIBLE_DEVICES hides 2"),
        ({"CUDA_VISIBLE_DEVICES": "1,0"}, (0, 1), None),
        ({"CUDA_VISIBLE_DEVICES": "0,0"}, (), "CUDA_VISIBLE_DEVICES hides 2"),
        ({"CUDA_VISIBLE_DEVICES": "GPU-777"}, (0,), "CUDA_VISIBLE_DEVICES hides 1"),
        ({"CUDA_VISIBLE_DEVICES": "GPU-777,GPU-1"}, (0, 1), None),
        ({"CUDA_VISIBLE_DEVICES": "GPU-777,GPU-777"}, (), "CUDA_VISIBLE_DEVICES hides 2"),
        ({"CUDA_VISIBLE_DEVICES": "GPU-"}, (), "CUDA_VISIBLE_DEVICES hides 2"),
        (
            {"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"},
            (1,),
            "CUDA_VISIBLE_DEVICES hides 1",
        ),
        (
            {"CUDA_VISIBLE_DEVICES": "0,7,1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"},
            (0,),
            "CUDA_VISIBLE_DEVICES hides 1",
        ),
    ],
)
def test_what_cuda_would_see(
    environ: dict[str, str], visible: Sequence[int], hidden: str | None
) -> None:
    found = gpu(two_kinds(**environ))
    assert (found.visible, found.hidden) == (visible, hidden)


def test_a_number_among_unlike_cards_names_none_of_them_for_sure() -> None:
    why = Unknown(
        Reason.NOT_SUPPORTED,
        "CUDA numbers unlike cards fastest first; set CUDA_DEVICE_ORDER=PCI_BUS_ID",
    )
    found = gpu(two_kinds(CUDA_VISIBLE_DEVICES="1"))
    assert (found.visible, found.hidden) == (why, why)


def test_a_number_among_like_cards_names_one() -> None:
    other = nvml_device(pci_bus_id="00000000:C1:00.0", uuid="GPU-2")
    host = machine(
        {**A100_CARD, **pci("0000:c1:00.0", "10de", "20b2")},
        nvml=nvml(nvml_device(), other),
        environ={"CUDA_VISIBLE_DEVICES": "1"},
    )
    found = gpu(host)
    assert (found.visible, found.hidden) == ((1,), "CUDA_VISIBLE_DEVICES hides 1")


def mig_machine(*slices: Mapping[str, object], **environ: str) -> RecordedHost:
    card = nvml_device(mig=[1, 1], cores=NO_SUPPORT, slices=list(slices))
    return machine(A100_CARD, nvml=nvml(card), environ=environ)


def mig(profile: str, memory: int, multiprocessors: int, uuid: str) -> dict[str, object]:
    return {
        "name": f"NVIDIA A100-SXM4-80GB MIG {profile}",
        "uuid": uuid,
        "memory_mib": memory,
        "multiprocessors": multiprocessors,
    }


ONE = mig("1g.10gb", 9856, 14, "MIG-aaaa")
THREE = mig("3g.40gb", 40448, 42, "MIG-bbbb")


def test_the_instances_of_a_mig_card_are_its_slices() -> None:
    found = gpu(mig_machine(ONE, THREE))
    (device,) = devices_of(found)
    assert device.mig is True
    assert device.slices == (
        MigSlice(profile="1g.10gb", memory_mib=9856, multiprocessors=14),
        MigSlice(profile="3g.40gb", memory_mib=40448, multiprocessors=42),
    )
    assert device.multiprocessors == Unknown(Reason.NOT_SUPPORTED, "NVML_ERROR_NOT_SUPPORTED")
    assert (found.visible, found.hidden) == ((0,), None)


def test_a_named_instance_is_the_only_slice() -> None:
    found = gpu(mig_machine(ONE, THREE, CUDA_VISIBLE_DEVICES="MIG-bbbb"))
    (device,) = devices_of(found)
    assert device.slices == (MigSlice(profile="3g.40gb", memory_mib=40448, multiprocessors=42),)
    assert (found.visible, found.hidden) == ((0,), None)


def test_an_instance_that_is_not_here_shows_nothing() -> None:
    found = gpu(mig_machine(ONE, CUDA_VISIBLE_DEVICES="MIG-zzzz"))
    assert found.visible == ()
    assert found.hidden == "CUDA_VISIBLE_DEVICES names a MIG instance that is not here"


def test_mig_without_an_instance_shows_nothing() -> None:
    found = gpu(mig_machine())
    assert found.visible == ()
    assert found.hidden == "MIG is on and no instance is there for this user"


def test_a_mig_card_whose_memory_is_refused_keeps_its_slices() -> None:
    refused = {**ONE, "memory_mib": {"error": "NVML_ERROR_NO_PERMISSION"}}
    (device,) = devices_of(gpu(mig_machine(refused)))
    assert device.slices == (
        MigSlice(
            profile="1g.10gb",
            memory_mib=Unknown(Reason.NO_PERMISSION, "NVML_ERROR_NO_PERMISSION"),
            multiprocessors=14,
        ),
    )


WSL = Uname("Linux", "5.15.146.1-microsoft-standard-WSL2", "#1 SMP", "x86_64")
MICROSOFT = pci("0000:00:08.0", "1414", "008e")


def test_wsl_reaches_the_card_through_dxg() -> None:
    card = nvml_device(name="NVIDIA GeForce RTX 4070", pci_bus_id="00000000:01:00.0")
    host = machine(
        {**MICROSOFT, "/usr/lib/wsl/lib/libcuda.so.1": ""},
        devices=["/dev/dxg"],
        uname=WSL,
        nvml=nvml(card, driver_version="552.22"),
    )
    found = gpu(host)
    assert (found.kind, found.platform, found.pci, found.visible) == ("nvidia", "wsl2", (), (0,))
    assert found.driver == Driver(
        version="552.22",
        kernel_module=None,
        flavour=None,
        library=Unknown(Reason.NOT_SUPPORTED, "the file name of libcuda holds no version"),
        cuda="12.4",
    )


def test_wsl_without_nvml_does_not_say_whose_gpu_it_is() -> None:
    found = gpu(machine(MICROSOFT, devices=["/dev/dxg"], uname=WSL, nvml=NO_LIBRARY))
    why = Unknown(Reason.NOT_SUPPORTED, "/dev/dxg does not say whose the GPU of Windows is")
    assert found.platform == "wsl2"
    assert (found.kind, found.devices, found.driver) == (why, why, why)


def test_a_jetson_is_known_by_its_chip() -> None:
    host = machine(
        {
            "/etc/nv_tegra_release": "# R36 (release), REVISION: 3.0, GCID: 36923193\n",
            "/proc/device-tree/compatible": "nvidia,p3737-0000+p3701-0005\0nvidia,tegra234\0",
        },
        uname=Uname("Linux", "5.15.136-tegra", "#1 SMP PREEMPT", "aarch64"),
        nvml=NO_LIBRARY,
    )
    found = gpu(host)
    (device,) = devices_of(found)
    assert (found.kind, found.platform, found.visible) == ("nvidia", "tegra", (0,))
    assert (device.architecture, device.compute_capability) == ("ampere", "8.7")
    assert (device.ecc, device.mig, device.slices) == (None, None, ())
    assert device.memory_mib == Unknown(Reason.NOT_SUPPORTED, "not told by a system on a chip")


MI300 = (
    "cpu_cores_count 0\nsimd_count 1216\nmem_banks_count 1\ngfx_target_version 90402\n"
    "simd_per_cu 4\nvendor_id 4098\ndevice_id 29857\nlocation_id 1280\ndomain 0\nunique_id 77\n"
)


def test_an_amd_accelerator_is_told_by_the_kernels_compute_driver() -> None:
    folder = f"{SYSFS}/0000:05:00.0"
    host = machine(
        {
            **pci("0000:05:00.0", "1002", "74a1", "0x120000"),
            f"{folder}/mem_info_vram_total": "206141652992\n",
            f"{folder}/vbios_version": "113-M3000100-102\n",
            f"{folder}/product_name": "AMD Instinct MI300X OAM\n",
            "/sys/class/kfd/kfd/topology/nodes/0/properties": "cpu_cores_count 96\nsimd_count 0\n",
            "/sys/class/kfd/kfd/topology/nodes/1/properties": MI300,
        },
        devices=["/dev/kfd"],
    )
    found = gpu(host)
    (device,) = devices_of(found)
    assert (found.kind, found.platform, found.driver) == ("amd", "pci", None)
    assert (found.visible, found.hidden) == ((0,), None)
    assert (device.name, device.architecture) == ("AMD Instinct MI300X OAM", "gfx942")
    assert (device.multiprocessors, device.memory_mib) == (304, 196592)
    assert (device.compute_capability, device.mig, device.vbios) == (None, None, "113-M3000100-102")


def test_the_graphics_of_an_amd_processor_beside_a_card_are_no_second_gpu() -> None:
    raphael = MI300.replace("90402", "100306").replace("1216", "4").replace("1280", "3072")
    host = machine(
        {
            **A100_CARD,
            **pci("0000:0c:00.0", "1002", "164e", "0x030000"),
            "/sys/class/kfd/kfd/topology/nodes/1/properties": raphael,
        },
        devices=["/dev/kfd"],
        nvml=nvml(nvml_device()),
    )
    found = gpu(host)
    assert (found.kind, found.devices, found.visible) == ("nvidia", (A100,), (0,))
    assert isinstance(found.pci, tuple)
    assert [each.vendor for each in found.pci] == ["amd", "nvidia"]


def test_hip_variables_leave_what_is_visible_open() -> None:
    host = machine(
        {
            **pci("0000:05:00.0", "1002", "74a1", "0x120000"),
            "/sys/class/kfd/kfd/topology/nodes/1/properties": MI300,
        },
        devices=["/dev/kfd"],
        environ={"HIP_VISIBLE_DEVICES": "0"},
    )
    assert gpu(host).visible == Unknown(
        Reason.NOT_SUPPORTED, "HIP_VISIBLE_DEVICES is set; its numbers are not resolved"
    )


def test_a_mac_is_not_asked() -> None:
    found = gpu(RecordedHost.made(uname=Uname("Darwin", "23.4.0", "Darwin Kernel", "arm64")))
    why = Unknown(Reason.NOT_SUPPORTED, "macOS does not show it")
    assert found == Gpu(
        kind=why, platform="mac", pci=why, driver=why, devices=why, visible=why, hidden=why
    )


def test_a_tree_without_a_machine_tells_nothing() -> None:
    why = Unknown(Reason.NO_RUNNING_MACHINE)
    host = RecordedHost.made(
        folders={SYSFS: why, "/sys/bus": why, "/dev": why},
        files={"/sys/devices/soc0/family": why, "/proc/driver/nvidia": why},
        uname=why,
        nvml=why,
        absent_below=["/"],
    )
    found = gpu(host)
    assert (found.kind, found.pci, found.devices) == (why, why, why)


SMI = "/usr/bin/nvidia-smi"
LONG_QUERY = (
    "--query-gpu=name,pci.bus_id,driver_version,memory.total,uuid,vbios_version,compute_cap,"
    "ecc.mode.current,mig.mode.current,enforced.power.limit"
)
SHORT_QUERY = "--query-gpu=name,pci.bus_id,driver_version,memory.total,uuid,vbios_version"
CSV = "--format=csv,noheader,nounits"
BANNER = (
    "+-----------------------------------------------------------------------------------------+\n"
    "| NVIDIA-SMI 550.54.15              Driver Version: 550.54.15      CUDA Version: 12.4     |\n"
)


def smi_machine(commands: Mapping[tuple[str, ...], str | Ran | Unknown]) -> RecordedHost:
    return machine({**A100_CARD, SMI: ""}, nvml=NO_LIBRARY, commands=commands)


def test_nvidia_smi_answers_where_nvml_cannot_be_loaded() -> None:
    row = (
        "NVIDIA A100-SXM4-80GB, 00000000:41:00.0, 550.54.15, 81920, GPU-1, 92.00.45.00.05, 8.0, "
        "Enabled, Disabled, 400.00\n"
    )
    host = smi_machine({
        ("nvidia-smi", LONG_QUERY, CSV): row,
        ("nvidia-smi",): BANNER,
    })  # fmt: skip
    found = gpu(host)
    (device,) = devices_of(found)
    assert (device.name, device.memory_mib, device.compute_capability) == (
        "NVIDIA A100-SXM4-80GB",
        81920,
        "8.0",
    )
    assert (device.ecc, device.mig, device.slices, device.power_limit_w) == (True, False, (), 400)
    assert device.multiprocessors == Unknown(Reason.NOT_SUPPORTED, "not told by nvidia-smi")
    assert isinstance(found.driver, Driver)
    assert (found.driver.version, found.driver.cuda, found.visible) == ("550.54.15", "12.4", (0,))


def test_an_old_nvidia_smi_is_asked_for_less() -> None:
    refusal = Ran(2, 'Field "compute_cap" is not a valid field to query.\n', "")
    host = smi_machine({
        ("nvidia-smi", LONG_QUERY, CSV): refusal,
        ("nvidia-smi", SHORT_QUERY, CSV): "Tesla T4, 00000000:41:00.0, 418.87, 15079, GPU-1, 9\n",
        ("nvidia-smi",): BANNER,
    })  # fmt: skip
    (device,) = devices_of(gpu(host))
    assert (device.name, device.memory_mib) == ("Tesla T4", 15079)
    assert device.compute_capability == Unknown(Reason.NOT_SUPPORTED, "not told by nvidia-smi")


def test_a_broken_nvidia_smi_is_no_witness_of_absence() -> None:
    failed = Ran(
        9,
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure "
        "that the latest NVIDIA driver is installed and running.\n",
        "",
    )
    host = smi_machine({
        ("nvidia-smi", LONG_QUERY, CSV): failed,
        ("nvidia-smi", SHORT_QUERY, CSV): failed,
    })  # fmt: skip
    found = gpu(host)
    assert found.kind == "nvidia"
    assert found.visible == NO_LIBRARY
    assert devices_of(found)[0].name == NO_LIBRARY


def test_nvidia_smi_that_finds_no_devices_is_believed_less_than_the_bus() -> None:
    host = smi_machine({
        ("nvidia-smi", LONG_QUERY, CSV): "No devices were found\n",
        ("nvidia-smi", SHORT_QUERY, CSV): "No devices were found\n",
    })  # fmt: skip
    assert gpu(host).kind == "nvidia"
