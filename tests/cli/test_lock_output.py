"""Where a lock is written: nothing that another run or a person wrote is lost with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from envsnap.cli import main
from envsnap.cli._lock_output import put_lock
from envsnap.engines._pythons import find_uv
from envsnap.errors import FileError
from envsnap.manifest import Manifest, load, save
from envsnap.sections import replace
from tests import wheels
from tests.lock.index import index_of
from tests.serving import served

ONE, TWO = wheels.wheel("one", "1.0"), wheels.wheel("two", "2.0")
BASE = "127.0.0.1:9/python:3.11.7@sha256:" + "ab" * 32
LOCK = ("lock", "m.json", "--offline", "--wheelhouse", "wh", "--python", "/usr", "-q")
WANTS = ("require", "m.json", "gpu.memory >= 20 GiB")
HINT = "hint: Write elsewhere with -o, or give --force\n"
needs_uv = pytest.mark.skipif(find_uv() is None, reason="uv is not installed (the extra 'lock')")


@pytest.fixture(autouse=True)
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manifest:
    """A manifest without a lock, and a wheelhouse of its environment; no environment is here."""
    monkeypatch.chdir(tmp_path)
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    found = wheels.manifest(ONE)
    save(found.with_lock(None), "m.json")
    wheels.wheelhouse(tmp_path / "wh", found, ONE)
    return found


def test_a_list_with_lines_of_somebody_else_is_not_replaced(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert [main([*LOCK, "--requirements"]) for _ in range(2)] == [0, 0]
    path = Path("requirements.txt")
    written = path.read_bytes()
    path.write_bytes(written + b"mytool==1.0\n")
    assert main([*LOCK, "--requirements"]) == 7
    assert capsys.readouterr().err == (
        "error: requirements.txt was edited since envsnap wrote it, or an earlier envsnap wrote "
        "it\nhint: Name another file, or replace it with --force\n"
    )
    assert path.read_bytes() == written + b"mytool==1.0\n"
    assert main([*LOCK, "--requirements", "--force"]) == 0
    assert path.read_bytes() == written
    path.write_bytes(written.replace(b"\n", b"\r\n"))
    assert main([*LOCK, "--requirements"]) == 0


@pytest.mark.parametrize("option", ["--pylock", "--requirements"])
def test_a_list_on_standard_output_can_become_the_file(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if option == "--pylock":
        pytest.importorskip("tomli_w", reason="tomli-w is not installed (the extra 'lock')")
    assert main([*LOCK, option, "-"]) == 0
    name = "pylock.toml" if option == "--pylock" else "requirements.txt"
    Path(name).write_text(capsys.readouterr().out)
    assert main([*LOCK, option]) == 0


@needs_uv
@pytest.mark.parametrize(
    "words", [("lock", "m.json"), ("build", "--docker", "--base-image", BASE, "m.json")]
)
def test_what_is_required_while_a_lock_is_made_is_not_lost(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in os.environ:
        if name.startswith(("UV_", "PIP_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)

    class Meanwhile(index_of({ONE.filename: ONE.raw})):  # type: ignore[misc]
        def do_GET(self) -> None:  # noqa: N802 - as the server calls it
            subprocess.run([sys.executable, "-m", "envsnap", *WANTS], check=True)
            super().do_GET()

    with served(Meanwhile) as host:
        main([*words, "-q", "--index-url", f"http://{host}/simple"])
    found = load("m.json")
    assert found.requires == {"must": ["gpu.memory >= 20 GiB"]}
    assert found.lock is not None
    assert [each.name for each in found.lock.artifacts] == ["one"]


def test_a_manifest_that_was_captured_anew_meanwhile_is_left_as_it_is(manifest: Manifest) -> None:
    save(wheels.manifest(TWO), "m.json")
    before = Path("m.json").read_bytes()
    with pytest.raises(FileError) as caught:
        put_lock(manifest, "m.json")
    assert caught.value.message == (
        "m.json has other facts now than were locked: its lock is not written"
    )
    assert caught.value.hint == "Lock it again: run the same command"
    assert Path("m.json").read_bytes() == before


def test_what_is_no_manifest_is_not_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    Path("thesis.tex").write_text("years of work\n")
    assert main([*LOCK, "-o", "thesis.tex", "--force"]) == 7
    assert capsys.readouterr().err.startswith(
        "error: thesis.tex is there already and is no manifest that can be read: "
    )
    assert Path("thesis.tex").read_text() == "years of work\n"


def test_the_manifest_of_another_environment_is_replaced_with_force_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    save(wheels.manifest(TWO), "other.json")
    before = Path("other.json").read_bytes()
    assert main([*LOCK, "-o", "other.json"]) == 7
    said = capsys.readouterr().err
    assert said.startswith("error: other.json is the manifest of another environment: ")
    assert said.endswith(HINT)
    assert Path("other.json").read_bytes() == before
    assert main([*LOCK, "-o", "other.json", "--force"]) == 0
    assert load("other.json").sections == load("m.json").sections


def test_a_manifest_of_the_same_environment_is_replaced(manifest: Manifest) -> None:
    assert [main([*LOCK, "-o", "new.json"]) for _ in range(2)] == [0, 0]
    assert main([*WANTS]) == 0
    assert main([*LOCK, "-o", "new.json"]) == 0
    assert load("new.json").requires == {"must": ["gpu.memory >= 20 GiB"]}
    save(replace(manifest, requires={}), "m.json")
    assert main([*LOCK, "-o", "new.json"]) == 7
    assert main([*LOCK, "-o", "./m.json"]) == 0
