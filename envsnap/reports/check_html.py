"""check's answer as one HTML page: it needs no network, and no script to be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from envsnap._typing import NamedTuple
from envsnap.manifest import Manifest, environment_id
from envsnap.reports._answers import answers
from envsnap.reports._ending import decided_by, doubt, exit_words, run_it
from envsnap.reports._groups import MILD, Group, accepted, excuse_words, groups
from envsnap.reports._headline import Headline, headline
from envsnap.reports._html import render
from envsnap.reports._html_facts import FactTable, fact_tables, shortened
from envsnap.reports._html_machines import machines_of, told_of
from envsnap.reports._html_packages import PackageTable, package_table
from envsnap.reports._left import Place, fine, places
from envsnap.reports._lines import Answer
from envsnap.reports._sides import Sides, machine_words, when
from envsnap.reports.claim import latex, sentence
from envsnap.reports.matrix import Matrix, row, rows_of
from envsnap.rules import FAMILIES, Checked, Claim, Condition, Finding, Level, Outcome, Rule

_SHOWN = 4
_DETAILED = 12
"""Facts and packages stand side by side for so many kinds of machines, or a page would be none."""
_OUTCOMES = {
    Outcome.BLOCKS: ("✕", "stops it"),
    Outcome.DEGRADES: ("▲", "limits it"),
    Outcome.NUMERICS: ("≈", "may change digits"),
    Outcome.PERF: ("»", "changes its speed"),
    Outcome.NOTE: ("·", "note"),
}
"""A sign and words for each: a colour alone says nothing to many."""
_PARTS = (
    ("mend", "What you can do"),
    ("for-good", "What nobody can mend"),
    ("mild", "What changes no digit"),
)


class Folded(NamedTuple):
    """Findings that a reader takes in together."""

    title: str
    size: int
    folds: tuple[tuple[Sequence[Finding], Sequence[Finding]], ...]
    """For each rule the findings to show, and those to fold."""


class Part(NamedTuple):
    """The findings that a reader does the same about."""

    name: str
    title: str
    groups: tuple[Folded, ...]


class Family(NamedTuple):
    """The rules of a family that found nothing."""

    name: str
    size: int
    rules: Sequence[Rule]


class Step(NamedTuple):
    """A level of what can be expected of the results, on the ladder of all."""

    level: Level
    is_level: bool
    is_possible: bool
    """Whether what was not checked could still bring it down to this."""


class Side(NamedTuple):
    """One side of a check, in a few words."""

    name: str
    identity: str
    """The id of its environment, and when it was captured."""
    machine: str


class View(NamedTuple):
    """One check as the page shows it."""

    key: str
    """What the names of its places begin with."""
    sides: tuple[Side, Side]
    headline: Headline
    """The answer in one line; it never looks better than its exit code."""
    answers: tuple[Answer, ...]
    claim: Claim
    ladder: tuple[Step, ...]
    sentence: str
    """The claim as a paper can print it."""
    latex: str
    parts: tuple[Part, ...]
    accepted: tuple[tuple[Finding, Sequence[str]], ...]
    """What somebody's word keeps from deciding, and whose word."""
    facts: tuple[FactTable, ...]
    packages: PackageTable | None
    fine: tuple[Family, ...]
    not_checked: tuple[Place, ...]
    conditions: tuple[Condition, ...]
    left_out: Sequence[tuple[str, str]]
    ending: tuple[tuple[str, str], ...]
    """Why the exit code, and what to type next: each with its label."""
    exit_code: int

    @property
    def differing(self) -> int:
        """How many facts differ."""
        return sum(len(each.differing) for each in self.facts)

    @property
    def tables(self) -> tuple[tuple[FactTable, ...], tuple[FactTable, ...]]:
        """The sections in which a fact differs, and the others."""
        with_some = tuple(each for each in self.facts if each.differing)
        return with_some, tuple(each for each in self.facts if not each.differing)


