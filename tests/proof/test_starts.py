"""What an image sets, and where it starts: variables that change results, folders, ONBUILD."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envsnap._verify import Published
from envsnap.errors import ExitCode
from envsnap.sections import Environ
from tests import made
from tests.proof.images import (
    GOOD,
    LIBRARY,
    PACKAGES,
    RESULTS,
    SITE,
    Layer,
    image,
    labels,
    manifest,
    told,
    verified,
)

if TYPE_CHECKING:
    from pathlib import Path

PUBLISHED = Published(manifest(), "paper.json")
PATH = "PATH=/opt/env/bin:/usr/local/bin"
CHANGED = "which the manifest has as :4096:8: it changes results"


def set_to(*lines: str) -> dict[str, list[str]]:
    return {"Env": [PATH, *lines]}


def answer(reference: str) -> tuple[ExitCode, list[str], list[str]]:
    found = verified(reference, against=PUBLISHED)
    names = [name for each in found.not_proved if each.code != "base" for name in each.names]
    return found.exit_code, [says for code, says in told(found) if code == "setting"], names


@pytest.mark.parametrize(
    ("results", "says"),
    [
        (
            ("CUBLAS_WORKSPACE_CONFIG=:0:0",),
            f"the image sets CUBLAS_WORKSPACE_CONFIG=:0:0, {CHANGED}",
        ),
        ((), f"the image does not set CUBLAS_WORKSPACE_CONFIG, {CHANGED}"),
        (
            (*RESULTS, "PYTHONOPTIMIZE=2"),
            "the image sets PYTHONOPTIMIZE=2, which the manifest does not have",
        ),
        (
            (*RESULTS, "GLIBC_TUNABLES=x"),
            "the image sets GLIBC_TUNABLES=x, which the manifest does not have",
        ),
    ],
)
def test_a_variable_that_changes_what_is_computed_is_told(
    tmp_path: Path, results: tuple[str, ...], says: str
) -> None:
    assert answer(image(tmp_path, starts=set_to(*results))) == (ExitCode.NO, [says], [])


def test_of_a_variable_that_only_the_image_has_the_base_could_tell(tmp_path: Path) -> None:
    reference = image(tmp_path, starts=set_to(*RESULTS, "NVIDIA_TF32_OVERRIDE=1"))
    assert answer(reference) == (ExitCode.CANNOT_TELL, [], ["NVIDIA_TF32_OVERRIDE=1"])


def test_what_others_set_when_they_start_may_be_missing(tmp_path: Path) -> None:
    said = {name: value for name, value in labels().items() if name != "io.envsnap.version"}
    assert answer(image(tmp_path, starts=set_to(), said=said))[1] == []


@pytest.mark.parametrize("value", ["a\nb", "{{x}}", "\u00e4"])
def test_what_no_recipe_can_write_may_be_missing(tmp_path: Path, value: str) -> None:
    variables = Environ(variables={"CUBLAS_WORKSPACE_CONFIG": ":4096:8", "XLA_FLAGS": value})
    wanted = made.manifest(PACKAGES, manifest().lock.artifacts, environ=variables)  # type: ignore[union-attr]
    found = verified(image(tmp_path), against=Published(wanted, "paper.json"))
    assert [says for code, says in told(found) if code == "setting"] == []


def test_a_recipe_of_another_version_had_another_rule(tmp_path: Path) -> None:
    said = {**labels(), "io.envsnap.version": "0.0.9"}
    assert answer(image(tmp_path, starts=set_to(), said=said))[1] == []


def test_a_manifest_that_knows_no_variables_holds_nobody_to_them(tmp_path: Path) -> None:
    wanted = made.manifest(PACKAGES, manifest().lock.artifacts, environ=made.NOT_LOOKED)  # type: ignore[union-attr]
    found = verified(image(tmp_path, starts=set_to()), against=Published(wanted, "paper.json"))
    assert [says for code, says in told(found) if code == "setting"] == []


@pytest.mark.parametrize("folder", [f"{SITE}/idna", LIBRARY, f"{SITE}/../site-packages/idna/"])
def test_programs_that_start_in_a_library_import_from_there(tmp_path: Path, folder: str) -> None:
    status, says, _ = answer(image(tmp_path, starts={"WorkingDir": folder}))
    assert status == ExitCode.NO
    assert says[0].endswith("and import from there before all else: WORKDIR")


@pytest.mark.parametrize("folder", ["/opt/project", "/home/envsnap", "srv", "", "/"])
def test_programs_may_start_anywhere_else(tmp_path: Path, folder: str) -> None:
    assert answer(image(tmp_path, starts={"WorkingDir": folder})) == (ExitCode.OK, [], [])


def test_steps_for_those_who_build_on_it_are_told(tmp_path: Path) -> None:
    reference = image(tmp_path, starts={"OnBuild": ["RUN steal"]})
    assert answer(reference) == (ExitCode.CANNOT_TELL, [], ["RUN steal"])


def test_a_program_before_one_of_the_environment_is_told(tmp_path: Path) -> None:
    layers = (GOOD[0], {**GOOD[1], "/opt/env/bin/activate.fish": b"set x\n"}, GOOD[2])
    layer: Layer = {"/srv/bin/activate.fish": b"steal\n"}
    path = ("PATH=/srv/bin:/opt/env/bin",)
    status, says, _ = answer(image(tmp_path, layer, layers=layers, environ=path))
    assert status == ExitCode.NO
    assert says == ["PATH finds /srv/bin/activate.fish before /opt/env/bin/activate.fish"]
