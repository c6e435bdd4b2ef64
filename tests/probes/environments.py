"""Environments written down file by file, captured: for the tests of the packages probe."""

from __future__ import annotations

import json
from collections.abc import Mapping

from envsnap._capture import capture
from envsnap.host import Ran, RecordedHost, StatedDigest
from envsnap.manifest import Manifest
from envsnap.probes import Options
from envsnap.sections import Package, Packages, Unknown

SITE = "/home/ada/work/.venv/lib/python3.11/site-packages"
USER = "/home/ada/.local/lib/python3.11/site-packages"


def answered(*path: str, prefix: str = "/home/ada/work/.venv") -> str:
    said = {
        "implementation": "cpython",
        "version": "3.11.7",
        "prefix": prefix.encode().hex(),
        "base_prefix": b"/usr".hex(),
        "executable": f"{prefix}/bin/python".encode().hex(),
        "user_site": USER.encode().hex(),
        "sys_path": [each.encode().hex() for each in path],
    }
    return "\nenvsnap-paths-1:" + json.dumps(said).encode().hex() + "\n"


def captured(
    files: Mapping[str, str | bytes],
    *path: str,
    digests: bool = True,
    commands: Mapping[tuple[str, ...], str | Ran | Unknown] | None = None,
    links: Mapping[str, str] | None = None,
) -> Packages:
    python = "/home/ada/work/.venv/bin/python"
    told: dict[tuple[str, ...], str | Ran | Unknown] = dict(commands or {})
    told[(python, "-c", "{script}", "envsnap-paths-1:")] = answered(*path or (SITE,))
    host = RecordedHost.made(
        files={python: "", "/home/ada/work/.venv/pyvenv.cfg": "home = /usr/bin\n", **files},
        absent_below=["/"],
        environ={"PATH": "/usr/bin"},
        commands=told,
        links=links or {},
        digests={f"{SITE}/numpy-2.1.0.dist-info/RECORD": StatedDigest("ab" * 32, 9)},
        cwd="/home/ada/work",
        home="/home/ada",
    )
    manifest: Manifest = capture(host, Options(digests=digests), sections=frozenset({"packages"}))
    found = manifest.section(Packages)
    assert isinstance(found, Packages), found
    return found


def dist(name: str, version: str, site: str = SITE, **files: str) -> dict[str, str]:
    folder = f"{site}/{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nName: not this\n"
    named = {key.replace("_json", ".json"): text for key, text in files.items()}
    return {f"{folder}/METADATA": metadata} | {
        f"{folder}/{key}": text for key, text in named.items()
    }


def installed(packages: Packages) -> tuple[Package, ...]:
    assert not isinstance(packages.installed, Unknown)
    return packages.installed
