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
from envsnap.manifest._faults import (
    FaultError,
    Path,
    check_text,
    refuse_no_unicode,
    spell,
    wrong,
)
from envsnap.manifest._model import SCHEMA_MAJOR, SCHEMA_MINOR, Captured, Manifest
from envsnap.sections import SECTIONS, Lock, Reason, Unknown, fields, is_shape
from envsnap.sections._shape import REQUIRED, made

_REMEMBERED = 20_000
_LARGE = 1 << 20
_LARGEST = 2**53  # every count and size; beyond it other JSON readers round
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_VERSION = r"(\d{1,6})\.(\d{1,6})"


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
    stands = _meanwhile_as_written(raw, tree.get("facts_digest"))
    try:
        if not raw or _SURROGATE.search(raw):
            refuse_no_unicode(tree)
        parts = _members(_TOP, {"captured": None, "sections": None, **tree}, kept)
    except FaultError as fault:
        raise ManifestError(fault.message, where=spell(fault.path)) from None
    return Manifest(
        captured=parts["captured"], sections=parts["sections"], lock=parts.get("lock"),
        requires=parts.get("requires", {}), schema=tree["schema"],
        extras=tuple(kept or ()),
        edited=not (
            stands()
            or tree.get("facts_digest") == facts_digest(tree["sections"])
        ),
    )  # fmt: skip


def _meanwhile_as_written(raw: bytes, digest: object) -> Callable[[], bool]:
    """Whether the file is as it was written; of a large one found out while it is decoded.

    OpenSSL lets go of the interpreter while it hashes.
    """
    if len(raw) < _LARGE:
        return lambda: stands_as_written(raw, digest)
    from threading import Thread

    found: list[bool] = []
    worker = Thread(target=lambda: found.append(stands_as_written(raw, digest)), daemon=True)
    worker.start()

    def answer() -> bool:
        worker.join()
        return found[0]

    return answer


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
        raise wrong(tree, "an object")
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
    except FaultError as fault:
        raise fault.within(name) from None
    return values


_NEWER = object()


def _newer(item: object, kept: Extras | None) -> object:
    """Keep what a newer schema added; refuse it otherwise."""
    if kept is None:
        raise FaultError("Unknown field")
    check_text(item, ())
    kept.append(((), item))
    return _NEWER


def as_unknown(tree: object) -> Unknown | None:
    """The unknown that stands in a value's place, if one does."""
    if not isinstance(tree, dict) or "unknown" not in tree or tree.keys() - {"unknown", "detail"}:
        return None
    code, detail = tree["unknown"], tree.get("detail")
    if detail is not None and not isinstance(detail, str):
        raise wrong(detail, "text", ("detail",))
    try:
        return Unknown(Reason(code), detail)
    except ValueError:
        return Unknown(Reason.NEWER_SCHEMA, f"the manifest says {code!r}")


class _Plan:
    """How to decode a shape: each field, what it is where the document lacks it, what is ready."""

    def __init__(self) -> None:
        self.convert: dict[str, Convert] = {}
        self.defaults: dict[str, object] = {}
        self.ready: dict[str, frozenset[type]] = {}
        """The types of JSON whose values are the facts already."""
        self._forms: dict[tuple[object, ...], tuple[str, ...]] = {}

    def unready(self, tree: dict[str, object]) -> tuple[str, ...]:
        """The fields of an object that have to be converted.

        Of the same for every object with the same names and types, as most packages are.

        Raises:
            KeyError: The shape has no such field.
        """
        form = (*tree, *map(type, tree.values()))
        known = self._forms.get(form)
        if known is None:
            known = tuple(name for name in tree if type(tree[name]) not in self.ready[name])
            if len(self._forms) < _REMEMBERED:
                self._forms[form] = known
        return known


@cache
def _plan(shape: Hashable) -> _Plan:
    hints = typing.get_type_hints(typing.cast("type[Any]", shape))
    plan = _Plan()
    for field in fields(shape):
        hint = hints[field.name]
        plan.convert[field.name] = _converter(hint)
        plan.ready[field.name] = _ready(hint)
        if field.default is not REQUIRED:
            plan.defaults[field.name] = field.default
        elif Unknown in typing.get_args(hint):
            missing = f"this manifest has no {field.name}"
            plan.defaults[field.name] = Unknown(Reason.NOT_RECORDED, missing)
    return plan


def _ready(hint: Any) -> frozenset[type]:  # noqa: ANN401 - a type hint is what typing says it is
    is_either = typing.get_origin(hint) in _EITHER
    return _AS_THEY_ARE & {*(typing.get_args(hint) if is_either else (hint,))}


