from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap._capture import capture
from envsnap.host import Ran, RecordedHost
from envsnap.probes import Anchors
from envsnap.probes._conda import parse_record
from envsnap.probes._dist_info import direct_url, parse_metadata, parse_wheel
from envsnap.probes.packages import is_valid_version
from envsnap.sections import Broken, Packages, Reason, Unknown
from tests.probes.environments import SITE, USER, captured, dist, installed


def test_a_wheel_from_an_index_is_described_by_its_files() -> None:
    wheel = "Wheel-Version: 1.0\nTag: cp311-cp311-manylinux_2_17_x86_64\n"
    found = captured(
        dist("numpy", "2.1.0", INSTALLER="pip\n", WHEEL=wheel, RECORD="", REQUESTED="")
    )
    (numpy,) = installed(found)
    assert (numpy.name, numpy.version, numpy.active, numpy.layer) == ("numpy", "2.1.0", True, "env")
    assert numpy.location == "{env}/lib/python3.11/site-packages"
    assert (numpy.installer, numpy.requested, numpy.origin.kind) == ("pip", True, "index")
    assert numpy.tags == ("cp311-cp311-manylinux_2_17_x86_64",)
    assert (numpy.content, numpy.evidence) == ("ab" * 32, "content")


def test_digests_that_were_left_out_are_unknown_not_absent() -> None:
    (numpy,) = installed(captured(dist("numpy", "2.1.0", RECORD=""), digests=False))
    assert numpy.content == Unknown(Reason.NOT_ASKED, "left out with --no-digests")


def test_a_package_without_a_record_has_no_stated_digest() -> None:
    (plain,) = installed(captured(dist("plain", "1.0")))
    assert (plain.content, plain.evidence) == (None, "version")
    assert plain.requested == Unknown(
        Reason.NOT_SUPPORTED, "its installer does not record what was asked for"
    )


def test_the_first_copy_on_the_path_is_active_and_the_other_is_shadowed() -> None:
    files = dist("My.Pkg", "1.0", USER) | dist("my_pkg", "2.0")
    found = installed(captured(files, USER, SITE))
    assert [(each.version, each.active, each.layer) for each in found] == [
        ("1.0", True, "user"),
        ("2.0", False, "env"),
    ]


def test_a_version_control_install_keeps_its_commit_and_loses_its_password() -> None:
    record = {
        "url": "https://ada:secret@git.example/ada/tool.git",
        "vcs_info": {"vcs": "git", "commit_id": "91be7d0", "requested_revision": "main"},
    }
    (tool,) = installed(captured(dist("tool", "0.1", direct_url_json=json.dumps(record))))
    assert (tool.origin.kind, tool.origin.commit, tool.origin.revision) == (
        "vcs",
        "91be7d0",
        "main",
    )
    assert tool.origin.url == "https://git.example/ada/tool.git"
    assert tool.evidence == "vcs"


def test_an_editable_install_is_told_from_its_anchor() -> None:
    record = {"url": "file:///home/ada/work/my%20losses", "dir_info": {"editable": True}}
    (mine,) = installed(captured(dist("mylosses", "0.1.0", direct_url_json=json.dumps(record))))
    assert (mine.origin.kind, mine.origin.url) == ("editable", "file://{home}/work/my losses")


def test_broken_installations_cost_nobody_else_and_are_named() -> None:
    files = (
        dist("good", "1.0")
        | {f"{SITE}/torch-1.12.1.dist-info/REQUESTED": ""}
        | {f"{SITE}/~umpy-1.0.dist-info/METADATA": "Name: numpy\nVersion: 1.0\n"}
        | {f"{SITE}/odd-1.0.dist-info/METADATA": "Name: odd\n\nVersion: 9\n"}
    )
    found = captured(files)
    assert [each.name for each in installed(found)] == ["good"]
    site = "{env}/lib/python3.11/site-packages"
    assert found.broken == (
        Broken(location=f"{site}/odd-1.0.dist-info", why="its metadata names no name and version"),
        Broken(location=f"{site}/torch-1.12.1.dist-info", why="no metadata"),
        Broken(location=f"{site}/~umpy-1.0.dist-info", why="a removal that was not finished"),
    )


def test_conda_is_the_truth_about_what_conda_installed() -> None:
    record = {
        "name": "numpy-base", "version": "2.1.0", "build": "py311_0", "subdir": "linux-64",
        "channel": "https://token:x@conda.example/t/SECRET/forge",
        "sha256": "cd" * 32, "md5": "ef" * 16,
        "url": "https://conda.example/t/SECRET/forge/linux-64/numpy-base-2.1.0-py311_0.conda",
        "files": ["lib/python3.11/site-packages/numpy-2.1.0.dist-info/METADATA"],
    }  # fmt: skip
    files = dist("numpy", "2.1.0", direct_url_json='{"url": "file:///croot/work", "dir_info": {}}')
    meta = "/home/ada/work/.venv/conda-meta"
    other = {"name": "zlib", "version": "1.3", "build": "h_0", "files": ["lib/libz.so"]}
    files |= {f"{meta}/numpy.json": json.dumps(record), f"{meta}/zlib.json": json.dumps(other)}
    found = captured(files)
    (numpy,) = installed(found)
    assert (numpy.origin.kind, numpy.evidence) == ("conda", "conda")
    assert numpy.conda is not None
    assert (numpy.conda.name, numpy.conda.sha256) == ("numpy-base", "cd" * 32)
    assert "SECRET" not in repr(found)
    assert "token" not in repr(found)
    assert not isinstance(found.conda_only, Unknown)
    assert [each.name for each in found.conda_only] == ["zlib"]


def test_an_interpreter_that_does_not_start_is_the_reason() -> None:
    python = "/home/ada/work/.venv/bin/python"
    dead = Ran(127, "", "libpython3.11.so.1.0: cannot open shared object file\n")
    host = RecordedHost.made(
        files={python: ""},
        absent_below=["/"],
        environ={"PATH": "/usr/bin"},
        commands={
            (python, "-c", "{script}", "envsnap-paths-1:"): dead,
            (python, "-I", "-S", "-c", "{script}", "envsnap-paths-1:"): dead,
        },
        cwd="/home/ada/work",
        home="/home/ada",
    )
    found = capture(host, sections=frozenset({"packages"})).section(Packages)
    assert found == Unknown(
        Reason.CRASHED,
        "Python ended with status 127: libpython3.11.so.1.0: cannot open shared object file",
    )


@pytest.mark.parametrize(
    ("version", "valid"),
    [
        ("1.0", True), ("2.1.0rc1", True), ("2.7.1+cu128", True), ("1!2.0.post1.dev3", True),
        ("1.0-1", True), ("v1.0", True), ("1.1build1", False), ("0.23ubuntu1", False), ("", False),
    ],
)  # fmt: skip
def test_only_versions_of_the_standard_are_valid(version: str, valid: bool) -> None:  # noqa: FBT001 - a table
    assert is_valid_version(version) is valid


@given(st.binary())
def test_no_file_of_a_package_can_raise(raw: bytes) -> None:
    parse_metadata(raw)
    parse_wheel(raw)
    direct_url(raw, Anchors())
    parse_record(raw, "x.json")
