"""A wheelhouse in the place of an index: lock and build where there is no network."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envsnap.cli import main
from envsnap.engines._pythons import find_uv
from envsnap.facts import Looked, installers
from envsnap.manifest import load, save
from tests import wheels
from tests.lock.index import index_of
from tests.serving import served

ONE, TWO = wheels.wheel("one", "1.0"), wheels.wheel("two", "2.0")
OTHER = wheels.wheel("two", "2.0", {"two.py": b"VERSION = 'another'\n"})
BASE = "127.0.0.1:9/python:3.11.7@sha256:" + "ab" * 32
BUILD = ("build", "--docker", "--offline", "--wheelhouse", "wh", "--base-image", BASE, "m.json")
needs_uv = pytest.mark.skipif(find_uv() is None, reason="uv is not installed (the extra 'lock')")


def uv_wheel() -> str:
    """The file that installs in an image of this Python."""
    found = installers.uv_wheels(wheels.VERSION)
    assert isinstance(found, Looked)
    return next(e.filename for e in found.value if e.machine == "x86_64" and "glibc" in e.libc)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A manifest without a lock, and a wheelhouse of its environment; no environment is here."""
    if wheels.PYTHON.architecture != "x86_64":
        pytest.skip("the wheel of uv that this test names is that of x86_64")
    monkeypatch.chdir(tmp_path)
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    manifest = wheels.manifest(ONE, TWO)
    save(manifest.with_lock(None), "m.json")
    wheels.wheelhouse(tmp_path / "wh", manifest, ONE, TWO)
    return tmp_path


def test_a_manifest_without_a_lock_is_built_from_its_wheelhouse_and_stays_as_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = Path("m.json").read_bytes()
    assert main([*BUILD]) == 6
    lines = capsys.readouterr().err.splitlines()
    assert lines[:4] == [
        "m.json has no lock yet, and stays so: the wheelhouse serves as one",
        "Locked 2 of 2 packages to the files in wh; nobody was asked",
        "  2 proved to be what is installed, by content",
        f"error: Without a network the build needs {uv_wheel()}, which the wheelhouse lacks",
    ]
    Path("wh", uv_wheel()).write_bytes(b"uv")  # whose bytes are compared where it is copied
    assert main([*BUILD, "-q"]) == 7
    said = f"error: wh/{uv_wheel()} has other bytes than the lock says\n"
    assert capsys.readouterr().err == said
    assert Path("m.json").read_bytes() == before
    Path("wh", uv_wheel()).unlink()
    assert main([*BUILD, "-q"]) == 6  # what was begun is envsnap's own, and gone on with


def test_what_a_wheelhouse_lacks_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    os.unlink(f"wh/{ONE.filename}")
    os.unlink(f"wh/{TWO.filename}")
    Path("wh", OTHER.filename).write_bytes(OTHER.raw)
    assert main([*BUILD, "-q"]) == 7  # its own list is held against the files first
    wheels_left = wheels.manifest(OTHER)
    os.rename("wh", "old")
    wheels.wheelhouse(Path("wh"), wheels_left, OTHER)
    capsys.readouterr()
    assert main([*BUILD, "-q"]) == 6
    assert capsys.readouterr().err == (
        "error: 2 packages cannot be installed in an image:\n"
        "  one 1.0: no file of it is in the wheelhouse, and no index was asked (--offline)\n"
        f"  two 2.0: {OTHER.filename} in the wheelhouse has its name and version, and installs "
        "other files than were captured\n"
        "hint: Where the environment still is, make their files (envsnap lock --wheelhouse DIR) "
        "and build with --wheelhouse DIR; or leave them out with --allow-missing\n"
    )


