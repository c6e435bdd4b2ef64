"""envsnap import as a whole process."""

from __future__ import annotations

import json

import pytest

from tests.cli.processes import envsnap, variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

FREEZE = "idna==3.7\ntorch==2.4.1+cu121\n"


def test_what_a_list_says_is_written_and_what_is_missing_is_said(tmp_path: Path) -> None:
    (tmp_path / "freeze").write_text(FREEZE)
    ended = envsnap("import", "freeze", cwd=tmp_path, env=variables(SOURCE_DATE_EPOCH="0"))
    assert (ended.code, ended.out) == (0, "")
    assert "  Read       freeze: pip freeze\n" in ended.err
    assert "  Packages   2: torch 2.4.1+cu121, idna 3.7\n" in ended.err
    assert ended.err.startswith("  Health     nothing wrong in what the text says; too little")
    assert (
        "To send to whoever reported it\n"
        "  Please run this and paste what it prints:\n"
        "      python -m torch.utils.collect_env\n"
    ) in ended.err
    assert ended.err.split("\n")[-2].startswith("Wrote imported.json    ")
    tree = json.loads((tmp_path / "imported.json").read_text())
    assert tree["captured"]["imported"] == ["pip freeze"]
    assert tree["captured"]["time"] == "1970-01-01T00:00:00Z"
    assert tree["environment"]["unknown"] == "not-recorded"
    assert tree["sections"]["gpu"] == {
        "unknown": "not-recorded",
        "detail": "what was imported does not say it",
    }


ISSUE = """\
RuntimeError: CUDA error: no kernel image is available for execution on the device

```
$ nvidia-smi -L
GPU 0: NVIDIA GeForce RTX 5090 (UUID: GPU-00000000-0000-0000-0000-000000000000)
```

$ pip list | grep torch
torch                    2.3.1

OS: Ubuntu 22.04, python 3.10.14. thx
"""


def test_a_pasted_issue_is_answered_first_and_what_was_not_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "issue.md").write_text(ISSUE)
    ended = envsnap("import", "issue.md", "-o", "m.json", cwd=tmp_path)
    assert ended.code == 0
    assert ended.err.startswith(
        "  It says    CUDA: no kernel image is available: a library holds no code for\n"
        "             this GPU\n"
    )
    said = " ".join(ended.err.split())
    for told in (
        "Read issue.md: nvidia-smi -L, pip list ",
        " Not read 1 line that may tell facts: 'OS: Ubuntu 22.04, python 3.10.14. thx' ",
        " Packages 1: torch 2.3.1 ",
        " Assumed that programs see every GPU in the list: the text does not tell ",
    ):
        assert told in said
    shown = envsnap("show", "m.json", cwd=tmp_path)
    assert shown.out.startswith("Imported ")
    assert ", as told by nvidia-smi -L, pip list\n" in shown.out.replace("\n  ", " ", 1)


def test_several_texts_become_one_manifest_on_standard_output(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("idna==3.7\n")
    (tmp_path / "two").write_text("idna==3.6\nrich==13.0.0\n")
    ended = envsnap("import", "one", "two", "-o", "-", "-q", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    section = json.loads(ended.out)["sections"]["packages"]
    assert [each["name"] for each in section["installed"]] == ["rich"]
    assert section["unlisted"] == {
        "unknown": "witnesses-disagree",
        "detail": "idna 3.7 and 3.6",
    }


@pytest.mark.parametrize(
    "raw",
    [
        FREEZE.encode("utf-16"),
        FREEZE.encode("utf-16-le"),
        FREEZE.encode("utf-8-sig"),
        FREEZE.replace("\n", "\r\n").encode(),
    ],
    ids=["PowerShell's UTF-16", "UTF-16 without a mark", "a byte order mark", "Windows' line ends"],
)
def test_a_file_may_be_written_as_any_system_writes_it(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "freeze").write_bytes(raw)
    ended = envsnap("import", "freeze", "-o", "-", "-q", cwd=tmp_path)
    assert ended.code == 0
    installed = json.loads(ended.out)["sections"]["packages"]["installed"]
    assert [each["version"] for each in installed] == ["3.7", "2.4.1+cu121"]


def test_nothing_known_is_said_with_what_could_be_read(tmp_path: Path) -> None:
    (tmp_path / "prose").write_text("It crashes.\n")
    ended = envsnap("import", "prose", cwd=tmp_path)
    assert ended.code == 3
    first, second = ended.err.rstrip("\n").split("\n")
    assert first == "error: prose: No report, list or table in it"
    assert second.startswith("hint: Ask for what this prints: python -m torch.utils.collect_env; ")
    assert not (tmp_path / "imported.json").exists()


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "program").write_bytes(b"\x7fELF\x02\x01\x01\0\0\0\0\0")
    ended = envsnap("import", "program", cwd=tmp_path)
    assert (ended.code, ended.err.split("\n")[0]) == (3, "error: program: Not text")


def test_a_file_with_nothing_in_it_is_said_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "nothing").write_text("\n \n")
    ended = envsnap("import", "nothing", cwd=tmp_path)
    assert (ended.code, ended.err.split("\n")[0]) == (3, "error: nothing: It is empty")


