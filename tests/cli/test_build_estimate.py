"""What `envsnap build` says a build will cost: the base image is in the sum, or is said to lack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envsnap.cli import main
from envsnap.manifest import save
from tests.base_cases import manifest_of
from tests.images.made import Made, blobs_of, digest, layer, packed
from tests.images.registries import Behaviour, registry

if TYPE_CHECKING:
    from pathlib import Path

LARGE = 40_000_000


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a locked manifest of one wheel, and a PATH without engines."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    save(manifest_of({"packages": ["idna==3.7"], "gpu": "none"}), "envsnap.lock.json")
    return tmp_path


def said(base: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What building from a base image says of hosts and of the cost, each in a line."""
    words = ["build", "--singularity", "--base-image", base, "--allow-host", "files.example"]
    assert main(words) == 0
    lines = capsys.readouterr().err.replace("\n  ", " ").splitlines()
    return [each for each in lines if each.startswith(("Talks to", "To build it"))]


def test_the_base_image_that_a_registry_has_is_in_the_sum(
    capsys: pytest.CaptureFixture[str],
) -> None:
    layers = [layer(Made("usr/one", bytes(range(256)) * 64)), layer(Made("usr/two", b"22"))]
    behaviour = Behaviour(blobs_of(layers))
    text = behaviour.blobs["manifest"].replace(
        f'"size": {len(packed(layers[0]))}'.encode(), f'"size": {LARGE}'.encode()
    )
    behaviour.blobs |= {"manifest": text, digest(text): text}
    with registry(behaviour) as host:
        base = f"{host}/lab/paper:1@{digest(text)}"
        found = said(base, capsys)
    assert found == [
        f"Talks to: {host} (size of {base})",
        "To build it: about 58 MB to fetch, 3.5 kB unpacked, under a minute at 100 Mbit/s",
    ]


def test_a_registry_that_is_silent_is_said_and_counts_for_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    base = f"127.0.0.1:9/lab/paper:1@sha256:{'ab' * 32}"
    assert said(base, capsys)[1] == (
        "To build it: about 18 MB to fetch, 3.5 kB unpacked, under a minute at 100 Mbit/s; "
        "without the base image, whose registry did not say how large it is"
    )


def test_a_base_image_that_is_a_file_is_not_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert said("oci-archive:base.tar", capsys) == [
        "To build it: about 18 MB to fetch, 3.5 kB unpacked, under a minute at 100 Mbit/s",
    ]
