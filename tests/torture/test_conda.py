"""Real conda environments with pip on top: captured, locked, kept as files, made again offline."""

from __future__ import annotations

import glob
import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, NamedTuple

import pytest

from envsnap._capture import capture
from envsnap.engines.conda import archive_path, install
from envsnap.host import LocalHost
from envsnap.lock._conda import conda_artifacts
from envsnap.probes import Options
from envsnap.sections import CondaArtifact, Packages, Unknown
from envsnap.wheelhouse._conda import CondaFilled, fill_conda
from tests.serving import served
from tests.torture.conda import CONDA, make

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from envsnap.manifest import Manifest

pytestmark = pytest.mark.slow
OFFLINE = ("unshare", "-rn")
SAID: list[str] = []


class World(NamedTuple):
    """A conda environment, and what it was made from."""

    folder: str
    prefix: str
    minor: str
    manifest: Manifest

    @property
    def packages(self) -> Packages:
        found = self.manifest.section(Packages)
        assert not isinstance(found, Unknown)
        return found


def interpreter(minor: str) -> str:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler here: it makes the package with the shared object")
    pattern = os.path.expanduser(f"~/.pyenv/versions/{minor}.*/bin/python")
    found = sorted(glob.glob(pattern)) or [shutil.which(f"python{minor}") or ""]
    if not found[0]:
        pytest.skip(f"no CPython {minor} here to copy into a conda package")
    return found[-1]


