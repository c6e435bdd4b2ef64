"""Installed distributions made by hand, as installers leave them."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from envsnap.inside.outside import of_file
from envsnap.probes._located import Located
from envsnap.sections import Package, replace
from envsnap.wheelhouse._member import Home
from tests.made import package

HOME = Home("/env", "3.11.7", "cpython-311-x86_64-linux-gnu", "linux_x86_64")
PURE = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


class Installed(NamedTuple):
    """A distribution that lies in a folder of packages."""

    prefix: Path
    site: Path
    info: Path
    located: Located
    home: Home


def row(path: str, data: bytes) -> str:
    """A row of RECORD."""
    coded = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{path},sha256={coded},{len(data)}\n"


def install(
    prefix: Path,
    files: Mapping[str, bytes],
    name: str = "a",
    *,
    version: str = "1.0",
    more: str = "",
) -> Installed:
    """A distribution of these files, relative to site-packages; `more` are rows besides."""
    site = prefix / "lib" / "python3.11" / "site-packages"
    info = site / f"{name}-{version}.dist-info"
    own = {
        f"{info.name}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info.name}/WHEEL": PURE,
        f"{info.name}/INSTALLER": "pip\n",
    }
    record = ""
    for path, data in {**{key: text.encode() for key, text in own.items()}, **files}.items():
        target = Path(os.path.normpath(site / path))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        record += row(path, data)
    record += f"{info.name}/RECORD,,\n{more}"
    (info / "RECORD").write_text(record)
    stated = of_file(os.fsencode(info / "RECORD")).content
    found = replace(package(name, version), content=stated)
    return Installed(
        prefix, site, info, _located(found, info, site), HOME._replace(prefix=str(prefix))
    )


def legacy(
    site: Path, info: Mapping[str, str], files: Mapping[str, str], named: tuple[str, str]
) -> Located:
    """A distribution with an egg-info folder, as setup.py install leaves it."""
    folder = site / f"{named[0]}-{named[1]}-py3.11.egg-info"
    for base, texts in ((folder, info), (site, files)):
        for path, text in texts.items():
            target = Path(os.path.normpath(base / path))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
    return Located(replace(package(*named), content=None), str(folder), str(site), "egg-info")


def _located(found: Package, info: Path, site: Path) -> Located:
    return Located(found, str(info), str(site), "dist-info")
