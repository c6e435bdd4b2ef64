"""Whole locks by the real uv, against indexes on loopback and folders: no other network."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envsnap.errors import MissingExtraError, ToolError
from envsnap.lock import Indexes, LockOptions, locate, make_lock
from envsnap.lock._address import public_address
from envsnap.lock._proof import is_proved, kept_archives
from envsnap.lock._pylock import File
from envsnap.lock._uv import find_uv
from envsnap.manifest import encode
from envsnap.sections import (
    Artifact,
    Changes,
    CondaArtifact,
    Lock,
    Package,
    Reason,
    Unknown,
    Unlocked,
    replace,
)
from tests import made, wheels
from tests.lock.index import AUTHORIZATION, PASSWORD, USER, Fault, index_of, sdist, wheel
from tests.serving import served

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

NO_SIZE = Unknown(Reason.NOT_SUPPORTED, "the index does not say")
GONE = "it was removed from there, or came from another one"


def has_uv() -> bool:
    try:
        return bool(find_uv())
    except MissingExtraError:
        return False


pytestmark = pytest.mark.skipif(not has_uv(), reason="uv is not installed (the extra 'lock')")


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither this machine's settings of pip and uv nor what uv keeps from other tests."""
    for name in os.environ:
        if name.startswith(("UV_", "PIP_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.chdir(tmp_path)


def locked(packages: tuple[Package, ...], address: str, **options: object) -> Lock:
    asked = LockOptions(indexes=Indexes(default=f"http://{address}/simple"), **options)  # type: ignore[arg-type]
    return make_lock(made.manifest(packages).with_lock(None), asked)


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


def artifact(version: str, name: str, raw: bytes, url: str | None, **changes: object) -> Artifact:
    known: dict[str, object] = {"size": NO_SIZE, **changes}
    return made.artifact(
        "demo", version, name, url=url, sha256=hashlib.sha256(raw).hexdigest(), **known
    )


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


def locked_here(tmp_path: Path, package: Package, *there: wheels.Wheel, **index: bytes) -> Lock:
    """The lock of one package with a folder of these wheels; `index` has these files."""
    folder = tmp_path / "folder"
    folder.mkdir(exist_ok=True)
    for each in there:
        (folder / each.filename).write_bytes(each.raw)
    with served(index_of(index)) as address:
        places = Indexes(default=f"http://{address}/simple", find_links=(str(folder),))
        return make_lock(made.manifest((package,)).with_lock(None), LockOptions(indexes=places))


def test_a_wheel_in_a_folder_is_proved_by_what_it_installs(tmp_path: Path) -> None:
    mine, theirs = wheels.wheel("demo", "1.0"), wheels.wheel("demo", "1.0", {"demo.py": b"2\n"})
    index = {theirs.filename: theirs.raw}
    (demo,) = locked_here(tmp_path, wheels.packaged(mine), mine, **index).artifacts
    known = {"content": mine.content, "size": len(mine.raw)}
    assert demo == artifact("1.0", mine.filename, mine.raw, None, **known)
    assert is_proved(demo, wheels.packaged(mine))


def test_a_wheel_in_a_folder_that_installs_other_files_is_not_the_installed_one(
    tmp_path: Path,
) -> None:
    mine = wheels.wheel("demo", "1.0+lab")
    theirs = wheels.wheel("demo", "1.0+lab", {"demo.py": b"other\n"})
    package = wheels.packaged(mine)
    (demo,) = locked_here(tmp_path, package, theirs).unlocked
    assert demo == Unlocked(
        name="demo", version=mine.version, candidates=(theirs.filename,),
        why=f"{theirs.filename} on this machine has its name, version and tags, and installs other "
            "files than are installed",
    )  # fmt: skip
    edited = Changes(edited=("demo.py",), missing=(), extra=(), files=1)
    (kept,) = locked_here(tmp_path, replace(package, changes=edited), theirs).artifacts
    assert kept.filename == theirs.filename  # the package's digest is that of the edited files


def test_a_wheel_that_lies_here_and_is_not_it_is_not_it_on_an_index_either(tmp_path: Path) -> None:
    mine, theirs = wheels.wheel("demo", "1.0"), wheels.wheel("demo", "1.0", {"demo.py": b"2\n"})
    package, index = wheels.packaged(mine), {theirs.filename: theirs.raw}
    assert locked_here(tmp_path, package, **index).artifacts != ()  # by its tags alone
    (demo,) = locked_here(tmp_path, package, theirs, **index).unlocked
    assert demo.why.startswith(f"{theirs.filename} on this machine has its name, version and tags")


def test_a_wheel_of_which_nobody_can_say_what_it_installs_is_matched_by_its_tags(
    tmp_path: Path,
) -> None:
    theirs = wheels.wheel("demo", "1.0")
    package = wheels.packaged(theirs, content=Unknown(Reason.NOT_RECORDED, "no RECORD"))
    (demo,) = locked_here(tmp_path, package, theirs).artifacts
    assert demo == artifact("1.0", theirs.filename, theirs.raw, None, size=len(theirs.raw))
    assert not is_proved(demo, package)


def test_a_record_that_lies_proves_nothing(tmp_path: Path) -> None:
    mine = wheels.wheel("demo", "1.0")
    with zipfile.ZipFile(io.BytesIO(mine.raw)) as whole:
        files = {name: whole.read(name) for name in whole.namelist()}
    forged = mine._replace(raw=wheels.zipped({**files, "demo.py": b"evil\n"}))
    (demo,) = locked_here(tmp_path, wheels.packaged(mine), forged).unlocked
    assert demo.candidates == (forged.filename,)


def test_a_file_with_the_tags_of_the_installed_one_is_matched_and_not_proved() -> None:
    name, raw = wheel("demo", "1.0")
    package = made.package("demo", "1.0")
    with served(index_of({name: raw})) as address:
        (demo,) = locked((package,), address).artifacts
    assert demo.is_installed is True
    assert not is_proved(demo, package)
    digest = f"sha256={hashlib.sha256(raw).hexdigest()}"
    assert is_proved(demo, replace(package, origin=made.origin(archive_hash=digest)))


def test_what_a_wheelhouse_was_filled_with_stays_in_the_lock_until_an_index_proves_it() -> None:
    name, raw = wheel("demo", "1.0")
    package = made.package("demo", "1.0", content="1" * 64)
    mine = made.package("mine", "0.1", origin=made.origin("editable"), content="2" * 64)
    filled = (
        made.artifact("demo", "1.0", "demo-1.0-py3-none-any.whl", url=None, how="made",
                      content="1" * 64),
        made.artifact("mine", "0.1", "mine-0.1-py3-none-any.whl", url=None, how="built",
                      content="2" * 64),
    )  # fmt: skip
    before = made.manifest((package, mine), filled)
    with served(index_of({name: raw})) as address:
        options = LockOptions(indexes=Indexes(default=f"http://{address}/simple"))
        again = make_lock(before, options)
        assert (again.artifacts, again.unlocked) == (filled, ())
        other = made.manifest((made.package("demo", "1.0"), replace(mine, version="0.2")))
        changed = make_lock(other.with_lock(before.lock), options)
        digest = f"sha256={hashlib.sha256(raw).hexdigest()}"
        known = replace(package, origin=made.origin(archive_hash=digest))
        proved = make_lock(made.manifest((known,)).with_lock(before.lock), options)
    assert changed.artifacts == (artifact("1.0", name, raw, None),)
    assert [each.name for each in changed.unlocked] == ["mine"]
    assert proved.artifacts == (artifact("1.0", name, raw, None),)


def test_what_was_seen_in_a_fetched_file_is_not_forgotten_by_the_next_lock() -> None:
    name, raw = wheel("demo", "1.0")
    package = made.package("demo", "1.0", content="1" * 64)
    seen = artifact("1.0", name, raw, None, content="1" * 64)
    with served(index_of({name: raw})) as address:
        options = LockOptions(indexes=Indexes(default=f"http://{address}/simple"))
        again = make_lock(made.manifest((package,), (seen,)), options)
    assert again.artifacts == (seen,)


def test_a_conda_archive_that_was_made_again_stays_in_the_lock_of_its_environment() -> None:
    gone = CondaArtifact(
        name="zlib", version="1.3", build="h1", subdir="linux-64", filename="zlib-1.3-h1.conda",
        url="https://files.example/zlib-1.3-h1.conda", sha256="1" * 64, md5=None, size=1,
    )  # fmt: skip
    again = replace(gone, url=None, sha256="2" * 64, how="made")
    lock = Lock(environment="0" * 12, locker="uv 1.0", artifacts=(), unlocked=(), conda=(again,))
    assert kept_archives([gone], lock, "0" * 12) == (again,)
    assert kept_archives([gone], lock, "1" * 12) == (gone,)
    assert kept_archives([gone], None, "0" * 12) == (gone,)


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
