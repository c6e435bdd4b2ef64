"""What the manifest inside an image states otherwise than the published one, beside the facts.

Its facts have one digest. A lock, what the author insists on and how it was captured have none, and
whoever reads the image later takes them from the manifest inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envsnap._typing import NamedTuple
from envsnap.manifest import Manifest, canonical_name, document, environment_id
from envsnap.sections import MADE_HERE, Packages, Unknown

_DERIVED = frozenset({"about", "environment", "facts_digest", "machine", "lock", "sections"})
"""What is made of the rest, or is compared on its own."""
_FILES = frozenset({"artifacts", "conda", "unlocked"})
"""What a lock lists."""
_ABSENT = "not there"
_MOST = 80
"""Characters of a value that are shown."""
_LEARNED = frozenset({"size", "sha256", "md5"})
"""What the file itself tells once it was fetched."""


class Stated(NamedTuple):
    """What is stated otherwise."""

    digests: tuple[str, str]
    """Of the facts: the published manifest's, and that of the one inside."""
    facts: list[str]
    """The facts that differ, as `path: published -> inside`: for what no rule has words."""
    files: list[str]
    """The packages of which the lock names other files, each with what differs."""
    rest: list[str]
    """All else, each as `path: published -> inside`."""


def otherwise(published: Manifest, inside: Manifest) -> Stated:
    """Everything that the manifest inside states otherwise.

    A build locks a manifest that has no lock, or that of another environment. One that fetches
    everything first writes into the lock what it learned, or made here where there was no file.
    """
    theirs, ours = document(published), document(inside)
    digests = (theirs["facts_digest"], ours["facts_digest"])
    is_other = digests[0] != digests[1]
    facts = [*_members("sections.", theirs["sections"], ours["sections"])] if is_other else []
    rest = [*_members("", _plain(theirs), _plain(ours))]
    rest += _differing("sections.moment", *(_moment(each) for each in (theirs, ours)))
    if published.lock is None or published.lock.environment != environment_id(published):
        return Stated(digests, facts, [], rest)
    if inside.lock is None:
        return Stated(digests, facts, [], [*rest, f"lock: there -> {_ABSENT}"])
    locks = (theirs["lock"], ours["lock"])
    parts = [{key: each[key] for key in each.keys() - _FILES} for each in locks]
    rest += _members("lock.", *parts)
    files = [*_artifacts(*locks, _contents(published)), *_of_conda(*locks)]
    return Stated(digests, facts, files, rest)


def _plain(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in tree.items() if key not in _DERIVED}


def _moment(tree: Mapping[str, Any]) -> object:
    return tree["sections"].get("moment", _ABSENT)


def _members(start: str, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted({*wanted, *found}):
        yield from _differing(f"{start}{key}", wanted.get(key, _ABSENT), found.get(key, _ABSENT))


def _differing(path: str, wanted: object, found: object) -> Iterator[str]:
    if wanted == found and type(wanted) is type(found):
        return
    if isinstance(wanted, dict) and isinstance(found, dict):
        yield from _members(f"{path}.", wanted, found)
    else:
        yield f"{path}: {_words(wanted)} -> {_words(found)}"


def _words(value: object) -> str:
    text = str(value)
    return text if len(text) <= _MOST else f"{text[:_MOST]}..."


def _contents(published: Manifest) -> Mapping[str, object]:
    """What the published manifest has installed of each package, by canonical name."""
    packages = published.section(Packages)
    if isinstance(packages, Unknown) or isinstance(packages.installed, Unknown):
        return {}
    return {canonical_name(each.name): each.content for each in packages.installed if each.active}


def _artifacts(
    wanted: Mapping[str, Any], found: Mapping[str, Any], contents: Mapping[str, object]
) -> Iterator[str]:
    """The packages of which other files are named, or the same in another way."""
    both = [_by_name(each["artifacts"]) for each in (wanted, found)]
    lost = [_by_name(each["unlocked"]) for each in (wanted, found)]
    for name in sorted({*both[0], *both[1]}):
        theirs, ours = (each.get(name, []) for each in both)
        content = contents.get(canonical_name(name))
        if len(theirs) == len(ours) == 1:
            yield from _row(name, theirs[0], ours[0], content)
        elif len(ours) > 1:
            yield f"{name} ({len(ours)} files)"
        elif not (name in lost[0] and not theirs and _is_made(ours[0], content)):
            yield name
    for name in sorted(lost[1].keys() - lost[0].keys() - both[0].keys()):
        yield f"{name} (none)"


def _of_conda(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    both = [_by_name(each.get("conda", [])) for each in (wanted, found)]
    for name in sorted({*both[0], *both[1]}):
        theirs, ours = (each.get(name, []) for each in both)
        if len(theirs) == len(ours) == 1:
            yield from _row(name, theirs[0], ours[0], None)
        elif theirs != ours:
            yield f"{name} ({len(ours)} files)" if ours else name


def _by_name(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for each in rows:
        found.setdefault(each["name"], []).append(each)
    return found


def _row(
    name: str, wanted: Mapping[str, Any], found: Mapping[str, Any], content: object
) -> Iterator[str]:
    """The package's name with what differs; alone where it is another file."""
    differs = [
        key
        for key in sorted({*wanted, *found})
        if wanted.get(key) != found.get(key) and not _is_learned(key, wanted, found, content)
    ]
    if differs:
        yield name if "sha256" in differs else f"{name} ({', '.join(differs)})"


def _is_learned(
    key: str, wanted: Mapping[str, Any], found: Mapping[str, Any], content: object
) -> bool:
    """Whether a build that fetched the file has written there what nobody knew before."""
    is_unknown = wanted.get(key) is None or isinstance(wanted[key], dict)
    if key == "content":
        return is_unknown and _fits(found, content)
    if key == "is_installed":
        is_proved = isinstance(content, str) and found.get("content") == content
        return found.get(key) is True and is_proved
    return is_unknown and key in _LEARNED


def _is_made(row: Mapping[str, Any], content: object) -> bool:
    """Whether a file is one that was made here of a package that had none."""
    return row.get("how") in MADE_HERE and row.get("url") is None and _fits(row, content)


def _fits(row: Mapping[str, Any], content: object) -> bool:
    """Whether a file installs what the published manifest has, as far as that has a digest."""
    return not isinstance(content, str) or row.get("content") in {None, content}
