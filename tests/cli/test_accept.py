"""check --accept: what a reader has accepted, for how long, and what it does not cover."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.cli import main
from envsnap.cli._accepted import FILE_NAME, quoted, text
from envsnap.lock._toml import loads
from envsnap.manifest import Manifest, save
from envsnap.rules import Acceptance, Outcome
from envsnap.sections import replace
from tests import made
from tests.cli.processes import command, variables
from tests.rules.machines import CUDNN, RUNTIME, TORCH, driver, gpu, machine, packages
from tests.rules.machines import device as card

Said = Callable[..., tuple[int, str, str]]
DAY = "2026-06-01"
EPOCH = "1780272000"
"""The same day, as SOURCE_DATE_EPOCH has it."""


def with_torch(version: str, **sections: object) -> Manifest:
    torch = replace(TORCH, version=version)
    return machine(packages=packages(*made.PACKAGES, RUNTIME, CUDNN, torch), **sections)


@pytest.fixture
def said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Said:
    """Run a check of one manifest against another, on a day in June."""
    save(machine(), str(tmp_path / "wanted.json"))
    save(with_torch("2.5.0"), str(tmp_path / "found.json"))
    save(with_torch("2.4.1"), str(tmp_path / "other.json"))
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)

    def run(*words: str, against: str = "found.json") -> tuple[int, str, str]:
        code = main(["check", "wanted.json", "--against", against, *words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def kept(path: str = FILE_NAME) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = loads(Path(path).read_text(encoding="utf-8"))["accepted"]
    return found


def findings(out: str) -> dict[str, list[Any]]:
    (check,) = json.loads(out)["checks"]
    return {each["id"]: each.get("excuses", []) for each in check["findings"]}


TORCH_ACCEPTED = {
    "code": "PKG002", "subject": "torch", "outcome": "numerics", "wanted": "2.5.1",
    "found": "2.5.0", "what": "torch 2.5.1 -> 2.5.0", "reason": "a patch release", "made": DAY,
}  # fmt: skip
TORCH_KEPT = Acceptance(
    code="PKG002", subject="torch", outcome=Outcome.NUMERICS, wanted="2.5.1", found="2.5.0",
    what="torch 2.5.1 -> 2.5.0", reason="a patch release", made=DAY,
)  # fmt: skip
NAMES = [f"made-up-{each:02}" for each in range(20)]
ACCEPT = ("--accept", "PKG002:torch", "--reason", "a patch release")


def test_an_accepted_finding_is_kept_with_its_values_and_no_longer_decides(said: Said) -> None:
    assert said()[0] == 1
    code, _, err = said(*ACCEPT)
    assert (code, err) == (0, f"Accepted PKG002:torch in {FILE_NAME}\n")
    assert kept() == [TORCH_ACCEPTED]
    assert said()[0] == 0


def test_an_accepted_finding_is_shown_in_every_report(said: Said) -> None:
    said(*ACCEPT, "--until", "2026-06-30")
    _, out, _ = said()
    assert "torch 2.5.1 -> 2.5.0" in out
    assert "a patch release, until 2026-06-30" in " ".join(out.split())


def test_another_value_is_not_covered(said: Said) -> None:
    said(*ACCEPT)
    code, out, _ = said(against="other.json")
    assert code == 1
    assert "PKG002:torch was accepted with other values: torch 2.5.1 -> 2.5.0" in " ".join(
        out.split()
    )


def test_a_whole_rule_is_accepted_finding_by_finding(said: Said, tmp_path: Path) -> None:
    changed = (*made.PACKAGES[:2], made.package("numpy", "1.26.3"), made.PACKAGES[3])
    save(
        machine(packages=packages(*changed, RUNTIME, CUDNN, replace(TORCH, version="2.5.0"))),
        str(tmp_path / "found.json"),
    )
    assert said("--accept", "PKG002", "--reason", "tried")[0] == 0
    assert [each["subject"] for each in kept()] == ["numpy", "torch"]


def test_an_acceptance_ends_after_its_day(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    said(*ACCEPT, "--until", DAY)
    assert said()[0] == 0
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(EPOCH) + 86400))
    code, out, _ = said()
    assert code == 1
    assert f"PKG002:torch was accepted until {DAY}, which is over" in " ".join(out.split())


def test_what_is_no_longer_found_is_to_be_removed(said: Said, tmp_path: Path) -> None:
    said(*ACCEPT)
    save(machine(), str(tmp_path / "found.json"))
    code, out, _ = said()
    assert code == 0
    words = " ".join(out.split())
    assert "PKG002:torch was accepted and is no longer found: remove it from the file" in words
    assert "no longer found" not in said("--ignore", "PKG002")[1]


def test_accepting_again_replaces_what_was_accepted(said: Said) -> None:
    said(*ACCEPT)
    said("--accept", "PKG002:torch", "--reason", "until the next release", "--until", "2026-07-01")
    assert kept() == [{**TORCH_ACCEPTED, "reason": "until the next release", "until": "2026-07-01"}]


def test_a_worse_outcome_with_the_same_values_is_not_covered() -> None:
    from envsnap._check import CheckOptions, check

    (finding,) = (
        each for each in check(machine(), with_torch("2.5.0")).report.findings
        if each.code == "PKG002"
    )  # fmt: skip
    assert not TORCH_KEPT._replace(outcome=Outcome.NOTE).covers(finding)
    for outcome in (Outcome.NUMERICS, Outcome.DEGRADES):
        options = CheckOptions(accepted=(TORCH_KEPT._replace(outcome=outcome),), today=DAY)
        assert check(machine(), with_torch("2.5.0"), options).exit_code == 0


def test_the_file_is_found_upward_as_far_as_the_repository(
    said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said(*ACCEPT)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    words = ["check", "../../wanted.json", "--against", "../../found.json"]
    assert main(words) == 0
    (below / ".git").mkdir()
    assert main(words) == 1


def test_outside_a_repository_nobody_elses_file_is_read(
    said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said(*ACCEPT)
    (tmp_path / ".git").rmdir()
    assert said()[0] == 0
    below = tmp_path / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    assert main(["check", "../wanted.json", "--against", "../found.json"]) == 1


def test_another_file_can_be_named(said: Said) -> None:
    assert said(*ACCEPT, "--accepted", "mine.toml")[0] == 0
    assert kept("mine.toml") == [TORCH_ACCEPTED]
    assert (said()[0], said("--accepted", "mine.toml")[0]) == (1, 0)
    code, _, err = said("--accepted", "absent.toml")
    assert (code, err.split("\n")[0]) == (
        7,
        "error: Cannot read absent.toml: there is no such file",
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--accept", "PKG002"), "error: --accept needs a reason"),
        (("--accept", "PKG002", "--reason", " "), "error: --accept needs a reason"),
        (("--reason", "x"), "error: --reason and --until belong to --accept"),
        (("--accept", "DRV001", "--reason", "x"), "error: No finding 'DRV001' to accept"),
        (("--accept", "PKG002:numpy", "--reason", "x"),
         "error: No finding 'PKG002:numpy' to accept"),
        ((*ACCEPT, "--until", "tomorrow"), "error: 'tomorrow' is no day"),
        ((*ACCEPT, "--until", "2026-02-30"), "error: '2026-02-30' is no day"),
        ((*ACCEPT, "--until", "٢٠٢٠-01-01"), "error: '٢٠٢٠-01-01' is no day"),
        ((*ACCEPT, "--until", "2026-6-1"), "error: '2026-6-1' is no day"),
        ((*ACCEPT, "--until", "2026-05-31"), "error: 2026-05-31 is past"),
        ((*ACCEPT, "--against", "other.json"), "error: --accept is about one found side"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(
    said: Said, words: tuple[str, ...], message: str
) -> None:
    code, _, err = said(*words)
    assert (code, err.split("\n")[0]) == (2, message)
    assert not Path(FILE_NAME).exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[[accepted]\n", "error: envsnap.accepted.toml is no TOML: "),
        ("\xff", "error: envsnap.accepted.toml is no TOML: "),
        ("accepted = 3\n", "error: envsnap.accepted.toml: it holds tables [[accepted]] alone"),
        ("[[accepted]]\ncode = 'PKG002'\n",
         "error: envsnap.accepted.toml: accepted 1: 'subject' is missing, unknown or wrong"),
        (text([TORCH_KEPT]) + "extra = 'x'\n",
         "error: envsnap.accepted.toml: accepted 1: 'extra' is missing, unknown or wrong"),
        (text([TORCH_KEPT._replace(until="٢٠٢٠-01-01")]),
         "error: envsnap.accepted.toml: accepted 1: 'until' is missing, unknown or wrong"),
        (text([TORCH_KEPT._replace(until="soon")]),
         "error: envsnap.accepted.toml: accepted 1: 'until' is missing, unknown or wrong"),
    ],
)  # fmt: skip
def test_a_malformed_file_is_refused_and_its_place_named(
    said: Said, content: str, message: str
) -> None:
    Path(FILE_NAME).write_bytes(b"\xff" if content == "\xff" else content.encode())
    code, out, err = said()
    assert (code, out) == (2, "")
    assert err.startswith(message)


def test_an_end_that_is_no_day_is_over() -> None:
    from envsnap._check import CheckOptions, check

    for until, code in ((DAY, 0), ("2026-05-31", 1), ("٢٠٢٧-01-01", 1), ("z", 1)):
        options = CheckOptions(accepted=(TORCH_KEPT._replace(until=until),), today=DAY)
        assert check(machine(), with_torch("2.5.0"), options).exit_code == code


@pytest.mark.parametrize("name", ["/dev/null", "/dev/full", ".", "pipe", "nowhere"])
def test_what_is_no_regular_file_keeps_nothing(said: Said, name: str) -> None:
    os.mkfifo("pipe")
    os.symlink("absent", "nowhere")
    for words in (ACCEPT, ()):
        code, _, err = said(*words, "--accepted", name)
        assert (code, err.split("\n")[0]) == (
            7, f"error: Cannot read {name}: it is no regular file",
        )  # fmt: skip


def test_what_is_accepted_at_the_same_time_is_all_kept(said: Said, tmp_path: Path) -> None:
    assert said()[0] == 1
    several = [
        *(made.package(name, "1.0") for name in NAMES), *made.PACKAGES, RUNTIME, CUDNN, TORCH,
    ]  # fmt: skip
    others = [replace(each, version="1.1") if each.name in NAMES else each for each in several]
    save(machine(packages=packages(*several)), str(tmp_path / "wanted.json"))
    save(machine(packages=packages(*others)), str(tmp_path / "found.json"))
    check = ("check", "wanted.json", "--against", "found.json")
    runs = [
        subprocess.Popen(
            command(*check, "--accept", f"PKG002:{name}", "--reason", name), cwd=tmp_path,
            env=variables(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for name in NAMES
    ]  # fmt: skip
    assert {each.wait(timeout=120) for each in runs} <= {0, 1}
    assert [each["subject"] for each in kept()] == NAMES
    assert said()[0] == 0


def test_a_fault_of_toml_is_named_with_its_line(said: Said) -> None:
    Path(FILE_NAME).write_text("[[accepted]]\ncode = \n", encoding="utf-8")
    assert "line 2" in said()[2]


@given(st.lists(
    st.builds(
        Acceptance, code=st.just("PKG002"), subject=st.text(), outcome=st.sampled_from(Outcome),
        wanted=st.none() | st.text(), found=st.none() | st.text(), what=st.text(),
        reason=st.text(), made=st.just(DAY), until=st.none() | st.just(DAY),
    ),
    max_size=3,
))  # fmt: skip
def test_what_is_written_is_read_back_whatever_it_holds(accepts: list[Acceptance]) -> None:
    rows = loads(text(accepts)).get("accepted", [])
    expected = [
        {key: str(value) for key, value in each._asdict().items() if value is not None}
        for each in sorted(accepts, key=lambda one: (one.id, one.what))
    ]
    assert rows == expected
    assert all(each.isprintable() or each == "\n" for each in text(accepts))


def test_bytes_that_are_no_text_are_percent_encoded() -> None:
    assert quoted("a\udcff\U0001f600\u202e") == '"a%FF\U0001f600\\u202E"'


def test_two_machines_keep_their_own_values(said: Said, tmp_path: Path) -> None:
    save(with_torch("2.5.0", gpu=gpu(card(), driver=driver("535.183.01"))),
         str(tmp_path / "third.json"))  # fmt: skip
    said(*ACCEPT)
    code, out, _ = said("--format", "json", against="third.json")
    assert code == 0
    assert [each for each in findings(out) if findings(out)[each]] == ["PKG002:torch"]
