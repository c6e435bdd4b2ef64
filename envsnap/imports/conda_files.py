"""Files from which conda and pixi make an environment: environment.yml and their locks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from envsnap._typing import Any, TypeVar
from envsnap.errors import ManifestError, MissingExtraError
from envsnap.imports._conda import conda_section, of_archive, record_of
from envsnap.imports._core import Text, Told, reader
from envsnap.imports._gathered import few, gathered
from envsnap.imports._listed import listed
from envsnap.imports._requirement import parse
from envsnap.imports._target import PLATFORMS, target
from envsnap.lock._redact import redacted
from envsnap.sections import CondaRecord, Origin, Package

T = TypeVar("T")

_MERGED = re.compile(r"(?:^|[\s{,])<<\s*:", re.MULTILINE)
_ANCHOR = re.compile(r"(?:^|[\s\[,{])&\w+(?=[\s\[{]|\Z)", re.MULTILINE)
_ENVIRONMENT = re.compile(r"^dependencies:\s*(?:#.*)?$", re.MULTILINE)
_LOCKED = re.compile(r"^package:\s*$", re.MULTILINE)
_PIXI = re.compile(r"^environments:\s*$", re.MULTILINE)
_SPEC = re.compile(
    r"(?:(?P<channel>[\w./:-]+)::)?(?P<name>[A-Za-z0-9_][\w.-]*)\s*"
    r"(?:(?P<sign>==?)\s*(?P<version>[^=<>!,|*\s\[]+)(?:=(?P<build>[^=\s\[]+))?)?\Z"
)
_LONGEST_REASON = 200
_WHOLE_PARTS = 3
"""A version with a patch level: `=1.26.4` admits no other release of it."""


@reader("environment.yml", "environment*.y*ml", "*env.y*ml", is_strict=True)
def read_environment(text: Text) -> Told | None:
    """The packages that an environment.yml pins; its prefix, which names a folder, is dropped."""
    if not _ENVIRONMENT.search(text.text) or _LOCKED.search(text.text):
        return None
    tree = _yaml(text)
    rows = tree.get("dependencies") if isinstance(tree, dict) else None
    if not isinstance(rows, list):
        return None
    of_pip = [line for each in rows if isinstance(each, dict) for line in _strings(each.get("pip"))]
    found = gathered(parse(of_pip, target(text), kind="index"))
    is_exported = "prefix" in tree
    pinned: list[CondaRecord] = []
    loose: list[str] = list(found.loose)
    for spec in _strings(rows):
        record = _pinned(spec, is_exported=is_exported)
        if record is None:
            loose.append(spec)
        else:
            pinned.append(record)
    if not (pinned or found.pinned or loose):
        return None
    sections = conda_section(pinned, found.pinned, is_whole=False)
    return Told(
        "environment.yml", sections, found.not_read, found._replace(loose=tuple(loose)).notes
    )


@reader("conda-lock.yml", "*conda-lock*.y*ml", is_strict=True)
def read_conda_lock(text: Text) -> Told | None:
    """What a conda-lock.yml locks for one platform, as conda-lock's own library reads it."""
    if not _LOCKED.search(text.text) or "metadata:" not in text.text:
        return None
    _refuse_merging(text)
    try:
        read = _library()
    except ImportError:
        raise MissingExtraError("conda-lock", "conda") from None
    lock = _from_file(text, "conda-lock.yml", read)
    rows = [each for each in lock.package if each.platform == text.platform]
    others = sorted({str(each.platform) for each in lock.package} - {text.platform})
    _refuse_without(rows, others, text)
    records = [each for each in map(_conda_locked, rows) if each is not None]
    of_pip = [
        listed(each.name, each.version, origin=Origin(kind="index"))
        for each in rows
        if each.manager == "pip"
    ]
    return Told("conda-lock.yml", conda_section(records, of_pip), notes=_platforms(text, others))


