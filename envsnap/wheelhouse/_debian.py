"""Debian's packages without apt: which ones a wish needs beside what an image has. Pure.

apt chooses in the same way where nothing stands in its way: the newest version, the first of
alternatives, no recommended package. What is chosen here is installed by dpkg, which refuses a set
that lacks something.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from envsnap.errors import PlanError

_PARTS = re.compile(r"(\D*)(\d*)")
_WISH = re.compile(
    r"\A(?P<name>[a-z0-9][a-z0-9+.-]+)(?::[a-z0-9]+)?\s*"
    r"(?:\(\s*(?P<sign><<|<=|=|>=|>>|<|>)\s*(?P<version>[^\s)]+)\s*\))?\s*(?:\[[^\]]*\])?\Z"
)
_POOL = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9+._~/:%-]*/(?P<file>[a-z0-9][A-Za-z0-9+._~%-]*\.deb)\Z")
_SHA256 = re.compile(r"\A[0-9a-f]{64}\Z")
_RANKS = {"required": 0, "important": 1, "standard": 2}
_KEPT = frozenset(
    {"package", "version", "depends", "pre-depends", "provides", "filename", "size", "sha256",
     "source", "priority", "status"}
)  # fmt: skip

Key = tuple[Any, ...]


class Wish(NamedTuple):
    """A package, perhaps of some versions only."""

    name: str
    sign: str | None = None
    version: str | None = None


class Deb(NamedTuple):
    """One package as an index of a distribution lists it, or as it is installed."""

    name: str
    version: str
    depends: tuple[tuple[Wish, ...], ...]
    """Each of these is needed; of each, one."""
    provides: tuple[Wish, ...]
    source: str
    rank: int
    """How usual it is; 0 is what no system lacks."""
    path: str = ""
    """On its mirror; empty for what is installed."""
    size: int = 0
    sha256: str = ""

    @property
    def filename(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]


def version_key(version: str) -> Key:
    """What orders versions as dpkg does.

    >>> sorted(["1:0.9", "1.0", "1.0~rc1", "1.0-2", "1.0-10"], key=version_key)
    ['1.0~rc1', '1.0', '1.0-2', '1.0-10', '1:0.9']
    """
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "0")
    number = int(epoch) if epoch.isdecimal() else 0
    return (number, _part_key(upstream), _part_key(revision))


def _part_key(text: str) -> Key:
    found: list[object] = []
    for letters, digits in _PARTS.findall(text):
        found += [(*map(_order, letters), 0), int(digits or 0)]
    return (*found, (0,), 0)


def _order(char: str) -> int:
    if char == "~":
        return -1
    return ord(char) if char.isalpha() else ord(char) + 256


def stanzas(lines: Iterable[str]) -> Iterator[Mapping[str, str]]:
    """The fields of every paragraph that matter here, by their names in lower case."""
    found: dict[str, str] = {}
    last = ""
    for line in lines:
        if not line.strip():
            if found:
                yield found
            found, last = {}, ""
        elif line[0] in " \t":
            if last:
                found[last] += " " + line.strip()
        else:
            name, _, value = line.partition(":")
            last = name.lower() if name.lower() in _KEPT else ""
            if last:
                found[last] = value.strip()
    if found:
        yield found


def installed(status: str) -> Mapping[str, Deb]:
    """What an image's dpkg has installed, by name."""
    found = {}
    for each in stanzas(status.splitlines()):
        if each.get("status", "").split()[-1:] == ["installed"] and "package" in each:
            found[each["package"]] = _deb(each)
    return found


def listed(lines: Iterable[str]) -> Iterator[Deb]:
    """The packages of one index (Packages) that can be fetched; what is malformed is left out."""
    for each in stanzas(lines):
        path, size = each.get("filename", ""), each.get("size", "")
        is_plain = _POOL.match(path) and ".." not in path.split("/")
        if is_plain and size.isdecimal() and _SHA256.match(each.get("sha256", "")):
            yield _deb(each)._replace(path=path, size=int(size), sha256=each["sha256"])


def _deb(fields: Mapping[str, str]) -> Deb:
    needs = [fields.get("pre-depends", ""), fields.get("depends", "")]
    return Deb(
        fields.get("package", ""), fields.get("version", "0"),
        tuple(group for each in needs for group in _groups(each)),
        tuple(wish for group in _groups(fields.get("provides", "")) for wish in group),
        fields.get("source", fields.get("package", "")).partition(" ")[0],
        _RANKS.get(fields.get("priority", ""), len(_RANKS)),
    )  # fmt: skip


