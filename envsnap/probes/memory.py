"""How much memory the machine has."""

from __future__ import annotations

import re

from envsnap.probes._registry import Look, probe
from envsnap.probes._texts import not_on, read_text, sysctl, system, unparsable, whole
from envsnap.sections import Fact, Memory, Reason, Unknown

_LINE = re.compile(r"^(\w+(?:\(\w+\))?):\s+(\d{1,18}) kB$", re.MULTILINE)
_SWAP_TOTAL = r"total = (\d{1,12})(?:\.\d+)?([KMGT])"
_MIB_OF = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024 * 1024}


@probe(Memory)
def probe_memory(look: Look) -> Memory:
    """The memory of this machine."""
    name = system(look.host)
    if isinstance(name, Unknown):
        return Memory(total_mib=name, swap_mib=name)
    if name == "Linux":
        text = read_text(look.host, "/proc/meminfo")
        return Memory(
            total_mib=of_meminfo(text, "MemTotal"), swap_mib=of_meminfo(text, "SwapTotal")
        )
    if name != "Darwin":
        return Memory(total_mib=not_on(name), swap_mib=not_on(name))
    words = sysctl(look.host, ("hw.memsize", "vm.swapusage"))
    if isinstance(words, Unknown):
        return Memory(total_mib=words, swap_mib=words)
    size = whole(words.get("hw.memsize"), "hw.memsize")
    return Memory(
        total_mib=size if isinstance(size, Unknown) else size // (1 << 20),
        swap_mib=parse_swapusage(words.get("vm.swapusage", "")),
    )


def of_meminfo(text: Fact[str | None], name: str) -> Fact[int]:
    """One line of /proc/meminfo, MiB; why not, if it is not there."""
    if isinstance(text, Unknown):
        return text
    found = parse_meminfo(text or "").get(name)
    return Unknown(Reason.NOT_SUPPORTED, f"/proc/meminfo has no {name}") if found is None else found


def parse_meminfo(text: str) -> dict[str, int]:
    """The sizes in /proc/meminfo, MiB.

    >>> parse_meminfo("MemTotal:       16384000 kB")
    {'MemTotal': 16000}
    """
    return {name: int(size) // 1024 for name, size in _LINE.findall(text)}


def parse_swapusage(text: str) -> Fact[int]:
    """The total of macOS's vm.swapusage, MiB."""
    found = re.search(_SWAP_TOTAL, text)
    return int(int(found[1]) * _MIB_OF[found[2]]) if found else unparsable("vm.swapusage", text)
