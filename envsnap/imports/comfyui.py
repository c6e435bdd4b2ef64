"""ComfyUI's report of an error, and the first lines of its log."""

from __future__ import annotations

import re
from collections.abc import Iterator

from envsnap.imports._cards import gpu_of, whole_card
from envsnap.imports._core import NOT_TOLD, Text, Told, blank, reader
from envsnap.imports._listed import packages
from envsnap.imports._systems import python_of
from envsnap.imports._torch import capabilities, with_torch
from envsnap.sections import Device, Fact, Os, Python, Unknown, replace

_TORCH = re.compile(
    r"(?:\*\*PyTorch Version:\*\*|pytorch version:)[ \t]*(\d[\w.+]*)", re.IGNORECASE
)
_PYTHON = re.compile(r"\*\*\s?Python version:(?:\*\*)?[ \t]*(.{1,200})", re.IGNORECASE)
_SYSTEM = re.compile(r"\*\*\s?(?:OS|Platform):(?:\*\*)?[ \t]*(nt|posix|Windows|Linux|Darwin)\b")
_DEVICE = re.compile(
    r"(?:\*\*Name:\*\*|Device:)[ \t]*cuda:(\d{1,2}) (.{3,80}?)(?: : \w+)?[ \t]*$", re.MULTILINE
)
_MEMORY = re.compile(r"\*\*VRAM Total:\*\*[ \t]*(\d{6,15})")
_TOTAL = re.compile(r"Total VRAM (\d{3,7}) MB")
_SYSTEMS = {"nt": "Windows", "Windows": "Windows", "Linux": "Linux", "Darwin": "Darwin"}
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6} - ?")
_MIB = 1 << 20


@reader("ComfyUI's report")
def read_report(text: Text) -> Told | None:
    """PyTorch, the interpreter, the system and the card that it computes on."""
    said = _STAMP.sub("", text.text)
    torch, devices = _TORCH.search(said), tuple(_devices(said))
    if torch is None or not devices:
        return None
    system, named = _SYSTEM.search(said), _PYTHON.search(said)
    name: Fact[str] = _SYSTEMS.get(system[1], NOT_TOLD) if system else NOT_TOLD
    python = python_of(named[1]) if named else NOT_TOLD
    found = with_torch([], torch[1], None, machine=_machine(python))
    place: Fact[str] = "pci" if name == "Windows" else NOT_TOLD
    return Told("ComfyUI's report", {
        "python": python,
        "os": NOT_TOLD if isinstance(name, Unknown) else blank(Os, system=name),
        "packages": packages(found, is_whole=False, conda_only=()),
        "gpu": gpu_of(devices, platform=place),
    })  # fmt: skip


def _devices(said: str) -> Iterator[Device]:
    """The cards that PyTorch shows it, each once."""
    told = capabilities(said)
    total = _TOTAL.search(said)
    seen: set[str] = set()
    for match in _DEVICE.finditer(said):
        number, name = match[1], match[2].strip()
        if number in seen:
            continue
        seen.add(number)
        exact = _MEMORY.search(said, match.end(), match.end() + 400)
        size = int(exact[1]) // _MIB if exact else int(total[1]) if total else 0
        found = whole_card(name, memory_mib=size or NOT_TOLD)
        if isinstance(found.compute_capability, Unknown) and name in told:
            found = replace(found, compute_capability=told[name])
        yield found


def _machine(python: Python | Unknown) -> Fact[str]:
    """The machine of the packages: Windows calls x86_64 otherwise."""
    if isinstance(python, Unknown) or python.architecture != "AMD64":
        return NOT_TOLD
    return "x86_64"
