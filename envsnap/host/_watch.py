"""A command, started as its user would start it, and watched while it runs.

Its streams, its terminal and its process group are those that envsnap was started with. What it
does is seen in /proc, and told by its Pythons themselves; neither holds it up.
"""

from __future__ import annotations

import errno
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from envsnap._typing import NamedTuple
from envsnap.host._watch_gpu import Cards
from envsnap.host._watch_processes import Processes
from envsnap.host._watch_signals import Signals
from envsnap.sections import Fact, Reason, Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envsnap.host._watch_reports import Reports

PAUSE_MS = 50
"""How long to wait between two looks; longer where looking takes long."""
_FIRST_PAUSE_S = 0.002
_SHARE = 25
"""Looking takes no more than one part in so many of the time."""
_KIB = 1024
_SIGNALLED = 128
_NOT_FOUND, _NOT_RUN = 127, 126
_HEAD_BYTES = 256
_INSTALLED = "-packages/"
_LAST_S = 0.25
"""How long what belongs to a command may take to end after it."""
_IS_LINUX = sys.platform == "linux"
_NOT_HERE = Unknown(Reason.NOT_SUPPORTED, "commands are watched on Linux alone")


class Watched(NamedTuple):
    """What was seen of a command that has ended."""

    status: int
    """As a shell tells it: 128 more than the signal that ended it."""
    wall_ms: int
    peak_mib: Fact[int]
    gpu_bytes: Fact[Mapping[str, int]]
    """The most that it held on each card, by PCI bus id."""
    by_change: bool
    """Whether `gpu_bytes` is how the memory of a whole card changed."""
    libraries: Fact[tuple[str, ...]]
    """Files that were mapped to be executed, as the system names them."""
    programs: Fact[tuple[str, ...]]
    imported: Fact[tuple[str, ...]]
    """Files of modules: of a package its first alone."""
    python: str | None
    """The Python that is the command; else the one that imported most. None if none told."""
    pythons: tuple[str, ...]
    """All that imported what was installed."""
    left: int
    """How many of its processes still ran when it had ended."""
    sampled_ms: int
    fault: str | None = None
    """Why nothing was seen of it but its end: what went wrong with looking."""


class NotStartedError(Exception):
    """A command that could not be started; `status` is what a shell would answer."""

    def __init__(self, why: str, status: int) -> None:
        super().__init__(why)
        self.status = status


def watch(argv: Sequence[str]) -> Watched:
    """Run a command to its end and tell what it used.

    It is in our process group; signals that reach this process alone are passed on to it.

    Raises:
        NotStartedError: There is no such program, or it cannot be run.
    """
    # A child that Ctrl-Z stops before its exec would hold us up within vfork, where nothing stops.
    vars(subprocess)["_USE_VFORK"] = False
    with Signals() as signals:
        if not _IS_LINUX:
            began = time.monotonic()
            child = _start(argv, dict(os.environ))
            signals.go_to(child)
            return _unwatched(_status_of(child.wait()), _ms_since(began), _NOT_HERE)
        return _watched(argv, signals)


def _watched(argv: Sequence[str], signals: Signals) -> Watched:
    reports = _reports()
    environ = dict(os.environ) if reports is None else reports.variables(os.environ)
    processes = Processes(reports.name if reports else f"no run of {os.getpid()}")
    began = time.monotonic()
    try:
        child = _start(argv, environ)
        try:
            signals.go_to(child)
            return _looked_at(child, _Watchers(signals, processes, reports, began))
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with looking, it goes on
            status = _status_of(child.wait())
            why = Unknown(Reason.CRASHED, f"looking at it ended early: {type(error).__name__}")
            fault = f"{type(error).__name__}: {error}"
            return _unwatched(status, _ms_since(began), why)._replace(fault=fault)
    finally:
        if reports is not None:
            reports.close()


def _looked_at(child: subprocess.Popen[bytes], by: _Watchers) -> Watched:
    """Look at the command until it has ended."""
    _, processes, reports, began = by
    processes.add(child.pid)
    processes.look()  # the next look is milliseconds away, and it may be over by then
    cards = Cards()
    try:
        pause_s = _follow(child, by, cards)
        wall_ms = _ms_since(began)
        left = _left(processes)
    finally:
        cards.close()
    if reports is not None:
        reports.read()
    gpu_bytes, by_change = cards.peaks()
    return Watched(
        status=_status_of(child.returncode), wall_ms=wall_ms,
        peak_mib=_peak_mib(processes, reports),
        gpu_bytes=gpu_bytes, by_change=by_change, libraries=_libraries(processes, reports),
        programs=tuple(sorted(processes.programs | (reports.programs if reports else set()))),
        imported=_imported(reports), python=_python(child.pid, reports), pythons=_pythons(reports),
        left=left, sampled_ms=max(PAUSE_MS, round(pause_s * 1000)),
    )  # fmt: skip


def _reports() -> Reports | None:
    """The pipe for the command's Pythons; None where the system has no such thing."""
    from envsnap.host._watch_reports import Reports

    try:
        return Reports()
    except (OSError, AttributeError):
        return None


class _Watchers(NamedTuple):
    signals: Signals
    processes: Processes
    reports: Reports | None
    began: float
    """On the clock of `time.monotonic`."""


