"""What was taken away in an image: files of lower layers or of the base, and the right to read one.

What is missing can be worse than what was added: another Python, library or module is found in its
place. The files that are there show nothing of it, so they are held against those of before.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Collection, Iterator

from envsnap._typing import NamedTuple
from envsnap.images import Config, Entry, ImageTree
from envsnap.inside import around, compared
from envsnap.proof._environment import Environment
from envsnap.proof._layers import Lowest
from envsnap.proof._model import NotProved, Tampered
from envsnap.proof._outside import PYTHONS, SEARCHED, Base, first_layer, is_ours

USERS = "/etc/passwd"
"""Where an image has its users' numbers."""
_OF_STEPS = re.compile(
    r"/var/lib/(?:apt/lists/|dpkg/[^/]+-old\Z)|/var/cache/(?:apt/|ldconfig/aux-cache\Z)"
    r"|/var/cache/debconf/[^/]+-old\Z|/var/log/(?:apt/|[^/]+\.log\Z)"
    r"|/etc/apt/sources\.list\.d/(?:cuda|nvidia-ml)[^/]*\.list\Z"
    r"|/(?:tmp|run|var/tmp)/|.*/__pycache__/[^/]+\.pyc\Z",
    re.DOTALL,
)
"""What install.sh and dpkg take away, what an engine lays its own over, and caches, without which
Python reads the sources."""
_DIGITS = 10
"""More no number of a user has."""
_READ, _ENTER = 0o4, 0o1
_Ids = tuple[int, int]
"""A user's number, and the number of its group."""
_NOBODY: _Ids = (-1, -1)
"""A user who owns nothing."""


class _Before(NamedTuple):
    """Files that an image had, or should have."""

    tree: ImageTree
    words: str
    """What is said of one that is not there."""
    is_late: bool
    """Whether all of the environment's first layer was there by then."""


def taken_away(
    environment: Environment, named: Collection[str], base: Base | None, lowest: Lowest | None
) -> tuple[list[Tampered], list[NotProved]]:
    """What lower layers or the base image had, and is gone, or can no longer be read by everybody.

    It is judged as what was changed is: programs, libraries and Python after the environment was
    made are differences, and so is Python at any time; the rest is not proved.
    """
    found: dict[str, tuple[str, bool]] = {}
    for before in _before(environment, base, lowest):
        for path, was in sorted(before.tree.entries.items()):
            why = _why(environment.tree, path, was)
            if why is None or _is_judged(path, environment, named):
                continue
            top = _top(environment.tree, path)
            is_bad = _is_difference(path, environment, is_late=before.is_late)
            words, was_bad = found.get(top, (f"{top} {why or before.words}", False))
            found[top] = (words, is_bad or was_bad)
    tampered = [
        Tampered("outside", words, path=top) for top, (words, is_bad) in found.items() if is_bad
    ]
    left = tuple(top for top, (_, is_bad) in found.items() if not is_bad)
    says = "outside of the environment, there before it or in the base image, and taken away"
    return tampered, [NotProved("outside", says, left)] if left else []


def _before(
    environment: Environment, base: Base | None, lowest: Lowest | None
) -> Iterator[_Before]:
    """What the image's files are held against; an image of one layer has no earlier ones."""
    of_base = "of the base image is not there"
    if base is not None and base.tree is not None:
        yield _Before(base.tree, of_base, is_late=False)
        return
    count = len(base.config.diff_ids) if base is not None else 0
    made = max(first_layer(environment) + 1, count)
    if lowest is not None and made < len(environment.tree.layers):
        yield _Before(lowest(made), "was taken away after the environment was made", is_late=True)
    if lowest is not None and 0 < count < made:
        yield _Before(lowest(count), of_base, is_late=False)


def _why(tree: ImageTree, path: str, was: Entry) -> str | None:
    """What became of a path, empty for one that is gone; None where it is still of use."""
    here = tree.entries.get(path)
    if was.kind == "folder":
        is_lost = here is not None and here.kind == "folder" and _is_less(was, here)
    elif was.kind == "other":
        return None  # a device or a socket, which engines leave out
    elif here is None:
        return "" if tree.real(path) is None else None
    elif here.kind == "folder":
        return "is a folder now, and was none"
    else:
        is_lost = here.kind == was.kind == "file" and _is_less(was, here)
    return "can no longer be read by everybody" if is_lost else None


def _is_less(was: Entry, here: Entry) -> bool:
    need = _READ | _ENTER if was.kind == "folder" else _READ
    return was.mode & need == need and here.mode & need != need


def _is_judged(path: str, environment: Environment, named: Collection[str]) -> bool:
    """Whether nobody minds that it is gone, or something else says so."""
    if _is_start(path, environment):
        return False
    return bool(_OF_STEPS.match(path)) or is_ours(path, environment, named)


def _is_start(path: str, environment: Environment) -> bool:
    """Whether it makes of a folder an environment, which no package's list of files has."""
    folder, name = posixpath.split(path)
    if environment.conda:
        return False
    if folder == f"{environment.prefix}/bin":
        return around.is_pythons(os.fsencode(name))
    return path == f"{environment.prefix}/pyvenv.cfg"


def _is_difference(path: str, environment: Environment, *, is_late: bool) -> bool:
    is_run = bool(SEARCHED.match(f"{path}/")) or _is_start(path, environment)
    return (is_late and is_run) or path.startswith(PYTHONS)


