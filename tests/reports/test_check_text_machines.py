"""check's answer for people between two machines: the same, another, not set up, not active."""

from __future__ import annotations

import re

import pytest

from envsnap._check import CheckOptions, check
from envsnap.manifest import Manifest, environment_id
from envsnap.profiles import load
from envsnap.reports._lines import plain
from envsnap.reports.check_text import Sides, text, verdicts
from envsnap.rules import Outcome, Scope
from envsnap.sections import Environ, replace
from tests import made
from tests.reports.hand_made import STUDENT
from tests.rules.machines import (
    UNSEEN,
    copy,
    cpu,
    engine,
    engines,
    libraries,
    machine,
    packages,
)


def shown(
    wanted: Manifest,
    found: Manifest,
    *,
    verbose: bool = False,
    width: int = 80,
    options: CheckOptions | None = None,
) -> str:
    answer = check(wanted, found, options or CheckOptions())
    both = Sides(wanted, "envsnap.lock.json", found, "this machine")
    lines = plain(text(answer, both, width=width, verbose=verbose))
    return "\n".join(each.rstrip() for each in lines)


SAME = """\
wanted  envsnap.lock.json: environment {environment}, 31 Jan 2026, this machine
found   this machine, environment "env": Debian 12, A100-SXM4-40GB, driver
        550.54.14

  NATIVELY           RUNS                                   (decides the exit)
  RESULTS            BITWISE?   if seeds, switches and hash seed were the same

No drift in 7 packages, Python, driver, GPU, CPU, system (N rules).  Exit 0"""


def test_the_same_machine_is_told_in_a_few_lines() -> None:
    assert re.sub(r"\d+ rules", "N rules", shown(machine(), machine())) == SAME.format(
        environment=environment_id(machine())
    )


def test_a_reviewers_first_run_on_a_t4_machine() -> None:
    report = shown(STUDENT, load("t4-cloud"))
    assert len(report.splitlines()) < 50
    assert "driver 535.183.01 is new enough, torch has code for sm_75, " in report
    titles = [each for each in report.splitlines() if each[:1].isdigit()]
    assert titles == [
        "2 limits",
        "2 reasons why digits may differ",
        "4 reasons why digits may differ; nothing on this machine mends them",
    ]
    assert report.splitlines()[4:7] == [
        "  IN THE CONTAINER   RUNS, WITH LIMITS                      (decides the exit)",
        "  NATIVELY           CANNOT TELL   the environment there is not known",
        "  RESULTS            STATISTICAL   the same conclusions; digits may differ",
    ]
    assert report.splitlines()[-1] == "Run it       envsnap build --docker --image NAME"


NOT_SET_UP = """\
  IN THE CONTAINER   RUNS                                   (decides the exit)
  NATIVELY           NOT SET UP   382 packages are not installed here"""


def test_an_environment_that_was_never_set_up_here_is_one_line() -> None:
    other = {"packages": packages(), "cpu": cpu(model="another")}
    bare = replace(STUDENT, sections={**STUDENT.sections, **other})
    lines = plain(verdicts(check(STUDENT, bare)))
    assert "\n".join(each.rstrip() for each in lines[:2]) == NOT_SET_UP


NOT_ACTIVE = """\
wanted  envsnap.lock.json: environment {environment}, environment "env", 31 Jan
        2026, this machine
found   this machine, Python 3.11.7 of pyenv, not environment "env": Ubuntu
        22.04, GeForce RTX 4090, driver 550.144.03

  NATIVELY           NOT SET UP                             (decides the exit)

1 thing that stops it
  packages    382 packages are not installed here: what imports them     PKG001
              stops there
              -> activate venv "env", or name it: envsnap check --python PATH

"""


def test_an_environment_that_is_not_active_is_what_the_reader_can_mend() -> None:
    bare = {
        "python": made.python(environment_kind="installation", environment_name=None,
                              origin="pyenv"),
        "packages": packages(made.package("pip", "25.1")),
        "engines": engines(engine(usable=False)),
    }  # fmt: skip
    report = shown(STUDENT, replace(STUDENT, sections={**STUDENT.sections, **bare}))
    assert report.startswith(NOT_ACTIVE.format(environment=environment_id(STUDENT)))
    assert "\nContainers   docker cannot be used by this user (ENG001)\n" in report
    assert "If that is mended" not in report


