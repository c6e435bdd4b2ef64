"""A manifest can be published: no secret, no person, and no terminal is misused by a name in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.processes import (
    Ended,
    distribution,
    environment,
    envsnap,
    site_packages,
    variables,
)

if TYPE_CHECKING:
    from pathlib import Path

SECRETS = {
    "variable": "c4n4ry-variable",
    "index": "c4n4ry-index",
    "extra index": "c4n4ry-extra-index",
    "uv index": "c4n4ry-uv-index",
    "user in remote": "c4n4ry-remote-user",
    "password in remote": "c4n4ry-remote-password",
    "user in direct url": "c4n4ry-direct-user",
    "password in direct url": "c4n4ry-direct-password",
    "token in direct url": "c4n4ry-direct-token",
    "argv": "c4n4ry-argv",
    "proxy": "c4n4ry-proxy",
}
NAMES = {
    "user": "n4me-user",
    "home": "n4me-home",
    "project": "n4me-project",
    "declared project": "n4me-declared",
    "remote host": "n4me-forge",
    "remote path": "n4me-lab",
    "branch": "n4me-branch",
    "environment": "n4me-environment",
    "editable package": "n4me-editable",
    "vcs package": "n4me-vcs",
    "vcs host": "n4me-vcs-forge",
    "directory package": "n4me-directory",
    "archive host": "n4me-archive-host",
    "index host": "n4me-index-host",
    "account": "n4me-account",
    "job": "n4me-job",
    "partition": "n4me-partition",
    "cluster": "n4me-cluster",
    "module": "n4me-module",
    "library path": "n4me-library",
    "cache": "n4me-cache",
    "author": "n4me-author",
    "broken package": "n4me-broken",
    "archive package": "n4me-wheel",
    "conda environment": "n4me-conda",
    "conda channel": "n4me-channel",
    "conda package": "n4me-built-here",
    "warning": "n4me-warning",
    "software": "n4me-software",
    "requirements": "n4me-requirements",
}


pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="there is no git here")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of somebody, with canaries wherever a name or a secret can lie."""
    here = tmp_path / f"my {NAMES['home']}" / NAMES["project"]
    env = environment(here / ".venv", idna="3.7")
    site = site_packages(env)
    packages(site, here)
    conda_packages(env)
    (site / f"~{NAMES['broken package']}-1.0.dist-info").mkdir()
    (here / "pyproject.toml").write_text(f'[project]\nname = "{NAMES["declared project"]}"\n')
    (here / f"{NAMES['requirements']}-requirements.txt").touch()
    repository(here)
    return here


def packages(site: Path, here: Path) -> None:
    user, password = SECRETS["user in direct url"], SECRETS["password in direct url"]
    token, host = SECRETS["token in direct url"], NAMES["archive host"]
    origins: dict[str, dict[str, Any]] = {
        NAMES["editable package"]: {"url": f"file://{here}", "dir_info": {"editable": True}},
        NAMES["directory package"]: {
            "url": f"file://{here}/{NAMES['directory package']}", "dir_info": {},
        },
        NAMES["archive package"]: {
            "url": f"file://{here}/{NAMES['archive package']}-1.0-py3-none-any.whl",
            "archive_info": {"hashes": {"sha256": "cd" * 32}},
        },
        NAMES["vcs package"]: {
            "url": f"https://{user}:{password}@{NAMES['vcs host']}.example/lab/x.git",
            "vcs_info": {"vcs": "git", "commit_id": "ab" * 20, "requested_revision": "main"},
        },
        "public": {
            "url": f"https://{user}:{password}@{host}.example/t/{token}/p.whl?sig={token}",
            "archive_info": {"hashes": {"sha256": "ab" * 32}},
        },
    }  # fmt: skip
    for name, origin in origins.items():
        distribution(site, name, "1.0", direct_url__json=json.dumps(origin))


def conda_packages(env: Path) -> None:
    (env / "conda-meta").mkdir()
    channel = f"https://conda.example/{NAMES['conda channel']}"
    urls = {"zlib": channel, NAMES["conda package"]: f"file://{env.parent}/conda-bld"}
    for name, url in urls.items():
        record = {"name": name, "version": "1.0", "build": "0", "channel": url, "files": []}
        record["url"] = f"{url}/linux-64/{name}-1.0-0.conda"
        (env / "conda-meta" / f"{name}-1.0-0.json").write_text(json.dumps(record))


