"""The HTTP client: this is the only module that opens connections, imported where it is used.

It uses the user's own proxies, certificates and netrc, as the library reads them. Every connection
is looked at before anything is sent through it: a name of the public internet may resolve to an
address inside a network.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import requests  # noqa: TID253 - whoever fetches imports this module, nobody else
from requests.adapters import HTTPAdapter  # noqa: TID253
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from envsnap.lock._trust import RefusedError, Trust, peer_refusal

if TYPE_CHECKING:
    import socket

_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "PIP_CERT")


def session(trust: Trust, connections: int) -> requests.Session:
    """A client that connects nowhere that the trust refuses. It follows no redirects by itself."""
    made = requests.Session()
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

    def looked_at(made: socket.socket, host: str) -> socket.socket:
        why = peer_refusal(host, str(made.getpeername()[0]), trust)
        if why is not None:
            made.close()
            raise RefusedError(f"Not connected: {why}")
        return made

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return looked_at(super()._new_conn(), self.host)

    class Encrypted(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return looked_at(super()._new_conn(), self.host)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain  # type: ignore[mutable-override] # as the library means it

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted  # type: ignore[mutable-override] # the same

    return {"http": PlainPool, "https": EncryptedPool}