def test_what_decides_is_said_where_the_other_way_has_another_exit() -> None:
    found = machine(cpu=cpu(model="another"), packages=packages())
    assert "\nDecided by   the container: 0 of 7 packages are" in shown(machine(), found)
    assert "Decided by" not in shown(machine(), machine(gpu=UNSEEN))


def test_another_system_is_more_than_an_environment_not_set_up() -> None:
    found = machine(os=made.linux(system="Darwin"), packages=UNSEEN)
    report = shown(machine(), found, options=CheckOptions(scope=Scope.NATIVE))
    assert (
        "  NATIVELY           WILL NOT RUN                           (decides the exit)" in report
    )


def test_no_line_is_longer_than_the_terminal() -> None:
    found = machine(engines=UNSEEN, packages=UNSEEN)
    for width in (60, 80, 120):
        for scope in Scope.NATIVE, Scope.CONTAINER:
            report = shown(STUDENT, found, width=width, options=CheckOptions(scope=scope))
            assert [each for each in report.splitlines() if len(each) >= width] == []


def test_many_findings_of_a_rule_are_folded() -> None:
    wanted = machine(packages=packages(*(made.package(f"p{n}", "1") for n in range(382))))
    found = machine(packages=packages(*(made.package(f"p{n}", "2") for n in range(382))))
    report = shown(wanted, found)
    assert "382 reasons why digits may differ" in report
    assert report.count("PKG002") == 5  # three of them, the fold, and the rule to explain
    assert "              379 more like these" in report
    assert len(report.splitlines()) < 30


def test_rules_that_the_project_leaves_out_are_told_with_the_reason() -> None:
    options = CheckOptions(ignore={"CPU": "the cluster is mixed"})
    report = shown(machine(), machine(cpu=cpu(microarchitecture="zen4")), options=options)
    assert "Left out     CPU: the cluster is mixed" in report
    assert "Exit 0" in report


def test_asked_what_decides_the_choice_goes_without_saying() -> None:
    options = CheckOptions(scope=Scope.CONTAINER, fail_on=Outcome.BLOCKS)
    report = shown(machine(), machine(engines=engines(engine(usable=False))), options=options)
    assert "Decided by" not in report
    assert "docker cannot be used by this user" in report


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_of_prose_is_wider_than_the_terminal(width: int) -> None:
    report = shown(STUDENT, load("t4-cloud"), width=width).splitlines()
    fixed = ("  IN THE", "  NATIV", "  RESULTS", "Run it")
    assert [each for each in report if len(each) >= width and not each.startswith(fixed)] == []


def test_the_command_that_builds_can_be_pasted_whatever_the_file_is_called() -> None:
    answer = check(STUDENT, load("t4-cloud"), CheckOptions())
    name = f"a  b/{'long ' * 12}$(x).json"
    said = plain(text(answer, Sides(STUDENT, name, load("t4-cloud"), "t4-cloud"), width=80))
    assert said[-1] == f"Run it       envsnap build '{name}' --docker --image NAME"


def test_a_manifest_that_was_edited_by_hand_is_called_so() -> None:
    report = shown(replace(machine(), edited=True), machine())
    assert "31 Jan 2026, this machine, edited since it was captured" in " ".join(report.split())


def test_a_side_without_an_environment_is_one_place_that_was_not_seen() -> None:
    report = shown(STUDENT, load("t4-cloud"), options=CheckOptions(scope=Scope.NATIVE))
    assert "                     the environment there is not known" in report
    left_open = report.partition("Not checked  ")[2].partition("Condition")[0]
    assert re.match(
        r"\d+ rules about the environment there: a profile has none\Z",
        " ".join(left_open.split()),
    )


def test_a_subject_that_stands_beside_its_finding_is_not_said_again() -> None:
    wanted = machine(environ=Environ(variables={"LD_LIBRARY_PATH": "/opt/lib"}))
    report = shown(wanted, machine(environ=Environ(variables={})), verbose=True)
    assert "\n  LD_LIBRARY_PATH  /opt/lib -> not set: " in report


def test_what_another_wrote_is_cut_and_spelled_out_before_a_line_is_filled() -> None:
    name = f"lib{'x' * 3000}.so\x1b[2J"
    found = machine(libraries=libraries(copy(), missing=(name,)))
    report = shown(machine(libraries=libraries(copy())), found)
    assert "\x1b" not in report
    assert f"lib{'x' * 57}…"[:40] in report
    assert len(report.splitlines()) < 30
    assert [each for each in report.splitlines() if len(each) > 80] == []
