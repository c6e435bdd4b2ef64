"""What can be expected of the results: how far each difference lowers it, and what holds it."""

from __future__ import annotations

import pytest

from envsnap._check import CheckOptions, check
from envsnap.manifest import Manifest
from envsnap.rules import Claim, Level, Scope, claim, compare
from envsnap.rules._core import Pair, Said, Side, drift, judge, table
from envsnap.rules._findings import Condition, Outcome
from envsnap.rules._sources import ENVSNAP
from envsnap.sections import Changes, Environ, Os, replace
from tests import made
from tests.rules.machines import (
    DEEP_LEARNING,
    T4,
    UNSEEN,
    cpu,
    device,
    driver,
    gpu,
    machine,
    packages,
)

PURE = packages(made.package("idna", "3.7"))
CALM = Environ(variables={"CUBLAS_WORKSPACE_CONFIG": ":4096:8"})


def claimed(wanted: Manifest, found: Manifest, scope: Scope = Scope.NATIVE) -> Claim:
    return claim(compare(wanted, found), scope)


def short(said: Claim) -> tuple[str, list[str]]:
    assert said.is_definite, said.left_open
    return str(said.level), sorted({each.code for each in said.lowered_by})


def with_package(name: str, **changes: object) -> Manifest:
    changed = [replace(each, **changes) if each.name == name else each for each in DEEP_LEARNING]
    return machine(packages=packages(*changed))


def test_the_same_machine_and_environment_leave_only_what_no_capture_sees() -> None:
    said = claimed(machine(), machine())
    assert short(said) == ("bitwise", [])
    assert [each.code for each in said.assumed] == ["ENV003", "ENV004", "ENV005"]
    assert said.conditions == said.assumed


def test_pure_python_on_the_processor_has_no_conditions() -> None:
    pure = machine(packages=PURE, gpu=gpu(), environ=Environ(variables={}))
    said = claimed(pure, pure)
    assert short(said) == ("bitwise", [])
    assert said.conditions == ()


def test_a_switch_that_is_known_not_to_be_set_lowers_without_a_difference() -> None:
    loose = machine(environ=Environ(variables={}))
    said = claimed(loose, loose)
    assert short(said) == ("statistical", [])
    assert said.codes == ("ENV002",)
    assert said.conditions[0].remedy == "export CUBLAS_WORKSPACE_CONFIG=:4096:8"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (machine(gpu=gpu(device("NVIDIA A100-SXM4-80GB", memory_mib=81920))),
         ("bitwise on the same architecture", ["GPU017"])),
        (machine(gpu=gpu(device(), driver=driver("570.86.15"))),
         ("bitwise on the same architecture", ["DRV006"])),
        (machine(gpu=gpu(device(), driver=driver("550.90.07"))), ("bitwise", [])),
        (machine(gpu=gpu(device(multiprocessors=98))), ("statistical", ["GPU004", "GPU018"])),
        (machine(cpu=cpu(microarchitecture="zen3plus")),
         ("bitwise on the same architecture", ["CPU001"])),
        (machine(cpu=cpu(microarchitecture="icelake", vendor="GenuineIntel")),
         ("statistical", ["CPU001"])),
        (machine(cpu=cpu(microarchitecture="zen4", features=("avx", "avx2", "avx512f", "fma"))),
         ("statistical", ["CPU001"])),
        (machine(cpu=cpu(threads=8)), ("statistical", ["CPU003"])),
        (machine(os=made.linux(libc_version="2.39")), ("statistical", ["SYS005"])),
        (machine(os=made.linux(kernel="6.9.0")), ("bitwise", [])),
        (with_package("torch", version="2.5.0"), ("statistical", ["PKG002"])),
        (with_package("torch", version="2.6.0"), ("statistical", ["PKG002"])),
        (with_package("numpy", version="2.0.0"), ("runs", ["PKG002"])),
        (with_package("numpy", version="1.26.4rc1"), ("runs", ["PKG002"])),
        (with_package("nvidia-cudnn-cu12", version="9.5.0.50"), ("statistical", ["PKG002"])),
        (with_package("numpy", content="f" * 64), ("runs", ["PKG003"])),
        (machine(python=made.python(version="3.11.9")), ("bitwise", [])),
        (machine(packages=packages(*DEEP_LEARNING[:-1])), ("does not run", ["PKG001"])),
    ],
)  # fmt: skip
def test_how_far_one_difference_lowers_it(found: Manifest, expected: tuple[str, list[str]]) -> None:
    assert short(claimed(machine(), found)) == expected


def test_the_container_brings_its_own_packages_and_takes_the_machines_gpu() -> None:
    found = machine(packages=packages(), gpu=gpu(T4), os=made.linux(libc_version="2.39"))
    level, codes = short(claimed(machine(), found, Scope.CONTAINER))
    assert level == "statistical"
    assert codes == ["GPU003", "GPU004", "GPU005", "GPU007", "GPU013", "GPU018"]


def test_another_python_without_compiled_packages_runs_and_promises_nothing() -> None:
    pure = machine(packages=PURE, gpu=gpu())
    newer = machine(
        packages=PURE, gpu=gpu(), python=made.python(version="3.12.1", soabi="cpython-312"),
    )  # fmt: skip
    assert short(claimed(pure, newer)) == ("runs", ["PYT002"])


