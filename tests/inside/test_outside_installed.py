"""What pip and uv install of one wheel outside of site-packages has the digest of its zip."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import envsnap.inside
from envsnap.inside.outside import of_file
from envsnap.inside.wheel import from_wheel
from envsnap.manifest import Manifest, encode, load
from envsnap.sections import Package, Packages, Unknown, replace
from tests import made
from tests.inside.rows import by_the_definition, row
from tests.wheels import wheel

VERIFY = os.path.join(os.path.dirname(envsnap.inside.__file__), "verify.py")
DATA = "demo-1.0.data"
FILES: Mapping[str, bytes] = {
    "demo.py": b"def main(): ...\n",
    f"{DATA}/scripts/demo-run": b"#!python -E\nimport demo\n",
    f"{DATA}/scripts/demo-window": b"#!pythonw\r\nimport demo\n",
    f"{DATA}/scripts/demo-coding": b"#!python\n# -*- coding: utf-8 -*-\nimport demo\n",
    f"{DATA}/scripts/demo-shell": b"#!/bin/sh\necho demo\n",
    f"{DATA}/scripts/demo-env": b"#!/usr/bin/env python3\nimport demo\n",
    f"{DATA}/scripts/demo-binary": b"\x7fELF demo",
    f"{DATA}/data/share/demo/x.json": b"{}",
    f"{DATA}/data/etc/demo.conf": b"x = 1\n",
    f"{DATA}/headers/sub/demo.h": b"#define DEMO\n",
}
POINTS = "[console_scripts]\ndemo = demo:main\n"
OUTSIDE = by_the_definition({
    "bin/demo-run": b"#!python\nimport demo\n", "bin/demo-window": b"#!python\nimport demo\n",
    "bin/demo-coding": b"#!python\n# -*- coding: utf-8 -*-\nimport demo\n",
    "bin/demo-shell": b"#!/bin/sh\necho demo\n",
    "bin/demo-env": b"#!/usr/bin/env python3\nimport demo\n", "bin/demo-binary": b"\x7fELF demo",
    "share/demo/x.json": b"{}", "etc/demo.conf": b"x = 1\n",
    "headers/sub/demo.h": b"#define DEMO\n",
})  # fmt: skip
LONG = "a-name-that-no-kernel-takes-in-a-line-that-starts-a-program-" * 3


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def the_wheel(folder: Path) -> Path:
    each = wheel("demo", "1.0", FILES, points=POINTS)
    path = folder / each.filename
    path.write_bytes(each.raw)
    return path


def environment(place: Path, path: Path, by: str, python: str = sys.executable) -> Path:
    """A virtual environment with the wheel, installed by pip or uv."""
    run(python, "-m", "venv", "--without-pip", place)
    own = place / "bin" / "python"
    if by == "uv":
        uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
        if uv is None:
            pytest.skip("uv is not installed")
        run(uv, "pip", "install", "-q", "--python", own, "--no-index", path)
    else:
        run(sys.executable, "-m", "pip", "--python", own, "install", "-q", "--no-index", path)
    return place


def stated(prefix: Path) -> tuple[object, ...]:
    (record,) = prefix.glob("lib/python*/site-packages/demo-1.0.dist-info/RECORD")
    answer = of_file(os.fsencode(record))
    return answer.other, answer.outside, answer.other_refusal


def other_python() -> str:
    root = os.path.expanduser("~/.pyenv/versions")
    for each in sorted(os.listdir(root)) if os.path.isdir(root) else ():
        if each.startswith("3.8.") and sys.version_info[:2] != (3, 8):
            return f"{root}/{each}/bin/python"
    pytest.skip("no Python 3.8 here")


def test_the_wheel_itself_has_the_digest_of_the_definition(tmp_path: Path) -> None:
    answer = from_wheel(str(the_wheel(tmp_path)))
    assert (answer.other, answer.outside, answer.other_refusal) == (OUTSIDE, 9, None)


@pytest.mark.parametrize("folder", ["env", LONG])
@pytest.mark.parametrize("by", ["pip", "uv"])
def test_pip_and_uv_state_it_below_any_prefix(tmp_path: Path, by: str, folder: str) -> None:
    assert stated(environment(tmp_path / folder, the_wheel(tmp_path), by)) == (OUTSIDE, 9, None)


def test_another_python_has_it_too(tmp_path: Path) -> None:
    env = environment(tmp_path / "env", the_wheel(tmp_path), "uv", other_python())
    assert (env / "include/site/python3.8/demo/sub/demo.h").exists()
    assert stated(env) == (OUTSIDE, 9, None)


class Captured:
    """An environment that was captured, and its manifest with a lock of the wheel."""

    def __init__(self, folder: Path, *words: str, by: str = "pip") -> None:
        self.env = environment(folder / "env", the_wheel(folder), by)
        self.site = next(self.env.glob("lib/python*/site-packages"))
        self.record = self.site / "demo-1.0.dist-info" / "RECORD"
        self.path = folder / "m.json"
        self.folder = folder
        self.manifest = self.capture(*words)
        lock = made.manifest((), (made.artifact("demo", "1.0", "demo-1.0-py3-none-any.whl"),)).lock
        self.path.write_text(encode(replace(self.manifest, lock=lock)))

    def capture(self, *words: str) -> Manifest:
        path = self.folder / "captured.json"
        program = [sys.executable, "-m", "envsnap", "capture", "-q", "--force"]
        run(*program, "--python", self.env, "-o", path, *words)
        return load(str(path))

    def package(self, manifest: Manifest) -> Package:
        packages = manifest.section(Packages)
        assert not isinstance(packages, Unknown)
        assert not isinstance(packages.installed, Unknown)
        return next(each for each in packages.installed if each.name == "demo")

    def verify(self, *words: str) -> tuple[int, list[str]]:
        """What the verifier says that an image carries."""
        python = str(self.env / "bin" / "python")
        command = [python, "-I", "-B", VERIFY, *words, str(self.path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return done.returncode, [
            line for line in done.stdout.splitlines() if line.startswith("differs: ")
        ]

    def bytecode(self) -> int:
        """How many files of bytecode the verifier says that it did not compare."""
        command = [str(self.env / "bin" / "python"), "-I", "-B", VERIFY, "--json", str(self.path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        count: int = json.loads(done.stdout)["looked_at"]["bytecode"]
        return count

    def restate(self, path: str, data: bytes) -> None:
        """Change a file, and its row in RECORD with it."""
        (self.env / path).write_bytes(data)
        rows = [each for each in self.record.read_text().splitlines() if f"../{path}," not in each]
        self.record.write_text("\n".join([*rows, row(f"../../../{path}", data)]))


@pytest.mark.parametrize("words", [(), ("--verify",)])
@pytest.mark.parametrize("by", ["pip", "uv"])
def test_a_capture_keeps_it_and_the_verifier_inside_finds_it(
    tmp_path: Path, by: str, words: tuple[str, ...]
) -> None:
    captured = Captured(tmp_path, *words, by=by)
    assert captured.package(captured.manifest).outside == OUTSIDE
    assert captured.verify() == (0, [])
    assert captured.verify("--quick") == (0, [])


@pytest.mark.parametrize("path", ["bin/demo-run", "bin/demo-binary", "share/demo/x.json"])
def test_a_changed_file_is_named_and_an_edited_record_does_not_pass(
    tmp_path: Path, path: str
) -> None:
    captured = Captured(tmp_path)
    (captured.env / path).write_bytes(b"#!/bin/sh\nsteal\n")
    code, lines = captured.verify()
    assert code == 1
    assert lines[0].startswith(f"differs: demo ../../../{path} is not the file that its RECORD")
    captured.restate(path, b"#!/bin/sh\nsteal\n")
    says = "differs: demo 1.0 put other files outside of site-packages than it did: "
    names = "bin/demo-binary, bin/demo-coding, bin/demo-env and 6 more"
    assert captured.verify() == (1, [says + names])
    assert captured.verify("--quick") == (1, [says + names])


OTHER = "differs: demo 1.0 put other files outside of site-packages than it did: "


@pytest.mark.parametrize("words", [(), ("--quick",), ("--others-ok",)])
def test_the_verifier_takes_no_refusal_of_a_record_for_proof(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    captured = Captured(tmp_path)
    captured.restate("bin/demo-binary", b"#!/bin/sh\nsteal\n")
    text = captured.record.read_text()
    captured.record.write_text(text + "../../../share/y,md5=00,1\n")
    code, lines = captured.verify(*words)
    why = "RECORD states no SHA-256 of 'y': md5 (1 rows)"
    assert (code, lines[0]) == (1, OTHER + why)
    captured.record.write_text(text)
    (captured.env / "Scripts").mkdir()
    captured.restate("Scripts/demo-binary", b"other")
    names = "Scripts/demo-binary, bin/demo-binary, bin/demo-coding and 7 more"
    assert captured.verify(*words) == (1, [OTHER + names])


def test_the_verifier_takes_no_row_of_two_slashes_for_a_claim(tmp_path: Path) -> None:
    captured = Captured(tmp_path)
    evil = captured.env / "bin" / "evil"
    evil.write_bytes(b"steal")
    text = captured.record.read_text()
    captured.record.write_text(text + row(f"/{evil}", b"steal"))
    assert captured.verify() == (
        1, [OTHER + "bin/demo-binary, bin/demo-coding, bin/demo-env and 7 more"]
    )  # fmt: skip


def test_a_script_that_starts_a_python_of_another_name_is_told(tmp_path: Path) -> None:
    captured = Captured(tmp_path)
    text = (captured.env / "bin" / "demo-run").read_bytes()
    line, _, body = text.partition(b"\n")
    python = captured.env / "bin" / "python3.99"
    captured.restate("bin/demo-run", f"#!{python}\n".encode() + body)
    says = "differs: bin/demo-run starts with 'python3.99', not with the environment's own Python"
    assert line.startswith(b"#!")
    stray = ["differs: bin/python3.99 belongs to no package"]
    for write, more in (
        (lambda: python.write_bytes(b"#!/bin/sh\nsteal\n"), stray),
        (python.unlink, []),
    ):
        write()
        for words in ((), ("--quick",)):
            assert captured.verify(*words) == (1, [says, *more])
        assert captured.verify("--only", "demo") == (1, [says])
    python.symlink_to("python")
    assert captured.verify() == (0, [])


def test_the_verifier_says_that_it_cannot_tell_of_a_program_that_is_a_link(tmp_path: Path) -> None:
    captured = Captured(tmp_path)
    place = captured.env / "bin" / "demo-run"
    place.replace(captured.env / "share" / "demo" / "run")
    place.symlink_to("../share/demo/run")
    says = "differs: demo: nobody can tell what it put outside of site-packages: "
    assert captured.verify() == (1, [says + "'demo-run' is a link"])
    assert captured.verify("--quick") == (1, [says + "'demo-run' is a link"])


@pytest.mark.parametrize("hash_", [True, False])
def test_the_verifier_counts_bytecode_without_its_source(tmp_path: Path, *, hash_: bool) -> None:
    captured = Captured(tmp_path)
    before = captured.bytecode()
    (captured.site / "sitecustomize.pyc").write_bytes(b"x")
    (captured.site / "demo.pyc").write_bytes(b"x")  # beside its source: never imported
    rows = [row(f"{name}.pyc", b"x") for name in ("sitecustomize", "demo")]
    more = "".join(rows) if hash_ else "sitecustomize.pyc,,\ndemo.pyc,,\n"
    captured.record.write_text(captured.record.read_text() + more)
    assert captured.verify() == (0, [])
    assert captured.bytecode() == before + 1


def test_a_first_line_with_a_nul_byte_costs_one_digest_and_no_section(tmp_path: Path) -> None:
    captured = Captured(tmp_path)
    captured.restate("bin/demo-run", b"#!/tmp/\0x/python\n")
    for words in ((), ("--verify",)):
        found = captured.package(captured.capture(*words)).outside
        why = "'bin/demo-run' is started by another Python than the one beside it"
        assert isinstance(found, Unknown)
        assert (found.reason.value, found.detail) == ("unparsable", why)


@pytest.mark.parametrize("path", ["bin/demo-run", "share/demo/x.json"])
def test_capture_verify_names_a_changed_file_and_claims_no_digest(
    tmp_path: Path, path: str
) -> None:
    captured = Captured(tmp_path)
    (captured.env / path).write_bytes(b"#!python\nsteal\n")
    found = captured.package(captured.capture("--verify"))
    assert not isinstance(found.changes, Unknown)
    assert found.changes.edited == (f"../../../{path}",)
    assert isinstance(found.outside, Unknown)
    assert found.outside.reason.value == "witnesses-disagree"
    plain = captured.package(captured.capture()).outside
    says = f"{path!r} is not the file that RECORD states"
    wanted = OUTSIDE if path.startswith("share/") else says
    assert (plain.detail if isinstance(plain, Unknown) else plain) == wanted


def test_a_program_that_is_a_link_out_of_the_environment_is_not_opened(tmp_path: Path) -> None:
    captured = Captured(tmp_path)
    other = tmp_path / "elsewhere"
    (captured.env / "bin" / "demo-run").replace(other)
    (captured.env / "bin" / "demo-run").symlink_to(other)
    found = captured.package(captured.capture("--verify"))
    assert not isinstance(found.changes, Unknown)
    assert found.changes.unchecked == ("../../../bin/demo-run",)
    why = "a program is a link out of the environment"
    assert isinstance(found.outside, Unknown)
    assert found.outside.detail == why
