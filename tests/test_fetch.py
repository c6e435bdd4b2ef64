"""Folders that have everything: fetched without an engine, from archives, files and a registry."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import replace as with_fields
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from envsnap._build import BuildOptions
from envsnap._fetch import FetchOptions, fetch, left_of
from envsnap._placed import Placed
from envsnap._room import judge_room
from envsnap.cli import main
from envsnap.errors import EnvsnapError, FileError, PlanError, ToolError
from envsnap.formats._context import RECORD, claim
from envsnap.images import open_image, tree
from envsnap.manifest import Manifest, environment_id, load, save
from envsnap.plan import PlanOptions
from envsnap.sections import Fact, replace
from envsnap.wheelhouse._store import open_wheelhouse
from tests import made, wheels
from tests.images.made import Made, blobs_of, digest, docker_archive, layer, oci_layout
from tests.images.made import folder as folder_of
from tests.images.registries import Behaviour, registry
from tests.images.squash import Node, sif, squashfs
from tests.torture.conda import CONDA, make

if TYPE_CHECKING:
    from envsnap.plan import Resolve

ONE, TWO = wheels.wheel("one", "1.0"), wheels.wheel("two", "2.0")
LAYERS = (layer(folder_of("usr"), Made("usr/thing", b"first" * 1000)), layer(Made("b", b"second")))
BLOBS = {**blobs_of(LAYERS), "3.7.16-slim": blobs_of(LAYERS)["manifest"]}
DIGEST = digest(BLOBS["manifest"])
BASE = "lab.example/python:3.7.16-slim"
"""What a base image is called that nobody asks for."""


def locked(*of: wheels.Wheel, **changes: object) -> Manifest:
    """A manifest of Python 3.7, where pip installs: no program has to be fetched for it."""
    python = made.python(version="3.7.16", soabi="cpython-37m-x86_64-linux-gnu")
    artifacts = tuple(wheels.artifact(each, **changes) for each in of)
    return made.manifest(tuple(wheels.packaged(e) for e in of), artifacts, python=python)


MANIFEST = locked(ONE, TWO)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return place(tmp_path, monkeypatch)


def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a wheelhouse of the manifest; no other environment is here."""
    monkeypatch.chdir(tmp_path)
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    wheels.wheelhouse(tmp_path / "wh", MANIFEST, ONE, TWO)
    return tmp_path


class Served(NamedTuple):
    """A registry, and what it calls the base image."""

    behaviour: Behaviour
    base: str


@pytest.fixture
def served() -> Iterator[Served]:
    """A registry that has the base image."""
    behaviour = Behaviour(dict(BLOBS), elsewhere="no login")
    with registry(behaviour) as host:
        yield Served(behaviour, f"{host}/lab/python:3.7.16-slim")


def options(*formats: str, base: str = BASE, **changes: object) -> FetchOptions:
    build = BuildOptions(
        formats=formats, output="ctx", wheelhouse="wh", workdir=os.getcwd(),
        plan=PlanOptions(offline=True, base_image=base), with_project=False,
    )  # fmt: skip
    return FetchOptions(build=with_fields(build, **changes), python="/usr")  # type: ignore[arg-type]  # by name


def answered(reference: str) -> Fact[str]:
    assert reference.endswith("/python:3.7.16-slim")
    return DIGEST


def run(asked: FetchOptions, manifest: Manifest = MANIFEST, resolve: Resolve = answered) -> Placed:
    return fetch(manifest, asked, lambda _: None, resolve)


def summed(folder: str = "ctx") -> dict[str, str]:
    lines = Path(folder, "SHA256SUMS").read_text().splitlines()
    return {path: digest for digest, path in (line.split("  ", 1) for line in lines)}


def hashed(folder: str = "ctx") -> dict[str, str]:
    return {
        str(each.relative_to(folder)): hashlib.sha256(each.read_bytes()).hexdigest()
        for each in Path(folder).rglob("*")
        if each.is_file() and each.name not in {"SHA256SUMS", RECORD}
    }


def is_whole(folder: str = "ctx") -> None:
    """Every file is there with the hash that the list says, and no other."""
    assert hashed(folder) == summed(folder)


