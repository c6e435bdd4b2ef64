"""The lock that a wheelhouse is, for a manifest that has none."""

from __future__ import annotations

import os

from envsnap import __version__
from envsnap.manifest import Manifest, canonical_name, environment_id
from envsnap.sections import Artifact, Lock, Packages, Reason, Unknown
from envsnap.wheelhouse._store import Wheelhouse

_NOT_PROVED = Unknown(Reason.NOT_RECORDED, "a wheelhouse's own list proves nothing")


def as_lock(manifest: Manifest, wheelhouse: Wheelhouse) -> Lock | None:
    """A lock of the wheelhouse's files; None where they are of another environment, or not all.

    What the list says of a file's content and making is left out: the manifest alone is believed.
    """
    section = manifest.section(Packages)
    if wheelhouse.environment != environment_id(manifest) or isinstance(section, Unknown):
        return None
    installed = section.installed
    if isinstance(installed, Unknown) or isinstance(section.conda_only, Unknown):
        return None
    active = [each for each in installed if each.active]
    if section.conda_only or any(each.conda is not None for each in active):
        return None
    artifacts = []
    for package in active:
        name = canonical_name(package.name)
        stored = wheelhouse.find(name)
        if stored is None or stored.version != package.version:
            return None
        artifacts.append(
            Artifact(
                name=name,
                version=stored.version,
                filename=os.path.basename(stored.filename),
                sha256=stored.sha256,
                url=None,
                size=stored.size,
                is_installed=_NOT_PROVED,
            )
        )
    artifacts.sort(key=lambda each: each.name)
    return Lock(
        environment=wheelhouse.environment, locker=f"envsnap {__version__}",
        artifacts=tuple(artifacts), unlocked=(),
    )  # fmt: skip
