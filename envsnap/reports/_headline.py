"""The one line that a page begins with: it follows the exit code, and never looks better."""

from __future__ import annotations

from envsnap._typing import NamedTuple
from envsnap.errors import ExitCode
from envsnap.reports._answers import answers
from envsnap.reports._groups import accepted
from envsnap.reports._lines import Look
from envsnap.rules import Checked, Outcome, Verdict

MARKS: dict[Look, str] = {"good": "✅", "warn": "⚠️", "bad": "❌"}
_BUT = {
    Outcome.NUMERICS: ", but numbers may differ",
    Outcome.PERF: ", but its speed may differ",
    Outcome.NOTE: ", but something differs",
}


class Headline(NamedTuple):
    """The answer as a step of continuous integration takes it."""

    words: str
    look: Look

    @property
    def mark(self) -> str:
        """A sign that stands for the look where there is no colour."""
        return MARKS[self.look]


def headline(checked: Checked) -> Headline:
    """'runs, but numbers may differ (exit 1)'."""
    code, verdict = checked.exit_code, checked.verdict
    words = answers(checked)[0].word.text.lower()
    look: Look = "warn"
    if code is ExitCode.NO:
        words += _BUT.get(checked.reached[0].outcome, "") if verdict is Verdict.RUNS else ""
        look = "bad"
    elif code is ExitCode.CANNOT_TELL:
        words += ", but not everything could be judged" if verdict is Verdict.RUNS else ""
    elif accepted(checked):
        words += ", and what differs was accepted"
    elif verdict is Verdict.RUNS:
        look = "good"
    return Headline(f"{words} (exit {int(code)})", look)
