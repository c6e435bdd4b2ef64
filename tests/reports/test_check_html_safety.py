"""check's page: what can never get into it, and what it never does."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

import pytest

from envsnap._templates import template
from envsnap.reports._html import web_address
from envsnap.sections import Environ
from tests import made
from tests.reports.pages import HOSTILE, Page, hostile, page_of, reviewer
from tests.rules.machines import machine


def test_every_source_with_an_address_is_a_link_that_tells_nobody_where_it_was_followed() -> None:
    away = [each for each in reviewer().all("a") if not each["href"].startswith("#")]
    assert len(away) > 10
    assert {each["rel"] for each in away} == {"noreferrer noopener"}
    assert [each["href"] for each in away if not each["href"].startswith("https://")] == []


@pytest.mark.parametrize("side", ["wanted", "found"])
def test_hostile_names_stay_text(side: str) -> None:
    sides = (hostile(), machine()) if side == "wanted" else (machine(), hostile())
    seen = Page(page_of(*sides))
    assert [len(seen.all(tag)) for tag in ("script", "style", "img", "svg")] == [1, 1, 0, 0]
    handlers = [name for each in seen.all() for name in each.attributes if name.startswith("on")]
    assert handlers == []
    assert [each for each in seen.all() if "style" in each.attributes] == []
    shown = seen.by_id("main").text
    for name in HOSTILE[:10]:
        assert " ".join(name.split()) in shown, name


def test_no_control_character_reaches_the_page_and_each_is_spelled_out() -> None:
    html = page_of(hostile(), hostile())
    assert html.replace("\n", "").isprintable()
    assert r"evil\u202egnp.exe\u2066" in html
    assert r"nul\x00esc\x1b[2J" in html
    assert html.encode() == html.encode("utf-8", "strict")


def test_a_name_that_no_utf8_holds_is_spelled_out() -> None:
    wanted = machine(environ=Environ(variables={"OMP_NUM_THREADS": "\udcff"}))
    assert r"\udcff" in page_of(wanted, machine()).encode().decode()


def test_what_is_very_long_is_cut_in_its_middle_and_says_how_long_it_was() -> None:
    html = page_of(hostile(), machine())
    longest = max(len(word) for word in Page(html).by_id("m1-facts").text.split())
    assert longest <= 300
    assert "(3000 characters)" in html


def test_the_page_forbids_everything_but_its_own_style_and_script() -> None:
    seen = reviewer()
    (policy,) = [
        each["content"]
        for each in seen.all("meta")
        if each.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    hashes = [
        b64encode(sha256("".join(map(str, each.inside)).encode()).digest()).decode()
        for each in (*seen.all("style"), *seen.all("script"))
    ]
    assert policy == (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'"
    )


def test_nothing_on_the_page_is_fetched() -> None:
    assert [each for each in reviewer().all() if "src" in each.attributes] == []
    assert [each["href"] for each in reviewer().all("link")] == ["data:,"]
    style = template("report/page.css")
    assert "url(" not in style
    assert "@import" not in style


def test_only_the_web_s_addresses_become_links() -> None:
    given = (
        "https://a.example/b",
        "http://a.example",
        "javascript:alert(1)",
        "data:,x",
        "//a",
        None,
    )
    assert [web_address(each) for each in given] == [*given[:2], "", "", "", ""]


def test_a_value_without_end_is_cut() -> None:
    endless = "x" * 10**6
    found = machine(os=made.linux(libc_version=endless, distribution_name=endless))
    assert len(page_of(machine(), found, endless)) < 10 * 10**5
