"""Every kind of installation, as its files show it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.host import RecordedHost
from envsnap.probes._conda import below, parse_record
from envsnap.probes._difference import parse_changed
from envsnap.probes._dist_info import source_folder
from envsnap.probes._dpkg import parse_status
from envsnap.probes._evidence import verified
from envsnap.probes._index_hint import index_hint
from envsnap.probes._zipped import zipped
from envsnap.sections import Broken, Changes, Origin, Package, Packages, Reason, Unknown, replace
from tests import made
from tests.probes.environments import SITE, USER, captured, dist, installed

PLACE = "{env}/lib/python3.11/site-packages"
DEBIAN = "/usr/lib/python3/dist-packages"
EGG = "Metadata-Version: 1.0\nName: tide\nVersion: 1.0\n"


def zip_of(files: Mapping[str, str], kind: int = zipfile.ZIP_STORED) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", kind) as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return raw.getvalue()


def broken(found: Packages) -> tuple[Broken, ...]:
    assert not isinstance(found.broken, Unknown)
    return found.broken


def test_an_egg_on_the_path_is_a_distribution_in_its_own_folder() -> None:
    egg = f"{SITE}/tide-1.0-py3.11.egg"
    (tide,) = installed(captured({f"{egg}/EGG-INFO/PKG-INFO": EGG}, SITE, egg))
    assert (tide.name, tide.version, tide.location) == (
        "tide",
        "1.0",
        f"{PLACE}/{egg[len(SITE) + 1 :]}",
    )
    assert (tide.origin.kind, tide.evidence, tide.active) == ("unknown", "version", True)


def test_an_egg_that_no_path_leads_to_is_not_installed() -> None:
    assert installed(captured({f"{SITE}/tide-1.0-py3.11.egg/EGG-INFO/PKG-INFO": EGG})) == ()


def test_a_zipped_egg_is_read_without_unpacking_it() -> None:
    egg = f"{SITE}/tide.egg"
    files = {egg: zip_of({"EGG-INFO/PKG-INFO": EGG, "tide/__init__.py": ""})}
    (tide,) = installed(captured(files, SITE, egg))
    assert (tide.name, tide.version, tide.location) == ("tide", "1.0", f"{PLACE}/tide.egg")


def test_a_wheel_on_the_path_that_was_never_unpacked_shows_its_tags() -> None:
    held = {
        "tide-1.0.dist-info/METADATA": EGG,
        "tide-1.0.dist-info/WHEEL": "Tag: py3-none-any\n",
        "tide-1.0.dist-info/RECORD": "",
    }
    (tide,) = installed(captured({"/srv/tide.whl": zip_of(held)}, "/srv/tide.whl", SITE))
    assert (tide.tags, tide.content, tide.location) == (("py3-none-any",), None, "{other}/tide.whl")


def test_a_zip_that_is_damaged_costs_nobody_else() -> None:
    damaged = b"PK" + zip_of({"EGG-INFO/PKG-INFO": EGG})[:40]
    found = captured({"/srv/x.zip": damaged, **dist("good", "1.0")}, "/srv/x.zip", SITE)
    assert [each.name for each in installed(found)] == ["good"]
    assert broken(found) == (
        Broken(location="{other}/x.zip", why="a zip that could not be read: BadZipFile"),
    )


def test_a_zip_that_unpacks_to_gigabytes_is_read_to_a_limit() -> None:
    bomb = zip_of({"EGG-INFO/PKG-INFO": EGG + "\n" + "0" * 50_000_000}, zipfile.ZIP_DEFLATED)
    (tide,) = installed(captured({"/srv/x.egg": bomb}, "/srv/x.egg"))
    assert (tide.name, tide.version) == ("tide", "1.0")


@given(st.data())
def test_no_damage_to_a_zip_can_raise(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA]))
    raw = bytearray(zip_of({"EGG-INFO/PKG-INFO": EGG * 9, "a-1.dist-info/METADATA": EGG}, kind))
    for at in data.draw(st.lists(st.integers(2, len(raw) - 1), max_size=8)):
        raw[at] = data.draw(st.integers(0, 255))
    del raw[data.draw(st.integers(2, len(raw))) :]
    host = RecordedHost.made(files={"/srv/x.egg": bytes(raw)}, absent_below=["/"])
    kinds = {each.kind for each in zipped(host, "/srv/x.egg", "pth")}
    assert kinds <= {"zip", "unopened"}


@given(st.text(), st.binary())
def test_no_answer_of_git_or_dpkg_can_raise(text: str, raw: bytes) -> None:
    parse_changed(text)
    parse_status(raw, frozenset({"tide"}))
    source_folder(raw)


def test_the_egg_before_the_folder_is_the_copy_that_import_uses() -> None:
    egg = f"{SITE}/tide-1.0-py3.11.egg"
    files = {f"{egg}/EGG-INFO/PKG-INFO": EGG, **dist("tide", "2.0")}
    assert [(each.version, each.active) for each in installed(captured(files, egg, SITE))] == [
        ("1.0", True),
        ("2.0", False),
    ]
    assert [(each.version, each.active) for each in installed(captured(files, SITE, egg))] == [
        ("2.0", True),
        ("1.0", False),
    ]


def develop(source: str = "/home/ada/tide/src", up: str = "../") -> dict[str, str]:
    return {
        f"{SITE}/tide.egg-link": f"{source}\n{up}",
        f"{source}/tide.egg-info/PKG-INFO": EGG,
    }


def test_a_develop_installation_is_one_editable_and_not_two() -> None:
    (tide,) = installed(captured(develop(), SITE, "/home/ada/tide/src"))
    assert (tide.origin.kind, tide.origin.url) == ("editable", "file://{home}/tide")
    assert (tide.version, tide.location, tide.active) == ("1.0", PLACE, True)


def test_an_egg_link_to_a_folder_that_is_gone_is_broken() -> None:
    found = captured({f"{SITE}/tide.egg-link": "/home/ada/gone\n."})
    assert installed(found) == ()
    assert broken(found) == (
        Broken(location=f"{PLACE}/tide.egg-link", why="it leads to a folder that is gone"),
    )


def editable(folder: str = "/home/ada/tide") -> dict[str, str]:
    record = {"url": f"file://{folder}", "dir_info": {"editable": True}}
    return dist("tide", "1.0", direct_url_json=json.dumps(record), INSTALLER="pip\n")


def test_what_a_build_left_in_an_editable_source_is_no_second_copy() -> None:
    files = editable() | {"/home/ada/tide/src/tide.egg-info/PKG-INFO": EGG}
    found = installed(captured(files, SITE, "/home/ada/tide/src"))
    assert [(each.version, each.origin.kind) for each in found] == [("1.0", "editable")]


def test_another_distribution_in_an_editable_source_stays() -> None:
    other = EGG.replace("tide", "moon")
    files = editable() | {"/home/ada/tide/src/moon.egg-info/PKG-INFO": other}
    found = installed(captured(files, SITE, "/home/ada/tide/src"))
    assert [each.name for each in found] == ["moon", "tide"]


def test_a_plain_copy_comes_before_an_editable_one_that_has_a_finder() -> None:
    files = editable() | dist("tide", "0.9", USER)
    found = installed(captured(files, SITE, USER))
    assert [(each.version, each.active) for each in found] == [("0.9", True), ("1.0", False)]


def test_an_editable_one_counts_where_its_source_is_on_the_path() -> None:
    files = editable() | dist("tide", "0.9", USER) | {"/home/ada/tide/src/tide/__init__.py": ""}
    found = installed(captured(files, SITE, "/home/ada/tide/src", USER))
    assert [(each.version, each.active) for each in found] == [("1.0", True), ("0.9", False)]


def test_an_editable_folder_that_is_gone_has_no_version_control_to_ask() -> None:
    (tide,) = installed(captured(editable()))
    gone = Unknown(Reason.NOT_SUPPORTED, "its folder is no longer there")
    assert (tide.origin.git, tide.origin.difference) == (gone, gone)


def test_the_password_of_a_folder_s_address_stays_out() -> None:
    record = {"url": "https://ada:s3cret@lab.example/tide.whl?sig=s3cret", "archive_info": {}}
    (tide,) = installed(captured(dist("tide", "1.0", direct_url_json=json.dumps(record))))
    assert tide.origin == Origin(kind="archive", url="https://lab.example/tide.whl")


@pytest.mark.parametrize(
    "url", ["file:///home/ada/\ud800", "file:///a%00b", "https://lab.example/\ud800"]
)
@pytest.mark.parametrize("info", [{"dir_info": {"editable": True}}, {"archive_info": {}}])
def test_an_address_that_no_file_can_hold_costs_nobody_else(
    url: str, info: dict[str, object]
) -> None:
    record = json.dumps({"url": url, **info})
    found = captured(dist("tide", "1.0", direct_url_json=record) | dist("good", "1.0"))
    assert [each.name for each in installed(found)] == ["good", "tide"]
    assert "\ud800" not in repr(found)


def test_two_distributions_of_one_namespace_are_two() -> None:
    shared = {f"{SITE}/space/one.py": "", f"{SITE}/space/two.py": ""}
    found = captured(shared | dist("space_one", "1.0") | dist("space_two", "1.0"))
    assert [each.name for each in installed(found)] == ["space_one", "space_two"]


def test_a_folder_that_a_link_puts_on_the_path_twice_is_read_once() -> None:
    twice = "/home/ada/work/.venv/lib64/python3.11/site-packages"
    links = {"/home/ada/work/.venv/lib64": "lib"}
    found = captured(dist("tide", "1.0"), SITE, twice, links=links)
    assert [(each.name, each.active) for each in installed(found)] == [("tide", True)]


def test_what_pip_left_of_a_removal_is_told_with_and_without_metadata() -> None:
    files = {f"{SITE}/~ide-1.0.dist-info/METADATA": EGG, f"{SITE}/~ide/__init__.py": ""}
    unfinished = "a removal that was not finished"
    assert broken(captured(files)) == (
        Broken(location=f"{PLACE}/~ide", why=unfinished),
        Broken(location=f"{PLACE}/~ide-1.0.dist-info", why=unfinished),
    )


def test_a_file_in_the_place_of_a_dist_info_is_no_folder() -> None:
    found = captured({f"{SITE}/tide-1.0.dist-info": ""})
    assert broken(found) == (Broken(location=f"{PLACE}/tide-1.0.dist-info", why="it is no folder"),)


def test_metadata_without_end_is_read_to_a_limit() -> None:
    endless = b"X-Long: " + b"0" * (5 << 20) + b"\nName: tide\nVersion: 1.0\n"
    found = captured({f"{SITE}/tide-1.0.dist-info/METADATA": endless, **dist("good", "1.0")})
    assert [each.name for each in installed(found)] == ["good"]
    why = "its metadata names no name and version"
    assert broken(found) == (Broken(location=f"{PLACE}/tide-1.0.dist-info", why=why),)


@pytest.mark.parametrize(
    ("files", "version", "expected"),
    [
        ({"uv_build_json": "{}"}, "1.0", True),
        ({"WHEEL": "Tag: cp311-cp311-linux_x86_64\n"}, "1.0", True),
        ({"WHEEL": "Tag: cp311-cp311-linux_x86_64\n"}, "2.5.1+cu124", False),
        ({"WHEEL": "Tag: cp311-cp311-manylinux2014_x86_64\n"}, "1.0", False),
        ({"WHEEL": "Tag: py3-none-any\n"}, "1.0", False),
    ],
)
def test_only_what_proves_it_makes_a_wheel_built_here(
    files: dict[str, str],
    version: str,
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    (tide,) = installed(captured(dist("tide", version, INSTALLER="uv", **files)))
    assert tide.built_here is expected


def test_a_local_version_of_pytorch_s_hints_at_its_index() -> None:
    files = dist("torch", "2.5.1+cu124", INSTALLER="pip") | dist("tide", "1.0+cu124")
    found = {each.name: each.origin.index_hint for each in installed(captured(files))}
    assert found == {"torch": "https://download.pytorch.org/whl/cu124", "tide": None}


def test_what_came_from_an_address_needs_no_hint() -> None:
    record = json.dumps({"url": "https://lab.example/torch.whl", "archive_info": {}})
    (torch,) = installed(captured(dist("torch", "2.5.1+cpu", direct_url_json=record)))
    assert torch.origin.index_hint is None
    assert index_hint("torch", "2.5.1+cpu") == "https://download.pytorch.org/whl/cpu"
    assert index_hint("torch", "2.5.1+mine") is None


STATUS = """Package: python3-yaml
Status: install ok installed
Architecture: amd64
Version: 6.0-3+b2

