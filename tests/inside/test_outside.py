"""The digest of what a wheel put outside of its folder of packages."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from envsnap.inside import content
from envsnap.inside.content import Refusal, Stated, scripts_of, stated
from envsnap.inside.outside import as_in_wheel, judge, of_file, prefix_of, read_here
from tests.inside.rows import by_the_definition, row

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SITE = b"/opt/env/lib/python3.11/site-packages"
BODY = b"import sys\n"
OWN = b"#!/opt/env/bin/python3.11\n" + BODY


def told(answer: Stated) -> tuple[object, ...]:
    why = answer.other_refusal
    return answer.other, answer.covered, why and (why.code, why.detail)


def look(
    record: str,
    files: Mapping[str, bytes] | None = None,
    *,
    points: bytes = b"",
    site: bytes = SITE,
) -> tuple[object, ...]:
    """What a RECORD in that folder states, where these programs lie in the environment."""

    def read(place: bytes, limit: int) -> bytes | Refusal:
        data = (files or {}).get(place.decode())
        return Refusal("witnesses-disagree", "not there") if data is None else data[: limit + 1]

    answer = stated(record.encode(), b"a-1.dist-info")
    judge(answer, site, scripts_of(points), read)
    return told(answer)


def test_programs_data_and_headers_are_told_relative_to_the_prefix() -> None:
    record = row("a.py") + row("../../../bin/tool", b"\x7fELF") + row("../../../share/x.1", b"m")
    record += row("../../../include/site/python3.11/a/x.h", b"h")
    expected = {"bin/tool": b"\x7fELF", "share/x.1": b"m", "headers/x.h": b"h"}
    places = [b"bin/tool", b"include/site/python3.11/a/x.h", b"share/x.1"]
    found = look(record, {"/opt/env/bin/tool": b"\x7fELF"})
    assert (found[0], sorted(found[1]), found[2]) == (  # type: ignore[call-overload]
        by_the_definition(expected), places, None
    )  # fmt: skip
    other = record.replace("/site/python3.11/", "/python3.13/")
    elsewhere = b"/home/x/.local/lib/python3.13/site-packages"
    again = look(other, {"/home/x/.local/bin/tool": b"\x7fELF"}, site=elsewhere)
    assert again[0] == found[0]


def test_nothing_outside_is_known_to_be_nothing() -> None:
    assert look(row("a.py") + "../../../bin/__pycache__/t.cpython-311.pyc,,\n") == (None, [], None)


def test_programs_of_entry_points_and_pips_own_names_are_left_out() -> None:
    points = b"[console_scripts]\ntool = a:main\npip = pip:main\n[gui_scripts]\ngui=a:g\n"
    record = "".join(row(f"../../../bin/{name}") for name in ("tool", "gui", "pip", "pip3.11"))
    record += row("a.py") + row("../../../bin/other3") + "../../../bin/gui.exe,,\n"
    found = look(record, {"/opt/env/bin/other3": b""}, points=points)
    assert found == (by_the_definition({"bin/other3": b""}), [b"bin/other3"], None)


def test_a_row_that_leaves_the_prefix_is_neither_counted_nor_opened() -> None:
    opened: list[bytes] = []
    record = row("a.py") + row("../../../../bin/evil", OWN) + row("/etc/passwd", b"x")
    record += row("../../../bin/../../x", b"x") + row("../../../share/x", b"x")
    answer = stated(record.encode(), b"a-1.dist-info")

    def read(place: bytes, _: int) -> bytes:
        opened.append(place)
        return b""

    judge(answer, SITE, (), read)
    assert told(answer) == (by_the_definition({"share/x": b"x"}), [b"share/x"], None)
    assert opened == []


LONG = b"#!/bin/sh\n'''exec' %s \"$0\" \"$@\"\n' '''\n" + BODY.replace(b"%", b"%%")
BESIDE = b'"$(dirname -- "$(realpath -- "$0")")"/'
OCTAL = b" ".join(b"'\\'0%03o" % each for each in b"/opt/env/bin/python")


@pytest.mark.parametrize(
    "text",
    [
        OWN,
        b"#!/opt/env/bin/python\r\n" + BODY,
        b"#!/opt/env/bin/python -sE -u\n" + BODY,
        b"#!/opt/env/bin/pypy3.9\n" + BODY,
        LONG % b"/opt/env/bin/python3",
        LONG % b"'/opt/env/bin/python3'",
        LONG % b'"/opt/env/bin/python3.13t"',
        LONG % (BESIDE + b"'python'"),
        (LONG % (b'"$(printf %b ' + OCTAL + b')"')).replace(b"sh\n", b"sh\n# coding: utf-8\n", 1),
    ],
)
def test_a_script_is_told_as_its_wheel_has_it_whichever_form_starts_it(text: bytes) -> None:
    assert as_in_wheel(text, b"/opt/env/bin") == b"#!python\n" + BODY
    found = look(row("a.py") + row("../../../bin/t", text), {"/opt/env/bin/t": text})
    assert found == (by_the_definition({"bin/t": b"#!python\n" + BODY}), [b"bin/t"], None)


@pytest.mark.parametrize("line", [b"#!python", b"#!pythonw\r", b"#!python3 -E", b"#!python -c x"])
def test_a_script_in_its_wheel_is_told_without_what_installers_drop(line: bytes) -> None:
    assert as_in_wheel(line + b"\n" + BODY, None) == b"#!python\n" + BODY


@pytest.mark.parametrize(
    "text",
    [
        b"#!python\n" + BODY,
        b"#!/usr/bin/python3\n" + BODY,
        b"#!/opt/env/bin/python-evil\n" + BODY,
        b"#!/opt/env/bin/../x/python\n" + BODY,
        b"#!/opt/env/bin/python -cimport os\n" + BODY,
        b"#!/bin/sh /opt/env/bin/python\n" + BODY,
        LONG % b"/tmp/python",
        LONG % b"/opt/env/bin/python -c steal",
        LONG % b"sh;steal /opt/env/bin/python",
        LONG % b"'/opt/env/bin/python' 'steal'",
        LONG % (BESIDE + b"'../python'"),
        LONG % (b'"$(printf %b ' + OCTAL + b'; steal)"'),
        (LONG % b"/opt/env/bin/python").replace(b"' '''", b"' '''; steal"),
        (LONG % b"/opt/env/bin/python").replace(b'"$@"', b'"$@"; steal'),
    ],
)
def test_a_script_that_another_thing_starts_has_no_digest(text: bytes) -> None:
    assert as_in_wheel(text, b"/opt/env/bin") is None
    found = look(row("a.py") + row("../../../bin/t", text), {"/opt/env/bin/t": text})
    why = "'bin/t' is started by another Python than the one beside it"
    assert (found[0], found[2]) == (None, ("unparsable", why))


@pytest.mark.parametrize(
    "text",
    [
        b"", b"\x7fELF", b"#!/usr/bin/env python3\n" + BODY, b"#!/bin/sh\necho\n",
        b"#! /usr/bin/perl\n", b"import x\n#!python\n",
    ],
)  # fmt: skip
def test_what_no_installer_rewrites_keeps_the_stated_hash(text: bytes) -> None:
    said = text if text.startswith(b"#!") else b"stated"
    found = look(row("a.py") + row("../../../bin/t", said), {"/opt/env/bin/t": text})
    assert found == (by_the_definition({"bin/t": said}), [b"bin/t"], None)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (row("../../../bin/t", b"another"),
         ("witnesses-disagree", "'bin/t' is not the file that RECORD states")),
        (row("../../../bin/gone"), ("witnesses-disagree", "not there")),
        ("../../../bin/t,,\n",
         ("unparsable", "RECORD states no SHA-256 of 't': no hash (1 rows)")),
        ("../../../share/x,md5=AAAA,1\n",
         ("not-supported", "RECORD states no SHA-256 of 'x': md5 (1 rows)")),
        (row("../../../share/x", b"1") + row("../../../lib/../share/x", b"2"),
         ("witnesses-disagree", "RECORD states two hashes of 'x'")),
    ],
)  # fmt: skip
def test_what_is_not_known_of_one_file_costs_the_digest(record: str, why: object) -> None:
    found = look(row("a.py") + record, {"/opt/env/bin/t": OWN})
    assert (found[0], found[2]) == (None, why)


def test_a_script_of_too_many_bytes_is_not_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "RECORD_LIMIT", 30)
    text = OWN + b"x" * 30
    found = look(row("a.py") + row("../../../bin/t", text), {"/opt/env/bin/t": text})
    assert found[2] == ("not-supported", "'bin/t' is a script of too many bytes")


@pytest.mark.parametrize(
    ("site", "prefix"),
    [
        (b"/usr/lib/python3/dist-packages", b"/usr"),
        (b"/x/lib64/pypy3.9/site-packages", b"/x"),
        (b"C:/x/Lib/site-packages", b"C:/x"),
        (b"/site-packages", None),
        (b"/x/lib/code/site-packages", None),
        (b"/x/target", None),
    ],
)
def test_the_folder_of_packages_tells_its_prefix(site: bytes, prefix: bytes | None) -> None:
    assert prefix_of(site) == prefix


def test_where_the_prefix_is_not_known_nothing_is_claimed() -> None:
    why = "the folder of the package does not tell that of its environment"
    found = look(row("a.py") + row("../../bin/t"), site=b"/x/target")
    assert found == (None, [], ("not-supported", why))
    assert look(row("a.py"), site=b"/x/target") == (None, [], None)


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    folder, gone = str(tmp_path).encode(), str(tmp_path / "gone").encode()
    told_of = [read_here(each, 10) for each in (folder, gone, b"a\0b")]
    assert [(each.code, each.detail) for each in told_of if isinstance(each, Refusal)] == [
        ("unparsable", f"{tmp_path.name!r} cannot be read: it is no regular file"),
        ("witnesses-disagree", "'gone', which RECORD names, is not there"),
        ("unparsable", r"'a\x00b' cannot be read: its name is none"),
    ]


@pytest.mark.parametrize("by_link", [False, True])
def test_a_record_on_the_disk_is_told_with_its_scripts(tmp_path: Path, *, by_link: bool) -> None:
    env = tmp_path / "env"
    info = env / "lib/python3.8/site-packages/a-1.dist-info"
    info.mkdir(parents=True)
    (env / "bin").mkdir()
    (tmp_path / "link").symlink_to(env)
    text = f"#!{tmp_path / 'link' if by_link else env}/bin/python\n".encode() + BODY
    (env / "bin" / "t").write_bytes(text)
    (info / "RECORD").write_text(row("a.py") + row("../../../bin/t", text))
    answer = of_file(str(info / "RECORD").encode())
    assert answer.other == by_the_definition({"bin/t": b"#!python\n" + BODY})
    line = b"bin/t\0" + hashlib.sha256(b"#!python\n" + BODY).hexdigest().encode() + b"\n"
    assert answer.other == hashlib.sha256(line).hexdigest()
