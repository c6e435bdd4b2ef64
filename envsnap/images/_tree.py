"""All layers of an image merged into one file system, without unpacking any."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from envsnap.images._model import Entry, Found, Image, ImageError, ImageTree, Listen, Scan, Want
from envsnap.images._scan import folders_above

_IMPLIED_MODE = 0o755


def tree(image: Image, want: Want, *, listen: Listen | None = None) -> ImageTree:
    """Every path of the image with its size, mode, link or digest; each layer is read once.

    A wanted file that is a hard link to one that was not wanted costs a second reading.

    Raises:
        ImageError: A layer is broken, or its bytes are not those that the image states.
    """
    say = listen or _silent
    merged = _merged(dict(image.scans(want, say)), image)
    missed = {
        (each.entry.layer, each.source)
        for path, each in merged.files()
        if each.content is None and each.source != path and want(path) is True
    }
    found = dict(merged.files()) if missed else {}
    late: dict[tuple[int, str], bytes] = {}
    if missed:
        paths = {path for _, path in missed}
        for index, scan in image.scans(paths.__contains__, say):
            late.update(
                ((index, path), each.content)
                for path, each in scan.found.items()
                if each.content is not None
            )
    whole = merged.as_tree(image)
    extra = {
        path: late[each.entry.layer, each.source]
        for path, each in found.items()
        if (each.entry.layer, each.source) in late and each.content is None and want(path) is True
    }
    return dataclasses.replace(whole, contents={**whole.contents, **extra})


def _silent(_: str) -> None:
    pass


class _Node:
    """A path of the merged file system, and what is below it."""

    __slots__ = ("below", "found")

    def __init__(self, found: Found) -> None:
        self.found = found
        self.below: dict[str, _Node] = {}


class _Merged:
    """The layers so far, the base's first."""

    def __init__(self) -> None:
        self.root = _Node(_implied(0))
        self.replaced: dict[str, tuple[int, ...]] = {}
        self.doubtful: list[str] = []

    def add(self, scan: Scan, index: int, shown: str) -> None:
        """Lay one layer over those below."""
        borrowed = {path: self._lower(target, shown) for path, target in scan.borrowed.items()}
        self.doubtful += (*scan.doubtful, *self._disputed(scan))
        for path in scan.emptied:
            if (node := self._at(path)) is not None:
                node.below.clear()
        for path in scan.removed:
            folder, _, name = path.rpartition("/")
            if (node := self._at(folder)) is not None:
                node.below.pop(name, None)
        for path, found in (*scan.found.items(), *borrowed.items()):
            self._put(path, found, index)

    def _disputed(self, scan: Scan) -> Iterator[str]:
        """What engines put, or take away, in different places, whatever the layer's order."""
        own = {*scan.found, *scan.borrowed}
        emptied = [f"{folder.rstrip('/')}/*" for folder in scan.emptied]
        above = folders_above((*own, *scan.removed, *emptied))
        files = {each for each in above if each in own and not _is_folder(scan.found.get(each))}
        if files:
            paths = (*own, *scan.removed, *emptied)
            yield from (each for each in paths if not files.isdisjoint(folders_above([each])))
        yield from {*scan.removed} & (own | folders_above(own))
        for path in scan.late:
            below = self._at(path)
            if below is not None and not _is_folder(below.found):
                yield path
        for path in (*scan.removed, *emptied):
            if self._is_through_a_file(path, scan):
                yield path

    def _is_through_a_file(self, path: str, scan: Scan) -> bool:
        """Whether a lower layer has a link or a file where this whiteout's folder should be."""
        node, at = self.root, ""
        for part in path.split("/")[1:-1]:
            below, at = node.below.get(part), f"{at}/{part}"
            if below is None:
                return False
            if not _is_folder(below.found):
                return not _is_folder(scan.found.get(at))
            node = below
        return False

    def _at(self, path: str) -> _Node | None:
        node: _Node | None = self.root
        for part in path.split("/"):
            if part and node is not None:
                node = node.below.get(part)
        return node

    def _lower(self, path: str, shown: str) -> Found:
        """What a layer below has at a path that this one makes a second name of."""
        node = self._at(path)
        if node is None or node.found.entry.kind == "folder":
            raise ImageError(f"{shown} has a hard link to no file: {path[:200]!a}")
        return node.found

    def _put(self, path: str, found: Found, index: int) -> None:
        node, parts = self.root, path.split("/")[1:]
        if parts == [""]:
            return  # the root is a folder, whatever a layer says of it
        for part in parts[:-1]:
            below = node.below.get(part)
            if below is None or below.found.entry.kind != "folder":
                if below is not None:
                    self.doubtful.append(path)
                below = node.below[part] = _Node(_implied(index))
            node = below
        before = node.below.get(parts[-1])
        if before is None:
            node.below[parts[-1]] = _Node(found)
            return
        old = before.found.entry
        if old.kind in {"file", "link"} and old.layer != index:
            if _what(old) == _what(found.entry):
                found = before.found
            elif (old.sha256, old.link) != (found.entry.sha256, found.entry.link):
                self.replaced[path] = (*self.replaced.get(path, ()), old.layer)
        if found.entry.kind != "folder" or old.kind != "folder":
            before.below = {}
        before.found = found

    def files(self) -> Iterator[tuple[str, Found]]:
        """Every path with what is there, in no order."""
        waiting = [("", self.root)]
        while waiting:
            at, node = waiting.pop()
            yield at or "/", node.found
            waiting += [(f"{at}/{name}", below) for name, below in node.below.items()]

    def as_tree(self, image: Image) -> ImageTree:
        files = dict(self.files())
        return ImageTree(
            entries={path: each.entry for path, each in files.items()},
            contents={p: each.content for p, each in files.items() if each.content is not None},
            layers=tuple(each.digest for each in image.layers),
            replaced={path: layers for path, layers in self.replaced.items() if path in files},
            doubtful=tuple(sorted(set(self.doubtful))),
            is_sif=image.is_sif,
        )


def _is_folder(found: Found | None) -> bool:
    return found is not None and found.entry.kind == "folder"


def _what(entry: Entry) -> tuple[object, ...]:
    """What a second layer that has the very same does not bring again."""
    return entry.kind, entry.mode, entry.sha256, entry.link


def _implied(index: int) -> Found:
    """A folder that no layer names and some layer fills."""
    return Found(Entry("folder", 0, _IMPLIED_MODE, (0, 0), "", "", index), None, "/")


def _merged(scans: Mapping[int, Scan], image: Image) -> _Merged:
    merged = _Merged()
    for index in range(len(image.layers)):
        merged.add(scans[index], index, f"Layer {index + 1} of {image.reference}")
    return merged
