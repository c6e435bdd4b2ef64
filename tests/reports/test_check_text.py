"""check's answer for people, whole."""

from __future__ import annotations

import pytest

from envsnap._check import CheckOptions, check
from envsnap.manifest import Manifest, environment_id
from envsnap.profiles import load
from envsnap.reports._lines import plain
from envsnap.reports.check_text import Sides, text, verdicts
from envsnap.rules import Outcome, Scope
from envsnap.sections import Environ, replace
from tests import made
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
    checked = check(wanted, found, options or CheckOptions())
    sides = Sides(wanted, "envsnap.lock.json", found, "this machine")
    lines = plain(text(checked, sides, width=width, verbose=verbose))
    return "\n".join(each.rstrip() for each in lines)


SAME = """\
wanted  envsnap.lock.json: environment {environment}, 31 Jan 2026
found   this machine: Debian 12, A100-SXM4-40GB, driver 550.54.14

  NATIVELY           RUNS                                   (decides the exit)
  IN THE CONTAINER   RUNS
  RESULTS            AS CAPTURED   no difference known to change digits

Fine         packages, Python, system, CPU and memory, GPU, driver, CUDA
             libraries, what would load, variables, fabric (55 rules).  -v
             lists them

Exit 0: nothing that changes results in 59 rules
Decided by   running natively: 7 of 7 packages are installed there.  --for
             changes it"""


def test_the_same_machine_is_told_in_a_few_lines() -> None:
    expected = SAME.format(environment=environment_id(machine()))
    assert shown(machine(), machine()) == expected


REVIEWER = """\
wanted  envsnap.lock.json: environment {environment}, 31 Jan 2026, Ubuntu 22.04,
        GeForce RTX 4090, driver 550.144.03
found   this machine: Debian 12, Tesla T4, driver 535.183.01

  IN THE CONTAINER   RUNS, WITH LIMITS                      (decides the exit)
  NATIVELY           CANNOT TELL   the environment there is not known
  RESULTS            MAY DIFFER   4 reasons below

2 limits
  GPU memory  24 GiB -> 15 GiB: what filled the wanted GPU's memory      GPU005
              does not fit
              -> a smaller batch, or a GPU with 24 GiB
  bfloat16    bfloat16, FP8: not in sm_75's hardware: computing in it    GPU007
              is refused, or emulated slowly
              -> float16 or float32, and say so in the report

4 reasons why digits may differ
  CPU         zen4 -> cascadelake: NumPy, BLAS and PyTorch take other    CPU001
              kernels, which add in another order
  GPU kind    GeForce RTX 4090 (sm_89) -> Tesla T4 (sm_75): the same     GPU003
              bits are promised within one kind of GPU only (cuDNN)
  GPU size    128 -> 40 multiprocessors: sums are split by the number    GPU004
              of multiprocessors (cuBLAS)
  TF32        float32 convolutions of PyTorch: with it -> without it:    GPU013
              TensorFloat-32 keeps ten bits of a number: results differ
              in the third digit
              -> a GPU of Ampere or later, or the wanted results again
                 without it

Fine         driver, variables, container engines (9 rules), and 10 other
             rules; 4 differences change no digit.  -v lists them
Not checked  found os.kernel: not-recorded: not the same on all machines of
             this profile (SYS007)
             the environment there: not-recorded: a profile is a machine
             without an environment (17 rules)
Condition    sums on the CPU are split by its number of threads
Condition    code compiled at run time for CUDA 12.4 on driver 535.183.01 was
             not judged

Exit 1: it runs with limits.  To ask only "will it run": --fail-on blocks
Decided by   the container: a profile is a machine without an environment.
             --for changes it
Doubt it     envsnap explain GPU005   the rule and its source
Run it       envsnap build --docker --image NAME"""


def test_a_reviewers_first_run_on_a_t4_machine() -> None:
    expected = REVIEWER.format(environment=environment_id(STUDENT))
    assert shown(STUDENT, load("t4-cloud")) == expected


NOT_SET_UP = """\
  IN THE CONTAINER   RUNS                                   (decides the exit)
  NATIVELY           NOT SET UP   382 packages are not installed here
  RESULTS            AS CAPTURED   no difference known to change digits"""


def test_an_environment_that_was_never_set_up_here_is_one_line() -> None:
    bare = replace(STUDENT, sections={**STUDENT.sections, "packages": packages()})
    lines = plain(verdicts(check(STUDENT, bare)))
    assert "\n".join(each.rstrip() for each in lines) == NOT_SET_UP


