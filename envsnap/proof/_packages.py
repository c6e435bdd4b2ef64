"""System packages in an image: whose a file is that neither the base image nor a wheel brought.

dpkg's own lists in the image say it, and whoever made the image could have written those, too. Its
md5sums are no better, and are not read. So such files are counted as their package's, and stay not
proved: they get a code of their own, so that they can be accepted without all the rest.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from envsnap.errors import EnvsnapError
from envsnap.images import Config, ImageTree
from envsnap.manifest import Manifest
from envsnap.plan import PlanOptions
from envsnap.plan._candidate import parsed
from envsnap.plan._compiled import asks_of
from envsnap.plan._model import Interpreter
from envsnap.plan._system import system_packages_of
from envsnap.plan._system_versions import (
    STATUS,
    Versions,
    closure,
    differing_from,
    versions_of,
)
from envsnap.proof._model import NotProved, SystemRows
from envsnap.proof._outside import Base
from envsnap.wheelhouse._debian import installed

LISTS = "/var/lib/dpkg/info"
"""Where dpkg keeps which files are whose."""
_BASE_NAME = "org.opencontainers.image.base.name"
_PYTHON = "/opt/python"
_TRACES = re.compile(
    r"/var/lib/(?:dpkg|apt)/|/var/cache/(?:apt|debconf|ldconfig)/|/etc/ld\.so\.cache\Z"
    r"|/etc/alternatives/"
)
"""What dpkg, apt and ldconfig write themselves."""
_NEVER = re.compile(
    r"/(?:usr/local|opt|home|root|srv|tmp|run|mnt|media|dev|proc|sys)/"
    r"|/etc/(?:ld\.so\.(?:conf|preload)|profile|cron|anacron)|/var/spool/(?:ana)?cron/|.*\.pth\Z",
    re.DOTALL,
)
"""Where no package of a distribution has files, or they steer what others start."""
_SET_ID = 0o6000
_SAYS = (
    "of system packages that the environment asks for, and of dpkg: its lists in the image say "
    "that these {count} files are theirs, and no digest of their archives is known"
)


def sorted_out(
    tree: ImageTree, found: Sequence[NotProved], wanted: Manifest, known: tuple[Config, Base | None]
) -> list[NotProved]:
    """What is outside of the environment, with what is of system packages apart from the rest.

    `known` is what the image says of itself, and its base image where a registry was asked.
    """
    return [part for each in found for part in _parts(tree, each, wanted, known)]


def _parts(
    tree: ImageTree, found: NotProved, wanted: Manifest, known: tuple[Config, Base | None]
) -> Iterator[NotProved]:
    config, base = known
    over = frozenset(each for each in found.names if _is_over(tree, each, base))
    new = _new([each for each in found.names if each not in over])
    new = new if found.code == "outside" else {}
    names = asked_for(tree, wanted, config) if new else frozenset()
    if not names:
        yield found
        return
    have = installed((tree.contents.get(STATUS) or b"").decode("utf-8", "replace"))
    theirs = {name: new[name] for name in sorted(closure(names, have)) if name in new}
    owned = frozenset(_owned(tree, theirs.values())) - over
    is_theirs = {each: each in owned or _is_trace(each, over) for each in found.names}
    if theirs:
        said = tuple(f"{name} {have[name].version}" for name in theirs)
        yield NotProved("system", _SAYS.format(count=f"{sum(is_theirs.values()):,}"), said)
    rest = tuple(each for each in found.names if not (theirs and is_theirs[each]))
    if rest:
        yield found._replace(names=rest)


def _new(paths: Sequence[str]) -> Mapping[str, str]:
    """The lists among these files, by the package's name."""
    lists = [each for each in paths if each.startswith(f"{LISTS}/") and each.endswith(".list")]
    return {each[len(LISTS) + 1 : -len(".list")].partition(":")[0]: each for each in lists}


def _is_over(tree: ImageTree, path: str, base: Base | None) -> bool:
    """Whether something was at a place before: what a new package brings is over nothing."""
    if base is not None and base.tree is not None:
        return path in base.tree.entries
    return bool(tree.replaced.get(path))


def _is_trace(path: str, over: Collection[str]) -> bool:
    """Whether dpkg, apt or ldconfig write this file themselves; lists and links only anew."""
    is_whose = path.startswith((f"{LISTS}/", "/etc/alternatives/"))
    return bool(_TRACES.match(path)) and not (is_whose and path in over)


def _owned(tree: ImageTree, lists: Collection[str]) -> Iterator[str]:
    """The files that these lists name, as they lie in the image: /lib is most often /usr/lib."""
    for path in lists:
        text = (tree.contents.get(path) or b"").decode("utf-8", "surrogateescape")
        for line in text.split("\n"):
            folder, _, name = line.rpartition("/")
            real = tree.real(folder) if folder.startswith("/") else None
            place = f"{(real or folder).rstrip('/')}/{name}"
            entry = tree.entries.get(place)
            if not _NEVER.match(place) and not (entry is not None and entry.mode & _SET_ID):
                yield place


def asked_for(tree: ImageTree, wanted: Manifest, config: Config) -> frozenset[str]:
    """The system packages that a plan of this manifest installs onto the base image it names."""
    try:
        base = parsed(config.labels.get(_BASE_NAME, ""), _BASE_NAME)
        lock = wanted.lock
        is_compiled = _PYTHON in tree.entries
        python = Interpreter(how="compiled", executable=f"{_PYTHON}/bin/python3")
        more = asks_of(python, "", base) if is_compiled else ()
        chosen = lock.artifacts if lock is not None else ()
        options = PlanOptions(allow_missing=True)
        system, _ = system_packages_of(wanted, base, chosen, options, more=more)
    except EnvsnapError:
        return frozenset()
    return frozenset(each.name for each in system.image)


def rows(tree: ImageTree, known: Versions | None) -> SystemRows | None:
    """The system packages in an image beside those that a record has; None where it has none."""
    if known is None:
        return None
    found = versions_in(tree, known.asked)
    both = ({**each.asked, **each.besides} for each in (known, found))
    wanted, there = both
    same = sum(there.get(name) == version for name, version in wanted.items())
    return SystemRows(same, differing_from(known, found))


def versions_in(tree: ImageTree, names: Collection[str]) -> Versions:
    """The versions of these system packages in an image, and of what they depend on."""
    return versions_of(tree.contents.get(STATUS) or b"", names)
