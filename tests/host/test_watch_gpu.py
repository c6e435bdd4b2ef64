"""The GPU's memory of a command that is watched, as a played NVML tells it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from envsnap.host._watch import watch
from envsnap.sections import Reason, Unknown
from tests.host.questions import MIB

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="commands are watched on Linux")
SOURCE = Path(__file__).parent.parent / "nvml_processes.c"
COMPILER = shutil.which("cc") or shutil.which("gcc")

Play = Callable[[str], None]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Put a stand-in for NVML in the library's place, and say who holds what."""
    if COMPILER is None:
        pytest.skip("no C compiler for the stand-in")
    library = tmp_path / "nvml" / "libnvidia-ml.so.1"
    library.parent.mkdir()
    build = ["-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1", "-o", str(library), str(SOURCE)]
    subprocess.run([COMPILER, *build], check=True)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library.parent))
    monkeypatch.setenv("NVML_PROCESSES", str(tmp_path / "processes"))

    def write(text: str) -> None:
        (tmp_path / "processes").write_text(text)

    return write


CARDS = "card 00000000:17:00.0 1000000000\ncard 00000000:65:00.0 2000000000\n"
HOLDS = """
cat > $NVML_PROCESSES.new <<END
card 00000000:17:00.0 9000000000
process 1 77
process $$ {size}
card 00000000:65:00.0 2000000000
process 1 77
END
mv $NVML_PROCESSES.new $NVML_PROCESSES
sleep 1
"""


def test_the_memory_of_its_own_processes_counts(play: Play) -> None:
    play(CARDS)
    watched = watch(["sh", "-c", HOLDS.format(size=5 * MIB)])
    assert (watched.gpu_bytes, watched.by_change) == ({"00000000:17:00.0": 5 * MIB}, False)


def test_a_card_that_tells_no_process_s_share_is_told_by_its_change(play: Play) -> None:
    play(CARDS)
    watched = watch(["sh", "-c", "sleep 1;" + HOLDS.format(size=-1)])
    assert (watched.gpu_bytes, watched.by_change) == ({"00000000:17:00.0": 8_000_000_000}, True)


def test_processes_of_another_numbering_are_told_by_the_card_s_change(play: Play) -> None:
    play(CARDS)
    hidden = HOLDS.replace("process $$ {size}", "process 4194305 77").replace("process 1 77\n", "")
    watched = watch(["sh", "-c", "sleep 1;" + hidden])
    assert (watched.gpu_bytes, watched.by_change) == ({"00000000:17:00.0": 8_000_000_000}, True)


def test_a_library_that_starts_as_capture_starts_it_is_asked(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(CARDS)
    (tmp_path / "newer").mkdir()
    library = tmp_path / "newer" / "libnvidia-ml.so.1"
    build = ["-shared", "-fPIC", "-DnvmlInit_v2=nvmlInitWithFlags", "-o", str(library)]
    subprocess.run([str(COMPILER), *build, str(SOURCE)], check=True)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library.parent))
    watched = watch(["sh", "-c", HOLDS.format(size=5 * MIB)])
    assert (watched.gpu_bytes, watched.by_change) == ({"00000000:17:00.0": 5 * MIB}, False)


def test_the_memory_of_somebody_else_does_not_count(play: Play) -> None:
    play(CARDS)
    stranger = HOLDS.replace("process $$ {size}\n", "")
    watched = watch(["sh", "-c", "sleep 1;" + stranger])
    assert (watched.gpu_bytes, watched.by_change) == ({}, False)


def test_what_a_library_writes_among_the_answers_counts_for_nothing(play: Play) -> None:
    play(CARDS)
    watched = watch(["sh", "-c", HOLDS.replace("<<END", "<<END\nbabble").format(size=5 * MIB)])
    assert (watched.gpu_bytes, watched.fault) == ({"00000000:17:00.0": 5 * MIB}, None)


def test_a_library_that_fails_leaves_the_rest(play: Play) -> None:
    whys = {}
    for part in ("crash", "hang", "error 999"):
        play(part)
        began = time.monotonic()
        watched = watch(["sleep", "0.8"])
        assert (watched.status, time.monotonic() - began < 4) == (0, True)
        whys[part] = watched.gpu_bytes
    assert whys == {
        "crash": Unknown(Reason.CRASHED, "NVML's process ended before the command"),
        "hang": Unknown(Reason.TIMED_OUT, "the command ended before NVML answered"),
        "error 999": Unknown(Reason.TOOL_MISSING, "NVML: 999"),
    }
