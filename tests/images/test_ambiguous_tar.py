"""Tar members that one engine would put here and another there, or nowhere: none is let pass."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

import pytest

from envsnap.images import ImageError, ImageTree, open_image, tree
from tests.images.made import Made, docker_archive, folder, hard_link, layer, link

if TYPE_CHECKING:
    from pathlib import Path

USTAR, GNU, V7 = b"ustar\x0000", b"ustar  \0", b""
PLACES = {"name": 0, "stated": 124, "kind": 156, "link": 157, "magic": 257, "prefix": 345}
END = bytes(1024)
STRANGE = "IMAGE has a tar member that engines read in different ways: "


def header(name: bytes, size: int = 0, **said: bytes) -> bytes:
    """One block, of bytes that no honest writer would choose."""
    head = bytearray(512)
    fields = {"name": name, "stated": b"%011o\0" % size, "kind": b"0", "magic": USTAR, **said}
    for field, value in fields.items():
        head[PLACES[field] : PLACES[field] + len(value)] = value
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


def member(name: bytes, data: bytes = b"", **said: bytes) -> bytes:
    return header(name, len(data), **said) + padded(data)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while len(b"%d" % length) + len(rest) != length:
        length = len(b"%d" % length) + len(rest)
    return b"%d" % length + rest


def pax(*records: tuple[bytes, bytes], kind: bytes = b"x", name: bytes = b"@PaxHeader") -> bytes:
    return member(name, b"".join(record(*each) for each in records), kind=kind)


def long_name(name: bytes, kind: bytes = b"L") -> bytes:
    return member(b"././@LongLink", name + b"\0", kind=kind, magic=GNU)


def merged(path: Path, *layers: bytes) -> ImageTree:
    with open_image(docker_archive(path / "image.tar", layers)) as image:
        return tree(image, lambda _: False)


def refusal(path: Path, *members: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        merged(path, b"".join((*members, END)))
    return caught.value.message.replace(f"Layer 1 of docker-archive:{path / 'image.tar'}", "IMAGE")


FILE = member(b"a.py", b"evil")
TWO_NAMES = STRANGE + "it has two names, b'b' and another"
EMPTY = STRANGE + "a name in its headers is empty"
TWICE = "it has two headers of kind "


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ((pax((b"path", b"")), FILE), EMPTY),
        ((pax((b"linkpath", b"")), FILE), EMPTY),
        ((long_name(b""), FILE), EMPTY),
        ((pax((b"size", b"")), FILE), "IMAGE has a number in a tar header that is none: b''"),
        ((pax((b"size", b"-4")), FILE), "IMAGE has a number in a tar header that is none: b'-4'"),
        ((long_name(b"a.py"), pax((b"path", b"b")), FILE), TWO_NAMES),
        ((pax((b"path", b"a.py")), long_name(b"b"), FILE), TWO_NAMES),
        ((long_name(b"a", b"K"), pax((b"linkpath", b"b")), FILE), TWO_NAMES),
        ((pax((b"path", b"b")), pax((b"mtime", b"1")), FILE), STRANGE + TWICE + "b'x'"),
        ((long_name(b"b"), long_name(b"b"), FILE), STRANGE + TWICE + "b'L'"),
        (
            (pax((b"path", b"b"), (b"path", b"a.py")), FILE),
            STRANGE + "it has two of b'path' in one header",
        ),
        ((pax((b"path", b"a\0b")), FILE), "IMAGE has a name with a zero byte in it"),
        (
            (member(b"@PaxHeader", record(b"a", b"b") + bytes(9), kind=b"x"), FILE),
            "IMAGE has an extended tar header that cannot be read",
        ),
        (
            (pax((b"SCHILY.xattr.trusted.overlay.opaque", b"y")), member(b"a/", kind=b"5")),
            STRANGE + "it has the attribute b'SCHILY.xattr.trusted.overlay.opaque'",
        ),
    ],
)
def test_headers_before_a_member_that_readers_take_otherwise_are_refused(
    tmp_path: Path, members: tuple[bytes, ...], why: str
) -> None:
    assert refusal(tmp_path, *members) == why


@pytest.mark.parametrize("key", [b"path", b"linkpath", b"size"])
def test_a_header_for_all_members_that_names_one_is_refused(tmp_path: Path, key: bytes) -> None:
    assert refusal(tmp_path, pax((key, b"1"), kind=b"g"), FILE) == (
        "IMAGE has one name for all of its members"
    )


def test_a_header_for_all_members_takes_no_file_away(tmp_path: Path) -> None:
    """Docker removes what the layer has under its name, and Go forgets the header before it."""
    comment = (b"comment", b"1")
    why = STRANGE + "a header for all members is called {}, or follows another"
    assert refusal(tmp_path, FILE, pax(comment, kind=b"g", name=b"a.py")) == why.format(b"a.py")
    assert refusal(tmp_path, long_name(b"b"), pax(comment, kind=b"g"), FILE) == (
        why.format(b"@PaxHeader")
    )
    for name in (b"pax_global_header", b"/tmp/GlobalHead.12.1", b"././@PaxHeader"):
        whole = pax(comment, kind=b"g", name=name) + FILE + END
        assert "/a.py" in merged(tmp_path, whole).entries


DISPUTED_PREFIX = STRANGE + "its name has a prefix, and its header no room for one"


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (member(b"a.py/", b"evil"), STRANGE + "the file b'a.py/' is named as a folder"),
        (member(b"a.py/", b"", kind=b"\0"), STRANGE + "the file b'a.py/' is named as a folder"),
        (member(b"a.py", b"evil", magic=GNU, prefix=b"opt"), DISPUTED_PREFIX),
        (member(b"a.py", b"evil", magic=GNU, prefix=bytes(12) + b"opt"), DISPUTED_PREFIX),
        (member(b"a.py", b"evil", magic=V7, prefix=b"opt"), DISPUTED_PREFIX),
        (member(b"a.py", prefix=bytes(163) + b"tar\0"), STRANGE + "its header is that of star"),
        (member(b"", b"evil"), STRANGE + "b'' names no file"),
        (member(b"./", b"evil"), STRANGE + "b'./' names no file"),
        (member(b"/", kind=b"2", link=b"/etc"), STRANGE + "b'/' names no file"),
        (member(b"a", b"evil", kind=b"5"), STRANGE + "it is of kind b'5' and has a size"),
        (member(b"a", b"evil", kind=b"2"), STRANGE + "it is of kind b'2' and has a size"),
        (
            pax((b"size", b"512")) + member(b"a", kind=b"1", link=b"b"),
            STRANGE + "it is of kind b'1' and has a size",
        ),
        (pax((b"size", b"512")) + FILE, STRANGE + "it is of 4 bytes, and of 512"),
        (
            header(b"a", stated=b"\xff" * 12),
            "IMAGE has a number in a tar header that no file needs",
        ),
        (
            header(b"a", stated=b"\0" + b"00000000012"),
            "IMAGE is no tar archive: a number in a header is none",
        ),
        (bytes(512) + FILE, STRANGE + "it stands behind the end of the archive"),
    ],
)
def test_a_header_that_readers_take_otherwise_is_refused(
    tmp_path: Path, head: bytes, why: str
) -> None:
    assert refusal(tmp_path, head) == why


def test_what_real_writers_write_is_read(tmp_path: Path) -> None:
    times = b"15300571015\x0015300571015\0"
    name = b"f" * 120
    found = merged(
        tmp_path,
        b"".join((
            member(b"old/", kind=b"5", magic=V7), member(b"old/a", b"1", kind=b"\0", magic=V7),
            member(b"incremental", b"1", magic=GNU, prefix=times),
            member(b"in", b"1", prefix=b"ustar"),
            # Java's commons-compress: a long name in GNU's form, large numbers in POSIX's
            long_name(name), pax((b"uid", b"4294967294")), member(name[:100], b"1"),
            long_name(b"same"), pax((b"path", b"same")), member(b"s", b"1"),
            pax((b"size", b"3")), header(b"zero"), padded(b"123"),
            pax((b"size", b"3")), header(b"full", stated=b"7" * 11), padded(b"123"),
            pax((b"SCHILY.xattr.user.overlay.impure", b"y")), member(b"d/", kind=b"5"), END,
        )),
    )  # fmt: skip
    assert sorted(found.entries) == sorted(
        ["/", "/old", "/old/a", "/incremental", "/ustar", "/ustar/in", f"/{name.decode()}",
         "/same", "/zero", "/full", "/d"]
    )  # fmt: skip
    assert [found.entries[path].size for path in ("/zero", "/full")] == [3, 3]
    assert found.doubtful == ()


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_long_name_may_be_cut_behind_a_slash(tmp_path: Path, form: int) -> None:
    """What stands in the header itself then looks like a folder's name; nobody reads it."""
    name = "d" * 99 + "/file"
    assert f"/{name}" in merged(tmp_path, layer(Made(name, b"1"), form=form)).entries


