"""What a wheelhouse is filled with when something is not as it was."""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import zipfile
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import pytest

from envsnap.cli._wheelhouse import fill_aloud
from envsnap.errors import ExitCode
from envsnap.lock._trust import RefusedError, Trust, own_of
from envsnap.manifest import encode
from envsnap.sections import (
    Origin,
    Packages,
    Reason,
    Unknown,
    replace,
)
from envsnap.wheelhouse._stranger import cloned
from envsnap.wheelhouse._tree import BuildError
from tests.serving import served
from tests.wheelhouse.by_hand import install
from tests.wheelhouse.places import (
    BACKEND,
    Place,
    editable,
    git,
    inside,
    needs_git,
    sha256,
    source_of,
    told,
    torn,
)

if TYPE_CHECKING:
    from pathlib import Path


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
