"""What a pasted text itself says is wrong: the messages of PyTorch, CUDA and the driver."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SEEN_BY_PYTORCH = re.compile(r"^[ \t]*Is CUDA available:[ \t]*False", re.MULTILINE)
_BUILT_FOR = re.compile(r"^[ \t]*CUDA used to build PyTorch:[ \t]*(\d{1,2}\.\d{1,2})", re.MULTILINE)
_MOST = 5
_MESSAGES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"no kernel image is available for execution"),
        "CUDA: no kernel image is available: a library holds no code for this GPU",
    ),
    (
        re.compile(r"driver on your system is too old \(found version (\d{4,5})\)"),
        "PyTorch: the driver is too old; it serves CUDA {cuda}",
    ),
    (
        re.compile(r"driver version is insufficient for CUDA runtime|cudaErrorInsufficientDriver"),
        "CUDA: the driver is too old for the CUDA that the program was built with",
    ),
    (
        re.compile(r"compiled with an unsupported toolchain|cudaErrorUnsupportedPtxVersion"),
        "CUDA: the driver is too old for the PTX of a library or program",
    ),
    (
        re.compile(r"Driver/library version mismatch"),
        "NVML: the driver's library and its loaded module are of different versions",
    ),
    (
        re.compile(r"NVIDIA-SMI has failed because it couldn't communicate"),
        "nvidia-smi: the driver does not answer",
    ),
    (
        re.compile(r"version [`']?(GLIBC(?:XX)?_\d{1,3}(?:\.\d{1,3}){1,2})[`']? not found"),
        "the loader: no {0} here: the system's libraries are too old",
    ),
)  # fmt: skip


def complaints(text: str) -> tuple[str, ...]:
    """What it says is wrong, in words, each once.

    >>> complaints("RuntimeError: CUDA error: no kernel image is available for execution on it")
    ('CUDA: no kernel image is available: a library holds no code for this GPU',)
    """
    return tuple(dict.fromkeys(_complaints(text)))[:_MOST]


def _complaints(text: str) -> Iterator[str]:
    built = _BUILT_FOR.search(text)
    if built and _SEEN_BY_PYTORCH.search(text):
        yield f"PyTorch, built for CUDA {built[1]}, finds no GPU: Is CUDA available: False"
    for pattern, words in _MESSAGES:
        for match in pattern.finditer(text):
            number = match[1] if pattern.groups else ""
            cuda = f"{int(number) // 1000}.{int(number) % 1000 // 10}" if number.isdecimal() else ""
            yield words.format(number, cuda=cuda)
