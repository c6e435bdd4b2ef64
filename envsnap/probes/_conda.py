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

    First the records by the dist-info folder or egg that they brought, as a path from the
    environment's folder: pip may put a copy of the same name and version elsewhere. Then the
    records of packages that are no Python distributions, or whose distributions pip has replaced,
    sorted by name.
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
        if record is None or not isinstance(raw, bytes):
            continue
        own = [each for each in folders if _is_still_its_own(look, prefix, each, raw)]
        owners.update(dict.fromkeys(own, record))
        if not own:
            others.append(record)
    return owners, tuple(sorted(others, key=lambda each: (each.name, each.version)))


def parse_record(raw: bytes, file_name: str) -> tuple[CondaRecord | None, tuple[str, ...]]:
    """One record, and the dist-info folders and eggs that its package brought."""
    try:
        tree = json.loads(raw)
    except (ValueError, RecursionError):
        return None, ()
    if not isinstance(tree, dict) or not isinstance(tree.get("name"), str):
        return None, ()
    from envsnap.inside import conda_files  # start-up: few environments are conda's

    record = CondaRecord(
        name=tree["name"],
        version=_text(tree, "version") or file_name,
        build=_text(tree, "build") or Unknown(Reason.NOT_RECORDED, "conda-meta has no build"),
        channel=_url(tree, "channel"),
        subdir=_text(tree, "subdir"),
        url=_url(tree, "url"),
        md5=_text(tree, "md5"),
        sha256=_text(tree, "sha256"),
        content=conda_files.digest_of(conda_files.files_of(tree)),
    )
    files = tree.get("files")
    return record, tuple(_folders(files)) if isinstance(files, list) else ()


def _is_still_its_own(look: Look, prefix: str, folder: str, raw: bytes) -> bool:
    """Whether what a conda package brought is there still, and not pip's of the same version.

    pip and uv leave their name as the installer. Old conda packages came with pip's name too: there
    conda's own hash of RECORD decides.
    """
    path = f"{prefix}/{folder}"
    if look.host.stat(path) is None:
        return False
    installer = look.host.read(f"{path}/INSTALLER", limit=256)
    if not isinstance(installer, bytes) or installer.strip() == b"conda":
        return True
    import hashlib  # start-up: few environments have such a package

    stated = _stated_hash(raw, f"{folder}/RECORD")
    rows = look.host.read(f"{path}/RECORD") if stated is not None else None
    return not isinstance(rows, bytes) or hashlib.sha256(rows).hexdigest() == stated


def _stated_hash(raw: bytes, path: str) -> str | None:
    """The SHA-256 that conda-meta states of an installed file; None where it states none."""
    tree = json.loads(raw)
    data = tree.get("paths_data")
    rows = data.get("paths") if isinstance(data, dict) else None
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and row.get("_path") == path:
            return _text(row, "sha256_in_prefix") or _text(row, "sha256")
    return None


def _folders(files: list[object]) -> set[str]:
    """The dist-info, egg-info and EGG-INFO folders and egg-info files among a package's files."""
    found = set()
    for path in files:
        if isinstance(path, str) and path.endswith(_METADATA_FILES):
            folder = path.rpartition("/")[0]
            if folder.endswith((".dist-info", ".egg-info", ".egg/EGG-INFO")):
                found.add(folder)
        elif isinstance(path, str) and path.endswith(".egg-info"):
            found.add(path)
    return found


def below(path: str, prefix: str) -> str:
    """A path from the environment's folder, as conda writes it; empty where it lies elsewhere.

    >>> below("/env/lib/python3.11/site-packages/a-1.dist-info", "/env")
    'lib/python3.11/site-packages/a-1.dist-info'
    """
    path, prefix = path.replace("\\", "/"), prefix.replace("\\", "/").rstrip("/")
    return path[len(prefix) + 1 :] if path.startswith(f"{prefix}/") else ""


def _text(tree: Mapping[str, object], key: str) -> str | None:
    value = tree.get(key)
    return value if isinstance(value, str) and value else None


def _url(tree: Mapping[str, object], key: str) -> str | None:
    value = _text(tree, key)
    return clean_url(value) if value and "://" in value else value
