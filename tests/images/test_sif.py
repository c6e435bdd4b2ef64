"""SIF files: their data objects, and the files of their partition."""

from __future__ import annotations

import hashlib
import os
import struct
from typing import TYPE_CHECKING

import pytest

from envsnap.errors import FileError
from envsnap.images import ImageError, ImageTree, add_object, manifest_of, open_image, tree
from tests.images.squash import Node, sif, squashfs

if TYPE_CHECKING:
    from pathlib import Path

LARGE = os.urandom(300_000)
MANIFEST = b'{"schema": "1.0"}'
ROOT = Node({
    "bin": Node("usr/bin"),
    "opt": Node({"envsnap": Node({"manifest.json": Node(MANIFEST)}), "empty": Node({})}),
    "usr": Node({"bin": Node({"python": Node(LARGE), "nothing": Node(b"")})}),
})  # fmt: skip


def written(path: Path, data: bytes) -> str:
    file = path / "image.sif"
    file.write_bytes(data)
    return str(file)


def read(reference: str) -> ImageTree:
    with open_image(reference) as image:
        return tree(image, lambda path: path.endswith(".json"))


def test_the_files_of_a_partition_are_read(tmp_path: Path) -> None:
    found = read(written(tmp_path, sif(squashfs(ROOT))))
    assert sorted(found.entries) == [
        "/", "/bin", "/opt", "/opt/empty", "/opt/envsnap", "/opt/envsnap/manifest.json", "/usr",
        "/usr/bin", "/usr/bin/nothing", "/usr/bin/python",
    ]  # fmt: skip
    entry = found.entry("/bin/python")
    assert entry is not None
    assert (entry.size, entry.mode) == (300_000, 0o644)
    assert entry.sha256 == hashlib.sha256(LARGE).hexdigest()
    assert found.entries["/usr/bin/nothing"].sha256 == hashlib.sha256(b"").hexdigest()
    assert found.contents == {"/opt/envsnap/manifest.json": MANIFEST}


def test_a_partition_that_apptainer_lays_over_the_image_is_known(tmp_path: Path) -> None:
    whole = bytearray(sif(squashfs(ROOT)))
    first = 4096 + 585  # the second descriptor
    whole[first : first + 585] = struct.pack(
        "<iBIIIqqqqqqq128s384s", 0x4004, 1, 2, 0xF0000001, 0, len(whole), 512, 512,
        0, 0, 0, 0, b"o.img", struct.pack("<ii4s", 2, 4, b"02\0"),
    )  # fmt: skip
    with open_image(written(tmp_path, bytes(whole) + bytes(512))) as image:
        assert image.overlays == ("o.img",)


def test_the_manifest_comes_from_the_partition_until_there_is_an_object(tmp_path: Path) -> None:
    path = written(tmp_path, sif(squashfs(ROOT)))
    before = read(path)
    with open_image(path) as image:
        assert image.config.platform == "linux/amd64"
        assert manifest_of(image) == MANIFEST
    for text in (b'{"a": 1}', b'{"b": 22}', b'{"b": 22}'):
        add_object(path, "envsnap.lock.json", text)
        with open_image(path) as image:
            assert manifest_of(image) == text
    assert read(path) == before
    add_object(path, "other.json", b"{}")
    add_object(path, "third.json", b"{}")
    with pytest.raises(ImageError) as caught:
        add_object(path, "fourth.json", b"{}")
    assert caught.value.message == f"{path} has no free descriptor for fourth.json"


def test_an_object_alone_needs_no_file_system(tmp_path: Path) -> None:
    path = written(tmp_path, sif(b"no file system at all"))
    add_object(path, "envsnap.lock.json", MANIFEST)
    with open_image(path) as image:
        assert manifest_of(image) == MANIFEST
        with pytest.raises(ImageError, match="has a broken file system: a block lies beyond"):
            tree(image, lambda _: False)


def refusal(path: Path, data: bytes) -> str:
    name = written(path, data)
    with pytest.raises(ImageError) as caught:
        read(name)
    return caught.value.message.replace(name, "IMAGE")


def test_what_is_no_sif_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, b"#!/bin/sh\n") == "IMAGE is no SIF file"
    whole = sif(squashfs(ROOT))
    assert refusal(tmp_path, whole[:5000]) == "IMAGE is a SIF file that is cut short"
    assert refusal(tmp_path, whole[:-10]) == (
        "IMAGE is cut short: its object 1 lies beyond its end"
    )
    with pytest.raises(FileError) as caught:
        read(str(tmp_path / "absent.sif"))
    assert caught.value.message == (
        f"Cannot read {tmp_path / 'absent.sif'}: No such file or directory"
    )


@pytest.mark.parametrize("name", ["..", "a/b", "usr"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path, sif(squashfs(ROOT, names={"opt": name}))) == (
        f"IMAGE has a broken file system: a file cannot be called {name.encode()!a} here"
    )


def test_compressions_that_nothing_unpacks_are_told(tmp_path: Path) -> None:
    assert refusal(tmp_path, sif(squashfs(ROOT, compressor=5))) == (
        "IMAGE is compressed by lz4, which nothing here unpacks"
    )


@pytest.mark.parametrize("cut", range(0, 96, 4))
def test_a_broken_superblock_never_ends_as_our_own_fault(tmp_path: Path, cut: int) -> None:
    raw = squashfs(ROOT)
    for value in (0, 0xFFFFFFFF, 0x7FFFFFFF):
        broken = raw[:cut] + struct.pack("<I", value) + raw[cut + 4 :]
        path = written(tmp_path, sif(broken))
        try:
            read(path)
        except ImageError as error:
            assert path in error.message  # noqa: PT017 - some fields do not matter
