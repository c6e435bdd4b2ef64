"""What cannot be used gets one clear message, its exit code, and nothing is touched."""

from __future__ import annotations

import json
import resource
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from envsnap.cli import main
from envsnap.manifest import document, encode, save
from tests import made
from tests.cli.processes import command, envsnap, names_in, variables

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1024 * 1024
COMMANDS = (
    ("show", "m.json"),
    ("check", "m.json"),
    ("diff", "m.json", "m.json"),
    ("lock", "m.json"),
    ("build", "m.json", "--docker"),
)
NAMED_FIRST = pytest.mark.parametrize("words", COMMANDS, ids=[each[0] for each in COMMANDS])

Said = Callable[..., tuple[int, str, str]]
Spoil = Callable[[dict[str, Any]], None]


@pytest.fixture
def said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Said:
    """Run a command in an empty folder: its exit code, its output and what it told."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        code = main(words)
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def tree() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encode(made.manifest()))
    return found


@NAMED_FIRST
def test_a_manifest_that_is_not_there_is_named(said: Said, words: tuple[str, ...]) -> None:
    assert said(*words) == (
        3,
        "",
        "error: No manifest at m.json\nhint: Look what is there: ls *.json\n",
    )


@pytest.mark.parametrize("words", [("show",), ("check",), ("lock",), ("build", "--docker")])
def test_no_manifest_here_or_upward_says_how_to_make_one(
    said: Said, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / ".git").mkdir()
    assert said(*words) == (
        3,
        "",
        "error: No envsnap.lock.json here or upward\nhint: Make one with: envsnap capture\n",
    )


@NAMED_FIRST
def test_a_truncated_manifest_is_told_with_line_and_column(
    said: Said, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "m.json").write_text('{\n  "schema": "1.0",\n  "sect')
    assert said(*words) == (
        3,
        "",
        (
            "error: m.json: Not JSON at line 3, column 3: Unterminated string starting at\n"
            "hint: The file may be cut short; fetch or capture it again\n"
        ),
    )
    assert (tmp_path / "m.json").read_text() == '{\n  "schema": "1.0",\n  "sect'
    assert names_in(tmp_path) == ["m.json"]


def _of_wrong_type(tree: dict[str, Any]) -> None:
    tree["sections"]["os"]["kernel"] = 6


def _of_a_missing_field(tree: dict[str, Any]) -> None:
    del tree["captured"]["time"]


def _of_a_wrong_item(tree: dict[str, Any]) -> None:
    tree["sections"]["packages"]["installed"][1]["version"] = ["3.7"]


def _of_an_unknown_field(tree: dict[str, Any]) -> None:
    tree["sections"]["os"]["colour"] = "red"


def _of_a_list(tree: dict[str, Any]) -> None:
    tree["sections"] = []


def _of_a_future(tree: dict[str, Any]) -> None:
    tree["schema"] = "2.0"


@pytest.mark.parametrize(
    "spoiled",
    [
        (_of_wrong_type, "error: m.json: Expected text, not 6, in 'sections.os.kernel'\n"),
        (_of_a_missing_field, "error: m.json: Missing field in 'captured.time'\n"),
        (
            _of_a_wrong_item,
            (
                "error: m.json: Expected text, not ['3.7'], in "
                "'sections.packages.installed[1].version'\n"
            ),
        ),
        (_of_an_unknown_field, "error: m.json: Unknown field in 'sections.os.colour'\n"),
        (_of_a_list, "error: m.json: Expected an object, not [], in 'sections'\n"),
        (
            _of_a_future,
            (
                "error: m.json: Unsupported version '2.0' in 'schema'\n"
                "hint: This envsnap reads version 1; use one that reads 2\n"
            ),
        ),
    ],
)
@NAMED_FIRST
def test_the_place_of_a_fault_is_told(
    said: Said, tmp_path: Path, words: tuple[str, ...], spoiled: tuple[Spoil, str]
) -> None:
    spoil, message = spoiled
    bad = tree()
    spoil(bad)
    (tmp_path / "m.json").write_text(json.dumps(bad))
    assert said(*words) == (3, "", message)
    assert json.loads((tmp_path / "m.json").read_text()) == bad
    assert names_in(tmp_path) == ["m.json"]


NEWER = (
    "envsnap: m.json was written by a newer envsnap (schema 1.7); "
    "fields it does not know are kept\n"
)


def newer() -> dict[str, Any]:
    found = tree()
    found["schema"] = "1.7"
    found["sections"]["os"]["colour"] = "red"
    found["sections"]["telescope"] = {"mirrors": [1, 2]}
    found["weather"] = {"wind": "west"}
    return found


def test_a_newer_minor_version_is_read_and_warned_about_once(said: Said, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps(newer()))
    code, out, err = said("show", "m.json", "--field", "python.version")
    assert (code, out, err) == (0, '"3.11.7"\n', NEWER)
    code, out, err = said("check", "m.json", "--against", "t4-cloud", "-q")
    assert (code in {0, 1, 4}, err) == (True, NEWER)


def test_a_version_of_its_own_is_not_warned_about(said: Said) -> None:
    save(made.manifest(), "m.json")
    assert said("show", "m.json", "--field", "python.version") == (0, '"3.11.7"\n', "")


def test_what_a_newer_version_added_is_written_back(tmp_path: Path) -> None:
    from envsnap.manifest import load

    (tmp_path / "m.json").write_text(json.dumps(newer()))
    found = document(load(str(tmp_path / "m.json")).with_lock(None))
    assert found["sections"]["os"]["colour"] == "red"
    assert found["sections"]["telescope"] == {"mirrors": [1, 2]}
    assert found["weather"] == {"wind": "west"}
    assert found["schema"] == "1.7"


@pytest.mark.parametrize("words", COMMANDS[:3], ids=[each[0] for each in COMMANDS[:3]])
def test_200_mb_are_refused_in_little_memory(tmp_path: Path, words: tuple[str, ...]) -> None:
    with (tmp_path / "m.json").open("wb") as file:
        file.truncate(200 * MIB)
    ended = envsnap(*words, cwd=tmp_path)
    assert ended == (3, "", "error: m.json: Larger than 64 MiB: not a manifest\n")
    assert peak_mib(tmp_path, *words) < 64


def peak_mib(cwd: Path, *words: str) -> float:
    """The most memory that a command held, MiB."""
    script = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stderr=-3);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    ran = subprocess.run(
        [command()[0], "-c", script, *command(*words)], cwd=cwd, env=variables(),
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return int(ran.stdout.split()[-1]) / 1024


def test_an_endless_manifest_from_standard_input_is_refused(tmp_path: Path) -> None:
    with open("/dev/zero", "rb") as endless:
        ran = subprocess.run(
            command("show", "-"), cwd=tmp_path, env=variables(), stdin=endless,
            capture_output=True, text=True, timeout=60, check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (400 * MIB, 400 * MIB)),
        )  # fmt: skip
    assert (ran.returncode, ran.stdout, ran.stderr) == (
        3,
        "",
        "error: standard input: Larger than 64 MiB: not a manifest\n",
    )


def test_an_unknown_command_names_the_nearest(said: Said) -> None:
    assert said("chekc") == (
        2,
        "",
        "error: Unknown command 'chekc'\nhint: Did you mean: envsnap check\n",
    )


@pytest.mark.parametrize(
    ("line", "fault", "hint"),
    [
        ("capture --anon", "No option --anon", "Did you mean --anonymous"),
        ("check --agianst=x.json", "No option --agianst", "Did you mean --against"),
        ("check --zzz", "No option --zzz", "See: envsnap check --help"),
        ("check a.json b.json", "One manifest is wanted; 'b.json' is a second",
         "To compare with it: envsnap check MANIFEST --against b.json"),
        ("diff a b c", "One word too many: 'c'", "See: envsnap diff --help"),
        ("check --format htm", "--format knows no 'htm'", "Did you mean html"),
        ("lock --locker make", "--locker knows no 'make'", "Give one of uv, pip-tools"),
        ("completion bsh", "shell knows no 'bsh'", "Did you mean bash"),
        ("check --against", "--against: expected one argument", "See: envsnap check --help"),
        ("import", "FILE is missing", "See: envsnap import --help"),
    ],
)  # fmt: skip
def test_a_wrong_word_is_told_with_the_nearest_there_is(
    said: Said, line: str, fault: str, hint: str
) -> None:
    assert said(*line.split()) == (2, "", f"error: {fault}\nhint: {hint}\n")


def test_a_profile_in_a_manifest_s_place_is_told_where_it_belongs(said: Said) -> None:
    assert said("check", "t4-cloud") == (
        3,
        "",
        (
            "error: No manifest at t4-cloud: it is the name of a profile\n"
            "hint: Compare with it: envsnap check --against t4-cloud\n"
        ),
    )


def test_a_folder_in_a_manifest_s_place_is_told(said: Said, tmp_path: Path) -> None:
    (tmp_path / "m.json").mkdir()
    assert said("show", "m.json") == (7, "", "error: Cannot read m.json: Is a directory\n")
