"""What hashing every file found, in one line of the summary."""

from __future__ import annotations

from envsnap.manifest import Manifest
from envsnap.sections import Changes, Package, Packages, Unknown

_SHOWN = 3


def verified_words(manifest: Manifest) -> str:
    """'74,060 files of 381 packages; 1 edited: numpy numpy/__init__.py'; '' where none were hashed.

    Every copy counts, those that another hides, too.
    """
    packages = manifest.section(Packages)
    if not manifest.captured.verified or isinstance(packages, Unknown):
        return ""
    installed = () if isinstance(packages.installed, Unknown) else packages.installed
    known = [(each, each.changes) for each in installed if isinstance(each.changes, Changes)]
    files = sum(changes.files for _, changes in known)
    parts = [f"{_count(files, 'file')} of {_count(len(known), 'package')}"]
    for kind in ("edited", "missing", "extra", "unchecked"):
        named = [(each, path) for each, changes in known for path in getattr(changes, kind)]
        parts += [_counted(kind, named)] if named else []
    if len(known) < len(installed):
        parts.append(f"{_count(len(installed) - len(known), 'package')} could not be verified")
    return "; ".join(parts)


def _counted(kind: str, named: list[tuple[Package, str]]) -> str:
    words = {"extra": "more than RECORD names", "unchecked": "not opened"}.get(kind, kind)
    shown = ", ".join(f"{each.name} {path}" for each, path in named[:_SHOWN])
    left = len(named) - _SHOWN
    return f"{len(named):,} {words}: {shown}" + (f" and {left:,} more" if left > 0 else "")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
