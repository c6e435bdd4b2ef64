"""Where a linker looks for a name, in its order: glibc's and musl's ways."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from envsnap._typing import NamedTuple, Protocol
from envsnap.host import Binary
from envsnap.loader._cache import Cache
from envsnap.loader._files import Files

MOST_FOLDERS = 512
"""So many folders of one list are looked into; those of real libraries name some twenty."""

Candidate = tuple[str, str]
"""A path that may answer, and how it was come by."""

Chain = Iterable[tuple[str, Binary]]
"""Who asks, who loaded that, and so on up to the program."""

_OF_LIBC = ("libc.", "libpthread.", "librt.", "libm.", "libdl.", "libutil.", "libxnet.")
"""Names that musl answers for itself."""


class Settings(NamedTuple):
    """What a linker finds in its surroundings."""

    folders: tuple[str, ...]
    """LD_LIBRARY_PATH, as written; empty where it is not set."""
    preloaded: tuple[str, ...]
    """LD_PRELOAD and /etc/ld.so.preload."""
    defaults: tuple[str, ...]
    """The folders that it was built with."""
    levels: tuple[str, ...]
    """The folders of glibc-hwcaps that this processor takes, the best first."""
    words: Mapping[str, str]
    """What $LIB and $PLATFORM stand for."""
    cwd: str


class Search(Protocol):
    """How one kind of linker looks for a name."""

    @property
    def preloaded(self) -> tuple[str, ...]:
        """What it loads before anything that the program needs."""

    @property
    def keeps_paths(self) -> bool:
        """Whether a path that was loaded answers when it is asked for as written once more."""

    def names_of(self, path: str, soname: str | None) -> Sequence[str]:
        """The names by which a loaded file answers from now on."""

    def candidates(self, name: str, origin: str, chain: Chain) -> Iterator[Candidate]:
        """The paths that may answer, the first that can be loaded does; `origin` is who asks."""


class Glibc:
    """RPATH, LD_LIBRARY_PATH, RUNPATH, the cache, the default folders."""

    keeps_paths = True

    def __init__(self, files: Files, settings: Settings, cache: Cache, program: str) -> None:
        self._files = files
        self._settings = settings
        self._cache = cache
        self.preloaded = settings.preloaded
        self._expanded: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}
        self._folders = self._expand_all(program, settings.folders)
        self._levels = [f"glibc-hwcaps/{level}" for level in settings.levels]
        self._level_folders: dict[str, list[str]] = {}

    def names_of(self, path: str, soname: str | None) -> Sequence[str]:
        """Its path and its SONAME."""
        return (path, soname) if soname else (path,)

    def candidates(self, name: str, origin: str, chain: Chain) -> Iterator[Candidate]:
        """In the order of ld.so(8)."""
        if "/" in name:
            yield self._expand(origin, name), "path"
            return
        own: Binary | None = None
        for path, binary in chain:
            own = own or binary
            if own.runpath:
                break  # who has a RUNPATH is not helped by anybody's RPATH
            yield from self._below(self._expand_all(path, binary.rpath), name, "rpath")
        yield from self._below(self._folders, name, "LD_LIBRARY_PATH")
        if own is not None:
            yield from self._below(self._expand_all(origin, own.runpath), name, "runpath")
        cached = self._cached(name)
        if cached is not None:
            yield cached, "cache"
        yield from self._below(self._settings.defaults, name, "default")

    def _below(self, folders: Sequence[str], name: str, found_by: str) -> Iterator[Candidate]:
        for folder in folders:
            for place in self._with_levels(folder):
                if self._files.has(place, name):
                    yield f"{place}/{name}", found_by

    def _with_levels(self, folder: str) -> list[str]:
        """The folder behind those of its subfolders that are for such a processor."""
        if folder not in self._level_folders:
            has_any = bool(self._levels) and self._files.has(folder, "glibc-hwcaps")
            levels = [f"{folder}/{level}" for level in self._levels] if has_any else []
            self._level_folders[folder] = [*levels, folder]
        return self._level_folders[folder]

    def _cached(self, name: str) -> str | None:
        """The file that the cache has for the best of the processor's levels."""
        best: tuple[int, str] | None = None
        ranks = {level: rank for rank, level in enumerate(self._settings.levels)}
        for path, level in self._cache.get(name, ()):
            rank = len(ranks) if level is None else ranks.get(level)
            if rank is not None and (best is None or rank < best[0]):
                best = (rank, path)
        return best[1] if best else None

    def _expand_all(self, origin: str, folders: tuple[str, ...]) -> tuple[str, ...]:
        if not folders:
            return ()
        key = (origin, folders)
        if key not in self._expanded:
            few = folders[:MOST_FOLDERS]
            self._expanded[key] = tuple(self._expand(origin, folder) for folder in few)
        return self._expanded[key]

    def _expand(self, origin: str, text: str) -> str:
        """A path with $ORIGIN, $LIB and $PLATFORM replaced; an empty one is the working folder."""
        if "$" in text:
            words = {"ORIGIN": origin.rpartition("/")[0] or "/", **self._settings.words}
            for word, value in words.items():
                text = text.replace("${" + word + "}", value).replace("$" + word, value)
        return absolute(text, self._settings.cwd)


class Musl:
    """LD_LIBRARY_PATH, then the RPATH or RUNPATH of all who led here, then its list of folders."""

    keeps_paths = False

    def __init__(self, files: Files, settings: Settings, program: str, interpreter: str) -> None:
        self._files = files
        self._settings = settings
        self._program = program
        self._interpreter = interpreter
        self.preloaded = settings.preloaded

    def names_of(self, path: str, soname: str | None) -> Sequence[str]:  # noqa: ARG002
        """None: to musl only the name counts that was searched for."""
        return ()

    def candidates(self, name: str, origin: str, chain: Chain) -> Iterator[Candidate]:
        """In the order of musl's load_library."""
        if "/" in name:
            yield self._expand(origin, name), "path"
            return
        if name.startswith(_OF_LIBC):
            yield self._interpreter, "loaded"
            return
        yield from self._below(self._settings.folders, "", name, "LD_LIBRARY_PATH")
        for path, binary in chain:
            found_by = "runpath" if binary.runpath else "rpath"
            yield from self._below(binary.runpath or binary.rpath, path, name, found_by)
        yield from self._below(self._settings.defaults, "", name, "default")

    def _below(
        self, folders: Sequence[str], origin: str, name: str, found_by: str
    ) -> Iterator[Candidate]:
        for folder in folders[:MOST_FOLDERS]:
            place = self._expand(origin, folder)
            if self._files.has(place, name):
                yield f"{place}/{name}", found_by

    def _expand(self, origin: str, text: str) -> str:
        folder = origin.rpartition("/")[0] or "/"
        text = text.replace("${ORIGIN}", folder).replace("$ORIGIN", folder)
        return absolute(text, self._settings.cwd)


def absolute(path: str, cwd: str) -> str:
    """The path from the root, without a slash at its end."""
    if not path.startswith("/"):
        path = f"{cwd.rstrip('/')}/{path}" if path else cwd
    return path.rstrip("/") or "/"
