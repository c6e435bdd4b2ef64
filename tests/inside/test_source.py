from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import envsnap
from envsnap.inside import answer, source

FOLDER = Path(envsnap.__file__).parent


def test_the_source_is_the_file() -> None:
    for name in ("paths", "content"):
        assert source(name) == (FOLDER / "inside" / f"{name}.py").read_text(encoding="utf-8")


def test_the_source_comes_out_of_a_zip(tmp_path: Path) -> None:
    archive = tmp_path / "envsnap.pyz"
    with zipfile.ZipFile(archive, "w") as file:
        for path in FOLDER.rglob("*.py"):
            file.write(path, Path("envsnap", path.relative_to(FOLDER)))
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import envsnap.inside as inside; "
        "sys.stdout.write(inside.__file__ + chr(10) + inside.source('paths'))"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-c", program, str(archive)], capture_output=True, check=True
    )
    origin, _, text = ran.stdout.decode().partition("\n")
    assert origin == f"{archive}/envsnap/inside/__init__.py"
    assert text == source("paths")


def test_each_source_fits_one_argument_of_a_command() -> None:
    assert max(len(source(name).encode()) for name in ("paths", "content")) < 128 * 1024 // 4


def test_the_answer_is_found_among_noise() -> None:
    assert answer(b"noise\nMARK7b2261223a317d\nmore", "MARK") == {"a": 1}
    assert answer(b"MARK nonsense\nMARK7b\nMARK5b5d\nMARK7b7d\n", "MARK") == {}


def test_no_answer_is_none() -> None:
    for output in (b"", b"MARK", b"MARKzz", b"MARK7b", b"xMARK7b7d", b"MARK\xff", b"MARK5b315d"):
        assert answer(output, "MARK") is None
