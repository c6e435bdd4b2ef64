"""A site's own certificate authority, and a server that it has signed for loopback."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

HAS_OPENSSL = shutil.which("openssl") is not None


class Site(NamedTuple):
    """What a site with a proxy of its own gives its users, and the proxy."""

    authority: Path
    """The PEM file that users are told to trust."""
    tls: ssl.SSLContext
    """The server's side, as 127.0.0.1."""


def site(folder: Path) -> Site:
    """A new authority, and its server."""
    key, request = folder / "key.pem", folder / "request.pem"
    authority, certificate = folder / "authority.pem", folder / "certificate.pem"
    _openssl("req", "-x509", *_new(folder / "authority-key.pem"), "-subj", "/CN=Lab", "-days", "2",
             "-addext", "keyUsage=critical,keyCertSign", "-out", authority)  # fmt: skip
    _openssl("req", *_new(key), "-subj", "/CN=127.0.0.1", "-out", request)
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    _openssl("x509", "-req", "-in", request, "-CA", authority, "-days", "2", "-CAcreateserial",
             "-CAkey", folder / "authority-key.pem", "-extfile", folder / "names",
             "-out", certificate)  # fmt: skip
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    return Site(authority, tls)


def _new(key: Path) -> tuple[str | Path, ...]:
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key)


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)
