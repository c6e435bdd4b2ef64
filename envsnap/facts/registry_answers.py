"""What a registry can answer about a tag beside its digest: a value, so that nobody reads prose."""

from __future__ import annotations

from envsnap.sections import Reason, Unknown


class NoSuchTag(Unknown):
    """The registry itself answered that it has no such tag. No answer is not that."""

    __slots__ = ()

    def __init__(self, detail: str) -> None:
        super().__init__(Reason.NOT_RECORDED, detail)
