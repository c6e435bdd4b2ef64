"""What an installer writes for an entry point is known from everything else."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from envsnap.inside import compared, entry_points, unpack
from tests.wheels import wheel

POINTS = b"""\
[console_scripts]
tool = pkg.cli:main
deep=pkg:Command.run [color]
# no = pkg:no
bad = pkg
; worse = pkg:main; steal()
odd = pkg:main; steal()
[other]
not = pkg:x
[gui_scripts]
window = pkg.cli:show
"""
KNOWN = {
    "tool": ("pkg.cli", "main"), "deep": ("pkg", "Command.run"), "window": ("pkg.cli", "show"),
}  # fmt: skip
OWN = "/opt/env/bin"
BODY = b"import sys\nfrom pkg.cli import main\nif __name__ == '__main__':\n    sys.exit(main())\n"


def test_an_entry_point_is_a_name_a_module_and_what_it_calls() -> None:
    assert entry_points.targets(POINTS) == KNOWN


def test_a_version_in_the_name_is_pips_and_no_one_elses() -> None:
    known = {"pip": ("pip", "main"), "tool": ("pkg", "main"), "easy_install": ("setuptools", "x")}
    names = ("pip3.11", "pip3", "easy_install-3.6", "tool3", "tool-3.6", "pip-3.6", "pipx")
    found = {name: entry_points.target_of(name, known) for name in names}
    assert found == {
        "pip3.11": ("pip", "main"), "pip3": ("pip", "main"),
        "easy_install-3.6": ("setuptools", "x"), "tool3": None,
        "tool-3.6": None, "pip-3.6": None, "pipx": None,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["python", "python3", "python3.11", "python3.13t"])
@pytest.mark.parametrize(
    "line",
    [
        "#!{}", "#!/bin/sh\n'''exec' {} \"$0\" \"$@\"\n' '''",
        "#!/bin/sh\n'''exec' \"{}\" \"$0\" \"$@\"\n' '''",
        "#!/bin/sh\n'''exec' '{}' \"$0\" \"$@\"\n' '''",
    ],
)  # fmt: skip
def test_every_line_that_installers_write_starts_the_environments_python(
    line: str, name: str
) -> None:
    text = line.format(f"{OWN}/{name}").encode() + b"\n" + BODY
    assert entry_points.interpreter(text, OWN) == name
    assert entry_points.is_wrapper(text, ("pkg.cli", "main"))


@pytest.mark.parametrize(
    "line",
    [
        "#!/opt/env/bin/python -cimport os;os.system('steal')", "#!/opt/env/bin/python -s",
        "#!/opt/env/bin/python3-evil", "#!/opt/env/bin/python3.11x", "#!/opt/env/bin/pythonw",
        "#! /opt/env/bin/python", "#!/opt/env/bin/python/../sh", "#!/usr/bin/env python",
        "#!/bin/sh\n'''exec' /opt/env/bin/python \"$0\" ; steal\n' '''",
        "#!/bin/sh\n'''exec' /opt/env/bin/python -I \"$0\" \"$@\"\n' '''",
        "#!/bin/sh\n'''exec' /opt/env/bin/python \"$0\" \"$@\"\nsteal\n' '''",
        "#!/bin/sh\nsteal\n'''exec' /opt/env/bin/python \"$0\" \"$@\"\n' '''",
        "#!/bin/sh -x\n'''exec' /opt/env/bin/python \"$0\" \"$@\"\n' '''",
        "\x7fELF", "",
    ],
)  # fmt: skip
def test_no_other_line_passes_for_one(line: str) -> None:
    text = line.encode() + b"\n" + BODY
    assert entry_points.interpreter(text, OWN) is None
    fault = compared.script_fault("bin/tool", text, OWN)
    assert fault is not None
    assert (fault.kind, fault.path) == ("script", "bin/tool")


@pytest.mark.parametrize(
    "body",
    [
        BODY + b"steal()\n", b"steal()\n" + BODY, b"",
        BODY.replace(b"sys.exit", b"steal()\n    sys.exit"),
        BODY.replace(b"main())", b"main(steal()))"),
        BODY.replace(b"import main", b"import main, x"),
        BODY.replace(b"import main", b"import steal as main"),
        BODY.replace(b"pkg.cli", b"pkg.evil"),
        BODY.replace(b"main()", b"main.other()"),
        BODY.replace(b"import sys", b"import os, sys"),
    ],
)  # fmt: skip
def test_no_other_text_passes_for_a_wrapper(body: bytes) -> None:
    text = b"#!/opt/env/bin/python\n" + body
    assert not entry_points.is_wrapper(text, ("pkg.cli", "main"))


def packed(folder: Path) -> str:
    """A wheel with those entry points that installers take."""
    lines = ["[console_scripts]", "tool = pkg.cli:main", "deep=pkg:Command.run", "[gui_scripts]",
             "window = pkg.cli:show", ""]  # fmt: skip
    cli = b"def main(): print('ran')\nshow = main\n"
    files = {"pkg/__init__.py": b"class Command:\n    run = print\n", "pkg/cli.py": cli}
    made = wheel("pkg", "1.0", files, points="\n".join(lines))
    path = folder / made.filename
    path.write_bytes(made.raw)
    return os.fspath(path)


def environment(folder: Path, python: str) -> Path:
    found = os.path.expanduser(f"~/.pyenv/versions/{python}/bin/python3")
    if not os.path.exists(found):
        pytest.skip(f"Python {python} is not here")
    subprocess.run([found, "-m", "venv", folder], check=True)
    return folder / "bin"


def held(folder: Path) -> None:
    """Every program of the wheel in that folder is an installer's, and runs."""
    for name, target in KNOWN.items():
        text = (folder / name).read_bytes()
        assert entry_points.interpreter(text, os.fspath(folder)) is not None, text
        assert entry_points.called(text) == target, text
    done = subprocess.run([folder / "tool"], capture_output=True, text=True, check=True)
    assert done.stdout == "ran\n"


