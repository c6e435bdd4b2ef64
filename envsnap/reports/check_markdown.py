"""check's answer as Markdown, for a pull request or a rebuttal: it fits into one comment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from envsnap import __version__
from envsnap.facts import given
from envsnap.manifest import Manifest, environment_id
from envsnap.reports._answers import RESULTS, answers
from envsnap.reports._ending import decided_by, doubt, exit_words, run_it, waivers
from envsnap.reports._groups import accepted_group, excuse_words, groups, what
from envsnap.reports._headline import headline
from envsnap.reports._left import fine, places
from envsnap.reports._markdown import (
    Block,
    code,
    escaped,
    fitted,
    folded,
    in_html,
    linked,
    remedy,
    table,
)
from envsnap.reports._sides import Sides, machine_words, when
from envsnap.reports._words import count
from envsnap.reports.claim import sentence
from envsnap.rules import FAMILIES, Checked, Condition, Finding

LIMIT = 65_000
"""GitHub refuses a comment of more than 65,536 characters."""
_LEAST = 2000
"""Less room than this is not worth a machine's page."""
_END = "</details>\n\n"
_SENTENCE = 4000
_SHOWN = 10
_MORE = "- {} more\n".format
_CUT = "\n*Cut here: a comment holds no more. The JSON report has all of it.*\n"

Done = Sequence[tuple[Checked, Sides]]


def text(done: Done, head: str = "") -> str:
    """The whole page; before several machines stands `head`, the table of them."""
    if len(done) == 1:
        said = headline(done[0][0])
        first = Block(f"## {said.mark} envsnap check: {escaped(said.words)}\n\n")
        return fitted([first, *_page(*done[0])], LIMIT, _CUT)
    return f"{head}\n{''.join(_folded_pages(done, LIMIT - len(head) - _LEAST))}"


