"""The digest of what a wheel put outside of its folder of packages."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from envsnap.inside import content
from envsnap.inside.content import Refusal, Stated, scripts_of, stated
from envsnap.inside.entry_points import interpreter
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
        why = Refusal("witnesses-disagree", "not there", is_of_reading=True)
        return why if data is None else data[: limit + 1]

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
        LONG % (b'"$(printf %b ' + OCTAL + b')"'),
    ],
)
def test_a_script_is_told_as_its_wheel_has_it_whichever_form_starts_it(text: bytes) -> None:
    assert as_in_wheel(text, b"/opt/env/bin") == b"#!python\n" + BODY
    found = look(row("a.py") + row("../../../bin/t", text), {"/opt/env/bin/t": text})
    assert found == (by_the_definition({"bin/t": b"#!python\n" + BODY}), [b"bin/t"], None)


CODED = b"# -*- coding: utf-8 -*-\n" + BODY


def coded(line: bytes, body: bytes = CODED) -> bytes:
    text = (LONG % b"/opt/env/bin/python").replace(BODY, body)
    return text.replace(b"sh\n", b"sh\n" + line + b"\n", 1)


def test_a_coding_line_is_of_an_installer_where_the_script_has_the_same() -> None:
    text = coded(b"# coding: utf-8")
    assert as_in_wheel(text, b"/opt/env/bin") == b"#!python\n" + CODED
    assert interpreter(text, "/opt/env/bin") == "python"
    octal = text.replace(b"/opt/env/bin/python", b'"$(printf %b ' + OCTAL + b')"')
    assert as_in_wheel(octal, b"/opt/env/bin") == b"#!python\n" + CODED
    assert interpreter(octal, "/opt/env/bin") == "python"


@pytest.mark.parametrize(
    "text",
    [
        coded(b"# coding: utf-8", BODY),
        coded(b"# coding: utf-7"),
        coded(b"# coding: "),
        coded(b"# coding: utf-8 " + b"x" * 300),
        coded(b"# coding: " + b"x" * 41, b"# coding: " + b"x" * 41 + b"\n" + BODY),
        coded(b"# coding: utf-8", b"x = 'coding: utf-8'\n" + BODY),
    ],
)
def test_a_coding_line_that_the_script_does_not_have_changes_what_it_says(text: bytes) -> None:
    assert as_in_wheel(text, b"/opt/env/bin") is None
    assert interpreter(text, "/opt/env/bin") is None
    found = look(row("a.py") + row("../../../bin/t", text), {"/opt/env/bin/t": text})
    why = "'bin/t' is started by another Python than the one beside it"
    assert (found[0], found[2]) == (None, ("unparsable", why))


def by_any_link(place: bytes) -> bytes:
    return b"/opt/env/bin" if place.startswith(b"/tmp/") else place


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        (b"#!/tmp/x/python", True),
        (b"#!/tmp/x /python", False),
        (b"#!/tmp/x\t/python", False),
        (b"#!/tmp/\0x/python", False),
        (b"#!/tmp/" + b"a/" * 3000 + b"python", False),
    ],
)
def test_what_the_kernel_starts_is_the_python_beside_the_program(
    line: bytes, *, is_one: bool
) -> None:
    text = line + b"\n" + BODY
    wanted = b"#!python\n" + BODY if is_one else None
    assert as_in_wheel(text, b"/opt/env/bin", by_any_link) == wanted
    assert as_in_wheel(LONG % b"'/tmp/x /python'", b"/opt/env/bin", by_any_link) is not None
    assert as_in_wheel(b"#!/opt/my env/bin/python\n", b"/opt/my env/bin") == b"#!python\n"


@pytest.mark.parametrize("octal", [b"'\\'0999", b"'\\'00571", b"'\\'057", b"'\\'0000"])
def test_octal_digits_that_the_shell_reads_otherwise_are_no_path(octal: bytes) -> None:
    words = b'"$(printf %b ' + OCTAL + b" " + octal + b')"'
    assert as_in_wheel(LONG % words, b"/opt/env/bin") is None


def test_programs_lie_in_scripts_on_windows_alone() -> None:
    text = b"\x7fELF"
    record = row("a.py") + row("../../../Scripts/t", text)
    assert look(record) == (by_the_definition({"Scripts/t": text}), [b"Scripts/t"], None)
    record = row("a.py") + row("../../Scripts/t", text) + row("../../bin/t", b"other")
    found = look(record, {"C:/x/Scripts/t": text}, site=b"C:/x/Lib/site-packages")
    assert found[2] == ("witnesses-disagree", "RECORD states two hashes of 't'")
    record = row("a.py") + row("../../../Scripts/t", text) + row("../../../bin/t", text)
    both = look(record, {"/opt/env/bin/t": text})
    assert both[0] == by_the_definition({"Scripts/t": text, "bin/t": text})


@pytest.mark.parametrize("name", ["a", "A"])
def test_a_header_in_the_folder_of_another_name_is_another_file(name: str) -> None:
    record = row("a.py") + row(f"../../../include/site/python3.11/{name}/x.h", b"h")
    assert look(record)[0] == by_the_definition({"headers/x.h": b"h"})
    path = "include/python3.11/cpython/x.h"
    moved = row("a.py") + row(f"../../../{path}", b"h")
    assert look(moved)[0] == by_the_definition({path: b"h"})


@pytest.mark.parametrize("start", ["/", "//", "///"])
def test_slashes_at_the_start_of_a_row_lead_to_the_same_file(start: str) -> None:
    found = look(row("a.py") + row(f"{start}opt/env/share/x", b"x"))
    assert found == (by_the_definition({"share/x": b"x"}), [b"share/x"], None)


def test_a_file_that_cannot_be_read_hides_nothing_that_record_says() -> None:
    record = row("a.py") + row("../../../bin/gone") + row("../../../share/x", b"1")
    record += row("../../../lib/../share/x", b"2")
    assert look(record)[2] == ("witnesses-disagree", "RECORD states two hashes of 'x'")


def test_many_rows_without_a_hash_take_no_more_time_each() -> None:
    rows = "".join(f"../../../share/{number},,\n" for number in range(20000))
    why = "RECORD states no SHA-256 of '0': no hash (20000 rows)"
    assert look(row("a.py") + rows)[2] == ("unparsable", why)


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
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "file").write_bytes(b"x")
    folder, gone, link = (
        str(each).encode() for each in (tmp_path, tmp_path / "gone", tmp_path / "link")
    )
    told_of = [read_here(each, 10) for each in (folder, gone, b"a\0b", link)]
    assert all(isinstance(each, Refusal) and each.is_of_reading for each in told_of)
    assert [(each.code, each.detail) for each in told_of if isinstance(each, Refusal)] == [
        ("unparsable", f"{tmp_path.name!r} cannot be read: it is no regular file"),
        ("witnesses-disagree", "'gone', which RECORD names, is not there"),
        ("unparsable", r"'a\x00b' cannot be read: its name is none"),
        ("not-supported", "'link' is a link"),
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
