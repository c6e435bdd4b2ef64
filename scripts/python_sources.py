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
    found = [row(folder, each) for each in sorted(versions, key=natural)]
    source = {
        "id": "pyenv", "title": "pyenv/pyenv plugins/python-build/share/python-build",
        "url": "https://github.com/pyenv/pyenv/tree/master/plugins/python-build/share/python-build",
        "version": commit[:8], "retrieved": today,
        "note": f"commit of {day}, MIT; the archives are those of www.python.org/ftp/python",
    }  # fmt: skip
    write("python_sources", day, source, found)


if __name__ == "__main__":
    main(*sys.argv[1:])
