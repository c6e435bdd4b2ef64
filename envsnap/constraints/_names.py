"""The facts that an expression may name: short names for the common ones, and any section path."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from functools import cache

from envsnap._typing import Any, NamedTuple
from envsnap.sections import SECTIONS, Unknown, fields, is_shape

SHORT: Mapping[str, str] = types.MappingProxyType(
    {
        "cpu.architecture": "os.architecture",
        "cpu.level": "cpu.generic_level",
        "cuda": "gpu.driver.cuda_in_effect",
        "driver": "gpu.driver.version",
        "glibc": "os.libc_version",
        "gpu.architecture": "gpu.devices.architecture",
        "gpu.compute_capability": "gpu.devices.compute_capability",
        "gpu.count": "gpu.visible",
        "gpu.ecc": "gpu.devices.ecc",
        "gpu.memory": "gpu.devices.memory_mib",
        "gpu.memory_mib": "gpu.devices.memory_mib",
        "gpu.multiprocessors": "gpu.devices.multiprocessors",
        "gpu.name": "gpu.devices.name",
        "gpu.vendor": "gpu.devices.vendor",
        "kernel": "os.kernel",
        "memory": "memory.total_mib",
        "python": "python.version",
        "system": "os.system",
    }
)
"""Names that people use, and the fact that each stands for."""

NEEDS_UNIT = frozenset({"gpu.memory", "memory"})
"""Names without a unit of their own: the value brings it."""
COUNTED = frozenset({"gpu.count"})
"""Names whose value is how many there are."""

_OF_AN_ENVIRONMENT = (
    "python", "packages", "cuda.", "libraries", "gpu_code", "system_libraries", "math", "environ",
    "project", "run", "os.distribution", "os.codename", "os.libc",
)  # fmt: skip
"""What a container brings of its own: the beginnings of these facts' paths."""


class Kind(NamedTuple):
    """What a name stands for."""

    path: str
    """The place in the sections, without the positions of lists."""
    holds: str
    """text, number, truth, texts (a list, for `has`) or count."""
    unit: str | None

    @property
    def is_of_environment(self) -> bool:
        """Whether a container brings its own."""
        return self.path.startswith(_OF_AN_ENVIRONMENT)


def kind(name: str) -> Kind | None:
    """What a name stands for; None where there is no such fact."""
    path = SHORT.get(name, name)
    section, _, rest = path.partition(".")
    if section not in SECTIONS or not rest:
        return None
    if name in COUNTED:
        return Kind(path, "count", None)
    found = _below(SECTIONS[section], rest.split("."))
    return None if found is None else Kind(path, *found)


def near(name: str) -> list[str]:
    """Names that may have been meant, the likeliest first."""
    from difflib import get_close_matches

    last = name.rpartition(".")[2]
    found = get_close_matches(name, known(), n=3, cutoff=0.75)
    return found or [each for each in known() if each.rpartition(".")[2] == last][:3]


@cache
def known() -> tuple[str, ...]:
    """Every name that an expression may use; keys of mappings apart."""
    paths = [f"{name}.{path}" for name, shape in SECTIONS.items() for path in _paths(shape)]
    return tuple(sorted({*SHORT, *paths}))


def _paths(shape: type[Any]) -> Iterator[str]:
    for field in fields(shape):
        inner = _inner(field.type)
        if is_shape(inner):
            yield from (f"{field.name}.{path}" for path in _paths(inner))
        else:
            yield field.name


def _below(shape: type[Any], parts: list[str]) -> tuple[str, str | None] | None:
    """What a path below a shape holds, and its unit."""
    first, *rest = parts
    field = next((each for each in fields(shape) if each.name == first), None)
    if field is None:
        return None
    inner = _inner(field.type)
    if is_shape(inner):
        return _below(inner, rest) if rest else None
    if typing.get_origin(inner) is not None:  # a mapping: its keys are the reader's
        return ("text", None) if len(rest) == 1 and rest[0] else None
    if rest:
        return None
    return _holds(field.type, inner), field.unit


def _holds(hint: Any, inner: Any) -> str:  # noqa: ANN401 - type hints are what typing says they are
    if _is_list(hint):
        return "texts"
    return {bool: "truth", int: "number"}.get(inner, "text")


def _is_list(hint: Any) -> bool:  # noqa: ANN401 - a type hint
    parts = [hint, *typing.get_args(hint)]
    return any(typing.get_origin(each) is tuple for each in parts)


def _inner(hint: Any) -> Any:  # noqa: ANN401 - a type hint
    """The type in a fact, a list or both: what stands at a path."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        return _inner(next(each for each in arguments if each not in {type(None), Unknown}))
    return _inner(arguments[0]) if origin is tuple else hint
