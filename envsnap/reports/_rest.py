"""The foot of a report for people: what was fine, what was not seen, what the claim rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from envsnap.facts import given
from envsnap.manifest import Manifest
from envsnap.profiles import NO_ENVIRONMENT
from envsnap.reports._answers import no_container
from envsnap.reports._findings import SUBJECT
from envsnap.reports._groups import MILD, accepted, mild
from envsnap.reports._holds import enough, holds
from envsnap.reports._left import ENVIRONMENT, Place, fine, places, troubled
from envsnap.reports._lines import Line, labelled
from envsnap.reports._sides import Sides
from envsnap.reports._words import active_packages, count
from envsnap.rules import FAMILIES, Checked, Claim, Condition, Level, Rule
from envsnap.sections import Unknown

_SHOWN = 3
_SOON = 7
"""Days before an acceptance is over in which that is said."""
_BITS = (Level.BITWISE, Level.SAME_ARCHITECTURE)
_COMPARED = {
    "PKG": "packages", "PYT": "Python", "DRV": "driver", "GPU": "GPU", "CPU": "CPU",
    "SYS": "system",
}  # fmt: skip


def rest_lines(
    checked: Checked, sides: Sides, width: int, *, verbose: bool, is_well: bool = False
) -> Iterator[Line]:
    """What was fine, what was not looked at, and whose words bear on the answer.

    Where all is well the report ends with what was fine (`well_words`).
    """
    if not is_well:
        yield from _fine(checked, sides, width, verbose=verbose)
    if (no := no_container(checked)) and not is_well:
        yield from noted("Containers", f"{no.what} ({no.code})", width)
    yield from _not_checked(checked, width, verbose=verbose)
    yield from _conditions(checked, width, verbose=verbose)
    yield from _required(checked, sides.wanted, width)
    yield from left_out(checked, width)
    if dates := given():
        told = ", ".join(f"{name} of {date}" for name, date in sorted(dates.items()))
        yield from noted("Facts", f"not envsnap's own: {told}", width)


def left_out(checked: Checked, width: int) -> Iterator[Line]:
    """What was left out and why, and what is accepted for nothing."""
    for words in (*_soon_over(checked), *checked.accepted_left):
        yield from noted("Accepted", words, width)
    for code, reason in sorted(checked.report.ignored.items()):
        yield from noted("Left out", f"{code}: {reason}", width)


def noted(label: str, words: str, width: int) -> Iterator[Line]:
    """A word, and beside it what there is to say."""
    yield from labelled(label, words, width=width, indent=SUBJECT - 1)


def well_words(checked: Checked, sides: Sides) -> str:
    """'No drift in 382 packages, Python, driver, GPU, CPU, system (24 rules)'."""
    families = fine(checked)
    unwell = troubled(checked)
    names = [name for key, name in _COMPARED.items() if key in families and key not in unwell]
    active = active_packages(sides.wanted)
    if names[:1] == ["packages"] and not isinstance(active, Unknown):
        names[0] = count(len(active), "package")
    number_mild = mild(checked)
    what = "drift that changes a digit" if number_mild else "drift"
    number = sum(map(len, families.values()))
    verb = "changes" if number_mild == 1 else "change"
    more = f"; {number_mild} that {verb} none" if number_mild else ""
    inside = f" in {', '.join(names)}" if names else ""
    return f"No {what}{inside} ({count(number, 'rule')}{more})"


def _soon_over(checked: Checked) -> Iterator[str]:
    """The acceptances that end within a week."""
    ends = {
        (each.code, excuse.until)
        for each in accepted(checked)
        for excuse in each.excuses
        if excuse.by == "reader" and excuse.until
    }
    if not ends:
        return
    from datetime import date  # start-up

    try:
        today = date.fromisoformat(checked.options.today)
    except ValueError:
        return
    for code, until in sorted(ends):
        left = (date.fromisoformat(until) - today).days
        if 0 <= left <= _SOON:
            days = "today is the last day" if not left else f"{count(left, 'day')} left"
            yield f"{code} is accepted until {until}: {days}"


def _conditions(checked: Checked, width: int, *, verbose: bool) -> Iterator[Line]:
    """What lowers the claim and is no finding; with -v what must hold for it, too."""
    found = list({each.text: each for each in checked.claim.conditions}.values())
    told = found if verbose else [each for each in found if _lowers(checked.claim, each)]
    label = "Condition"
    for each in told if verbose else told[:_SHOWN]:
        yield from noted(label, each.text, width)
        label = ""
        if each.remedy:
            yield from noted("", f"-> {each.remedy}", width)
    claim = checked.claim
    left = len(found) - min(len(told), _SHOWN)
    if left and not verbose and (told or claim.level not in _BITS or not claim.is_definite):
        yield from noted(
            label, f"{left} {'more' if told else 'in all'} that nobody recorded (-v)", width
        )


def _lowers(claim: Claim, each: Condition) -> bool:
    """Whether the claim would be higher without it."""
    held = any(found.lowers is claim.level for found in claim.lowered_by)
    return each.lowers is claim.level and claim.level is not Level.BITWISE and not held


def _required(checked: Checked, wanted: Manifest, width: int) -> Iterator[Line]:
    """What the author states, counted; what of it does not hold is a finding.

    A difference that is allowed and mild is named here: it stands folded among what is fine.
    """
    said = [
        f"{len(each)} that {verb}"
        for key, verb in (("must", "must hold"), ("may", "may differ"))
        if isinstance(each := wanted.requires.get(key), (list, tuple)) and each
    ]
    if said:
        told = f"{' and '.join(said)}, says the author.  envsnap require lists them"
        yield from noted("Required", told, width)
        for each in checked.report.findings_of(checked.scope):
            if each.outcome in MILD and any(excuse.by == "author" for excuse in each.excuses):
                yield from noted("", f"allowed: {each.what} ({each.code})", width)


def _fine(checked: Checked, sides: Sides, width: int, *, verbose: bool) -> Iterator[Line]:
    """The families whose rules found nothing, counted; with -v what each of them says by that."""
    if not checked.report.is_judged(checked.scope):
        return
    families = fine(checked)
    if not verbose:
        words = _named(checked, families, enough(checked, sides))
        number = 0 if sides.wanted is sides.found else mild(checked)  # doctor tells its notes
        change = "difference changes" if number == 1 else "differences change"
        words += f"; {number} {change} no digit" if number else ""
        yield from noted("Fine", f"{words}.  -v lists them", width)
        return
    label = "Fine"
    for key, those in families.items():
        said = ", ".join(f"{holds(each)} ({each.code})" for each in those)
        yield from noted(label, f"{FAMILIES[key]}: {said}", width)
        label = ""


def _named(
    checked: Checked, families: Mapping[str, Sequence[Rule]], known: Mapping[str, str]
) -> str:
    """What is known to be enough, the other families in which all is well, and how many rules."""
    unwell = troubled(checked)
    well = [FAMILIES[key] for key in families if key not in unwell]
    number = sum(map(len, families.values()))
    said = list(known.values()) or well
    more = f"{number - len(known)} more rules" if known else f"{count(number, 'rule')} in all"
    return ", ".join(said) + (", " if known else ": " if well else "") + more


def _not_checked(checked: Checked, width: int, *, verbose: bool) -> Iterator[Line]:
    """The places that could have mattered, a few of them; of the others where there are no such."""
    found = places(checked)
    grave = found if verbose else [each for each in found if not each.is_mild]
    told = grave if verbose else grave[:_SHOWN]
    label = "Not checked"
    left = len(grave) - len(told)
    for number, each in enumerate(told, 1):
        more = f"; {left} more (-v)" if left and number == len(told) else ""
        yield from noted(label, f"{_place_words(each, verbose=verbose)}{more}", width)
        label = ""
    if found and not told:
        words = f"{count(len(found), 'place')} where no digit is at stake (-v)"
        yield from noted(label, words, width)


def _place_words(each: Place, *, verbose: bool) -> str:
    """Where, why, and for which rules; of many rules their number."""
    if each.path == ENVIRONMENT and not verbose:
        told = each.reason.partition(": ")[2] or each.reason
        told = "a profile has none" if each.reason == str(NO_ENVIRONMENT) else told
        return f"{count(len(each.codes), 'rule')} about {each.path}: {told}"
    few = len(each.codes) <= _SHOWN or verbose
    named = ", ".join(each.codes) if few else count(len(each.codes), "rule")
    return f"{each.path}: {each.reason} ({named})"
