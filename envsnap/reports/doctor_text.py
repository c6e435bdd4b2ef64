"""doctor's answer for people: what is wrong here, what mends it, what was not looked at."""

from __future__ import annotations

from envsnap.errors import ExitCode
from envsnap.manifest import Manifest
from envsnap.reports._ending import doubt, exit_words
from envsnap.reports._findings import group_lines
from envsnap.reports._groups import HERE, MILD, groups
from envsnap.reports._left import lacking
from envsnap.reports._lines import Line, Part, labelled, line, wrapped
from envsnap.reports._rest import noted, rest_lines
from envsnap.reports._sides import Sides, environment_called, python_called
from envsnap.reports._words import count, lines
from envsnap.rules import Checked, Outcome

_SIDE = 13
_TOLD = {"GPU", "Driver", "CUDA", "System", "Packages"}
_OPEN = Part("CANNOT TELL", "warn")


def text(
    checked: Checked, manifest: Manifest, *, width: int = 80, verbose: bool = False
) -> list[Line]:
    """The whole report: notes are told, too, for there is nothing else to see."""
    told = [each for each in lines(manifest) if each[0] in _TOLD]
    sides = Sides(manifest, HERE, manifest, HERE)
    ending = [line(each) for each in wrapped(exit_words(checked, is_health=True), width - 1)]
    if words := doubt(checked):
        ending += noted("Doubt it", f"{words}   the rule and its source", width)
    return [
        *brief(checked, manifest, width),
        *group_lines(groups(checked, HERE, verbose=True), width),
        line(),
        *(
            each
            for label, words in told
            for each in labelled(f"  {label}", words, width=width, indent=_SIDE)
        ),
        line(),
        *rest_lines(checked, sides, width, verbose=verbose),
        line(),
        *ending,
    ]


def brief(checked: Checked, manifest: Manifest, width: int = 80) -> list[Line]:
    """How it is, in a word, and of what."""
    word = _word(checked)
    why = _found(checked)
    if word is _OPEN and checked.left_open:
        why = f"{lacking(checked, checked.left_open)}; {why}"
    called = environment_called(manifest)
    python = python_called(manifest)
    looked = ", ".join(filter(None, (called, python.partition(" of ")[0] if called else python)))
    label = f"  HEALTH   {word.text}   "
    first, *rest = wrapped(f"{looked or 'the machine'}: {why}", width - 1 - len(label))
    start = line("  HEALTH   ", word, f"   {first}")
    return [start, *(line(" " * len(label), each) for each in rest)]


def _found(checked: Checked) -> str:
    """'2 notes of 34 rules'."""
    found = checked.report.findings_of(checked.scope)
    judged = count(len(checked.report.judged), "rule")
    if not found:
        return f"{judged} found nothing"
    is_mild = all(each.outcome in MILD for each in found)
    return f"{count(len(found), 'note' if is_mild else 'finding')} of {judged}"


def _word(checked: Checked) -> Part:
    """What is wrong comes before what is not known; only what changes no digit is well."""
    worst = checked.report.worst(checked.scope)
    if worst is Outcome.BLOCKS:
        return Part("BROKEN", "bad")
    if checked.exit_code is ExitCode.NO or (worst is not None and worst not in MILD):
        return Part("UNWELL", "warn")
    return _OPEN if checked.exit_code is ExitCode.CANNOT_TELL else Part("WELL", "good")
