"""Where the files of a lock are today, by the settings of whoever asks.

A manifest says which bytes, by their SHA-256; where to look for them is never a manifest's to say.
"""

from __future__ import annotations

import netrc
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import SplitResult, quote, urlsplit

from envsnap.lock._ask import LockOptions, Pins, Wanted, ask
from envsnap.lock._hosts import Indexes, hosts_of, indexes, settings_of
from envsnap.lock._lock import wanted_of
from envsnap.lock._pins import can_be_asked
from envsnap.lock._pylock import File
from envsnap.lock._trust import own_of
from envsnap.manifest import Manifest
from envsnap.sections import Artifact


class Offered(NamedTuple):
    """What the indexes of the user's settings have of a lock."""

    by_sha256: Mapping[str, File]
    """Addresses can hold credentials, and be folders of this machine (file://): never written."""
    hosts: tuple[str, ...]
    """Every host that the settings name or that their indexes' answers lead to, credentials not."""
    own: frozenset[str]
    """The same as `Trust.own` has them."""


def locate(manifest: Manifest, options: LockOptions) -> Offered:
    """The files of the manifest's lock that the user's own indexes offer, by their SHA-256.

    Raises:
        PlanError: The manifest does not say which Python its packages are for.
        ToolError: The locker or the network failed.
    """
    places = indexes(options.indexes, os.environ)
    settings = settings_of(places, os.environ, locker=options.locker)
    artifacts = manifest.lock.artifacts if manifest.lock is not None else ()
    wanted = wanted_of(manifest, options)
    by_sha256: dict[str, File] = {}
    for lane in dict.fromkeys(filter(None, (places.remote, places))):
        left = [each for each in artifacts if each.sha256 not in by_sha256]
        by_sha256.update(_offered(left, wanted, lane))
    addresses = (*settings, *(file.url for file in by_sha256.values()))
    known = _credentials(settings)
    opened = {key: file._replace(url=_opened(file.url, known)) for key, file in by_sha256.items()}
    return Offered(opened, hosts_of(addresses), own_of(addresses))


def _offered(artifacts: Sequence[Artifact], wanted: Wanted, places: Indexes) -> dict[str, File]:
    versions = {
        each.name: each.version for each in artifacts if can_be_asked(each.name, each.version)
    }
    if not versions:
        return {}
    (answer,) = ask([Pins(versions, places)], wanted)
    return {file.sha256: file for each in answer.releases.values() for file in each.files}


def _opened(url: str, known: Mapping[str, str]) -> str:
    """The address with the credentials that the user's settings have for its very origin.

    uv leaves them out of its answers, and asks for the files with them.
    """
    parts = _parts(url)
    if parts is None or parts.scheme not in {"http", "https"} or "@" in parts.netloc:
        return url
    found = known.get(_origin(parts)) or _of_netrc(parts.hostname or "")
    return parts._replace(netloc=f"{found}@{parts.netloc}").geturl() if found else url


def _credentials(addresses: Iterable[str]) -> Mapping[str, str]:
    """`user:password` by origin, as the addresses have them."""
    found: dict[str, str] = {}
    for address in addresses:
        parts = _parts(address)
        user, at, _ = parts.netloc.rpartition("@") if parts else ("", "", "")
        if parts and at:
            found.setdefault(_origin(parts), user)
    return found


def _parts(address: str) -> SplitResult | None:
    """The parts of an address; None where it is none."""
    try:
        parts = urlsplit(address)
        _origin(parts)
    except ValueError:
        return None
    return parts


def _origin(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.hostname}:{parts.port or ''}"


def _of_netrc(host: str) -> str | None:
    """What ~/.netrc has for a host. One that cannot be read is left to uv, which says so."""
    try:
        found = netrc.netrc(os.environ.get("NETRC") or None).authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return None
    return f"{quote(found[0], safe='')}:{quote(found[2] or '', safe='')}" if found else None
