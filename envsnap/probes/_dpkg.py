"""Which of dpkg's packages brought a file, and at which version: Debian's and Ubuntu's own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from envsnap.host import Host
from envsnap.probes._texts import read_text
from envsnap.sections import Unknown

_INFO = "/var/lib/dpkg/info"
_STATUS = "/var/lib/dpkg/status"
_LIST_LIMIT_BYTES = 1 << 18
_STATUS_LIMIT_BYTES = 32 << 20
_MOST_LISTS = 2000
_PYTHON = ("python3-", "python-")
_ID = re.compile(r"^ID=[\"']?([a-z0-9._-]+)[\"']?\s*$", re.MULTILINE)
_FIELDS = re.compile(rb"^(Package|Version|Architecture): ?(\S+)", re.MULTILINE)


def owners(host: Host, paths: Sequence[str]) -> Mapping[str, str]:
    """The package of each dist-info or egg-info that dpkg brought, as a package URL.

    A path that no list names of a Python package, or of one called like the distribution, is left
    out: nothing is claimed of it.
    """
    names = host.list(_INFO) if paths else None
    if not isinstance(names, tuple):
        return {}
    wanted = set(paths)
    found: dict[str, str] = {}
    alike = {path.rpartition("/")[2].partition("-")[0].lower() + ".list" for path in paths}
    lists = [
        name
        for name in names
        if name in alike or (name.startswith(_PYTHON) and name.endswith(".list"))
    ]
    for name in lists[:_MOST_LISTS]:
        if not wanted:
            break
        raw = host.read(f"{_INFO}/{name}", limit=_LIST_LIMIT_BYTES)
        brought = wanted.intersection(_lines(raw)) if isinstance(raw, bytes) else ()
        wanted.difference_update(brought)
        found.update(dict.fromkeys(brought, name.removesuffix(".list").partition(":")[0]))
    return _urls(host, found) if found else {}


def _lines(raw: bytes) -> list[str]:
    return raw.decode("utf-8", "surrogateescape").split("\n")


def _urls(host: Host, found: Mapping[str, str]) -> Mapping[str, str]:
    """Paths with `pkg:deb/debian/python3-yaml@6.0-3?arch=amd64` in place of the name."""
    raw = host.read(_STATUS, limit=_STATUS_LIMIT_BYTES)
    versions = parse_status(raw, frozenset(found.values())) if isinstance(raw, bytes) else {}
    release = read_text(host, "/etc/os-release", limit=65536)
    named = None if isinstance(release, Unknown) else _ID.search(release or "")
    vendor = named[1] if named else "debian"
    return {
        path: f"pkg:deb/{vendor}/{name}{versions.get(name, '')}" for path, name in found.items()
    }


def parse_status(raw: bytes, names: frozenset[str]) -> Mapping[str, str]:
    r"""What follows these packages' names in a package URL, from dpkg's status file.

    >>> text = b"Package: python3-yaml\nArchitecture: amd64\nVersion: 6.0-3+b2\n\n"
    >>> parse_status(text, frozenset({"python3-yaml"}))
    {'python3-yaml': '@6.0-3%2Bb2?arch=amd64'}
    """
    from urllib.parse import quote

    found = {}
    for block in raw.split(b"\n\n"):
        start = block.partition(b"\n")[0].removeprefix(b"Package: ").strip()
        if start.decode("utf-8", "replace") not in names:
            continue
        fields = {key: quote(value, safe=".-~") for key, value in _FIELDS.findall(block)}
        version, machine = fields.get(b"Version"), fields.get(b"Architecture")
        arch = f"?arch={machine}" if machine else ""
        found[start.decode()] = f"@{version}{arch}" if version else ""
    return found
