"""check's answer about many machines for programs: that of one, a list, and how they group."""

from __future__ import annotations

import json
from collections.abc import Sequence

from envsnap.manifest._encode import harmless
from envsnap.reports import check_json, check_schema
from envsnap.reports.matrix import Matrix, Row
from envsnap.rules import Level, Scope, Verdict

Json = dict[str, object]


def text(matrix: Matrix, checks: Sequence[object]) -> str:
    """The document as text; `checks` are the answers of the rows, in their order."""
    whole = json.dumps(document(matrix, checks), indent=2, sort_keys=True, ensure_ascii=False)
    return harmless(whole) + "\n"


def document(matrix: Matrix, checks: Sequence[object]) -> Json:
    """The document of a check, with the groups, and what could not be used."""
    return {
        **check_json.document(()),
        "checks": list(checks),
        "groups": [_group(at, each) for at, each in enumerate(matrix.rows)],
        "unread": [{"name": each.name, "why": each.why} for each in matrix.unread],
        "exit_code": int(matrix.exit_code),
    }


def schema() -> Json:
    """The schema of these documents: that of a check, and the groups."""
    words: Json = {"type": "string"}
    group = _object({
        "names": {"type": "array", "items": words, "minItems": 1},
        "check": {"type": "integer", "minimum": 0},
        "machine": words,
        "facts": {"type": "object", "additionalProperties": words},
        "verdict": {"enum": [each.value for each in Verdict]},
        "decides": {"enum": [Scope.NATIVE.value, Scope.CONTAINER.value]},
        "level": {"enum": [each.value for each in Level]},
        "is_definite": {"type": "boolean"},
        "excused": {"type": "array", "items": words},
        "exit_code": {"type": "integer"},
    })  # fmt: skip
    unread = _object({"name": words, "why": words})
    own = _object({
        "groups": {"type": "array", "items": group},
        "unread": {"type": "array", "items": unread},
        "exit_code": {"type": "integer"},
    })  # fmt: skip
    one = check_schema.schema()
    return {**one, **_joined(one, own), "title": "envsnap check report on many machines"}


def _joined(one: Json, own: Json) -> Json:
    both: Json = {}
    for key in ("properties", "required"):
        theirs, ours = one[key], own[key]
        if isinstance(theirs, dict) and isinstance(ours, dict):
            both[key] = {**theirs, **ours}
        elif isinstance(theirs, list) and isinstance(ours, list):
            both[key] = sorted({*theirs, *ours})
    return both


def _object(properties: Json) -> Json:
    return {
        "type": "object", "properties": properties, "required": sorted(properties),
        "additionalProperties": False,
    }  # fmt: skip


def _group(at: int, row: Row) -> Json:
    return {
        "names": list(row.names),
        "check": at,
        "machine": row.machine,
        "facts": dict(row.facts),
        "verdict": str(row.verdict),
        "decides": str(row.scope),
        "level": str(row.level),
        "is_definite": row.is_definite,
        "excused": list(row.excused),
        "exit_code": int(row.exit_code),
    }
