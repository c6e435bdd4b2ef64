"""Make a computation's environment a fact that another person can check and rebuild."""

from __future__ import annotations

__version__ = "0.1.0"

# The public names are loaded on first use: `envsnap --version` must not pay for the probes.
_PUBLIC = {
    "capture": "envsnap._capture",
    "check": "envsnap._check",
    "build": "envsnap._build",
    "lock": "envsnap._lock",
    "Manifest": "envsnap.manifest",
    "load": "envsnap.manifest",
    "EnvsnapError": "envsnap.errors",
}

__all__ = ["EnvsnapError", "Manifest", "__version__", "build", "capture", "check", "load", "lock"]


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for."""
    if name not in _PUBLIC:
        message = f"module 'envsnap' has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module

    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
