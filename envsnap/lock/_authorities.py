"""Whom envsnap's own network steps trust to sign, beside the machine's own authorities.

A client that is given a bundle takes it in the place of the system's, so the bundle has both.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from envsnap.engines._environ import environ_with
from envsnap.lock._pip_settings import pip_settings

VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
"""Where uv and OpenSSL, requests, curl, and pip look for a bundle."""
_SYSTEMS = (
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
)  # fmt: skip
"""The bundles of Debian, Red Hat, SUSE and Alpine: a Python of conda's knows none of them."""
_CERTIFICATE = re.compile(
    r"-----BEGIN CERTIFICATE-----\s+[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----", re.ASCII
)


@contextmanager
def trusting(certificates: str | None) -> Iterator[None]:
    """Our own clients, and the programs that are started, trust these, too, while it lasts."""
    if certificates is None:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="envsnap-ca-") as folder:
        bundle = os.path.join(folder, "bundle.pem")
        known = dict.fromkeys([*_trusted_before(os.environ), *certificates_in(certificates)])
        with open(bundle, "w", encoding="ascii") as file:
            file.writelines(f"{each}\n" for each in known)
        with environ_with(dict.fromkeys(VARIABLES, bundle)):
            yield


def certificates_in(text: str) -> list[str]:
    """The certificates of a PEM file's text, and nothing else of it: no private key."""
    return [each.replace("\r", "") for each in _CERTIFICATE.findall(text)]


def unreadable(certificates: Sequence[str]) -> int | None:
    """Which of them OpenSSL cannot read, counted from 1; None where it reads all."""
    numbered = enumerate(certificates, 1)
    return next((number for number, each in numbered if not _is_readable(each)), None)


def _is_readable(certificate: str) -> bool:
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=certificate)
    except (ssl.SSLError, ValueError):
        return False
    return True


def _trusted_before(environ: Mapping[str, str]) -> list[str]:
    """What the user's settings name; where they name nothing, the system's and Mozilla's.

    Mozilla's are those that requests and uv bring with them.
    """
    named = [environ.get(name) for name in VARIABLES]
    named.append(dict(pip_settings(environ).client).get("SSL_CERT_FILE"))
    chosen = [each for each in named if each and os.path.exists(each)]
    if chosen:
        return [each for path in chosen for each in _certificates_at(path)]
    return [each for path in _usual() for each in _certificates_at(path)] + _mozillas()


def _usual() -> list[str]:
    import ssl

    paths = ssl.get_default_verify_paths()
    return [each for each in (paths.cafile, paths.capath, *_SYSTEMS) if each]


def _certificates_at(path: str) -> list[str]:
    """Those of a bundle, or of every file of a folder; none of what cannot be read."""
    paths = [path]
    if os.path.isdir(path):
        with suppress(OSError):
            paths = [os.path.join(path, name) for name in sorted(os.listdir(path))]
    found = []
    for each in paths:
        with suppress(OSError), open(each, encoding="latin-1") as file:
            found += certificates_in(file.read())
    return found


def _mozillas() -> list[str]:
    try:
        import certifi
    except ImportError:  # it comes with requests, in an extra
        return []
    return certificates_in(certifi.contents())
