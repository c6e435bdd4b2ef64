"""Files are fetched by their hash, whatever a server does."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

import pytest

from envsnap.errors import FileError, ToolError
from envsnap.lock._trust import RefusedError, Trust, own_of
from envsnap.wheelhouse._bring import Errand, bring
from envsnap.wheelhouse._fetch import GoneError, Patience, Source, Way, fetch, way
from tests.serving import served

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("requests", reason="the extra `lock` is not installed")

BODY = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(BODY).hexdigest()
MD5 = hashlib.md5(BODY, usedforsecurity=False).hexdigest()
IMPATIENT = Patience(connect_s=2, silent_s=0.4, slow_s=0.4, pause_s=0.01, tries=3)


class Server(BaseHTTPRequestHandler):
    """What a path stands for, and what was asked."""

    asked: list[tuple[str, str | None, str | None]]
    other: str
    breaks: int

    def do_GET(self) -> None:
        spans = self.headers.get("Range")
        type(self).asked.append((self.path, spans, self.headers.get("Authorization")))
        if self.path.startswith("/missing"):
            self.send_error(404)
        elif self.path == "/broken":
            self.send_error(500)
        elif self.path == "/silent":
            time.sleep(1.5)
        elif self.path == "/endless":
            self._endless(1 << 16, 0.0)
        elif self.path == "/drip":
            self._endless(1, 0.05)
        elif self.path.startswith("/to?"):
            self.send_response(302)
            self.send_header("Location", self.path[4:].replace("OTHER", type(self).other))
            self.end_headers()
        else:
            self._body(spans)

    def _body(self, spans: str | None) -> None:
        found = re.match(r"bytes=(\d+)-", spans or "")
        start = int(found[1]) if found and self.path != "/no-ranges" else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(BODY) - start))
        self.end_headers()
        if self.path == "/breaks" and type(self).breaks:
            type(self).breaks -= 1
            self.wfile.write(BODY[start : start + 300_000])
            self.close_connection = True
            return
        self.wfile.write(BODY[start:])

    def _endless(self, size: int, pause_s: float) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(200_000):
                self.wfile.write(b"x" * size)
                time.sleep(pause_s)
        except OSError:
            pass  # the client has had enough

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def server(breaks: int = 0) -> Iterator[tuple[str, type[Server]]]:
    handler = type("Fresh", (Server,), {"asked": [], "other": "", "breaks": breaks})
    with served(handler) as address:
        yield f"http://{address}", handler


def own(*urls: str) -> Trust:
    """Trust in servers of the user's own."""
    return Trust(own=own_of(urls))


def patient(*urls: str) -> Way:
    return way(own(*urls), patience=IMPATIENT)


def test_a_file_is_fetched_whole_and_named_when_its_bytes_are_right(tmp_path: Path) -> None:
    heard: list[int] = []
    with server() as (url, _):
        size = fetch(
            Source(f"{url}/a", SHA256, len(BODY)), str(tmp_path / "a"), way(own(url), heard.append)
        )
    assert (tmp_path / "a").read_bytes() == BODY
    assert (size, sum(heard)) == (len(BODY), len(BODY))
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_an_older_package_is_known_by_its_md5_and_one_without_hash_is_none(tmp_path: Path) -> None:
    with server() as (url, _):
        fetch(Source(f"{url}/a", None, md5=MD5), str(tmp_path / "a"), patient(url))
        with pytest.raises(GoneError):
            fetch(Source(f"{url}/a", None), str(tmp_path / "b"), patient(url))
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_other_bytes_are_not_kept(tmp_path: Path) -> None:
    with server() as (url, _), pytest.raises(GoneError) as caught:
        fetch(Source(f"{url}/a", "0" * 64), str(tmp_path / "a"), patient(url))
    assert caught.value.message == f"{url}/a has other bytes than those that were locked"
    assert list(tmp_path.iterdir()) == []


def test_what_an_interrupted_run_has_left_is_hashed_and_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(BODY[:1000])
    with server() as (url, handler):
        fetch(Source(f"{url}/a", SHA256, len(BODY)), str(tmp_path / "a"), patient(url))
        assert handler.asked == [("/a", "bytes=1000-", None)]
    assert (tmp_path / "a").read_bytes() == BODY


@pytest.mark.parametrize("left", [BODY[:1000], BODY, BODY + b"more"])
def test_a_server_without_ranges_or_a_part_that_is_too_long_begins_again(
    tmp_path: Path, left: bytes
) -> None:
    (tmp_path / "a.part").write_bytes(left)
    with server() as (url, _):
        fetch(Source(f"{url}/no-ranges", SHA256, len(BODY)), str(tmp_path / "a"), patient(url))
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_part_of_another_file_is_dropped_and_the_file_fetched_from_its_start(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.part").write_bytes(b"something else")
    heard: list[int] = []
    with server() as (url, handler):
        by = way(own(url), heard.append, patience=IMPATIENT)
        assert fetch(Source(f"{url}/a", SHA256, len(BODY)), str(tmp_path / "a"), by) == len(BODY)
        assert [spans for _, spans, _ in handler.asked] == ["bytes=14-", None]
    assert (tmp_path / "a").read_bytes() == BODY
    assert sum(heard) == len(BODY)


def test_a_part_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"precious")
    (tmp_path / "a.part").symlink_to(other)
    with server() as (url, _):
        fetch(Source(f"{url}/a", SHA256, len(BODY)), str(tmp_path / "a"), patient(url))
    assert other.read_bytes() == b"precious"


