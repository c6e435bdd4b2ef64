"""build.sh, ended half-way: nothing runs on, and nothing is left."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.fetched import SHELLS, Site, alive, half_way, processes, site_at, wait_until

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=SHELLS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    return site_at(tmp_path, request.param)


@pytest.mark.parametrize("kill", [os.kill, os.killpg])
def test_of_a_build_that_is_killed_nothing_runs_on_and_nothing_is_left(
    site: Site, kill: Callable[[int, int], None]
) -> None:
    found = half_way(site)
    assert site.left() != []
    kill(found.script.pid, signal.SIGKILL)
    wait_until(lambda: not alive(found.apptainer, found.guard))
    assert site.left() == []
    found.script.communicate(timeout=30)


def test_a_build_that_ends_by_itself_leaves_no_guard(site: Site) -> None:
    assert site.run()[0] == 0
    work = str(site.root / "work")
    wait_until(lambda: not [words for _, words in processes() if words[-1].startswith(work)])


def test_what_runs_on_after_its_guard_was_killed_too_is_ended_by_the_next_run(site: Site) -> None:
    found = half_way(site)
    assert site.run()[0] == 0  # the other is at work: nothing of it is touched
    assert alive(found.apptainer, found.guard, found.script.pid)
    for pid in (found.guard, found.script.pid):
        os.kill(pid, signal.SIGKILL)
    found.script.wait(timeout=30)
    assert alive(found.apptainer)
    status, _, err = site.run()
    assert (status, err.splitlines()[0]) == (
        0,
        (
            f"build.sh: a build that was killed had left process {found.apptainer} running: "
            "it was ended"
        ),
    )
    assert not alive(found.apptainer)
    found.script.communicate(timeout=30)
    assert site.left() == ["envsnap.sif"]


def test_what_a_node_that_went_down_has_left_is_removed_by_the_next_run(site: Site) -> None:
    found = half_way(site)
    for pid in (found.guard, found.script.pid):
        os.kill(pid, signal.SIGKILL)
    os.killpg(found.apptainer, signal.SIGKILL)
    found.script.communicate(timeout=30)
    assert any(".sif.part." in each for each in site.left())
    # Its number may be another's by now: that one is let alone.
    (found.work / "child").write_text(f"{os.getpid()} 1\n")
    status, _, err = site.run()
    assert (status, "killed" in err, site.left()) == (0, False, ["envsnap.sif"])


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_nothing_is_left_of_what_was_interrupted(
    site: Site, number: signal.Signals, status: int
) -> None:
    found = half_way(site)
    found.script.send_signal(number)
    found.script.communicate(timeout=30)
    assert (found.script.returncode, site.left()) == (status, [])
    wait_until(lambda: not alive(found.apptainer, found.guard))
