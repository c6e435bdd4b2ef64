"""check, from two manifests to the exit code; the command line with recorded machines."""

from __future__ import annotations

import pytest

from envsnap._check import CheckOptions, check, is_exact
from envsnap.cli import main
from envsnap.errors import ExitCode, UsageError
from envsnap.profiles import NO_ENVIRONMENT, names, title
from envsnap.profiles import load as profile
from envsnap.rules import FAMILIES, Outcome, Scope, Verdict
from envsnap.sections import Gpu, Packages, Python, Reason, Unknown
from tests import made
from tests.checks import FOUR, HOSTS, NO_PYTHON, on_the_machine_of, recorded
from tests.rules.machines import (
    T4,
    UNSEEN,
    cpu,
    device,
    engine,
    engines,
    gpu,
    machine,
    packages,
)


@pytest.mark.parametrize(
    ("found", "options", "expected"),
    [
        ({}, {}, ExitCode.OK),
        ({"gpu": gpu(T4)}, {}, ExitCode.NO),
        ({"gpu": gpu(T4)}, {"fail_on": Outcome.BLOCKS}, ExitCode.OK),
        ({"gpu": gpu(T4)}, {"fail_on": Outcome.DEGRADES}, ExitCode.NO),
        ({"cpu": cpu(threads=2)}, {}, ExitCode.NO),
        ({"gpu": gpu(device(power_limit_w=300))}, {}, ExitCode.OK),
        ({"gpu": gpu(device(power_limit_w=300))}, {"fail_on": Outcome.PERF}, ExitCode.NO),
        ({"gpu": UNSEEN}, {}, ExitCode.CANNOT_TELL),
        ({"gpu": UNSEEN}, {"allow_unknown": frozenset({"gpu"})}, ExitCode.OK),
        ({"gpu": UNSEEN, "cpu": cpu(microarchitecture="zen4")}, {}, ExitCode.NO),
        ({"cpu": cpu(microarchitecture=UNSEEN)}, {}, ExitCode.CANNOT_TELL),
        ({"cpu": cpu(microarchitecture=UNSEEN)}, {"fail_on": Outcome.BLOCKS}, ExitCode.OK),
        ({"cpu": cpu(microarchitecture=UNSEEN)}, {"allow_unknown": frozenset({"CPU001"})},
         ExitCode.OK),
        ({"cpu": cpu(microarchitecture=UNSEEN)}, {"allow_unknown": frozenset({"CPU002"})},
         ExitCode.CANNOT_TELL),
        ({"gpu": gpu(T4)}, {"select": ("PKG", "CPU001")}, ExitCode.OK),
        ({"cpu": cpu(microarchitecture="zen4")}, {"ignore": {"CPU": "mixed"}}, ExitCode.OK),
        ({"packages": packages(), "cpu": cpu(model="another")}, {}, ExitCode.OK),
        ({"packages": packages()}, {}, ExitCode.NO),
        ({"packages": packages()}, {"scope": Scope.NATIVE}, ExitCode.NO),
        ({"engines": engines()}, {}, ExitCode.OK),
        ({"engines": engines()}, {"scope": Scope.CONTAINER}, ExitCode.NO),
    ],
)  # fmt: skip
def test_the_exit_code_is_decided_by_findings_then_by_what_is_open(
    found: dict[str, object], options: dict[str, object], expected: ExitCode
) -> None:
    checked = check(machine(), machine(**found), CheckOptions(**options))  # type: ignore[arg-type]  # by name
    assert checked.exit_code is expected


@pytest.mark.parametrize(
    ("there", "scope", "chosen"),
    [
        (2, Scope.NATIVE, "2 of 4 packages are installed there"),
        (1, Scope.CONTAINER, "1 of 4 packages are installed there"),
    ],
)
def test_without_for_half_of_the_packages_decide(there: int, scope: Scope, chosen: str) -> None:
    found = machine(packages=packages(*FOUR[:there]), cpu=cpu(model="another"))
    checked = check(machine(packages=packages(*FOUR)), found)
    assert (checked.scope, checked.chosen) == (scope, chosen)


