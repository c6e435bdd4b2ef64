"""The table of readers, and how what several texts tell becomes one set of sections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache

from envsnap._typing import NamedTuple, TypeVar
from envsnap.sections import Reason, Unknown, fields, is_shape, replace

S = TypeVar("S")

NOT_TOLD = Unknown(Reason.NOT_RECORDED, "what was imported does not say it")


class Text(NamedTuple):
    """One text to read."""

    name: str
    """The file's name, without its folder; '-' for standard input."""
    text: str


class Told(NamedTuple):
    """What one text tells."""

    form: str
    """What kind of text it is, as people call it: 'pip freeze', 'nvidia-smi'."""
    sections: Mapping[str, object]
    """Sections by name, as in a manifest; a fact that the text does not tell is `NOT_TOLD`."""
    not_read: tuple[str, ...] = ()
    """Lines that were not understood, as they stand; empty where all were."""


class Reader(NamedTuple):
    """One kind of text that can be read."""

    form: str
    files: tuple[str, ...]
    """Patterns of the file names that announce it; empty where only the text does."""
    read: Callable[[Text], Told | None]
    """What it tells; None where it is of another kind."""


_READERS: list[Reader] = []
_MODULES: tuple[str, ...] = ()
"""Written out, in the order in which they are asked; a test holds it to the folder."""


def reader(
    form: str, *files: str
) -> Callable[[Callable[[Text], Told | None]], Callable[[Text], Told | None]]:
    """Register the reader of one kind of text."""

    def register(function: Callable[[Text], Told | None]) -> Callable[[Text], Told | None]:
        _READERS.append(Reader(form, files, function))
        return function

    return register


@cache
def readers() -> tuple[Reader, ...]:
    """Every reader, in the order in which they are asked."""
    from importlib import import_module

    for name in _MODULES:
        import_module(f"envsnap.imports.{name}")
    return tuple(_READERS)


def blank(of: type[S], **known: object) -> S:
    """A shape of which only these fields are known; a field that has a default keeps it.

    >>> from envsnap.sections import Driver
    >>> blank(Driver, version="550.54.14").flavour.reason.value
    'not-recorded'
    """
    rest = {each.name: NOT_TOLD for each in fields(of) if each.is_required}
    return of(**{**rest, **known})


def joined(told: Iterable[Mapping[str, object]]) -> dict[str, object]:
    """What several texts tell, as one: what one does not tell, another may.

    Where two tell different things the fact is unknown, and both are named.
    """
    total: dict[str, object] = {}
    for sections in told:
        for name, section in sections.items():
            total[name] = _both(total[name], section) if name in total else section
    return total


def _both(one: object, other: object) -> object:
    if one == other or _is_unknown(other):
        return one
    if _is_unknown(one):
        return other
    if is_shape(one) and type(one) is type(other):
        theirs = vars(other)
        return replace(one, **{name: _both(each, theirs[name]) for name, each in vars(one).items()})
    return Unknown(Reason.WITNESSES_DISAGREE, f"{_short(one)} and {_short(other)}")


def _is_unknown(value: object) -> bool:
    return isinstance(value, Unknown)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."  # noqa: PLR2004 - half a line
