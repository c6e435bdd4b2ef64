"""The project's own code: the bytes of the commit, whatever the tree and its settings say."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from envsnap._project import NoCode, Packed, pack_project
from envsnap.errors import PlanError
from envsnap.manifest import Manifest
from envsnap.sections import Fact, Git, Project, Reason, Unknown
from tests import made

if TYPE_CHECKING:
    from pathlib import Path

GIT = (
    "git",
    "-c",
    "user.name=t",
    "-c",
    "user.email=t@t.example",
    "-c",
    "protocol.file.allow=always",
)
TIME = "2026-01-02T03:04:05Z"


def run(folder: Path, *words: str) -> str:
    stamps = {"GIT_AUTHOR_DATE": TIME, "GIT_COMMITTER_DATE": TIME}
    done = subprocess.run(
        [*GIT, "-C", str(folder), *words],
        check=True, capture_output=True, text=True, env={**os.environ, **stamps},
    )  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "pro ject"
    (folder / "src").mkdir(parents=True)
    (folder / "train.py").write_text("print('$Format:%H$')\n")
    (folder / "src" / "grüße.py").write_text("")
    (folder / "run.sh").write_text("#!/bin/sh\n" + "# long\n" * 400)
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("src/grüße.py")
    (folder / "big.bin").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\n")
    # What would change the files on their way out of `git archive`.
    (folder / ".gitattributes").write_text("run.sh export-ignore\ntrain.py export-subst\n")
    run(folder, "init", "-q", "-b", "main")
    run(folder, "add", ".")
    run(folder, "commit", "-q", "-m", "one")
    return folder


def manifest(commit: Fact[str], changed: int = 0) -> Manifest:
    git = Git(
        commit=commit, commit_time=TIME, branch="main", changed_files=changed, remote=None,
        pushed=False,
    )  # fmt: skip
    project = Project(name="my project!", git=git, lock_files=(), newest_install=None)
    return made.manifest(project=project)


def left_out(why: str) -> NoCode:
    return NoCode(why, (f"Not in the image: the project's own code ({why})",))


def packed(
    repository: Path, target: Path, *, asked: bool | None = None, changed: int = 0
) -> Packed:
    commit = run(repository, "rev-parse", "HEAD~0")
    found = pack_project(manifest(commit, changed), str(repository), str(target), asked=asked)
    assert isinstance(found, Packed)
    return found


def test_the_archive_holds_the_commit_and_nothing_else(repository: Path, tmp_path: Path) -> None:
    (repository / "train.py").write_text("edited")
    (repository / "secret.env").write_text("TOKEN=1")
    target = tmp_path / "project.tar"
    found = packed(repository, target)
    assert found.code.name == "my-project"
    assert found.code.commit == run(repository, "rev-parse", "HEAD")
    assert found.code.sha256 == hashlib.sha256(target.read_bytes()).hexdigest()
    with tarfile.open(target) as archive:
        rows = {each.name: (oct(each.mode), each.linkname, each.mtime) for each in archive}
        train = archive.extractfile("train.py")
        assert train is not None
        assert train.read() == b"print('$Format:%H$')\n"
        whole = archive.extractfile("run.sh")
        assert whole is not None
        assert whole.read() == b"#!/bin/sh\n" + b"# long\n" * 400
    stamp = 1767323045
    assert rows == {
        ".gitattributes": ("0o644", "", stamp),
        "big.bin": ("0o644", "", stamp),
        "link": ("0o777", "src/grüße.py", stamp),
        "run.sh": ("0o755", "", stamp),
        "src/grüße.py": ("0o644", "", stamp),
        "train.py": ("0o644", "", stamp),
    }
    assert found.notes == ("Not in the image: 1 file in Git LFS (big.bin)",)


def test_the_same_commit_gives_the_same_bytes(repository: Path, tmp_path: Path) -> None:
    run(tmp_path, "clone", "-q", str(repository), "again")
    one = packed(repository, tmp_path / "one.tar")
    two = packed(tmp_path / "again", tmp_path / "two.tar")
    assert one.code == two.code


def test_the_manifests_commit_is_taken_though_others_came_after(
    repository: Path, tmp_path: Path
) -> None:
    first = run(repository, "rev-parse", "HEAD")
    run(repository, "rm", "-q", "train.py")
    run(repository, "commit", "-q", "-m", "two")
    target = tmp_path / "project.tar"
    found = pack_project(manifest(first), str(repository), str(target), asked=None)
    assert isinstance(found, Packed)
    with tarfile.open(target) as archive:
        assert "train.py" in archive.getnames()


def test_a_submodule_is_named_as_not_included(repository: Path, tmp_path: Path) -> None:
    run(tmp_path, "clone", "-q", str(repository), "other")
    run(repository, "submodule", "--quiet", "add", str(tmp_path / "other"), "vendored")
    run(repository, "commit", "-q", "-m", "two")
    found = packed(repository, tmp_path / "project.tar")
    assert found.notes == (
        "Not in the image: 1 submodule (vendored)",
        "Not in the image: 1 file in Git LFS (big.bin)",
    )


def test_changes_that_no_commit_has_keep_the_code_out_unless_it_is_asked_for(
    repository: Path, tmp_path: Path
) -> None:
    commit = run(repository, "rev-parse", "HEAD")
    target = str(tmp_path / "project.tar")
    assert pack_project(manifest(commit, 2), str(repository), target, asked=None) == left_out(
        "2 changed files that the commit does not have; --with-project takes the commit without "
        "them"
    )
    assert not os.path.exists(target)
    found = packed(repository, tmp_path / "project.tar", asked=True, changed=2)
    assert found.notes[0] == ("Not in the image: 2 changed files that the commit does not have")


@pytest.mark.parametrize(
    ("commit", "why"),
    [
        ("ab" * 20, "the repository at {} does not have the commit abababababab"),
        (Unknown(Reason.NOT_SUPPORTED, "none yet"), "the manifest knows no commit of the project"),
    ],
)
def test_code_that_is_not_there_is_said_and_refused_only_where_it_was_asked_for(
    repository: Path, tmp_path: Path, commit: Fact[str], why: str
) -> None:
    target = str(tmp_path / "project.tar")
    said = why.format(repository)
    named = isinstance(commit, str)
    found = pack_project(manifest(commit), str(repository), target, asked=None)
    assert found == (left_out(said) if named else NoCode(said))
    with pytest.raises(PlanError) as caught:
        pack_project(manifest(commit), str(repository), target, asked=True)
    assert caught.value.message == f"The project's code cannot be in the image: {said}"
    assert pack_project(manifest(commit), str(repository), target, asked=False) == NoCode(
        "it was not wanted (--no-project)"
    )


def test_a_machine_without_git_leaves_the_code_out_and_says_so(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = run(repository, "rev-parse", "HEAD")
    monkeypatch.setenv("PATH", str(tmp_path))
    target = str(tmp_path / "project.tar")
    found = pack_project(manifest(commit), str(repository), target, asked=None)
    assert found == left_out("git is not on PATH")
    with pytest.raises(PlanError, match="cannot be in the image: git is not on PATH"):
        pack_project(manifest(commit), str(repository), target, asked=True)


@pytest.mark.parametrize("commit", ["--output=/etc/passwd", "HEAD", "ab" * 19, "AB" * 20])
def test_a_commit_that_is_none_never_reaches_git(
    repository: Path, tmp_path: Path, commit: str
) -> None:
    with pytest.raises(PlanError) as caught:
        pack_project(manifest(commit), str(repository), str(tmp_path / "x"), asked=None)
    assert caught.value.message == (f"Expected a commit, not {commit!a} in 'sections.project.git'")
