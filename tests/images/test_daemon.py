"""An image that an engine keeps, where the engine is not there to be asked."""

from __future__ import annotations

import shutil

import pytest

from envsnap.images import ImageError, open_image


@pytest.mark.skipif(shutil.which("docker") is None, reason="docker is not on PATH")
def test_an_engine_that_does_not_answer_is_told_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    with pytest.raises(ImageError) as error:
        open_image("docker-daemon:paper:1")
    assert error.value.message == (
        "Cannot look into docker-daemon:paper:1: no engine answers docker "
        "at unix:///nonexistent/docker.sock"
    )
    assert error.value.hint == (
        "Start it, or save the image where it runs: docker save -o image.tar paper:1"
    )
