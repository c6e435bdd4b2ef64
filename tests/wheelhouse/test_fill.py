"""A wheelhouse is filled with every package, whatever has become of its file."""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from envsnap._capture import capture
from envsnap.cli._wheelhouse import fill_aloud
from envsnap.errors import ExitCode, FileError, ManifestError, ToolError
from envsnap.host import LocalHost
from envsnap.lock import Indexes, LockOptions
from envsnap.lock._trust import RefusedError, Trust, own_of
from envsnap.manifest import Manifest, canonical_name, encode, environment_id
from envsnap.probes import Options
from envsnap.sections import (
    Artifact,
    Lock,
    Origin,
    Packages,
    Reason,
    Unknown,
    Unlocked,
    replace,
)
from envsnap.wheelhouse._claim import claimed
from envsnap.wheelhouse._fill import Filled, fill
from envsnap.wheelhouse._make import make_wheel
from envsnap.wheelhouse._prepare import FillOptions
from envsnap.wheelhouse._store import open_wheelhouse
from envsnap.wheelhouse._stranger import cloned
from envsnap.wheelhouse._tree import BuildError
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
    index = type("Fresh", (Index,), {"files": {}, "asked": [], "failing": set()})
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
def test_the_recorded_commit_is_built_though_the_folder_has_moved_on(
    place: Place, tmp_path: Path
) -> None:
    project = editable(place, tmp_path)
    commit = git(project, "rev-parse", "HEAD")
    manifest = place.locked({"mine": "it is an editable project"})
    (project / "mine.py").write_text("x = 2\n")
    git(project, "commit", "--quiet", "-a", "-m", "second")
    (project / "mine.py").write_text("x = 3\n")
    filled = place.fill(manifest)
    assert filled.wheelhouse.files[0].notes == (
        "built from its source by its own backend",
        f"its folder is at commit {git(project, 'rev-parse', 'HEAD')[:12]} now",
        f"built from commit {commit}",
        "not fetched: it is an editable project",
    )
    assert inside(filled, "mine.py") == b"x = 1\n"
    assert filled.differing == ()


@needs_git
def test_what_is_built_of_another_commit_than_the_recorded_one_is_not_what_was_captured(
    place: Place, tmp_path: Path
) -> None:
    project = editable(place, tmp_path)
    commit = git(project, "rev-parse", "HEAD")
    manifest = place.locked({"mine": "it is an editable project"})
    shutil.rmtree(project / ".git")
    (project / "mine.py").write_text("x = 2\n")
    git(project, "init", "--quiet")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "another")
    filled = place.fill(manifest)
    head = git(project, "rev-parse", "HEAD")[:12]
    assert filled.wheelhouse.files[0].notes == (
        "built from its source by its own backend",
        f"built from its folder as it is: 0 changed files on commit {head}",
        f"not what was captured: that was commit {commit[:12]}, which its repository has no more",
        "not fetched: it is an editable project",
    )
    assert filled.differing == filled.wheelhouse.files
    lock = filled.manifest.lock
    assert lock is not None
    assert [each.is_installed for each in lock.artifacts] == [False]


