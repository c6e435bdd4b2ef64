"""The Markdown block for an issue: what a maintainer asks for first, small enough to be posted.

`envsnap import` reads it again, so that nobody has to send a file. What others wrote stands in
it as JSON in which all that Markdown or HTML could take for its own is escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from envsnap._typing import Any
from envsnap.imports.envsnap_paste import CONDA_ONLY, CUT, FACTS, PACKAGES, PLAIN
from envsnap.manifest import Manifest, document
from envsnap.reports._words import active_packages, count, lines
from envsnap.sections import Package, Packages, Unknown

Json = Any  # the one type that JSON itself has

LIMIT = 60_000
"""GitHub refuses a comment of more than 65,536 characters; people write something beside it."""
_FACTS_LIMIT = 24_000
_RESERVE = 400
"""For the last lines of the block."""
_SECTIONS = (
    "python", "os", "gpu", "cuda", "cpu", "memory", "environ", "container", "engines",
)  # fmt: skip
_LEFT_OUT = re.compile(
    r"python\.(?:executable|prefix|base_prefix|path|not_paths|import_hooks|chosen|not_chosen|"
    r"build_date|environment_name)\b"
    r"|gpu\.(?:pci|topology)\b|gpu\.devices\[\d+\]\.(?:uuid|pci_bus_id|vbios|shown_by|numa_node)\b"
    r"|cuda\.libraries\[\d+\]\.location\b|\w+(?:\[\d+\]|\.\w+)*\.location\b"
)
"""Paths, serials and what decides nothing."""
_NAME = re.compile(r"[a-z][a-z_0-9]*\Z")
_UNSAFE = re.compile(r"[^A-Za-z0-9 .,:;_+/()\[\]{}\"\\'=*~|!^-]")
_FEW = 12
"""A longer list of packages is folded away."""


def paste(manifest: Manifest) -> str:
    """The block, of fewer than 60,000 characters whatever the manifest says."""
    facts = list(_within(_FACTS_LIMIT, _fact_lines(manifest)))
    head = [_block("text", _head(manifest)), "", *(_folded("Facts", FACTS, facts) if facts else ())]
    text = "\n".join(head)
    rows = list(_package_lines(manifest))
    room = LIMIT - _RESERVE - len(text)
    kept = list(_within(room, rows))
    number = sum(not row.startswith("# ") for row in rows)
    left = number - sum(not row.startswith("# ") for row in kept)
    if left:
        kept.append(f"{CUT}{left} more")
    if rows:
        text += "\n" + "\n".join(_folded(count(number, "package"), PACKAGES, kept))
    return text + "\n"


def leaves(tree: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Each value of a document with its path; lists of plain values are one, unknowns are none.

    >>> dict(leaves({"a": {"b": 1, "c": [{"d": None}], "e": {"unknown": "crashed"}}}))
    {'a.b': 1, 'a.c[0].d': None}
    """
    if isinstance(tree, Mapping):
        if "unknown" in tree:
            return
        if not tree or not all(map(_NAME.match, tree)):
            yield path, tree  # names that are no facts' own, as those of variables
            return
        for name, each in tree.items():
            yield from leaves(each, f"{path}.{name}" if path else name)
    elif isinstance(tree, list) and any(isinstance(each, (Mapping, list)) for each in tree):
        for number, each in enumerate(tree):
            place = f"{path}[{number}]"
            yield from list(leaves(each, place)) or [(place, {})]  # so that others keep their place
    else:
        yield path, tree


def is_shown(path: str) -> bool:
    """Whether the block holds the fact at this path of a manifest's sections."""
    return path.partition(".")[0] in _SECTIONS and not _LEFT_OUT.match(path)


def _fact_lines(manifest: Manifest) -> Iterator[str]:
    sections = document(manifest)["sections"]
    for name in _SECTIONS:
        for path, value in leaves({name: sections.get(name, {"unknown": ""})}):
            if is_shown(path):
                yield f"{path}: {_safe(value)}"


def _package_lines(manifest: Manifest) -> Iterator[str]:
    """The packages, under a heading for each place that they come from."""
    active = active_packages(manifest)
    by_kind: dict[str, list[Package]] = {}
    for each in () if isinstance(active, Unknown) else active:
        by_kind.setdefault(each.origin.kind, []).append(each)
    for kind in sorted(by_kind):
        yield f"# {kind if _NAME.match(kind) else 'unknown'}"
        yield from map(_package_line, by_kind[kind])
    section = manifest.section(Packages)
    if isinstance(section, Unknown) or isinstance(section.conda_only, Unknown):
        return
    yield f"# {CONDA_ONLY}"
    for record in section.conda_only:
        build = [record.build] if isinstance(record.build, str) else []
        yield _safe([record.name, record.version, *build])


def _package_line(each: Package) -> str:
    record = each.conda
    if record is not None and record.version == each.version:
        build = [record.build] if isinstance(record.build, str) else []
        return _safe([each.name, each.version, record.name, *build])
    row = f"{each.name}=={each.version}"
    return row if PLAIN.match(row) else _safe([each.name, each.version])


def _head(manifest: Manifest) -> list[str]:
    """What a maintainer asks for first, in words."""
    captured = manifest.captured
    told = ", ".join(captured.imported)
    how = f"as told by {told}; read" if told else "captured"
    said = [f"Environment, {how} by envsnap {captured.version}"]
    said += [f"{label:<10} {text}" for label, text in lines(manifest) if "not seen" not in text]
    return [_UNSAFE.sub(_visible, " ".join(each.split(" ")))[: _FACTS_LIMIT // 20] for each in said]


def _visible(found: re.Match[str]) -> str:
    """A character of a heading: one that could end the block, or hide, is shown as a mark."""
    return found[0] if found[0].isalnum() else "?"


def _safe(value: Json) -> str:
    """A value as JSON of letters, digits and a few signs."""
    text = json.dumps(value, ensure_ascii=True, separators=(", ", ": "))
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _within(room: int, rows: Iterator[str] | list[str]) -> Iterator[str]:
    """As many of the rows, in their order, as there is room for."""
    for row in rows:
        room -= len(row) + 1
        if room < 0:
            return
        yield row


def _folded(title: str, mark: str, rows: list[str]) -> list[str]:
    """A block behind a line to click on; a short one stands open."""
    state = " open" if len(rows) <= _FEW else ""
    return [
        f"<details{state}><summary>{title}</summary>", "", _block("text", [mark, *rows]), "",
        "</details>", "",
    ]  # fmt: skip


def _block(language: str, rows: list[str]) -> str:
    return "\n".join([f"```{language}", *rows, "```"])
