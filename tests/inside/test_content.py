from __future__ import annotations

import csv
import hashlib
import io
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from envsnap.inside import content
from envsnap.inside.content import digests_of, stated
from tests.inside.rows import EMPTY, EMPTY_HEX, by_the_definition, field, refused, row, told

OWN = b"pkg-1.0.dist-info"


def test_the_digest_is_that_of_the_definition() -> None:
    files = {"pkg/b.py": b"b", "pkg/a.py": b"", "pkg-1.0.dist-info/METADATA": b"Name: pkg"}
    record = "".join(row(*item) for item in files.items()) + "pkg-1.0.dist-info/RECORD,,\n"
    assert told(stated(record.encode(), OWN)) == {
        "content": by_the_definition(files),
        "files": 3,
        "refusal": None,
        "other": None,
        "outside": 0,
        "other_refusal": None,
    }


def test_what_installers_and_interpreters_write_is_left_out() -> None:
    wheel = row("pkg/a.py", b"a") + row("pkg-1.0.dist-info/licenses/RECORD", b"l")
    added = "".join(
        row(f"pkg-1.0.dist-info/{name}", name.encode())
        for name in (
            "INSTALLER",
            "REQUESTED",
            "RECORD.jws",
            "RECORD.p7s",
            "direct_url.json",
            "provenance_url.json",
            "uv_cache.json",
            "uv_build.json",
        )
    )
    added += "pkg-1.0.dist-info/RECORD,,\npkg/__pycache__/a.cpython-311.pyc,,\n" + row(
        "b.pyc", b"b"
    )
    assert told(stated((wheel + added).encode(), OWN)) == told(stated(wheel.encode(), OWN))
    assert stated(wheel.encode(), OWN).files == 2


def test_another_packages_dist_info_is_content() -> None:
    record = row("pkg/a.py") + row("vendored-2.dist-info/INSTALLER", b"pip\n")
    assert stated(record.encode(), OWN).files == 2


@pytest.mark.parametrize(
    "record",
    [
        row("a.py") + row("b.py"),
        row("b.py") + row("a.py"),
        (row("a.py") + row("b.py")).replace("\n", "\r\n"),
        "\ufeff" + row("a.py") + row("b.py"),
        (row("a.py") + row("b.py")).rstrip("\n"),
        row("a.py") + "\n\n" + row("b.py"),
        row('"a.py"') + row("b.py"),
        row("./a.py") + row("x//../b.py"),
        row("a.py") + row("a.py") + row("b.py"),
        row("a.py") + f"b.py,sha256={EMPTY},\n",
        row("a.py") + f"b.py,sha256={EMPTY}\n",
        row("a.py").replace("\n", "\r") + row("b.py"),
    ],
)
def test_the_same_files_have_the_same_digest_however_they_are_written(record: str) -> None:
    answer = stated(record.encode(), OWN)
    assert (answer.content, answer.files) == (by_the_definition({"a.py": b"", "b.py": b""}), 2)


@pytest.mark.parametrize("name", ["a,b.py", 'a"b.py', "ä.py", "a b.py", "~a.py", "..a/b.", "-x"])
def test_unusual_names_count_as_they_are(name: str) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow([name, field(b"x"), 1])
    assert stated(buffer.getvalue().encode(), OWN).content == by_the_definition({name: b"x"})


def test_an_unquoted_comma_belongs_to_the_path() -> None:
    for record in (row("a,b.py"), row("a,b.py") + row('"c.py"')):
        assert b"\na,b.py" in content.one_by_one(record.encode()).paths  # type: ignore[union-attr]
    assert stated(row("a,b.py").encode(), OWN).content == by_the_definition({"a,b.py": b""})


def test_bytes_that_are_no_utf8_count_as_they_are() -> None:
    record = b"\xff.py,sha256=%s,0\n" % EMPTY.encode()
    line = b"\xff.py\0" + EMPTY_HEX.encode() + b"\n"
    assert stated(record, OWN).content == hashlib.sha256(line).hexdigest()


