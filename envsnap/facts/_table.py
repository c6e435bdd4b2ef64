"""Reads the tables and shapes the answers. The only place that opens a file of this folder."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence

from envsnap._typing import Any, Final, Generic, Literal, NamedTuple, TypeVar, cast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.abc import SourceLoader

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Confidence = Literal["high", "medium", "low"]
Row = Mapping[str, Any]
"""One row as its file has it; the lookup modules turn it into a typed value at once."""
Dotted = tuple[int, ...]

_WORST_FIRST: tuple[Confidence, ...] = ("low", "medium", "high")
_LONGEST_NUMBER = 9


class Source(NamedTuple):
    """Where a fact was read."""

    title: str
    """The document, as a reader would look for it."""
    url: str | None
    """Its address; None where the source has no public page of its own."""
    date: str
    """The day it was read, ISO 8601."""


class Looked(Generic[T_co]):
    """A value found in the tables, with what it rests on."""

    # Written out: a frozen dataclass would cost half of what importing all of this does.
    __slots__ = ("confidence", "note", "sources", "value")

    def __init__(
        self,
        value: T_co,
        confidence: Confidence,
        sources: tuple[Source, ...],
        note: str | None = None,
    ) -> None:
        self.value: Final = value
        self.confidence: Final = confidence
        """Of the weakest row the value was taken from."""
        self.sources: Final = sources
        self.note: Final = note
        """What a reader of the row should know; None if there is nothing."""

    def __repr__(self) -> str:
        return f"Looked({self.value!r}, {self.confidence!r}, {self.sources!r}, {self.note!r})"

    @property
    def weak(self) -> bool:
        """Whether the value is too unsure to forbid anything by it."""
        return self.confidence == "low"


class NewerThanFacts(NamedTuple):
    """The thing asked for came after the tables were made."""

    what: str
    date: str
    """The day of the table, ISO 8601."""

    def __str__(self) -> str:
        return f"{self.what} is newer than facts of {self.date}"


class NotInTable(NamedTuple):
    """The tables do not hold the thing asked for: too old, never released, or not collected."""

    what: str
    table: str

    def __str__(self) -> str:
        return f"{self.what} is not in the table '{self.table}'"


Answer = Looked[T_co] | NewerThanFacts | NotInTable


class Table:
    """One file of facts: its date, its sources, and its rows by kind."""

    def __init__(self, name: str, document: Mapping[str, Any]) -> None:
        self.name = name
        self.date: str = document["date"]
        self._sources: dict[str, Source] = {
            source["id"]: Source(source["title"], source.get("url"), source["retrieved"])
            for source in document["sources"]
        }
        self._rows: dict[str, list[Row]] = {}
        for row in document["rows"]:
            self._rows.setdefault(row["kind"], []).append(row)

    def rows(self, kind: str) -> Sequence[Row]:
        """Give the rows of one kind, in the order of their keys."""
        return self._rows[kind]

    def looked(self, value: T, *rows: Row, confidence: Confidence | None = None) -> Looked[T]:
        """Wrap a value taken from these rows; `confidence` where one field has its own."""
        weakest = min((row["confidence"] for row in rows), key=_WORST_FIRST.index)
        ids = dict.fromkeys(source for row in rows for source in row["source"])
        notes = dict.fromkeys(row["note"] for row in rows if "note" in row)
        return Looked(
            value,
            confidence or cast("Confidence", weakest),
            tuple(self._sources[source] for source in ids),
            "; ".join(notes) or None,
        )

    def newer(self, what: str) -> NewerThanFacts:
        """Answer that this came after the table."""
        return NewerThanFacts(what, self.date)

    def missing(self, what: str) -> NotInTable:
        """Answer that the table does not hold this."""
        return NotInTable(what, self.name)


_GIVEN: dict[str, Table] = {}
"""Newer tables that take the place of those that envsnap brings, for the rest of the process."""


def table(name: str) -> Table:
    """Give a table: the newer one that was given, else the one that envsnap brings."""
    return _GIVEN[name] if name in _GIVEN else own(name)


@functools.cache
def own(name: str) -> Table:
    """Give the table that envsnap brings, read once, whatever was given."""
    return Table(name, document_of(name))


def document_of(name: str) -> dict[str, Any]:
    """Read a file of this folder. Works the same from a folder and from inside a zip."""
    import json  # start-up

    path = os.path.join(os.path.dirname(__file__), f"{name}.json")
    # Both the loader of files and that of zip archives have it.
    loader = cast("SourceLoader", __spec__.loader)
    return cast("dict[str, Any]", json.loads(loader.get_data(path)))


def use(tables: Mapping[str, Table]) -> None:
    """Take these tables in the place of envsnap's own, before anything is looked up."""
    _GIVEN.clear()
    _GIVEN.update(tables)


def given() -> Mapping[str, str]:
    """Give the tables that took the place of envsnap's own, each with its date."""
    return {name: each.date for name, each in sorted(_GIVEN.items())}


def date_of(name: str) -> str:
    """Give the day up to which a table holds the facts."""
    return table(name).date


def parse_dotted(version: str) -> Dotted | None:
    """Give the numbers of a version such as '12.4.1'; None where it has another form."""
    parts = version.split(".")
    if all(part.isascii() and part.isdecimal() and len(part) <= _LONGEST_NUMBER for part in parts):
        return tuple(map(int, parts))
    return None


def parse_driver(version: str) -> Dotted | None:
    """Give a driver version's numbers, to be compared part by part; None for another form.

    >>> parse_driver("525.60.13") > parse_driver("525.60.9")
    True
    """
    return parse_dotted(version)
