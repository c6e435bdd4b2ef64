"""What a recording says of paths: word for word, or with the sense of a tree."""

from __future__ import annotations

from collections.abc import Mapping

from envsnap._typing import Protocol, TypeVar
from envsnap.host._answers import Answers
from envsnap.host._links import follow
from envsnap.host._protocol import Stat
from envsnap.sections import Fact, Reason, Unknown

T = TypeVar("T")
_DENIED = Unknown(Reason.NO_PERMISSION)


class Files(Protocol):
    """The five questions about a path."""

    def read(self, path: str, limit: int) -> Fact[bytes | None]:
        """The first `limit` bytes of a file."""

    def list(self, path: str) -> Fact[tuple[str, ...] | None]:
        """The names in a folder, sorted."""

    def stat(self, path: str) -> Fact[Stat | None]:
        """What a path is, links followed."""

    def link(self, path: str) -> Fact[str | None]:
        """Where a link points, as written."""

    def real(self, path: str) -> Fact[str | None]:
        """The path with all links resolved."""


class ExactFiles:
    """A real machine's recording: only what was asked is answered, and nothing is inferred."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def read(self, path: str, limit: int) -> Fact[bytes | None]:
        """The first `limit` bytes of a file."""
        return _start_of(
            self._answers, path, _exact(self._answers, self._answers.reads, path, "read"), limit
        )

    def list(self, path: str) -> Fact[tuple[str, ...] | None]:
        """The names in a folder, sorted."""
        return _exact(self._answers, self._answers.lists, path, "list")

    def stat(self, path: str) -> Fact[Stat | None]:
        """What a path is, links followed."""
        return _exact(self._answers, self._answers.stats, path, "stat")

    def link(self, path: str) -> Fact[str | None]:
        """Where a link points, as written."""
        return _exact(self._answers, self._answers.links, path, "link")

    def real(self, path: str) -> Fact[str | None]:
        """The path with all links resolved."""
        return _exact(self._answers, self._answers.reals, path, "real")


def _exact(answers: Answers, table: Mapping[str, Fact[T]], path: str, question: str) -> Fact[T]:
    return table[path] if path in table else answers.lacks(question, path)


def _start_of(
    answers: Answers, path: str, found: Fact[bytes | None], limit: int
) -> Fact[bytes | None]:
    if not isinstance(found, bytes):
        return found
    if path in answers.cut and limit > len(found):
        return answers.lacks("read", path, f" beyond its first {len(found)} bytes")
    return found[:limit]


class TreeFiles:
    """A machine made by hand: folders, links and `stat` follow from the files that are listed."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._names: dict[str, set[str]] = {"/": set()}
        for path in (*answers.paths(), *answers.binaries):
            if not self._is_said_absent(path):
                self._grow(path)
        for folder, names in answers.lists.items():
            if isinstance(names, tuple):
                self._names.setdefault(folder, set()).update(names)

    def _grow(self, path: str) -> None:
        """Put a path into the folder that holds it, and that one into its own."""
        while path not in {"", "/"}:
            folder, _, name = path.rpartition("/")
            path = folder or "/"
            self._names.setdefault(path, set()).add(name)

    def read(self, path: str, limit: int) -> Fact[bytes | None]:
        """The first `limit` bytes of a file, links followed."""
        place = self._place(path)
        if place is None:
            return None
        found = self._stat(place, "read")
        if not isinstance(found, Stat):
            return found
        if place in self._answers.denied:
            return _DENIED
        if place in self._answers.reads:
            return _start_of(self._answers, place, self._answers.reads[place], limit)
        if found.kind == "file":
            return self._answers.lacks("read", place)
        return Unknown(Reason.NOT_SUPPORTED, "not a regular file")

    def list(self, path: str) -> Fact[tuple[str, ...] | None]:
        """The names in a folder, sorted, links followed."""
        place = self._place(path)
        if place is None:
            return None
        said = self._answers.lists.get(place)
        if isinstance(said, Unknown):
            return said
        found = self._stat(place, "list")
        if not isinstance(found, Stat):
            return found
        if found.kind != "folder":
            return None
        if place in self._answers.denied:
            return _DENIED
        return tuple(sorted(self._names.get(place, ())))

    def stat(self, path: str) -> Fact[Stat | None]:
        """What a path is, links followed. Everything was made in 1970."""
        place = self._place(path)
        return None if place is None else self._stat(place, "stat")

    def link(self, path: str) -> Fact[str | None]:
        """Where a link points, as written; None if the path is no link."""
        folder, _, name = path.rpartition("/")
        place = self._place(folder or "/")
        if place is None:
            return None
        place = f"{place.rstrip('/')}/{name}"
        if place in self._answers.links:
            return self._answers.links[place]
        found = self._stat(place, "link")
        return found if isinstance(found, Unknown) else None

    def real(self, path: str) -> Fact[str | None]:
        """The path with all links resolved; None if it leads nowhere."""
        place = self._place(path)
        if place is None:
            return None
        found = self._stat(place, "real")
        return place if isinstance(found, Stat) else found

    def _stat(self, place: str, question: str) -> Fact[Stat | None]:
        """What a path without links is; `question` is what the caller was asked."""
        if any(folder in self._answers.denied for folder in _above(place)):
            return _DENIED
        if self._is_said_absent(place):
            return None
        found = self._answers.stats.get(place) or self._implied(place)
        if found is not None:
            return found
        return None if self._is_absent(place) else self._answers.lacks(question, place)

    def _implied(self, place: str) -> Stat | None:
        """What a path must be by what else is written of it."""
        answers = self._answers
        if place in self._names or place in answers.lists:
            return Stat("folder", 0, 0)
        content = answers.reads.get(place)
        if content is not None or place in answers.denied or place in answers.binaries:
            return Stat("file", len(content) if isinstance(content, bytes) else 0, 0)
        return None

    def _is_absent(self, place: str) -> bool:
        """Whether it follows from what is written that a path is not there."""
        folder, _, name = place.rpartition("/")
        if name in self._names.get(folder or "/", ()):
            return False  # its folder lists it
        for above in _above(place):
            if self._is_said_absent(above) or above in self._answers.reads:
                return True
            if above in self._answers.absent_below:
                return True
        return place in self._answers.absent_below

    def _is_said_absent(self, path: str) -> bool:
        answers = self._answers
        return answers.stats.get(path, _DENIED) is None or answers.reads.get(path, _DENIED) is None

    def _place(self, path: str) -> str | None:
        """The path that remains when every link is followed; None in a loop of links."""
        place = follow(path, self._link_at)
        return place if isinstance(place, str) else None

    def _link_at(self, path: str) -> str:
        target = self._answers.links.get(path)
        return target if isinstance(target, str) else ""


def _above(path: str) -> list[str]:
    """The folders above a path, the nearest first; the root is its own."""
    found = []
    while path not in {"", "/"}:
        path = path.rpartition("/")[0] or "/"
        found.append(path)
    return found
