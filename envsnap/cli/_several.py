"""check against several found sides: each kind judged once, and all told as one matrix."""

from __future__ import annotations

from envsnap._check import CheckOptions, check
from envsnap._typing import NamedTuple
from envsnap.cli._against import Found, Same
from envsnap.cli._reporting import report
from envsnap.cli._terminal import Progress, clean, say
from envsnap.errors import ManifestError
from envsnap.reports._sides import Sides
from envsnap.reports.matrix import Matrix, Row, Unread, alike, row, rows_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from envsnap.errors import ExitCode
    from envsnap.manifest import Manifest
    from envsnap.rules import Checked

    One = Found | Same | Unread


_WITH_UNREAD = ("text", "json", "markdown", "html")
"""The forms that tell of sides that could not be used; for the others standard error does."""


class Judged(NamedTuple):
    """What became of the found sides."""

    matrix: Matrix
    done: tuple[tuple[Checked, Sides], ...]
    """One whole answer for each row, in their order; none where nobody asked for them."""


def answer(
    args: argparse.Namespace,
    sides: Iterable[One],
    wanted: tuple[Manifest, str],
    options: CheckOptions,
) -> ExitCode:
    """Judge the sides, tell them, and answer."""
    in_whole = args.format != "text" or bool(args.output)
    with Progress("Reading the machines ...", quiet=args.quiet) as progress:
        found = judged(_watched(sides, progress), wanted, options, in_whole=in_whole)
    unread = found.matrix.unread
    if not found.matrix.rows:
        raise ManifestError(
            f"None of the {len(unread)} sides can be used; {unread[0].told}",
            hint="Name manifests, recordings or profiles; list these: envsnap show --profiles",
        )
    if args.format not in _WITH_UNREAD:
        for each in unread:
            say(f"envsnap: not used: {clean(each.told)}", quiet=args.quiet)
    report(args, found.done, found.matrix)
    return found.matrix.exit_code


def judged(
    sides: Iterable[One],
    wanted: tuple[Manifest, str],
    options: CheckOptions,
    *,
    in_whole: bool = False,
) -> Judged:
    """The matrix of these sides.

    Of a side's manifest no more is kept than is told of it; of the first of each kind the whole
    answer, where that is asked for.
    """
    rows: dict[str, Row] = {}
    firsts: dict[tuple[object, ...], tuple[Checked, Sides]] = {}
    unread: list[Unread] = []
    for each in sides:
        if isinstance(each, Unread):
            unread.append(each)
        elif isinstance(each, Same):  # the same facts have the same answer
            first = rows[each.content]
            rows[each.content] = first._replace(names=(*first.names, each.name))
        else:
            checked = check(wanted[0], each.manifest, options._replace(is_image=each.is_image))
            two = Sides(*wanted, each.manifest, each.name)
            found = row(checked, two)
            rows[each.content or each.name] = found
            if in_whole:
                firsts.setdefault(alike(found), (checked, two))
    matrix = Matrix(*wanted, rows_of(rows.values()), tuple(unread))
    done = tuple(firsts[alike(each)] for each in matrix.rows) if in_whole else ()
    return Judged(matrix, done)


def _watched(sides: Iterable[One], progress: Progress) -> Iterator[One]:
    """The sides, each named on the line of progress when it has been read."""
    for number, each in enumerate(sides, 1):
        progress.update(f"Reading the machines ... {number}: {each.name}")
        yield each
