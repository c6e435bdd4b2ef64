"""Archives and layouts on this machine: what they hold, and what in them is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envsnap.errors import EnvsnapError, UsageError
from envsnap.images import is_image, manifest_of, open_image, tree
from tests.images.made import (
    INDEX,
    MANIFEST,
    Made,
    blob,
    blobs_of,
    config,
    digest,
    docker_archive,
    dumped,
    layer,
    link,
    oci_layout,
    packed,
    write,
)

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO = layer(Made("a", b"1")), layer(Made("opt/envsnap/manifest.json", b"{}"))


def refusal(reference: str) -> tuple[str, str | None]:
    with pytest.raises(EnvsnapError) as caught, open_image(reference) as image:
        tree(image, lambda _: False)
    return caught.value.message, caught.value.hint


def test_references_are_told_from_files() -> None:
    images = ("docker://python", "docker-daemon:a", "podman:a", "docker-archive:a.tar",
              "oci-archive:a.tar", "oci:folder", "a.sif")  # fmt: skip
    assert [each for each in images if not is_image(each)] == []
    assert [
        each for each in ("a.json", "docker:a", "-", "C:/a", "t4-cloud") if is_image(each)
    ] == []


@pytest.mark.parametrize("name", ["Upper", "a//b", "a:b:c", "a@sha256:1", "-a", "a b", "x" * 400])
def test_names_that_no_image_has_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="No image can be called"):
        open_image(f"docker://{name}")


def test_what_docker_save_writes_is_read(tmp_path: Path) -> None:
    reference = docker_archive(tmp_path / "a.tar", [ONE, TWO])
    for each in (reference, f"{reference}:lab/paper:1"):
        with open_image(each) as image:
            assert image.digest == digest(config([ONE, TWO]))
            assert manifest_of(image) == b"{}"
            assert sorted(tree(image, lambda _: False).entries)[1:3] == ["/a", "/opt"]
    assert refusal(f"{reference}:lab/other") == (
        f"{tmp_path / 'a.tar'} has no image 'lab/other'; it has: lab/paper:1", None,
    )  # fmt: skip


def test_layers_that_are_not_those_of_the_configuration_are_refused(tmp_path: Path) -> None:
    reference = docker_archive(tmp_path / "a.tar", [ONE, TWO], stated=config([ONE, ONE]))
    assert refusal(reference) == (
        f"Layer 2 of {reference} has other bytes: their digest is {digest(TWO)}", None,
    )  # fmt: skip
    reference = docker_archive(tmp_path / "b.tar", [ONE, TWO], stated=config([ONE]))
    assert refusal(reference)[0] == (
        f"{tmp_path / 'b.tar'} holds 2 layers, and its configuration names 1"
    )


def test_an_archive_with_two_files_of_one_name_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.tar", layer(Made("manifest.json", b"[]"), Made("./manifest.json", b"[]")))
    assert refusal(f"docker-archive:{tmp_path / 'a.tar'}")[0] == (
        f"{tmp_path / 'a.tar'} holds two files of the name 'manifest.json'"
    )


def test_links_in_an_archive_stay_in_it(tmp_path: Path) -> None:
    """docker save writes a layer that occurs twice as a link to the first."""
    (tmp_path / "secret").write_bytes(ONE)
    for target, is_good in (("../x/layer.tar", True), (str(tmp_path / "secret"), False)):
        names = dumped([{"Config": "c.json", "RepoTags": [], "Layers": ["y/layer.tar"]}])
        members = [Made("c.json", config([ONE])), Made("manifest.json", names)]
        members += [Made("x/layer.tar", ONE), link("y/layer.tar", target)]
        write(tmp_path / "a.tar", layer(*members))
        reference = f"docker-archive:{tmp_path / 'a.tar'}"
        if is_good:
            with open_image(reference) as image:
                assert "/a" in tree(image, lambda _: False).entries
        else:
            assert refusal(reference)[0] == f"{tmp_path / 'a.tar'} has no 'y/layer.tar'"


def test_an_archive_that_is_packed_as_a_whole_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    write(path, packed(layer(Made("a"))))
    assert refusal(f"docker-archive:{path}") == (
        f"{path} is compressed as a whole, so nothing in it can be found",
        f"Unpack it first: gunzip {path}",
    )


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    reference = docker_archive(tmp_path / "a.tar", [ONE, TWO])
    whole = (tmp_path / "a.tar").read_bytes()
    write(tmp_path / "a.tar", whole[: len(whole) // 2])
    assert "is cut short" in refusal(reference)[0]


def test_a_layout_is_read_and_its_blobs_are_compared(tmp_path: Path) -> None:
    blobs = blobs_of([ONE, TWO])
    reference = oci_layout(str(tmp_path / "layout"), blobs)
    with open_image(reference) as image:
        assert image.digest == digest(blobs["manifest"])
        assert manifest_of(image) == b"{}"
    name = digest(packed(ONE)).removeprefix("sha256:")
    path = tmp_path / "layout" / "blobs" / "sha256" / name
    raw = bytearray(path.read_bytes())
    raw[4] ^= 1  # the time in gzip's header: it unpacks to the same bytes
    path.write_bytes(raw)
    assert refusal(reference)[0] == (
        f"Layer 1 of {reference} has other bytes: their digest is {digest(bytes(raw))}"
    )


def test_a_blob_that_is_a_link_out_of_the_layout_is_refused(tmp_path: Path) -> None:
    reference = oci_layout(str(tmp_path / "layout"), blobs_of([ONE]))
    name = digest(packed(ONE)).removeprefix("sha256:")
    path = tmp_path / "layout" / "blobs" / "sha256" / name
    (tmp_path / "outside").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(tmp_path / "outside")
    assert refusal(reference)[0] == (f"'blobs/sha256/{name}' leads out of {tmp_path / 'layout'}")


def test_an_index_gives_the_platforms_image(tmp_path: Path) -> None:
    kinds = {"amd64": blobs_of([ONE]), "arm64": blobs_of([TWO])}
    entries = []
    for name, each in kinds.items():
        place = {"os": "linux", "architecture": name}
        entries.append({**blob(each["manifest"], MANIFEST).document(), "platform": place})
    index = dumped({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
    reference = oci_layout(str(tmp_path / "layout"), {**kinds["amd64"], **kinds["arm64"]})
    write(tmp_path / "layout" / "index.json", index)
    with open_image(reference, platform="linux/arm64") as image:
        assert image.digest == digest(kinds["arm64"]["manifest"])
    with pytest.raises(EnvsnapError) as caught:
        open_image(reference, platform="linux/s390x")
    assert caught.value.message == (
        f"index.json in {tmp_path / 'layout'} has no image for linux/s390x; "
        "it has: linux/amd64, linux/arm64"
    )


@pytest.mark.parametrize(
    "text",
    [
        b"", b"[", b"[]", b"{}", b"[" * 100_000, b'{"manifests": 5}',
        b'{"manifests": [{"digest": "sha256:../../x", "size": 1}]}',
    ],
)  # fmt: skip
def test_broken_texts_are_refused(tmp_path: Path, text: bytes) -> None:
    reference = oci_layout(str(tmp_path / "layout"), blobs_of([ONE]))
    write(tmp_path / "layout" / "index.json", text)
    assert "index.json in " in refusal(reference)[0]


def test_zstd_is_unpacked(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    stored = zstandard.ZstdCompressor().compress(ONE)
    reference = oci_layout(str(tmp_path / "layout"), blobs_of([ONE], [stored]))
    with open_image(reference) as image:
        assert "/a" in tree(image, lambda _: False).entries
    reference = oci_layout(str(tmp_path / "cut"), blobs_of([ONE], [stored[:-5]]))
    assert refusal(reference)[0] == (
        f"Layer 1 of {reference} is cut short: its zstd stream has no end"
    )


def test_the_manifest_of_a_later_layer_counts_and_a_whiteout_ends_the_search(
    tmp_path: Path,
) -> None:
    place = "opt/envsnap/manifest.json"
    later = [TWO, layer(Made(place, b"[2]"))]
    with open_image(docker_archive(tmp_path / "a.tar", later)) as image:
        assert manifest_of(image) == b"[2]"
    for name in ("opt/.wh.envsnap", "opt/envsnap/.wh..wh..opq", ".wh.opt"):
        with open_image(docker_archive(tmp_path / "b.tar", [TWO, layer(Made(name))])) as image:
            assert manifest_of(image) is None
    with open_image(docker_archive(tmp_path / "c.tar", [TWO, layer(link(place, "/x"))])) as image:
        assert manifest_of(image) is None
