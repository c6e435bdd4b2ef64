"""The table of probes, and what a probe is given to look with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import cached_property

from envsnap._typing import NamedTuple, TypeVar, cast
from envsnap.host import Host, Listen
from envsnap.probes._anchors import Anchors
from envsnap.probes._interpreter import Interpreter
from envsnap.probes._project_root import project_root
from envsnap.sections import DEEP, SECTIONS, Fact, Unknown

S = TypeVar("S")
T = TypeVar("T")


class Options(NamedTuple):
    """What the caller of a capture asked for."""

    python: str | None = None
    """The interpreter or environment folder to capture; None to choose one."""
    ours: str | None = None
    """The environment that envsnap runs in, which is not chosen unless it is the active one."""
    host_only: bool = False
    """Look at the machine alone: no Python, packages or project."""
    identify: bool = False
    """Record what names a person or a machine, too."""
    digests: bool = True
    """Read every RECORD for the stated content digest."""
    site: bool = True
    """Start the interpreter as its user does; else without its site files, which are code, and
    read the folders of packages from the environment's files."""
    verify: bool = False
    """Hash every installed file, and compare it with what RECORD states."""
    deep: bool = False
    """Read the libraries themselves: what would load, which GPU code they hold, what they need."""
    seen: Callable[[Look], object] | None = None
    """What fills the section that no probe fills; `envsnap run` has seen it."""
    listen: Listen = lambda _: None
    """Is told how far the hashing is."""
    timed: Callable[[str, float], None] = lambda _name, _seconds: None
    """Is told what each section of `deep` took, by its name, in seconds. What several of them
    need counts for the first that asks for it."""


class NeedsError(Exception):
    """A probe needs a section that is unknown; its own becomes unknown for the same reason."""

    def __init__(self, unknown: Unknown) -> None:
        super().__init__(str(unknown))
        self.unknown = unknown


class Look:
    """All that a probe may look at."""

    def __init__(
        self,
        host: Host,
        options: Options,
        have: Mapping[str, object],
        environment: Callable[[], Fact[Interpreter]],
    ) -> None:
        self.host = host
        self.options = options
        self.have = have
        """The sections that were probed before, by name."""
        self._environment = environment
        self._once: dict[str, tuple[threading.Lock, list[object]]] = {}

    @property
    def interpreter(self) -> Fact[Interpreter]:
        """What the chosen interpreter says of itself, its paths as they are.

        Asking may wait for it: it is started first of all.
        """
        return self._environment()

    @cached_property
    def anchors(self) -> Anchors:
        """The folders that paths are told relative to. Waits for the interpreter."""
        found = self.interpreter
        known = None if isinstance(found, Unknown) else found
        home, project = self.host.home(), project_root(self.host)
        return Anchors(
            env=known.prefix if known else None,
            base=known.base_prefix if known and known.base_prefix != known.prefix else None,
            project=project if isinstance(project, str) else None,
            home=home if isinstance(home, str) else None,
        )

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What `make` returns, made for the first probe that asks by this name.

        Probes run at the same time; another that asks meanwhile waits for the first.
        """
        lock, made = self._once.setdefault(name, (threading.Lock(), []))
        with lock:
            if not made:
                made.append(make())
        return cast("T", made[0])

    def need(self, section: type[S]) -> S:
        """The section of that shape.

        Raises:
            NeedsError: The section is unknown.
        """
        for name, shape in SECTIONS.items():
            if shape is section:
                found = self.have.get(name)
                if isinstance(found, section):
                    return found
                raise NeedsError(found if isinstance(found, Unknown) else not_asked(name))
        message = f"{section.__name__} is no section"
        raise TypeError(message)


def not_asked(name: str) -> Unknown:
    """The reason for a section that this capture left out."""
    from envsnap.sections import Reason

    return Unknown(Reason.NOT_ASKED, f"{name} was left out of this capture")


class Probe(NamedTuple):
    """One registered probe."""

    section: str
    needs: tuple[str, ...]
    function: Callable[[Look], object]
    waits: bool
    """Whether it mostly waits for programs that it starts."""
    deep: bool
    """Whether only `capture --deep` asks for it."""


_PROBES: dict[str, Probe] = {}


def probe(
    section: type[S], *, needs: tuple[type, ...] = (), waits: bool = False
) -> Callable[[Callable[[Look], S]], Callable[[Look], S]]:
    """Register the function that fills one section, and the sections it reads first."""
    names = {shape: name for name, shape in SECTIONS.items()}

    def register(function: Callable[[Look], S]) -> Callable[[Look], S]:
        name = names[section]
        needed = tuple(names[shape] for shape in needs)
        _PROBES[name] = Probe(name, needed, function, waits, deep=name in DEEP)
        return function

    return register


def registered() -> Mapping[str, Probe]:
    """The probes whose modules were imported, by section."""
    return _PROBES
