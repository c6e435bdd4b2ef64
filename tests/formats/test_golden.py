"""What each format writes for one plan, kept as files: a change of a recipe is seen as a change."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping

import pytest

import envsnap.formats
from envsnap.formats import formats
from envsnap.inside import VERIFIER
from envsnap.manifest import FILE_NAME
from envsnap.plan import BatchJob, PlanOptions, plan
from envsnap.sections import Fact
from tests import made

GOLDEN = os.path.join(os.path.dirname(os.path.dirname(__file__)), "golden")
ELSEWHERE = {*VERIFIER, FILE_NAME}
"""Copied into every recipe as they are, and tested where they are made."""
_SEEN = re.compile(r"SEEN=[0-9a-f]{12}")
_VERSION = re.compile(r'(io\.envsnap\.version(?: |="))[0-9][^"\s]*')
JOB = BatchJob(partition="gpu", account="lab-7", gres="gpu:a100:1", time="04:00:00")


def digest(_reference: str) -> Fact[str]:
    return "sha256:" + "ab" * 32


def written(name: str) -> Mapping[str, str]:
    planned = plan(made.manifest(), PlanOptions(job=JOB), digest)
    shared = {} if name == "dockerfile" else formats()["dockerfile"].render(planned)
    return {
        path: _SEEN.sub("SEEN=DIGEST", _VERSION.sub(r"\1VERSION", without_reasons(text)))
        .replace(planned.environment, "ENVIRONMENT")
        .replace(planned.manifest_sha256, "MANIFEST")
        for path, text in formats()[name].render(planned).items()
        if os.path.basename(path) not in ELSEWHERE and shared.get(path) != text
    }


def without_reasons(text: str) -> str:
    """The plan's own words have their tests where they are chosen."""
    return "".join(row for row in text.splitlines(keepends=True) if not row.startswith("# - "))


def kept(name: str) -> Mapping[str, str]:
    root = os.path.join(GOLDEN, name)
    found = {}
    for folder, _, files in os.walk(root):
        for each in files:
            path = os.path.join(folder, each)
            with open(path, encoding="utf-8") as file:
                found[os.path.relpath(path, root).replace("_.", ".")] = file.read()
    return found


def keep(name: str, files: Mapping[str, str]) -> None:
    """A leading dot is spelled `_.`, so that no tool takes the file for its own."""
    shutil.rmtree(os.path.join(GOLDEN, name), ignore_errors=True)
    for path, text in files.items():
        parts = [f"_{part}" if part.startswith(".") else part for part in path.split("/")]
        target = os.path.join(GOLDEN, name, *parts)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w", encoding="utf-8") as file:
            file.write(text)


@pytest.mark.parametrize("name", sorted(formats()))
def test_a_format_writes_what_it_wrote(name: str, pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("--update-golden"):
        keep(name, written(name))
    assert written(name) == kept(name)


def test_every_module_of_the_folder_registers_a_format() -> None:
    folder = os.path.dirname(envsnap.formats.__file__)
    modules = {name[:-3] for name in os.listdir(folder) if name.endswith(".py")}
    assert {name for name in modules if not name.startswith("_")} == set(formats())


@pytest.mark.parametrize("name", sorted(formats()))
def test_a_format_brings_the_manifest_and_its_verifier(name: str) -> None:
    planned = plan(made.manifest(), PlanOptions(), digest)
    found = formats()[name].render(planned)
    copied = {os.path.basename(path): text for path, text in found.items()}
    assert copied.keys() >= ELSEWHERE
    assert copied[FILE_NAME] == planned.manifest
    assert formats()[name].main in {path.partition("/")[0] for path in found}
