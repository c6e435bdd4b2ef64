"""check's answer as SARIF 2.1.0, which code hosts read: each machine a run of the tool."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from urllib.parse import quote

from envsnap import __version__
from envsnap.manifest._encode import harmless, pretty
from envsnap.reports._cases import Case, End, cases
from envsnap.reports._ending import exit_words
from envsnap.reports._groups import excuse_words, what
from envsnap.reports._lines import STANDARD_INPUT
from envsnap.reports._shown import bounded, clean
from envsnap.reports._sides import Sides
from envsnap.rules import Checked, Condition, Excuse, Finding, Outcome, Rule, rules

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_LEVELS = {
    Outcome.BLOCKS: "error",
    Outcome.DEGRADES: "warning",
    Outcome.NUMERICS: "warning",
    Outcome.PERF: "note",
    Outcome.NOTE: "note",
}
_KINDS = {
    End.PASSED: "pass",
    End.NOT_CHECKED: "open",
    End.NOT_RECORDED: "open",
    End.LOWERED: "review",
    End.LEFT_OUT: "notApplicable",
    End.NOT_ASKED: "notApplicable",
}
_LONGEST_NAME = 1000
_ADDRESS = re.compile(r"https?://[!#-;=?-Z_a-z~%]+\Z")

Json = dict[str, object]


def text(done: Sequence[tuple[Checked, Sides]]) -> str:
    """The log as text: keys sorted, two spaces, final newline."""
    return harmless(pretty(document(done))) + "\n"


def document(done: Sequence[tuple[Checked, Sides]]) -> Json:
    """The log as JSON's own types."""
    runs = [_run(number, *each) for number, each in enumerate(done)]
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": runs}


def _run(number: int, checked: Checked, sides: Sides) -> Json:
    found = list(cases(checked))
    reached = frozenset(each.id for each in checked.reached)
    index = {each.code: number for number, each in enumerate(rules())}
    place = _place(sides.wanted_name)
    code = checked.exit_code
    return {
        "tool": {"driver": {
            "name": "envsnap", "semanticVersion": __version__,
            "rules": [_rule(each) for each in rules()],
        }},
        "automationDetails": {"id": f"envsnap/{number}/{bounded(sides.found_name)}"},
        "columnKind": "unicodeCodePoints",
        "invocations": [{
            "executionSuccessful": True, "exitCode": int(code),
            "exitCodeDescription": bounded(exit_words(checked)),
        }],
        "results": [
            {**each, "locations": [place], "ruleIndex": index[str(each["ruleId"])]}
            for case in found
            for each in _results(case, checked, reached)
        ],
        "properties": {
            "found": bounded(sides.found_name), "decides": str(checked.scope),
            "verdict": str(checked.verdict), "claim": str(checked.claim.level),
            "claimIsDefinite": checked.claim.is_definite,
            "acceptedLeft": [bounded(each) for each in checked.accepted_left],
        },
    }  # fmt: skip


def _rule(rule: Rule) -> Json:
    source = f"{rule.source.title}, read on {rule.source.date}"
    told = _harmless(rule.explanation or rule.message)
    url = {"helpUri": rule.source.url} if _ADDRESS.match(rule.source.url or "") else {}
    return {
        "id": rule.code,
        "name": rule.topic,
        "shortDescription": {"text": _harmless(rule.message)},
        "fullDescription": {"text": told},
        "help": {"text": f"{told}\n\nSource: {source}"},
        "defaultConfiguration": {"level": _LEVELS[rule.worst]},
        "properties": {"tags": ["reproducibility", rule.family], "worst": str(rule.worst)},
        **url,
    }


def _results(case: Case, checked: Checked, reached: frozenset[str]) -> Iterator[Json]:
    """A result for each finding, missing fact and condition; one where the rule said nothing."""
    for each in case.findings:
        yield _finding(each, checked, decides=each.id in reached)
    for left in case.not_checked:
        words = f"Not checked: {left.path}: {left.reason}"
        yield {**_said(case.rule.code, words, left.path), "kind": "open", "level": "none"}
    for said in case.conditions:
        yield _condition(said)
    if not case.findings and not case.not_checked and not case.conditions:
        words = f"{case.end.value.capitalize()}: {case.reason or case.rule.topic}"
        yield {**_said(case.rule.code, words, ""), "kind": _KINDS[case.end], "level": "none"}


def _condition(each: Condition) -> Json:
    """What the results rest on: open where nobody recorded it, to review where it lowers them."""
    end = End.LOWERED if each.lowers else End.NOT_RECORDED
    words = f"{end.value.capitalize()}: {each.text}"
    words += f". What mends it: {each.remedy}" if each.remedy else ""
    lowers = str(each.lowers) if each.lowers else "not known"
    return {
        **_said(each.code, words, each.text), "kind": _KINDS[end], "level": "none",
        "properties": {"lowers": lowers},
    }  # fmt: skip


def _finding(each: Finding, checked: Checked, *, decides: bool) -> Json:
    counts = each.scope.covers(checked.scope)
    words = f"{each.subject}: {what(each)}. {each.why}."
    if each.remedy:
        words += f" What mends it: {each.remedy}"
    suppressions = {"suppressions": [_suppression(excuse, checked) for excuse in each.excuses]}
    return {
        **_said(each.code, words, each.id),
        "kind": "fail",
        "level": _LEVELS[each.outcome] if counts else "note",
        **(suppressions if each.excuses else {}),
        "properties": {
            "outcome": str(each.outcome), "scope": str(each.scope), "lowers": str(each.lowers),
            "decides": decides,
        },
    }  # fmt: skip


def _suppression(excuse: Excuse, checked: Checked) -> Json:
    """What the author allows counts as suppressed where the reader accepts the author's word."""
    counts = excuse.by == "reader" or checked.options.accept_waivers
    return {
        "kind": "external",
        "status": "accepted" if counts else "underReview",
        "justification": bounded(excuse_words(excuse)),
    }


def _said(code: str, words: str, name: str) -> Json:
    """What every result has; its fingerprint stays the same from run to run."""
    named = (
        name if len(name) <= _LONGEST_NAME else sha256(name.encode("utf-8", "replace")).hexdigest()
    )
    return {
        "ruleId": code,
        "message": {"text": _harmless(words)},
        "partialFingerprints": {"envsnapResult/v1": clean(f"{code}/{named}")},
    }


def _harmless(words: str) -> str:
    """A message in which nothing is taken for a link or for a placeholder."""
    return bounded(words).replace("](", "] (").replace("{", "{{").replace("}", "}}")


def _place(name: str) -> Json:
    """The manifest: that is the file which says what is wanted."""
    if name == STANDARD_INPUT:
        return {"logicalLocations": [{"name": name}]}
    path = os.path.normpath(name)
    uri = quote(path, safe="/")
    if os.path.isabs(path):
        uri = f"file://{uri}"
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": 1}}}
