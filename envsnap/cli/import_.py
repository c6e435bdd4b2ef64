"""envsnap import: being written."""

from __future__ import annotations

from envsnap.cli._terminal import add_common
from envsnap.errors import ExitCode, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

EPILOG = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of import."""
    add_common(parser)


def run(args: argparse.Namespace) -> ExitCode:
    """Say that it is being written."""
    raise UsageError(f"import is being written {args.color}", hint="Wait")
