"""The claim in words: for a screen, for a paper, and for a paper in LaTeX.

The paragraph names both machines, the day, the rules and their version: a reader can make the
comparison again, and hold its author to what it says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from envsnap._typing import NamedTuple
from envsnap.manifest import Manifest, environment_id, machine_id
from envsnap.reports._latex import Piece, Word, joined_latex, joined_plain
from envsnap.reports._shown import shown
from envsnap.reports._sides import day_of, machine_words
from envsnap.reports._words import count, environment_words
from envsnap.rules import BITS, Checked, Claim, Condition, Finding, Level, Outcome, Scope
from envsnap.sections import Packages, Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envsnap.reports._sides import Sides

_WORDS = {
    Level.BITWISE: ("BITWISE", "the same bits"),
    Level.SAME_ARCHITECTURE: (
        "BITWISE ON THE SAME ARCHITECTURE", "the same bits, as far as one architecture keeps them",
    ),
    Level.STATISTICAL: ("STATISTICAL", "the same conclusions; digits may differ"),
    Level.RUNS: ("NO PROMISE", "it runs, and other code computes"),
    Level.DOES_NOT_RUN: ("NONE", "it does not run"),
}  # fmt: skip
_EXPECTED = {
    Level.BITWISE: "bitwise identical results",
    Level.SAME_ARCHITECTURE: "bitwise identical results, as far as the libraries keep to what is "
    "stated of one architecture in: ",
    Level.STATISTICAL: "statistical agreement, and not necessarily the same digits",
    Level.RUNS: "it to run, and claim nothing about its numbers",
}
_LONGEST = 300
"""A machine's words are fewer: what is longer was made to be."""
_TOLD = 2
_NO_GPU = "GPU001"
_TO = " -> "
_CODES = 8


class Words(NamedTuple):
    """A claim in a word, and why it is no other."""

    word: str
    why: str


def words(claim: Claim) -> Words:
    """'BITWISE?' and what was not recorded; 'AT BEST STATISTICAL' where rules were left open."""
    word, why = _WORDS[claim.level]
    if claim.is_definite:
        asked = claim.assumed if claim.level in BITS else ()
        return Words(f"{word}?", _conditions_in_short(asked)) if asked else Words(word, why)
    if not claim.left_open:
        return Words("CANNOT TELL", "no rule was judged")
    open_rules = count(len({each.code for each in claim.left_open}), "rule")
    best = f"AT BEST {word}" if claim.says_something else "CANNOT TELL"
    return Words(best, f"{open_rules} that could lower it could not be judged")


def _conditions_in_short(conditions: tuple[Condition, ...]) -> str:
    told = "; ".join(each.text for each in conditions[:_TOLD])
    left = len(conditions) - _TOLD
    return f"{told}; and {left} more" if left > 0 else told


def sentence(checked: Checked, sides: Sides) -> str:
    """A paragraph to paste into a paper: both machines, what holds between them, and why."""
    return joined_plain(_paragraph(checked, sides))


def latex(checked: Checked, sides: Sides) -> str:
    """The same paragraph as LaTeX: ids and codes in typewriter, all else escaped."""
    return joined_latex(_paragraph(checked, sides))


def environment_latex(manifest: Manifest) -> str:
    """The sentence on one environment as LaTeX."""
    told, ident = environment_words(manifest)
    if not told:
        return joined_latex(["Nothing that a paper would name was captured."])
    pieces: list[Piece] = [_short(told)]
    pieces += ["; envsnap ", Word(ident)] if ident else []
    return joined_latex([*pieces, "."])


def _paragraph(checked: Checked, sides: Sides) -> Iterator[Piece]:
    yield from _compared(checked, sides)
    claim = checked.claim
    if not claim.is_definite and not claim.left_open:
        yield " No rule was judged, and nothing is claimed."
        return
    way = "natively" if checked.scope is Scope.NATIVE else "in a container made from it"
    if claim.level is Level.DOES_NOT_RUN:
        yield from _not_run(claim, way)
    elif not claim.says_something:
        yield f" For the same program and input, run there {way}, we cannot tell what to expect."
    else:
        best = "" if claim.is_definite else "at best "
        yield f" For the same program and input, run there {way}, we expect {best}"
        yield from _limits(checked)
        yield _EXPECTED[claim.level]
        yield _stated_in(claim)
        yield from _coded(claim.codes)
        yield "."
    yield from _rest(checked, sides)


def _not_run(claim: Claim, way: str) -> Iterator[Piece]:
    """That it stops; where a GPU alone is missing, what asks for one does."""
    is_the_gpu = claim.codes == (_NO_GPU,)
    what = "what asks for the GPU" if is_the_gpu else "it"
    yield f" Run {way}, we expect that {what} does not start, or stops, there"
    yield from _coded(claim.codes)
    yield "; what can do without it was not compared." if is_the_gpu else "."


def _limits(checked: Checked) -> Iterator[Piece]:
    """'it to run with limits (GPU memory: 24 GiB -> 15 GiB), and '; nothing without limits."""
    found = checked.report.findings_of(checked.scope)
    told = [_limit(each) for each in found if each.outcome is Outcome.DEGRADES]
    if told:
        more = f"; and {len(told) - _TOLD} more" if len(told) > _TOLD else ""
        yield f"it to run with limits ({'; '.join(told[:_TOLD])}{more}), and "


