"""The installed distributions, read from their files; nothing of theirs is imported."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from envsnap._typing import NamedTuple
from envsnap.host import Host
from envsnap.manifest import canonical_name
from envsnap.probes._conda import below, conda_records
from envsnap.probes._dist_info import Found, Metadata, direct_url, parse_wheel, source_folder
from envsnap.probes._dpkg import owners
from envsnap.probes._draft import Draft, Told
from envsnap.probes._evidence import evidence
from envsnap.probes._index_hint import index_hint
from envsnap.probes._interpreter import Entry, Interpreter
from envsnap.probes._registry import Look, NeedsError, probe
from envsnap.probes._search import metadata, read, search
from envsnap.probes._source_tree import rank, with_trees, without_leavings
from envsnap.sections import (
    NOT_VERIFIED,
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
_KEEP_REQUESTED = frozenset({"pip", "uv"})


class _Named(NamedTuple):
    """A distribution whose name and version could be read."""

    found: Found
    metadata: Metadata


@probe(Packages)
def probe_packages(look: Look) -> Packages:
    """Every distribution on the interpreter's path, the shadowed ones marked."""
    interpreter = look.interpreter
    if isinstance(interpreter, Unknown):
        raise NeedsError(interpreter)
    seen = search(look.host, interpreter.entries)
    digests = _start_digests(look, seen, interpreter)
    named, broken = _parted(look, seen)
    records, conda_only = conda_records(look, interpreter.prefix)
    owned = {
        each.found.path: record
        for each in named
        if records and (record := records.get(below(each.found.path, interpreter.prefix)))
    }
    drafts = with_trees(look, without_leavings(_drafts(look, named, owned)))
    finished = _finished(_with_owners(look.host, tuple(drafts)), digests(), interpreter.entries)
    closed = next((each for each in seen if _hides_the_environment(each)), None)
    return Packages(
        installed=finished if closed is None else _not_listed(look.anchors.anchor(closed.path)),
        conda_only=conda_only,
        broken=broken,
    )


def _parted(look: Look, seen: Sequence[Found]) -> tuple[list[_Named], tuple[Broken, ...]]:
    """Those with a name and a version, and those without: one never costs the others."""
    named: list[_Named] = []
    broken: list[Broken] = []
    for found in seen:
        outcome = metadata(look.host, found)
        if isinstance(outcome, Metadata):
            named.append(_Named(found, outcome))
        else:
            broken.append(Broken(location=look.anchors.anchor(found.path), why=outcome))
    return named, tuple(sorted(broken, key=lambda each: each.location))


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


Digests = Callable[[], Mapping[str, Told]]


def _start_digests(look: Look, seen: Sequence[Found], interpreter: Interpreter) -> Digests:
    """Start the second process over every RECORD; its answers are by the path of the dist-info."""
    if look.options.verify:
        from envsnap.probes._verified import start_verifying

        return start_verifying(look, interpreter, seen)
    stating = [each.path for each in seen if "RECORD" in each.files and each.kind == "dist-info"]
    contents = dict.fromkeys((each.path for each in seen), Told(None))
    if not look.options.digests:
        why = Unknown(Reason.NOT_ASKED, "left out with --no-digests")
        lost = Told(why, outside=why)
        return lambda: contents | dict.fromkeys(stating, lost)
    pending = look.host.stated_digests([f"{path}/RECORD" for path in stating])

    def answers() -> Mapping[str, Told]:
        return contents | {
            path: Told(digest.content, outside=digest.outside)
            for path, digest in zip(stating, pending(), strict=True)
        }

    return answers


def _drafts(look: Look, named: Sequence[_Named], owned: Mapping[str, CondaRecord]) -> list[Draft]:
    places = {each.found.folder for each in named}
    anchored = {folder: look.anchors.anchor(folder) for folder in places}
    return [
        _describe(look, each, owned.get(each.found.path), anchored[each.found.folder])
        for each in named
    ]


