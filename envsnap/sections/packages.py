"""The Python distributions that are installed, each with the evidence of what it is."""

from envsnap.sections._shape import Fact, Reason, Unknown, fact, shape
from envsnap.sections.surroundings import Git

NOT_VERIFIED = Unknown(Reason.NOT_ASKED, "capture --verify hashes every file")
NO_OUTSIDE = Unknown(Reason.NOT_RECORDED)


@shape
class Origin:
    """Where a distribution was installed from (PEP 610, credentials removed)."""

    kind: str = fact("index, archive, vcs, directory, editable, conda, distribution or unknown")
    url: Fact[str | None] = fact("The address, anchored if it is a local one", default=None)
    vcs: Fact[str | None] = fact("git, hg, svn or bzr", default=None)
    commit: Fact[str | None] = fact("The commit that was installed", default=None)
    revision: Fact[str | None] = fact("The branch, tag or ref that was asked for", default=None)
    archive_hash: Fact[str | None] = fact(
        "'sha256=<hex>' of the archive, if the installer kept it", default=None
    )
    subdirectory: Fact[str | None] = fact("Where in the source tree the project lies", default=None)
    index_hint: Fact[str | None] = fact(
        "Where builds of this local version (+cu128) are published: inferred, never recorded",
        default=None,
    )
    git: Fact[Git | None] = fact(
        "The version control of a folder it was installed from; null for anything else",
        default=None,
    )
    difference: Fact[str | None] = fact(
        "SHA-256 of how that folder differs from its commit, hex; null where it does not",
        default=None,
    )


def exists_only_here(origin: Origin) -> bool:
    """Whether nobody could fetch it elsewhere: it was installed from a folder or file here."""
    return origin.kind in {"editable", "directory"} or is_local(origin.url)


def is_local(url: Fact[str | None]) -> bool:
    """Whether an address is a place on the machine that was captured."""
    if not isinstance(url, str):
        return False
    scheme = url.partition(":")[0].lower()
    return scheme.rpartition("+")[2] == "file" or url.startswith(("/", "{", "~"))


@shape
class CondaRecord:
    """What conda knows of a package (conda-meta)."""

    name: str = fact("conda's name of it")
    version: str = fact("conda's version of it")
    build: Fact[str] = fact("The build string")
    channel: Fact[str | None] = fact("The channel it came from, without credentials")
    subdir: Fact[str | None] = fact("linux-64, noarch, ...")
    url: Fact[str | None] = fact("Where the archive was fetched, without credentials")
    md5: Fact[str | None] = fact("The archive's MD5, hex")
    sha256: Fact[str | None] = fact("The archive's SHA-256, hex")
    content: str | None = fact(
        "envsnap-conda-1 digest of the files and links as they are in the archive, with what "
        "stands in them for the environment's folder, hex, from conda-meta; "
        "null where that does not state them all",
        default=None,
    )


@shape
class Changes:
    """How the files of a distribution differ from what its RECORD says of them."""

    edited: tuple[str, ...] = fact("Files with other content, relative to the location, sorted")
    missing: tuple[str, ...] = fact("Files that are not there, sorted")
    extra: tuple[str, ...] = fact("Files in its own folders that RECORD does not name, sorted")
    unchecked: tuple[str, ...] = fact(
        "Files that were not opened: they lie outside the prefix, or may not be read", default=()
    )
    files: int = fact("How many files were hashed and found as stated")


@shape
class Package:
    """One installed distribution."""

    name: str = fact("The name as its metadata writes it")
    version: str = fact("The version as its metadata writes it")
    version_valid: bool = fact("Whether the version follows PEP 440", default=True)
    active: bool = fact(
        "Whether import would use this copy; else another of its name shadows it", default=True
    )
    layer: str = fact("env, base, user, pythonpath, distro, pth or other")
    location: str = fact("The folder it is installed in, anchored")
    installer: Fact[str | None] = fact("The program that installed it (INSTALLER)")
    requested: Fact[bool] = fact(
        "Whether it was asked for by name (REQUESTED); pip and uv write it"
    )
    origin: Origin = fact("Where it was installed from")
    tags: Fact[tuple[str, ...] | None] = fact("The wheel's tags; null without a WHEEL file")
    build: Fact[str | None] = fact("The wheel's build tag", default=None)
    built_here: bool = fact(
        "Whether its wheel was surely built where it is installed, from a source of an index",
        sources=("uv_build.json", "the tag linux_*, which indexes refuse"),
        default=False,
    )
    content: Fact[str | None] = fact(
        "envsnap-content-1 digest of what the wheel put into site-packages, hex; "
        "null when the installer left no RECORD",
        sources=("RECORD (stated)", "the files themselves (verified)"),
    )
    outside: Fact[str | None] = fact(
        "envsnap-outside-1 digest of the programs, data and headers that the wheel put elsewhere "
        "below the prefix, hex, without entry points' programs; null where it put none there",
        sources=("RECORD (stated), and the scripts themselves",),
        default=NO_OUTSIDE,
    )
    evidence: Fact[str] = fact(
        "The strongest identity: conda, archive, vcs, verified, content, distribution, version"
    )
    changes: Fact[Changes] = fact(
        "What differs from RECORD",
        sources=("every file hashed (capture --verify)",),
        default=NOT_VERIFIED,
    )
    conda: CondaRecord | None = fact("conda's record, where conda owns it", default=None)


@shape
class Broken:
    """An installation that could not be read. It never costs the others."""

    location: str = fact("The folder or file, anchored")
    why: str = fact("What is wrong with it")


@shape
class Packages:
    """Every distribution on the interpreter's path, shadowed copies included."""

    installed: Fact[tuple[Package, ...]] = fact("Sorted by canonical name, active copy first")
    conda_only: Fact[tuple[CondaRecord, ...]] = fact("conda packages that are no distributions")
    broken: Fact[tuple[Broken, ...]] = fact("Installations that could not be read, and why")
    unlisted: Fact[bool] = fact(
        "Whether more is installed than is listed; unknown where only a part was told, as by a "
        "report that others made",
        default=False,
    )
