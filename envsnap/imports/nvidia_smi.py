"""nvidia-smi's table, whole or in parts, and its list of cards (`nvidia-smi -L`).

The table's "CUDA Version" is what the driver serves, and never a toolkit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from envsnap._typing import NamedTuple
from envsnap.imports._cards import (
    DRIVER_VERSION,
    LISTED,
    card,
    driver_of,
    gpu_of,
    is_native,
    mig_of,
    mig_slice,
)
from envsnap.imports._core import NOT_TOLD, Text, Told, blank, reader
from envsnap.probes._gpu._pci import address
from envsnap.sections import Device, Fact, MigSlice, Os, Unknown

_BANNER = re.compile(
    r"NVIDIA-SMI\s+(?P<tool>\d[\d.]*)\s+(?:Driver|KMD) Version\s*:\s*(?P<driver>\d[\d.]*|N/A)"
    r"(?:\s*\|?\s*CUDA(?: UMD| Driver)? Version\s*:\s*(?P<cuda>\d+\.\d+|N/A|ERR!))?"
)
_NAMED = re.compile(
    r"\|\s*(?P<index>\d{1,3})\s+(?P<name>\S.*?)\s+(?P<mode>On|Off|WDDM|TCC|MCDM|N/A|ERR!)\s*\|"
    r"\s*(?P<bus>[0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7])\s+(?:On|Off|N/A|ERR!)\s*\|"
    r"\s*(?P<ecc>\S+)\s*\|"
)
_USED = re.compile(
    r"/\s*(?P<power>\d{1,4}|N/A|[^|/]{1,12}?)\s*W?\s*\|\s*\d+\s*MiB\s*/\s*(?P<memory>\d{1,8})\s*MiB"
    r"\s*\|\s*(?:\S+)\s+(?P<mode>Default|E\.\s?Process|E\.\s?Thread|Prohib\w*\.?|N/A)\s*\|"
)
_MIG_MODE = re.compile(r"\|\s*\|\s*\|\s*(?P<mig>N/A|Disabled\*?|Enabled\*?)\s*\|")
_MIG_ROW = re.compile(
    r"\|\s*(?P<index>\d{1,3})\s+\d{1,3}\s+\d{1,3}\s+\d{1,3}\s*\|\s*\d+\s*MiB\s*/\s*(?P<memory>\d{1,8})"
    r"\s*MiB\s*\|\s*(?P<size>\d{1,4})\s+\S+\s*\|"
)
_LISTED = re.compile(r"GPU (\d{1,3}): (\S.{0,120}?)\s*\(UUID: [^()]{0,64}\)?\Z")
_LISTED_MIG = re.compile(
    r"MIG ((?:\d+c\.)?\d+g\.\d+gb[\w.+-]*)\s+Device\s+\d+: \(UUID: [^()]*\)?\Z"
)
_MODES = {"Default": "default", "E.Process": "exclusive-process", "E.Thread": "exclusive-process"}
_SWITCH: Mapping[str, bool | None] = {
    "Enabled": True, "Disabled": False, "N/A": None, "On": True, "Off": False,
}  # fmt: skip
_WINDOWS = frozenset({"WDDM", "TCC", "MCDM"})
_LONGEST_ROW = 600
_MOST_LINES = 4
"""Of a row that a mail program has wrapped."""


class _Card(NamedTuple):
    """The three lines that the table has of a card; None for a line that is not there."""

    named: re.Match[str]
    used: re.Match[str] | None
    mig: re.Match[str] | None


@reader("nvidia-smi")
def read_table(text: Text) -> Told | None:
    """The table that plain nvidia-smi prints, or a part of it."""
    if "NVIDIA-SMI" not in text.text and "MiB /" not in text.text:
        return None
    rows = list(_rows(text.text))
    banner = next((match for row in rows if (match := _BANNER.search(row))), None)
    cards = list(_cards(rows))
    if banner is None and not cards:
        return None
    is_windows = any(each.named["mode"] in _WINDOWS for each in cards)
    platform = _platform(banner, is_windows=is_windows)
    parts = _slices(rows)
    devices = tuple(_device(each, parts, is_windows=is_windows) for each in cards)
    version, cuda = (banner["driver"], banner["cuda"]) if banner else (None, None)
    driver = driver_of(
        version, cuda, platform=platform, system="windows" if is_windows else "linux"
    )
    gpu = gpu_of(devices or NOT_TOLD, driver, platform=platform, visible=LISTED)
    sections: dict[str, object] = {"gpu": gpu}
    if cards or not isinstance(platform, Unknown):
        sections["os"] = blank(Os, system="Windows" if is_windows else "Linux")
    return Told("nvidia-smi", sections)


@reader("nvidia-smi -L")
def read_list(text: Text) -> Told | None:
    """The cards, and their MIG instances, that `nvidia-smi -L` lists."""
    found: list[tuple[str, list[MigSlice]]] = []
    for line in text.text.split("\n"):
        listed, mig = _LISTED.match(line.strip()), _LISTED_MIG.match(line.strip())
        if listed:
            found.append((listed[2], []))
        elif mig and found:
            found[-1][1].append(mig_slice(mig[1]))
    if not found:
        return None
    devices = tuple(_of_list(*each) for each in found)
    return Told("nvidia-smi -L", {"gpu": gpu_of(devices, visible=LISTED)})


def _of_list(name: str, slices: Sequence[MigSlice]) -> Device:
    if slices:
        return card(name, mig=True, slices=tuple(slices))
    mig = mig_of(name, is_off=False)
    return card(name, mig=mig, slices=() if mig is None else NOT_TOLD)


def _rows(text: str) -> Iterator[str]:
    """The rows of the table, each whole: one that was wrapped goes on in the next line."""
    held = ""
    count = 0
    for line in (each.strip() for each in text.split("\n")):
        begins = line.startswith(("|", "+"))
        if not begins and "NVIDIA-SMI" in line:
            yield line[:_LONGEST_ROW]
        elif held and count < _MOST_LINES and _goes_on(held, line, begins=begins):
            held, count = f"{held} {line}", count + 1
            continue
        if held:
            yield held[:_LONGEST_ROW]
        held, count = (line, 1) if begins else ("", 0)
    if held:
        yield held[:_LONGEST_ROW]


def _goes_on(held: str, line: str, *, begins: bool) -> bool:
    return not held.endswith(("|", "+")) or (not begins and line.endswith("|"))


def _cards(rows: Sequence[str]) -> Iterator[_Card]:
    for at, row in enumerate(rows):
        named = _NAMED.search(row)
        if named is None:
            continue
        after = rows[at + 1] if at + 1 < len(rows) else ""
        last = rows[at + 2] if at + 2 < len(rows) else ""
        yield _Card(named, _USED.search(after), _MIG_MODE.search(last))


def _slices(rows: Sequence[str]) -> Mapping[str, list[MigSlice]]:
    """The MIG instances of each card, by its number: their memory and size, and no profile."""
    found: dict[str, list[MigSlice]] = {}
    for row in rows:
        match = _MIG_ROW.search(row)
        if match:
            part = mig_slice(None, int(match["memory"]), int(match["size"]))
            found.setdefault(match["index"], []).append(part)
    return found


def _device(
    each: _Card, parts: Mapping[str, list[MigSlice]], *, is_windows: bool
) -> Device:  # fmt: skip
    named, used = each.named, each.used
    mig = _mig(each)
    slices = tuple(parts.get(named["index"], ()))
    memory, power = (int(used["memory"]), used["power"]) if used else (0, "")
    ecc = _SWITCH.get(named["ecc"], True if named["ecc"].isdecimal() else NOT_TOLD)
    mode = _MODES.get(used["mode"].replace(" ", "")) if used else None
    if used and used["mode"].startswith("Prohib"):
        mode = "prohibited"
    return card(
        named["name"],
        pci_bus_id=address(named["bus"]) or NOT_TOLD,
        memory_mib=memory or NOT_TOLD,
        power_limit_w=int(power) if power.isdecimal() and int(power) else NOT_TOLD,
        ecc=ecc,
        mig=mig,
        slices=slices if slices or not mig else NOT_TOLD,
        persistence=NOT_TOLD if is_windows else _SWITCH.get(named["mode"], NOT_TOLD),
        compute_mode=mode or NOT_TOLD,
    )


def _mig(each: _Card) -> Fact[bool | None]:
    """Whether MIG mode is on; the table's line on it may be cut off, or of before MIG."""
    if each.mig:
        return _SWITCH.get(each.mig["mig"].rstrip("*"), NOT_TOLD)
    return mig_of(each.named["name"], is_off=False)


def _platform(
    banner: re.Match[str] | None, *, is_windows: bool
) -> Fact[str]:  # fmt: skip
    """How the cards are reached: under WSL the tool is Linux's and the driver is Windows's."""
    if is_windows:
        return "pci"
    if banner is None or not DRIVER_VERSION.match(banner["driver"]):
        return NOT_TOLD
    if is_native(banner["driver"], banner["tool"]):
        return "pci"
    return "wsl2" if banner["tool"] != banner["driver"] else NOT_TOLD
