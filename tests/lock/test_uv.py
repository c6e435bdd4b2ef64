"""The real uv against an index on loopback: no other network is touched."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from envsnap.errors import MissingExtraError, PlanError, ToolError, UsageError
from envsnap.lock import LockOptions, make_lock
from envsnap.lock._hosts import Indexes
from envsnap.lock._uv import find_uv
from envsnap.manifest import encode, environment_id
from envsnap.sections import Reason, Unknown, Unlocked
from tests import made
from tests.serving import served


def has_uv() -> bool:
    try:
        return bool(find_uv())
    except MissingExtraError:
        return False


pytestmark = pytest.mark.skipif(not has_uv(), reason="uv is not installed (the extra 'lock')")


def wheel(name: str, version: str) -> bytes:
    where = Path(f"{name}-{version}.dist-info")
    files = {
        f"{name}.py": b"",
        f"{where}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{where}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{where}/RECORD": b"",
    }
    import io

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, raw in files.items():
            archive.writestr(zipfile.ZipInfo(path), raw)
    return out.getvalue()


FILES = {
    "demo-1.0-py3-none-any.whl": wheel("demo", "1.0"),
    "other-2.0-py3-none-any.whl": wheel("other", "2.0"),
}
AUTHORIZATION = "Basic " + base64.b64encode(b"me:secret").decode()


class Index(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path.strip("/").rpartition("/")[2]
        if self.headers.get("Authorization") != AUTHORIZATION:
            self.answer(401, b"")
        elif name in FILES:
            self.answer(200, FILES[name])
        else:
            self.answer(*self.page(name))

    def page(self, project: str) -> tuple[int, bytes]:
        links = [
            f'<a href="/files/{name}#sha256={hashlib.sha256(raw).hexdigest()}">{name}</a>'
            for name, raw in FILES.items()
            if name.startswith(f"{project}-")
        ]
        return (
            (200, f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode())
            if links
            else (404, b"")
        )

    def do_HEAD(self) -> None:
        self.do_GET()

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", "Basic")
        self.send_header("Content-Type", "text/html" if b"<html" in body else "application/zip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def index() -> Iterator[str]:
    with served(Index) as address:
        yield address


def options(address: str) -> LockOptions:
    return LockOptions(indexes=Indexes(default=address))


def test_uv_locks_what_the_index_has_and_the_rest_is_said(index: str) -> None:
    packages = (
        made.package("demo", "1.0"),
        made.package("absent", "1.0"),
        made.package("other", "3.0"),
        made.package("torch", "2.0+cu121"),
        made.package("mine", "0.1", origin=made.origin("editable")),
    )
    manifest = made.manifest(packages).with_lock(None)
    lock = make_lock(manifest, options(f"http://me:secret@{index}/simple"))
    assert lock.environment == environment_id(manifest)
    assert lock.locker.startswith("uv ")
    (demo,) = lock.artifacts
    raw = FILES["demo-1.0-py3-none-any.whl"]
    assert demo == made.artifact(
        "demo", "1.0", "demo-1.0-py3-none-any.whl",
        url=None,
        sha256=hashlib.sha256(raw).hexdigest(),
        size=Unknown(Reason.NOT_SUPPORTED, "the index does not say"),
    )  # fmt: skip
    assert {each.name: each.why.partition(" (")[0] for each in lock.unlocked} == {
        "absent": "no index has a package of this name: it was removed from there, or came from "
        "another one",
        "mine": "it is an editable project on this machine; install a released version of it",
        "other": "the index has no such version: it was removed from there, or came from another "
        "one",
        "torch": "no index has the build cu121; name the one it came from with --extra-index-url",
    }


def test_no_credential_of_an_index_reaches_the_manifest(index: str) -> None:
    manifest = made.manifest((made.package("demo", "1.0"), made.package("gone", "1.0")))
    lock = make_lock(manifest, options(f"http://me:secret@{index}/simple"))
    assert "secret" not in encode(manifest.with_lock(lock))
    assert [each.name for each in lock.unlocked] == ["gone"]


def test_an_index_that_does_not_answer_is_a_failure_and_no_empty_lock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    manifest = made.manifest((made.package("demo", "1.0"),))
    with pytest.raises(ToolError) as caught:
        make_lock(manifest, options("http://me:secret@127.0.0.1:9/simple"))
    assert caught.value.exit_code == 5
    assert caught.value.message.startswith("uv found no answer: ")
    assert "secret" not in caught.value.message


def test_an_environment_without_index_packages_asks_nobody() -> None:
    packages = (made.package("mine", "0.1", origin=made.origin("editable")),)
    lock = make_lock(made.manifest(packages), options("http://127.0.0.1:9/simple"))
    assert lock.artifacts == ()
    assert lock.unlocked == (
        Unlocked(
            name="mine",
            version="0.1",
            why="it is an editable project on this machine; install a released version of it",
        ),
    )


def test_pip_tools_answers_for_its_own_minor_version_alone() -> None:
    manifest = made.manifest(python=made.python(version="3.6.15"))
    with pytest.raises(UsageError) as caught:
        make_lock(manifest, LockOptions(locker="pip-tools"))
    assert caught.value.message.startswith("pip-tools answers for Python 3.")
    assert caught.value.message.endswith(", on which it runs; the environment has 3.6")


def test_an_environment_of_another_system_is_not_locked_for_linux() -> None:
    manifest = made.manifest(python=made.python(platform="win-amd64"))
    with pytest.raises(PlanError) as caught:
        make_lock(manifest, LockOptions())
    assert caught.value.message == (
        "This environment is for 'win-amd64'; a lock for Linux is another resolution"
    )
