"""What is said of an image's system packages: which versions it got, and what the last had."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from envsnap._image import Image

_SHOWN = 4


def system_lines(image: Image) -> Iterator[str]:
    """The versions in one line, and in another what differs from the image made here before."""
    if image.versions is None:
        return
    count = len(image.versions.asked) + len(image.versions.besides)
    kept = f"build.json has all {count}, with what they depend on"
    yield f"System packages: {_few(image.versions.asked)}; {kept}"
    if image.changed:
        shown = "; ".join(image.changed[:_SHOWN])
        more = len(image.changed) - _SHOWN
        rest = f"; and {more} more" if more > 0 else ""
        yield f"note: the last image from this folder had other system packages: {shown}{rest}"


def _few(versions: Mapping[str, str]) -> str:
    shown = [f"{name} {version}" for name, version in [*versions.items()][:_SHOWN]]
    return ", ".join(shown) + (", ..." if len(versions) > _SHOWN else "")
