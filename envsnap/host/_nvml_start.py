"""How the two children that ask NVML are started: their texts, and where the library may lie."""

from __future__ import annotations

import os
import subprocess
import sys

from envsnap._typing import Protocol, cast
from envsnap.host._children import Children

_LIBRARY = "libnvidia-ml.so.1"
_FOLDERS = (  # where drivers put it without telling the loader: WSL2, NixOS, Kubernetes' GPU images
    "/usr/lib/wsl/lib",
    "/run/opengl-driver/lib",
    "/usr/local/nvidia/lib64",
)


class _Files(Protocol):
    def get_data(self, path: str) -> bytes: ...


def start(children: Children, name: str) -> subprocess.Popen[bytes]:
    """A child that runs the text of `envsnap.host.NAME`, with the library's places as one word.

    Behind that comes this process's own module path.

    Raises:
        OSError: It could not be started; ValueError, too.
    """
    places = ":".join((_LIBRARY, *(f"{folder}/{_LIBRARY}" for folder in _FOLDERS)))
    return children.start(
        [sys.executable, "-I", "-S", "-c", _text(name), places, *sys.path],
        os.environ,
        stderr=subprocess.DEVNULL,
    )


def _text(name: str) -> str:
    """The child's text, from the folder or the zip file that envsnap runs from."""
    if __spec__.loader is None:
        raise ImportError("envsnap.host was loaded without a loader")
    path = os.path.join(os.path.dirname(__file__), f"{name}.py")
    return cast("_Files", __spec__.loader).get_data(path).decode("utf-8")
