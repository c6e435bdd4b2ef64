"""The installed distributions, read from their files; nothing of theirs is imported."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from envsnap._typing import NamedTuple
from envsnap.host import Host
from envsnap.manifest import canonical_name
from envsnap.probes._conda import conda_records
from envsnap.probes._dist_info import (
    Found,
    Metadata,
    direct_url,
    parse_metadata,
    parse_wheel,
)
from envsnap.probes._registry import Look, NeedsError, probe
from envsnap.sections import (
    Broken,
    CondaRecord,
    Fact,
    Origin,
    Package,
    Packages,
    Reason,
    Unknown,
    replace,
)

_PLAIN_VERSION = re.compile(
    r"(\d+!)?\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?(\+[a-z0-9]+([.][a-z0-9]+)*)?\Z"
)
_METADATA_START_BYTES = 1024
_METADATA_LIMIT_BYTES = 4 * 1024 * 1024
_KEEP_REQUESTED = frozenset({"pip", "uv"})


class _Read(NamedTuple):
    """A distribution whose name and version could be read."""

    found: Found
    metadata: Metadata


@probe(Packages)
def probe_packages(look: Look) -> Packages:
    """Every distribution on the interpreter's path, the shadowed ones marked."""
    interpreter = look.interpreter
    if isinstance(interpreter, Unknown):
        raise NeedsError(interpreter)
    seen = [
        found
        for entry in interpreter.entries
        for found in _distributions(look.host, entry.path, entry.layer)
    ]
    digests = _start_digests(look, seen)
    read: list[_Read] = []
    broken: list[Broken] = []
    for found in seen:
        outcome = _metadata(look.host, found)
        if isinstance(outcome, Metadata):
            read.append(_Read(found, outcome))
        else:
            broken.append(Broken(location=look.anchors.anchor(found.path), why=outcome))
    owners, conda_only = conda_records(look, interpreter.prefix)
    places = {entry.path: look.anchors.anchor(entry.path) for entry in interpreter.entries}
    drafts = [_describe(look, each, owners, places) for each in read]
    contents = digests()
    closed = next((each for each in seen if _hides_the_environment(each)), None)
    return Packages(
        installed=_finished(drafts, [contents[each.found.path] for each in read])
        if closed is None
        else _not_listed(look.anchors.anchor(closed.path)),
        conda_only=conda_only,
        broken=tuple(sorted(broken, key=lambda each: each.location)),
    )


def _hides_the_environment(found: Found) -> bool:
    """Whether nobody can say what is installed: the environment's own folder may not be listed."""
    return found.kind == "unreadable" and found.layer in {"env", "base", "distro"}


def _not_listed(place: str) -> Unknown:
    return Unknown(Reason.NO_PERMISSION, f"{place} could not be listed")


def is_valid_version(version: str) -> bool:
    """Whether a version follows PEP 440. The common forms cost no import."""
    if _PLAIN_VERSION.match(version):
        return True
    from packaging.version import InvalidVersion, Version

    try:
        Version(version)
    except InvalidVersion:
        return False
    return True


def _distributions(host: Host, folder: str, layer: str) -> Iterator[Found]:
    """What one entry of the search path holds, sorted by name."""
    names = host.list(folder)
    if isinstance(names, Unknown):
        if names.reason is Reason.NO_PERMISSION:
            yield Found(folder, folder, "unreadable", layer, ())
        return
    for name in names or ():
        path = f"{folder}/{name}"
        if name.endswith(".dist-info"):
            files = host.list(path)
            listed = files if isinstance(files, tuple) else ()
            kind = "half-deleted" if name.startswith("~") else "dist-info"
            yield Found(path, folder, kind, layer, listed)
        elif name.endswith(".egg-info"):
            yield Found(path, folder, "egg-info", layer, ())
        elif name.endswith(".egg-link"):
            yield Found(path, folder, "egg-link", layer, ())


def _metadata(host: Host, found: Found) -> Metadata | str:
    """A distribution's name and version, or what is wrong with it."""
    if found.kind == "unreadable":
        return "the folder could not be listed: no permission"
    if found.kind == "half-deleted":
        return "a removal that was not finished"
    if found.kind == "dist-info" and not found.files:
        return "an empty dist-info folder"
    for path in _metadata_paths(host, found):
        raw = host.read(path, limit=_METADATA_START_BYTES)
        if isinstance(raw, Unknown):
            return f"its metadata could not be read: {raw}"
        if raw is None:
            continue
        metadata = parse_metadata(raw)
        if metadata is None and len(raw) == _METADATA_START_BYTES:
            whole = host.read(path, limit=_METADATA_LIMIT_BYTES)
            metadata = parse_metadata(whole) if isinstance(whole, bytes) else None
        return metadata or "its metadata names no name and version"
    return "no metadata"


