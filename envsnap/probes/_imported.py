"""Which distribution a file belongs to, by what its installer noted of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from envsnap.host import Host
from envsnap.inside.content import RECORD_LIMIT
from envsnap.probes._dist_info import Found, Metadata, source_folder
from envsnap.probes._record import rows
from envsnap.probes._registry import Look
from envsnap.probes._search import metadata, read, search
from envsnap.sections import Fact, Unknown

_WHOLE_FOLDERS = frozenset({"egg", "egg-link"})


def distributions_of(look: Look, paths: Iterable[str]) -> Fact[tuple[str, ...]]:
    """The distributions that these files of modules are from, sorted; unknown without a Python.

    A file that nobody brought, as a script of the user's own, counts for none.
    """
    interpreter = look.interpreter
    if isinstance(interpreter, Unknown):
        return interpreter
    host = look.host
    wanted = {each for path in paths for each in (path, _resolved(host, path))}
    names: set[str] = set()
    for found in search(host, interpreter.entries):
        if _holds(host, found, wanted):
            known = metadata(host, found)
            if isinstance(known, Metadata):
                names.add(known.name)
    return tuple(sorted(names, key=lambda name: (name.lower(), name)))


def _resolved(host: Host, path: str) -> str:
    """The path, the links in its folder resolved; an installer may link each file itself."""
    folder, _, name = path.rpartition("/")
    real = host.real(folder)
    return f"{real}/{name}" if isinstance(real, str) else path


def _holds(host: Host, found: Found, wanted: Iterable[str]) -> bool:
    """Whether one of the files is this distribution's."""
    source = _source(host, found)
    if source is not None and any(path.startswith(f"{source}/") for path in wanted):
        return True
    folders = {f"{found.folder}/", f"{_resolved(host, found.folder + '/')}"}
    inside = {path[len(each) :] for each in folders for path in wanted if path.startswith(each)}
    if not inside:
        return False
    if found.kind in _WHOLE_FOLDERS:
        return True
    return any(not inside.isdisjoint(row) for row in (_recorded(host, found), _told(host, found)))


def _source(host: Host, found: Found) -> str | None:
    """The folder of the project that an editable installation leads to, links resolved."""
    if found.kind == "egg-link":
        folder: str | None = found.source or found.project
    else:
        raw = read(host, found, "direct_url.json")
        folder = source_folder(raw) if isinstance(raw, bytes) else None
    real = host.real(folder) if folder else None
    return real if isinstance(real, str) else None


def _recorded(host: Host, found: Found) -> set[str]:
    """The files that RECORD names, as it writes them."""
    raw = read(host, found, "RECORD", limit=RECORD_LIMIT)
    return {row.path for row in rows(raw)} if isinstance(raw, bytes) else set()


def _told(host: Host, found: Found) -> set[str]:
    """The first files of what an egg-info names as its own at the top."""
    if found.kind != "egg-info":
        return set()
    raw = host.read(f"{found.path}/top_level.txt", limit=1 << 16)
    return set(_first_files(raw.decode("utf-8", "replace"))) if isinstance(raw, bytes) else set()


def _first_files(text: str) -> Iterator[str]:
    for name in filter(None, map(str.strip, text.split("\n"))):
        yield f"{name}.py"
        yield f"{name}/__init__.py"
