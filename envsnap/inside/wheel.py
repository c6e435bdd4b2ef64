"""The content digests of a wheel file, for comparison with what an installation states."""

from __future__ import annotations

import zipfile
from hashlib import sha256

from envsnap.inside.content import Refusal, Stated, digests_of

_FOLDERS = {"scripts": "bin/", "headers": "headers/", "data": ""}


def from_wheel(path: str) -> Stated:
    """The digests of a wheel's own files, as an installation of it states them.

    Where a script is one that installers rewrite, there is no `other` digest.
    """
    files, rewritten = {}, []
    with zipfile.ZipFile(path) as wheel:
        names = [name for name in wheel.namelist() if not name.endswith("/")]
        dist_info = next(n.split("/")[0] for n in names if n.endswith(".dist-info/RECORD"))
        for name in names:
            data = wheel.read(name)
            hexed = sha256(data).hexdigest().encode()
            scheme, rest = _scheme(name, dist_info.replace(".dist-info", ".data") + "/")
            if scheme in ("purelib", "platlib"):
                files[rest.encode()] = hexed
                continue
            if scheme == "scripts" and data.startswith(b"#!python"):
                rewritten.append(rest)
            files[f"../{_FOLDERS.get(scheme, '')}{rest}".encode()] = hexed
    answer = digests_of(files, dist_info.encode())
    if rewritten:
        detail = "%d scripts are rewritten on installation, the first is %a"
        answer.other = None
        answer.other_refusal = Refusal("not-supported", detail % (len(rewritten), rewritten[0]))
    return answer


def _scheme(name: str, data: str) -> tuple[str, str]:
    """The installation scheme of a file of the wheel, and its path in that scheme."""
    if not name.startswith(data):
        return "purelib", name
    scheme, _, rest = name[len(data) :].partition("/")
    return scheme, rest
