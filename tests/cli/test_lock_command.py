"""envsnap lock as it is typed, against an index on loopback."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from envsnap.cli import main
from envsnap.errors import MissingExtraError
from envsnap.lock._uv import find_uv
from envsnap.manifest import load, save
from tests import made
from tests.lock.index import AUTHORIZATION, PASSWORD, USER, index_of, sdist, wheel
from tests.serving import served


def has_uv() -> bool:
    try:
        return bool(find_uv())
    except MissingExtraError:
        return False


pytestmark = pytest.mark.skipif(not has_uv(), reason="uv is not installed (the extra 'lock')")
FROM_SOURCE = "it was built from source, and no installer records from which archive"
FILES = dict([
    wheel("demo", "1.0"), wheel("gone", "0.9"), wheel("gone", "1.1"), sdist("source", "2.0", ""),
])  # fmt: skip


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in os.environ:
        if name.startswith(("UV_", "PIP_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.chdir(tmp_path)
    packages = (
        made.package("demo", "1.0"), made.package("gone", "1.0"), made.package("source", "2.0"),
    )  # fmt: skip
    save(made.manifest(packages).with_lock(None), "m.json")
    with served(index_of(FILES, authorization=AUTHORIZATION)) as address:
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://{USER}:{PASSWORD}@{address}/simple")
        yield address


def test_every_package_that_is_not_the_installed_file_is_named(
    index: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lock", "m.json"]) == 0
    out, said = capsys.readouterr()
    assert out == ""
    lines = said.replace("\n    ", " ").splitlines()
    assert lines[0] == "Talks to: 127.0.0.1"
    assert lines[1].startswith("Locked 2 of 3 packages by uv ")
    assert lines[2:5] == [
        "  1 of 2 are the very files that were installed, each with its SHA-256",
        f"  1 not proved: {FROM_SOURCE}: source 2.0",
        "  files on 127.0.0.1 (2)",
    ]
    assert lines[5].startswith("  not locked: gone 1.0: the index has no such version: it was ")
    assert "nearest: 0.9, 1.1" in said
    assert lines[-1] == "Wrote m.json"
    assert PASSWORD not in said + Path("m.json").read_text()
    assert index in Path("m.json").read_text()


def test_the_lists_for_other_installers_are_written_beside_the_manifest(
    index: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tomli_w", reason="tomli-w is not installed (the extra 'lock')")
    os.mkdir("out")
    argv = ["lock", "m.json", "-o", "out/m.json", "--pylock", "--requirements"]
    assert [main(argv), main(argv)] == [0, 0]
    assert sorted(os.listdir("out")) == ["m.json", "pylock.toml", "requirements.txt"]
    assert "  not in it: gone 1.0\n" in capsys.readouterr().err
    whole = "".join(Path("out", name).read_text() for name in os.listdir("out"))
    assert index in whole
    assert PASSWORD not in whole


@pytest.mark.usefixtures("index")
def test_a_file_of_somebody_else_is_not_replaced_and_nothing_is_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("requirements.txt").write_text("numpy\n")
    assert main(["lock", "m.json", "--requirements"]) == 7
    assert capsys.readouterr().err == (
        "error: requirements.txt is there already, and envsnap did not write it\n"
        "hint: Name another file, or replace it with --force\n"
    )
    assert Path("requirements.txt").read_text() == "numpy\n"
    assert load("m.json").lock is None
    assert main(["lock", "m.json", "--requirements", "--force", "-q"]) == 0
    assert Path("requirements.txt").read_text().startswith("# Written by envsnap lock")


@pytest.mark.usefixtures("index")
def test_a_manifest_that_was_taken_for_a_list_is_not_overwritten(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = Path("m.json").read_bytes()
    assert main(["lock", "--pylock", "m.json"]) == 2
    assert capsys.readouterr().err == (
        "error: A pylock file cannot be called 'm.json'\n"
        "hint: Call it pylock.toml or pylock.NAME.toml, and put MANIFEST before --pylock\n"
    )
    os.rename("m.json", "envsnap.lock.json")
    assert main(["lock", "--requirements", "envsnap.lock.json"]) == 2
    assert Path("envsnap.lock.json").read_bytes() == before


def test_a_list_can_go_to_standard_output(index: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lock", "m.json", "-q", "--requirements", "-"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("# Written by envsnap lock from environment ")
    assert index not in out  # what an index has is asked of the reader's own
