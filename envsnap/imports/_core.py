"""The table of readers: what can be read, and which of them reads a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from envsnap._typing import NamedTuple, TypeVar
from envsnap.sections import Reason, Unknown, fields

S = TypeVar("S")

NOT_TOLD = Unknown(Reason.NOT_RECORDED, "what was imported does not say it")

FILTERED = " |"
"""How the name of a list ends that somebody has cut down with grep, or by a name."""


class Text(NamedTuple):
    """One text to read."""

    name: str
    """The file's name, without its folder; '-' for standard input; or what was typed to print it,
    as 'pip list', with `FILTERED` behind it where it is of a part."""
    text: str
    """Line ends are `\\n` and there is no byte order mark: `_import` sees to that."""
    platform: str = "linux-64"
    """The platform, as conda names it, whose part of a lock for several is read."""
    python: str | None = None
    """The Python, as '3.11', for which a lock for several is read; None where none was named."""


class Told(NamedTuple):
    """What one text tells."""

    form: str
    """What kind of text it is, as people call it: 'pip freeze', 'nvidia-smi'."""
    sections: Mapping[str, object]
    """Sections by name, as in a manifest; a fact that the text does not tell is `NOT_TOLD`."""
    not_read: tuple[str, ...] = ()
    """Lines that were not understood, as they stand; empty where all were."""
    notes: tuple[str, ...] = ()
    """What the reader chose or left out, each in one line."""


class Reader(NamedTuple):
    """One kind of text that can be read."""

    form: str
    files: tuple[str, ...]
    """Patterns of the file names that announce it; empty where only the text does."""
    read: Callable[[Text], Told | None]
    """What it tells; None where it is of another kind."""
    is_strict: bool
    """Whether it takes a text whole or not at all, so that it is asked before it is cut."""


Read = Callable[[Text], Told | None]

_READERS: list[Reader] = []
_MODULES: tuple[str, ...] = (
    "envsnap_paste",
    "pip_json",
    "python_locks",
    "conda_files",
    "collect_env",
    "nvidia_smi_log",
    "nvidia_smi",
    "nvcc",
    "huggingface",
    "jax_report",
    "comfyui",
    "nvbandwidth",
    "conda_lists",
    "pip_lists",
)
"""Written out, in the order in which they are asked; a test holds it to the folder."""


def reader(form: str, *files: str, is_strict: bool = False) -> Callable[[Read], Read]:
    """Register the reader of one kind of text."""

    def register(function: Read) -> Read:
        _READERS.append(Reader(form, files, function, is_strict))
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

    A field that no manifest may leave unknown must be among them.

    >>> from envsnap.sections import Driver
    >>> blank(Driver, version="550.54.14").flavour.reason.value
    'not-recorded'
    """
    rest = {each.name: NOT_TOLD for each in fields(of) if each.is_required and each.is_fact}
    return of(**{**rest, **known})
