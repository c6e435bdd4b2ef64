"""Write envsnap/facts/python_images.json from every version of the list of Docker's own images.

    python scripts/python_images.py GIT-FOLDER TODAY

The first is a clone of github.com/docker-library/official-images, whose file library/python says
which tags are built and pushed on that day. A tag that leaves the list stays in the registry.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

from fact_tables import write

FILE = "library/python"
SINCE = "2017-10-23"
"""From this day on the file names an image's suite, and every architecture of it."""
OLDEST = (3, 6)
"""Images with older ones are not planned: of those on Alpine nothing is kept."""
MACHINES = {"amd64": "x86_64", "arm64v8": "aarch64"}
SUITES = "jessie|stretch|buster|bullseye|bookworm|trixie"
TAG = re.compile(
    rf"(?P<python>\d+\.\d+\.\d+)-(?:slim-(?P<suite>{SUITES})|alpine(?P<release>\d+\.\d+))"
)
"""Of releases alone: a pre-release's tag goes when the release comes."""


class Image(NamedTuple):
    """What a row is of."""

    kind: str
    python: str
    name: str
    """The suite of Debian, or the release of Alpine."""


class Version(NamedTuple):
    """The list as it was from one moment on."""

    day: str
    images: dict[Image, set[str]]


def versions(folder: str) -> Iterator[Version]:
    """Every version of the list, the oldest first."""
    log = git(folder, "log", "--reverse", "--format=%H %cd", "--date=short", "--", FILE)
    for line in log.splitlines():
        commit, day = line.split()
        if day >= SINCE:
            yield Version(day, images(git(folder, "show", f"{commit}:{FILE}")))


def images(text: str) -> dict[Image, set[str]]:
    """The images of a list, and the machines of each."""
    found: dict[Image, set[str]] = {}
    for block in text.split("\n\n"):
        fields = dict(line.split(":", 1) for line in block.splitlines() if ": " in line)
        tags = [each.strip() for each in fields.get("Tags", "").split(",")]
        built = {each.strip() for each in fields.get("Architectures", "amd64").split(",")}
        machines = {name for key, name in MACHINES.items() if key in built}
        for tag in filter(None, map(TAG.fullmatch, tags)):
            kind = "slim" if tag["suite"] else "alpine"
            image = Image(kind, tag["python"], tag["suite"] or tag["release"])
            found.setdefault(image, set()).update(machines)
    return {image: has for image, has in found.items() if has}


def rows(listed: list[Version]) -> list[dict]:
    """What was listed from when until when, and for which machines ever."""
    first: dict[Image, str] = {}
    until: dict[Image, str | None] = {}
    machines: dict[Image, set[str]] = {}
    for version in listed:
        for image, has in version.images.items():
            first.setdefault(image, version.day)
            until[image] = None
            machines.setdefault(image, set()).update(has)
        for image in first:
            if image not in version.images and until[image] is None:
                until[image] = version.day
    slim = [image for image in first if image.kind == "slim"]
    return [*alpine(machines), *(row(image, first[image], until[image], machines[image])
                                 for image in sorted(slim, key=natural))]  # fmt: skip


def alpine(machines: dict[Image, set[str]]) -> list[dict]:
    """One row for each Python: the releases of Alpine that it was built on for every machine."""
    found: dict[tuple[int, ...], list[str]] = {}
    images = [image for image, has in machines.items() if has == set(MACHINES.values())]
    for image in sorted(images, key=natural):
        if image.kind == "alpine" and natural(image)[1] >= OLDEST:
            found.setdefault(numbers(image.python), []).append(image.name)
    return [{"kind": "alpine", "python": ".".join(map(str, python)), "releases": releases,
             "source": ["library"], "confidence": "high"}
            for python, releases in found.items()]  # fmt: skip


def row(image: Image, first: str, until: str | None, machines: set[str]) -> dict:
    """One row of the table for an image on Debian."""
    brief = first == until
    return {
        "kind": "slim", "python": image.python, "suite": image.name,
        "listed_from": first, "listed_until": until,
        "machines": [each for each in MACHINES.values() if each in machines],
        **({"note": "listed for less than a day"} if brief else {}),
        "source": ["library"], "confidence": "medium" if brief else "high",
    }  # fmt: skip


def natural(image: Image) -> tuple[str, tuple[int, ...], object]:
    """An image to be compared with the numbers of its versions as numbers."""
    name = numbers(image.name) if image.kind == "alpine" else image.name
    return (image.kind, numbers(image.python), name)


def numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version."""
    return tuple(map(int, version.split(".")))


def git(folder: str, *words: str) -> str:
    """What git prints."""
    line, utc = ["git", "-C", folder, *words], {**os.environ, "TZ": "UTC"}
    return subprocess.run(line, check=True, capture_output=True, text=True, env=utc).stdout


def main(folder: str, today: str) -> None:
    """Write the table."""
    listed = list(versions(folder))
    found, newest = rows(listed), listed[-1].day
    commit = git(folder, "log", "-1", "--format=%H").strip()
    day = git(folder, "log", "-1", "--format=%cd", "--date=short-local").strip()
    source = {
        "id": "library", "title": "docker-library/official-images: library/python, every version "
        f"from {SINCE[:7]} to {newest[:7]}",
        "url": "https://github.com/docker-library/official-images/commits/master/library/python",
        "version": commit[:8], "retrieved": today,
        "note": "a tag in this file was built and pushed; tags of older patch releases stay but "
        "are not rebuilt",
    }  # fmt: skip
    write("python_images", day, [source], found)


if __name__ == "__main__":
    main(*sys.argv[1:])
