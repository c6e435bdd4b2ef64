"""Ask NVML and write its answers, one JSON line each: the program of the child process.

Nothing here is imported by envsnap itself. `envsnap.host._nvml` starts this text under `-I -S`,
with the library's places and the parent's module path as arguments, because the library may crash,
hang or print.
Each line stands as soon as it is known, so that what came before a crash is kept.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

Say = Callable[[Mapping[str, object]], None]

_GRAPHICS_CLOCK, _SM_CLOCK, _MEMORY_CLOCK = 0, 1, 2  # NVML_CLOCK_*
_OVER_NVLINK = 2  # NVML_P2P_CAPS_INDEX_NVLINK
_MOST_DEVICES = 1024
_MOST_PAIRS = 64
"""The ways of that many cards to each other are asked for: no machine has more in one image."""
_MOST_SLICES = 64
_MOST_LINKS = 36  # NVML_NVLINK_MAX_LINKS of CUDA 13
_PAST_THE_LAST = {"NVML_ERROR_INVALID_ARGUMENT", "NVML_ERROR_NOT_SUPPORTED"}


def main() -> None:
    """Write what NVML says to standard output; whatever the library prints goes nowhere."""
    answers = open(os.dup(1), "w", encoding="ascii", newline="\n")  # noqa: SIM115 - lives as long as the process
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)

    def say(line: Mapping[str, object]) -> None:
        answers.write(json.dumps(line) + "\n")
        answers.flush()

    nvml = _load(say)
    if nvml is not None:
        _ask(nvml, say)
        say({"end": True})
    # Neither nvmlShutdown nor the interpreter's own end: both run the library's code once more.
    os._exit(0)


def _load(say: Say) -> Any:  # noqa: ANN401 - pynvml has no types
    """The started `pynvml` module; None, said why, where NVML cannot be started."""
    library = None if sys.platform == "win32" else _library()
    if sys.platform != "win32" and library is None:
        say({"init": "NVML_ERROR_LIBRARY_NOT_FOUND"})
        return None
    try:
        import pynvml  # 35 ms, for nothing where there is no library
    except ImportError:
        say({"init": "pynvml"})
        return None
    if library is not None:
        pynvml.nvmlLib = library  # the one found above, wherever it lies
    failed = _call(pynvml, "nvmlInit")
    if failed is None:
        return pynvml
    say({"init": failed["error"]})
    return None


def _library() -> object | None:
    import ctypes

    for path in sys.argv[1].split(":"):
        try:
            return ctypes.CDLL(path)
        except OSError:  # noqa: PERF203 - four turns
            continue
    return None


def _call(nvml: Any, name: str, *arguments: object) -> Any:  # noqa: ANN401 - pynvml has no types
    """What the call returns, or {"error": NAME}."""
    try:
        found = getattr(nvml, name)(*arguments)
        return found.decode("utf-8") if isinstance(found, bytes) else found
    except nvml.NVMLError as error:
        return {"error": _names(nvml).get(error.value, f"NVML_ERROR_{error.value}")}
    except AttributeError:  # an nvidia-ml-py older than the call
        return {"error": "NVML_ERROR_FUNCTION_NOT_FOUND"}
    except (UnicodeDecodeError, ValueError, TypeError):
        return {"error": "UNDECODABLE"}


@functools.cache
def _names(nvml: Any) -> dict[int, str]:  # noqa: ANN401 - pynvml has no types
    return {
        getattr(nvml, name): name for name in sorted(dir(nvml)) if name.startswith("NVML_ERROR_")
    }


def _ask(nvml: Any, say: Say) -> None:  # noqa: ANN401 - pynvml has no types
    say({
        "driver_version": _call(nvml, "nvmlSystemGetDriverVersion"),
        "cuda_driver_version": _call(nvml, "nvmlSystemGetCudaDriverVersion"),
    })  # fmt: skip
    count = _call(nvml, "nvmlDeviceGetCount")
    say({"count": count})
    if not isinstance(count, int) or count > _MOST_DEVICES:
        return
    handles = {}
    for index in range(count):
        handle = _call(nvml, "nvmlDeviceGetHandleByIndex", index)
        if isinstance(handle, dict):
            say({"index": index, "device": handle})
        else:
            handles[index] = handle
            say({"index": index, "device": _device(nvml, handle)})
    # What fewer can do without comes last: a card that hangs there keeps what it said before.
    for index, handle in handles.items():
        say({"index": index, "more": _more(nvml, handle)})
    for index, handle in handles.items():
        say({"index": index, "more": {"links": _links(nvml, handle)}})
    if len(handles) > 1:
        say({"topology": _topology(nvml, handles)})


def _device(nvml: Any, handle: Any) -> dict[str, object]:  # noqa: ANN401 - pynvml has no types
    ask = functools.partial(_call, nvml)
    mig = ask("nvmlDeviceGetMigMode", handle)
    return {
        "name": ask("nvmlDeviceGetName", handle),
        "pci_bus_id": _field(ask("nvmlDeviceGetPciInfo", handle), "busId"),
        "uuid": ask("nvmlDeviceGetUUID", handle),
        "compute_capability": ask("nvmlDeviceGetCudaComputeCapability", handle),
        "architecture": ask("nvmlDeviceGetArchitecture", handle),
        "cores": ask("nvmlDeviceGetNumGpuCores", handle),
        "memory_bytes": _field(ask("nvmlDeviceGetMemoryInfo", handle), "total"),
        "vbios": ask("nvmlDeviceGetVbiosVersion", handle),
        "ecc": ask("nvmlDeviceGetEccMode", handle),
        "mig": mig,
        "compute_mode": ask("nvmlDeviceGetComputeMode", handle),
        "power_limit_mw": ask("nvmlDeviceGetEnforcedPowerLimit", handle),
        "max_sm_clock_mhz": ask("nvmlDeviceGetMaxClockInfo", handle, _SM_CLOCK),
        "slices": _slices(nvml, handle) if mig in ([1, 0], [1, 1]) else [],
    }


def _more(nvml: Any, handle: Any) -> dict[str, object]:  # noqa: ANN401 - pynvml has no types
    ask = functools.partial(_call, nvml)
    return {
        "max_memory_clock_mhz": ask("nvmlDeviceGetMaxClockInfo", handle, _MEMORY_CLOCK),
        "application_sm_clock_mhz": ask("nvmlDeviceGetApplicationsClock", handle, _GRAPHICS_CLOCK),
        "default_power_limit_mw": ask("nvmlDeviceGetPowerManagementDefaultLimit", handle),
        "persistence": ask("nvmlDeviceGetPersistenceMode", handle),
        "pcie_generation": ask("nvmlDeviceGetMaxPcieLinkGeneration", handle),
        "pcie_width": ask("nvmlDeviceGetMaxPcieLinkWidth", handle),
        "virtualization": ask("nvmlDeviceGetVirtualizationMode", handle),
        "gsp_firmware": ask("nvmlDeviceGetGspFirmwareVersion", handle),
    }


def _links(nvml: Any, handle: Any) -> object:  # noqa: ANN401 - pynvml has no types
    """Where each NVLink that is up leads, as a PCI address; an error where the card has none."""
    found: list[object] = []
    for link in range(_MOST_LINKS):
        is_up = _call(nvml, "nvmlDeviceGetNvLinkState", handle, link)
        if isinstance(is_up, dict):
            if not link or is_up["error"] not in _PAST_THE_LAST:
                return is_up
            break
        if is_up == 1:
            remote = _call(nvml, "nvmlDeviceGetNvLinkRemotePciInfo", handle, link)
            found.append(_field(remote, "busId"))
    return found


def _topology(nvml: Any, handles: Mapping[int, object]) -> list[list[object]]:  # noqa: ANN401 - pynvml has no types
    """Each pair of cards: their nearest common ancestor, and whether NVLink joins them."""
    return [
        [
            first,
            second,
            _call(nvml, "nvmlDeviceGetTopologyCommonAncestor", one, other),
            _call(nvml, "nvmlDeviceGetP2PStatus", one, other, _OVER_NVLINK),
        ]
        for first, one in list(handles.items())[:_MOST_PAIRS]
        for second, other in list(handles.items())[:_MOST_PAIRS]
        if first < second
    ]


def _field(found: Any, name: str) -> object:  # noqa: ANN401 - pynvml has no types
    """One field of a struct; an error in the struct's place passes through."""
    if isinstance(found, dict):
        return found
    try:
        value = getattr(found, name)
    except (AttributeError, UnicodeDecodeError):
        return {"error": "UNDECODABLE"}
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _slices(nvml: Any, handle: Any) -> object:  # noqa: ANN401 - pynvml has no types
    """The MIG instances of one card; empty slots are no instances."""
    count = _call(nvml, "nvmlDeviceGetMaxMigDeviceCount", handle)
    if isinstance(count, dict):
        return count
    found = []
    for index in range(min(count, _MOST_SLICES)):
        part = _call(nvml, "nvmlDeviceGetMigDeviceHandleByIndex", handle, index)
        if not isinstance(part, dict):
            found.append(_slice(nvml, part))
        elif part["error"] != "NVML_ERROR_NOT_FOUND":
            found.append(part)
    return found


def _slice(nvml: Any, part: Any) -> dict[str, object]:  # noqa: ANN401 - pynvml has no types
    attributes = _call(nvml, "nvmlDeviceGetAttributes", part)
    return {
        "name": _call(nvml, "nvmlDeviceGetName", part),
        "uuid": _call(nvml, "nvmlDeviceGetUUID", part),
        "gpu_instance": _call(nvml, "nvmlDeviceGetGpuInstanceId", part),
        "compute_instance": _call(nvml, "nvmlDeviceGetComputeInstanceId", part),
        "memory_mib": _field(attributes, "memorySizeMB"),
        "multiprocessors": _field(attributes, "multiprocessorCount"),
    }


if __name__ == "__main__":
    sys.path[:] = sys.argv[2:]
    main()
