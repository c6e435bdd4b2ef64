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
            hint="Give it to the Python that runs envsnap: python -m pip install shtab",
        ) from None
    sides = {**shtab.FILE, "bash": _BASH_SIDES}
    preamble = _bash_preamble() if args.shell == "bash" else ""
    parser = _whole_parser(shtab.FILE, sides)
    payload(shtab.complete(parser, shell=args.shell, preamble=preamble))
    return ExitCode.OK


_BASH_SIDES = "_envsnap_sides"


def _bash_preamble() -> str:
    """What bash offers for a found side: files, and the machines that come with envsnap."""
    from envsnap.profiles import names

    return f"""{_BASH_SIDES}() {{
  compgen -f -- $1
  compgen -W "{" ".join(names())}" -- $1
}}
"""


def _whole_parser(files: object, sides: object) -> argparse.ArgumentParser:
    """One parser with every command below it; how shtab completes a file, and a found side."""
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
                named = sides if action.dest == "against" else files
                action.complete = named  # type: ignore[attr-defined]  # shtab's own attribute
    return parser


_PATHS = frozenset({
    "A", "B", "DIR", "DIR|FILE.tar", "EXE", "IMAGE", "M", "MANIFEST", "NAME|FILE.sif", "PATH",
    "RECORDING",
})  # fmt: skip
"""What stands for a file or a folder in the help."""
