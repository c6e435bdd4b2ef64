"""What a run used, in one line."""

from __future__ import annotations

import pytest

from envsnap.reports._ran import run_words
from envsnap.sections import GpuPeak, Reason, Run, Unknown, replace
from tests import made

RUN = Run(
    program="{env}/bin/python", exit_status=137, wall_ms=3_723_000, peak_memory_mib=3072,
    gpu_peaks=(GpuPeak(device=0, memory_mib=900), GpuPeak(device=2, memory_mib=40_960)),
    libraries=(), modules=("numpy",), other_pythons=(),
    programs=("/usr/bin/git", "{env}/bin/python"), sampled_ms=50,
)  # fmt: skip


def words(run: object) -> str:
    manifest = made.manifest()
    return run_words(replace(manifest, sections={**manifest.sections, "run": run}))


def test_each_figure_has_its_unit() -> None:
    assert words(RUN) == (
        "python: status 137 after 1 h 2 min, 3.0 GiB memory, 900 MiB on GPU 0, "
        "40.0 GiB on GPU 2, 1 package, 2 programs"
    )


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (24, "24 ms"), (3_210, "3.2 s"), (31_900, "32 s"), (59_600, "1 min 0 s"),
        (185_000, "3 min 5 s"),
    ],
)  # fmt: skip
def test_a_time_is_told_as_people_say_it(ms: int, text: str) -> None:
    assert words(replace(RUN, wall_ms=ms)).startswith(f"python: status 137 after {text}, ")


def test_what_was_not_seen_is_left_out() -> None:
    no = Unknown(Reason.NOT_SUPPORTED, "commands are watched on Linux alone")
    unseen = replace(
        RUN, peak_memory_mib=no, gpu_peaks=no, libraries=no, modules=no, programs=no, wall_ms=5
    )
    assert words(unseen) == "python: status 137 after 5 ms"


def test_a_capture_without_a_run_says_nothing_of_it() -> None:
    assert words(Unknown(Reason.NOT_ASKED, "envsnap run records it")) == ""
    assert words(Unknown(Reason.CRASHED, "ValueError")) == "not seen (crashed: ValueError)"
