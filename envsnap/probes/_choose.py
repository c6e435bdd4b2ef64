"""Which environment to capture: the one its user works in, never the one envsnap runs in."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap._typing import NamedTuple
from envsnap.errors import UsageError
from envsnap.host import Host, Stat
from envsnap.sections import Fact, Reason, Unknown

_ROOT = 0


class Candidate(NamedTuple):
    """An environment that was seen."""

    executable: str
    kind: str
    """venv, broken, foreign, conda, conda base, system, named."""
    name: str
    why: str


class Choice(NamedTuple):
    """The environment to capture, and those that were seen beside it."""

    chosen: Candidate
    others: tuple[Candidate, ...]


def choose(host: Host, python: str | None, ours: str | None = None) -> Fact[Choice]:
    """The environment to capture; an unknown where the host shows no Python to start.

    Order: what was named; the active environment whose interpreter `python` on PATH is;
    `.venv` here or upward; conda's base and the system's Python last. What was not named and
    is somebody else's is only told of: to start it is to run their code.

    Raises:
        UsageError: `python` names no interpreter.
    """
    seen = list(_seen(host, ours))
    if python is not None:
        chosen = _named(host, python)
    elif own := [each for each in seen if each.kind != "foreign"]:
        chosen = own[0]
    elif seen:
        return Unknown(Reason.NO_PERMISSION, f"{seen[0].name} was not read: {seen[0].why}")
    else:
        return Unknown(Reason.TOOL_MISSING, "no Python was found")
    first_seen: dict[str, Candidate] = {}
    for each in seen:
        first_seen.setdefault(each.executable, each)
    first_seen.pop(chosen.executable, None)
    return Choice(chosen, (*_broken(host), *first_seen.values()))


def _seen(host: Host, ours: str | None) -> Iterator[Candidate]:
    yield from _active(host)
    yield from _beside(host)
    yield from _last_resorts(host, ours)


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
    for number, folder in enumerate(_upward(host)):
        found = _interpreter_in(host, f"{folder}/.venv")
        if found and _is_foreign(host, f"{folder}/.venv", found):
            yield Candidate(found, "foreign", ".venv", "owned by somebody else")
        elif found:
            why = ".venv in a folder above" if number else ".venv here"
            yield Candidate(found, "venv", ".venv", why)


def _is_foreign(host: Host, prefix: str, executable: str) -> bool:
    """Whether somebody other than this user and root put it there.

    A link is its folder's owner's, wherever it leads: software of a whole site is often a service
    account's. Where no owner was recorded nothing is started either.
    """
    user = host.user()
    trusted = {None, _ROOT} if isinstance(user, Unknown) else {None, _ROOT, user[1]}
    places = [prefix, executable.rpartition("/")[0]]
    if not isinstance(host.link(executable), str):
        places.append(executable)
    stats = [host.stat(place) for place in places]
    return any(isinstance(found, Stat) and found.owner not in trusted for found in stats)


def _broken(host: Host) -> Iterator[Candidate]:
    """The `.venv` here, where its interpreter is gone: its user must hear that it was not read."""
    here = next(_upward(host), None)
    if here is None or _interpreter_in(host, f"{here}/.venv"):
        return
    mark = host.stat(f"{here}/.venv/pyvenv.cfg")
    if not isinstance(mark, Unknown) and mark is not None and mark.kind == "file":
        yield Candidate("", "broken", ".venv", "its interpreter is gone")


def _upward(host: Host) -> Iterator[str]:
    """The current folder and those above it, without a slash at the end.

    They end with the repository or the home folder that the current one lies in. Where it lies in
    neither there is none above: a `.venv` in /tmp or /data is nobody's in particular.
    """
    start = host.cwd()
    if isinstance(start, Unknown):
        return
    folders = [start.rstrip("/")]
    while folders[-1]:
        folders.append(folders[-1].rpartition("/")[0])
    homes = _homes(host)
    for last, folder in enumerate(folders):
        if folder in homes or isinstance(host.stat(f"{folder}/.git"), Stat):
            yield from folders[: last + 1]
            return
    yield folders[0]


def _homes(host: Host) -> set[str]:
    """The home folder, as it is called and as it is: the current folder is told without links."""
    home = host.home()
    if not isinstance(home, str):
        return set()
    real = host.real(home)
    return {each.rstrip("/") for each in (home, real) if isinstance(each, str)}


def _last_resorts(host: Host, ours: str | None) -> Iterator[Candidate]:
    prefix = _text(host, "CONDA_PREFIX")
    if prefix:
        found = _interpreter_in(host, prefix)
        if found:
            name = _last(_text(host, "CONDA_DEFAULT_ENV") or prefix)
            kind = "conda base" if name == "base" else "conda"
            yield Candidate(found, kind, name, "named by CONDA_PREFIX; nothing nearer")
    for name in ("python3", "python"):
        for found in _all_on_path(host, name):
            if ours is None or not _lies_in(host, found, ours):
                yield Candidate(found, "system", name, "first on PATH; nothing nearer")
                return


def _all_on_path(host: Host, name: str) -> Iterator[str]:
    """Each program of that name on PATH; the first by the host's own rules."""
    first = _which(host, name)
    if first is None:
        return
    yield first
    for folder in (_text(host, "PATH") or "").split(":"):
        candidate = f"{folder}/{name}"
        found = host.stat(candidate) if folder.startswith("/") and candidate != first else None
        if not isinstance(found, Unknown) and found is not None and found.kind == "file":
            yield candidate


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
