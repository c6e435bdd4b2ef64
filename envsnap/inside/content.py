"""The digest of what a wheel put on a machine, from RECORD (*stated*) or from the wheel itself.

`content`, known as envsnap-content-1: SHA-256 over the lines `path NUL sha256-hex LF`, sorted as
bytes, of the files in purelib or platlib. The path is relative to that folder, with `/`, normal
(no `.`, `..` or empty segments), in RECORD's own bytes. Left out: `*.pyc`; and, of the package's
own dist-info, what installers and not wheels write (RECORD and its signatures, INSTALLER,
REQUESTED, direct_url.json, provenance_url.json, uv_*.json). Equal digests mean equal files.

What leaves the folder is for `outside`, which has a digest of it. Where purelib and platlib are two
folders, files of the one that does not hold the dist-info are there.

A row that does not state a SHA-256 makes the digest absent, with the reason: none is skipped.
Syntax for Python 3.6 and newer, standard library only.
"""

import binascii
import errno
import itertools
import operator
import os
import posixpath
import stat
from bisect import bisect_left
from hashlib import sha256
from struct import unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import AnyStr

    Pairs = list[tuple[bytes, bytes]]

RECORD_LIMIT = 64 * 1024 * 1024  # bytes; the largest known ones have a few megabytes
_HEX_DIGITS = 64
TWO_HASHES = "RECORD states two hashes of "
_BASE64 = bytes.maketrans(b"-_\0", b"+/A")
_OF_INSTALLERS = frozenset(
    b"RECORD RECORD.jws RECORD.p7s INSTALLER REQUESTED direct_url.json provenance_url.json".split()
)
_OTHER_HASHES = frozenset(b"md5 sha1 sha224 sha384 sha512 blake2b".split())


class Refusal:
    """Why there is no digest: a code of the manifest's closed list, or `absent`; and a sentence.

    One `is_of_reading` is about a file that could not be read, or is not the one that RECORD
    states; every other is about what RECORD itself says, and lies with whoever wrote it.
    """

    __slots__ = ("code", "detail", "is_of_reading")

    def __init__(self, code: str, detail: str, *, is_of_reading: bool = False) -> None:
        self.code, self.detail, self.is_of_reading = code, detail, is_of_reading


class Stated:
    """What one RECORD or wheel says, its two digests in hex; `other` is filled by `outside`.

    A digest is None with a refusal where it could not be had, and None without one where there is
    no such file. `files` and `outside` count what each digest is over.
    """

    __slots__ = (
        "content", "covered", "files", "leaving", "name", "other", "other_refusal", "outside",
        "refusal", "unstated",
    )  # fmt: skip

    def __init__(self, refusal: "Refusal | None" = None) -> None:
        self.content = None  # type: str | None
        self.other = None  # type: str | None
        self.files = self.outside = 0
        self.name = b""
        """The distribution's, as indexes compare it."""
        self.refusal = self.other_refusal = refusal
        self.leaving = []  # type: Pairs
        """The rows that leave the folder, their paths as RECORD writes them."""
        self.unstated = []  # type: Pairs
        """Those of them without a SHA-256, each with what stands there instead."""
        self.covered = []  # type: list[bytes]
        """The files that `other` is over, relative to the prefix."""


class Rows:
    """A RECORD's rows. Every path begins with a line feed; `hexes` stand beside `paths`."""

    __slots__ = ("bad", "hexes", "paths")

    def __init__(self, paths: "list[bytes]", hexes: "list[bytes]") -> None:
        self.paths, self.hexes = paths, hexes
        self.bad = []  # type: list[tuple[bytes, str]]


def stated(record: bytes, dist_info: bytes, limit: int = RECORD_LIMIT) -> Stated:
    """The digest that a RECORD states; `dist_info` is the name of the folder it lies in.

    >>> row = b"a.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0"
    >>> stated(row, b"a-1.dist-info").content
    'c8983c36147f6dd5dab2b7063ce0ff5a4e36f98e3c6ac98132a5d1b27185276c'
    """
    rows = rows_of(record, limit)
    if isinstance(rows, Refusal):
        return Stated(rows)
    return judged(rows, dist_info)


