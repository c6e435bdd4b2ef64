"""Every rule of the book with every fact that it reads unknown in turn: it is never fine then."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from envsnap.manifest import Manifest
from envsnap.rules import Kind, Outcome, Report, Rule, rules
from envsnap.sections import SECTIONS, Reason, Unknown
from tests.rules.book.book import BOOK
from tests.rules.book.case import Case, Sides
from tests.rules.test_laws import POOL, is_fact, places, with_fact

CRASHED = Unknown(Reason.CRASHED, "for a test")
RULES = {each.code: each for each in rules()}
NAMES = {shape: name for name, shape in SECTIONS.items()}
MILDEST = 9
SAID_BY = {("PKG004", "content"): "PKG003"}
"""Where the law is another rule's to keep: whether the content is known is asked once."""
EVERY = pytest.mark.parametrize("case", BOOK.values(), ids=BOOK)


def blind(manifest: Manifest, rule: Rule) -> Iterator[tuple[str, Manifest]]:
    """The manifest without one of the facts that the rule reads, each time another."""
    for shape in rule.reads:
        name = NAMES[shape]
        section = manifest.sections[name]
        if isinstance(section, Unknown):
            continue
        yield name, with_fact(manifest, name, (), CRASHED)
        for path in places(section):
            if is_fact(section, path):
                where = ".".join(map(str, (name, *path)))
                yield where, with_fact(manifest, name, path, CRASHED)


def without_one_fact(sides: Sides, rule: Rule) -> Iterator[tuple[str, Sides]]:
    if not isinstance(sides, tuple):
        yield from blind(sides, rule)
        return
    wanted, found = sides
    yield from ((f"wanted {path}", (less, found)) for path, less in blind(wanted, rule))
    yield from ((f"found {path}", (wanted, less)) for path, less in blind(found, rule))


def how_bad(report: Report) -> int:
    """0 is the worst of its findings; a condition is as mild as can be."""
    ranks = [each.outcome.rank for each in report.findings]
    return min(ranks, default=MILDEST if report.conditions else MILDEST + 1)


def is_open(case: Case, path: str, sides: Sides) -> bool:
    """Whether the rule, or the one that asks for that fact, says that it is not known."""
    code = SAID_BY.get((case.code, path.rpartition(".")[2]), case.code)
    report = case._replace(code=code).judged(sides)
    return bool(report.not_checked or report.conditions)


@EVERY
def test_what_a_rule_found_is_never_fine_once_a_fact_is_unknown(case: Case) -> None:
    before = how_bad(case.judged(case.of))
    silent = [
        path
        for path, sides in without_one_fact(case.of, RULES[case.code])
        if how_bad(case.judged(sides)) > before and not is_open(case, path, sides)
    ]
    assert silent == []


@pytest.mark.parametrize("number", range(1, len(POOL)))
def test_nor_is_what_it_found_between_whole_machines(number: int) -> None:
    """Other ways into the same rules: two GPUs, one of AMD, another libc, what --deep reads."""
    silent = []
    for sides in ((POOL[0], POOL[number]), (POOL[-3], POOL[number])):
        for code, case in BOOK.items():
            pair = sides if RULES[code].kind is not Kind.HEALTH else sides[1]
            before = how_bad(case.judged(pair))
            if before > Outcome.PERF.rank:
                continue  # notes are many, and the book has each of them
            silent += [
                f"{code} {path}"
                for path, less in without_one_fact(pair, RULES[code])
                if how_bad(case.judged(less)) > before and not is_open(case, path, less)
            ]
    assert silent == []
