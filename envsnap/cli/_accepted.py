"""The file of what a reader has accepted: found here or upward, read by every check."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence

from envsnap._typing import Any
from envsnap.cli._terminal import say
from envsnap.errors import FileError, UsageError
from envsnap.rules import Acceptance, Outcome
from envsnap.rules._accepted import is_day

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from envsnap._check import Checked
    from envsnap.manifest import Manifest
    from envsnap.rules import Finding

FILE_NAME = "envsnap.accepted.toml"
_LIMIT_BYTES = 1 << 24
_MOST = 20_000
_LONGEST_EPOCH = 11  # digits: the year 5138
_NEEDED = ("code", "subject", "outcome", "what", "reason", "made")
_KNOWN = (*_NEEDED, "wanted", "found", "until")
_HEAD = """\
# Findings of 'envsnap check' that were accepted, each with the values that it had.
# Written by 'envsnap check --accept CODE --reason TEXT [--until DATE]', which keeps no comments.
"""


def add_accepting(parser: argparse.ArgumentParser) -> None:
    """The options that accept what was found."""
    group = parser.add_argument_group("what is accepted")
    add = group.add_argument
    add(
        "--accept-waivers", action="store_true",
        help="let what the author allows to differ (envsnap require --may) change the exit code",
    )  # fmt: skip
    add(
        "--accept", metavar="CODE[:SUBJECT]", action="append", default=[],
        help=f"write these findings with their values into {FILE_NAME}; they are shown in every "
        "report and no longer change the exit code; needs --reason",
    )  # fmt: skip
    add("--reason", metavar="TEXT", help="why they are accepted")
    add("--until", metavar="DATE", help="the last day on which they are, as 2030-12-31")
    add(
        "--accepted", metavar="FILE",
        help=f"read and write this file (default: {FILE_NAME} here, or upward in this repository)",
    )  # fmt: skip


def today() -> str:
    """The day, UTC, ISO 8601; that of SOURCE_DATE_EPOCH where it is set."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    is_set = epoch.isdecimal() and epoch.isascii() and len(epoch) <= _LONGEST_EPOCH
    return time.strftime("%Y-%m-%d", time.gmtime(int(epoch) if is_set else None))


def acceptances(args: argparse.Namespace) -> tuple[Acceptance, ...]:
    """What was accepted before.

    Raises:
        UsageError: The options do not go together, or the file is malformed.
        FileError: It cannot be read.
    """
    _refuse_wrong(args)
    path = _path(args)
    raw = _read(path)
    if raw is not None:
        return tuple(_parsed(raw, path))
    if args.accepted is not None and not args.accept:
        raise FileError(f"Cannot read {path}: there is no such file",
                        hint="Name the file that --accept has written")  # fmt: skip
    return ()


def _refuse_wrong(args: argparse.Namespace) -> None:
    if args.accept and not (args.reason or "").strip():
        raise UsageError("--accept needs a reason", hint='Add: --reason "why this is fine"')
    if not args.accept and (args.reason is not None or args.until is not None):
        raise UsageError(
            "--reason and --until belong to --accept", hint="Name a rule: --accept CODE"
        )
    if args.until is not None and not is_day(args.until):
        raise UsageError(f"{args.until!r} is no day", hint="Write it as: --until 2030-12-31")
    if args.until is not None and args.until < today():
        raise UsageError(f"{args.until} is past", hint="Name a day to come, or leave out --until")


def accept(args: argparse.Namespace, checked: Checked, sides: tuple[Manifest, Manifest]) -> Checked:
    """The answer, once the findings that were named are accepted and written down.

    Raises:
        UsageError: There is no such finding.
        FileError: The file cannot be written.
    """
    from envsnap.cli._rewritten import rewritten
    from envsnap.rules._accepted import accepted
    from envsnap.rules._excused import excused, left_over

    new = [
        accepted(each, args.reason.strip(), today(), args.until)
        for name in args.accept
        for each in _named(checked, name)
    ]
    path = _path(args)

    def change(raw: bytes | None) -> bytes:
        return text(_added(() if raw is None else _parsed(raw, path), new)).encode()

    both = tuple(_parsed(rewritten(path, lambda: _read(path), change), path))
    names = ", ".join(dict.fromkeys(each.id for each in new))
    say(f"Accepted {names} in {path}", quiet=args.quiet)
    report = excused(checked.report, sides, both, today())
    return checked._replace(
        report=report, options=checked.options._replace(accepted=both),
        accepted_left=left_over(report, sides[0], both, today()),
    )  # fmt: skip


def _added(before: Iterable[Acceptance], new: Sequence[Acceptance]) -> tuple[Acceptance, ...]:
    """Both, without the old ones of the same findings with the same values."""
    kept = [
        each
        for each in before
        if not any(each._replace(reason="", made="", until=None, outcome=one.outcome)
                   == one._replace(reason="", made="", until=None) for one in new)
    ]  # fmt: skip
    return tuple(dict.fromkeys([*kept, *new]))