def repository(here: Path) -> None:
    user, password = SECRETS["user in remote"], SECRETS["password in remote"]
    remote = (
        f"https://{user}:{password}@{NAMES['remote host']}.example/{NAMES['remote path']}/x.git"
    )
    author = ["-c", f"user.name={NAMES['author']}", "-c", f"user.email={NAMES['author']}@x.example"]
    for words in (
        ["init", "-q", "-b", NAMES["branch"]],
        [*author, "commit", "-q", "--allow-empty", "-m", NAMES["author"]],
        ["remote", "add", "origin", remote],
    ):
        subprocess.run(
            ["git", *words], cwd=here, check=True, timeout=20,
            env={"PATH": os.environ["PATH"], "HOME": str(here.parent), "GIT_CONFIG_NOSYSTEM": "1"},
        )  # fmt: skip


def speaking(here: Path) -> dict[str, str]:
    """The variables of somebody's shell on a cluster."""
    home = here.parent
    return variables(
        HOME=str(home),
        USER=NAMES["user"],
        LOGNAME=NAMES["user"],
        MY_TOKEN=SECRETS["variable"],
        AWS_SECRET_ACCESS_KEY=SECRETS["variable"],
        PIP_INDEX_URL=f"https://u:{SECRETS['index']}@{NAMES['index host']}.example/simple",
        PIP_EXTRA_INDEX_URL=f"https://u:{SECRETS['extra index']}@x.example/simple",
        UV_INDEX_URL=f"https://u:{SECRETS['uv index']}@x.example/simple",
        https_proxy=f"http://u:{SECRETS['proxy']}@proxy.example:1",
        SLURM_JOB_ID="4711",
        SLURM_JOB_NAME=NAMES["job"],
        SLURM_JOB_ACCOUNT=NAMES["account"],
        SLURM_JOB_PARTITION=NAMES["partition"],
        SLURM_CLUSTER_NAME=NAMES["cluster"],
        LOADEDMODULES=f"gcc/12.2.0:{NAMES['module']}/1.0",
        LD_LIBRARY_PATH=f"/data/{NAMES['library path']}/lib:{home}/lib",
        CONDA_DEFAULT_ENV=NAMES["conda environment"],
        CUDA_HOME=f"/usr/local/{NAMES['software']}/cuda-12.4",
        PYTHONWARNINGS=f"ignore:::{NAMES['warning']}",
        TF_XLA_FLAGS=f"--xla_dump_to=/scratch/{NAMES['cache']}/dump",
    )


def captured(here: Path, *words: str) -> Ended:
    ended = envsnap("capture", "-o", "m.json", *words, cwd=here, env=speaking(here))
    assert ended.code == 0, ended.err
    return ended


def everything_said(here: Path) -> str:
    """All that envsnap writes of this manifest, anywhere."""
    texts = [(here / "m.json").read_text()]
    for words in (
        ["show", "m.json"], ["show", "m.json", "--packages"], ["show", "m.json", "--sentence"],
        ["check", "m.json", "-v", "--host-only"], ["diff", "m.json", "m.json"],
        ["check", "m.json", "--format", "json", "--host-only"],
    ):  # fmt: skip
        ended = envsnap(*words, cwd=here, env=speaking(here))
        texts += [ended.out, ended.err]
    return "\n".join(texts)


def found_in(text: str, canaries: dict[str, str]) -> list[str]:
    """Which canaries are there; '_' and '-' are one in package names."""
    plain = text.replace("_", "-")
    return [what for what, canary in canaries.items() if canary in plain]


def test_no_secret_leaves_the_machine_in_any_output(project: Path) -> None:
    ended = captured(project)
    assert found_in(ended.out + ended.err + everything_said(project), SECRETS) == []


