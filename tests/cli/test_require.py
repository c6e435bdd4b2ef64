"""envsnap require: what is written into a manifest, and what becomes of the rest of it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envsnap.cli import main
from envsnap.cli._rewritten import rewritten
from envsnap.lock._toml import loads
from envsnap.manifest import load, save
from tests.cli.processes import command, envsnap, variables
from tests.rules.machines import gpu, machine

Said = Callable[..., tuple[int, str, str]]
NAME = "envsnap.lock.json"
NO_PATTERN = "is no pattern: one * stands at its end"
ARABIC = "\N{ARABIC-INDIC DIGIT ONE}"


@pytest.fixture
def said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Said:
    """Run `envsnap require` where a manifest lies."""
    save(machine(), str(tmp_path / NAME))
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["require", *words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def tree(path: str = NAME) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return found


def test_what_must_hold_is_written_and_held_against_its_own_machine(said: Said) -> None:
    code, out, err = said("gpu.compute_capability>=8.0", "gpu.count >= 2")
    assert (code, err) == (0, "")
    assert out == (
        "envsnap.lock.json requires:\n"
        "  1  must  gpu.compute_capability >= 8.0\n"
        "           holds here: 8.0\n"
        "  2  must  gpu.count >= 2\n"
        "           does not hold where it was captured: 1\n"
    )
    assert tree()["requires"] == {"must": ["gpu.compute_capability >= 8.0", "gpu.count >= 2"]}


def test_nothing_else_of_the_file_changes(said: Said) -> None:
    before = tree()
    assert said("driver >= 525.60.13")[0] == 0
    assert tree() == {**before, "requires": {"must": ["driver >= 525.60.13"]}}
    assert said("--remove", "1")[:2] == (0, "envsnap.lock.json requires nothing\n")
    assert tree() == before


def test_a_file_that_was_edited_still_says_so_afterwards(said: Said) -> None:
    changed = tree()
    changed["sections"]["memory"]["total_mib"] = 7
    Path(NAME).write_text(json.dumps(changed), encoding="utf-8")
    assert said("driver >= 525.60.13")[0] == 0
    assert load(NAME).edited


def test_what_may_differ_and_its_reason_stand_beside_what_must_hold(said: Said) -> None:
    said("driver >= 525.60.13")
    code, out, _ = said(
        "--may", "driver in 535.*, 550.*", "--because", "both\nwere tried", "gpu may differ"
    )
    assert code == 0
    assert out == (
        "envsnap.lock.json requires:\n"
        "  1  must  driver >= 525.60.13\n"
        "           holds here: 550.54.14\n"
        "  2  may   driver in 535.*, 550.*\n"
        "           because both were tried\n"
        "           holds here: 550.54.14\n"
        "  3  may   gpu may differ\n"
        "           because both were tried\n"
        "           counts with check --accept-waivers\n"
    )
    assert tree()["requires"]["may"] == [
        {"because": "both were tried", "that": "driver in 535.*, 550.*"},
        {"because": "both were tried", "that": "gpu may differ"},
    ]


def test_a_statement_that_is_there_already_is_not_written_twice(said: Said) -> None:
    said("driver >= 525.60.13")
    said("driver>=525.60.13", "--because", "tried")
    assert tree()["requires"] == {"must": [{"because": "tried", "that": "driver >= 525.60.13"}]}


def test_statements_are_removed_by_their_numbers(said: Said) -> None:
    said("driver >= 1", "glibc >= 2")
    said("--may", "gpu may differ", "cpu may differ")
    assert said("--remove", "1", "--remove", "4")[0] == 0
    assert tree()["requires"] == {"must": ["glibc >= 2"], "may": ["gpu may differ"]}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("gpu.cont >= 2",), "error: There is no fact 'gpu.cont' at column 1"),
        (("gpu may differ",), "error: What may differ does not have to hold at column 1"),
        (("--remove", "1"), "error: There is no statement 1"),
        (("--remove", ARABIC), f"error: --remove: {ARABIC!r} is no number of a statement"),
        (("--remove", "+1"), "error: --remove: '+1' is no number of a statement"),
        (("driver == 3.*.*",),
         f"error: '3.*.*' {NO_PATTERN}, as in 535.* or A100* at column 11"),
        (("--may", "packages may differ in patch"),
         "error: Expected the names of packages, or * for all at column 10"),
        (("--may",), "error: --may and --because belong to an expression"),
        (("--list", "glibc >= 2"), "error: --list and --emit change nothing"),
        (("-", "glibc >= 2"), "error: Only a file of its own can be changed"),
        (
            ("--may", "tools.found.path == x"),
            "error: No rule compares 'tools.found.path': nothing is found that it could allow",
        ),
    ],
)  # fmt: skip
def test_a_fault_changes_no_byte(said: Said, words: tuple[str, ...], message: str) -> None:
    before = Path(NAME).read_bytes()
    code, out, err = said(*words)
    assert (code, out, err.split("\n")[0]) == (2, "", message)
    assert Path(NAME).read_bytes() == before


def test_a_fault_is_shown_at_its_place(said: Said) -> None:
    assert said("driver in 535.*, ?")[2] == (
        "error: This is no part of an expression at column 18\n"
        "  driver in 535.*, ?\n"
        "                   ^\n"
        "hint: The language: envsnap require --help\n"
    )


def test_what_was_written_by_hand_is_read_and_its_fault_is_named(said: Said) -> None:
    changed = tree()
    changed["requires"] = {"must": ["glibc >= 2.28", {"that": "glibx >= 2"}]}
    Path(NAME).write_text(json.dumps(changed), encoding="utf-8")
    code, out, err = said()
    assert code == 3
    assert out == (
        "envsnap.lock.json requires:\n"
        "  1  must  glibc >= 2.28\n"
        "           holds here: 2.36\n"
        "  2  must  glibx >= 2\n"
        "           cannot be read: There is no fact 'glibx'\n"
    )
    assert "requires.must[1]" in err


def test_hostile_texts_reach_no_terminal(said: Said) -> None:
    changed = tree()
    changed["requires"] = {"must": [{"that": "glibc >= 2\x1b[2J", "because": "\x1b]0;x\x07"}]}
    Path(NAME).write_text(json.dumps(changed), encoding="utf-8")
    _, out, err = said()
    assert "\x1b" not in out + err


def test_two_statements_that_contradict_each_other_are_told(said: Said) -> None:
    said("driver >= 525.60.13", "driver in 550.*")
    out = said("--may", "driver in 535.*, 550.*")[1]
    assert out.splitlines()[-3:] == [
        "  3  may   driver in 535.*, 550.*",
        "           holds here: 550.54.14",
        "           allows 535.*, which 2 refuses: change one of them",
    ]


def written(requires: object) -> None:
    """The manifest as somebody else wrote it."""
    Path(NAME).write_text(json.dumps({**tree(), "requires": requires}), encoding="utf-8")


def test_no_text_of_the_manifest_begins_a_line_of_ours(said: Said) -> None:
    forged = "\n  9  must  driver >= 1\n           holds here: 550\r\u2028x"
    written({
        "must": [f"glibc\n >= 2{forged}", {"that": "glibc\n >= 2", "because": f"it works{forged}"}],
        "may": [f'environ.variables.A == "x{forged}"'],
    })  # fmt: skip
    _, out, _ = said()
    assert out == (
        "envsnap.lock.json requires:\n"
        "  1  must  glibc\\n >= 2\\n  9  must  driver >= 1\\n           holds here:...\n"
        "           cannot be read: The expression ends before this\n"
        "  2  must  glibc >= 2\n"
        "           because it works 9 must driver >= 1 holds here: 550 x\n"
        "           holds here: 2.36\n"
        '  3  may   environ.variables.A == "x\\n  9  must  driver >= 1\\n        ...\n'
        "           cannot be read: A value with characters that cannot be shown\n"
    )


def test_no_fact_of_the_manifest_begins_a_line_of_ours(said: Said) -> None:
    changed = tree()
    changed["sections"]["environ"]["variables"]["PYTHONHASHSEED"] = "0\n  9  must  driver >= 1"
    Path(NAME).write_text(json.dumps(changed), encoding="utf-8")
    assert said("environ.variables.PYTHONHASHSEED == 0")[1] == (
        "envsnap.lock.json requires:\n"
        "  1  must  environ.variables.PYTHONHASHSEED == 0\n"
        "           does not hold where it was captured: 0\\n  9  must  driver >= 1\n"
    )


def test_a_text_of_any_length_takes_a_few_lines(said: Said) -> None:
    written({"must": ["x" * 100_000], "may": [{"that": "gpu may differ", "because": "y " * 9000}]})
    assert len(said()[1]) < 1000


@pytest.mark.parametrize("text", ["python == 3.*.*", "kernel == 6.8.0-48.*.*", "driver in .*"])
def test_a_statement_of_a_stranger_that_is_no_pattern_can_be_listed_and_removed(
    said: Said, text: str
) -> None:
    written({"must": [text, "glibc >= 2.28"]})
    code, out, err = said()
    assert (code, "cannot be read" in out) == (3, True)
    assert NO_PATTERN in err
    assert main(["check", NAME, "--against", NAME]) == 4
    assert said("--remove", "1")[0] == 0
    assert tree()["requires"] == {"must": ["glibc >= 2.28"]}


def test_what_is_written_and_cannot_be_told_is_said_to_be_written(tmp_path: Path) -> None:
    save(machine(), str(tmp_path / NAME))
    with open("/dev/full", "wb") as full:
        ended = subprocess.run(
            command("require", "glibc >= 2.28"), cwd=tmp_path, env=variables(), stdout=full,
            stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert ended.returncode == 7
    assert ended.stderr == (
        "error: envsnap.lock.json is changed, but: Cannot write to standard output: "
        "No space left on device\nhint: See what it requires: envsnap require --list\n"
    )
    assert tree(str(tmp_path / NAME))["requires"] == {"must": ["glibc >= 2.28"]}


def test_what_must_hold_and_may_differ_at_once_is_told(said: Said) -> None:
    said("gpu.compute_capability >= 8.0")
    assert said("--may", "gpu.compute_capability >= 8.0")[1] == (
        "envsnap.lock.json requires:\n"
        "  1  must  gpu.compute_capability >= 8.0\n"
        "           holds here: 8.0\n"
        "  2  may   gpu.compute_capability >= 8.0\n"
        "           holds here: 8.0\n"
        "           1 says that it must hold; this one, that what holds it may differ\n"
    )


def test_what_is_stated_at_the_same_time_is_all_kept(tmp_path: Path) -> None:
    save(machine(), str(tmp_path / NAME))
    texts = [f"environ.variables.V{each:02} == 1" for each in range(20)]
    runs = [
        subprocess.Popen(
            command("require", each), cwd=tmp_path, env=variables(), stdout=subprocess.DEVNULL
        )
        for each in texts
    ]
    assert [each.wait(timeout=120) for each in runs] == [0] * len(texts)
    assert sorted(tree(str(tmp_path / NAME))["requires"]["must"]) == texts
    assert os.listdir(tmp_path) == [NAME]


def test_what_another_program_writes_meanwhile_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "file"
    seen = []

    def change(before: bytes | None) -> bytes:
        seen.append(before)
        if len(seen) == 1:
            path.write_bytes(b"theirs")
        return (before or b"") + b" and ours"

    def read() -> bytes | None:
        return path.read_bytes() if path.exists() else None

    assert rewritten(str(path), read, change) == b"theirs and ours"
    assert (seen, path.read_bytes()) == ([None, b"theirs"], b"theirs and ours")


def test_a_link_stays_a_link(said: Said) -> None:
    os.rename(NAME, "paper.json")
    os.symlink("paper.json", NAME)
    assert said("glibc >= 2.28")[0] == 0
    assert (os.path.islink(NAME), tree("paper.json")["requires"]) == (
        True, {"must": ["glibc >= 2.28"]},
    )  # fmt: skip


def test_another_manifest_can_be_named(said: Said) -> None:
    os.rename(NAME, "paper.json")
    assert said("paper.json", "glibc >= 2.28")[0] == 0
    assert tree("paper.json")["requires"] == {"must": ["glibc >= 2.28"]}


@pytest.mark.parametrize(
    ("language", "out", "left_out"),
    [
        ("nvidia", "cuda>=12.0,driver>=535,driver<536 cuda>=12.0,driver>=550,driver<551\n",
         ["glibc >= 2.28", "gpu.memory >= 20 GiB"]),
        ("conda", "__cuda >=12.0\n__glibc >=2.28\n",
         ["driver in 535.*, 550.*", "gpu.memory >= 20 GiB"]),
    ],
)  # fmt: skip
def test_what_must_hold_is_written_for_others(
    said: Said, language: str, out: str, left_out: list[str]
) -> None:
    said("driver in 535.*, 550.*", "glibc >= 2.28", "gpu.memory >= 20 GiB")
    assert said("--emit", language) == (
        0, out, "".join(f"not in {language}'s language: {each}\n" for each in left_out),
    )  # fmt: skip


def test_packages_for_cuda_that_ran_without_a_gpu_ask_for_none(said: Said) -> None:
    save(machine(gpu=gpu()), NAME)
    assert said("--emit", "nvidia", "-q") == (0, "", "")
    code, out, err = said("--emit", "conda")
    assert (code, out) == (0, "__glibc >=2.17\n")
    assert err.startswith("it has packages for CUDA and was captured without an NVIDIA GPU")


def test_what_is_written_for_pixi_is_a_table_of_its_own(said: Said) -> None:
    said("glibc >= 2.28")
    assert loads(said("--emit", "pixi")[1]) == {
        "system-requirements": {"cuda": "12.0", "libc": {"family": "glibc", "version": "2.28"}}
    }


@pytest.mark.skipif(os.getuid() == 0, reason="root writes anywhere")
def test_a_folder_that_cannot_be_written_leaves_the_manifest_as_it_was(
    said: Said, tmp_path: Path
) -> None:
    before = Path(NAME).read_bytes()
    tmp_path.chmod(0o555)
    try:
        assert said("glibc >= 2.28")[0] == 7
    finally:
        tmp_path.chmod(0o755)
    assert Path(NAME).read_bytes() == before
    assert os.listdir(tmp_path) == [NAME]


def test_a_capture_over_it_keeps_what_is_required(tmp_path: Path) -> None:
    assert envsnap("capture", "--host-only", cwd=tmp_path).code == 0
    assert envsnap("require", "memory >= 1 MiB", cwd=tmp_path).code == 0
    assert envsnap("capture", "--host-only", cwd=tmp_path).code == 0
    assert tree(str(tmp_path / NAME))["requires"] == {"must": ["memory >= 1 MiB"]}
    checked = envsnap("check", "--host-only", "--select", "REQ", cwd=tmp_path)
    assert checked.code == 0, checked.out + checked.err