def _groups(text: str) -> list[tuple[Wish, ...]]:
    """A field of relations: each group by a comma, alternatives by a bar."""
    found = []
    for group in text.split(","):
        wishes = [_WISH.match(each.strip()) for each in group.split("|")]
        known = tuple(Wish(each["name"], each["sign"], each["version"]) for each in wishes if each)
        if known:
            found.append(known)
    return found


class Index:
    """All that mirrors offer: by name the newest first, and who stands in for what."""

    def __init__(self, debs: Iterable[Deb]) -> None:
        self._named: dict[str, list[Deb]] = {}
        self._providing: dict[str, list[Deb]] = {}
        for each in debs:
            self._named.setdefault(each.name, []).append(each)
            for wish in each.provides:
                self._providing.setdefault(wish.name, []).append(each)
        for found in self._named.values():
            found.sort(key=lambda each: version_key(each.version), reverse=True)

    def newest(self, name: str) -> Deb | None:
        """The newest of that very name."""
        return next(iter(self._named.get(name, [])), None)

    def candidate(self, wish: Wish) -> Deb | None:
        """What apt would take for a wish: a package of that name, else one that stands in."""
        of_name = [each for each in self._named.get(wish.name, []) if meets(each, wish)]
        if of_name:
            return of_name[0]
        others = [each for each in self._providing.get(wish.name, []) if meets(each, wish)]
        newest = [each for each in others if self.newest(each.name) == each]
        return min(newest, key=lambda each: (each.rank, each.name), default=None)


def meets(deb: Deb, wish: Wish) -> bool:
    """Whether a package is what a wish asks for, by its name or as what it stands in for."""
    if deb.name == wish.name and _fits(deb.version, wish):
        return True
    return any(
        each.name == wish.name
        and (wish.sign is None or (each.version is not None and _fits(each.version, wish)))
        for each in deb.provides
    )


def _fits(version: str, wish: Wish) -> bool:
    if wish.sign is None or wish.version is None:
        return True
    have, wanted = version_key(version), version_key(wish.version)
    match wish.sign:
        case "=":
            return have == wanted
        case "<<":
            return have < wanted
        case ">>":
            return have > wanted
        case "<=" | "<":
            return have <= wanted
        case _:
            return have >= wanted


def closure(wishes: Sequence[Wish], have: Mapping[str, Deb], index: Index) -> tuple[Deb, ...]:
    """Every package that must come so that the wishes are met, sorted by name.

    Where a package that is installed must become newer, what was built with it becomes so, too.

    Raises:
        PlanError: No mirror has one of them.
    """
    chosen: dict[str, Deb] = {}
    present = dict(have)
    waiting: list[tuple[tuple[Wish, ...], str]] = [((wish,), "the plan") for wish in wishes]
    while waiting:
        group, asked_by = waiting.pop(0)
        if any(meets(each, wish) for wish in group for each in _known(present, wish)):
            continue
        found = next((each for each in map(index.candidate, group) if each is not None), None)
        if found is None:
            raise PlanError(
                f"The distribution's mirror has no package {group[0].name!a}, which {asked_by} "
                "needs",
                hint="Build where there is a network, or name a base image that has it: "
                "--base-image REF",
            )
        for each in (found, *_siblings(found, present, index)):
            chosen[each.name] = present[each.name] = each
            waiting += [(needed, each.name) for needed in each.depends]
    return tuple(chosen[name] for name in sorted(chosen))


def _known(present: Mapping[str, Deb], wish: Wish) -> Iterator[Deb]:
    if wish.name in present:
        yield present[wish.name]
    yield from (each for each in present.values() if each.provides and each.name != wish.name)


def _siblings(found: Deb, present: Mapping[str, Deb], index: Index) -> list[Deb]:
    """The other packages of a source that are here already, where one of them becomes newer."""
    if found.name not in present:
        return []
    newer = [
        index.newest(name) for name, each in present.items()
        if each.source == found.source and name != found.name
    ]  # fmt: skip
    return [
        each for each in newer
        if each is not None and each.source == found.source and present[each.name] != each
        and version_key(each.version) > version_key(present[each.name].version)
    ]  # fmt: skip