def _describe(look: Look, each: _Named, conda: CondaRecord | None, location: str) -> Draft:
    """One distribution as its files tell it; its digest is still being computed."""
    found, known = each
    installer = _installer(look.host, found)
    origin, source = _origin(look, each, conda, installer)
    wheel = read(look.host, found, "WHEEL")
    tags, build = parse_wheel(wheel) if isinstance(wheel, bytes) else (wheel, wheel)
    package = Package(
        name=known.name,
        version=known.version,
        version_valid=is_valid_version(known.version),
        active=False,
        layer=found.layer,
        location=location,
        installer=installer,
        requested=_requested(found, installer),
        origin=origin,
        tags=tags,
        build=build,
        built_here=origin.kind == "index" and _is_built_here(found, known.version, tags),
        content=None,
        evidence="version",
        conda=conda,
    )
    return Draft(found, package, source)


def _is_built_here(found: Found, version: str, tags: Fact[tuple[str, ...] | None]) -> bool:
    """Whether its files prove that its wheel came from no index, but from a source of one.

    uv says so. The tag `linux_x86_64` does, which indexes refuse; only PyTorch's own have it, with
    local versions. A pure wheel that pip built tells nothing.
    """
    if "uv_build.json" in found.files:
        return True
    plain = isinstance(tags, tuple) and any("-linux_" in tag for tag in tags)
    return plain and "+" not in version


def _installer(host: Host, found: Found) -> Fact[str | None]:
    raw = read(host, found, "INSTALLER", limit=256)
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
    look: Look, each: _Named, conda: CondaRecord | None, installer: Fact[str | None]
) -> tuple[Origin, str | None]:
    """Where it was installed from, and the folder on this machine if it was one."""
    found = each.found
    if conda is not None:
        # A direct_url.json here is conda-build's own working folder, of no use to anybody.
        return Origin(kind="conda", url=conda.url), None
    if found.kind == "egg-link":
        url = f"file://{look.anchors.anchor(found.project)}"
        return Origin(kind="editable", url=url), found.project
    if "direct_url.json" in found.files:
        raw = read(look.host, found, "direct_url.json")
        if isinstance(raw, bytes):
            return direct_url(raw, look.anchors), source_folder(raw)
        return Origin(kind="unknown", url=raw), None
    by_hand = isinstance(installer, str) and installer in _KEEP_REQUESTED
    if found.layer == "distro" and not by_hand:
        return Origin(kind="distribution"), None
    hint = index_hint(each.metadata.name, each.metadata.version)
    return Origin(kind="index" if isinstance(installer, str) else "unknown", index_hint=hint), None


def _with_owners(host: Host, drafts: Sequence[Draft]) -> Sequence[Draft]:
    """The drafts, those in the system's own folders with the package that brought them."""
    asked = [each.found.path for each in drafts if each.package.layer == "distro"]
    brought = owners(host, asked)
    return [
        each._replace(package=replace(each.package, origin=Origin(kind="distribution", url=url)))
        if (url := brought.get(each.found.path))
        else each
        for each in drafts
    ]


def _finished(
    drafts: Sequence[Draft],
    digests: Mapping[str, Told],
    entries: Sequence[Entry],
) -> tuple[Package, ...]:
    """The packages with their digests, sorted; of each name the one that import uses is active."""
    copies: dict[str, list[Draft]] = {}
    for draft in drafts:
        copies.setdefault(canonical_name(draft.package.name), []).append(draft)
    done: list[Package] = []
    for _, same in sorted(copies.items()):
        if len(same) > 1:
            same.sort(key=lambda each: rank(each, entries))
        for at, draft in enumerate(same):
            content, changes, outside = digests[draft.found.path]
            known = draft.package
            known = known if changes is NOT_VERIFIED else replace(known, changes=changes)
            proof = evidence(known, content)
            done.append(
                replace(known, active=at == 0, content=content, outside=outside, evidence=proof)
            )
    return tuple(done)
