"""From JSON's own types back to values; every fault says where in the document it is."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Hashable, Mapping
from functools import cache
from typing import Any

from envsnap.errors import ManifestError
from envsnap.manifest._encode import facts_digest, stands_as_written
from envsnap.manifest._model import SCHEMA_MAJOR, SCHEMA_MINOR, Captured, Manifest
from envsnap.sections import SECTIONS, Lock, Reason, Unknown, fields, is_shape
from envsnap.sections._shape import REQUIRED, made

Path = tuple[str | int, ...]
_DEEPEST = 32
_SHOWN = 2
_REMEMBERED = 20_000
_LONGEST_QUOTE = 60
_LARGEST = 2**53  # every count and size; beyond it other JSON readers round
_VERSION = r"(\d{1,6})\.(\d{1,6})"


class _FaultError(Exception):
    """Something in the document is wrong; each level that it passes adds where, inside out."""

    def __init__(self, message: str, path: Path = ()) -> None:
        super().__init__(message)
        self.message = message
        self.path = path

    def within(self, part: str | int) -> _FaultError:
        """The same fault, seen from outside that part."""
        self.path = (part, *self.path)
        return self


Extras = list[tuple[Path, object]]
"""Fields that a newer schema added: where they stand, and their values."""
Convert = Callable[[Any, "Extras | None"], object]
"""From a JSON value to a fact. The list takes what a newer schema added; None refuses it."""


def decode(tree: object, raw: bytes = b"") -> Manifest:
    """The manifest that a parsed JSON document holds; `raw` is its text, where there is one.

    Raises:
        ManifestError: It is no manifest, too new, or a field has a wrong type.
    """
    if not isinstance(tree, dict) or "schema" not in tree:
        raise ManifestError("Not an envsnap manifest: it has no field 'schema'")
    kept: Extras | None = [] if _is_newer(tree["schema"]) else None
    try:
        parts = _members(_TOP, {"captured": None, "sections": None, **tree}, kept)
    except _FaultError as fault:
        raise ManifestError(fault.message, where=spell(fault.path)) from None
    return Manifest(
        captured=parts["captured"], sections=parts["sections"], lock=parts.get("lock"),
        requires=parts.get("requires", {}), schema=tree["schema"],
        extras=tuple(kept or ()),
        edited=not (
            stands_as_written(raw, tree.get("facts_digest"))
            or tree.get("facts_digest") == facts_digest(tree["sections"])
        ),
    )  # fmt: skip


def _is_newer(schema: object) -> bool:
    parts = re.fullmatch(_VERSION, schema) if isinstance(schema, str) else None
    if parts is None:
        raise ManifestError(f"Unsupported version {schema!r}", where="schema")
    major, minor = parts.groups()
    if int(major) != SCHEMA_MAJOR:
        raise ManifestError(
            f"Unsupported version {schema!r}",
            where="schema",
            hint=f"This envsnap reads version {SCHEMA_MAJOR}; use one that reads {major}",
        )
    return int(minor) > SCHEMA_MINOR


def _members(plan: Mapping[str, Convert], tree: Any, kept: Extras | None) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """The members of an object, each as the plan decodes it."""
    if type(tree) is not dict:
        raise _wrong(tree, "an object")
    if kept is None:
        try:
            return {name: plan[name](item, None) for name, item in tree.items()}
        except (KeyError, _FaultError):
            pass  # once more, with an eye on where it is
    values: dict[str, Any] = {}
    name = ""
    try:
        for name, item in tree.items():
            below: Extras | None = None if kept is None else []
            value = plan.get(name, _newer)(item, below)
            if value is not _NEWER:
                values[name] = value
            if below and kept is not None:
                kept += [((name, *path), each) for path, each in below]
    except _FaultError as fault:
        raise fault.within(name) from None
    return values


_NEWER = object()


def _newer(item: object, kept: Extras | None) -> object:
    """Keep what a newer schema added; refuse it otherwise."""
    if kept is None:
        raise _FaultError("Unknown field")
    _check_text(item, ())
    kept.append(((), item))
    return _NEWER


def _check_text(value: object, path: Path) -> None:
    """Refuse, at any depth, what could not be written back."""
    if len(path) > _DEEPEST:
        raise _FaultError("Nested too deep", (*path[:_SHOWN], f"{path[_SHOWN]}..."))
    if isinstance(value, dict):
        for key, item in value.items():
            _text(key, None)
            _check_text(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_text(item, (*path, index))
    elif isinstance(value, str):
        _text(value, None)
    elif isinstance(value, float):
        raise _wrong(value, "an integer or text", path)


def as_unknown(tree: object) -> Unknown | None:
    """The unknown that stands in a value's place, if one does."""
    if not isinstance(tree, dict) or "unknown" not in tree or tree.keys() - {"unknown", "detail"}:
        return None
    code, detail = tree["unknown"], tree.get("detail")
    if detail is not None and not isinstance(detail, str):
        raise _wrong(detail, "text", ("detail",))
    try:
        return Unknown(Reason(code), detail)
    except ValueError:
        return Unknown(Reason.NEWER_SCHEMA, f"the manifest says {code!r}")


