"""The HTTP client: this is the only module that opens connections, imported where it is used.

It uses the user's own proxies and certificates, and nothing else of the environment: the library
would give what netrc has for a host to whoever stands behind any port of it. Every connection is
looked at before anything is sent through it: a name of the public internet may resolve to an
address inside a network.
"""

from __future__ import annotations

import netrc
import os
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests  # noqa: TID253 - whoever fetches imports this module, nobody else
from requests.adapters import HTTPAdapter  # noqa: TID253
from requests.utils import get_environ_proxies, select_proxy  # noqa: TID253
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from envsnap.lock._trust import RefusedError, Trust, origin_of, peer_refusal

_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "PIP_CERT")


def session(trust: Trust, connections: int) -> requests.Session:
    """A client that connects nowhere that the trust refuses. It follows no redirects by itself."""
    made = requests.Session()
    made.trust_env = False
    adapter = _Guarded(trust, connections)
    made.mount("http://", adapter)
    made.mount("https://", adapter)
    made.headers["Accept-Encoding"] = "identity"  # the bytes that are hashed are those of the file
    made.headers["User-Agent"] = "envsnap"
    bundle = _certificates(os.environ)
    if bundle is not None:
        made.verify = bundle
    return made


def _certificates(environ: Mapping[str, str]) -> str | None:
    """Whom the user trusts to sign, by the variables that pip and uv read, too."""
    named = (environ.get(name) for name in _CERTIFICATES)
    return next((each for each in named if each and os.path.exists(each)), None)


def credentials(url: str, trust: Trust) -> tuple[str, str] | None:
    """What netrc has for an address, if its very origin is one of the user's own."""
    if origin_of(url) not in trust.own:
        return None
    try:
        file = netrc.netrc(os.environ.get("NETRC") or None)
        found = file.authenticators(urlsplit(url).hostname or "")
    except (OSError, netrc.NetrcParseError):
        return None
    return (found[0], found[2] or "") if found else None


def judged(url: str, trust: Trust) -> tuple[str, ...]:
    """The addresses that a host has just now, each of which may be talked to.

    For a program that makes its own connections. Empty where a proxy of the user's makes them.

    Raises:
        RefusedError: One is inside a network, or there is none.
    """
    parts = urlsplit(url)
    if select_proxy(url, proxies(url)) is not None:
        return ()
    try:
        found = socket.getaddrinfo(parts.hostname, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise RefusedError(f"Not connected: {parts.hostname} has no address") from None
    peers = tuple(dict.fromkeys(str(each[4][0]) for each in found))
    for why in (peer_refusal(url, peer, trust) for peer in peers):
        if why is not None:
            raise RefusedError(f"Not connected: {why}")
    return peers


def proxies(url: str) -> dict[str, str]:
    """The user's proxies for an address, by scheme; nothing for one that is asked without."""
    return get_environ_proxies(url, no_proxy=None)


class _Guarded(HTTPAdapter):
    """Connections whose peer was looked at; those through the user's proxy go to that proxy."""

    def __init__(self, trust: Trust, connections: int) -> None:
        self._trust = trust
        super().__init__(pool_connections=connections, pool_maxsize=connections)

    def init_poolmanager(
        self,
        connections: int,
        maxsize: int,
        block: bool = False,  # noqa: FBT001, FBT002 - as the library calls it
        **more: Any,  # noqa: ANN401
    ) -> None:
        super().init_poolmanager(connections, maxsize, block, **more)
        self.poolmanager.pool_classes_by_scheme = _pools(self._trust)


def _pools(trust: Trust) -> dict[str, type[HTTPConnectionPool]]:
    """The library's own pools, with connections that look at their peer."""

    def looked_at(made: socket.socket, url: str) -> socket.socket:
        why = peer_refusal(url, str(made.getpeername()[0]), trust)
        if why is not None:
            made.close()
            raise RefusedError(f"Not connected: {why}")
        return made

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return looked_at(super()._new_conn(), _url("http", self))

    class Encrypted(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return looked_at(super()._new_conn(), _url("https", self))

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain  # type: ignore[mutable-override] # as the library means it

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted  # type: ignore[mutable-override] # the same

    return {"http": PlainPool, "https": EncryptedPool}


def _url(scheme: str, connection: HTTPConnection) -> str:
    host = f"[{connection.host}]" if ":" in connection.host else connection.host
    return f"{scheme}://{host}:{connection.port}/"
