"""The reader of nvidia-smi's answer, which the comparison on a real GPU rests on."""

from __future__ import annotations

from tests.live.smi import devices, driver

LOG = """<?xml version="1.0" ?>
<nvidia_smi_log>
  <driver_version>570.86.15</driver_version>
  <cuda_version>12.8</cuda_version>
  <gpu id="00000000:C1:00.0">
    <product_name>NVIDIA H200</product_name>
    <product_architecture>Hopper</product_architecture>
    <persistence_mode>Enabled</persistence_mode>
    <mig_mode><current_mig>Disabled</current_mig></mig_mode>
    <vbios_version>96.00.BC.00.01</vbios_version>
    <pci>
      <pci_bus_id>00000000:C1:00.0</pci_bus_id>
      <pci_gpu_link_info>
        <pcie_gen><max_link_gen>5</max_link_gen></pcie_gen>
        <link_widths><max_link_width>16x</max_link_width></link_widths>
      </pci_gpu_link_info>
    </pci>
    <fb_memory_usage><total>143771 MiB</total></fb_memory_usage>
    <compute_mode>Default</compute_mode>
    <ecc_mode><current_ecc>Enabled</current_ecc></ecc_mode>
    <gpu_power_readings>
      <current_power_limit>700.00 W</current_power_limit>
      <default_power_limit>N/A</default_power_limit>
    </gpu_power_readings>
    <max_clocks><sm_clock>1980 MHz</sm_clock><mem_clock>3201 MHz</mem_clock></max_clocks>
  </gpu>
</nvidia_smi_log>
"""


def test_what_nvidia_smi_says_is_read_by_our_names() -> None:
    assert driver(LOG) == {"version": "570.86.15", "cuda": "12.8"}
    assert devices(LOG) == [
        {
            "pci_bus_id": "0000:c1:00.0",
            "name": "NVIDIA H200",
            "architecture": "hopper",
            "vbios": "96.00.BC.00.01",
            "memory_mib": 143771,
            "compute_mode": "default",
            "max_sm_clock_mhz": 1980,
            "max_memory_clock_mhz": 3201,
            "power_limit_w": 700,
            "pcie_generation": 5,
            "pcie_width": 16,
            "ecc": True,
            "mig": False,
            "persistence": True,
        }
    ]
