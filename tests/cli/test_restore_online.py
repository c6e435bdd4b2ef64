"""envsnap restore from a package index of the user's own, on loopback."""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, ClassVar

import pytest

from envsnap._units import size_words
from envsnap.engines._pythons import find_uv
from envsnap.manifest import load, save
from tests import made, wheels
from tests.cli.processes import BASE, Ended, envsnap, names_in, variables
from tests.serving import served

if TYPE_CHECKING:
    from pathlib import Path

ALPHA = wheels.wheel("alpha", "1.0")
BETA = wheels.wheel("beta", "2.0")

pytestmark = pytest.mark.skipif(find_uv() is None, reason="uv, which asks the index, is not here")


class Index(BaseHTTPRequestHandler):
    """A simple index of these files, which can lose or change one."""

    files: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        _, kind, name, *_ = [*self.path.split("/"), "", ""]
        found = self.files.get(name) if kind == "files" else self.page(name)
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/html" if kind == "simple" else "application/zip")
        self.send_header("Content-Length", str(len(found or b"")))
        self.end_headers()
        self.wfile.write(found or b"")

    def do_HEAD(self) -> None:
        self.send_response(405)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def page(self, name: str) -> bytes | None:
        here = [each for each in (ALPHA, BETA) if each.name == name and each.filename in self.files]
        rows = [
            f'<a href="/files/{each.filename}#sha256={each.sha256}">{each.filename}</a>'
            for each in here
        ]
        return f"<html><body>{''.join(rows)}</body></html>".encode() if rows else None

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def index() -> Iterator[str]:
    Index.files = {each.filename: each.raw for each in (ALPHA, BETA)}
    Index.asked = []
    with served(Index) as address:
        yield address


def locked(folder: Path, host: str) -> None:
    """A manifest whose lock names both files on this host."""
    found = wheels.manifest(ALPHA, BETA)
    assert found.lock is not None
    rows = tuple(
        wheels.artifact(each, url=f"http://{host}/files/{each.filename}", how="index")
        for each in (ALPHA, BETA)
    )
    save(
        made.manifest(tuple(map(wheels.packaged, (ALPHA, BETA))), rows, python=wheels.PYTHON),
        str(folder / "envsnap.lock.json"),
    )


def restore(folder: Path, address: str, *words: str) -> Ended:
    own = ["--python", BASE.path, "--index-url", f"http://{address}/simple"]
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    env = variables(PATH=path, UV_NO_CONFIG="1", UV_CACHE_DIR=str(folder / "cache"))
    return envsnap("restore", "env", *own, *words, cwd=folder, env=env)


def test_files_come_from_the_users_own_index(tmp_path: Path, index: str) -> None:
    locked(tmp_path, index)
    ended = restore(tmp_path, index)
    assert ended == Ended(
        0,
        "env/bin/python\n",
        f"Python {wheels.VERSION}, as captured: {os.path.abspath(BASE.path)}\n"
        "Talks to: 127.0.0.1\n"
        "The manifest names 127.0.0.1 (2)\n"
        "Restored 2 of 2 packages; all as captured\n"
        "To use it:\n",
    )
    assert {f"/files/{ALPHA.filename}", f"/files/{BETA.filename}"} <= set(Index.asked)


def test_what_is_gone_is_named_with_what_can_be_done(tmp_path: Path, index: str) -> None:
    locked(tmp_path, index)
    del Index.files[BETA.filename]
    ended = restore(tmp_path, index)
    assert (ended.code, ended.err.splitlines()[3:]) == (
        5,
        [
            "error: 1 file could not be had:",
            f"  beta 2.0: http://{index}/files/{BETA.filename} is gone: the server answers 404",
            (
                "hint: Name another place that has it (--find-links URL); or, where the "
                "environment still is, keep every file: envsnap lock --wheelhouse DIR, "
                "then restore with --wheelhouse"
            ),
        ],
    )
    assert not (tmp_path / "env").exists()
    wheels.wheelhouse(tmp_path / "wh", wheels.manifest(ALPHA, BETA), BETA)
    assert restore(tmp_path, index, "--wheelhouse", "wh").code == 0


