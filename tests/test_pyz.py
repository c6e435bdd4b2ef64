"""envsnap.pyz runs on a plain Python, and gives an old one an answer instead of a traceback."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pytest

import envsnap
from envsnap.manifest import save
from tests import made

if TYPE_CHECKING:
    from pathlib import Path

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NEW_ENOUGH = ("3.10", "3.11", "3.12", "3.13", "3.14")
TOO_OLD = ("2.7", "3.6", "3.8")
VERSION_LINE = f"envsnap {envsnap.__version__}\n"
SKIP_REASON = "no Python {} on PATH or under ~/.pyenv"
IMPORTS = """
import sys
sys.path.insert(0, sys.argv[1])
import archspec, distro, jinja2, packaging.version, pynvml
from envsnap.probes._archspec import Witness, match
print(match(Witness("x86_64")).name, jinja2.Template("{{ a|e }}").render(a="<"))
print(all(module.__file__.startswith(sys.argv[1]) for module in (archspec, distro, jinja2, pynvml)))
"""


def interpreter(version: str) -> str:
    """The path of a Python of this minor version; ends the test as skipped where there is none."""
    pyenv = os.path.join(os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv"), "versions")
    installed = sorted(os.listdir(pyenv)) if os.path.isdir(pyenv) else []
    candidates = [shutil.which(f"python{version}")] + [
        os.path.join(pyenv, name, "bin", "python")
        for name in installed
        if name.startswith(f"{version}.")
    ]
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    for path in filter(None, candidates):
        answer = run([path, "-c", ask])
        if (answer.returncode, answer.stdout) == (0, f"{version}\n"):
            return path
    pytest.skip(SKIP_REASON.format(version))


def run(
    command: Sequence[str], *, cwd: str | None = None, path: str | None = None
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | ({} if path is None else {"PATH": path})
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def build(target: str, *options: str) -> str:
    built = run([sys.executable, os.path.join(CHECKOUT, "scripts", "pyz.py"), *options, target])
    assert built.returncode == 0, built.stderr
    return target


@pytest.fixture(scope="session")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file, with the libraries that this Python has: no network is needed."""
    return build(str(tmp_path_factory.mktemp("pyz") / "envsnap.pyz"), "--installed")