def _follow(child: subprocess.Popen[bytes], by: _Watchers, cards: Cards) -> float:
    """Look at the command until it has ended; the longest pause between two looks, seconds."""
    longest = pause = _FIRST_PAUSE_S
    while child.poll() is None:
        began = time.thread_time()
        by.processes.look()
        cost = time.thread_time() - began
        pause = max(min(pause * 2, PAUSE_MS / 1000), cost * _SHARE)
        longest = max(longest, pause)
        until = time.monotonic() + pause
        while child.poll() is None and (left := until - time.monotonic()) > 0:
            _listen(by, cards, left)
    return longest


def _left(processes: Processes) -> int:
    """How many of them go on without the command."""
    until = time.monotonic() + _LAST_S
    while (left := processes.look()) and time.monotonic() < until:
        time.sleep(_FIRST_PAUSE_S)
    return left


def _listen(by: _Watchers, cards: Cards, for_s: float) -> None:
    """Take what is told, for so long or until a signal comes."""
    takers: dict[int, Callable[[], None]] = {by.signals.pipe: by.signals.read}
    if by.reports is not None:
        takers[by.reports.pipe] = by.reports.read
    if cards.pipe is not None:
        takers[cards.pipe] = lambda: cards.read(by.processes.ever)
    poll = select.poll()
    for each in takers:
        poll.register(each, select.POLLIN)
    for each, _ in poll.poll(max(1, round(for_s * 1000))):
        takers[each]()


def _start(argv: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """The command, in our process group, with our streams and every file that was left open."""
    try:
        return subprocess.Popen(list(argv), env=environ, close_fds=False)
    except ValueError as error:  # a word with a NUL
        raise NotStartedError(str(error), _NOT_RUN) from error
    except OSError as error:
        script = _script(argv[0]) if error.errno == errno.ENOEXEC else None
        if script is not None:  # no first line says who reads it: a shell, as every shell says
            return subprocess.Popen(["/bin/sh", script, *argv[1:]], env=environ, close_fds=False)
        raise _not_started(argv[0], error) from error


def _not_started(program: str, error: OSError) -> NotStartedError:
    import shutil

    is_a_name = "/" not in program
    if not program or (is_a_name and shutil.which(program, os.F_OK) is None):
        return NotStartedError("command not found", _NOT_FOUND)  # whatever a folder of PATH refused
    if error.errno == errno.ENOENT and not os.path.lexists(program):
        return NotStartedError("no such file", _NOT_FOUND)
    if error.errno == errno.ENOENT:
        return NotStartedError("the program that its first line names is not there", _NOT_RUN)
    return NotStartedError(os.strerror(error.errno or 0).lower(), _NOT_RUN)


def _script(program: str) -> str | None:
    """The text file that a shell would read; None for anything else."""
    import shutil

    path = shutil.which(program)
    try:
        with open(path or "", "rb") as file:
            return None if b"\0" in file.read(_HEAD_BYTES) else path
    except OSError:
        return None


def _status_of(returned: int) -> int:
    return _SIGNALLED - returned if returned < 0 else returned


def _ms_since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def _peak_mib(processes: Processes, reports: Reports | None) -> Fact[int]:
    kib = max(processes.peak_kib, reports.peak_kib if reports else 0)
    if not kib:
        return Unknown(Reason.TIMED_OUT, "it ended before it was looked at")
    return -(-kib // _KIB)


def _libraries(processes: Processes, reports: Reports | None) -> Fact[tuple[str, ...]]:
    found = processes.libraries | (reports.libraries if reports else set())
    if not found:
        return Unknown(Reason.NO_PERMISSION, "its memory maps could not be read in time")
    return tuple(sorted(found))


def _imported(reports: Reports | None) -> Fact[tuple[str, ...]]:
    if reports is None:
        return Unknown(Reason.NOT_SUPPORTED, "this system has no files in memory")
    if not reports.pythons:
        why = "no Python of it told: there was none, or it was started with -I, -S or -E"
        return Unknown(Reason.NOT_SUPPORTED, why)
    return tuple(sorted(reports.modules))


def _python(pid: int, reports: Reports | None) -> str | None:
    """The command itself, or what it became, as `poetry run` does; else who imported most.

    Below a shell or make the last Python may be a helper, and so may the first: of two that
    imported as much it is the first.
    """
    if reports is None or not reports.pythons:
        return None
    if next(iter(reports.pythons)) == pid:
        return reports.pythons[pid]
    return max(reports.imports, key=lambda each: len(reports.imports[each]))


def _pythons(reports: Reports | None) -> tuple[str, ...]:
    """Those that imported anything that was installed, in the order of their start."""
    imports = reports.imports if reports else {}
    return tuple(
        each for each, files in imports.items() if any(_INSTALLED in path for path in files)
    )


def _unwatched(status: int, wall_ms: int, why: Unknown) -> Watched:
    return Watched(
        status=status, wall_ms=wall_ms, peak_mib=why, gpu_bytes=why, by_change=False,
        libraries=why, programs=why, imported=why, python=None, pythons=(), left=0,
        sampled_ms=0,
    )  # fmt: skip
