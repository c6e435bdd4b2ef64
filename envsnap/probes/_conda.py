"""conda's own records of what it installed (conda-meta)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from envsnap.probes._registry import Look
from envsnap.probes._urls import clean_url
from envsnap.sections import CondaRecord, Fact, Reason, Unknown

_METADATA_FILES = ("/METADATA", "/PKG-INFO")


def conda_records(
    look: Look, prefix: str
) -> tuple[Mapping[str, CondaRecord], Fact[tuple[CondaRecord, ...]]]:
    """What conda owns in an environment.

    First the records by the dist-info folder's name that they brought, then the records of
    packages that are no Python distributions, sorted by name.
    """
    names = look.host.list(f"{prefix}/conda-meta")
    if isinstance(names, Unknown):
        return {}, names
    owners: dict[str, CondaRecord] = {}
    others: list[CondaRecord] = []
    for name in names or ():
        if not name.endswith(".json"):
            continue
        raw = look.host.read(f"{prefix}/conda-meta/{name}")
        record, folders = parse_record(raw, name) if isinstance(raw, bytes) else (None, ())
        if record is None:
            continue
        owners.update(dict.fromkeys(folders, record))
        if not folders:
            others.append(record)
    return owners, tuple(sorted(others, key=lambda each: (each.name, each.version)))


def parse_record(raw: bytes, file_name: str) -> tuple[CondaRecord | None, tuple[str, ...]]:
    """One record, and the names of the dist-info folders that its package brought."""
    try:
        tree = json.loads(raw)
    except (ValueError, RecursionError):
        return None, ()
    if not isinstance(tree, dict) or not isinstance(tree.get("name"), str):
        return None, ()
    record = CondaRecord(
        name=tree["name"],
        version=_text(tree, "version") or file_name,
        build=_text(tree, "build") or Unknown(Reason.NOT_RECORDED, "conda-meta has no build"),
        channel=_url(tree, "channel"),
        subdir=_text(tree, "subdir"),
        url=_url(tree, "url"),
        md5=_text(tree, "md5"),
        sha256=_text(tree, "sha256"),
    )
    files = tree.get("files")
    return record, tuple(_folders(files)) if isinstance(files, list) else ()


def _folders(files: list[object]) -> set[str]:
    """The dist-info and egg-info folders among a package's files."""
    return {
        path.rsplit("/", 2)[-2]
        for path in files
        if isinstance(path, str)
        and path.endswith(_METADATA_FILES)
        and path.rsplit("/", 2)[-2].endswith((".dist-info", ".egg-info"))
    }


def _text(tree: Mapping[str, object], key: str) -> str | None:
    value = tree.get(key)
    return value if isinstance(value, str) and value else None


def _url(tree: Mapping[str, object], key: str) -> str | None:
    value = _text(tree, key)
    return clean_url(value) if value and "://" in value else value
