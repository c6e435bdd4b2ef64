"""What we write has none of the traps that lint knows, and shellcheck has nothing to say."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pytest

from envsnap.formats import formats
from envsnap.lint import lint
from envsnap.lint._definition import definition
from envsnap.lint._files import Beside
from envsnap.plan import LeftOut, Secret
from envsnap.plan._model import (
    BaseImage,
    Interpreter,
    Layer,
    ProjectCode,
    SystemPackage,
    SystemPackages,
)
from envsnap.sections import Artifact, replace
from tests import made
from tests.formats.reading import NAMES, planned, rendered, yaml_of
from tests.linters import SHELLCHECK

if TYPE_CHECKING:
    from pathlib import Path


def many(count: int) -> tuple[Artifact, ...]:
    return tuple(
        replace(
            made.ARTIFACTS[1], name=f"package-{number}", version="1.0",
            filename=f"package_{number}-1.0-py3-none-any.whl",
            url=f"{made.FILES}/package_{number}-1.0-py3-none-any.whl",
        )
        for number in range(count)
    )  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("travelling", [False, True])
def test_five_thousand_packages_fit(name: str, tmp_path: Path, travelling: bool) -> None:  # noqa: FBT001
    wheels = tuple(replace(each, url=None) for each in many(5000)) if travelling else many(5000)
    large = planned(
        wheels=wheels, sources=(), layers=(Layer("rest", wheels),), embed=travelling,
    )  # fmt: skip
    files = formats()[name].render(large)
    if name == "apptainer":
        parsed = definition(files["envsnap.def"], Beside("."))
        assert max(each.size for each in parsed.sections) < 48 * 1024
    if name == "dockerfile":
        assert len(files["Dockerfile"]) < 64 * 1024
    if name == "conda":
        (below,) = [
            each
            for each in yaml_of(files["environment.yml"])["dependencies"]  # type: ignore[attr-defined]
            if isinstance(each, dict)
        ]
        assert len(below["pip"]) == 5000
    assert own_problems(tmp_path, files) == []


def own_problems(folder: Path, files: Mapping[str, str]) -> list[str]:
    """What lint says of a context of ours."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    judged = ("Dockerfile", "envsnap.def", "binder", "environment.yml")
    if not any((folder / path).exists() for path in judged):
        return []
    return [f"{each.line}: {each.code} {each.message}" for each in lint([str(folder)]).problems]


ARCHIVED = BaseImage(
    reference="oci-archive:base.tar", repository="oci-archive:base.tar", tag=None, digest=""
)
"""What a definition starts from where no network is used; a Dockerfile has another name for it."""
CHANGES: tuple[Mapping[str, object], ...] = (
    {},
    {"embed": True, "offline": True},
    {"embed": True, "offline": True, "base": ARCHIVED},
    {"secrets": (Secret("netrc", "/root/.netrc"), Secret("pip.conf", "/etc/pip.conf"))},
    {"ca_certificates": "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"},
    {"project": ProjectCode("paper", "a" * 40, "ab" * 32)},
    {"left_out": (LeftOut("a", "1", "because"),), "gpu": False},
    {"system": SystemPackages(
        image=(SystemPackage("libgl1", "libGL.so.1, which x needs"),),
        builder=(SystemPackage("gcc", "antlr4 is built"),),
    )},
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("changes", CHANGES, ids=lambda each: "-".join(each) or "usual")
def test_what_we_write_has_no_trap_in_it(
    name: str, changes: Mapping[str, object], tmp_path: Path
) -> None:
    files = rendered(name, **changes)
    asked = {"offline", "secrets"} & changes.keys()
    if files is None and asked and name in {"repo2docker", "conda"}:  # they cannot do it
        return
    if "offline" in changes and name in {"apptainer", "dockerfile", "devcontainer"}:
        # Each takes its base image in one of the two ways, and refuses the other.
        assert (files is None) is (("base" in changes) is (name != "apptainer"))
        if files is None:
            return
    assert files is not None
    assert own_problems(tmp_path, files) == []


def test_all_formats_lie_in_one_folder_without_a_trap(tmp_path: Path) -> None:
    files: dict[str, str] = {}
    for name in NAMES:
        for path, text in formats()[name].render(planned()).items():
            assert files.setdefault(path, text) == text
    assert own_problems(tmp_path, files) == []


SHELLS: tuple[tuple[str, str, Callable[[Mapping[str, str]], str]], ...] = (
    ("slurm", "bash", lambda files: files["job.sbatch"]),
    ("repo2docker", "sh", lambda files: files["binder/postBuild"]),
    ("repo2docker", "sh", lambda files: files["binder/start"]),
    ("apptainer", "sh", lambda files: files["install.sh"]),
    ("apptainer", "sh", lambda files: next(
        each.body for each in definition(files["envsnap.def"], Beside(".")).sections
        if each.name == "post"
    )),
)  # fmt: skip


@pytest.mark.skipif(not SHELLCHECK, reason="shellcheck is not on PATH")
@pytest.mark.parametrize(("name", "shell", "script"), SHELLS)
@pytest.mark.parametrize("changes", CHANGES, ids=lambda each: "-".join(each) or "usual")
def test_shellcheck_has_nothing_to_say(
    name: str,
    shell: str,
    script: Callable[[Mapping[str, str]], str],
    changes: Mapping[str, object],
) -> None:
    files = rendered(name, **changes)
    if files is None and name == "repo2docker":  # it refuses what it cannot do
        return
    if files is None and name == "apptainer" and "offline" in changes and "base" not in changes:
        return  # it would pull its base image
    assert files is not None
    text = script(files)
    done = subprocess.run(
        [SHELLCHECK, "-s", shell, "-S", "style", "-e", "SC1091", "-"],
        input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == ""


ARCHIVE = Interpreter(
    how="archive", executable="/opt/python/bin/python3", filename="cpython.tar.gz",
    url="https://files.example/cpython.tar.gz", sha256="ab" * 32,
)  # fmt: skip


def test_an_interpreter_that_the_base_cannot_fetch_comes_from_a_stage_before(
    tmp_path: Path,
) -> None:
    fetcher = BaseImage(
        reference="python:3.12-slim", repository="docker.io/library/python", tag="3.12-slim",
        digest="sha256:" + "cd" * 32,
    )  # fmt: skip
    files = formats()["apptainer"].render(planned(interpreter=ARCHIVE, builder=fetcher))
    parsed = definition(files["envsnap.def"], Beside("."))
    assert [[(each.key, each.value) for each in stage.headers] for stage in parsed.stages] == [
        [("bootstrap", "docker"), ("from", "docker.io/library/python@sha256:" + "cd" * 32),
         ("stage", "python")],
        [("bootstrap", "docker"), ("from", "docker.io/library/python@sha256:" + "ab" * 32),
         ("stage", "image")],
    ]  # fmt: skip
    assert [(each.name, each.arguments) for each in parsed.stages[1].sections][:2] == [
        ("files", ("from", "python")), ("files", ()),
    ]  # fmt: skip
    assert own_problems(tmp_path, files) == []
