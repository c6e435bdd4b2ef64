"""The programs that an installer of conda packages wrote for entry points, which no digest is over.

Only the names of the package's own entry_points.txt, which is in the digest; only the text that
installers write; and only the call that stands there.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from typing import TYPE_CHECKING

from envsnap.inside import entry_points

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envsnap.inside.conda_files import CondaPackage, Placed
    from envsnap.proof._files import Files

_POINTS = re.compile(r".*/site-packages/[^/]+\.(?:dist|egg)-info/entry_points\.txt\Z")
_SITE = re.compile(r".*/site-packages/")


def program(files: Files, package: CondaPackage, place: str) -> None:
    """Tell what is wrong with one program of a package's."""
    environment = files.environment
    entry, text = environment.inside.get(place), environment.tree.contents.get(place)
    if entry is None:
        files.tell("missing", place, package.name)
        return
    if entry.kind == "file" and text is None:
        files.unknown.append(place)  # which was too long to be kept, or lies where none is
        return
    points = [row for row in package.files if row.kind == "file" and _POINTS.match(row.path)]
    known = _entry_points(files, points).get(posixpath.basename(place))
    called = _called(environment.prefix, text or b"")
    if called is not None and known == called:
        return
    if called is not None and not points and _has(package, called[0]):
        files.unknown.append(place)  # info/link.json had it, which no installer keeps
    else:
        files.tell("unowned", place, package.name if known is not None else "")


def _called(prefix: str, text: bytes) -> tuple[str, str] | None:
    """What a program calls, if it does no more than that, with the environment's own Python."""
    if entry_points.interpreter(text, f"{prefix}/bin") is None:
        return None
    return entry_points.called(text)


def _entry_points(files: Files, points: list[Placed]) -> Mapping[str, tuple[str, str]]:
    """What the package's own entry_points.txt says of its programs."""
    found: dict[str, tuple[str, str]] = {}
    for row in points:
        place = f"{files.environment.prefix}/{row.place}"
        text = files.environment.tree.contents.get(place, b"")
        if hashlib.sha256(text).hexdigest() == row.sha256:
            found.update(entry_points.targets(text))
    return found


def _has(package: CondaPackage, module: str) -> bool:
    """Whether a package brings a module."""
    inner = module.replace(".", "/")
    paths = (each.path for each in package.files if each.kind == "file")
    names = {_SITE.sub("", path) for path in paths if _SITE.match(path)}
    return f"{inner}.py" in names or f"{inner}/__init__.py" in names
