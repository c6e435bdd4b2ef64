"""What is seen, what NVML shows and what programs get: where the three differ, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from envsnap.host import Binary, RecordedHost
from envsnap.sections import (
    Driver,
    ForwardCompatibility,
    GpuLink,
    MigSlice,
    Reason,
    Unknown,
    replace,
)
from tests.elves import library
from tests.probes.gpus import (
    A100_CARD,
    LIBCUDA,
    NO_SUPPORT,
    SYSFS,
    devices_of,
    driver_files,
    gpu,
    machine,
    mig,
    mig_machine,
    nvml,
    nvml_device,
    pci,
)

SECOND_CARD = pci("0000:c1:00.0", "10de", "20b2")
COMPAT = "/usr/local/cuda-13.1/compat"
DENIED = {"error": "NVML_ERROR_NO_PERMISSION"}


def information(bus_id: str, minor: int) -> dict[str, str]:
    path = f"/proc/driver/nvidia/gpus/{bus_id}/information"
    return {path: f"Model: \t\t NVIDIA A100-SXM4-80GB\nDevice Minor: \t {minor}\n"}


def two_cards(**more: Any) -> RecordedHost:  # noqa: ANN401 - what RecordedHost.made takes
    files = {
        **A100_CARD, **SECOND_CARD, **driver_files(),
        **information("0000:41:00.0", 0), **information("0000:c1:00.0", 1),
    }  # fmt: skip
    return machine(files, nvml=nvml(nvml_device()), **more)


@pytest.mark.parametrize(
    ("environ", "devices", "why"),
    [
        ({}, ["/dev/nvidia0"], "/dev/nvidia1 is not there"),
        (
            {},
            ["/dev/nvidia0", "/dev/nvidia1"],
            "/dev/nvidia1 is there and closed: permissions, or a cgroup's device rules",
        ),
        (
            {"SLURM_JOB_ID": "7", "SLURM_STEP_GPUS": "0", "SLURM_JOB_GPUS": "0,3"},
            ["/dev/nvidia0"],
            "SLURM_STEP_GPUS gives GPU 0; /dev/nvidia1 is not there",
        ),
        (
            {"SLURM_JOB_ID": "7", "SLURM_JOB_GPUS": "$(id)"},
            ["/dev/nvidia0"],
            "Slurm gave this job no GPU by its number; /dev/nvidia1 is not there",
        ),
        (
            {"NVIDIA_VISIBLE_DEVICES": "GPU-1111,GPU-2222"},
            ["/dev/nvidia0"],
            "NVIDIA_VISIBLE_DEVICES names 2; /dev/nvidia1 is not there",
        ),
        ({"NVIDIA_VISIBLE_DEVICES": "all"}, ["/dev/nvidia0"], "/dev/nvidia1 is not there"),
    ],
)
def test_a_card_that_nvml_does_not_show_has_a_reason(
    environ: dict[str, str], devices: list[str], why: str
) -> None:
    found = gpu(two_cards(environ=environ, devices=devices))
    assert (found.visible, found.hidden) == (
        (0,),
        f"1 more on the PCI bus, not shown by NVML ({why})",
    )
    shown = [device.shown_by for device in devices_of(found)]
    assert shown == [("nvml", "pci", "proc"), ("pci", "proc")]


def test_where_nvml_broke_down_no_other_reason_is_looked_for() -> None:
    answer = nvml(nvml_device(), count=2, ended="crashed: ended by SIGSEGV")
    host = machine({**A100_CARD, **SECOND_CARD, **information("0000:c1:00.0", 1)}, nvml=answer)
    assert gpu(host).hidden == Unknown(Reason.CRASHED, "NVML: ended by SIGSEGV")


def test_what_nvml_had_not_said_when_it_ended_is_unknown_for_that() -> None:
    early = nvml_device()
    del early["links"], early["persistence"]
    answer = nvml(early, ended="timed-out: no answer within 10 s")
    (device,) = devices_of(gpu(machine(A100_CARD, nvml=answer)))
    late = Unknown(Reason.TIMED_OUT, "NVML: no answer within 10 s")
    assert (device.nvlinks, device.persistence, device.pcie_width) == (late, late, 16)


def test_what_an_older_recording_never_asked_was_not_recorded() -> None:
    early = nvml_device()
    del early["pcie_width"]
    (device,) = devices_of(gpu(machine(A100_CARD, nvml=nvml(early))))
    assert device.pcie_width == Unknown(Reason.NOT_RECORDED, "NVML's answer lacks it")


def test_what_a_card_cannot_do_is_null_and_what_it_refuses_is_unknown() -> None:
    geforce = nvml_device(
        links=NO_SUPPORT, application_sm_clock_mhz=NO_SUPPORT, persistence=DENIED,
        default_power_limit_mw=NO_SUPPORT, virtualization=2,
    )  # fmt: skip
    (device,) = devices_of(gpu(machine(A100_CARD, nvml=nvml(geforce))))
    assert (device.nvlinks, device.application_sm_clock_mhz) == (None, None)
    assert device.persistence == Unknown(Reason.NO_PERMISSION, "NVML_ERROR_NO_PERMISSION")
    assert device.default_power_limit_w == Unknown(Reason.NOT_SUPPORTED, "NVML_ERROR_NOT_SUPPORTED")
    assert device.virtualization == "vgpu"


@pytest.mark.parametrize(("text", "node"), [("1\n", 1), ("-1\n", None)])
def test_the_kernel_tells_the_numa_node(text: str, node: int | None) -> None:
    host = machine({**A100_CARD, f"{SYSFS}/0000:41:00.0/numa_node": text}, nvml=nvml(nvml_device()))
    assert devices_of(gpu(host))[0].numa_node == node


def pair(first: list[str], second: list[str], way: object) -> object:
    one = nvml_device(links=first)
    other = nvml_device(pci_bus_id="00000000:C1:00.0", links=second)
    answer = nvml(one, other, topology=[[0, 1, *way]] if isinstance(way, list) else way)
    (link,) = gpu(machine({**A100_CARD, **SECOND_CARD}, nvml=answer)).topology  # type: ignore[misc]
    assert (link.first, link.second) == (0, 1)
    return link.way


def test_direct_links_switched_links_and_none_are_three_ways() -> None:
    direct, switch = "00000000:C1:00.0", "00000000:86:00.0"
    assert pair([direct] * 4, ["00000000:41:00.0"] * 4, [50, 0]) == "nvlink:4"
    assert pair([switch] * 12, [switch] * 12, [50, 0]) == "nvlink:12"
    assert pair([switch] * 12, [switch] * 12, [50, 5]) == "sys"
    assert pair([], [], [30, 5]) == "phb"
    assert pair([], [], [7, 5]) == Unknown(Reason.UNPARSABLE, "NVML said 7")
    assert pair([], [], [DENIED, DENIED]) == Unknown(
        Reason.NO_PERMISSION, "NVML_ERROR_NO_PERMISSION"
    )
    assert pair([], [], None) == Unknown(Reason.NOT_RECORDED, "NVML's answer lacks it")


def test_nvml_numbers_its_cards_in_another_order_than_their_addresses() -> None:
    last = nvml_device(pci_bus_id="00000000:C1:00.0")
    third = nvml_device(pci_bus_id="00000000:E1:00.0")
    ways = [[0, 1, 10, 5], [0, 2, 50, 5], [1, 2, 40, 5]]
    host = machine(A100_CARD, nvml=nvml(last, nvml_device(), third, topology=ways))
    assert gpu(host).topology == (
        GpuLink(first=0, second=1, way="pix"),
        GpuLink(first=0, second=2, way="node"),
        GpuLink(first=1, second=2, way="sys"),
    )


PLACED = {**mig("1g.10gb", 9856, 14, "MIG-aaaa"), "gpu_instance": 9, "compute_instance": 0}
OTHER = {**mig("3g.40gb", 40448, 42, "MIG-bbbb"), "gpu_instance": 2, "compute_instance": 1}
BY_CARD = "MIG-GPU-11111111-2222-3333-4444-555555555555"


def test_an_instance_may_be_named_by_its_card_and_its_numbers() -> None:
    found = gpu(mig_machine(PLACED, OTHER, CUDA_VISIBLE_DEVICES=f"{BY_CARD}/2/1"))
    (device,) = devices_of(found)
    assert device.slices == (MigSlice(profile="3g.40gb", memory_mib=40448, multiprocessors=42),)
    assert (found.visible, found.hidden) == ((0,), None)


def test_numbers_that_no_instance_has_name_none() -> None:
    found = gpu(mig_machine(PLACED, OTHER, CUDA_VISIBLE_DEVICES=f"{BY_CARD}/2/0"))
    assert found.visible == ()
    assert found.hidden == "CUDA_VISIBLE_DEVICES names a MIG instance that is not here"


def test_an_instance_that_tells_no_numbers_may_be_the_one_that_is_named() -> None:
    silent = {**PLACED, "gpu_instance": DENIED}
    found = gpu(mig_machine(silent, CUDA_VISIBLE_DEVICES=f"{BY_CARD}/9/0"))
    assert found.visible == Unknown(
        Reason.NOT_SUPPORTED, "a MIG instance does not tell what names it"
    )


ALIKE = {**PLACED, "uuid": "MIG-cccc", "gpu_instance": 10}
ONE_OF_THEM = MigSlice(profile="1g.10gb", memory_mib=9856, multiprocessors=14)


@pytest.mark.parametrize("environ", [{}, {"CUDA_VISIBLE_DEVICES": "0"}])
def test_where_no_instance_is_named_cuda_uses_one(environ: dict[str, str]) -> None:
    found = gpu(mig_machine(PLACED, ALIKE, **environ))
    assert devices_of(found)[0].slices == (ONE_OF_THEM,)
    assert (found.visible, found.hidden) == (
        (0,),
        "MIG is on and no instance is named: CUDA uses the first of 2",
    )


@pytest.mark.parametrize("environ", [{}, {"CUDA_VISIBLE_DEVICES": "0"}])
def test_which_of_unlike_instances_cuda_uses_is_open(environ: dict[str, str]) -> None:
    why = Unknown(
        Reason.NOT_SUPPORTED,
        "CUDA uses one of the unlike MIG instances; name it with CUDA_VISIBLE_DEVICES",
    )
    found = gpu(mig_machine(PLACED, OTHER, **environ))
    assert (found.visible, found.hidden) == (why, why)


def test_an_instance_that_is_refused_is_not_the_one_that_cuda_uses() -> None:
    found = gpu(mig_machine(DENIED, PLACED))
    assert (found.visible, devices_of(found)[0].slices) == ((0,), (ONE_OF_THEM,))


def test_instances_that_this_user_may_not_ask_leave_open_what_is_visible() -> None:
    refused = Unknown(Reason.NO_PERMISSION, "NVML_ERROR_NO_PERMISSION")
    assert gpu(mig_machine(DENIED, DENIED)).visible == refused


def compat_machine(
    *,
    on_path: bool = True,
    driver: str = "535.104.05",
    branches: object = (535, 570),
    name: str = "",
    folder: str = COMPAT,
) -> RecordedHost:
    libcuda = f"{folder}/libcuda.so.590.44.01"
    note = ("13.1", branches)
    said = dict.fromkeys(Binary._fields, ()) | {"machine": "x86_64", "bits": 64, "imports": False}
    binary = Binary(**{**said, "soname": None, "interpreter": None, "compat": note})  # type: ignore[arg-type]
    card = nvml_device(name=name) if name else nvml_device()
    return machine(
        {**A100_CARD, **driver_files(driver)},
        library=driver,
        links={f"{folder}/libcuda.so.1": "libcuda.so.590.44.01"},
        binaries={libcuda: branches if isinstance(branches, Unknown) else binary},
        environ={"LD_LIBRARY_PATH": folder} if on_path else {},
        nvml=nvml(card, driver_version=driver, cuda_driver_version=12020),
    )


def driver_of(host: RecordedHost) -> Driver:
    found = gpu(host).driver
    assert isinstance(found, Driver)
    return found


FOUND = ForwardCompatibility(
    version="590.44.01", cuda="13.1", drivers=(535, 570), found_first=True, used=True,
    location=f"{COMPAT}/libcuda.so.590.44.01",
)  # fmt: skip


def test_forward_compatibility_lifts_the_cuda_in_effect_and_leaves_the_drivers_own() -> None:
    driver = driver_of(compat_machine())
    assert driver.compat == FOUND
    assert (driver.library, driver.cuda, driver.cuda_in_effect) == ("535.104.05", "12.2", "13.1")


def test_forward_compatibility_that_is_only_installed_is_not_used() -> None:
    driver = driver_of(compat_machine(on_path=False))
    assert isinstance(driver.compat, ForwardCompatibility)
    assert (driver.compat.found_first, driver.compat.used) == (False, False)
    assert driver.cuda_in_effect == "12.2"


@pytest.mark.parametrize(
    "changed",
    [
        {"branches": (550, 570)},
        {"driver": "590.48.01"},
        {"name": "NVIDIA GeForce RTX 3090"},
    ],
)
def test_forward_compatibility_that_comes_first_and_does_not_fit_breaks_cuda(
    changed: Mapping[str, Any],
) -> None:
    driver = driver_of(compat_machine(**changed))
    assert isinstance(driver.compat, ForwardCompatibility)
    assert (driver.compat.found_first, driver.compat.used) == (True, False)
    assert driver.cuda_in_effect == Unknown(
        Reason.NOT_SUPPORTED,
        "cuda-compat 590.44.01 is found first and does not work on this machine",
    )


def test_forward_compatibility_whose_note_cannot_be_read_leaves_its_use_open() -> None:
    why = Unknown(Reason.NO_PERMISSION)
    driver = driver_of(compat_machine(branches=why))
    assert isinstance(driver.compat, ForwardCompatibility)
    assert (driver.compat.cuda, driver.compat.used, driver.cuda_in_effect) == (why, why, why)


def test_a_note_tells_forward_compatibility_wherever_it_lies() -> None:
    driver = driver_of(compat_machine(folder="/opt/forward"))
    there = "/opt/forward/libcuda.so.590.44.01"
    assert driver.compat == replace(FOUND, location=there)
    assert (driver.library, driver.cuda_in_effect) == ("535.104.05", "13.1")


def test_a_drivers_own_library_in_a_folder_called_compat_is_the_drivers_own() -> None:
    host = machine(
        {**A100_CARD, **driver_files()},
        links={"/opt/compat/libcuda.so.1": "libcuda.so.550.54.15"},
        binaries={"/opt/compat/libcuda.so.550.54.15": library(soname="libcuda.so.1")},
        environ={"LD_LIBRARY_PATH": "/opt/compat"},
        nvml=nvml(nvml_device()),
    )
    driver = driver_of(host)
    assert (driver.compat, driver.library) == (None, "550.54.15")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"driver": "590.44.01"}, "it is of the same version as the driver"),
        ({"name": "NVIDIA RTX A6000"}, "NVIDIA allows it on some cards of workstations"),
    ],
)
def test_forward_compatibility_that_nvidias_rules_do_not_decide_is_open(
    changed: Mapping[str, Any], why: str
) -> None:
    driver = driver_of(compat_machine(branches=(535, 590), **changed))
    assert isinstance(driver.compat, ForwardCompatibility)
    assert driver.compat.used == driver.cuda_in_effect == Unknown(Reason.NOT_SUPPORTED, why)


def test_one_reason_against_forward_compatibility_is_enough() -> None:
    closed = compat_machine(branches=Unknown(Reason.NO_PERMISSION), name="NVIDIA GeForce RTX 3090")
    compat = driver_of(closed).compat
    assert isinstance(compat, ForwardCompatibility)
    assert (compat.found_first, compat.used) == (True, False)


def test_two_libraries_of_one_driver_that_differ_are_no_one_version() -> None:
    host = machine(
        {**A100_CARD, f"{LIBCUDA}/libnvidia-ml.so.550.54.15": ""},
        library="550.90.07",
        links={f"{LIBCUDA}/libnvidia-ml.so.1": "libnvidia-ml.so.550.54.15"},
        nvml=nvml(nvml_device()),
    )
    assert driver_of(host).library == Unknown(
        Reason.WITNESSES_DISAGREE, "libcuda 550.90.07, libnvidia-ml 550.54.15"
    )


def test_nvml_and_the_kernels_files_may_tell_two_versions() -> None:
    host = machine({**A100_CARD, **driver_files("535.104.05")}, nvml=nvml(nvml_device()))
    driver = driver_of(host)
    assert driver.version == Unknown(
        Reason.WITNESSES_DISAGREE, "NVML 550.54.15, kernel module 535.104.05"
    )
    files = {**A100_CARD, **driver_files(), "/sys/module/nvidia/version": "535.104.05\n"}
    driver = driver_of(machine(files, nvml=nvml(nvml_device())))
    assert driver.kernel_module == Unknown(
        Reason.WITNESSES_DISAGREE, "/proc 550.54.15, /sys 535.104.05"
    )
    assert driver.version == "550.54.15"
