"""Whether a difference is one of those that an author allows."""

from __future__ import annotations

from envsnap._typing import NamedTuple
from envsnap.constraints._hold import holds
from envsnap.constraints._language import Expression, MayDiffer, OfPackage, Within
from envsnap.constraints._topics import codes, variable
from envsnap.constraints._versions import version
from envsnap.manifest import Manifest, canonical_name

_OF_PACKAGES = ("PKG002", "PKG003", "PKG004", "PKG006")
_OF_VERSIONS = ("PKG002", "PKG006")
_SAME_PARTS = {Within.PATCH: 2, Within.MINOR: 1, Within.VERSION: 0}


class Drifted(NamedTuple):
    """What a rule found to differ."""

    code: str
    subject: str
    wanted: str | None
    found: str | None
    is_drift: bool
    """Whether it compares the same fact on two sides."""
    stops: bool
    """Whether nothing runs because of it."""


def excuses(expression: Expression, drifted: Drifted, wanted: Manifest, found: Manifest) -> bool:
    """Whether the expression, among what may differ, allows this difference.

    A fact with values allows it where both sides have one of them. Only a rule that is named by
    its code is allowed to find what is no difference between the two sides, or what stops it.
    """
    if isinstance(expression, MayDiffer) and expression.kind == "rule":
        code, _, subject = expression.names[0].partition(":")
        return drifted.code == code and subject in {"", _slug(drifted.subject)}
    if not drifted.is_drift or drifted.stops:
        return False
    if isinstance(expression, MayDiffer):
        return _may_differ(expression, drifted)
    if isinstance(expression, OfPackage):
        is_its = drifted.code in _OF_PACKAGES and _is_of(drifted.subject, expression.name)
    else:
        name = variable(expression.name)
        is_its = drifted.code.startswith(codes(expression.name) or ("?",))
        is_its = is_its and name in {None, drifted.subject}
    return is_its and all(holds(expression, each).holds is True for each in (wanted, found))


def can_excuse(expression: Expression) -> bool:
    """Whether there is a rule whose findings it could allow."""
    return isinstance(expression, (MayDiffer, OfPackage)) or bool(codes(expression.name))


def _may_differ(expression: MayDiffer, drifted: Drifted) -> bool:
    if expression.kind == "fact":
        return drifted.code.startswith(codes(expression.names[0]) or ("?",))
    is_its = drifted.code in _OF_PACKAGES and any(
        name == "*" or _is_of(drifted.subject, name) for name in expression.names
    )
    return is_its and _is_within(expression.within, drifted)


def _slug(subject: str) -> str:
    """A subject as it stands in a finding's id."""
    return subject.lower().replace(" ", "-")


def _is_of(subject: str, name: str) -> bool:
    """Whether a finding is about that package: 'numpy', or 'numpy tags'."""
    return canonical_name(subject.partition(" ")[0]) == canonical_name(name)


def _is_within(within: Within | None, drifted: Drifted) -> bool:
    """Whether the versions differ no further than that; another build always may."""
    if drifted.code not in _OF_VERSIONS:
        return True
    if drifted.wanted is None or drifted.found is None:
        return False
    theirs, ours = (each.partition(" ")[0] for each in (drifted.wanted, drifted.found))
    if theirs == ours or within is Within.VERSION:
        return True
    parts = _SAME_PARTS.get(within) if within is not None else None
    one, other = version(theirs), version(ours)
    if parts is None or one is None or other is None:
        return False
    longest = (0,) * parts
    return (one.numbers + longest)[:parts] == (other.numbers + longest)[:parts]
