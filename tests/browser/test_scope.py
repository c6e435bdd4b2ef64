"""What the browser's tests leave behind: they stand before others in one run."""

from __future__ import annotations

import asyncio

import pytest

pytestmark = pytest.mark.browser


async def _answer() -> int:
    return 42


def test_no_event_loop_runs_on_behind_the_tests_of_the_page() -> None:
    assert asyncio.run(_answer()) == 42
