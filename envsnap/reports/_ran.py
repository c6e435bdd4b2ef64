"""What `envsnap run` saw of a command, in one line."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.manifest import Manifest
from envsnap.sections import Reason, Run, Unknown

_MIB = 1024
_SECOND_MS = 1000
_SHORT_MS = 10_000
_MINUTE_S = 60
_HOUR_S = 3600


def run_words(manifest: Manifest) -> str:
    """'python: status 0 after 3.2 s, 812 MiB memory, 12 packages, 3 programs'."""
    run = manifest.section(Run)
    if isinstance(run, Unknown):
        return "" if run.reason is Reason.NOT_ASKED else f"not seen ({run})"
    name = run.program.rpartition("/")[2]
    return f"{name}: status {run.exit_status} after {_time(run.wall_ms)}" + "".join(
        f", {part}" for part in _parts(run)
    )


def _parts(run: Run) -> Iterator[str]:
    if not isinstance(run.peak_memory_mib, Unknown):
        yield f"{_size(run.peak_memory_mib)} memory"
    for each in () if isinstance(run.gpu_peaks, Unknown) else run.gpu_peaks:
        if not isinstance(each.memory_mib, Unknown):
            yield f"{_size(each.memory_mib)} on GPU {each.device}"
    counted = ((run.modules, "package"), (run.programs, "program"), (run.libraries, "library"))
    for found, noun in counted:
        if not isinstance(found, Unknown) and found:
            many = "libraries" if noun == "library" else f"{noun}s"
            yield f"{len(found)} {noun if len(found) == 1 else many}"


def _size(mib: int) -> str:
    return f"{mib} MiB" if mib < _MIB else f"{mib / _MIB:.1f} GiB"


def _time(ms: int) -> str:
    if ms < _SECOND_MS:
        return f"{ms} ms"
    if ms < _SHORT_MS:
        return f"{ms / 1000:.1f} s"
    seconds = round(ms / 1000)
    if seconds < _MINUTE_S:
        return f"{seconds} s"
    hours, rest = divmod(seconds, _HOUR_S)
    minutes, left = divmod(rest, _MINUTE_S)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {left} s"
