"""envsnap lock as it is typed, against an index on loopback."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from envsnap.cli import main
from envsnap.cli._wheelhouse import host_name
from envsnap.errors import MissingExtraError
from envsnap.lock._uv import find_uv
from envsnap.manifest import load, parse, save
from envsnap.sections import Changes
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
GONE = "the index has no such version: it was removed from there, or came from another one"
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
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, f"http://{address}")
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://{USER}:{PASSWORD}@index.example/simple")
        yield "index.example"


def test_every_package_that_is_not_the_installed_file_is_named(
    index: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lock", "m.json"]) == 0
    out, said = capsys.readouterr()
    assert out == ""
    lines = said.replace("\n    ", " ").replace(" nearest", "\n    nearest").splitlines()
    assert lines[0] == "Talks to: index.example"
    assert lines[1].startswith("Locked 2 of 3 packages by uv ")
    assert lines[1].endswith(", each with its SHA-256")
    assert lines[2:] == [
        "  1 matched by name, version, build and tags, not fetched",
        f"  1 not proved: {FROM_SOURCE}: source 2.0",
        "  files on index.example (2)",
        f"  1 not locked: {GONE}: gone 1.0",
        "    nearest: 0.9, 1.1",
        "Wrote m.json",
    ]
    assert max(map(len, said.splitlines())) < 80
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


@pytest.mark.usefixtures("index")
def test_equal_reasons_are_one_line_and_a_wheelhouse_to_fill_needs_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    packages = (
        made.package("demo", "1.0"), made.package("absent", "1.0"), made.package("lost", "2.0"),
        made.package("gone", "1.0"),
    )  # fmt: skip
    save(made.manifest(packages).with_lock(None), "m.json")
    assert main(["lock", "m.json"]) == 0
    said = " ".join(capsys.readouterr().err.split())
    name = "no index has a package of this name: it was removed from there, or came from another"
    assert f" 2 not locked: {name} one: absent 1.0, lost 2.0 1 not locked: {GONE}: gone" in said
    assert main(["lock", "m.json", "--wheelhouse", "wheels"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert "  3 have no file yet" in lines
    assert not [line for line in lines if "not locked" in line]
    assert "Packages lost: 4" in lines  # demo of the index is another than was captured


@pytest.mark.usefixtures("index")
def test_a_manifest_can_come_and_go_by_standard_input_and_output(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = Path("m.json").read_text()
    for argv, code in (["lock", "-"], 0), (["lock", "-", "--wheelhouse", "wheels"], 1):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert main([*argv, "-q"]) == code
        out = capsys.readouterr().out
        lock = parse(out.encode(), "-").lock
        assert lock is not None
        assert [each.name for each in lock.artifacts] == ["demo", "source"]
    assert Path("m.json").read_text() == text
    assert os.listdir("wheels/sources") == ["source-2.0.tar.gz"]
    assert main(["lock", "m.json", "-o", "-", "--wheelhouse", "wheels", "-q"]) == 1
    assert '"lock": {' in capsys.readouterr().out
    assert Path("m.json").read_text() == text


def test_a_pack_is_not_replaced_by_a_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("environment.zip").write_bytes(b"PK")
    assert main(["lock", "environment.zip"]) == 2
    assert capsys.readouterr().err == (
        "error: A pack is not locked in place: environment.zip\n"
        "hint: Say where the manifest goes: envsnap lock environment.zip -o envsnap.lock.json\n"
    )
    assert Path("environment.zip").read_bytes() == b"PK"


@pytest.mark.usefixtures("index")
def test_a_list_that_cannot_be_made_costs_none_of_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["lock", "m.json", "-q", "--conda-explicit", "--requirements"]) == 6
    assert "conda" in capsys.readouterr().err
    assert Path("requirements.txt").read_text().startswith("# Written by envsnap lock")


@pytest.mark.usefixtures("index")
def test_an_edited_package_is_not_what_the_index_has(capsys: pytest.CaptureFixture[str]) -> None:
    changes = Changes(edited=("demo.py",), missing=(), extra=(), files=3)
    save(made.manifest((made.package("demo", "1.0", changes=changes),)).with_lock(None), "m.json")
    assert main(["lock", "m.json"]) == 0
    said = capsys.readouterr().err
    assert "  1 edited since they were installed, which no index has: demo 1.0\n" in said
    assert "matched" not in said


@pytest.mark.usefixtures("index")
def test_a_wheelhouse_without_a_name_is_refused_before_anybody_is_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["lock", "m.json", "--wheelhouse", ""]) == 2
    assert capsys.readouterr().err == (
        "error: --wheelhouse names no folder\nhint: Name one: --wheelhouse DIR\n"
    )


@pytest.mark.parametrize("said", ["https://files.example", "files.example:443", "*", "", "a/b"])
def test_only_the_name_of_a_host_is_allowed(said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lock", "--wheelhouse", "wheels", "--allow-host", said, "nowhere.json"]) == 2
    assert capsys.readouterr().err == (
        f"error: --allow-host takes the name of a host alone, not {said!r}\n"
        "hint: Write it without https://, port and path: --allow-host files.example\n"
    )


def test_a_host_is_allowed_in_any_case() -> None:
    assert host_name("Files.EXAMPLE.") == "files.example"
