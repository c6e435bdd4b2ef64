"""check, from two manifests to the exit code; the command line with recorded machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from envsnap._check import check
from envsnap.cli import main
from envsnap.cli._project import ignored_rules
from envsnap.errors import ExitCode, UsageError
from envsnap.manifest import Manifest, load, save
from envsnap.sections import replace
from tests import made
from tests.checks import HOSTS, Files, answer, on_the_machine_of, recorded
from tests.rules.machines import (
    T4,
    UNSEEN,
    cpu,
    device,
    driver,
    engine,
    engines,
    gpu,
    machine,
    packages,
)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    """Writes manifests by name into a fresh working folder."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, manifest: Manifest) -> str:
        save(manifest, name)
        return name

    return write


def test_two_manifests_are_compared(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    files("a.json", machine())
    assert answer("a.json", "--against", files("b.json", machine())) == 0
    assert "wanted  a.json: environment" in capsys.readouterr().out
    assert answer("a.json", "--against", files("t4.json", machine(gpu=gpu(T4)))) == 1
    assert "GPU003" in capsys.readouterr().out


def test_against_several_the_worst_answer_decides(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    files("a.json", machine())
    files("dark.json", machine(cpu=cpu(microarchitecture=UNSEEN)))
    files("t4.json", machine(gpu=gpu(T4)))
    assert answer("a.json", "--against", "a.json", "--against", "dark.json") == 4
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "Exit 4: of 2 machines, 1 will do, 1 cannot be told"
    assert answer("a.json", "--against", "dark.json", "--against", "t4.json") == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "Exit 1: of 2 machines, 1 runs with limits, 1 cannot be told"


def test_quiet_says_the_verdicts_alone(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    files("a.json", machine())
    assert answer("a.json", "--against", "a.json", "-q") == 0
    assert capsys.readouterr().out == (
        "  NATIVELY           RUNS                                   (decides the exit)\n"
        "  IN THE CONTAINER   RUNS\n"
        "  RESULTS            BITWISE?   if seeds, switches and hash seed were the same\n"
    )


def test_quiet_says_what_was_left_out(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    files("a.json", machine())
    assert answer("a.json", "--against", "a.json", "-q", "--ignore", "PKG") == 0
    assert capsys.readouterr().out.splitlines()[3:] == ["Left out     PKG: --ignore"]


def test_nothing_judged_is_told_as_nothing_known(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    files("a.json", machine())
    words = ("a.json", "--against", "a.json", "--select", "PKG", "--for", "container")
    assert answer(*words) == 4
    said = capsys.readouterr().out
    assert said.partition("\n\n")[2] == (
        "  IN THE CONTAINER   CANNOT TELL   no rule was judged       (decides the exit)\n"
        "  NATIVELY           RUNS\n"
        "  RESULTS            CANNOT TELL   no rule was judged\n"
        "\nExit 4: cannot tell, no rule on the container was judged\n"
    )


def test_json_is_the_payload_and_nothing_else(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    files("a.json", machine())
    assert answer("a.json", "--against", "t4-cloud", "--format", "json") == 1
    read = json.loads(capsys.readouterr().out)
    assert [each["found"]["name"] for each in read["checks"]] == ["t4-cloud"]
    assert read["checks"][0]["exit_code"] == 1


def test_a_recording_is_captured_and_checked(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    host = HOSTS / "rocky-v100-driver-515"
    files("a.json", on_the_machine_of(recorded(host.name)))
    assert answer("a.json", "--from", str(host), "--for", "native") == 1
    text = capsys.readouterr().out
    assert "1 thing that stops it" in text
    assert (
        "  driver      torch is built for CUDA 12.4, which needs driver           DRV001\n"
        "              525.60.13; here is 515.65.01: CUDA does not start on a driver\n"
        "              older than its family's first one\n" in text
    )
    assert answer("a.json", "--against", str(host), "--fail-on", "blocks") == 1


def test_the_manifest_here_is_the_default(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    files("envsnap.lock.json", machine())
    assert answer("--against", "envsnap.lock.json") == 0
    assert "wanted  envsnap.lock.json: environment" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("none.json", (3, "error: No manifest at none.json")),
        ("a.json --against none", (2, "error: No file and no profile 'none'")),
        ("a.json --against ./none", (3, "error: No manifest at ./none")),
        ("a.json --against a.json --host-only", (2,
         "error: --against names the found side; --from, --python and --host-only capture it")),
        ("a.json --against a.json --select XYZ", (2, "error: No rule 'XYZ'")),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_one_message(
    files: Files, capsys: pytest.CaptureFixture[str], words: str, expected: tuple[int, str]
) -> None:
    files("a.json", machine())
    code = answer(*words.split())
    assert (code, capsys.readouterr().err.splitlines()[0]) == expected


def test_the_project_leaves_rules_out_with_a_reason(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    files("a.json", machine())
    files("b.json", machine(cpu=cpu(microarchitecture="zen4")))
    Path("pyproject.toml").write_text('[tool.envsnap]\nignore = {CPU001 = "mixed cluster"}\n')
    assert answer("a.json", "--against", "b.json") == 0
    assert "Left out     CPU001: mixed cluster" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[tool.envsnap]\nignore = {CPU001 = ""}\n',
         "error: pyproject.toml: tool.envsnap.ignore.CPU001 has no reason"),
        ('[tool.envsnap]\nignore = ["CPU001"]\n',
         "error: pyproject.toml: tool.envsnap.ignore is no table"),
        ("[tool.envsnap\n", "error: pyproject.toml is no TOML: "),
    ],
)  # fmt: skip
def test_leaving_a_rule_out_needs_a_reason(
    files: Files, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    files("a.json", machine())
    Path("pyproject.toml").write_text(text)
    assert answer("a.json", "--against", "a.json") == 2
    assert capsys.readouterr().err.startswith(message)


def test_hostile_words_do_not_reach_the_terminal(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = made.package("numpy\x1b[2J\x1b]0;owned\x07", "1\n2")
    files("a.json", machine(packages=packages(evil, made.package("idna", "3"))))
    files("b.json", machine(packages=packages(made.package("idna", "3"))))
    assert answer("a.json", "--against", "b.json", "--color", "always") == 1
    text = capsys.readouterr().out
    assert "\x1b[2J" not in text
    assert "\x07" not in text
    assert "numpy\\x1b[2J" in text


def test_colour_is_for_verdicts_headings_and_codes(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    files("a.json", machine())
    answer("a.json", "--against", "a.json", "--color", "always", "-q")
    assert "\x1b[32mRUNS\x1b[0m" in capsys.readouterr().out
    answer("a.json", "--against", "a.json", "-q")
    assert "\x1b" not in capsys.readouterr().out


def test_diff_answers_0_or_1(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    files("a.json", machine())
    files("b.json", machine(gpu=gpu(device(), driver=driver("580.65.06"))))
    assert main(["diff", "a.json", "a.json"]) == 0
    assert capsys.readouterr().out == "The same: no fact differs\n"
    assert main(["diff", "a.json", "b.json"]) == 1
    assert "driver.version: 550.54.14 -> 580.65.06" in capsys.readouterr().out
    assert main(["diff", "a.json", "t4-cloud", "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["differences"] == "1.0"
    assert main(["diff", "a.json", "none.json"]) == 3


def test_what_a_manifest_says_after_it_was_written_is_what_is_checked(files: Files) -> None:
    changed = replace(machine(), sections={**machine().sections, "engines": engines(engine())})
    assert check(load(files("a.json", changed)), changed).exit_code is ExitCode.OK


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ('["tool"."envsnap"]\nignore = {CPU001 = "x"}\n', ""),
        ("[ tool . 'envsnap' ]\nignore = {CPU001 = \"x\"}\n", ""),
        ('[tool]\nenvsnap = {ignore = {CPU001 = "x"}}\n', ""),
        ('tool = {envsnap = {ignore = {CPU001 = "x"}}}\n', ""),
        ('tool.envsnap.ignore.CPU001 = "x"\n', ""),
        ('["t\\u006fol".envsnap]\nignore = {CPU001 = "x"}\n', ""),
        ("[tool envsnap]\nignore = {}\n", "is no TOML"),
        ("[tool:envsnap]\nignore = {}\n", "is no TOML"),
        ("[project]\nname = 'envsnap'\nbroken = [\n", None),
    ],
)
def test_the_settings_are_found_however_they_are_written(
    text: str, outcome: str | None, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    if outcome:
        with pytest.raises(UsageError, match=outcome):
            ignored_rules(str(tmp_path))
    else:
        expected = {} if outcome is None else {"CPU001": "x"}
        assert ignored_rules(str(tmp_path)) == expected
