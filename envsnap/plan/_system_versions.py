"""Which versions an image got of the system packages that its plan installs, as its dpkg says."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from envsnap._typing import NamedTuple
from envsnap.plan._model import SystemPackages, Why
from envsnap.wheelhouse._debian import Deb, Wish, installed, meets

STATUS = "/var/lib/dpkg/status"
"""Where an image of Debian or Ubuntu keeps what is installed in it."""
STATUS_LIMIT_BYTES = 32 << 20
_MOST = 2000
_NAME = re.compile(r"\A[a-z0-9][a-z0-9+.-]{1,200}\Z")
_VERSION = re.compile(r"\A[0-9A-Za-z.+:~-]{1,200}\Z")


class Versions(NamedTuple):
    """System packages with their versions, by name."""

    asked: Mapping[str, str]
    """Those that the plan names."""
    besides: Mapping[str, str]
    """Those that came with them, or were there: what they depend on, all the way down."""

    def document(self) -> Mapping[str, Mapping[str, str]]:
        """As `build.json` keeps them."""
        return {"asked": dict(sorted(self.asked.items())),
                "besides": dict(sorted(self.besides.items()))}  # fmt: skip


def versions_of(status: bytes, names: Iterable[str]) -> Versions:
    r"""The versions of these packages and of all they depend on; of one that is not there nothing.

    >>> text = b"Package: libgl1\nStatus: install ok installed\nVersion: 1.7\nDepends: libc6\n\n"
    >>> text += b"Package: libc6\nStatus: install ok installed\nVersion: 2.41-12\n"
    >>> versions_of(text, ["libgl1"])
    Versions(asked={'libgl1': '1.7'}, besides={'libc6': '2.41-12'})
    """
    have = installed(status.decode("utf-8", "replace"))
    asked = {each.name for name in names for each in _meeting(Wish(name), have)}
    found = closure(asked, have)
    known = {name: have[name].version for name in sorted(found)}
    return Versions(
        {name: version for name, version in known.items() if name in asked},
        {name: version for name, version in known.items() if name not in asked},
    )


def closure(names: Collection[str], have: Mapping[str, Deb]) -> frozenset[str]:
    """These packages, and all that they depend on, as far as they are installed."""
    found: set[str] = set()
    waiting = sorted(names)
    while waiting:
        name = waiting.pop()
        if name in found or name not in have:
            continue
        found.add(name)
        for group in have[name].depends:
            waiting += [each.name for wish in group for each in _meeting(wish, have)]
    return frozenset(found)


def _meeting(wish: Wish, have: Mapping[str, Deb]) -> Iterator[Deb]:
    """What is installed of a wish: the package of that name, else those that stand in for it."""
    own = have.get(wish.name)
    if own is not None:
        yield own
        return
    yield from (each for each in have.values() if each.provides and meets(each, wish))


def recorded(document: object) -> Versions | None:
    """What a `build.json` says of them; None where it says nothing, or what cannot be."""
    parts = [document.get(name) for name in Versions._fields] if isinstance(document, dict) else []
    asked, besides = (_read(each) for each in parts) if parts else (None, None)
    return Versions(asked, besides) if asked and besides is not None else None


def _read(part: object) -> dict[str, str] | None:
    if not isinstance(part, dict) or len(part) > _MOST:
        return None
    for name, version in part.items():
        if not (isinstance(version, str) and _NAME.match(name) and _VERSION.match(version)):
            return None
    return part


def differing_from(wanted: Versions | None, found: Versions | None) -> tuple[str, ...]:
    """What differs between two builds, each in words; nothing where one of them is not known.

    >>> differing_from(Versions({"libgl1": "1.7-1"}, {}), Versions({"libgl1": "1.7-2"}, {}))
    ('libgl1 1.7-1 -> 1.7-2',)
    """
    if wanted is None or found is None:
        return ()
    before, now = ({**each.besides, **each.asked} for each in (wanted, found))
    asked = {**wanted.asked, **found.asked}
    return tuple(
        f"{name} {before.get(name, 'not installed')} -> {now.get(name, 'not installed')}"
        for name in sorted({*before, *now}, key=lambda name: (name not in asked, name))
        if before.get(name) != now.get(name)
    )


def who_decides(found: SystemPackages, *, offline: bool) -> tuple[Why, ...]:
    """What is said of the versions where neither a snapshot nor the files themselves fix them."""
    if not found.image or found.snapshot is not None or offline:
        return ()
    return (
        Why("which versions of system packages come is the archive's to say, on the day of the "
            "build", "no snapshot of it was asked for; build.json keeps what a build got",
            "--snapshot"),
    )  # fmt: skip
