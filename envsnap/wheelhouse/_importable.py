"""What an editable install lets Python import, as a wheel: for where no backend can run."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from typing import NamedTuple

from envsnap.errors import FileError
from envsnap.inside.content import RECORD_LIMIT
from envsnap.manifest import canonical_name
from envsnap.probes._located import Located
from envsnap.wheelhouse._build import source_of
from envsnap.wheelhouse._egg_metadata import metadata
from envsnap.wheelhouse._installed import Row, read, recorded, sort_out, walked
from envsnap.wheelhouse._make import Made, pack
from envsnap.wheelhouse._member import Area, Gathered, Home, Member, area_of, is_below
from envsnap.wheelhouse._tags import stem_of

_LIMIT_BYTES = 4 * 1024 * 1024
_NO_PACKAGES = frozenset(
    {"tests", "test", "docs", "doc", "build", "dist", "examples", "benchmarks"}
)
_KEPT = ("METADATA", "entry_points.txt", "top_level.txt", "namespace_packages.txt")
_NATIVE = (".so", ".pyd")


class Importable(NamedTuple):
    """A package or module that Python finds outside the folder of packages."""

    name: str
    """As it is imported, with dots."""
    path: str
    """Its folder or file."""


def pack_importable(located: Located, home: Home, folder: str, why: str) -> Made:
    """A wheel of the files that the editable install makes importable; `why` it was not built.

    Raises:
        FileError: Nothing says which they are.
    """
    package = located.package
    stem = stem_of(package.name, package.version)
    members: dict[str, Member] = {}
    notes: list[str] = []
    for each in importables(located):
        found, said = _members(each, stem)
        members |= {member.name: member for member in found}
        notes += said
    if not members:
        raise FileError(f"Nothing says which files {package.name} {package.version} imports")
    own = _metadata(located, f"{stem}.dist-info")
    note = f"the importable files of its folder as it is, for {why}"
    gathered = Gathered(stem, (*members.values(), *own), (note, *notes))
    return pack(gathered, home, folder, (package.name, package.version))


def importables(located: Located) -> tuple[Importable, ...]:
    """The packages and modules that an editable install makes importable, of any generation."""
    if located.kind == "egg-link":
        root = _text(located.path).split("\n", 1)[0].strip()
        return tuple(_below(root, _top_level(_egg_info(root, located))))
    area = area_of(located.folder, located.folder)
    found: list[Importable] = []
    for row in recorded(read(f"{located.path}/RECORD", RECORD_LIMIT)):
        path = os.path.normpath(os.path.join(area.folder, row.path))
        if area.why_not(path) is not None or os.path.dirname(path) != area.folder:
            continue
        if path.endswith(".py"):
            found += _mapped(_text(path))
        elif path.endswith(".pth"):
            roots = [line.strip() for line in _text(path).splitlines()]
            tops = _top_level(located.path)
            found += [each for root in roots if os.path.isabs(root) for each in _below(root, tops)]
    return tuple(found) or tuple(_by_name(located))


def _by_name(located: Located) -> list[Importable]:
    """For a finder of an unknown kind: what its project's folder has under its names."""
    source = source_of(located)
    tops = _top_level(located.path) or [canonical_name(located.package.name).replace("-", "_")]
    roots = [] if source is None else [os.path.join(source, "src"), source]
    return next((found for root in roots if (found := list(_below(root, tops)))), [])


def _mapped(source: str) -> list[Importable]:
    """What a finder of setuptools maps, read from its text: nothing of it is run.

    >>> _mapped("MAPPING: dict[str, str] = {'a': '/src/a'}")
    [Importable(name='a', path='/src/a')]
    """
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError):
        return []
    for node in body:
        target: ast.expr | None = node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
        if isinstance(target, ast.Name) and target.id == "MAPPING":
            value = getattr(node, "value", None)
            pairs = _literal(value) if isinstance(value, ast.Dict) else {}
            return [Importable(name, path) for name, path in sorted(pairs.items())]
    return []


def _literal(node: ast.Dict) -> dict[str, str]:
    try:
        found = ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError):
        return {}
    return {
        name: path
        for name, path in found.items()
        if isinstance(name, str) and isinstance(path, str) and os.path.isabs(path)
    }


def _below(root: str, tops: list[str]) -> Iterator[Importable]:
    """The packages and modules of a folder: those of top_level.txt, else all that look like any."""
    names = sorted(os.listdir(root)) if os.path.isdir(root) else []
    for name in names:
        path = os.path.join(root, name)
        stem, dot, _ = name.partition(".")
        is_package = os.path.isfile(os.path.join(path, "__init__.py"))
        if stem in tops if tops else stem not in _NO_PACKAGES and stem != "setup":
            if os.path.isdir(path) and not dot and (tops or is_package):
                yield Importable(name, path)
            elif os.path.isfile(path) and name.endswith((".py", *_NATIVE)):
                yield Importable(stem, path)


def _members(each: Importable, stem: str) -> tuple[list[Member], tuple[str, ...]]:
    """The files of one package or module, under the name that it is imported by."""
    above, _, last = each.name.replace(".", "/").rpartition("/")
    path = os.path.normpath(each.path)
    if not os.path.isdir(path):
        path = path if os.path.isfile(path) else f"{path}.py"
    area = Area(os.path.dirname(path), os.path.dirname(path))
    rows = list(walked(path, area)) if os.path.isdir(path) else [Row(os.path.basename(path))]
    found = sort_out([row for row in rows if "/.git/" not in f"/{row.path}"], area, stem)
    base = os.path.basename(path)
    named = last if os.path.isdir(path) else base
    members = [
        member._replace(name="/".join(filter(None, (above, named + member.name[len(base) :]))))
        for member in found.members
        if is_below(os.path.join(area.folder, member.name), path) or member.name == base
    ]
    return members, found.notes


def _metadata(located: Located, info: str) -> list[Member]:
    """The dist-info of the wheel, from what the install has for one."""
    if located.kind == "egg-link":
        root = _text(located.path).split("\n", 1)[0].strip()
        folder = _egg_info(root, located)
        whole = metadata(_raw(f"{folder}/PKG-INFO"), _text(f"{folder}/requires.txt"))
        others = {name: _raw(f"{folder}/{name}") for name in _KEPT[1:]}
    else:
        whole = _raw(f"{located.path}/METADATA")
        others = {name: _raw(f"{located.path}/{name}") for name in _KEPT[1:]}
    made = [Member(f"{info}/METADATA", data=whole)]
    return made + [Member(f"{info}/{name}", data=raw) for name, raw in others.items() if raw]


def _egg_info(root: str, located: Located) -> str:
    """The egg-info folder that an egg-link leads to."""
    name = os.path.basename(located.path).removesuffix(".egg-link")
    for spelled in (name, name.replace("-", "_")):
        if os.path.isdir(f"{root}/{spelled}.egg-info"):
            return f"{root}/{spelled}.egg-info"
    raise FileError(f"{root} has no egg-info of {name}")


def _top_level(folder: str) -> list[str]:
    return _text(f"{folder}/top_level.txt").split()


def _text(path: str) -> str:
    return _raw(path).decode("utf-8", "surrogateescape")


def _raw(path: str) -> bytes:
    return read(path, _LIMIT_BYTES) if os.path.isfile(path) else b""