@pytest.mark.parametrize(
    ("bad", "code", "why"),
    [
        ("x.py,,", "unparsable", "'x.py': no hash (1 rows)"),
        ("x.py", "unparsable", "'x.py': no hash (1 rows)"),
        (f"x.py,sha512={'A' * 86},1", "not-supported", "'x.py': sha512 (1 rows)"),
        ("x.py,md5=AAAA,1\ny.py,md5=AAAA,1", "not-supported", "'x.py': md5 (2 rows)"),
        (f"x.py,sha256={EMPTY[:-1]},1", "unparsable", "'x.py': malformed hash (1 rows)"),
        (f"x.py,sha256={EMPTY}A,1", "unparsable", "'x.py': malformed hash (1 rows)"),
        (f"x.py,sha256={EMPTY[:-1]}V,1", "unparsable", "'x.py': malformed hash (1 rows)"),
        (f"x.py,sha256={EMPTY[:-1]}=,1", "unparsable", "'x.py': malformed hash (1 rows)"),
        (f"x.py,sha256={EMPTY[:-1]}!,1", "unparsable", "'x.py': malformed hash (1 rows)"),
        (f"x.py,SHA256={EMPTY},1", "unparsable", "'x.py': malformed hash (1 rows)"),
        (f",sha256={EMPTY},1", "unparsable", "'': no path (1 rows)"),
        ("é\u202e.py,,", "unparsable", r"'\xe9\u202e.py': no hash (1 rows)"),
    ],
)
def test_a_row_without_a_sha256_costs_the_digest(bad: str, code: str, why: str) -> None:
    answer = stated((row("a.py") + bad + "\n" + row("z.py")).encode(), OWN)
    assert told(answer) == {
        "content": None,
        "files": 2,
        "refusal": (code, f"RECORD states no SHA-256 of {why}"),
        "other": None,
        "outside": 0,
        "other_refusal": None,
    }


def test_two_fields_of_42_and_44_characters_are_not_two_of_43() -> None:
    record = f"a.py,sha256={'A' * 42},1\nb.py,sha256={'A' * 44},1\n"
    assert told(stated(record.encode(), OWN))["refusal"] == (
        "unparsable",
        "RECORD states no SHA-256 of 'a.py': malformed hash (2 rows)",
    )


def test_a_line_of_one_field_does_not_hide_between_short_rows() -> None:
    record = f"a.py,sha256={EMPTY}\nhidden.py\n" + row("b.py")
    assert told(stated(record.encode(), OWN))["refusal"] == (
        "unparsable",
        "RECORD states no SHA-256 of 'hidden.py': no hash (1 rows)",
    )


def test_two_hashes_of_one_path_are_witnesses_that_disagree() -> None:
    record = row("a.py", b"1") + row("./a.py", b"2")
    assert told(stated(record.encode(), OWN)) == {
        "content": None,
        "files": 0,
        "refusal": ("witnesses-disagree", "RECORD states two hashes of 'a.py'"),
        "other": None,
        "outside": 0,
        "other_refusal": ("witnesses-disagree", "RECORD states two hashes of 'a.py'"),
    }


@pytest.mark.parametrize(
    ("record", "limit", "code", "detail"),
    [
        (b"", 100, "unparsable", "RECORD names no file of the wheel"),
        (b"\n\n", 100, "unparsable", "RECORD names no file of the wheel"),
        (b"pkg-1.0.dist-info/RECORD,,\n", 100, "unparsable", "RECORD names no file of the wheel"),
    ],
)
def test_a_record_of_nothing_has_no_digest(
    record: bytes, limit: int, code: str, detail: str
) -> None:
    assert told(stated(record, OWN, limit=limit))["refusal"] == (code, detail)


