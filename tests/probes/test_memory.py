from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.host import RecordedHost, Uname
from envsnap.probes import Look
from envsnap.probes.memory import parse_meminfo, parse_swapusage, probe_memory
from envsnap.sections import Memory, Reason, Unknown

LINUX = Uname("Linux", "6.1.0", "#1", "x86_64")
MEMINFO = """\
MemTotal:       65767812 kB
MemFree:         1246468 kB
MemAvailable:   60135092 kB
SwapTotal:       2097148 kB
SwapFree:        2097148 kB
Active(anon):     404744 kB
HugePages_Total:       0
"""


def test_linux_tells_its_memory_in_proc(look_at: Callable[..., Look]) -> None:
    host = RecordedHost.made(files={"/proc/meminfo": MEMINFO}, uname=LINUX)
    assert probe_memory(look_at(host)) == Memory(total_mib=64226, swap_mib=2047)


def test_a_line_that_is_missing_is_unknown_and_never_zero(look_at: Callable[..., Look]) -> None:
    host = RecordedHost.made(files={"/proc/meminfo": "MemTotal: 1024 kB\n"}, uname=LINUX)
    gone = Unknown(Reason.NOT_SUPPORTED, "/proc/meminfo has no SwapTotal")
    assert probe_memory(look_at(host)) == Memory(total_mib=1, swap_mib=gone)


def test_macos_tells_its_memory_by_sysctl(look_at: Callable[..., Look]) -> None:
    spoken = (
        "hw.memsize: 17179869184\n"
        "vm.swapusage: total = 2048.00M  used = 512.25M  free = 1535.75M  (encrypted)\n"
    )
    host = RecordedHost.made(
        commands={("/usr/sbin/sysctl", "-i", "hw.memsize", "vm.swapusage"): spoken},
        uname=Uname("Darwin", "23.5.0", "Darwin", "arm64"),
    )
    assert probe_memory(look_at(host)) == Memory(total_mib=16384, swap_mib=2048)


def test_windows_does_not_show_it(look_at: Callable[..., Look]) -> None:
    host = RecordedHost.made(uname=Uname("Windows", "11", "10.0.22631", "AMD64"))
    why = Unknown(Reason.NOT_SUPPORTED, "Windows does not show it")
    assert probe_memory(look_at(host)) == Memory(total_mib=why, swap_mib=why)


@pytest.mark.parametrize(
    ("text", "size"), [("total = 3.50G used", 3072), ("total = 0.00M  used = 0.00M", 0)]
)
def test_swap_comes_in_several_units(text: str, size: int) -> None:
    assert parse_swapusage(text) == size


@given(st.text())
def test_no_text_makes_a_parser_raise(text: str) -> None:
    assert isinstance(parse_meminfo(text), dict)
    assert isinstance(parse_swapusage(text), (int, Unknown))
