"""What another version of a package leaves to expect, and how to get the one that is wanted."""

from __future__ import annotations

import re

from envsnap.facts import Looked, torch_cuda
from envsnap.facts.package_roles import Role, role_of
from envsnap.manifest import canonical_name
from envsnap.rules._findings import Level, Outcome
from envsnap.rules._views import shell_line
from envsnap.sections import Package

_RELEASE = re.compile(
    r"v?(?P<series>(?:\d+!)?(?:0+(?:\.\d+)?|[1-9]\d*))(?:\.\d+)*(?:[-_.]?post\d*)?(?:\+.*)?\Z"
)
"""A version that was released, and the series that keeps its meaning: the first number, and of
0.y the second. One before a release may be anything."""
_OF_PYTORCH = frozenset({"torch", "torchvision", "torchaudio"})
"""What PyTorch's own indices have builds of."""
_ON_AN_INDEX = frozenset({"index", "unknown"})


def expected_of(name: str, wanted: str, found: str) -> Level:
    """What can be expected of another version of a package.

    >>> str(expected_of("numpy", "1.26.4", "1.25.0")), str(expected_of("numpy", "1.26.4", "2.0.0"))
    ('statistical', 'runs')
    >>> str(expected_of("certifi", "2025.1.31", "2026.6.1"))
    'bitwise'
    """
    role = _role(name)
    if role == "serves":
        return Level.BITWISE
    theirs, ours = _RELEASE.match(wanted), _RELEASE.match(found)
    is_kept = theirs is not None and ours is not None and theirs["series"] == ours["series"]
    return Level.STATISTICAL if is_kept or role == "library" else Level.RUNS


def _role(name: str) -> Role | None:
    """What a package does to a program's numbers; None where no table says it."""
    known = role_of(canonical_name(name))
    return known.value if isinstance(known, Looked) else None


def is_served(name: str) -> bool:
    """Whether no number of a program passes through a package."""
    return _role(name) == "serves"


def why_of(name: str) -> str | None:
    """Why another version of a package does not matter; None where it does."""
    return "It computes nothing that a result is made of" if is_served(name) else None


def outcome_of(name: str) -> Outcome:
    """What another version, or other files, of a package do: to the digits, if it computes any."""
    return Outcome.NOTE if is_served(name) else Outcome.NUMERICS


def how_to_get(package: Package) -> str | None:
    """The command that gets this very version; None where no index is known to have it."""
    name, version = package.name, package.version
    if package.conda is not None:
        return shell_line("conda install", f"{package.conda.name}={package.conda.version}")
    public, _, label = version.partition("+")
    if package.origin.kind not in _ON_AN_INDEX or ".dev" in public:
        return None  # a folder, an archive, a commit; a nightly build is gone after weeks
    line = shell_line("pip install", f"{name}=={version}")
    if not label or line is None:
        return line
    index = torch_cuda.index_of(label) if canonical_name(name) in _OF_PYTORCH else None
    return f"{line} --index-url {index}" if index else None
