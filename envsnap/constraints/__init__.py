"""What an author requires, as expressions: read, held against a machine, written for others."""

from __future__ import annotations

from envsnap.constraints._excuse import Drifted, can_excuse, excuses
from envsnap.constraints._hold import Answer, holds, is_of_environment, refused_of
from envsnap.constraints._language import (
    Asked,
    ConstraintError,
    Expression,
    MayDiffer,
    OfFact,
    OfPackage,
    Value,
    Within,
)
from envsnap.constraints._parse import parse
from envsnap.constraints._requires import MAY, MOST, MUST, Requires, Stated, read, requires_of
from envsnap.constraints._versions import version

__all__ = [
    "MAY",
    "MOST",
    "MUST",
    "Answer",
    "Asked",
    "ConstraintError",
    "Drifted",
    "Expression",
    "MayDiffer",
    "OfFact",
    "OfPackage",
    "Requires",
    "Stated",
    "Value",
    "Within",
    "can_excuse",
    "excuses",
    "holds",
    "is_of_environment",
    "parse",
    "read",
    "refused_of",
    "requires_of",
    "version",
]
