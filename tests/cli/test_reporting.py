"""The forms of check's answer, from the command line."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from envsnap.cli import main
from envsnap.host import LocalHost, RecordingHost
from envsnap.lock._export import REQUIREMENTS_MARK
from envsnap.manifest import save
from tests.checks import answer
from tests.rules.machines import T4, gpu, machine


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two manifests in a fresh working folder."""
    monkeypatch.chdir(tmp_path)
    save(machine(), "a.json")
    save(machine(gpu=gpu(T4)), "t4.json")


STARTS = {
    "text": "wanted  a.json: environment ",
    "json": '{\n  "checks": [',
    "markdown": "## ",
    "html": "<!doctype html>",
    "junit": '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>',
    "sarif": '{\n  "$schema": ',
}
NAMES = {
    "text": "r.txt", "json": "r.json", "markdown": "r.md", "html": "r.html", "junit": "r.xml",
    "sarif": "r.sarif",
}  # fmt: skip


@pytest.mark.parametrize("form", STARTS)
def test_every_form_is_the_payload_and_answers_alike(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    assert answer("a.json", "--against", "t4.json", "--format", form) == 1
    told = capsys.readouterr()
    assert told.out.lower().startswith(STARTS[form].lower())
    assert told.out.endswith("\n")
    assert told.err == ""
    assert answer("a.json", "--against", "a.json", "--format", form, "--fail-on", "blocks") == 0


def test_one_check_writes_every_form_and_tells_the_reader_the_usual_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [word for name in NAMES.values() for word in ("-o", name)]
    assert answer("a.json", "--against", "t4.json", *words) == 1
    assert capsys.readouterr().out.startswith(STARTS["text"])
    for form, name in NAMES.items():
        written = Path(name).read_text(encoding="utf-8")
        assert written.lower().startswith(STARTS[form].lower())
        assert "\x1b" not in written
        answer("a.json", "--against", "t4.json", "--format", form)
        assert written == capsys.readouterr().out


def test_a_file_has_the_whole_report_where_the_terminal_has_the_verdicts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert answer("a.json", "--against", "t4.json", "-q", "-o", "r.txt", "--color", "always") == 1
    assert "Exit 1" not in capsys.readouterr().out
    written = Path("r.txt").read_text(encoding="utf-8")
    assert "Exit 1" in written
    assert "\x1b" not in written


@pytest.mark.parametrize(
    ("words", "name", "start"),
    [
        (["--format", "sarif"], "r.json", STARTS["sarif"]),
        (["--format", "json"], "report", STARTS["json"]),
        (["--latex"], "claim.tex", "We compared the environment \\texttt{"),
        (["--format", "markdown"], "r.SARIF", STARTS["sarif"]),
    ],
)
def test_the_ending_says_the_form_and_the_format_where_it_says_none(
    words: list[str], name: str, start: str
) -> None:
    answer("a.json", "--against", "t4.json", *words, "-o", name)
    assert Path(name).read_text(encoding="utf-8").startswith(start)


def test_several_machines_are_one_document_in_each_form() -> None:
    words = [word for name in NAMES.values() for word in ("-o", name)]
    assert answer("a.json", "--against", "t4.json", "--against", "a.json", *words) == 1
    assert len(json.loads(Path("r.sarif").read_text())["runs"]) == 2
    assert len(json.loads(Path("r.json").read_text())["checks"]) == 2
    suites = ET.fromstring(Path("r.xml").read_bytes())  # noqa: S314 - our own
    assert sorted(str(each.get("name")) for each in suites) == ["a.json", "t4.json"]
    assert Path("r.md").read_text(encoding="utf-8").count("<summary>❌ t4.json: ") == 1
    assert "t4.json" in Path("r.html").read_text(encoding="utf-8")


NO_FORM = (
    "The ending of -o report says no form\n"
    "hint: The endings are .txt, .json, .md, .html, .xml, .sarif"
)
NO_FOLDER = "Cannot write no/r.md: No such file or directory\nhint: Make its folder: mkdir -p no"
REPLACES = "-o {} would replace a manifest\nhint: Name another file: -o report.json"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("report", (2, NO_FORM)),
        ("a.json", (2, REPLACES.format("a.json"))),
        ("./link.json", (2, REPLACES.format("./link.json"))),
        ("new/envsnap.lock.json", (2, REPLACES.format("new/envsnap.lock.json"))),
        ("no/r.md", (7, NO_FOLDER)),
    ],
)
def test_a_file_that_cannot_be_is_one_message_and_nothing_is_printed(
    capsys: pytest.CaptureFixture[str], path: str, expected: tuple[int, str]
) -> None:
    Path("link.json").symlink_to("a.json")
    before = Path("a.json").read_bytes()
    code = answer("a.json", "--against", "t4.json", "-o", path)
    told = capsys.readouterr()
    assert told.out == ""
    assert (code, told.err) == (expected[0], f"error: {expected[1]}\n")
    assert Path("a.json").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "record"),
    [
        (["-o", "paper.json"], "a manifest"),
        (["-o", "newer.json"], "a manifest"),
        (["-o", "rec/host.json"], "a recording"),
        (["--format", "json", "-o", "rec.tar"], "a recording"),
        (["-o", "requirements.txt"], "a lock"),
    ],
)
def test_a_report_replaces_no_record_that_is_not_compared_either(
    capsys: pytest.CaptureFixture[str], words: list[str], record: str
) -> None:
    save(machine(), "paper.json")
    Path("newer.json").write_text('{"schema": "9.0", "sections": {}}')
    for name in ("rec", "rec.tar"):
        RecordingHost(LocalHost()).save(name)
    Path("requirements.txt").write_text(f"{REQUIREMENTS_MARK} from environment 0123456789ab.\n")
    path = words[-1]
    before = Path(path).read_bytes()
    code = answer("a.json", "--against", "t4.json", "-o", "r.md", *words)
    told = capsys.readouterr()
    says = f"error: -o {path} would replace {record}\nhint: Name another file: -o report.json\n"
    assert (code, told.out, told.err) == (7, "", says)
    assert Path(path).read_bytes() == before
    assert not Path("r.md").exists()


