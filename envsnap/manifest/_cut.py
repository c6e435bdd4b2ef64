"""Texts without the paths that name a person, a project or a site."""

from __future__ import annotations

import re
from collections.abc import Mapping

from envsnap._typing import TypeVar
from envsnap.manifest._identity import canonical_name
from envsnap.sections import Reason, Unknown, is_shape, replace

T = TypeVar("T")
LEFT_OUT = Unknown(Reason.NOT_ASKED, "left out with --anonymous")
CUT = "..."
"""Stands where a list or table cannot hold an unknown."""

_ANCHOR = r"(\{(?:other|project|home|env|base)\})"
_REST = r"(?:(?! --[a-z]|:(?:[\s/{:]|\Z)).)*"
"""As far as a path may go: a folder's name can hold spaces, so only a flag or a colon ends it."""
_PATH = re.compile(rf"{_ANCHOR}[/\\]{_REST}|(?<![\w}}])(?:/(?!\s)|[A-Za-z]:\\){_REST}", re.DOTALL)
_SYSTEMS_OWN = re.compile(
    r"usr|local|opt|etc|proc|sys|dev|run|var|boot|s?bin|lib(?:32|64|x32|exec)?|include|share"
    r"|(?:dist|site)-packages|python\d?(?:\.\d+)?t?|stubs|targets|extras|CUPTI|nvidia|wsl|tegra"
    r"|cuda(?:-\d+(?:\.\d+)*)?|conda"
    r"|(?:x86_64|aarch64|arm|i386|powerpc64le|ppc64le|riscv64|s390x|sbsa)-linux(?:-gnu\w*)?"
)
"""Names of folders that a system or CUDA gives itself; everything below another one is a site's."""


def without_paths(value: object) -> object:
    """The same value with every telling path cut to its anchor, at any depth."""
    if isinstance(value, str):
        return cut(value)
    if isinstance(value, Unknown):
        return _unknown(value)
    if isinstance(value, tuple):
        return tuple(without_paths(each) for each in value)
    if isinstance(value, Mapping):
        return {key: without_paths(each) for key, each in value.items()}
    if is_shape(value):
        return replace(value, **{name: without_paths(each) for name, each in vars(value).items()})
    return value


def without_names(value: object, names: frozenset[str]) -> object:
    """The same value with `...` for every text that is one of these names, at any depth.

    They are canonical, as a package's name is written in more than one way. A reason in which one
    stands loses its detail.
    """
    if isinstance(value, str):
        return CUT if canonical_name(value) in names else value
    if isinstance(value, Unknown):
        said = canonical_name(value.detail or "")
        return Unknown(value.reason) if any(each in said for each in names) else value
    if isinstance(value, tuple):
        told = tuple(dict.fromkeys(without_names(each, names) for each in value))
        return tuple(sorted(told, key=str)) if CUT in told else told  # its place tells a letter
    if is_shape(value):
        changed = {name: without_names(each, names) for name, each in vars(value).items()}
        return replace(value, **changed)
    return value


def without_details(value: T) -> T:
    """The same shape whose unknown parts say no more than why."""
    changed = {
        name: Unknown(each.reason) if isinstance(each, Unknown)
        else without_details(each) if is_shape(each)
        else each
        for name, each in vars(value).items()
    }  # fmt: skip
    return replace(value, **changed)


def cut(text: str) -> str:
    """The text with each path cut to its anchor, or to the folders that are the system's own."""
    return _PATH.sub(_beginning, text)


def _beginning(found: re.Match[str]) -> str:
    if found[1]:
        return f"{found[1]}/..."
    parts = found[0][1:].rstrip("/").split("/")
    foreign = (at for at, part in enumerate(parts) if not _SYSTEMS_OWN.fullmatch(part))
    known = next(foreign, None)
    if known is None:
        return found[0]
    return "/".join(["", *parts[:known], "..."]) if known else "{other}/..."


def _unknown(value: Unknown) -> Unknown:
    if value.detail is None:
        return value
    detail = cut(value.detail)
    if value.reason is Reason.CRASHED:  # what follows is a program's last words
        detail = detail.partition(": ")[0]
    return Unknown(value.reason, detail)
