"""What a folder for repo2docker and an environment.yml do of a plan, and what they refuse."""

from __future__ import annotations

import json
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from envsnap.errors import PlanError
from envsnap.formats import formats
from envsnap.formats._context import write_context
from envsnap.plan import BaseImage, BuildPlan, LeftOut, PlanOptions, Secret, plan
from envsnap.plan._model import Interpreter, ProjectCode, SystemPackages
from tests import made
from tests.formats.test_golden import digest

if TYPE_CHECKING:
    from pathlib import Path

ELSEWHERE = "Write a Dockerfile or a definition instead: --docker, or --singularity"
NGC = {
    "base": BaseImage(
        reference="nvcr.io/nvidia/pytorch:25.10-py3", repository="nvcr.io/nvidia/pytorch",
        tag="25.10-py3", digest="sha256:" + "ab" * 32,
    ),
    "interpreter": Interpreter(how="image", executable="python3", system_site_packages=True),
}  # fmt: skip


def planned(**changes: object) -> BuildPlan:
    found = plan(made.manifest(), PlanOptions(), digest)
    return BuildPlan(**{**vars(found), **changes})


def on(repository: str) -> dict[str, object]:
    """A base image, of this repository."""
    name = repository.partition("/")[2]
    base = BaseImage(reference=f"{name}:1", repository=repository, tag="1", digest="sha256:0")
    return {"base": base}


def refusal(name: str, **changes: object) -> tuple[str, str | None]:
    with pytest.raises(PlanError) as caught:
        formats()[name].render(planned(**changes))
    return caught.value.message, caught.value.hint


@pytest.mark.parametrize(
    ("name", "title"), [("repo2docker", "repo2docker"), ("conda", "An environment.yml")]
)
def test_what_the_base_image_brings_is_not_silently_left_out(name: str, title: str) -> None:
    said = f"{title} has no base image to choose, and"
    assert refusal(name, **NGC) == (
        f"{said} nvcr.io/nvidia/pytorch:25.10-py3 is what brings the environment's packages",
        ELSEWHERE,
    )
    assert refusal(name, **on("docker.io/nvidia/cuda")) == (
        f"{said} nvidia/cuda:1 is what brings CUDA", ELSEWHERE,
    )  # fmt: skip
    assert refusal(name, **on("docker.io/rocm/dev-ubuntu-22.04")) == (
        f"{said} rocm/dev-ubuntu-22.04:1 is what brings ROCm", ELSEWHERE,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"offline": True}, "repo2docker cannot do --offline: conda's channels are asked"),
        (
            {"system": SystemPackages(snapshot="20260101T000000Z")},
            "repo2docker cannot do --snapshot: its system packages are those of the day",
        ),
        (
            {"secrets": (Secret("netrc", "/root/.netrc"),)},
            "repo2docker cannot do --netrc and --pip-conf: no file can be shown to a step alone",
        ),
    ],
)
def test_what_repo2docker_cannot_do_is_refused(changes: dict[str, object], message: str) -> None:
    assert refusal("repo2docker", **changes) == (message, ELSEWHERE)


def free_threaded() -> dict[str, object]:
    document = json.loads(planned().manifest)
    document["sections"]["python"]["free_threaded"] = True
    return {"manifest": json.dumps(document), "python": "3.13.12"}


def test_a_python_without_its_lock_is_named_as_such_or_refused() -> None:
    text = formats()["conda"].render(planned(**free_threaded()))["environment.yml"]
    assert '  - "python=3.13.12=*_cp313t"\n' in text
    assert refusal("repo2docker", **free_threaded()) == (
        (
            "repo2docker's own Python is the usual one, and this is 3.13.12 without its lock "
            "(free-threaded)"
        ),
        ELSEWHERE,
    )


def test_the_variables_reach_what_is_started(tmp_path: Path) -> None:
    variables = (("CUBLAS_WORKSPACE_CONFIG", ":4096:8"), ("X", "a 'b' $HOME"))
    write_context(str(tmp_path), formats()["repo2docker"].render(planned(variables=variables)))
    done = subprocess.run(
        [str(tmp_path / "binder" / "start"), "sh", "-c", 'echo "$CUBLAS_WORKSPACE_CONFIG|$X|$1"',
         "sh", "a b"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == ":4096:8|a 'b' $HOME|a b\n"
    assert "binder/start" not in formats()["repo2docker"].render(planned(variables=()))


def test_the_projects_code_is_unpacked_and_replaces_no_file_of_ours(tmp_path: Path) -> None:
    code = ProjectCode("paper", "a" * 40, "ab" * 32)
    files = formats()["repo2docker"].render(planned(project=code, wheels=(), sources=()))
    write_context(str(tmp_path), files)
    (tmp_path / "src" / "binder").mkdir(parents=True)
    (tmp_path / "src" / "train.py").write_text("print()\n")
    (tmp_path / "src" / "binder" / "postBuild").write_text("exit 1\n")
    with tarfile.open(tmp_path / "project.tar", "w") as archive:
        for name in ("train.py", "binder/postBuild"):
            archive.add(tmp_path / "src" / name, arcname=name)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "python").chmod(0o755)
    subprocess.run(
        [str(tmp_path / "binder" / "postBuild")],
        check=True,
        env={"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"},
    )
    assert (tmp_path / "project" / "train.py").read_text() == "print()\n"
    assert (tmp_path / "binder" / "postBuild").read_text() == files["binder/postBuild"]


def test_an_environment_file_says_how_it_is_made_and_judged() -> None:
    made_of = planned(left_out=(LeftOut("a", "1", "because"),))
    rows = formats()["conda"].render(made_of)["environment.yml"].splitlines()
    name = f"envsnap-{made_of.environment}"
    assert rows[1:4] == [
        "# In this folder (mamba and micromamba do the same):",
        "#   conda env create -f environment.yml",
        (
            f"#   conda run -n {name} python -I -B verify.py --others-ok "
            "$(sed 's/^/--without /' left-out.txt) envsnap.lock.json"
        ),
    ]
    assert f'name: "{name}"' in rows
    assert refusal("conda", offline=True) == (
        "An environment.yml cannot do --offline or --fetch: conda's channels are asked", ELSEWHERE,
    )  # fmt: skip