def archives(kind: str) -> str:
    """A base image as a file, by hand."""
    if kind == "docker-archive":
        return docker_archive("base image.tar", LAYERS)
    oci_layout("layout", blobs_of(LAYERS))
    with tarfile.open("base image.tar", "w") as archive:
        archive.add("layout", ".")
    return "oci-archive:base image.tar"


@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
def test_a_base_image_that_is_an_archive_comes_along_for_every_format(kind: str) -> None:
    found = run(options("apptainer", "dockerfile", "devcontainer", base=archives(kind)))
    is_whole()
    assert found.images == ("base.tar",)
    (name,) = {
        line.split()[1]
        for line in Path("ctx/Dockerfile").read_text().splitlines()
        if line.startswith("FROM envsnap-base")
    }
    with tarfile.open("ctx/base.tar") as archive:
        listed = archive.extractfile("manifest.json")
        assert listed is not None
        assert json.load(listed)[0]["RepoTags"] == [name]
    for reference in ("oci-archive:ctx/base.tar", f"docker-archive:ctx/base.tar:{name}"):
        with open_image(reference) as image:
            files = tree(image, lambda path: path == "/b")
        assert files.content("/b") == b"second"
    assert (
        Path("ctx/envsnap.def").read_text().startswith("Bootstrap: oci-archive\nFrom: base.tar\n")
    )
    record = json.loads(Path("ctx/build.json").read_text())
    assert record["base"] == {"digest": None, "reference": "oci-archive:base.tar"}
    readme = Path("ctx/README.txt").read_text()
    assert readme.count("docker load -i base.tar\n") == 1
    assert "devcontainer up --workspace-folder .\n" in readme
    assert "base image.tar" not in readme + Path("ctx/envsnap.def").read_text()


def test_a_sif_as_a_base_comes_along_as_it_is() -> None:
    raw = sif(squashfs(Node({"usr": Node({"thing": Node(b"first")})})))
    Path("base of ours.sif").write_bytes(raw)
    found = run(options("apptainer", base="localimage:base of ours.sif"))
    is_whole()
    assert (found.images, Path("ctx/base.sif").read_bytes()) == (("base.sif",), raw)
    assert Path("ctx/envsnap.def").read_text().startswith("Bootstrap: localimage\nFrom: base.sif\n")


