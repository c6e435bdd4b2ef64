"""check's answer for programs: one JSON document, versioned."""

from __future__ import annotations

from collections.abc import Iterable

from envsnap.facts import Source, given
from envsnap.manifest import Manifest, environment_id, machine_id
from envsnap.manifest._encode import harmless, plain, pretty
from envsnap.reports._sides import Sides
from envsnap.rules import Checked, Claim, Condition, Excuse, Finding, NotChecked, Scope
from envsnap.sections import Unknown

VERSION = "1.1"

Json = dict[str, object]


def text(checks: Iterable[tuple[Checked, Sides]]) -> str:
    """The document as text: keys sorted, two spaces, final newline."""
    return harmless(pretty(document(checks))) + "\n"


def document(checks: Iterable[tuple[Checked, Sides]]) -> Json:
    """The whole document as JSON's own types."""
    return {"report": VERSION, "checks": [_check(checked, sides) for checked, sides in checks]}


def _check(checked: Checked, sides: Sides) -> Json:
    report = checked.report
    reached = {each.id for each in checked.reached}  # asked once: each is a search through all
    left_open = frozenset(checked.left_open)
    claim = checked.claim
    return {
        "wanted": _side(sides.wanted_name, sides.wanted),
        "found": _side(sides.found_name, sides.found),
        "verdicts": {
            str(scope): str(report.verdict(scope)) for scope in (Scope.NATIVE, Scope.CONTAINER)
        },
        "is_image": checked.options.is_image,
        "decides": str(checked.scope),
        "chosen": checked.chosen,
        "fail_on": str(checked.options.fail_on),
        "exit_code": int(checked.exit_code),
        "claim": _claim(claim),
        "requires": plain(sides.wanted.requires),
        "findings": [
            _finding(each, checked, decides=each.id in reached) for each in _sorted(report.findings)
        ],
        "not_checked": [
            _not_checked(each, checked, decides=each in left_open)
            for each in sorted(report.not_checked, key=lambda each: (each.code, each.path))
        ],
        "conditions": [
            _condition(each, decides=each in claim.conditions) for each in report.conditions
        ],
        "judged": sorted(report.judged),
        "ignored": dict(report.ignored),
        "accepted_left": list(checked.accepted_left),
        "facts": dict(given()),
    }


def _sorted(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda each: (each.outcome.rank, each.id))


def _side(name: str, manifest: Manifest) -> Json:
    return {
        "name": name,
        "captured": manifest.captured.time,
        "environment": _ident(environment_id(manifest)),
        "machine": _ident(machine_id(manifest)),
    }


def _claim(claim: Claim) -> Json:
    return {
        "level": str(claim.level),
        "floor": str(claim.floor),
        "definite": claim.is_definite,
        "lowered_by": [each.id for each in claim.lowered_by],
        "held_by": list(claim.codes),
        "left_open": [{"code": each.code, "path": each.path} for each in claim.left_open],
    }


def _condition(each: Condition, *, decides: bool) -> Json:
    return {
        "code": each.code,
        "text": each.text,
        "lowers": None if each.lowers is None else str(each.lowers),
        "remedy": each.remedy,
        "scope": str(each.scope),
        "decides": decides,
    }


def _finding(each: Finding, checked: Checked, *, decides: bool) -> Json:
    return {
        "id": each.id,
        "code": each.code,
        "kind": str(each.kind),
        "scope": str(each.scope),
        "outcome": str(each.outcome),
        "subject": each.subject,
        "what": each.what,
        "why": each.why,
        "remedy": each.remedy,
        "wanted": each.wanted,
        "found": each.found,
        "source": _source(each.source),
        "confidence": each.confidence,
        "lowers": str(each.lowers),
        "excuses": [_excuse(excuse) for excuse in each.excuses],
        "excused": checked.is_excused(each),
        "decides": decides,
    }


def _excuse(each: Excuse) -> Json:
    return {"by": each.by, "reason": each.reason, "until": each.until}


def _source(source: Source) -> Json:
    return {"title": source.title, "url": source.url, "date": source.date}


def _not_checked(each: NotChecked, checked: Checked, *, decides: bool) -> Json:
    return {
        "code": each.code,
        "kind": str(each.kind),
        "scope": str(each.scope),
        "worst": str(each.worst),
        "lowers": str(each.lowers),
        "path": each.path,
        "reason": str(each.reason.reason),
        "detail": each.reason.detail,
        "allowed": checked.is_allowed(each),
        "decides": decides,
    }


def _ident(ident: str | Unknown) -> str | None:
    return ident if isinstance(ident, str) else None
