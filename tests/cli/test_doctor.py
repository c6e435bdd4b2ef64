"""doctor: the health of one machine and environment, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from envsnap.cli import main
from tests.checks import HOSTS
from tests.cli.processes import environment, envsnap, names_in

BROKEN = str(HOSTS / "ubuntu-t4-broken-nvidia-smi")
HEALTHY = str(HOSTS / "ubuntu-t4-healthy")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_what_is_wrong_is_told_with_what_mends_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--from", BROKEN, "--host-only"]) == 1
    said = capsys.readouterr().out
    assert said.startswith("  HEALTH   BROKEN   the machine: 2 findings of ")
    assert (
        "\n1 thing that stops it\n"
        "  driver      an NVIDIA GPU is there, its kernel module is not loaded:   DRV005\n"
        "              without its kernel module no program reaches the GPU\n"
        "              -> install the NVIDIA driver, or: modprobe nvidia\n" in said
    )
    assert "\n1 note\n  GPU         neither the driver's library nor a device file" in said
    assert "\nNot checked  gpu.driver.version: tool-missing: libnvidia-ml.so.1 (DRV003,\n" in said
    assert said.endswith(
        "\nExit 1: something here does not work\n"
        "Doubt it     envsnap explain DRV005   the rule and its source\n"
    )


def test_a_healthy_machine_says_how_much_was_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--from", HEALTHY, "--host-only"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("  HEALTH   WELL   the machine: ")
    assert "\n\n  GPU        Tesla T4, 15 GiB, sm_75\n  Driver     550.54.15 " in said
    assert "\nExit 0: nothing as bad as 'degrades' in " in said


def test_an_environment_that_was_not_seen_leaves_it_open(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["doctor", "--from", HEALTHY, "-q"]) == 4
    assert capsys.readouterr().out.split()[:3] == ["HEALTH", "CANNOT", "TELL"]
    words = [f"--allow-unknown={each}" for each in ("python", "packages", "cuda", "environ")]
    assert main(["doctor", "--from", HEALTHY, *words]) == 0


def test_what_decides_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    two_models = str(HOSTS / "rocky-a100-a40-eight-of-two-models")
    assert main(["doctor", "--from", two_models, "--host-only"]) == 0
    assert main(["doctor", "--from", two_models, "--host-only", "--fail-on", "note"]) == 1
    assert "Exit 1: something here is worth knowing" in capsys.readouterr().out


def test_a_rule_that_the_project_leaves_out_is_said_to_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("pyproject.toml").write_text('[tool.envsnap]\nignore = {DRV005 = "no GPU is wanted"}\n')
    main(["doctor", "--from", BROKEN, "--host-only"])
    said = capsys.readouterr().out
    assert "Left out     DRV005: no GPU is wanted" in said
    assert "its kernel module" not in said


def test_its_json_is_the_document_of_a_check(capsys: pytest.CaptureFixture[str]) -> None:
    import jsonschema

    from envsnap.reports.check_schema import schema

    assert main(["doctor", "--from", BROKEN, "--host-only", "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    jsonschema.validate(found, schema())
    (only,) = found["checks"]
    assert only["wanted"] == only["found"]
    assert [each["code"] for each in only["findings"] if each["decides"]] == ["DRV005"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--host-only", "--deep"],
         "error: --host-only leaves the environment out; --python and --deep look at it"),
        (["--allow-unknown", "XYZ"], "error: No rule or section 'XYZ'"),
        (["--python", "nowhere"], "error: nowhere does not exist"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["doctor", *words]) == 2
    assert capsys.readouterr().err.splitlines()[0] == message


def test_this_machine_is_looked_at_and_nothing_is_written(tmp_path: Path) -> None:
    environment(tmp_path / ".venv", idna="3.7")
    ended = envsnap("doctor", "--format", "json", cwd=tmp_path)
    assert ended.code in {0, 1, 4}
    assert json.loads(ended.out)["checks"][0]["decides"] == "native"
    assert names_in(tmp_path) == [".venv"]


def test_where_no_python_was_found_the_machine_alone_can_be_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["doctor", "--from", HEALTHY]) == 4
    said = capsys.readouterr().out
    assert said.startswith("  HEALTH   CANNOT TELL   the machine: ")
    assert " ".join(said.split()).endswith(" The machine alone: envsnap doctor --host-only")