@pytest.mark.parametrize(
    ("there", "chosen", "remedy"),
    [
        ({}, "0 of 4 packages are installed there, and the manifest is of this machine",
         'activate venv "env", or name it: envsnap check --python PATH'),
        ({"cpu": cpu(model="another"), "engines": engines(engine(usable=False))},
         "0 of 4 packages are installed there, and no container engine can be used there",
         "envsnap build, or install them here"),
    ],
)  # fmt: skip
def test_an_environment_that_is_not_active_is_no_matter_of_containers(
    there: dict[str, object], chosen: str, remedy: str
) -> None:
    found = machine(packages=packages(made.package("pip", "25.1")), **there)
    checked = check(machine(packages=packages(*FOUR)), found)
    assert (checked.scope, checked.chosen) == (Scope.NATIVE, chosen)
    assert [each.remedy for each in checked.reached if each.code == "PKG001"] == [remedy]


def test_a_profile_leaves_the_answer_to_the_container_whatever_the_wanted_side_is() -> None:
    checked = check(machine(packages=UNSEEN), profile("t4-cloud"))
    assert (checked.scope, checked.chosen, checked.is_set_up) == (
        Scope.CONTAINER, "a profile is a machine without an environment", False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("section", "python", "chosen"),
    [
        (NO_ENVIRONMENT, NO_ENVIRONMENT, "a profile is a machine without an environment"),
        (Unknown(Reason.NOT_ASKED), made.python(),
         "what is installed there was left out of its capture"),
        (NO_PYTHON, NO_PYTHON, "there is no Python there"),
    ],
)  # fmt: skip
def test_a_side_that_has_no_environment_leaves_the_answer_to_the_container(
    section: Unknown, python: object, chosen: str
) -> None:
    checked = check(machine(), machine(packages=section, python=python))
    assert (checked.scope, checked.chosen) == (Scope.CONTAINER, chosen)
    assert checked.exit_code is ExitCode.OK


@pytest.mark.parametrize(
    "reason", [each for each in Reason if each is not Reason.NOT_ASKED], ids=str
)
def test_packages_that_could_not_be_read_leave_the_answer_open(reason: Reason) -> None:
    """A tool that is missing is no absent environment either, where Python was seen."""
    for unread in (Unknown(reason), packages(installed=Unknown(reason))):
        checked = check(machine(), machine(packages=unread))
        assert (checked.scope, checked.chosen) == (
            Scope.NATIVE,
            "what is installed there could not be seen, and may be all of it",
        )
        assert (checked.verdict, checked.exit_code) == (
            Verdict.CANNOT_TELL,
            ExitCode.CANNOT_TELL,
        )


def test_packages_that_were_left_out_beside_a_python_are_no_machine_alone() -> None:
    wanted = machine(packages=Unknown(Reason.NOT_ASKED, "left out of this capture"))
    checked = check(wanted, machine())
    assert (checked.scope, checked.chosen) == (
        Scope.NATIVE,
        "which packages are wanted is not known",
    )
    for scope in Scope.NATIVE, Scope.CONTAINER:
        assert checked.report.verdict(scope) is Verdict.CANNOT_TELL
        assert check(wanted, machine(), CheckOptions(scope=scope)).exit_code == 4


def test_where_no_rule_of_that_way_was_judged_nothing_is_told() -> None:
    options = CheckOptions(select=("PKG",), scope=Scope.CONTAINER)
    checked = check(machine(), machine(), options)
    assert (checked.verdict, checked.exit_code) == (Verdict.CANNOT_TELL, ExitCode.CANNOT_TELL)
    assert checked.left_open == ()
    accepted = CheckOptions(select=("PKG001",), allow_unknown=frozenset({"packages"}))
    assert check(machine(), machine(packages=UNSEEN), accepted).exit_code is ExitCode.CANNOT_TELL


