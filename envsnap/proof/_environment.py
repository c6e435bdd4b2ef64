"""The environment in an image's files: where it lies, what is installed in it."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from envsnap._typing import NamedTuple
from envsnap.errors import UsageError
from envsnap.images import Entry, ImageError, ImageTree, Want
from envsnap.inside import compared, conda_files, content

if TYPE_CHECKING:
    from envsnap.images._model import Watch
    from envsnap.proof._held import Held

FOLDERS = (
    "/opt/env", "/srv/conda/envs/notebook", "/opt/venv", "/venv", "/opt/conda", "/usr/local",
)  # fmt: skip
"""Where an environment is looked for: where our images have it, and where others do."""
HOME = "/opt/envsnap"
_SITE = r"lib(?:64)?/(?:python|pypy)[0-9.]+t?/site-packages"
_WANTED = re.compile(
    r"/site-packages/[^/]+\.(?:dist|egg)-info/(?:METADATA|PKG-INFO|RECORD|entry_points\.txt)\Z"
    r"|/pyvenv\.cfg\Z|/conda-meta/[^/]+\.json\Z|/include/python[^/]+/patchlevel\.h\Z"
    r"|/lib/python[^/]+/_sysconfigdata[^/]*\.py\Z|\A/etc/ld\.so\.preload\Z"
    r"|\A/var/lib/dpkg/(?:status|info/[^/]+\.list)\Z"
    r"|\A/\.singularity\.d/(?:env/[^/]+\.sh|runscript|test)\Z"
)


class Distribution(NamedTuple):
    """One distribution in the image."""

    installed: compared.Installed
    place: str
    """Its dist-info."""
    site: str
    """The folder that its RECORD's paths are relative to."""
    record: bytes | None
    entry_points: bytes

    def named(self) -> list[str]:
        """The files that its RECORD names, and the RECORD."""
        rows = content.rows_of(self.record or b"")
        paths = [] if isinstance(rows, content.Refusal) else [*rows.paths, *dict(rows.bad)]
        texts = [path[1:].decode("utf-8", "surrogateescape") for path in paths]
        found = [content.place_of(self.site, text) for text in texts]
        return list(dict.fromkeys([*found, f"{self.place}/RECORD"]))


class Environment:
    """What lies below one folder of an image."""

    def __init__(self, tree: ImageTree, prefix: str | None) -> None:
        """Find it.

        Raises:
            UsageError: There is no environment in the folder that was named.
            ImageError: There is none in any of the usual ones.
        """
        self.tree = tree
        self.prefix = _prefix(tree, prefix)
        self.inside: Mapping[str, Entry] = dict(tree.below(self.prefix))
        pattern = re.compile(re.escape(f"{self.prefix}/") + _SITE + r"\Z")
        self.sites = tuple(sorted(path for path in self.inside if pattern.match(path)))
        self.distributions = tuple(self._distributions())
        self.conda = tuple(self._conda())
        self.config = tree.contents.get(f"{self.prefix}/pyvenv.cfg")

    def _distributions(self) -> Iterator[Distribution]:
        for path, entry in self.inside.items():
            site, _, name = path.rpartition("/")
            is_one = name.endswith((".dist-info", ".egg-info")) and site in self.sites
            if not (is_one and entry.kind == "folder"):
                continue
            said = self.tree.contents
            metadata = said.get(f"{path}/METADATA") or said.get(f"{path}/PKG-INFO") or b""
            found = compared.distribution(metadata, name)
            record = said.get(f"{path}/RECORD")
            if found is not None:
                points = said.get(f"{path}/entry_points.txt", b"")
                installed = found
                if record is not None:
                    installed = found.states(record, os.fsencode(site), points, self._read)
                yield Distribution(installed, path, site, record, points)

    def _read(self, place: bytes, _: int) -> bytes | content.Refusal:
        """A program of the image; what is none, or was not kept, is not judged."""
        path = os.fsdecode(place)
        entry, data = self.inside.get(path), self.tree.contents.get(path)
        if entry is not None and entry.kind == "file" and entry.head not in {b"", b"#!"}:
            return entry.head  # of a large one that is no script: nobody needs the rest
        if entry is None or entry.kind != "file" or data is None:
            why = f"{posixpath.basename(path)} was not read"
            return content.Refusal("not-supported", why, is_of_reading=True)
        return data

    def _conda(self) -> Iterator[conda_files.CondaPackage]:
        start = f"{self.prefix}/conda-meta/"
        for path in self.inside:
            if path.startswith(start) and path in self.tree.contents:
                place = path.encode("utf-8", "surrogateescape")
                found = conda_files.parsed(place, self.tree.contents[path])
                if found is not None:
                    yield found

    def is_inside(self, path: str) -> bool:
        """Whether a path without links, `.` and `..` lies in the environment."""
        return path.startswith(f"{self.prefix}/")


def wanted_files(prefix: str | None, held: Held) -> Want:
    """Which files' bytes `prove` needs, not their digests alone; others are watched for it."""
    programs = tuple(f"{each}/bin" for each in ((prefix,) if prefix else FOLDERS[:-1]))

    def wants(path: str) -> bool | Watch:
        folder = posixpath.dirname(path)
        if folder in programs or folder == HOME or _WANTED.search(path) is not None:
            return True
        return held.watch(path) or False

    return wants


def folders(prefix: str | None) -> tuple[str, ...]:
    """Where an environment may lie."""
    return (prefix.rstrip("/"),) if prefix else FOLDERS


def _prefix(tree: ImageTree, asked: str | None) -> str:
    """The environment's folder."""
    for each in (asked.rstrip("/"),) if asked else FOLDERS:
        names = [path for path in tree.entries if path.startswith(f"{each}/lib")]
        pattern = re.compile(re.escape(f"{each}/") + _SITE)
        if any(map(pattern.match, names)) or _is_link(tree, each):
            return each
    if asked:
        raise UsageError(
            f"The image has no Python environment at {asked}",
            hint="Name its folder: --prefix DIR",
        )
    raise ImageError(
        "The image has no Python environment in any of the usual folders",
        hint="Name its folder: --prefix DIR",
    )


def _is_link(tree: ImageTree, path: str) -> bool:
    entry = tree.entries.get(path)
    return entry is not None and entry.kind == "link"