def test_a_report_replaces_any_other_file_that_is_named() -> None:
    Path("README.md").write_text("mine\n")
    Path("data.json").write_text('{"schema": "of something else"}')
    assert answer("a.json", "--against", "t4.json", "-o", "README.md", "-o", "data.json") == 1
    assert Path("README.md").read_text(encoding="utf-8").startswith("## ")
    assert json.loads(Path("data.json").read_text())["report"] == "1.1"


def test_a_report_is_replaced_whole_and_nothing_is_left_beside_it() -> None:
    Path("r.json").write_text("an older one")
    Path("r.json").chmod(0o600)
    answer("a.json", "--against", "t4.json", "-o", "r.json")
    assert json.loads(Path("r.json").read_text())["report"] == "1.1"
    assert stat.S_IMODE(Path("r.json").stat().st_mode) == 0o600
    assert sorted(os.listdir()) == ["a.json", "r.json", "t4.json"]


def test_the_schema_needs_no_manifest_and_every_report_fits_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    import jsonschema

    assert main(["check", "--schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(schema)
    for words in (["t4.json"], ["t4.json", "--against", "a.json"], ["a.json", "--ignore", "PKG"]):
        answer("a.json", "--against", *words, "--format", "json")
        jsonschema.validate(json.loads(capsys.readouterr().out), schema)


def test_a_claim_is_one_paragraph_and_the_exit_code_stays(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert answer("a.json", "--against", "t4.json", "--sentence") == 1
    said = capsys.readouterr().out
    assert said.startswith("We compared the environment ")
    assert said.count("\n") == 1
    assert answer("a.json", "--against", "t4.json", "--latex") == 1
    assert "sm\\_75" in (latex := capsys.readouterr().out) or "\\texttt{GPU003}" in latex


def test_two_forms_at_once_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer("a.json", "--against", "a.json", "--format", "json", "--latex") == 2
    assert "not allowed with argument" in capsys.readouterr().err