@pytest.mark.parametrize(
    ("python", "inner"), [("3.6.15", "a b"), ("3.8.18", "long" * 40), ("3.13.0", "env")]
)
def test_what_the_pip_of_a_python_writes_is_known(tmp_path: Path, inner: str, python: str) -> None:
    folder = environment(tmp_path / inner, python)
    command = [
        os.fspath(folder / "python"),
        "-m",
        "pip",
        "install",
        "--no-index",
        "--no-deps",
        "-q",
    ]
    subprocess.run([*command, packed(tmp_path)], check=True, capture_output=True)
    held(folder)
    site = next((tmp_path / inner).glob("lib/python*/site-packages"))
    points = next(site.glob("pip-*.dist-info/entry_points.txt")).read_bytes()
    for path in sorted(folder.glob("pip*")):
        target = entry_points.target_of(path.name, entry_points.targets(points))
        assert target is not None
        assert entry_points.is_wrapper(path.read_bytes(), target)


@pytest.mark.parametrize("inner", ["env", "a b", "long" * 40])
@pytest.mark.parametrize("more", [(), ("--relocatable",)])
def test_what_uv_writes_is_known(tmp_path: Path, inner: str, more: tuple[str, ...]) -> None:
    uv = shutil.which("uv", path=os.path.dirname(sys.executable)) or shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed")
    folder = tmp_path / inner
    start = (uv, "--no-cache", "--offline", "-q")
    subprocess.run(
        [*start, "venv", *more, "--python", sys.executable, os.fspath(folder)], check=True
    )
    python = os.fspath(folder / "bin" / "python")
    subprocess.run([*start, "pip", "install", "--python", python, packed(tmp_path)], check=True)
    held(folder / "bin")


def test_what_we_write_ourselves_is_known(tmp_path: Path) -> None:
    folder = environment(tmp_path / "env", "3.11.7")
    site = os.fspath(tmp_path / "env" / "lib" / "python3.11" / "site-packages")
    python = os.fspath(folder / "python")
    unpack.unpack(packed(tmp_path), unpack.Schemes(os.fspath(tmp_path / "env"), site, site, python))
    held(folder)


def test_the_programs_around_this_python_are_known() -> None:
    folder = os.path.dirname(sys.executable)
    known: dict[str, tuple[str, str]] = {}
    for each in importlib.metadata.distributions():
        text = each.read_text("entry_points.txt") or ""
        known |= entry_points.targets(text.encode())
    texts = {
        name: Path(folder, name).read_bytes()
        for name in known
        if os.path.isfile(f"{folder}/{name}")
    }
    assert {"pytest", "pip"} & texts.keys()
    strange = [
        name for name, text in texts.items() if not entry_points.is_wrapper(text, known[name])
    ]
    assert strange == []
