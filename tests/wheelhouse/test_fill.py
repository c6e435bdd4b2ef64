"""A wheelhouse is filled with every package, whatever has become of its file."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from envsnap._capture import capture
from envsnap.errors import ManifestError, ToolError
from envsnap.host import LocalHost
from envsnap.lock import Indexes, LockOptions
from envsnap.manifest import Manifest, canonical_name, environment_id
from envsnap.probes import Options
from envsnap.sections import Artifact, Lock, Packages, Unlocked
from envsnap.wheelhouse._fill import Filled, fill
from envsnap.wheelhouse._make import make_wheel
from envsnap.wheelhouse._prepare import FillOptions
from envsnap.wheelhouse._store import open_wheelhouse
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

    def do_GET(self) -> None:
        parts = self.path.strip("/").split("/")
        if parts[0] == "simple" and len(parts) == 2:
            names = [each for each in self.files if canonical_name(each.split("-")[0]) == parts[1]]
            links = "".join(
                f'<a href="/files/{each}#sha256={sha256(self.files[each])}">{each}</a>'
                for each in names
            )
            self._answer(links.encode(), "text/html")
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


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with _place(tmp_path) as found:
        yield found


@contextmanager
def _place(folder: Path) -> Iterator[Place]:
    env = folder / "env"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", "--symlinks", str(env)], check=True
    )
    site = next(env.glob("lib/python3.*/site-packages"))
    if site.parent.name != "python3.11":
        (env / "lib" / "python3.11").symlink_to(site.parent)
    index = type("Fresh", (Index,), {"files": {}, "asked": []})
    with served(index) as address:
        yield Place(env, index, f"http://{address}", folder / "wheels")


def told(filled: Filled) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {each.filename: (each.how, each.notes) for each in filled.wheelhouse.files}


def test_files_are_fetched_and_what_is_on_no_index_is_made_again(place: Place) -> None:
    place.put("one")
    place.put("two")
    manifest = place.locked({"two": "no index has it"})
    filled = place.fill(manifest)
    assert told(filled) == {
        "one-1.0-py3-none-any.whl": ("index", ()),
        "two-1.0-py3-none-any.whl": ("made", ("not fetched: no index has it",)),
    }
    assert filled.failed == ()
    assert place.shelf.asked == ["one-1.0-py3-none-any.whl"]
    assert open_wheelhouse(str(place.target)) == filled.wheelhouse
    lock = filled.manifest.lock
    assert lock is not None
    assert [(each.name, each.how, each.url is None) for each in lock.artifacts] == [
        ("one", "index", False),
        ("two", "made", True),
    ]
    packages = manifest.section(Packages)
    assert isinstance(packages, Packages)
    assert isinstance(packages.installed, tuple)
    assert [each.content for each in lock.artifacts] == [e.content for e in packages.installed]
    for each in filled.wheelhouse.files:
        assert sha256(Path(filled.wheelhouse.path(each)).read_bytes()) == each.sha256


def test_a_second_run_fetches_nothing_and_changes_no_byte(place: Place) -> None:
    place.put("one")
    place.put("two")
    first = place.fill(place.locked({"two": "no index has it"}))
    before = {each.name: each.read_bytes() for each in sorted(place.target.iterdir())}
    second = place.fill(first.manifest)
    assert place.shelf.asked == ["one-1.0-py3-none-any.whl"]
    assert {each.name: each.read_bytes() for each in sorted(place.target.iterdir())} == {
        **before,
        "wheelhouse.json": (place.target / "wheelhouse.json").read_bytes(),
    }
    assert second.manifest == first.manifest
    third = place.fill(place.locked({"two": "no index has it"}))
    assert third.wheelhouse == first.wheelhouse
    assert third.manifest.lock == first.manifest.lock
    assert {each.name: each.read_bytes() for each in sorted(place.target.iterdir())} == before


def test_a_file_that_the_index_has_dropped_is_made_again(place: Place) -> None:
    place.put("one")
    manifest = place.locked()
    place.shelf.files.clear()
    filled = place.fill(manifest)
    why = f"not fetched: {place.url}/files/one-1.0-py3-none-any.whl is gone: the server answers 404"
    assert told(filled) == {"one-1.0-py3-none-any.whl": ("made", (why,))}


def test_a_file_that_is_gone_and_not_installed_here_is_said_with_what_can_be_done(
    place: Place,
) -> None:
    place.put("one")
    manifest = place.locked()
    place.shelf.files.clear()
    filled = place.fill(manifest, look_here=False, allow_host=frozenset({"127.0.0.1"}))
    assert [(each.name, each.version) for each in filled.failed] == [("one", "1.0")]
    assert filled.failed[0].why == (
        f"{place.url}/files/one-1.0-py3-none-any.whl is gone: the server answers 404. "
        "Fill the wheelhouse where the environment still is: "
        "envsnap lock --wheelhouse DIR --python ENV"
    )
    assert filled.wheelhouse.files == ()


def test_other_bytes_under_the_right_name_are_not_taken(place: Place) -> None:
    place.put("one")
    manifest = place.locked()
    place.shelf.files["one-1.0-py3-none-any.whl"] = b"something else"
    filled = place.fill(manifest)
    name = "one-1.0-py3-none-any.whl"
    assert told(filled) == {
        name: (
            "made",
            (f"not fetched: {place.url}/files/{name} has other bytes than those that were locked",),
        )
    }


def test_a_wheel_that_would_install_other_files_is_made_of_those_that_are_installed(
    place: Place,
) -> None:
    place.put("one")
    install(place.env, {"one.py": b"x = 2\n"}, "one")
    filled = place.fill(place.locked())
    why = "not fetched: the file of that name on the index installs other files than are installed"
    assert told(filled) == {"one-1.0-py3-none-any.whl": ("made", (why,))}


def test_a_strange_host_is_named_before_anything_is_fetched(place: Place) -> None:
    place.put("one")
    manifest = place.locked()
    lock = manifest.lock
    assert lock is not None
    strange = [
        Artifact(
            name="one", version="1.0", filename="one-1.0-py3-none-any.whl",
            url="https://files.example/one-1.0-py3-none-any.whl", sha256="0" * 64, size=1,
            is_installed=True, how="address",
        )
    ]  # fmt: skip
    foreign = manifest.with_lock(
        Lock(environment=lock.environment, locker="", artifacts=tuple(strange), unlocked=())
    )
    with pytest.raises(ToolError) as caught:
        place.fill(foreign)
    assert caught.value.message == (
        "1 file is not fetched, from files.example (1): "
        "files.example is neither in your own settings nor allowed"
    )
    assert caught.value.hint == "If you trust it, allow it: --allow-host files.example"
    assert not place.target.exists()


@pytest.mark.parametrize("name", ["../one.whl", "/one.whl", "a/one.whl", ".one.whl", "one\n.whl"])
def test_a_lock_cannot_write_outside_the_folder(place: Place, name: str) -> None:
    place.put("one")
    manifest = place.locked()
    artifact = Artifact(
        name="one", version="1.0", filename=name, url=f"{place.url}/files/one", sha256="0" * 64,
        size=1, is_installed=True,
    )  # fmt: skip
    lock = Lock(environment="0" * 12, locker="", artifacts=(artifact,), unlocked=())
    with pytest.raises(ManifestError) as caught:
        place.fill(manifest.with_lock(lock))
    assert caught.value.message == (
        f"{name!a} is no name of a file in 'lock.artifacts[0].filename'"
    )
    assert not place.target.exists()


def test_files_of_another_environment_are_left_alone(place: Place) -> None:
    place.target.mkdir()
    (place.target / "other-1.0-py3-none-any.whl").write_bytes(b"other")
    place.put("one")
    place.fill(place.locked())
    assert (place.target / "other-1.0-py3-none-any.whl").read_bytes() == b"other"
    listed = json.loads((place.target / "wheelhouse.json").read_text())
    assert [each["filename"] for each in listed["files"]] == ["one-1.0-py3-none-any.whl"]


def source_of(canary: Path) -> bytes:
    """A source archive whose setup.py leaves a trace."""
    buffer = io.BytesIO()
    setup = f"open({str(canary)!r}, 'w')\nfrom setuptools import setup\nsetup(name='one')\n"
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("one-1.0/setup.py")
        info.size = len(setup)
        archive.addfile(info, io.BytesIO(setup.encode()))
    return buffer.getvalue()


def test_a_source_is_kept_as_bytes_beside_the_wheel_of_what_is_installed(
    place: Place, tmp_path: Path
) -> None:
    place.put("one")
    place.shelf.files.clear()
    place.shelf.files["one-1.0.tar.gz"] = source_of(tmp_path / "canary")
    filled = place.fill(place.locked())
    assert told(filled) == {
        "one-1.0-py3-none-any.whl": ("made", ("not fetched: the index has its source alone",)),
        "sources/one-1.0.tar.gz": ("index", ()),
    }
    assert not (tmp_path / "canary").exists()


def test_a_strangers_source_is_not_run(place: Place, tmp_path: Path) -> None:
    place.put("one")
    place.shelf.files.clear()
    place.shelf.files["one-1.0.tar.gz"] = source_of(tmp_path / "canary")
    filled = place.fill(place.locked(), look_here=False)
    note = "a source: it is built where it is restored, which runs its code (--allow-build)"
    assert told(filled) == {"sources/one-1.0.tar.gz": ("index", (note,))}
    assert not (tmp_path / "canary").exists()


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


@needs_git
def test_an_editable_project_is_built_from_its_commit(place: Place, tmp_path: Path) -> None:
    project = editable(place, tmp_path)
    (project / "mine.egg-info").mkdir()
    (project / "mine.egg-info" / "PKG-INFO").write_text("")
    filled = place.fill(place.locked({"mine": "it is an editable project"}))
    assert told(filled) == {
        "mine-1.0-py3-none-any.whl": (
            "built",
            (
                "built from its source by its own backend",
                f"built from commit {git(project, 'rev-parse', 'HEAD')}",
                "not fetched: it is an editable project",
            ),
        )
    }


@needs_git
def test_a_changed_project_is_built_as_it_is_and_said_to_be(place: Place, tmp_path: Path) -> None:
    project = editable(place, tmp_path)
    (project / "mine.py").write_text("x = 2\n")
    filled = place.fill(place.locked({"mine": "it is an editable project"}))
    packages = filled.manifest.section(Packages)
    assert isinstance(packages, Packages)
    assert isinstance(packages.installed, tuple)
    commit = git(project, "rev-parse", "HEAD")[:12]
    notes = filled.wheelhouse.files[0].notes
    assert notes[1] == (
        f"built from its folder as it is: 1 changed files on commit {commit}, "
        f"difference {packages.installed[0].origin.difference}"
    )
    assert git(project, "status", "--porcelain") == "M mine.py"


@needs_git
def test_where_no_backend_runs_the_importable_files_are_packed(
    place: Place, tmp_path: Path
) -> None:
    project = editable(place, tmp_path)
    (project / "backend.py").write_text("def build_wheel(*_): raise SystemExit('no compiler')\n")
    filled = place.fill(place.locked({"mine": "it is an editable project"}))
    stored = filled.wheelhouse.files[0]
    assert (stored.filename, stored.how) == ("mine-1.0-py3-none-any.whl", "made")
    assert stored.notes[0].startswith(
        "the importable files of its folder as it is, for its backend failed: "
    )