def doubtful(path: Path, *layers: bytes) -> list[str]:
    return list(merged(path, *layers).doubtful)


IDNA = layer(folder("idna"), Made("idna/core.py", b"good"))


@pytest.mark.parametrize(
    ("above", "paths"),
    [
        (layer(Made("idna/core.py", b"evil"), Made("idna"), folder("idna")), ["/idna"]),
        (layer(Made("idna/core.py", b"evil"), Made("idna")), ["/idna/core.py"]),
        (layer(folder("new"), link("new", "/etc")), ["/new"]),
        (layer(link("new", "/etc"), folder("new")), ["/new"]),
        (layer(Made("new"), link("new", "/etc")), ["/new"]),
        (layer(hard_link("new", "idna/core.py"), folder("new")), ["/new"]),
        (layer(Made("new", b"1"), Made("new", b"2")), []),
        (layer(folder("new"), folder("new")), []),
        (layer(Made("a/b", b"1"), link("a", "/etc")), ["/a/b"]),
    ],
)
def test_a_path_that_a_layer_gives_as_two_things_is_doubtful(
    tmp_path: Path, above: bytes, paths: list[str]
) -> None:
    assert doubtful(tmp_path, IDNA, above) == paths


@pytest.mark.parametrize(
    ("above", "paths"),
    [
        (layer(Made("idna/core.py", b"new"), Made(".wh.idna")), ["/idna"]),
        (layer(Made(".wh.idna"), Made("idna/core.py", b"new")), ["/idna"]),
        (layer(Made("idna/core.py", b"new"), Made("idna/.wh.core.py")), ["/idna/core.py"]),
        (layer(hard_link("a", "idna/core.py"), Made(".wh.a")), ["/a"]),
        (layer(Made("idna/core.py", b"new"), Made("idna/.wh.other.py")), []),
        (layer(folder("idna"), Made("idna/.wh..wh..opq"), Made("idna/core.py", b"new")), []),
        (layer(Made(".wh..wh.plnk/1.2", b"evil")), ["/.wh..wh.plnk/1.2"]),
    ],
)
def test_a_whiteout_of_what_its_own_layer_holds_is_doubtful(
    tmp_path: Path, above: bytes, paths: list[str]
) -> None:
    assert doubtful(tmp_path, IDNA, above) == paths


