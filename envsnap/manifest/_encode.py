"""From values to the one JSON text that stands for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from functools import cache
from json.encoder import encode_basestring as quoted

from envsnap._typing import Any
from envsnap.manifest._identity import environment_id, machine_id, sha256
from envsnap.manifest._model import Manifest
from envsnap.sections import Unknown, fields, is_shape
from envsnap.sections._shape import REQUIRED

Json = Any  # the one type that JSON itself has


def plain(value: object) -> Json:
    """A value as JSON's own types. An unknown stands in the value's place."""
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        found: Json = value.value if isinstance(value, Enum) else value
        return found if value.isascii() else _utf8(found)
    if isinstance(value, int):
        return value
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if is_shape(value):  # before the rest, for abstract classes are slow to ask
        return _plain_shape(value)
    return {name: plain(item) for name, item in _members(value).items()}


def _plain_shape(value: object) -> dict[str, Json]:
    """The facts of a shape, without those that have their default."""
    of: Any = type(value)
    usual = _defaults(of)
    return {
        name: item if type(item) is str and item.isascii() else plain(item)
        for name, item in vars(value).items()
        if name not in usual or item != usual[name]
    }


def _members(value: object) -> Mapping[str, object]:
    """The named parts of a value, under the names that JSON has for them."""
    if isinstance(value, Unknown):
        detail = {} if value.detail is None else {"detail": value.detail}
        return {"unknown": value.reason, **detail}
    if isinstance(value, Mapping):
        return value
    message = f"A {type(value).__name__} is no part of a manifest"
    raise TypeError(message)


@cache
def _defaults(of: Any) -> Mapping[str, object]:  # noqa: ANN401 - a shape
    """The fields of a shape that are not written where they have their default."""
    return {field.name: field.default for field in fields(of) if field.default is not REQUIRED}


def _utf8(text: str) -> str:
    """Text that UTF-8 can hold: what came from undecodable bytes is percent-encoded."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join(f"%{ord(c) & 0xFF:02X}" if "\ud800" <= c <= "\udfff" else c for c in text)
    return text


def document(manifest: Manifest) -> dict[str, Json]:
    """The whole manifest as JSON's own types."""
    return _document(manifest)[0]


def _document(manifest: Manifest) -> tuple[dict[str, Json], Mapping[str, Written]]:
    """The whole manifest as JSON's own types, and its sections as the file has them."""
    sections = _with_extras({"sections": plain(manifest.sections)}, manifest, "sections")[
        "sections"
    ]
    written = _written(sections)
    rest: dict[str, Json] = {
        "about": about(manifest.captured.version),
        "schema": manifest.schema,
        "captured": plain(manifest.captured),
        "environment": plain(environment_id(manifest)),
        "machine": plain(machine_id(manifest)),
        "facts_digest": _digest(written),
        "sections": sections,
        "lock": plain(manifest.lock),
        "requires": plain(manifest.requires),
    }
    return _with_extras(rest, manifest, None), written


class Written(str):
    """A piece of JSON text: what `pretty` made of a value."""

    __slots__ = ()


def _written(sections: Mapping[str, Json]) -> Mapping[str, Written]:
    return {name: Written(pretty(each, _INNER)) for name, each in sections.items()}


_OUTER, _INNER = "\n  ", "\n    "
"""How far the sections, and one of them, are indented in a manifest's file."""


def about(version: str) -> list[str]:
    """Plain lines for a stranger who opens the file."""
    return [
        f"The software and hardware of a computation, recorded by envsnap {version}.",
        "Read it:         envsnap show THIS_FILE",
        "Check a machine: envsnap check THIS_FILE",
        "Rebuild it:      envsnap build THIS_FILE --docker (or --singularity)",
        "Get envsnap:     uv tool install git+ADDRESS, or envsnap.pyz for any Python from 3.10.",
        "                 Whoever gave you this file knows the address of its repository.",
        "It is NOT the package called envsnap on the package index: another project.",
    ]


def facts_digest(sections: Json) -> str:
    """SHA-256 over the sections alone, hex, as the file has them.

    The moment is left out: it is never the same.
    """
    return _digest(_written(sections))


def _digest(written: Mapping[str, Written]) -> str:
    kept = {name: text for name, text in written.items() if name != _MOMENT}
    return sha256(pretty(kept, _OUTER).encode())


_MOMENT = "moment"


def stands_as_written(raw: bytes, digest: object) -> bool:
    """Whether the sections of a file are, byte for byte, those that the digest was made of.

    A file in another form may hold the same facts: then `facts_digest` tells. This one costs a
    fiftieth of it.
    """
    starts, ends = b'\n  "sections": {', b'\n  },\n  "lock": '
    start, end = raw.find(starts), raw.rfind(ends)
    if not 0 <= start < end:
        return False
    start, end = start + len(starts) - 1, end + len("\n  }")
    whole = memoryview(raw)  # slices of bytes would be copies, of megabytes
    moment = raw.find(b'\n    "moment": {', start, end)
    if moment < 0:
        return sha256(whole[start:end]) == digest
    rest = raw.find(b"\n    },", moment, end)
    if rest < 0:
        return False
    return sha256(whole[start:moment], whole[rest + len("\n    },") : end]) == digest


def encode(manifest: Manifest) -> str:
    """The manifest's file: what it is first, then sorted keys, two spaces, a final newline."""
    tree, written = _document(manifest)
    return harmless(pretty({**tree, "sections": written})) + "\n"


def harmless(text: str) -> str:
    r"""JSON text in which all that a terminal would obey instead of showing is escaped.

    >>> harmless('"a\x1b[2J"')
    '"a\\u001b[2J"'
    """
    if text.replace("\n", "").isprintable():
        return text
    return "".join(
        each if each.isprintable() or each == "\n" else json.dumps(each)[1:-1] for each in text
    )


def pretty(value: Json, indent: str = "\n") -> str:
    """JSON with two spaces; a dict that starts with `about` keeps its order, others are sorted.

    The standard library's encoder takes four times as long once it indents.
    """
    if isinstance(value, str):
        return value if type(value) is Written else quoted(value)
    if value is None or value is True or value is False:
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    deeper = indent + "  "
    if isinstance(value, dict):
        keys = list(value) if next(iter(value), "") == "about" else sorted(value)
        rows = [
            f"{quoted(key)}: {quoted(each) if type(each) is str else pretty(each, deeper)}"
            for key in keys
            for each in (value[key],)
        ]
        return "{" + deeper + ("," + deeper).join(rows) + indent + "}" if rows else "{}"
    rows = [quoted(item) if type(item) is str else pretty(item, deeper) for item in value]
    return "[" + deeper + ("," + deeper).join(rows) + indent + "]" if rows else "[]"


def _with_extras(tree: dict[str, Json], manifest: Manifest, below: str | None) -> dict[str, Json]:
    """Put the fields of a newer schema back where they were."""
    for path, value in manifest.extras:
        if (path[0] == "sections") is not (below == "sections"):
            continue
        place: Json = tree
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value
    return tree
