"""Ask NVML again and again who holds how much memory: the program of a child process.

Nothing here is imported by envsnap itself. `envsnap.host._watch_gpu` starts this text under
`-I -S`, with the library's places as an argument, because the library may crash, hang or print. One
JSON line for each look:

    {"cards": {BUS_ID: {"used": BYTES, "held": {PID: BYTES or null}}}}

or {"error": NUMBER or text} where NVML cannot be started. A card that refuses is left out.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence

_PAUSE_S = 0.25
_MOST_CARDS = 1024
_MOST_PROCESSES = 4096
_MOST_SLICES = 64
_NOT_AVAILABLE = (1 << 64) - 1
_BUSY = 7  # NVML_ERROR_INSUFFICIENT_SIZE


class _Process(ctypes.Structure):
    """nvmlProcessInfo_t as `_v2` and `_v3` of the calls fill it."""

    _fields_ = [  # type: ignore[mutable-override]  # as ctypes has it
        ("pid", ctypes.c_uint),
        ("bytes", ctypes.c_ulonglong),
        ("instance", ctypes.c_uint),
        ("part", ctypes.c_uint),
    ]


class _Memory(ctypes.Structure):
    _fields_ = [  # type: ignore[mutable-override]  # as ctypes has it
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    ]


class _Pci(ctypes.Structure):
    _fields_ = [  # type: ignore[mutable-override]  # as ctypes has it
        ("old", ctypes.c_char * 16),
        ("numbers", ctypes.c_uint * 5),
        ("bus_id", ctypes.c_char * 32),
    ]


def main() -> None:
    """Write a line for each look until nobody reads; what the library prints goes nowhere."""
    answers = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    nvml, failed = _started()
    if nvml is None:
        os.write(answers, json.dumps({"error": failed}).encode("ascii") + b"\n")
        return
    cards = list(_cards(nvml))
    while True:
        line = {"cards": {bus: _look(nvml, handle) for bus, handle in cards}}
        try:
            os.write(answers, json.dumps(line).encode("ascii") + b"\n")
        except OSError:
            return
        time.sleep(_PAUSE_S)


def _started() -> tuple[ctypes.CDLL | None, object]:
    places = sys.argv[1].split(":")
    for path in places:
        try:
            nvml = ctypes.CDLL(path)
        except OSError:
            continue
        status = _initialised(nvml)
        return (nvml, None) if status == 0 else (None, status)
    return None, f"{places[0]} was not found"


def _initialised(nvml: ctypes.CDLL) -> object:
    """0, or why not; by the call that `capture` makes, or that of a driver older than it."""
    for name, flags in (("nvmlInitWithFlags", (0,)), ("nvmlInit_v2", ())):
        try:
            return getattr(nvml, name)(*flags)
        except AttributeError:  # noqa: PERF203 - two turns
            continue
    return "has neither nvmlInitWithFlags nor nvmlInit_v2"


def _cards(nvml: ctypes.CDLL) -> Iterator[tuple[str, ctypes.c_void_p]]:
    count = ctypes.c_uint()
    if nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0:
        return
    for index in range(min(count.value, _MOST_CARDS)):
        handle, pci = ctypes.c_void_p(), _Pci()
        if nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)) != 0:
            continue
        if nvml.nvmlDeviceGetPciInfo_v3(handle, ctypes.byref(pci)) == 0:
            yield pci.bus_id.decode("ascii", "replace"), handle


def _look(nvml: ctypes.CDLL, handle: ctypes.c_void_p) -> dict[str, object]:
    memory = _Memory()
    known = nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)) == 0
    held: dict[int, int | None] = {}
    for each in (handle, *_slices(nvml, handle)):
        for name in ("Compute", "Graphics"):
            for process in _processes(nvml, each, name):
                held[process.pid] = None if process.bytes == _NOT_AVAILABLE else process.bytes
    return {"used": memory.used if known else None, "held": held}


def _slices(nvml: ctypes.CDLL, handle: ctypes.c_void_p) -> Iterator[ctypes.c_void_p]:
    """The card's MIG instances: they list their own processes."""
    count = ctypes.c_uint()
    try:
        if nvml.nvmlDeviceGetMaxMigDeviceCount(handle, ctypes.byref(count)) != 0:
            return
        for index in range(min(count.value, _MOST_SLICES)):
            part = ctypes.c_void_p()
            if nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index, ctypes.byref(part)) == 0:
                yield part
    except AttributeError:  # a driver older than MIG
        return


def _processes(nvml: ctypes.CDLL, handle: ctypes.c_void_p, kind: str) -> Sequence[_Process]:
    """The processes that hold memory; nothing where the driver has neither call."""
    for version in ("_v3", "_v2"):
        try:
            call = getattr(nvml, f"nvmlDeviceGet{kind}RunningProcesses{version}")
        except AttributeError:
            continue
        for room in (64, _MOST_PROCESSES):
            count, found = ctypes.c_uint(room), (_Process * room)()
            status = call(handle, ctypes.byref(count), found)
            if status == 0:
                return found[: min(count.value, room)]
            if status != _BUSY:
                return ()
    return ()


if __name__ == "__main__":
    main()