def _top(tree: ImageTree, path: str) -> str:
    """The highest folder that is gone with a path; the path itself where its folder is there."""
    folder = posixpath.dirname(path)
    while folder not in tree.entries and folder != "/":
        path, folder = folder, posixpath.dirname(folder)
    return path


def startless(environment: Environment) -> Iterator[Tampered]:
    """An environment without a Python of its own: whoever starts `python` gets the next on PATH."""
    folder = f"{environment.prefix}/bin"
    if not any(f"{folder}/{name}" in environment.tree.entries for name in ("python", "python3")):
        says = f"{folder} has no python: another one starts in its place"
        yield Tampered("interpreter", says, path=f"{folder}/python")


def unreadable(
    environment: Environment, named: Collection[str], config: Config
) -> tuple[list[Tampered], list[NotProved]]:
    """Files and folders of the environment and of Python that the image's user cannot read.

    Where nobody may read a module Python goes on without it. Root reads everything, but who starts
    the image as somebody else does not: of such an image it is a doubt.
    """
    user = _user(config.user, environment.tree)
    if user[0] != 0:
        found = list(_shut(environment, named, user))
        return [
            Tampered(
                "unreadable",
                f"{path} cannot be read by the image's user: its mode is {entry.mode:o}",
                path=path,
                layer=entry.layer,
            )
            for path, entry in found
        ], []
    names = tuple(path for path, _ in _shut(environment, named, _NOBODY, above=user))
    says = "files or folders that root alone can read: whoever starts it as another user cannot"
    return [], [NotProved("unreadable", says, names)] if names else []


def _shut(
    environment: Environment, named: Collection[str], user: _Ids, above: _Ids | None = None
) -> Iterator[tuple[str, Entry]]:
    """The highest paths that a user cannot read; `above` enters the folders around them."""
    tree = environment.tree
    libraries = tuple(_libraries(environment))
    wanted = set(_wanted(environment, named, libraries))
    folders = {folder for path in wanted for folder in _above(path)}
    own = (environment.prefix, *libraries)
    told: set[str] = set()
    for path in sorted(wanted | folders):
        entry = tree.entries[path]
        is_own = path in own or path.startswith(tuple(f"{each}/" for each in own))
        if entry.kind not in {"file", "folder"} or told.intersection(_above(path)):
            continue
        need = _READ if entry.kind == "file" else _READ | _ENTER if is_own else _ENTER
        if not _may(entry, need, user if is_own else above or user):
            told.add(path)
            yield path, entry


def _libraries(environment: Environment) -> Iterator[str]:
    """The folders of Python's own modules, and of the environment's."""
    home = compared.settings(environment.config or b"").get("home", "")
    for site in environment.sites:
        folder = posixpath.dirname(site)
        yield folder
        if home.startswith("/"):
            yield f"{posixpath.dirname(home.rstrip('/'))}/lib/{posixpath.basename(folder)}"


def _wanted(
    environment: Environment, named: Collection[str], libraries: tuple[str, ...]
) -> Iterator[str]:
    """What the environment's Python reads, as far as it is there."""
    tree = environment.tree
    starts = (f"{environment.prefix}/pyvenv.cfg", tree.real(f"{environment.prefix}/bin/python"))
    yield from (path for path in (*starts, *environment.sites) if path in tree.entries and path)
    yield from (path for path in named if path in tree.entries)
    sites = tuple(f"{each}/" for each in (*environment.sites, *_sites(libraries)))
    own = tuple(f"{each}/" for each in libraries)
    for path in tree.entries:
        if path.startswith(own) and not path.startswith(sites):
            yield path


def _sites(libraries: tuple[str, ...]) -> Iterator[str]:
    """What lies in a library's folder and is read only where a package is asked for."""
    return (f"{each}/{name}" for each in libraries for name in ("site-packages", "dist-packages"))


def _above(path: str) -> list[str]:
    """The folders that a path lies in, without the root, of which no layer says anything."""
    found = []
    while (path := posixpath.dirname(path)) not in {"/", ""}:
        found.append(path)
    return found


def _may(entry: Entry, need: int, user: _Ids) -> bool:
    """Whether a user may do it; where the file's group may, that he is not in it is not known."""
    shift = 6 if entry.owner[0] == user[0] else 3 if entry.owner[1] == user[1] else 0
    in_group = shift == 0 and user != _NOBODY and (entry.mode >> 3) & need == need
    return in_group or (entry.mode >> shift) & need == need


def _user(said: str, tree: ImageTree) -> _Ids:
    """The numbers of the user that a configuration names; of a SIF's it is whoever starts it."""
    if tree.is_sif:
        return _NOBODY
    name, _, group = (said or "0").partition(":")
    number, own_group = (int(name), 0) if _is_number(name) else _NOBODY
    for line in (tree.contents.get(USERS) or b"").decode("utf-8", "replace").split("\n"):
        row = line.split(":")
        is_one = len(row) > 3 and _is_number(row[2]) and _is_number(row[3])  # noqa: PLR2004
        if is_one and name in {row[0], row[2]}:
            number, own_group = int(row[2]), int(row[3])
            break
    return number, int(group) if _is_number(group) else own_group


def _is_number(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) <= _DIGITS
