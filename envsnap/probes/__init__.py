"""The probes: each turns what a host shows into one section of facts."""

from __future__ import annotations

from envsnap.probes._anchors import Anchors
from envsnap.probes._registry import Look, NeedsError, Options, Probe, probe, probes


def load_all() -> None:
    """Import every module of this folder, so that each registers its probe."""
    from importlib import import_module
    from pkgutil import iter_modules

    for module in iter_modules(__path__):
        if not module.name.startswith("_"):
            import_module(f"{__name__}.{module.name}")


__all__ = ["Anchors", "Look", "NeedsError", "Options", "Probe", "load_all", "probe", "probes"]
