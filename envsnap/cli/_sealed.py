"""A text whose heading has the SHA-256 of the rest: it is known whether somebody has edited it.

Every form that lock writes beside the manifest takes comments that begin with `#`.
"""

from __future__ import annotations

import hashlib
import re

_SEAL = re.compile(rb"^# SHA-256 of the other lines: ([0-9a-f]{64})\n", re.MULTILINE)


def sealed(text: str) -> str:
    r"""The text with a comment of its own SHA-256, below its first line where that is one.

    >>> sealed("# Written\nnumpy\n").splitlines()[1][:30]
    '# SHA-256 of the other lines: '
    """
    first, end, rest = text.partition("\n")
    head, body = (first + end, rest) if first.startswith("#") else ("", text)
    return f"{head}# SHA-256 of the other lines: {_digest(text.encode('utf-8', 'replace'))}\n{body}"


def is_sealed(raw: bytes) -> bool:
    r"""Whether these are the bytes of a sealed text, every line as it was written.

    Line ends may be others: git writes its own.

    >>> is_sealed(sealed("numpy\n").encode()), is_sealed(sealed("numpy\n").encode() + b"six\n")
    (True, False)
    """
    plain = raw.replace(b"\r\n", b"\n")
    found = _SEAL.search(plain)
    if found is None:
        return False
    return found[1].decode() == _digest(plain[: found.start()] + plain[found.end() :])


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
