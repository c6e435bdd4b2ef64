"""The JSON Schema of check's answer for programs."""

from __future__ import annotations

from envsnap.errors import ExitCode
from envsnap.reports.check_json import VERSION, Json
from envsnap.rules import Kind, Level, Outcome, Scope, Verdict
from envsnap.sections import Reason

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_WORDS: Json = {"type": "string"}
_MAYBE: Json = {"type": ["string", "null"]}
_CODE: Json = {"type": "string", "pattern": "^[A-Z]{3}[0-9]{3}$"}
_ANSWERS = (ExitCode.OK, ExitCode.NO, ExitCode.CANNOT_TELL)


def schema() -> Json:
    """The schema of the documents that this version writes (JSON Schema 2020-12)."""
    return {
        "$schema": DIALECT,
        "title": "envsnap check report",
        **_object({"report": {"const": VERSION}, "checks": _list(_check())}),
    }


def _check() -> Json:
    verdict = {"enum": [each.value for each in Verdict]}
    side = _object({"name": _WORDS, "captured": _WORDS, "environment": _MAYBE, "machine": _MAYBE})
    return _object({
        "wanted": side,
        "found": side,
        "verdicts": _object({"native": verdict, "container": verdict}),
        "is_image": {"type": "boolean"},
        "decides": {"enum": ["native", "container"]},
        "chosen": _WORDS,
        "fail_on": _outcome(),
        "exit_code": {"enum": [int(each) for each in _ANSWERS]},
        "claim": _claim(),
        "requires": {"type": "object"},
        "findings": _list(_finding()),
        "not_checked": _list(_not_checked()),
        "conditions": _list(_condition()),
        "judged": _list(_CODE),
        "ignored": {"type": "object", "additionalProperties": _WORDS},
        "accepted_left": _list(_WORDS),
        "facts": {"type": "object", "additionalProperties": _WORDS},
    })  # fmt: skip


def _claim() -> Json:
    return _object({
        "level": _level(), "floor": _level(), "definite": {"type": "boolean"},
        "lowered_by": _list(_WORDS), "held_by": _list(_CODE),
        "left_open": _list(_object({"code": _CODE, "path": _WORDS})),
    })  # fmt: skip


def _condition() -> Json:
    lowers = {"enum": [*_level()["enum"], None]}
    return _object({
        "code": _CODE, "text": _WORDS, "lowers": lowers, "remedy": _MAYBE, "scope": _scope(),
        "decides": {"type": "boolean"},
    })  # fmt: skip


def _scope() -> Json:
    return {"enum": [each.value for each in Scope]}


def _excuse() -> Json:
    return _object({"by": {"enum": ["author", "reader"]}, "reason": _WORDS, "until": _MAYBE})


def _level() -> dict[str, list[str | None]]:
    return {"enum": [each.value for each in Level]}


def _finding() -> Json:
    return _object({
        **_common(), "id": _WORDS, "outcome": _outcome(), "subject": _WORDS, "what": _WORDS,
        "why": _WORDS, "remedy": _MAYBE, "wanted": _MAYBE, "found": _MAYBE,
        "source": _object({"title": _WORDS, "url": _MAYBE, "date": _WORDS}),
        "confidence": {"enum": ["high", "medium", "low"]},
        "excuses": _list(_excuse()), "excused": {"type": "boolean"},
    })  # fmt: skip


def _not_checked() -> Json:
    return _object({
        **_common(), "worst": _outcome(), "path": _WORDS, "detail": _MAYBE,
        "reason": {"enum": [each.value for each in Reason]}, "allowed": {"type": "boolean"},
    })  # fmt: skip


def _common() -> Json:
    return {
        "code": _CODE,
        "kind": {"enum": [each.value for each in Kind]},
        "scope": _scope(),
        "decides": {"type": "boolean"},
        "lowers": _level(),
    }


def _outcome() -> Json:
    return {"enum": [each.value for each in Outcome]}


def _object(properties: Json) -> Json:
    return {
        "type": "object", "properties": properties, "required": sorted(properties),
        "additionalProperties": False,
    }  # fmt: skip


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}