@pytest.mark.parametrize(
    ("formats", "base", "message"),
    [
        (("dockerfile",), "localimage:a.sif", "A Dockerfile cannot start from localimage:a.sif"),
        (("repo2docker",), BASE, "repo2docker cannot do --offline: conda's channels are asked"),
        (("apptainer",), "docker-archive:nowhere.tar",
         "There is no file nowhere.tar, which --base-image names"),
        (("apptainer",), "localimage:wh",
         "The base image localimage:wh is a folder, which cannot travel"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_before_anybody_is_asked_and_leaves_nothing(
    formats: tuple[str, ...], base: str, message: str
) -> None:
    with pytest.raises(EnvsnapError) as caught:
        run(options(*formats, base=base), resolve=lambda _: pytest.fail("a registry was asked"))
    assert caught.value.message == message
    assert not os.path.exists("ctx")


def test_an_archive_that_states_other_bytes_is_no_base_image() -> None:
    place = docker_archive("base.tar", LAYERS)
    raw = Path("base.tar").read_bytes()
    Path("base.tar").write_bytes(raw.replace(b"second", b"twisted"[:6]))
    with pytest.raises(ToolError, match=r"^Layer 2 of docker-archive:base\.tar"):
        run(options("apptainer", base=place))
    assert not os.path.exists("ctx/build.json")


def test_a_registry_s_image_comes_as_an_archive_and_the_wheels_from_the_wheelhouse(
    served: Served,
) -> None:
    found = run(options("devcontainer", base=served.base))
    is_whole()
    assert found.images == ("base.tar",)
    assert f"FROM envsnap-base:{DIGEST[7:19]}\n" in Path("ctx/Dockerfile").read_text()
    container = json.loads(Path("ctx/.devcontainer/devcontainer.json").read_text())
    assert container["build"]["options"] == ["--platform=linux/amd64", "--network=none"]
    assert sorted(os.listdir("ctx/wheels")) == [ONE.filename, TWO.filename]
    assert not os.path.exists("ctx/.fetch")
    assert served.behaviour.asked


def test_a_wheel_of_the_user_s_is_taken_where_the_lock_knows_a_source_alone(
    served: Served,
) -> None:
    lock = MANIFEST.lock
    assert lock is not None
    source = made.artifact("two", "2.0", "two-2.0.tar.gz", sha256="ab" * 32)
    manifest = MANIFEST.with_lock(replace(lock, artifacts=(lock.artifacts[0], source)))
    found = run(options("dockerfile", base=served.base), manifest)
    assert found.plan.sources == ()
    assert load("ctx/envsnap.lock.json").lock == manifest.lock  # as it was published
    assert sorted(os.listdir("ctx/wheels")) == [ONE.filename, TWO.filename]


def test_a_spoiled_wheel_ends_it_before_anybody_is_asked(served: Served) -> None:
    Path("wh", TWO.filename).write_bytes(b"evil")
    with pytest.raises(FileError) as caught:
        run(
            options("apptainer", base=served.base),
            resolve=lambda _: pytest.fail("a registry was asked"),
        )
    assert caught.value.message == f"{TWO.filename} in wh has other bytes than its list says"
    assert (served.behaviour.asked, os.path.exists("ctx")) == ([], False)


def test_what_only_a_wheelhouse_has_is_missed_before_anybody_is_asked(served: Served) -> None:
    asked = options("apptainer", base=served.base, wheelhouse=None)
    with pytest.raises(PlanError) as caught:
        run(asked, resolve=lambda _: pytest.fail("a registry was asked"))
    assert caught.value.message == (
        "Only a wheelhouse has the file of one 1.0, two 2.0, and none that was named"
    )
    assert (served.behaviour.asked, os.path.exists("ctx")) == ([], False)


def test_a_fetch_that_fails_leaves_what_has_come_and_nothing_that_looks_whole(
    served: Served,
) -> None:
    del (
        served.behaviour.blobs[digest(blobs_of(LAYERS)["manifest"])],
        served.behaviour.blobs["manifest"],
    )
    layers = [each for each in served.behaviour.blobs if each.startswith("sha256:")]
    taken = {each: served.behaviour.blobs.pop(each) for each in layers}
    with pytest.raises(ToolError):
        run(options("apptainer", base=served.base))
    assert os.listdir("ctx") == [".fetch"]
    said = json.loads(Path("ctx/.fetch", RECORD).read_text())
    assert said["unfinished"] == (
        "not fetched to its end: the same envsnap build --fetch goes on with what is here, or "
        "delete it"
    )
    count, size = left_of("ctx")
    kept = {each.filename for each in open_wheelhouse("ctx/.fetch/wheels").files}
    assert (count >= 2, size > 0, kept) == (True, True, {ONE.filename, TWO.filename})
    claim("ctx", force=False)  # it is ours, though it has no build.json
    served.behaviour.blobs |= {**taken, **BLOBS}
    run(options("apptainer", base=served.base))
    is_whole()
    assert not os.path.exists("ctx/.fetch")


def test_a_whole_folder_stays_whole_where_it_is_fetched_again_and_not_everything_comes(
    served: Served,
) -> None:
    run(options("apptainer", "dockerfile", base=served.base))
    before, whole = hashed(), summed()
    kept = dict(served.behaviour.blobs)
    served.behaviour.blobs.clear()
    with pytest.raises(ToolError):
        run(options("apptainer", base=served.base))
    assert (summed(), whole, os.path.exists(f"ctx/{RECORD}")) == (whole, before, True)
    assert before.items() <= hashed().items()  # beside what has come
    served.behaviour.blobs |= kept
    run(options("apptainer", base=served.base))
    is_whole()
    assert not os.path.exists("ctx/Dockerfile")  # of the earlier recipe: its record was kept


def test_room_is_judged_by_all_that_comes_and_the_hint_is_what_was_typed(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("envsnap._room.SPARE_BYTES", 1 << 60)
    with pytest.raises(FileError) as caught:
        judge_room(".", {"packages": 600 << 20, "conda packages": 0, "images": 40 << 20})
    said = re.sub(r"\d+ MiB free", "N MiB free", caught.value.message)
    assert said == ". has N MiB free, and the fetch takes 640 MiB (packages 600 MiB, images 40 MiB)"
    assert caught.value.hint == "Name a folder on a larger disk: envsnap build --fetch -o DIR"
    with pytest.raises(FileError) as caught:
        run(options("apptainer", base=served.base))
    assert re.sub(r"\d+ MiB free", "N MiB free", caught.value.message) == (
        "ctx has N MiB free, and the fetch takes 0 MiB (images 0 MiB)"
    )
    assert served.behaviour.asked
    assert os.listdir("ctx") == [".fetch"]  # with the wheels of the wheelhouse


def test_the_environment_of_the_folder_is_that_of_the_manifest(served: Served) -> None:
    found = run(options("apptainer", base=served.base))
    assert (found.plan.environment, served.behaviour.statuses) == (environment_id(MANIFEST), [])


def test_the_command_says_what_a_failed_fetch_has_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    docker_archive("base.tar", LAYERS)
    whole = Path("base.tar").read_bytes()
    Path("base.tar").write_bytes(whole.replace(b"second", b"twists"))
    save(MANIFEST, "m.json")
    words = ["build", "--singularity", "--fetch", "-o", "ctx", "--wheelhouse", "wh", "m.json"]
    words += ["--base-image", "docker-archive:base.tar", "--no-project", "--workdir", "."]
    assert main(words) == 5
    said = " ".join(capsys.readouterr().err.split())
    found = re.search(r"ctx/ is not whole\. (\d+) files, [\d.]+ kB, are kept in it: the same", said)
    assert found is not None, said
    assert int(found[1]) == left_of("ctx")[0]
    Path("base.tar").write_bytes(whole)
    assert main(words) == 0
    assert capsys.readouterr().out == "sh ctx/build.sh envsnap.sif\n"
    is_whole()
    Path("base.tar").write_bytes(whole.replace(b"second", b"twists"))
    assert main(words) == 5
    said = " ".join(capsys.readouterr().err.split())
    assert re.search(r"ctx/ is as it was before\. \d+ files, [\d.]+ kB, are kept in it: the", said)
    assert summed().items() <= hashed().items()


class Everything(dict[str, bytes]):
    """The blobs of one image, by whatever name it is asked for."""

    def get(self, key: str, default: bytes | None = None) -> bytes | None:  # type: ignore[override]
        return super().get(key) or super().get("manifest", default)


@pytest.mark.network
@pytest.mark.slow
def test_of_a_conda_environment_the_image_that_unpacks_comes_along(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("rattler", reason="py-rattler is not installed: it makes conda's packages")
    if shutil.which("cc") is None:
        pytest.skip("no C compiler here: it makes the package with the shared object")
    make(sys.executable, str(tmp_path / "made"))
    python = str(tmp_path / "made/env/bin/python")
    assert main(["capture", "--python", python, "-o", "c.json", "-q"]) == 0
    Path("cwh").mkdir()
    assert main(["lock", "c.json", "--offline", "--wheelhouse", "cwh", "--python", python]) == 0
    asked = options("dockerfile", base=archives("docker-archive"), wheelhouse="cwh")
    with registry(Behaviour(Everything(BLOBS), elsewhere="no login")) as host:
        monkeypatch.setenv("ENVSNAP_REGISTRY_MIRROR", host)
        found = run(asked, load("c.json"), lambda _: DIGEST)
    is_whole()
    assert found.images == ("base.tar", "builder.tar")
    starts = [e for e in Path("ctx/Dockerfile").read_text().splitlines() if e.startswith("FROM ")]
    assert f"FROM envsnap-base:{DIGEST[7:19]} AS tools" in starts
    assert len({each.split()[1] for each in starts if "envsnap-base" in each}) == 2
    assert {"base.tar", "builder.tar"} <= summed().keys()
    assert "    docker load -i builder.tar\n" in Path("ctx/README.txt").read_text()
    assert len(found.plan.carried_conda) == len(CONDA)
