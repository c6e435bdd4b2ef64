"""Whole machines: what the witnesses say together."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from envsnap.host import RecordedHost
from envsnap.sections import Driver, Gpu, PciDevice, Reason, Unknown, fields
from tests.probes.gpus import (
    A100,
    A100_CARD,
    LINUX,
    MISMATCH,
    NO_LIBRARY,
    NO_SUPPORT,
    NONE,
    SYSFS,
    devices_of,
    driver_files,
    gpu,
    machine,
    nvml,
    nvml_device,
    pci,
    two_kinds,
)


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
        kind=why, platform=why, pci=why, driver=why, devices=why, visible=why, hidden=why,
        topology=why, rocm=why,
    )  # fmt: skip


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
        topology=denied,
        rocm=denied,
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
        topology=(),
        rocm=None,
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
            gsp_firmware=None,
            compat=None,
            cuda_in_effect="12.4",
        ),
        devices=(A100,),
        visible=(0,),
        hidden=None,
        topology=(),
        rocm=None,
    )


def test_the_uuid_is_recorded_only_when_asked_for() -> None:
    host = machine({**A100_CARD, **driver_files()}, nvml=nvml(nvml_device()))
    (device,) = devices_of(gpu(host, identify=True))
    assert device.uuid == "GPU-11111111-2222-3333-4444-555555555555"
    assert "GPU-1111" not in repr(gpu(host))


def test_a_card_on_the_bus_without_nvml_is_there_and_unknown() -> None:
    found = gpu(machine(A100_CARD, nvml=NO_LIBRARY))
    (device,) = devices_of(found)
    assert (found.kind, device.vendor, device.pci_bus_id) == ("nvidia", "nvidia", "0000:41:00.0")
    rest = {field.name: getattr(device, field.name) for field in fields(device)}
    del rest["vendor"], rest["pci_bus_id"]
    assert (rest.pop("shown_by"), rest.pop("numa_node")) == (("pci",), None)
    assert set(rest.values()) == {NO_LIBRARY}
    assert found.driver == Driver(
        version=NO_LIBRARY, kernel_module=None, flavour=None, library=None, cuda=NO_LIBRARY,
        gsp_firmware=NO_LIBRARY, compat=None, cuda_in_effect=NO_LIBRARY,
    )  # fmt: skip
    assert found.visible == ()
    assert found.hidden == "neither the driver's library nor a device file of a GPU is here"


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
        gsp_firmware=NO_LIBRARY,
        compat=None,
        cuda_in_effect=NO_LIBRARY,
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
        gsp_firmware=MISMATCH,
        compat=None,
        cuda_in_effect=MISMATCH,
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
        version=not_loaded, kernel_module=None, flavour=None, library="550.54.15", cuda=not_loaded,
        gsp_firmware=not_loaded, compat=None, cuda_in_effect=not_loaded,
    )  # fmt: skip


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
    late = Unknown(Reason.TIMED_OUT, "NVML: no answer within 10 s")
    assert second.name == late
    assert (found.visible, found.hidden) == (late, late)  # whether CUDA shows it is not known


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
