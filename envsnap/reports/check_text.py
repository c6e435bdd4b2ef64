"""check's answer for people: first whether it runs, then what to do, then what was not seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from envsnap.errors import ExitCode
from envsnap.manifest import environment_id
from envsnap.reports._answers import NOT_SET_UP, answers, is_aside
from envsnap.reports._ending import decided_by, doubt, exit_words, run_it, waivers
from envsnap.reports._findings import SUBJECT, group_lines
from envsnap.reports._groups import (
    HERE,
    Group,
    accepted,
    accepted_group,
    after_mending,
    excuse_words,
    groups,
    without_packages,
)
from envsnap.reports._lines import Answer, Line, answer_lines, labelled, line, wrapped
from envsnap.reports._rest import left_out, noted, rest_lines, well_words
from envsnap.reports._sides import (
    Sides,
    environment_called,
    machine_words,
    python_called,
    when,
)
from envsnap.rules import Checked, Level, Outcome, Verdict

_SIDE = 8


def text(checked: Checked, sides: Sides, *, width: int = 80, verbose: bool = False) -> list[Line]:
    """The whole report."""
    name = sides.found_name
    found = groups(checked, name, verbose=verbose)
    is_well = not verbose and _is_well(checked, found)
    rest = list(rest_lines(checked, sides, width, verbose=verbose, is_well=is_well))
    told = [
        each for answer in _told(checked, is_well=is_well) for each in answer_lines(answer, width)
    ]
    return [
        *_head(checked, sides, width),
        line(),
        *told,
        *_groups(checked, found, width, verbose=verbose),
        *([line(), *rest] if rest else ()),
        line(),
        *_end(checked, sides, width, is_well=is_well),
    ]


def verdicts(checked: Checked, width: int = 80) -> list[Line]:
    """The answers alone: the way that decides first, then the other one, then the results."""
    return [each for answer in answers(checked) for each in answer_lines(answer, width)]


def _is_well(checked: Checked, found: list[Group]) -> bool:
    """Whether there is nothing to tell but that nothing differs."""
    return (
        checked.exit_code is ExitCode.OK
        and checked.options.fail_on is Outcome.NUMERICS
        and checked.claim.level is Level.BITWISE
        and not found
        and not accepted(checked)
    )


def _told(checked: Checked, *, is_well: bool) -> list[Answer]:
    """The answers that a reader of this report asked for: of containers, who may use one."""
    first, *others, results = answers(checked)
    if first.word.text == NOT_SET_UP and is_aside(checked):
        return [first]  # of what nobody started there are no results
    runs = checked.verdict is Verdict.RUNS
    if is_aside(checked) or (is_well and runs and [each.word.text for each in others] == ["RUNS"]):
        others = []
    return [first, *others, results]


def _groups(checked: Checked, found: list[Group], width: int, *, verbose: bool) -> Iterator[Line]:
    """The findings; of what does not run, first what stops it, and how much there is beyond."""
    stops = [each for each in found if each.outcome is Outcome.BLOCKS]
    beyond = [each for each in found if each.outcome is not Outcome.BLOCKS]
    if verbose or not stops:
        stops, beyond = found, []
    elif not checked.is_set_up:
        beyond = without_packages(beyond)  # which say nothing of those that will be there
    yield from group_lines(stops, width)
    if beyond:
        yield line()
        for each in wrapped(f"If that is mended: {after_mending(beyond)} (-v)", width - 1):
            yield line(each)
    yield from group_lines(accepted_group(checked), width)


def brief(checked: Checked, width: int = 80) -> list[Line]:
    """The answers, and whose word or which choice bears on them."""
    said = [each for words in _accepted(checked) for each in noted("Accepted", words, width)]
    return [*verdicts(checked, width), *said, *left_out(checked, width)]


def _accepted(checked: Checked) -> Iterator[str]:
    """Each rule of which something was accepted, and in whose words."""
    found = accepted(checked)
    number = Counter(each.code for each in found)
    words = {
        each.code: dict.fromkeys(excuse_words(excuse) for excuse in each.excuses)
        for each in reversed(found)
    }
    for code, many in number.items():
        more = f", and {many - 1} more" if many > 1 else ""
        yield f"{code} ({'; '.join(words[code])}{more})"


def _head(checked: Checked, sides: Sides, width: int) -> Iterator[Line]:
    wanted, found = sides.wanted, sides.found_name
    is_here, is_image = found == HERE, checked.options.is_image
    ident = environment_id(wanted)
    theirs, ours = machine_words(wanted), machine_words(sides.found)
    name, called = environment_called(wanted), environment_called(sides.found)
    is_other = is_here and bool(name) and name != called
    same = "" if is_image else HERE if is_here else "such a machine"
    found = f"the image {found}" if is_image else found
    told = (
        f"environment {ident}" if isinstance(ident, str) else "",
        name if is_other else "",
        when(wanted),
        theirs if theirs != ours else same,
        "edited since it was captured" if wanted.edited else "",
    )
    words = ", ".join(filter(None, told))
    yield from labelled("wanted", f"{sides.wanted_name}: {words}", width=width, indent=_SIDE)
    if is_here and not called:
        called = python_called(sides.found)
    if called:
        found += f", {called}{f', not {name}' if is_other else ''}"
    yield from labelled("found", f"{found}: {ours}", width=width, indent=_SIDE)


def _end(checked: Checked, sides: Sides, width: int, *, is_well: bool) -> Iterator[Line]:
    words = f"{well_words(checked, sides)}.  Exit 0" if is_well else exit_words(checked)
    for each in wrapped(words, width - 1):
        yield line(each)
    if words := decided_by(checked):
        yield from noted("Decided by", words, width)
    if words := waivers(checked):
        yield from noted("Allowed", words, width)
    if words := doubt(checked):
        yield from noted("Doubt it", f"{words}   the rule and its source", width)
    if words := run_it(checked, sides):
        yield line(f"{'Run it':<{SUBJECT - 1}}", words)  # whole, or it cannot be pasted


__all__ = ["Sides", "brief", "text", "verdicts"]
