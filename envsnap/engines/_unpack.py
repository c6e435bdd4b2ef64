"""Installs one wheel by its own zip: for those that no installer takes, as `foo-1.1build1`.

Images do so by the same code, which is handed to their own Python.
"""

from __future__ import annotations

import os

from envsnap.errors import FileError, ToolError
from envsnap.inside import unpack as _inside
from envsnap.inside.unpack import Schemes


def unpack(wheel: str, into: Schemes) -> None:
    """Install a wheel's files, and write the RECORD of what was installed.

    Raises:
        ToolError: It is no valid wheel, or has a file that leads out of its folders.
        FileError: A file cannot be written.
    """
    try:
        _inside.unpack(wheel, into)
    except _inside.WheelError as error:
        raise ToolError(str(error)) from error
    except OSError as error:
        shown = os.path.basename(wheel)
        raise FileError(f"Cannot install {shown}: {error.strerror}") from error


__all__ = ["Schemes", "unpack"]
