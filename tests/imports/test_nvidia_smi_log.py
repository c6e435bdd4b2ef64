from __future__ import annotations

import time

from envsnap.imports import NOT_TOLD, Text, Told
from envsnap.imports.nvidia_smi_log import read_log, read_xml
from envsnap.sections import Device, Driver, Gpu, MigSlice, Os

LOG = """\
==============NVSMI LOG==============

Timestamp                                 : Mon Nov  2 10:00:00 2026
Driver Version                            : 550.54.14
CUDA Version                              : 12.4

Attached GPUs                             : 1
GPU 00000000:17:00.0
    Product Name                          : NVIDIA A100-SXM4-40GB
    Product Brand                         : NVIDIA
    Product Architecture                  : Ampere
    Persistence Mode                      : Enabled
    MIG Mode
        Current                           : Disabled
        Pending                           : Disabled
    Driver Model
        Current                           : N/A
        Pending                           : N/A
    Serial Number                         : 1234567890123
    GPU UUID                              : GPU-11111111-2222-3333-4444-555555555555
    VBIOS Version                         : 92.00.45.00.03
    PCI
        Bus                               : 0x17
        Bus Id                            : 00000000:17:00.0
        GPU Link Info
            PCIe Generation
                Max                       : 4
                Current                   : 4
            Link Width
                Max                       : 16x
    FB Memory Usage
        Total                             : 40960 MiB
        Used                              : 0 MiB
    Compute Mode                          : Exclusive_Process
    Ecc Mode
        Current                           : Enabled
        Pending                           : Enabled
    GPU Power Readings
        Power Draw                        : 50.00 W
        Current Power Limit               : 400.00 W
        Default Power Limit               : 400.00 W
    Max Clocks
        Graphics                          : 1410 MHz
        SM                                : 1410 MHz
        Memory                            : 1215 MHz
"""
XML = """\
<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
<nvidia_smi_log>
  <driver_version>550.54.14</driver_version>
  <cuda_version>12.4</cuda_version>
  <gpu id="00000000:17:00.0">
    <product_name>NVIDIA A100-SXM4-40GB</product_name>
    <product_architecture>Ampere</product_architecture>
    <persistence_mode>Enabled</persistence_mode>
    <mig_mode><current_mig>MIG</current_mig></mig_mode>
    <mig_devices>PARTS</mig_devices>
    <serial>1234567890123</serial>
    <uuid>GPU-11111111-2222-3333-4444-555555555555</uuid>
    <vbios_version>92.00.45.00.03</vbios_version>
    <pci><pci_bus_id>00000000:17:00.0</pci_bus_id>
      <pci_gpu_link_info><pcie_gen><max_link_gen>4</max_link_gen></pcie_gen>
        <link_widths><max_link_width>16x</max_link_width></link_widths></pci_gpu_link_info></pci>
    <fb_memory_usage><total>40960 MiB</total></fb_memory_usage>
    <compute_mode>Exclusive_Process</compute_mode>
    <ecc_mode><current_ecc>Enabled</current_ecc></ecc_mode>
    <gpu_power_readings><current_power_limit>400.00 W</current_power_limit>
      <default_power_limit>400.00 W</default_power_limit></gpu_power_readings>
    <max_clocks><sm_clock>1410 MHz</sm_clock><mem_clock>1215 MHz</mem_clock></max_clocks>
  </gpu>
</nvidia_smi_log>
"""
WHOLE = XML.replace("MIG</", "Disabled</").replace("PARTS", "None")
A_PART = """<mig_device><index>0</index><device_attributes><shared>
<multiprocessor_count>14</multiprocessor_count></shared></device_attributes>
<fb_memory_usage><total>4864 MiB</total></fb_memory_usage></mig_device>"""
KNOWN = {
    "vendor": "nvidia", "name": "NVIDIA A100-SXM4-40GB", "compute_capability": "8.0",
    "architecture": "ampere", "pci_bus_id": "0000:17:00.0", "vbios": "92.00.45.00.03",
    "memory_mib": 40960, "compute_mode": "exclusive-process", "max_sm_clock_mhz": 1410,
    "max_memory_clock_mhz": 1215, "power_limit_w": 400, "default_power_limit_w": 400,
    "pcie_generation": 4, "pcie_width": 16, "ecc": True, "mig": False, "slices": (),
    "persistence": True,
}  # fmt: skip