@pytest.mark.parametrize(
    ("above", "paths"),
    [
        (layer(Made("lib/.wh.os.py")), ["/lib/os.py"]),
        (layer(Made("lib/.wh..wh..opq")), ["/lib/*"]),
        (layer(Made("lib/.wh.os.py"), folder("lib")), ["/lib"]),
        (layer(link("new", "/usr"), Made("new/.wh.lib")), ["/new/lib"]),
        (layer(folder("lib"), Made("lib/.wh..wh..opq"), Made("lib/a")), []),
        (layer(folder("lib"), Made("lib/.wh.os.py")), []),
        (layer(Made("usr/lib/.wh.os.py")), []),
    ],
)
def test_a_whiteout_through_a_link_is_doubtful(
    tmp_path: Path, above: bytes, paths: list[str]
) -> None:
    """An engine that unpacks follows the link, and removes what we would say is there."""
    below = layer(folder("usr"), Made("usr/lib/os.py", b"good"), link("lib", "usr/lib"))
    assert doubtful(tmp_path, below, above) == paths


@pytest.mark.parametrize(
    ("below", "paths"),
    [
        ((folder("usr"), folder("usr/bin"), Made("usr/bin/gcc", b"x")), []),
        ((Made("usr/bin/gcc", b"x"),), []),
        ((Made("opt/a", b"x"),), []),
        ((folder("opt"), Made("opt/gcc", b"x"), link("usr", "opt")), ["/usr"]),
        ((Made("opt/gcc", b"x"), folder("usr"), link("usr/bin", "../opt")), ["/usr/bin"]),
        ((folder("usr"), Made("usr/bin", b"x")), ["/usr/bin"]),
    ],
)
def test_whiteouts_before_their_folders_are_doubtful_over_a_link_or_a_file_alone(
    tmp_path: Path, below: tuple[Made, ...], paths: list[str]
) -> None:
    """kaniko writes all of them first."""
    above = layer(Made("usr/bin/.wh.gcc"), folder("usr"), folder("usr/bin"), Made("usr/bin/new"))
    assert doubtful(tmp_path, layer(*below), above) == paths
