"""What is wrong with a document, and where in it."""

from __future__ import annotations

Path = tuple[str | int, ...]
_DEEPEST = 32
_SHOWN = 2
_LONGEST_QUOTE = 60


class FaultError(Exception):
    """Something in the document is wrong; each level that it passes adds where, inside out."""

    def __init__(self, message: str, path: Path = ()) -> None:
        super().__init__(message)
        self.message = message
        self.path = path

    def within(self, part: str | int) -> FaultError:
        """The same fault, seen from outside that part."""
        self.path = (part, *self.path)
        return self


def check_text(value: object, path: Path) -> None:
    """Refuse, at any depth, what could not be written back."""
    if len(path) > _DEEPEST:
        raise FaultError("Nested too deep", (*path[:_SHOWN], f"{path[_SHOWN]}..."))
    if isinstance(value, dict):
        for key, item in value.items():
            check_text(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            check_text(item, (*path, index))
    elif isinstance(value, float):
        raise wrong(value, "an integer or text", path)


def refuse_no_unicode(tree: object) -> None:
    """Refuse text that no file could hold: JSON's escapes can make halves of a character."""
    left: list[tuple[object, Path]] = [(tree, ())]
    for value, path in left:  # which grows meanwhile
        if isinstance(value, dict):
            left += [(key, path) for key in value]
            left += [(item, (*path, key)) for key, item in value.items()]
        elif isinstance(value, list):
            left += [(item, (*path, index)) for index, item in enumerate(value)]
        elif isinstance(value, str) and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise FaultError(f"Text that is no Unicode: {value!a}", path) from None


def spell(path: Path) -> str:
    """A path as people write it: `sections.gpu.devices[0].memory_mib`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def wrong(value: object, wanted: str, path: Path = ()) -> FaultError:
    try:
        said = "null" if value is None else ascii(value)
    except RecursionError:
        said = "what is nested too deep"
    said = said if len(said) <= _LONGEST_QUOTE else said[: _LONGEST_QUOTE - 3] + "..."
    return FaultError(f"Expected {wanted}, not {said},", path)