def test_threads_lower_only_what_adds_up_on_them_and_only_where_their_number_is_open() -> None:
    pure = machine(packages=PURE, gpu=gpu())
    assert short(claimed(pure, replace(pure, sections={**pure.sections, "cpu": cpu(threads=8)})))[
        0
    ] == ("bitwise")
    fixed = Environ(variables={**CALM.variables, "OMP_NUM_THREADS": "8"})  # type: ignore[dict-item]
    theirs, ours = (machine(environ=fixed, cpu=cpu(threads=each)) for each in (16, 8))
    assert short(claimed(theirs, ours)) == ("bitwise", [])


def test_a_processor_half_seen_leaves_the_claim_open() -> None:
    found = machine(cpu=cpu(microarchitecture="zen3plus", features=UNSEEN))
    said = claimed(machine(), found)
    assert (said.level, said.floor) == (Level.SAME_ARCHITECTURE, Level.STATISTICAL)
    assert [each.path for each in said.left_open] == ["found cpu.features"]


def test_a_processor_of_another_vendor_is_decided_without_its_features() -> None:
    found = cpu(microarchitecture="icelake", vendor="GenuineIntel", features=UNSEEN)
    assert short(claimed(machine(), machine(cpu=found))) == ("statistical", ["CPU001"])


def test_what_was_not_checked_makes_it_at_best() -> None:
    said = claimed(machine(), machine(gpu=UNSEEN))
    assert (said.level, said.is_definite) == (Level.BITWISE, False)
    assert said.floor is Level.DOES_NOT_RUN
    said = claimed(machine(), machine(os=UNSEEN), Scope.CONTAINER)
    assert said.level is Level.BITWISE
    assert "SYS003" in {each.code for each in said.left_open}


def test_an_open_rule_that_could_lower_it_no_further_is_not_told() -> None:
    found = with_package("torch", version="3.0.0")
    blind = replace(found, sections={**found.sections, "environ": UNSEEN})
    said = claimed(machine(), blind)
    assert said.level is Level.RUNS
    assert "ENV001" not in {each.code for each in said.left_open}


def test_packages_compared_by_name_concern_the_environment_alone() -> None:
    wanted = with_package("numpy", content=None)
    assert "PKG003" in {each.code for each in claimed(wanted, machine()).conditions}
    inside = claimed(wanted, machine(), Scope.CONTAINER).conditions
    assert "PKG003" not in {each.code for each in inside}


def test_in_an_image_they_concern_the_container() -> None:
    wanted = with_package("numpy", content=None)
    done = check(wanted, machine(), CheckOptions(is_image=True))
    assert "PKG003" in {each.code for each in done.claim.conditions}


def test_where_it_does_not_run_there_is_nothing_for_a_condition_to_lower() -> None:
    said = claimed(machine(), machine(packages=packages()))
    assert said.level is Level.DOES_NOT_RUN
    assert said.conditions == ()


def test_edits_that_both_sides_share_change_nothing() -> None:
    changes = Changes(files=10, edited=("numpy/core.py",), missing=(), extra=(), unchecked=())
    edited = with_package("numpy", changes=changes)
    assert short(claimed(edited, edited)) == ("bitwise", [])


def test_a_machine_of_which_nothing_was_judged_leaves_nothing_to_claim() -> None:
    report = compare(machine(), machine(), codes=())
    said = claim(report, Scope.NATIVE)
    assert (said.level, said.floor, said.left_open) == (Level.BITWISE, Level.DOES_NOT_RUN, ())


@pytest.mark.parametrize(
    ("worst", "lowers"), [(Outcome.BLOCKS, Level.RUNS), (Outcome.NOTE, Level.DOES_NOT_RUN)]
)
def test_a_rule_that_contradicts_itself_is_refused(worst: Outcome, lowers: Level) -> None:
    def nothing(_: Pair) -> tuple[Said, ...]:
        """Say nothing."""
        return ()

    with pytest.raises(ValueError, match=f"TST001 says {worst}, and leaves {lowers} to expect"):
        drift("TST001", scope=Scope.BOTH, worst=worst, reads=(Os,), source=ENVSNAP, lowers=lowers)(
            nothing
        )
    assert "TST001" not in table()


@pytest.mark.parametrize(
    "said",
    [
        Said("x", Outcome.NUMERICS, "x", lowers=Level.RUNS),
        Condition("TST002", "x", lowers=Level.RUNS),
        Condition("TST002", "x", lowers=Level.DOES_NOT_RUN),
    ],
)
def test_a_rule_that_lowers_further_than_it_declares_is_refused(said: Said | Condition) -> None:
    def rule(_: Pair) -> tuple[Said | Condition]:
        """Say it."""
        return (said,)

    side = Side("wanted", machine())
    drift("TST002", scope=Scope.BOTH, worst=Outcome.NUMERICS, reads=(Os,), source=ENVSNAP)(rule)
    registered = table()["TST002"]
    table().pop("TST002")  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"leaves .* to expect, and declares"):
        judge(registered, side, side)


def test_a_note_that_changes_digits_is_refused_for_the_exit_code_would_not_tell() -> None:
    def rule(_: Pair) -> tuple[Said]:
        """Say it."""
        return (Said("x", Outcome.NOTE, "x", lowers=Level.STATISTICAL),)

    side = Side("wanted", machine())
    drift("TST003", scope=Scope.BOTH, worst=Outcome.NUMERICS, reads=(Os,), source=ENVSNAP)(rule)
    registered = table()["TST003"]
    table().pop("TST003")  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="TST003 says note, and leaves statistical to expect"):
        judge(registered, side, side)
