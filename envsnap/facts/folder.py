"""Newer tables that somebody brings: read from a folder, held to the same schema, never trusted."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

from envsnap._typing import Any
from envsnap.errors import FileError
from envsnap.facts._schema import fault_of
from envsnap.facts._table import Table, document_of

_LARGEST = 8 * 1024 * 1024
_SUFFIX = ".json"
_AGAIN = "Take the table from a newer envsnap, or leave it out"
NAMES = (
    "cpu_features", "cuda_driver", "cuda_users", "cudnn", "determinism", "gpu_arch",
    "gpu_packages", "installers", "library_families", "manylinux", "ngc_images",
    "nvidia_cuda_images", "nvidia_pip", "package_needs", "package_roles", "principles",
    "python_builds", "python_images", "python_sources", "system_packages", "torch_cuda",
)  # fmt: skip
"""The tables that envsnap brings."""


def read_folder(folder: str) -> Mapping[str, Table]:
    """Give the tables of a folder, by name; files of other names are left alone.

    Raises:
        FileError: There is no table in it, or one that cannot be used.
    """
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise FileError(
            f"The folder of facts {folder!r} cannot be read: {error.strerror}",
            hint="Name a folder with tables as envsnap/facts has them: --facts DIR",
        ) from error
    known = [name for name in NAMES if f"{name}{_SUFFIX}" in names]
    if not known:
        raise FileError(
            f"No table of facts in {folder!r}",
            hint="A table has the name of one that envsnap brings, as cuda_driver.json",
        )
    return {name: _table(os.path.join(folder, f"{name}{_SUFFIX}"), name) for name in known}


def _table(path: str, name: str) -> Table:
    document = _document(path)
    ours = document_of(name)
    fault = next(_faults(document, ours), None)
    if fault is not None:
        raise FileError(f"The table of facts {path!r}: {fault}", hint=_AGAIN)
    return Table(name, document)


def _document(path: str) -> dict[str, Any]:
    import json  # only where a folder is given

    try:
        with open(path, "rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise FileError(
            f"The table of facts {path!r} cannot be read: {error.strerror}",
            hint="Make it readable, or leave --facts out",
        ) from error
    if len(content) > _LARGEST:
        raise FileError(
            f"The table of facts {path!r} is larger than {_LARGEST // 1024 // 1024} MiB",
            hint=_AGAIN,
        )
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FileError(
            f"The table of facts {path!r} is no JSON: {error}",
            hint=_AGAIN,
        ) from error
    return document if isinstance(document, dict) else {"schema": None}


def _faults(document: dict[str, Any], ours: Mapping[str, Any]) -> Iterator[str]:
    """What makes the table unusable, in words; the first is told."""
    schema = document_of("schema")
    if document.get("schema") != ours["schema"]:
        yield f"unsupported schema {document.get('schema')!r}"
    fault = fault_of(document, schema)
    if fault is not None:
        yield fault
    if document["date"] < ours["date"]:
        yield f"of {document['date']}, older than envsnap's own of {ours['date']}"
    kinds = {row["kind"] for row in document["rows"]}
    for kind in sorted(kinds ^ {row["kind"] for row in ours["rows"]}):
        yield f"{'other rows than such a table has' if kind in kinds else 'no rows'}: {kind!r}"
    sources = {source["id"] for source in document["sources"]}
    for number, row in enumerate(document["rows"]):
        for each in row["source"]:
            if each not in sources:
                yield f"unknown source {each!r} in 'rows[{number}].source'"
    yield from _order(document["rows"], schema)


def _order(rows: list[dict[str, Any]], schema: Mapping[str, Any]) -> Iterator[str]:
    """Look-ups go by the order of rows, so it is part of what a table promises."""
    last: object = None
    for number, row in enumerate(rows):
        fields = schema["$defs"][row["kind"]]["x-key"]
        key = (row["kind"], *(_natural(str(row[field])) for field in fields))
        if last is not None and key <= last:  # type: ignore[operator]  # tuples of one shape
            yield f"row out of order, or twice, in 'rows[{number}]'"
        last = key


def _natural(value: str) -> tuple[tuple[int, int, str], ...]:
    """A text to be compared with the numbers in it as numbers."""
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+", value)
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts)
