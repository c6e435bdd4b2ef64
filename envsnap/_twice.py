"""twice: two builds of one plan are compared, by digest and file by file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from itertools import zip_longest

from envsnap._typing import NamedTuple
from envsnap.engines import Built
from envsnap.images import Config, Entry, ImageTree

_SHOWN_DIGEST = 12
_LONGEST = 200


class Twice(NamedTuple):
    """How two builds of one plan came out."""

    same_digest: bool
    """Whether the engine names both by one digest: not a byte differs, times included."""
    differences: tuple[str, ...]
    """What differs of the settings, then of the files in the order of their paths; no times."""
    ignored: str | None
    """Why this builder could not give equal digests; None where it could have."""

    @property
    def is_same(self) -> bool:
        """Whether both are the same, as far as this builder could have made them so."""
        return not self.differences and (self.same_digest or self.ignored is not None)


def compare(first: Built, second: Built) -> Twice:
    """How two images of one plan came out.

    Raises:
        ToolError: One of them cannot be read.
    """
    ignored = None if first.repeats else f"{first.engine} does not set the times of what it writes"
    if first.id == second.id:
        return Twice(same_digest=True, differences=(), ignored=None)
    (config, files), (other_config, other_files) = _read(first), _read(second)
    found = (*settings(config, other_config), *differences(files, other_files))
    return Twice(same_digest=False, differences=found, ignored=ignored)


def _read(built: Built) -> tuple[Config, ImageTree]:
    from envsnap.images import open_image, tree

    with open_image(built.reference) as image:
        return image.config, tree(image, lambda _: False)


_OF_TIMES = frozenset({"created", "diff_ids"})
"""What times alone can change: of the image, and of the files in its layers."""


def settings(first: Config, second: Config) -> Iterator[str]:
    """What differs between what two images say of themselves, times apart, one line each."""
    for each in fields(first):
        before, after = getattr(first, each.name), getattr(second, each.name)
        if each.name in _OF_TIMES or before == after:
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            for name in sorted(before.keys() | after.keys()):
                if before.get(name) != after.get(name):
                    yield f"{each.name} {name}: {_then(before.get(name), after.get(name))}"
        else:
            yield f"{each.name}: {_then(*_first_other(before, after))}"


def _first_other(before: object, after: object) -> tuple[object, object]:
    """Of two lists the first entries that differ, of anything else the two themselves."""
    if not isinstance(before, tuple) or not isinstance(after, tuple):
        return before, after
    pairs = zip_longest(before, after)
    return next(pair for pair in pairs if pair[0] != pair[1])


def _then(before: object, after: object) -> str:
    shown = ["nothing" if each is None else ascii(each)[:_LONGEST] for each in (before, after)]
    return f"{shown[0]}, then {shown[1]}"


def differences(first: ImageTree, second: ImageTree) -> Iterator[str]:
    """What differs between two file systems, by path, one line each.

    >>> from envsnap.images import Entry, ImageTree
    >>> def one(sha256: str) -> ImageTree:
    ...     entry = Entry("file", 1, 0o644, (0, 0), "", sha256 * 64, 0)
    ...     return ImageTree(entries={"/a": entry}, contents={}, layers=("sha256:0",))
    >>> list(differences(one("1"), one("2")))
    ['/a: other content (111111111111, then 222222222222)']
    >>> list(differences(one("1"), one("1")))
    []
    """
    for path in sorted(first.entries.keys() | second.entries.keys()):
        before, after = first.entries.get(path), second.entries.get(path)
        if before is None or after is None:
            yield f"{path}: only in the {'first' if after is None else 'second'} image"
        elif what := _difference(before, after):
            yield f"{path}: {what}"


def _difference(before: Entry, after: Entry) -> str | None:
    """What differs of one path, the layer that brought it apart; None where nothing does."""
    if before.kind != after.kind:
        return f"a {before.kind}, then a {after.kind}"
    if before.sha256 != after.sha256:
        shown = (before.sha256[:_SHOWN_DIGEST], after.sha256[:_SHOWN_DIGEST])
        return "other content ({}, then {})".format(*shown)
    if before.link != after.link:
        return f"a link to {before.link!a}, then to {after.link!a}"
    if before.mode != after.mode:
        return f"mode {before.mode:o}, then {after.mode:o}"
    if before.owner != after.owner:
        return "owner {}:{}, then {}:{}".format(*before.owner, *after.owner)
    return None
