"""Opens an image by its reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from envsnap.errors import UsageError
from envsnap.images._names import split

if TYPE_CHECKING:
    from envsnap.images._model import Image


def is_image(reference: str) -> bool:
    """Whether a text names an image: by a scheme that we know, or by the ending .sif.

    >>> is_image("docker://python:3.11"), is_image("paper.sif"), is_image("a.lock.json")
    (True, True, False)
    """
    return split(reference) is not None


def hosts_of(reference: str) -> tuple[str, ...]:
    """The hosts that opening it may talk to, sorted; none for what lies on this machine.

    Raises:
        UsageError: It names no image.
    """
    parts = split(reference)
    if parts is None or parts.scheme != "docker":
        return ()
    from envsnap.images.registry import hosts

    return hosts(parts.place)


def open_image(reference: str, *, platform: str | None = None) -> Image:
    """An image, to be read as files; nothing of it is started. A context manager.

    `docker://NAME[:TAG|@DIGEST]`, `docker-daemon:NAME`, `podman:NAME`, `docker-archive:FILE.tar`,
    `oci-archive:FILE.tar`, `oci:FOLDER[:TAG]`, `FILE.sif`. Of an index the platform's image is
    taken (default: this machine's).

    Raises:
        UsageError: It names no image.
        FileError: There is no such file.
        ImageError: It cannot be read, or is not what it says it is.
    """
    parts = split(reference)
    if parts is None or not parts.place:
        raise UsageError(
            f"No image is named by {reference[:300]!r}",
            hint="Name it as docker://NAME, docker-daemon:NAME, podman:NAME, "
            "docker-archive:FILE.tar, oci-archive:FILE.tar, oci:FOLDER or FILE.sif",
        )
    scheme, place, tag = parts
    if scheme == "docker":
        from envsnap.images.registry import RegistryImage

        return cast("Image", RegistryImage(place, platform))
    if scheme in {"docker-daemon", "podman"}:
        from envsnap.images._daemon import DaemonImage

        program = "podman" if scheme == "podman" else "docker"
        return cast("Image", DaemonImage(program, place, reference))
    if scheme == "docker-archive":
        from envsnap.images._docker_archive import open_docker_archive

        return cast("Image", open_docker_archive(place, tag))
    if scheme == "sif":
        from envsnap.images._sif_image import SifImage

        return cast("Image", SifImage(place))
    from envsnap.images._oci import open_oci

    return cast("Image", open_oci(scheme, place, tag, platform))
