"""conda's own packages in an environment: which there are, and the files that each one put there.

Beside `verify`. What conda-meta states of a package's files is compared with the files, and what it
states with the manifest. Syntax for Python 3.6 and newer, standard library only.

The digest of a package, known as envsnap-conda-1: SHA-256 over one line for each file or symbolic
link of its archive, sorted as bytes: `path NUL kind NUL sha256 NUL mode NUL placeholder LF`. The
path is relative to the environment's folder; the kind is `file` or `link`. The hash, in hex, is
that of the file as it is in the archive, without the environment's folder, which an installer
writes into some; of a link, that of the file it leads to, and empty where none is stated. Mode
(`text` or `binary`) and placeholder say what stands there in the folder's place; both are empty for
all other files. Left out: what installers make of a noarch package, its bytecode and the programs
of its entry points. A file without a hash makes the digest absent. Equal digests mean equal
archives, as far as they become files.
"""

import base64
import binascii
import hashlib
import json
import os
import re
from collections import namedtuple

if __package__:
    from envsnap.inside import compared, content
else:  # beside this file, wherever that is
    import compared  # type: ignore[import-not-found, no-redef]
    import content  # type: ignore[import-not-found, no-redef]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable
    from typing import Any

    from envsnap.inside.compared import Fault, Judged, Scope

    Json = dict[str, Any]

_LIMIT = 64 * 1024 * 1024
_PROVIDES = re.compile(
    r"(?:\A|/)site-packages/([^/]+?)-[^/-]+(?:-py[0-9.]+)?\.(?:dist|egg)-info(?:/|\Z)"
)
_HEX = re.compile(r"[0-9a-f]{64}\Z")
_LINE_ENDS = re.compile(r"[\0\r\n]")
_GENERATED = {
    "pyc_file": "bytecode",
    "unix_python_entry_point": "program",
    "windows_python_entry_point_script": "program",
    "windows_python_entry_point_exe": "program",
    "windows_python_entrypoint_script": "program",
    "windows_python_entrypoint_exe": "program",
}
_IN_DIGEST = ("file", "link")
WITNESS = "conda-meta in the image is the only witness of its files"
_NO_HASHES = "conda-meta has no hash of each of its files"
_NO_META = "there is no conda-meta"
UNPROVED = frozenset((WITNESS, _NO_META))
"""Why a package has no digest to compare with."""
_NONE = (None, True)  # type: tuple[str | None, bool]
_OTHERS = "what conda-meta states is not what the manifest states"

Placed = namedtuple(  # noqa: PYI024 - typing would slow the start of `capture`
    "Placed", ("path", "kind", "sha256", "placeholder", "mode", "place")
)
"""A file of a package's: path below the prefix; file, link, program or bytecode; the hash that it
has in the archive; the folder that stands in it there for the prefix, and text or binary; and where
it lies: rattler puts aside what another package has under the same name."""


class CondaPackage:
    """One package of conda's: its files as a RECORD would state them, relative to the prefix."""

    __slots__ = (
        "archive", "build", "content", "files", "links", "name", "place", "provides", "rows",
        "version",
    )  # fmt: skip

    def __init__(self, place: bytes, said: "Json") -> None:
        self.place = place
        self.name, self.version = str(said["name"]), str(said["version"])
        self.build = str(said.get("build", ""))
        self.archive = said.get("sha256")
        self.files = files_of(said)
        self.content = digest_of(self.files)
        """envsnap-conda-1, as it states it; None where it has no hash of each file."""
        paths = (said.get("paths_data") or {}).get("paths", ())
        self.links = [str(each["_path"]) for each in paths if each.get("path_type") == "softlink"]
        found = [_PROVIDES.search(each.path) for each in self.files if each.kind in _IN_DIGEST]
        self.provides = {compared.canonical(each.group(1)) for each in found if each}
        """The distributions that it brings, by canonical name: of what the digest is over."""
        self.rows = [
            (os.fsencode(str(each["_path"])), _row(each))
            for each in paths
            if each.get("path_type") not in ("softlink", "directory")
        ]

    @property
    def record(self) -> bytes:
        """Its files, as a RECORD would state them."""
        return b"".join(row for _, row in self.rows)


def files_of(said: "Json") -> "list[Placed]":
    """The files of one record of conda-meta. What is no word in it stands as an empty one."""
    data = said.get("paths_data")
    rows = data.get("paths") if isinstance(data, dict) else None
    aside = "__clobbers__/%s/" % said.get("name")
    return [
        _placed(each, aside)
        for each in (rows if isinstance(rows, list) else ())
        if isinstance(each, dict) and each.get("path_type") != "directory"
    ]


def _placed(said: "Json", aside: str) -> Placed:
    words = [said.get(key) for key in ("_path", "path_type", "sha256", "prefix_placeholder")]
    path, kind, digest, placeholder = (each if isinstance(each, str) else "" for each in words)
    kind = "link" if kind == "softlink" else _GENERATED.get(kind, "file")
    mode = "text" if said.get("file_mode") == "text" else "binary"
    own = path[len(aside) :] if path.startswith(aside) else path  # noqa: FURB188 - new in 3.9
    return Placed(own, kind, digest, placeholder, mode, path)


def digest_of(files: "Iterable[Placed]") -> "str | None":
    """envsnap-conda-1 of these files; None where there is none, or one has no hash or name.

    >>> digest_of([Placed("share/toy.txt", "file", 64 * "0", "", "", "share/toy.txt")])
    '3c8507e5719ff33bda44651edd347318bd0c497abe596740a2af097d6567d17a'
    """
    lines = []
    for each in files:
        if each.kind not in _IN_DIGEST:
            continue
        mode = each.mode if each.placeholder else ""
        is_hashed = _HEX.match(each.sha256) or (each.kind == "link" and not each.sha256)
        if not each.path or not is_hashed or _LINE_ENDS.search(each.path + each.placeholder):
            return None
        words = [each.path, each.kind, each.sha256, mode, each.placeholder]
        lines.append(("\0".join(words) + "\n").encode("utf-8", "surrogateescape"))
    return hashlib.sha256(b"".join(sorted(lines))).hexdigest() if lines else None


