"""Installs wheels that no installer takes, as those of `foo-1.1build1`, each by its own zip.

Run as `python -I -B unpack.py LIST FOLDER` by the Python of the environment that they go into. A
line of LIST is `SHA256 FILENAME`, a file in FOLDER. Exit status 0, or 1 with one line. Syntax for
Python 3.6 and newer, standard library only: recipes carry it. `envsnap restore` has the same code.

A wheel is somebody else's file. Every member's path is held to the folders that a wheel may fill
before anything is written, and its bytes to the hash that the wheel's own RECORD states.
"""

import base64
import csv
import hashlib
import io
import lzma
import os
import posixpath
import re
import stat
import struct
import sys
import sysconfig
import zipfile
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import IO

    Row = tuple[str, str, int]
    """Of a RECORD: path, SHA-256 in base64 without its padding, and size."""

ZIP_FAULTS = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError, struct.error, csv.Error,
    EOFError, NotImplementedError, RuntimeError, OverflowError, ValueError,
)  # fmt: skip
"""All that an archive can raise that is no zip, cut short, encrypted or packed in another way.

OSError is not among them: it is the disk's. Some are what a mistake of our own raises, too, so no
more than the reading itself stands in such a `try`.
"""
_SWELLING = 100
"""How many times its own size an archive may unpack to; text gets to a tenth of that."""
_SPARE_BYTES = 256 * 1024 * 1024
_MEMBERS = 200000
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


class WheelError(Exception):
    """A wheel is no valid one, or not the one that was named."""


class Schemes:
    """The folders of an environment that a wheel's files go to.

    `python` is the environment's interpreter, for the first line of scripts.
    """

    __slots__ = ("platlib", "prefix", "purelib", "python")

    def __init__(self, prefix: str, purelib: str, platlib: str, python: str) -> None:
        self.prefix, self.purelib, self.platlib, self.python = prefix, purelib, platlib, python


def schemes_here() -> Schemes:
    """Those of the environment whose Python runs this."""
    paths = sysconfig.get_paths()
    return Schemes(sys.prefix, paths["purelib"], paths["platlib"], sys.executable)


def leads_out(name: str) -> bool:
    """Whether a member's path is not plainly one below its folder.

    >>> [leads_out(each) for each in ("a/b", "../a", "/a", "a/../b", "./a", "a//b", "")]
    [False, True, True, True, True, True, True]
    """
    is_plain = name == posixpath.normpath(name) and "\0" not in name
    return not is_plain or name.startswith("/") or name.partition("/")[0] in ("", ".", "..")


def bad_name(name: str) -> bool:
    r"""Whether a wheel's or source's member leads out, here or by another system's rules.

    >>> [bad_name(each) for each in ("a/b", "a\\..\\b", "C:/b")]
    [False, True, True]
    """
    return leads_out(name) or "\\" in name or ":" in name.partition("/")[0]


def is_plain_file(info: zipfile.ZipInfo) -> bool:
    """Whether a member is a file: no link, device or folder. Some tools write no kind at all."""
    return not info.is_dir() and stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)


def swells(infos: "Iterable[zipfile.ZipInfo]", size: int) -> bool:
    """Whether an archive of this size says that it unpacks to more than honest ones do.

    No member gives more bytes than the archive says of it: the zip module stops there.
    """
    return sum(each.file_size for each in infos) > size * _SWELLING + _SPARE_BYTES


def unpack(wheel: str, into: Schemes) -> None:
    """Install a wheel's files, and write the RECORD of what was installed.

    Raises:
        WheelError: It is no valid wheel, or has a file that leads out of its folders.
        OSError: A file cannot be written.
    """
    shown = os.path.basename(wheel)
    try:
        with zipfile.ZipFile(wheel) as opened:
            _unpack(_Wheel(opened, shown, os.path.getsize(wheel)), into)
    except ZIP_FAULTS as error:
        raise WheelError("%s is no wheel: %s" % (shown, error)) from error


class _Wheel:
    """A wheel whose members were looked at, and whose RECORD was read."""

    def __init__(self, opened: zipfile.ZipFile, shown: str, size: int) -> None:
        self.opened, self.shown = opened, shown
        infos = [each for each in opened.infolist() if not each.is_dir()]
        if len(infos) > _MEMBERS:
            raise WheelError("%s holds %d files, more than any wheel" % (shown, len(infos)))
        if swells(infos, size):
            raise WheelError(
                "%s unpacks to more bytes than a wheel of %d KiB can" % (shown, size >> 10)
            )
        for info in infos:
            _refuse(info, shown)
        self.infos = {each.filename: each for each in infos}
        if len(self.infos) < len(infos):
            raise WheelError("%s holds two files of one name" % shown)
        records = [name for name in self.infos if _is_record(name)]
        if len(records) != 1:
            raise WheelError("%s has %d RECORDs, and a wheel has one" % (shown, len(records)))
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
            raise WheelError(
                "%s in %s is larger than %d MiB" % (name, self.shown, _TEXT_BYTES >> 20)
            )
        return raw.decode("utf-8", "replace")


def _is_record(name: str) -> bool:
    folder, _, rest = name.partition("/")
    return rest == "RECORD" and folder.endswith(".dist-info")


def _refuse(info: zipfile.ZipInfo, shown: str) -> None:
    """Refuse a member that leads out of the wheel's folders, or is no plain file."""
    name = ascii(info.filename[:200])
    if bad_name(info.filename):
        raise WheelError("%s has a file that leads out of its folder: %s" % (shown, name))
    if not is_plain_file(info):
        raise WheelError("%s has a link or device in it: %s" % (shown, name))


