"""What holds for every manifest: drift, unknown facts, and verdicts that never improve."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from envsnap._check import CheckOptions, check
from envsnap.errors import ExitCode
from envsnap.facts import Confidence
from envsnap.manifest import Manifest
from envsnap.rules import (
    Condition,
    Finding,
    Kind,
    Level,
    NotChecked,
    Outcome,
    Report,
    Scope,
    Verdict,
    compare,
    health,
)
from envsnap.rules._findings import usual_level
from envsnap.rules._sources import ENVSNAP
from envsnap.sections import Device, GpuCode, Reason, Unknown, fields, is_shape, replace
from tests import made
from tests.rules.machines import (
    AMD,
    RUN,
    T4,
    TORCH,
    asked_of_glibc,
    copy,
    cpu,
    device,
    driver,
    engine,
    engines,
    gpu,
    libraries,
    machine,
    math,
    openblas,
    packages,
)
from tests.rules.test_library_code import code
from tests.strategies import manifests

CRASHED = Unknown(Reason.CRASHED, "for a test")
SCOPES = (Scope.NATIVE, Scope.CONTAINER)
DEFINITE = {Verdict.RUNS, Verdict.LIMITS, Verdict.WILL_NOT_RUN}

DEEP = machine(
    libraries=libraries(copy()), math=math(), system_libraries=asked_of_glibc(), run=RUN,
    gpu_code=GpuCode(files=(code(sass=("sm_75", "sm_80"), ptx=("compute_90",)),)),
)  # fmt: skip
POOL = (
    machine(),
    machine(gpu=gpu(T4, driver=driver("535.183.01")), engines=engines(engine("apptainer"))),
    machine(gpu=gpu(device(), T4), cpu=cpu(microarchitecture="zen4", threads=4)),
    machine(gpu=gpu(device(), driver=driver("515.65.01", library="550.54.14")), engines=engines()),
    machine(gpu=gpu(), packages=packages(made.package("idna", "3.7"))),
    machine(gpu=gpu(AMD, kind="amd", driver=None), os=made.linux(libc="musl")),
    machine(os=made.linux(libc_version="2.17", architecture="aarch64")),
    machine(python=made.python(version="3.12.1"), packages=packages(TORCH, *made.PACKAGES)),
    machine(packages=packages(replace(TORCH, version="2.5.1+cpu")),
            gpu=gpu(device(), visible=(), hidden="hidden")),
    DEEP,
    replace(DEEP, sections={**DEEP.sections,
        "libraries": libraries(copy(source="other", owner=None, content="d" * 64, version=None),
                               found_by="LD_LIBRARY_PATH"),
        "math": math(openblas(version="0.3.20", kernel="Haswell", threads=4)),
        "gpu_code": GpuCode(files=(code(ptx=("compute_75",)),)),
        "system_libraries": asked_of_glibc("2.38"),
        "gpu": gpu(T4, T4, driver=driver("535.183.01", cuda_in_effect="12.2"))}),
    replace(DEEP, sections={**DEEP.sections,
        "libraries": libraries(missing=("libcudnn.so.9",)),
        "run": replace(RUN, gpu_peaks=(), exit_status=1),
        "gpu_code": GpuCode(files=(code(sass=("sm_90",)), code("flash-attn", sass=("sm_80",))))}),
)  # fmt: skip


@given(manifests())
def test_a_manifest_never_drifts_from_itself(manifest: Manifest) -> None:
    assert compare(manifest, manifest).of(Kind.DRIFT).findings == ()


@given(manifests(), manifests())
def test_no_two_manifests_break_a_rule(wanted: Manifest, found: Manifest) -> None:
    answer = check(wanted, found)
    assert answer.exit_code in {ExitCode.OK, ExitCode.NO, ExitCode.CANNOT_TELL}
    assert all(each.reason for each in health(found).not_checked)


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a manifest's sections at which a fact may be unknown."""
    found = [path] if path else []
    if is_shape(value):
        for field in fields(value):
            found += places(getattr(value, field.name), (*path, field.name))
    elif isinstance(value, tuple):
        for index, each in enumerate(value[:2]):
            found += [more for more in places(each, (*path, index)) if len(more) > len(path) + 1]
    return found


def at(value: object, path: tuple[str | int, ...]) -> object:
    """What stands at a place; CRASHED where there is no such place."""
    for part in path:
        if isinstance(part, int):
            if not isinstance(value, tuple) or part >= len(value):
                return CRASHED
            value = value[part]
        elif not hasattr(value, part):
            return CRASHED
        else:
            value = getattr(value, part)
    return value


