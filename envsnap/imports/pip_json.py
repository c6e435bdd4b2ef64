"""What pip writes as JSON: `pip inspect`, `pip list --format=json`; conda's list as JSON, too."""

from __future__ import annotations

import json
from collections.abc import Mapping

from envsnap._typing import Any
from envsnap.imports._conda import conda_section, record_of
from envsnap.imports._core import NOT_TOLD, Text, Told, blank, reader
from envsnap.imports._listed import listed, packages
from envsnap.probes._anchors import Anchors
from envsnap.probes._dist_info import direct_url
from envsnap.sections import Origin, Os, Package, Python

Json = Any  # the one type that JSON itself has


@reader("pip inspect", is_strict=True)
def read_inspect(text: Text) -> Told | None:
    """The report of `pip inspect`: packages with their origin, and the interpreter."""
    tree = _json(text.text, "{")
    rows = tree.get("installed") if isinstance(tree, dict) else None
    if not isinstance(rows, list) or "pip_version" not in tree:
        return None
    found = [each for each in map(_inspected, rows) if each is not None]
    # conda brings pip itself, so that its own name is among the installers where it is at work.
    is_conda = any(each.installer in {"conda", NOT_TOLD} for each in found)
    sections: dict[str, object] = {
        "packages": packages(found, conda_only=NOT_TOLD if is_conda else ())
    }
    told = tree.get("environment")
    if isinstance(told, dict):
        sections.update(_surroundings(told))
    left = len(rows) - len(found)
    return Told("pip inspect", sections, notes=_left(left))


@reader("pip list --format=json", is_strict=True)
def read_list(text: Text) -> Told | None:
    """The list of `pip list --format=json` or of `conda list --json`."""
    tree = _json(text.text, "[")
    rows = tree if isinstance(tree, list) else []
    named = [each for each in rows if _word(each, "name") and _word(each, "version")]
    if not named:
        return None
    notes = _left(len(rows) - len(named))
    if any("dist_name" in each or "build_string" in each for each in named):
        records = [
            record_of(
                each["name"], each["version"], _word(each, "build_string"),
                channel=_word(each, "base_url") or _word(each, "channel"),
                subdir=_word(each, "platform"),
            )
            for each in named
        ]  # fmt: skip
        return Told("conda list --json", conda_section(records), notes=notes)
    found = [_row(each) for each in named]
    return Told("pip list --format=json", {"packages": packages(found)}, notes=notes)


def _row(row: Mapping[str, Json]) -> Package:
    is_edited = bool(_word(row, "editable_project_location"))
    origin = Origin(kind="editable", url="{other}") if is_edited else Origin(kind="unknown")
    return listed(row["name"], row["version"], origin=origin)


def _inspected(row: Json) -> Package | None:
    metadata = row.get("metadata") if isinstance(row, dict) else None
    name, version = _word(metadata, "name"), _word(metadata, "version")
    if name is None or version is None:
        return None
    installer = _word(row, "installer")
    requested = row.get("requested")
    return listed(
        name, version, installer=installer or NOT_TOLD,
        requested=requested if isinstance(requested, bool) else NOT_TOLD,
        origin=_origin(row.get("direct_url"), installer),
    )  # fmt: skip


def _origin(told: Json, installer: str | None) -> Origin:
    if installer == "conda":
        return Origin(kind="conda")
    if isinstance(told, dict):
        return direct_url(json.dumps(told).encode(), Anchors())
    return Origin(kind="index" if installer in {"pip", "uv", "poetry", "pdm"} else "unknown")


def _surroundings(told: Mapping[str, Json]) -> dict[str, object]:
    """The interpreter and the system, as the markers of packages see them."""
    version = _word(told, "python_full_version")
    found: dict[str, object] = {}
    if version:
        found["python"] = blank(
            Python, version=version, implementation=_word(told, "implementation_name") or "cpython",
            implementation_version=_word(told, "implementation_version") or NOT_TOLD,
            architecture=_word(told, "platform_machine") or NOT_TOLD,
        )  # fmt: skip
    system = _word(told, "platform_system")
    if system:
        kernel = _word(told, "platform_release") if system == "Linux" else None
        found["os"] = blank(
            Os, system=system, kernel=kernel or NOT_TOLD,
            architecture=_word(told, "platform_machine") or NOT_TOLD,
        )  # fmt: skip
    return found


def _json(text: str, start: str) -> Json:
    if not text.lstrip().startswith(start):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _word(tree: Json, key: str) -> str | None:
    value = tree.get(key) if isinstance(tree, dict) else None
    return value if isinstance(value, str) and value else None


def _left(number: int) -> tuple[str, ...]:
    return (f"{number} entries without a name and a version were left out",) if number else ()
