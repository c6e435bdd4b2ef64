"""check's answer for programs: one JSON document, versioned."""

from __future__ import annotations

import json
from collections.abc import Iterable

from envsnap.facts import Source
from envsnap.manifest import Manifest, environment_id, machine_id
from envsnap.manifest._encode import harmless
from envsnap.reports.check_text import Sides
from envsnap.rules import Checked, Finding, NotChecked, Scope
from envsnap.sections import Unknown

VERSION = "1.0"

Json = dict[str, object]


def text(checks: Iterable[tuple[Checked, Sides]]) -> str:
    """The document as text: keys sorted, two spaces, final newline."""
    whole = json.dumps(document(checks), indent=2, sort_keys=True, ensure_ascii=False)
    return harmless(whole) + "\n"


def document(checks: Iterable[tuple[Checked, Sides]]) -> Json:
    """The whole document as JSON's own types."""
    return {"report": VERSION, "checks": [_check(checked, sides) for checked, sides in checks]}


def _check(checked: Checked, sides: Sides) -> Json:
    report = checked.report
    reached = {each.id for each in checked.reached}  # asked once: each is a search through all
    left_open = frozenset(checked.left_open)
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
        "findings": [
            _finding(each, decides=each.id in reached) for each in _sorted(report.findings)
        ],
        "not_checked": [
            _not_checked(each, checked, decides=each in left_open)
            for each in sorted(report.not_checked, key=lambda each: (each.code, each.path))
        ],
        "conditions": [{"code": each.code, "text": each.text} for each in report.conditions],
        "judged": sorted(report.judged),
        "ignored": dict(report.ignored),
    }


def _sorted(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda each: (each.outcome.rank, each.id))


def _side(name: str, manifest: Manifest) -> Json:
    return {
        "name": name,
        "captured": manifest.captured.time,
        "environment": _plain(environment_id(manifest)),
        "machine": _plain(machine_id(manifest)),
    }


def _finding(each: Finding, *, decides: bool) -> Json:
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
        "decides": decides,
    }


def _source(source: Source) -> Json:
    return {"title": source.title, "url": source.url, "date": source.date}


def _not_checked(each: NotChecked, checked: Checked, *, decides: bool) -> Json:
    return {
        "code": each.code,
        "kind": str(each.kind),
        "scope": str(each.scope),
        "worst": str(each.worst),
        "path": each.path,
        "reason": str(each.reason.reason),
        "detail": each.reason.detail,
        "allowed": checked.is_allowed(each),
        "decides": decides,
    }


def _plain(ident: str | Unknown) -> str | None:
    return ident if isinstance(ident, str) else None
