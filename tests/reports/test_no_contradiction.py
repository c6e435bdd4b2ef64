"""The lines of one report agree: exit words, claim, and what is shown of the findings."""

from __future__ import annotations

import pytest

from envsnap._check import Checked, CheckOptions, check
from envsnap.errors import ExitCode
from envsnap.manifest import Manifest
from envsnap.reports._ending import exit_words
from envsnap.reports._groups import groups
from envsnap.rules import Level, Scope
from envsnap.sections import Environ
from tests.rules.machines import T4, UNSEEN, cpu, device, driver, gpu, machine

LOOSE = machine(environ=Environ(variables={}))
A100_80 = machine(gpu=gpu(device("NVIDIA A100-SXM4-80GB")))


def shown_codes(checked: Checked) -> set[str]:
    return {each.code for group in groups(checked, "there") for each in group.findings}


@pytest.mark.parametrize(
    ("wanted", "found", "words"),
    [
        (machine(), machine(), ""),
        (machine(), A100_80, ", as far as one architecture goes (GPU017)"),
        (machine(), machine(gpu=gpu(device(), driver=driver("570.86.15"))),
         ", as far as one architecture goes (DRV006)"),
        (LOOSE, LOOSE, "; digits may vary without a difference (ENV002)"),
    ],
)  # fmt: skip
def test_an_exit_of_0_says_what_holds_the_claim_down(
    wanted: Manifest, found: Manifest, words: str
) -> None:
    done = check(wanted, found)
    assert done.exit_code is ExitCode.OK
    rules = len(done.report.judged)
    assert exit_words(done) == f"Exit 0: nothing that changes results in {rules} rules{words}"


def test_a_note_that_lowers_the_claim_is_in_sight() -> None:
    assert shown_codes(check(machine(), A100_80)) == {"GPU017"}


def test_another_gpu_is_in_sight_where_packages_are_not_known() -> None:
    done = check(machine(packages=UNSEEN), machine(gpu=gpu(T4), cpu=cpu(microarchitecture="zen4")))
    assert {"GPU008", "CPU001"} <= shown_codes(done)
    assert (done.claim.level, done.claim.says_something) == (Level.BITWISE, False)


def test_another_number_of_threads_is_a_reason_to_say_no() -> None:
    done = check(machine(), machine(cpu=cpu(threads=8)), CheckOptions(scope=Scope.CONTAINER))
    assert done.exit_code is ExitCode.NO
    assert shown_codes(done) == set(done.claim.codes) == {"CPU003"}