@pytest.fixture
def tools(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Make a folder that holds links of these names: the whole PATH of an old machine."""

    def make(**links: str) -> str:
        folder = tmp_path_factory.mktemp("bin")
        for name, target in links.items():
            (folder / name.replace("_", ".")).symlink_to(os.path.realpath(target))
        return str(folder)

    return make


def test_two_builds_are_equal_to_the_byte(pyz: str, tmp_path: Path) -> None:
    again = build(f"{tmp_path}/envsnap.pyz", "--installed")
    with open(pyz, "rb") as first, open(again, "rb") as second:
        assert first.read() == second.read()


def test_nothing_compiled_and_nothing_of_this_machine_is_inside(pyz: str) -> None:
    with zipfile.ZipFile(pyz) as archive:
        names = archive.namelist()
        held = [name for name in names if CHECKOUT.encode() in archive.read(name)]
    compiled = [name for name in names if name.endswith((".so", ".pyd", ".pyc"))]
    assert (compiled, held) == ([], [])


@pytest.mark.parametrize("version", NEW_ENOUGH)
def test_it_runs_on_a_python_with_nothing_installed(pyz: str, version: str) -> None:
    done = run([interpreter(version), "-I", "-S", pyz, "--version"])
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        f"envsnap {envsnap.__version__}\n",
        "",
    )


@pytest.mark.parametrize("version", NEW_ENOUGH)
def test_its_libraries_come_from_the_file(pyz: str, version: str) -> None:
    done = run([interpreter(version), "-I", "-S", "-c", IMPORTS, pyz])
    assert (done.returncode, done.stdout, done.stderr) == (0, "x86_64 &lt;\nTrue\n", "")


@pytest.mark.parametrize("version", NEW_ENOUGH)
def test_it_captures_a_python_and_finds_nothing_drifted(
    pyz: str, version: str, tmp_path: Path
) -> None:
    python = interpreter(version)
    assert run([python, "-m", "venv", "--without-pip", f"{tmp_path}/env"]).returncode == 0
    target = f"{tmp_path}/env/bin/python"  # a system's own packages may lack what is compared
    captured = run(
        [python, "-I", pyz, "capture", "--python", target, "-o", "m.json"], cwd=str(tmp_path)
    )
    assert captured.returncode == 0, captured.stderr
    with open(f"{tmp_path}/m.json", encoding="utf-8") as file:
        found = json.load(file)["sections"]["python"]["version"]
    checked = run([python, "-I", pyz, "check", "m.json", "--against", "m.json"], cwd=str(tmp_path))
    assert (found.startswith(f"{version}."), checked.returncode) == (True, 0), checked.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="commands are watched on Linux alone")
@pytest.mark.parametrize("version", NEW_ENOUGH)
def test_it_runs_a_command_and_hears_what_that_imports(
    pyz: str, version: str, tmp_path: Path
) -> None:
    python = interpreter(version)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "alpha.py").write_text("")
    info = tmp_path / "site" / "alpha-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: alpha\nVersion: 1.0\n")
    (info / "RECORD").write_text("alpha.py,,\n")
    assert run([python, "-m", "venv", "--without-pip", f"{tmp_path}/env"]).returncode == 0
    target = f"{tmp_path}/env/bin/python"
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    (site / "alpha.pth").write_text(f"{tmp_path}/site\n")
    words = [python, "-I", pyz, "run", "-q", "-o", "m.json", "--", target]
    ended = run([*words, "-c", "import alpha; raise SystemExit(3)"], cwd=str(tmp_path))
    with open(f"{tmp_path}/m.json", encoding="utf-8") as file:
        found = json.load(file)["sections"]["run"]
    assert (ended.returncode, found["exit_status"], found["modules"]) == (3, 3, ["alpha"])


def test_it_writes_the_recipes_that_the_installed_one_writes(pyz: str, tmp_path: Path) -> None:
    save(made.manifest(), f"{tmp_path}/m.json")
    base = f"127.0.0.1:9/python:3.11.7@sha256:{'ab' * 32}"
    words = ["build", "m.json", "--to", "dockerfile,apptainer,repo2docker", "--base-image", base]
    words += ["--allow-host", "files.example"]
    programs = {"one-file": [pyz], "installed": ["-m", "envsnap"]}
    for name, program in programs.items():
        done = run([sys.executable, *program, *words, "-q", "-o", name], cwd=str(tmp_path))
        assert done.returncode == 0
        assert done.stderr == (
            "note: It is not known which Python and which glibc\n"
            f"  {base}\n  has: the build stops where it will not do\n"
        )
    files = sorted(os.listdir(f"{tmp_path}/installed"))
    assert {"Dockerfile", "envsnap.def", "binder"} < set(files)
    assert sorted(os.listdir(f"{tmp_path}/one-file")) == files
    plain = [name for name in files if name not in {"binder", "layers"}]
    found = filecmp.cmpfiles(f"{tmp_path}/one-file", f"{tmp_path}/installed", plain, shallow=False)
    assert found == (plain, [], [])


@pytest.mark.parametrize("version", TOO_OLD)
def test_an_old_python_alone_is_told_what_to_do(
    pyz: str, version: str, tools: Callable[..., str]
) -> None:
    python = interpreter(version)
    done = run([python, pyz, "--version"], path=tools())
    first, rest = done.stderr.split("\n", 1)
    assert first.startswith(f"envsnap needs Python 3.10 or newer; this is {version}.")
    assert rest == (
        "There is none on PATH. Load one (on a cluster: module avail python) or install one;"
        f" then run:\n  python3 {pyz}\n"
    )
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("version", TOO_OLD)
def test_an_old_python_names_the_newer_ones_and_starts_the_newest(
    pyz: str, version: str, tools: Callable[..., str]
) -> None:
    python = interpreter(version)
    path = tools(python3=python, python3_10=sys.executable)
    newer = ".".join(str(part) for part in sys.version_info[:3])
    done = run([python, pyz, "--version"], path=path)
    assert done.stderr.splitlines()[1:] == [
        f"Found on PATH: {newer} ({path}/python3.10); going on with the first"
    ]
    assert (done.returncode, done.stdout) == (0, VERSION_LINE)


@pytest.mark.network
def test_two_builds_from_the_pinned_libraries_are_equal(tmp_path: Path) -> None:
    first, second = build(f"{tmp_path}/a.pyz"), build(f"{tmp_path}/b.pyz")
    with open(first, "rb") as one, open(second, "rb") as other:
        assert one.read() == other.read()
