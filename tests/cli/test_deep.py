"""`capture --deep` and `check --deep`, as whole processes over an environment made by hand."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from envsnap.sections import DEEP
from tests.cli.processes import HOSTS, environment, envsnap

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def env(tmp_path: Path) -> Path:
    return environment(tmp_path / "env", idna="3.7")


def captured(folder: Path, *words: str) -> dict[str, object]:
    ended = envsnap("capture", "--python", "env", "-o", "m.json", *words, cwd=folder)
    assert ended.code == 0, ended.err
    document: dict[str, object] = json.loads((folder / "m.json").read_text())
    return {**document, "said": ended.err}


def reasons(document: dict[str, object]) -> dict[str, object]:
    sections = document["sections"]
    assert isinstance(sections, dict)
    return {name: sections[name].get("unknown") for name in sorted(DEEP)}


def test_without_deep_the_libraries_are_not_read_and_not_told(env: Path) -> None:
    document = captured(env.parent)
    assert "deep" not in document["captured"]  # type: ignore[operator]
    assert reasons(document) == dict.fromkeys(sorted(DEEP), "needs-deep")
    assert "libraries" not in str(document["said"]).partition("Healthy")[0]


def test_deep_reads_the_libraries_and_says_what_each_part_took(env: Path) -> None:
    document = captured(env.parent, "--deep")
    assert document["captured"]["deep"] is True  # type: ignore[index]
    assert "needs-deep" not in reasons(document).values()
    (cost,) = re.findall(r"^Deep +(.*(?:\n  .*)*)$", str(document["said"]), re.MULTILINE)
    parts = re.findall(r"([a-z]+(?: [a-z]+)?) \d+\.\d\d s", " ".join(cost.split()))
    assert sorted(parts) == ["gpu code", "libraries", "math", "system libraries"]


def test_one_deep_section_alone_is_read_without_the_others(env: Path) -> None:
    document = captured(env.parent, "--deep", "--only", "python,packages,math")
    assert reasons(document)["libraries"] == "not-asked"
    assert reasons(document)["math"] not in {"not-asked", "needs-deep"}


def test_check_reads_as_deep_as_the_manifest_was_captured(env: Path) -> None:
    captured(env.parent, "--deep")
    deep = envsnap("check", "m.json", "--python", "env", cwd=env.parent)
    assert "needs-deep" not in deep.out
    ended = envsnap("capture", "--python", "env", "-o", "plain.json", cwd=env.parent)
    assert ended.code == 0, ended.err
    against = envsnap("check", "m.json", "--against", "plain.json", cwd=env.parent)
    assert "needs-deep" in against.out


@pytest.mark.parametrize("command", ["capture", "check"])
def test_deep_reads_an_environment_and_host_only_leaves_it_out(command: str, env: Path) -> None:
    ended = envsnap(command, "--deep", "--host-only", cwd=env.parent)
    assert (ended.code, ended.err) == (
        2,
        (
            "error: --deep reads the environment's libraries, "
            "--host-only leaves the environment out\n"
            "hint: Give one\n"
        ),
    )


def test_a_recording_that_was_not_deep_says_so_instead_of_guessing(tmp_path: Path) -> None:
    ended = envsnap(
        "capture", "--deep", "--from", str(HOSTS / "debian-none-docker"), "-o", "-", cwd=tmp_path
    )
    sections = json.loads(ended.out)["sections"]
    assert "needs-deep" not in {sections[name].get("unknown") for name in DEEP}
    assert "crashed" not in {sections[name].get("unknown") for name in DEEP}
