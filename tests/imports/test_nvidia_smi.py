from __future__ import annotations

import pytest

from envsnap.imports import NOT_TOLD, Text, joined
from envsnap.imports._cards import LISTED
from envsnap.imports.nvidia_smi import read_list, read_table
from envsnap.sections import Device, Driver, ForwardCompatibility, Gpu, MigSlice, Os, Unknown

HEAD = "| NVIDIA-SMI {tool} Driver Version: {driver} CUDA Version: {cuda} |"
ROW = """\
|   0  {name} {mode} | 00000000:17:00.0 Off | {ecc} |
| N/A   37C    P8    41W / {power}W | 392MiB / {memory}MiB | 0% {compute} |
|                               |                      | {mig} |
"""


def row(name: str = "Tesla T4", **told: str) -> str:
    usual = {
        "mode": "On", "ecc": "0", "power": "70", "memory": "15360", "compute": "Default",
        "mig": "N/A",
    }  # fmt: skip
    return ROW.format(name=name, **{**usual, **told})


def table(*rows: str, tool: str = "550.54.14", driver: str = "", cuda: str = "12.4") -> str:
    return "\n".join([HEAD.format(tool=tool, driver=driver or tool, cuda=cuda), *rows])


def gpu_of(text: str) -> Gpu:
    told = read_table(Text("-", text))
    assert told is not None
    found = told.sections["gpu"]
    assert isinstance(found, Gpu)
    return found


def device_of(text: str) -> Device:
    devices = gpu_of(text).devices
    assert not isinstance(devices, Unknown)
    return devices[0]


def driver_of(text: str) -> Driver:
    driver = gpu_of(text).driver
    assert isinstance(driver, Driver)
    return driver


def test_a_row_tells_the_card_and_its_settings() -> None:
    found = device_of(table(row()))
    known = {name: value for name, value in vars(found).items() if value != NOT_TOLD}
    assert known == {
        "vendor": "nvidia", "name": "Tesla T4", "compute_capability": "7.5",
        "architecture": "turing", "pci_bus_id": "0000:17:00.0", "memory_mib": 15360,
        "power_limit_w": 70, "ecc": True, "mig": None, "slices": (), "persistence": True,
        "compute_mode": "default",
    }  # fmt: skip


def test_the_cuda_version_is_what_the_driver_serves_and_no_toolkit() -> None:
    told = read_table(Text("-", table(row())))
    assert told is not None
    assert set(told.sections) == {"gpu", "os"}
    driver = driver_of(table(row()))
    assert (driver.version, driver.cuda, driver.cuda_in_effect) == ("550.54.14", "12.4", "12.4")
    assert driver.compat is None


def test_more_cuda_than_the_driver_serves_is_a_cuda_compat_in_use() -> None:
    driver = driver_of(table(row(), tool="535.129.03", cuda="12.3"))
    assert (driver.cuda, driver.cuda_in_effect) == ("12.2", "12.3")
    assert isinstance(driver.compat, ForwardCompatibility)
    assert (driver.compat.cuda, driver.compat.used) == ("12.3", True)


@pytest.mark.parametrize("cuda", ["N/A", "ERR!"])
def test_a_cuda_version_that_is_none_is_unknown(cuda: str) -> None:
    driver = driver_of(table(row(), cuda=cuda))
    assert (driver.version, driver.cuda, driver.compat) == ("550.54.14", NOT_TOLD, NOT_TOLD)


def test_the_module_is_of_the_version_that_nvml_answers_for() -> None:
    assert driver_of(table(row())).kernel_module == "550.54.14"


def test_another_tool_than_driver_is_wsl_whose_module_is_not_told() -> None:
    found = gpu_of(table(row(), tool="545.29.06", driver="576.02", cuda="12.9"))
    assert found.platform == "wsl2"
    assert isinstance(found.driver, Driver)
    assert (found.driver.version, found.driver.kernel_module) == ("576.02", NOT_TOLD)


def test_a_version_that_both_systems_may_have_leaves_the_platform_open() -> None:
    assert gpu_of(table(row(), tool="470.14", cuda="11.3")).platform == NOT_TOLD


def test_the_driver_model_of_windows_tells_the_system() -> None:
    told = read_table(Text("-", table(row(mode="WDDM"), tool="537.13", cuda="12.2")))
    assert told is not None
    system = told.sections["os"]
    assert isinstance(system, Os)
    assert system.system == "Windows"


