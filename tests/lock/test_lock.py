"""Whole locks by the real uv, against indexes on loopback and folders: no other network."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envsnap.errors import ToolError
from envsnap.lock import Indexes, LockOptions, locate, make_lock
from envsnap.lock._address import public_address
from envsnap.lock._pylock import File
from envsnap.manifest import encode
from envsnap.sections import Unlocked, replace
from tests import made
from tests.lock.index import AUTHORIZATION, PASSWORD, USER, Fault, index_of, sdist, wheel
from tests.lock.locking import artifact, locked, needs_uv
from tests.serving import served

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

pytestmark = [needs_uv, pytest.mark.usefixtures("own_settings")]
GONE = "it was removed from there, or came from another one"


@contextlib.contextmanager
def proxied(
    handler: type[BaseHTTPRequestHandler], monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The handler under a name that is of no machine, through a proxy."""
    with served(handler) as address:
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, f"http://{address}")
        yield "index.example"


def test_a_version_that_the_index_dropped_is_said_with_the_nearest_it_has() -> None:
    files = dict(wheel("demo", each) for each in ("0.9", "1.0", "1.1", "1.3", "2.0"))
    with served(index_of(files)) as address:
        (demo,) = locked((made.package("demo", "1.2"),), address).unlocked
    assert demo.candidates == ("1.1", "1.3", "1.0", "2.0")
    assert demo.why == f"the index has no such version: {GONE}"


def test_a_name_that_the_index_dropped_has_no_candidates() -> None:
    with served(index_of(dict([wheel("demo", "1.0")]))) as address:
        lock = locked((made.package("demo", "1.0"), made.package("gone", "1.0")), address)
    assert [each.name for each in lock.artifacts] == ["demo"]
    (gone,) = lock.unlocked
    assert gone.why == f"no index has a package of this name: {GONE}"
    assert gone.candidates == ()


def test_half_of_an_environment_may_be_gone() -> None:
    files = dict(wheel(f"there{each}", "1.0") for each in range(40))
    packages = [made.package(f"there{each}", "1.0") for each in range(40)]
    packages += [made.package(f"gone{each}", "1.0") for each in range(40)]
    with served(index_of(files)) as address:
        lock = locked(tuple(packages), address)
    assert [each.name for each in lock.artifacts] == sorted(f"there{each}" for each in range(40))
    assert [each.name for each in lock.unlocked] == sorted(f"gone{each}" for each in range(40))


def test_a_build_for_another_platform_does_not_stand_in_for_the_plain_version() -> None:
    plain, other = wheel("demo", "1.0"), wheel("demo", "1.0+cpu")
    with served(index_of(dict([plain, other]))) as address:
        lock = locked((made.package("demo", "1.0"),), address)
    assert lock.artifacts == (artifact("1.0", *plain, None),)
    with served(index_of(dict([other]))) as address:
        (demo,) = locked((made.package("demo", "1.0"),), address).unlocked
    assert demo.candidates == ("1.0+cpu",)


def test_settings_of_the_project_that_put_in_another_version_are_said(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "x"\nversion = "1"\n[tool.uv]\noverride-dependencies = ["demo==2.0"]\n'
    )
    with served(index_of(dict([wheel("demo", "1.0"), wheel("demo", "2.0")]))) as address:
        lock = locked((made.package("demo", "1.0"),), address)
    assert lock.artifacts == ()
    assert [each.why for each in lock.unlocked] == [
        "uv's own settings here put 2.0 in its place; see override-dependencies in them"
    ]


