"""How JSON values become facts: one by one, to say where a fault is, or a column of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import chain, islice
from types import UnionType

from envsnap._typing import Any, NamedTuple
from envsnap.manifest._faults import FaultError, Path, check_text, wrong
from envsnap.sections import Reason, Unknown, fields, is_shape
from envsnap.sections._shape import REQUIRED, all_made

_LARGEST = 2**53  # every count and size; beyond it other JSON readers round

Extras = list[tuple[Path, object]]
"""Fields that a newer schema added: where they stand, and their values."""
Convert = Callable[[Any, "Extras | None"], object]
"""From a JSON value to a fact. The list takes what a newer schema added; None refuses it."""


def members(plan: Mapping[str, Reader], tree: Any, kept: Extras | None) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """The members of an object, each as the plan decodes it."""
    if type(tree) is not dict:
        raise wrong(tree, "an object")
    values: dict[str, Any] = {}
    name = ""
    try:
        for name, item in tree.items():
            below: Extras | None = None if kept is None else []
            value = (plan[name].one if name in plan else _newer)(item, below)
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
    if not isinstance(code, str):
        raise wrong(code, "text", ("unknown",))
    if detail is not None and not isinstance(detail, str):
        raise wrong(detail, "text", ("detail",))
    try:
        return Unknown(Reason(code), detail)
    except ValueError:
        return Unknown(Reason.NEWER_SCHEMA, f"the manifest says {code!r}")


ReadAll = Callable[[Sequence[Any]], Sequence[Any]]


class Reader(NamedTuple):
    """How JSON values become facts of one type, one by one or a column of them at once."""

    one: Convert
    all: ReadAll
    """The facts of many values; a `FaultError` says that one is wrong, and not where it stands."""
    ready: frozenset[type] = frozenset()
    """The types of JSON whose values are the facts already."""


def one_by_one(one: Convert, ready: type | None = None) -> Reader:
    """Reads values that have nothing below them."""
    as_they_are = frozenset({ready} if ready else ())

    def all_of(trees: Sequence[Any]) -> Sequence[Any]:
        if set(map(type, trees)) <= as_they_are:
            return trees
        return [one(each, None) for each in trees]

    return Reader(one, all_of, as_they_are)


class _Plan:
    """How to decode a shape: each field, and what it is where the document lacks it."""

    def __init__(self) -> None:
        self.readers: dict[str, Reader] = {}
        self.defaults: dict[str, object] = {}


@cache
def _plan(shape: Any) -> _Plan:  # noqa: ANN401 - a shape
    plan = _Plan()
    for field in fields(shape):
        plan.readers[field.name] = _reader(field.type)
        if field.default is not REQUIRED:
            plan.defaults[field.name] = field.default
        elif field.is_fact:
            missing = f"this manifest has no {field.name}"
            plan.defaults[field.name] = Unknown(Reason.NOT_RECORDED, missing)
    return plan


def _reader(hint: Any) -> Reader:  # noqa: ANN401 - the type of a field
    if hint in _LEAVES:
        return _LEAVES[hint]
    if is_shape(hint):
        return shaped(hint)
    if isinstance(hint, UnionType):
        return either(hint.__args__)
    if hint.__origin__ is tuple:
        return _many(_reader(hint.__args__[0]))
    if issubclass(hint.__origin__, Mapping):
        return one_by_one(_mapping)
    message = f"no way to decode {hint}"
    raise TypeError(message)


def shaped(shape: Any) -> Reader:  # noqa: ANN401 - a shape
    """Reads a shape. A fact that is missing was not recorded; any other field must be there."""

    def read(tree: Any, kept: Extras | None) -> object:  # noqa: ANN401 - JSON
        if type(tree) is shape:  # it was read before, in another document
            return tree
        plan = _plan(shape)
        values = {**plan.defaults, **members(plan.readers, tree, kept)}
        if len(values) < len(plan.readers):
            missing = next(each for each in plan.readers if each not in values)
            raise FaultError("Missing field", (missing,))
        return all_made(shape, [values])[0]

    def read_all(trees: Sequence[Any]) -> Sequence[Any]:
        """By the names that the objects have: most packages have the same ones."""
        types = set(map(type, trees))
        if shape in types:
            return _filled(
                [each if type(each) is shape else _WAITS for each in trees], trees, read_all
            )
        if not types <= {dict}:
            raise FaultError("Expected objects")
        names = list(map(tuple, trees))
        if len(set(names)) == 1:
            return _alike(shape, names[0], trees)
        alike: dict[tuple[str, ...], list[Any]] = defaultdict(list)
        for each, tree in zip(names, trees, strict=True):
            alike[each].append(tree)
        found = {each: iter(_alike(shape, each, rows)) for each, rows in alike.items()}
        return [next(found[each]) for each in names]

    return Reader(read, read_all)


def _alike(
    shape: Any,  # noqa: ANN401 - a shape
    names: tuple[str, ...],
    rows: Sequence[dict[str, Any]],
) -> list[object]:
    """Shapes of objects with the same names, a field of all of them at a time."""
    plan = _plan(shape)
    if not names or not set(names) <= plan.readers.keys() <= {*names, *plan.defaults}:
        raise FaultError("Other fields")
    columns = list(zip(*map(dict.values, rows), strict=True))
    converted = {
        name: values
        for name, column in zip(names, columns, strict=True)
        if (values := plan.readers[name].all(column)) is not column
    }
    missing = {name: each for name, each in plan.defaults.items() if name not in names}
    if not converted:
        return _of_texts(shape, names, list(zip(*columns, strict=True)), missing)
    found = [{**missing, **row} for row in rows]
    for name, column in converted.items():
        for each, fact in zip(found, column, strict=True):
            each[name] = fact
    return all_made(shape, found)


def _of_texts(
    shape: Any,  # noqa: ANN401 - a shape
    names: tuple[str, ...],
    rows: list[tuple[Any, ...]],
    missing: dict[str, object],
) -> list[object]:
    """Shapes of rows of texts alone, of which the equal ones are one value."""
    kinds = list(set(rows))
    values = [{**missing, **dict(zip(names, each, strict=True))} for each in kinds]
    known = dict(zip(kinds, all_made(shape, values), strict=True))
    return [known[each] for each in rows]


def either(arguments: tuple[Any, ...]) -> Reader:
    """Reads what has one type, and may be absent or unknown."""
    inner = next(_reader(each) for each in arguments if each not in {type(None), Unknown})
    may_be_absent, may_be_unknown = type(None) in arguments, Unknown in arguments
    ready = inner.ready | ({type(None)} if may_be_absent else frozenset())

    def read(tree: Any, kept: Extras | None) -> object:  # noqa: ANN401 - JSON
        if tree is None and may_be_absent:
            return None
        if type(tree) is dict and may_be_unknown:
            unknown = as_unknown(tree)
            if unknown is not None:
                return unknown
        return inner.one(tree, kept)

    def read_all(trees: Sequence[Any]) -> Sequence[Any]:
        types = set(map(type, trees))
        if types <= ready:
            return trees
        if not types & {*ready, dict}:
            return inner.all(trees)
        found = [each if type(each) in ready else waiting(each) for each in trees]
        return _filled(found, trees, inner.all)

    def waiting(tree: object) -> object:
        return (as_unknown(tree) if may_be_unknown else None) or _WAITS

    return Reader(read, read_all, ready)


_WAITS = object()


def _filled(found: list[Any], trees: Sequence[Any], read_all: ReadAll) -> list[Any]:
    """What was found, and in the place of what waits its tree's fact."""
    left = [tree for tree, each in zip(trees, found, strict=True) if each is _WAITS]
    rest = iter(read_all(left))
    return [next(rest) if each is _WAITS else each for each in found]


