from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.lock._trust import (
    Trust,
    host_counts,
    host_of,
    own_of,
    peer_refusal,
    refusal,
    shown,
)

INNER = (
    "http://localhost/a", "http://LOCALHOST./a", "http://x.localhost/a", "http://127.0.0.1/a",
    "http://127.1/a", "http://2130706433/a", "http://0x7f000001/a", "http://0177.0.0.1/a",
    "http://0/a", "http://[::1]/a", "http://[::]/a", "http://[::ffff:127.0.0.1]/a",
    "http://[::ffff:7f00:1]/a", "http://[::127.0.0.1]/a", "http://[64:ff9b::7f00:1]/a",
    "http://[2002:7f00:1::]/a", "http://10.1.2.3/a", "http://172.16.0.1/a", "http://192.168.1.1/a",
    "http://100.64.0.1/a", "http://169.254.169.254/latest/meta-data", "http://[fd00::1]/a",
    "http://[fe80::1]/a", "http://[fe80::1%25eth0]/a", "http://[ff02::1]/a", "http://224.0.0.1/a",
    "http://255.255.255.255/a", "http://240.0.0.1/a", "http://metadata/a", "http://db.internal/a",
    "http://printer.local/a", "http://user@127.0.0.1/a",
)  # fmt: skip
UNCLEAR = (
    "https://files.example\\@127.0.0.1/a", "https://a@b@127.0.0.1/a", "https://files.example/\na",
    "https://files.example /a", "https://f\u0131les.example/a", "https://\u2460.\u2461.3.4/a",
    "https://files.example:99999/a", "https://[::1/a", "https://files.example/" + "a" * 5000,
)  # fmt: skip
OTHERS = ("file:///etc/passwd", "ftp://files.example/a", "//files.example/a", "javascript:1", "")
ALLOWED = Trust(
    allowed=frozenset({"files.example", "localhost", "127.0.0.1", "127.1", "::1", "metadata"})
)


@pytest.mark.parametrize("url", INNER)
def test_an_address_inside_a_network_is_refused_even_if_its_host_is_allowed(url: str) -> None:
    host = host_of(url)
    assert refusal(url, ALLOWED) == f"{host} is an address of this machine or its network"


@pytest.mark.parametrize("url", UNCLEAR)
def test_an_address_that_two_programs_read_differently_is_refused(url: str) -> None:
    assert refusal(url, ALLOWED) == f"{shown(url)} is no address that can be read one way only"


@pytest.mark.parametrize("url", OTHERS)
def test_only_http_is_fetched(url: str) -> None:
    assert refusal(url, ALLOWED) == f"{shown(url)} is neither http:// nor https://"


@pytest.mark.parametrize("url", INNER)
def test_an_own_host_may_be_inside_a_network(url: str) -> None:
    assert refusal(url, Trust(own=own_of([url]))) is None


@pytest.mark.parametrize(
    "url", ["http://10.0.0.7:22/", "https://10.0.0.7:8080/", "http://10.0.0.7/"]
)
def test_behind_another_port_of_an_inner_host_stands_somebody_else(url: str) -> None:
    own = Trust(own=own_of(["http://10.0.0.7:8080/simple"]))
    assert refusal("http://10.0.0.7:8080/files/a.whl", own) is None
    assert refusal(url, own) == "10.0.0.7 is an address of this machine or its network"


def test_a_host_is_the_same_in_any_case_and_with_the_last_dot() -> None:
    trust = Trust(own=frozenset({"Index.Example."}), allowed=frozenset({"FILES.example."}))
    assert trust == Trust(own=frozenset({"index.example"}), allowed=frozenset({"files.example"}))
    assert refusal("https://files.example/a.whl", trust) is None
    assert refusal("https://index.EXAMPLE./a.whl", trust) is None


def test_a_host_that_nobody_chose_is_refused_by_its_name() -> None:
    trust = Trust(own=frozenset({"index.example"}), allowed=frozenset({"files.example"}))
    assert refusal("https://files.example/a.whl", trust) is None
    assert refusal("https://index.example:8443/a.whl", trust) is None
    assert refusal("https://FILES.EXAMPLE./a.whl", trust) is None
    assert refusal("https://files.example@evil.example/a.whl", trust) == (
        "evil.example is neither in your own settings nor allowed"
    )
    assert refusal("https://evil-files.example/a.whl", trust) == (
        "evil-files.example is neither in your own settings nor allowed"
    )


def test_a_name_that_resolves_into_a_network_is_refused_once_it_is_connected() -> None:
    why = "files.example resolves to 10.0.0.8, an address of this machine or its network"
    url = "https://files.example/a"
    own = Trust(own=own_of([url]))
    assert peer_refusal(url, "10.0.0.8", ALLOWED) == why
    assert peer_refusal(url, "10.0.0.8", own) is None
    assert peer_refusal("https://files.example:22/a", "10.0.0.8", own) == why
    assert peer_refusal(url, "9.9.9.9", Trust()) is None
    assert peer_refusal(url, "fe80::1%eth0", ALLOWED) is not None


def test_no_message_has_a_credential_or_a_query() -> None:
    for url in (
        "ftp://me:CANARY@files.example/a?token=CANARY",
        "https://a:CANARY@b:CANARY@c.example/?CANARY",
        "CANARY@files.example/a",
    ):
        assert "CANARY" not in str(refusal(url, Trust()))


def test_hosts_are_counted_the_most_first() -> None:
    urls = ["https://a.example/1", None, "https://b.example/1", "http://B.example./2"]
    assert host_counts(urls) == (("b.example", 2), ("a.example", 1))


@given(st.text(max_size=60))
def test_any_text_gets_an_answer(text: str) -> None:
    assert isinstance(refusal(text, Trust()), str)
    assert isinstance(refusal(f"http://{text}/", Trust()), str)
