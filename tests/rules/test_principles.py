"""What the rules rest on: every rule on something, everything known judged, or said why not."""

from __future__ import annotations

from envsnap.facts import Looked, NotInTable, principles
from envsnap.rules import rules
from envsnap.rules._principles import RESTS_ON

NUMBERS = [each.value.number for each in principles.every()]


def test_every_rule_rests_on_something_and_nothing_else_does() -> None:
    assert sorted(RESTS_ON) == [each.code for each in rules()]
    assert [code for code, numbers in RESTS_ON.items() if not numbers] == []


def test_a_rule_names_principles_that_there_are_each_once_in_their_order() -> None:
    for code, numbers in RESTS_ON.items():
        assert list(numbers) == [each for each in NUMBERS if each in numbers], code


def test_every_principle_is_judged_or_says_why_not() -> None:
    judged = {number for numbers in RESTS_ON.values() for number in numbers}
    said = {each.value.number for each in principles.every() if each.value.not_judged}
    assert [each for each in NUMBERS if each not in judged | said] == []
    assert sorted(judged & said) == []


def test_the_numbers_of_the_research_are_all_there() -> None:
    assert [f"R{number}" for number in range(1, 27) if f"R{number}" not in NUMBERS] == []
    assert "R6b" in NUMBERS


def test_a_principle_is_found_whatever_the_letters() -> None:
    known = principles.principle("R6B")
    assert isinstance(known, Looked)
    assert known.value.number == "R6b"
    assert principles.principle("R99") == NotInTable("Principle R99", "principles")