def test_a_connection_that_breaks_is_gone_on_with(tmp_path: Path) -> None:
    with server(breaks=2) as (url, handler):
        fetch(Source(f"{url}/breaks", SHA256, len(BODY)), str(tmp_path / "a"), patient(url))
        assert [spans for _, spans, _ in handler.asked] == [
            None, "bytes=300000-", "bytes=600000-",
        ]  # fmt: skip
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_file_that_is_gone_is_said_so_at_once(tmp_path: Path) -> None:
    with server() as (url, handler):
        with pytest.raises(GoneError) as caught:
            fetch(Source(f"{url}/missing", SHA256), str(tmp_path / "a"), patient(url))
        assert len(handler.asked) == 1
    assert caught.value.message == f"{url}/missing is gone: the server answers 404"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("broken", "the server answers 500"),
        ("silent", "the server says nothing"),
    ],
)
def test_a_server_that_fails_is_tried_again_and_then_told_of(
    tmp_path: Path, path: str, why: str
) -> None:
    with server() as (url, handler):
        with pytest.raises(ToolError) as caught:
            fetch(Source(f"{url}/{path}", SHA256), str(tmp_path / "a"), patient(url))
        assert len(handler.asked) == 3
    assert caught.value.message == f"{url}/{path} could not be fetched: {why}"
    assert caught.value.hint == "Run the same command again: what is complete is kept"