def rows_of(record: bytes, limit: int = RECORD_LIMIT) -> "Rows | Refusal":
    """The rows of a RECORD; or why it is of no use."""
    if len(record) > limit:
        return Refusal("not-supported", "RECORD is larger than %d bytes" % limit)
    if b"\0" in record:
        return Refusal("unparsable", "RECORD holds a NUL byte")
    record = record[3:] if record[:3] == b"\xef\xbb\xbf" else record
    return in_columns(record) or one_by_one(record)


def digests_of(files: "Mapping[bytes, bytes]", dist_info: bytes) -> Stated:
    """The digest over files (path as in RECORD, SHA-256 in hex) that were read and hashed."""
    return judged(Rows([b"\n" + path for path in files], list(files.values())), dist_info)


def judged(rows: Rows, dist_info: bytes) -> Stated:
    """The digest of the folder over these rows, and which of them leave it."""
    answer = Stated()
    answer.name = _canonical(dist_info.rpartition(b".")[0].rpartition(b"-")[0])
    own = b"\n" + dist_info + b"/"
    inside, leaving, answer.refusal = _parted(rows)
    inside = _of_the_wheel(inside, own)
    answer.files = len(inside.paths)
    answer.leaving, answer.other_refusal = leaving, answer.refusal
    answer.outside = len(leaving)
    for path, why in [row for row in rows.bad if not is_of_installers(row[0], own)]:
        if _leaves(path):
            answer.unstated.append((path, why.encode()))
        else:
            answer.refusal = answer.refusal or refusal_of(path, why, rows.bad)
    if not (inside.paths or answer.refusal):
        answer.refusal = Refusal("unparsable", "RECORD names no file of the wheel")
    if answer.refusal is None:
        answer.content = digest_of(zip(inside.paths, inside.hexes))  # noqa: B905 - new in 3.10
    return answer


def in_columns(record: bytes) -> "Rows | None":
    """The rows of a RECORD without any oddity, at the speed of C; None if there may be one.

    With every line feed glued to the path that follows it, one split gives three columns; that
    every path has a line feed, and nothing else has, proves that each row had three fields.
    """
    if b"\r" in record:  # to look for two bytes takes ten times as long as for one
        record = record.replace(b"\r\n", b"\n")
    record = record.rstrip(b"\n")
    if b'"' in record or b"\r" in record:
        return None
    text = b"\n" + record.replace(b"\n", b",\n")
    parts = text.split(b",")
    paths, hashes = parts[0::3], parts[1::3]
    lines = len(text) - len(record)
    if 3 * lines != len(parts) or b"\n" in b"".join(parts[2::3]) or b"\n" in paths:
        return None
    hexes = _hexes(list(filter(None, hashes)))
    if hexes is None:
        return None
    rows = Rows(list(itertools.compress(paths, hashes)), hexes)
    rows.bad = [(path, "no hash") for path in itertools.compress(paths, map(operator.not_, hashes))]
    return rows


def _hexes(hashes: "list[bytes]") -> "list[bytes] | None":
    """The digests of fields `sha256=<43 characters>`, decoded in one call; None if one differs.

    Each before a NUL, which no RECORD that comes here has. Without `sha256=` and with that NUL
    for a zero, a field is eleven whole groups of base64: a digest and a byte that is zero.
    """
    count, coded = len(hashes), bytearray(b"\0".join(hashes) + b"\0")
    if not count:
        return []
    if len(coded) != 51 * count or coded[50::51] != bytes(count):
        return None
    for place, letter in enumerate(b"sha256="):
        if coded[:: 51 - place] != bytes((letter,)) * count:
            return None
        del coded[:: 51 - place]
    try:
        raw = bytearray(binascii.a2b_base64(coded.translate(_BASE64, b"=")))
    except binascii.Error:
        return None
    if len(raw) != 33 * count or raw[32::33] != bytes(count):
        return None  # a character that base64 has not was left out, or a last one is not canonical
    del raw[32::33]
    return list(unpack("64s" * count, binascii.hexlify(raw)))


