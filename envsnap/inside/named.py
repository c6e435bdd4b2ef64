"""Which files RECORDs name, and in which folders they lie: what there is to be hashed.

Beside `hashed`, which reads them. Syntax for Python 3.6 and newer, standard library only.
"""

import os
import re

if __package__:
    from envsnap.inside import content, outside
else:  # started on its own, beside the others: an envsnap of the environment's own is not asked
    import content  # type: ignore[import-not-found, no-redef]
    import outside  # type: ignore[import-not-found, no-redef]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Row = tuple[int, bytes, bytes]
    """A package's number, a path as its RECORD writes it after a line feed, SHA-256 in hex."""
    Digest = tuple[str | None, str, str]
    """In hex; or the code and detail of why there is none."""
    Outside = tuple[Digest, list[bytes]]
    """Of what a wheel put outside of its folder, and which files, relative to the prefix."""

LARGE = 1 << 20
"""Bytes, from which on a file is a part of the work of its own."""
_SIZE_DIGITS = 15
_ODD = re.compile(rb"\n/|\./|//|\.\n|/\n")


class Package:
    """One RECORD: its rows, and the folders that its files may lie in."""

    __slots__ = ("dist_info", "folder", "named", "refusal", "roots", "rows")

    def __init__(self, record: bytes, prefix: bytes) -> None:
        place = os.path.dirname(record)
        self.dist_info = os.path.basename(place)
        self.folder = os.path.realpath(os.path.dirname(place))
        self.roots = (self.folder, os.path.realpath(prefix)) if prefix else (self.folder,)
        self.named = 0
        self.refusal = None  # type: content.Refusal | None
        self.rows = content.Rows([], [])


class Folder:
    """What RECORDs name in one folder, and whose is what they do not.

    A file that is hashed as a part of its own has None in the place of its row.
    """

    __slots__ = ("is_own", "owner", "rows")

    def __init__(self, owner: int, *, is_own: bool) -> None:
        self.owner = owner
        self.is_own = is_own
        self.rows = {}  # type: dict[bytes, Row | None]


class Work:
    """What is to be hashed, in parts; filled by `add`, then taken by both processes."""

    def __init__(self) -> None:
        self.packages = []  # type: list[Package]
        self.folders = {}  # type: dict[bytes, Folder]
        self.large = []  # type: list[tuple[int, bytes, Row]]
        self.unchecked = []  # type: list[Row]
        self.files = 0
        self.bytes = 0

    def add(self, package: Package, record: bytes, *, is_hashed: bool = True) -> None:
        """The files of one more RECORD; where they are not hashed, they are known by name alone."""
        index = len(self.packages)
        self.packages.append(package)
        rows = content.rows_of(record)
        if isinstance(rows, content.Refusal):
            package.refusal = rows
            return
        package.rows = rows
        if not is_hashed:
            self._add_rows(package, index, {}, is_hashed=False)
            return
        for path, why in rows.bad:
            if why != "no hash":  # RECORD itself has none, nor has what Python compiles
                self.unchecked.append((index, path, b""))
        large, size = _sizes(record)
        self.bytes += size
        self._add_rows(package, index, large)
        self.files += package.named

    def _add_rows(
        self, package: Package, index: int, large: "dict[bytes, int]", *, is_hashed: bool = True
    ) -> None:
        folders, start = self.folders, package.folder + b"/"
        is_odd = _is_odd(b"".join(package.rows.paths) + b"\n")
        for path, digest in zip(package.rows.paths, package.rows.hexes):  # noqa: B905 - new in 3.10
            if path[-4:] == b".pyc":
                continue
            package.named += 1
            row = (index, path, digest)
            place = start + path[1:]  # type: bytes | None
            if is_odd and _is_odd(path + b"\n"):
                place = _placed(package, path[1:])
            if place is None:
                self.unchecked.append(row)
                continue
            directory, _, name = place.rpartition(b"/")
            folder = folders.get(directory) or self._folder(directory, start, index)
            if not is_hashed:
                folder.rows.setdefault(name, None)
            elif name in folder.rows:
                self.large.append((0, place, row))
            elif path in large:
                self.large.append((large[path], place, row))
                folder.rows[name] = None
            else:
                folder.rows[name] = row

    def _folder(self, directory: bytes, start: bytes, owner: int) -> Folder:
        """The folder, and those above it that belong to the same package."""
        is_own = directory.startswith(start)
        found = self.folders[directory] = Folder(owner, is_own=is_own)
        above = directory.rpartition(b"/")[0]
        while is_own and above.startswith(start) and above not in self.folders:
            self.folders[above] = Folder(owner, is_own=is_own)
            above = above.rpartition(b"/")[0]
        return found


def _sizes(record: bytes) -> "tuple[dict[bytes, int], int]":
    """The sizes of the large files, by path, and of all together, as the RECORD states them."""
    lines = record.replace(b"\r", b"").split(b"\n")
    fields = [line[line.rfind(b",") + 1 :] for line in lines]
    sizes = [int(each) if each.isdigit() and len(each) <= _SIZE_DIGITS else 0 for each in fields]
    large = [at for at, each in enumerate(sizes) if each >= LARGE]
    return {b"\n" + lines[at].partition(b",")[0]: sizes[at] for at in large}, sum(sizes)


def _is_odd(paths: bytes) -> bool:
    """Whether a path may leave its folder, or is not written in the plain way."""
    return _ODD.search(paths) is not None


def _placed(package: Package, path: bytes) -> "bytes | None":
    """Where a row's file lies; None where that is none of the folders it may lie in."""
    place = content.place_of(package.folder, path)
    return place if is_within(place, package.roots) else None


def is_within(place: bytes, roots: "Sequence[bytes]") -> bool:
    """Whether a path lies in one of these folders; both without links, `.` and `..`."""
    return any(place == root or place.startswith(root.rstrip(b"/") + b"/") for root in roots)


def outside_of(package: Package, judged: "content.Stated") -> "Outside":
    """What a RECORD states of the files outside of its folder; none is opened that leads out."""
    own = os.path.join(package.folder, package.dist_info)

    def read(place: bytes, limit: int) -> "bytes | content.Refusal":
        if is_within(os.path.realpath(place), package.roots):
            return outside.read_here(place, limit)
        why = "a program is a link out of the environment"
        return content.Refusal("not-supported", why, is_of_reading=True)

    outside.judge(judged, package.folder, outside.wrappers_in(own), read, real=os.path.realpath)
    return told(judged.other, judged.other_refusal), judged.covered


def whole(package: Package, stated: "Outside", differing: "Iterable[bytes]") -> "Digest":
    """The digest of those files; none where one of them is among those that differ."""
    digest, covered = stated
    root = outside.prefix_of(package.folder) or b""
    places = [content.place_of(package.folder, each) for each in differing]
    count = len({each[len(root) + 1 :] for each in places} & set(covered))
    if count and digest[0] is not None:
        return None, "witnesses-disagree", "%d files are not as RECORD states" % count
    return digest


def told(found: "str | None", refusal: "content.Refusal | None") -> "Digest":
    """A digest and no reason; or none, and the code and detail of why."""
    return (None, refusal.code, refusal.detail) if refusal else (found, "", "")
