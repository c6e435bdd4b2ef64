"""Archives that docker load and an OCI reader open: both must come to the same image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envsnap.images import ImageError, open_image
from tests.images.made import (
    INDEX,
    MANIFEST,
    Made,
    blob,
    blobs_of,
    config,
    digest,
    dumped,
    hard_link,
    layer,
    link,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.images.made import Json

GOOD, EVIL = (layer(Made("opt/a", data)) for data in (b"good", b"evil"))
Blobs = dict[str, bytes]


def entry(blobs: Blobs, platform: str = "") -> dict[str, Json]:
    """How an index lists the image of these blobs, for a platform where one is given."""
    said = dict(zip(("os", "architecture", "variant"), platform.split("/"), strict=False))
    found = blob(blobs["manifest"], MANIFEST).document()
    return {**found, "platform": said} if platform else found


def named(blobs: Blobs, name: str, ref: str = "") -> dict[str, Json]:
    """How an index lists the image under a name; each of the two annotations where it is given."""
    keys = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
    said = {key: each for key, each in zip(keys, (name, ref), strict=True) if each}
    return {**entry(blobs), "annotations": said}


def index(*entries: dict[str, Json]) -> bytes:
    return dumped({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})


def written(
    path: Path,
    top: bytes,
    *others: bytes,
    listed: tuple[bytes, ...] = (GOOD,),
    tags: tuple[str | None, ...] = ("a:0", "a:1"),
) -> str:
    """An archive with that index.json, and a manifest.json that lists images of one layer each."""
    blobs = {**blobs_of([GOOD]), **blobs_of([EVIL])}
    blobs |= {digest(each): each for each in (GOOD, EVIL, *others)}
    places = {f"blobs/sha256/{name.removeprefix('sha256:')}": each for name, each in blobs.items()}
    saved = dumped([
        {"Config": place(config([each])), "RepoTags": tag and [tag], "Layers": [place(each)]}
        for each, tag in zip(listed, tags, strict=False)
    ])  # fmt: skip
    files = {"index.json": top, "manifest.json": saved, "oci-layout": b"{}", **places}
    write(path / "a.tar", layer(*(Made(name, data) for name, data in files.items())))
    return str(path / "a.tar")


def place(data: bytes) -> str:
    return f"blobs/sha256/{digest(data).removeprefix('sha256:')}"


def nested(*entries: dict[str, Json]) -> tuple[bytes, bytes]:
    """An index.json that lists one index, and that index."""
    inner = index(*entries)
    return index(blob(inner, INDEX).document()), inner


def refusal(reference: str) -> str:
    with pytest.raises(ImageError) as caught, open_image(reference, platform="linux/amd64"):
        pass
    return caught.value.message


def told(path: str, *others: bytes) -> str:
    names = ", ".join(sorted(digest(config([each])) for each in others)) or "none"
    return (
        f"{path} is an archive of Docker's and an OCI layout, and not of the same image "
        f"for every engine: beside {digest(config([GOOD]))} it holds {names}"
    )


IMAGE, OTHER = blobs_of([GOOD]), blobs_of([EVIL])


@pytest.mark.parametrize(
    "texts",
    [
        (index(entry(IMAGE)),),
        (index(entry(IMAGE, "linux/amd64")),),
        nested(entry(IMAGE, "linux/amd64")),
        nested(entry(IMAGE, "linux/amd64/v2"), entry(OTHER, "unknown/unknown")),
        nested(entry(IMAGE, "linux/amd64"), entry(OTHER, "linux/arm64/v8")),
    ],
)
@pytest.mark.parametrize("scheme", ["docker-archive", "oci-archive"])
def test_what_docker_save_writes_in_both_forms_is_read(
    tmp_path: Path, scheme: str, texts: tuple[bytes, ...]
) -> None:
    with open_image(f"{scheme}:{written(tmp_path, *texts)}", platform="linux/amd64") as image:
        assert image.config.diff_ids == (digest(GOOD),)


@pytest.mark.parametrize(
    "texts",
    [
        (index(entry(OTHER)),),
        (index(entry(IMAGE), entry(OTHER)),),
        (index(entry(IMAGE), entry(OTHER, "linux/arm64")),),
        (index(entry(IMAGE), entry(OTHER, "unknown/unknown")),),
        nested(entry(IMAGE, "linux/amd64"), entry(OTHER, "linux/amd64/v3")),
        nested(entry(IMAGE, "linux/amd64"), entry(OTHER)),
        nested(entry(IMAGE, "linux/amd64"), entry(OTHER, "linux/x86_64")),
    ],
)
def test_an_index_with_an_image_that_docker_does_not_list_is_refused(
    tmp_path: Path, texts: tuple[bytes, ...]
) -> None:
    path = written(tmp_path, *texts)
    assert refusal(f"docker-archive:{path}") == told(path, EVIL)


def test_an_index_with_no_image_for_this_platform_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, *nested(entry(OTHER, "linux/arm64")))
    assert refusal(f"docker-archive:{path}") == told(path)


@pytest.mark.parametrize("entries", [None, []])
def test_what_docker_saves_by_an_image_s_id_is_read(tmp_path: Path, entries: Json) -> None:
    """Docker 25 lists in index.json what has a tag alone."""
    top = dumped({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
    with open_image(f"docker-archive:{written(tmp_path, top, tags=(None,))}") as image:
        assert image.config.diff_ids == (digest(GOOD),)


def test_an_oci_archive_whose_docker_list_is_empty_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, index(entry(IMAGE)), listed=())
    with open_image(f"oci-archive:{path}") as image:
        assert image.config.diff_ids == (digest(GOOD),)


def test_indexes_without_end_are_refused(tmp_path: Path) -> None:
    texts = [index(entry(IMAGE))]
    for _ in range(5):
        texts.append(index(blob(texts[-1], INDEX).document()))
    path = written(tmp_path, texts[-1], *texts)
    assert refusal(f"docker-archive:{path}") == f"{path} has indexes in indexes"


@pytest.mark.parametrize("listed", [(EVIL,), (GOOD, EVIL)])
def test_an_oci_archive_of_which_docker_loads_another_image_is_refused(
    tmp_path: Path, listed: tuple[bytes, ...]
) -> None:
    path = written(tmp_path, index(entry(IMAGE)), listed=listed)
    assert refusal(f"oci-archive:{path}") == told(path, EVIL)


A0 = ("docker.io/library/a:0", "0")
LAB1 = ("docker.io/lab/a:1", "1")


@pytest.mark.parametrize(
    ("tags", "entries"),
    [
        (("a:0", "lab/a:1"), (named(IMAGE, *A0), named(OTHER, *LAB1))),
        (("a:latest", "b:0"), (named(IMAGE, "docker.io/library/a:latest", "latest"),
                               named(OTHER, "docker.io/library/b:0", "0"))),
        (("a:0", "b:0"), (named(IMAGE, *A0), named(OTHER, "docker.io/library/b:0", "0"))),
        (("a:0", None), (named(IMAGE, *A0),)),
        (("localhost:5000/a", "a:0"), (named(IMAGE, "localhost:5000/a:latest", "latest"),
                                       named(OTHER, *A0))),
        (("a:0", "a:1"), (named(IMAGE, "", "a:0"), named(OTHER, "", "a:1"))),
        (("a:0", "a:1"), ()),
    ],
)  # fmt: skip
def test_of_several_saved_images_the_one_of_the_tag_is_read(
    tmp_path: Path, tags: tuple[str | None, ...], entries: tuple[dict[str, Json], ...]
) -> None:
    path = written(tmp_path, index(*entries), listed=(GOOD, EVIL), tags=tags)
    asked = str(tags[0]).removesuffix(":latest")
    with open_image(f"docker-archive:{path}:{asked}") as image:
        assert image.config.diff_ids == (digest(GOOD),)


@pytest.mark.parametrize(
    ("entries", "others"),
    [
        ((named(OTHER, *A0), named(IMAGE, *LAB1)), (EVIL,)),
        ((named(IMAGE, *A0), named(OTHER, *A0)), (EVIL,)),
        ((named(IMAGE, *A0), named(OTHER, "index.docker.io/library/a:0", "9")), (EVIL,)),
        ((named(IMAGE, *A0), named(OTHER, "localhost/a:0")), (EVIL,)),
        ((named(IMAGE, *A0), named(OTHER, "a:0@sha256:" + "0" * 64)), (EVIL,)),
        ((named(IMAGE, *A0), named(OTHER, "docker.io/library/b:1", "a:0")), (EVIL,)),
        ((named(IMAGE, *A0), named(OTHER, "", "0")), (EVIL,)),
        ((named(IMAGE, *A0), entry(OTHER)), (EVIL,)),
        ((named(OTHER, *LAB1),), ()),
        ((named(IMAGE, *LAB1), named(OTHER, *LAB1)), ()),
    ],
)
def test_an_index_with_another_image_for_the_tag_is_refused(
    tmp_path: Path, entries: tuple[dict[str, Json], ...], others: tuple[bytes, ...]
) -> None:
    path = written(tmp_path, index(*entries), listed=(GOOD, EVIL), tags=("a:0", "lab/a:1"))
    assert refusal(f"docker-archive:{path}:a:0") == told(path, *others)


def test_of_several_saved_images_an_oci_tag_s_is_read(tmp_path: Path) -> None:
    top = index(named(IMAGE, *A0), named(OTHER, *LAB1))
    path = written(tmp_path, top, listed=(GOOD, EVIL), tags=("a:0", "lab/a:1"))
    with open_image(f"oci-archive:{path}:0") as image:
        assert image.config.diff_ids == (digest(GOOD),)


@pytest.mark.parametrize(
    "tags", [("b:1", "a:0"), ("a:0", "b:0"), ("a:0", None), ("a:0", "localhost/a:0")]
)
def test_an_oci_tag_of_which_docker_may_load_another_image_is_refused(
    tmp_path: Path, tags: tuple[str | None, ...]
) -> None:
    top = index(named(IMAGE, *A0), named(OTHER, *LAB1))
    path = written(tmp_path, top, listed=(GOOD, EVIL), tags=tags)
    assert refusal(f"oci-archive:{path}:0") == told(path, EVIL)


def test_of_two_saved_images_with_a_tag_for_neither_none_is_read(tmp_path: Path) -> None:
    top = index(named(IMAGE, *A0), named(OTHER, *LAB1))
    path = written(tmp_path, top, listed=(GOOD, EVIL))
    assert refusal(f"docker-archive:{path}") == f"{path} holds 2 images"


def test_of_two_saved_images_whose_index_has_no_names_none_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, index(entry(IMAGE), entry(OTHER)), listed=(GOOD, EVIL))
    assert refusal(f"docker-archive:{path}:a:0") == told(path, EVIL)


def test_a_text_that_is_an_index_and_a_manifest_is_refused(tmp_path: Path) -> None:
    both = dumped({"manifests": [entry(OTHER)], "layers": [], "config": {}})
    path = written(tmp_path, index(blob(both, MANIFEST).document()), both)
    why = f"blob {digest(both)} in {path} is an index and a manifest"
    assert [refusal(f"{scheme}:{path}") for scheme in ("docker-archive", "oci-archive")] == [
        why
    ] * 2


@pytest.mark.parametrize("text", [b"{}", b"[1]", b"", b"[{}, 1]", b"[" * 100_000])
def test_a_list_of_docker_s_that_is_none_is_refused(tmp_path: Path, text: bytes) -> None:
    write(tmp_path / "a.tar", layer(Made("manifest.json", text)))
    assert refusal(f"docker-archive:{tmp_path / 'a.tar'}") == (
        f"manifest.json in {tmp_path / 'a.tar'} is no JSON list of objects"
    )


def test_a_list_of_docker_s_that_gives_one_key_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.tar", layer(Made("manifest.json", b'[{"Config": "a", "Config": "b"}]')))
    assert refusal(f"docker-archive:{tmp_path / 'a.tar'}") == (
        f"manifest.json in {tmp_path / 'a.tar'} has one key twice in an object"
    )


@pytest.mark.parametrize("name", ["index.json", "manifest.json", "oci-layout", "blobs/sha256"])
@pytest.mark.parametrize("kind", [link, hard_link])
def test_a_link_in_the_place_of_a_list_is_refused(
    tmp_path: Path, name: str, kind: Callable[[str, str], Made]
) -> None:
    write(tmp_path / "a.tar", layer(Made("other", b"{}"), kind(name, "other")))
    for scheme in ("docker-archive", "oci-archive"):
        assert refusal(f"{scheme}:{tmp_path}/a.tar").endswith(f"a link in the place of {name}")
