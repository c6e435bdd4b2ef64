"""Packages that a manifest read before had, too: they are not read again.

The manifests of one check, or of a fleet, hold mostly the same packages, and most of a manifest is
packages. The text of a JSON object means the same wherever it stands: a package whose text is that
of one that was decoded is that one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from envsnap._typing import Any, NamedTuple
from envsnap.errors import ManifestError
from envsnap.manifest._encode import stands_as_written
from envsnap.manifest._model import SCHEMA, Manifest
from envsnap.sections import Package, Packages, Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    import json

_STARTS, _ENDS = '\n      "installed": [\n        ', "\n        }\n      ]"
_CLOSES, _NEXT = "\n        }", ",\n        "
_LONGEST = 1 << 12  # characters of a text that is kept
_ROOM = 1 << 23  # characters of all of them: some 16,000 packages


class _Known:
    """Packages by their texts, as many as there is room for."""

    def __init__(self) -> None:
        self._by_text: dict[str, Package] = {}
        self._size = 0

    def among(self, texts: Sequence[str]) -> list[Package | None]:
        """The package of each text, where it is known."""
        return list(map(self._by_text.get, texts)) if self._by_text else [None] * len(texts)

    def add(self, texts: Sequence[str], packages: Sequence[Package]) -> None:
        """Know these, and forget the others where there is no more room."""
        new = {
            text: each
            for text, each in zip(texts, packages, strict=True)
            if len(text) <= _LONGEST and text not in self._by_text
        }
        size = sum(map(len, new))
        if self._size + size > _ROOM:
            self.forget()
        if size <= _ROOM:
            self._by_text.update(new)
            self._size += size

    def forget(self) -> None:
        """Know none."""
        self._by_text.clear()
        self._size = 0


KNOWN = _Known()
"""What this process has read. Whoever reads a manifest gets the same of it, whatever is in here."""


class Rows(NamedTuple):
    """A document in which the packages that are known stand decoded."""

    tree: Any
    texts: list[str]
    """The text of each package, up to its last line."""

    def remember(self, manifest: Manifest) -> None:
        """Know the packages that the document was decoded to."""
        packages = manifest.section(Packages)
        if manifest.schema != SCHEMA or isinstance(packages, Unknown):
            return
        if isinstance(packages.installed, tuple):
            KNOWN.add(self.texts, packages.installed)


def rows_of(raw: bytes, decoder: json.JSONDecoder) -> Rows | None:
    """The document, if it stands as envsnap wrote it; None for any other, whatever is wrong."""
    try:
        text = raw.decode()
        start = text.index(_STARTS) + len(_STARTS)
        end = text.index(_ENDS, start)
        texts = text[start:end].split(_CLOSES + _NEXT)
        mark = os.urandom(16).hex()  # which nobody can have written into the file
        tree: Any = decoder.decode(f'{text[:start]}"{mark}"{text[end + len(_CLOSES) :]}')
        packages = tree["sections"]["packages"]
        if packages["installed"] != [mark] or not stands_as_written(raw, tree["facts_digest"]):
            return None
        packages["installed"] = _packages(texts, mark, decoder)
    except (ValueError, LookupError, TypeError, RecursionError, ManifestError):
        return None
    return Rows(tree, texts)


def _packages(texts: list[str], mark: str, decoder: json.JSONDecoder) -> list[Any]:
    """The package that is known by each text, or what the text holds.

    With a mark between every two, what stands between two marks came from one text alone.

    Raises:
        ValueError: A text holds another number of values than one.
    """
    found: list[Any] = KNOWN.among(texts)
    new = [text for text, each in zip(texts, found, strict=True) if each is None]
    if not new:
        return found
    number = len(new)
    new[0] = f"[{new[0]}"
    new[-1] += f"{_CLOSES}]"
    read = decoder.decode(f'{_CLOSES},"{mark}",'.join(new))
    if len(read) != 2 * number - 1 or read[1::2] != [mark] * (number - 1):
        message = "the packages do not end where their lines do"
        raise ValueError(message)
    rest = iter(read[::2])
    return [next(rest) if each is None else each for each in found]