@pytest.fixture(scope="module", params=["3.8", "3.11", "3.13"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    pytest.importorskip("rattler", reason="py-rattler is not installed: it makes conda's packages")
    folder = str(tmp_path_factory.mktemp("conda"))
    make(interpreter(request.param), folder)
    prefix = os.path.join(folder, "env")
    return World(folder, prefix, request.param, captured(prefix))


def captured(prefix: str) -> Manifest:
    options = Options(python=f"{prefix}/bin/python")
    return capture(LocalHost(), options, sections=frozenset({"python", "packages"}))


def locked(world: World) -> tuple[CondaArtifact, ...]:
    found = conda_artifacts(world.manifest)
    assert found.unlocked == ()
    return found.artifacts


def filled(world: World, folder: Path, only: frozenset[str] = frozenset(CONDA)) -> CondaFilled:
    some = [each for each in locked(world) if each.name in only]
    found = fill_conda(some, str(folder), None, SAID.append, prefix=world.prefix)
    assert found.failed == ()
    return found


LARGE = frozenset({"python", "pip"})
SMALL = frozenset(CONDA) - LARGE
"""What is made again in a moment: bzip2 takes seconds for a standard library."""


def restored(artifacts: tuple[CondaArtifact, ...], wheelhouse: Path, prefix: Path) -> str:
    cache = f"{prefix}-cache"
    assert install(artifacts, str(wheelhouse), str(prefix), SAID.append, cache=cache) == ()
    return str(prefix)


def offline() -> tuple[str, ...]:
    """What starts a program without a network, where this machine lets us."""
    if shutil.which(OFFLINE[0]) is None:
        return ()
    return OFFLINE if subprocess.run([*OFFLINE, "true"], check=False).returncode == 0 else ()


def with_pip_on_top(world: World, prefix: str) -> Manifest:
    """The environment after its own pip installed the wheels, without a network where that works.

    What pip leaves in conda's folders is the same as the first time.
    """
    argv = [
        *offline(), f"{prefix}/bin/python", "-m", "pip", "install", "-q", "--no-index", "--no-deps",
        "--force-reinstall", "--find-links", os.path.join(world.folder, "wheels"),
        "overtoy==1.0", "replacedtoy==2.0", "toptoy==1.0",
    ]  # fmt: skip
    variables = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    subprocess.run(argv, check=True, env=variables, capture_output=True)
    return captured(prefix)


def distributions(manifest: Manifest) -> list[tuple[object, ...]]:
    packages = manifest.section(Packages)
    assert not isinstance(packages, Unknown)
    assert not isinstance(packages.installed, Unknown)
    return [
        (each.name, each.version, each.content, each.active, each.conda and each.conda.name)
        for each in packages.installed
    ]


def in_conda_meta(prefix: str) -> dict[str, object]:
    """Every package's name, version, build, and hashes of its files as they were in the archive."""
    found: dict[str, object] = {}
    for path in glob.glob(f"{prefix}/conda-meta/*.json"):
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
        rows = record["paths_data"]["paths"]
        hashes = {row["_path"]: row.get("sha256") for row in rows if row["path_type"] == "hardlink"}
        found[record["name"]] = (record["version"], record["build"], record["subdir"], hashes)
    return found


def test_each_package_is_seen_for_what_it_is(world: World) -> None:
    installed, conda_only = world.packages.installed, world.packages.conda_only
    assert not isinstance(installed, Unknown)
    assert not isinstance(conda_only, Unknown)
    seen = {each.name: (each.version, each.origin.kind, each.evidence) for each in installed}
    pip = next(each.version for each in installed if each.name == "pip")
    assert seen == {
        "nativetoy": ("2.1", "conda", "conda"),
        "noarchtoy": ("0.3", "conda", "conda"),
        "overtoy": ("1.0", "index", "content"),
        "pair-a": ("1.1", "conda", "conda"),
        "pair-b": ("1.1", "conda", "conda"),
        "pip": (pip, "conda", "conda"),
        "puretoy": ("1.0", "conda", "conda"),
        "replacedtoy": ("2.0", "index", "content"),
        "toptoy": ("1.0", "index", "content"),
    }
    names = [each.name for each in conda_only]
    assert names == ["datatoy", "overtoy", "prefixtoy", "python", "replacedtoy"]
    assert world.packages.broken == ()


def test_every_conda_package_is_locked_by_its_archives_hash(world: World) -> None:
    artifacts = locked(world)
    assert [each.name for each in artifacts] == sorted(CONDA)
    for each in artifacts:
        kept = os.path.join(world.folder, "channel", each.subdir, each.filename)
        assert os.path.isfile(kept), each.filename
        assert (each.url, len(str(each.sha256)), len(str(each.md5))) == (None, 64, 32)


def test_it_is_restored_from_its_archives_without_a_network(world: World, tmp_path: Path) -> None:
    wheelhouse = tmp_path / "wheelhouse"
    found = filled(world, wheelhouse)
    assert (found.notes, [each.how for each in found.artifacts]) == ({}, ["channel"] * len(CONDA))
    prefix = restored(found.artifacts, wheelhouse, tmp_path / "a" / "longer" / "place" / "env")
    assert in_conda_meta(prefix) == in_conda_meta(world.prefix)
    again = with_pip_on_top(world, prefix)
    assert distributions(again) == distributions(world.manifest)
    assert runs(prefix) == ["native", "noarchtoy of conda", f"{prefix}/share", "overtoy of pip"]


def runs(prefix: str) -> list[str]:
    """What the environment's own programs say."""
    code = (
        "import ctypes, nativetoy as n; n.CALL.restype = ctypes.c_char_p; print(n.CALL().decode())"
    )
    lines = [
        [f"{prefix}/bin/python", "-c", code],
        [f"{prefix}/bin/noarchtoy"],
        [f"{prefix}/bin/prefixtoy"],
        [f"{prefix}/bin/overtoy"],
    ]
    said = [subprocess.run(each, check=True, capture_output=True, text=True) for each in lines]
    return [each.stdout.strip() for each in said]


def test_what_is_gone_everywhere_is_made_again_from_the_installed_files(
    world: World, tmp_path: Path
) -> None:
    is_whole = world.minor == "3.11"
    large = filled(world, tmp_path / "wheelhouse", frozenset() if is_whole else LARGE)
    with gone(world, "channel", "pkgs"):
        made = filled(world, tmp_path / "wheelhouse", frozenset(CONDA) if is_whole else SMALL)
    assert {each.how for each in made.artifacts} == {"made"}
    edited = {name for name, notes in made.notes.items() if len(notes) > 1}
    assert edited == {"overtoy", "replacedtoy"}
    both = large.artifacts + made.artifacts
    prefix = restored(both, tmp_path / "wheelhouse", tmp_path / "env")
    theirs, ours = in_conda_meta(world.prefix), in_conda_meta(prefix)
    for name in ("overtoy", "replacedtoy"):  # pip has overwritten what was conda's
        assert theirs.pop(name) != ours.pop(name)
    assert ours == theirs
    again = with_pip_on_top(world, prefix)
    assert distributions(again) == distributions(world.manifest)
    assert runs(prefix) == ["native", "noarchtoy of conda", f"{prefix}/share", "overtoy of pip"]


@contextmanager
def gone(world: World, *names: str) -> Iterator[None]:
    """While the block runs, the channel or conda's cache is nowhere."""
    places = [os.path.join(world.folder, name) for name in names]
    for each in places:
        os.rename(each, f"{each}.aside")
    try:
        yield
    finally:
        for each in places:
            os.rename(f"{each}.aside", each)


def test_conda_s_unpacked_copy_is_an_archive_again(world: World, tmp_path: Path) -> None:
    large = filled(world, tmp_path / "wheelhouse", LARGE)
    with gone(world, "channel"):
        small = filled(world, tmp_path / "wheelhouse", SMALL)
    said = ("made again from conda's unpacked copy",)
    assert small.notes == dict.fromkeys(SMALL, said)
    both = large.artifacts + small.artifacts
    prefix = restored(both, tmp_path / "wheelhouse", tmp_path / "env")
    assert in_conda_meta(prefix) == in_conda_meta(world.prefix)


def test_two_runs_make_the_same_bytes(world: World, tmp_path: Path) -> None:
    runs = []
    for name in ("one", "two"):
        with gone(world, "channel", "pkgs"):
            found = filled(world, tmp_path / name, SMALL)
        runs.append([(each.filename, each.sha256) for each in found.artifacts])
    assert runs[0] == runs[1]


class Empty(BaseHTTPRequestHandler):
    """An index that has nothing any more."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


def told(argv: list[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_the_commands_lock_keep_and_restore_it_without_a_network(
    world: World, tmp_path: Path
) -> None:
    envsnap = [sys.executable, "-m", "envsnap"]
    python, manifest = f"{world.prefix}/bin/python", str(tmp_path / "paper.json")
    told([*envsnap, "capture", "--python", python, "-o", manifest])
    with served(Empty) as host:
        options = ["--python", python, "--index-url", f"http://{host}/simple"]
        wheelhouse = str(tmp_path / "wheels")
        said = told([*envsnap, "lock", manifest, *options, "--wheelhouse", wheelhouse])
    assert "Packages lost: 0" in said
    line = [*envsnap, "restore", str(tmp_path / "env"), "--manifest", manifest]
    said = told([*offline(), *line, "--wheelhouse", wheelhouse])
    assert "Restored 13 of 13 packages; all as captured" in said
    prefix = str(tmp_path / "env")
    assert in_conda_meta(prefix) == in_conda_meta(world.prefix)
    assert distributions(captured(prefix)) == distributions(world.manifest)
    assert runs(prefix) == ["native", "noarchtoy of conda", f"{prefix}/share", "overtoy of pip"]


def test_without_the_environment_it_is_said_what_is_gone(world: World, tmp_path: Path) -> None:
    (artifact,) = (each for each in locked(world) if each.name == "puretoy")
    found = fill_conda((artifact,), str(tmp_path), None, SAID.append)
    (failed,) = found.failed
    assert failed.why == (
        "it has no address, and the environment is not on this machine; "
        "fill a wheelhouse where it still is: envsnap lock --wheelhouse DIR"
    )
    assert not os.path.exists(archive_path(str(tmp_path), artifact))


def test_the_script_prints_what_it_made(tmp_path: Path) -> None:
    pytest.importorskip("rattler", reason="py-rattler is not installed: it makes conda's packages")
    script = os.path.join(os.path.dirname(__file__), "conda.py")
    argv = [sys.executable, script, "--python", interpreter("3.11"), str(tmp_path / "made")]
    told = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)
    assert told["prefix"] == str(tmp_path / "made" / "env")
    assert told["conda"] == CONDA