def put(value: object, path: tuple[str | int, ...], new: object) -> object:
    """The same value with another fact at a place."""
    if not path:
        return new
    head, rest = path[0], path[1:]
    if isinstance(head, int):
        assert isinstance(value, tuple)
        return (*value[:head], put(value[head], rest, new), *value[head + 1 :])
    return replace(value, **{head: put(getattr(value, head), rest, new)})


def with_fact(manifest: Manifest, name: str, path: tuple[str | int, ...], new: object) -> Manifest:
    section = put(manifest.sections[name], path, new)
    return replace(manifest, sections={**manifest.sections, name: section})


NEVER_UNKNOWN = {"implementation", "version", "name", "vendor", "family", "source", "active",
                 "origin", "kind", "layer", "location", "conda", "version_valid", "owner",
                 "bus_id", "device"}  # fmt: skip
"""Fields of lists' members that the codec does not allow to be unknown."""


SECTIONS_OF_RULES = (
    "python", "packages", "os", "cpu", "gpu", "engines", "container", "libraries", "gpu_code",
    "math", "system_libraries", "run", "environ", "scheduler", "moment", "memory", "cuda",
)  # fmt: skip


@st.composite
def blind_spots(draw: st.DrawFn) -> tuple[Manifest, Manifest, Manifest, Manifest]:
    """A pair with one fact unknown on one side, and the same pair with a value put there."""
    wanted, found, donor = (draw(st.sampled_from(POOL)) for _ in range(3))
    on_found = draw(st.booleans())
    side = found if on_found else wanted
    name = draw(st.sampled_from(SECTIONS_OF_RULES))
    section = side.sections[name]
    allowed = [path for path in ((), *places(section)) if not path or is_fact(section, path)]
    path = draw(st.sampled_from(allowed))
    blind = with_fact(side, name, path, CRASHED)
    value = at(donor.sections[name], path)
    seeing = side if isinstance(value, Unknown) else with_fact(side, name, path, value)
    if on_found:
        return wanted, blind, wanted, seeing
    return blind, found, seeing, found


def is_fact(section: object, path: tuple[str | int, ...]) -> bool:
    """Whether the shape allows the place to be unknown."""
    owner = at(section, path[:-1])
    return is_shape(owner) and any(each.name == path[-1] and each.is_fact for each in fields(owner))


@given(blind_spots())
def test_a_definite_verdict_is_the_same_whatever_an_unknown_fact_turns_out_to_be(
    pairs: tuple[Manifest, Manifest, Manifest, Manifest],
) -> None:
    wanted, blind, wanted_too, seeing = pairs
    before, after = compare(wanted, blind), compare(wanted_too, seeing)
    for scope in SCOPES:
        if before.verdict(scope) in DEFINITE:
            assert after.verdict(scope) is before.verdict(scope), scope


@given(blind_spots(), st.sampled_from(SCOPES), st.sampled_from(Outcome))
def test_not_seeing_a_fact_never_makes_the_answer_yes(
    pairs: tuple[Manifest, Manifest, Manifest, Manifest], scope: Scope, fail_on: Outcome
) -> None:
    wanted, blind, wanted_too, seeing = pairs
    options = CheckOptions(scope=scope, fail_on=fail_on)
    if check(wanted_too, seeing, options).exit_code is ExitCode.NO:
        assert check(wanted, blind, options).exit_code is not ExitCode.OK


OUTCOMES, SCOPE = st.sampled_from(Outcome), st.sampled_from(Scope)
MILDER: list[Level] = [each for each in Level if each is not Level.DOES_NOT_RUN]


@st.composite
def findings(draw: st.DrawFn) -> Finding:
    """A finding whose level does not contradict its outcome: no rule may say another."""
    outcome = draw(OUTCOMES)
    level = Level.DOES_NOT_RUN if outcome is Outcome.BLOCKS else draw(st.sampled_from(MILDER))
    confidence: Confidence = draw(st.sampled_from(["high", "medium", "low"]))
    return Finding(
        code="TST001", subject="x", outcome=outcome, scope=draw(SCOPE), what="x", why="x",
        remedy=None, source=ENVSNAP, confidence=confidence, lowers=level,
    )  # fmt: skip


