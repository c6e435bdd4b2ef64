"""What a capture needs of typing, without its import: of most names only type checkers know more.

NamedTuple is made in a twentieth of the time of typing's own, which evaluates text for each class:
a capture imports sixty of them, which were a fifth of its start.
"""

from __future__ import annotations

from operator import itemgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import (
        Any,
        Final,
        Generic,
        Literal,
        NamedTuple,
        NoReturn,
        Protocol,
        TypeVar,
        cast,
    )  # fmt: skip

    from typing_extensions import Self
else:

    class _Unsaid:
        """A name that only type checkers read: whatever is made of it, it stays what it is."""

        def __getitem__(self, _: object) -> Self:
            return self

        def __call__(self, *_: object, **__: object) -> Self:
            return self

    Any = Final = Literal = NoReturn = TypeVar = _Unsaid()

    class Generic:
        """The base of a class with type variables."""

        __slots__ = ()

        def __class_getitem__(cls, _: object) -> type:
            return cls

    Protocol = Generic

    def cast(_: object, value: object) -> object:
        """Return the value."""
        return value

    class _Row(type):
        """Makes of each annotated name of a class's body one place of a tuple."""

        def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
            fields = tuple(body.get("__annotations__", ()))
            defaults = {each: body[each] for each in fields if each in body}
            for place, each in enumerate(fields):
                body[each] = property(itemgetter(place))
            own = {"__slots__": (), "_fields": fields, "__match_args__": fields}
            return super().__new__(cls, name, bases, {**body, **own, "_field_defaults": defaults})

    class NamedTuple(tuple, metaclass=_Row):
        """What typing.NamedTuple makes of a class, as far as it is used here."""

        __slots__ = ()

        def __new__(cls, *values: object, **named: object) -> Self:
            """The tuple of these values, the defaults where none is given."""
            if named or len(values) != len(cls._fields):
                values = _whole(cls, values, named)
            return tuple.__new__(cls, values)

        @classmethod
        def _make(cls, values: Iterable[object]) -> Self:
            return cls(*values)

        def _asdict(self) -> dict[str, object]:
            return dict(zip(self._fields, self, strict=True))

        def _replace(self, **changes: object) -> Self:
            return type(self)(**{**self._asdict(), **changes})

        def __getnewargs__(self) -> tuple[object, ...]:
            return tuple(self)

        def __repr__(self) -> str:
            shown = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
            return f"{type(self).__name__}({shown})"

    def _whole(
        cls: type[NamedTuple], values: tuple[object, ...], named: Mapping[str, object]
    ) -> tuple[object, ...]:
        """Every field's value in its place.

        Raises:
            TypeError: A field has none or two, or there is no such field.
        """
        given = {**dict(zip(cls._fields, values)), **named}  # noqa: B905 - told of below
        found = {**cls._field_defaults, **given}
        if len(given) == len(values) + len(named) and len(found) == len(cls._fields):
            try:
                return tuple([found[name] for name in cls._fields])
            except KeyError:
                pass  # one that there is not, in the place of one that is missing
        takes = ", ".join(cls._fields)
        message = f"{cls.__name__} takes {takes}; it was given {values} and {dict(named)}"
        raise TypeError(message)


__all__ = [
    "Any", "Final", "Generic", "Literal", "NamedTuple", "NoReturn", "Protocol", "TypeVar", "cast",
]  # fmt: skip
