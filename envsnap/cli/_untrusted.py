"""What helps where a server's certificate is signed by somebody whom nobody here trusts."""

from __future__ import annotations

import re

_UNTRUSTED = re.compile(
    r"certificate_verify_failed|certificate verify failed|invalid peer certificate: unknownissuer|"
    r"certificate signed by unknown authority|its certificate is not trusted",
    re.IGNORECASE,
)
"""As OpenSSL, uv, the programs in Go, and our own client say it."""
_OTHERWISE_WRONG = re.compile(r"expired|not yet valid|mismatch", re.IGNORECASE)
"""Faults of the server's certificate itself, which no authority mends."""
TRUSTING = frozenset({"build"})
"""The commands that have --ca-cert."""


def certificate_hint(message: str, command: str) -> str | None:
    """What to do about a refused certificate; None where the message is of something else.

    >>> certificate_hint("invalid peer certificate: UnknownIssuer", "lock")
    "Trust your site's authorities: set SSL_CERT_FILE to a bundle that has them"
    """
    if not _UNTRUSTED.search(message) or _OTHERWISE_WRONG.search(message):
        return None
    if command in TRUSTING:
        return "Trust your site's authorities, a PEM file, with: --ca-cert FILE"
    return "Trust your site's authorities: set SSL_CERT_FILE to a bundle that has them"