def _rows(record: str) -> "Mapping[str, str]":
    """The SHA-256 of each path that a RECORD states; empty where it states none."""
    found = {}
    for fields in csv.reader(io.StringIO(record)):
        if fields:
            name, _, digest = (fields[1] if len(fields) > 1 else "").partition("=")
            found[fields[0]] = digest.rstrip("=") if name == "sha256" else ""
    return found


def _unpack(wheel: _Wheel, into: Schemes) -> None:
    pure = "root-is-purelib: true" in wheel.text(wheel.dist_info + "/WHEEL").lower()
    root = into.purelib if pure else into.platlib
    signatures = {wheel.dist_info + "/" + name for name in ("RECORD", "RECORD.jws", "RECORD.p7s")}
    named = wheel.infos.keys() - signatures
    for name in sorted(named - wheel.record.keys()):
        raise WheelError(
            "%s holds %s, which its RECORD does not name" % (wheel.shown, ascii(name[:200]))
        )
    written = []
    for name in sorted(named):
        target, is_script = _target(wheel, name, root, into)
        with wheel.opened.open(name) as file:
            row = _write(file, target, into.python if is_script else None, wheel.record[name])
        if row is None:
            raise WheelError(
                "%s in %s is not what its RECORD says" % (ascii(name[:200]), wheel.shown)
            )
        if is_script or wheel.infos[name].external_attr >> 16 & 0o111:
            os.chmod(target, _PROGRAM)
        written.append(row)
    written += _wrappers(wheel, into)
    written.append(_note(os.path.join(root, wheel.dist_info, "INSTALLER"), "envsnap\n"))
    _write_record(os.path.join(root, wheel.dist_info, "RECORD"), written, root)


def _target(wheel: _Wheel, name: str, root: str, into: Schemes) -> "tuple[str, bool]":
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
        raise WheelError("%s has a file of an unknown kind: %s" % (wheel.shown, ascii(name[:200])))
    return _inside(folders[scheme], rest), scheme == "scripts"


def _inside(folder: str, path: str) -> str:
    """A path below a folder, and its folder made: no link on the way leads out."""
    target = os.path.join(folder, *path.split("/"))
    above = os.path.dirname(target)
    os.makedirs(above, exist_ok=True)
    real, base = os.path.realpath(above), os.path.realpath(folder)
    if real != base and not real.startswith(base + os.sep):
        raise WheelError("A link leads out of %s: %s" % (folder, ascii(path[:200])))
    return target


def _write(source: "IO[bytes]", target: str, python: "str | None", wanted: str) -> "Row | None":
    """Write one member, hashed as it comes; None, and no file, where its hash is another.

    A script that begins with `#!python` gets the environment's interpreter.
    """
    if os.path.lexists(target):
        os.unlink(target)  # another package's file of that name: the last one wins, as with pip
    read, kept, size = hashlib.sha256(), hashlib.sha256(), 0
    with open(target, "xb") as file:
        for number, whole in enumerate(iter(lambda: source.read(_PIECE), b"")):
            read.update(whole)
            piece = whole
            if number == 0 and python is not None and piece.startswith(b"#!python"):
                piece = b"#!" + os.fsencode(python) + b"\n" + piece.partition(b"\n")[2]
            kept.update(piece)
            size += file.write(piece)
    if _coded(read.digest()) != wanted:
        os.unlink(target)
        return None
    return target, _coded(kept.digest()), size


def _coded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _note(path: str, text: str) -> "Row":
    raw = text.encode()
    if os.path.lexists(path):
        os.unlink(path)
    with open(path, "xb") as file:
        file.write(raw)
    return path, _coded(hashlib.sha256(raw).digest()), len(raw)


def _wrappers(wheel: _Wheel, into: Schemes) -> "list[Row]":
    """The scripts of the wheel's entry points. A name or target of another form gets none."""
    rows, section = [], ""
    for line in map(str.strip, wheel.text(wheel.dist_info + "/entry_points.txt").splitlines()):
        found = _ENTRY.match(line)
        if line.startswith("["):
            section = line.strip("[] \t")
        elif section in ("console_scripts", "gui_scripts") and found:
            name, module, function = found.groups()
            target = _inside(os.path.join(into.prefix, "bin"), name)
            text = _WRAPPER.format(
                python=into.python, module=module, function=function, first=function.split(".")[0]
            )
            rows.append(_note(target, text))
            os.chmod(target, _PROGRAM)
    return rows


def _write_record(path: str, rows: "list[Row]", root: str) -> None:
    if os.path.lexists(path):
        os.unlink(path)
    with open(path, "x", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for place, digest, size in sorted(
            (os.path.relpath(row[0], root), *row[1:]) for row in rows
        ):
            writer.writerow([place, "sha256=" + digest, size])
        writer.writerow([os.path.relpath(path, root), "", ""])


def _named(folder: str, sha256: str, filename: str) -> str:
    """The path of a wheel, once its bytes are those of the hash.

    Raises:
        WheelError: They are not, or it has no name of a file.
    """
    if os.path.basename(filename) != filename or bad_name(filename):
        raise WheelError("%s is no name of a wheel" % ascii(filename[:200]))
    path, digest = os.path.join(folder, filename), hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(_PIECE), b""):
            digest.update(piece)
    if digest.hexdigest() != sha256:
        raise WheelError("%s has other bytes than it should" % filename)
    return path


def main(words: "list[str]") -> int:
    """Install what the list names; answer the exit status."""
    listed, folder = words
    into = schemes_here()
    try:
        with open(listed, encoding="utf-8") as file:
            rows = [line.split() for line in file]
        for sha256, filename in rows:
            unpack(_named(folder, sha256, filename), into)
    except (WheelError, OSError) as error:
        print("unpack.py: %s" % error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
