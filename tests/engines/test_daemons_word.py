"""What a Docker daemon says of a tag, from a daemon of the tests' own."""

from __future__ import annotations

import json
import os
from http.server import BaseHTTPRequestHandler

import pytest

from envsnap.engines import docker
from envsnap.plan._candidate import is_gone
from envsnap.sections import Reason, Unknown
from tests.serving import served

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("docker")


class _Behind(BaseHTTPRequestHandler):
    """Answers as Docker 20.10 does whose mirror of docker.io lacks a tag."""

    def do_GET(self) -> None:
        is_version = self.path.endswith("/version")
        answer = {"ApiVersion": "1.41"} if is_version else {"message": "manifest unknown"}
        body = json.dumps(answer).encode()
        self.send_response(200 if is_version else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: the test's output is its own."""


def test_a_daemons_404_leaves_the_question_to_the_registry_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command = tmp_path / "docker"
    command.write_text('#!/bin/sh\n[ "$1" = version ] && echo 20.10.24 20.10.24\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    image = "python:3.9.18-slim-bookworm"
    with served(_Behind) as address:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://{address}")
        found = docker.digest(image)
    assert found == Unknown(
        Reason.TOOL_MISSING,
        f"the daemon finds no {image}, and a mirror of its registry may have said so",
    )
    assert not is_gone(found)
