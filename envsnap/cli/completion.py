"""envsnap completion: print a shell's tab completion."""

from __future__ import annotations

from envsnap.cli._terminal import payload
from envsnap.errors import ExitCode, ToolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

SHELLS = ("bash", "zsh", "tcsh")
EPILOG = """examples:
  envsnap completion bash > ~/.local/share/bash-completion/completions/envsnap
  envsnap completion zsh > ~/.zfunc/_envsnap
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The shell to complete for."""
    parser.add_argument("shell", choices=SHELLS, help="print the completion of this shell")


def run(args: argparse.Namespace) -> ExitCode:
    """Print the completion script, made from the parsers themselves."""
    try:
        import shtab
    except ModuleNotFoundError:  # the one-file envsnap.pyz has no completion
        raise ToolError(
            "The Python package 'shtab' is not here",
            hint="Install envsnap from its repository: uv tool install .",
        ) from None
    payload(shtab.complete(_whole_parser(shtab.FILE), shell=args.shell))
    return ExitCode.OK


def _whole_parser(files: object) -> argparse.ArgumentParser:
    """One parser with every command below it; `files` is how shtab completes a file's name."""
    import argparse

    from envsnap.cli import COMMANDS, command_module

    parser = argparse.ArgumentParser(prog="envsnap", allow_abbrev=False)
    parser.add_argument("-V", "--version", action="store_true", help="show the version")
    commands = parser.add_subparsers()
    for name, text in COMMANDS.items():
        below = commands.add_parser(name, help=text, description=text)
        command_module(name).add_arguments(below)
        for action in below._actions:  # noqa: SLF001 - argparse has no public way to list them
            if action.metavar in _PATHS:
                action.complete = files  # type: ignore[attr-defined]  # shtab's own attribute
    return parser


_PATHS = frozenset({
    "A", "B", "DIR", "DIR|FILE.tar", "EXE", "IMAGE", "M", "MANIFEST", "NAME|FILE.sif", "PATH",
    "RECORDING",
})  # fmt: skip
"""What stands for a file or a folder in the help."""
