from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

import pytest

from envsnap.inside import answer, source

MARKER = "marker-1:"
RELEASES = ["2.7", *(f"3.{minor}" for minor in range(6, 15))]


def found(release: str) -> str | None:
    """A Python of this release: pyenv's, or one on PATH that really starts."""
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    homes = sorted(glob.glob(f"{root}/versions/{release}.*/bin/python"))
    candidates = [*homes, *filter(None, [shutil.which(f"python{release}")])]
    for program in candidates:
        if subprocess.run([program, "-c", ""], capture_output=True, check=False).returncode == 0:
            return program
    return None


@pytest.fixture(scope="module", params=[*RELEASES, "pypy3", "pypy"])
def python(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    program = shutil.which(name) if name.startswith("pypy") else found(name)
    if program is None:
        pytest.skip(f"there is no Python {name} here")
    return program


class Said(NamedTuple):
    """What an interpreter's start gave."""

    report: dict[str, object]
    stdout: bytes
    stderr: bytes


def ask(python: str, *options: str, **variables: str | bytes) -> Said:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    ran = subprocess.run(
        [python, *options, "-c", source("paths"), MARKER],
        capture_output=True,
        check=False,
        env={**environ, "PYTHONDONTWRITEBYTECODE": "1", **variables},
    )
    report = answer(ran.stdout, MARKER)
    assert report is not None, ran
    assert ran.returncode == 0
    return Said(dict(report), ran.stdout, ran.stderr)


def bare(python: str, expression: str, *options: str, **variables: str) -> str:
    """What the interpreter itself prints for an expression."""
    program = f"import sys; sys.stdout.write({expression})"
    command = [python, *options, "-c", program]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run(
        command, capture_output=True, check=True, text=True, env={**environ, **variables}
    ).stdout


def decoded(path: object) -> str:
    assert isinstance(path, str)
    return os.fsdecode(bytes.fromhex(path))


def test_every_interpreter_answers_in_silence(python: str) -> None:
    said = ask(python)
    assert said.stderr == b""
    assert said.stdout.startswith(b"\n" + MARKER.encode())
    version = "'%d.%d.%d' % sys.version_info[:3]"
    assert str(said.report["version"]).startswith(bare(python, version))
    assert said.report["sysconfig_error"] is None
    assert decoded(said.report["prefix"]) == bare(python, "sys.prefix")
    assert said.report["sys_version"] == bare(python, "sys.version")
    assert str(said.report["hexversion"]) == bare(python, "str(sys.hexversion)")
    system = said.report["sysconfig"]
    assert isinstance(system, dict)
    purelib = "__import__('sysconfig').get_path('purelib')"
    assert decoded(system["paths"]["purelib"]) == bare(python, purelib)
    tag = "str(__import__('sysconfig').get_config_var('SOABI'))"
    assert str(system["variables"]["SOABI"]) == bare(python, tag)


def test_every_interpreter_names_its_search_path(python: str) -> None:
    paths = ask(python).report["sys_path"]
    assert isinstance(paths, list)
    assert "\n".join(map(decoded, paths)) == bare(python, "'\\n'.join(sys.path[1:])")


def test_without_site_and_environment(python: str) -> None:
    old = "2.7" in bare(python, "sys.version[:3]")
    options = ("-E", "-s", "-S") if old else ("-I", "-S")
    report = ask(python, *options, PYTHONPATH="/nowhere").report
    flags = report["flags"]
    assert isinstance(flags, dict)
    assert (flags["no_site"], flags["ignore_environment"]) == (1, 1)
    assert (report["user_site"], report["site_packages"]) == (None, None)
    paths = report["sys_path"]
    assert isinstance(paths, list)
    skipped = 1 if old else 0
    expected = bare(python, f"'\\n'.join(sys.path[{skipped}:])", *options)
    assert "\n".join(map(decoded, paths)) == expected


def test_a_site_hook_that_prints_does_not_spoil_it(python: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nos.write(1, b'marker-1: no newline')\nsys.stdout.write('more')\n"
    )
    said = ask(python, PYTHONPATH=str(tmp_path))
    assert said.stdout.startswith(b"marker-1: no newline\nmarker-1:7b")
    paths = said.report["sys_path"]
    assert isinstance(paths, list)
    assert decoded(paths[0]) == str(tmp_path)


def test_a_site_hook_that_raises_costs_nothing(python: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("raise ValueError('theirs')\n")
    said = ask(python, PYTHONPATH=str(tmp_path))
    assert said.report["sysconfig_error"] is None
    assert b"<string>" not in said.stderr


def test_the_users_own_modules_are_not_imported(python: str, tmp_path: Path) -> None:
    names = ["json", "platform", "re", "binascii", "hashlib", "struct", "sysconfig"]
    if bare(python, "str('sysconfig' in sys.modules)") == "True":
        names.pop()  # this interpreter's own start imports the user's
    for name in names:
        (tmp_path / f"{name}.py").write_text("import os\nos.write(1, b'imported')\n")
    start = bare(python, "''", PYTHONPATH=str(tmp_path))  # some start imports are site's own
    assert ask(python, PYTHONPATH=str(tmp_path)).stdout.count(b"imported") == start.count("imp")


def test_a_module_in_the_current_folder_is_not_imported(
    python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("sysconfig", "os", "re", "site", "posixpath"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.chdir(tmp_path)
    report = ask(python).report
    assert decoded(report["cwd"]) == os.path.realpath(tmp_path)
    paths = report["sys_path"]
    assert isinstance(paths, list)
    assert "" not in paths


@pytest.mark.parametrize("name", ["ünï cödé", b"caf\xe9\n\xff".decode("utf-8", "surrogateescape")])
def test_folders_of_any_name_arrive_byte_by_byte(python: str, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    ascii_too = ("C", "C.UTF-8")
    for locale in ascii_too[1:] if "pypy" in python else ascii_too:  # PyPy does not start there
        paths = ask(python, PYTHONPATH=os.fsencode(folder), LC_ALL=locale).report["sys_path"]
        assert isinstance(paths, list)
        assert paths[0] == os.fsencode(folder).hex()


def test_entries_that_are_no_paths_are_named_by_their_type(python: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Odd(object):\n    find_module = find_spec = lambda *_: None\n"
        "sys.path.append(Odd())\nsys.path.append(None)\nsys.path.append(7)\n"
        "sys.meta_path.append(Odd())\n"
    )
    report = ask(python, PYTHONPATH=str(tmp_path)).report
    assert report["not_paths"] == ["Odd", "NoneType", "int"]
    assert isinstance(report["meta_path"], list)
    assert report["meta_path"][-1] == "sitecustomize.Odd"


def test_a_string_no_file_system_can_name_is_no_path(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.path.append('\\ud800')\n")
    assert ask(sys.executable, PYTHONPATH=str(tmp_path)).report["not_paths"] == ["str"]


def test_a_pth_file_that_prints_does_not_spoil_it(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path], check=True)
    program = str(tmp_path / "bin" / "python")
    site = Path(bare(program, "__import__('sysconfig').get_path('purelib')"))
    (site / "loud.pth").write_text("import os; os.write(1, b'loud')\n")
    (site / "more.pth").write_text(f"{tmp_path}\nimport sys; raise ValueError('theirs')\n")
    (site / "conda-meta").mkdir()
    said = ask(program)
    assert b"loud\nmarker-1:7b" in said.stdout
    paths = said.report["sys_path"]
    assert isinstance(paths, list)
    assert [decoded(path) for path in paths[-2:]] == [str(site), str(tmp_path)]
    assert (decoded(said.report["prefix"]), decoded(said.report["base_prefix"])) == (
        str(tmp_path),
        sys.base_prefix,
    )
    assert (said.report["conda_meta"], said.report["base_conda_meta"]) == (False, False)


def test_a_conda_folder_is_seen(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path], check=True)
    (tmp_path / "conda-meta").mkdir()
    report = ask(str(tmp_path / "bin" / "python")).report
    assert (report["conda_meta"], report["base_conda_meta"]) == (True, False)


def test_a_broken_sysconfig_is_said_and_costs_only_its_part(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['sysconfig'] = None\n")
    report = ask(sys.executable, PYTHONPATH=str(tmp_path)).report
    assert report["sysconfig"] is None
    assert str(report["sysconfig_error"]).startswith("ModuleNotFoundError: ")
    assert report["sys_version"] == sys.version


def test_this_interpreter_in_full() -> None:
    report = ask(sys.executable).report
    system = report.pop("sysconfig")
    assert isinstance(system, dict)
    assert system["platform"] == sysconfig.get_platform()
    assert system["variables"] == {
        name: sysconfig.get_config_vars().get(name) for name in system["variables"]
    }
    level = {"alpha": "a", "beta": "b", "candidate": "rc"}.get(sys.version_info.releaselevel)
    suffix = f"{level}{sys.version_info.serial}" if level else ""
    version = "{}.{}.{}".format(*sys.version_info[:3]) + suffix
    plain: dict[str, object] = {
        "implementation": sys.implementation.name,
        "version": version,
        "implementation_version": version,
        "abiflags": sys.abiflags,
        "byteorder": sys.byteorder,
        "platform": sys.platform,
        "pointer_bits": 64 if sys.maxsize > 2**32 else 32,
        "machine": os.uname().machine,
        "not_paths": [],
        "sysconfig_error": None,
    }
    assert {key: report[key] for key in plain} == plain
    assert sys.version.startswith(f"{version} (") or "|" in sys.version
    assert f"[{report['compiler']}" in sys.version
    assert f", {report['build_date']})" in sys.version
    assert set(report) - set(plain) == {
        "base_conda_meta",
        "base_exec_prefix",
        "base_executable",
        "base_prefix",
        "build_date",
        "compiler",
        "conda_meta",
        "cwd",
        "enable_user_site",
        "exec_prefix",
        "executable",
        "flags",
        "gil_enabled",
        "hexversion",
        "libc",
        "meta_path",
        "prefix",
        "site_packages",
        "sys_path",
        "sys_version",
        "user_base",
        "user_site",
    }
