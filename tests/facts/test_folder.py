"""Newer tables that somebody brings: what is taken, and what is refused with its reason."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from envsnap.errors import ExitCode, FileError
from envsnap.facts import Looked, NewerThanFacts, cuda_driver, determinism, given
from envsnap.facts._schema import fault_of
from envsnap.facts._table import document_of, use
from envsnap.facts.folder import NAMES, read_folder
from envsnap.manifest import save
from tests import made
from tests.cli.processes import Ended, envsnap, variables
from tests.facts.test_tables import FOLDER, TABLES
from tests.rules.book.packages import BASE, having

AGAIN = "Take the table from a newer envsnap, or leave it out"
NEXT_CUDA = {
    "kind": "toolkit", "toolkit": "14.0.0", "linux_driver_min": "620.10.01",
    "windows_driver_min": None, "source": ["t3"], "confidence": "high",
}  # fmt: skip


def newer(date: str = "2027-02-01") -> dict[str, Any]:
    """The table of drivers as somebody else has it, with a CUDA that came later."""
    document = document_of("cuda_driver")
    rows = document["rows"]
    last = max(number for number, row in enumerate(rows) if row["kind"] == "toolkit")
    row = {**rows[last], **{key: NEXT_CUDA[key] for key in rows[last] if key in NEXT_CUDA}}
    row["source"] = rows[last]["source"]
    rows.insert(last + 1, row)
    return {**document, "date": date}


def written(folder: Path, document: object, name: str = "cuda_driver") -> str:
    folder.mkdir(exist_ok=True)
    text = document if isinstance(document, str) else json.dumps(document)
    (folder / f"{name}.json").write_text(text, encoding="utf-8")
    return str(folder)


def test_the_names_are_those_of_the_tables_that_envsnap_brings() -> None:
    assert list(NAMES) == TABLES


def test_a_newer_table_answers_in_the_place_of_our_own(tmp_path: Path) -> None:
    assert cuda_driver.floor("14.0") == NewerThanFacts("CUDA 14.0", "2026-11-21")
    use(read_folder(written(tmp_path, newer())))
    try:
        answer = cuda_driver.floor("14.0")
        assert isinstance(answer, Looked)
        assert answer.value.exact == "620.10.01"
        assert cuda_driver.floor("15.0") == NewerThanFacts("CUDA 15.0", "2027-02-01")
        assert given() == {"cuda_driver": "2027-02-01"}
    finally:
        use({})
    assert cuda_driver.floor("14.0") == NewerThanFacts("CUDA 14.0", "2026-11-21")


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    document = newer()
    change(document)
    return document


def first_row(**fields: object) -> dict[str, Any]:
    return changed(lambda document: document["rows"][0].update(fields))


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (newer("2026-11-20"), "of 2026-11-20, older than envsnap's own of 2026-11-21"),
        ({**newer(), "schema": 2}, "unsupported schema 2"),
        ([], "unsupported schema None"),
        (first_row(confidence="certain"),
         "'certain' is not one of ['high', 'medium', 'low'] in 'rows[0].confidence'"),
        (first_row(colour="green"), "unknown field 'colour' in 'rows[0]'"),
        (first_row(source=["nobody"]), "unknown source 'nobody' in 'rows[0].source'"),
        (changed(lambda document: document["rows"][0].pop("source")),
         "no 'source' in 'rows[0]'"),
        (changed(lambda document: document["rows"].append(document["rows"][-1])),
         "row out of order, or twice, in 'rows[115]'"),
        (changed(lambda document: document.update(rows=document["rows"][:1])),
         "no rows: 'forward_compat'"),
        ({**newer(), "date": "tomorrow"}, "'tomorrow' is no date in 'date'"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_used_is_refused_with_its_place(
    document: object, why: str, tmp_path: Path
) -> None:
    folder = written(tmp_path, document)
    with pytest.raises(FileError) as caught:
        read_folder(folder)
    path = str(tmp_path / "cuda_driver.json")
    assert (caught.value.message, caught.value.hint) == (
        f"The table of facts {path!r}: {why}",
        AGAIN,
    )


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "\udcff".encode("utf-8", "replace").decode()])
def test_what_is_no_json_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is no JSON"):
        read_folder(written(tmp_path, text))


def test_a_table_that_is_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"cuda_driver.json' is larger than 8 MiB"):
        read_folder(written(tmp_path, " " * (8 * 1024 * 1024 + 1)))


def test_a_folder_without_a_table_or_without_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text("{}", encoding="utf-8")
    with pytest.raises(FileError) as caught:
        read_folder(str(tmp_path))
    assert caught.value.message == f"No table of facts in {str(tmp_path)!r}"
    nowhere = str(tmp_path / "nowhere")
    with pytest.raises(FileError) as caught:
        read_folder(nowhere)
    assert caught.value.message == (
        f"The folder of facts {nowhere!r} cannot be read: No such file or directory"
    )


def test_our_own_tables_could_be_brought_by_somebody() -> None:
    found = {name: each.date for name, each in read_folder(str(FOLDER)).items()}
    assert found == {name: document_of(name)["date"] for name in TABLES}


@pytest.mark.parametrize("name", TABLES)
def test_what_the_library_for_json_schema_refuses_is_refused(name: str) -> None:
    from jsonschema import Draft202012Validator

    schema = document_of("schema")
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    values: tuple[object, ...] = (None, True, -1, "", "x y", [], {}, ["", ""])
    whole = document_of(name)
    for value in values:
        for field in whole["rows"][0]:
            row = {**whole["rows"][0], field: value}
            document = {**whole, "sources": whole["sources"][:1], "rows": [row]}
            refused = not validator.is_valid(document)
            assert (fault_of(document, schema) is not None) is refused, (field, value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(("schema", "date", "sources", "rows", "kind", "id", "source", "x")),
            inner,
        )
    ),
    max_leaves=20,
)


@hypothesis.given(JSON, st.booleans())
def test_no_document_does_more_than_be_refused(value: object, is_row: bool) -> None:  # noqa: FBT001
    document = {**newer(), "rows": [value]} if is_row else value
    with tempfile.TemporaryDirectory() as folder, pytest.raises(FileError):
        read_folder(written(Path(folder), json.dumps(document)))


def explained(folder: str, *words: str, env: dict[str, str] | None = None) -> Ended:
    return envsnap("explain", "R1", *words, cwd=Path(folder), env=env)


def test_the_command_says_which_facts_it_took(tmp_path: Path) -> None:
    folder = written(tmp_path / "newer", newer())
    said = f"facts: cuda_driver of 2027-02-01, from {folder}\n"
    ended = explained(str(tmp_path), "--facts", folder)
    assert (ended.code, ended.err) == (0, said)
    assert ended.out.startswith("R1  a newer driver runs programs")


def test_lint_takes_newer_tables_too(tmp_path: Path) -> None:
    folder = written(tmp_path / "newer", newer())
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    ended = envsnap("lint", "Dockerfile", "--facts", folder, cwd=tmp_path)
    assert ended.err.startswith(f"facts: cuda_driver of 2027-02-01, from {folder}\n")
    assert ended.code in {ExitCode.OK, ExitCode.NO}


def test_a_folder_that_cannot_be_used_ends_with_exit_code_seven(tmp_path: Path) -> None:
    folder = written(tmp_path / "older", newer("2026-01-01"))
    ended = explained(str(tmp_path), "--facts", folder)
    assert ended.code == ExitCode.FILE
    assert ended.err == (
        f"error: The table of facts '{folder}/cuda_driver.json': of 2026-01-01, older than "
        f"envsnap's own of 2026-11-21\nhint: {AGAIN}\n"
    )


def test_the_variable_names_the_folder_for_every_command(tmp_path: Path) -> None:
    folder = written(tmp_path / "newer", newer())
    told = f"facts: cuda_driver of 2027-02-01, from {folder}\n"
    ended = explained(str(tmp_path), env=variables(ENVSNAP_FACTS=folder))
    assert (ended.code, ended.err) == (0, told)
    assert explained(str(tmp_path), "-q", "--facts", folder).err == ""


def test_a_check_looks_up_in_the_newer_tables(tmp_path: Path) -> None:
    cuda_14 = having(made.package("nvidia-cuda-runtime", "14.0.48"))
    paths = [str(tmp_path / name) for name in ("wanted.json", "found.json")]
    for path, manifest in zip(paths, (cuda_14, BASE), strict=True):
        save(manifest, path)
    words = ("check", paths[0], "--against", paths[1], "--select", "DRV001")
    ended = envsnap(*words, cwd=tmp_path)
    assert ended.code == ExitCode.CANNOT_TELL
    assert "CUDA 14 is newer than facts of 2026-11-21" in " ".join(ended.out.split())
    folder = written(tmp_path / "newer", newer())
    ended = envsnap(*words, "--facts", folder, cwd=tmp_path)
    assert ended.code == ExitCode.NO
    said = " ".join(ended.out.replace("DRV001", "").split())
    assert (
        "nvidia-cuda-runtime is built for CUDA 14.0, which needs driver 620.10.01; here is" in said
    )


def test_no_table_adds_to_the_variables_that_a_capture_reads(tmp_path: Path) -> None:
    document = document_of("determinism")
    rows = [row for row in document["rows"] if row["kind"] == "variable"]
    spy = {**rows[-1], "name": "ZZ_TOKEN", "holds": "text"}
    document["rows"].append(spy)
    for row in rows:
        row["holds"] = "text"
    before = determinism.names(), determinism.holds("LD_LIBRARY_PATH")
    use(read_folder(written(tmp_path, {**document, "date": "2027-02-01"}, "determinism")))
    try:
        assert isinstance(determinism.variable("ZZ_TOKEN"), Looked)
        assert (determinism.names(), determinism.holds("LD_LIBRARY_PATH")) == before
    finally:
        use({})
    assert before[1] == "paths"
