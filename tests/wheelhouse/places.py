"""A place to fill wheelhouses in: an index, an environment, and what is asked of them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from envsnap._capture import capture
from envsnap.host import LocalHost
from envsnap.lock import Indexes, LockOptions
from envsnap.manifest import Manifest, canonical_name, environment_id
from envsnap.probes import Options
from envsnap.sections import (
    Artifact,
    Lock,
    Unlocked,
)
from envsnap.wheelhouse._fill import Filled, fill
from envsnap.wheelhouse._make import make_wheel
from envsnap.wheelhouse._prepare import FillOptions
from tests.serving import served
from tests.wheelhouse.by_hand import install

pytest.importorskip("requests", reason="the extra `lock` is not installed")


if shutil.which("uv") is None and not Path(sys.executable).with_name("uv").exists():
    pytest.skip("uv is not installed", allow_module_level=True)


BACKEND = """\
import os, zipfile
def build_wheel(folder, settings=None, metadata=None):
    name = "mine-1.0-py3-none-any.whl"
    info = "mine-1.0.dist-info/"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.write("mine.py")
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: mine\\nVersion: 1.0\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n"
                       "Tag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return name
"""


PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


class Index(BaseHTTPRequestHandler):
    """A package index: /simple/NAME/ and /files/NAME."""

    files: dict[str, bytes]
    asked: list[str]
    failing: set[str]

    def do_GET(self) -> None:
        parts = self.path.strip("/").split("/")
        if parts[0] == "simple" and len(parts) == 2:
            names = [each for each in self.files if canonical_name(each.split("-")[0]) == parts[1]]
            links = "".join(
                f'<a href="/files/{each}#sha256={sha256(self.files[each])}">{each}</a>'
                for each in names
            )
            self._answer(links.encode(), "text/html")
        elif parts[0] == "files" and parts[1] in self.failing:
            self.send_error(503)
        elif parts[0] == "files" and parts[1] in self.files:
            type(self).asked.append(parts[1])
            self._answer(self.files[parts[1]], "application/octet-stream")
        else:
            self.send_error(404)

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Place(NamedTuple):
    """An environment, an index that has its wheels, and a folder to fill."""

    env: Path
    shelf: type[Index]
    url: str
    target: Path

    def options(self, **changes: Any) -> FillOptions:  # noqa: ANN401 - any option
        indexes = Indexes(default=f"{self.url}/simple")
        found = {"lock": LockOptions(indexes=indexes), "python": str(self.env), **changes}
        return FillOptions(**found)

    def put(self, name: str, text: str = "x = 1\n") -> None:
        """Install a distribution, and give its wheel to the index."""
        installed = install(self.env, {f"{name}.py": text.encode()}, name)
        made = make_wheel(installed.located, installed.home, str(self.env.parent))
        self.shelf.files[os.path.basename(made.path)] = Path(made.path).read_bytes()

    def captured(self) -> Manifest:
        """The environment as it is now, without a lock."""
        return capture(LocalHost(), Options(python=str(self.env)))

    def locked(self, without: Mapping[str, str] | None = None) -> Manifest:
        """The environment as it is now, its files those that the index has now."""
        manifest = self.captured()
        without = without or {}
        environment = environment_id(manifest)
        assert isinstance(environment, str)
        artifacts = [
            Artifact(
                name=canonical_name(name.split("-")[0]), version="1.0", filename=name,
                url=f"{self.url}/files/{name}", sha256=sha256(data), size=len(data),
                is_installed=True,
            )
            for name, data in sorted(self.shelf.files.items())
        ]  # fmt: skip
        unlocked = [Unlocked(name=k, version="1.0", why=why) for k, why in without.items()]
        return manifest.with_lock(
            Lock(
                environment=environment, locker="uv 1",
                artifacts=tuple(each for each in artifacts if each.name not in without),
                unlocked=tuple(unlocked),
            )
        )  # fmt: skip

    def fill(self, manifest: Manifest, **changes: Any) -> Filled:  # noqa: ANN401 - any option
        return fill(manifest, str(self.target), self.options(**changes), lambda _: None)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextmanager
def made_place(folder: Path) -> Iterator[Place]:
    env = folder / "env"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", "--symlinks", str(env)], check=True
    )
    site = next(env.glob("lib/python3.*/site-packages"))
    if site.parent.name != "python3.11":
        (env / "lib" / "python3.11").symlink_to(site.parent)
    index = type("Fresh", (Index,), {"files": {}, "asked": [], "failing": set()})
    with served(index) as address:
        yield Place(env, index, f"http://{address}", folder / "wheels")


def told(filled: Filled) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {each.filename: (each.how, each.notes) for each in filled.wheelhouse.files}


def source_of(canary: Path) -> bytes:
    """A source archive whose setup.py leaves a trace."""
    buffer = io.BytesIO()
    setup = f"open({str(canary)!r}, 'w')\nfrom setuptools import setup\nsetup(name='one')\n"
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("one-1.0/setup.py")
        info.size = len(setup)
        archive.addfile(info, io.BytesIO(setup.encode()))
    return buffer.getvalue()


def editable(place: Place, tmp_path: Path) -> Path:
    """A project under git, installed as an editable one."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "mine.py").write_text("x = 1\n")
    (project / "backend.py").write_text(BACKEND)
    (project / "pyproject.toml").write_text(PYPROJECT)
    origin = {"url": project.as_uri(), "dir_info": {"editable": True}}
    install(
        place.env,
        {
            "__editable__.mine-1.0.pth": f"{project}\n".encode(),
            "mine-1.0.dist-info/direct_url.json": json.dumps(origin).encode(),
            "mine-1.0.dist-info/top_level.txt": b"mine\n",
        },
        "mine",
    )
    git(project, "init", "--quiet")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "first")
    return project


def git(folder: Path, *words: str) -> str:
    named = ("-c", "user.name=a", "-c", "user.email=a@b.example")
    done = subprocess.run(
        ["git", "-C", str(folder), *named, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def inside(filled: Filled, name: str) -> bytes:
    """A file of the only wheel."""
    with zipfile.ZipFile(filled.wheelhouse.path(filled.wheelhouse.files[0])) as wheel:
        return wheel.read(name)


def torn(archive: bytes, name: bytes) -> bytes:
    """A zip with one member that cannot be unpacked."""
    at = archive.index(name) + len(name)
    return archive[:at] + b"\xff\xff" + archive[at + 2 :]


def from_a_forge(place: Place, url: str, commit: str) -> Manifest:
    """An environment with a package that was installed from a repository."""
    origin = {"url": url, "vcs_info": {"vcs": "git", "commit_id": commit}}
    info = {"mine-1.0.dist-info/direct_url.json": json.dumps(origin).encode()}
    install(place.env, {"mine.py": b"x = 1\n", **info}, "mine")
    return place.locked({"mine": "it is a repository's"})
