"""The JSON Schema of a manifest, made from the shapes that decode it."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Any

from envsnap.manifest._encode import plain
from envsnap.manifest._model import SCHEMA
from envsnap.sections import SECTIONS, Captured, Lock, Reason, Unknown, fields, is_shape
from envsnap.sections._shape import REQUIRED

Schema = dict[str, Any]

_LEAVES: Mapping[object, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer", "minimum": 0, "maximum": 2**53},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
}
_UNKNOWN = {"$ref": "#/$defs/unknown"}
_REASONED: Schema = {
    "type": "object",
    "properties": {"that": {"type": "string"}, "because": {"type": "string"}},
    "required": ["that"],
    "additionalProperties": False,
}
_STATED: Schema = {
    "description": "Expressions: envsnap require --help has their language",
    "type": "array",
    "items": {"anyOf": [{"type": "string"}, _REASONED]},
}


def json_schema() -> Schema:
    """The schema of the manifests that this version writes (JSON Schema 2020-12)."""
    sections = {name: {"anyOf": [_shape(shape), _UNKNOWN]} for name, shape in SECTIONS.items()}
    ident = {"anyOf": [{"type": "string", "pattern": "^[0-9a-f]{12}$"}, _UNKNOWN]}
    top: Schema = {
        "about": {"type": "array", "items": {"type": "string"}},
        "schema": {"const": SCHEMA},
        "captured": _shape(Captured),
        "environment": ident,
        "machine": ident,
        "facts_digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "sections": _object(sections, []),
        "lock": {"anyOf": [_shape(Lock), {"type": "null"}]},
        "requires": _object({"must": _STATED, "may": _STATED}, []),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "envsnap.lock.json",
        **_object(top, sorted(top)),
        "$defs": {"unknown": _unknown()},
    }


def _unknown() -> Schema:
    return {
        "description": "A fact that could not be seen, and why",
        "type": "object",
        "properties": {
            "unknown": {"enum": [reason.value for reason in Reason]},
            "detail": {"type": "string"},
        },
        "required": ["unknown"],
        "additionalProperties": False,
    }


def _shape(shape: type[Any]) -> Schema:
    properties: dict[str, Schema] = {}
    for field in fields(shape):
        schema = _of(field.type)
        unit = f" [{field.unit}]" if field.unit else ""
        properties[field.name] = {"description": f"{field.meaning}{unit}", **schema}
        if field.default is not REQUIRED:
            properties[field.name]["default"] = plain(field.default)
        if field.sources:
            properties[field.name]["x-sources"] = list(field.sources)
    needed = [field.name for field in fields(shape) if field.default is REQUIRED]
    return _object(properties, sorted(needed))


def _object(properties: dict[str, Schema], required: list[str]) -> Schema:
    found: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        found["required"] = required
    return found


def _of(hint: Any) -> Schema:  # noqa: ANN401 - a type hint is what typing says it is
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in _LEAVES:
        return dict(_LEAVES[hint])
    if hint is Unknown:
        return dict(_UNKNOWN)
    if is_shape(hint):
        return _shape(typing.cast("type[Any]", hint))
    if origin in {typing.Union, types.UnionType}:
        return {"anyOf": [_of(each) for each in arguments]}
    if origin is tuple:
        return {"type": "array", "items": _of(arguments[0])}
    return {"type": "object", "additionalProperties": _of(arguments[1])}