@reader("pixi.lock", "pixi.lock", is_strict=True)
def read_pixi(text: Text) -> Told | None:
    """What a pixi.lock locks for one platform in its default environment."""
    if not _PIXI.search(text.text) or not re.match(r"\s*version:\s*\d", text.text):
        return None
    _refuse_merging(text)
    try:
        from rattler import LockFile
    except ImportError:
        raise MissingExtraError("py-rattler", "conda") from None
    lock = _from_file(text, "pixi.lock", LockFile.from_path)
    named = dict(lock.environments())
    chosen = "default" if "default" in named else min(named, default="")
    if not chosen:
        return None
    by_platform = {str(each.name): each for each in named[chosen].platforms()}
    rows: list[Any] = []
    if text.platform in by_platform:
        rows = list(named[chosen].packages(by_platform[text.platform]) or ())
    others = sorted(by_platform.keys() - {text.platform})
    _refuse_without(rows, others, text)
    pairs = [_pixi_locked(each) for each in rows]
    records = [each for each in pairs if isinstance(each, CondaRecord)]
    of_pip = [each for each in pairs if isinstance(each, Package)]
    left = sorted(named.keys() - {chosen})
    notes = (
        *_platforms(text, others),
        *((f"left out the environments {few(left)}",) if left else ()),
    )
    return Told("pixi.lock", conda_section(records, of_pip), notes=notes)


def _pinned(spec: str, *, is_exported: bool) -> CondaRecord | None:
    """The version that a line of environment.yml pins; None where it admits several.

    With one `=` conda takes any version that begins so; an exported file means the very one.
    """
    found = _SPEC.match(spec.strip())
    if found is None or not found["version"]:
        return None
    is_exact = (
        found["sign"] == "==" or found["build"] or is_exported
        or len(found["version"].split(".")) >= _WHOLE_PARTS
    )  # fmt: skip
    if not is_exact:
        return None
    return record_of(found["name"], found["version"], found["build"], channel=found["channel"])


def _library() -> Callable[[Any], Any]:
    import warnings
    from importlib import import_module

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what it brings along: nobody here can mend them
        read: Callable[[Any], Any] = import_module("conda_lock.lockfile").parse_conda_lock_file
    return read


def _conda_locked(row: Any) -> CondaRecord | None:  # noqa: ANN401 - conda_lock's model
    if row.manager != "conda":
        return None
    record = of_archive(row.url, md5=row.hash.md5, sha256=row.hash.sha256)
    return record or record_of(row.name, row.version, row.build)


def _pixi_locked(row: Any) -> CondaRecord | Package:  # noqa: ANN401 - rattler's model
    hashes = row.hashes
    sha256 = hashes.sha256.hex() if hashes and hashes.sha256 else None
    if type(row).__name__.startswith("Conda"):
        md5 = hashes.md5.hex() if hashes and hashes.md5 else None
        record = of_archive(row.location, md5=md5, sha256=sha256)
        return record or record_of(str(row.name), str(row.version))
    return listed(
        str(row.name), str(row.version),
        origin=Origin(kind="index", archive_hash=sha256 and f"sha256={sha256}"),
    )  # fmt: skip


def _refuse_without(rows: Sequence[object], others: list[str], text: Text) -> None:
    if not rows:
        raise ManifestError(
            f"{text.name}: Locks nothing for {text.platform}",
            hint=f"Name one that it locks: --platform {(others or list(PLATFORMS))[0]}",
        )


def _platforms(text: Text, others: list[str]) -> tuple[str, ...]:
    return (f"read for {text.platform}, not {', '.join(others)}",) if others else ()


def _from_file(text: Text, name: str, read: Callable[[Any], T]) -> T:
    """What a library makes of the text; it takes files alone.

    Raises:
        ManifestError: It refuses the text.
    """
    import os
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory(prefix="envsnap-") as folder:
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8", errors="replace") as file:
            file.write(text.text)
        try:
            return read(Path(path))
        except Exception as error:  # noqa: BLE001 - each library has its own, and its parser's
            first = redacted(str(error).strip().partition("\n")[0])[:_LONGEST_REASON]
            raise ManifestError(f"{text.name}: No {name} that can be read: {first}") from None


def _yaml(text: Text) -> Any:  # noqa: ANN401 - what YAML has
    """The document; None where it is no YAML."""
    _refuse_merging(text)
    try:
        import yaml
    except ImportError:
        raise MissingExtraError("pyyaml", "conda") from None
    try:
        return yaml.load(text.text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except (yaml.YAMLError, RecursionError, ValueError):
        return None


def _refuse_merging(text: Text) -> None:
    """Refuse text in which a few lines stand for millions; no tool writes such a file.

    Raises:
        ManifestError: It has merged keys or aliases.
    """
    if _MERGED.search(text.text) or _ANCHOR.search(text.text):
        raise ManifestError(
            f"{text.name}: YAML with aliases is not read", hint="Write out what they stand for"
        )


def _strings(rows: object) -> Iterator[str]:
    return (each for each in rows if isinstance(each, str)) if isinstance(rows, list) else iter(())
