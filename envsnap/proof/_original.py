"""The hash that a conda package's file has in its archive, told from the file in an image.

An installer writes the environment's folder into some files, in the place of the folder that the
package was built in. Taken out again, the file must be that of the archive.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envsnap.images._model import Hash

_KNOWN = re.compile(
    r"/opt/anaconda1anaconda2anaconda3\Z"
    r"|/[\w./+~@-]{0,800}?placehold(?:_placehold)*(?:_p?l?a?c?e?h?o?l?d?)?\Z",
    re.ASCII,
)
"""The folders that packages are built in. No other text of a file may pass for the prefix."""
MARKS = (b"placehold_", b"/opt/anaconda1anaconda2anaconda3")
"""One of them is in each such folder that installers look for."""
_LONGEST_TEXT = 64 << 20
"""Of a text in a binary file that ends in a zero; longer ones are not looked at."""


class OriginalError(Exception):
    """No installer left a file so."""


def is_placeholder(text: str) -> bool:
    """Whether conda-build and its like build in such a folder.

    >>> is_placeholder("/home/builder/env_placehold_placehold"), is_placeholder("/usr/lib")
    (True, False)
    >>> is_placeholder("/home/builder/env_placehold_/etc")
    False
    """
    return _KNOWN.match(text) is not None and any(mark in text.encode() for mark in MARKS)


def original(
    pieces: Iterable[bytes], digest: Hash, prefix: str, placeholder: str, *, is_text: bool
) -> str:
    r"""The SHA-256 with the placeholder for the prefix, of the digest so far and these bytes.

    >>> parts = [b"#!/e", b"nv/bin/sh\n"]
    >>> found = original(parts, hashlib.sha256(), "/env", "/a_placehold_", is_text=True)
    >>> found == hashlib.sha256(b"#!/a_placehold_/bin/sh\n").hexdigest()
    True

    Raises:
        OriginalError: No installer left the file so.
    """
    ours, theirs = prefix.encode(), placeholder.encode()
    if not is_text and len(theirs) < len(ours):
        raise OriginalError
    made = digest.copy()
    for piece in (_text if is_text else _binary)(pieces, ours, theirs):
        made.update(piece)
    return made.hexdigest()


def _text(pieces: Iterable[bytes], ours: bytes, theirs: bytes) -> Iterator[bytes]:
    left = b""
    for piece in pieces:
        *whole, left = (left + piece).split(ours)
        yield b"".join(each + theirs for each in whole)
        kept = begun(left, ours)
        yield left[: len(left) - kept]
        left = left[len(left) - kept :]
    yield left


def _binary(pieces: Iterable[bytes], ours: bytes, theirs: bytes) -> Iterator[bytes]:
    """A text with the prefix was filled up with zeros to its old length: those are taken away."""
    coming, left, is_over = iter(pieces), b"", False
    while left or not is_over:
        start = left.find(ours)
        if start < 0:
            kept = 0 if is_over else begun(left, ours)
            yield left[: len(left) - kept]
            left = left[len(left) - kept :]
        else:
            yield left[:start]
            left = left[start:]
            taken = _restored(left, ours, theirs, is_over=is_over)
            if taken is not None:
                yield taken[0]
                left = left[taken[1] :]
                continue
            if len(left) > _LONGEST_TEXT:
                raise OriginalError
        more = b"" if is_over else next(coming, b"")
        is_over = not more
        left += more


def _restored(
    data: bytes, ours: bytes, theirs: bytes, *, is_over: bool
) -> tuple[bytes, int] | None:
    """The text at the start as it was, and how many bytes it took; None where more are needed."""
    end = data.find(b"\0")
    if end < 0 and is_over:
        return data, len(data)  # no text that ends: no installer looks at it
    if end < 0:
        return None
    text = data[:end]
    zeros = (len(theirs) - len(ours)) * text.count(ours)
    if len(data) < end + zeros + 1 and not is_over:
        return None
    if data[end : end + zeros] != bytes(zeros):
        raise OriginalError
    return text.replace(ours, theirs), end + zeros


def begun(data: bytes, text: bytes) -> int:
    """How many bytes at the end may be the beginning of the text.

    >>> begun(b"a /op", b"/opt/env"), begun(b"a", b"/opt/env")
    (3, 0)
    """
    for count in range(min(len(text) - 1, len(data)), 0, -1):
        if data.endswith(text[:count]):
            return count
    return 0


def of_bytes(data: bytes, prefix: str, placeholder: str, *, is_text: bool) -> str:
    """The same of a file that is there whole.

    Raises:
        OriginalError: No installer left it so.
    """
    return original([data], hashlib.sha256(), prefix, placeholder, is_text=is_text)