@pytest.mark.parametrize(
    ("told", "field", "value"),
    [
        ({"ecc": "Off"}, "ecc", False),
        ({"ecc": "N/A"}, "ecc", None),
        ({"mode": "Off"}, "persistence", False),
        ({"compute": "E. Process"}, "compute_mode", "exclusive-process"),
        ({"compute": "Prohibited"}, "compute_mode", "prohibited"),
        ({"power": "N/A"}, "power_limit_w", NOT_TOLD),
    ],
)
def test_settings_are_told_in_a_manifests_words(
    told: dict[str, str], field: str, value: object
) -> None:
    assert getattr(device_of(table(row(**told))), field) == value


def test_a_name_that_the_table_cuts_off_is_unknown_with_what_stood_there() -> None:
    found = device_of(table(row("NVIDIA GeForce ...", mode="Off")))
    assert str(found.name) == "not-recorded: NVIDIA GeForce ... (cut off by the table)"
    assert found.compute_capability == NOT_TOLD


@pytest.mark.parametrize(
    ("name", "capability"),
    [
        ("Tesla V100-SXM2...", "7.0"),
        ("GeForce RTX 208...", "7.5"),
        ("NVIDIA A100-SXM...", "8.0"),
        ("NVIDIA A10...", NOT_TOLD),
        ("Tesla V...", NOT_TOLD),
        ("Quadro 99...", NOT_TOLD),
    ],
)
def test_a_name_cut_off_behind_its_series_tells_what_all_cards_of_it_have(
    name: str, capability: object
) -> None:
    assert device_of(table(row(name, mode="Off"))).compute_capability == capability


def test_the_tool_lists_the_cards_that_no_program_sees_too() -> None:
    found = gpu_of(table(row()))
    assert (found.visible, found.hidden) == (LISTED, LISTED)


MIG = """\
|  0    3   0   0  |  14366MiB / 19968MiB | 28      0 |  2   0    1    0    0 |
|                  |      4MiB / 32767MiB |           |                       |
|  0    5   0   1  |   9826MiB / 19968MiB | 14      0 |  2   0    1    0    0 |
"""
CARDS = """\
GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-00000000-0000-0000-0000-000000000000)
  MIG 2g.20gb     Device  0: (UUID: MIG-00000000-0000-0000-0000-000000000000)
  MIG 1g.20gb     Device  1: (UUID: MIG-00000000-0000-0000-0000-000000000001)
"""


def test_the_table_and_the_list_tell_of_mig_together() -> None:
    first = read_table(Text("-", table(row("NVIDIA A100-SXM4-80GB", mig="Enabled"), MIG)))
    second = read_list(Text("-", CARDS))
    assert first is not None
    assert second is not None
    gpu = joined([first.sections, second.sections])["gpu"]
    assert isinstance(gpu, Gpu)
    assert isinstance(gpu.devices, tuple)
    assert (gpu.devices[0].mig, gpu.devices[0].memory_mib) == (True, 15360)
    assert gpu.devices[0].slices == (
        MigSlice(profile="2g.20gb", memory_mib=19968, multiprocessors=28),
        MigSlice(profile="1g.20gb", memory_mib=19968, multiprocessors=14),
    )


def test_a_card_in_mig_mode_without_shown_instances_has_unknown_ones() -> None:
    found = device_of(table(row("NVIDIA A100-SXM4-80GB", mig="Enabled*")))
    assert (found.mig, found.slices) == (True, NOT_TOLD)


def test_the_list_alone_does_not_tell_whether_mig_mode_is_off() -> None:
    told = read_list(Text("-", CARDS.split("\n", maxsplit=1)[0]))
    assert told is not None
    gpu = told.sections["gpu"]
    assert isinstance(gpu, Gpu)
    assert isinstance(gpu.devices, tuple)
    assert (gpu.devices[0].mig, gpu.devices[0].slices) == (NOT_TOLD, NOT_TOLD)


def test_rows_that_a_mail_program_has_wrapped_are_read() -> None:
    wrapped = table(row()).replace("Off | 0 |", "Off |\n 0 |").replace("MiB | 0%", "MiB |\n  0%")
    assert device_of(wrapped) == device_of(table(row()))


def test_a_row_that_is_cut_tells_what_is_left_of_it() -> None:
    found = device_of(table(row()).partition("392MiB")[0])
    assert (found.name, found.memory_mib, found.mig) == ("Tesla T4", NOT_TOLD, None)


def test_the_banner_alone_tells_the_driver() -> None:
    found = gpu_of(table(tool="440.33.01", cuda="10.2"))
    assert isinstance(found.driver, Driver)
    assert (found.driver.version, found.driver.cuda, found.devices) == (
        "440.33.01", "10.2", NOT_TOLD,
    )  # fmt: skip


def test_other_texts_are_no_table() -> None:
    assert read_table(Text("-", "nvidia-smi: command not found\n")) is None
    assert read_list(Text("-", "GPU 0: fine\n")) is None