@st.composite
def left_open(draw: st.DrawFn) -> NotChecked:
    """An open rule, as one may be declared."""
    worst = draw(OUTCOMES)
    usual = usual_level(worst)
    lowers = draw(st.sampled_from([each for each in MILDER if each.rank >= usual.rank] or [usual]))
    return NotChecked("TST001", "found gpu", CRASHED, worst, draw(SCOPE), lowers=lowers)


FINDINGS, LEFT_OPEN = findings(), left_open()
CONDITIONS = st.builds(
    Condition, code=st.just("TST004"), text=st.just("x"), scope=SCOPE,
    lowers=st.none() | st.sampled_from(MILDER),
)  # fmt: skip
REPORTS = st.builds(
    Report,
    is_in_order=st.sampled_from([False]),  # rules never say so of what is not
    conditions=st.lists(CONDITIONS, max_size=1).map(tuple),
    findings=st.lists(FINDINGS, max_size=3).map(tuple),
    not_checked=st.lists(LEFT_OPEN, max_size=3).map(tuple),
    judged=st.dictionaries(st.sampled_from(["TST002", "TST003"]), SCOPE),
)
BADNESS = {
    Verdict.RUNS: 0,
    Verdict.LIMITS: 1,
    Verdict.CANNOT_TELL: 1,
    Verdict.WILL_NOT_RUN: 2,
}


@given(REPORTS, FINDINGS)
def test_one_more_finding_never_improves_a_verdict(report: Report, finding: Finding) -> None:
    more = report._replace(findings=(*report.findings, finding))
    for scope in SCOPES:
        before, after = report.verdict(scope), more.verdict(scope)
        assert BADNESS[after] >= BADNESS[before]


@given(REPORTS, LEFT_OPEN)
def test_one_more_open_rule_never_improves_a_verdict(report: Report, more: NotChecked) -> None:
    wider = report._replace(not_checked=(*report.not_checked, more))
    for scope in SCOPES:
        before, after = report.verdict(scope), wider.verdict(scope)
        assert after is before or after is Verdict.CANNOT_TELL


def test_the_pool_has_every_verdict_so_that_the_laws_are_put_to_the_test() -> None:
    seen = {
        compare(wanted, found).verdict(scope)
        for wanted in POOL
        for found in POOL
        for scope in SCOPES
    }
    assert seen == DEFINITE | {Verdict.CANNOT_TELL}  # a plain capture against a deep one


def test_devices_are_among_the_places_where_a_fact_can_be_unknown() -> None:
    assert ("devices", 0, "compute_capability") in places(gpu(device()))
    assert isinstance(at(gpu(device()), ("devices", 0)), Device)


@st.composite
def broken_probes(draw: st.DrawFn) -> tuple[Manifest, Manifest, Manifest, Manifest]:
    """A pair as it is, and the same pair in which a probe failed, for one fact or as a whole."""
    sides = [draw(st.sampled_from(POOL)), draw(st.sampled_from(POOL))]
    index, broken = draw(st.integers(0, 1)), list(sides)
    name = draw(st.sampled_from(sorted(sides[index].sections)))
    section = sides[index].sections[name]
    whole = draw(st.booleans()) or isinstance(section, Unknown)
    allowed = [] if whole else [each for each in places(section) if is_fact(section, each)]
    path = draw(st.sampled_from(allowed)) if allowed else ()
    broken[index] = with_fact(sides[index], name, path, CRASHED)
    return sides[0], sides[1], broken[0], broken[1]


@given(broken_probes(), st.sampled_from(SCOPES), st.sampled_from(Outcome))
def test_a_probe_that_breaks_never_makes_anything_better(
    pairs: tuple[Manifest, Manifest, Manifest, Manifest], scope: Scope, fail_on: Outcome
) -> None:
    wanted, found, wanted_blind, found_blind = pairs
    options = CheckOptions(scope=scope, fail_on=fail_on)
    whole, blind = check(wanted, found, options), check(wanted_blind, found_blind, options)
    assert blind.claim.floor.rank >= whole.claim.level.rank
    if whole.exit_code is not ExitCode.OK:
        assert blind.exit_code is not ExitCode.OK
    if whole.verdict is Verdict.WILL_NOT_RUN:
        assert blind.verdict in {Verdict.WILL_NOT_RUN, Verdict.CANNOT_TELL}
    if whole.verdict is Verdict.LIMITS:
        assert blind.verdict is not Verdict.RUNS
