"""envsnap doctor: being written."""

from __future__ import annotations

from envsnap.cli._terminal import add_common
from envsnap.errors import ExitCode, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

EPILOG = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of doctor."""
    add_common(parser)


def run(args: argparse.Namespace) -> ExitCode:
    """Say that it is being written."""
    raise UsageError(f"doctor is being written {args.color}", hint="Wait")
