"""envsnap import: make a partial manifest of what others recorded."""

from __future__ import annotations

import os
import sys

from envsnap.cli._terminal import Style, add_common, clean, columns, folded, say
from envsnap.errors import ExitCode, FileError, ManifestError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from envsnap._import import Reading
    from envsnap.imports import Text
    from envsnap.manifest import Manifest

LIMIT_BYTES = 20 * 1024 * 1024
"""A larger file is refused before it is read; a uv.lock of 1,000 packages has 2 MiB."""
_OUTPUT = "imported.json"
EPILOG = """examples:
  envsnap import issue.md                     what a pasted issue says of its machine
  envsnap import pip-list.txt smi.xml -o m.json  several texts about one machine, as one
  nvidia-smi -q -x | envsnap import - -o -    from a pipe, to standard output
  envsnap import uv.lock --platform osx-arm64 --for-python 3.12

Nothing that is read is run, and no network connection is opened. What the texts do not say
is unknown in the manifest, with that reason; where two disagree, it is unknown, too.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of import."""
    from envsnap.imports._target import PLATFORMS

    add = parser.add_argument
    add("files", metavar="FILE", nargs="+", help="a list, lock file, report or pasted text; - is "
        "standard input")  # fmt: skip
    add("-o", "--output", metavar="PATH", default=_OUTPUT,
        help=f"write here (default: {_OUTPUT}; - is standard output)")  # fmt: skip
    add("--force", action="store_true", help="replace a manifest that is there already")
    add("--as", metavar="FORM", dest="form", help="read the files as this form, as 'pip freeze'")
    add("--platform", choices=tuple(PLATFORMS), default="linux-64",
        help="which part of a lock for several platforms to read")  # fmt: skip
    add("--for-python", metavar="X.Y", dest="python",
        help="the Python for which to read a lock for several (default: the lowest it admits)",
    )  # fmt: skip
    add_common(parser)


def run(args: argparse.Namespace) -> ExitCode:
    """Read the files, write what they say together, and say what is missing."""
    from envsnap._capture import now
    from envsnap._import import imported, read

    texts = [_text(path, args) for path in _once(args.files)]
    readings = [read(each, args.form) for each in texts]
    _refuse_nothing(readings)
    manifest = imported(readings, now())
    wrote = _written(manifest, args)
    if not args.quiet:
        say("\n".join(_lines(manifest, readings)))
    if args.output != "-" or not args.quiet:
        style = Style(sys.stderr, args.color)
        say(style.bold(folded(clean(wrote), columns(sys.stderr))))
    return ExitCode.OK


def _once(files: list[str]) -> list[str]:
    if files.count("-") > 1:
        raise UsageError("Standard input is named twice", hint="Give - once")
    return list(dict.fromkeys(files))


def _text(path: str, args: argparse.Namespace) -> Text:
    from envsnap._import import as_text
    from envsnap.imports import Text

    if args.python is not None and not _is_python(args.python):
        raise UsageError(f"No version of Python: {args.python!r}", hint="Give one as 3.11")
    name = "standard input" if path == "-" else path
    text = as_text(_bytes(path, name), name)
    if not text.strip():
        raise ManifestError(f"{name}: It is empty", hint="Give what a program printed")
    return Text(os.path.basename(path), text, args.platform, args.python)


def _is_python(version: str) -> bool:
    parts = version.split(".")
    return len(parts) in {2, 3} and all(part.isdecimal() and len(part) < 4 for part in parts)  # noqa: PLR2004 - X.Y or X.Y.Z


def _bytes(path: str, name: str) -> bytes:
    """A file whole, if it is no larger than what people record."""
    from envsnap.manifest import from_standard_input

    try:
        if path == "-":
            raw = from_standard_input(LIMIT_BYTES + 1)
        else:
            with open(path, "rb") as file:
                raw = file.read(LIMIT_BYTES + 1)
    except FileNotFoundError:
        raise FileError(
            f"No file {name}", hint="Give the file that was sent, or - for a pipe"
        ) from None
    except OSError as error:
        raise FileError(f"Cannot read {name}: {error.strerror}") from error
    if len(raw) > LIMIT_BYTES:
        raise ManifestError(
            f"{name}: Larger than {LIMIT_BYTES >> 20} MiB", hint="Cut out what a program printed"
        )
    return raw


def _refuse_nothing(readings: list[Reading]) -> None:
    """Refuse where no text was recognised.

    Raises:
        ManifestError: None was; the hint says what can be read.
    """
    if any(each.told for each in readings):
        return
    names = ", ".join(each.name if each.name != "-" else "standard input" for each in readings)
    raise ManifestError(
        f"{names}: No report, list or table in it",
        hint="Ask for what this prints: python -m torch.utils.collect_env; or say what it is "
        "with --as, as 'pip list' (a wrong form lists all)",
    )


def _written(manifest: Manifest, args: argparse.Namespace) -> str:
    """Write the manifest, and say so."""
    from envsnap._units import size_words
    from envsnap.cli._placeholders import filled
    from envsnap.cli.capture import continued, manifest_at, write

    path = filled(args.output, manifest)
    before = manifest_at(path)
    if before is not None:
        manifest = continued(manifest, before, path, anonymous=False, force=args.force)
    size = write(manifest, path, before)
    if path == "-":
        return "Wrote the manifest to standard output"
    if not size:
        return f"Unchanged: {path} says the same already, not a byte was written"
    return f"Wrote {path}    {size_words(size)}, nothing was sent anywhere"


def _lines(manifest: Manifest, readings: list[Reading]) -> Iterator[str]:
    """What is wrong, what was read, what is missing, and whom to ask for it."""
    from envsnap._import import asks, to_send
    from envsnap.reports import imported
    from envsnap.rules import health

    width = columns(sys.stderr)
    asked = asks(manifest)
    complaints = list(dict.fromkeys(said for each in readings for said in each.complaints))
    left = [line for each in readings for line in each.overlooked]
    parts = [
        *imported.answer_lines(health(manifest), complaints, width), "",
        *(line for each in readings for line in imported.read_lines(each.name, each.told, width)),
        *imported.overlooked_lines(left, width),
        *imported.doubt_lines(manifest, width), "",
        *imported.known_lines(manifest, width), "",
        *imported.missing_lines([each.words for each in asked], width),
        *imported.to_send_lines(to_send(asked)), "",
    ]  # fmt: skip
    return map(clean, parts)