def _metadata_paths(host: Host, found: Found) -> tuple[str, ...]:
    if found.kind == "dist-info":
        return (f"{found.path}/METADATA",)
    if found.kind == "egg-info":
        return (f"{found.path}/PKG-INFO", found.path)
    link = host.read(found.path, limit=_METADATA_START_BYTES)
    if not isinstance(link, bytes):
        return ()
    source = link.decode("utf-8", "surrogateescape").split("\n", 1)[0].strip()
    stem = found.path.rpartition("/")[2][: -len(".egg-link")]
    return (
        f"{source}/{stem}.egg-info/PKG-INFO",
        f"{source}/{stem.replace('-', '_')}.egg-info/PKG-INFO",
    )


Digests = Callable[[], "Mapping[str, Fact[str | None]]"]


def _start_digests(look: Look, seen: Sequence[Found]) -> Digests:
    """Start the second process over every RECORD; its answers are by the path of the dist-info."""
    stating = [each.path for each in seen if "RECORD" in each.files]
    contents: dict[str, Fact[str | None]] = dict.fromkeys(each.path for each in seen)
    if not look.options.digests:
        lost = Unknown(Reason.NOT_ASKED, "left out with --no-digests")
        return lambda: contents | dict.fromkeys(stating, lost)
    pending = look.host.stated_digests([f"{path}/RECORD" for path in stating])

    def answers() -> Mapping[str, Fact[str | None]]:
        return contents | {
            path: digest.content for path, digest in zip(stating, pending(), strict=True)
        }

    return answers


def _describe(
    look: Look, each: _Read, owners: Mapping[str, CondaRecord], places: Mapping[str, str]
) -> Package:
    """One distribution as its files tell it; its digest is still being computed."""
    found, metadata = each
    conda = owners.get(found.path.rpartition("/")[2])
    installer = _installer(look.host, found)
    origin = _origin(look, found, conda, installer)
    wheel = look.host.read(f"{found.path}/WHEEL") if "WHEEL" in found.files else None
    tags, build = parse_wheel(wheel) if isinstance(wheel, bytes) else (wheel, wheel)
    return Package(
        name=metadata.name,
        version=metadata.version,
        version_valid=is_valid_version(metadata.version),
        active=False,
        layer=found.layer,
        location=places[found.folder],
        installer=installer,
        requested=_requested(found, installer),
        origin=origin,
        tags=tags,
        build=build,
        content=None,
        evidence="version",
        conda=conda,
    )


def _installer(host: Host, found: Found) -> Fact[str | None]:
    if "INSTALLER" not in found.files:
        return None
    raw = host.read(f"{found.path}/INSTALLER", limit=256)
    if not isinstance(raw, bytes):
        return raw
    return raw.decode("utf-8", "replace").split("\n", 1)[0].strip()[:64] or None


def _requested(found: Found, installer: Fact[str | None]) -> Fact[bool]:
    if "REQUESTED" in found.files:
        return True
    if isinstance(installer, str) and installer in _KEEP_REQUESTED:
        return False
    return Unknown(Reason.NOT_SUPPORTED, "its installer does not record what was asked for")


def _origin(
    look: Look, found: Found, conda: CondaRecord | None, installer: Fact[str | None]
) -> Origin:
    if conda is not None:
        # A direct_url.json here is conda-build's own working folder, of no use to anybody.
        return Origin(kind="conda", url=conda.url)
    if found.kind == "egg-link":
        return Origin(kind="editable")
    if "direct_url.json" in found.files:
        raw = look.host.read(f"{found.path}/direct_url.json", limit=65536)
        if isinstance(raw, bytes):
            return direct_url(raw, look.anchors)
        return Origin(kind="unknown", url=raw)
    if found.layer == "distro":
        return Origin(kind="distribution")
    return Origin(kind="index" if isinstance(installer, str) else "unknown")


def _finished(
    drafts: Sequence[Package], digests: Sequence[Fact[str | None]]
) -> tuple[Package, ...]:
    """The drafts with their digests, the first of each name on the path marked active, sorted."""
    seen: set[str] = set()
    done: list[tuple[str, bool, int, Package]] = []
    for position, (draft, content) in enumerate(zip(drafts, digests, strict=True)):
        name = canonical_name(draft.name)
        active = name not in seen
        seen.add(name)
        whole = replace(draft, active=active, content=content, evidence=_evidence(draft, content))
        done.append((name, not active, position, whole))
    return tuple(row[3] for row in sorted(done, key=lambda row: row[:3]))


def _evidence(package: Package, content: Fact[str | None]) -> str:
    """The strongest identity there is of a distribution, by its name."""
    origin = package.origin
    proofs: tuple[tuple[str, object], ...] = (
        ("conda", package.conda.sha256 if package.conda else None),
        ("archive", origin.archive_hash),
        ("vcs", origin.commit),
        ("content", content),
        ("distribution", "yes" if origin.kind == "distribution" else None),
    )
    return next((name for name, proof in proofs if isinstance(proof, str)), "version")
