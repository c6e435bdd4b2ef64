"""Installs one wheel by its own zip: for those that no installer takes, as `foo-1.1build1`.

A wheel is somebody else's file. Every member's path is held to the folders that a wheel may fill
before anything is written, and its bytes to the hash that the wheel's own RECORD states.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import re
import zipfile
from collections.abc import Mapping
from typing import NamedTuple

from envsnap.engines._archives import ZIP_FAULTS, bad_name, is_plain_file, swells
from envsnap.errors import FileError, ToolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

_MEMBERS = 200_000
_TEXT_BYTES = 64 * 1024 * 1024
_PIECE = 1 << 20
_PROGRAM = 0o755
_ENTRY = re.compile(r"\A([A-Za-z0-9_.-]+)\s*=\s*([A-Za-z_][\w.]*)\s*:\s*([A-Za-z_][\w.]*)")
_WRAPPER = """#!{python}
import sys
from {module} import {first}
if __name__ == "__main__":
    sys.exit({function}())
"""


class Schemes(NamedTuple):
    """The folders of an environment that a wheel's files go to."""

    prefix: str
    purelib: str
    platlib: str
    python: str
    """The environment's interpreter, for the first line of scripts."""


class _Row(NamedTuple):
    path: str
    sha256: str
    """As RECORD writes it: base64 without its padding."""
    size: int


def unpack(wheel: str, into: Schemes) -> None:
    """Install a wheel's files, and write the RECORD of what was installed.

    Raises:
        ToolError: It is no valid wheel, or has a file that leads out of its folders.
        FileError: A file cannot be written.
    """
    shown = os.path.basename(wheel)
    try:
        with zipfile.ZipFile(wheel) as opened:
            _unpack(_Wheel(opened, shown, os.path.getsize(wheel)), into)
    except ZIP_FAULTS as error:
        raise ToolError(f"{shown} is no wheel: {error}") from error
    except OSError as error:
        raise FileError(f"Cannot install {shown}: {error.strerror}") from error


class _Wheel:
    """A wheel whose members were looked at, and whose RECORD was read."""

    def __init__(self, opened: zipfile.ZipFile, shown: str, size: int) -> None:
        self.opened, self.shown = opened, shown
        infos = [each for each in opened.infolist() if not each.is_dir()]
        if len(infos) > _MEMBERS:
            raise ToolError(f"{shown} holds {len(infos)} files, more than any wheel")
        if swells(infos, size):
            raise ToolError(f"{shown} unpacks to more bytes than a wheel of {size >> 10} KiB can")
        for info in infos:
            _refuse(info, shown)
        self.infos = {each.filename: each for each in infos}
        if len(self.infos) < len(infos):
            raise ToolError(f"{shown} holds two files of one name")
        records = [name for name in self.infos if _is_record(name)]
        if len(records) != 1:
            raise ToolError(f"{shown} has {len(records)} RECORDs, and a wheel has one")
        self.dist_info = records[0].partition("/")[0]
        self.record = _rows(self.text(records[0]))
        self.data = self.dist_info[: -len(".dist-info")] + ".data/"

    def text(self, name: str) -> str:
        """A member as text; one that is not there is empty."""
        if name not in self.infos:
            return ""
        with self.opened.open(name) as file:
            raw = file.read(_TEXT_BYTES + 1)
        if len(raw) > _TEXT_BYTES:
            raise ToolError(f"{name} in {self.shown} is larger than {_TEXT_BYTES >> 20} MiB")
        return raw.decode("utf-8", "replace")


def _is_record(name: str) -> bool:
    folder, _, rest = name.partition("/")
    return rest == "RECORD" and folder.endswith(".dist-info")


def _refuse(info: zipfile.ZipInfo, shown: str) -> None:
    """Refuse a member that leads out of the wheel's folders, or is no plain file."""
    if bad_name(info.filename):
        raise ToolError(f"{shown} has a file that leads out of its folder: {info.filename[:200]!a}")
    if not is_plain_file(info):
        raise ToolError(f"{shown} has a link or device in it: {info.filename[:200]!a}")


def _rows(record: str) -> Mapping[str, str]:
    """The SHA-256 of each path that a RECORD states; empty where it states none."""
    found = {}
    for fields in csv.reader(io.StringIO(record)):
        if fields:
            name, _, digest = (fields[1] if len(fields) > 1 else "").partition("=")
            found[fields[0]] = digest.rstrip("=") if name == "sha256" else ""
    return found


