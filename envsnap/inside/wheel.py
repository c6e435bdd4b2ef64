"""The digests of a wheel file, for comparison with what an installation states."""

from __future__ import annotations

import posixpath
import zipfile
from hashlib import sha256

from envsnap.inside import content, outside
from envsnap.inside.content import Stated

_PIECE_BYTES = 1 << 20
_FOLDERS = {"scripts": "bin/", "headers": "headers/", "data": ""}
_SITE = "/lib/python/site-packages"
"""Where the digest over what leaves the folder is told to be: as deep as each installation's is."""


def from_wheel(path: str) -> Stated:
    """The digests of a wheel's own files, as an installation of it states them.

    Raises:
        ValueError: It is no wheel: it has no RECORD.
    """
    files, members, points = {}, {}, b""
    with zipfile.ZipFile(path) as wheel:
        names = [name for name in wheel.namelist() if not name.endswith("/")]
        found = [name for name in names if name.endswith(".dist-info/RECORD")]
        records = [name for name in found if name.count("/") == 1]  # others are of vendored code
        if not records:
            raise ValueError("There is no RECORD")
        dist_info = records[0].split("/")[0]
        for name in names:
            scheme, rest = _scheme(name, dist_info.replace(".dist-info", ".data") + "/")
            if scheme not in {"purelib", "platlib"}:
                rest = f"../../../{_FOLDERS.get(scheme, '')}{rest}"
            members[posixpath.normpath(f"{_SITE}/{rest}").encode()] = name
            files[rest.encode()] = _hashed(wheel, name)
        if f"{dist_info}/entry_points.txt" in names:
            points = wheel.read(f"{dist_info}/entry_points.txt")

        def read(place: bytes, limit: int) -> bytes:
            with wheel.open(members[place]) as file:
                return file.read(limit + 1)

        answer = content.digests_of(files, dist_info.encode())
        outside.judge(answer, _SITE.encode(), content.scripts_of(points), read)
    return answer


def _hashed(wheel: zipfile.ZipFile, name: str) -> bytes:
    """The SHA-256 of a member in hex; large ones are never whole in memory."""
    with wheel.open(name) as file:
        digest = sha256()
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest().encode()


def _scheme(name: str, data: str) -> tuple[str, str]:
    """The installation scheme of a file of the wheel, and its path in that scheme."""
    if not name.startswith(data):
        return "purelib", name
    scheme, _, rest = name[len(data) :].partition("/")
    return scheme, rest