def test_what_only_a_folder_has_is_locked_without_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, both = wheel("demo", "1.0+lab"), wheel("other", "1.0")
    folder = tmp_path / "wheels, of the lab"
    folder.mkdir()
    for name, raw in (here, both):
        (folder / name).write_bytes(raw)
    (tmp_path / "pip.conf").write_text(f"[global]\nfind-links =\n    {tmp_path}/none\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    packages = (made.package("demo", "1.0+lab"), made.package("other", "1.0"))
    with proxied(index_of(dict([both])), monkeypatch) as address:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://{address}/simple")
        options = LockOptions(indexes=Indexes(find_links=(str(folder),)))
        (tmp_path / "none").mkdir()
        manifest = made.manifest(packages).with_lock(None)
        lock = make_lock(manifest, options)
        offered = locate(manifest.with_lock(lock), options)
    demo, other = lock.artifacts
    assert demo == replace(artifact("1.0+lab", *here, None), size=len(here[1]))
    assert other.url == f"http://{address}/files/{both[0]}"
    assert str(tmp_path) not in encode(manifest.with_lock(lock))
    assert offered.by_sha256[demo.sha256].url == (
        f"file://{tmp_path}/wheels,%20of%20the%20lab/{here[0]}"
    )
    assert offered.by_sha256[other.sha256].url == other.url
    assert offered.hosts == (address,)


def test_a_file_installed_from_an_address_is_locked_by_its_hash_alone() -> None:
    name, raw = wheel("demo", "1.0")
    digest = hashlib.sha256(raw).hexdigest()
    same = made.origin("archive", url="file://{other}/demo.whl", archive_hash=f"sha256={digest}")
    other = made.origin("archive", url="file://{other}/demo.whl", archive_hash=f"sha256={'0' * 64}")
    with served(index_of({name: raw})) as address:
        lock = locked((made.package("demo", "1.0", origin=same),), address)
        assert lock.artifacts == (artifact("1.0", name, raw, None),)
        lock = locked((made.package("demo", "1.0", origin=other),), address)
    assert lock.artifacts == ()
    assert [each.candidates for each in lock.unlocked] == [(name,)]


def test_an_address_without_a_hash_names_the_file_that_may_be_it() -> None:
    name, raw = wheel("demo", "1.0")
    where = made.origin("archive", url=f"https://files.example/{name}")
    with served(index_of({name: raw})) as address:
        lock = locked((made.package("demo", "1.0", origin=where),), address)
    assert lock.artifacts == ()
    (demo,) = lock.unlocked
    assert demo.candidates == (name,)
    assert demo.why.endswith("recorded no hash: which bytes came from there is not known; "
                             "install it with pip, which records one")  # fmt: skip


def test_the_source_of_a_stranger_is_listed_and_never_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    name, raw = sdist("demo", "1.0", f"open({str(canary)!r}, 'w').close()\nraise SystemExit(1)\n")
    with served(index_of({name: raw})) as address:
        lock = locked((made.package("demo", "1.0"),), address)
    assert [each.filename for each in lock.artifacts] == [name]
    assert not canary.exists()


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault(200, "text/html", b"\0\xff<<<"), "the index has no such version"),
        (
            Fault(200, "application/vnd.pypi.simple.v1+json", b'{"files": 3'),
            "the index gave no answer about it",
        ),
        (Fault(200, "image/png", b"x"), "the index gave no answer about it"),
        (Fault(500, "text/html", b"x"), "the index gave no answer about it"),
        (
            Fault(
                200, "text/html",
                b'<a href="/f/x#sha256=zz">bad-1.0-py3-none-any.whl</a>'
                b'<a href="/f/bad-1.0-py3-none-any.whl%1b[2J">bad\x1b-1.0-py3-none-any.whl</a>',
            ),
            "",
        ),
    ],
)  # fmt: skip
def test_a_page_of_garbage_costs_no_other_package(fault: Fault, why: str) -> None:
    with served(index_of(dict([wheel("demo", "1.0")]), {"bad": fault})) as address:
        lock = locked((made.package("demo", "1.0"), made.package("bad", "1.0")), address)
    assert [each.name for each in lock.artifacts] == ["demo"]
    (bad,) = lock.unlocked
    assert bad.why.startswith(why)
    assert bad.why.isprintable()


def test_an_index_that_never_answers_is_waited_for_so_long_and_no_longer() -> None:
    slow = Fault(200, "text/html", b"", after_s=8)
    with served(index_of({}, {"demo": slow})) as address:
        start = time.monotonic()
        with pytest.raises(ToolError) as caught:
            locked((made.package("demo", "1.0"),), address, timeout_s=1.0)
        assert time.monotonic() - start < 5
    assert caught.value.message == "uv did not answer within 1 s"
    assert caught.value.hint == "See whether the package index can be reached, and lock again"


