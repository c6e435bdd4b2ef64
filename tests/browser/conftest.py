"""A real browser for the tests of the page; skipped, and saying why, where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    Open = Callable[..., Page]

CHOSEN = "ENVSNAP_TEST_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDE, PHONE = (1400, 900), (360, 780)


def executable() -> str | None:
    """The browser that the environment names, else the first on PATH."""
    found = (shutil.which(name) for name in NAMES)
    return os.environ.get(CHOSEN) or next(filter(None, found), None)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for a module: while it is open, Playwright's event loop runs in this thread.

    A test after it that starts a loop of its own would fail.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="browser: playwright is missing")
    path = executable()
    if path is None:
        pytest.skip(f"browser: no Chromium on PATH, and {CHOSEN} names none")
    options = ["--disable-background-networking", "--disable-component-update"]
    if os.geteuid() == 0:
        options.append("--no-sandbox")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=options)
        yield browser
        browser.close()


class Watched:
    """What a page did that nobody sees: what it asked the network for, and its complaints."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def open_page(chromium: Browser, tmp_path: Path, watched: Watched) -> Iterator[Open]:
    """Open a page from a file, as a reader does; whatever else it asks for is refused."""
    with ExitStack() as stack:

        def opened(html: str, size: tuple[int, int] = WIDE, **settings: object) -> Page:
            file = tmp_path / "report.html"
            file.write_text(html, encoding="utf-8")
            context = chromium.new_context(
                viewport={"width": size[0], "height": size[1]}, **settings
            )
            stack.callback(context.close)
            page = context.new_page()
            page.on("console", lambda said: watched.complaints.append(said.text))
            page.on("pageerror", lambda error: watched.complaints.append(str(error)))
            page.on("request", lambda asked: watched.requests.append(asked.url))
            page.route(lambda url: url != file.as_uri(), lambda route: route.abort())
            page.goto(file.as_uri())
            return page

        yield opened
    assert watched.complaints == []
    assert [each for each in watched.requests if not each.startswith(("file:", "data:"))] == []
