"""A process as its linker sees it: what is loaded, under which names, and who asked for what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from envsnap._typing import NamedTuple
from envsnap.host import Binary
from envsnap.loader._files import NOT_YET, UNREAD, Files
from envsnap.loader._search import Search

_MOST_OBJECTS = 4096
_MOST_NEEDS = 1024


class Answer(NamedTuple):
    """What the linker gives for one name."""

    name: str
    """As it was asked for."""
    path: str | None
    """The file, links resolved; None if nothing answers."""
    found_by: str
    """rpath, runpath, LD_LIBRARY_PATH, LD_PRELOAD, cache, default, path, preload or loaded; empty
    where nothing answers."""


class Linked(NamedTuple):
    """One loaded file, and what its needs were answered with."""

    path: str
    needs: tuple[Answer, ...]


class Loaded:
    """One loaded file, as the linker keeps it."""

    __slots__ = ("binary", "linked", "loader", "needs", "path", "real")

    def __init__(self, path: str, real: str, binary: Binary, loader: Loaded | None) -> None:
        self.path = path
        """Where it was found, links as they are: $ORIGIN is the folder of this."""
        self.real = real
        self.binary = binary
        self.loader = loader
        """Whose need it was first."""
        self.needs: list[Answer] = []
        self.linked: Linked | None = None

    def twin(self) -> Loaded:
        """The same, whose needs can grow without the first one's."""
        twin = Loaded(self.path, self.real, self.binary, self.loader)
        twin.needs, twin.linked = list(self.needs), self.told()
        return twin

    def told(self) -> Linked:
        """The file and its needs, as a value."""
        if self.linked is None or len(self.linked.needs) != len(self.needs):
            self.linked = Linked(self.real, tuple(self.needs))
        return self.linked


class Process:
    """A program and what it has loaded so far."""

    def __init__(self, files: Files, search: Search, main: Loaded) -> None:
        self._files = files
        self._search = search
        self.main = main
        self.objects: dict[str, Loaded] = {}
        """By real path, in the order in which they were loaded."""
        self._named: dict[str, Loaded] = {}
        self.is_whole = True
        """Whether all files that it met were read."""

    @classmethod
    def started(cls, files: Files, search: Search, main: Loaded) -> Process:
        """The program with all that is loaded before its first instruction."""
        process = cls(files, search, main)
        process._add(main, "")
        interpreter = main.binary.interpreter
        if interpreter:
            process._ask(main, interpreter)
        for name in search.preloaded:
            answer = process._answer(name, main)
            if answer.path is not None:  # what is not there costs a warning
                main.needs.append(answer._replace(found_by="LD_PRELOAD"))
        process._load_needs(list(process.objects.values()))
        return process

    def copy(self) -> Process:
        """The same state, from which another history can begin."""
        twins = {real: each.twin() for real, each in self.objects.items()}
        twin = Process(self._files, self._search, twins[self.main.real])
        twin.objects = twins
        twin._named = {name: twins[each.real] for name, each in self._named.items()}
        twin.is_whole = self.is_whole
        return twin

    def open(
        self,
        name: str,
        *,
        caller: str | None = None,
        found_by: str | None = None,
        is_optional: bool = False,
    ) -> Answer:
        """Load a file or a name as dlopen does, with all that it needs.

        `caller` is the real path of the file whose code calls: Python's own, unless it is given.
        An optional one that is not there leaves no trace.
        """
        by = self.objects.get(caller or "", self._python())
        before = len(self.objects)
        answer = self._answer(name, by)
        if answer.path is None and is_optional:
            return answer
        if found_by and answer.path is not None and answer.found_by != "loaded":
            answer = answer._replace(found_by=found_by)
        (self.main if caller is None else by).needs.append(answer)
        self._load_needs(list(self.objects.values())[before:])
        return answer

    def told(self) -> tuple[Linked, ...]:
        """Every loaded file with its needs, in the order in which they were loaded."""
        return tuple(each.told() for each in self.objects.values())

    def missing(self, since: int) -> bool:
        """Whether a need of what was loaded after the first so many has no answer."""
        later = list(self.objects.values())[since:]
        return any(need.path is None for each in later for need in each.needs)

    def _python(self) -> Loaded:
        """The file with Python's import: libpython where there is one, else the program."""
        for each in self.objects.values():
            if (each.binary.soname or "").startswith("libpython"):
                return each
        return self.main

    def _load_needs(self, fresh: Sequence[Loaded]) -> None:
        """Load what these need, and what that needs: breadth first, as the linker goes."""
        waiting = list(fresh)
        for each in waiting:
            if len(self.objects) > _MOST_OBJECTS:
                return
            for name in each.binary.needed[:_MOST_NEEDS]:
                before = len(self.objects)
                self._ask(each, name)
                waiting.extend(list(self.objects.values())[before:])

    def _ask(self, loader: Loaded, name: str) -> None:
        loader.needs.append(self._answer(name, loader))

    def _answer(self, name: str, loader: Loaded) -> Answer:
        known = self._named.get(name)
        if known is not None:
            return Answer(name, known.real, "loaded")
        for path, found_by in self._search.candidates(name, loader.path, _chain(loader, self.main)):
            real = self._files.real(path)
            if real is None or self._files.is_closed(real):
                continue
            if real in self.objects:
                self._name(name, self.objects[real])
                return Answer(name, real, found_by)
            binary = self._files.binary(real)
            if binary is None:
                break  # no ELF file: the linker gives up here
            if binary is NOT_YET:
                self.is_whole = False
            elif binary is not UNREAD and not self._fits(binary):
                continue
            self._add(Loaded(path, real, binary, loader), name)
            return Answer(name, real, found_by)
        return Answer(name, None, "")

    def _fits(self, binary: Binary) -> bool:
        """Whether it is for the program's machine; the linker goes past others."""
        own = self.main.binary
        return (binary.machine, binary.bits) == (own.machine, own.bits)

    def _add(self, loaded: Loaded, name: str) -> None:
        self.objects[loaded.real] = loaded
        self._name(name, loaded)
        for each in self._search.names_of(loaded.path, loaded.binary.soname):
            self._named.setdefault(each, loaded)

    def _name(self, name: str, loaded: Loaded) -> None:
        if name and (self._search.keeps_paths or "/" not in name):
            self._named.setdefault(name, loaded)


def _chain(loader: Loaded, main: Loaded) -> Iterator[tuple[str, Binary]]:
    """Who asks, who loaded that, and so on; the program at last, whoever asks."""
    each: Loaded | None = loader
    while each is not None:
        yield each.path, each.binary
        if each.real == main.real:
            return
        each = each.loader
    yield main.path, main.binary
