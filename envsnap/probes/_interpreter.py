"""An interpreter as it described itself, or as its files describe it.

Its paths stay as they are here, for the probes to read files; what leaves a probe is anchored.
"""

from __future__ import annotations

from collections.abc import Mapping

from envsnap._typing import NamedTuple
from envsnap.host import Host
from envsnap.probes._choose import Choice
from envsnap.sections import Fact, Reason, Unknown


class Entry(NamedTuple):
    """One entry of the search path, as it is on this host."""

    path: str
    layer: str


class Interpreter(NamedTuple):
    """What the interpreter said, or what its files say of it."""

    choice: Choice | None
    """None when it was read from the files of a folder."""
    said: Mapping[str, object]
    """Its answer: `envsnap.inside.paths` says what is in it; paths are decoded."""
    entries: tuple[Entry, ...]
    kind: str
    origin: Fact[str]
    system_site_packages: Fact[bool]
    degraded: str | None

    @property
    def prefix(self) -> str:
        """The environment's folder."""
        return str(self.said["prefix"])

    @property
    def base_prefix(self) -> str:
        """The folder of the Python that the environment was made from."""
        return str(self.said.get("base_prefix") or self.said["prefix"])

    @property
    def executable(self) -> str:
        """The program that was started."""
        return str(self.said.get("executable") or "")

    @property
    def implementation(self) -> str:
        """cpython, pypy, ..."""
        return str(self.said["implementation"])

    @property
    def version(self) -> str:
        """The language version to the patch."""
        return str(self.said["version"])

    def text(self, key: str) -> Fact[str]:
        """A text that every interpreter has."""
        value = self.said.get(key)
        return value if isinstance(value, str) else _silent(key)

    def optional_text(self, key: str) -> Fact[str | None]:
        """A text that this interpreter may not have."""
        value = self.said.get(key, _MISSING)
        return value if isinstance(value, str) or value is None else _silent(key)

    def truth(self, key: str) -> Fact[bool]:
        """A yes or no."""
        value = self.said.get(key)
        return bool(value) if isinstance(value, (bool, int)) else _silent(key)

    def texts(self, key: str) -> Fact[tuple[str, ...]]:
        """A list of texts."""
        value = self.said.get(key)
        return tuple(str(each) for each in value) if isinstance(value, list) else _silent(key)


_MISSING = object()


def _silent(key: str) -> Unknown:
    return Unknown(Reason.NOT_SUPPORTED, f"the interpreter does not say its {key}")


def origin_of(host: Host, base_prefix: str) -> Fact[str]:
    """Who built a Python, by where it lies and what lies beside it."""
    if isinstance(host.list(f"{base_prefix}/conda-meta"), tuple):
        return "conda"
    if base_prefix == "/usr":
        return "distribution"
    if "/versions/" in base_prefix and "pyenv" in base_prefix:
        return "pyenv"
    if "Python.framework" in base_prefix:
        return "framework"
    return "other"
