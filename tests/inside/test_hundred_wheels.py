"""One digest of a wheel, whoever installed it: wheels made here, and a hundred real ones."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SHAPES = {
    "pure": {"pure/__init__.py": b"", "pure/data.txt": b"text\n"},
    "namespace": {"company/part/__init__.py": b"x = 1\n"},
    "module": {"module.py": b"print(1)\n"},
    "compiled": {"compiled/_c.so": bytes(range(256)) * 64, "compiled/__init__.py": b""},
    "scripts": {"s.py": b"", "scripts-1.0.data/scripts/run": b"#!python\nprint(1)\n"},
    "data": {"data.py": b"", "data-1.0.data/data/share/data/x": b"x"},
    "headers": {"headers.py": b"", "headers-1.0.data/headers/x.h": b"int x;\n"},
    "spread": {"spread-1.0.data/purelib/spread/a.py": b"a", "spread/b.py": b"b"},
    "big": {"big/weights.bin": bytes(3_000_001)},
}  # fmt: skip


def wheel(folder: Path, name: str, files: dict[str, bytes]) -> Path:
    """A valid wheel with these files and an entry point."""
    own = f"{name}-1.0.dist-info"
    whole = {
        **files,
        f"{own}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{own}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{own}/entry_points.txt": f"[console_scripts]\nrun-{name} = {name}:main\n".encode(),
    }
    rows = []
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as made:
        for member, data in whole.items():
            made.writestr(member, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append(f"{member},sha256={digest},{len(data)}\n")
        made.writestr(f"{own}/RECORD", "".join([*rows, f"{own}/RECORD,,\n"]))
    return path


def found(*words: str, into: Path) -> dict[str, object]:
    """What bench/wheels.py writes of these wheels."""
    ran = subprocess.run(
        [sys.executable, CHECKOUT / "bench" / "wheels.py", "--json", into, *words],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout + ran.stderr
    told: dict[str, object] = json.loads(into.read_text())
    return told


def test_wheels_of_every_shape_made_here_have_one_digest(tmp_path: Path) -> None:
    if shutil.which("uv", path=os.path.dirname(sys.executable)) is None:
        pytest.skip("uv is not installed beside this Python")
    (tmp_path / "wheels").mkdir()
    for name, files in SHAPES.items():
        wheel(tmp_path / "wheels", name, files)
    told = found("--wheels", str(tmp_path / "wheels"), into=tmp_path / "found.json")
    version = ".".join(map(str, sys.version_info[:3]))
    ways = {"pip": 9, "pip, another prefix": 9, f"uv, Python {version}": 9}
    assert (told["wheels"], told["equal"], told["ways"]) == (9, 9, ways)


@pytest.mark.network
@pytest.mark.slow
def test_a_hundred_wheels_have_one_digest_whoever_installed_them(tmp_path: Path) -> None:
    names = ("/usr/bin/python3", "python3.12", "python3.13")  # the first is another patch release
    others = [path for name in names if (path := shutil.which(name))]
    started = [path for path in others if answers(path)]
    told = found(*(f"--python={path}" for path in started), into=tmp_path / "found.json")
    assert isinstance(told["wheels"], int)
    assert told["wheels"] >= 100
    assert told["equal"] == told["wheels"]


def answers(python: str) -> bool:
    """Whether the program is a Python, and not a stand-in for one that is not installed."""
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0
