"""Every machine under tests/hosts, captured, shows what its expect.json says it shows."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from envsnap._capture import capture
from envsnap.host import LocalHost, RecordedHost, RecordingHost
from envsnap.manifest import Manifest, decode, document, encode
from envsnap.probes import Options

HOSTS = sorted(path.parent for path in (Path(__file__).parent / "hosts").glob("*/expect.json"))


def captured(folder: Path) -> tuple[Manifest, Mapping[str, Any]]:
    """The manifest of a machine, and what its makers expect in it."""
    expected = json.loads((folder / "expect.json").read_text(encoding="utf-8"))
    host = RecordedHost.from_path(str(folder))
    return capture(host, Options(**expected.get("options", {}))), expected


def at(sections: Any, path: str) -> object:  # noqa: ANN401 - JSON
    """The fact at a path as `gpu.devices[0].name`; of an unknown, the code alone."""
    for part in path.replace("[", ".").replace("]", "").split("."):
        sections = sections[int(part) if part.isdecimal() else part]
    if isinstance(sections, dict) and "unknown" in sections:
        return {"unknown": sections["unknown"]}
    return sections


@pytest.mark.parametrize("folder", HOSTS, ids=lambda folder: folder.name)
def test_a_machine_shows_what_is_expected_of_it(folder: Path) -> None:
    manifest, expected = captured(folder)
    sections = document(manifest)["sections"]
    assert {path: at(sections, path) for path in expected["facts"]} == expected["facts"]


@pytest.mark.parametrize("folder", HOSTS, ids=lambda folder: folder.name)
def test_no_probe_breaks_down_over_a_machine(folder: Path) -> None:
    sections = document(captured(folder)[0])["sections"]
    broken = {name: found for name, found in sections.items() if found.get("unknown") == "crashed"}
    assert broken == {}


@pytest.mark.parametrize("folder", HOSTS, ids=lambda folder: folder.name)
def test_the_manifest_of_a_machine_reads_back_as_itself(folder: Path) -> None:
    written = document(captured(folder)[0])
    assert document(decode(written)) == written


def test_there_are_machines_of_every_kind() -> None:
    systems = {folder.name.split("-")[0] for folder in HOSTS}
    assert systems >= {"alpine", "debian", "macos", "rocky", "ubuntu", "windows"}


def test_a_recording_gives_the_manifest_that_the_machine_gave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    options = Options(python=sys.executable)
    recording = RecordingHost(LocalHost())
    live = encode(capture(recording, options))
    recording.save(str(tmp_path / "machine.tar"))
    replayed = capture(RecordedHost.from_path(str(tmp_path / "machine.tar")), options)
    assert encode(replayed) == live
