from __future__ import annotations

import re

import pytest

from envsnap.imports import NOT_TOLD, Text, Told
from envsnap.imports._cards import LISTED
from envsnap.imports.collect_env import read_collect_env
from envsnap.sections import (
    Cpu,
    Cuda,
    Device,
    Driver,
    Gpu,
    Os,
    Package,
    Packages,
    Python,
    Unknown,
)

REPORT = """\
Collecting environment information...
PyTorch version: 2.5.1+cu124
Is debug build: False
CUDA used to build PyTorch: 12.4
ROCM used to build PyTorch: N/A

OS: Ubuntu 22.04.5 LTS (x86_64)
GCC version: (Ubuntu 11.4.0-1ubuntu1~22.04) 11.4.0
Libc version: glibc-2.35

Python version: 3.11.9 (main, Apr  6 2024, 17:59:24) [GCC 11.4.0] (64-bit runtime)
Python platform: Linux-6.8.0-48-generic-x86_64-with-glibc2.35
Is CUDA available: True
CUDA runtime version: 11.8.89
CUDA_MODULE_LOADING set to: LAZY
GPU models and configuration:
GPU 0: NVIDIA A100-SXM4-40GB
GPU 1: NVIDIA A100-SXM4-40GB

Nvidia driver version: 550.54.14
cuDNN version: Probably one of the following:
/usr/lib/x86_64-linux-gnu/libcudnn.so.8.9.7
/usr/lib/x86_64-linux-gnu/libcudnn_ops_infer.so.8.9.7
HIP runtime version: N/A

CPU:
Architecture:                    x86_64
CPU(s):                          16
Vendor ID:                       AuthenticAMD
Model name:                      AMD EPYC 7763
Core(s) per socket:              4
Socket(s):                       2
Flags:                           fpu sse2 avx2
NUMA node(s):                    1

Versions of relevant libraries:
[pip3] numpy==1.26.4
[pip3] torch==2.5.1
[conda] Could not collect
"""


def told_by(text: str) -> Told:
    told = read_collect_env(Text("-", text))
    assert told is not None
    return told


def gpu_of(text: str) -> Gpu:
    found = told_by(text).sections["gpu"]
    assert isinstance(found, Gpu)
    return found


def devices_of(text: str) -> tuple[Device, ...]:
    devices = gpu_of(text).devices
    assert isinstance(devices, tuple)
    return devices


def packages_of(text: str) -> dict[str, Package]:
    section = told_by(text).sections["packages"]
    assert isinstance(section, Packages)
    assert isinstance(section.installed, tuple)
    return {each.name: each for each in section.installed}


def without(*starts: str) -> str:
    return "\n".join(line for line in REPORT.split("\n") if not line.startswith(starts))


def test_the_interpreter_is_told_with_what_built_it() -> None:
    found = told_by(REPORT).sections["python"]
    assert isinstance(found, Python)
    known = {name: value for name, value in vars(found).items() if value != NOT_TOLD}
    assert known == {
        "implementation": "cpython", "version": "3.11.9", "implementation_version": "3.11.9",
        "free_threaded": False, "architecture": "x86_64", "platform": "linux-x86_64",
        "compiler": "GCC 11.4.0", "build_date": "Apr  6 2024, 17:59:24", "libc": "glibc 2.35",
    }  # fmt: skip


def test_the_scripts_own_first_line_makes_a_report_of_what_is_left_of_it() -> None:
    cut = "PyTorch version: 2.1.0+cu121\nIs debug build: False\nOS: Ubuntu 22.04.3 LTS (x86_64)\n"
    assert read_collect_env(Text("-", cut)) is None
    found = packages_of(f"Collecting environment information...\n{cut}")
    assert [(each.name, each.version) for each in found.values()] == [("torch", "2.1.0+cu121")]


def test_a_python_without_its_patch_is_unknown_with_what_is_told() -> None:
    text = REPORT.replace("3.11.9 (main, Apr  6 2024, 17:59:24) [GCC 11.4.0]", "3.6")
    assert str(told_by(text).sections["python"]) == (
        "not-recorded: the text says '3.6', without the patch"
    )