Package: zlib1g
Architecture: amd64
Version: 1:1.2.13
"""


def test_what_dpkg_brought_names_its_package_and_version() -> None:
    info = f"{DEBIAN}/PyYAML-6.0.egg-info"
    files = {
        info: EGG.replace("tide", "PyYAML").replace("1.0\n", "1.1build1\n"),
        "/var/lib/dpkg/info/python3-yaml.list": f"/.\n/usr\n{info}\n",
        "/var/lib/dpkg/info/zlib1g:amd64.list": "/usr/lib/libz.so\n",
        "/var/lib/dpkg/status": STATUS,
        "/etc/os-release": 'NAME="Ubuntu"\nID=ubuntu\n',
    }
    (yaml,) = installed(captured(files, DEBIAN))
    assert (yaml.layer, yaml.version, yaml.version_valid) == ("distro", "1.1build1", False)
    assert (yaml.origin.kind, yaml.evidence) == ("distribution", "distribution")
    assert yaml.origin.url == "pkg:deb/ubuntu/python3-yaml@6.0-3%2Bb2?arch=amd64"


def test_what_pip_put_into_the_system_s_folder_is_not_the_system_s() -> None:
    found = captured(dist("tide", "1.0", DEBIAN, INSTALLER="pip\n"), DEBIAN)
    assert [each.origin.kind for each in installed(found)] == ["index"]


def test_a_copy_elsewhere_of_the_same_name_and_version_is_not_conda_s() -> None:
    record = {
        "name": "tide",
        "version": "1.0",
        "build": "0",
        "sha256": "cd" * 32,
        "files": ["lib/python3.11/site-packages/tide-1.0.dist-info/METADATA"],
    }
    meta = {"/home/ada/work/.venv/conda-meta/tide-1.0-0.json": json.dumps(record)}
    files = dist("tide", "1.0") | dist("tide", "1.0", USER, INSTALLER="pip\n") | meta
    found = installed(captured(files, USER, SITE))
    assert [(each.layer, each.origin.kind) for each in found] == [
        ("user", "index"),
        ("env", "conda"),
    ]


def test_conda_owns_egg_infos_that_are_files_and_eggs_that_are_folders() -> None:
    site = "lib/python3.8/site-packages"
    files = [f"{site}/tide-1.0-py3.8.egg-info", f"{site}/moon.egg/EGG-INFO/PKG-INFO", "bin/tide"]
    _, folders = parse_record(json.dumps({"name": "tide", "files": files}).encode(), "tide.json")
    assert sorted(folders) == [f"{site}/moon.egg/EGG-INFO", f"{site}/tide-1.0-py3.8.egg-info"]


def test_a_path_below_the_environment_is_told_as_conda_writes_it() -> None:
    assert (
        below("C:\\env\\Lib\\site-packages/a.dist-info", "C:\\env")
        == "Lib/site-packages/a.dist-info"
    )
    assert below("/environment/lib", "/env") == ""


WELL = Changes(edited=(), missing=(), extra=(), files=3)


@pytest.mark.parametrize(
    ("package", "changes", "rung"),
    [
        (made.package("tide", "1"), WELL, "verified"),
        (made.package("tide", "1"), replace(WELL, extra=("x",), unchecked=("../y",)), "verified"),
        (made.package("tide", "1"), replace(WELL, unchecked=("y",)), "content"),
        (made.package("tide", "1"), replace(WELL, edited=("x",)), "content"),
        (made.package("tide", "1"), replace(WELL, missing=("x",)), "content"),
        (made.package("tide", "1", origin=made.origin("vcs", commit="ab")), WELL, "vcs"),
        (made.package("tide", "1", content=None), WELL, "version"),
        (
            made.package("tide", "1", origin=made.origin("archive", archive_hash="md5=0")),
            WELL,
            "verified",
        ),
        (
            made.package("tide", "1", origin=made.origin("archive", archive_hash="sha256=0")),
            WELL,
            "archive",
        ),
    ],
)
def test_only_files_that_are_as_stated_prove_the_content(
    package: Package, changes: Changes, rung: str
) -> None:
    known = verified(package, changes)
    assert (known.changes, known.evidence) == (changes, rung)
