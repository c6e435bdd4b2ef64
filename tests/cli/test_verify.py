"""`capture --verify` and `check --verify`, as whole processes over an environment made by hand."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.processes import (
    Ended,
    command,
    environment,
    envsnap,
    site_packages,
    variables,
)
from tests.cli.test_interrupted import is_running, until
from tests.inside.rows import row

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.fixture
def env(tmp_path: Path) -> Path:
    """An environment with one package, whose files are as its RECORD states them."""
    made = environment(tmp_path / "env", idna="3.7")
    site = site_packages(made)
    (site / "idna").mkdir()
    for name in ("__init__.py", "core.py"):
        (site / "idna" / name).write_text(name)
    rows = [row(f"idna/{name}", name.encode()) for name in ("__init__.py", "core.py")]
    (site / "idna-3.7.dist-info" / "RECORD").write_text("".join(rows))
    return made


def capture(env: Path, output: str, *words: str) -> Ended:
    return envsnap("capture", "--python", str(env), "-o", output, *words, cwd=env.parent)


def check(env: Path, *words: str) -> Ended:
    return envsnap("check", "m.json", "--python", str(env), *words, cwd=env.parent)


def edit(env: Path) -> None:
    (site_packages(env) / "idna" / "core.py").write_text("edited\n")


def test_a_clean_environment_is_verified(env: Path) -> None:
    ended = capture(env, "m.json", "--verify")
    assert ended.code == 0
    assert "  Verified   2 files of 1 package\n" in ended.err
    manifest = json.loads((env.parent / "m.json").read_text())
    (package,) = manifest["sections"]["packages"]["installed"]
    assert manifest["captured"]["verified"] is True
    assert (package["evidence"], package["changes"]) == (
        "verified",
        {"edited": [], "extra": [], "files": 2, "missing": []},
    )


def test_verified_and_stated_digests_of_clean_files_are_one(env: Path) -> None:
    capture(env, "m.json", "--verify")
    capture(env, "stated.json")
    one, other = (
        json.loads((env.parent / name).read_text())["sections"]["packages"]["installed"][0]
        for name in ("m.json", "stated.json")
    )
    assert one["content"] == other["content"]
    assert other["evidence"] == "content"


def test_capture_names_the_edited_package_and_file(env: Path) -> None:
    edit(env)
    ended = capture(env, "m.json", "--verify")
    assert ended.code == 0
    assert "  Verified   1 file of 1 package; 1 edited: idna idna/core.py\n" in ended.err
    assert "  Note       idna 3.7, edited 1 file: idna/core.py: " in ended.err


def test_check_names_the_edited_package_and_file_and_says_no(env: Path) -> None:
    capture(env, "m.json")
    edit(env)
    assert check(env, "-q").code == 0  # RECORD still states what was installed
    ended = check(env, "--verify", "--format", "json")
    assert ended.code == 1
    (report,) = json.loads(ended.out)["checks"]
    found = [each for each in report["findings"] if each["code"] == "PKG003"]
    assert [(each["outcome"], each["what"]) for each in found] == [
        ("numerics", "idna 3.7: other files under the same version, edited 1 file: idna/core.py")
    ]


def test_a_manifest_that_was_verified_is_checked_as_deep(env: Path) -> None:
    capture(env, "m.json", "--verify")
    assert check(env, "-q").code == 0
    edit(env)
    assert check(env, "-q").code == 1


def test_a_missing_file_is_named_too(env: Path) -> None:
    capture(env, "m.json", "--verify")
    (site_packages(env) / "idna" / "core.py").unlink()
    ended = check(env, "--format", "json")
    assert ended.code == 1
    assert "idna 3.7: other files under the same version, missing 1 file: idna/core.py" in ended.out


def test_without_verify_a_manifest_says_nothing_of_changes(env: Path) -> None:
    capture(env, "m.json")
    manifest = json.loads((env.parent / "m.json").read_text())
    (package,) = manifest["sections"]["packages"]["installed"]
    assert "changes" not in package
    assert "verified" not in manifest["captured"]


@pytest.mark.parametrize("words", [("--no-digests",), ("--from", "x"), ("--image", "x.sif")])
def test_verify_needs_the_files(tmp_path: Path, words: tuple[str, ...]) -> None:
    ended = envsnap("capture", "--verify", *words, cwd=tmp_path)
    assert ended.code == 2
    assert ended.err == (
        "error: --verify hashes installed files: not with --no-digests, --image or --from\n"
        "hint: Leave it out, or capture where the files are\n"
    )


def test_check_verifies_this_machine_alone(env: Path) -> None:
    capture(env, "m.json")
    ended = envsnap("check", "m.json", "--verify", "--against", "m.json", cwd=env.parent)
    assert ended.code == 2
    assert ended.err == (
        "error: --verify hashes this machine's files; --against and --from name another side\n"
        "hint: Give one\n"
    )


def test_an_anonymous_manifest_does_not_name_files_of_ones_own(env: Path) -> None:
    (site_packages(env) / "idna" / "alice_was_here.py").touch()
    capture(env, "m.json", "--verify", "--anonymous")
    text = (env.parent / "m.json").read_text()
    (package,) = json.loads(text)["sections"]["packages"]["installed"]
    assert package["changes"]["extra"] == ["..."]
    assert "alice" not in text


def test_a_tree_is_verified_without_starting_anything(env: Path) -> None:
    edit(env)
    ended = envsnap(
        "capture", "--root", "/", "--python", str(env), "--verify", "-o", "-", cwd=env.parent
    )
    assert ended.code == 0, ended.err
    (package,) = json.loads(ended.out)["sections"]["packages"]["installed"]
    assert package["changes"]["edited"] == ["idna/core.py"]


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="this system has no /proc")
def test_an_interrupted_capture_leaves_no_process_that_hashes(env: Path) -> None:
    with open(site_packages(env) / "idna" / "core.py", "r+b") as file:
        file.truncate(1 << 37)  # minutes of zeros that take no room
    words = command("capture", "--verify", "--python", str(env), "-o", "m.json")
    child = subprocess.Popen(
        words, cwd=env.parent, env=variables(), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until(lambda: bool(hashing(child.pid)))  # of two, the one without a file ends at once
    processes = hashing(child.pid)
    child.send_signal(signal.SIGINT)
    _, told = child.communicate(timeout=20)
    assert (child.returncode, told) == (130, "\ninterrupted: nothing was left half-written\n")
    until(lambda: not any(map(is_running, processes)), 5)
    assert not (env.parent / "m.json").exists()


def hashing(parent: int) -> list[str]:
    """The processes that hash for a capture: its child, and the fork of that."""
    found, waiting = [], [str(parent)]
    while waiting:
        number = waiting.pop()
        with suppress(OSError):  # a tool that was asked its version has ended meanwhile
            for each in Path(f"/proc/{number}/task").glob("*/children"):
                waiting += each.read_text().split()
            if "import hashed" in Path(f"/proc/{number}/cmdline").read_text():
                found.append(number)
    return found


def test_files_of_another_environment_are_not_hashed_for_a_verified_manifest(env: Path) -> None:
    from envsnap.cli._against import _is_here
    from envsnap.host import LocalHost
    from envsnap.manifest import load
    from envsnap.probes import Options

    capture(env, "m.json", "--verify")
    wanted = load(str(env.parent / "m.json"))
    other = environment(env.parent / "other", numpy="1.26.4")
    found = [_is_here(LocalHost(), Options(python=str(each)), wanted) for each in (env, other)]
    assert found == [True, False]
