"""The environment that its user works in is captured, and nothing of the host's or of ours."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.processes import (
    BASE,
    CHECKOUT,
    distribution,
    environment,
    envsnap,
    run,
    site_packages,
    variables,
)

if TYPE_CHECKING:
    from pathlib import Path


def captured(here: Path, *words: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    ended = envsnap("capture", "-o", "-", "-q", *words, cwd=here, env=env or plain())
    assert ended.code == 0, ended.err
    sections: dict[str, Any] = json.loads(ended.out)["sections"]
    return sections


def plain(**more: str) -> dict[str, str]:
    return variables(**{"PATH": "/usr/bin:/bin", **more})


def names(sections: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["version"] for each in sections["packages"]["installed"]}


def test_a_venv_beside_wins_over_an_active_conda_base(tmp_path: Path) -> None:
    here = tmp_path / "project"
    environment(here / ".venv", idna="3.7")
    base = environment(tmp_path / "conda", boltons="24.0")
    (base / "conda-meta").mkdir()
    active = plain(
        PATH=f"{base}/bin:/usr/bin:/bin", CONDA_PREFIX=str(base), CONDA_DEFAULT_ENV="base"
    )
    ended = envsnap("capture", "-o", "-", cwd=here, env=active)
    sections = json.loads(ended.out)["sections"]
    assert names(sections) == {"idna": "3.7"}
    assert sections["python"]["chosen"] == ".venv here"
    kinds = [each["kind"] for each in sections["python"]["not_chosen"]]
    assert kinds[0] == "conda base"
    assert ended.err.splitlines()[:2] == [
        f'Reading venv ".venv" (.venv here), Python {BASE.version}',
        "  also here, not read: conda base, python3",
    ]


def test_an_active_environment_wins_over_a_venv_beside(tmp_path: Path) -> None:
    here = tmp_path / "project"
    environment(here / ".venv", idna="3.7")
    active = environment(tmp_path / "other", attrs="24.1.0")
    env = plain(PATH=f"{active}/bin:/usr/bin:/bin", VIRTUAL_ENV=str(active))
    sections = captured(here, env=env)
    assert names(sections) == {"attrs": "24.1.0"}
    assert sections["python"]["chosen"] == "active"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_venv_of_somebody_else_is_not_started_unless_it_is_named(tmp_path: Path) -> None:
    here = tmp_path / "project"
    site = site_packages(environment(here / ".venv", idna="3.7"))
    (site / "started.pth").write_text(f"import os; open({str(tmp_path / 'started')!r}, 'w')\n")
    os.chown(here / ".venv", 12345, 12345)
    env = plain(PATH=f"{environment(tmp_path / 'own', attrs='24.1.0')}/bin")
    ended = envsnap("capture", "-o", "-", cwd=here, env=env)
    assert ended.code == 0, ended.err
    sections = json.loads(ended.out)["sections"]
    assert names(sections) == {"attrs": "24.1.0"}
    assert sections["python"]["not_chosen"] == [{"kind": "foreign", "name": ".venv"}]
    assert ended.err.splitlines()[1] == "  also here, not read: .venv (owned by somebody else)"
    assert not (tmp_path / "started").exists()
    assert names(captured(here, "--python", ".venv", env=env)) == {"idna": "3.7"}
    assert (tmp_path / "started").exists()


def test_a_pth_that_prints_does_not_spoil_the_answer(tmp_path: Path) -> None:
    here = tmp_path / "project"
    site = site_packages(environment(here / ".venv", idna="3.7"))
    (site / "loud.pth").write_text(
        "import sys; print('Welcome to the cluster'); sys.stdout.flush();"
        " sys.stderr.write('a warning')\n"
    )
    sections = captured(here)
    assert names(sections) == {"idna": "3.7"}
    assert sections["python"]["degraded"] is None


def test_a_stray_egg_info_in_the_current_folder_is_no_package(tmp_path: Path) -> None:
    here = tmp_path / "project"
    environment(here / ".venv", idna="3.7")
    stray = here / "stray.egg-info"
    stray.mkdir()
    (stray / "PKG-INFO").write_text("Name: stray\nVersion: 1.0\n")
    distribution(here, "lying-about", "2.0")
    assert names(captured(here)) == {"idna": "3.7"}


def test_modules_in_the_current_folder_are_not_imported(tmp_path: Path) -> None:
    here = tmp_path / "project"
    environment(here / ".venv", idna="3.7")
    for module in ("json", "sysconfig", "site", "os", "platform"):
        (here / f"{module}.py").write_text("raise SystemExit('imported from here')\n")
    start = f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); from envsnap.cli import main"
    script = f"{start}; sys.exit(main(['capture', '-o', '-', '-q']))"
    ended = run([sys.executable, "-I", "-c", script], here, plain())
    assert ended.code == 0, ended.err
    assert names(json.loads(ended.out)["sections"]) == {"idna": "3.7"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Another machine's root: all its links are absolute, as that machine would follow them."""
    root = tmp_path / "root"
    env = root / "srv" / "env"
    (env / "bin").mkdir(parents=True)
    (root / "etc").mkdir()
    (root / "usr" / "lib" / "python3.9").mkdir(parents=True)
    (root / "usr" / "bin").mkdir()
    (root / "usr" / "bin" / "python3.9").write_text("")
    (root / "usr" / "lib" / "os-release").write_text(
        'ID=slackware\nVERSION_ID=15.0\nPRETTY_NAME="Slackware 15.0"\n'
    )
    (root / "etc" / "os-release").symlink_to("/usr/lib/os-release")
    (env / "bin" / "python").symlink_to("/usr/bin/python3.9")
    (env / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.9.2\n")
    stored = root / "data" / "site"
    stored.mkdir(parents=True)
    distribution(stored, "idna", "2.10")
    (env / "lib" / "python3.9").mkdir(parents=True)
    (env / "lib" / "python3.9" / "site-packages").symlink_to("/data/site")
    (root / "home").symlink_to("/data")
    return root


def test_a_tree_full_of_absolute_links_shows_nothing_of_the_host(tree: Path) -> None:
    sections = captured(tree.parent, "--root", str(tree), "--python", "/srv/env")
    assert names(sections) == {"idna": "2.10"}
    assert sections["os"]["distribution"] == "slackware"
    assert sections["python"]["version"] == "3.9.2"
    not_running = {"unknown": "no-running-machine"}
    for place in (("os", "kernel"), ("gpu", "driver"), ("environ", "variables")):
        section, field = place
        found = sections[section].get(field, sections[section])
        assert found["unknown"] == not_running["unknown"], place
    host = "".join(f"{value}\n" for value in (os.uname().release, os.uname().nodename))
    text = json.dumps(sections)
    assert [line for line in host.splitlines() if line in text] == []


def test_a_link_out_of_the_tree_leads_nowhere(tree: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    distribution(secret, "hosts-own", "1.0")
    place = tree / "srv" / "env" / "lib" / "python3.9" / "site-packages"
    place.unlink()
    place.symlink_to(f"../../../../../../{secret.name}")
    sections = captured(tmp_path, "--root", str(tree), "--python", "/srv/env")
    assert names(sections) == {}
    assert "hosts-own" not in json.dumps(sections)
    assert BASE.path not in json.dumps(sections)