def _named(checked: Checked, name: str) -> Sequence[Finding]:
    """The findings of that rule, or that one finding."""
    code, _, subject = name.partition(":")
    found = [
        each
        for each in checked.report.findings
        if each.code == code and subject in {"", each.subject, each.id.partition(":")[2]}
    ]
    if not found:
        there = sorted({each.id for each in checked.report.findings})
        shown = ", ".join(there[:5]) + (", ..." if len(there) > 5 else "")  # noqa: PLR2004 - a line
        raise UsageError(
            f"No finding {name!r} to accept",
            hint=f"There is: {shown}" if there else "Nothing was found: leave out --accept",
        )
    return found


def _path(args: argparse.Namespace) -> str:
    """The file that was named, else the nearest in this repository, else one here.

    Outside a repository nothing above is looked at: it may be anybody's.
    """
    if args.accepted is not None:
        return str(args.accepted)
    try:
        here = os.path.abspath(".")
    except OSError:
        return FILE_NAME
    folders = [here]
    while not os.path.exists(os.path.join(folders[-1], ".git")):
        parent = os.path.dirname(folders[-1])
        if parent == folders[-1]:
            return FILE_NAME
        folders.append(parent)
    there = [each for each in folders if os.path.exists(os.path.join(each, FILE_NAME))]
    return os.path.relpath(os.path.join(there[0], FILE_NAME), here) if there else FILE_NAME


def _read(path: str) -> bytes | None:
    """What is in the file; None where there is none."""
    if not os.path.lexists(path):
        return None
    if not os.path.isfile(path):  # a pipe would be waited for, a device keeps nothing
        raise FileError(f"Cannot read {path}: it is no regular file",
                        hint="Name a file: --accepted mine.toml")  # fmt: skip
    try:
        with open(path, "rb") as file:
            raw = file.read(_LIMIT_BYTES + 1)
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror}") from error
    if len(raw) > _LIMIT_BYTES:
        raise UsageError(f"{path}: Larger than 16 MiB: no such file is written by --accept")
    return raw


def _parsed(raw: bytes, path: str) -> Iterable[Acceptance]:
    from envsnap.lock._toml import loads

    try:
        document = loads(raw.decode())
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8
        raise UsageError(f"{path} is no TOML: {error}", hint=f"Correct or remove {path}") from None
    rows = document.get("accepted", [])
    if document.keys() - {"accepted"} or not isinstance(rows, list) or len(rows) > _MOST:
        raise UsageError(f"{path}: it holds tables [[accepted]] alone, {_MOST} at most",
                         hint=f"Correct or remove {path}")  # fmt: skip
    for number, row in enumerate(rows, start=1):
        yield _acceptance(row, f"{path}: accepted {number}")


def _acceptance(row: object, where: str) -> Acceptance:
    if not isinstance(row, dict):
        raise UsageError(f"{where}: it is no table")
    values = {key: _text(value) for key, value in row.items()}
    wrong = [key for key, value in values.items() if value is None or key not in _KNOWN]
    wrong += [key for key in _NEEDED if not values.get(key)]
    if values.get("outcome") not in {each.value for each in Outcome}:
        wrong.append("outcome")
    wrong += [key for key in ("made", "until") if not is_day(values.get(key) or "2000-01-01")]
    if wrong:
        raise UsageError(
            f"{where}: {wrong[0]!r} is missing, unknown or wrong",
            hint="Accept it again with: envsnap check --accept CODE --reason TEXT",
        )
    return Acceptance(**{**_plain(values), "outcome": Outcome(values["outcome"])})


def _plain(values: Mapping[str, str | None]) -> dict[str, Any]:
    return {"wanted": None, "found": None, **values}


def _text(value: object) -> str | None:
    """Text, or a day as TOML has them; None for anything else."""
    if isinstance(value, str):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else None


def text(accepts: Iterable[Acceptance]) -> str:
    """The file that holds these."""
    tables = []
    for each in sorted(accepts, key=lambda one: (one.id, one.what)):
        rows = [
            f"{key} = {quoted(str(value))}"
            for key, value in each._asdict().items()
            if value is not None
        ]
        tables.append("\n".join(["", "[[accepted]]", *rows, ""]))
    return _HEAD + "".join(tables)


def quoted(value: str) -> str:
    r"""A string as TOML writes it; what cannot be shown, or is no Unicode, is spelled out.

    >>> quoted('a "b"\x1b')
    '"a \\"b\\"\\u001B"'
    """
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if "\ud800" <= char <= "\udfff":  # bytes that are no text, as in manifests
        return f"%{ord(char) & 0xFF:02X}"
    if char.isprintable():
        return char
    return f"\\u{ord(char):04X}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08X}"  # noqa: PLR2004 - TOML's two forms