def _folded_pages(done: Done, room: int) -> Iterator[str]:
    """A page for each machine, to open on a click; each has its share of the room."""
    for number, (checked, sides) in enumerate(done):
        left = len(done) - number
        said = headline(checked)
        summary = in_html(f"{said.mark} {sides.found_name}: {said.words}")
        start = f"<details><summary>{summary}</summary>\n\n"
        share = max(room // left, _LEAST) - len(start) - len(_END)
        if room < _LEAST or share < len(_CUT):
            yield f"*{left} more: the JSON report has them.*\n"
            return
        page = f"{start}{fitted(_page(checked, sides), share, _CUT)}{_END}"
        room -= len(page)
        yield page


def _page(checked: Checked, sides: Sides) -> Iterator[Block]:
    yield _answers(checked)
    yield Block(f"> {escaped(sentence(checked, sides), longest=_SENTENCE)}\n\n")
    yield Block("".join(f"{each}\n" for each in _sides(sides)) + "\n")
    for group in (*groups(checked, sides.found_name), *accepted_group(checked)):
        yield _findings(group.title, group.findings)
    yield from _lowering(checked)
    yield from _rest(checked)
    if rows := list(_required(sides.wanted)):
        yield folded("Required by the author", rows)
    yield Block(_end(checked, sides))


def _answers(checked: Checked) -> Block:
    held = checked.claim.codes
    rows = []
    for each in answers(checked):
        label = f"{escaped(each.label.capitalize())}{' (decides)' if each.end else ''}"
        why = f"{each.why} ({', '.join(held)})" if each.label == RESULTS and held else each.why
        rows.append((label, f"**{escaped(each.word.text)}**", escaped(why)))
    return table(("", "", ""), rows)


def _sides(sides: Sides) -> Iterator[str]:
    for label, name, manifest in (
        ("Wanted", sides.wanted_name, sides.wanted),
        ("Found", sides.found_name, sides.found),
    ):
        ident = environment_id(manifest)
        known = f"environment {ident}, " if isinstance(ident, str) else ""
        words = f"{name}: {known}{when(manifest)}, {machine_words(manifest)}"
        edited = ", edited since it was captured" if manifest.edited else ""
        yield f"- **{label}** {escaped(words + edited)}"


def _findings(title: str, found: Sequence[Finding]) -> Block:
    number = Counter(each.code for each in found)
    shown: Counter[str] = Counter()
    rows = []
    for each in found:
        shown[each.code] += 1
        if shown[each.code] <= _SHOWN:
            rows.append(_row(each))
        elif shown[each.code] == _SHOWN + 1:
            more = f"{number[each.code] - _SHOWN} more like these"
            rows.append(("", more, "", "", escaped(each.code)))
    titles = ("about", "what", "so what", "what mends it", "rule")
    return table(titles, rows, f"### {escaped(title)}\n\n")


def _row(each: Finding) -> tuple[str, ...]:
    mends = [remedy(each.remedy)] if each.remedy else []
    mends += [f"*{escaped(excuse_words(excuse))}*" for excuse in each.excuses]
    rule = linked(each.code, each.source.url)
    return (
        f"**{escaped(each.subject)}**",
        escaped(what(each)),
        escaped(each.why),
        "; ".join(mends),
        rule,
    )


def _lowering(checked: Checked) -> Iterator[Block]:
    """What leaves less than the same bits to expect without being a difference: never folded."""
    rows = list(_conditions(each for each in checked.claim.conditions if each.lowers))
    if rows:
        title = "What lowers the results and is no difference"
        yield Block(f"### {title}\n\n", tuple(f"- {each}\n" for each in rows), "\n", _MORE)


def _conditions(found: Iterable[Condition]) -> Iterator[str]:
    for each in dict.fromkeys(found):
        yield f"{escaped(each.text)} ({each.code})" + (
            f": {remedy(each.remedy)}" if each.remedy else ""
        )


def _rest(checked: Checked) -> Iterator[Block]:
    well = {FAMILIES[key]: len(those) for key, those in fine(checked).items()}
    if well:
        told = ", ".join(f"{name} {number}" for name, number in well.items())
        found = count(sum(well.values()), "rule")
        yield Block(f"Fine: {found} found nothing: {escaped(told)}\n\n")
    left = places(checked)
    if left:
        rows = [
            f"{escaped(f'{path}: {why}')} ({', '.join(codes)})" for path, why, codes, *_ in left
        ]
        yield folded(f"Not checked: {count(len(left), 'fact')} not known", rows)
    if assumed := list(_conditions(checked.claim.assumed)):
        yield folded(f"{count(len(assumed), 'condition')} that no capture sees", assumed)
    if left_out := checked.report.ignored.items():
        rows = [escaped(f"{name}: {reason}") for name, reason in sorted(left_out)]
        yield folded(f"Left out: {', '.join(name for name, _ in sorted(left_out))}", rows)
    if checked.accepted_left:
        yield folded("Accepted for nothing", map(escaped, checked.accepted_left))
    if dates := given():
        rows = [escaped(f"{name} of {date}") for name, date in sorted(dates.items())]
        yield folded("Facts that are not envsnap's own", rows)


def _required(wanted: Manifest) -> Iterator[str]:
    """What the author states, as it stands in the manifest; what does not hold is a finding."""
    for key, verb in (("must", "must hold"), ("may", "may differ")):
        stated = wanted.requires.get(key)
        for each in stated if isinstance(stated, (list, tuple)) else ():
            words = each.get("that") if isinstance(each, Mapping) else each
            yield f"{verb}: {escaped(str(words))}"


def _end(checked: Checked, sides: Sides) -> str:
    lines = [f"**{escaped(exit_words(checked))}**"]
    if words := decided_by(checked):
        lines.append(f"Decided by {escaped(words)}")
    if words := waivers(checked):
        lines.append(f"Allowed {escaped(words)}")
    if words := doubt(checked):
        lines.append(f"Doubt it: {code(words)}")
    if words := run_it(checked, sides):
        lines.append(f"Run it: {code(words)}")
    return "  \n".join(lines) + f"\n\n<sub>envsnap {__version__}</sub>\n"
