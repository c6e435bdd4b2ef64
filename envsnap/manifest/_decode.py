"""From JSON's own types back to values; every fault says where in the document it is."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Hashable, Mapping
from functools import cache
from typing import Any

from envsnap.errors import ManifestError
from envsnap.manifest._encode import facts_digest
from envsnap.manifest._model import SCHEMA_MAJOR, SCHEMA_MINOR, Captured, Manifest
from envsnap.sections import SECTIONS, Lock, Reason, Unknown, fields, is_shape
from envsnap.sections._shape import REQUIRED

Path = tuple[str | int, ...]
_TOP = {
    "about",
    "schema",
    "captured",
    "environment",
    "machine",
    "facts_digest",
    "sections",
    "lock",
    "requires",
}
_DEEPEST = 32
_LONGEST_QUOTE = 60
_LARGEST = 2**53  # every count and size; beyond it other JSON readers round
_VERSION = r"(\d{1,6})\.(\d{1,6})"


def decode(tree: object) -> Manifest:
    """The manifest that a parsed JSON document holds.

    Raises:
        ManifestError: It is no manifest, too new, or a field has a wrong type.
    """
    if not isinstance(tree, dict) or "schema" not in tree:
        raise ManifestError("Not an envsnap manifest: it has no field 'schema'")
    newer = _is_newer(tree["schema"])
    reader = _Reader(keep=newer)
    captured = reader.read(Captured, tree.get("captured"), ("captured",))
    sections = _sections(tree.get("sections"), reader)
    lock = None if tree.get("lock") is None else reader.read(Lock, tree["lock"], ("lock",))
    requires = tree.get("requires", {})
    if not isinstance(requires, dict):
        raise _wrong(requires, "an object", ("requires",))
    reader.check_text(requires, ("requires",))
    for name in sorted(tree.keys() - _TOP):
        reader.unknown_field(("" + name,), tree[name])
    return Manifest(
        captured=captured, sections=sections, lock=lock, requires=requires, schema=tree["schema"],
        extras=tuple(reader.extras),
        edited=tree.get("facts_digest") != facts_digest(tree["sections"]),
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


def _sections(tree: object, reader: _Reader) -> Mapping[str, object]:
    if not isinstance(tree, dict):
        raise _wrong(tree, "an object", ("sections",))
    found: dict[str, object] = {}
    for name in SECTIONS:
        if name in tree:
            found[name] = reader.fact(SECTIONS[name], tree[name], ("sections", name))
    for name in sorted(tree.keys() - SECTIONS.keys()):
        reader.unknown_field(("sections", name), tree[name])
    return found


class _Reader:
    """Decodes by type, and remembers the fields that a newer schema added."""

    def __init__(self, *, keep: bool) -> None:
        self.keep = keep
        self.extras: list[tuple[Path, object]] = []

    def read(self, shape: type[Any], tree: object, path: Path) -> Any:  # noqa: ANN401 - as the shape says
        """A value of a shape.

        A fact that is missing was not recorded; any other field must be there.
        """
        if not isinstance(tree, dict):
            raise _wrong(tree, "an object", path)
        values: dict[str, object] = {}
        plan = _plan(typing.cast("Hashable", shape))
        for name, (convert, default) in plan.items():
            if name in tree:
                values[name] = convert(self, tree[name], (*path, name))
            elif default is not REQUIRED:
                values[name] = default
            else:
                raise ManifestError("Missing field", where=spell((*path, name)))
        if len(tree) > len(values) or tree.keys() - plan.keys():
            for name in sorted(tree.keys() - plan.keys()):
                self.unknown_field((*path, name), tree[name])
        return shape(**values)

    def fact(self, shape: type[Any], tree: object, path: Path) -> object:
        """A section, or the reason why there is none."""
        return as_unknown(tree, path) or self.read(shape, tree, path)

    def unknown_field(self, path: Path, value: object) -> None:
        """Keep what a newer schema added; refuse it otherwise."""
        if not self.keep:
            raise ManifestError("Unknown field", where=spell(path))
        self.check_text(value, path)
        self.extras.append((path, value))

    def check_text(self, value: object, path: Path) -> None:
        """Refuse, at any depth, what could not be written back."""
        if len(path) > _DEEPEST:
            raise ManifestError("Nested too deep", where=spell(path[:4]) + "...")
        if isinstance(value, dict):
            for key, item in value.items():
                _text(self, key, path)
                self.check_text(item, (*path, key))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self.check_text(item, (*path, index))
        elif isinstance(value, str):
            _text(self, value, path)
        elif isinstance(value, float):
            raise _wrong(value, "an integer or text", path)


Convert = Callable[[_Reader, object, Path], object]


def as_unknown(tree: object, path: Path) -> Unknown | None:
    """The unknown that stands in a value's place, if one does."""
    if not isinstance(tree, dict) or "unknown" not in tree or tree.keys() - {"unknown", "detail"}:
        return None
    code, detail = tree["unknown"], tree.get("detail")
    if detail is not None and not isinstance(detail, str):
        raise _wrong(detail, "text", (*path, "detail"))
    try:
        return Unknown(Reason(code), detail)
    except ValueError:
        return Unknown(Reason.NEWER_SCHEMA, f"the manifest says {code!r}")