def gpu_of(told: Told | None) -> Gpu:
    assert told is not None
    found = told.sections["gpu"]
    assert isinstance(found, Gpu)
    return found


def device_of(told: Told | None) -> Device:
    devices = gpu_of(told).devices
    assert isinstance(devices, tuple)
    return devices[0]


def known(device: Device) -> dict[str, object]:
    return {name: value for name, value in vars(device).items() if value != NOT_TOLD}


def test_the_log_tells_the_card_and_neither_its_serial_nor_its_uuid() -> None:
    assert known(device_of(read_log(Text("-", LOG)))) == KNOWN


def test_the_xml_tells_the_same_as_the_log() -> None:
    assert known(device_of(read_xml(Text("-", WHOLE)))) == KNOWN


def test_both_tell_the_driver_and_that_it_is_linuxs_own() -> None:
    for told in (read_log(Text("-", LOG)), read_xml(Text("-", WHOLE))):
        gpu = gpu_of(told)
        assert told is not None
        assert told.sections["os"] != NOT_TOLD
        assert isinstance(gpu.driver, Driver)
        assert (gpu.driver.version, gpu.driver.cuda, gpu.platform) == ("550.54.14", "12.4", "pci")


def test_mig_instances_of_the_xml_have_memory_and_size() -> None:
    text = XML.replace("MIG</", "Enabled</").replace("PARTS", A_PART)
    found = device_of(read_xml(Text("-", text)))
    assert (found.mig, found.memory_mib) == (True, 40960)
    assert found.slices == (MigSlice(profile=NOT_TOLD, memory_mib=4864, multiprocessors=14),)


def test_xml_that_is_cut_is_read_as_far_as_it_goes() -> None:
    found = device_of(read_xml(Text("-", WHOLE.partition("<fb_memory")[0])))
    assert (found.name, found.memory_mib) == ("NVIDIA A100-SXM4-40GB", NOT_TOLD)


def test_entities_of_a_document_type_are_not_expanded() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    text = WHOLE.replace("NVIDIA A100-SXM4-40GB", "&b;").replace("<nvidia", f"{bomb}<nvidia", 1)
    told = read_xml(Text("-", text))
    assert told is not None
    assert str(device_of(told).name) == "not-recorded: a GPU without a name"
    assert told.notes == (
        "it declares entities of its own, which are not looked up: what they stand for is not read",
    )


def test_the_driver_model_of_windows_tells_the_system() -> None:
    text = LOG.replace("        Current                           : N/A", "        Current : WDDM")
    told = read_log(Text("-", text))
    assert told is not None
    system = told.sections["os"]
    assert isinstance(system, Os)
    assert system.system == "Windows"


def test_a_driver_that_may_be_seen_from_wsl_leaves_the_system_open() -> None:
    told = read_log(Text("-", LOG.replace("550.54.14", "551.88")))
    assert told is not None
    assert "os" not in told.sections
    assert gpu_of(told).platform == NOT_TOLD


def test_a_log_of_before_mig_has_cards_without_it() -> None:
    old = LOG.replace("NVIDIA A100-SXM4-40GB", "Tesla K80").replace("MIG Mode", "Other Mode")
    found = device_of(read_log(Text("-", old)))
    assert (found.mig, found.slices) == (None, ())


def test_deep_and_broken_tags_take_no_time() -> None:
    start = time.perf_counter()
    read_xml(Text("-", "<product_name>" + "<a>" * 100_000 + "x"))
    read_xml(Text("-", "<nvidia_smi_log" + "<" * 200_000))
    read_log(Text("-", "NVSMI LOG\nProduct Name\n" + "\n".join(" " * n + "x" for n in range(2000))))
    assert time.perf_counter() - start < 3