def test_two_machines_without_environments_are_compared_as_machines() -> None:
    why = Unknown(Reason.NOT_ASKED, "left out of this capture")
    left_out = dict.fromkeys(("python", "packages", "cuda", "environ", "project"), why)
    checked = check(machine(**left_out), machine(**left_out))
    assert checked.exit_code is ExitCode.OK
    assert (checked.scope, checked.chosen) == (
        Scope.CONTAINER,
        "the wanted side is a machine without an environment",
    )
    checked = check(machine(**left_out), machine(**{**left_out, "gpu": gpu(T4)}))
    assert {each.code for each in checked.reached} >= {"GPU003", "GPU004", "GPU005"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (CheckOptions(select=("XYZ",)), "No rule 'XYZ'"),
        (CheckOptions(ignore={"DRV999": "x"}), "No rule 'DRV999'"),
        (CheckOptions(allow_unknown=frozenset({"gpus"})), "No rule or section 'gpus'"),
        (CheckOptions(select=("PKG",), ignore={"PKG": "x"}), "No rule is left to judge"),
        (CheckOptions(ignore=dict.fromkeys(FAMILIES, "x")), "No rule is left to judge"),
    ],
)
def test_what_leaves_nothing_to_judge_is_refused(options: CheckOptions, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        check(machine(), machine(), options)
    assert caught.value.message == message


def test_a_driver_of_515_blocks_an_environment_of_cuda_12() -> None:
    found = recorded("rocky-v100-driver-515")
    checked = check(on_the_machine_of(found), found)
    assert checked.exit_code is ExitCode.NO
    finding = checked.reached[0]
    assert (finding.code, finding.outcome) == ("DRV001", Outcome.BLOCKS)
    assert "needs driver 525.60.13; here is 515.65.01" in finding.what
    assert finding.source.url is not None
    assert checked.report.verdict(Scope.NATIVE) is Verdict.WILL_NOT_RUN


def test_a_gpu_on_the_bus_that_nvml_does_not_show_leaves_it_open() -> None:
    found = recorded("rocky-a100-nvml-cannot-be-loaded")
    wanted = on_the_machine_of(found, gpu=gpu(device()))
    checked = check(wanted, found)
    assert checked.reached == ()
    assert checked.verdict is Verdict.CANNOT_TELL
    assert checked.exit_code is ExitCode.CANNOT_TELL
    assert {each.section for each in checked.left_open} >= {"gpu"}


def test_a_bus_without_a_gpu_is_no_gpu_known() -> None:
    found = recorded("debian-none-a-bus-without-a-gpu")
    section = found.section(Gpu)
    assert not isinstance(section, Unknown)
    assert section.devices == ()
    checked = check(on_the_machine_of(found, gpu=gpu(device())), found)
    assert [each.what for each in checked.reached if each.outcome is Outcome.BLOCKS] == [
        "A100-SXM4-40GB -> no such GPU"
    ]
    assert checked.exit_code is ExitCode.NO


def test_a_driver_that_was_upgraded_without_a_reboot_blocks() -> None:
    found = recorded("ubuntu-rtx3090-driver-upgraded-not-rebooted")
    checked = check(on_the_machine_of(found, gpu=gpu(device())), found)
    assert "DRV004" in {each.code for each in checked.reached}


def test_every_recorded_machine_can_be_checked() -> None:
    answers = {
        folder.name: check(machine(), recorded(folder.name)).exit_code
        for folder in sorted(HOSTS.iterdir())
        if folder.is_dir()
    }
    assert len(answers) >= 12
    assert set(answers.values()) <= {ExitCode.NO, ExitCode.CANNOT_TELL}


def test_profiles_are_whole_manifests_with_a_title() -> None:
    assert "t4-cloud" in names()
    for name in names():
        assert not profile(name).edited
        assert profile(name).section(Packages) == NO_ENVIRONMENT
        assert profile(name).section(Python) == NO_ENVIRONMENT
        assert title(name)
    with pytest.raises(UsageError) as caught:
        profile("h200-moon")
    assert caught.value.message == "No file and no profile 'h200-moon'"


def test_explain_answers_with_a_rule_or_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "DRV001"]) == 0
    assert capsys.readouterr().out.startswith("DRV001  CUDA does not start on a driver older")
    assert main(["explain", "nothing"]) == 2


def test_another_release_of_what_computes_nothing_is_a_note_and_still_no_exact_copy() -> None:
    wanted, found = (
        machine(packages=packages(made.package("certifi", version)))
        for version in ("2026.5.20", "2026.6.1")
    )
    checked = check(wanted, found, CheckOptions(select=("PKG",)))
    assert [(each.code, each.outcome, is_exact(each)) for each in checked.report.findings] == [
        ("PKG002", Outcome.NOTE, True)
    ]
