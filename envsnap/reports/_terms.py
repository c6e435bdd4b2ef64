"""The words of an answer, each with what it promises and how anybody can test it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from envsnap._typing import NamedTuple
from envsnap.rules import Level, Outcome, Verdict

_TWICE = "run it twice on one side first: where those two differ, the program itself is not"
_SUMS = f"compare checksums of what both sides wrote (sha256sum); {_TWICE} repeatable"


class Term(NamedTuple):
    """One word that a report answers with."""

    kind: str
    """What it is said of: the results, a difference, or running it."""
    shown: str
    """How reports write it."""
    means: str
    promised_by: str
    test: str
    """How to hold somebody to it."""


_RESULTS, _DIFFERENCE, _WAY = "of the results", "of a difference", "of running it"
_BY_RULES = "envsnap, from the sources of the rules; the exit code follows --fail-on"

TERMS: Mapping[str, tuple[Term, ...]] = MappingProxyType(
    {
        str(Level.BITWISE): (Term(
            _RESULTS, "BITWISE",
            "The same program with the same input gives the same bits on both sides. No rule "
            "found a difference that changes digits. With a question mark it holds under the "
            "conditions that stand beside it: no capture sees whether a program sets its seeds.",
            "the makers of the libraries, for one version of them on one kind of GPU and CPU, "
            "with seeds and deterministic switches set; envsnap says that nothing else differs",
            _SUMS,
        ),),
        str(Level.SAME_ARCHITECTURE): (Term(
            _RESULTS, "BITWISE ON THE SAME ARCHITECTURE, SAME ARCH in tables",
            "As bitwise, as far as the makers keep to it among machines whose GPU and CPU are "
            "of one architecture and size: the driver, or the model of the card, differs.",
            "the makers of the libraries, within one architecture; the rules that are named "
            "beside it cite where",
            _SUMS,
        ),),
        str(Level.STATISTICAL): (Term(
            _RESULTS, "STATISTICAL",
            "The same conclusions, and not necessarily the same digits: sums are taken in "
            "another order, or rounded elsewhere. They may still be the same.",
            "nobody by contract; what differs is known to change digits within rounding",
            "repeat it with several seeds on both sides: the difference of the means must be "
            "small beside the scatter of the seeds. Equal digits prove nothing against it",
        ),),
        str(Level.RUNS): (
            Term(
                _RESULTS, "NO PROMISE",
                "It runs, and nothing is promised of what it computes: other code computes it, "
                "as another version of a package.",
                "nobody",
                "compare the figures with those that were published, as with a program that "
                "somebody wrote anew",
            ),
            Term(
                _WAY, "RUNS",
                "Nothing that was judged stops it, and nothing limits it.",
                _BY_RULES, "start it there",
            ),
        ),
        str(Level.DOES_NOT_RUN): (Term(
            _RESULTS, "NONE", "It does not start, or stops: there are no results.",
            _BY_RULES, "start it there; the finding says where it stops",
        ),),
        str(Outcome.BLOCKS): (Term(
            _DIFFERENCE, "blocks: will not run",
            "What needs it does not start, or stops. The verdict is WILL NOT RUN.",
            _BY_RULES, "start it there; ask for nothing else with --fail-on blocks",
        ),),
        str(Outcome.DEGRADES): (Term(
            _DIFFERENCE, "degrades: runs, limited",
            "It runs, with less than it had: memory, GPUs, number formats. The verdict is RUNS, "
            "WITH LIMITS.",
            _BY_RULES, "run the largest case there first",
        ),),
        str(Outcome.NUMERICS): (Term(
            _DIFFERENCE, "numerics: digits may differ",
            "It runs, and computes in another order, precision or version. The results are "
            "statistical at best. This is where the exit code is 1 unless --fail-on says else.",
            _BY_RULES, "see: envsnap explain statistical",
        ),),
        str(Outcome.PERF): (Term(
            _DIFFERENCE, "perf: timing alone", "It may take another time, and computes the same.",
            _BY_RULES, "time it on both sides",
        ),),
        str(Outcome.NOTE): (Term(
            _DIFFERENCE, "note: worth knowing", "It stops nothing and limits nothing.",
            _BY_RULES, "list them: envsnap check -v",
        ),),
        str(Verdict.LIMITS): (Term(
            _WAY, "RUNS, WITH LIMITS", "It runs, and something of the class degrades was found.",
            _BY_RULES, "run the largest case there first",
        ),),
        str(Verdict.WILL_NOT_RUN): (Term(
            _WAY, "WILL NOT RUN", "Something of the class blocks was found.",
            _BY_RULES, "start it there; the finding says where it stops",
        ),),
        str(Verdict.CANNOT_TELL): (Term(
            _WAY, "CANNOT TELL",
            "A rule that could have said something worse missed a fact. What is not known is "
            "never taken for fine; the exit code is 4.",
            _BY_RULES, "capture what is missing; the report says which fact, and why",
        ),),
    }
)  # fmt: skip
"""By the word that rules, JSON and `--fail-on` use."""

_ALSO = {
    "no promise": str(Level.RUNS), "none": str(Level.DOES_NOT_RUN),
    "same arch": str(Level.SAME_ARCHITECTURE), "same architecture": str(Level.SAME_ARCHITECTURE),
    "runs, with limits": str(Verdict.LIMITS), "limits": str(Verdict.LIMITS),
    "at best": str(Verdict.CANNOT_TELL),
}  # fmt: skip


def terms(name: str) -> tuple[Term, ...]:
    """What a word of a report means, however it is written; none where it is no such word."""
    plain = " ".join(name.lower().replace("-", " ").split()).rstrip("?")
    return TERMS.get(_ALSO.get(plain, plain), ())
