"""What a file was in its archive, told from bytes that come in any pieces."""

from __future__ import annotations

import hashlib
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as some

from envsnap.inside.conda_files import Placed
from envsnap.proof import Held
from envsnap.proof._original import OriginalError, is_placeholder, of_bytes, original
from tests.proof.conda import PLACEHOLDER, PREFIX, installed

PARTS = some.sampled_from([
    PLACEHOLDER.encode(), PREFIX.encode()[:-1], b"/opt", b"/", b"\0", b"\0\0\0", b"a", b"text\n",
    b"x" * 70,
])  # fmt: skip
ARCHIVED = some.lists(PARTS, max_size=30).map(b"".join).filter(lambda data: b"/opt/env" not in data)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@given(ARCHIVED, some.integers(1, 40))
def test_the_prefix_is_taken_out_of_a_text_whatever_the_pieces(data: bytes, size: int) -> None:
    here = data.replace(PLACEHOLDER.encode(), PREFIX.encode())
    made = original(pieces(here, size), hashlib.sha256(), PREFIX, PLACEHOLDER, is_text=True)
    assert made == sha(data)


@given(ARCHIVED, some.integers(1, 40))
def test_the_zeros_that_fill_up_a_binary_are_taken_away(data: bytes, size: int) -> None:
    whole = data + b"\0"
    here = installed(whole)
    made = original(pieces(here, size), hashlib.sha256(), PREFIX, PLACEHOLDER, is_text=False)
    assert (len(here), made) == (len(whole), sha(whole))


@given(ARCHIVED, some.integers(1, 40))
def test_a_file_that_was_watched_is_the_same_as_one_that_is_there(data: bytes, size: int) -> None:
    whole = data + b"\0" + PLACEHOLDER.encode() + b"\0"
    here = installed(whole)
    with closing(Held(("/srv", PREFIX))) as held:
        watch = held.watch(f"{PREFIX}/bin/python")
        assert watch is not None
        digest = hashlib.sha256()
        for piece in pieces(here, size):
            watch.piece(piece, digest)
            digest.update(piece)
        watch.end(sha(here))
        each = Placed("bin/python", "file", sha(whole), PLACEHOLDER, "binary", "bin/python")
        assert held.original(PREFIX, sha(here), each) == sha(whole)
        with pytest.raises(OriginalError):
            held.original(PREFIX, sha(b"of no file that has the folder in it"), each)


def test_a_text_that_was_not_filled_up_is_no_installers() -> None:
    with pytest.raises(OriginalError):
        of_bytes(b"/opt/env/lib\0\0more", PREFIX, PLACEHOLDER, is_text=False)


def test_a_binary_whose_prefix_is_longer_than_what_was_there_is_no_installers() -> None:
    with pytest.raises(OriginalError):
        of_bytes(b"/opt/env\0", PREFIX, "/p", is_text=False)


def test_what_lies_elsewhere_is_not_watched() -> None:
    assert Held((PREFIX,)).watch("/opt/environment/bin/python") is None


@pytest.mark.parametrize(
    "text", ["", "abc", "/", "/usr/share/zoneinfo", "placehold_", "/a\nplacehold_"]
)
def test_only_a_folder_that_packages_are_built_in_stands_for_the_prefix(text: str) -> None:
    assert not is_placeholder(text)
