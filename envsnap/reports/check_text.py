"""check's answer for people: first whether it runs, then what to do, then what was not seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from envsnap._typing import NamedTuple
from envsnap.errors import ExitCode
from envsnap.manifest import Manifest, environment_id
from envsnap.reports._lines import (
    Answer,
    Line,
    Look,
    Part,
    answer_lines,
    clause,
    labelled,
    line,
    manifest_words,
    wrapped,
)
from envsnap.reports._shown import shown
from envsnap.reports._sides import machine_words, when
from envsnap.reports._words import count
from envsnap.rules import (
    FAMILIES,
    Checked,
    Finding,
    NotChecked,
    Outcome,
    Rule,
    Scope,
    Verdict,
    rules,
)
from envsnap.sections import DEEP

_SIDE = 8
_SUBJECT = 14
_CODE = 8
_SHOWN = 3
_NOT_INSTALLED = "PKG001"
_PLACES = {Scope.CONTAINER: "IN THE CONTAINER", Scope.NATIVE: "NATIVELY"}
_LOOKS: dict[Verdict, Look] = {
    Verdict.RUNS: "good",
    Verdict.LIMITS: "warn",
    Verdict.WILL_NOT_RUN: "bad",
    Verdict.CANNOT_TELL: "warn",
}
_ENVIRONMENT = "the environment there"
_ITS_SECTIONS = tuple(f"found {name}" for name in ("python", "packages", "cuda", *sorted(DEEP)))
_GROUPS = (
    (Outcome.BLOCKS, "1 thing that stops it", "{} things that stop it"),
    (Outcome.DEGRADES, "1 limit", "{} limits"),
    (Outcome.NUMERICS, "1 reason why digits may differ", "{} reasons why digits may differ"),
)
_MILD = (
    (Outcome.PERF, "1 reason for another speed", "{} reasons for another speed"),
    (Outcome.NOTE, "1 note", "{} notes"),
)


class Sides(NamedTuple):
    """The two manifests, and what they are called."""

    wanted: Manifest
    wanted_name: str
    found: Manifest
    found_name: str


def text(checked: Checked, sides: Sides, *, width: int = 80, verbose: bool = False) -> list[Line]:
    """The whole report."""
    groups, name = (*_GROUPS, *_MILD) if verbose else _GROUPS, sides.found_name
    rest = list(_rest(checked, width, verbose=verbose))
    return [
        *_head(sides, f"the image {name}" if checked.options.is_image else name, width),
        line(),
        *verdicts(checked, width),
        *_findings(checked, groups, width),
        *([line(), *rest] if rest else ()),
        line(),
        *_end(checked, sides, width),
    ]


def verdicts(checked: Checked, width: int = 80) -> list[Line]:
    """The answers alone: the way that decides first, then the other one, then the results."""
    other = Scope.NATIVE if checked.scope is Scope.CONTAINER else Scope.CONTAINER
    # Nobody runs anything beside an image: there is one way to run what is in it.
    others = () if checked.options.is_image else (_verdict(checked, other),)
    answers = (_verdict(checked, checked.scope), *others, _results(checked))
    return [each for answer in answers for each in answer_lines(answer, width)]


def brief(checked: Checked, width: int = 80) -> list[Line]:
    """The answers, and which rules were left out of them."""
    return [*verdicts(checked, width), *_left_out(checked, width)]


def _head(sides: Sides, found: str, width: int) -> Iterator[Line]:
    wanted = sides.wanted
    ident = environment_id(wanted)
    named = f"environment {ident}, {when(wanted)}" if isinstance(ident, str) else when(wanted)
    theirs, ours = machine_words(wanted), machine_words(sides.found)
    told = f", {theirs}" if theirs != ours else ""
    told += ", edited since it was captured" if wanted.edited else ""
    yield from labelled("wanted", f"{sides.wanted_name}: {named}{told}", width=width, indent=_SIDE)
    yield from labelled("found", f"{found}: {ours}", width=width, indent=_SIDE)


def _verdict(checked: Checked, scope: Scope) -> Answer:
    verdict = checked.report.verdict(scope)
    word, look = verdict.value.upper(), _LOOKS[verdict]
    if verdict is Verdict.WILL_NOT_RUN and _lacks_packages_alone(checked, scope):
        word, look = "NOT SET UP", "warn"
    if verdict is Verdict.LIMITS:
        word = "RUNS, WITH LIMITS"
    end = "(decides the exit)" if scope is checked.scope else ""
    is_inside = checked.options.is_image and scope is Scope.CONTAINER
    place = "IN THE IMAGE" if is_inside else _PLACES[scope]
    return Answer(place, Part(word, look), _why(checked, scope), end)


def _lacks_packages_alone(checked: Checked, scope: Scope) -> bool:
    """Whether what stops it is the environment that nobody made there yet, and nothing else."""
    return scope is Scope.NATIVE and not checked.is_set_up and not _beyond_packages(checked, scope)


def _beyond_packages(checked: Checked, scope: Scope) -> list[Finding]:
    """What stops it and would still do so if the packages and their Python were installed."""
    return [
        each
        for each in checked.report.findings_of(scope)
        if each.outcome is Outcome.BLOCKS and each.code[:3] not in {"PKG", "PYT"}
    ]


def _why(checked: Checked, scope: Scope) -> str:
    """A few words beside a verdict whose reasons are not listed below."""
    verdict = checked.report.verdict(scope)
    if verdict is Verdict.CANNOT_TELL:
        left_open = checked.report.not_checked_of(scope)
        return (
            f"{_place(checked, left_open[0])} is not known" if left_open else "no rule was judged"
        )
    if scope is checked.scope or verdict in {Verdict.RUNS, Verdict.LIMITS}:
        return ""
    found = checked.report.findings_of(scope)
    not_there = [each for each in found if each.code == _NOT_INSTALLED and not checked.is_set_up]
    first = (_beyond_packages(checked, scope) or not_there or found)[0]
    if first in checked.report.findings_of(checked.scope):
        return "for the same reason"
    return _short(first.what, 78 - 2 - 19 - 15)


def _results(checked: Checked) -> Answer:
    numerics = _of(checked, Outcome.NUMERICS)
    if checked.verdict is Verdict.WILL_NOT_RUN:
        return Answer("RESULTS", Part("NONE", "bad"), "it does not run")
    if numerics:
        why = f"{count(len(numerics), 'reason')} below"
        return Answer("RESULTS", Part("MAY DIFFER", "warn"), why)
    if any(
        each.worst.reaches(Outcome.NUMERICS)
        for each in checked.report.not_checked_of(checked.scope)
    ):
        return Answer("RESULTS", Part("CANNOT TELL", "warn"), "not everything was seen")
    if not checked.report.is_judged(checked.scope):
        return Answer("RESULTS", Part("CANNOT TELL", "warn"), "no rule was judged")
    why = "no difference known to change digits"
    return Answer("RESULTS", Part("AS CAPTURED", "good"), why)


def _of(checked: Checked, outcome: Outcome) -> list[Finding]:
    found = checked.report.findings_of(checked.scope)
    return [each for each in found if each.outcome is outcome]


def _findings(
    checked: Checked, groups: Iterable[tuple[Outcome, str, str]], width: int
) -> Iterator[Line]:
    for outcome, one, many in groups:
        found = _of(checked, outcome)
        if found:
            yield line()
            yield line(Part(one if len(found) == 1 else many.format(len(found)), "bold"))
            yield from _folded(found, width)


def _folded(found: list[Finding], width: int) -> Iterator[Line]:
    """The findings of a group, a few of each rule; never a list of hundreds."""
    number = Counter(each.code for each in found)
    shown: Counter[str] = Counter()
    for each in found:
        shown[each.code] += 1
        if shown[each.code] <= _SHOWN:
            yield from _finding(each, width)
        elif shown[each.code] == _SHOWN + 1:
            rest = f"{number[each.code] - _SHOWN} more like these"
            yield _coded(" " * _SUBJECT, rest, each.code, width)


def _finding(each: Finding, width: int) -> Iterator[Line]:
    room = width - 1 - _SUBJECT - _CODE
    label = f"  {shown(each.subject)}"
    # Its subject stands beside it already.
    what = each.what.removeprefix(f"{each.subject}: ")
    first, *rest = wrapped(f"{what}: {clause(each.why)}", room)
    if len(label) < _SUBJECT:
        yield _coded(f"{label:<{_SUBJECT}}", first, each.code, width)
    else:
        yield line(label)
        yield _coded(" " * _SUBJECT, first, each.code, width)
    for more in rest:
        yield line(" " * _SUBJECT, more)
    for number, more in enumerate(wrapped(each.remedy, room - 3) if each.remedy else ()):
        yield line(" " * _SUBJECT, "-> " if number == 0 else "   ", more)


def _coded(label: str, words: str, code: str, width: int) -> Line:
    gap = max(width - 1 - len(label) - len(words) - len(code), 1)
    return line(label, words, " " * gap, Part(code, "dim"))


def _rest(checked: Checked, width: int, *, verbose: bool) -> Iterator[Line]:
    yield from _fine(checked, width, verbose=verbose)
    yield from _not_checked(checked, width, verbose=verbose)
    for condition in checked.report.conditions:
        yield from _labelled("Condition", condition.text, width)
    yield from _left_out(checked, width)


def _left_out(checked: Checked, width: int) -> Iterator[Line]:
    for code, reason in sorted(checked.report.ignored.items()):
        yield from _labelled("Left out", f"{code}: {reason}", width)


def _fine(checked: Checked, width: int, *, verbose: bool) -> Iterator[Line]:
    """The families whose rules found nothing, counted; with -v what each of them looked at."""
    said = {each.code for each in checked.report.findings}
    fine = [
        each
        for each in rules()
        if each.code not in said
        and each.code in checked.report.judged
        and checked.report.judged[each.code].covers(checked.scope)
    ]
    if not checked.report.is_judged(checked.scope):
        return
    families = {key: [each for each in fine if each.family == key] for key in FAMILIES}
    if verbose:
        label = "Fine"
        for key, those in families.items():
            if those:
                topics = ", ".join(f"{each.topic} ({each.code})" for each in those)
                yield from _labelled(label, f"{FAMILIES[key]}: {topics}", width)
                label = ""
        return
    yield from _labelled("Fine", f"{_named(checked, families)}.  -v lists them", width)


def _named(checked: Checked, families: Mapping[str, Sequence[Rule]]) -> str:
    """The families in which all is well, and how many rules of the others found nothing."""
    troubled = {each.code[:3] for each in checked.report.not_checked_of(checked.scope)}
    troubled |= {each.code[:3] for outcome, *_ in _GROUPS for each in _of(checked, outcome)}
    well = {key: those for key, those in families.items() if those and key not in troubled}
    number = sum(map(len, well.values()))
    others = sum(map(len, families.values())) - number
    said = []
    if well:
        said.append(f"{', '.join(FAMILIES[key] for key in well)} ({count(number, 'rule')})")
    if others or not well:
        said.append(count(others, "other rule" if well else "rule"))
    mild = sum(len(_of(checked, outcome)) for outcome, *_ in _MILD)
    change = "difference changes" if mild == 1 else "differences change"
    return ", and ".join(said) + (f"; {mild} {change} no digit" if mild else "")


def _not_checked(checked: Checked, width: int, *, verbose: bool) -> Iterator[Line]:
    places: dict[tuple[str, str], list[NotChecked]] = {}
    for each in (*checked.report.not_checked_of(checked.scope), *_of_no_environment(checked)):
        places.setdefault((_place(checked, each), str(each.reason)), []).append(each)
    label = "Not checked"
    for number, ((path, reason), those) in enumerate(places.items()):
        if number == _SHOWN and not verbose:
            left = count(len(places) - _SHOWN, "more place")
            yield from _labelled("", f"and {left} (-v)", width)
            return
        codes = sorted({each.code for each in those})
        few = len(codes) <= _SHOWN or verbose
        named = ", ".join(codes) if few else count(len(codes), "rule")
        yield from _labelled(label, f"{path}: {reason} ({named})", width)
        label = ""


def _of_no_environment(checked: Checked) -> list[NotChecked]:
    """What was left open natively because the found side shows no environment."""
    if checked.options.is_image:
        return []
    left_open = checked.report.not_checked_of(Scope.NATIVE)
    return [each for each in left_open if _place(checked, each) == _ENVIRONMENT]


def _place(checked: Checked, each: NotChecked) -> str:
    """Where the missing fact stands; one place for all of an environment that was not seen."""
    reasons = (
        other.reason
        for other in checked.report.not_checked
        if other.path in {"found packages", "found packages.installed"}
    )
    is_whole = not checked.is_set_up and each.reason in reasons
    return _ENVIRONMENT if is_whole and each.path.startswith(_ITS_SECTIONS) else each.path


def _end(checked: Checked, sides: Sides, width: int) -> Iterator[Line]:
    code = checked.exit_code
    if code is ExitCode.OK:
        judged = len(checked.report.judged)
        yield from _plain(f"Exit 0: nothing {_reaching(checked)} in {judged} rules", width)
    elif code is ExitCode.NO:
        worst = checked.reached[0].outcome
        yield from _plain(f"Exit 1: {_NO[worst]}{_milder(checked)}", width)
    elif not checked.left_open:
        way = _WAYS[checked.scope]
        yield from _plain(f"Exit 4: cannot tell, no rule on {way} was judged", width)
    else:
        codes = list(dict.fromkeys(each.code for each in checked.left_open))
        sections = list(dict.fromkeys(each.section for each in checked.left_open))
        names = codes if len(codes) <= len(sections) else sections
        accept = " ".join(f"--allow-unknown {each}" for each in names)
        yield from _plain(
            f"Exit 4: cannot tell, {_place(checked, checked.left_open[0])} is not known.  "
            f"To accept that: {accept}", width,
        )  # fmt: skip
    if checked.options.scope is None and not checked.options.is_image:
        way = _WAYS[checked.scope]
        yield from _labelled("Decided by", f"{way}: {checked.chosen}.  --for changes it", width)
    if code is ExitCode.NO:
        name = checked.reached[0].code
        yield from _labelled("Doubt it", f"envsnap explain {name}   the rule and its source", width)
        if not checked.is_set_up and checked.report.verdict(Scope.CONTAINER) in _CAN_RUN:
            command = f"envsnap build{manifest_words(sides.wanted_name)} --docker --image NAME"
            yield line(f"{'Run it':<{_SUBJECT - 1}}", command)  # whole, or it cannot be pasted


_WAYS = {Scope.NATIVE: "running natively", Scope.CONTAINER: "the container"}
_CAN_RUN = (Verdict.RUNS, Verdict.LIMITS)
_NO = {
    Outcome.BLOCKS: "it will not run here",
    Outcome.DEGRADES: "it runs with limits",
    Outcome.NUMERICS: "numbers may differ",
    Outcome.PERF: "its speed may differ",
    Outcome.NOTE: "something differs",
}


def _milder(checked: Checked) -> str:
    if checked.reached[0].outcome is Outcome.BLOCKS or checked.options.fail_on is Outcome.BLOCKS:
        return ""
    return '.  To ask only "will it run": --fail-on blocks'


def _reaching(checked: Checked) -> str:
    if checked.options.fail_on is Outcome.NUMERICS:
        return "that changes results"
    return f"as bad as '{checked.options.fail_on}'"


def _labelled(label: str, words: str, width: int) -> Iterator[Line]:
    first, *rest = wrapped(words, width - 1 - _SUBJECT + 1)
    yield line(f"{label:<{_SUBJECT - 1}}", first)
    for each in rest:
        yield line(" " * (_SUBJECT - 1), each)


def _plain(words: str, width: int) -> Iterator[Line]:
    for each in wrapped(words, width - 1):
        yield line(each)


def _short(words: str, room: int) -> str:
    words = shown(words)
    return words if len(words) <= room else f"{words[: room - 3]}..."
