"""The command line: the only place that prints and the only one that exits.

Each command is one module of this folder with `HELP`, `add_arguments(parser)` and
`run(args) -> ExitCode`; `run`'s answers its command's own status. Only the module of the command
that was typed is imported.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence

from envsnap import __version__
from envsnap.errors import EnvsnapError, ExitCode, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from types import FrameType, ModuleType
    from typing import NoReturn, TextIO

COMMANDS = {
    "capture": "record this environment and machine into envsnap.lock.json",
    "check": "compare a machine with a manifest and say what a difference means",
    "build": "write container recipes from a manifest, or build the image",
    "show": "print what a manifest says",
    "run": "run a command, and record what it really used",
    "lock": "find the URL and hash of every package in a manifest",
    "restore": "make a manifest's environment again, and compare it",
    "verify": "compare an image's files with a manifest, without starting it",
    "pack": "write the one file to attach to a paper",
    "import": "make a manifest of lists, lock files, reports or pasted text",
    "require": "state in a manifest what must hold and what may differ",
    "doctor": "say what is wrong with this machine and environment",
    "lint": "find traps in Dockerfiles, definitions and repo2docker folders",
    "diff": "list what differs between two manifests",
    "explain": "say what a rule or a section means, and where it comes from",
    "completion": "print a shell's tab completion for envsnap",
}
_SHOWN_FIRST = ("capture", "check", "build", "show")
_FACTS = "ENVSNAP_FACTS"
_LOOK_UP = ("capture", "check", "doctor", "explain", "import", "lint")
"""The commands that take newer tables of facts; the others by the variable alone."""


def whole_process() -> NoReturn:
    """Run the command that was typed, and leave at once.

    Python would take every object apart before it ends: a tenth of a capture, for nobody. What
    was printed is written by then; temporary files and children end with the command.
    """
    if sys.stderr is not None:
        sys.stderr = _Unfailing(sys.stderr)
    code = main()
    _leave_standard_output()
    os._exit(code)


class _Unfailing:
    """Standard error where a log may be full: what cannot be said changes no answer."""

    def __init__(self, below: TextIO) -> None:
        self._below = below

    def write(self, text: str) -> int:
        """The length of the text, written or not."""
        try:  # noqa: SIM105 - contextlib would have to be imported, which can fail then
            self._below.write(text)
        except OSError:
            pass
        return len(text)

    def flush(self) -> None:
        """Write what waits, if that can be."""
        try:  # noqa: SIM105 - as above
            self._below.flush()
        except OSError:
            pass

    def __getattr__(self, name: str) -> object:
        return getattr(self._below, name)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and answer its exit code.

    A fault of our own is 70, SIGHUP 129, Ctrl-C 130 and SIGTERM 143, whatever the command was
    doing.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if sys.stderr is None:  # closed: print would write to standard output instead
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the end
    gc.disable()  # a short-lived process that makes no cycles: collecting costs a tenth of its time
    try:
        _listen()
        return _written(_dispatch(words))
    except EnvsnapError as error:
        _complain(error, words[0] if words else "")
        _leave_standard_output()
        return int(error.exit_code)
    except KeyboardInterrupt:
        print("\ninterrupted: nothing was left half-written", file=sys.stderr)
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        _leave_standard_output()  # the reader (head, less) has seen enough
        return int(ExitCode.OK)
    except TerminatedError as error:
        print("\nterminated: nothing was left half-written", file=sys.stderr)
        return int(error.exit_code)
    except Exception as error:  # noqa: BLE001 - the last net: our own fault, said as such
        return int(_own_fault(error))


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in {"-h", "--help", "help"}:
        if len(words) > 1 and words[1] in COMMANDS:
            return _run([words[1], "--help"])
        print(_overview())
        return ExitCode.OK if words else ExitCode.USAGE
    if words[0] in {"-V", "--version"}:
        print(f"envsnap {__version__}")
        return ExitCode.OK
    if words[0] not in COMMANDS:
        raise _no_such_command(words[0])
    return _run(words)


def _run(words: list[str]) -> int:
    module = command_module(words[0])
    parser = command_parser(words[0])
    try:
        args = parser.parse_args(words[1:])
    except SystemExit as stop:  # argparse has printed its help
        return ExitCode.OK if not stop.code else ExitCode.USAGE
    _refuse_empty(args)
    _refuse_twice(args, words)
    _take_facts(args)
    return int(module.run(args))


def _refuse_empty(args: argparse.Namespace) -> None:
    """Refuse names that are empty, as of a variable that a script did not set.

    Taken for no name at all they would change what is written, or what an image is held against.
    """
    for name in ("against", "extract", "output", "prefix"):
        value = getattr(args, name, None)
        if value == "" or (isinstance(value, list) and "" in value):
            raise UsageError(f"--{name} names nothing: its value is empty",
                             hint=f"Give it a value, or leave out --{name}")  # fmt: skip


def _refuse_twice(args: argparse.Namespace, words: Sequence[str]) -> None:
    """Refuse an option of one value that is given two: the first would be dropped unsaid."""
    own = words[: words.index("--")] if "--" in words else words
    for name in ("wheelhouse", "base_image"):
        flag = f"--{name.replace('_', '-')}"
        count = sum(each == flag or each.startswith(f"{flag}=") for each in own)
        if count > 1 and isinstance(getattr(args, name, None), str):
            raise UsageError(f"{flag} is given {count} times, and takes one value",
                             hint="Leave all but one out")  # fmt: skip


def _take_facts(args: argparse.Namespace) -> None:
    folder = getattr(args, "facts", None) or os.environ.get(_FACTS)
    if folder:
        from envsnap.cli._facts import use_facts

        use_facts(folder, quiet=getattr(args, "quiet", False))


def command_module(command: str) -> ModuleType:
    """The module of one command; where its name is a word of Python, an underscore follows."""
    from importlib import import_module
    from keyword import iskeyword

    return import_module(f"envsnap.cli.{command}{'_' if iskeyword(command) else ''}")


def command_parser(command: str) -> argparse.ArgumentParser:
    """The parser of one command."""
    import argparse

    from envsnap.cli._help import Formatter, name_long_choices
    from envsnap.cli._terminal import columns

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            """One line in the place of the whole usage, which hid it."""
            from envsnap.cli._usage import refusal

            raise refusal(self, message)

    module = command_module(command)
    parser = Parser(
        prog=f"envsnap {command}",
        description=getattr(module, "DESCRIPTION", _sentence(COMMANDS[command])),
        epilog=getattr(module, "EPILOG", None),
        allow_abbrev=False,
        # With a width it need not ask shutil, which costs more than all of argparse.
        formatter_class=lambda prog: Formatter(prog, width=columns()),
    )
    add_options(command, parser)
    name_long_choices(parser)
    return parser


def add_options(command: str, parser: argparse.ArgumentParser) -> None:
    """Every option of a command: its own, and those that several have."""
    command_module(command).add_arguments(parser)
    if command in _LOOK_UP:
        parser.add_argument(
            "--facts", metavar="DIR",
            help=f"look things up in the newer tables of that folder (default: ${_FACTS})",
        )  # fmt: skip


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _overview() -> str:
    first = "\n".join(f"  {name:<12} {COMMANDS[name]}" for name in _SHOWN_FIRST)
    more = "\n".join(
        f"  {name:<12} {text}" for name, text in COMMANDS.items() if name not in _SHOWN_FIRST
    )
    return (
        "usage: envsnap COMMAND [OPTION...]\n\n"
        "Make a computation's environment a fact that others can check and rebuild.\n\n"
        f"Commands:\n{first}\n\nMore:\n{more}\n\n"
        "Options:\n"
        "  -h, --help     show this help, or 'envsnap COMMAND --help' for a command's\n"
        "  -V, --version  show the version\n\n"
        "Start with: envsnap capture"
    )


def _no_such_command(word: str) -> UsageError:
    from difflib import get_close_matches

    if word.startswith("-"):
        return UsageError(f"Unknown option {word!r}", hint="See: envsnap --help")
    near = get_close_matches(word, COMMANDS, n=1)
    hint = f"Did you mean: envsnap {near[0]}" if near else "See the commands: envsnap --help"
    return UsageError(f"Unknown command {word!r}", hint=hint)


def _complain(error: EnvsnapError, command: str) -> None:
    from envsnap.cli._terminal import clean, columns, folded, is_terminal
    from envsnap.cli._untrusted import certificate_hint

    lines = [f"error: {clean(error.message)}"]
    hint = certificate_hint(error.message, command) or error.hint
    if hint:
        lines.append(f"hint: {clean(hint)}")
    text = "\n".join(lines)
    # A person reads broken lines more easily; a log is searched for whole ones.
    print(folded(text, columns(sys.stderr)) if is_terminal(sys.stderr) else text, file=sys.stderr)


def _written(code: int) -> int:
    """The exit code, once what was printed has been written."""
    if sys.stdout is not None:
        sys.stdout.flush()
    return code


def _leave_standard_output() -> None:
    """Drop what cannot be written any more: Python would complain of it at exit, with a 120."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _own_fault(error: Exception) -> ExitCode:
    import traceback

    from envsnap.cli._terminal import clean

    if os.environ.get("ENVSNAP_DEBUG"):
        traceback.print_exception(error)
    ours = os.path.dirname(os.path.dirname(__file__))
    frames = traceback.extract_tb(error.__traceback__)
    where = next(each for each in reversed(frames) if each.filename.startswith(ours))
    place = f"envsnap{where.filename.removeprefix(ours)}:{where.lineno}"
    why = " ".join(clean(str(error)).split())
    print(
        f"error: A fault of envsnap {__version__} itself: "
        f"{type(error).__name__} at {place}: {why}\n"
        "hint: Run it again with ENVSNAP_DEBUG=1 and report what it prints",
        file=sys.stderr,
    )
    return ExitCode.INTERNAL


def _listen() -> None:
    """Turn signals into exceptions; a background job goes on ignoring Ctrl-C, nohup SIGHUP."""
    signal.signal(signal.SIGTERM, _terminated)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, _hung_up)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupted)


class _InterruptedError(KeyboardInterrupt):
    """Ctrl-C, by a name of its own.

    Where Python itself sees a KeyboardInterrupt in code that it evaluates, as in the making of a
    NamedTuple, it notes that and kills the process by SIGINT at its end, whatever we answer.
    """


def _interrupted(_signal: int, _frame: FrameType | None) -> None:
    raise _InterruptedError


class TerminatedError(BaseException):
    """SIGTERM or SIGHUP, as an exception: so that temporary files go and children end."""

    def __init__(self, exit_code: ExitCode) -> None:
        super().__init__()
        self.exit_code = exit_code


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    raise TerminatedError(ExitCode.TERMINATED)


def _hung_up(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # shell and kernel both send it: one is enough
    raise TerminatedError(ExitCode.HUNG_UP)
