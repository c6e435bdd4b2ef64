"""Expressions: read, written back, and refused with the place of the fault."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.constraints import (
    Asked,
    ConstraintError,
    MayDiffer,
    OfFact,
    OfPackage,
    Value,
    Within,
    parse,
)
from envsnap.constraints._names import SHORT, kind, known
from envsnap.constraints._requires import read
from envsnap.constraints._topics import TOPICS
from envsnap.constraints._versions import star_fault

NUMBER = st.integers(0, 10**9)
VERSION = st.lists(NUMBER, min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=20)
TEXTS = WORDS.filter(lambda text: text.isprintable() and star_fault(text) is None)
PACKAGE = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,12}[A-Za-z0-9])?", fullmatch=True)


def values(of: st.SearchStrategy[str], *, most: int = 4) -> st.SearchStrategy[tuple[Value, ...]]:
    return st.lists(of.map(Value), min_size=1, max_size=most).map(tuple)


ORDERS = st.builds(
    Asked, st.sampled_from((">=", "<=", ">", "<", "==", "!=")), values(VERSION, most=1)
)
MEMBERS = st.builds(Asked, st.sampled_from(("in", "not in")), values(TEXTS | VERSION))
MEMORY = st.builds(
    Asked,
    st.sampled_from((">=", "<")),
    st.builds(Value, NUMBER.map(str), st.sampled_from(("KiB", "MiB", "GiB", "TiB"))).map(
        lambda each: (each,)
    ),
)
EXPRESSIONS = st.one_of(
    st.builds(OfFact, st.just("driver"), st.lists(ORDERS, min_size=1, max_size=3).map(tuple)),
    st.builds(OfFact, st.sampled_from(("gpu.name", "os.kernel")), MEMBERS.map(lambda one: (one,))),
    st.builds(
        OfFact, st.just("cpu.features"), st.builds(Asked, st.just("has"), values(TEXTS)).map(
            lambda one: (one,)
        ),
    ),
    st.builds(OfFact, st.sampled_from(("gpu.memory", "memory")), MEMORY.map(lambda one: (one,))),
    st.builds(
        OfPackage, PACKAGE,
        st.lists(
            st.builds("{} {}".format, st.sampled_from((">=", "<", "!=", "==", "~=")),
                      VERSION.map("1.{}".format)),
            max_size=3,
        ).map(tuple),
    ),
    st.builds(
        MayDiffer, st.just("packages"),
        st.lists(PACKAGE | st.just("*"), min_size=1, max_size=3).map(tuple),
        st.sampled_from(Within),
    ),
    st.builds(MayDiffer, st.just("fact"), st.sampled_from(sorted(TOPICS)).map(lambda one: (one,)),
              st.none()),
    st.builds(
        MayDiffer, st.just("rule"), st.sampled_from((("CPU001",), ("PKG002:numpy",))), st.none()
    ),
)  # fmt: skip


@given(EXPRESSIONS)
def test_an_expression_reads_back_from_its_own_text(expression: object) -> None:
    assert parse(str(expression)) == expression


@given(st.text(max_size=600) | st.lists(
    st.sampled_from(("driver", "gpu.count", "in", "not", "has", "may", "differ", "packages", ",",
                     "package", ">=", "==", "535.*", '"', "\\", "GiB", "1", "*", "~=", " ", "x")),
    max_size=12,
).map(" ".join))  # fmt: skip
def test_no_text_raises_anything_but_a_constraint_error(text: str) -> None:
    found = read(text, "may")
    if isinstance(found, ConstraintError):
        assert found.message.startswith(found.reason)
        assert all(each.isprintable() or each == "\n" for each in found.message)
    else:
        assert parse(str(found)) == found


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("gpu.compute_capability>=8.0", "gpu.compute_capability >= 8.0"),
        ("  driver   in 535.*,550.*", "driver in 535.*, 550.*"),
        ("driver not in 545.*", "driver not in 545.*"),
        ("gpu.memory >= 20 GiB", "gpu.memory >= 20 GiB"),
        ("gpu.memory_mib >= 20000", "gpu.memory_mib >= 20000"),
        ("glibc >= 2.28, < 2.40", "glibc >= 2.28, < 2.40"),
        ('gpu.name == "NVIDIA A100*"', 'gpu.name == "NVIDIA A100*"'),
        (r'gpu.name == "a \"b\" \\"', r'gpu.name == "a \"b\" \\"'),
        ("cpu.features has avx2,fma", "cpu.features has avx2, fma"),
        ("package numpy>=1.26,<2", "package numpy >= 1.26, < 2"),
        ("package numpy", "package numpy"),
        ("packages * may differ", "packages * may differ in version"),
        ("packages * may differ in build", "packages * may differ in build"),
        ("packages numpy,scipy may differ in patch", "packages numpy, scipy may differ in patch"),
        ("gpu may differ", "gpu may differ"),
        ("CPU001:cpu may differ", "CPU001:cpu may differ"),
        ("environ.variables.OMP_NUM_THREADS in 4, 8", "environ.variables.OMP_NUM_THREADS in 4, 8"),
        ("gpu.devices.ecc == true", "gpu.devices.ecc == true"),
    ],
)
def test_an_expression_has_one_plain_form(text: str, plain: str) -> None:
    assert str(parse(text)) == plain


@pytest.mark.parametrize(
    ("text", "reason", "column"),
    [
        ("gpu.compute_capabilty >= 8", "There is no fact 'gpu.compute_capabilty'", 1),
        ("gpu.memory >= 20", "gpu.memory needs a unit, as 20 GiB", 15),
        ("driver ! 6", "Expected one of == != >= <= > < in has, or 'may differ'", 8),
        ("driver in", "Expected a value", 10),
        ("driver not 5", "Expected 'in'", 12),
        ("cpu.features == avx", "cpu.features is a list: ask with 'has'", 14),
        ("driver has 5", "driver is no list: ask with '==' or 'in'", 8),
        ("package numpy >< 2", "'><2' is no version specifier (PEP 440)", 15),
        ("package -x", "'-x' is no name of a package", 9),
        ("kernel >= new", "'new' is no number or version to compare with", 11),
        ("driver > 535.*", "'535.*' is no number or version to compare with", 10),
        ("gpu.count >= many", "gpu.count is a number, not 'many'", 14),
        ("gpu.devices.ecc > true", "gpu.devices.ecc is true or false: it has no order", 17),
        ("gpu.devices.ecc == on", "gpu.devices.ecc is true or false, not 'on'", 20),
        ("driver == 5 GiB", "driver has no unit as GiB", 11),
        ("gpu.memory >= 20 GiB at least", "The expression ends before this", 22),
        ("packages x may differ in hue", "Expected build, patch, minor or version, not 'hue'", 26),
        ("tools.found.path may differ", "No rule compares 'tools.found.path'", 1),
        ("driver == 'x'", "This is no part of an expression", 11),
    ],
)
def test_a_fault_is_shown_at_its_place(text: str, reason: str, column: int) -> None:
    with pytest.raises(ConstraintError) as caught:
        parse(text)
    arrow = " " * (column - 1) + "^"
    assert caught.value.message == f"{reason} at column {column}\n  {text}\n  {arrow}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "There is no expression at column 1"),
        ("a" * 501, "Longer than 500 characters at column 501"),
        ("\x1b[2J 5", "This is no part of an expression at column 1\n  ?[2J 5\n  ^"),
    ],
)
def test_a_text_that_is_not_for_a_screen_does_not_reach_it(text: str, message: str) -> None:
    with pytest.raises(ConstraintError) as caught:
        parse(text)
    assert caught.value.message == message


def test_a_hint_names_what_may_have_been_meant() -> None:
    with pytest.raises(ConstraintError) as caught:
        parse("gpu.compute_capabilty >= 8")
    assert caught.value.hint == (
        "Did you mean: gpu.compute_capability, gpu.devices.compute_capability"
    )


def test_every_short_name_stands_for_a_fact() -> None:
    assert {name: kind(name) is not None for name in SHORT} == dict.fromkeys(SHORT, True)


@pytest.mark.parametrize("name", known())
def test_every_name_that_is_offered_can_be_asked_for(name: str) -> None:
    assert kind(name) is not None or name.count(".variables") or name.count(".job")