@pytest.mark.parametrize(
    ("record", "code", "detail"),
    [
        (b"x" * 101, "not-supported", "RECORD is larger than 100 bytes"),
        (b"a\0b,,\n", "unparsable", "RECORD holds a NUL byte"),
        (
            b'"a.py,,\n',
            "unparsable",
            "RECORD is no table of comma-separated values: unexpected end of data",
        ),
        (
            f'"a\nb.py",sha256={EMPTY},0\n'.encode(),
            "unparsable",
            "RECORD names a path with a line end in it",
        ),
    ],
)
def test_a_record_that_cannot_be_read_says_why(record: bytes, code: str, detail: str) -> None:
    assert told(stated(record, OWN, limit=100)) == refused(code, detail)


def test_a_hidden_way_out_of_the_folder_is_found() -> None:
    record = row("pkg/a.py") + row("pkg/../../etc/x", b"x") + row("/opt/y", b"y")
    answer = stated(record.encode(), OWN)
    assert (answer.files, answer.outside) == (1, 2)
    assert [path for path, _ in answer.leaving] == [b"\n/opt/y", b"\n../etc/x"]


def test_a_bad_row_outside_does_not_cost_the_digest() -> None:
    record = row("a.py") + "../../bin/tool,,\n" + row("../../bin/b")
    answer = stated(record.encode(), OWN)
    assert told(answer) == {
        "content": by_the_definition({"a.py": b""}),
        "files": 1,
        "refusal": None,
        "other": None,
        "outside": 1,
        "other_refusal": None,
    }
    assert answer.unstated == [(b"\n../../bin/tool", b"no hash")]


def test_hashed_files_and_record_agree() -> None:
    files = {"pkg/a.py": b"a", "../../bin/t": b"t"}
    hashed = {p.encode(): hashlib.sha256(d).hexdigest().encode() for p, d in files.items()}
    record = "".join(row(*item) for item in files.items())
    assert told(digests_of(hashed, OWN)) == told(stated(record.encode(), OWN))


paths = st.text('ab./ ,-"~é\\', min_size=1, max_size=9).filter(lambda path: path.strip("./ "))
hashes = st.sampled_from([field(b""), field(b"1"), "", "sha512=AA", "sha256=A", field(b"2") + "="])
records = st.lists(st.tuples(paths, hashes, st.sampled_from(["", "0", "7"])), max_size=6)


@given(records)
def test_columns_and_single_rows_say_the_same(rows: list[tuple[str, str, str]]) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    record = buffer.getvalue().encode()
    columns, single = content.in_columns(record), content.one_by_one(record)
    assert isinstance(single, content.Rows)
    if columns is not None:
        assert (columns.paths, columns.hexes) == (single.paths, single.hexes)
        assert columns.bad == single.bad
    assert told(stated(record, OWN)) == told(content.judged(single, OWN))


line = st.sampled_from(
    [b"\n", b",", b'"', b"\r", b"\0", b"a", b"/", b"..", b"sha256=", EMPTY.encode()]
)


@settings(max_examples=300)
@given(st.one_of(st.binary(max_size=80), st.lists(line, max_size=20).map(b"".join)))
@example(b",\n,,\n")
@example(b"a\r")
def test_no_bytes_make_it_raise(record: bytes) -> None:
    answer = stated(record, OWN)
    assert (answer.content is None) == (answer.refusal is not None)
    assert answer.other is None or re.fullmatch("[0-9a-f]{64}", answer.other)
    assert all(
        refusal is None or refusal.detail.isascii()
        for refusal in (answer.refusal, answer.other_refusal)
    )
    assert told(answer) == told(stated(record, OWN))


def test_a_hash_in_hex_as_debian_writes_it_is_the_same_hash() -> None:
    in_hex = f"a.py,sha256={hashlib.sha256(b'x').hexdigest()},1\n"
    assert stated(in_hex.encode(), OWN).content == stated(row("a.py", b"x").encode(), OWN).content
    assert stated(in_hex.encode(), OWN).content == by_the_definition({"a.py": b"x"})
