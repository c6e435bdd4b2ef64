"""envsnap completion: print a shell's tab completion."""

from __future__ import annotations

from envsnap.cli._terminal import payload
from envsnap.errors import ExitCode, ToolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

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
    preamble = _bash_preamble() if args.shell == "bash" else ""
    parser = _whole_parser(_Offers(shtab.FILE))
    payload(shtab.complete(parser, shell=args.shell, preamble=preamble))
    return ExitCode.OK


_BASH_SIDES, _BASH_IMAGES, _BASH_FORMATS = (
    "_envsnap_sides", "_envsnap_images", "_envsnap_formats",
)  # fmt: skip


class _Offers:
    """What each kind of value is completed with, by the shell."""

    def __init__(self, files: Mapping[str, object]) -> None:
        from envsnap.formats import formats

        names = " ".join(formats())
        self.files = files
        self.sides = {**files, "bash": _BASH_SIDES}
        self.images = {**files, "bash": _BASH_IMAGES}
        self.formats: Mapping[str, object] = {
            "bash": _BASH_FORMATS, "zsh": f"_values -s , format {names}", "tcsh": f"({names})",
        }  # fmt: skip

    def of(self, command: str, action: argparse.Action) -> Mapping[str, object] | None:
        """What an option's value may be; None where its choices, or nothing, are offered."""
        if action.dest == "to":
            return self.formats
        if action.dest == "against" and command == "check":
            return self.sides
        if action.metavar == "IMAGE":
            return self.images
        is_path = action.metavar in _PATHS or action.dest == "find_links"
        return self.files if is_path else None


def _bash_preamble() -> str:
    """What bash offers where files are not all, or not the first, that a value may be.

    A found side may be a machine that comes with envsnap. An image may lie in a store or a
    registry, and of files only some are images. Of formats, several go into one word.
    """
    from envsnap.formats import formats
    from envsnap.images._names import SCHEMES
    from envsnap.profiles import names

    schemes = " ".join(f"{each}://" if each == "docker" else f"{each}:" for each in SCHEMES)
    return f"""{_BASH_SIDES}() {{
  compgen -f -- $1
  compgen -W "{" ".join(names())}" -- $1
}}
{_BASH_IMAGES}() {{
  compgen -W "{schemes}" -- $1
  compgen -f -X '!*.sif' -- $1
  compgen -f -X '!*.tar' -- $1
  compgen -d -- $1
}}
{_BASH_FORMATS}() {{
  local begun=${{1%"${{1##*,}}"}}
  compgen -P "$begun" -W "{" ".join(formats())}" -- "${{1##*,}}"
}}
"""


def _whole_parser(offers: _Offers) -> argparse.ArgumentParser:
    """One parser with every command below it; how shtab completes each value."""
    import argparse

    from envsnap.cli import COMMANDS, add_options

    parser = argparse.ArgumentParser(prog="envsnap", allow_abbrev=False)
    parser.add_argument("-V", "--version", action="store_true", help="show the version")
    commands = parser.add_subparsers()
    for name, text in COMMANDS.items():
        below = commands.add_parser(name, help=text, description=text)
        add_options(name, below)
        for action in below._actions:  # noqa: SLF001 - argparse has no public way to list them
            offered = offers.of(name, action)
            if offered is not None:
                action.complete = offered  # type: ignore[attr-defined]  # shtab's own attribute
    return parser


_PATHS = frozenset({
    "A", "B", "DIR", "DIR|FILE.tar", "EXE", "FILE", "FOLDER", "M", "MANIFEST", "NAME|FILE.sif",
    "PATH", "RECORDING",
})  # fmt: skip
"""What stands for a file or a folder in the help."""
