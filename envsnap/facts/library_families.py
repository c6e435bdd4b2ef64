"""Which family a library belongs to, and which libraries are opened by code instead of by need."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from envsnap.facts import cudnn
from envsnap.facts._table import Looked, table

_BUNDLED = re.compile(r"(?:-[0-9a-f]{8})+\Z")
"""What auditwheel puts behind the name of a library that it puts into a wheel."""
_CUDNN = re.compile(r"libcudnn\.so\.(\d{1,3})\b")


def family(name: str) -> str | None:
    """The family of a SONAME or of a file's name; None for a library that none of them has.

    >>> family("libcudnn_ops.so.9"), family("libgomp-e985bcbb.so.1.0.0"), family("libz.so.1")
    ('cudnn', 'openmp', None)
    """
    known, patterns = _families()
    stem = stem_of(name)
    if stem in known:
        return known[stem]
    return next((each for prefix, each in patterns if stem.startswith(prefix)), None)


def stem_of(name: str) -> str:
    """The name without versions, endings and what auditwheel puts behind it.

    >>> stem_of("libopenblasp-r0-23e5df77.3.21.dev.so"), stem_of("libstdc++.so.6.0.30")
    ('libopenblasp-r0', 'libstdc++')
    """
    return _BUNDLED.sub("", name.partition(".")[0])


def opens(name: str) -> Sequence[str]:
    """What the library of that SONAME opens by itself when it is used, by name."""
    parts = _CUDNN.match(name)
    if parts:
        known = cudnn.sonames(int(parts[1]))
        return [each for each in known.value if each != name] if isinstance(known, Looked) else ()
    return _opens().get(stem_of(name), ())


def is_opened(path: str) -> bool:
    """Whether a package is known to open that file itself, though import cannot reach it."""
    parts = path.split("/")
    return any(
        fnmatchcase("/".join(parts[-depth:]), pattern) for depth, pattern in _opened(parts[-1])
    )


@functools.cache
def _families() -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    rows = [
        (name, row["family"])
        for row in table("library_families").rows("family")
        for name in row["names"]
    ]
    exact = {name: each for name, each in rows if not name.endswith("*")}
    prefixes = tuple((name[:-1], each) for name, each in rows if name.endswith("*"))
    return exact, prefixes


@functools.cache
def _opens() -> dict[str, Sequence[str]]:
    return {row["library"]: row["opens"] for row in table("library_families").rows("opens")}


@functools.cache
def _patterns() -> tuple[tuple[int, str], ...]:
    paths = [row["path"] for row in table("library_families").rows("opened")]
    return tuple((path.count("/") + 1, path) for path in paths)


def _opened(name: str) -> list[tuple[int, str]]:
    """The rows whose last part fits: most files need no more than that looked at."""
    return [
        (depth, path) for depth, path in _patterns() if fnmatchcase(name, path.rpartition("/")[2])
    ]
