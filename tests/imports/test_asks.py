"""What a maintainer is told to ask for, and what a text itself complains of."""

from __future__ import annotations

import pytest

from envsnap._import import asks, imported, read, to_send
from envsnap.imports import Text
from envsnap.imports._complaints import complaints
from tests.others.test_others import manifest_of

TIME = "2026-01-01T00:00:00Z"
REPORT, LIST, SMI = "python -m torch.utils.collect_env", "python -m pip list", "nvidia-smi"


def test_a_list_lacks_the_gpus_and_the_system_and_one_report_tells_both() -> None:
    found = asks(imported([read(Text("freeze", "idna==3.7\ntorch==2.4.1+cu121\n"))], TIME))
    assert ("the GPUs and their driver", REPORT) in found
    assert to_send(found) == (REPORT,)


@pytest.mark.parametrize(
    ("name", "commands"),
    [
        ("macos-intel", (LIST,)),
        ("jetson-orin", (LIST, "cat /etc/nv_tegra_release")),
        ("jetson-orin-nano-no-torch", (LIST, "cat /etc/nv_tegra_release")),
        ("gke-old-driver", (SMI, LIST)),
        ("nvidia-smi-rtx-3090-cut-name", (REPORT, LIST, "nvidia-smi -L")),
    ],
)
def test_nobody_is_asked_for_what_his_machine_does_not_have(
    name: str, commands: tuple[str, ...]
) -> None:
    assert sorted(to_send(asks(manifest_of(name)))) == sorted(commands)


def test_nobody_is_asked_for_nvidias_tool_beside_a_card_of_amd() -> None:
    commands = to_send(asks(manifest_of("mi250")))
    assert not [each for each in commands if "nvidia" in each]


def test_nobody_is_asked_for_serials_or_for_a_program_that_he_does_not_have() -> None:
    for name in ("nvidia-smi-p4", "transformers-cu121", "jax-colab-t4", "kaggle-p100"):
        for each in to_send(asks(manifest_of(name))):
            assert " -q" not in each
            assert "inspect" not in each
            assert "envsnap" not in each


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "Is CUDA available: False\nCUDA used to build PyTorch: 12.4\n",
            "PyTorch, built for CUDA 12.4, finds no GPU: Is CUDA available: False",
        ),
        (
            "The NVIDIA driver on your system is too old (found version 11040).",
            "PyTorch: the driver is too old; it serves CUDA 11.4",
        ),
        (
            "cudaErrorUnsupportedPtxVersion",
            "CUDA: the driver is too old for the PTX of a library or program",
        ),
        (
            "Failed to initialize NVML: Driver/library version mismatch",
            "NVML: the driver's library and its loaded module are of different versions",
        ),
        (
            "ImportError: libc.so.6: version `GLIBC_2.34' not found (required by x.so)",
            "the loader: no GLIBC_2.34 here: the system's libraries are too old",
        ),
    ],
)
def test_what_a_text_says_is_wrong_is_told_in_words(text: str, said: str) -> None:
    assert complaints(f"{text}\n{text}\n") == (said,)


def test_a_pytorch_for_the_processor_complains_of_nothing() -> None:
    assert complaints("Is CUDA available: False\nCUDA used to build PyTorch: None\n") == ()
