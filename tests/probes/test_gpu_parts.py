"""Whole machines: what the witnesses say together."""

from __future__ import annotations

from envsnap.host import Ran, RecordedHost, Uname
from envsnap.sections import Driver, Gpu, MigSlice, Reason, Unknown
from tests.probes.gpus import (
    A100,
    A100_CARD,
    BANNER,
    CSV,
    LONG_QUERY,
    MI300,
    MICROSOFT,
    NO_LIBRARY,
    ONE,
    SHORT_QUERY,
    SYSFS,
    THREE,
    WSL,
    devices_of,
    gpu,
    machine,
    mig_machine,
    nvml,
    nvml_device,
    pci,
    smi_machine,
    two_kinds,
)


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


def test_the_instances_of_a_mig_card_are_its_slices() -> None:
    (device,) = devices_of(gpu(mig_machine(ONE, THREE)))
    assert device.mig is True
    assert device.slices == (
        MigSlice(profile="1g.10gb", memory_mib=9856, multiprocessors=14),
        MigSlice(profile="3g.40gb", memory_mib=40448, multiprocessors=42),
    )
    assert device.multiprocessors == Unknown(Reason.NOT_SUPPORTED, "NVML_ERROR_NOT_SUPPORTED")


def test_the_only_instance_is_the_one_that_cuda_uses() -> None:
    found = gpu(mig_machine(ONE))
    assert devices_of(found)[0].slices == (
        MigSlice(profile="1g.10gb", memory_mib=9856, multiprocessors=14),
    )
    assert (found.visible, found.hidden) == ((0,), None)


def test_nvidia_smi_does_not_say_which_instances_a_mig_card_has() -> None:
    row = "NVIDIA A100-SXM4-80GB, 0000:41:00.0, 550.54.15, 81920, GPU-1, 92, 8.0, , Enabled, 400\n"
    found = gpu(smi_machine({("nvidia-smi", LONG_QUERY, CSV): row, ("nvidia-smi",): BANNER}))
    (device,) = devices_of(found)
    assert (device.mig, device.slices) == (True, found.visible)
    assert found.visible == Unknown(Reason.NOT_SUPPORTED, "not told by nvidia-smi")


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
        gsp_firmware=None,
        compat=None,
        cuda_in_effect="12.4",
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


def test_a_mac_is_not_asked() -> None:
    found = gpu(RecordedHost.made(uname=Uname("Darwin", "23.4.0", "Darwin Kernel", "arm64")))
    why = Unknown(Reason.NOT_SUPPORTED, "macOS does not show it")
    assert found == Gpu(
        kind=why, platform="mac", pci=why, driver=why, devices=why, visible=why, hidden=why,
        topology=why, rocm=why,
    )  # fmt: skip


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