def page(done: Sequence[tuple[Checked, Sides]], matrix: Matrix | None = None) -> str:
    """The whole page; with several machines their matrix stands on top, and each kind below."""
    if matrix is None and len(done) > 1:
        sides = done[0][1]
        matrix = Matrix(sides.wanted, sides.wanted_name, rows_of(row(*each) for each in done))
    told = list(done) if matrix is None else list(told_of(matrix, done))
    views = [
        _view(checked, sides, key=f"m{number}-", detailed=number <= _DETAILED)
        for number, (checked, sides) in enumerate(told, start=1)
    ]
    machines = None if matrix is None else machines_of(matrix, [each.key for each in views])
    values = {
        "views": views,
        "machines": machines,
        "wanted": shortened(matrix.wanted_name if matrix else done[0][1].wanted_name),
        "outcomes": _OUTCOMES,
        "sections": list(dict.fromkeys(table.name for view in views for table in view.facts)),
    }
    return render("page.html.j2", values)


def _view(checked: Checked, sides: Sides, *, key: str, detailed: bool) -> View:
    claim, report = checked.claim, checked.report
    wanted, found = sides.wanted, sides.found
    facts = fact_tables(wanted, found, report.findings) if detailed else ()
    return View(
        key=key,
        sides=(_side(sides.wanted_name, wanted), _side(_found_name(checked, sides), found)),
        headline=headline(checked),
        answers=tuple(_following(checked)),
        claim=claim,
        ladder=tuple(_ladder(claim)),
        sentence=sentence(checked, sides),
        latex=latex(checked, sides),
        parts=tuple(_parts(groups(checked, sides.found_name, verbose=True))),
        accepted=tuple((each, [*map(excuse_words, each.excuses)]) for each in accepted(checked)),
        facts=tuple(each for each in facts if each.size),
        packages=package_table(wanted, found, report.findings) if detailed else None,
        fine=tuple(_families(checked)),
        not_checked=tuple(places(checked)),
        conditions=claim.conditions,
        left_out=sorted(report.ignored.items()),
        ending=tuple(_ending(checked, sides)),
        exit_code=int(checked.exit_code),
    )


def _following(checked: Checked) -> Iterator[Answer]:
    """The answers; the one that decides is not green where the exit code is not 0."""
    first, *others = answers(checked)
    word = first.word
    if word.look == "good":
        word = word._replace(look="good" if headline(checked).look == "good" else "warn")
    yield first._replace(word=word)
    yield from others


def _side(name: str, manifest: Manifest) -> Side:
    ident = environment_id(manifest)
    told = [f"environment {ident}" if isinstance(ident, str) else "", when(manifest)]
    told.append("edited since it was captured" if manifest.edited else "")
    identity = ", ".join(filter(None, told))
    return Side(shortened(name), shortened(identity), shortened(machine_words(manifest)))


def _found_name(checked: Checked, sides: Sides) -> str:
    return f"the image {sides.found_name}" if checked.options.is_image else sides.found_name


def _ladder(claim: Claim) -> Iterator[Step]:
    for level in Level:
        is_possible = claim.level.rank < level.rank <= claim.floor.rank
        yield Step(level, level is claim.level, is_possible)


def _parts(found: Iterable[Group]) -> Iterator[Part]:
    """The parts that hold anything, in the order in which their first group is read."""
    by_name: dict[str, list[Folded]] = {}
    for each in found:
        first = each.findings[0]
        name = "mild" if each.outcome in MILD else "mend" if first.remedy else "for-good"
        by_name.setdefault(name, []).append(_folded(each))
    titles = dict(_PARTS)
    for name, those in by_name.items():
        yield Part(name, titles[name], tuple(those))


def _folded(group: Group) -> Folded:
    """The group, a few findings of each rule in the open."""
    by_code: dict[str, list[Finding]] = {}
    for each in group.findings:
        by_code.setdefault(each.code, []).append(each)
    folds = ((those[:_SHOWN], those[_SHOWN:]) for those in by_code.values())
    return Folded(group.title, len(group.findings), tuple(folds))


def _families(checked: Checked) -> Iterator[Family]:
    for key, those in fine(checked).items():
        yield Family(FAMILIES[key], len(those), those)


def _ending(checked: Checked, sides: Sides) -> Iterator[tuple[str, str]]:
    told = (
        ("Why", exit_words(checked)),
        ("Decided by", decided_by(checked)),
        ("Doubt it", doubt(checked)),
        ("Run it", run_it(checked, sides)),
    )
    return ((label, words) for label, words in told if words)