@cache
def _plan(shape: Hashable) -> Mapping[str, tuple[Convert, object]]:
    hints = typing.get_type_hints(typing.cast("type[Any]", shape))
    plan: dict[str, tuple[Convert, object]] = {}
    for field in fields(shape):
        hint = hints[field.name]
        default = field.default
        if default is REQUIRED and Unknown in typing.get_args(hint):
            default = Unknown(Reason.NOT_RECORDED, f"this manifest has no {field.name}")
        plan[field.name] = (_converter(hint), default)
    return plan


def _converter(hint: Any) -> Convert:  # noqa: ANN401 - a type hint is what typing says it is
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in _LEAVES:
        return _LEAVES[hint]
    if is_shape(hint):
        return _shape(typing.cast("type[Any]", hint))
    if origin in {typing.Union, types.UnionType}:
        return _either(arguments)
    if origin is tuple:
        return _many(_converter(arguments[0]))
    if origin is not None and issubclass(origin, Mapping):
        return _mapping
    message = f"no way to decode {hint}"
    raise TypeError(message)


def _shape(shape: type[Any]) -> Convert:
    return lambda reader, tree, path: reader.read(shape, tree, path)


def _either(arguments: tuple[Any, ...]) -> Convert:
    inner = [_converter(each) for each in arguments if each not in {type(None), Unknown}]
    may_be_absent, may_be_unknown = type(None) in arguments, Unknown in arguments
    convert = inner[0]

    def read(reader: _Reader, tree: object, path: Path) -> object:
        if tree is None and may_be_absent:
            return None
        if may_be_unknown and isinstance(tree, dict):
            unknown = as_unknown(tree, path)
            if unknown is not None:
                return unknown
        return convert(reader, tree, path)

    return read


def _many(convert: Convert) -> Convert:
    def read(reader: _Reader, tree: object, path: Path) -> object:
        if not isinstance(tree, list):
            raise _wrong(tree, "a list", path)
        return tuple([convert(reader, item, (*path, index)) for index, item in enumerate(tree)])

    return read


def _mapping(reader: _Reader, tree: object, path: Path) -> object:
    if not isinstance(tree, dict):
        raise _wrong(tree, "an object", path)
    return {
        typing.cast("str", _text(reader, key, path)): _text(reader, value, (*path, key))
        for key, value in tree.items()
    }


def _text(_: _Reader, tree: object, path: Path) -> object:
    if type(tree) is not str:
        raise _wrong(tree, "text", path)
    if not tree.isascii():
        try:
            tree.encode()
        except UnicodeEncodeError:
            raise ManifestError(f"Text that is no Unicode: {tree!a}", where=spell(path)) from None
    return tree


def _whole(_: _Reader, tree: object, path: Path) -> object:
    if type(tree) is not int or not 0 <= tree <= _LARGEST:  # a bool is an int to isinstance
        raise _wrong(tree, "a whole number", path)
    return tree


def _truth(_: _Reader, tree: object, path: Path) -> object:
    if type(tree) is not bool:
        raise _wrong(tree, "true or false", path)
    return tree


_LEAVES: dict[Any, Convert] = {str: _text, int: _whole, bool: _truth}


def spell(path: Path) -> str:
    """A path as people write it: `sections.gpu.devices[0].memory_mib`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _wrong(value: object, wanted: str, path: Path) -> ManifestError:
    said = "null" if value is None else ascii(value)
    said = said if len(said) <= _LONGEST_QUOTE else said[: _LONGEST_QUOTE - 3] + "..."
    return ManifestError(f"Expected {wanted}, not {said},", where=spell(path))
