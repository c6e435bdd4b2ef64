"""NVIDIA's management library, asked in a child process that may crash, hang or print.

`ask` gives what the library said, unjudged, as JSON; `envsnap.probes` decides what makes sense.

    {"driver_version": str, "cuda_driver_version": int, "count": int,
     "devices": [{"name": str, "pci_bus_id": str, "uuid": str, "compute_capability": [int, int],
                  "architecture": int, "cores": int, "memory_bytes": int, "vbios": str,
                  "ecc": [int, int], "mig": [int, int], "compute_mode": int,
                  "power_limit_mw": int, "max_sm_clock_mhz": int,
                  "slices": [{"name": str, "uuid": str, "gpu_instance": int,
                              "compute_instance": int, "memory_mib": int,
                              "multiprocessors": int}],
                  "max_memory_clock_mhz": int, "application_sm_clock_mhz": int,
                  "default_power_limit_mw": int, "persistence": int, "pcie_generation": int,
                  "pcie_width": int, "virtualization": int, "gsp_firmware": str,
                  "links": [where each NVLink that is up leads, a PCI address: str]}],
     "topology": [[card: int, card: int, common ancestor: int, peers over NVLink: int]],
     "ended": "crashed: ..." where the child did not come to its end}

Each leaf may be {"error": NAME} instead, and so may a device or a slice. NAME is NVML's own, or
UNDECODABLE for text that is none. No CUDA context is made and no framework imported.
"""

from __future__ import annotations

import signal
import subprocess
import sys

from envsnap.host._children import Children, kill_group
from envsnap.host._nvml_start import start
from envsnap.host._protocol import NvmlAnswer
from envsnap.sections import Fact, Reason, Unknown

TIMEOUT_S = 10.0
"""How long the library may take: starting it wakes every card without persistence mode."""

_REASONS = {
    "NVML_ERROR_LIBRARY_NOT_FOUND": Unknown(Reason.TOOL_MISSING, "libnvidia-ml.so.1"),
    "pynvml": Unknown(Reason.TOOL_MISSING, "nvidia-ml-py (the module pynvml)"),
    "NVML_ERROR_NO_PERMISSION": Unknown(Reason.NO_PERMISSION, "NVML_ERROR_NO_PERMISSION"),
    "NVML_ERROR_LIB_RM_VERSION_MISMATCH": Unknown(
        Reason.WITNESSES_DISAGREE, "NVML_ERROR_LIB_RM_VERSION_MISMATCH"
    ),
    "NVML_ERROR_DRIVER_NOT_LOADED": Unknown(Reason.NOT_SUPPORTED, "NVML_ERROR_DRIVER_NOT_LOADED"),
}


def ask(children: Children | None = None, *, timeout_s: float = TIMEOUT_S) -> Fact[NvmlAnswer]:
    """What NVML says of this machine; unknown, and why, where it says nothing."""
    if not sys.executable:
        return Unknown(Reason.NOT_SUPPORTED, "no interpreter to ask NVML with")
    try:
        child = start(children or Children(), "_nvml_child")
    except (OSError, ValueError) as error:
        return Unknown(Reason.CRASHED, f"NVML could not be asked: {error}")
    try:
        out, _ = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired as late:
        _end(child)
        return gather(late.output or b"", f"{Reason.TIMED_OUT}: no answer within {timeout_s:g} s")
    except BaseException:
        _end(child)
        raise
    return gather(out, _ended(child.returncode))


def gather(output: bytes, ended: str | None) -> Fact[NvmlAnswer]:
    """One answer from the child's lines; `ended` says how it ended, None if it exited well.

    Lines that came before a crash stand: one bad card does not cost the others.
    """
    answer: dict[str, object] = {}
    devices: dict[int, object] = {}
    for line in _lines(output):
        index = line.pop("index", None)
        if isinstance(index, int):
            known, more = devices.get(index), line.get("more")
            if isinstance(known, dict) and isinstance(more, dict):
                known.update(more)
            else:
                devices[index] = line.get("device")
        else:
            answer.update(line)
    failed = answer.pop("init", None)
    if failed is not None:
        return _REASONS.get(str(failed)) or Unknown(Reason.CRASHED, str(failed)[:60])
    if ended is None and "end" not in answer:
        ended = f"{Reason.CRASHED}: NVML's process ended without its answer"
    if "driver_version" not in answer:
        reason, _, detail = (ended or "").partition(": ")
        return Unknown(Reason(reason), f"NVML: {detail}")
    answer.pop("end", None)
    if ended is not None:
        answer["ended"] = ended
    answer["devices"] = [devices[index] for index in sorted(devices)]
    return answer


def _lines(output: bytes) -> list[dict[str, object]]:
    """The whole lines; the last may be cut where the child was killed."""
    import json  # start-up

    found = []
    for line in output.split(b"\n"):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def _ended(status: int) -> str | None:
    if status == 0:
        return None
    if status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        return f"{Reason.CRASHED}: ended by {name}"
    return f"{Reason.CRASHED}: ended with status {status}"


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child and what it started; never wait for one that hangs inside the kernel."""
    kill_group(child)
    if child.stdout is not None:
        child.stdout.close()
    try:
        child.wait(timeout=1)
    except subprocess.TimeoutExpired:
        child.returncode = -signal.SIGTERM  # nobody asks again, and Popen warns of no zombie
