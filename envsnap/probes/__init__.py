"""The probes: each turns what a host shows into one section of facts."""

from __future__ import annotations

from envsnap.probes._anchors import Anchors
from envsnap.probes._registry import Look, NeedsError, Options, Probe, probe, probes

_MODULES = (
    "container",
    "cpu",
    "cuda",
    "engines",
    "environ",
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


def load_all() -> None:
    """Import every module of this folder, so that each registers its probe."""
    from importlib import import_module

    for name in _MODULES:
        import_module(f"{__name__}.{name}")


__all__ = ["Anchors", "Look", "NeedsError", "Options", "Probe", "load_all", "probe", "probes"]
