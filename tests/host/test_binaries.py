"""What libraries say of themselves is the same through every kind of host."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from typing import TYPE_CHECKING

import pytest

import envsnap
from envsnap.errors import ManifestError
from envsnap.host import (
    Binary,
    Host,
    ImageHost,
    LocalHost,
    RecordedHost,
    RecordingHost,
    TreeHost,
    _image,
)
from envsnap.sections import Fact, Reason, Unknown
from tests.elves import elf, library, note
from tests.host.test_image import VERSIONS, interpreter, local, lying

if TYPE_CHECKING:
    from pathlib import Path

NOTE = note("NVIDIA Corporation", b'{"CUDA Version":"12.9","Driver":[535]}')
DATA = elf(
    soname="liba.so.1", needed=["libc.so.6", "libm.so.6"], runpath="$ORIGIN:/opt",
    versions={"libm.so.6": ["GLIBC_2.29"], "libc.so.6": ["GLIBC_2.34", "GLIBC_2.17"]},
    sections={".note.cuda.fwd_compatibility": (7, NOTE)},
)  # fmt: skip
SAID = library(
    soname="liba.so.1", needed=("libc.so.6", "libm.so.6"), runpath=("$ORIGIN", "/opt"),
    versions=(("libc.so.6", ("GLIBC_2.17", "GLIBC_2.34")), ("libm.so.6", ("GLIBC_2.29",))),
    compat=("12.9", (535,)),
)  # fmt: skip
BROKEN = Unknown(
    Reason.UNPARSABLE, "a broken ELF file: it ends before what its headers promise, at 560"
)
NAMES = ("/liba.so.1", "/away", "/no", "/text", "/broken.so", "/pipe", "", "/nul\0", "/é.so")


@pytest.fixture
def folder(tmp_path: Path) -> str:
    place = tmp_path / "seen"
    place.mkdir()
    (place / "liba.so.1").write_bytes(DATA)
    (place / "é.so").write_bytes(elf(defines=["PyInit_e"]))
    (place / "text").write_text("GROUP ( libc.so.6 )\n")
    (place / "broken.so").write_bytes(DATA[:400])
    (place / "away").symlink_to("liba.so.1")
    os.mkfifo(place / "pipe")
    return str(place)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def seen(host: Host, folder: str) -> tuple[list[object], list[object]]:
    paths = [folder + name for name in NAMES]
    return list(host.binaries(paths)), list(host.contents(paths))


RIGHT = (
    [SAID, SAID, None, None, BROKEN, None, None, None, library(imports=True)],
    [
        sha256(DATA), sha256(DATA), None, sha256(b"GROUP ( libc.so.6 )\n"), sha256(DATA[:400]),
        None, None, None, sha256(elf(defines=["PyInit_e"])),
    ],
)  # fmt: skip


def test_this_machine_answers_in_the_order_of_the_paths(folder: str) -> None:
    assert seen(LocalHost(), folder) == RIGHT
    assert (LocalHost().binaries([]), LocalHost().contents([])) == ([], [])


def test_a_tree_answers_from_below_its_root_alone(folder: str, tmp_path: Path) -> None:
    (tmp_path / "seen" / "out").symlink_to(f"{folder}/liba.so.1")
    (tmp_path / "seen" / "up").symlink_to("../../seen/liba.so.1")
    host = TreeHost(folder)
    assert seen(host, "") == RIGHT
    assert host.binaries(["/out", "/up", "/../../seen/liba.so.1"]) == [None, None, None]
    assert TreeHost(str(tmp_path)).binaries(["/seen/liba.so.1"]) == [SAID]
    assert host.binaries(["/proc/self/exe"]) == [Unknown(Reason.NO_RUNNING_MACHINE)]


@pytest.mark.parametrize("version", VERSIONS)
def test_an_image_answers_what_this_machine_does(version: str, folder: str, tmp_path: Path) -> None:
    with local(interpreter(version), tmp_path) as host:
        assert seen(host, folder) == RIGHT
        many = [f"{folder}/liba.so.1"] * 150
        assert host.binaries(many) == [SAID] * 150
        assert host.contents([]) == []


@pytest.mark.parametrize(
    "answer",
    [
        '{"value": 5}', '{"value": {"machine": 1}}', '{"value": null}', '{"unknown": "so"}',
    ],
)  # fmt: skip
def test_an_image_that_answers_nonsense_is_not_believed(answer: str) -> None:
    with ImageHost(lying(answer), "liar") as host:
        assert (
            host.binaries(["/a", "/b"])
            == [Unknown(Reason.UNPARSABLE, "the image's answer to 'files' is none")] * 2
        )


def test_libraries_that_never_come_to_an_end_are_not_waited_for_forever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_image, "ALL_FILES_S", 0.5)
    slow = lying(json.dumps({"value": []}))
    slow[2] = slow[2].replace("    print", "    import time; time.sleep(0.3); print")
    with ImageHost(slow, "slow") as host:
        began = time.monotonic()
        found = host.contents(["/a"] * 1000)
        took = time.monotonic() - began
    late = Unknown(Reason.TIMED_OUT, "the image's libraries took more than 900 s")
    assert (took < 10, found[-1], found.count(late)) == (True, late, 1000 - 32)


def test_an_image_has_no_more_time_for_many_libraries_than_for_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_image, "ANSWER_S", 0.1)
    monkeypatch.setattr(_image, "FILES_S", 0.2)
    silent = lying("")
    silent[2] = silent[2].replace("    print('', flush=True)", "    pass")
    with ImageHost(silent, "silent") as host:
        began = time.monotonic()
        found = host.contents(["/a"] * 100)
        took = time.monotonic() - began
    late = Unknown(Reason.TIMED_OUT, "the process inside the image did not answer")
    assert (took < 10, found) == (True, [late] * 100)


@pytest.mark.parametrize(
    "row",
    [
        5, None, {}, {"value": []}, {"value": {"machine": 5}},
        *(
            {"value": {**SAID._asdict(), **changed}}
            for changed in (
                {"sass": ["sm_80\n"]}, {"sass": ["/home/ada"]}, {"ptx": ["sm_80"]},
                {"amd": ["gfx<script>"]}, {"texts": ["OpenBLAS \x1b[2J"]},
                {"compat": ["13.1 \x1b[2J", []]}, {"compat": ["13.1", "5"]},
            )
        ),
    ],
)  # fmt: skip
def test_one_row_of_nonsense_costs_one_file(row: object) -> None:
    good = {"value": {**SAID._asdict(), "imports": 1}}
    with ImageHost(lying(json.dumps({"value": [row, good]})), "liar") as host:
        found = host.binaries(["/a", "/b", "/c"])
    nonsense = Unknown(Reason.UNPARSABLE, "what was said of a library is no answer")
    assert found == [nonsense, SAID, nonsense]


def test_a_recording_answers_what_was_asked(folder: str, tmp_path: Path) -> None:
    recording = RecordingHost(LocalHost())
    assert seen(recording, folder) == RIGHT
    os.unlink(f"{folder}/liba.so.1")
    assert seen(recording, folder) == RIGHT  # whoever asks again is told the same again
    for name in ("kept", "kept.tar"):
        recording.save(str(tmp_path / name))
        assert seen(RecordedHost.from_path(str(tmp_path / name)), folder) == RIGHT
    kept = json.loads((tmp_path / "kept" / "host.json").read_text(encoding="utf-8"))
    assert kept["binaries"][f"{folder}/é.so"] == {"bits": 64, "imports": True, "machine": "x86_64"}


def test_a_machine_made_by_hand_needs_no_bytes_of_a_library() -> None:
    host = RecordedHost.made(
        files={"/lib/text.so": "GROUP ( libc.so.6 )", "/lib/b.so": DATA},
        binaries={"/lib/liba.so.1": SAID, "/lib/shut.so": Unknown(Reason.NO_PERMISSION)},
        contents={"/lib/liba.so.1": "ab" * 32},
        links={"/lib/liba.so": "liba.so.1", "/lib64": "lib"},
        absent_below=["/lib"],
    )
    asked = ["/lib/liba.so.1", "/lib64/liba.so", "/lib/text.so", "/lib/b.so", "/lib/no", "/opt/x"]
    assert host.binaries([*asked, "/lib/shut.so"]) == [
        SAID, SAID, None, Unknown(Reason.NOT_RECORDED, "binary /lib/b.so"), None,
        Unknown(Reason.NOT_RECORDED, "binary {other}/x"), Unknown(Reason.NO_PERMISSION),
    ]  # fmt: skip
    assert host.contents(asked) == [
        "ab" * 32, "ab" * 32, sha256(b"GROUP ( libc.so.6 )"), sha256(DATA), None,
        Unknown(Reason.NOT_RECORDED, "content {other}/x"),
    ]  # fmt: skip
    assert host.list("/lib") == ("b.so", "liba.so", "liba.so.1", "shut.so", "text.so")
    assert host.real("/lib64/liba.so") == "/lib/liba.so.1"


def recorded(tmp_path: Path, said: object) -> RecordedHost:
    host = {"format": "envsnap-recording-1", "binaries": {"/a": said}}
    (tmp_path / "host.json").write_text(json.dumps(host))
    (tmp_path / "files.json").write_text("[]")
    return RecordedHost.from_path(str(tmp_path))


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (None, None),
        ({}, library()),
        ({"unknown": "no-permission"}, Unknown(Reason.NO_PERMISSION)),
        ({"machine": "aarch64", "sass": ["sm_90a"]}, library(machine="aarch64", sass=("sm_90a",))),
        ({"compat": ["12.9", [535]]}, library(compat=("12.9", (535,)))),
        (
            {"versions": [["libc.so.6", ["GLIBC_2.34"]]]},
            library(versions=(("libc.so.6", ("GLIBC_2.34",)),)),
        ),
    ],
)
def test_a_library_is_written_by_hand_with_what_matters(
    said: object, found: Fact[Binary | None], tmp_path: Path
) -> None:
    assert recorded(tmp_path, said).binaries(["/a"]) == [found]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (5, "binaries./a: Expected an object, not 5,"),
        ({"name": "a"}, "binaries./a: Unknown field 'name'"),
        ({"needed": ["a", 5]}, "binaries./a.needed[1]: Expected text, not 5,"),
        ({"versions": [["a"]]}, 'binaries./a.versions[0]: Expected a list of two, not ["a"],'),
        ({"compat": "12.9"}, 'binaries./a.compat: Expected a list, not "12.9",'),
        (
            {"compat": ["13.1 \x1b[2J", []]},
            (
                "binaries./a.compat: Expected text like [0-9]{1,4}\\.[0-9]{1,4}, "
                'not "13.1 \\u001b[2J",'
            ),
        ),
        (
            {"sass": ["sm_80", "sm_8"], "ptx": ["{home}"]},
            'binaries./a.ptx[0]: Expected text like compute_[0-9]{1,4}[af]?, not "{home}",',
        ),
        ({"imports": 1}, "binaries./a.imports: Expected true or false, not 1,"),
    ],
)
def test_a_fault_in_a_hand_written_library_is_told_with_its_place(
    said: object, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ManifestError) as raised:
        recorded(tmp_path, said)
    where, _, what = message.partition(": ")
    assert str(raised.value) == f"{what} in '{tmp_path}: host.json: {where}'"


def test_giving_up_ends_what_reads(folder: str) -> None:
    with open(f"{folder}/endless", "wb") as file:
        file.truncate(1 << 43)
    host = LocalHost()
    found: list[object] = []
    asking = threading.Thread(target=lambda: found.extend(host.contents([f"{folder}/endless"])))
    asking.start()
    time.sleep(0.3)
    host.stop()
    asking.join(10)
    lost = Unknown(Reason.CRASHED, "the process that reads libraries gave no answer")
    assert (asking.is_alive(), found) == (False, [lost])
    stopped = host.binaries([f"{folder}/text", ""])
    assert stopped == [
        Unknown(Reason.CRASHED, "it could not be started: [Errno 125] Operation canceled"),
        None,
    ]


def test_a_zip_reads_libraries_as_a_folder_does(folder: str, tmp_path: Path) -> None:
    package = os.path.dirname(envsnap.__file__)
    with zipfile.ZipFile(tmp_path / "envsnap.pyz", "w") as archive:
        for above, _, names in os.walk(package):
            for name in [each for each in names if each.endswith((".py", ".json"))]:
                path = os.path.join(above, name)
                archive.write(path, os.path.relpath(path, os.path.dirname(package)))
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from envsnap.host import LocalHost, _binaries;"
        "print(_binaries.__file__, LocalHost().binaries(sys.argv[2:])[0].soname)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, f"{tmp_path}/envsnap.pyz", f"{folder}/liba.so.1"],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert ran.stdout == f"{tmp_path}/envsnap.pyz/envsnap/host/_binaries.py liba.so.1\n"


def test_a_program_that_does_not_start_says_so(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/python")
    why = "it could not be started: [Errno 2] No such file or directory: '/no/python'"
    assert LocalHost().binaries([f"{folder}/text"]) == [Unknown(Reason.CRASHED, why)]
