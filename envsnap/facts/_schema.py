"""Holds a table against `schema.json`: the words of JSON Schema that it uses, and no others.

The library for JSON Schema takes longer to import than a check does, and is not brought along.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from envsnap._typing import Any, NamedTuple

Schema = Mapping[str, Any]

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_LONGEST = 60
_TYPES: Mapping[str, Callable[[object], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "null": lambda value: value is None,
}


def fault_of(document: object, schema: Schema) -> str | None:
    """The first thing in which a document is not as the schema asks; None where there is none."""
    return next(_faults(document, _At(schema, schema, "")), None)


class _At(NamedTuple):
    """What is asked of one value, and where it is."""

    schema: Schema
    """The part of the schema that is about this value."""
    whole: Schema
    where: str

    def words(self) -> str:
        """The place, as the end of a sentence; empty for the document itself."""
        return f" in '{self.where.lstrip('.')}'" if self.where else ""

    def by(self, schema: Schema) -> _At:
        """The same value, held against another part of the schema."""
        return self._replace(schema=schema)

    def inside(self, schema: Schema, step: str) -> _At:
        """A value in this one."""
        return _At(schema, self.whole, self.where + step)


def _faults(value: object, at: _At) -> Iterator[str]:
    for word, asked in at.schema.items():
        check = _CHECKS.get(word)
        if check is not None:
            yield from check(value, asked, at)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _ref(value: object, asked: str, at: _At) -> Iterator[str]:
    yield from _faults(value, at.by(at.whole["$defs"][asked.rpartition("/")[2]]))


def _type(value: object, asked: str | Sequence[str], at: _At) -> Iterator[str]:
    names = [asked] if isinstance(asked, str) else asked
    if not any(_TYPES[name](value) for name in names):
        yield f"{_shown(value)} is no {' or '.join(names)}{at.words()}"


def _const(value: object, asked: object, at: _At) -> Iterator[str]:
    if value != asked:
        yield f"{_shown(value)} is not {asked!r}{at.words()}"


def _enum(value: object, asked: Sequence[object], at: _At) -> Iterator[str]:
    if value not in asked:
        yield f"{_shown(value)} is not one of {_shown(asked)}{at.words()}"


def _pattern(value: object, asked: str, at: _At) -> Iterator[str]:
    if isinstance(value, str) and not re.search(asked, value):
        yield f"{_shown(value)} is not of the form {asked}{at.words()}"


def _format(value: object, asked: str, at: _At) -> Iterator[str]:
    if asked == "date" and isinstance(value, str) and not _DATE.match(value):
        yield f"{_shown(value)} is no date{at.words()}"


def _least(value: object, asked: int, at: _At) -> Iterator[str]:
    if isinstance(value, (str, list)) and len(value) < asked:
        yield f"{_shown(value)} is too short{at.words()}"


def _unique(value: object, asked: object, at: _At) -> Iterator[str]:
    if asked and isinstance(value, list) and len({repr(each) for each in value}) < len(value):
        yield f"{_shown(value)} has something twice{at.words()}"


def _required(value: object, asked: Sequence[str], at: _At) -> Iterator[str]:
    if isinstance(value, dict):
        for name in asked:
            if name not in value:
                yield f"no {name!r}{at.words()}"


def _properties(value: object, asked: Schema, at: _At) -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in asked.items():
            if name in value:
                yield from _faults(value[name], at.inside(each, f".{name}"))


def _more(value: object, asked: object, at: _At) -> Iterator[str]:
    if not isinstance(value, dict):
        return
    for name in value.keys() - at.schema.get("properties", {}).keys():
        if asked is False:
            yield f"unknown field {_shown(name)}{at.words()}"
        elif isinstance(asked, Mapping):
            yield from _faults(value[name], at.inside(asked, f".{name}"))


def _items(value: object, asked: Schema, at: _At) -> Iterator[str]:
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from _faults(each, at.inside(asked, f"[{number}]"))


def _one_of(value: object, asked: Sequence[Schema], at: _At) -> Iterator[str]:
    tried = [next(_faults(value, at.by(each)), None) for each in asked]
    if None not in tried:
        yield str(tried[0])


def _all_of(value: object, asked: Sequence[Schema], at: _At) -> Iterator[str]:
    for each in asked:
        yield from _faults(value, at.by(each))


def _if(value: object, asked: Schema, at: _At) -> Iterator[str]:
    if next(_faults(value, at.by(asked)), None) is None:
        yield from _faults(value, at.by(at.schema["then"]))


_CHECKS: Mapping[str, Callable[[object, Any, _At], Iterator[str]]] = {
    "$ref": _ref, "type": _type, "const": _const, "enum": _enum, "pattern": _pattern,
    "format": _format, "minLength": _least, "minItems": _least, "uniqueItems": _unique,
    "required": _required, "properties": _properties, "additionalProperties": _more,
    "items": _items, "oneOf": _one_of, "anyOf": _one_of, "allOf": _all_of, "if": _if,
}  # fmt: skip
