r"""Write envsnap/facts/python_sources.json from the definitions of pyenv's python-build.

    python scripts/python_sources.py PYENV/plugins/python-build/share/python-build COMMIT \
        DAY-OF-COMMIT TODAY

The first is the folder of github.com/pyenv/pyenv at that commit: one file for each version.
"""

from __future__ import annotations

import os
import re
import sys

from fact_tables import natural, write

OLDEST = (3, 6)
"""No image is planned for older ones."""
VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:(?:a|b|rc)\d+)?\Z")
ARCHIVE = re.compile(
    r'"https://www\.python\.org/ftp/python/(?P<release>[0-9.]+)/'
    r'Python-(?P<python>[0-9a-z.]+)\.tgz#(?P<sha256>[0-9a-f]{64})"'
)
"""Those as .tar.xz hold the same and are smaller, but base images have no xz."""

WITHDRAWN = {
    "kind": "python_source", "python": "3.9.3",
    "sha256": "3afeb61a45b5a2e6f1c0f621bd8cf925a4ff406099fdb3d8c97b993a5f43d048",
    "source": ["spack"], "confidence": "medium",
}  # fmt: skip
"""Recalled two days after its release, and so not pyenv's; environments of these days have it."""
SPACK = {
    "id": "spack", "title": "spack/spack python/package.py",
    "url": "https://github.com/spack/spack/blob/7b043b30c3e4/"
    "var/spack/repos/builtin/packages/python/package.py",
    "version": "7b043b30", "retrieved": "2026-11-22",
    "note": "a later commit, of 2024, has the same; its digests of 3.9.0 to 3.9.12 are pyenv's",
}  # fmt: skip


def row(folder: str, version: str) -> dict:
    """The row of one version, as its definition has it."""
    with open(os.path.join(folder, version), encoding="utf-8") as file:
        found = ARCHIVE.findall(file.read())
    expected = re.sub(r"(a|b|rc)\d+\Z", "", version)
    if [each[:2] for each in found] != [(expected, version)]:
        message = f"{version} names other archives: {found}"
        raise SystemExit(message)
    return {
        "kind": "python_source", "python": version, "sha256": found[0][2],
        "source": ["pyenv"], "confidence": "high",
    }  # fmt: skip


def main(folder: str, commit: str, day: str, today: str) -> None:
    """Write the table."""
    parsed = {name: VERSION.match(name) for name in os.listdir(folder)}
    versions = [
        name
        for name, match in parsed.items()
        if match is not None and (int(match[1]), int(match[2])) >= OLDEST
    ]
    found = [*(row(folder, each) for each in versions), WITHDRAWN]
    source = {
        "id": "pyenv", "title": "pyenv/pyenv plugins/python-build/share/python-build",
        "url": "https://github.com/pyenv/pyenv/tree/master/plugins/python-build/share/python-build",
        "version": commit[:8], "retrieved": today,
        "note": f"commit of {day}, MIT; the archives are those of www.python.org/ftp/python",
    }  # fmt: skip
    found.sort(key=lambda each: natural(each["python"]))
    write("python_sources", day, [source, SPACK], found)


if __name__ == "__main__":
    main(*sys.argv[1:])
