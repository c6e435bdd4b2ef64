"""What reaches the terminal: colour, width, progress, and text that cannot misuse it."""

from __future__ import annotations

import os
import sys

from envsnap.reports._shown import NO_BREAK, joined
from envsnap.reports._shown import clean as clean  # noqa: PLC0414 - every command takes it here

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from types import TracebackType
    from typing import TextIO

    from typing_extensions import Self

    from envsnap.host import Hashed

_CODES = {"good": "32", "warn": "33", "bad": "31", "dim": "2", "bold": "1"}
_NARROWEST = 40
_GIGA = 10**9


class Style:
    """Colours, if the stream shows them: never in a pipe, never with NO_COLOR."""

    def __init__(self, stream: TextIO | None, when: str = "auto") -> None:
        if when == "auto":
            plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
            self.on = is_terminal(stream) and not plain
        else:
            self.on = when == "always"

    def good(self, text: str) -> str:
        """A verdict that lets the reader go on."""
        return self._paint("good", text)

    def warn(self, text: str) -> str:
        """A verdict with a but."""
        return self._paint("warn", text)

    def bad(self, text: str) -> str:
        """A verdict that stops the reader."""
        return self._paint("bad", text)

    def dim(self, text: str) -> str:
        """Codes and what matters least."""
        return self._paint("dim", text)

    def bold(self, text: str) -> str:
        """The few words to see first."""
        return self._paint("bold", text)

    def _paint(self, colour: str, text: str) -> str:
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if self.on else text


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person reads it. A stream that was closed before we started is None."""
    return stream is not None and stream.isatty()


def columns(stream: TextIO | None = None) -> int:
    """How many columns there are to write in; 80 where there is no terminal."""
    stream = stream or sys.stdout
    if not is_terminal(stream):
        return 80
    try:
        return max(os.get_terminal_size(stream.fileno()).columns, _NARROWEST)
    except OSError:
        return 80


def folded(text: str, width: int) -> str:
    r"""Text with its long lines broken between words, each part under its own line's start.

    >>> folded("  not locked: torch: no such build", 23)
    '  not locked: torch:\n    no such build'
    """
    import textwrap

    lines = []
    for line in text.split("\n"):
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        broken = textwrap.wrap(
            joined(line), width - 1, subsequent_indent=indent, break_long_words=False,
            break_on_hyphens=False, drop_whitespace=True,
        )  # fmt: skip
        lines += [line] if len(line) < width else broken
    return "\n".join(lines).replace(NO_BREAK, " ")


def say(text: str, *, quiet: bool = False) -> None:
    """Tell the reader something that is not the payload."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def payload(text: str) -> None:
    """Write what was asked for to standard output: UTF-8, unless a terminal has its own.

    Raises:
        FileError: It is closed, or its disk is full.
    """
    from envsnap.manifest._file import to_standard_output

    encoding = sys.stdout.encoding if is_terminal(sys.stdout) else "utf-8"
    whole = text if text.endswith("\n") else text + "\n"
    try:
        to_standard_output(whole.encode(encoding, "backslashreplace"))
    except BrokenPipeError:
        # The reader (head, less) has seen enough; the command's answer stays what it is.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Progress:
    """One line that says what is going on, on a terminal only, gone when it is done."""

    def __init__(self, text: str, *, quiet: bool = False) -> None:
        self._text = text
        self._on = sys.stderr.isatty() and not quiet

    def __enter__(self) -> Self:
        self.update(self._text)
        return self

    def update(self, text: str) -> None:
        """Replace the line."""
        if self._on:
            width = columns(sys.stderr) - 1
            sys.stderr.write("\r\x1b[2K" + clean(text)[:width])
            sys.stderr.flush()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._on:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()


def hashing(line: Progress) -> Callable[[Hashed], None]:
    """What tells on that line how far `--verify` is."""

    def listen(done: Hashed) -> None:
        line.update(
            f"Hashing {done.of_files:,} files ... "
            f"{done.bytes / _GIGA:.1f} of {done.of_bytes / _GIGA:.1f} GB"
        )

    return listen


def add_output(parser: argparse.ArgumentParser, also: str = "") -> None:
    """Where a capture is written; `also` says what else than a path it may be."""
    from envsnap.manifest import FILE_NAME

    parser.add_argument(
        "-o", "--output", metavar="PATH", default=FILE_NAME,
        help=f"write here (default: {FILE_NAME}; {also}"
        "takes {date} {environment} {node} {job} {rank})",
    )  # fmt: skip
    parser.add_argument(
        "--force", action="store_true", help="replace a manifest that names another machine"
    )


def add_deep(options: argparse._ActionsContainer) -> None:
    """Whether a capture reads the libraries."""
    options.add_argument(
        "--deep", action="store_true",
        help="read the libraries, too: what would load, for which GPUs they hold code, how BLAS "
        "and OpenMP are set; these two are opened, each in a process of its own",
    )  # fmt: skip


def add_naming(options: argparse._ActionsContainer) -> None:
    """Whether a capture leaves out more of what names somebody, or less."""
    options.add_argument(
        "--anonymous", action="store_true", help="leave out what names a person, project or site"
    )
    options.add_argument("--identify", action="store_true", help="add GPU serials and job names")


def add_common(parser: argparse.ArgumentParser) -> None:
    """The options that every command has."""
    parser.add_argument("-q", "--quiet", action="store_true", help="say only what decides")
    parser.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="colour the output (default: on a terminal, unless NO_COLOR is set)",
    )
