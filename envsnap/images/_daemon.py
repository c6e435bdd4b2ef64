"""An image that an engine on this machine keeps: streamed out of it, none of it started."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from envsnap.engines._command import run
from envsnap.engines._digest import as_digest
from envsnap.errors import ToolError, UsageError
from envsnap.images import _tar
from envsnap.images._base import LayeredImage
from envsnap.images._model import (
    LARGEST_CONTENT,
    Config,
    ImageError,
    Layer,
    Listen,
    Readable,
    Scan,
    Want,
)
from envsnap.images._scan import scan
from envsnap.images._streams import PIECE, Checked, Feed, Joined, read_ahead, unpacked
from envsnap.images._tar import FILE, members
from envsnap.images._texts import Text, configured

_ASK_S = 60.0
_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
_NAME = re.compile(r"\A[A-Za-z0-9][\w.:/@+-]{0,400}\Z", re.ASCII)
_HEAD = 512
_NO_FILE = re.compile(r"could not find|could not be found|no such file", re.IGNORECASE)
_NO_ENGINE = re.compile(
    r"(?:cannot|failed to|unable to) connect|connection refused|daemon (?:is )?running",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"\b[a-z]+://[^\s;,]+")
_ID = re.compile(r"\A[0-9a-f]{12,64}\Z")


class DaemonImage(LayeredImage):
    """An image behind `docker` or `podman`."""

    budget: int | None = None

    def __init__(self, program: str, name: str, reference: str) -> None:
        """Ask the engine what it knows of the image.

        Raises:
            UsageError: No image has such a name.
            ImageError: The engine does not answer, or has no such image.
        """
        if not _NAME.match(name):
            raise UsageError(f"No image can be called {name!r}", hint=f"{program} images")
        if shutil.which(program) is None:
            raise ImageError(
                f"Cannot look into {reference}: {program} is not on PATH",
                hint=f"Install {program}, or save the image where it is installed: "
                f"{program} save -o image.tar {name}",
            )
        self._program, self.reference = program, reference
        text = _inspected(program, name, reference)
        identity = text.text("Id")
        self.digest = identity if identity.startswith("sha256:") else f"sha256:{identity}"
        if as_digest(self.digest) is None:
            raise ImageError(f"{program} gives no digest of {reference}")
        self.config = _config(text, self._history())
        self.layers = tuple(Layer(each, -1, _LAYER) for each in self.config.diff_ids)

    def _history(self) -> tuple[str, ...]:
        argv = [self._program, "history", "--no-trunc", "--format", "{{.CreatedBy}}", self.digest]
        answer = run(argv, timeout_s=_ASK_S)
        return tuple(reversed(answer.stdout.splitlines())) if answer.status == 0 else ()

    def scans(self, want: Want, listen: Listen) -> Iterator[tuple[int, Scan]]:
        """What each layer holds, in the order in which the engine hands them out."""
        seen: set[int] = set()
        for number, body in enumerate(self._bodies()):
            listen(f"Reading layer {number + 1} of {len(self.layers)} from {self._program}")
            shown = f"A layer of {self.reference}"
            plain = Checked(unpacked(body, shown), "", -1, shown)
            with read_ahead(plain) as ahead:
                found = scan(ahead, 0, want, shown)
            for index, layer in enumerate(self.layers):
                if layer.digest == plain.digest and index not in seen:
                    seen.add(index)
                    yield index, _numbered(found, index)
        missing = [each.digest for index, each in enumerate(self.layers) if index not in seen]
        if missing:
            raise ImageError(f"{self._program} save gave no layer {missing[0]} of {self.reference}")

    @contextmanager
    def open_layer(self, index: int) -> Iterator[Readable]:
        """One layer, found among all that the engine hands out and kept in a temporary file."""
        for body in self._bodies():
            plain = Checked(unpacked(body, self.reference), "", -1, self.reference)
            with tempfile.TemporaryFile() as file:
                while piece := plain.read(PIECE):
                    file.write(piece)
                if plain.digest == self.layers[index].digest:
                    file.seek(0)
                    yield file
                    return
        raise ImageError(f"{self._program} save gave no layer {index + 1} of {self.reference}")

    def _bodies(self) -> Iterator[Readable]:
        """Every layer's bytes; each is read to its end before the next one is asked for."""
        with _output([self._program, "save", self.digest], self.reference) as stream:
            feed = Feed(stream, f"The output of {self._program} save")
            for member in members(feed):
                body = _Body(feed, member.size if member.kind == FILE else 0)
                head = body.read_head()
                if _is_layer(head):
                    yield Joined(head, body)
                while body.read(PIECE):
                    pass
            feed.drain()

    def small_file(self, path: str) -> bytes | None:
        """One file, copied by the engine out of a container that is made and never started."""
        argv = [self._program, "create", "--pull", "never", "--network", "none", self.digest]
        made = run([*argv, "/never-started"], timeout_s=_ASK_S)
        container = made.stdout.strip()
        if made.status or not _ID.match(container):
            raise ImageError(f"Cannot look into {self.reference}: {_why(made.stderr)}")
        try:
            argv = [self._program, "cp", f"{container}:{path}", "-"]
            with _output(argv, self.reference, no_file=True) as stream:
                return _first_file(Feed(stream, f"{path} in {self.reference}"))
        finally:
            run([self._program, "rm", "--force", container], timeout_s=_ASK_S)

    def close(self) -> None:
        """Nothing is held."""