def test_a_secret_in_the_command_line_is_not_recorded(project: Path) -> None:
    envsnap("capture", "-o", f"{SECRETS['argv']}.json", "-q", cwd=project, env=speaking(project))
    assert found_in((project / f"{SECRETS['argv']}.json").read_text(), SECRETS) == []


def test_a_usual_capture_names_nobody_s_user_folders_or_job(project: Path) -> None:
    captured(project)
    allowed = {
        "project", "declared project", "remote host", "remote path", "branch", "editable package",
        "vcs package", "vcs host", "directory package", "archive host", "module", "broken package",
        "partition", "archive package", "conda environment", "conda channel", "conda package",
        "warning", "software", "requirements",
    }  # fmt: skip
    assert set(found_in(everything_said(project), NAMES)) - allowed == set()


def test_an_anonymous_capture_names_nobody_and_nothing_of_theirs(project: Path) -> None:
    ended = captured(project, "--anonymous")
    hidden = found_in((project / "m.json").read_text(), NAMES)
    assert hidden == []
    assert found_in(ended.out + ended.err + everything_said(project), NAMES) == []
    found = json.loads((project / "m.json").read_text())
    assert found["captured"]["anonymous"] is True
    titles = [each["name"] for each in found["sections"]["packages"]["installed"]]
    assert titles == ["idna", *(f"local-package-{number}" for number in range(1, 5)), "public"]


def test_two_captures_in_a_row_are_the_same_bytes(project: Path) -> None:
    captured(project, "--record", "../record")
    (project / "m.json").rename(project.parent / "first.json")
    captured(project)
    first, second = (
        json.loads(path.read_text()) for path in (project.parent / "first.json", project / "m.json")
    )
    for each in (first, second):
        del each["captured"]["time"]
        del each["sections"]["moment"]
    assert first == second
    assert json.dumps(first) == json.dumps(second)


HOSTILE = (
    'x"; rm -rf / #',
    "$(touch /tmp/owned)",
    "a\x1b[2J\x1b]0;owned\x07b",
    "RUN\tcurl x | sh",
    "{{ 7 * 7 }}",
    "%post",
    "\u202egnp.exe",
    "name' --extra-index-url='https://x.example",
)


def test_hostile_names_are_kept_as_text_and_shown_without_harm(tmp_path: Path) -> None:
    here = tmp_path / "project"
    site = site_packages(environment(here / ".venv", idna="3.7"))
    for number, name in enumerate(HOSTILE):
        folder = distribution(site, f"hostile{number}", "1.0")
        (folder / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\x1b[31m\n", "utf-8")
    ended = envsnap("capture", "-o", "m.json", cwd=here)
    assert ended.code == 0
    found = json.loads((here / "m.json").read_text())
    names = {each["name"] for each in found["sections"]["packages"]["installed"]}
    assert names == {*HOSTILE, "idna"}
    asked = (
        ["show", "m.json"], ["show", "m.json", "--packages"], ["show", "m.json", "--sentence"],
        ["show", "m.json", "--field", "packages"], ["check", "m.json"], ["check", "m.json", "-v"],
        ["check", "m.json", "--against", "t4-cloud", "-v"], ["diff", "m.json", "t4-cloud"],
        ["check", "m.json", "--format", "json"], ["diff", "m.json", "t4-cloud", "--format", "json"],
        ["build", "m.json", "--docker"],
    )  # fmt: skip
    tools = without_tools(tmp_path)
    outputs = [ended, *(envsnap(*words, cwd=here, env=tools) for words in asked)]
    for each in outputs:
        assert re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", each.out + each.err) == []
    assert "a\\x1b[2J\\x1b]0;owned\\x07b 1.0" in outputs[2].out


def without_tools(folder: Path) -> dict[str, str]:
    """A PATH on which there is no locker and no engine to talk to."""
    return variables(PATH=str(folder / "none"), PIP_NO_INDEX="1", UV_OFFLINE="1")


def test_an_error_that_quotes_a_name_is_shown_without_harm(tmp_path: Path) -> None:
    name = "a\x1b[2J.json"
    ended = envsnap("show", name, cwd=tmp_path)
    assert ended == (
        3,
        "",
        "error: No manifest at a\\x1b[2J.json\nhint: Look what is there: ls *.json\n",
    )
