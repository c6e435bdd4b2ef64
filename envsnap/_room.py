"""room: what a fetch will write, counted before it does, and refused where it does not fit."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence

from envsnap._sizes import base_size
from envsnap.engines.conda import archive_path
from envsnap.errors import FileError
from envsnap.images._names import split
from envsnap.plan import BaseImage
from envsnap.sections import CondaArtifact
from envsnap.wheelhouse._head import sizes_at
from envsnap.wheelhouse._part import SPARE_BYTES
from envsnap.wheelhouse._prepare import Prepared

_TWICE = 2
"""An image lies in layers first, and then in an archive, too."""


def judge_room(folder: str, wanted: Mapping[str, int]) -> None:
    """Refuse what would fill the disk of a folder; `wanted` has bytes, by what they are.

    Raises:
        FileError: It would.
    """
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return  # who writes there says why that fails
    whole = sum(wanted.values())
    if whole + SPARE_BYTES <= free:
        return
    parts = ", ".join(f"{what} {count >> 20} MiB" for what, count in wanted.items() if count)
    raise FileError(
        f"{folder} has {free >> 20} MiB free, and the fetch takes {whole >> 20} MiB"
        + (f" ({parts})" if parts else ""),
        hint="Name a folder on a larger disk: envsnap build --fetch -o DIR",
    )


def room_of(prepared: Prepared, images: Iterable[BaseImage], platform: str) -> Mapping[str, int]:
    """The bytes that come, by what they are; nothing for what nobody states the size of.

    Files whose size the lock does not know are asked for at their hosts, images at their
    registries. What is there already counts for nothing.
    """
    sources = [job.source for job in prepared.to_fetch if job.source is not None]
    archives = [each for each in prepared.lock.conda if _is_to_fetch(each, prepared.folder)]
    known = prepared.known_bytes
    unknown = [each.url for each in sources if each.size is None]
    return {
        "packages": known + _asked(unknown, prepared),
        "conda packages": sum(each.size for each in archives if isinstance(each.size, int))
        + _asked([e.url for e in archives if e.url and not isinstance(e.size, int)], prepared),
        "images": sum(_image_bytes(each, platform) for each in images),
    }


def path_of(image: BaseImage) -> str:
    """Where an image lies that is a file.

    >>> path_of(BaseImage(reference="localimage:a b.sif", repository="", tag=None, digest=""))
    'a b.sif'
    """
    kind, _, rest = image.reference.partition(":")
    parts = split(image.reference) if kind != "localimage" else None
    return parts.place if parts is not None else rest


def _is_to_fetch(archive: CondaArtifact, folder: str) -> bool:
    return archive.url is not None and not os.path.isfile(archive_path(folder, archive))


def _asked(urls: Sequence[str], prepared: Prepared) -> int:
    """The bytes at these addresses, as far as their hosts say it."""
    remote = [each for each in urls if not each.startswith("file:")]
    answers = sizes_at(remote, prepared.trust) if remote else ()
    return sum(each for each in answers if isinstance(each, int))


def _image_bytes(image: BaseImage, platform: str) -> int:
    if not image.is_file:
        return _TWICE * sum(base_size(image, platform).values())
    path = path_of(image)
    size = os.path.getsize(path) if os.path.isfile(path) else 0
    return size if image.reference.startswith("localimage:") else _TWICE * size
