"""The files of facts: their shape, their order, their sources, and how they are read."""

from __future__ import annotations

import doctest
import importlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

import envsnap.facts
from envsnap.facts import Looked, NewerThanFacts, NotInTable, date_of, parse_driver

FOLDER = Path(envsnap.facts.__file__).parent
SCHEMA = json.loads((FOLDER / "schema.json").read_text(encoding="utf-8"))
TABLES = sorted(path.stem for path in FOLDER.glob("*.json") if path.stem != "schema")
# Spelled in two halves so that this file does not hold the names it forbids.
REGISTRY_HOSTS = tuple(
    f"{name}.{ending}"
    for name, ending in (
        ("pypi", "org"),
        ("python" + "hosted", "org"),
        ("deb.debian", "org"),
        ("debian", "org/debian"),
        ("npm" + "js", "org"),
        ("npm" + "js", "com"),
    )
)


def read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return document


def natural(value: object) -> tuple[tuple[int, int, str], ...]:
    """Make numbers in a text compare as numbers."""
    parts = re.findall(r"\d+|\D+", str(value))
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)


def key(row: dict[str, Any]) -> tuple[object, ...]:
    fields = SCHEMA["$defs"][row["kind"]]["x-key"]
    return (row["kind"], *(natural(row[field]) for field in fields))


def test_the_tables_are_the_ones_that_have_a_module() -> None:
    assert TABLES == [
        "cpu_features",
        "cuda_driver",
        "cuda_users",
        "cudnn",
        "determinism",
        "gpu_arch",
        "gpu_packages",
        "installers",
        "library_families",
        "manylinux",
        "ngc_images",
        "nvidia_cuda_images",
        "nvidia_pip",
        "package_needs",
        "package_roles",
        "principles",
        "python_builds",
        "python_images",
        "python_sources",
        "system_packages",
        "torch_cuda",
    ]
    assert [name for name in TABLES if not (FOLDER / f"{name}.py").is_file()] == []


def faults(document: object) -> list[str]:
    from jsonschema import Draft202012Validator

    checker = Draft202012Validator.FORMAT_CHECKER
    validator = Draft202012Validator(SCHEMA, format_checker=checker)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def test_the_schema_is_a_schema() -> None:
    from jsonschema import Draft202012Validator

    assert Draft202012Validator(Draft202012Validator.META_SCHEMA).is_valid(SCHEMA)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_follows_the_schema(name: str) -> None:
    assert faults(read(name)) == []


def test_the_schema_refuses_a_row_that_tells_too_little_or_too_much() -> None:
    document = read("cuda_driver")
    del document["rows"][0]["confidence"]
    document["rows"][1]["confidence"] = "certain"
    document["rows"][2]["colour"] = "green"
    assert faults(document) == [
        "$.rows[0]: 'confidence' is a required property",
        "$.rows[1].confidence: 'certain' is not one of ['high', 'medium', 'low']",
        "$.rows[2]: Additional properties are not allowed ('colour' was unexpected)",
    ]


@pytest.mark.parametrize("name", TABLES)
def test_every_source_is_named_once_and_used(name: str) -> None:
    document = read(name)
    named = [source["id"] for source in document["sources"]]
    used = {source for row in document["rows"] for source in row["source"]}
    assert named == sorted(used)


@pytest.mark.parametrize("name", TABLES)
def test_rows_are_sorted_and_unique(name: str) -> None:
    keys = [key(row) for row in read(name)["rows"]]
    assert keys == sorted(set(keys))


@pytest.mark.parametrize("name", TABLES)
def test_a_row_that_rests_on_general_knowledge_alone_is_not_high(name: str) -> None:
    rows = read(name)["rows"]
    alone = [row for row in rows if row["source"] == ["gk"]]
    assert [row for row in alone if row["confidence"] == "high"] == []


@pytest.mark.parametrize("name", [*TABLES, "schema"])
def test_a_file_names_no_package_registry(name: str) -> None:
    text = (FOLDER / f"{name}.json").read_text(encoding="ascii")
    assert [host for host in REGISTRY_HOSTS if host in text] == []


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_one_row_a_line(name: str) -> None:
    document = read(name)
    lines = (FOLDER / f"{name}.json").read_text(encoding="ascii").splitlines()
    # The first line, the one between sources and rows, and the last one are the frame.
    assert len(lines) == len(document["rows"]) + len(document["sources"]) + 3


def test_all_tables_together_are_small() -> None:
    sizes = {name: (FOLDER / f"{name}.json").stat().st_size for name in TABLES}
    assert sizes.pop("system_packages") < 1_000_000  # six releases, 55,000 libraries
    assert sum(sizes.values()) < 550_000


def test_the_date_of_a_table_is_the_day_of_its_facts() -> None:
    assert date_of("cuda_driver") == "2026-11-21"
    assert date_of("python_images") == "2026-08-21"


@pytest.mark.parametrize("name", [*TABLES, "_table"])
def test_the_examples_in_the_docstrings_are_true(name: str) -> None:
    module = importlib.import_module(f"envsnap.facts.{name}")
    assert doctest.testmod(module).failed == 0


def test_an_answer_says_in_words_why_there_is_none() -> None:
    newer = NewerThanFacts("CUDA 14.0", "2026-11-21")
    missing = NotInTable("CUDA 8.0", "cuda_driver")
    assert str(newer) == "CUDA 14.0 is newer than facts of 2026-11-21"
    assert str(missing) == "CUDA 8.0 is not in the table 'cuda_driver'"


def test_only_low_confidence_is_weak() -> None:
    assert [Looked(1, level, ()).weak for level in ("high", "medium", "low")] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("525.60.13", (525, 60, 13)),
        ("450.80.02", (450, 80, 2)),
        ("", None),
        ("550.54.15-beta", None),
        ("550..15", None),
        ("550.²", None),
        ("9" * 5000, None),
    ],
)
def test_a_driver_version_is_numbers_or_nothing(text: str, numbers: tuple[int, ...] | None) -> None:
    assert parse_driver(text) == numbers


def test_the_tables_are_read_from_inside_a_zip(tmp_path: Path) -> None:
    archive = tmp_path / "tool.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("envsnap/__init__.py", "")
        file.write(FOLDER.parent / "_typing.py", "envsnap/_typing.py")
        for path in sorted([*FOLDER.glob("*.py"), *FOLDER.glob("*.json")]):
            file.write(path, f"envsnap/facts/{path.name}")
    script = (
        f"import sys; sys.path.insert(0, {str(archive)!r})\n"
        "from envsnap.facts import cuda_driver\n"
        "print(cuda_driver.__file__.endswith('tool.zip/envsnap/facts/cuda_driver.py'))\n"
        "print(cuda_driver.floor('12.4').value.lowest)\n"
    )
    command = [sys.executable, "-I", "-S", "-c", script]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert answer.stdout == "True\n525.60.13\n"