def test_another_system_is_more_than_an_environment_not_set_up() -> None:
    found = machine(os=made.linux(system="Darwin"), packages=UNSEEN)
    report = shown(machine(), found, options=CheckOptions(scope=Scope.NATIVE))
    assert (
        "  NATIVELY           WILL NOT RUN                           (decides the exit)" in report
    )


def test_a_family_of_which_a_rule_was_not_judged_is_not_called_fine() -> None:
    report = shown(machine(), machine(packages=UNSEEN), options=CheckOptions(scope=Scope.NATIVE))
    fine = " ".join(report.partition("Fine ")[2].partition("Not checked")[0].split())
    assert fine == (
        "Python, system, CPU and memory, driver, CUDA libraries, variables, fabric (29 rules), "
        "and 15 other rules. -v lists them"
    )


def test_no_line_is_longer_than_the_terminal() -> None:
    found = machine(engines=UNSEEN, packages=UNSEEN)
    for width in (40, 60, 80, 120):
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


def test_what_stops_it_comes_first_and_makes_the_results_none() -> None:
    report = shown(machine(), machine(gpu=gpu(device(), driver=driver("515.65.01"))))
    assert report.splitlines()[4:13] == [
        "  NATIVELY           WILL NOT RUN                           (decides the exit)",
        "  IN THE CONTAINER   WILL NOT RUN   for the same reason",
        "  RESULTS            NONE   it does not run",
        "",
        "1 thing that stops it",
        "  driver      torch is built for CUDA 12.4, which needs driver           DRV001",
        "              525.60.13; here is 515.65.01: CUDA does not start on a",
        "              driver older than its family's first one",
        "              -> a driver of 525.60.13 or newer",
    ]
    assert "\nExit 1: it will not run here\n" in report


def test_cannot_tell_names_the_fact_and_how_to_accept_that() -> None:
    report = shown(machine(), machine(cpu=cpu(microarchitecture=UNSEEN)))
    assert "  RESULTS            CANNOT TELL   not everything was seen" in report
    assert "Not checked  found cpu.microarchitecture: no-permission: for a test (CPU001)" in report
    assert (
        "Exit 4: cannot tell, found cpu.microarchitecture is not known.  To accept that:\n"
        "--allow-unknown CPU001" in report
    )


def test_notes_are_counted_and_told_with_v_alone() -> None:
    found = machine(os=made.linux(kernel="6.8.0"))
    assert "kernel 6.1.0" not in shown(machine(), found)
    words = " ".join(shown(machine(), found).split())
    assert "(54 rules); 1 difference changes no digit. -v lists them" in words
    verbose = shown(machine(), found, verbose=True)
    assert "\n1 note\n  kernel      kernel 6.1.0 -> 6.8.0: Linux keeps its" in verbose
    assert "\nFine         packages: missing (PKG001), other version (PKG002)," in verbose


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
    checked = check(STUDENT, load("t4-cloud"), CheckOptions())
    name = f"a  b/{'long ' * 12}$(x).json"
    said = plain(text(checked, Sides(STUDENT, name, load("t4-cloud"), "t4-cloud"), width=80))
    assert said[-1] == f"Run it       envsnap build '{name}' --docker --image NAME"


def test_a_manifest_that_was_edited_by_hand_is_called_so() -> None:
    report = shown(replace(machine(), edited=True), machine())
    assert "31 Jan 2026, edited since it was captured" in " ".join(report.split())


def test_a_side_without_an_environment_is_one_place_that_was_not_seen() -> None:
    report = shown(STUDENT, load("t4-cloud"), options=CheckOptions(scope=Scope.NATIVE))
    assert "                     the environment there is not known" in report
    left_open = report.partition("Not checked  ")[2].partition("Condition")[0]
    assert " ".join(left_open.split()).startswith(
        "the environment there: not-recorded: a profile is a machine without an environment ("
    )
    assert left_open.count("without an environment") == 1


def test_a_subject_that_stands_beside_its_finding_is_not_said_again() -> None:
    wanted = machine(environ=Environ(variables={"LD_LIBRARY_PATH": "/opt/lib"}))
    report = shown(wanted, machine(environ=Environ(variables={})), verbose=True)
    assert "\n  LD_LIBRARY_PATH\n              /opt/lib -> not set: " in report


def test_what_another_wrote_is_cut_and_spelled_out_before_a_line_is_filled() -> None:
    name = f"lib{'x' * 3000}.so\x1b[2J"
    found = machine(libraries=libraries(copy(), missing=(name,)))
    report = shown(machine(libraries=libraries(copy())), found)
    assert "\x1b" not in report
    assert f"lib{'x' * 57}…"[:40] in report
    assert len(report.splitlines()) < 25
    assert [each for each in report.splitlines() if len(each) > 80] == []