def _limit(found: Finding) -> str:
    if found.wanted and found.found and _TO in found.what:
        return _short(f"{found.subject}: {found.found} instead of {found.wanted}")
    is_named = found.what.startswith(found.subject)
    return _short(found.what if is_named else f"{found.subject}: {found.what}")


def _stated_in(claim: Claim) -> str:
    """The documents that one architecture's bits rest on."""
    if claim.level is not Level.SAME_ARCHITECTURE:
        return ""
    held = [each for each in claim.lowered_by if each.lowers is claim.level]
    return "; ".join(dict.fromkeys(each.source.title for each in held))


def _compared(checked: Checked, sides: Sides) -> Iterator[Piece]:
    """What was held against what, when, and by which rules."""
    from envsnap import __version__
    from envsnap.facts import date_of

    yield "We compared the environment"
    yield from _named(environment_id(sides.wanted))
    yield f", {_told_of(sides.wanted, 'recorded')} on {_machine(sides.wanted)},"
    is_described = _is_profile(sides.found)
    start = f"the profile {_profile(sides.found_name)}, " if is_described else ""
    yield f" with {start}{_machine(sides.found)}"
    ident = machine_id(sides.found)
    if isinstance(ident, str):
        yield from (" (machine ", Word(ident), ")")
    seen = "a machine as described, which nobody looked at"
    yield f", {seen if is_described else _told_of(sides.found, 'seen')}, by envsnap {__version__}"
    dates = sorted({date_of(name) for name in ("cuda_driver", "gpu_arch", "torch_cuda")})
    number = count(len(checked.report.judged), "rule")
    yield f" ({number} judged, facts of {dates[-1]})."


def _told_of(manifest: Manifest, seen: str) -> str:
    """'recorded on 20 Nov 2026'; of an import, whose words it is, and not when."""
    day, told = _short(day_of(manifest)), manifest.captured.imported
    if not told:
        return f"{seen} on {day}"
    more = " and others" if len(told) > _TOLD else ""
    names = _short(" and ".join(told[:_TOLD]))
    return f"as {names}{more} told it (on a day that is not known; imported on {day})"


def _is_profile(manifest: Manifest) -> bool:
    from envsnap.profiles import NO_ENVIRONMENT

    return manifest.section(Packages) == NO_ENVIRONMENT


def _profile(name: str) -> str:
    """A profile's name; of a file the last part, for its folders concern nobody."""
    return _short(name.rpartition("/")[2])


def _machine(manifest: Manifest) -> str:
    return _short(machine_words(manifest)) or "a machine that is not described"


def _short(words: str) -> str:
    words = " ".join(shown(words).split())
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1]}…"


def _named(ident: str | Unknown) -> Iterator[Piece]:
    if isinstance(ident, str):
        yield " "
        yield Word(ident)


def _rest(checked: Checked, sides: Sides) -> Iterator[Piece]:
    """What the claim rests on, what was left open or left out, and where it ends."""
    claim = checked.claim
    lowering = [each for each in claim.conditions if each.lowers is claim.level]
    yield from _told(" It would be limited even without a difference:", lowering)
    promises_bits = claim.level in BITS and claim.says_something
    if promises_bits:
        yield from _told(" It depends on more than was compared:", claim.assumed)
    open_codes = sorted({each.code for each in claim.left_open})
    if open_codes:
        yield f" {count(len(open_codes), 'rule')} that could lower it could not be judged"
        yield from _coded(open_codes)
        yield "."
    left_out = sorted(checked.report.ignored)
    if left_out or checked.options.select:
        yield " Rules were left out of the comparison"
        yield from _coded(left_out)
        yield "."
    if promises_bits:
        yield from _elsewhere(sides.wanted)


def _told(start: str, conditions: Iterable[Condition]) -> Iterator[Piece]:
    some = list(conditions)
    if not some:
        return
    yield start
    for number, each in enumerate(some):
        yield from ("; " if number else " ", shown(each.text), " (", Word(each.code), ")")
    yield "."


def _elsewhere(wanted: Manifest) -> Iterator[Piece]:
    """What can be expected on a machine of another kind, which nobody compared."""
    from envsnap.rules._core import NeedError, Side
    from envsnap.rules._cuda import computes_on_gpu
    from envsnap.rules._views import visible_gpus

    side = Side("wanted", wanted)
    try:
        vendors = {each.vendor for each in visible_gpus(side)} if computes_on_gpu(side) else set()
    except NeedError:
        return
    of_gpus = ("GPU020",) if vendors == {"amd"} else ("GPU003", "GPU004")
    kind, codes = ("GPUs", of_gpus) if vendors else ("processors", ("CPU001",))
    yield f" On {kind} of another architecture we expect statistical agreement only"
    yield from _coded(codes)
    yield "."


def _coded(codes: Iterable[str]) -> Iterator[Piece]:
    some = list(codes)
    if not some:
        return
    yield " ("
    for number, each in enumerate(some[:_CODES]):
        if number:
            yield ", "
        yield Word(each)
    if len(some) > _CODES:
        yield f" and {len(some) - _CODES} more"
    yield ")"