@cache
def _plan(shape: Hashable) -> tuple[Mapping[str, Convert], Mapping[str, object]]:
    """How to decode each field of a shape, and what a field is that the document lacks."""
    hints = typing.get_type_hints(typing.cast("type[Any]", shape))
    plan, defaults = {}, {}
    for field in fields(shape):
        hint = hints[field.name]
        plan[field.name] = _converter(hint)
        if field.default is not REQUIRED:
            defaults[field.name] = field.default
        elif Unknown in typing.get_args(hint):
            missing = f"this manifest has no {field.name}"
            defaults[field.name] = Unknown(Reason.NOT_RECORDED, missing)
    return plan, defaults


def _converter(hint: Any) -> Convert:  # noqa: ANN401 - a type hint is what typing says it is
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in _LEAVES:
        return _LEAVES[hint]
    if is_shape(hint):
        return _shaped(typing.cast("type[Any]", hint))
    if origin in {typing.Union, types.UnionType}:
        return _either(arguments)
    if origin is tuple:
        return _many(_converter(arguments[0]))
    if origin is not None and issubclass(origin, Mapping):
        return _mapping
    message = f"no way to decode {hint}"
    raise TypeError(message)


def _shaped(shape: type[Any]) -> Convert:
    """Decodes a shape. A fact that is missing was not recorded; any other field must be there."""

    def read(tree: Any, kept: Extras | None) -> object:  # noqa: ANN401 - JSON
        plan, defaults = _plan(typing.cast("Hashable", shape))
        values = {**defaults, **_members(plan, tree, kept)}
        if len(values) < len(plan):
            missing = next(each for each in plan if each not in values)
            raise _FaultError("Missing field", (missing,))
        return made(shape, values)

    return _once(read) if any(each.name == "name" for each in fields(shape)) else read


def _once(read: Convert) -> Convert:
    """Decodes what has a name, and what is just as the last one of that name was not again.

    The manifests of one check, or of a fleet, hold mostly the same packages: an equal tree has
    been decoded before, and the two manifests then share the value.
    """
    seen: dict[str, tuple[object, object]] = {}

    def read_once(tree: Any, kept: Extras | None) -> object:  # noqa: ANN401 - JSON
        name = tree.get("name") if type(tree) is dict else None
        if kept is not None or type(name) is not str:
            return read(tree, kept)
        before = seen.get(name)
        if before is not None and before[0] == tree:
            return before[1]
        value = read(tree, None)
        if len(seen) < _REMEMBERED:
            seen[name] = (tree, value)
        return value

    return read_once


def _either(arguments: tuple[Any, ...]) -> Convert:
    inner = [_converter(each) for each in arguments if each not in {type(None), Unknown}]
    may_be_absent, may_be_unknown = type(None) in arguments, Unknown in arguments
    convert = inner[0]

    is_text = convert is _text

    def read(tree: Any, kept: Extras | None) -> object:  # noqa: ANN401 - JSON
        if is_text and type(tree) is str and tree.isascii():
            return tree  # nearly every fact is one
        if tree is None and may_be_absent:
            return None
        if type(tree) is dict and may_be_unknown:
            unknown = as_unknown(tree)
            if unknown is not None:
                return unknown
        return convert(tree, kept)

    return read


