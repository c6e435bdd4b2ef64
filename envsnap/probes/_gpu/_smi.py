"""nvidia-smi, asked only where NVML itself could not be."""

from __future__ import annotations

import re
from collections.abc import Sequence

from envsnap.host import Host, NvmlAnswer
from envsnap.probes._gpu._nvml import LATE, NO_SUPPORT, driver_version
from envsnap.sections import Fact, Reason, Unknown

_FIELDS = ("name", "pci.bus_id", "driver_version", "memory.total", "uuid", "vbios_version")
_NEWER_FIELDS = ("compute_cap", "ecc.mode.current", "mig.mode.current", "enforced.power.limit")
_CUDA = re.compile(r"CUDA(?: UMD| Driver)? Version\s*:\s*(\d{1,2})\.(\d)\b", re.ASCII)
_REFUSED = {"[not supported]", "[n/a]", "n/a", "not supported"}
_NO_SWITCH = {"error": NO_SUPPORT}
_NOT_TOLD = {"error": "not told by nvidia-smi"}


def ask(host: Host, command: str) -> Fact[NvmlAnswer]:
    """What nvidia-smi says, in the shape of NVML's own answer."""
    rows: Fact[list[list[str]]] = Unknown(Reason.TOOL_MISSING, "nvidia-smi")
    fields: tuple[str, ...] = _FIELDS
    for fields in (_FIELDS + _NEWER_FIELDS, _FIELDS):
        rows = _rows(host, command, fields)
        if not isinstance(rows, Unknown) or rows.reason is Reason.TOOL_MISSING:
            break
    if isinstance(rows, Unknown):
        return rows
    plain = host.run([command])
    cuda = parse_cuda_version(plain.stdout) if not isinstance(plain, Unknown) else None
    devices = [device(dict(zip(fields, row, strict=True))) for row in rows]
    versions = {row[fields.index("driver_version")] for row in rows}
    return {
        "driver_version": versions.pop() if len(versions) == 1 else _NOT_TOLD,
        "cuda_driver_version": _NOT_TOLD if cuda is None else cuda,
        "count": len(devices),
        "witness": "nvidia-smi",
        "devices": devices,
    }


def parse_rows(text: str, width: int) -> list[list[str]] | None:
    r"""The lines of its csv answer; None if a line has another number of fields.

    >>> parse_rows("Tesla T4, 00000000:00:04.0\n", 2)
    [['Tesla T4', '00000000:00:04.0']]
    """
    rows = [
        [part.strip() for part in line.split(", ")] for line in text.splitlines() if line.strip()
    ]
    return rows if rows and all(len(row) == width for row in rows) else None


def parse_cuda_version(text: str) -> int | None:
    """The CUDA version in its banner, as NVML's number; None if it shows none.

    >>> parse_cuda_version("| Driver Version: 550.54.15  CUDA Version: 12.4 |")
    12040
    """
    match = _CUDA.search(text)
    return int(match.group(1)) * 1000 + int(match.group(2)) * 10 if match else None


def device(said: dict[str, str]) -> dict[str, object]:
    """One card's answer in the shape of NVML's."""
    memory, power = _number(said.get("memory.total")), _number(said.get("enforced.power.limit"))
    capability = [_number(part) for part in said.get("compute_cap", "").split(".")]
    return {
        "name": said.get("name"),
        "pci_bus_id": said.get("pci.bus_id"),
        "uuid": said.get("uuid"),
        "compute_capability": _NOT_TOLD if None in capability else capability,
        "architecture": _NOT_TOLD,
        "cores": _NOT_TOLD,
        "memory_bytes": _NOT_TOLD if memory is None else memory * 1024 * 1024,
        "vbios": said.get("vbios_version"),
        "ecc": _mode(said.get("ecc.mode.current")),
        "mig": _mode(said.get("mig.mode.current")),
        "compute_mode": _NOT_TOLD,
        "power_limit_mw": _NOT_TOLD if power is None else power * 1000,
        "max_sm_clock_mhz": _NOT_TOLD,
        **dict.fromkeys(LATE, _NOT_TOLD),
        "slices": [] if _mode(said.get("mig.mode.current")) in ([0, 0], _NO_SWITCH) else _NOT_TOLD,
    }


def _rows(host: Host, command: str, fields: Sequence[str]) -> Fact[list[list[str]]]:
    query = "--query-gpu=" + ",".join(fields)
    ran = host.run([command, query, "--format=csv,noheader,nounits"])
    if isinstance(ran, Unknown):
        return ran
    if ran.status != 0:
        said = (ran.stdout.strip() or ran.stderr.strip()).partition("\n")[0]
        return Unknown(Reason.CRASHED, f"nvidia-smi ended with {ran.status}: {said}"[:120])
    rows = parse_rows(ran.stdout, len(fields))
    if rows is None or not all(driver_version(row[fields.index("driver_version")]) for row in rows):
        said = ran.stdout.strip().partition("\n")[0]
        return Unknown(Reason.UNPARSABLE, f"nvidia-smi said {said!r}"[:60])
    return rows


def _number(text: str | None) -> int | None:
    """A number without its decimals; None for '[N/A]' and the like."""
    whole = (text or "").partition(".")[0]
    return int(whole) if whole.isascii() and whole.isdecimal() and len(whole) <= 12 else None  # noqa: PLR2004 - no unit here has more


def _mode(text: str | None) -> object:
    if text is not None and text.lower() in _REFUSED:
        return _NO_SWITCH
    return {"Enabled": [1, 1], "Disabled": [0, 0]}.get(text or "", _NOT_TOLD)
