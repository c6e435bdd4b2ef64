"""How much larger wheels are once they are unpacked: what the estimate of a build reckons with.

    python bench/sizes.py MANIFEST ENVIRONMENT [FOLDER...]

The manifest has a lock of the environment; the folders have further wheels, NVIDIA's for instance.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator


def main() -> None:
    """Print the figures as JSON."""
    manifest, environment, *folders = sys.argv[1:]
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for kind, packed, unpacked in (*installed(manifest, environment), *in_folders(folders)):
        for number, each in enumerate((1, packed, unpacked)):
            sums[kind][number] += each
    kinds = {
        kind: {"files": count, "packed": packed, "unpacked": unpacked,
               "ratio": round(unpacked / packed, 2)}
        for kind, (count, packed, unpacked) in sorted(sums.items())
    }  # fmt: skip
    print(json.dumps({"bench": "sizes-1", "kinds": kinds}, indent=1))


def installed(manifest: str, environment: str) -> Iterator[tuple[str, int, int]]:
    """Every distribution of the lock: the size of its file, and of what it installed."""
    with open(manifest, encoding="utf-8") as file:
        artifacts = json.load(file)["lock"]["artifacts"]
    site = next(
        folder for folder, _, _ in os.walk(environment) if folder.endswith("/site-packages")
    )
    records = {
        name.rpartition("-")[0].lower().replace("_", "-").replace(".", "-"): f"{site}/{entry}"
        for entry in os.listdir(site)
        if entry.endswith(".dist-info") and (name := entry[: -len(".dist-info")])
    }
    for each in artifacts:
        if isinstance(each["size"], int) and each["name"] in records:
            yield kind_of(each["filename"]), each["size"], unpacked(site, records[each["name"]])


def unpacked(site: str, info: str) -> int:
    """The bytes of a distribution's files, without the bytecode that Python made of them."""
    with open(f"{info}/RECORD", encoding="utf-8", newline="") as file:
        paths = [row[0] for row in csv.reader(file) if row and not row[0].endswith(".pyc")]
    there = (os.path.join(site, path) for path in paths)
    return sum(os.path.getsize(path) for path in there if os.path.isfile(path))


def in_folders(folders: list[str]) -> Iterator[tuple[str, int, int]]:
    """Every wheel of NVIDIA's in some folders."""
    for folder in folders:
        for name in sorted(os.listdir(folder)):
            if name.endswith(".whl") and kind_of(name) == "nvidia":
                path = os.path.join(folder, name)
                with zipfile.ZipFile(path) as archive:
                    members = sum(each.file_size for each in archive.infolist())
                yield "nvidia", os.path.getsize(path), members


def kind_of(filename: str) -> str:
    """As the estimate tells files apart."""
    if not filename.endswith(".whl"):
        return "source"
    if filename.endswith("-any.whl"):
        return "any"
    return "nvidia" if filename.startswith("nvidia") else "compiled"


if __name__ == "__main__":
    main()