@needs_git
def test_what_is_not_as_captured_is_said_aloud_even_if_quiet_and_ends_with_no(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = editable(place, tmp_path)
    commit = git(project, "rev-parse", "HEAD")
    manifest = place.locked({"mine": "it is an editable project"})
    shutil.rmtree(project / ".git")
    asked = argparse.Namespace(
        wheelhouse=str(place.target), python=str(place.env), allow_host=[], allow_build=[],
        quiet=True,
    )  # fmt: skip
    filling = fill_aloud(manifest, asked, place.options().lock)
    assert filling.code is ExitCode.NO
    assert capsys.readouterr().err == (
        "Packages that are not as captured: 1\n"
        f"  mine 1.0: not what was captured: its commit {commit[:12]} is gone\n"
    )


@needs_git
def test_changes_that_are_others_now_are_not_what_was_captured(
    place: Place, tmp_path: Path
) -> None:
    project = editable(place, tmp_path)
    commit = git(project, "rev-parse", "HEAD")[:12]
    (project / "mine.py").write_text("x = 2\n")
    manifest = place.locked({"mine": "it is an editable project"})
    packages = manifest.section(Packages)
    assert isinstance(packages, Packages)
    assert isinstance(packages.installed, tuple)
    was = packages.installed[0].origin.difference
    assert place.fill(manifest).differing == ()
    (project / "mine.py").write_text("x = 3\n")
    shutil.rmtree(place.target)
    (differing,) = place.fill(manifest).differing
    assert differing.notes[2] == (
        f"not what was captured: that was commit {commit} with difference {was}"
    )


@needs_git
@pytest.mark.parametrize("is_dirty", [False, True])
def test_a_submodules_files_are_built_too(place: Place, tmp_path: Path, *, is_dirty: bool) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "part.py").write_text("part = 1\n")
    git(other, "init", "--quiet")
    git(other, "add", ".")
    git(other, "commit", "--quiet", "-m", "part")
    project = editable(place, tmp_path)
    both = 'wheel.write("mine.py")\n        wheel.write("sub/part.py", "part.py")'
    (project / "backend.py").write_text(BACKEND.replace('wheel.write("mine.py")', both))
    allowed = ("-c", "protocol.file.allow=always")
    git(project, *allowed, "submodule", "--quiet", "add", str(other), "sub")
    git(project, "commit", "--quiet", "-a", "-m", "with a submodule")
    if is_dirty:
        (project / "mine.py").write_text("x = 2\n")
    filled = place.fill(place.locked({"mine": "it is an editable project"}))
    commit = git(other, "rev-parse", "HEAD")[:12]
    stored = filled.wheelhouse.files[0]
    assert (stored.how, stored.notes[2]) == (
        "built",
        "with its submodules as they are: sub"
        if is_dirty
        else f"with its submodule sub at commit {commit}",
    )
    assert inside(filled, "part.py") == b"part = 1\n"
    assert filled.differing == ()


@needs_git
@pytest.mark.parametrize("is_there", [True, False])
def test_a_large_file_that_git_keeps_elsewhere_is_taken_from_the_folder(
    place: Place, tmp_path: Path, *, is_there: bool
) -> None:
    project = editable(place, tmp_path)
    (project / ".gitattributes").write_text("mine.py filter=lfs\n")
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256(b'x = 1')}\nsize 5\n"
    (project / "mine.py").write_text(pointer)
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "large")
    (project / "mine.py").write_text("x = 1" if is_there else "x = 2")
    git(project, "config", "filter.lfs.clean", f"printf '{pointer}'".replace("\n", "\\n"))
    git(project, "add", ".")
    manifest = place.locked({"mine": "it is an editable project"})
    filled = place.fill(manifest)
    notes = filled.wheelhouse.files[0].notes
    assert notes[1] == f"built from commit {git(project, 'rev-parse', 'HEAD')}"
    if is_there:
        assert inside(filled, "mine.py") == b"x = 1"
    assert filled.differing == (() if is_there else filled.wheelhouse.files)


@needs_git
def test_where_no_backend_runs_the_importable_files_are_packed(
    place: Place, tmp_path: Path
) -> None:
    project = editable(place, tmp_path)
    (project / "backend.py").write_text(
        "def build_wheel(*_): raise SystemExit('foo.c:3: error: no foo.h')\n"
    )
    filled = place.fill(place.locked({"mine": "it is an editable project"}))
    stored = filled.wheelhouse.files[0]
    assert (stored.filename, stored.how) == ("mine-1.0-py3-none-any.whl", "made")
    assert stored.notes == (
        (
            "the importable files of its folder as it is, "
            "for its backend failed: foo.c:3: error: no foo.h"
        ),
        "WHEEL was made: the installation has none",
        "not fetched: it is an editable project",
    )


def inside(filled: Filled, name: str) -> bytes:
    """A file of the only wheel."""
    with zipfile.ZipFile(filled.wheelhouse.path(filled.wheelhouse.files[0])) as wheel:
        return wheel.read(name)