def test_an_index_that_lets_nobody_in_has_not_said_that_it_lacks_anything() -> None:
    packages = (made.package("demo", "1.0"), made.package("other", "1.0"))
    with (
        served(index_of({}, authorization=AUTHORIZATION)) as address,
        pytest.raises(ToolError) as caught,
    ):
        locked(packages, address)
    assert "401 Unauthorized" in caught.value.message


def test_no_credential_is_stored_or_said_or_shown_to_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[str] = []

    def look(_: str) -> None:
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    raw = Path(f"/proc/{entry}/cmdline").read_bytes()
                except OSError:
                    continue
                shown.append(raw.decode("utf-8", "replace"))

    files = dict([wheel("demo", "1.0")])
    packages = (made.package("demo", "1.0"), made.package("gone", "1.0"))
    manifest = made.manifest(packages).with_lock(None)
    handler = index_of(files, authorization=AUTHORIZATION, seen=look)
    with proxied(handler, monkeypatch) as address:
        in_address = Indexes(default=f"http://{USER}:{PASSWORD}@{address}/simple")
        for asked in (in_address, Indexes()):
            options = LockOptions(indexes=asked)
            lock = make_lock(manifest, options)
            assert [each.url for each in lock.artifacts] == [
                f"http://{address}/files/demo-1.0-py3-none-any.whl"
            ]
            text = encode(manifest.with_lock(lock))
            offered = locate(manifest.with_lock(lock), options)
            (file,) = offered.by_sha256.values()
            assert file.url == f"http://{USER}:{PASSWORD}@{address}/files/{file.filename}"
            assert not [each for each in (text, *offered.hosts, *shown) if PASSWORD in each]
            monkeypatch.setenv("UV_INDEX", f"lab=http://{address}/simple")
            monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://{address}/simple")
            monkeypatch.setenv("UV_INDEX_LAB_USERNAME", USER)
            monkeypatch.setenv("UV_INDEX_LAB_PASSWORD", PASSWORD)
    assert any("compile" in each for each in shown)


def test_a_password_in_netrc_opens_the_index_and_stays_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1\nlogin {USER}\npassword {PASSWORD}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    manifest = made.manifest((made.package("demo", "1.0"),)).with_lock(None)
    with served(index_of(dict([wheel("demo", "1.0")]), authorization=AUTHORIZATION)) as address:
        options = LockOptions(indexes=Indexes(default=f"http://{address}/simple"))
        lock = make_lock(manifest, options)
        offered = locate(manifest.with_lock(lock), options)
    assert len(lock.artifacts) == 1
    assert PASSWORD not in encode(manifest.with_lock(lock))
    assert [PASSWORD in file.url for file in offered.by_sha256.values()] == [True]


@pytest.mark.parametrize(
    "path", ["t/canary-token-1234", "simple?token=canary-token-1234", "ghp_canary0123456789canary"]
)
def test_a_token_in_an_address_is_not_repeated_where_the_index_fails(path: str) -> None:
    options = LockOptions(indexes=Indexes(default=f"http://127.0.0.1:9/{path}"))
    with pytest.raises(ToolError) as caught:
        make_lock(made.manifest((made.package("demo", "1.0"),)), options)
    assert caught.value.message.startswith("uv found no answer: ")
    assert "canary" not in caught.value.message


@pytest.mark.parametrize(
    ("host", "is_kept"),
    [
        ("files.example", True), ("localhost:8000", False), ("10.1.2.3", False), ("[::1]", False),
        ("127.1", False), ("mirror", False), ("pypi.intranet", False), ("8.8.8.8", True),
    ],
)  # fmt: skip
def test_an_address_that_has_another_meaning_elsewhere_is_not_in_a_lock(
    host: str,
    is_kept: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    url = f"https://{host}/files/demo-1.0-py3-none-any.whl"
    file = File("demo-1.0-py3-none-any.whl", url, "0" * 64, 1)
    assert public_address(file) == (url if is_kept else None)


def test_nothing_is_asked_where_no_package_can_be_asked_for() -> None:
    packages = (made.package("mine", "0.1", origin=made.origin("editable")),)
    assert locked(packages, "127.0.0.1:9").unlocked == (
        Unlocked(
            name="mine", version="0.1",
            why="it is an editable project on this machine; install a released version of it",
        ),
    )  # fmt: skip
