"""Any manifest that the shapes allow, for property tests."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

from hypothesis import strategies as st

from envsnap.manifest import Manifest
from envsnap.sections import SECTIONS, Captured, Lock, Reason, Unknown, fields, is_shape

TEXT = st.text(max_size=12).filter(lambda text: text.isascii() or _is_unicode(text))
UNKNOWN = st.builds(Unknown, st.sampled_from(Reason), st.none() | TEXT)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@cache
def shaped(shape: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 - any shape
    """Values of one shape."""
    parts = {field.name: of_hint(field.type) for field in fields(shape)}
    return st.builds(shape, **parts)


def of_hint(hint: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 - a type hint
    """Values of one type hint."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    plain: Mapping[Any, st.SearchStrategy[Any]] = {
        str: TEXT,
        int: st.integers(0, 2**53),
        bool: st.booleans(),
        type(None): st.none(),
        Unknown: UNKNOWN,
    }
    if hint in plain:
        return plain[hint]
    if is_shape(hint):
        return shaped(hint)
    if origin in {typing.Union, types.UnionType}:
        return st.one_of([of_hint(each) for each in arguments])
    if origin is tuple:
        return st.lists(of_hint(arguments[0]), max_size=3).map(tuple)
    return st.dictionaries(TEXT, TEXT, max_size=3)


def manifests() -> st.SearchStrategy[Manifest]:
    """Manifests with every section a value or unknown, locked or not."""
    sections = {name: shaped(shape) | UNKNOWN for name, shape in SECTIONS.items()}
    reasoned = st.fixed_dictionaries({"that": TEXT}, optional={"because": TEXT})
    stated = st.lists(TEXT | reasoned, max_size=3)
    return st.builds(
        Manifest,
        captured=shaped(Captured),
        sections=st.fixed_dictionaries(sections),
        lock=st.none() | shaped(Lock),
        requires=st.dictionaries(st.sampled_from(("must", "may")), stated, max_size=2),
    )