def one_by_one(record: bytes) -> "Rows | Refusal":
    """The rows of any RECORD; or why it has none."""
    import csv
    import io

    rows = Rows([], [])
    try:
        for fields in csv.reader(io.StringIO(record.decode("latin-1"), newline=""), strict=True):
            if fields:
                _add_row(rows, [field.encode("latin-1") for field in fields])
    except csv.Error as fault:
        return Refusal("unparsable", "RECORD is no table of comma-separated values: %s" % fault)
    if any(b"\n" in path[1:] or b"\r" in path for path in rows.paths):
        return Refusal("unparsable", "RECORD names a path with a line end in it")
    return rows


def _add_row(rows: Rows, fields: "list[bytes]") -> None:
    """One more row; an unquoted comma is of the path, as in the columns; Debian writes hex."""
    *before, field, _ = fields if fields[2:] else [*fields, b"", b""][:3]
    path = b"\n" + b",".join(before)
    name, _, digits = field.partition(b"=")
    in_hex = len(digits) == _HEX_DIGITS and not digits.strip(b"0123456789abcdef")  # as Debian does
    hexes = [digits] if in_hex and name == b"sha256" else _hexes([field])
    if path == b"\n":
        rows.bad.append((path, "no path"))
    elif hexes:
        rows.paths.append(path)
        rows.hexes += hexes
    else:
        known = name.decode() if name in _OTHER_HASHES else "malformed hash"
        rows.bad.append((path, known if field else "no hash"))


def _parted(rows: Rows) -> "tuple[Rows, Pairs, Refusal | None]":
    """The rows of the folder, sorted; those that leave it; and why the first are of no use."""
    is_rising = all(map(operator.lt, rows.paths, itertools.islice(rows.paths, 1, None)))
    inside = rows if is_rising else _sorted(zip(rows.paths, rows.hexes))  # noqa: B905 - new in 3.10
    paths, hexes = list(inside.paths), list(inside.hexes)
    outside = []  # type: Pairs
    for start, end in ((b"\n/", b"\n0"), (b"\n../", b"\n..0")):
        low, high = bisect_left(paths, start), bisect_left(paths, end)
        outside += zip(paths[low:high], hexes[low:high])  # noqa: B905 - new in 3.10
        del paths[low:high], hexes[low:high]
    joined = b"/".join(paths) + b"/"
    if b".pyc/" in joined:
        kept = [not path.endswith(b".pyc") for path in paths]
        paths[:], hexes[:] = itertools.compress(paths, kept), itertools.compress(hexes, kept)
    twice = not is_rising and len(set(paths)) < len(paths)
    if not (twice or b"./" in joined or b"//" in joined):
        return Rows(paths, hexes), outside, None
    found = {}  # type: dict[bytes, bytes]
    for path, digest in zip(paths, hexes):  # noqa: B905 - new in 3.10
        path = b"\n" + posixpath.normpath(path[1:])  # noqa: PLW2901 - under its one name
        if found.setdefault(path, digest) != digest:
            return Rows([], []), [], Refusal("witnesses-disagree", TWO_HASHES + shown(path))
    outside += [item for item in found.items() if _leaves(item[0])]
    return _sorted(item for item in found.items() if not _leaves(item[0])), outside, None


def _sorted(pairs: "Iterable[tuple[bytes, bytes]]") -> Rows:
    """The rows in the order of their lines, which is that of the paths: NUL is the lowest byte."""
    ordered = sorted(pairs)
    return Rows([path for path, _ in ordered], [digest for _, digest in ordered])


def _leaves(path: bytes) -> bool:
    """Whether a path that begins with a line feed leads out of its folder."""
    return path[1:2] == b"/" or (posixpath.normpath(path[1:]) + b"/").startswith(b"../")


def _of_the_wheel(rows: Rows, own: bytes) -> Rows:
    """The sorted rows without what installers write into the package's own dist-info."""
    low, high = bisect_left(rows.paths, own), bisect_left(rows.paths, own[:-1] + b"0")
    kept = [not is_of_installers(path, own) for path in rows.paths[low:high]]
    for column in (rows.paths, rows.hexes):
        column[low:high] = itertools.compress(column[low:high], kept)
    return rows


