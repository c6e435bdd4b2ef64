"""Lock files of Python projects: uv.lock, poetry.lock, Pipfile.lock and pylock.toml."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from envsnap._typing import Any
from envsnap.errors import ManifestError, MissingExtraError
from envsnap.imports._core import Text, Told, reader
from envsnap.imports._gathered import few
from envsnap.imports._listed import listed, packages
from envsnap.imports._target import Target, target
from envsnap.imports._uv_lock import wanted
from envsnap.lock import _toml
from envsnap.lock._redact import redacted
from envsnap.probes._urls import clean_url
from envsnap.sections import Origin, Package

Tree = Mapping[str, Any]

_LONGEST_REASON = 200


@reader("uv.lock", "uv.lock", is_strict=True)
def read_uv(text: Text) -> Told | None:
    """The project's dependencies and its group dev, as `uv sync` installs them."""
    tree = _toml_of(text.text)
    rows = _rows(tree, "package")
    if not rows or not any("source" in each for each in rows) or "version" not in tree:
        return None
    where = target(text, _word(tree, "requires-python"))
    chosen = wanted(rows, where)
    found = [
        listed(each["name"], each["version"], origin=_uv_origin(each), installer="uv")
        for each in chosen.rows
    ]
    return _told("uv.lock", found, where, chosen.notes)


@reader("poetry.lock", "poetry.lock", is_strict=True)
def read_poetry(text: Text) -> Told | None:
    """Each package that is not optional and is for that platform and Python."""
    tree = _toml_of(text.text)
    metadata = tree.get("metadata")
    if not isinstance(metadata, dict) or not _word(metadata, "content-hash"):
        return None
    where = target(text, _poetry_pythons(_word(metadata, "python-versions")))
    rows = _named(_rows(tree, "package"))
    optional = sorted({each["name"] for each in rows if each.get("optional") is True})
    kept = [each for each in rows if each.get("optional") is not True and _is_for(each, where)]
    found = [listed(each["name"], each["version"], origin=_poetry_origin(each)) for each in kept]
    notes = [f"left out what is optional: {few(optional)}"] if optional else []
    return _told("poetry.lock", found, where, notes)


@reader("Pipfile.lock", "Pipfile.lock", is_strict=True)
def read_pipfile(text: Text) -> Told | None:
    """The group default; develop is left out, as `pipenv sync` does."""
    tree = _json_of(text.text)
    meta, rows = tree.get("_meta"), tree.get("default")
    if not isinstance(meta, dict) or not isinstance(rows, dict) or "pipfile-spec" not in meta:
        return None
    asked = meta.get("requires")
    full = _word(asked, "python_full_version") or _word(asked, "python_version")
    where = target(text._replace(python=text.python or full))
    kept = {
        name: each
        for name, each in rows.items()
        if isinstance(each, dict) and where.holds(_word(each, "markers"))
    }
    found = [
        listed(name, version, origin=_pipfile_origin(each))
        for name, each in kept.items()
        if (version := (_word(each, "version") or "").removeprefix("=="))
    ]
    loose = [name for name, each in kept.items() if not _word(each, "version")]
    more = tree.get("develop")
    notes = [f"left out the group develop: {few(more)}"] if isinstance(more, dict) and more else []
    notes += [f"no version is told of {few(loose)}"] if loose else []
    return _told("Pipfile.lock", found, where, notes, is_whole=not loose)


@reader("pylock.toml", "pylock.toml", "pylock.*.toml", is_strict=True)
def read_pylock(text: Text) -> Told | None:
    """The packages of a lock by PEP 751, by the library of the Python packaging project."""
    tree = _toml_of(text.text)
    if "lock-version" not in tree or "created-by" not in tree:
        return None
    try:
        from packaging.pylock import Pylock, PylockValidationError
    except ImportError:
        raise MissingExtraError("packaging>=26", "all") from None
    try:
        lock = Pylock.from_dict(tree)
    except PylockValidationError as error:
        raise ManifestError(
            f"{text.name}: It has the fields of a pylock.toml and is no valid one: "
            f"{redacted(str(error))[:_LONGEST_REASON]}"
        ) from None
    where = target(text, str(lock.requires_python or ""))
    groups = {"extras": frozenset[str](), "dependency_groups": frozenset(lock.default_groups or ())}
    kept = [
        each
        for each in lock.packages
        if each.marker is None
        or each.marker.evaluate({**where.environment, **groups}, context="lock_file")
    ]
    found = [
        listed(each.name, str(each.version), origin=_pylock_origin(each))
        for each in kept
        if each.version is not None
    ]
    loose = [each.name for each in kept if each.version is None]
    notes = [f"no version is told of {few(loose)}"] if loose else []
    return _told("pylock.toml", found, where, notes, is_whole=not loose)


def _told(
    form: str,
    found: Iterable[Package],
    where: Target,
    notes: Iterable[str],
    *,
    is_whole: bool = True,
) -> Told | None:
    """What a lock tells. Locks of Python projects leave conda out."""
    every = tuple(found)
    if not every:
        return None
    said = (*notes, f"read for Python {where.chosen} on {where.environment['platform_system']}")
    section = packages(every, is_whole=is_whole, conda_only=())
    return Told(form, {"packages": section}, notes=said)


