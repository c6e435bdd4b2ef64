"""What a fact is, and how the shapes of facts are declared.

A fact is either its value or an `Unknown` with a reason. `None` is a value: *known to be
absent*. The two are never mixed up, and neither is ever an empty string.
"""

from __future__ import annotations

import dataclasses
from enum import Enum
from typing import Any, TypeVar, Union

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:  # the decorator only speaks to type checkers

    def dataclass_transform(**_: object) -> Any:  # noqa: ANN401 - a stand-in for typing's own
        """Stand in for `typing.dataclass_transform`, which Python 3.10 lacks."""
        return lambda decorated: decorated


T = TypeVar("T")


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


@dataclasses.dataclass(frozen=True)
class Unknown:
    """A fact that could not be seen, and why."""

    reason: Reason
    detail: str | None = None

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else str(self.reason)


Fact = Union[T, Unknown]  # noqa: UP007 - a generic alias needs the old spelling on Python 3.10
"""A value, or the reason why there is none."""


def fact(meaning: str, *, unit: str | None = None, sources: tuple[str, ...] = ()) -> Any:  # noqa: ANN401 - a field specifier
    """Declare one field of a shape: what it means, its unit, and who can witness it."""
    return dataclasses.field(metadata={"meaning": meaning, "unit": unit, "sources": sources})


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(fact,))
def shape(cls: type[T]) -> type[T]:
    """Make a class a frozen, keyword-only value whose fields are facts."""
    return dataclasses.dataclass(frozen=True, kw_only=True)(cls)
