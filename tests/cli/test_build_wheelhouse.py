"""envsnap build --wheelhouse: what no index has travels with the recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envsnap.cli import main
from envsnap.manifest import FILE_NAME, Manifest, save
from tests import made, wheels

if TYPE_CHECKING:
    from pathlib import Path

MINE = wheels.wheel("mine", "0.3+lab")
BASE = "127.0.0.1:9/python:3.11.7@sha256:" + "ab" * 32
ALL = ("build", "--to", "dockerfile,apptainer,repo2docker", "--base-image", BASE, "--allow-host",
       "files.example")  # fmt: skip


def with_mine(**changes: object) -> Manifest:
    mine = wheels.artifact(MINE, **changes)
    packages = (*made.PACKAGES[:2], wheels.packaged(MINE), *made.PACKAGES[2:])
    return made.manifest(packages, (*made.ARTIFACTS[:2], mine, *made.ARTIFACTS[2:]))


def written(folder: Path) -> str:
    return "".join(each.read_text() for each in sorted(folder.rglob("*.toml")))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    manifest = with_mine()
    save(manifest, str(tmp_path / FILE_NAME))
    wheels.wheelhouse(tmp_path / "wh", manifest, MINE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_wheel_lies_beside_the_recipes_and_each_of_them_names_it(project: Path) -> None:
    assert main([*ALL, "--wheelhouse", "wh", "-q"]) == 0
    out = project / "envsnap-build"
    assert (out / "wheels" / MINE.filename).read_bytes() == MINE.raw
    locked = (out / "layers" / "pylock.02-local.toml").read_text()
    assert MINE.filename in locked
    assert MINE.sha256 in locked
    assert MINE.sha256 in (out / "binder" / "requirements.lock").read_text()
    assert f"source=wheels/{MINE.filename}," in (out / "Dockerfile").read_text()
    assert f"\n!wheels/{MINE.filename}\n" in (out / ".dockerignore").read_text()
    assert "\n    wheels " in (out / "envsnap.def").read_text()


def test_a_wheel_that_is_no_longer_wanted_does_not_stay(project: Path) -> None:
    assert main([*ALL, "--wheelhouse", "wh", "-q"]) == 0
    save(made.manifest(), FILE_NAME)
    assert main([*ALL, "-q"]) == 0
    assert not (project / "envsnap-build" / "wheels" / MINE.filename).exists()
    assert "COPY wheels" not in (project / "envsnap-build" / "Dockerfile").read_text()


def test_a_wheel_with_other_bytes_does_not_travel(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "wh" / MINE.filename).write_bytes(b"evil")
    assert main([*ALL, "--wheelhouse", "wh", "-q"]) == 7
    assert capsys.readouterr().err == (
        f"error: {MINE.filename} in wh has other bytes than its list says\n"
        "hint: Fetch it again where the environment is: envsnap lock --wheelhouse wh\n"
    )
    assert not (project / "envsnap-build").exists()


def test_without_its_wheelhouse_the_hint_names_the_option(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*ALL, "-q"]) == 6
    assert capsys.readouterr().err == (
        "error: 1 package cannot be installed in an image:\n"
        "  mine 0.3+lab: no index has its file, only a wheelhouse (--wheelhouse DIR)\n"
        "hint: Where the environment still is, make their files (envsnap lock --wheelhouse DIR) "
        "and build with --wheelhouse DIR; or leave them out with --allow-missing\n"
    )
    assert not (project / "envsnap-build").exists()
    assert main([*ALL, "-q", "--allow-missing"]) == 0


@pytest.mark.usefixtures("project")
def test_a_version_that_pip_does_not_take_needs_a_wheelhouse(
    capsys: pytest.CaptureFixture[str],
) -> None:
    odd = wheels.wheel("odd", "1.1build1")
    save(made.manifest((wheels.packaged(odd),), (wheels.artifact(odd),)), FILE_NAME)
    assert main([*ALL, "-q"]) == 6
    assert capsys.readouterr().err.splitlines()[1] == (
        "  odd 1.1build1: its version is none of PEP 440, and only a wheel of a wheelhouse "
        "installs it"
    )


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "10.0.0.8", "[::1]", "metadata.internal"])
def test_an_address_inside_a_network_is_refused_before_anything_is_written(
    project: Path, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    url = f"http://{host}/mine-0.3%2Blab-py3-none-any.whl"
    save(with_mine(url=url, how="index"), FILE_NAME)
    assert main([*ALL, "-q"]) == 6
    bare = host.strip("[]").removesuffix(":8080")
    assert capsys.readouterr().err == (
        "error: 'mine-0.3%2Blab-py3-none-any.whl' is not fetched: "
        f"{bare} is an address of this machine or its network\n"
        "hint: If it is your own index, name it (--index-url URL); or name the wheelhouse that has "
        "the file: --wheelhouse DIR\n"
    )
    assert not (project / "envsnap-build").exists()


def test_an_index_of_ones_own_may_be_inside(project: Path) -> None:
    url = "http://10.0.0.8/mine-0.3%2Blab-py3-none-any.whl"
    save(with_mine(url=url, how="index"), FILE_NAME)
    assert main([*ALL, "-q", "--index-url", "http://10.0.0.8/simple"]) == 0
    assert url in written(project / "envsnap-build" / "layers")


def test_what_only_an_inner_index_has_comes_from_the_wheelhouse_though_it_has_an_address(
    project: Path,
) -> None:
    url = "http://127.0.0.1:8080/mine-0.3%2Blab-py3-none-any.whl"
    save(with_mine(url=url, how="index"), FILE_NAME)
    assert main([*ALL, "--wheelhouse", "wh", "-q"]) == 0
    out = project / "envsnap-build"
    assert (out / "wheels" / MINE.filename).read_bytes() == MINE.raw
    assert "127.0.0.1" not in written(out / "layers")
    assert MINE.filename in written(out / "layers")


@pytest.mark.usefixtures("project")
def test_a_host_that_nobody_chose_has_to_be_allowed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    assert main([*ALL[:-2], "--wheelhouse", "wh", "--find-links", str(tmp_path / "wh")]) == 5
    assert not (tmp_path / "envsnap-build").exists()
    assert capsys.readouterr().err.splitlines()[-2:] == [
        (
            "error: 4 files are not fetched, from files.example (4): "
            "files.example is neither in your own settings nor allowed"
        ),
        "hint: If you trust it, allow it: --allow-host files.example",
    ]
