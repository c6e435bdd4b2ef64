"""What an author allows to differ: which findings it covers, and that nothing else changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap._check import CheckOptions, check
from envsnap.constraints import Drifted, can_excuse, excuses, parse
from envsnap.constraints._topics import TOPICS
from envsnap.errors import ExitCode
from envsnap.manifest import Manifest
from envsnap.rules import Excuse, Outcome, compare, rules
from envsnap.sections import Environ, replace
from tests import made
from tests.rules.machines import (
    CUDNN,
    RUNTIME,
    T4,
    TORCH,
    cpu,
    device,
    driver,
    gpu,
    machine,
    packages,
)

ENVIRONMENT = (*made.PACKAGES, RUNTIME, CUDNN)
THERE = machine()
HERE = machine(
    gpu=gpu(T4, driver=driver("535.183.01")), cpu=cpu(microarchitecture="zen4", threads=8),
    packages=packages(*ENVIRONMENT, replace(TORCH, version="2.5.0")),
    environ=Environ(variables={"CUBLAS_WORKSPACE_CONFIG": ":16:8"}),
)  # fmt: skip
OTHERS = (
    HERE,
    machine(gpu=gpu()),
    machine(packages=packages(*ENVIRONMENT, replace(TORCH, content="9" * 64))),
    machine(python=made.python(version="3.12.1")),
    machine(os=made.linux(libc_version="2.31", kernel="5.10.0")),
)


def allowing(*may: object, manifest: Manifest = THERE) -> Manifest:
    return replace(manifest, requires={"may": list(may)})


def excused(wanted: Manifest, found: Manifest = HERE) -> dict[str, list[str]]:
    """What is allowed, by whom and why, of each finding that is."""
    checked = check(wanted, found)
    return {
        each.id: [excuse.reason for excuse in each.excuses]
        for each in checked.report.findings
        if each.excuses
    }


@pytest.mark.parametrize(
    ("may", "covered"),
    [
        ("driver in 535.*, 550.*", {"DRV006:driver"}),
        ("driver in 535.*, 560.*", set()),
        ("driver may differ", {"DRV006:driver"}),
        ("DRV006 may differ", {"DRV006:driver"}),
        ("CPU001:cpu may differ", {"CPU001:cpu"}),
        ("CPU001:gpu may differ", set()),
        ("cpu.threads in 8, 16", {"CPU003:cpu-threads"}),
        ("cpu.microarchitecture in zen3, zen4", {"CPU001:cpu"}),
        ("packages torch may differ in patch", {"PKG002:torch"}),
        ("packages torch may differ in build", set()),
        ("packages numpy may differ", set()),
        ("packages * may differ in minor", {"PKG002:torch"}),
        ("package torch >= 2.5, < 2.6", {"PKG002:torch"}),
        ("package torch >= 2.5.1", set()),
        ("environ.variables.CUBLAS_WORKSPACE_CONFIG in :4096:8, :16:8",
         {"ENV001:cublas_workspace_config"}),
        ("environ.variables.OMP_NUM_THREADS != 3", set()),
        ("gpu.memory >= 80 GiB", set()),
        ("gpu.memory >= 8 GiB", {"GPU005:gpu-memory"}),
    ],
)  # fmt: skip
def test_a_difference_is_covered_where_both_sides_are_meant(may: str, covered: set[str]) -> None:
    assert set(excused(allowing(may))) == covered


@pytest.mark.parametrize("name", sorted(TOPICS))
def test_every_topic_is_of_rules_that_there_are(name: str) -> None:
    codes = [each.code for each in rules()]
    assert all(any(code.startswith(one) for code in codes) for one in TOPICS[name])
    assert can_excuse(parse(f"{name} may differ"))


def test_what_stops_it_is_covered_by_its_code_alone() -> None:
    none = machine(gpu=gpu())
    assert excused(allowing("gpu may differ"), none) == {}
    assert excused(allowing("GPU001 may differ"), none) == {"GPU001:gpu": ["GPU001 may differ"]}


def test_the_reason_of_the_author_is_the_excuse() -> None:
    said = {"that": "driver may differ", "because": "both were tried"}
    assert excused(allowing(said)) == {"DRV006:driver": ["both were tried"]}
    (finding,) = (
        each for each in check(allowing(said), HERE).report.findings if each.code == "DRV006"
    )
    assert finding.excuses == (Excuse("author", "both were tried"),)


def test_only_what_differs_between_two_sides_is_a_difference() -> None:
    own = Drifted("DRV001", "driver", None, None, is_drift=False, stops=False)
    assert not excuses(parse("driver may differ"), own, THERE, HERE)
    assert excuses(parse("DRV001 may differ"), own, THERE, HERE)


def test_a_text_that_cannot_be_read_allows_nothing_and_is_said() -> None:
    checked = check(allowing("drivr may differ"), HERE)
    assert [each for each in checked.report.findings if each.excuses] == []
    assert checked.accepted_left == (
        "requires.may[0] cannot be read and allows nothing: There is no fact 'drivr'",
    )


STATED = st.lists(
    st.sampled_from([f"{name} may differ" for name in TOPICS])
    | st.sampled_from(("packages * may differ", "GPU003 may differ", "driver in *", "nonsense")),
    max_size=4,
)


@given(STATED, st.sampled_from(OTHERS), st.sampled_from(Outcome))
def test_what_may_differ_changes_no_verdict_and_no_exit_code_unless_it_is_accepted(
    may: list[str], found: Manifest, fail_on: Outcome
) -> None:
    strict = check(THERE, found, CheckOptions(fail_on=fail_on))
    loose = check(allowing(*may), found, CheckOptions(fail_on=fail_on))
    assert (loose.verdict, loose.claim.level, loose.exit_code) == (
        strict.verdict, strict.claim.level, strict.exit_code,
    )  # fmt: skip
    bare = [each._replace(excuses=()) for each in loose.report.findings]
    assert bare == list(compare(THERE, found).findings)


@given(STATED, st.sampled_from(OTHERS))
def test_accepting_what_may_differ_only_ever_takes_findings_away(
    may: list[str], found: Manifest
) -> None:
    strict = check(allowing(*may), found)
    loose = check(allowing(*may), found, CheckOptions(accept_waivers=True))
    assert set(loose.reached) <= set(strict.reached)
    assert loose.report == strict.report


def test_an_allowed_difference_that_is_accepted_lets_the_check_pass() -> None:
    wanted = allowing("packages torch may differ in patch")
    found = machine(packages=packages(*ENVIRONMENT, replace(TORCH, version="2.5.0")))
    assert check(wanted, found).exit_code is ExitCode.NO
    accepted = CheckOptions(accept_waivers=True)
    assert check(wanted, found, accepted).exit_code is ExitCode.OK


def must(*texts: object) -> Manifest:
    return replace(THERE, requires={"must": list(texts)})


def test_what_must_hold_counts_whatever_is_accepted() -> None:
    wanted = must({"that": "gpu.memory >= 48 GiB", "because": "the largest batch"})
    checked = check(wanted, THERE, CheckOptions(accept_waivers=True))
    assert checked.exit_code is ExitCode.NO
    assert [(each.id, each.what, each.why) for each in checked.reached] == [
        ("REQ001:gpu.memory", "requires gpu.memory >= 48 GiB; here is 40960 MiB",
         "the author: the largest batch")
    ]  # fmt: skip


def test_what_must_hold_and_cannot_be_read_leaves_the_answer_open() -> None:
    checked = check(must("gpu.memry >= 48 GiB"), THERE)
    assert checked.exit_code is ExitCode.CANNOT_TELL
    assert [(each.code, each.path, str(each.reason)) for each in checked.left_open] == [
        ("REQ001", "wanted requires.must[0]",
         "unparsable: There is no fact 'gpu.memry': gpu.memry >= 48 GiB")
    ]  # fmt: skip


def test_an_unknown_fact_leaves_what_must_hold_open() -> None:
    found = machine(gpu=gpu(device(memory_mib=made.NOT_LOOKED)))
    checked = check(must("gpu.memory >= 20 GiB"), found)
    assert [each.path for each in checked.left_open if each.code == "REQ001"] == [
        "found gpu.devices[0].memory_mib"
    ]
