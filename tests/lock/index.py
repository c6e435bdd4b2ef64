"""A package index on loopback, with the faults that indexes have."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import time
import zipfile
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import NamedTuple

USER, PASSWORD = "canary-user", "canary-password"
AUTHORIZATION = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class Fault(NamedTuple):
    """What a project's page answers instead of its files."""

    status: int
    content_type: str
    body: bytes
    after_s: float = 0


def wheel(name: str, version: str, tag: str = "py3-none-any") -> tuple[str, bytes]:
    """A wheel's name and its bytes."""
    where = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"{where}/METADATA": metadata,
        f"{where}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{where}/RECORD": f"{name}.py,,\n{where}/METADATA,,\n{where}/WHEEL,,\n{where}/RECORD,,\n",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return f"{name}-{version}-{tag}.whl", out.getvalue()


def sdist(name: str, version: str, setup: str) -> tuple[str, bytes]:
    """A source archive's name and its bytes; it has no metadata but what its setup.py makes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        member = tarfile.TarInfo(f"{name}-{version}/setup.py")
        member.size = len(setup.encode())
        archive.addfile(member, io.BytesIO(setup.encode()))
    return f"{name}-{version}.tar.gz", out.getvalue()


def index_of(
    files: Mapping[str, bytes],
    faults: Mapping[str, Fault] | None = None,
    *,
    authorization: str | None = None,
    seen: Callable[[str], None] = lambda _: None,
) -> type[BaseHTTPRequestHandler]:
    """An index of these files; a page of `faults` answers as it is told to."""

    class Index(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen(self.path)
            name = self.path.partition("?")[0].strip("/").rpartition("/")[2].replace("%2B", "+")
            if authorization is not None and self.headers.get("Authorization") != authorization:
                self.answer(Fault(401, "text/plain", b""))
            elif name in files:
                self.answer(Fault(200, "application/zip", files[name]))
            else:
                self.answer((faults or {}).get(name) or page(name, files))

        def do_HEAD(self) -> None:
            self.do_GET()

        def answer(self, fault: Fault) -> None:
            time.sleep(fault.after_s)
            self.send_response(fault.status)
            if fault.status == 401:
                self.send_header("WWW-Authenticate", "Basic")
            self.send_header("Content-Type", fault.content_type)
            self.send_header("Content-Length", str(len(fault.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(fault.body)

        def log_message(self, *_: object) -> None:
            pass

    return Index


def page(project: str, files: Mapping[str, bytes]) -> Fault:
    links = [
        f'<a href="/files/{name}#sha256={hashlib.sha256(raw).hexdigest()}">{name}</a>'
        for name, raw in files.items()
        if name.startswith(f"{project.replace('-', '_')}-")
    ]
    if not links:
        return Fault(404, "text/html", b"")
    return Fault(
        200, "text/html", f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()
    )
