"""Hashes the installed files of packages against their RECORDs, in two processes.

`python -I -S -c SOURCE` reads pairs of RECORD path and prefix, all NUL-separated, on standard
input, and writes lines: `total FILES BYTES` (as RECORD states them), now and then
`done FILES BYTES` (since the last such line, of either process), and at the end one JSON document:
an answer for each pair, in their order.

The first process reads all RECORDs and parts the work: large files first, then whole folders. The
second is its fork; each takes the next part from one pipe when it is done with the last, so that
both end together. Every file goes through one buffer of a fixed size.

A row that leaves both its folder and the prefix is not opened, nor is a link that leads out of
them; neither are pipes and devices. Files that nobody's RECORD names are looked for in the folders
below site-packages that a RECORD names. Syntax for Python 3.6 and newer, standard library only.
"""

import errno
import json
import marshal
import os
import stat
import time
from hashlib import sha256

if __package__:
    from envsnap.inside import content, named, outside
else:  # started on its own, beside the others: an envsnap of the environment's own is not asked
    import content  # type: ignore[import-not-found, no-redef]
    import named  # type: ignore[import-not-found, no-redef]
    import outside  # type: ignore[import-not-found, no-redef]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from envsnap.inside.named import Digest, Folder, Outside, Package, Row, Work

LISTED = 1000
"""So many files are named for each package and kind of change; the others are counted."""
LARGEST = 1 << 38
"""Bytes of one file that are read: a sparse one can claim to be of any size."""
BUFFER = 256 * 1024
_PARTS = 1300  # of each kind of work; the pipe holds the numbers of all of them
_TELL_S = 0.25
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_GONE = (errno.ENOENT, errno.ENOTDIR)
_UNNAMED = (0, b"", b"")
EDITED, MISSING, EXTRA, UNCHECKED = "edited", "missing", "extra", "unchecked"