def test_an_endless_body_ends_at_the_size_that_was_stated(tmp_path: Path) -> None:
    with server() as (url, _), pytest.raises(GoneError) as caught:
        fetch(Source(f"{url}/endless", SHA256, 200_000), str(tmp_path / "a"), patient(url))
    assert (
        caught.value.message == f"{url}/endless has more than the 200000 bytes that it should have"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_drips_is_not_waited_for(tmp_path: Path) -> None:
    with server() as (url, _), pytest.raises(ToolError, match=r"it sent \d+ bytes in \d s$"):
        fetch(Source(f"{url}/drip", SHA256), str(tmp_path / "a"), patient(url))


def test_a_redirect_into_the_network_is_not_followed(tmp_path: Path) -> None:
    with server() as (url, handler), server() as (other, inner):
        handler.other = other.replace("127.0.0.1", "127.0.0.2")
        with pytest.raises(RefusedError) as caught:
            fetch(Source(f"{url}/to?OTHER/a", SHA256), str(tmp_path / "a"), patient(url))
        assert inner.asked == []
    assert caught.value.message == (
        "Not fetched: 127.0.0.2 is an address of this machine or its network"
    )


def test_a_redirect_to_a_file_or_without_end_is_not_followed(tmp_path: Path) -> None:
    with server() as (url, _):
        with pytest.raises(RefusedError):
            fetch(Source(f"{url}/to?file:///etc/passwd", SHA256), str(tmp_path / "a"), patient(url))
        with pytest.raises(GoneError, match=r"redirects more than 8 times$"):
            fetch(Source(f"{url}/to?" + "/to?" * 20, SHA256), str(tmp_path / "a"), patient(url))


def test_a_redirect_that_nobody_can_read_is_refused(tmp_path: Path) -> None:
    with server() as (url, handler):
        handler.other = "http://[::1"
        with pytest.raises(RefusedError) as caught:
            fetch(Source(f"{url}/to?OTHER", SHA256), str(tmp_path / "a"), patient(url))
        failed = bring(
            [
                Errand("a 1", Source(f"{url}/to?OTHER", SHA256), str(tmp_path / "a")),
                Errand("b 1", Source(f"{url}/b", SHA256), str(tmp_path / "nowhere" / "b")),
                Errand("c 1", Source(f"{url}/c", SHA256), str(tmp_path / "c")),
            ],
            own(url),
            lambda _: None,
        )
    message = f"Not fetched: {url}/to redirects to an address that cannot be read"
    assert caught.value.message == message
    assert [(each.name, type(each.error), each.error.message) for each in failed] == [
        ("a 1", RefusedError, message),
        ("b 1", FileError, f"Cannot write {tmp_path}/nowhere/b.part: No such file or directory"),
    ]
    assert (tmp_path / "c").read_bytes() == BODY


def test_a_fault_of_ours_in_one_thread_ends_all_and_is_seen(tmp_path: Path) -> None:
    class Odd(str):
        """A path that breaks what is done with it."""

        __slots__ = ()

        def __format__(self, _: str) -> str:
            raise ZeroDivisionError

    with server() as (url, _), pytest.raises(ZeroDivisionError):
        bring([Errand("a 1", Source(f"{url}/a", SHA256), Odd(tmp_path))], own(url), lambda _: None)


def test_what_netrc_has_for_a_host_goes_to_the_users_own_port_of_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password CANARY\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with server() as (url, handler), server() as (other, elsewhere):
        fetch(Source(f"{url}/a", SHA256), str(tmp_path / "a"), patient(url))
        with pytest.raises(RefusedError) as caught:
            fetch(Source(f"{other}/a", SHA256), str(tmp_path / "b"), patient(url))
        handler.other = other
        with pytest.raises(RefusedError):
            fetch(Source(f"{url}/to?OTHER/a", SHA256), str(tmp_path / "b"), patient(url))
        assert handler.asked[0] == ("/a", None, "Basic bWU6Q0FOQVJZ")
        assert elsewhere.asked == []
    assert caught.value.message == (
        "Not fetched: 127.0.0.1 is an address of this machine or its network"
    )


def test_the_users_proxy_is_asked_and_gets_no_credentials_of_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with server() as (proxy, handler):
        monkeypatch.setenv("http_proxy", proxy)
        by = way(Trust(allowed=frozenset({"files.example"})), patience=IMPATIENT)
        fetch(Source("http://files.example/a", SHA256), str(tmp_path / "a"), by)
        assert handler.asked == [("http://files.example/a", None, None)]


def test_an_allowed_name_that_leads_into_the_network_gets_nothing(tmp_path: Path) -> None:
    trust = Trust(allowed=frozenset({"127.0.0.1"}))
    with server() as (url, handler):
        by = way(trust, patience=IMPATIENT)
        with pytest.raises(RefusedError) as caught:
            by.client.session.get(url)
        assert handler.asked == []
    assert caught.value.message == (
        "Not connected: 127.0.0.1 resolves to 127.0.0.1, an address of this machine or its network"
    )
    assert list(tmp_path.iterdir()) == []


def test_credentials_go_to_their_own_host_and_to_no_other_and_into_no_message(
    tmp_path: Path,
) -> None:
    with server() as (url, handler), server() as (other, elsewhere):
        secret = url.replace("http://", "http://me:CANARY@")
        handler.other = other.replace("127.0.0.1", "localhost")
        both = patient(url, handler.other)
        fetch(Source(f"{secret}/to?OTHER/a", SHA256), str(tmp_path / "a"), both)
        with pytest.raises(GoneError) as caught:
            fetch(Source(f"{secret}/missing?CANARY", SHA256), str(tmp_path / "b"), both)
        assert handler.asked[0][2] == "Basic bWU6Q0FOQVJZ"
        assert elsewhere.asked == [("/a", None, None)]
    assert "CANARY" not in caught.value.message


def test_a_file_of_the_users_own_links_is_copied_and_hashed(tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "a b.whl").write_bytes(BODY)
    url = (tmp_path / "links" / "a b.whl").as_uri()
    fetch(Source(url, SHA256), str(tmp_path / "a"), patient(url))
    assert (tmp_path / "a").read_bytes() == BODY
    with pytest.raises(GoneError, match=r"other bytes than those that were locked$"):
        fetch(Source(url, "0" * 64), str(tmp_path / "b"), patient(url))
    with pytest.raises(GoneError, match=r"is not there any more$"):
        fetch(Source(f"{url}x", SHA256), str(tmp_path / "b"), patient(url))
    with pytest.raises(GoneError, match=r"is no regular file$"):
        fetch(Source("file:///dev/zero", SHA256), str(tmp_path / "b"), patient(url))


def test_several_threads_share_a_way(tmp_path: Path) -> None:
    with server() as (url, handler):
        by = patient(url)

        def one(number: int) -> None:
            fetch(Source(f"{url}/{number}", SHA256), str(tmp_path / str(number)), by)

        threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert len(handler.asked) == 8
    assert {each.read_bytes() for each in tmp_path.iterdir()} == {BODY}


def test_an_endless_body_of_unknown_size_ends_at_a_bound_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("envsnap.wheelhouse._fetch.UNSTATED_BYTES", 300_000)
    with server() as (url, _), pytest.raises(GoneError, match=r"more than the 300000 bytes"):
        fetch(Source(f"{url}/endless", SHA256), str(tmp_path / "a"), patient(url))
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_ends_a_file_of_unknown_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("envsnap.wheelhouse._part.SPARE_BYTES", 1 << 60)
    monkeypatch.setattr("envsnap.wheelhouse._fetch._LOOK_BYTES", 300_000)
    with server() as (url, _):
        for path in ("endless", "a"):
            with pytest.raises(FileError, match=rf"^{tmp_path} has \d+ MiB free, and "):
                fetch(Source(f"{url}/{path}", SHA256), str(tmp_path / "a"), patient(url))
            assert list(tmp_path.iterdir()) == []


def test_a_server_that_says_nothing_is_waited_for_a_minute_in_all() -> None:
    waits = Patience()
    pauses = sum(waits.pause_s * tried for tried in range(1, waits.tries))
    assert waits.silent_s * waits.tries + pauses <= 65
