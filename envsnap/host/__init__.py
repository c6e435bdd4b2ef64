"""The machines that probes can look at: this one, a folder, a recording, an image."""

from __future__ import annotations

from envsnap.host._local import LocalHost
from envsnap.host._protocol import (
    FILE_LIMIT_BYTES,
    Binary,
    Hashed,
    Host,
    Listen,
    NvmlAnswer,
    Ran,
    Stat,
    StatedDigest,
    ToVerify,
    Uname,
    Verified,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envsnap.host._image import ImageHost, image_host
    from envsnap.host._recorded import RecordedHost
    from envsnap.host._recording import RecordingHost
    from envsnap.host._tree import TreeHost

_LATER = {
    "ImageHost": "_image",
    "RecordedHost": "_recorded",
    "RecordingHost": "_recording",
    "TreeHost": "_tree",
    "image_host": "_image",
}


def __getattr__(name: str) -> object:
    """Load the hosts that few commands need when they are first asked for."""
    if name not in _LATER:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)


__all__ = [
    "FILE_LIMIT_BYTES",
    "Binary",
    "Hashed",
    "Host",
    "ImageHost",
    "Listen",
    "LocalHost",
    "NvmlAnswer",
    "Ran",
    "RecordedHost",
    "RecordingHost",
    "Stat",
    "StatedDigest",
    "ToVerify",
    "TreeHost",
    "Uname",
    "Verified",
    "image_host",
]  # fmt: skip
