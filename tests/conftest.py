"""Keep the default run free of network, engines and GPUs, and say what it left out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Generator

import pytest
from hypothesis import settings

from envsnap.host import Host
from envsnap.probes import Look, Options
from envsnap.sections import Reason, Unknown

NEEDS = {
    "engine": "ENVSNAP_TEST_ENGINES",
    "network": "ENVSNAP_TEST_NETWORK",
    "live": "ENVSNAP_TEST_GPU",
    "slow": "ENVSNAP_TEST_SLOW",
}
PROMISED = {"engine": NEEDS["engine"], "browser": "ENVSNAP_TEST_BROWSER"}
"""Who sets these says that the thing is there: a test that skips for want of it has failed."""
LEFT_OUT = pytest.StashKey[Counter[str]]()

# The usual run tries the same cases each time, so that a red run is somebody's change.
settings.register_profile("usual", derandomize=True, database=None, deadline=None, max_examples=60)
settings.register_profile("deep", deadline=None, max_examples=3000)


def switched_on(marker: str) -> bool:
    return os.environ.get(NEEDS[marker], "") == "1"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write tests/golden anew")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LEFT_OUT] = Counter()
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what needs a thing that nobody has promised, with the switch as the reason.

    Who promises engines or the network knows that their tests take their time.
    """
    for item in items:
        marked = [marker for marker in NEEDS if item.get_closest_marker(marker)]
        missing = [marker for marker in marked if not switched_on(marker)]
        if missing and (missing != ["slow"] or marked == ["slow"]):
            item.add_marker(pytest.mark.skip(reason=f"{missing[0]}: set {NEEDS[missing[0]]}=1"))
            config.stash[LEFT_OUT][missing[0]] += 1


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
    call: pytest.CallInfo[None],  # noqa: ARG001 - pytest passes arguments by these names
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure where the thing was promised: a gate that skips proves nothing."""
    report = yield
    for marker, switch in PROMISED.items():
        promised = item.get_closest_marker(marker) and os.environ.get(switch, "") == "1"
        if report.skipped and promised:
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} skipped although {switch}=1: {report.longrepr}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for marker, count in sorted(terminalreporter.config.stash[LEFT_OUT].items()):
        noun = "test" if count == 1 else "tests"
        terminalreporter.write_line(f"skipped: {count} {marker} {noun} (set {NEEDS[marker]}=1)")
    skipped = len(terminalreporter.stats.get("skipped", ()))
    others = skipped - terminalreporter.config.stash[LEFT_OUT].total()
    if others > 0:
        terminalreporter.write_line(f"skipped: {others} for what this machine lacks (-rs lists it)")


@pytest.fixture
def look_at() -> Callable[..., Look]:
    """Give a probe what it looks with: a machine made by hand, and no interpreter."""

    def look(host: Host, *, identify: bool = False) -> Look:
        nobody = Unknown(Reason.NOT_ASKED, "no interpreter in this test")
        return Look(
            host=host, options=Options(identify=identify), have={}, environment=lambda: nobody
        )

    return look
