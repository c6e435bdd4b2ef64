from __future__ import annotations

import time

import pytest

from envsnap.imports import NOT_TOLD, Text, Told, readers
from envsnap.imports.comfyui import read_report as read_comfyui
from envsnap.imports.huggingface import read_report as read_huggingface
from envsnap.imports.jax_report import read_report as read_jax
from envsnap.imports.nvbandwidth import read_report as read_nvbandwidth
from envsnap.imports.nvcc import read_nvcc
from envsnap.sections import Cuda, Driver, Gpu, Os, Packages, Python

TRANSFORMERS = """\
- `transformers` version: 4.48.3
- Platform: Linux-6.8.0-52-generic-x86_64-with-glibc2.35
- Python version: 3.11.10
- Huggingface_hub version: 0.28.1
- PyTorch version (GPU?): 2.5.1+cu124 (True)
- Tensorflow version (GPU?): not installed (NA)
- Using GPU in script?: <fill in>
"""
JAX = """\
jax:    0.4.35
jaxlib: 0.4.34
numpy:  2.1.1
python: 3.12.3 (main, Sep 11 2024, 14:17:37) [GCC 13.2.0]
device info: NVIDIA A100-SXM4-40GB-1, 1 local devices"
process_count: 1
platform: uname_result(system='Linux', node='annas-box', release='6.8.0-48-generic', \
version='#48-Ubuntu SMP', machine='x86_64')
"""
COMFYUI = """\
- **OS:** nt
- **Python Version:** 3.12.9 (main, Feb 12 2025, 14:52:31) [MSC v.1942 64 bit (AMD64)]
- **PyTorch Version:** 2.8.0+cu129
- **Name:** cuda:0 NVIDIA GeForce RTX 5090 : cudaMallocAsync
  - **VRAM Total:** 34190458880
"""


def packages_of(told: Told | None) -> dict[str, str]:
    assert told is not None
    section = told.sections["packages"]
    assert isinstance(section, Packages)
    assert isinstance(section.installed, tuple)
    return {each.name: each.version for each in section.installed}


def gpu_of(told: Told | None) -> Gpu:
    assert told is not None
    found = told.sections["gpu"]
    assert isinstance(found, Gpu)
    return found


def test_transformers_env_tells_versions_and_the_platform() -> None:
    told = read_huggingface(Text("-", TRANSFORMERS))
    assert packages_of(told) == {
        "huggingface-hub": "0.28.1", "torch": "2.5.1+cu124", "transformers": "4.48.3",
    }  # fmt: skip
    assert told is not None
    python = told.sections["python"]
    assert isinstance(python, Python)
    assert (told.form, python.version, python.architecture) == (
        "transformers env", "3.11.10", "x86_64",
    )  # fmt: skip
    assert (told.sections["gpu"], told.notes) == (NOT_TOLD, ())


def test_a_kind_of_gpu_without_a_number_is_a_note_and_no_list() -> None:
    told = read_huggingface(Text("-", f"{TRANSFORMERS}- GPU type: NVIDIA RTX A6000\n"))
    assert told is not None
    assert told.sections["gpu"] == NOT_TOLD
    assert told.notes == (
        "GPU type NVIDIA RTX A6000: how many there are it does not say, so none is recorded",
    )


def test_the_cards_that_diffusers_lists_have_their_memory() -> None:
    more = "- Accelerator: NVIDIA A100-SXM4-40GB, 40960 MiB\nNVIDIA A100-SXM4-40GB, 40960 MiB\n"
    found = gpu_of(read_huggingface(Text("-", TRANSFORMERS + more)))
    assert isinstance(found.devices, tuple)
    assert [(each.name, each.memory_mib) for each in found.devices] == [
        ("NVIDIA A100-SXM4-40GB", 40960)
    ] * 2


def test_jaxs_report_tells_the_kernel_and_leaves_the_machines_name_out() -> None:
    told = read_jax(Text("-", JAX))
    assert packages_of(told) == {"jax": "0.4.35", "jaxlib": "0.4.34", "numpy": "2.1.1"}
    assert told is not None
    system = told.sections["os"]
    assert isinstance(system, Os)
    assert (system.kernel, system.kernel_build) == ("6.8.0-48-generic", "#48-Ubuntu SMP")
    assert "annas-box" not in str(told)


def test_comfyuis_report_tells_the_card_that_it_computes_on() -> None:
    told = read_comfyui(Text("-", COMFYUI))
    found = gpu_of(told)
    assert isinstance(found.devices, tuple)
    card = found.devices[0]
    assert (card.name, card.memory_mib, card.mig) == ("NVIDIA GeForce RTX 5090", 32606, None)
    assert packages_of(told) == {"torch": "2.8.0+cu129"}


def test_nvcc_tells_the_compiler_to_its_build() -> None:
    told = read_nvcc(Text("-", "Cuda compilation tools, release 12.4, V12.4.131\n"))
    assert told is not None
    cuda = told.sections["cuda"]
    assert isinstance(cuda, Cuda)
    assert (cuda.nvcc, cuda.libraries) == ("12.4.131", NOT_TOLD)


def test_nvbandwidth_tells_what_the_driver_serves() -> None:
    text = (
        "nvbandwidth Version: v0.8\n\nCUDA Runtime Version: 13000\nCUDA Driver Version: 12080\n"
        "Driver Version: 570.124.06\n\nhost\nDevice 0: NVIDIA H200 (00000000:1b:00)\n"
    )
    found = gpu_of(read_nvbandwidth(Text("-", text)))
    assert isinstance(found.driver, Driver)
    assert (found.driver.version, found.driver.cuda) == ("570.124.06", "12.8")


HEADS = (
    "NVIDIA-SMI MiB / NVSMI LOG Attached GPUs Product Name <product_name> nvbandwidth Version:\n"
    "PyTorch version: 1\nIs CUDA available: True\nPython platform: x\npytorch version: 2.5.1\n"
    "Device: cuda:0 NVIDIA X : a\n- `transformers` version: 1.0\n- Platform: x\n- Peft: 1\n"
    "- Python version: 3\njax: 1\njaxlib: 1\nDriver Version: 550.1\n"
)
"""Enough of each report for its reader to go on."""


@pytest.mark.parametrize(
    "body",
    [
        "| 0 On ", "\n", " \n\t", "GPU models and configuration:\nGPU 0: a\n", "GPU 0: ",
        "[pip3] a==", "Python version: 3.1 [\n", "uname_result(system='a', node='", "<a ", "1.",
    ],
)  # fmt: skip
def test_no_report_however_made_takes_long(body: str) -> None:
    start = time.perf_counter()
    for each in readers():
        if each.read.__module__.rpartition(".")[2] in REPORTS:
            each.read(Text("-", HEADS + body * 10_000))
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("text", ["", "hello\n", "jax is fast\n", "- transformers: 4\n", "\n" * 50])
def test_no_reader_of_reports_takes_another_text(text: str) -> None:
    named = [each for each in readers() if each.read.__module__.rpartition(".")[2] in REPORTS]
    assert [each.form for each in named if each.read(Text("-", text)) is not None] == []
    assert len(named) == 10


REPORTS = {
    "collect_env", "nvidia_smi", "nvidia_smi_log", "nvcc", "huggingface", "jax_report",
    "comfyui", "nvbandwidth",
}  # fmt: skip
