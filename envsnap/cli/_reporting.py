"""How a check's answer is written: the forms, and who reads each."""

from __future__ import annotations

import argparse
import os
import sys

from envsnap._typing import NamedTuple
from envsnap.cli._lines import painted
from envsnap.cli._terminal import Style, clean, columns, payload
from envsnap.errors import FileError, UsageError
from envsnap.manifest import FILE_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from envsnap._check import Checked
    from envsnap.reports._sides import Sides
    from envsnap.reports.matrix import Matrix

    Done = Sequence[tuple[Checked, Sides]]

FORMS = ("text", "json", "markdown", "html", "junit", "sarif")
_ENDINGS = {
    ".txt": ("text",), ".json": ("json", "sarif"), ".md": ("markdown",), ".html": ("html",),
    ".xml": ("junit",), ".sarif": ("sarif",),
}  # fmt: skip
"""The forms that a file of such a name may have, the usual one first."""


def add_form(parser: argparse.ArgumentParser) -> None:
    """The options that choose the form."""
    form = parser.add_argument_group("the report")
    one = form.add_mutually_exclusive_group()
    one.add_argument(
        "--format", choices=FORMS, default="text", help="write the report like this (default: text)"
    )
    one.add_argument(
        "--sentence", dest="format", action="store_const", const="sentence",
        help="print what can be claimed, as a paragraph for a paper",
    )  # fmt: skip
    one.add_argument(
        "--latex", dest="format", action="store_const", const="latex",
        help="print that paragraph in LaTeX",
    )  # fmt: skip
    form.add_argument(
        "-o", "--output", metavar="FILE", action="append", default=[],
        help="write the report there, too, in the form that its ending says: .txt, .json, .md, "
        ".html, .xml (JUnit) or .sarif; may be given several times",
    )  # fmt: skip
    form.add_argument(
        "--schema", action=_Schema, help="print the JSON Schema of --format json, and end"
    )
    form.add_argument(
        "-v", "--verbose", action="store_true", help="list what was fine and what is a note"
    )


class _Schema(argparse.Action):
    """Prints the schema and ends: no manifest is needed for that."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:  # noqa: A002
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from envsnap.manifest._encode import pretty
        from envsnap.reports.check_schema import DIALECT, schema
        from envsnap.reports.matrix_json import schema as of_many

        payload(pretty({"$schema": DIALECT, "anyOf": [schema(), of_many()]}))
        parser.exit()


def report(args: argparse.Namespace, done: Done, matrix: Matrix | None = None) -> None:
    """Write the answers to standard output, and before that to the files that were named.

    Raises:
        UsageError: A file's name says no form, or it is one of the manifests.
        FileError: A file cannot be written, or it is a manifest, recording or lock.
    """
    taken = {name for _, sides in done for name in (sides.wanted_name, sides.found_name)}
    taken.update(name for row in (matrix.rows if matrix else ()) for name in row.names)
    forms = [(path, _form_of(path, args.format, taken)) for path in args.output]
    told = _Told(done, matrix, quiet=args.quiet, verbose=args.verbose)
    for path, form in forms:
        from envsnap.manifest._file import write_whole

        plain = _written(form, told._replace(quiet=False), Style(None, "never"), 80)
        whole = plain if plain.endswith("\n") else f"{plain}\n"
        write_whole(path, whole.encode("utf-8", "backslashreplace"))
    payload(_written(args.format, told, Style(sys.stdout, args.color), columns(sys.stdout)))


class _Told(NamedTuple):
    """What is to be reported, and how much of it."""

    done: Done
    matrix: Matrix | None
    quiet: bool
    verbose: bool


def _form_of(path: str, asked: str, taken: Iterable[str]) -> str:
    """The form of a file by its ending; the one that was asked for where the ending fits it."""
    fitting = _ENDINGS.get(os.path.splitext(path)[1].lower())
    if fitting is None and asked == "text":
        raise UsageError(
            f"The ending of -o {path} says no form", hint=f"The endings are {', '.join(_ENDINGS)}"
        )
    if os.path.basename(path) == FILE_NAME or any(_is_same_file(path, name) for name in taken):
        raise UsageError(
            f"-o {path} would replace a manifest", hint="Name another file: -o report.json"
        )
    from envsnap.cli._replaced import record_at

    if record := record_at(path):
        raise FileError(
            f"-o {path} would replace {record}", hint="Name another file: -o report.json"
        )
    return asked if fitting is None or asked in fitting else fitting[0]


def _is_same_file(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:  # one of them is not there, or is no file
        return False


def _written(form: str, told: _Told, style: Style, width: int) -> str:
    """The whole report in a form."""
    if form == "text":
        return _text(told, style, width)
    if form in {"sentence", "latex"}:
        from envsnap.reports import claim

        say = claim.sentence if form == "sentence" else claim.latex
        return "\n\n".join(clean(say(*each)) for each in told.done)
    return _document(form, told.done, told.matrix)


def _document(form: str, done: Done, matrix: Matrix | None) -> str:
    """The report in a form that a program reads, imported where it is asked for."""
    if form == "json":
        return _json(done, matrix)
    if form == "markdown":
        return _markdown(done, matrix)
    if form == "html":
        from envsnap.reports.check_html import page

        return page(done, matrix)
    if form == "junit":
        from envsnap.reports import check_junit

        return check_junit.text(done)
    from envsnap.reports import check_sarif

    return check_sarif.text(done)


def _text(told: _Told, style: Style, width: int) -> str:
    if told.matrix is not None:
        from envsnap.reports import matrix_text

        if told.quiet:
            return painted(matrix_text.brief(told.matrix, width), style)
        return painted(matrix_text.text(told.matrix, width=width, verbose=told.verbose), style)
    from envsnap.reports.check_text import brief, text

    pages = [
        brief(checked, width)
        if told.quiet
        else text(checked, sides, width=width, verbose=told.verbose)
        for checked, sides in told.done
    ]
    return "\n\n".join(painted(page, style) for page in pages)


def _json(done: Done, matrix: Matrix | None) -> str:
    from envsnap.reports import check_json

    if matrix is None:
        return check_json.text(done)
    from envsnap.reports import matrix_json

    checks = check_json.document(done)["checks"]
    return matrix_json.text(matrix, checks if isinstance(checks, list) else [])


def _markdown(done: Done, matrix: Matrix | None) -> str:
    from envsnap.reports import check_markdown

    if matrix is None:
        return check_markdown.text(done)
    from envsnap.reports import matrix_markdown

    return check_markdown.text(done, matrix_markdown.text(matrix))
