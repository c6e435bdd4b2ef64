"""The content digests of a wheel file, for comparison with what an installation states."""

from __future__ import annotations

import zipfile
from hashlib import sha256

from envsnap.inside.content import Refusal, Stated, digests_of

_PIECE_BYTES = 1 << 20
_FOLDERS = {"scripts": "bin/", "headers": "headers/", "data": ""}


def from_wheel(path: str) -> Stated:
    """The digests of a wheel's own files, as an installation of it states them.

    Where a script is one that installers rewrite, there is no `other` digest.

    Raises:
        ValueError: It is no wheel: it has no RECORD.
    """
    files, rewritten = {}, []
    with zipfile.ZipFile(path) as wheel:
        names = [name for name in wheel.namelist() if not name.endswith("/")]
        found = [name for name in names if name.endswith(".dist-info/RECORD")]
        records = [name for name in found if name.count("/") == 1]  # others are of vendored code
        if not records:
            raise ValueError("There is no RECORD")
        dist_info = records[0].split("/")[0]
        for name in names:
            hexed, start = _hashed(wheel, name)
            scheme, rest = _scheme(name, dist_info.replace(".dist-info", ".data") + "/")
            if scheme in ("purelib", "platlib"):
                files[rest.encode()] = hexed
                continue
            if scheme == "scripts" and start == b"#!python":
                rewritten.append(rest)
            files[f"../{_FOLDERS.get(scheme, '')}{rest}".encode()] = hexed
    answer = digests_of(files, dist_info.encode())
    if rewritten:
        detail = "%d scripts are rewritten on installation, the first is %a"
        answer.other = None
        answer.other_refusal = Refusal("not-supported", detail % (len(rewritten), rewritten[0]))
    return answer


def _hashed(wheel: zipfile.ZipFile, name: str) -> tuple[bytes, bytes]:
    """The SHA-256 of a member in hex, and how it begins; large ones are never whole in memory."""
    with wheel.open(name) as file:
        start = file.read(len(b"#!python"))
        digest = sha256(start)
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest().encode(), start


def _scheme(name: str, data: str) -> tuple[str, str]:
    """The installation scheme of a file of the wheel, and its path in that scheme."""
    if not name.startswith(data):
        return "purelib", name
    scheme, _, rest = name[len(data) :].partition("/")
    return scheme, rest
