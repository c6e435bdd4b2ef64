"""What lies on an interpreter's search path and looks like a distribution; nothing is imported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from envsnap.host import Host
from envsnap.probes._dist_info import Found, Metadata, parse_metadata
from envsnap.probes._interpreter import Entry
from envsnap.probes._zipped import zipped
from envsnap.sections import Fact, Reason, Unknown

_METADATA_START_BYTES = 1024
_METADATA_LIMIT_BYTES = 4 * 1024 * 1024
_SITES = ("/site-packages", "/dist-packages")
_INFOS = (".dist-info", ".egg-info")
_FAULTS = {
    "unreadable": "the folder could not be listed: no permission",
    "half-deleted": "a removal that was not finished",
    "no folder": "it is no folder",
}


def search(host: Host, entries: Sequence[Entry]) -> list[Found]:
    """What every entry of the search path holds, in the order in which import looks."""
    return [
        found
        for entry in _once_each(host, entries)
        for found in distributions(host, entry.path, entry.layer)
    ]


def _once_each(host: Host, entries: Sequence[Entry]) -> Iterator[Entry]:
    """The entries, less those that lead where an earlier one did: lib64 is often a link to lib."""
    seen: set[str] = set()
    for entry in entries:
        real = host.real(entry.path)
        place = real if isinstance(real, str) else entry.path
        if place not in seen:
            seen.add(place)
            yield entry


def distributions(host: Host, folder: str, layer: str) -> Iterator[Found]:
    """What one entry of the search path holds, sorted by name."""
    names = host.list(folder)
    if isinstance(names, Unknown):
        if names.reason is Reason.NO_PERMISSION:
            yield Found(folder, folder, "unreadable", layer, ())
        return
    if names is None:
        yield from zipped(host, folder, layer)
        return
    is_site = folder.endswith(_SITES)
    for name in names:
        path = f"{folder}/{name}"
        if name.startswith("~") and (is_site or name.endswith(_INFOS)):
            yield Found(path, folder, "half-deleted", layer, ())
        elif name.endswith(".dist-info"):
            yield _dist_info(host, path, folder, layer)
        elif name.endswith(".egg-info"):
            yield Found(path, folder, "egg-info", layer, ())
        elif name.endswith(".egg-link"):
            yield _egg_link(host, Found(path, folder, "egg-link", layer, ()))
        elif name == "EGG-INFO" and folder.endswith(".egg"):
            yield Found(path, folder, "egg", layer, ())


def _dist_info(host: Host, path: str, folder: str, layer: str) -> Found:
    files = host.list(path)
    if isinstance(files, tuple):
        return Found(path, folder, "dist-info", layer, files)
    if files is None:
        return Found(path, folder, "no folder", layer, ())
    return Found(path, folder, "unopened", layer, (), f"it could not be listed: {files}")


def _egg_link(host: Host, found: Found) -> Found:
    """The link with the folder that it leads to, and the one of its setup.py."""
    raw = host.read(found.path, limit=_METADATA_START_BYTES)
    if not isinstance(raw, bytes):
        return found
    source, _, up = raw.decode("utf-8", "surrogateescape").partition("\n")
    source = source.strip().rstrip("/")
    levels = up.strip().rstrip("/").split("/").count("..")
    project = source.rsplit("/", levels)[0] if 0 < levels < source.count("/") else source
    return found._replace(source=source, project=project)


def metadata(host: Host, found: Found) -> Metadata | str:
    """A distribution's name and version, or what is wrong with it."""
    fault = _fault(host, found)
    if fault:
        return fault
    for path in _metadata_paths(found):
        raw = found.held.get(path) or host.read(path, limit=_METADATA_START_BYTES)
        if isinstance(raw, Unknown):
            return f"its metadata could not be read: {raw}"
        if raw is None:
            continue
        parsed = parse_metadata(raw)
        if parsed is None and len(raw) == _METADATA_START_BYTES:
            whole = host.read(path, limit=_METADATA_LIMIT_BYTES)
            parsed = parse_metadata(whole) if isinstance(whole, bytes) else None
        return parsed or "its metadata names no name and version"
    return "no metadata"


def _fault(host: Host, found: Found) -> str | None:
    """What is wrong with it before its metadata is read."""
    if found.kind == "unopened":
        return found.source
    if found.kind == "dist-info" and not found.files:
        return "an empty dist-info folder"
    if found.kind == "egg-link" and found.source and host.stat(found.source) is None:
        return "it leads to a folder that is gone"
    return _FAULTS.get(found.kind)


def _metadata_paths(found: Found) -> tuple[str, ...]:
    if found.kind in {"dist-info", "zip"}:
        name = "PKG-INFO" if found.path.endswith("/EGG-INFO") else "METADATA"
        return (f"{found.path}/{name}",)
    if found.kind == "egg-link":
        return tuple(f"{path}/PKG-INFO" for path in linked_metadata(found))
    return (f"{found.path}/PKG-INFO", *((found.path,) if found.kind == "egg-info" else ()))


def linked_metadata(found: Found) -> tuple[str, ...]:
    """Where the metadata of an egg-link may lie: with the name as it is, and as files write it."""
    if not found.source:
        return ()
    stem = found.path.rpartition("/")[2].removesuffix(".egg-link")
    names = dict.fromkeys((stem, stem.replace("-", "_")))
    return tuple(f"{found.source}/{name}.egg-info" for name in names)


def read(host: Host, found: Found, name: str, *, limit: int = 65536) -> Fact[bytes | None]:
    """A small file of a dist-info folder, wherever that lies; None where it has none."""
    path = f"{found.path}/{name}"
    if name not in found.files:
        return None
    return found.held[path] if path in found.held else host.read(path, limit=limit)
