"""The artifacts that an environment was, or can be, installed from."""

from __future__ import annotations

from envsnap.sections._shape import Fact, fact, shape


@shape
class Artifact:
    """One file that installs one distribution."""

    name: str = fact("The distribution's canonical name")
    version: str = fact("Its version")
    filename: str = fact("The file's name on the index")
    url: str = fact("Where it is fetched, without credentials")
    sha256: str = fact("Its SHA-256, 64 hex digits")
    size: Fact[int] = fact("Its size", unit="bytes")
    is_installed: Fact[bool] = fact(
        "Whether this very file was installed: its tags are those of the installed WHEEL"
    )


@shape
class Unlocked:
    """A distribution for which no artifact was found."""

    name: str = fact("The distribution's canonical name")
    version: str = fact("Its version")
    why: str = fact("Why not, and what can be done")


@shape
class Lock:
    """Every active distribution of one environment: its artifact, or why there is none."""

    environment: str = fact("The id of the environment that was locked")
    locker: str = fact("The program and version that asked the index, as 'uv 0.9.1'")
    artifacts: tuple[Artifact, ...] = fact("Sorted by name")
    unlocked: tuple[Unlocked, ...] = fact("Sorted by name")
