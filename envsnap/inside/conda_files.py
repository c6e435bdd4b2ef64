"""conda's own packages in an environment: which there are, and the files that each one put there.

Beside `verify`. What conda-meta states of a package's files is compared with the files; nothing in
a manifest vouches for conda-meta itself. Syntax for Python 3.6 and newer, standard library only.
"""

import base64
import binascii
import json
import os
import re

if __package__:
    from envsnap.inside import compared, content
else:  # beside this file, wherever that is
    import compared  # type: ignore[import-not-found, no-redef]
    import content  # type: ignore[import-not-found, no-redef]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from typing import Any

    from envsnap.inside.compared import Judged, Scope

    Json = dict[str, Any]

_LIMIT = 64 * 1024 * 1024
_PROVIDES = re.compile(
    r"(?:\A|/)site-packages/([^/]+?)-[^/-]+(?:-py[0-9.]+)?\.(?:dist|egg)-info(?:/|\Z)"
)
WITNESS = "conda-meta in the image is the only witness of its files"


class CondaPackage:
    """One package of conda's: its files as a RECORD would state them, relative to the prefix."""

    __slots__ = ("archive", "build", "links", "name", "place", "provides", "rows", "version")

    def __init__(self, place: bytes, said: "Json") -> None:
        self.place = place
        self.name, self.version = str(said["name"]), str(said["version"])
        self.build = str(said.get("build", ""))
        self.archive = said.get("sha256")
        paths = (said.get("paths_data") or {}).get("paths", ())
        self.links = [str(each["_path"]) for each in paths if each.get("path_type") == "softlink"]
        found = (_PROVIDES.search(str(each["_path"])) for each in paths)
        self.provides = {compared.canonical(each.group(1)) for each in found if each}
        """The distributions that it brings, by their canonical names."""
        self.rows = [
            (os.fsencode(str(each["_path"])), _row(each))
            for each in paths
            if each.get("path_type") not in ("softlink", "directory")
        ]

    @property
    def record(self) -> bytes:
        """Its files, as a RECORD would state them."""
        return b"".join(row for _, row in self.rows)


def _row(said: "Json") -> bytes:
    """One row; an empty hash where conda states none."""
    digest = said.get("sha256_in_prefix") or said.get("sha256") or ""
    try:
        coded = base64.urlsafe_b64encode(bytes.fromhex(digest)).rstrip(b"=")
    except (TypeError, ValueError, binascii.Error):
        coded = b""
    path = str(said["_path"]).encode("utf-8", "surrogateescape")
    if b"\n" in path or b"\r" in path:
        return b""
    size = said.get("size_in_bytes")
    known = b"sha256=" + coded if coded else b""
    quoted = b'"' + path.replace(b'"', b'""') + b'"' if b'"' in path else path
    return quoted + b"," + known + b"," + (b"%d" % size if type(size) is int else b"") + b"\n"


def parsed(place: bytes, text: bytes) -> "CondaPackage | None":
    """What one file of conda-meta says; None where it is no record."""
    try:
        return CondaPackage(place, json.loads(text.decode("utf-8")))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def packages(prefix: str) -> "list[CondaPackage]":
    """All packages that conda-meta names; none where there is no such folder."""
    folder = os.path.join(os.fsencode(prefix), b"conda-meta")
    found = []  # type: list[CondaPackage]
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        if name.endswith(b".json"):
            try:
                text = content.read_file(os.path.join(folder, name), _LIMIT)
            except OSError:
                continue
            each = parsed(os.path.join(folder, name), text)
            found += [each] if each else []
    return found


def replaced(found: "list[CondaPackage]", manifest: "Json") -> "list[CondaPackage]":
    """The packages of which the manifest says that pip has put a distribution in their place."""
    by_pip = of_pip(manifest)
    return [each for each in found if each.provides & by_pip]


def of_pip(manifest: "Json") -> "set[str]":
    """The canonical names of the manifest's distributions that are not conda's."""
    found = compared.active(manifest).items()
    return {name for name, each in found if not isinstance(each.get("conda"), dict)}


def give_up(
    package: "CondaPackage", claimed: "Container[bytes]", is_there: "Callable[[bytes], bool]"
) -> None:
    """Let a replaced package state no file that pip removed, nor one that pip's own RECORD claims.

    conda-meta goes on naming them. Paths are relative to the prefix.
    """
    package.rows = [
        (path, row) for path, row in package.rows if path not in claimed and is_there(path)
    ]


def judge(manifest: "Json", found: "list[CondaPackage]", scope: "Scope", answer: "Judged") -> None:
    """What differs about conda's packages. Where an environment has none, nothing is compared."""
    asked = wanted(manifest)
    here = {each.name: each for each in found}
    for name in sorted(filter(scope.has, asked.keys() - scope.without)) if found else ():
        said, each = asked[name], here.get(name)
        version = "%s %s" % (said["version"], said.get("build"))
        if each is None:
            answer.faults.append(compared.Fault("not-installed", package=name, wanted=version))
        elif _other(each.version, said["version"]) or _other(each.build, said.get("build")):
            is_here = "%s %s" % (each.version, each.build)
            answer.faults.append(
                compared.Fault("version", package=name, wanted=version, found=is_here)
            )
        elif _other(each.archive, said.get("sha256")):
            sides = {"wanted": said["sha256"], "found": each.version}
            why = "it came from another archive"
            answer.faults.append(compared.Fault("content", why, package=name, **sides))
        else:
            answer.by_version[name] = WITNESS
    if not (scope.others_ok or scope.only):
        answer.faults += [
            compared.Fault("not-wanted", package=name, found=here[name].version)
            for name in sorted(here.keys() - (asked.keys() - scope.without))
        ]


def _other(found: object, wanted: object) -> bool:
    return isinstance(found, str) and isinstance(wanted, str) and found != wanted


def wanted(manifest: "Json") -> "dict[str, Json]":
    """The manifest's conda packages, by conda's name."""
    section = manifest["sections"]["packages"]
    alone = section.get("conda_only")
    records = [each.get("conda") for each in section["installed"]]
    records += alone if isinstance(alone, list) else []
    return {each["name"]: each for each in records if isinstance(each, dict)}
