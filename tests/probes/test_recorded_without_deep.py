"""A recording that was made without --deep, and read with it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from envsnap._capture import capture
from envsnap.host import LocalHost, RecordedHost, RecordingHost
from envsnap.probes import Options
from envsnap.reports._words import lines, not_seen
from envsnap.sections import GpuCode, Libraries, Math, Reason, SystemLibraries, Unknown

if TYPE_CHECKING:
    from pathlib import Path

SECTIONS = frozenset({"python", "packages", "cpu"})
DEEP = frozenset({"libraries", "gpu_code", "system_libraries", "math"})
WHY = Unknown(Reason.NOT_RECORDED, "the recording was made without --deep")


def test_what_no_recording_shows_is_unknown_and_not_none(tmp_path: Path) -> None:
    host = RecordingHost(LocalHost())
    capture(host, Options(python=sys.executable), sections=SECTIONS)
    host.save(str(tmp_path / "r"))
    recorded = RecordedHost.from_path(str(tmp_path / "r"))
    options = Options(python=sys.executable, deep=True)
    found = capture(recorded, options, sections=SECTIONS | DEEP)

    assert found.section(Libraries) == WHY
    assert found.section(GpuCode) == GpuCode(files=WHY)
    assert found.section(SystemLibraries) == SystemLibraries(needed=WHY, exempt=WHY)
    assert found.section(Math) == Math(libraries=WHY, numpy_baseline=WHY, numpy_dispatch=WHY)
    assert not_seen(found) == [f"gpu_code, libraries, math, system_libraries: {WHY}"]
    assert {"Libraries", "GPU code", "Math", "Needs"}.isdisjoint(dict(lines(found)))
