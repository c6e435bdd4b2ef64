"""Real environments with an installation of every kind, captured: each is seen for what it is."""

from __future__ import annotations

import glob
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from envsnap._capture import capture
from envsnap.host import LocalHost
from envsnap.manifest import encode
from envsnap.probes import Options
from envsnap.probes._located import located
from envsnap.sections import Git, Package, Packages, Unknown

MAKE = Path(__file__).parent / "make.py"
VERSIONS = ("3.8", "3.11", "3.13")
SECRET = "s3cret"  # noqa: S105 - the password that make.py puts into an address


def interpreter(version: str) -> str:
    """A real interpreter of that version; skips where there is none."""
    found = glob.glob(os.path.expanduser(f"~/.pyenv/versions/{version}.*/bin/python"))
    path = found[0] if found else shutil.which(f"python{version}")
    if path is None:
        pytest.skip(f"no Python {version} on this machine")
    return path


def made(python: str, folder: Path, *options: str) -> dict[str, Any]:
    """What make.py says that it made."""
    uv = shutil.which("uv", path=os.path.dirname(sys.executable)) or shutil.which("uv")
    words = ["--python", python, *(("--uv", uv) if uv else ()), *options, str(folder)]
    ran = subprocess.run(
        [sys.executable, str(MAKE), *words], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    told: dict[str, Any] = json.loads(ran.stdout)
    return told


def looked_at(environment: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, str]:
    """The packages section of a captured environment, and the manifest's text."""
    for name in ("PYTHONPATH", "PYTHONUSERBASE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment["variables"].items():
        monkeypatch.setenv(name, value)
    options = Options(python=environment["python"])
    manifest = capture(LocalHost(), options, sections=frozenset({"python", "packages"}))
    found = manifest.section(Packages)
    assert isinstance(found, Packages), found
    assert not isinstance(found.installed, Unknown)
    return found, encode(manifest)


def described(package: Package, expected: Mapping[str, Any]) -> dict[str, object]:
    """The same facts of a package as were expected of it."""
    facts: dict[str, object] = {
        "kind": package.origin.kind,
        "version": package.version,
        "evidence": package.evidence,
        "layer": package.layer,
        "installer": package.installer,
        "commit": package.origin.commit,
        "revision": package.origin.revision,
        "archive_hash": package.origin.archive_hash,
        "index_hint": package.origin.index_hint,
        "built_here": package.built_here,
        "difference": isinstance(package.origin.difference, str),
        "git": state(package.origin.git),
    }
    return {name: facts[name] for name in expected if name != "hidden"}


def state(git: object) -> object:
    if not isinstance(git, Git):
        return git
    fields = ("commit", "changed_files", "pushed")
    return {name: getattr(git, name) for name in fields}


def compared(found: Packages, environment: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """What is not as make.py says, package by package."""
    assert not isinstance(found.installed, Unknown)
    by_name: dict[str, list[Package]] = {}
    for each in found.installed:
        by_name.setdefault(each.name, []).append(each)
    for name, expected in environment["packages"].items():
        active, *hidden = by_name.get(name, [None])
        facts = described(active, expected) if active else None
        wanted = {key: value for key, value in expected.items() if key != "hidden"}
        if facts != wanted or (active and not active.active):
            yield name, facts
        if [each.version for each in hidden if each] != expected.get("hidden", []):
            yield f"{name}, hidden", [each.version for each in hidden if each]
    assert not isinstance(found.broken, Unknown)
    broken = {each.location.rpartition("/")[2]: each.why for each in found.broken}
    if broken != environment["broken"]:
        yield "broken", broken


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_every_kind_of_installation_is_seen_for_what_it_is(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(made(interpreter(version), tmp_path / "here", "--offline"), monkeypatch)


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize("version", VERSIONS)
def test_so_is_what_an_index_and_setuptools_install(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = made(interpreter(version), tmp_path / "here")
    assert not [kind for kind in told["left_out"] if kind != "uv"]
    check(told, monkeypatch)


def check(told: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for environment in told["environments"].values():
        found, text = looked_at(environment, monkeypatch)
        assert dict(compared(found, environment)) == {}
        assert SECRET not in text
        again = located(LocalHost(), Options(python=environment["python"]))
        assert not isinstance(again, Unknown)
        assert [each.package for each in again.packages] == list(found.installed)


def test_an_environment_with_nothing_in_it_has_no_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True
    )
    environment = {"python": str(tmp_path / "bare" / "bin" / "python"), "variables": {}}
    found, _ = looked_at(environment, monkeypatch)
    assert found == Packages(installed=(), conda_only=(), broken=())