def test_a_wheel_whose_files_are_those_captured_is_proved_by_that(place: Place) -> None:
    place.put("one")
    manifest = place.locked()
    lock = manifest.lock
    assert lock is not None
    why = Unknown(Reason.NOT_SUPPORTED, "several files have its tags")
    guessed = replace(lock.artifacts[0], is_installed=why)
    filled = place.fill(manifest.with_lock(replace(lock, artifacts=(guessed,))))
    assert filled.manifest.lock is not None
    assert [each.is_installed for each in filled.manifest.lock.artifacts] == [True]


def test_a_wheel_of_other_files_than_were_captured_is_not_had_where_the_environment_is_not(
    place: Place,
) -> None:
    place.put("one")
    install(place.env, {"one.py": b"x = 2\n"}, "one")
    filled = place.fill(place.locked(), look_here=False)
    assert told(filled) == {}
    assert [(each.name, each.why) for each in filled.failed] == [
        (
            "one",
            (
                "the file of that name on the index installs other files than were captured, "
                "and the captured environment is not here (name it: --python). Fill the "
                "wheelhouse where the environment still is: "
                "envsnap lock --wheelhouse DIR --python ENV"
            ),
        )
    ]
    assert filled.manifest.lock is not None
    assert [each.is_installed for each in filled.manifest.lock.artifacts] == [False]


def test_a_file_whose_server_is_dead_is_made_again(place: Place) -> None:
    place.put("one")
    lock = place.locked().lock
    assert lock is not None
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{taken.getsockname()[1]}/one-1.0-py3-none-any.whl"
    origin = {"url": dead, "archive_info": {}}
    info = {"one-1.0.dist-info/direct_url.json": json.dumps(origin).encode()}
    install(place.env, {"one.py": b"x = 1\n", **info}, "one")
    artifact = replace(lock.artifacts[0], url=dead, sha256="0" * 64, how="address")
    filled = place.fill(place.captured().with_lock(replace(lock, artifacts=(artifact,))))
    why = f"not fetched: {dead} could not be fetched: no connection to it"
    assert told(filled) == {"one-1.0-py3-none-any.whl": ("made", (why,))}


def test_a_source_of_files_that_were_edited_leaves_its_place_in_the_lock_to_the_wheel(
    place: Place, tmp_path: Path
) -> None:
    place.put("one")
    place.shelf.files.clear()
    place.shelf.files["one-1.0.tar.gz"] = source_of(tmp_path / "canary")
    site = next(place.env.glob("lib/python3.*/site-packages"))
    (site / "one.py").write_text("x = 'edited'\n")
    filled = place.fill(place.locked())
    made, source = filled.wheelhouse.files
    assert (made.filename, source.filename) == (
        "one-1.0-py3-none-any.whl",
        "sources/one-1.0.tar.gz",
    )
    assert filled.manifest.lock is not None
    (artifact,) = filled.manifest.lock.artifacts
    assert (artifact.filename, artifact.how, artifact.url) == (made.filename, "made", None)
    assert (artifact.sha256, artifact.content) == (made.sha256, made.content)


@pytest.mark.parametrize(
    ("more", "named"),
    [("two.py", "one-1.0.tar.gz"), ("../../../share/one.txt", "one-1.0-py3-none-any.whl")],
)
def test_a_wheel_with_files_that_no_digest_covers_is_named_by_the_lock(
    place: Place, tmp_path: Path, more: str, named: str
) -> None:
    """Nobody could prove of another wheel that its data are those of what was captured."""
    place.put("one")
    install(place.env, {"one.py": b"x = 1\n", more: b"more = 1\n"}, "one")
    place.shelf.files.clear()
    place.shelf.files["one-1.0.tar.gz"] = source_of(tmp_path / "canary")
    filled = place.fill(place.locked())
    assert filled.manifest.lock is not None
    assert [each.filename for each in filled.manifest.lock.artifacts] == [named]


