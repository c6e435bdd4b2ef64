"""Layers merged into one file system: honest ones as engines would, hostile ones refused."""

from __future__ import annotations

import hashlib
import tarfile
from typing import TYPE_CHECKING

import pytest

from envsnap.images import ImageError, ImageTree, _scan, open_image, tree
from tests.images.made import Made, docker_archive, folder, hard_link, layer, link, packed

if TYPE_CHECKING:
    from pathlib import Path


def merged(path: Path, *layers: bytes) -> ImageTree:
    with open_image(docker_archive(path / "image.tar", layers)) as image:
        return tree(image, lambda path: path.endswith("RECORD"))


def paths(found: ImageTree) -> list[str]:
    return sorted(found.entries)


def test_every_path_has_its_kind_its_digest_and_the_layer_that_brought_it(tmp_path: Path) -> None:
    below = layer(folder("opt/"), Made("opt/a", b"one", mode=0o4755), link("bin", "usr/bin"))
    found = merged(tmp_path, below, layer(Made("opt/b/RECORD", b"two")))
    assert paths(found) == ["/", "/bin", "/opt", "/opt/a", "/opt/b", "/opt/b/RECORD"]
    one = found.entries["/opt/a"]
    assert one._asdict() == {
        "kind": "file", "size": 3, "mode": 0o4755, "owner": (0, 0), "link": "",
        "sha256": hashlib.sha256(b"one").hexdigest(), "layer": 0, "head": b"",
    }  # fmt: skip
    assert found.entries["/bin"].link == "usr/bin"
    assert found.entries["/opt/b/RECORD"].layer == 1
    assert found.contents == {"/opt/b/RECORD": b"two"}
    assert found.doubtful == ()


def test_of_a_wanted_file_that_is_too_large_the_first_bytes_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_scan, "LARGEST_CONTENT", 3)
    below = layer(Made("a/RECORD", b"#!/x"), Made("b/RECORD", b"#!x"), Made("c", b"#!/x"))
    found = merged(tmp_path, below)
    heads = {path: each.head for path, each in found.entries.items() if each.kind == "file"}
    assert heads == {"/a/RECORD": b"#!", "/b/RECORD": b"", "/c": b""}
    assert found.contents == {"/b/RECORD": b"#!x"}


def test_a_later_layer_replaces_and_the_earlier_one_is_remembered(tmp_path: Path) -> None:
    found = merged(
        tmp_path, layer(Made("a/x", b"1"), Made("a/same", b"s")),
        layer(Made("a/x", b"2"), Made("a/same", b"s")),
    )  # fmt: skip
    assert found.entries["/a/x"].sha256 == hashlib.sha256(b"2").hexdigest()
    assert found.replaced == {"/a/x": (0,)}


def test_whiteouts_take_away_what_lies_below_alone(tmp_path: Path) -> None:
    below = layer(Made("a/x", b"1"), Made("a/y", b"2"), Made("b/z", b"3"))
    above = layer(Made("a/.wh.x"), Made("a/y", b"4"), Made("b/new", b"5"), Made("b/.wh..wh..opq"))
    found = merged(tmp_path, below, above)
    assert paths(found) == ["/", "/a", "/a/y", "/b", "/b/new"]


def test_a_whiteout_of_a_folder_takes_all_of_it_away(tmp_path: Path) -> None:
    found = merged(tmp_path, layer(Made("a/b/c", b"1"), Made("d", b"")), layer(Made(".wh.a")))
    assert paths(found) == ["/", "/d"]


def test_a_file_in_a_folders_place_takes_the_folder_away(tmp_path: Path) -> None:
    found = merged(tmp_path, layer(Made("a/b", b"1")), layer(Made("a", b"2")))
    assert paths(found) == ["/", "/a"]


def test_hard_links_have_the_bytes_of_what_they_name(tmp_path: Path) -> None:
    below = layer(Made("cache/1", b"bytes"), hard_link("env/RECORD", "cache/1"))
    found = merged(tmp_path, below, layer(hard_link("env/other", "/env/RECORD")))
    same = hashlib.sha256(b"bytes").hexdigest()
    assert [found.entries[f"/env/{name}"].sha256 for name in ("RECORD", "other")] == [same, same]
    assert found.contents == {"/env/RECORD": b"bytes"}, "its own name was wanted, the other not"


