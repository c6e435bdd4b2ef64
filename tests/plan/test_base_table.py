"""Forty and more manifests, the image that each starts from, and why: base_table.json.

A row names what the manifest has, what is chosen, and in `review` which rows of the facts say so.
"""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest

from envsnap import facts
from envsnap.errors import PlanError
from envsnap.facts import ngc_images, nvidia_cuda_images, python_builds, python_images
from envsnap.plan import BuildPlan, PlanOptions, plan
from tests.base_cases import DIGEST, answering, manifest_of

TABLE: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "base_table.json").read_text(encoding="ascii")
)
CHOSEN = [row for row in TABLE if "base" in row]
REFUSED = [row for row in TABLE if "refused" in row]


def name_of(row: dict[str, Any]) -> str:
    return str(row["name"])


def planned(row: dict[str, Any]) -> BuildPlan:
    return plan(manifest_of(row), PlanOptions(), answering(row.get("gone", [])))


def test_the_table_has_forty_rows_and_each_was_reviewed() -> None:
    assert len(TABLE) >= 40
    assert len({row["name"] for row in TABLE}) == len(TABLE)
    assert len(CHOSEN) + len(REFUSED) == len(TABLE)
    assert [row["name"] for row in TABLE if not row["review"]] == []


@pytest.mark.parametrize("row", CHOSEN, ids=name_of)
def test_the_image_is_the_one_in_the_table(row: dict[str, Any]) -> None:
    found = planned(row)
    assert found.base.reference == row["base"]
    assert found.base.digest == DIGEST
    assert (found.interpreter.filename or found.interpreter.executable) == row["python_from"]
    assert [f"{each.name} {each.version}" for each in found.left_out] == row.get("left_out", [])


@pytest.mark.parametrize("row", CHOSEN, ids=name_of)
def test_every_reason_of_the_table_is_given(row: dict[str, Any]) -> None:
    said = [f"{why.decision}: {why.because}" for why in planned(row).reasons]
    end = next(at for at, each in enumerate(said) if each.startswith("the environment is a venv"))
    pinned = f"the base image is pinned to {DIGEST}: the tag can be pushed again"
    assert pinned in said
    assert [each for each in said[:end] if each != pinned] == row["because"]


@pytest.mark.parametrize("row", REFUSED, ids=name_of)
def test_where_none_fits_the_nearest_is_named(row: dict[str, Any]) -> None:
    with pytest.raises(PlanError) as caught:
        planned(row)
    assert (caught.value.message, caught.value.hint) == (row["refused"], row["hint"])
    assert caught.value.exit_code == 6


@pytest.mark.parametrize(
    "row", [row for row in CHOSEN if row["base"].startswith("nvidia/cuda:")], ids=name_of
)
def test_an_image_with_cuda_is_in_its_table_and_not_gone(row: dict[str, Any]) -> None:
    answer = nvidia_cuda_images.by_tag(row["base"].partition(":")[2])
    assert isinstance(answer, facts.Looked)
    assert answer.value.state != "gone"
    rule = nvidia_cuda_images.cudnn_part(answer.value.cuda)
    assert isinstance(rule, facts.Looked)
    assert answer.value.cudnn in {None, rule.value}


@pytest.mark.parametrize(
    "row", [row for row in CHOSEN if row["base"].startswith("python:")], ids=name_of
)
def test_an_image_of_python_is_in_its_table_or_said_to_be_newer(row: dict[str, Any]) -> None:
    version, _, rest = row["base"].partition(":")[2].partition("-")
    by = (
        python_images.python_alpine_releases
        if "alpine" in rest
        else (python_images.python_slim_suites)
    )
    answer = by(version, row.get("machine", "x86_64"))
    if isinstance(answer, facts.NewerThanFacts):
        assert "is newer than facts of" in row["because"][0]
    else:
        assert isinstance(answer, facts.Looked)
        assert rest.removeprefix("slim-").removeprefix("alpine") == answer.value[0]


@pytest.mark.parametrize(
    "row", [row for row in CHOSEN if row["python_from"].startswith("cpython-")], ids=name_of
)
def test_an_archive_is_in_its_table_and_of_this_very_python(row: dict[str, Any]) -> None:
    found = planned(row)
    answer = python_builds.build(
        row.get("python", "3.11.7"), row.get("machine", "x86_64"),
        free_threaded=row.get("free_threaded", False),
    )  # fmt: skip
    assert isinstance(answer, facts.Looked)
    assert answer.value == (
        found.interpreter.filename, found.interpreter.url, found.interpreter.sha256,
    )  # fmt: skip
    assert found.interpreter.executable.startswith("/opt/python/bin/python3.")
    assert found.builder is not None
    assert found.builder.reference == "python:3.13.15-slim-bookworm"
    assert python_builds.address(answer.value.filename) == answer.value.url


def test_the_page_is_written_from_the_table() -> None:
    root = Path(__file__).parents[2]
    spec = importlib.util.spec_from_file_location("base_images", root / "scripts/base_images.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (root / "docs" / "base-images.md").read_text(encoding="ascii")
    assert module.page(TABLE) == written, "make docs"


def test_the_stage_that_fetches_is_an_image_that_is_still_made() -> None:
    answer = python_images.python_slim_suites("3.13.15")
    assert isinstance(answer, facts.Looked)
    assert "bookworm" in answer.value


def test_what_rests_on_weak_facts_says_so() -> None:
    weak = [
        row["name"]
        for row in CHOSEN
        if (month := re.match(r"nvcr\.io/nvidia/pytorch:(\d\d\.\d\d)-py3", row["base"]))
        and not (
            isinstance(answer := ngc_images.release(month[1]), facts.Looked)
            and answer.confidence == "high"
        )
        and not re.search(r"confidence|no table tells", " ".join(row["because"]))
    ]
    assert weak == []
