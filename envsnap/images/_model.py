"""What an image is once it is opened, and what is in it once it is read."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from envsnap._typing import NamedTuple
from envsnap.errors import ToolError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from typing_extensions import Self


class Hash(Protocol):
    """A digest on its way, as hashlib's."""

    def update(self, piece: bytes, /) -> None: ...

    def copy(self) -> Hash: ...

    def hexdigest(self) -> str: ...


class Watch(Protocol):
    """Gets a file's bytes while they pass, none of which are kept for it."""

    def piece(self, piece: bytes, before: Hash) -> None:
        """The next bytes, and the file's SHA-256 so far, without them: to be copied only."""

    def end(self, sha256: str) -> None:
        """There are no more; what they hash to."""


Want = Callable[[str], "bool | Watch"]
"""Whether the content of the file at this absolute path is to be kept, not its digest alone; or
who watches it pass."""
Listen = Callable[[str], None]
"""Gets a line that says what is being read now."""
Kind = Literal["file", "folder", "link", "other"]
_MOST_LINKS = 40
LARGEST_CONTENT = 64 << 20
"""More than this of one file is never kept."""


class ImageError(ToolError):
    """An image cannot be read, or its bytes are not those that it states."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What an image says of itself: a stranger's words, not yet cleaned for a terminal."""

    platform: str
    """As container engines name it: 'linux/amd64'; empty where it does not say."""
    created: str
    labels: Mapping[str, str]
    environ: Mapping[str, str]
    user: str
    history: tuple[str, ...]
    """The steps that made it, oldest first."""
    diff_ids: tuple[str, ...]
    """The digest of each unpacked layer, the base's first."""
    entrypoint: tuple[str, ...] = ()
    """What it starts with, before any words of the user; a SIF's is a script in its files."""
    command: tuple[str, ...] = ()
    """What follows where the user says nothing."""
    health: tuple[str, ...] = ()
    """What Docker runs in it from time to time."""
    folder: str = ""
    """Where its programs start; empty for the root."""
    on_build: tuple[str, ...] = ()
    """What a builder runs in each image that is made from this one."""


class Layer(NamedTuple):
    """One layer as the image lists it."""

    digest: str
    """Of the bytes as they are stored: 'sha256:' and 64 hex digits."""
    size: int
    """Of the bytes as they are stored, as the image says; -1 where it does not."""
    media_type: str


class LayerUsed(NamedTuple):
    """The layer that brought a file."""

    number: int
    """0 is the base's first; a SIF file has one."""
    digest: str


class Entry(NamedTuple):
    """One path of the merged file system."""

    kind: Kind
    size: int
    """The bytes that were read; 0 for all but files."""
    mode: int
    """Permission bits alone."""
    owner: tuple[int, int]
    """User and group, by number."""
    link: str
    """Where a symbolic link points, as written; empty for all others."""
    sha256: str
    """Of a regular file's bytes, hex; empty for all others."""
    layer: int
    """The index of the layer that brought it."""
    head: bytes = b""
    """The first two bytes of a wanted file that is too large to be kept; empty for all others."""


class Found(NamedTuple):
    """One path of one layer, before the layers are merged."""

    entry: Entry
    content: bytes | None
    source: str
    """The path in the layer that the bytes stand at: another one for a hard link."""


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What one layer does to those below it."""

    found: Mapping[str, Found]
    removed: tuple[str, ...]
    """The paths that its whiteouts take away from the layers below."""
    emptied: tuple[str, ...]
    """The folders of which nothing of the layers below is left."""
    borrowed: Mapping[str, str]
    """Hard links to what a lower layer has, with the path of that."""
    doubtful: tuple[str, ...]
    """Paths that engines would put in different places."""
    late: tuple[str, ...] = ()
    """Folders that come after a whiteout in them: engines that unpack may follow a link there, so
    they are doubtful where a layer below has one."""


class Readable(Protocol):
    """Bytes that come one piece after the other."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""


class Image(Protocol):
    """An image that was opened; close it when done."""

    reference: str
    """What it was opened by, without any password."""
    digest: str
    """'sha256:' and hex: of the image's manifest, of a SIF its file is not hashed: empty."""
    config: Config
    layers: tuple[Layer, ...]
    overlays: tuple[str, ...]
    """File systems that an engine lays over the image's own: of a SIF, which can have more."""
    is_sif: bool
    """Whether Apptainer starts it, by scripts among its files, and no words of a configuration."""

    def open_layer(self, index: int) -> AbstractContextManager[Readable]:
        """One layer as a plain tar stream. Its digest is compared when it was read to its end.

        Raises:
            ImageError: The bytes are not those that the image states; or the network failed.
        """

    def scans(self, want: Want, listen: Listen) -> Iterator[tuple[int, Scan]]:
        """What each layer holds, by its index; in whatever order they come."""

    def small_file(self, path: str) -> bytes | None:
        """One small file, read without the rest of the image; None where it is not found so."""

    def close(self) -> None:
        """Give back what it holds: connections, temporary files."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


@dataclass(frozen=True, kw_only=True)
class ImageTree:
    """The merged file system of an image, by absolute path ('/opt/env/bin/python').

    Bytes of a name that are no UTF-8 stand as Python's surrogate escapes.
    """

    entries: Mapping[str, Entry]
    contents: Mapping[str, bytes]
    """The bytes of the files that were wanted; one of more than 64 MiB is not there."""
    layers: tuple[str, ...]
    """The digest of each layer, as `Entry.layer` counts them."""
    replaced: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The earlier layers that had another file at a path, where a later one replaced it."""
    doubtful: tuple[str, ...] = ()
    """Paths below what is a link elsewhere in the image: engines put them in different places."""
    is_sif: bool = False
    """Whether they are those of a SIF, whose scripts are run at each start."""

    def real(self, path: str) -> str | None:
        """The path with every link on it followed inside the image; None where it leads nowhere."""
        left = [each for each in path.split("/") if each not in {"", "."}][::-1]
        at, followed = "/", 0
        while left:
            part = left.pop()
            if part == "..":
                at = posixpath.dirname(at)
                continue
            here = posixpath.join(at, part)
            entry = self.entries.get(here)
            if entry is None:
                return None
            if entry.kind != "link":
                at = here
                continue
            followed += 1
            if followed > _MOST_LINKS:
                return None
            if entry.link.startswith("/"):
                at = "/"
            left += [each for each in entry.link.split("/") if each not in {"", "."}][::-1]
        return at

    def entry(self, path: str) -> Entry | None:
        """What is at a path, links followed inside the image; None where there is nothing."""
        real = self.real(path)
        return None if real is None else self.entries.get(real)

    def content(self, path: str) -> bytes | None:
        """The bytes of a wanted file, links followed; None where they were not kept."""
        real = self.real(path)
        return None if real is None else self.contents.get(real)

    def below(self, folder: str) -> Iterator[tuple[str, Entry]]:
        """Every path below a folder, sorted; no link is followed."""
        start = folder.rstrip("/") + "/"
        yield from sorted(
            (path, entry) for path, entry in self.entries.items() if path.startswith(start)
        )

    def brought(self, path: str) -> LayerUsed | None:
        """The layer that brought what is at a path."""
        entry = self.entry(path)
        return None if entry is None else LayerUsed(entry.layer, self.layers[entry.layer])
