"""What a manifest's `requires` states: what must hold, and what may differ."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap._typing import NamedTuple
from envsnap.constraints._language import LONGEST, ConstraintError, Expression, MayDiffer
from envsnap.constraints._parse import parse
from envsnap.manifest import Manifest

MUST, MAY = "must", "may"
_LONGEST_FAULTY = 60
MOST = 200
"""So many statements are read; who needs more writes fewer of more."""


class Stated(NamedTuple):
    """One statement of the author."""

    place: str
    """As 'requires.must[0]'."""
    text: str
    """One line that can be shown: the expression's plain form; a faulty text, cut."""
    because: str | None
    """The author's reason; None where none is given."""
    expression: Expression | ConstraintError
    """What the text says; the fault, where that is no expression."""

    @property
    def subject(self) -> str:
        """What it is about, in a word."""
        if isinstance(self.expression, ConstraintError):
            return self.place
        return self.expression.subject


class Requires(NamedTuple):
    """All statements, in their order."""

    must: tuple[Stated, ...] = ()
    may: tuple[Stated, ...] = ()


def requires_of(manifest: Manifest) -> Requires:
    """What the manifest requires. A text that cannot be read is kept, with its fault."""
    return Requires(must=tuple(_stated(manifest, MUST)), may=tuple(_stated(manifest, MAY)))


def _stated(manifest: Manifest, which: str) -> Iterator[Stated]:
    listed = manifest.requires.get(which, ())
    for index, each in enumerate(listed[:MOST] if isinstance(listed, (list, tuple)) else ()):
        said = each if isinstance(each, dict) else {"that": each}
        text, because = str(said.get("that")), said.get("because")
        found = read(text, which)
        yield Stated(
            place=f"requires.{which}[{index}]",
            text=_in_a_line(text) if isinstance(found, ConstraintError) else str(found),
            because=" ".join(because[:LONGEST].split()) if isinstance(because, str) else None,
            expression=found,
        )  # fmt: skip


def _in_a_line(text: str) -> str:
    """A text that is no expression: it may be long, and hold line ends that look like ours."""
    cut = text if len(text) <= _LONGEST_FAULTY else f"{text[: _LONGEST_FAULTY - 3]}..."
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in cut
    )


def read(text: str, which: str) -> Expression | ConstraintError:
    """The expression in a text, or what is wrong with it there."""
    try:
        found = parse(text)
    except ConstraintError as error:
        return error
    if which == MUST and isinstance(found, MayDiffer):
        return ConstraintError(
            "What may differ does not have to hold", text, 0, hint="State it with --may"
        )
    return found
