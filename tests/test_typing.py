"""Our own making of NamedTuple, held to what typing's does."""

from __future__ import annotations

import copy
import pickle
import typing

import pytest

from envsnap._typing import NamedTuple


class Place(NamedTuple):
    """Ours."""

    path: str
    size: int = 3
    """Bytes."""

    def doubled(self) -> int:
        return 2 * self.size


class Theirs(typing.NamedTuple):
    """Typing's."""

    path: str
    size: int = 3


def test_a_value_is_a_tuple_with_names_defaults_and_methods() -> None:
    place = Place("a", size=5)
    assert (place, place.path, place.size, place.doubled()) == (("a", 5), "a", 5, 10)
    assert Place("a") == Place(path="a", size=3) == ("a", 3)
    assert Place("a")._replace(size=9) == ("a", 9)
    assert Place("a")._asdict() == {"path": "a", "size": 3}
    assert repr(place) == "Place(path='a', size=5)"
    assert isinstance(place, tuple)


def test_it_has_what_typings_own_has() -> None:
    for name in ("_fields", "_field_defaults", "__match_args__", "__slots__"):
        assert getattr(Place, name) == getattr(Theirs, name)
    assert Place._make(["a", 1]) == ("a", 1)
    assert hash(Place("a")) == hash(tuple(Theirs("a")))


def test_it_is_matched_copied_and_pickled() -> None:
    match Place("a", 1):
        case Place(path, size):
            assert (path, size) == ("a", 1)
    for twin in (copy.deepcopy(Place("a")), pickle.loads(pickle.dumps(Place("a")))):  # noqa: S301
        assert (type(twin), twin) == (Place, ("a", 3))


def test_it_is_frozen() -> None:
    place: typing.Any = Place("a")
    with pytest.raises(AttributeError):
        place.size = 4
    with pytest.raises(AttributeError):
        place.other = 4


def test_a_missing_a_doubled_and_a_foreign_field_are_named() -> None:
    of: typing.Any = Place
    for values, named in (((), {}), (("a", 1, 2), {}), (("a",), {"path": "b"}), ((), {"far": 1})):
        with pytest.raises(TypeError) as caught:
            of(*values, **named)
        assert str(caught.value) == f"Place takes path, size; it was given {values} and {named}"