def test_other_bytes_than_were_locked_are_not_installed(tmp_path: Path, index: str) -> None:
    locked(tmp_path, index)
    Index.files[BETA.filename] = b"evil" * (len(BETA.raw) // 4) + bytes(len(BETA.raw) % 4)
    ended = restore(tmp_path, index)
    assert ended.code == 5
    why = f"beta 2.0: http://{index}/files/{BETA.filename} has other bytes than those that were"
    assert why in ended.err
    assert not (tmp_path / "env").exists()


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (
            "10.1.2.3",
            (
                "10.1.2.3 is an address of this machine or its network",
                "If it is your own index, name it: --index-url URL",
            ),
        ),
        (
            "files.example",
            (
                "files.example is neither in your own settings nor allowed",
                "If you trust it, allow it: --allow-host files.example",
            ),
        ),
    ],
)
def test_a_manifest_sends_us_nowhere(
    tmp_path: Path, index: str, host: str, said: tuple[str, str]
) -> None:
    locked(tmp_path, host)
    Index.files.clear()
    ended = restore(tmp_path, index)
    assert (ended.code, ended.err.splitlines()[3:]) == (
        5,
        [f"error: 2 files are not fetched, from {host} (2): {said[0]}", f"hint: {said[1]}"],
    )
    assert names_in(tmp_path) == ["cache", "envsnap.lock.json"]


def test_a_pack_takes_what_only_the_users_own_index_has_and_says_who_is_asked_before(
    tmp_path: Path, index: str
) -> None:
    locked(tmp_path, index)
    path = f"{os.path.dirname(sys.executable)}:/usr/bin:/bin"
    env = variables(
        PATH=path, UV_NO_CONFIG="1", UV_CACHE_DIR=str(tmp_path / "cache"),
        https_proxy="http://127.0.0.1:9", DOCKER_HOST="tcp://127.0.0.1:9",
    )  # fmt: skip
    own = ["--python", BASE.path, "--index-url", f"http://{index}/simple"]
    ended = envsnap("pack", *own, cwd=tmp_path, env=env)
    size = size_words(len(ALPHA.raw) + len(BETA.raw))
    assert (ended.code, ended.err.splitlines()[:3]) == (
        0,
        [
            "Talks to: 127.0.0.1",
            "Fetches from: 127.0.0.1 (2)",
            f"2 files to fetch ({size}); 0 are there already",
        ],
    )
    with zipfile.ZipFile(tmp_path / "environment.zip") as opened:
        names = [name for name in opened.namelist() if name.endswith(".whl")]
    assert names == [f"wheels/{ALPHA.filename}", f"wheels/{BETA.filename}"]
    Index.files.clear()
    words = ["restore", "env", "--manifest", "environment.zip", "--python", BASE.path]
    assert envsnap(*words, cwd=tmp_path, env=env).code == 0


@pytest.mark.parametrize("is_locked", [True, False])
def test_without_a_network_the_wheelhouse_is_named(tmp_path: Path, *, is_locked: bool) -> None:
    locked(tmp_path, "127.0.0.1:9")
    if not is_locked:
        path = str(tmp_path / "envsnap.lock.json")
        save(load(path).with_lock(None), path)
    ended = restore(tmp_path, "127.0.0.1:9")
    assert ended.code == 5
    assert ended.err.endswith(" the files from a folder that has them: --wheelhouse DIR\n")


@pytest.mark.parametrize("command", ["restore", "pack", "build"])
def test_a_host_is_allowed_by_its_name_alone(tmp_path: Path, command: str) -> None:
    target = ["env"] if command == "restore" else []
    ended = envsnap(command, *target, "--allow-host", "https://files.example", cwd=tmp_path)
    assert (ended.code, ended.err.splitlines()[0]) == (
        2,
        "error: --allow-host takes the name of a host alone, not 'https://files.example'",
    )