def is_of_installers(path: bytes, own: bytes) -> bool:
    """Whether an interpreter or installer wrote the file, and not the wheel."""
    if path.endswith(b".pyc"):
        return True
    name = path[len(own) :] if path.startswith(own) else b""
    return name in _OF_INSTALLERS or (name.startswith(b"uv_") and name.endswith(b".json"))


def refusal_of(path: bytes, why: str, bad: "list[tuple[bytes, str]]") -> Refusal:
    """Why a row without a SHA-256 costs the digest."""
    code = "not-supported" if why.encode() in _OTHER_HASHES else "unparsable"
    alike = sum(other == why and not path.endswith(b".pyc") for path, other in bad)
    return Refusal(code, "RECORD states no SHA-256 of %s: %s (%d rows)" % (shown(path), why, alike))


def shown(path: bytes) -> str:
    """A path for a message; of one that leaves the folder, its last part alone."""
    path = path[path.rfind(b"/") + 1 :] if _leaves(path) else path[1:]
    return ascii(path[:200].decode("utf-8", "backslashreplace"))


def digest_of(rows: "Iterable[tuple[bytes, bytes]]") -> str:
    """The digest of sorted rows: the lines LF path NUL hex, the first LF at the end instead."""
    digest = sha256(memoryview(b"".join(map(b"\0".join, rows)))[1:])
    digest.update(b"\n")
    return digest.hexdigest()


def place_of(site: "AnyStr", path: "AnyStr") -> "AnyStr":
    """Where a row's file lies, by its path alone; two slashes at the start are one to the kernel.

    >>> place_of("/env/lib", "../bin/x"), place_of("/env/lib", "//env/bin/x")
    ('/env/bin/x', '/env/bin/x')
    """
    place = posixpath.join(site, path)
    slash = place[:1]  # after two, POSIX lets a system do as it likes, and normpath keeps those
    return posixpath.normpath(slash + slash + place if posixpath.isabs(place) else place)


def from_prefix(path: bytes, programs: bytes = b"Scripts", name: "bytes | None" = None) -> bytes:
    """A path that leaves the folder, relative to the prefix; an absolute one as it is.

    `programs` is where they lie. Headers are those in the folder of that canonical `name`, if any.
    """
    path = posixpath.normpath(path)
    while path.startswith(b"../"):
        path = path[3:]
    parts = path.split(b"/")
    if parts[0] == programs:
        parts[0] = b"bin"
    if parts[0] == b"include":
        at = 2 if parts[1:2] == [b"site"] else 1
        is_one = len(parts) > at + 2 and parts[at].startswith(b"python")
        if is_one and (name is None or _canonical(parts[at + 1]) == name):
            parts = [b"headers", *parts[at + 2 :]]
    return b"/".join(parts)


def _canonical(name: bytes) -> bytes:
    """A distribution's name as indexes compare it (PEP 503)."""
    words = name.lower().replace(b"_", b"-").replace(b".", b"-").split(b"-")
    return b"-".join(filter(None, words))


def scripts_of(entry_points: bytes) -> "dict[bytes, bytes]":
    """The scripts that installers write for an entry_points.txt, each with what it calls."""
    found, section = {}, b""
    for line in map(bytes.strip, entry_points.splitlines()):
        if line[:1] == b"[":
            section = line.strip(b"[] \t")
        elif section in (b"console_scripts", b"gui_scripts") and line[:1] not in (b"", b"#", b";"):
            found[line.partition(b"=")[0].strip()] = line.partition(b"=")[2].strip()
    return found


def read_file(path: bytes, limit: int) -> bytes:
    """The regular file's content, at most one byte over the limit; no pipe is waited for."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        parts, left = [b""], min(status.st_size, limit) + 1
        while left > 0 and (len(parts) == 1 or parts[-1]):
            parts.append(os.read(descriptor, left))
            left -= len(parts[-1])
        return b"".join(parts)
    finally:
        os.close(descriptor)
