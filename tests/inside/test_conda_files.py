"""What conda-meta states of files, and what it states no more once pip has replaced them."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from envsnap.inside import VERIFIER, conda_files, source

if TYPE_CHECKING:
    from pathlib import Path

SITE = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
CONDA = {
    f"{SITE}/toy/__init__.py": b"'conda'\n",
    f"{SITE}/toy/gone.py": b"'only conda has it'\n",
    f"{SITE}/toy-1.0.dist-info/METADATA": b"Name: toy\nVersion: 1.0\n\n",
    "share/toy.txt": b"conda's own\n",
}
PIP = {
    f"{SITE}/toy/__init__.py": b"'pip'\n",
    f"{SITE}/toy-2.0.dist-info/METADATA": b"Name: toy\nVersion: 2.0\n\n",
}


def package(files: dict[str, bytes]) -> dict[str, Any]:
    paths = [
        {"_path": path, "path_type": "hardlink", "sha256": hashlib.sha256(data).hexdigest(),
         "size_in_bytes": len(data)}
        for path, data in files.items()
    ]  # fmt: skip
    return {"name": "toy", "version": "1.0", "build": "0", "paths_data": {"paths": paths}}


def manifest(*, by_pip: bool) -> dict[str, Any]:
    record = {"name": "toy", "version": "1.0", "build": "0"}
    version = "2.0" if by_pip else "1.0"
    installed = {"name": "toy", "version": version, **({} if by_pip else {"conda": record})}
    packages = {"installed": [installed], "conda_only": [record] if by_pip else []}
    return {"sections": {"packages": packages}}


def put(prefix: Path, files: dict[str, bytes]) -> None:
    for path, data in files.items():
        (prefix / path).parent.mkdir(parents=True, exist_ok=True)
        (prefix / path).write_bytes(data)


def environment(prefix: Path, *, by_pip: bool) -> None:
    """A venv that conda's package was put into; and perhaps pip's in its place."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True)
    put(prefix, {"conda-meta/toy-1.0-0.json": json.dumps(package(CONDA)).encode()})
    put(prefix, {"share/toy.txt": CONDA["share/toy.txt"]} if by_pip else CONDA)
    if by_pip:
        put(prefix, PIP)
        info = f"{SITE}/toy-2.0.dist-info"
        rows = [
            f"{path.removeprefix(f'{SITE}/')},sha256="
            f"{base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},"
            for path, data in PIP.items()
        ]
        record = "\n".join([*rows, "toy-2.0.dist-info/RECORD,,", ""])
        put(prefix, {f"{info}/RECORD": record.encode()})


def verified(tmp_path: Path, *, by_pip: bool) -> tuple[int, list[str]]:
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    for name in VERIFIER:
        (home / name).write_text(source(name.removesuffix(".py")))
    (home / "manifest.json").write_text(json.dumps(manifest(by_pip=by_pip)))
    argv = [str(tmp_path / "env/bin/python"), "-I", "-B", "verify.py", "manifest.json"]
    done = subprocess.run(argv, cwd=home, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_a_distribution_is_known_by_its_dist_info() -> None:
    found = conda_files.parsed(b"x", json.dumps(package(CONDA)).encode())
    assert found is not None
    assert found.provides == {"toy"}
    assert conda_files.replaced([found], manifest(by_pip=True)) == [found]
    assert conda_files.replaced([found], manifest(by_pip=False)) == []


def test_what_pip_put_in_the_place_of_conda_s_is_no_difference(tmp_path: Path) -> None:
    environment(tmp_path / "env", by_pip=True)
    code, lines = verified(tmp_path, by_pip=True)
    assert (code, lines[0]) == (0, "Python and 2 packages are those of the manifest")


def test_conda_s_other_files_of_a_replaced_package_are_still_compared(tmp_path: Path) -> None:
    environment(tmp_path / "env", by_pip=True)
    (tmp_path / "env/share/toy.txt").write_text("another's\n")
    code, lines = verified(tmp_path, by_pip=True)
    assert code == 1
    assert lines[0].startswith("differs: toy share/toy.txt is not the file that its RECORD states")


def test_what_the_manifest_does_not_say_was_replaced_is_missed(tmp_path: Path) -> None:
    environment(tmp_path / "env", by_pip=False)
    assert verified(tmp_path, by_pip=False)[0] == 0
    (tmp_path / "env" / SITE / "toy/gone.py").unlink()
    code, lines = verified(tmp_path, by_pip=False)
    assert (code, lines[0]) == (1, f"differs: toy {SITE}/toy/gone.py is not there")
