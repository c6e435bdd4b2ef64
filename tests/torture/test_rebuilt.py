"""Environments with an installation of every kind, locked, kept as files, made again offline."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from envsnap.manifest import Manifest, canonical_name, load
from envsnap.sections import Package, Packages, Unknown
from tests.torture.test_torture import VERSIONS, interpreter, made

if TYPE_CHECKING:
    from pathlib import Path

OFFLINE = ("unshare", "-rn")


def envsnap(
    *words: str, cwd: Path, environment: Mapping[str, Any], offline: bool = False
) -> subprocess.CompletedProcess[str]:
    """envsnap as a user runs it in the shell that has the environment's variables set."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [*(OFFLINE if offline else ()), sys.executable, "-m", "envsnap", *words],
        cwd=cwd, env={**variables, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def active(manifest: Manifest) -> Mapping[str, Package]:
    section = manifest.section(Packages)
    assert not isinstance(section, Unknown)
    assert not isinstance(section.installed, Unknown)
    return {canonical_name(each.name): each for each in section.installed if each.active}


def wanted_contents(manifest: Manifest) -> Mapping[str, object]:
    """What each package must hold after it was restored: its own files, or those of its wheel.

    An editable project has no files of its own in site-packages, an egg no RECORD, and a package
    that was edited is kept as it is: they hold what the wheel holds that was built or made.
    """
    assert manifest.lock is not None
    rebuilt = {each.name: each.content for each in manifest.lock.artifacts if each.url is None}
    return {name: rebuilt.get(name, each.content) for name, each in active(manifest).items()}


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("which", ["full", "shared"])
def test_every_kind_of_installation_is_restored_without_a_network(
    version: str, which: str, tmp_path: Path
) -> None:
    if (
        shutil.which(OFFLINE[0]) is None
        or subprocess.run([*OFFLINE, "true"], check=False).returncode
    ):
        pytest.skip("this machine lets nobody make a namespace without a network")
    environment = made(interpreter(version), tmp_path / "here")["environments"][which]
    python, variables = environment["python"], environment["variables"]

    captured = envsnap("capture", "-o", "m.json", "--python", python, cwd=tmp_path,
                       environment=variables)  # fmt: skip
    assert captured.returncode == 0, captured.stderr
    locked = envsnap("lock", "m.json", "--wheelhouse", "wheels", "--python", python, cwd=tmp_path,
                     environment=variables)  # fmt: skip
    assert locked.returncode == 0, locked.stderr
    assert "Packages lost: 0\n" in locked.stderr
    manifest = load(str(tmp_path / "m.json"))
    count = len(active(manifest))

    restored = envsnap("restore", "again", "--manifest", "m.json", "--wheelhouse", "wheels",
                       cwd=tmp_path, environment={}, offline=True)  # fmt: skip
    assert restored.returncode == 0, restored.stderr
    assert f"Restored {count} of {count} packages; all as captured\n" in restored.stderr

    envsnap("capture", "-q", "-o", "again.json", "--python", "again", cwd=tmp_path, environment={})
    again = active(load(str(tmp_path / "again.json")))
    versions = {name: each.version for name, each in active(manifest).items()}
    assert {name: each.version for name, each in again.items()} == versions
    stated = {name: each for name, each in wanted_contents(manifest).items() if name in again}
    contents = {name: each.content for name, each in again.items()}
    assert contents == {name: stated[name] for name in contents}
