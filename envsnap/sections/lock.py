"""The artifacts that an environment was, or can be, installed from."""

from envsnap.sections._shape import Fact, fact, shape

MADE_HERE = frozenset({"made", "built"})
"""How an artifact came about that no index has."""


@shape
class Artifact:
    """One file that installs one distribution."""

    name: str = fact("The distribution's canonical name")
    version: str = fact("Its version")
    filename: str = fact("The file's name on the index, or in the wheelhouse")
    url: str | None = fact(
        "Where it is fetched, without credentials; null where only a wheelhouse has it"
    )
    sha256: str = fact("Its SHA-256, 64 hex digits")
    size: Fact[int] = fact("Its size", unit="bytes")
    is_installed: Fact[bool] = fact(
        "Whether this very file was installed: its tags are those of the installed WHEEL"
    )
    how: str = fact(
        "index; address (the installer recorded it); built (from its source, by its own backend); "
        "made (again, from the installed files)",
        default="index",
    )
    content: Fact[str | None] = fact(
        "envsnap-content-1 digest of what the wheel installs, hex, read from the file itself; "
        "null where the file was not looked into",
        default=None,
    )


@shape
class Unlocked:
    """A distribution for which no artifact was found."""

    name: str = fact("The distribution's canonical name")
    version: str = fact("Its version")
    why: str = fact("Why not, and what can be done")
    candidates: tuple[str, ...] = fact(
        "The nearest that the index has, the nearest first: versions or file names", default=()
    )


@shape
class CondaArtifact:
    """One conda package, as an archive."""

    name: str = fact("conda's name of it")
    version: str = fact("Its version")
    build: str = fact("Its build string")
    subdir: str = fact("linux-64, noarch, ...")
    filename: str = fact("The archive's name")
    url: str | None = fact(
        "Where it is fetched, without credentials; null where only a wheelhouse has it"
    )
    sha256: Fact[str | None] = fact("Its SHA-256, 64 hex digits; null where only the MD5 is known")
    md5: Fact[str | None] = fact("Its MD5, 32 hex digits")
    size: Fact[int] = fact("Its size", unit="bytes")
    how: str = fact(
        "channel; made (again, from the installed files, so that its hashes are its own)",
        default="channel",
    )
    content: str | None = fact(
        "envsnap-conda-1 digest of its files and links, hex, of one that was made from the "
        "installed files; "
        "null for all others, whose files are as they were captured",
        default=None,
    )


@shape
class Lock:
    """Every active distribution of one environment: its artifact, or why there is none."""

    environment: str = fact("The id of the environment that was locked")
    locker: str = fact("The program and version that asked the index, as 'uv 0.9.1'")
    artifacts: tuple[Artifact, ...] = fact("Sorted by name")
    unlocked: tuple[Unlocked, ...] = fact("Sorted by name")
    conda: tuple[CondaArtifact, ...] = fact(
        "Every conda package of the environment, sorted by name", default=()
    )
