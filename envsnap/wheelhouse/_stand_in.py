"""A wheel in the place of a source that a lock names: only where the manifest itself proves it.

A wheelhouse's list comes with its wheels, from whoever sent them: what it says of a wheel is no
proof. The manifest has the content of what was installed, and the wheel is read for its own.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping

from envsnap.engines._archives import ZIP_FAULTS, bad_name, is_plain_file, swells
from envsnap.inside.wheel import from_wheel
from envsnap.manifest import Manifest, canonical_name
from envsnap.sections import Artifact, Fact, Packages, Unknown, replace
from envsnap.wheelhouse._store import Stored, Wheelhouse


def stand_in(
    wheelhouse: Wheelhouse, name: str, version: str, content: Fact[str | None] | None
) -> Stored | None:
    """The wheel that installs exactly what was installed, by canonical name; None without one.

    Raises:
        FileError: A wheel has other bytes than the list says, or is not there.
    """
    if not isinstance(content, str):
        return None
    fitting = (
        each
        for each in wheelhouse.files
        if (each.name, each.version) == (name, version) and each.filename.endswith(".whl")
    )
    return next(
        (each for each in fitting if covered_content(wheelhouse.path(each)) == content), None
    )


def stand_ins(manifest: Manifest, wheelhouse: Wheelhouse) -> Mapping[str, Artifact]:
    """The wheels that install what was installed from a source, by the source's SHA-256.

    Raises:
        FileError: A wheel has other bytes than the list says, or is not there.
    """
    section = manifest.section(Packages)
    installed = () if isinstance(section, Unknown) else section.installed
    packages = () if isinstance(installed, Unknown) else installed
    contents = {canonical_name(each.name): each.content for each in packages if each.active}
    lock = manifest.lock
    found = {}
    for each in lock.artifacts if lock is not None else ():
        name = canonical_name(each.name)
        wheel = None
        if not each.filename.endswith(".whl"):
            wheel = stand_in(wheelhouse, name, each.version, contents.get(name))
        if wheel is not None:
            found[each.sha256] = replace(
                each, filename=wheel.filename, url=None, sha256=wheel.sha256, size=wheel.size,
                is_installed=True, how=wheel.how, content=contents[name],
            )  # fmt: skip
    return found


def covered_content(path: str) -> str | None:
    """The digest of all that a wheel installs; None where it installs what no digest covers.

    That is compiled code, which Python may run in the place of its source, and every file that
    leaves the folder of packages: as data, one can come back into it.
    """
    try:
        with zipfile.ZipFile(path) as wheel:
            infos = [each for each in wheel.infolist() if not each.is_dir()]
            names = [each.filename for each in infos]
            if swells(infos, os.path.getsize(path)) or len(set(names)) < len(names):
                return None
        if any(bad_name(each) or each.endswith(".pyc") for each in names):
            return None
        found = from_wheel(path)
    except (*ZIP_FAULTS, OSError):
        return None
    is_plain = all(map(is_plain_file, infos))
    return found.content if is_plain and not found.outside and not _moves(names) else None


def _moves(names: list[str]) -> bool:
    """Whether a wheel has files for other folders than that of packages."""
    return any(".data" in name.split("/")[0] for name in names)
