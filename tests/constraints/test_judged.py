"""Whatever the parser takes can be judged, excused and written for others, on every machine."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from envsnap.constraints import (
    Answer,
    ConstraintError,
    Drifted,
    Expression,
    emit,
    excuses,
    holds,
    parse,
    refused_of,
)
from envsnap.constraints._names import SHORT, known
from envsnap.constraints._requires import read
from envsnap.sections import Reason, Unknown
from tests import made
from tests.rules.machines import machine, packages
from tests.rules.test_laws import POOL

PATHS = st.sampled_from(
    [f"{name}.A" if name.endswith((".variables", ".job")) else name for name in known()]
)
NAMES = st.sampled_from(sorted(SHORT)) | PATHS
OPERATORS = st.sampled_from(("==", "!=", ">=", "<=", ">", "<", "in", "not in", "has"))
PIECES = st.lists(
    st.sampled_from(("3", "11", "550", ".", "*", ".*", "-", "v", "rc", "A100", "x", "9" * 30, "+")),
    min_size=1, max_size=7,
).map("".join)  # fmt: skip
BRANCHES = st.lists(
    st.sampled_from(("3", "11", "550", "6-x", "*", "")), min_size=1, max_size=3
).map(lambda parts: ".".join([*parts, "*"]))
VALUES = st.one_of(
    BRANCHES,
    PIECES,
    st.text("0123456789.*-vx", min_size=1, max_size=12),
    st.sampled_from(("true", "20 GiB", '""', '"a b*"', '"٣"', '"٣.*"', "6.8.0-48.*", "9" * 400)),
)
PATTERNS = st.builds(
    "{} {} {}".format,
    st.sampled_from(("driver", "cuda", "python", "kernel", "gpu.name")),
    st.sampled_from(("==", "!=", "in", "not in")), BRANCHES,
)  # fmt: skip
FACTS = PATTERNS | st.builds(
    lambda name, operator, values: f"{name} {operator} {', '.join(values)}",
    NAMES, OPERATORS, st.lists(VALUES, min_size=1, max_size=3),
)  # fmt: skip
PACKAGES = st.builds(
    "package {} {}{}".format,
    st.sampled_from(("numpy", "torch", "none-such")),
    st.sampled_from(("==", "===", "~=", ">=", "<", "!=")),
    VALUES,
)
MAY = st.builds(
    "packages {} may differ in {}".format,
    st.sampled_from(("*", "numpy, torch")), st.sampled_from(("build", "patch", "minor", "version")),
)  # fmt: skip
DRIFTED = st.builds(
    Drifted, st.sampled_from(("PKG002", "DRV006", "GPU003", "ENV001")), st.just("numpy"),
    st.none() | VALUES, st.none() | VALUES, is_drift=st.booleans(), stops=st.booleans(),
)  # fmt: skip


def taken(text: str) -> Expression:
    """The expression in a text that the parser takes."""
    found = read(text, "may")
    assume(not isinstance(found, ConstraintError))
    assert not isinstance(found, ConstraintError)
    return found


@given(FACTS | PACKAGES | MAY, DRIFTED)
def test_every_expression_that_is_taken_can_be_judged(text: str, drifted: Drifted) -> None:
    expression = taken(text)
    for manifest in POOL:
        answer = holds(expression, manifest)
        assert (answer.holds is None) is isinstance(answer.unknown, Unknown)
        assert len(answer.seen) < 400
    assert isinstance(excuses(expression, drifted, POOL[0], POOL[1]), bool)
    assert refused_of(expression, expression) == ()


@given(st.lists(FACTS | PACKAGES, max_size=4))
def test_every_expression_that_is_taken_is_written_or_left_out(texts: list[str]) -> None:
    must = [found for text in texts if not isinstance(found := read(text, "must"), ConstraintError)]
    for written in (emit.nvidia, emit.conda, emit.pixi):
        emitted = written(must, emit.Needs(cuda=("12.4",), glibc="2.17"))
        assert emitted.text
        assert set(emitted.left_out) <= set(map(str, must))


@pytest.mark.parametrize(
    "value",
    ["3.*.*", "3.11.*.*", ".*", "5*5", "12.**", "*", "*.*", "**", '"A*100"'],
)
def test_a_star_stands_at_the_end_of_something(value: str) -> None:
    with pytest.raises(ConstraintError) as caught:
        parse(f"driver in 535.*, {value}")
    plain = value.strip('"')
    assert caught.value.reason == (
        f"{plain!r} is no pattern: one * stands at its end, as in 535.* or A100*"
    )


def test_a_star_behind_a_number_would_begin_another_number() -> None:
    with pytest.raises(ConstraintError) as caught:
        parse("python == 3*")
    assert caught.value.reason == "'3*' would begin 3 and 30 alike: write 3.*"


def test_what_stands_before_a_star_need_be_no_version() -> None:
    kernel = machine(os=made.linux(kernel="6.8.0-48.rt5"))
    assert holds(parse("kernel == 6.8.0-48.*"), kernel) == Answer(holds=True, seen="6.8.0-48.rt5")
    assert holds(parse("kernel == 6.8.*"), kernel) == Answer(holds=True, seen="6.8.0-48.rt5")
    assert holds(parse("kernel == 6.9.*"), kernel) == Answer(holds=False, seen="6.8.0-48.rt5")


@pytest.mark.parametrize("text", ["python >= 3", "package numpy >= 1"])
@pytest.mark.parametrize("digits", [19, 5000])
def test_a_version_of_too_many_digits_is_no_version(text: str, digits: int) -> None:
    long = "9" * digits
    there = machine(
        python=made.python(version=f"3.{long}"),
        packages=packages(made.package("numpy", f"{long}x")),
    )
    answer = holds(parse(text), there)
    assert (answer.holds, answer.unknown and answer.unknown.reason) == (None, Reason.UNPARSABLE)
    assert len(f"{answer.seen}{answer.unknown}") < 250


def test_digits_of_other_scripts_are_no_number() -> None:
    with pytest.raises(ConstraintError) as caught:
        parse('gpu.count >= "٣"')
    assert caught.value.reason == "gpu.count is a number, not '٣'"
    assert holds(parse('python == "٣.*"'), machine()).holds is False


def test_all_packages_are_named_as_all() -> None:
    with pytest.raises(ConstraintError) as caught:
        parse("packages may differ in patch")
    assert caught.value.reason == "Expected the names of packages, or * for all"
