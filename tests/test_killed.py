"""A build or a fetch that is killed before any one of its steps on disk: the next one ends it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import warnings
from dataclasses import replace as with_fields
from typing import TYPE_CHECKING

import pytest

from envsnap._build import build
from tests.test_fetch import MANIFEST, Served, hashed, is_whole, options, place, run, served, summed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow
__all__ = ["served"]

CHANGES = frozenset({"os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir"})
"""Audit events of what changes a folder; `open` is one where it may write."""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return place(tmp_path, monkeypatch)


def test_a_build_that_is_killed_before_any_step_goes_on() -> None:
    given = options("apptainer", "dockerfile", "repo2docker", "slurm").build
    given = with_fields(given, plan=with_fields(given.plan, offline=False))
    build(MANIFEST, given)
    whole = hashed()
    for _ in each_step_killed(lambda: build(MANIFEST, given)):
        build(MANIFEST, given)
        assert hashed() == whole


def test_a_fetch_that_is_killed_before_any_step_goes_on(served: Served) -> None:
    given = options("apptainer", "dockerfile", base=served.base)
    for _ in each_step_killed(lambda: run(given)):
        if os.path.exists("ctx/SHA256SUMS"):  # which is written last
            assert summed().items() <= hashed().items()
        run(given)
        is_whole()
        assert not os.path.exists("ctx/.fetch")


def test_a_fetch_that_is_killed_again_and_again_gets_further(served: Served) -> None:
    for steps in range(0, 60, 3):
        killed_at(steps, lambda: run(options("apptainer", base=served.base)))
    run(options("apptainer", base=served.base))
    is_whole()
    assert not os.path.exists("ctx/.fetch")


def each_step_killed(job: Callable[[], object]) -> Iterator[None]:
    """Kill the job before its first step in an empty place, then before its second, ..."""
    shutil.rmtree("ctx", ignore_errors=True)
    steps = 0
    while killed_at(steps, job):
        yield
        shutil.rmtree("ctx")
        steps += 1
    assert steps > 20, "the job was hardly ever killed"


def killed_at(step: int, job: Callable[[], object]) -> bool:
    """Whether a process that does a job was killed after so many steps; else it came to its end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the registry's thread does not go on
        child = os.fork()
    if child == 0:
        kill_before(step)
        try:
            job()
        except BaseException:  # noqa: BLE001 - the test's process alone may go on from here
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def kill_before(step: int) -> None:
    """Have the kernel end this process before so many of its changes to the folder."""
    left = step

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (
            os.O_WRONLY | os.O_RDWR
        )  # fmt: skip
        if (event in CHANGES or writes) and "ctx" in str(arguments[0]).split("/"):
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    sys.addaudithook(hook)
