"""What RECORD names, read in one way: by capture, by `run` and for a library's class of place."""

from __future__ import annotations

import pytest

from envsnap.host import RecordedHost
from envsnap.probes._deep._record_rows import Brought, Records
from envsnap.probes._record import Row, rows

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
DIGEST = b"sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
RECORD = b"""a.py,%s,0\r
"b,c.py",%s,0
"say ""hi"".so",%s,0
d.py,md5=aaaa,0
a-1.dist-info/RECORD,,
""" % (DIGEST, DIGEST, DIGEST)


def test_names_are_read_with_their_quotes_and_their_digests() -> None:
    assert list(rows(RECORD)) == [
        Row("a.py", EMPTY), Row("b,c.py", EMPTY), Row('say "hi".so', EMPTY), Row("d.py", None),
        Row("a-1.dist-info/RECORD", None),
    ]  # fmt: skip


def test_lines_that_are_not_asked_for_are_not_read() -> None:
    assert list(rows(b'"never closed\n' + RECORD, naming=b"d.py")) == [Row("d.py", None)]


@pytest.mark.parametrize("record", [b"", b"\0", b'"never closed', b"\n\n"])
def test_what_is_no_table_has_no_rows(record: bytes) -> None:
    assert list(rows(record)) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.py", EMPTY), ("b,c.py", EMPTY), ('say "hi".so', EMPTY), ("d.py", None)],
)
def test_a_file_s_own_row_is_found_by_any_name(name: str, content: str | None) -> None:
    site = "/env/lib/python3.11/site-packages"
    host = RecordedHost.made(files={f"{site}/a-1.dist-info/RECORD": RECORD}, absent_below=["/"])
    assert Records(host).row(f"{site}/{name}", None) == Brought("a", "1", content)
    assert Records(host).row(f"{site}/{name}", "other") is None
    assert Records(host).row(f"{site}/c.py", None) is None
