"""Machines made by hand, and machines that were recorded."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.errors import FileError, ManifestError
from envsnap.host import LocalHost, Ran, RecordedHost, RecordingHost, Stat, StatedDigest, Uname
from envsnap.sections import Reason, Unknown
from tests.host.questions import DENIED, EMPTY_SHA, GOOD, SHM, not_recorded

if TYPE_CHECKING:
    from pathlib import Path


def test_the_folders_of_a_made_file_exist_and_list_it() -> None:
    host = RecordedHost.made(files={"/etc/os-release": "ID=debian\n"})
    assert host.list("/") == ("etc",)
    assert host.list("/etc") == ("os-release",)
    assert host.stat("/etc") == Stat("folder", 0, 0)
    assert host.stat("/etc/os-release") == Stat("file", 10, 0)
    assert host.real("/etc/../etc/./os-release") == "/etc/os-release"
    assert host.read("/etc/os-release", limit=2) == b"ID"


def test_a_file_is_no_folder_and_a_folder_no_file() -> None:
    host = RecordedHost.made(files={"/etc/os-release": ""}, devices=["/dev/nvidia0"])
    assert host.list("/etc/os-release") is None
    assert host.stat("/etc/os-release/more") is None
    assert host.read("/etc") == Unknown(Reason.NOT_SUPPORTED, "not a regular file")
    assert host.read("/dev/nvidia0") == Unknown(Reason.NOT_SUPPORTED, "not a regular file")
    assert host.stat("/dev/nvidia0") == Stat("other", 0, 0)
    assert host.list("/dev") == ("nvidia0",)


def test_links_of_a_made_machine_are_followed_at_every_step() -> None:
    host = RecordedHost.made(
        files={"/usr/lib/os-release": "ID=debian"},
        links={"/lib": "usr/lib", "/etc/os-release": "../lib/os-release", "/a": "/b", "/b": "a"},
    )
    assert host.read("/etc/os-release") == b"ID=debian"
    assert host.real("/etc/os-release") == "/usr/lib/os-release"
    assert host.link("/etc/os-release") == "../lib/os-release"
    assert host.link("/lib/os-release") is None
    assert host.list("/lib") == ("os-release",)
    assert host.stat("/a") is None
    assert host.real("/a") is None


def test_only_what_was_said_absent_is_absent() -> None:
    host = RecordedHost.made(
        files={"/sys/a": "1"}, absent=["/proc/driver"], absent_below=["/sys", "/dev"]
    )
    assert host.stat("/proc/driver") is None
    assert host.read("/proc/driver/nvidia/version") is None
    assert host.list("/sys/bus") is None
    assert host.stat("/dev") is None
    assert host.real("/proc/cpuinfo") == not_recorded("real /proc/cpuinfo")
    assert host.read("/proc/cpuinfo") == not_recorded("read /proc/cpuinfo")
    assert host.list("/proc") == not_recorded("list /proc")
    assert host.link("/proc/self") == not_recorded("link /proc/self")


def test_a_name_that_a_folder_lists_is_not_absent() -> None:
    host = RecordedHost.made(folders={"/sys/bus": ["pci"], "/empty": []}, absent_below=["/"])
    assert host.stat("/sys/bus/pci") == not_recorded("stat /sys/bus/pci")
    assert host.stat("/sys/bus/usb") is None
    assert host.list("/empty") == ()


def test_nothing_is_seen_below_a_denied_folder() -> None:
    host = RecordedHost.made(
        files={"/root/a": "1", "/etc/shadow": "x"},
        denied=["/root", "/etc/shadow"],
        folders={"/sys/x": DENIED},
    )
    assert host.stat("/root") == Stat("folder", 0, 0)
    assert host.list("/root") == DENIED
    assert host.read("/root/a") == DENIED
    assert host.stat("/root/b") == DENIED
    assert host.read("/etc/shadow") == DENIED
    assert host.stat("/etc/shadow") == Stat("file", 1, 0)
    assert host.list("/sys/x") == DENIED


def test_commands_and_variables_of_a_made_machine() -> None:
    some = RecordedHost.made(
        commands={
            ("git", "--version"): "git version 2.39.5\n",
            ("false",): Ran(1, "", ""),
            ("sysctl", "-i", "..."): "hw.ncpu: 8\n",
        },
        environ={"HOME": "/home/user", "LANG": None},
    )
    assert some.run(["git", "--version"]) == Ran(0, "git version 2.39.5\n", "")
    assert some.run(["false"]) == Ran(1, "", "")
    assert some.run(["sysctl", "-i", "hw.ncpu", "more"]) == Ran(0, "hw.ncpu: 8\n", "")
    assert some.run(["sysctl", "-a"]) == not_recorded("command sysctl -a")
    assert some.run(["git", "status"]) == not_recorded("command git status")
    assert some.which("git") == "/usr/bin/git"
    assert some.which("cc") == not_recorded("environment variable PATH")
    assert some.environ("LANG") is None
    assert some.environ("PATH") == not_recorded("environment variable PATH")


def test_a_whole_machine_has_nothing_that_is_not_listed() -> None:
    host = RecordedHost.made(files={"/opt/bin/cc": "", "/etc/x": ""}, absent_below=["/"],
                             environ={"PATH": "/usr/bin:/opt/bin:relative"})  # fmt: skip
    assert host.environ("CUDA_VISIBLE_DEVICES") is None
    assert host.which("cc") == "/opt/bin/cc"
    assert host.which("gcc") is None
    assert host.run(["gcc", "--version"]) == Unknown(Reason.TOOL_MISSING, "gcc")
    assert host.capacity_mib(SHM) is None
    assert host.uname() == not_recorded("uname")


def test_a_machine_states_the_digest_of_a_record_that_it_holds() -> None:
    record = f"a.py,sha256={EMPTY_SHA},0\na-1.dist-info/RECORD,,\n"
    digest = StatedDigest("00" * 32, 7)
    nothing = hashlib.sha256(b"").hexdigest()
    content = hashlib.sha256(f"a.py\0{nothing}\n".encode()).hexdigest()
    host = RecordedHost.made(
        files={"/env/a-1.dist-info/RECORD": record},
        absent=["/env/b-1.dist-info/RECORD"],
        digests={"/env/c-1.dist-info/RECORD": digest},
    )
    places = [f"/env/{name}-1.dist-info/RECORD" for name in "abcd"]
    lost = not_recorded("read {other}/RECORD")
    assert host.stated_digests(places)() == [
        StatedDigest(content, 1),
        StatedDigest(None, 0),
        digest,
        StatedDigest(lost, 0, lost),
    ]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_user_without_an_entry_is_named_by_the_number() -> None:
    script = "import os, pwd; from envsnap.host import LocalHost; os.setuid(54321)"
    child = subprocess.run(
        [sys.executable, "-c", f"{script}; print(LocalHost().user())"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert child.stdout == "('54321', 54321)\n"


def test_a_recording_survives_a_change_of_the_script_that_was_run(tmp_path: Path) -> None:
    recording = RecordingHost(LocalHost())
    recording.run([sys.executable, "-c", "import sys\nprint(sys.argv[1])", "marker"])
    recording.save(str(tmp_path / "r"))
    host = RecordedHost.from_path(str(tmp_path / "r"))
    assert host.run([sys.executable, "-c", "another\nscript", "marker"]) == Ran(0, "marker\n", "")


def test_a_recording_that_cannot_be_written_is_a_file_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileError) as raised:
        RecordingHost(LocalHost()).save(str(tmp_path / "file" / "r"))
    assert raised.value.message == f"Cannot make the folder {tmp_path}/file/r: Not a directory"


def test_a_machine_made_by_hand_is_a_recording_too(tmp_path: Path) -> None:
    (tmp_path / "files.json").write_text(
        json.dumps([
            {"path": "/etc/os-release", "text": "ID=alpine\n"},
            {"path": "/dev/kfd", "stat": {"kind": "other"}},
            {"path": "/proc/driver", "read": None},
            {"path": "/lib", "link": "usr/lib"},
            {"path": "/root", "denied": True},
            {"path": "/proc/cpuinfo", "read": {"unknown": "timed-out", "detail": "slow"}},
        ])
    )  # fmt: skip
    (tmp_path / "host.json").write_text(
        json.dumps({
            "format": "envsnap-recording-1", "about": "a machine", "tree": True,
            "absent_below": ["/"],
            "uname": {"system": "Linux", "release": "6.1", "version": "#1", "machine": "x86_64"},
            "user": ["user", 1000], "home": "/home/user", "cwd": {"unknown": "no-permission"},
            "commands": [{"argv": ["git", "--version"], "stdout": "git version 2"},
                         {"argv": ["slow"], "unknown": "timed-out", "detail": "5 s"}],
            "nvml": {"unknown": "tool-missing", "detail": "libnvidia-ml.so.1"},
            "capacities": {SHM: 64}, "which": {"cc": None}, "environ": {"LANG": "C"},
        })
    )  # fmt: skip
    host = RecordedHost.from_path(str(tmp_path))
    assert host.list("/") == ("dev", "etc", "lib", "proc", "root")
    assert host.stat("/dev/kfd") == Stat("other", 0, 0)
    assert host.stat("/proc/driver") is None
    assert host.read("/proc/cpuinfo") == Unknown(Reason.TIMED_OUT, "slow")
    assert host.read("/root/a") == DENIED
    assert host.uname() == Uname("Linux", "6.1", "#1", "x86_64")
    assert (host.user(), host.home(), host.cwd()) == (("user", 1000), "/home/user", DENIED)
    assert host.run(["git", "--version"]) == Ran(0, "git version 2", "")
    assert host.run(["slow"]) == Unknown(Reason.TIMED_OUT, "5 s")
    assert host.nvml() == Unknown(Reason.TOOL_MISSING, "libnvidia-ml.so.1")
    assert (host.capacity_mib(SHM), host.which("cc")) == (64, None)


@pytest.mark.parametrize(
    ("files", "host", "message"),
    [
        ([], {}, "Unsupported format None in 'R: host.json: format'"),
        ([], [], "Expected an object, not [], in 'R: host.json'"),
        ([], {**GOOD, "more": 1}, "Unknown field 'more' in 'R: host.json'"),
        ([], {**GOOD, "tree": 1}, "Expected true or false, not 1, in 'R: host.json: tree'"),
        ([], {**GOOD, "home": 1}, "Expected text, not 1, in 'R: host.json: home'"),
        ([], {**GOOD, "user": ["a"]},
         "Expected a name and a number, not [\"a\"], in 'R: host.json: user'"),
        ([], {**GOOD, "environ": {"A": 1}}, "Expected text, not 1, in 'R: host.json: environ.A'"),
        ([], {**GOOD, "uname": {}}, "Expected text, not null, in 'R: host.json: uname.system'"),
        ([], {**GOOD, "nvml": {"unknown": "so"}},
         "Unknown reason 'so' in 'R: host.json: nvml.unknown'"),
        ([], {**GOOD, "commands": [{"argv": []}]},
         "Expected a command, not an empty list, in 'R: host.json: commands[0].argv'"),
        ([], {**GOOD, "commands": [{"argv": ["a"], "status": True}]},
         "Expected a whole number, not true, in 'R: host.json: commands[0].status'"),
        ({}, GOOD, "Expected a list, not {}, in 'R: files.json'"),
        ([{"path": "a"}], GOOD, "Expected an absolute path, not 'a', in 'R: files.json: [0].path'"),
        ([{"path": "/a", "text": "", "read": None}], GOOD,
         "Expected one of text, base64 and read in 'R: files.json: [0]'"),
        ([{"path": "/a", "base64": "?"}], GOOD, "Expected base64 in 'R: files.json: [0].base64'"),
        ([{"path": "/a", "read": "x"}], GOOD,
         "Expected null or an unknown, not \"x\", in 'R: files.json: [0].read'"),
        ([{"path": "/a", "stat": {"kind": "file", "owner": "ada"}}], GOOD,
         "Expected a whole number, not \"ada\", in 'R: files.json: [0].stat.owner'"),
        ([{"path": "/a", "stat": {"kind": "disk"}}], GOOD,
         "Expected file, folder or other, not 'disk', in 'R: files.json: [0].stat.kind'"),
        ([{"path": "/a", "mode": 1}], GOOD, "Unknown field 'mode' in 'R: files.json: [0]'"),
    ],
)  # fmt: skip
def test_a_bad_recording_says_where(
    files: object, host: object, message: str, tmp_path: Path
) -> None:
    (tmp_path / "files.json").write_text(json.dumps(files))
    (tmp_path / "host.json").write_text(json.dumps(host))
    with pytest.raises(ManifestError) as raised:
        RecordedHost.from_path(str(tmp_path))
    assert raised.value.message == message.replace("'R:", f"'{tmp_path}:")


def test_a_recording_that_is_cut_short_says_where(tmp_path: Path) -> None:
    (tmp_path / "files.json").write_text("[")
    (tmp_path / "host.json").write_text(json.dumps(GOOD))
    with pytest.raises(ManifestError) as raised:
        RecordedHost.from_path(str(tmp_path))
    assert raised.value.message == (
        f"{tmp_path}: files.json: Not JSON at line 1, column 2: Expecting value"
    )


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no tar\n")
    (tmp_path / "empty").mkdir()
    for name, message in {
        "absent": "No recording at {}",
        "empty": "{}: Not a recording: it has no file files.json",
        "text": "{}: Not a recording: no folder and no tar (truncated header)",
    }.items():
        with pytest.raises(ManifestError) as raised:
            RecordedHost.from_path(str(tmp_path / name))
        assert raised.value.message == message.format(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../files.json", tarfile.REGTYPE),
        ("files.json", tarfile.SYMTYPE),
        ("files.json", tarfile.LNKTYPE),
        ("/etc/passwd", tarfile.REGTYPE),
    ],
)
def test_a_tar_with_anything_else_is_refused(name: str, kind: bytes, tmp_path: Path) -> None:
    place = tmp_path / "bad.tar"
    with tarfile.open(place, "w") as tar:
        member = tarfile.TarInfo(name)
        member.type = kind
        member.linkname = "/etc/passwd"
        tar.addfile(member)
    with pytest.raises(ManifestError) as raised:
        RecordedHost.from_path(str(place))
    assert raised.value.message == f"{place}: Not a recording: it holds {name!r}"


@given(st.binary())
def test_no_tar_raises_anything_else(raw: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(raw)
        file.flush()
        with pytest.raises(ManifestError):
            RecordedHost.from_path(file.name)


def test_what_was_not_recorded_is_told_without_the_folders_that_name_somebody() -> None:
    host = RecordedHost.made(home="/home/ada", cwd="/data/grant/secret", files={"/etc/x": ""})
    assert [
        host.list("/home/ada"),
        host.list("/home/ada/.venv"),
        host.stat("/data/grant"),
        host.read("/data/grant/secret/.git/HEAD"),
        host.read("/proc/driver/nvidia/version"),
        host.capacity_mib("/home/ada/work"),
        *host.binaries(["/home/ada/liba.so"]),
        *host.contents(["/home/ada/liba.so"]),
    ] == [
        not_recorded("list {other}"),
        not_recorded("list {other}/.venv"),
        not_recorded("stat {other}"),
        not_recorded("read {other}/HEAD"),
        not_recorded("read /proc/driver/nvidia/version"),
        not_recorded("capacity of {other}/work"),
        not_recorded("binary {other}/liba.so"),
        not_recorded("content {other}/liba.so"),
    ]
    assert host.run(["/home/ada/bin/git", "-C", "/home/ada", "--work-tree=/home/ada/x"]) == (
        not_recorded("command {other}/git -C {other} --work-tree={other}/x")
    )
