"""Where an address leads, and who may be trusted with what there. Pure."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from envsnap.lock._trust import RefusedError, Trust, host_of, is_inside, own_of, shown

MOVED = frozenset({301, 302, 303, 307, 308})
UNREADABLE = "Not fetched: {} redirects to an address that cannot be read"


def led(address: str, further: str, trust: Trust) -> Trust:
    """The trust, with where a host of the user's own leads to, unless that is an inner one."""
    here, there = host_of(address), host_of(further)
    if here in trust.own and there is not None and not is_inside(there):
        return replace(trust, own=trust.own | own_of([further]))
    return trust


def onward(address: str, said: str) -> str:
    """Where a redirect leads, without any name and password."""
    try:
        return without_user(urljoin(address, said))[0]
    except ValueError:
        raise RefusedError(UNREADABLE.format(shown(address))) from None


def without_user(url: str) -> tuple[str, tuple[str, str] | None]:
    """The address alone, and the name and password that stood in it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise RefusedError("Not fetched: an address that cannot be read") from None
    user, at, host = parts.netloc.rpartition("@")
    address = urlunsplit(parts._replace(netloc=host, fragment=""))
    name, _, password = user.partition(":")
    return address, (unquote(name), unquote(password)) if at else None
