"""The probes: each turns what a host shows into one section of facts."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.probes._anchors import Anchors
from envsnap.probes._registry import Look, NeedsError, Options, Probe, probe, registered
from envsnap.sections import SECTIONS

_MODULES = (
    "container",
    "cpu",
    "cuda",
    "engines",
    "environ",
    "fabric",
    "gpu",
    "memory",
    "moment",
    "packages",
    "project",
    "python",
    "scheduler",
    "system",
    "tools",
)
"""Written out, for `pkgutil` would cost 20 ms; a test holds it to the folder."""

_DEEP_MODULES = ("gpu_code", "libraries", "math", "system_libraries")
"""Those that only `capture --deep` needs."""


def load_all(*, deep: bool) -> None:
    """Import the modules of this folder, so that each registers its probe."""
    from importlib import import_module

    for name in _MODULES + _DEEP_MODULES if deep else _MODULES:
        import_module(f"{__name__}.{name}")


def probes(*, deep: bool = True) -> Iterator[Probe]:
    """Every probe, those first that others need; without `deep`, not those of `--deep`."""
    load_all(deep=deep)
    table, done = registered(), set[str]()
    waiting = [table[name] for name in SECTIONS if name in table and (deep or not table[name].deep)]
    while waiting:
        ready = [each for each in waiting if done.issuperset(each.needs)]
        yield from ready
        done.update(each.section for each in ready)
        waiting = [each for each in waiting if each not in ready]


__all__ = ["Anchors", "Look", "NeedsError", "Options", "Probe", "load_all", "probe", "probes"]
