"""A small registry on loopback, which does to its clients what real ones do."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.images.made import digest
from tests.serving import served

if TYPE_CHECKING:
    import ssl


@dataclass
class Behaviour:
    """What it has, what it wants, and what it was asked."""

    blobs: dict[str, bytes]
    login: tuple[str, str] | None = None
    """Who may read; None lets everybody, by a token."""
    basic: bool = False
    breaks_at: int | None = None
    """After so many bytes of a blob the connection ends, once for each request."""
    knows_parts: bool = True
    statuses: list[int] = field(default_factory=list)
    """Answered first, one a request."""
    elsewhere: str | None = None
    """Another host that blobs are redirected to."""
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Path, Range and Authorization of each request."""


@contextmanager
def registry(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The address of a registry that behaves so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self, behaviour)

        def do_HEAD(self) -> None:
            answer(self, behaviour)

        def log_message(self, *_: object) -> None:
            pass

    with served(Handler, tls) as address:
        yield address


def answer(request: BaseHTTPRequestHandler, behaviour: Behaviour) -> None:
    path, authorization = urlsplit(request.path).path, request.headers.get("Authorization")
    behaviour.asked.append((path, request.headers.get("Range") or "", authorization))
    if path == "/token":
        token(request, behaviour, authorization)
    elif behaviour.statuses:
        plain(request, behaviour.statuses.pop(0), b"")
    elif authorization != expected(behaviour) and behaviour.elsewhere != "no login":
        host = request.headers["Host"]
        kind = (
            'Basic realm="lab"' if behaviour.basic
            else f'Bearer realm="http://{host}/token",service="lab",scope="repository:x:pull"'
        )  # fmt: skip
        plain(request, 401, b"", {"WWW-Authenticate": kind})
    elif "/blobs/" in path and behaviour.elsewhere not in {None, "no login"}:
        plain(request, 307, b"", {"Location": f"http://{behaviour.elsewhere}{path}"})
    else:
        content(request, behaviour, path.rpartition("/")[2])


def expected(behaviour: Behaviour) -> str:
    return coded(behaviour.login) if behaviour.basic else "Bearer good"


def coded(login: tuple[str, str] | None) -> str:
    return "Basic " + base64.b64encode(":".join(login or ()).encode()).decode()


def token(request: BaseHTTPRequestHandler, behaviour: Behaviour, said: str | None) -> None:
    if behaviour.login is not None and said != coded(behaviour.login):
        plain(request, 401, b"")
    else:
        plain(request, 200, b'{"token": "good"}')


def content(request: BaseHTTPRequestHandler, behaviour: Behaviour, name: str) -> None:
    data = behaviour.blobs.get("manifest" if name == "1" else name)
    if data is None:
        plain(request, 404, b"")
        return
    start = 0
    asked = request.headers.get("Range")
    headers = {"Docker-Content-Digest": digest(data)} if "/manifests/" in request.path else {}
    if asked and behaviour.knows_parts:
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
    whole = data[start:]
    sent = whole
    if "/blobs/" in request.path and behaviour.breaks_at is not None:
        sent = whole[: behaviour.breaks_at]
    headers["Content-Length"] = str(len(whole))
    plain(request, 206 if start else 200, sent, headers)


def plain(
    request: BaseHTTPRequestHandler, status: int, data: bytes, headers: dict[str, str] | None = None
) -> None:
    request.send_response(status)
    for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
        request.send_header(name, value)
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(data)
    request.close_connection = True