def _unpack(wheel: _Wheel, into: Schemes) -> None:
    pure = "root-is-purelib: true" in wheel.text(f"{wheel.dist_info}/WHEEL").lower()
    root = into.purelib if pure else into.platlib
    signatures = {f"{wheel.dist_info}/{name}" for name in ("RECORD", "RECORD.jws", "RECORD.p7s")}
    named = wheel.infos.keys() - signatures
    for name in sorted(named - wheel.record.keys()):
        raise ToolError(f"{wheel.shown} holds {name[:200]!a}, which its RECORD does not name")
    written = []
    for name in sorted(named):
        target, is_script = _target(wheel, name, root, into)
        with wheel.opened.open(name) as file:
            row = _write(file, target, into.python if is_script else None, wheel.record[name])
        if row is None:
            raise ToolError(f"{name[:200]!a} in {wheel.shown} is not what its RECORD says")
        if is_script or wheel.infos[name].external_attr >> 16 & 0o111:
            os.chmod(target, _PROGRAM)
        written.append(row)
    written += _wrappers(wheel, into)
    written.append(_note(os.path.join(root, wheel.dist_info, "INSTALLER"), "envsnap\n"))
    _write_record(os.path.join(root, wheel.dist_info, "RECORD"), written, root)


def _target(wheel: _Wheel, name: str, root: str, into: Schemes) -> tuple[str, bool]:
    """Where a member goes, and whether it is a script."""
    if not name.startswith(wheel.data):
        return _inside(root, name), False
    scheme, _, rest = name[len(wheel.data) :].partition("/")
    minor = os.path.basename(os.path.dirname(into.purelib))
    distribution = wheel.dist_info.partition("-")[0]
    folders = {
        "purelib": into.purelib, "platlib": into.platlib, "data": into.prefix,
        "scripts": os.path.join(into.prefix, "bin"),
        "headers": os.path.join(into.prefix, "include", "site", minor, distribution),
    }  # fmt: skip
    if scheme not in folders or not rest:
        raise ToolError(f"{wheel.shown} has a file of an unknown kind: {name[:200]!a}")
    return _inside(folders[scheme], rest), scheme == "scripts"


def _inside(folder: str, path: str) -> str:
    """A path below a folder, and its folder made: no link on the way leads out."""
    target = os.path.join(folder, *path.split("/"))
    above = os.path.dirname(target)
    os.makedirs(above, exist_ok=True)
    real, base = os.path.realpath(above), os.path.realpath(folder)
    if real != base and not real.startswith(base + os.sep):
        raise ToolError(f"A link leads out of {folder}: {path[:200]!a}")
    return target


def _write(source: IO[bytes], target: str, python: str | None, wanted: str) -> _Row | None:
    """Write one member, hashed as it comes; None, and no file, where its hash is another.

    A script that begins with `#!python` gets the environment's interpreter.
    """
    if os.path.lexists(target):
        os.unlink(target)  # another package's file of that name: the last one wins, as with pip
    read, kept, size = hashlib.sha256(), hashlib.sha256(), 0
    with open(target, "xb") as file:
        is_first = True
        while piece := source.read(_PIECE):
            read.update(piece)
            if is_first and python is not None and piece.startswith(b"#!python"):
                piece = b"#!" + os.fsencode(python) + b"\n" + piece.partition(b"\n")[2]
            is_first = False
            kept.update(piece)
            size += file.write(piece)
    if _coded(read.digest()) != wanted:
        os.unlink(target)
        return None
    return _Row(target, _coded(kept.digest()), size)


def _coded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _note(path: str, text: str) -> _Row:
    raw = text.encode()
    if os.path.lexists(path):
        os.unlink(path)
    with open(path, "xb") as file:
        file.write(raw)
    return _Row(path, _coded(hashlib.sha256(raw).digest()), len(raw))


def _wrappers(wheel: _Wheel, into: Schemes) -> list[_Row]:
    """The scripts of the wheel's entry points. A name or target of another form gets none."""
    rows, section = [], ""
    for line in map(str.strip, wheel.text(f"{wheel.dist_info}/entry_points.txt").splitlines()):
        if line.startswith("["):
            section = line.strip("[] \t")
        elif section in {"console_scripts", "gui_scripts"} and (found := _ENTRY.match(line)):
            name, module, function = found.groups()
            target = _inside(os.path.join(into.prefix, "bin"), name)
            text = _WRAPPER.format(
                python=into.python, module=module, function=function, first=function.split(".")[0]
            )
            rows.append(_note(target, text))
            os.chmod(target, _PROGRAM)
    return rows


def _write_record(path: str, rows: list[_Row], root: str) -> None:
    if os.path.lexists(path):
        os.unlink(path)
    with open(path, "x", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        paths = [row._replace(path=os.path.relpath(row.path, root)) for row in rows]
        for row in sorted(paths):
            writer.writerow([row.path, f"sha256={row.sha256}", row.size])
        writer.writerow([os.path.relpath(path, root), "", ""])
