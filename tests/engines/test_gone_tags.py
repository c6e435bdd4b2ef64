"""A tag that a registry has lost, asked for through the real Docker daemon."""

from __future__ import annotations

import os
import subprocess
from http.server import BaseHTTPRequestHandler

import pytest

from envsnap._build import resolve_digest
from envsnap.engines import docker
from envsnap.plan._candidate import is_gone
from envsnap.sections import Reason, Unknown
from tests.serving import served

IMAGE = os.environ.get("ENVSNAP_TEST_IMAGE") or "python:3.11.7-slim-bookworm"

pytestmark = pytest.mark.engine


class _Emptied(BaseHTTPRequestHandler):
    """A registry that has none of its images any more."""

    def do_GET(self) -> None:
        found = self.path == "/v2/"
        body = b"{}" if found else b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"gone"}]}'
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Docker-Distribution-API-Version", "registry/2.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

    def log_message(self, *_: object) -> None:
        """Nothing: the test's output is its own."""


def test_a_tag_that_is_gone_is_told_from_a_registry_that_is_silent() -> None:
    with served(_Emptied) as address:
        reference = f"{address}/lab/gone:1"
        said = f"the daemon finds no {reference}, and a mirror of its registry may have said so"
        assert docker.digest(reference) == Unknown(Reason.TOOL_MISSING, said)
        assert is_gone(resolve_digest(reference))
    silent = docker.digest(reference)
    assert silent == Unknown(Reason.NOT_RECORDED, f"no registry answers for {reference}")
    assert not is_gone(silent)


def test_a_mirror_that_lacks_a_tag_does_not_say_that_its_registry_does() -> None:
    """The daemon's mirror is the tests' own, with few of docker.io's images; it is asked alone."""
    found = resolve_digest("nvidia/cuda:12.4.1-runtime-ubuntu22.04")
    assert not is_gone(found)


def test_an_image_that_was_made_here_is_not_gone() -> None:
    name = "envsnap-tests-made-here:1"
    subprocess.run(["docker", "tag", IMAGE, name], check=True)
    try:
        found = resolve_digest(name)
    finally:
        subprocess.run(["docker", "rmi", name], check=True, capture_output=True)
    assert not is_gone(found)