def _uv_origin(row: Tree) -> Origin:
    source = row.get("source")
    where = source if isinstance(source, dict) else {}
    if git := _word(where, "git"):
        place, _, commit = git.partition("#")
        return Origin(
            kind="vcs", vcs="git", url=clean_url(place), commit=commit or None,
            revision=_asked_of(place),
        )  # fmt: skip
    if url := _word(where, "url"):
        return _archive(url, _word(row.get("sdist"), "hash") or _only_hash(_rows(row, "wheels")))
    if "editable" in where:
        return Origin(kind="editable", url="{project}")
    if "directory" in where or "path" in where:
        return Origin(kind="directory", url="{other}")
    files = [*_rows(row, "wheels"), *([row["sdist"]] if isinstance(row.get("sdist"), dict) else [])]
    return Origin(kind="index", archive_hash=_hash(_only_hash(files)))


def _asked_of(place: str) -> str | None:
    """The tag, branch or revision in the query of uv's address of a repository."""
    from urllib.parse import parse_qs, urlsplit

    try:
        asked = parse_qs(urlsplit(place).query)
    except ValueError:
        return None
    return next((asked[key][0] for key in ("tag", "branch", "rev") if key in asked), None)


def _poetry_origin(row: Tree) -> Origin:
    source = row.get("source")
    kind, url = _word(source, "type"), _word(source, "url")
    if kind == "git" and url:
        return Origin(
            kind="vcs", vcs="git", url=clean_url(url), commit=_word(source, "resolved_reference"),
            revision=_word(source, "reference"),
        )  # fmt: skip
    only = _only_hash(_rows(row, "files"))
    if kind == "url" and url:
        return _archive(url, only)
    if kind in {"directory", "file"}:
        return Origin(kind="directory", url="{other}")
    return Origin(kind="index", archive_hash=_hash(only))


def _is_for(row: Tree, where: Target) -> bool:
    """Whether a row of poetry.lock is for that Python and platform."""
    marker = row.get("markers")
    said = marker if isinstance(marker, str) else _word(marker, "main")
    pythons = _poetry_pythons(_word(row, "python-versions"))
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        is_python = SpecifierSet(pythons or "").contains(f"{where.chosen}.99")
    except InvalidSpecifier:
        is_python = True
    return is_python and where.holds(said)


def _poetry_pythons(said: str | None) -> str | None:
    """Poetry's `*` is the empty requirement; its `^` has none of its own outside pyproject."""
    return None if said in {None, "*"} else said


def _pipfile_origin(row: Tree) -> Origin:
    if git := _word(row, "git"):
        return Origin(kind="vcs", vcs="git", url=clean_url(git), commit=_word(row, "ref"))
    if "path" in row:
        return Origin(kind="editable" if row.get("editable") else "directory", url="{other}")
    hashes = row.get("hashes")
    only = hashes[0] if isinstance(hashes, list) and len(hashes) == 1 else None
    return Origin(kind="index", archive_hash=_hash(only))


def _pylock_origin(each: Any) -> Origin:  # noqa: ANN401 - packaging.pylock.Package of any version
    if each.vcs is not None:
        return Origin(
            kind="vcs", vcs=each.vcs.type, url=each.vcs.url and clean_url(each.vcs.url),
            commit=each.vcs.commit_id, revision=each.vcs.requested_revision,
        )  # fmt: skip
    if each.directory is not None:
        return Origin(kind="editable" if each.directory.editable else "directory", url="{other}")
    if each.archive is not None:
        sha256 = each.archive.hashes.get("sha256")
        return _archive(each.archive.url or "", sha256 and f"sha256:{sha256}")
    files = [*(each.wheels or ()), *([each.sdist] if each.sdist else [])]
    sha256 = files[0].hashes.get("sha256") if len(files) == 1 else None
    return Origin(kind="index", archive_hash=sha256 and f"sha256={sha256}")


def _archive(url: str, stated: str | None) -> Origin:
    address = clean_url(url).partition("#")[0] if "://" in url else "{other}"
    return Origin(kind="archive", url=address, archive_hash=_hash(stated))


def _only_hash(files: Iterable[Tree]) -> str | None:
    """The hash of the one file that there is; among several nobody says which was taken."""
    every = [_word(each, "hash") for each in files]
    return every[0] if len(every) == 1 else None


def _hash(stated: object) -> str | None:
    """A hash as origins write it: 'sha256=<hex>'."""
    if not isinstance(stated, str):
        return None
    name, _, value = stated.partition(":")
    return f"{name}={value}" if value.isalnum() else None


def _named(rows: Iterable[Tree]) -> list[Tree]:
    return [each for each in rows if _word(each, "name") and _word(each, "version")]


def _rows(tree: object, key: str) -> list[Tree]:
    rows = tree.get(key) if isinstance(tree, dict) else None
    return [each for each in rows if isinstance(each, dict)] if isinstance(rows, list) else []


def _word(tree: object, key: str) -> str | None:
    value = tree.get(key) if isinstance(tree, dict) else None
    return value if isinstance(value, str) and value else None


def _toml_of(text: str) -> Tree:
    """The document; empty where it is no TOML."""
    if "=" not in text or text.lstrip().startswith("{"):
        return {}
    try:
        return _toml.loads(text)
    except (ValueError, RecursionError):
        return {}


def _json_of(text: str) -> Tree:
    """The object; empty where it is none."""
    try:
        tree = json.loads(text) if text.lstrip().startswith("{") else {}
    except (ValueError, RecursionError):
        return {}
    return tree if isinstance(tree, dict) else {}
