"""From JSON's own types back to values; every fault says where in the document it is."""

from __future__ import annotations

import re

from envsnap._typing import Any
from envsnap.errors import ManifestError
from envsnap.manifest._encode import facts_digest, stands_as_written
from envsnap.manifest._faults import FaultError, Path, check_text, refuse_no_unicode, spell, wrong
from envsnap.manifest._model import SCHEMA_MAJOR, SCHEMA_MINOR, Manifest
from envsnap.manifest._readers import Extras, Reader, either, members, one_by_one, shaped
from envsnap.sections import SECTIONS, Captured, Lock, Unknown

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_VERSION = r"(\d{1,6})\.(\d{1,6})"


def decode(tree: object, raw: bytes = b"", *, is_as_written: bool = False) -> Manifest:
    """The manifest that a parsed JSON document holds; packages in it may be decoded already.

    `raw` is its text, where there is one; `is_as_written` spares the question whether that is what
    envsnap wrote.

    Raises:
        ManifestError: It is no manifest, too new, or a field has a wrong type.
    """
    if not isinstance(tree, dict) or "schema" not in tree:
        raise ManifestError("Not an envsnap manifest: it has no field 'schema'")
    kept: Extras | None = [] if _is_newer(tree["schema"]) else None
    try:
        if not raw or (b"\\" in raw and _SURROGATE.search(raw)):
            refuse_no_unicode(tree)
        parts = members(_TOP, {"captured": None, "sections": None, **tree}, kept)
    except FaultError as fault:
        raise ManifestError(fault.message, where=spell(fault.path)) from None
    return Manifest(
        captured=parts["captured"], sections=parts["sections"], lock=parts.get("lock"),
        requires=parts.get("requires", {}), schema=tree["schema"],
        extras=tuple(kept or ()),
        edited=not (
            is_as_written
            or stands_as_written(raw, tree.get("facts_digest"))
            or tree.get("facts_digest") == facts_digest(tree["sections"])
        ),
    )  # fmt: skip


def _is_newer(schema: object) -> bool:
    parts = re.fullmatch(_VERSION, schema) if isinstance(schema, str) else None
    if parts is None:
        raise ManifestError(f"Unsupported version {schema!r}", where="schema")
    major, minor = parts.groups()
    if int(major) != SCHEMA_MAJOR:
        raise ManifestError(
            f"Unsupported version {schema!r}",
            where="schema",
            hint=f"This envsnap reads version {SCHEMA_MAJOR}; use one that reads {major}",
        )
    return int(minor) > SCHEMA_MINOR


def _object(tree: object, _: Extras | None) -> object:
    if type(tree) is not dict:
        raise wrong(tree, "an object")
    check_text(tree, ())
    return tree


def _requires(tree: Any, kept: Extras | None) -> object:  # noqa: ANN401 - JSON
    """What the author states: lists of texts, or of texts with a reason. Rules read the texts.

    What a newer schema states beside them is written back as it is.
    """
    _object(tree, kept)
    for name, stated in tree.items():
        if name not in _STATED:
            if kept is None:
                raise FaultError("Unknown field", (name,))
        elif not isinstance(stated, list):
            raise wrong(stated, "a list", (name,))
        else:
            for index, each in enumerate(stated):
                _is_stated(each, (name, index), kept)
    return tree


def _is_stated(each: object, path: Path, kept: Extras | None) -> None:
    said = each if isinstance(each, dict) else {"that": each}
    for key in ("that", *sorted(said.keys() - {"that"})):
        if key not in {"that", "because"} and kept is None:
            raise FaultError("Unknown field", (*path, key))
        if not isinstance(said.get(key), str):
            place = (*path, key) if isinstance(each, dict) else path
            raise wrong(said.get(key), "text", place)


_STATED = ("must", "may")
_ANY = one_by_one(lambda tree, _: tree)
_SECTIONS: dict[str, Reader] = {name: either((shape, Unknown)) for name, shape in SECTIONS.items()}
_TOP: dict[str, Reader] = {
    "about": _ANY,
    "schema": _ANY,
    "captured": shaped(Captured),
    "environment": _ANY,
    "machine": _ANY,
    "facts_digest": _ANY,
    "sections": one_by_one(lambda tree, kept: members(_SECTIONS, tree, kept)),
    "lock": either((Lock, type(None))),
    "requires": one_by_one(_requires),
}
