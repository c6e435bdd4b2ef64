"""capture: a host, looked at by the probes, becomes a manifest."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial

from envsnap import __version__
from envsnap._typing import Generic, TypeVar
from envsnap.errors import EnvsnapError
from envsnap.host import Host
from envsnap.manifest import Manifest
from envsnap.probes import Look, NeedsError, Options, Probe, probes
from envsnap.probes._ask import interpreter
from envsnap.probes._interpreter import Interpreter
from envsnap.sections import (
    DEEP,
    OF_A_RUN,
    SECTIONS,
    Captured,
    Changes,
    Fact,
    Packages,
    Reason,
    Unknown,
)

T = TypeVar("T")

_DEFAULTS = Options()
_LOOK_UP_S = 0.1
_PARTING_S = 0.5
_LONGEST_EPOCH = 11  # digits: the year 5138
_ENVIRONMENT = DEEP | {"python", "packages", "cuda", "environ", "project"}
"""Sections that --host-only leaves out: they are about the environment, not the machine."""


def capture(
    host: Host, options: Options = _DEFAULTS, *, sections: frozenset[str] | None = None
) -> Manifest:
    """Everything that the host shows, as a manifest. Nothing is written.

    A probe that fails costs its own section alone: that one is unknown, with the reason.

    Raises:
        UsageError: `options.python` names no interpreter.
    """
    wanted = _wanted(options, sections)
    work = _Later(lambda: _probe_all(host, options, wanted))
    try:
        work.start()  # apart from this thread, which signals may interrupt at any point
        found = work()
    except BaseException:
        host.stop()
        work.is_made(_PARTING_S)  # a command that was just being started is ended by its thread
        raise
    return Manifest(
        captured=Captured(
            time=now(), version=__version__, deep=options.deep, verified=_is_verified(found)
        ),
        sections={name: found.get(name) or _left_out(name, options, wanted) for name in SECTIONS},
    )


def _left_out(name: str, options: Options, wanted: frozenset[str]) -> Unknown:
    """Why a capture has no such section."""
    if name == OF_A_RUN:
        return Unknown(Reason.NOT_ASKED, "envsnap run records it")
    if name in DEEP and name in wanted and not options.deep:
        return Unknown(Reason.NEEDS_DEEP, "capture --deep reads it")
    return Unknown(Reason.NOT_ASKED, "left out of this capture")


def _is_verified(found: Mapping[str, object]) -> bool:
    """Whether files were hashed: where they cannot be, each package says why."""
    packages = found.get("packages")
    installed = packages.installed if isinstance(packages, Packages) else ()
    return not isinstance(installed, Unknown) and any(
        isinstance(each.changes, Changes) for each in installed
    )


def own_environment() -> str | None:
    """The folder of the environment that envsnap is installed in; None if it has none."""
    return sys.prefix if sys.prefix != sys.base_prefix else None


def _wanted(options: Options, sections: frozenset[str] | None) -> frozenset[str]:
    wanted = frozenset(SECTIONS) if sections is None else sections
    return wanted - _ENVIRONMENT if options.host_only else wanted


class _Later(Generic[T]):
    """A value that is being made in a thread of its own.

    A lock says when it is made: `Thread.join` and its like are Python code, which a signal can
    cut in two and leave broken.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._unmade = threading.Lock()
        self._unmade.acquire()

    def start(self) -> None:
        """Begin to make it."""
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._value = self._make()
        except BaseException as error:  # noqa: BLE001 - raised again where the value is asked for
            self._error = error
        finally:
            self._unmade.release()

    def is_made(self, within_s: float) -> bool:
        """Whether it is made, waiting no longer than this."""
        made = self._unmade.acquire(timeout=within_s)
        if made:
            self._unmade.release()
        return made

    def __call__(self) -> T:
        while not self.is_made(_LOOK_UP_S):
            pass  # one endless wait can sleep through a signal that came just before it
        if hasattr(self, "_error"):
            raise self._error
        return self._value


def _probe_all(host: Host, options: Options, wanted: frozenset[str]) -> Mapping[str, object]:
    """Run the probes: those that wait for programs each in its thread, the others in this one.

    The machine comes first, while the environment's Python starts. Threads that compute take
    turns, so that each would be done later, and all of them too.
    """
    found: dict[str, object] = {}
    environment = _Later(lambda: _environment(host, options, wanted))
    environment.start()
    look = Look(host=host, options=options, have=found, environment=environment)
    asked = [each for each in probes(deep=options.deep) if each.section in wanted]
    running = {each.section: _Later(partial(_guarded, each, look)) for each in asked if each.waits}
    for waiting in running.values():
        waiting.start()
    for probe in sorted(asked, key=lambda each: each.section in _ENVIRONMENT):
        if not probe.waits:
            found |= {name: running[name]() for name in probe.needs if name in running}
            started = time.perf_counter()
            found[probe.section] = _guarded(probe, look)
            if probe.deep:
                options.timed(probe.section, time.perf_counter() - started)
    found |= {name: waiting() for name, waiting in running.items()}
    if options.seen is not None:
        of_a_run = Probe(OF_A_RUN, (), options.seen, waits=False, deep=False)
        found[OF_A_RUN] = _guarded(of_a_run, look)
    return found


def _environment(host: Host, options: Options, wanted: frozenset[str]) -> Fact[Interpreter]:
    if wanted & _ENVIRONMENT:
        return interpreter(host, options.python, options.ours, site=options.site)
    return Unknown(Reason.NOT_ASKED, "the environment was left out of this capture")


def _guarded(probe: Probe, look: Look) -> object:
    """One probe's section, or why there is none. The one net under all probes."""
    try:
        return probe.function(look)
    except NeedsError as error:
        return error.unknown
    except EnvsnapError:
        raise
    except Exception as error:
        if os.environ.get("ENVSNAP_DEBUG"):
            raise
        return Unknown(Reason.CRASHED, f"{type(error).__name__}: {error}"[:200])


def now() -> str:
    """The time of capture, UTC; SOURCE_DATE_EPOCH where it is set, for equal bytes."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    seconds = int(epoch) if epoch.isdecimal() and len(epoch) <= _LONGEST_EPOCH else time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
