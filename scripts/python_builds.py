"""Write envsnap/facts/python_builds.json from the download metadata that uv publishes.

    python scripts/python_builds.py download-metadata.json COMMIT DAY-OF-COMMIT TODAY

The first is crates/uv-python/download-metadata.json of github.com/astral-sh/uv at that commit.
"""

from __future__ import annotations

import json
import re
import sys

from fact_tables import natural, write

MACHINES = {
    "x86_64": "x86_64", "aarch64": "aarch64", "powerpc64le": "ppc64le", "s390x": "s390x",
}  # fmt: skip
"""The architectures that images are planned for, as the metadata and as a kernel names them."""
VARIANTS = {None: "", "freethreaded": "freethreaded"}
ADDRESS = re.compile(
    r"https://github\.com/astral-sh/python-build-standalone/releases/download/(?P<release>\d{8})/"
    r"cpython-(?P<python>[0-9a-z.]+)%2B(?P=release)-(?P<machine>\w+)-unknown-linux-gnu-"
    r"(?P<form>(?:freethreaded-)?install_only(?:_stripped)?)\.tar\.gz"
)
"""Archives of another form need a program to unpack them that base images lack."""


def rows(metadata: dict[str, dict]) -> list[dict]:
    """One row for each version, variant and release of the builds, with a digest a machine."""
    found: dict[tuple[str, str, str, str], dict[str, str]] = {}
    for each in metadata.values():
        if (each["name"], each["os"], each["libc"]) != ("cpython", "linux", "gnu"):
            continue
        arch, variant = each["arch"], each["variant"]
        address = ADDRESS.fullmatch(each["url"])
        if arch["variant"] or arch["family"] not in MACHINES or variant not in VARIANTS:
            continue
        if address is None or each["sha256"] is None or address["machine"].count("_v"):
            continue
        machine = MACHINES[arch["family"]]
        if address["machine"] != {"ppc64le": "ppc64le"}.get(machine, machine):
            message = f"{each['url']} is not for {machine}"
            raise SystemExit(message)
        key = (address["python"], VARIANTS[variant], address["release"], address["form"])
        found.setdefault(key, {})[machine] = each["sha256"]
    made = [
        {"kind": "python_build", "python": python, "variant": variant, "release": release,
         "form": form, "sha256": dict(sorted(digests.items())), "source": ["uv"],
         "confidence": "high"}
        for (python, variant, release, form), digests in found.items()
    ]  # fmt: skip
    keys = ("python", "variant", "release")
    return sorted(made, key=lambda row: tuple(natural(row[name]) for name in keys))


def main(path: str, commit: str, day: str, today: str) -> None:
    """Write the table."""
    with open(path, encoding="utf-8") as file:
        found = rows(json.load(file))
    source = {
        "id": "uv", "title": "astral-sh/uv crates/uv-python/download-metadata.json",
        "url": "https://github.com/astral-sh/uv/blob/main/crates/uv-python/download-metadata.json",
        "version": commit[:8], "retrieved": today,
        "note": f"commit of {day}; the builds are those of github.com/astral-sh/"
        "python-build-standalone; archives in other forms than install_only are not taken",
    }  # fmt: skip
    write("python_builds", day, [source], found)


if __name__ == "__main__":
    main(*sys.argv[1:])
