"""The small files of a dist-info folder, parsed. Pure: bytes in, values out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

from envsnap._typing import NamedTuple
from envsnap.probes._anchors import Anchors
from envsnap.probes._urls import clean_url
from envsnap.sections import Fact, Origin, Reason, Unknown

_LONGEST = 512
_VCS = frozenset({"git", "hg", "svn", "bzr"})
_NOTHING: Mapping[str, bytes] = MappingProxyType({})


class Found(NamedTuple):
    """Something on the search path that looks like a distribution."""

    path: str
    """Its dist-info, egg-info or EGG-INFO folder, egg-info file or egg-link; in a zip, too."""
    folder: str
    """The entry of the search path that holds it: of an egg, the egg itself."""
    kind: str
    """dist-info, egg-info, egg-link, egg or zip; else what is wrong: half-deleted, no folder,
    unopened or unreadable."""
    layer: str
    files: tuple[str, ...]
    """The names in its dist-info folder."""
    source: str = ""
    """The folder that an egg-link leads to; why a zip was not opened."""
    project: str = ""
    """The folder of the setup.py that made the egg-link."""
    held: Mapping[str, bytes] = _NOTHING
    """The small files that lie in a zip, by path."""


class Metadata(NamedTuple):
    """The two fields that name a distribution, as they are written."""

    name: str
    version: str


def parse_metadata(raw: bytes) -> Metadata | None:
    r"""Name and version from the head of a METADATA or PKG-INFO; None if one is missing.

    >>> parse_metadata(b"Metadata-Version: 2.1\nName: Numpy\nVersion: 2.1.0\n\nText")
    Metadata(name='Numpy', version='2.1.0')
    """
    name = version = ""
    for line in raw.split(b"\n"):
        key = line[:8].lower()
        if key.startswith(b"name:"):
            name = name or _value(line)
        elif key == b"version:":
            version = version or _value(line)
        elif line in {b"", b"\r"}:
            break  # the description begins
        else:
            continue
        if name and version:
            return Metadata(name[:_LONGEST], version[:_LONGEST])
    return None


def _value(line: bytes) -> str:
    return line.partition(b":")[2].decode("utf-8", "replace").strip()


def parse_wheel(raw: bytes) -> tuple[Fact[tuple[str, ...] | None], Fact[str | None]]:
    r"""The tags, sorted, and the build tag of a WHEEL file.

    >>> parse_wheel(b"Wheel-Version: 1.0\nTag: py2-none-any\nTag: py3-none-any\n")
    (('py2-none-any', 'py3-none-any'), None)
    """
    lines = raw.split(b"\n")
    tags = sorted([_value(line)[:_LONGEST] for line in lines if line[:4].lower() == b"tag:"])
    builds = [_value(line)[:_LONGEST] for line in lines if line[:6].lower() == b"build:"]
    build = (builds and builds[0]) or None
    if not tags:
        return Unknown(Reason.UNPARSABLE, "its WHEEL file has no tag"), build
    return tuple(tags), build


def direct_url(raw: bytes, anchors: Anchors) -> Origin:
    """The origin that a direct_url.json records (PEP 610), credentials removed."""
    try:
        tree = json.loads(raw)
    except (ValueError, RecursionError):
        return Origin(kind="unknown", url=Unknown(Reason.UNPARSABLE, "direct_url.json is no JSON"))
    url = tree.get("url") if isinstance(tree, dict) else None
    if not isinstance(url, str):
        return Origin(kind="unknown", url=Unknown(Reason.UNPARSABLE, "direct_url.json has no url"))
    url = whole(url)
    vcs, archive, folder = (_table(tree, key) for key in ("vcs_info", "archive_info", "dir_info"))
    kind = "archive"
    if vcs is not None:
        kind = "vcs"
    elif folder is not None:
        kind = "editable" if folder.get("editable") is True else "directory"
    name = _text(vcs, "vcs")
    return Origin(
        kind=kind,
        url=_address(url, anchors),
        vcs=name if name in _VCS else None,
        commit=_text(vcs, "commit_id"),
        revision=_text(vcs, "requested_revision"),
        archive_hash=_archive_hash(archive),
        subdirectory=_text(tree, "subdirectory"),
    )


def _address(url: str, anchors: Anchors) -> str:
    folder = _local(url)
    return "file://" + anchors.anchor(folder) if folder else clean_url(url)[: 4 * _LONGEST]


def _local(url: str) -> str | None:
    """The path in a local address; None if it is another one."""
    if not url.startswith("file:"):
        return None
    from urllib.parse import unquote

    return unquote(url.removeprefix("file://").removeprefix("localhost"), errors="surrogateescape")


def source_folder(raw: bytes) -> str | None:
    """The folder on this machine that a direct_url.json names, as it is; None if it names none."""
    try:
        tree = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    url = tree.get("url") if isinstance(tree, dict) else None
    is_folder = isinstance(tree, dict) and isinstance(tree.get("dir_info"), dict)
    folder = _local(whole(url)) if is_folder and isinstance(url, str) else None
    return folder.rstrip("/") if folder and folder.startswith("/") and "\0" not in folder else None


def _archive_hash(archive: dict[str, object] | None) -> str | None:
    """'sha256=<hex>', from the table of hashes or the older single field."""
    hashes = _table(archive, "hashes") or {}
    sha256 = hashes.get("sha256")
    if isinstance(sha256, str):
        return f"sha256={sha256[:_LONGEST]}"
    return _text(archive, "hash")


def _table(tree: dict[str, object] | None, key: str) -> dict[str, object] | None:
    value = tree.get(key) if tree else None
    return value if isinstance(value, dict) else None


def _text(tree: dict[str, object] | None, key: str) -> str | None:
    value = tree.get(key) if tree else None
    return whole(value)[:_LONGEST] if isinstance(value, str) else None


def whole(text: str) -> str:
    r"""A text of JSON with a question mark for each half of a pair, which no file can hold.

    >>> whole("a\ud800b")
    'a?b'
    """
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
