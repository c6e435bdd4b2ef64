"""The hook for pre-commit and the action for workflows: their files, and their scripts run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from envsnap.manifest import save
from envsnap.rules import Outcome
from tests.checks import HOSTS
from tests.cli.processes import CHECKOUT
from tests.rules.machines import T4, gpu, machine

ACTION = CHECKOUT / "action.yml"
HOOKS = CHECKOUT / ".pre-commit-hooks.yaml"


def action() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    read = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    assert isinstance(read, dict)
    return read


def script(name: str) -> str:
    """What a step of the action runs."""
    (found,) = [each["run"] for each in action()["runs"]["steps"] if each["name"] == name]
    assert isinstance(found, str)
    return found


def test_no_script_of_the_action_holds_an_expression() -> None:
    """A value that a stranger chooses (a branch, a file) must never become text of a script."""
    for step in action()["runs"]["steps"]:
        assert "${{" not in step["run"]
        assert step["shell"] == "bash"
        assert step["run"].startswith("set -euo pipefail\n")


def test_every_input_and_output_of_the_action_is_used_and_described() -> None:
    read = action()
    text = ACTION.read_text(encoding="utf-8")
    assert read["runs"]["using"] == "composite"
    for name, each in read["inputs"].items():
        assert each["description"]
        assert each["required"] is False
        assert f"${{{{ inputs.{name} }}}}" in text
    for name, each in read["outputs"].items():
        assert each["value"] == f"${{{{ steps.check.outputs.{name} }}}}"
        assert each["description"]
    assert read["inputs"]["fail-on"]["default"] == Outcome.NUMERICS.value


def test_the_hook_asks_whether_it_runs_whatever_files_changed() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    (hook,) = yaml.safe_load(HOOKS.read_text(encoding="utf-8"))
    assert hook["id"] == "envsnap-check"
    assert hook["entry"] == "env -u VIRTUAL_ENV envsnap check"
    assert hook["args"] == ["--fail-on", "degrades"]
    assert (hook["language"], hook["pass_filenames"], hook["always_run"]) == ("python", False, True)


class Runner:
    """A folder as a workflow's runner has it, with envsnap where the action installs it."""

    def __init__(self, folder: Path) -> None:
        self.temp, self.work = folder / "temp", folder / "work"
        (self.temp / "envsnap" / "bin").mkdir(parents=True)
        self.work.mkdir()
        program = self.temp / "envsnap" / "bin" / "envsnap"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m envsnap "$@"\n')
        program.chmod(0o755)

    def check(self, **inputs: str) -> subprocess.CompletedProcess[str]:
        """The action's second step with these inputs."""
        given = {"MANIFEST": "", "AGAINST": "", "FAIL_ON": "numerics", "PYTHON": "", **inputs}
        env = {
            "PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": str(CHECKOUT),
            "PYTHONDONTWRITEBYTECODE": "1", "RUNNER_TEMP": str(self.temp),
            "GITHUB_OUTPUT": str(self.temp / "output"),
            "GITHUB_STEP_SUMMARY": str(self.temp / "summary"),
            **{f"ENVSNAP_{name}": value for name, value in given.items()},
        }  # fmt: skip
        return subprocess.run(
            ["bash", "-c", script("Check")], cwd=self.work, env=env, capture_output=True,
            text=True, check=False, timeout=60,
        )  # fmt: skip

    @property
    def outputs(self) -> dict[str, str]:
        lines = (self.temp / "output").read_text().splitlines()
        return dict(each.split("=", 1) for each in lines)


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    made = Runner(tmp_path)
    save(machine(), str(made.work / "a.json"))
    save(machine(gpu=gpu(T4)), str(made.work / "t4.json"))
    return made


def test_the_action_answers_writes_the_summary_and_hands_over_the_reports(runner: Runner) -> None:
    ended = runner.check(MANIFEST="a.json", AGAINST="t4.json")
    assert (ended.returncode, ended.stderr) == (1, "")
    assert ended.stdout.startswith("wanted  a.json: environment ")
    assert runner.outputs["exit-code"] == "1"
    assert json.loads(Path(runner.outputs["sarif"]).read_text())["version"] == "2.1.0"
    summary = (runner.temp / "summary").read_text(encoding="utf-8")
    assert summary == Path(runner.outputs["report"]).read_text(encoding="utf-8")
    assert summary.startswith("## ")


def test_the_action_takes_several_machines_a_line_each(runner: Runner) -> None:
    ended = runner.check(MANIFEST="a.json", AGAINST="t4.json\n\na.json\n", FAIL_ON="blocks")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(json.loads(Path(runner.outputs["sarif"]).read_text())["runs"]) == 2


def test_the_nearest_manifest_and_this_machine_are_the_default(runner: Runner) -> None:
    (runner.work / "a.json").rename(runner.work / "envsnap.lock.json")
    ended = runner.check(FAIL_ON="blocks")
    assert "found   this machine" in ended.stdout
    assert runner.outputs["exit-code"] == str(ended.returncode)


def test_a_check_that_cannot_be_leaves_its_code_and_no_report(runner: Runner) -> None:
    ended = runner.check(MANIFEST="none.json")
    assert ended.returncode == 3
    assert ended.stderr.startswith("error: No manifest at none.json")
    assert runner.outputs == {"exit-code": "3"}
    assert not (runner.temp / "summary").exists()


@pytest.mark.parametrize(
    "evil",
    ["$(touch owned)", "`touch owned`", "; touch owned", '"; touch owned; "', "--help", "-q"],
)
def test_an_input_is_a_word_whatever_is_in_it(runner: Runner, evil: str) -> None:
    for name in ("MANIFEST", "AGAINST", "PYTHON", "FAIL_ON"):
        ended = runner.check(**{"MANIFEST": "a.json", "AGAINST": "t4.json", name: evil})
        assert ended.returncode in {2, 3}
        assert sorted(each.name for each in runner.work.iterdir()) == ["a.json", "t4.json"]


INSTALLER = """\
#!/bin/sh
# `python3 -m venv FOLDER`, whose python writes down what it is asked to do.
mkdir -p "$3/bin"
cat >"$3/bin/python" <<'END'
#!/bin/sh
printf '%s\\n' "$@" >>"$RUNNER_TEMP/told"
END
chmod +x "$3/bin/python"
"""


def test_the_first_step_names_what_it_installs(tmp_path: Path) -> None:
    told = tmp_path / "bin" / "python3"
    told.parent.mkdir()
    told.write_text(INSTALLER)
    told.chmod(0o755)
    for version, expected in (
        ("", "/the/action"),
        ("v1; touch owned", "git+https://code.example/owner/envsnap@v1; touch owned"),
    ):
        env = {
            "PATH": f"{told.parent}:{os.environ['PATH']}", "RUNNER_TEMP": str(tmp_path),
            "ENVSNAP_VERSION": version, "ENVSNAP_HERE": "/the/action",
            "ENVSNAP_SOURCE": "https://code.example/owner/envsnap",
        }  # fmt: skip
        subprocess.run(["bash", "-c", script("Install envsnap")], env=env, cwd=tmp_path, check=True)
        words = (tmp_path / "told").read_text().splitlines()
        assert words[-2:] == ["--", expected]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["bin", "envsnap", "told"]


def test_recorded_machines_can_be_named(runner: Runner) -> None:
    host = HOSTS / "ubuntu-t4-healthy"
    ended = runner.check(MANIFEST="a.json", AGAINST=str(host), FAIL_ON="blocks")
    assert f"found   {host}: " in ended.stdout.replace("\n        ", "")
