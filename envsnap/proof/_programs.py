"""The programs in an environment's `bin` that pip's packages brought: what each of them starts.

The digest of a package's content is over its entry_points.txt and over no program. So a program is
held against what an installer writes for that entry; any other is in the digest of what its package
put outside of site-packages, or only the image's RECORD speaks for it.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Container, Iterable
from typing import TYPE_CHECKING

from envsnap._typing import NamedTuple
from envsnap.inside import compared, content, entry_points, outside

if TYPE_CHECKING:
    from envsnap.images import ImageTree
    from envsnap.inside.entry_points import Entry
    from envsnap.proof._environment import Distribution, Environment


class Programs(NamedTuple):
    """What was found out about the programs of pip's packages."""

    faults: list[tuple[str, compared.Fault]]
    """Paths in the image that other things than the environment's Python start."""
    unknown: list[str]
    """Those that are no installer's for an entry point of a package, and in no digest."""


def programs(
    environment: Environment, found: Iterable[Distribution], covered: Container[str]
) -> Programs:
    """Look at the programs that these distributions name, each once.

    Those that are `covered` have the hash that the manifest knows, but for the line that starts
    them; what differs from its RECORD's is told elsewhere.
    """
    known: dict[str, list[Entry]] = {}
    starts: set[str] = set()
    folder = f"{environment.prefix}/bin"
    for each in found:
        entries = entry_points.targets(each.entry_points)
        starts |= {f"{folder}/{name}" for name in compared.scripts(each.entry_points)}
        for place in [*(f"{folder}/{name}" for name in entries), *_named(each, folder)]:
            target = entry_points.target_of(posixpath.basename(place), entries)
            known.setdefault(place, []).extend([target] if target else [])
    answer = Programs([], [])
    for place in sorted({*known, *starts} & environment.inside.keys()):
        text = environment.tree.content(place)
        targets = known.get(place, [])
        fault = None
        if text is not None and (targets or place in starts):
            fault = _fault(environment, place, text)
        if fault is not None:
            answer.faults.append((place, fault))
        elif not (
            any(entry_points.is_wrapper(text or b"", each) for each in targets)
            or (place in covered and _starts_own(environment, place, text))
        ):
            answer.unknown.append(place)
    return answer


def _starts_own(environment: Environment, place: str, text: bytes | None) -> bool:
    """Whether a file is started by the environment's Python, if it is by any."""
    entry = environment.inside[place]
    if entry.kind != "file":
        return False  # a link: what it leads to may find other things beside itself
    if text is None:
        return entry.head not in {b"", b"#!"}
    folder = os.fsencode(posixpath.dirname(place))
    starts = outside.as_in_wheel(text, folder) is not None or outside.starts_python(text)
    return not starts or _fault(environment, place, text) is None


def _named(found: Distribution, folder: str) -> list[str]:
    """The files of a folder that a distribution's RECORD names."""
    rows = content.rows_of(found.record or b"")
    if isinstance(rows, content.Refusal):
        return []
    return [each for each in found.named() if posixpath.dirname(each) == folder]


def _fault(environment: Environment, place: str, text: bytes) -> compared.Fault | None:
    """What is wrong with its start: also a Python beside the one that the environment has."""
    folder, name = posixpath.split(place)
    fault = compared.script_fault(f"bin/{name}", text, folder)
    starts = entry_points.interpreter(text, folder)
    if fault is not None or starts is None:
        return fault
    if is_own_python(environment.tree, folder, starts):
        return None
    return compared.Fault("script", f"bin/{name}", found=repr(starts))


def is_own_python(tree: ImageTree, folder: str, name: str) -> bool:
    """Whether a name in a folder of programs leads where its `python` does, or to a copy of it."""
    python, own = tree.entry(f"{folder}/{name}"), tree.entry(f"{folder}/python")
    both = (tree.real(f"{folder}/{name}"), tree.real(f"{folder}/python"))
    return both[0] == both[1] or bool(python and own and python.sha256 == own.sha256 != "")