def _many(inner: Reader) -> Reader:
    def read(tree: Any, kept: Extras | None) -> object:  # noqa: ANN401 - JSON
        if type(tree) is not list:
            raise wrong(tree, "a list")
        if kept is None:
            try:
                return tuple(inner.all(tree))
            except FaultError:
                pass  # once more, with an eye on where it is
        return _in_turn(inner.one, tree, kept)

    def read_all(trees: Sequence[Any]) -> Sequence[Any]:
        if not set(map(type, trees)) <= {list}:
            raise FaultError("Expected lists")
        items = list(chain.from_iterable(trees))
        values = inner.all(items)
        if values is items:
            return list(map(tuple, trees))
        rest = iter(values)
        return [tuple(islice(rest, len(each))) for each in trees]

    return Reader(read, read_all)


def _in_turn(convert: Convert, items: list[Any], kept: Extras | None) -> tuple[object, ...]:
    """The items of a list, decoded one after the other; a fault says which one it is in."""
    found: list[object] = []
    try:
        for item in items:
            below: Extras | None = None if kept is None else []
            found.append(convert(item, below))
            if below and kept is not None:
                kept += [((len(found) - 1, *path), each) for path, each in below]
    except FaultError as fault:
        raise fault.within(len(found)) from None
    return tuple(found)


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


_LEAVES: dict[Any, Reader] = {
    str: one_by_one(_text, str),
    int: one_by_one(_whole),
    bool: one_by_one(_truth, bool),
}
