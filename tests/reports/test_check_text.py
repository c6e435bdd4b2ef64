"""check's answer for people, whole."""

from __future__ import annotations

import re

import pytest

from envsnap._check import CheckOptions, check
from envsnap.manifest import Manifest, environment_id
from envsnap.profiles import load
from envsnap.reports._groups import HERE
from envsnap.reports._holds import holds
from envsnap.reports._lines import plain
from envsnap.reports.check_text import Sides, brief, text, verdicts
from envsnap.rules import Checked, Condition, Level, Outcome, Scope, rules
from envsnap.sections import Environ, Reason, Unknown, replace
from tests import made
from tests.reports.hand_made import (
    BLOCKS,
    BY_AUTHOR,
    BY_READER,
    DIGITS,
    LIMIT,
    NOTE,
    OPEN,
    SEEDS,
    checked,
    sides,
)
from tests.rules.machines import (
    DEEP_LEARNING,
    UNSEEN,
    copy,
    cpu,
    device,
    driver,
    engine,
    engines,
    gpu,
    libraries,
    machine,
    packages,
)

RTX = device(
    "NVIDIA GeForce RTX 4090", compute_capability="8.9", multiprocessors=128, memory_mib=24564,
    mig=None,
)  # fmt: skip
STUDENT = machine(
    packages=packages(*DEEP_LEARNING, *(made.package(f"p{n}", "1.0") for n in range(375))),
    os=made.linux(distribution="ubuntu", distribution_version="22.04", libc_version="2.35"),
    cpu=cpu(microarchitecture="zen4", threads=32),
    gpu=gpu(RTX, driver=driver("550.144.03")),
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


WHOLE = """\
wanted  paper.json: environment {environment}, 31 Jan 2026, this machine
found   this machine, environment "env": Debian 12, A100-SXM4-40GB, driver
        550.54.14

  NATIVELY           WILL NOT RUN                           (decides the exit)
  IN THE CONTAINER   WILL NOT RUN   for the same reason
  RESULTS            NONE   it does not run

1 thing that stops it
  driver      CUDA 12.4 needs driver 525.60.13; here is 515.65.01: CUDA  DRV001
              does not start
              -> a driver of 525.60.13 or newer

If that is mended: 1 limit, 1 reason why digits may differ (-v)

Fine         packages: 2 rules in all; 1 difference changes no digit.  -v lists
             them
Not checked  found gpu.devices: no-permission: for a test (GPU003)

Exit 1: it will not run here
Allowed      by the author: 1 of 3.  --accept-waivers takes that word
Doubt it     envsnap explain DRV001   the rule and its source"""
ALLOWED = LIMIT._replace(excuses=(BY_AUTHOR,))
LIMITED = """\
1 limit
  GPU memory  24 GiB -> 15 GiB: what filled the wanted GPU's memory      GPU005
              does not fit
              -> a smaller batch, or a GPU with 24 GiB
              =  the author allows it: tried on both

1 reason why digits may differ; nothing on this machine mends it
  CPU         zen4 -> cascadelake: NumPy takes other kernels, which add  CPU001
              in another order

"""
EVERYTHING = checked(NOTE, DIGITS, ALLOWED, BLOCKS, left=(OPEN,), conditions=(SEEDS,))


def whole(answer: Checked, *, width: int = 80, verbose: bool = False, name: str = HERE) -> str:
    lines = plain(text(answer, sides(name), width=width, verbose=verbose))
    return "\n".join(each.rstrip() for each in lines)


def test_the_answer_comes_first_then_what_to_do_then_what_nobody_can_mend() -> None:
    assert whole(EVERYTHING) == WHOLE.format(environment=environment_id(machine()))
    assert LIMITED in whole(checked(ALLOWED, DIGITS))


def test_of_what_does_not_run_the_rest_is_told_with_v() -> None:
    titles = [each for each in whole(EVERYTHING, verbose=True).splitlines() if each[:1].isdigit()]
    assert titles == [
        "1 thing that stops it",
        "1 limit",
        "1 reason why digits may differ; nothing on this machine mends it",
        "1 note",
    ]


def test_on_a_wide_terminal_what_and_so_what_stand_side_by_side() -> None:
    lines = whole(checked(ALLOWED, DIGITS), width=120).splitlines()
    start = lines.index("1 limit")
    first, second, *rest = lines[start + 1 : start + 5]
    assert first.split("  ")[1] == "GPU memory"
    assert (first[14:63].rstrip(), first[63:111].rstrip(), first[111:].strip()) == (
        "24 GiB -> 15 GiB", "what filled the wanted GPU's memory does not fit", "GPU005",
    )  # fmt: skip
    assert [second, *rest][:2] == [
        "              -> a smaller batch, or a GPU with 24 GiB",
        "              =  the author allows it: tried on both",
    ]
    cpu = next(each for each in lines if each.startswith("  CPU"))
    assert (cpu[14:63].rstrip(), cpu[111:].strip()) == ("zen4 -> cascadelake", "CPU001")
    assert cpu[63:].startswith("NumPy takes other kernels")


@pytest.mark.parametrize("width", [80, 119, 120, 160, 400])
def test_the_codes_stand_in_one_column_at_any_width(width: int) -> None:
    lines = whole(EVERYTHING, width=width, verbose=True).splitlines()
    ends = {len(each) for each in lines if each.endswith(("DRV001", "GPU005", "CPU001"))}
    assert ends == {min(width, 160) - 1}


def test_what_stops_it_comes_before_what_can_be_mended_even_if_nobody_can_mend_it() -> None:
    answer = checked(LIMIT, BLOCKS._replace(remedy=None))
    said = whole(answer, name="b.json", verbose=True)
    titles = [each for each in said.splitlines() if each[:1].isdigit()]
    assert titles == ["1 thing that stops it; nothing there mends it", "1 limit"]


def test_a_note_that_decides_is_told_without_v() -> None:
    answer = checked(NOTE, options=CheckOptions(fail_on=Outcome.NOTE))
    assert "1 note\n  kernel      6.1.0 -> 6.8.0: Linux keeps" in whole(answer)
    assert "Exit 1: something differs" in whole(answer)


ACCEPTED = """\
  NATIVELY           RUNS                                   (decides the exit)
  IN THE CONTAINER   RUNS
  RESULTS            STATISTICAL   the same conclusions; digits may differ

1 difference was accepted, and does not decide
  CPU         zen4 -> cascadelake: NumPy takes other kernels, which add  CPU001
              in another order
              =  accepted: the cluster is mixed, until 2099-12-31

Fine         packages, system, GPU, driver: 6 rules in all.  -v lists them
Accepted     GPU003 was accepted until 2020-01-01; that is over
Left out     ENG: no engine here

Exit 0: 1 difference is accepted until 2099-12-31; nothing else changes results"""


def test_what_a_reader_accepted_is_shown_with_reason_and_day_and_does_not_decide() -> None:
    answer = checked(
        DIGITS._replace(excuses=(BY_READER,)),
        options=CheckOptions(ignore={"ENG": "no engine here"}),
        accepted_left=("GPU003 was accepted until 2020-01-01; that is over",),
    )
    assert whole(answer).partition("\n\n")[2] == ACCEPTED
    assert "\n".join(each.rstrip() for each in plain(brief(answer))[3:]) == (
        "Accepted     CPU001 (accepted: the cluster is mixed, until 2099-12-31)\n"
        "Accepted     GPU003 was accepted until 2020-01-01; that is over\n"
        "Left out     ENG: no engine here"
    )


def test_the_authors_word_counts_where_the_reader_takes_it() -> None:
    options = CheckOptions(accept_waivers=True)
    assert "Exit 0: 1 difference is accepted; nothing else changes results" in whole(
        checked(ALLOWED, options=options)
    )
    assert "Exit 1: it runs with limits" in whole(checked(ALLOWED))


def test_thousands_of_accepted_findings_are_a_few_lines() -> None:
    many = [DIGITS._replace(subject=f"p{n}", excuses=(BY_READER,)) for n in range(3000)]
    answer = checked(*many)
    assert len(plain(brief(answer))) == 5
    assert "2997 more like these" in whole(answer)


def test_conditions_are_told_once_with_what_lifts_them_and_a_few_of_them() -> None:
    others = tuple(Condition(f"ENV0{n}", f"switch {n} was not recorded") for n in range(20, 24))
    said = whole(checked(DIGITS, conditions=(SEEDS, SEEDS, *others)))
    assert "\nCondition    5 in all that nobody recorded (-v)\n" in said
    lowering = tuple(each._replace(lowers=Level.RUNS) for each in others)
    said = whole(checked(DIGITS, conditions=(SEEDS, *lowering)))
    assert said.partition("Condition    ")[2].partition("\n\n")[0].splitlines() == [
        "switch 20 was not recorded",
        "             switch 21 was not recorded",
        "             switch 22 was not recorded",
        "             2 more that nobody recorded (-v)",
    ]
    said = whole(checked(DIGITS, conditions=(SEEDS,)), verbose=True)
    assert "\nCondition    the seeds were not recorded\n             -> state the seeds\n" in said


def test_what_the_author_requires_is_counted() -> None:
    wanted = replace(machine(), requires={"must": ["driver >= 525"], "may": ["a", "b"]})
    lines = plain(text(checked(), sides(wanted=wanted)))
    told = " ".join(" ".join(lines).partition("Required")[2].partition("No drift")[0].split())
    assert told == (
        "1 that must hold and 2 that may differ, says the author. envsnap require lists them"
    )


def test_a_mild_difference_that_the_author_allows_is_named_though_it_is_folded() -> None:
    wanted = replace(machine(), requires={"may": ["driver in 535.*, 550.*"]})
    allowed = NOTE._replace(excuses=(BY_AUTHOR,))
    lines = plain(text(checked(allowed), sides(wanted=wanted)))
    at = next(number for number, each in enumerate(lines) if each.startswith("Required"))
    assert lines[at + 1] == f"             allowed: {NOTE.what} ({NOTE.code})"


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


def test_an_acceptance_that_is_nearly_over_says_so() -> None:
    soon = DIGITS._replace(excuses=(BY_READER._replace(until="2026-11-25"),))
    said = whole(checked(soon, options=CheckOptions(today="2026-11-21")))
    assert "Accepted     CPU001 is accepted until 2026-11-25: 4 days left\n" in said
    assert "days left" not in whole(checked(soon, options=CheckOptions(today="2026-11-01")))


def test_nobody_is_sent_to_mend_what_was_accepted() -> None:
    said = whole(checked(LIMIT._replace(excuses=(BY_READER,))))
    assert "=  accepted: the cluster is mixed, until 2099-12-31" in said
    assert "-> a smaller batch" not in said


def test_what_decides_is_said_where_the_other_way_has_another_exit() -> None:
    found = machine(cpu=cpu(model="another"), packages=packages())
    assert "\nDecided by   the container: 0 of 7 packages are" in shown(machine(), found)
    assert "Decided by" not in shown(machine(), machine(gpu=UNSEEN))


def test_more_than_two_unknown_things_are_not_to_be_accepted_but_looked_at() -> None:
    left = tuple(
        OPEN._replace(code=code, path=f"found {name}.x",
                      reason=Unknown(Reason.NOT_RECORDED, "for a test"))
        for code, name in (("GPU003", "gpu"), ("CPU001", "cpu"), ("SYS007", "os"))
    )  # fmt: skip
    said = " ".join(whole(checked(left=left)).split())
    assert said.endswith(
        "Exit 4: cannot tell, found cpu.x, found gpu.x and 1 more are not known. "
        "What would tell: a manifest of that side: envsnap capture, there"
    )


def test_every_rule_says_what_holds_where_it_found_nothing() -> None:
    assert [each.code for each in rules() if holds(each) == each.topic] == []


def test_another_system_is_more_than_an_environment_not_set_up() -> None:
    found = machine(os=made.linux(system="Darwin"), packages=UNSEEN)
    report = shown(machine(), found, options=CheckOptions(scope=Scope.NATIVE))
    assert (
        "  NATIVELY           WILL NOT RUN                           (decides the exit)" in report
    )


def test_a_family_of_which_a_rule_was_not_judged_is_not_called_fine() -> None:
    assert (
        "\nFine         packages, system, CPU and memory, driver: 6 rules in all.  -v\n"
        "             lists them\n" in whole(checked(left=(OPEN,)))
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


def test_cannot_tell_names_the_fact_and_how_to_accept_that() -> None:
    report = whole(checked(left=(OPEN,)))
    assert "  RESULTS            AT BEST BITWISE" in report
    assert "Not checked  found gpu.devices: no-permission: for a test (GPU003)" in report
    assert (
        "Exit 4: cannot tell, found gpu.devices is not known.  To accept that:\n"
        "--allow-unknown GPU003" in report
    )


def test_notes_are_counted_and_told_with_v_alone() -> None:
    brief_one, verbose = whole(checked(NOTE)), whole(checked(NOTE), verbose=True)
    assert "kernel" not in brief_one
    assert "\nNo drift that changes a digit in 7 packages, driver, GPU, CPU (6 rules; 1 that\n" in (
        brief_one
    )
    assert (
        "\n1 note\n"
        "  kernel      6.1.0 -> 6.8.0: Linux keeps its promises to programs       SYS007\n"
        in verbose
    )
    assert "\nFine         packages: none is missing (PKG001)\n" in verbose


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
