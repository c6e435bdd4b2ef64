"""Both formats of /etc/ld.so.cache, and this machine's own."""

from __future__ import annotations

import os
import platform
import re
import shutil
import struct
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.loader._cache import Cached, parse_cache

LDCONFIG = shutil.which("ldconfig", path="/sbin:/usr/sbin")


def newer(*entries: tuple[int, bytes, bytes, int], levels: tuple[bytes, ...] = ()) -> bytes:
    """A cache of the newer format; each entry is flags, name, path and what it needs."""
    texts, places = b"", []
    start = 48 + 24 * len(entries)
    for text in [each for entry in entries for each in entry[1:3]] + list(levels):
        places.append(start + len(texts))
        texts += text + b"\0"
    extension = start + len(texts) if levels else 0
    head = b"glibc-ld.so.cache1.1"
    head += struct.pack("<II4sI12s", len(entries), len(texts), b"\2", extension, b"")
    for at, (flags, _, _, needed) in enumerate(entries):
        head += struct.pack("<iIIIQ", flags, places[2 * at], places[2 * at + 1], 0, needed)
    tail = b""
    if levels:
        numbers = struct.pack(f"<{len(levels)}I", *places[2 * len(entries) :])
        tail = struct.pack("<IIIIII", 0xEAA42174, 1, 1, 0, extension + 24, len(numbers)) + numbers
    return head + texts + tail


def older(*entries: tuple[int, bytes, bytes]) -> bytes:
    texts, rows = b"", b""
    for flags, name, path in entries:
        rows += struct.pack("<iII", flags, len(texts), len(texts) + len(name) + 1)
        texts += name + b"\0" + path + b"\0"
    return b"ld.so-1.7.0\0" + struct.pack("<I", len(entries)) + rows + texts


def test_the_lines_of_other_machines_are_left_out() -> None:
    raw = newer((0x0303, b"libz.so.1", b"/lib/libz.so.1", 0), (3, b"libz.so.1", b"/lib32/z", 0))
    assert parse_cache(raw, "x86_64") == {"libz.so.1": [Cached("/lib/libz.so.1", None)]}


def test_a_line_names_the_processor_s_level() -> None:
    raw = newer(
        (0x0303, b"liba.so", b"/v3/liba.so", 1 << 62),
        (0x0303, b"liba.so", b"/lib/liba.so", 0),
        (0x0303, b"liba.so", b"/avx/liba.so", 1 << 5),
        (0x0303, b"liba.so", b"/lib/tls/liba.so", 1 << 63),
        levels=(b"x86-64-v3",),
    )
    assert parse_cache(raw, "x86_64") == {
        "liba.so": [
            Cached("/v3/liba.so", "x86-64-v3"),
            Cached("/lib/liba.so", None),
            Cached("/lib/tls/liba.so", None),
        ]
    }


def test_the_older_format_is_read_and_a_newer_one_behind_it_wins() -> None:
    raw = older((0x0303, b"libz.so.1", b"/old/libz.so.1"))
    assert parse_cache(raw, "x86_64") == {"libz.so.1": [Cached("/old/libz.so.1", None)]}
    head = older((0x0303, b"libz.so.1", b"/old"))[: 16 + 12]
    both = head + b"\0" * (-len(head) % 8) + newer((0x0303, b"libz.so.1", b"/new", 0))
    assert parse_cache(both, "x86_64") == {"libz.so.1": [Cached("/new", None)]}


@given(st.binary(max_size=200), st.integers(0, 200))
def test_no_bytes_are_too_broken(noise: bytes, at: int) -> None:
    whole = newer((0x0303, b"liba.so", b"/v3/liba.so", 1 << 62), levels=(b"x86-64-v3",))
    parse_cache(noise, "x86_64")
    parse_cache(whole[:at] + noise + whole[at + len(noise) :], "x86_64")


@pytest.mark.skipif(LDCONFIG is None, reason="needs ldconfig")
def test_this_machine_s_cache_is_read_as_ldconfig_prints_it() -> None:
    assert LDCONFIG is not None
    if not os.path.exists("/etc/ld.so.cache"):
        pytest.skip("no /etc/ld.so.cache here")
    printed = subprocess.run([LDCONFIG, "-p"], capture_output=True, text=True, check=True).stdout
    kind = {"x86_64": "libc6,x86-64", "aarch64": "libc6,AArch64"}.get(platform.machine())
    if kind is None:
        pytest.skip("how ldconfig calls this machine is not known here")
    told = re.findall(rf"^\t(\S+) \({kind}[^)]*\) => (\S+)$", printed, re.MULTILINE)
    with open("/etc/ld.so.cache", "rb") as file:
        found = parse_cache(file.read(), platform.machine())
    assert sorted(told) == sorted((name, each.path) for name in found for each in found[name])