def test_the_system_is_told_in_os_releases_words() -> None:
    found = told_by(REPORT).sections["os"]
    assert isinstance(found, Os)
    known = {name: value for name, value in vars(found).items() if value != NOT_TOLD}
    assert known == {
        "system": "Linux", "distribution": "ubuntu", "distribution_version": "22.04",
        "distribution_name": "Ubuntu 22.04.5 LTS", "kernel": "6.8.0-48-generic",
        "architecture": "x86_64", "libc": "glibc", "libc_version": "2.35", "wsl": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "identity", "version"),
    [
        ("Debian GNU/Linux 12 (bookworm) (x86_64)", "debian", "12"),
        ("CentOS Linux 7 (Core) (x86_64)", "centos", "7"),
        ("Red Hat Enterprise Linux release 8.10 (Ootpa) (x86_64)", "rhel", "8.10"),
        ("SUSE Linux Enterprise Server 15 SP5 (x86_64)", "sles", "15.5"),
        ("Arch Linux (x86_64)", "arch", None),
        ("macOS 14.5 (arm64)", "macos", "14.5"),
        ("Microsoft Windows 11 Pro (10.0.22631 64-bit)", "windows", "10.0.22631"),
    ],
)
def test_systems_are_known_by_the_names_that_people_know(
    name: str, identity: str, version: str | None
) -> None:
    text = without("Python platform").replace("Ubuntu 22.04.5 LTS (x86_64)", name)
    found = told_by(text).sections["os"]
    assert isinstance(found, Os)
    assert (found.distribution, found.distribution_version) == (identity, version)


def test_the_c_library_that_an_old_python_tells_is_its_own_need_and_not_taken() -> None:
    text = REPORT.replace("3.11.9", "3.6.4").replace("glibc-2.35", "glibc-2.2.5")
    found = told_by(text).sections["os"]
    assert isinstance(found, Os)
    assert (found.libc, found.libc_version) == (NOT_TOLD, NOT_TOLD)


def test_the_cuda_run_time_of_the_report_is_the_compiler_on_path() -> None:
    found = told_by(REPORT).sections["cuda"]
    assert isinstance(found, Cuda)
    assert (found.nvcc, found.libraries) == ("11.8.89", NOT_TOLD)


@pytest.mark.parametrize("said", ["Could not collect", "N/A", "No CUDA"])
def test_a_compiler_that_the_report_does_not_know_is_unknown_and_not_absent(said: str) -> None:
    found = told_by(REPORT.replace("11.8.89", said)).sections["cuda"]
    assert isinstance(found, Cuda)
    assert found.nvcc == NOT_TOLD


def test_a_machine_of_which_it_says_no_cuda_may_have_a_gpu() -> None:
    text = "\n".join(
        f"{line.partition(':')[0]}: No CUDA" if line.startswith(("Nvidia", "GPU models")) else line
        for line in without("GPU 0", "GPU 1").split("\n")
    )
    assert told_by(text.replace("available: True", "available: False")).sections["gpu"] == NOT_TOLD


def test_the_cards_are_those_that_programs_see_whole() -> None:
    found = devices_of(REPORT)
    assert [(each.name, each.compute_capability, each.mig, each.slices) for each in found] == [
        ("NVIDIA A100-SXM4-40GB", "8.0", False, ())
    ] * 2
    assert (gpu_of(REPORT).visible, gpu_of(REPORT).hidden) == ((0, 1), None)


def test_the_variable_that_hides_a_card_is_heeded() -> None:
    found = gpu_of(f"{REPORT}\nCUDA_VISIBLE_DEVICES=1\n")
    assert (found.visible, found.hidden) == ((1,), "CUDA_VISIBLE_DEVICES shows some of them")


def test_a_pytorch_for_cuda_that_finds_none_of_the_cards_says_that_programs_see_none() -> None:
    found = gpu_of(REPORT.replace("Is CUDA available: True", "Is CUDA available: False"))
    assert (found.visible, found.hidden) == (
        (), "PyTorch, built for CUDA, finds no GPU it can use (Is CUDA available: False)",
    )  # fmt: skip


def test_a_pytorch_for_the_processor_does_not_tell_which_cards_programs_see() -> None:
    text = REPORT.replace("Is CUDA available: True", "Is CUDA available: False")
    found = gpu_of(
        re.sub("CUDA used to build PyTorch: .*", "CUDA used to build PyTorch: N/A", text)
    )
    assert (found.visible, found.hidden) == (LISTED, LISTED)


def test_mig_instances_stand_below_their_card() -> None:
    line = "GPU 0: NVIDIA A100-SXM4-40GB"
    text = REPORT.replace(line, f"{line}\n  MIG 3g.20gb     Device  0:").replace("GPU 1: ", "")
    first = devices_of(text)[0]
    assert first.mig is True
    assert isinstance(first.slices, tuple)
    assert [each.profile for each in first.slices] == ["3g.20gb"]


def test_the_driver_that_cuda_started_on_has_libraries_of_its_version() -> None:
    driver = gpu_of(REPORT).driver
    assert isinstance(driver, Driver)
    assert (driver.version, driver.kernel_module, driver.library) == ("550.54.14",) * 3
    assert (driver.cuda, driver.cuda_in_effect, driver.compat) == ("12.4", NOT_TOLD, NOT_TOLD)