class Hasher:
    """One of the two processes: does its parts of the work, and keeps what differs."""

    def __init__(self, work: "Work", tell: "Callable[[bytes], None]") -> None:
        self.work = work
        self.found = []  # type: list[tuple[int, str, bytes, bytes]]
        self.digests = {}  # type: dict[int, Digest]
        self.outsides = {}  # type: dict[int, Outside]
        self._tell = tell
        self._told = time.monotonic()
        self._files = self._bytes = 0
        self._memory = bytearray(BUFFER)
        self._view = memoryview(self._memory)
        self._into = (self._memory,)
        self._real = {each.folder: each.folder for each in work.packages}

    def parts(self) -> "list[tuple[Callable[[Any], None], list[Any]]]":
        """All parts of the work: the same list in both processes."""
        work = self.work
        large = sorted(work.large, key=lambda each: (-each[0], each[1]))
        kinds = [
            (self._one, [(place, row) for _, place, row in large]),
            (self._digest, list(range(len(work.packages)))),
            (self._each, list(work.folders)),
        ]  # type: list[tuple[Callable[[Any], None], list[Any]]]
        found = []
        for do, items in kinds:
            step = len(items) // _PARTS + 1
            found += [(do, items[at : at + step]) for at in range(0, len(items), step)]
        return found

    def _differs(self, row: "Row", how: str, digest: bytes = b"") -> None:
        self.found.append((row[0], how, row[1][1:], digest))

    def _digest(self, index: int) -> None:
        """The digest that a RECORD states: what its files have if none of them differs."""
        package = self.work.packages[index]
        if package.refusal is None:
            judged = content.judged(package.rows, package.dist_info)
            self.digests[index] = named.told(judged.content, judged.refusal)
            self.outsides[index] = named.outside_of(package, judged)

    def _each(self, directory: bytes) -> None:
        """Everything in one folder."""
        folder = self.work.folders[directory]
        rows = folder.rows
        real = self._place(directory)
        if not named.is_within(real, self.work.packages[folder.owner].roots):
            for each in filter(None, rows.values()):
                self._differs(each, UNCHECKED)
            return
        if folder.is_own:
            for entry in _entries(real):
                row = rows.pop(entry.name, _UNNAMED)
                if row is _UNNAMED:
                    self._unnamed(folder, directory, entry)
                elif row is None:
                    continue
                elif entry.is_file(follow_symlinks=False):
                    self._compare(entry.path, row)
                else:
                    self._odd(entry.path, row)
        for name, left in rows.items():  # not seen, or seen under another name
            if left is not None:
                self._odd(real + b"/" + name, left)
        self._say()

    def _one(self, item: "tuple[bytes, Row]") -> None:
        """A file that is a part of its own."""
        place, row = item
        directory, _, name = place.rpartition(b"/")
        real = self._place(directory)
        if named.is_within(real, self.work.packages[row[0]].roots):
            self._odd(real + b"/" + name, row)
        else:
            self._differs(row, UNCHECKED)
        self._say()

    def _place(self, directory: bytes) -> bytes:
        """A folder without any link in its path: each part is looked at once."""
        waiting = []
        while directory not in self._real and directory.rpartition(b"/")[0]:
            waiting.append(directory)
            directory = directory.rpartition(b"/")[0]
        real = self._real.get(directory) or os.path.realpath(directory)
        for each in reversed(waiting):
            real = real + b"/" + each.rpartition(b"/")[2]
            try:
                if stat.S_ISLNK(os.lstat(real).st_mode):
                    real = os.path.realpath(real)
            except (OSError, ValueError):
                pass  # not there: whoever opens it learns that
            self._real[each] = real
        return real

    def _odd(self, path: bytes, row: "Row") -> None:
        """A file of which it is not known what it is."""
        try:
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                path = os.path.realpath(path)
                if not named.is_within(path, self.work.packages[row[0]].roots):
                    self._differs(row, UNCHECKED)
                    return
                status = os.stat(path)
        except (OSError, ValueError) as error:
            gone = isinstance(error, OSError) and error.errno in _GONE
            self._differs(row, MISSING if gone else UNCHECKED)
            return
        if stat.S_ISREG(status.st_mode):
            self._compare(path, row)
        else:
            self._differs(row, EDITED)  # a pipe, a device or a folder in its place

    def _compare(self, path: bytes, row: "Row") -> None:
        """Hash a regular file."""
        self._files += 1
        try:
            digest = self._hashed(path, row[2])
        except OSError as error:
            self._differs(row, MISSING if error.errno in _GONE else UNCHECKED)
            return
        if digest != row[2]:
            self._differs(row, EDITED, digest)

    def _hashed(self, path: bytes, expected: bytes) -> bytes:
        """The SHA-256 of a file in hex, read into the one buffer.

        Raises:
            OSError: It cannot be read, or is too large.
        """
        handle = os.open(path, _FLAGS)
        try:
            count = os.readv(handle, self._into)
            size = count
            self._bytes += count
            digest = sha256(self._view[:count])
            if count < BUFFER and digest.hexdigest().encode() == expected:
                return expected  # without asking the system for an end that is known
            while count:
                count = os.readv(handle, self._into)
                digest.update(self._view[:count])
                size += count
                self._bytes += count
                if size > LARGEST:
                    raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
                self._say()
            return digest.hexdigest().encode()
        finally:
            os.close(handle)

    def _unnamed(self, folder: "Folder", directory: bytes, entry: "os.DirEntry[bytes]") -> None:
        """What no RECORD names; a folder that none names is looked through."""
        package = self.work.packages[folder.owner]
        waiting = [(directory, entry)]
        while waiting:
            above, each = waiting.pop()
            place = above + b"/" + each.name
            if each.is_dir(follow_symlinks=False):
                if each.name != b"__pycache__" and place not in self.work.folders:
                    waiting += [(place, found) for found in _entries(each.path)]
                continue
            path = place[len(package.folder) + 1 :]
            own = b"\n" + package.dist_info + b"/"
            if not content.is_of_installers(b"\n" + path, own):
                self.found.append((folder.owner, EXTRA, path, b""))

    def _say(self) -> None:
        """Tell how much was done, now and then."""
        now = time.monotonic()
        if now - self._told > _TELL_S:
            self._told = now
            self._tell(b"done %d %d\n" % (self._files, self._bytes))
            self._files = self._bytes = 0


def _entries(directory: bytes) -> "list[os.DirEntry[bytes]]":
    """What is in a folder; nothing where it may not be listed."""
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except (OSError, ValueError):
        return []