def test_lock_asks_nobody_where_it_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lock", "m.json", "--offline", "--wheelhouse", "wh", "--python", "/usr"]) == 0
    text = " ".join(capsys.readouterr().err.split())
    assert text.startswith("Locked 2 of 2 packages to the files in wh; nobody was asked 2 proved ")
    assert f"no image is built from it without a network: {uv_wheel()} is not there" in text
    assert text.endswith("Packages lost: 0 Wrote m.json")
    lock = load("m.json").lock
    assert lock is not None
    assert [(each.name, each.sha256, each.is_installed) for each in lock.artifacts] == [
        ("one", ONE.sha256, True), ("two", TWO.sha256, True),
    ]  # fmt: skip


def test_lock_names_what_is_lost_and_answers_no(capsys: pytest.CaptureFixture[str]) -> None:
    os.unlink(f"wh/{TWO.filename}")
    words = ["lock", "m.json", "--offline", "--wheelhouse", "wh", "--python", "/usr", "-q"]
    assert main(words) == 1
    text = " ".join(capsys.readouterr().err.split())
    assert text.startswith(
        "Packages lost: 1 two 2.0: no file of it is in the wheelhouse, and no index was asked "
        "(--offline)."
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--offline",),
         ("error: --offline locks to the files of a wheelhouse, and none is named\n"
          "hint: Name one: envsnap lock --offline --wheelhouse DIR\n")),
        (("--offline", "--wheelhouse", "wh", "--allow-build", "one"),
         ("error: --allow-build builds with what is fetched, and --offline fetches nothing\n"
          "hint: Leave one of them out\n")),
    ],
)  # fmt: skip
def test_what_does_not_go_with_offline_is_refused(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lock", "m.json", *words]) == 2
    assert capsys.readouterr().err == said


@needs_uv
def test_where_no_index_answers_a_whole_wheelhouse_serves(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    words = ["lock", "m.json", "--wheelhouse", "wh", "--index-url", "http://127.0.0.1:9/simple"]
    assert main([*words, "--python", "/usr"]) == 0
    text = " ".join(capsys.readouterr().err.split())
    assert text.startswith("Talks to: 127.0.0.1 warning: uv found no answer: ")
    assert "Locked 2 of 2 packages to the files in wh; nobody was asked" in text
    os.unlink(f"wh/{TWO.filename}")
    assert main([*words, "--python", "/usr", "-q"]) == 5
    assert capsys.readouterr().err.startswith("error: uv found no answer: ")


@needs_uv
def test_a_wheelhouse_says_what_lacks_for_images(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in os.environ:
        if name.startswith(("UV_", "PIP_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("UV_CACHE_DIR", str(project / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    files = {each.filename: each.raw for each in (ONE, TWO)}
    with served(index_of(files)) as host:
        words = ["--wheelhouse", "wheels", "--index-url", f"http://{host}/simple"]
        assert main(["lock", "m.json", *words, "--python", "/usr"]) == 0
    text = " ".join(capsys.readouterr().err.split())
    version = uv_wheel().split("-")[1]
    assert (
        "no image is built from it without a network: Your package index does not have uv "
        f"{version}, which installs the packages inside: "
    ) in text
    assert sorted(os.listdir("wheels")) == sorted(
        [".gitignore", ".lock", "wheelhouse.json", *files]
    )


@needs_uv
@pytest.mark.network
def test_what_installs_in_an_image_is_kept_so_that_a_build_needs_no_network(
    capsys: pytest.CaptureFixture[str],
) -> None:
    manifest = wheels.manifest(ONE, TWO)
    save(manifest, "m.json")  # with the lock that its own wheelhouse is
    files = ["--find-links", os.path.abspath("wh")]
    assert main(["lock", "m.json", *files, "--wheelhouse", "wh", "--python", "/usr"]) == 0
    text = " ".join(capsys.readouterr().err.split())
    assert f"For images without a network it has {uv_wheel()}, too" in text
    save(manifest.with_lock(None), "m.json")
    assert main([*BUILD, "-q"]) == 0
    assert {uv_wheel(), ONE.filename, TWO.filename} == {*os.listdir("envsnap-build/wheels")}