def test_pytorchs_complaint_about_the_driver_tells_what_it_serves() -> None:
    warned = "The NVIDIA driver on your system is too old (found version 12040). Please"
    driver = gpu_of(REPORT.replace("GPU models", f"{warned}\nGPU models")).driver
    assert isinstance(driver, Driver)
    assert (driver.cuda, driver.cuda_in_effect, driver.compat) == ("12.4", "12.4", None)


def test_pytorchs_complaint_about_a_card_tells_its_capability() -> None:
    name = "NVIDIA GeForce RTX 9999"
    warned = f"{name} with CUDA capability sm_123 is not compatible with the current PyTorch"
    text = f"{warned}\n{REPORT}".replace("NVIDIA A100-SXM4-40GB", name)
    assert [each.compute_capability for each in devices_of(text)] == ["12.3", "12.3"]


def test_amd_cards_are_told_by_their_target() -> None:
    text = without("GPU 0", "GPU 1").replace(
        "GPU models and configuration:",
        "GPU models and configuration: AMD Instinct MI300X (gfx942:sramecc+:xnack-)",
    )
    found = gpu_of(text.replace("550.54.14", "Could not collect"))
    assert isinstance(found.devices, tuple)
    card = found.devices[0]
    assert (card.vendor, card.name, card.architecture) == ("amd", "AMD Instinct MI300X", "gfx942")
    assert (found.kind, found.driver) == ("amd", None)


def test_the_packages_are_a_part_of_what_is_installed() -> None:
    section = told_by(REPORT).sections["packages"]
    assert isinstance(section, Packages)
    assert isinstance(section.unlisted, Unknown)
    assert section.conda_only == ()


def test_a_list_of_packages_says_pytorchs_version_before_pytorch_does() -> None:
    assert packages_of(REPORT)["torch"].version == "2.5.1"
    assert packages_of(without("[pip3] torch"))["torch"].version == "2.5.1+cu124"


@pytest.mark.parametrize(
    ("version", "cuda", "kind"),
    [
        ("2.5.1", "12.4", "index"),
        ("2.5.1", "11.8", "unknown"),
        ("2.5.1+cu124", "12.4", "index"),
        ("2.5.1+cu124", "12.1", "unknown"),
        ("2.6.0a0+git12ab", "12.4", "unknown"),
        ("2.5.1+cu199", "12.4", "unknown"),
    ],
)
def test_only_a_build_that_the_tables_have_is_taken_for_a_published_one(
    version: str, cuda: str, kind: str
) -> None:
    text = REPORT.replace("torch==2.5.1", f"torch=={version}").replace(
        "build PyTorch: 12.4", f"build PyTorch: {cuda}"
    )
    assert packages_of(text)["torch"].origin.kind == kind


def test_condas_lines_tell_who_installed_it() -> None:
    lines = (
        "[conda] numpy                     1.26.4          py311h24aa872_0\n"
        "[conda] pytorch                   2.5.1           py3.11_cuda12.4_0    pytorch\n"
        "[conda] mkl                       2023.1.0        h213fc3f_46344    defaults\n"
    )
    text = REPORT.replace("[conda] Could not collect\n", lines)
    found = packages_of(text)
    assert (found["torch"].version, found["torch"].origin.kind) == ("2.5.1", "conda")
    assert found["numpy"].origin.kind == "conda"
    section = told_by(text).sections["packages"]
    assert isinstance(section, Packages)
    assert isinstance(section.conda_only, tuple)
    assert [each.name for each in section.conda_only] == ["mkl"]


def test_lines_that_are_no_package_are_told() -> None:
    assert told_by(f"{REPORT}[pip3] tor\n").not_read == ("[pip3] tor",)


def test_the_processor_is_told_as_lscpu_says_it() -> None:
    found = told_by(REPORT).sections["cpu"]
    assert isinstance(found, Cpu)
    assert (found.vendor, found.model, found.sockets, found.cores, found.threads) == (
        "AuthenticAMD", "AMD EPYC 7763", 2, 8, 16,
    )  # fmt: skip
    assert found.features == ("avx2", "fpu", "sse2")


def test_flags_at_the_end_of_the_text_may_be_cut_and_are_not_taken() -> None:
    found = told_by(REPORT.partition("NUMA")[0]).sections["cpu"]
    assert isinstance(found, Cpu)
    assert (found.model, found.features) == ("AMD EPYC 7763", NOT_TOLD)


def test_vllms_report_names_vllm_too() -> None:
    told = told_by(f"{REPORT}\nvLLM Version: 0.6.1.post2@9ba0817ff1eb\n")
    assert told.form == "vLLM's collect_env"
    assert packages_of(f"{REPORT}\nvLLM Version: 0.6.1.post2@9b\n")["vllm"].version == "0.6.1.post2"


def test_a_text_with_a_word_or_two_of_it_is_no_report() -> None:
    assert read_collect_env(Text("-", "PyTorch version: 2.5.1\nIs CUDA available: True\n")) is None
