"""The errors envsnap raises, each with its exit code and the next step for the reader.

There is one root. A message says what was wrong, with the value, and where; `hint` is one
imperative sentence, with a command to paste where there is one.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process answers. The README has the table of command by code."""

    OK = 0
    """Every rule that could reach `--fail-on` was judged, and none did."""
    NO = 1
    """The answer is no: drift, a failed verification, a file that differs."""
    USAGE = 2
    """The command line was wrong."""
    BAD_MANIFEST = 3
    """A manifest could not be used: absent, truncated, of a wrong shape, or too new."""
    CANNOT_TELL = 4
    """A rule that could have reached `--fail-on` was not judged."""
    TOOL_FAILED = 5
    """A tool or the network failed, or an extra is not installed."""
    NO_PLAN = 6
    """No image can be planned from this manifest."""
    FILE = 7
    """A local file could not be read or written."""
    INTERNAL = 70
    """A fault of envsnap itself."""
    HUNG_UP = 129
    """SIGHUP: the terminal was closed."""
    INTERRUPTED = 130
    """Ctrl-C."""
    TERMINATED = 143
    """SIGTERM."""


class EnvsnapError(Exception):
    """The root of all errors that envsnap raises on purpose."""

    exit_code = ExitCode.INTERNAL

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(EnvsnapError):
    """The command line asks for something that makes no sense."""

    exit_code = ExitCode.USAGE


class ManifestError(EnvsnapError):
    """A manifest is unusable; `where` is the path inside the document."""

    exit_code = ExitCode.BAD_MANIFEST

    def __init__(self, message: str, *, where: str = "", hint: str | None = None) -> None:
        super().__init__(f"{message} in '{where}'" if where else message, hint=hint)
        self.where = where


class ToolError(EnvsnapError):
    """A program, an engine or the network did not do its part."""

    exit_code = ExitCode.TOOL_FAILED


class MissingExtraError(ToolError):
    """A command needs an extra that is not installed."""

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(
            f"The Python package {module!r} is not installed",
            hint=f"Install envsnap with its extra: uv tool install 'envsnap[{extra}] @ SOURCE', "
            f"or, beside envsnap.pyz: python -m pip install '{module}'",
        )


class PlanError(EnvsnapError):
    """No image can be planned from this manifest."""

    exit_code = ExitCode.NO_PLAN


class FileError(EnvsnapError):
    """A local file could not be read or written."""

    exit_code = ExitCode.FILE
