"""Which environment to capture: the one its user works in, never the one envsnap runs in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from envsnap.errors import UsageError
from envsnap.host import Host
from envsnap.sections import Unknown


class Candidate(NamedTuple):
    """An environment that was seen."""

    executable: str
    kind: str
    """venv, conda, conda base, system, named."""
    name: str
    why: str


class Choice(NamedTuple):
    """The environment to capture, and those that were seen beside it."""

    chosen: Candidate
    others: tuple[Candidate, ...]


def choose(host: Host, python: str | None) -> Choice | None:
    """The environment to capture; None where the host shows no Python at all.

    Order: what was named; the active environment whose interpreter `python` on PATH is;
    `.venv` here or upward; conda's base and the system's Python last.

    Raises:
        UsageError: `python` names no interpreter.
    """
    seen = list(_seen(host))
    if python is not None:
        chosen = _named(host, python)
    elif seen:
        chosen = seen[0]
    else:
        return None
    first_seen: dict[str, Candidate] = {}
    for each in seen:
        first_seen.setdefault(each.executable, each)
    first_seen.pop(chosen.executable, None)
    return Choice(chosen, tuple(first_seen.values()))


def _seen(host: Host) -> Iterator[Candidate]:
    yield from _active(host)
    yield from _beside(host)
    yield from _last_resorts(host)


def _active(host: Host) -> Iterator[Candidate]:
    on_path = _which(host, "python") or _which(host, "python3")
    prefix = _text(host, "VIRTUAL_ENV")
    if prefix and on_path and _lies_in(host, on_path, prefix):
        yield Candidate(on_path, "venv", _last(prefix), "active")
    prefix = _text(host, "CONDA_PREFIX")
    name = _text(host, "CONDA_DEFAULT_ENV") or _last(prefix or "")
    if prefix and on_path and name != "base" and _lies_in(host, on_path, prefix):
        yield Candidate(on_path, "conda", _last(name), "active")


def _beside(host: Host) -> Iterator[Candidate]:
    folder = host.cwd()
    if isinstance(folder, Unknown):
        return
    above = False
    while True:
        found = _interpreter_in(host, folder.rstrip("/") + "/.venv")
        if found:
            why = ".venv in a folder above" if above else ".venv here"
            yield Candidate(found, "venv", ".venv", why)
        above = True
        parent = folder.rstrip("/").rpartition("/")[0] or "/"
        if parent == folder:
            return
        folder = parent


def _last_resorts(host: Host) -> Iterator[Candidate]:
    prefix = _text(host, "CONDA_PREFIX")
    if prefix:
        found = _interpreter_in(host, prefix)
        if found:
            name = _last(_text(host, "CONDA_DEFAULT_ENV") or prefix)
            kind = "conda base" if name == "base" else "conda"
            yield Candidate(found, kind, name, "named by CONDA_PREFIX; nothing nearer")
    for name in ("python3", "python"):
        found = _which(host, name)
        if found:
            yield Candidate(found, "system", name, "first on PATH; nothing nearer")
            return


def _named(host: Host, python: str) -> Candidate:
    where = python
    if not where.startswith("/") and where[1:2] != ":":
        folder = host.cwd()
        where = f"{folder}/{python}" if isinstance(folder, str) else python
    is_bare = "/" not in python and "\\" not in python
    # A folder `env` here comes before the program /usr/bin/env; any other bare name is a program's.
    if is_bare and not _interpreter_in(host, where) and (found := _which(host, python)):
        return Candidate(found, "named", _last(python), "named with --python")
    found_stat = host.stat(where)
    if isinstance(found_stat, Unknown):
        raise UsageError(
            f"Cannot look at {python}: {found_stat}", hint="Name another with --python"
        )
    if found_stat is not None and found_stat.kind == "file":
        return Candidate(where, "named", _title(where), "named with --python")
    inside = _interpreter_in(host, where.rstrip("/")) if found_stat else None
    if inside is None:
        what = "holds no interpreter" if found_stat else "does not exist"
        raise UsageError(
            f"{python} {what}", hint="Name an interpreter or an environment's folder with --python"
        )
    return Candidate(inside, "named", _last(where), "named with --python")


def _interpreter_in(host: Host, prefix: str) -> str | None:
    for name in ("bin/python", "bin/python3", "Scripts/python.exe", "python.exe"):
        found = host.stat(f"{prefix}/{name}")
        if not isinstance(found, Unknown) and found is not None and found.kind == "file":
            return f"{prefix}/{name}"
    return None


def _lies_in(host: Host, executable: str, prefix: str) -> bool:
    folder = executable.replace("\\", "/").rpartition("/")[0]
    inside = prefix.rstrip("/\\").replace("\\", "/")
    if folder in {f"{inside}/bin", f"{inside}/Scripts", inside}:
        return True
    real_folder, real_prefix = host.real(folder), host.real(inside)
    known = isinstance(real_folder, str) and isinstance(real_prefix, str)
    return known and real_folder in {f"{real_prefix}/bin", f"{real_prefix}/Scripts"}


def _which(host: Host, name: str) -> str | None:
    found = host.which(name)
    return found if isinstance(found, str) else None


def _title(executable: str) -> str:
    """What people call the environment of an interpreter: its folder's name."""
    folder, _, name = executable.replace("\\", "/").rpartition("/")
    return _last(folder.removesuffix("/bin").removesuffix("/Scripts")) or name


def _text(host: Host, name: str) -> str | None:
    found = host.environ(name)
    return found if isinstance(found, str) and found else None


def _last(path: str) -> str:
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2]
