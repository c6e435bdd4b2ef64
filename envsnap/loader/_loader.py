"""What the linker would load for each of an environment's libraries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from envsnap.host import Binary, Host
from envsnap.loader._files import NOT_YET, Files
from envsnap.loader._frameworks import after, before
from envsnap.loader._place import Place
from envsnap.loader._process import Linked, Loaded, Process
from envsnap.loader._settings import search_of
from envsnap.sections import Fact, Reason, Unknown

_MOST_ROUNDS = 200
"""No chain of needs is longer; each round reads all files that the one before asked for."""


class Loader:
    """The linker of one Python program: its surroundings are read once, for all its libraries."""

    def __init__(
        self,
        host: Host,
        executable: str,
        *,
        path: Sequence[str] = (),
        known: Mapping[str, Binary] | None = None,
    ) -> None:
        """`path` is that Python's search path, `known` what was read before, by real path."""
        self._host = host
        self._executable = executable
        self._path = tuple(path)
        self._files = Files(host, known or {})
        self._base: Fact[Process] | None = None

    @property
    def binaries(self) -> Mapping[str, Binary | None]:
        """What every file that was looked at says of itself, by real path."""
        return self._files.binaries

    @property
    def unread(self) -> Mapping[str, Unknown]:
        """Files that would be loaded and could not be read: what they need is not known."""
        return self._files.unread

    def start(self) -> Fact[Process]:
        """The interpreter before its first import; unknown where it is no ELF program."""
        if self._base is None:
            self._base = self._started()
        return self._base if isinstance(self._base, Unknown) else self._base.copy()

    def closure(self, path: str) -> Fact[tuple[Linked, ...]]:
        """Every object that a fresh interpreter holds after dlopen of `path`, its own first."""
        found = self.closures([path])
        return found if isinstance(found, Unknown) else found[path]

    def closures(self, paths: Sequence[str]) -> Fact[Mapping[str, tuple[Linked, ...]]]:
        """The closure of each, in an interpreter of its own."""
        done: dict[str, tuple[Linked, ...]] = {}
        waiting = list(dict.fromkeys(paths))
        for _ in range(_MOST_ROUNDS):
            again = []
            for path in waiting:
                process = self.start()
                if isinstance(process, Unknown):
                    return process
                self.load(process, path)
                if process.is_whole:
                    done[path] = process.told()
                else:
                    again.append(path)
            if not again:
                return {path: done[path] for path in paths}
            self._files.fetch()
            waiting = again
        return Unknown(Reason.UNPARSABLE, "the libraries' needs lead from one to another forever")

    def load(self, process: Process, path: str) -> None:
        """Import one extension module, or open one library, as Python would."""
        place = Place(self._host, self._files, process, self._path)
        before(place, path)
        process.open(path)
        after(place, path)

    def fetch(self) -> None:
        """Read what a process met and nobody had read: then it can be played once more, whole."""
        self._files.fetch()

    def _started(self) -> Fact[Process]:
        real = self._files.real(self._executable)
        if real is None:
            return Unknown(Reason.NOT_SUPPORTED, "the interpreter's program is not there")
        self._files.binary(real)
        self._files.fetch()
        binary = self._files.binary(real)
        if real in self._files.unread:
            return self._files.unread[real]
        if binary is None or binary is NOT_YET:
            return Unknown(Reason.NOT_SUPPORTED, "the interpreter is no ELF program")
        if not binary.interpreter:
            return Unknown(Reason.NOT_SUPPORTED, "the interpreter is linked statically")
        search = search_of(self._host, self._files, real, binary)
        for _ in range(_MOST_ROUNDS):
            process = Process.started(self._files, search, Loaded(real, real, binary, None))
            if process.is_whole:
                return process
            self._files.fetch()
        return Unknown(Reason.UNPARSABLE, "the interpreter's needs lead on forever")