def test_links_are_followed_inside_the_image_and_never_out(tmp_path: Path) -> None:
    found = merged(
        tmp_path,
        layer(
            Made("usr/bin/sh", b"shell"), link("bin", "usr/bin"), link("up", "../../../usr"),
            link("turn", "/turn"), link("nowhere", "/absent"), link("usr/abs", "/bin/sh"),
        ),
    )  # fmt: skip
    assert found.real("/bin/sh") == "/usr/bin/sh"
    assert found.real("/up/bin/sh") == "/usr/bin/sh"
    assert found.real("/usr/abs") == "/usr/bin/sh"
    assert found.real("/turn") is None
    assert found.real("/nowhere") is None
    entry = found.entry("/usr/abs")
    assert entry is not None
    assert entry.size == len(b"shell")


def test_what_stands_below_a_link_is_doubtful(tmp_path: Path) -> None:
    """One engine puts it where the link leads, another one in the link's place."""
    lower = layer(folder("lib/"), link("lib64", "lib"))
    found = merged(tmp_path, lower, layer(Made("lib64/evil.py", b"")))
    assert found.doubtful == ("/lib64/evil.py",)
    assert merged(tmp_path, layer(link("a", "/b"), Made("a/c", b""))).doubtful == ("/a/c",)


def test_a_folder_that_a_layer_names_may_replace_a_link(tmp_path: Path) -> None:
    found = merged(tmp_path, layer(link("a", "b")), layer(folder("a/"), Made("a/c", b"")))
    assert found.doubtful == ()
    assert paths(found) == ["/", "/a", "/a/c"]


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_long_names_are_read_in_every_form(tmp_path: Path, form: int) -> None:
    name = "/".join(["folder" * 8] * 4)
    assert f"/{name}" in merged(tmp_path, layer(Made(name, b"1"), form=form)).entries


def test_names_that_are_no_utf8_are_kept(tmp_path: Path) -> None:
    found = merged(tmp_path, layer(Made("a\udcff", b"1"), form=tarfile.GNU_FORMAT))
    assert "/a\udcff" in found.entries


def refusal(path: Path, *layers: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        merged(path, *layers)
    return caught.value.message.replace(f"docker-archive:{path / 'image.tar'}", "IMAGE")


def test_paths_that_lead_out_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, layer(Made("../etc/passwd", b""))) == (
        "Layer 1 of IMAGE has a path that leads out of the image: b'../etc/passwd'"
    )
    assert refusal(tmp_path, layer(hard_link("a", "../../etc/shadow"))) == (
        "Layer 1 of IMAGE has a path that leads out of the image: b'../../etc/shadow'"
    )
    assert "/etc/x" in merged(tmp_path, layer(Made("/etc/x", b""))).entries, "of the image's root"


@pytest.mark.parametrize("name", ["a/.wh.", "a/.wh...", "a/.wh.."])
def test_whiteouts_of_a_folder_above_are_refused(tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path, layer(Made("a/x", b"")), layer(Made(name))) == (
        "Layer 2 of IMAGE has a whiteout of no file in '/a'"
    )


def test_a_hard_link_to_nothing_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, layer(hard_link("a", "b"))) == (
        "Layer 1 of IMAGE has a hard link to no file: '/b'"
    )


def test_a_layer_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    whole = layer(Made("a", b"1" * 5000))
    assert refusal(tmp_path, whole[:3000]) == ("Layer 1 of IMAGE is cut short: it ends inside '/a'")
    assert refusal(tmp_path, packed(whole)[:40]) == (
        "Layer 1 of IMAGE is cut short: its gzip stream has no end"
    )


def test_sparse_files_and_strange_kinds_are_refused(tmp_path: Path) -> None:
    sparse = layer(Made("a", kind=tarfile.GNUTYPE_SPARSE), form=tarfile.GNU_FORMAT)
    assert refusal(tmp_path, sparse) == (
        "Layer 1 of IMAGE has a tar member of kind b'S', which no layer has"
    )


def test_a_size_that_nothing_has_is_refused(tmp_path: Path) -> None:
    raw = bytearray(layer(Made("a", b"1"), form=tarfile.GNU_FORMAT))
    raw[124:136] = b"\x80" + b"\xff" * 11
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw[:512])
    assert refusal(tmp_path, bytes(raw)) == (
        "Layer 1 of IMAGE has a number in a tar header that no file needs"
    )


def test_a_layer_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, b"x" * 2048) == (
        "Layer 1 of IMAGE is no tar archive: a number in a header is none"
    )


def test_an_empty_layer_holds_nothing(tmp_path: Path) -> None:
    assert paths(merged(tmp_path, layer(), b"", bytes(1024))) == ["/"]


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from envsnap.images import _streams

    monkeypatch.setattr(_streams, "_SPARE_BYTES", 1 << 20)  # a real one would take a minute
    bomb = packed(layer(Made("a", bytes(400 << 20))))
    assert refusal(tmp_path, bomb) == (
        "Layer 1 of IMAGE unpacks to more bytes than an honest layer does"
    )
