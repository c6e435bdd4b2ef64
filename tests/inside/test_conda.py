"""conda archives unpacked by the program that an image's stage runs, on its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from envsnap.engines._archives import file_hash
from envsnap.inside import source
from tests.serving import serving
from tests.torture.conda_packages import Made, write

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("rattler", reason="py-rattler is not installed")


def unpacked(tmp_path: Path, row: dict[str, str | None], **variables: str) -> tuple[int, str, str]:
    """What the program answers, its own files beside it and nothing of envsnap to import."""
    script = tmp_path / "conda.py"
    script.write_text(source("conda"))
    (tmp_path / "list.json").write_text(json.dumps([row]))
    words = [str(script), str(tmp_path / "list.json"), str(tmp_path / "env"), str(tmp_path / "in")]
    done = subprocess.run(
        [sys.executable, "-I", *words], capture_output=True, text=True, check=False,
        env={**os.environ, **variables},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def package(folder: Path, **changes: str | None) -> dict[str, str | None]:
    made = Made(
        name="toy", version="1.0", build="0", subdir="noarch", noarch="generic",
        files={"share/toy.txt": b"toy\n"},
    )  # fmt: skip
    path = write(made, str(folder))
    return {
        "name": "toy", "version": "1.0", "build": "0", "subdir": "noarch",
        "filename": made.filename, "url": None, "sha256": file_hash(path), "md5": None, **changes,
    }  # fmt: skip


def test_an_archive_that_travels_is_unpacked(tmp_path: Path) -> None:
    row = package(tmp_path / "in", url="https://conda.example/lab/noarch/toy-1.0-0.conda")
    assert unpacked(tmp_path, row) == (0, f"1 conda packages are in {tmp_path}/env\n", "")
    assert (tmp_path / "env/share/toy.txt").read_text() == "toy\n"
    record = json.loads((tmp_path / "env/conda-meta/toy-1.0-0.json").read_text())
    assert record["channel"] == "https://conda.example/lab"
    assert sorted(os.listdir(tmp_path)) == ["conda.py", "env", "in", "list.json"]


def test_an_archive_is_fetched_from_its_channel_with_the_users_password(tmp_path: Path) -> None:
    row = package(tmp_path / "channel")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret-word\n")
    with serving(tmp_path / "channel", login="me:secret-word") as address:
        row["url"] = f"{address}/noarch/toy-1.0-0.conda"
        assert unpacked(tmp_path, row)[0] == 1
        code, _, _ = unpacked(tmp_path, row, NETRC=str(tmp_path / "netrc"))
    assert code == 0
    kept = b"".join(path.read_bytes() for path in (tmp_path / "env").rglob("*") if path.is_file())
    assert b"secret-word" not in kept


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_other_bytes_are_refused_and_nothing_is_unpacked(tmp_path: Path, algorithm: str) -> None:
    row = package(tmp_path / "in", sha256=None, md5=None)
    row[algorithm] = "0" * (64 if algorithm == "sha256" else 32)
    said = "conda packages: toy-1.0-0.conda has other bytes than the lock says\n"
    assert unpacked(tmp_path, row) == (1, "", said)
    assert not (tmp_path / "env").exists()


def test_an_archive_without_a_hash_is_refused(tmp_path: Path) -> None:
    assert unpacked(tmp_path, package(tmp_path / "in", sha256=None))[0] == 1


def test_an_archive_that_no_channel_has_and_that_is_not_here_is_said(tmp_path: Path) -> None:
    row = package(tmp_path / "in")
    shutil.rmtree(tmp_path / "in")
    said = "conda packages: toy-1.0-0.conda is not here, and no channel has it\n"
    assert unpacked(tmp_path, row) == (1, "", said)
