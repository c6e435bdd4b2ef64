"""What a fact is, and how the shapes of facts are declared.

A fact is either its value or an `Unknown` with a reason. `None` is a value: *known to be
absent*. The two are never mixed up, and neither is ever an empty string.

The modules of shapes do not postpone their annotations: to have those types takes a tenth of the
time of reading them from text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

from envsnap._typing import Any, NamedTuple, TypeVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Union

    from typing_extensions import dataclass_transform
else:  # the decorator only speaks to type checkers

    def dataclass_transform(**_: object) -> Any:  # noqa: ANN401 - a stand-in for typing's own
        """Stand in for `typing.dataclass_transform`, which Python 3.10 lacks."""
        return lambda decorated: decorated


T = TypeVar("T")


class Field(NamedTuple):
    """One field of a shape."""

    name: str
    type: Any
    """The type of its values: of a fact, one side of a union is Unknown."""
    meaning: str
    unit: str | None
    """MiB, W, ...; None for what has none."""
    sources: tuple[str, ...]
    """Who can witness it, the most trusted first; empty where there is but one."""
    default: object
    """What it is where nothing is given; `REQUIRED` where something must be."""

    @property
    def is_required(self) -> bool:
        """Whether something must be given."""
        return self.default is REQUIRED

    @property
    def is_fact(self) -> bool:
        """Whether it may be unknown."""
        return Unknown in getattr(self.type, "__args__", ())


REQUIRED = object()


def fact(
    meaning: str,
    *,
    unit: str | None = None,
    sources: tuple[str, ...] = (),
    default: object = REQUIRED,
) -> Any:  # noqa: ANN401 - a field specifier
    """Declare one field of a shape: what it means, its unit, and who can witness it.

    A field with a default is not written into a manifest where it has that value. A field that a
    later version adds to a shape has none: where it is missing, it was not recorded.
    """
    return _Declared((meaning, unit, sources, default))


class _Declared(tuple[str, str | None, tuple[str, ...], object]):
    """What was said of a field, which does not know its name yet."""

    __slots__ = ()


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(fact,))
def shape(cls: type[T]) -> type[T]:
    """Make a class a frozen, keyword-only value whose fields are facts.

    What `dataclasses` would do, without its cost: to import it and to compile forty classes
    took longer than a third of a whole capture.
    """
    own, types = vars(cls), cls.__annotations__
    if str in map(type, types.values()):
        message = f"{cls.__name__}: its module must not postpone annotations, which are read here"
        raise TypeError(message)
    found = {name: _field(name, of, own.get(name, REQUIRED)) for name, of in types.items()}
    for name in found.keys() & vars(cls).keys():
        delattr(cls, name)
    methods = (_init, _frozen, _frozen, _equal, _hashed, _shown)
    names = ("__init__", "__setattr__", "__delattr__", "__eq__", "__hash__", "__repr__")
    for name, method in zip(names, methods, strict=True):
        setattr(cls, name, method)
    setattr(cls, _FIELDS, found)
    defaults = {name: each.default for name, each in found.items() if each.default is not REQUIRED}
    setattr(cls, _DEFAULTS, defaults)
    return cls


def _field(name: str, of: Any, given: object) -> Field:  # noqa: ANN401 - a type is what it is
    """A field as it was declared: by `fact`, by a plain default, or by its annotation alone."""
    if isinstance(given, _Declared):
        return Field(name, of, *given)
    return Field(name, of, "", None, (), given)


_FIELDS = "__shape_fields__"
_DEFAULTS = "__shape_defaults__"


def fields(of: object) -> tuple[Field, ...]:
    """The fields of a shape or of a value of one, in the order of their declaration."""
    found: Mapping[str, Field] = getattr(of, _FIELDS)
    return tuple(found.values())


def is_shape(of: object) -> bool:
    """Whether this is a shape, or a value of one."""
    return hasattr(of, _FIELDS)


def replace(value: T, **changes: object) -> T:
    """The same value with other facts in some of its fields."""
    return type(value)(**{**vars(value), **changes})


def all_made(of: type[T], rows: Iterable[dict[str, object]]) -> list[T]:
    """Values of a shape, each from exactly its fields, which it keeps as they are given."""
    new, keep = object.__new__, object.__setattr__
    found: list[T] = []
    for each in rows:
        value = new(of)
        keep(value, "__dict__", each)
        found.append(value)
    return found


def _init(self: object, **values: object) -> None:
    expected: Mapping[str, Field] = getattr(self, _FIELDS)
    if len(values) < len(expected):
        values = {**getattr(self, _DEFAULTS), **values}
    if values.keys() != expected.keys():
        wrong = sorted(values.keys() ^ expected.keys())
        message = f"{type(self).__name__} is given other fields than it has: {', '.join(wrong)}"
        raise TypeError(message)
    vars(self).update(values)


def _frozen(self: object, name: str, *_: object) -> None:
    message = f"{type(self).__name__}.{name} cannot be changed: facts are frozen"
    raise AttributeError(message)


def _equal(self: object, other: object) -> bool:
    return vars(self) == vars(other) if type(self) is type(other) else NotImplemented


def _hashed(self: object) -> int:
    known = vars(self)  # which a document may have in another order
    return hash((type(self), *(known[name] for name in getattr(self, _FIELDS))))


def _shown(self: object) -> str:
    shown = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
    return f"{type(self).__name__}({shown})"


class Reason(str, Enum):
    """Why a fact is not known. The list is closed: a reader can act on each."""

    NOT_ASKED = "not-asked"
    NEEDS_DEEP = "needs-deep"
    NO_PERMISSION = "no-permission"
    NOT_SUPPORTED = "not-supported"
    TOOL_MISSING = "tool-missing"
    TIMED_OUT = "timed-out"
    CRASHED = "crashed"
    UNPARSABLE = "unparsable"
    WITNESSES_DISAGREE = "witnesses-disagree"
    NOT_RECORDED = "not-recorded"
    NO_RUNNING_MACHINE = "no-running-machine"
    NEWER_SCHEMA = "newer-schema"

    def __str__(self) -> str:
        return self.value


class Unknown:
    """A fact that could not be seen, and why. It is no tuple and no text: it is never a value."""

    __slots__ = ("detail", "reason")

    reason: Reason
    detail: str | None
    """What was seen instead, or who refused; None where the reason says it all."""

    def __init__(self, reason: Reason, detail: str | None = None) -> None:
        object.__setattr__(self, "reason", reason)
        object.__setattr__(self, "detail", detail)

    __setattr__ = _frozen
    __delattr__ = _frozen

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Unknown):
            return NotImplemented
        return (self.reason, self.detail) == (other.reason, other.detail)

    def __hash__(self) -> int:
        return hash((self.reason, self.detail))

    def __repr__(self) -> str:
        return f"Unknown({self.reason!r}, {self.detail!r})"

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else str(self.reason)


if TYPE_CHECKING:
    Fact = Union[T, Unknown]  # noqa: UP007 - a generic alias needs the old spelling on Python 3.10
    """A value, or the reason why there is none."""
else:

    class Fact:
        """A value, or the reason why there is none."""

        def __class_getitem__(cls, value: Any) -> object:  # noqa: ANN401 - a type
            """The union that the codec reads: to make it takes nothing of typing."""
            return value | Unknown
