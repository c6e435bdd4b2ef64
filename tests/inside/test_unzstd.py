"""The start of what Zstandard compressed.

`tests/golden/zstd/frames.json` was compressed by Zstandard itself (python-zstandard 0.25), with the
SHA-256 of what went in.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from envsnap.inside.unzstd import ZstdError, head

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "zstd" / "frames.json"
FRAMES: list[dict[str, Any]] = json.loads(GOLDEN.read_text(encoding="utf-8"))
NAMES = [each["what"] for each in FRAMES]


def frame_of(what: str) -> bytes:
    return base64.b64decode(FRAMES[NAMES.index(what)]["frame"])


@pytest.mark.parametrize("row", FRAMES, ids=NAMES)
def test_a_frame_is_unpacked_whole(row: dict[str, Any]) -> None:
    found = head(base64.b64decode(row["frame"]), 1 << 20)
    assert (len(found), hashlib.sha256(found).hexdigest()) == (row["bytes"], row["sha256"])


@pytest.mark.parametrize("size", [0, 1, 31, 4096, 150_000])
@pytest.mark.parametrize("what", NAMES)
def test_no_more_than_its_start_is_unpacked_if_no_more_is_asked_for(what: str, size: int) -> None:
    frame = frame_of(what)
    assert head(frame, size) == head(frame, 1 << 20)[:size]


def test_the_start_needs_only_the_first_block() -> None:
    frame = frame_of("two blocks and more, with repeated tables")
    length = int.from_bytes(frame[9:12], "little") >> 3
    assert head(frame[: 12 + length], 4096) == head(frame, 4096)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (b"", "it does not begin as a frame does"),
        (b"\x1f\x8b\x08\x00", "it does not begin as a frame does"),
        (b"\x28\xb5\x2f\xfd", "it ends too early"),
        (b"\x28\xb5\x2f\xfd\x23\x07\x00", "it needs a dictionary"),
        (b"\x28\xb5\x2f\xfd\x20\x07\x07\x00\x00", "a block's header is broken"),
        (b"\x28\xb5\x2f\xfd\x20\x07\x39\x00\x00env", "a block ends too early"),
    ],
)
def test_a_broken_frame_says_what_is_wrong(frame: bytes, message: str) -> None:
    with pytest.raises(ZstdError) as caught:
        head(frame, 100)
    assert str(caught.value) == message


def test_any_bytes_are_unpacked_or_refused_soon() -> None:
    chance = random.Random(0)  # noqa: S311 - the same cases each time
    start, refused = time.process_time(), 0
    for what in NAMES:
        frame = frame_of(what)
        for _ in range(60):
            broken = bytearray(frame)
            for _ in range(chance.randrange(1, 4)):
                broken[chance.randrange(4, min(len(broken), 3000))] = chance.randrange(256)
            try:
                assert len(head(bytes(broken), 4096)) <= 4096
            except ZstdError:
                refused += 1
    assert refused > 100
    assert time.process_time() - start < 30