class _Body:
    """One member of the engine's stream."""

    def __init__(self, feed: Feed, size: int) -> None:
        self._feed, self._left = feed, size

    def read_head(self) -> bytes:
        """The first block."""
        head = self._feed.take(min(_HEAD, self._left))
        self._left -= len(head)
        return head

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes."""
        for piece in self._feed.pieces(min(size, self._left)):
            self._left -= len(piece)
            return bytes(piece)
        if self._left:
            raise ImageError(f"{self._feed.shown} is cut short")
        return b""


def _first_file(feed: Feed) -> bytes | None:
    found = None
    for member in members(feed):
        if member.size > LARGEST_CONTENT:
            raise ImageError(f"{feed.shown} is larger than {LARGEST_CONTENT >> 20} MiB")
        piece = feed.take(member.size)
        found = piece if member.kind == FILE and found is None else found
    feed.drain()
    return found


def _is_layer(head: bytes) -> bool:
    return head[:2] == b"\x1f\x8b" or head[:4] == b"\x28\xb5\x2f\xfd" or _tar.is_tar(head)


def _numbered(found: Scan, index: int) -> Scan:
    paths = {
        path: each._replace(entry=each.entry._replace(layer=index))
        for path, each in found.found.items()
    }
    return dataclasses.replace(found, found=paths)


def _inspected(program: str, name: str, reference: str) -> Text:
    answer = run([program, "image", "inspect", name], timeout_s=_ASK_S)
    if answer.status and _NO_ENGINE.search(answer.stderr):
        found = _ADDRESS.search(answer.stderr)
        where = f" at {found[0].rstrip('.')}" if found and "@" not in found[0] else ""
        raise ImageError(
            f"Cannot look into {reference}: no engine answers {program}{where}",
            hint=f"Start it, or save the image where it runs: {program} save -o image.tar {name}",
        )
    if answer.status:
        raise ImageError(
            f"Cannot look into {reference}: {_why(answer.stderr)}",
            hint=f"See what is there: {program} images",
        )
    try:
        found = json.loads(answer.stdout)
    except ValueError:
        found = None
    if not isinstance(found, list) or len(found) != 1 or not isinstance(found[0], dict):
        raise ImageError(f"{program} image inspect gives no single image for {name}")
    return Text(found[0], f"what {program} says of {name}")


def _config(text: Text, history: tuple[str, ...]) -> Config:
    parts = (text.text("Os"), text.text("Architecture"), text.text("Variant"))
    return configured(
        text.below("Config"), platform="/".join(each for each in parts if each),
        created=text.text("Created"), history=history,
        diff_ids=text.below("RootFS").strings("Layers"),
    )  # fmt: skip


@contextmanager
def _output(argv: list[str], shown: str, *, no_file: bool = False) -> Iterator[Readable]:
    """What a program writes; where it fails its last words are the error.

    With `no_file` it is none that there was no such file.
    """
    with tempfile.TemporaryFile() as said:
        try:
            child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said,
                env={**os.environ, "LC_ALL": "C.UTF-8"}, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise ToolError(f"{argv[0]} cannot be started: {error.strerror}") from error
        stream = child.stdout
        assert stream is not None  # noqa: S101 - it was asked for as a pipe
        try:
            yield stream
            status = child.wait(_ASK_S)
        except BaseException:
            child.kill()
            child.wait()
            raise
        finally:
            stream.close()
        said.seek(0)
        why = said.read(65536).decode("utf-8", "replace")
        if status and not (no_file and _NO_FILE.search(why)):
            raise ImageError(f"Cannot read {shown}: {_why(why)}")


def _why(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:300] if lines else "it does not say why"