class Answers:
    """What both processes found, by package."""

    def __init__(self, work: "Work") -> None:
        self.work = work
        self.found = [{} for _ in work.packages]  # type: list[dict[str, dict[bytes, bytes]]]
        self.digests = {}  # type: dict[int, Digest]
        self.outsides = {}  # type: dict[int, Outside]
        for row in work.unchecked:
            self.found[row[0]].setdefault(UNCHECKED, {})[row[1][1:]] = b""

    def add(
        self,
        found: "list[tuple[int, str, bytes, bytes]]",
        digests: "dict[int, Digest]",
        outsides: "dict[int, Outside]",
    ) -> None:
        """What one process found."""
        self.digests.update(digests)
        self.outsides.update(outsides)
        for package, how, path, digest in found:
            self.found[package].setdefault(how, {})[path] = digest

    def text(self) -> str:
        """All answers, as JSON."""
        return json.dumps({"verified": "1", "answers": list(map(self._of, range(len(self.found))))})

    def _of(self, index: int) -> "dict[str, object]":
        package, found = self.work.packages[index], self.found[index]
        if package.refusal is not None:
            return {"refusal": [package.refusal.code, package.refusal.detail]}
        differing = found.get(EDITED, {}), found.get(MISSING, {})
        digest = self.digests[index]
        if any(differing):
            digest = _content_read(package, *differing)
        lost = sum(map(len, differing)) + len(found.get(UNCHECKED, {}))
        answer = {"content": digest, "files": max(package.named - lost, 0)}  # type: dict[str, object]
        answer["outside"] = named.whole(package, self.outsides[index], set().union(*found.values()))
        for how in (EDITED, MISSING, EXTRA, UNCHECKED):
            paths = sorted(found.get(how, ()))
            answer[how] = [path.decode("utf-8", "surrogateescape") for path in paths[:LISTED]]
            answer["more_" + how] = max(len(paths) - LISTED, 0)
        return answer


def _content_read(
    package: "Package", edited: "dict[bytes, bytes]", missing: "dict[bytes, bytes]"
) -> "Digest":
    """The digest of the files as they were read."""
    rows = content.Rows([], [])
    rows.bad = package.rows.bad
    for path, digest in zip(package.rows.paths, package.rows.hexes):  # noqa: B905 - new in 3.10
        read = edited.get(path[1:], digest)
        if read and path[1:] not in missing:
            rows.paths.append(path)
            rows.hexes.append(read)
    judged = content.judged(rows, package.dist_info)
    return named.told(judged.content, judged.refusal)


def work_of(pairs: "list[tuple[bytes, bytes]]") -> "Work":
    """Everything that these RECORDs name, each with its prefix."""
    work = named.Work()
    for record, prefix in pairs:
        package = named.Package(record, prefix)
        try:
            text = content.read_file(record, content.RECORD_LIMIT)
        except OSError:
            package.refusal = outside.of_file(record).refusal
            text = b""
        work.add(package, text)
    return work


def main() -> None:
    """Answer the pairs on standard input."""
    import gc

    gc.disable()  # hundreds of thousands of small objects, none in a cycle
    asked = []  # type: list[bytes]
    while not asked or asked[-1]:
        asked.append(os.read(0, 1 << 20))
    words = b"".join(asked).split(b"\0")
    work = work_of(list(zip(words[0::2], words[1::2])))  # noqa: B905 - new in 3.10
    _write(1, b"total %d %d\n" % (work.files, work.bytes))
    answers = answers_of(work, lambda line: _write(1, line))
    _write(1, answers.text().encode("ascii") + b"\n")
    os._exit(0)


def answers_of(work: "Work", tell: "Callable[[bytes], None]") -> Answers:
    """What differs, found by this process and a fork of it; it takes the work apart."""
    hasher = Hasher(work, tell)
    parts = hasher.parts()
    numbers, giving = os.pipe()
    os.write(giving, b"".join(b"%04x" % number for number in range(len(parts))))
    os.close(giving)
    coming, going = os.pipe()
    child = os.fork()
    try:
        while True:
            number = os.read(numbers, 4)  # one of the two gets it
            if not number:
                break
            do, items = parts[int(number, 16)]
            for item in items:
                do(item)
        if not child:
            _write(going, marshal.dumps((hasher.found, hasher.digests, hasher.outsides)))
    finally:
        if not child:
            os._exit(0)
    os.close(numbers)
    os.close(going)
    answers = Answers(work)
    answers.add(hasher.found, hasher.digests, hasher.outsides)
    with os.fdopen(coming, "rb") as pipe:
        answers.add(*marshal.loads(pipe.read()))  # noqa: S302 - from our own fork
    os.waitpid(child, 0)
    return answers


def _write(handle: int, text: bytes) -> None:
    left = memoryview(text)
    while left:
        left = left[os.write(handle, left) :]


if __name__ == "__main__":
    main()