def _many(convert: Convert) -> Convert:
    def read(tree: Any, kept: Extras | None) -> object:  # noqa: ANN401 - JSON
        if type(tree) is not list:
            raise _wrong(tree, "a list")
        found: list[object] = []
        try:
            for item in tree:
                below: Extras | None = None if kept is None else []
                found.append(convert(item, below))
                if below and kept is not None:
                    kept += [((len(found) - 1, *path), each) for path, each in below]
        except _FaultError as fault:
            raise fault.within(len(found)) from None
        return tuple(found)

    return read


def _mapping(tree: Any, _: Extras | None) -> object:  # noqa: ANN401 - JSON
    if type(tree) is not dict:
        raise _wrong(tree, "an object")
    for key, value in tree.items():
        _text(key, None)
        try:
            _text(value, None)
        except _FaultError as fault:
            raise fault.within(key) from None
    return dict(tree)


def _text(tree: object, _: Extras | None) -> object:
    if type(tree) is not str:
        raise _wrong(tree, "text")
    if not tree.isascii():
        try:
            tree.encode()
        except UnicodeEncodeError:
            raise _FaultError(f"Text that is no Unicode: {tree!a}") from None
    return tree


def _whole(tree: object, _: Extras | None) -> object:
    if type(tree) is not int or not 0 <= tree <= _LARGEST:  # a bool is an int to isinstance
        raise _wrong(tree, "a whole number")
    return tree


def _truth(tree: object, _: Extras | None) -> object:
    if type(tree) is not bool:
        raise _wrong(tree, "true or false")
    return tree


def _object(tree: object, _: Extras | None) -> object:
    if type(tree) is not dict:
        raise _wrong(tree, "an object")
    _check_text(tree, ())
    return tree


def _as_it_is(tree: object, _: Extras | None) -> object:
    return tree


def _requires(tree: Any, kept: Extras | None) -> object:  # noqa: ANN401 - JSON
    """What the author states: lists of texts, or of texts with a reason. Rules read the texts.

    What a newer schema states beside them is written back as it is.
    """
    _object(tree, kept)
    for name, stated in tree.items():
        if name not in _STATED:
            if kept is None:
                raise _FaultError("Unknown field", (name,))
        elif not isinstance(stated, list):
            raise _wrong(stated, "a list", (name,))
        else:
            for index, each in enumerate(stated):
                _is_stated(each, (name, index), kept)
    return tree


def _is_stated(each: object, path: Path, kept: Extras | None) -> None:
    said = each if isinstance(each, dict) else {"that": each}
    for key in ("that", *sorted(said.keys() - {"that"})):
        if key not in {"that", "because"} and kept is None:
            raise _FaultError("Unknown field", (*path, key))
        if not isinstance(said.get(key), str):
            place = (*path, key) if isinstance(each, dict) else path
            raise _wrong(said.get(key), "text", place)


_STATED = ("must", "may")
_LEAVES: dict[Any, Convert] = {str: _text, int: _whole, bool: _truth}
_SECTIONS: dict[str, Convert] = {
    name: _either((shape, Unknown)) for name, shape in SECTIONS.items()
}
_TOP: dict[str, Convert] = {
    "about": _as_it_is,
    "schema": _as_it_is,
    "captured": _shaped(Captured),
    "environment": _as_it_is,
    "machine": _as_it_is,
    "facts_digest": _as_it_is,
    "sections": lambda tree, kept: _members(_SECTIONS, tree, kept),
    "lock": _either((Lock, type(None))),
    "requires": _requires,
}


def spell(path: Path) -> str:
    """A path as people write it: `sections.gpu.devices[0].memory_mib`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _wrong(value: object, wanted: str, path: Path = ()) -> _FaultError:
    said = "null" if value is None else ascii(value)
    said = said if len(said) <= _LONGEST_QUOTE else said[: _LONGEST_QUOTE - 3] + "..."
    return _FaultError(f"Expected {wanted}, not {said},", path)