def test_one_bad_file_ends_nothing_and_nothing_published_says_where_it_lay(
    place: Place, tmp_path: Path
) -> None:
    for name in ("broken", "good", "gone", "unread"):
        place.put(name)
    wheel = "broken-1.0-py3-none-any.whl"
    place.shelf.files[wheel] = torn(place.shelf.files[wheel], b"broken.py")
    site = next(place.env.glob("lib/python3.*/site-packages"))
    egg = site / "torn-1.0-py3.11.egg"
    with zipfile.ZipFile(egg, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("EGG-INFO/PKG-INFO", "Metadata-Version: 1.0\nName: torn\nVersion: 1.0\n")
        zipped.writestr("torn.py", "x = 1\n" * 100)
    egg.write_bytes(torn(egg.read_bytes(), b"torn.py"))
    (site / "torn.pth").write_text(f"./{egg.name}\n")
    (site / "unread-1.0.dist-info" / "WHEEL").write_text("no tags\n")
    manifest = place.locked({"torn": "no index has it", "unread": "no index has it"})
    place.target.mkdir()
    (place.target / "gone-1.0-py3-none-any.whl.part").mkdir()
    filled = place.fill(manifest)
    assert {each.name: each.how for each in filled.wheelhouse.files} == {
        "broken": "made",
        "good": "index",
    }
    assert {each.name: each.why for each in filled.failed} == {
        "gone": "Cannot write {wheelhouse}/gone-1.0-py3-none-any.whl: Is a directory",
        "torn": f"no index has it; Cannot read torn.py in {{env}}/{egg.relative_to(place.env)}: "
        "Error -3 while decompressing data: invalid block type",
        "unread": "no index has it; The WHEEL file of unread has no tag",
    }
    published = (place.target / "wheelhouse.json").read_text() + encode(filled.manifest)
    assert str(tmp_path) not in published


def torn(archive: bytes, name: bytes) -> bytes:
    """A zip with one member that cannot be unpacked."""
    at = archive.index(name) + len(name)
    return archive[:at] + b"\xff\xff" + archive[at + 2 :]


@needs_git
def test_a_strangers_repository_that_redirects_is_not_followed(
    place: Place, tmp_path: Path
) -> None:
    project = editable(place, tmp_path)
    commit = git(project, "rev-parse", "HEAD")
    git(project, "update-server-info")
    asked: list[str] = []

    class Forge(SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:  # noqa: ANN401 - as the server calls it
            super().__init__(*args, directory=str(project / ".git"))

        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", f"http://{forge}{self.path}")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with served(Forge) as forge, served(Elsewhere) as elsewhere:
        trust = Trust(own=own_of([f"http://{forge}", f"http://{elsewhere}"]))
        origin = Origin(kind="vcs", vcs="git", url=f"http://{elsewhere}/", commit=commit)
        with pytest.raises(BuildError) as caught:
            cloned(origin, trust, str(tmp_path / "tree"))
        assert caught.value.message == f"git could not fetch commit {commit[:12]} of it"
        assert asked == []
        found = cloned(replace(origin, url=f"git+http://{forge}/"), trust, str(tmp_path / "other"))
        assert found.notes == (f"built from commit {commit}, as allowed",)
        assert (tmp_path / "other" / "mine.py").read_text() == "x = 1\n"
        with pytest.raises(RefusedError) as refused:
            cloned(replace(origin, url=f"http://{forge}/"), Trust(), str(tmp_path / "none"))
    assert refused.value.message == (
        "Not cloned: 127.0.0.1 is an address of this machine or its network"
    )


def test_a_run_where_the_environment_is_not_drops_no_good_file(place: Place) -> None:
    for name in ("one", "two", "three"):
        place.put(name)
    without = {"two": "no index has it"}
    manifest = place.locked(without)
    install(place.env, {"three.py": b"x = 3\n"}, "three")
    changed = place.captured()
    assert manifest.lock is not None
    environment = environment_id(changed)
    assert isinstance(environment, str)
    manifest = changed.with_lock(replace(manifest.lock, environment=environment))
    first = place.fill(manifest)
    assert [each.how for each in first.wheelhouse.files] == ["index", "made", "made"]
    second = place.fill(manifest, look_here=False)
    assert second.wheelhouse == first.wheelhouse
    assert second.failed == ()
    assert second.manifest.lock == first.manifest.lock
    assert open_wheelhouse(str(place.target)) == first.wheelhouse


def test_a_list_that_is_cut_off_loses_nothing_that_the_lock_names(place: Place) -> None:
    place.put("one")
    place.put("two")
    first = place.fill(place.locked({"two": "no index has it"}))
    (place.target / "wheelhouse.json").write_bytes(b'{"wheelhouse": "1", "fil')
    second = place.fill(first.manifest, look_here=False)
    assert [e.filename for e in second.wheelhouse.files] == [
        e.filename for e in first.wheelhouse.files
    ]
    assert second.failed == ()


def test_a_source_stays_listed_beside_the_wheel_that_the_lock_names(
    place: Place, tmp_path: Path
) -> None:
    place.put("one")
    place.shelf.files.clear()
    place.shelf.files["one-1.0.tar.gz"] = source_of(tmp_path / "canary")
    site = next(place.env.glob("lib/python3.*/site-packages"))
    (site / "one.py").write_text("x = 'edited'\n")
    first = place.fill(place.locked())
    second = place.fill(first.manifest)
    assert [each.filename for each in second.wheelhouse.files] == [
        "one-1.0-py3-none-any.whl",
        "sources/one-1.0.tar.gz",
    ]


@pytest.mark.parametrize("is_here", [True, False])
def test_a_wheel_that_is_not_whole_counts_as_not_had(place: Place, *, is_here: bool) -> None:
    place.put("one")
    name = "one-1.0-py3-none-any.whl"
    place.shelf.files[name] = place.shelf.files[name][:-30] + b"x" * 30
    filled = place.fill(place.locked(), look_here=is_here)
    why = "the file of that name on the index is no wheel that is whole"
    if is_here:
        assert told(filled) == {name: ("made", (f"not fetched: {why}",))}
        return
    assert told(filled) == {}
    assert [each.why for each in filled.failed] == [
        (
            f"{why}. Fill the wheelhouse where the environment still is: "
            "envsnap lock --wheelhouse DIR --python ENV"
        )
    ]
    assert not (place.target / name).exists()


def test_an_index_that_fails_just_now_keeps_its_place_in_the_lock(place: Place) -> None:
    place.put("one")
    name = "one-1.0-py3-none-any.whl"
    place.shelf.failing.add(name)
    manifest = place.locked()
    filled = place.fill(manifest)
    fault = f"{place.url}/files/{name} could not be fetched: the server answers 503"
    assert told(filled) == {name: ("made", (f"not fetched: {fault}",))}
    assert [(each.name, each.why) for each in filled.failed] == [
        (
            "one",
            (
                f"made again for now, for its file was not fetched: {fault}. "
                "Run the same command again: what is complete is kept"
            ),
        )
    ]
    assert filled.manifest.lock == manifest.lock
    place.shelf.failing.clear()
    again = place.fill(filled.manifest)
    assert told(again) == {name: ("index", ())}
    assert again.failed == ()


def test_who_is_waited_for_is_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envsnap.wheelhouse._arrive._SILENT_S", 0.5)
    place.put("one")
    place.shelf.failing.add("one-1.0-py3-none-any.whl")
    lines: list[str] = []
    manifest = place.locked()
    assert manifest.lock is not None
    unknown = Unknown(Reason.NOT_SUPPORTED, "the index does not say it")
    artifact = replace(manifest.lock.artifacts[0], size=unknown)
    manifest = manifest.with_lock(replace(manifest.lock, artifacts=(artifact,)))
    fill(manifest, str(place.target), place.options(), lines.append)
    assert lines[0] == "0 of 1 files, 0.0 GB, 0 MB/s"
    assert "0 of 1 files, 0.0 GB, 0 MB/s; waiting for 127.0.0.1 ..." in lines


def test_a_second_run_on_the_same_folder_is_refused(place: Place) -> None:
    place.put("one")
    manifest = place.locked()
    with claimed(str(place.target)), pytest.raises(FileError) as caught:
        place.fill(manifest)
    assert caught.value.message == f"Another run fills {place.target}"
    assert caught.value.exit_code is ExitCode.FILE
    assert place.fill(manifest).failed == ()


@needs_git
def test_a_wheelhouse_in_a_project_does_not_change_it(place: Place, tmp_path: Path) -> None:
    project = editable(place, tmp_path)
    (project / "mine.py").write_text("x = 2\n")
    (project / "envsnap.lock.json").write_text("{}")
    listing = 'wheel.write("mine.py"); wheel.writestr("seen.py", str(sorted(os.listdir("."))))'
    (project / "backend.py").write_text(BACKEND.replace('wheel.write("mine.py")', listing))
    manifest = place.locked({"mine": "it is an editable project"})
    filled = fill(manifest, str(project / "wheels"), place.options(), lambda _: None)
    assert git(project, "status", "--porcelain").split() == [
        "M", "backend.py", "M", "mine.py", "??", "envsnap.lock.json",
    ]  # fmt: skip
    seen = inside(filled, "seen.py").decode()
    assert "envsnap.lock.json" not in seen
    assert "wheels" not in seen
    assert "pyproject.toml" in seen


def test_files_of_somebody_else_are_not_hidden_from_git(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("")
    with claimed(str(tmp_path)):
        pass
    assert not (tmp_path / ".gitignore").exists()


@needs_git
def test_where_git_is_missing_no_folder_is_said_to_be_without_it(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editable(place, tmp_path)
    manifest = place.locked({"mine": "it is an editable project"})
    tools = tmp_path / "tools"
    tools.mkdir()
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    (tools / "uv").symlink_to(uv)
    monkeypatch.setenv("PATH", str(tools))
    filled = place.fill(manifest)
    assert filled.wheelhouse.files[0].notes == (
        "built from its source by its own backend",
        "its folder is taken as it is: git is not here: its commit is not proved",
        "git is not here: its commit is not proved",
        "not fetched: it is an editable project",
    )


def from_a_forge(place: Place, url: str, commit: str) -> Manifest:
    """An environment with a package that was installed from a repository."""
    origin = {"url": url, "vcs_info": {"vcs": "git", "commit_id": commit}}
    info = {"mine-1.0.dist-info/direct_url.json": json.dumps(origin).encode()}
    install(place.env, {"mine.py": b"x = 1\n", **info}, "mine")
    return place.locked({"mine": "it is a repository's"})


def test_what_came_of_a_repository_is_made_again_and_no_build_code_runs(place: Place) -> None:
    filled = place.fill(from_a_forge(place, "https://forge.example/mine", "0" * 40))
    assert told(filled) == {
        "mine-1.0-py3-none-any.whl": (
            "made",
            (
                "made again from the installed files: the same bytes, and no build code runs",
                "not fetched: it is a repository's",
            ),
        )
    }


def test_a_repository_is_built_from_where_that_is_asked(place: Place) -> None:
    manifest = from_a_forge(place, "http://127.0.0.2:1/mine", "0" * 40)
    filled = place.fill(manifest, allow_build=frozenset({"mine"}))
    assert [each.why for each in filled.failed] == [
        "it is a repository's; git could not fetch commit 000000000000 of it"
    ]


def test_an_anonymous_manifest_is_said_to_be_one(place: Place) -> None:
    place.put("one")
    manifest = place.locked()
    captured = replace(manifest.captured, anonymous=True)
    place.shelf.files.clear()
    filled = place.fill(
        replace(manifest, captured=captured),
        look_here=False,
        allow_host=frozenset({"127.0.0.1"}),
    )
    assert [each.why.partition("404. ")[2] for each in filled.failed] == [
        (
            "The manifest is anonymous, so its names may not be those that are installed: fill the "
            "wheelhouse from the manifest that is not, and restore from that one"
        )
    ]