def _converter(hint: Any) -> Convert:  # noqa: ANN401 - a type hint is what typing says it is
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in _LEAVES:
        return _LEAVES[hint]
    if is_shape(hint):
        return _shaped(typing.cast("type[Any]", hint))
    if origin in _EITHER:
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
        plan = _plan(shape)  # type: ignore[arg-type]  # a class is hashable
        values = {**plan.defaults, **_fields(plan, tree, kept)}
        if len(values) < len(plan.convert):
            missing = next(each for each in plan.convert if each not in values)
            raise FaultError("Missing field", (missing,))
        return made(shape, values)

    return _once(read) if any(each.name == "name" for each in fields(shape)) else read


def _fields(plan: _Plan, tree: Any, kept: Extras | None) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """The fields of an object, decoded: at once where nothing is wrong with them."""
    if kept is None and type(tree) is dict:
        try:
            rest = {name: plan.convert[name](tree[name], None) for name in plan.unready(tree)}
        except (KeyError, FaultError):
            pass  # once more, with an eye on where it is
        else:
            return {**tree, **rest}
    return _members(plan.convert, tree, kept)


def _once(read: Convert) -> Convert:
    """Decodes what has a name, and what is just as the last one of that name was not again.

    The manifests of one check, or of a fleet, hold mostly the same packages: an equal tree has
    been decoded before, and the two manifests then share the value. Equal is not enough: to
    Python, true equals 1 and 1.0, which a document alone may not have in its place.
    """
    seen: dict[str, tuple[object, tuple[type, ...], object]] = {}

    def read_once(tree: Any, kept: Extras | None) -> object:  # noqa: ANN401 - JSON
        name = tree.get("name") if type(tree) is dict else None
        if kept is not None or type(name) is not str:
            return read(tree, kept)
        before = seen.get(name)
        types = (*map(type, tree.values()),)
        if before is not None and before[1] == types and before[0] == tree:
            return before[2]
        value = read(tree, None)
        copy = _copied(tree) if len(seen) < _REMEMBERED else None
        if copy is not None:
            seen[name] = (copy, types, value)
        return value

    return read_once


def _copied(tree: dict[str, Any]) -> dict[str, Any] | None:
    """A copy that nobody changes; None where what is below are not texts, which equal no other."""
    copy = dict(tree)
    for name, each in tree.items():
        if type(each) is dict or type(each) is list:
            if not set(map(type, each.values() if type(each) is dict else each)) <= {str}:
                return None
            copy[name] = each.copy()
    return copy


def _either(arguments: tuple[Any, ...]) -> Convert:
    inner = [_converter(each) for each in arguments if each not in {type(None), Unknown}]
    may_be_absent, may_be_unknown = type(None) in arguments, Unknown in arguments
    convert = inner[0]

    def read(tree: Any, kept: Extras | None) -> object:  # noqa: ANN401 - JSON
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
            raise wrong(tree, "a list")
        if kept is None and convert is _text and set(map(type, tree)) <= {str}:
            return tuple(tree)
        found: list[object] = []
        try:
            for item in tree:
                below: Extras | None = None if kept is None else []
                found.append(convert(item, below))
                if below and kept is not None:
                    kept += [((len(found) - 1, *path), each) for path, each in below]
        except FaultError as fault:
            raise fault.within(len(found)) from None
        return tuple(found)

    return read


def _mapping(tree: Any, _: Extras | None) -> object:  # noqa: ANN401 - JSON
    if type(tree) is not dict:
        raise wrong(tree, "an object")
    for key, value in tree.items():
        if type(value) is not str:
            raise wrong(value, "text", (key,))
    return dict(tree)


def _text(tree: object, _: Extras | None) -> object:
    if type(tree) is not str:
        raise wrong(tree, "text")
    return tree


def _whole(tree: object, _: Extras | None) -> object:
    if type(tree) is not int or not 0 <= tree <= _LARGEST:  # a bool is an int to isinstance
        raise wrong(tree, "a whole number")
    return tree


def _truth(tree: object, _: Extras | None) -> object:
    if type(tree) is not bool:
        raise wrong(tree, "true or false")
    return tree


def _object(tree: object, _: Extras | None) -> object:
    if type(tree) is not dict:
        raise wrong(tree, "an object")
    check_text(tree, ())
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
                raise FaultError("Unknown field", (name,))
        elif not isinstance(stated, list):
            raise wrong(stated, "a list", (name,))
        else:
            for index, each in enumerate(stated):
                _is_stated(each, (name, index), kept)
    return tree


def _is_stated(each: object, path: Path, kept: Extras | None) -> None:
    said = each if isinstance(each, dict) else {"that": each}
    for key in ("that", *sorted(said.keys() - {"that"})):
        if key not in {"that", "because"} and kept is None:
            raise FaultError("Unknown field", (*path, key))
        if not isinstance(said.get(key), str):
            place = (*path, key) if isinstance(each, dict) else path
            raise wrong(said.get(key), "text", place)


_STATED = ("must", "may")
_AS_THEY_ARE: frozenset[type] = frozenset({str, bool, type(None)})
_EITHER = frozenset({typing.Union, types.UnionType})
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
