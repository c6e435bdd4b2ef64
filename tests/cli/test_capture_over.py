"""A capture never destroys somebody's manifest: what it does where a file lies already."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envsnap.cli import main
from envsnap.manifest import environment_id, load, machine_id
from tests.cli.processes import (
    HOSTS,
    distribution,
    environment,
    names_in,
    site_packages,
)

ELSEWHERE = str(HOSTS / "rocky-v100-driver-515")
WROTE = "Wrote {}    "

Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Said:
    """Run a command in an empty folder that has an environment beside it."""
    folder = tmp_path / "here"
    folder.mkdir()
    environment(tmp_path / "env", idna="3.7", PySocks="1.7.1")
    monkeypatch.chdir(folder)

    def run(*words: str) -> tuple[int, str, str]:
        code = main(words)
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


CAPTURE = ("capture", "--python", "../env")


def tree(path: str) -> dict[str, Any]:
    with open(path, encoding="utf-8") as file:
        found: dict[str, Any] = json.load(file)
    return found


def rewrite(path: str, change: Callable[[dict[str, Any]], None]) -> None:
    found = tree(path)
    change(found)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(found, file)


def locked_and_required(found: dict[str, Any]) -> None:
    found["requires"] = {"may": ["gpu may differ"]}
    found["lock"] = {
        "environment": found["environment"],
        "locker": "uv 0.9.1",
        "artifacts": [],
        "unlocked": [{"name": "idna", "version": "3.7", "why": "no file of it is on the index"}],
    }


def test_a_manifest_of_another_machine_is_left_alone(said: Said) -> None:
    assert said("capture", "--from", ELSEWHERE, "-q")[0] == 0
    before = Path("envsnap.lock.json").read_bytes()
    theirs = machine_id(load("envsnap.lock.json"))
    code, out, err = said(*CAPTURE)
    assert said(*CAPTURE, "-o", "mine.json", "-q")[0] == 0
    ours = machine_id(load("mine.json"))
    assert (code, out, err) == (
        7,
        "",
        (
            f"error: envsnap.lock.json names another machine: {theirs}, here is {ours}\n"
            "hint: Compare with: envsnap check envsnap.lock.json; write elsewhere with -o; "
            "or give --force\n"
        ),
    )
    assert Path("envsnap.lock.json").read_bytes() == before
    assert names_in(Path()) == ["envsnap.lock.json", "mine.json"]


def test_force_replaces_a_manifest_of_another_machine(said: Said) -> None:
    assert said("capture", "--from", ELSEWHERE, "-q")[0] == 0
    theirs = machine_id(load("envsnap.lock.json"))
    assert said(*CAPTURE, "--force", "-q")[0] == 0
    assert machine_id(load("envsnap.lock.json")) != theirs


def test_a_manifest_that_a_newer_envsnap_wrote_is_left_alone(said: Said) -> None:
    assert said(*CAPTURE, "-q")[0] == 0
    rewrite("envsnap.lock.json", lambda found: found.update(schema="1.7", weather="fair"))
    before = Path("envsnap.lock.json").read_bytes()
    assert said(*CAPTURE) == (
        7,
        "",
        (
            "error: envsnap.lock.json was written by a newer envsnap (schema 1.7), "
            "whose fields would be lost\n"
            "hint: Capture with that envsnap; write elsewhere with -o; or give --force\n"
        ),
    )
    assert Path("envsnap.lock.json").read_bytes() == before
    assert said(*CAPTURE, "--force", "-q")[0] == 0
    assert load("envsnap.lock.json").schema == "1.0"


def test_nothing_is_written_where_nothing_changed(said: Said) -> None:
    assert said(*CAPTURE, "-q") == (0, "", said_wrote("envsnap.lock.json"))
    rewrite("envsnap.lock.json", locked_and_required)
    os.utime("envsnap.lock.json", ns=(1, 1))
    before = Path("envsnap.lock.json").read_bytes()
    unchanged = "Unchanged: envsnap.lock.json says the same already, not a byte was written\n"
    assert said(*CAPTURE, "-q") == (0, "", unchanged)
    assert Path("envsnap.lock.json").read_bytes() == before
    assert os.stat("envsnap.lock.json").st_mtime_ns == 1
    assert names_in(Path()) == ["envsnap.lock.json"]


def said_wrote(path: str) -> Any:  # noqa: ANN401 - equal to any text that begins like this
    class Begins(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            return isinstance(other, str) and other.startswith(WROTE.format(path))

        __hash__ = str.__hash__

    return Begins(path)


def test_what_changed_is_listed_and_the_lock_goes_with_its_packages(
    said: Said, tmp_path: Path
) -> None:
    assert said(*CAPTURE, "-q")[0] == 0
    rewrite("envsnap.lock.json", locked_and_required)
    site = site_packages(tmp_path / "env")
    (site / "idna-3.7.dist-info" / "METADATA").write_text("Name: idna\nVersion: 3.8\n")
    os.utime(distribution(site, "attrs", "24.1.0"), (2e9, 2e9))  # the newest, to the second
    code, out, err = said(*CAPTURE)
    assert (code, out) == (0, "")
    changes = err[err.index("Changed since") : err.index("Before you send it")].strip()
    assert changes == (
        "Changed since the file that was here\n"
        "  idna 3.7 -> 3.8 changed\n"
        "  attrs 24.1.0 added\n"
        "  its lock was dropped: the packages are not those that were locked\n"
        "  facts in: project"
    )
    found = load("envsnap.lock.json")
    assert found.lock is None
    assert found.requires == {"may": ["gpu may differ"]}


def test_a_lock_stays_where_the_packages_are_the_same(said: Said) -> None:
    assert said(*CAPTURE, "-q")[0] == 0
    rewrite("envsnap.lock.json", locked_and_required)
    rewrite("envsnap.lock.json", lambda found: found["sections"]["os"].update(kernel="5.0"))
    code, _, err = said(*CAPTURE)
    assert code == 0
    assert "Changed since the file that was here\n  facts in: os\n" in err
    found = load("envsnap.lock.json")
    assert found.lock is not None
    assert found.lock.environment == environment_id(found)
    assert found.requires == {"may": ["gpu may differ"]}


def test_a_file_that_is_no_manifest_is_left_alone(said: Said) -> None:
    Path("notes.txt").write_text("my notes")
    assert said(*CAPTURE, "-o", "notes.txt") == (
        7,
        "",
        (
            "error: notes.txt is there already and is no manifest that can be read: "
            "notes.txt: Not JSON at line 1, column 1: Expecting value\n"
            "hint: Write elsewhere with -o, or move it away\n"
        ),
    )
    assert Path("notes.txt").read_text() == "my notes"
    assert names_in(Path()) == ["notes.txt"]


def test_a_link_stays_a_link_and_its_target_is_written(said: Said) -> None:
    Path("real").mkdir()
    Path("link.json").symlink_to("real/m.json")
    assert said(*CAPTURE, "-o", "link.json", "-q")[0] == 0
    assert Path("link.json").is_symlink()
    assert load("real/m.json") == load("link.json")
    assert names_in(Path("real")) == ["m.json"]


def test_a_folder_is_no_place_for_a_manifest(said: Said) -> None:
    Path("results").mkdir()
    assert said(*CAPTURE, "-o", "results") == (
        7,
        "",
        "error: Cannot write results: it is a folder\nhint: Name a file with -o\n",
    )
    assert names_in(Path("results")) == []


def test_a_folder_that_is_not_there_is_told_and_not_made(said: Said) -> None:
    assert said(*CAPTURE, "-o", "no/m.json") == (
        7,
        "",
        (
            "error: Cannot write no/m.json: No such file or directory\n"
            "hint: Make its folder: mkdir -p no\n"
        ),
    )
    assert names_in(Path()) == []


def test_standard_output_gets_the_manifest_alone(said: Said) -> None:
    code, out, err = said(*CAPTURE, "-o", "-")
    assert code == 0
    assert json.loads(out)["schema"] == "1.0"
    assert "Wrote the manifest to standard output\n" in err
    assert names_in(Path()) == []


def test_the_name_takes_the_node_s_and_the_job_s(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    import platform

    monkeypatch.setenv("SLURM_JOB_ID", "4711/8")
    monkeypatch.setenv("SLURM_PROCID", "3")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    Path("x").mkdir()
    name = "x/{node}-{job}-{rank}-{date}-{environment}.json"
    assert said(*CAPTURE, "-o", name, "-q")[0] == 0
    node = platform.node().partition(".")[0]
    (written,) = names_in(Path("x"))
    ident = environment_id(load(f"x/{written}"))
    assert written == f"{node}-4711_8-3-1970-01-01-{ident}.json"


@pytest.mark.parametrize("name", ["{user}.json", "{node!x}.json", "{}.json", "{node.x}.json", "{"])
def test_an_unknown_placeholder_is_refused(said: Said, name: str) -> None:
    code, out, err = said(*CAPTURE, "-o", name)
    assert (code, out) == (2, "")
    assert err.startswith("error: Unknown placeholder ")
    assert err.endswith(
        f" in -o {name!r}\nhint: There are {{date}}, {{environment}}, {{node}}, {{job}} and "
        "{rank}\n"
    )
    assert names_in(Path()) == []


def test_a_part_captured_twice_is_the_same_twice(said: Said) -> None:
    words = ("capture", "--only", "tools", "-o", "part.json", "-q")
    assert said(*words)[0] == 0
    assert said(*words) == (
        0,
        "",
        "Unchanged: part.json says the same already, not a byte was written\n",
    )


def test_a_file_whose_facts_were_edited_by_hand_is_written_anew(said: Said) -> None:
    assert said(*CAPTURE, "-q")[0] == 0
    rewrite("envsnap.lock.json", lambda found: found.update(facts_digest="0" * 64))
    assert load("envsnap.lock.json").edited
    assert said(*CAPTURE, "-q")[0] == 0
    assert not load("envsnap.lock.json").edited


@pytest.mark.parametrize(
    ("words", "lost"),
    [
        (("--host-only",), "python, packages, cuda, environ, project"),
        (("--skip", "packages"), "packages"),
        (("--only", "os,cpu,gpu"), "python, packages, "),
    ],
)
def test_a_capture_of_less_does_not_replace_one_of_more(
    said: Said, words: tuple[str, ...], lost: str
) -> None:
    assert said(*CAPTURE, "-q")[0] == 0
    rewrite("envsnap.lock.json", locked_and_required)
    before = Path("envsnap.lock.json").read_bytes()
    code, _, err = said(*CAPTURE, *words)
    assert code == 7
    assert err.startswith(f"error: envsnap.lock.json knows what this capture does not: {lost}"), err
    assert Path("envsnap.lock.json").read_bytes() == before
    assert said(*CAPTURE, *words, "--force", "-q")[0] == 0


def test_an_anonymous_capture_keeps_no_lock_and_replaces_no_manifest_that_names(said: Said) -> None:
    assert said(*CAPTURE, "-q")[0] == 0
    rewrite("envsnap.lock.json", locked_and_required)
    before = Path("envsnap.lock.json").read_bytes()
    code, _, err = said(*CAPTURE, "--anonymous")
    assert code == 7
    assert err.startswith(
        "error: envsnap.lock.json names its author, and --anonymous would replace it\n"
    )
    assert Path("envsnap.lock.json").read_bytes() == before
    assert said(*CAPTURE, "--anonymous", "--force", "-q")[0] == 0
    found = tree("envsnap.lock.json")
    assert (found["lock"], found["requires"]) == (None, {})


@pytest.mark.parametrize("again", [(), ("--anonymous",)])
def test_what_was_added_to_an_anonymous_manifest_outlives_the_next_capture(
    said: Said, again: tuple[str, ...]
) -> None:
    assert said(*CAPTURE, "--skip", "tools", "--anonymous", "-q")[0] == 0
    rewrite("envsnap.lock.json", locked_and_required)
    before = tree("envsnap.lock.json")
    assert said(*CAPTURE, *again, "-q")[0] == 0
    after = tree("envsnap.lock.json")
    assert after["facts_digest"] != before["facts_digest"]
    assert (after["lock"], after["requires"]) == (before["lock"], before["requires"])


def test_the_same_facts_are_no_reason_to_drop_what_stands_beside_them(said: Said) -> None:
    bare = ("capture", "--from", ELSEWHERE, "--only", "cpu", "-q")
    assert said(*bare)[0] == 0
    rewrite("envsnap.lock.json", lambda found: found.update(requires={"may": ["gpu may differ"]}))
    before = Path("envsnap.lock.json").read_bytes()
    code, _, err = said(*bare, "--anonymous")
    assert code == 7
    assert "names its author, and --anonymous would replace it" in err
    assert Path("envsnap.lock.json").read_bytes() == before


def test_two_machines_that_are_not_known_are_not_the_same(said: Said) -> None:
    assert said(*CAPTURE, "--only", "tools", "-q")[0] == 0
    before = Path("envsnap.lock.json").read_bytes()
    code, _, err = said("capture", "--from", ELSEWHERE, "--only", "tools")
    assert code == 7
    assert "names another machine" in err
    assert Path("envsnap.lock.json").read_bytes() == before


def test_a_file_that_others_may_not_read_stays_one(said: Said) -> None:
    assert said(*CAPTURE, "-q")[0] == 0
    os.chmod("envsnap.lock.json", 0o600)
    assert said(*CAPTURE, "--no-digests", "-q")[0] == 0
    assert os.stat("envsnap.lock.json").st_mode & 0o777 == 0o600


def test_no_reader_turns_the_answer_no_into_yes(said: Said) -> None:
    assert said(*CAPTURE, "-q")[0] == 0
    import subprocess
    import sys

    reading, writing = os.pipe()
    os.close(reading)
    check = [sys.executable, "-m", "envsnap", "check", "--against", "t4-cloud", "--fail-on", "note"]
    ended = subprocess.run(check, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, b"")