def test_a_line_that_is_not_understood_shows_no_password(tmp_path: Path) -> None:
    lines = "idna==3.7\n%%% https://me:s3cret@files.example/t/tk-s3cret/x\n"
    (tmp_path / "list").write_text(f"{lines}git+https://tok:s3cret@files.example/a/b\n")
    ended = envsnap("import", "list", "--as", "requirements.txt", "-o", "-", cwd=tmp_path)
    assert ended.code == 0
    assert "s3cret" not in ended.err + ended.out
    assert "1 line not understood: '%%% https://files.example/x'" in " ".join(ended.err.split())


def test_a_file_too_large_to_be_pasted_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(21 * 1024 * 1024)
    ended = envsnap("import", "large", cwd=tmp_path)
    assert (ended.code, ended.err.split("\n")[0]) == (3, "error: large: Larger than 20 MiB")


def test_a_file_that_is_not_there_and_a_form_that_is_none_are_said(tmp_path: Path) -> None:
    absent = envsnap("import", "absent", cwd=tmp_path)
    assert (absent.code, absent.err.split("\n")[0]) == (7, "error: No file absent")
    (tmp_path / "freeze").write_text(FREEZE)
    form = envsnap("import", "freeze", "--as", "letter", cwd=tmp_path)
    assert (form.code, form.err.split("\n")[0]) == (2, "error: No form 'letter'")
    python = envsnap("import", "freeze", "--for-python", "three", cwd=tmp_path)
    assert python.err.split("\n")[0] == "error: No version of Python: 'three'"
    assert python.code == 2


def test_a_manifest_that_is_there_already_is_kept(tmp_path: Path) -> None:
    (tmp_path / "freeze").write_text(FREEZE)
    assert envsnap("import", "freeze", "-o", "m.json", cwd=tmp_path).code == 0
    before = (tmp_path / "m.json").read_bytes()
    again = envsnap("import", "freeze", "-o", "m.json", cwd=tmp_path)
    assert again.err.split("\n")[-2] == (
        "Unchanged: m.json says the same already, not a byte was written"
    )
    (tmp_path / "freeze").write_text("idna==3.6\n")
    other = envsnap("import", "freeze", "-o", "m.json", cwd=tmp_path)
    assert other.code == 7
    assert other.err.split("\n")[0] == "error: m.json is there already, and says something else"
    assert (tmp_path / "m.json").read_bytes() == before
    assert envsnap("import", "freeze", "-o", "m.json", "--force", cwd=tmp_path).code == 0


def test_names_that_misuse_a_terminal_do_not_reach_it(tmp_path: Path) -> None:
    (tmp_path / "freeze").write_text("idna==3.7\nrich==13.0.0\nnumpy==1.26.4\n\x1b[2Jha\n")
    ended = envsnap("import", "freeze", "--as", "requirements.txt", cwd=tmp_path)
    assert ended.code == 0
    assert "\x1b" not in ended.err


def test_check_says_not_checked_where_an_import_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "freeze").write_text(FREEZE)
    assert envsnap("import", "freeze", "-o", "m.json", cwd=tmp_path).code == 0
    ended = envsnap("check", "m.json", "--against", "m.json", cwd=tmp_path)
    assert ended.code == 4


def test_what_show_pastes_import_reads(tmp_path: Path) -> None:
    (tmp_path / "freeze").write_text(FREEZE)
    assert envsnap("import", "freeze", "-o", "m.json", cwd=tmp_path).code == 0
    pasted = envsnap("show", "m.json", "--paste", cwd=tmp_path)
    assert pasted.code == 0
    (tmp_path / "issue.md").write_text(f"It crashes.\n\n{pasted.out}\nThanks\n")
    ended = envsnap("import", "issue.md", "-o", "-", "-q", cwd=tmp_path)
    assert ended.code == 0
    installed = json.loads(ended.out)["sections"]["packages"]["installed"]
    assert [each["name"] for each in installed] == ["idna", "torch"]