def _row(said: "Json") -> bytes:
    """One row; an empty hash where conda states none.

    Where nothing was written into a file, the archive's hash stands: a manifest vouches for that.
    """
    stated = said.get("sha256") if not said.get("prefix_placeholder") else None
    digest = stated or said.get("sha256_in_prefix") or said.get("sha256") or ""
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
    places = [(os.fsencode(each.place), each) for each in package.files]
    package.files = [each for path, each in places if path not in claimed and is_there(path)]


def judge(manifest: "Json", found: "list[CondaPackage]", scope: "Scope", answer: "Judged") -> None:
    """What differs about conda's packages, and which have the manifest's digest."""
    asked, proofs, archives = wanted(manifest), contents(manifest), _archives(manifest)
    here = {}  # type: dict[str, CondaPackage]
    for each in found:
        if each.name in here and scope.has(each.name):
            records = [os.path.basename(one.place) for one in (here[each.name], each)]
            both = os.fsdecode(b", ".join(records))
            answer.faults.append(compared.Fault("twice", package=each.name, found=both))
        here[each.name] = each
    for name in sorted(filter(scope.has, asked.keys() - scope.without)) if found else ():
        fault = _fault(name, asked[name], here.get(name), archives.get(name))
        if fault is not None:
            answer.faults.append(fault)
        else:
            _judge_content(answer, here[name], proofs.get(name, _NONE))
    if not (found or scope.only):
        _judge_without(manifest, sorted(asked.keys() - scope.without), answer)
    if not (scope.others_ok or scope.only):
        answer.faults += [
            compared.Fault("not-wanted", package=name, found=here[name].version)
            for name in sorted(here.keys() - (asked.keys() - scope.without))
        ]


def _fault(
    name: str, said: "Json", here: "CondaPackage | None", archive: "str | None"
) -> "Fault | None":
    """What is wrong with one package, but for its files."""
    version = "%s %s" % (said["version"], said.get("build"))
    if here is None:
        return compared.Fault("not-installed", package=name, wanted=version)
    if _other(here.version, said["version"]) or _other(here.build, said.get("build")):
        is_here = "%s %s" % (here.version, here.build)
        return compared.Fault("version", package=name, wanted=version, found=is_here)
    if archive is not None and _other(here.archive, archive):
        sides = {"wanted": archive, "found": here.version}
        return compared.Fault("content", "it came from another archive", package=name, **sides)
    return None


def _judge_content(answer: "Judged", here: CondaPackage, stated: "tuple[str | None, bool]") -> None:
    proof, is_sure = stated
    if proof is None or (not is_sure and here.content != proof):
        answer.by_version[here.name] = WITNESS
    elif here.content == proof:
        answer.of_conda.add(here.name)
    else:
        why = _NO_HASHES if here.content is None else _OTHERS
        sides = {"wanted": proof, "found": here.version}
        answer.faults.append(compared.Fault("content", why, package=here.name, **sides))


def sure(manifest: "Json", found: "Iterable[CondaPackage]") -> "set[bytes]":
    """The records of conda-meta, by their paths, that state what the manifest states."""
    proofs = contents(manifest)
    return {
        each.place
        for each in found
        if each.content is not None and each.content == proofs.get(each.name, _NONE)[0]
    }


def _judge_without(manifest: "Json", names: "list[str]", answer: "Judged") -> None:
    """The same where there is no conda-meta: its distributions' RECORDs alone can tell."""
    unproved = {
        each["conda"]["name"]
        for each in manifest["sections"]["packages"]["installed"]
        if isinstance(each.get("conda"), dict) and each["name"] not in answer.proved
    }
    alone = {each["name"] for each in _alone(manifest)}
    for name in names:
        if name in unproved or name in alone:
            answer.by_version[name] = _NO_META


def contents(manifest: "Json") -> "dict[str, tuple[str | None, bool]]":
    """The digest that each package's files must have, and whether that is sure, by conda's name.

    That of the archive it is installed from where that was made again; else the captured one.
    """
    found = {name: (_text(each.get("content")), True) for name, each in wanted(manifest).items()}
    for each in (manifest.get("lock") or {}).get("conda", ()):
        if each.get("how") == "made":
            of_archive, (captured, _) = _text(each.get("content")), found.get(each["name"], _NONE)
            found[each["name"]] = (of_archive or captured, of_archive is not None)
    return found


def _archives(manifest: "Json") -> "dict[str, str]":
    """The SHA-256 of the archive that each package is installed from, where that is known."""
    rows = [*wanted(manifest).values(), *((manifest.get("lock") or {}).get("conda", ()))]
    return {each["name"]: each["sha256"] for each in rows if _text(each.get("sha256"))}


def _text(value: object) -> "str | None":
    return value if isinstance(value, str) else None


def _other(found: object, wanted: object) -> bool:
    return isinstance(found, str) and isinstance(wanted, str) and found != wanted


def wanted(manifest: "Json") -> "dict[str, Json]":
    """The manifest's conda packages, by conda's name."""
    records = [each.get("conda") for each in manifest["sections"]["packages"]["installed"]]
    records += _alone(manifest)
    return {each["name"]: each for each in records if isinstance(each, dict)}


def _alone(manifest: "Json") -> "list[Json]":
    """Those that are no distributions."""
    found = manifest["sections"]["packages"].get("conda_only")
    return found if isinstance(found, list) else []
