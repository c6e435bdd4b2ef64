from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path

import pytest

from envsnap.inside import binary, source
from envsnap.inside.binary import answer, answers, digest, facts
from tests.elves import elf, note

SEEN = {
    "machine": "x86_64", "bits": 64, "soname": "liba.so.1", "needed": ["libc.so.6"], "rpath": [],
    "runpath": ["$ORIGIN"], "interpreter": None, "versions": [("libc.so.6", ["GLIBC_2.17"])],
    "imports": False, "sass": [], "ptx": [], "amd": [], "compat": None, "texts": [],
}  # fmt: skip
A = elf(
    soname="liba.so.1", needed=["libc.so.6"], runpath="$ORIGIN",
    versions={"libc.so.6": ["GLIBC_2.17"]},
)  # fmt: skip
NOTE = ".note.cuda.fwd_compatibility"


def put(folder: Path, name: str, data: bytes) -> bytes:
    (folder / name).write_bytes(data)
    return os.fsencode(folder / name)


def test_everything_that_a_library_says_is_told(tmp_path: Path) -> None:
    assert facts(put(tmp_path, "liba.so.1", A)) == SEEN


@pytest.mark.parametrize(
    ("name", "symbol", "imports"),
    [
        ("a.abi3.so", "PyInit_a", True),
        ("a.so", "PyInitU_hxaf", True),
        ("a.so", "PyModExport_a", True),
        ("_a.so", "init_a", True),
        ("_a.so", "initother", False),
        ("liba.so", "a_init", False),
    ],
)
def test_what_python_can_import_defines_its_function(
    name: str, symbol: str, *, imports: bool, tmp_path: Path
) -> None:
    found = facts(put(tmp_path, name, elf(defines=[symbol])))
    assert found is not None
    assert found["imports"] is imports
    asking = facts(put(tmp_path, name, elf(asks=[symbol])))
    assert asking is not None
    assert asking["imports"] is False


def compat(tmp_path: Path, said: bytes) -> object:
    """What is read of such a note, in a file with section headers and in one without."""
    raw = note("NVIDIA Corporation", said)
    told = []
    for data in (
        elf(sections={NOTE: (7, raw)}),
        elf(notes=note("GNU", b"id") + raw + note("Z", b"}")),
    ):
        found = facts(put(tmp_path, "libcuda.so.575.57.08", data))
        assert found is not None
        told.append(found["compat"])
    assert told[0] == told[1]
    return told[0]


def test_a_forward_compatible_libcuda_states_version_and_branches(tmp_path: Path) -> None:
    said = b'{"format":1,"CUDA version":"12.9","driver":[535,550],"device":[1,2]}'
    assert compat(tmp_path, said) == ["12.9", [535, 550]]
    assert compat(tmp_path, b'{"Format": 1, "CUDA Version": "13.2"}') == ["13.2", []]


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"{",
        b"{}",
        b"[1]",
        b'{"CUDA Version": 12}',
        b'{"CUDA Version": "12.9", "Driver": 5}',
        b'{"CUDA Version": "1"}',
        b'{"CUDA Version": "13.1 \\u001b[2J"}',
        b'{"a":' * 9000,
        b'{"CUDA Version": "\xc2\xb2.9"}',
        b'{"CUDA Version": "12.9\\n"}',
    ],
)
def test_a_note_that_is_no_answer_is_none(said: bytes, tmp_path: Path) -> None:
    assert compat(tmp_path, said) is None


def test_what_is_no_regular_elf_file_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "shut").write_bytes(A)
    (tmp_path / "shut").chmod(0)
    paths = [
        put(tmp_path, "empty", b""), put(tmp_path, "text", b"GROUP ( libc.so.6 )"),
        os.fsencode(tmp_path), os.fsencode(tmp_path / "pipe"), os.fsencode(tmp_path / "no"),
        b"/dev/null", b"/nul\0", b"/" + b"long" * 5000,
    ]  # fmt: skip
    assert [answer("binaries", path) for path in paths] == [{"value": None}] * len(paths)
    assert answer("contents", os.fsencode(tmp_path / "pipe")) == {"value": None}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_unknown(tmp_path: Path) -> None:
    path = put(tmp_path, "shut", A)
    (tmp_path / "shut").chmod(0)
    for asked in ("binaries", "contents"):
        assert answer(asked, path) == {"unknown": "no-permission", "detail": None}


def test_a_broken_elf_file_is_unknown(tmp_path: Path) -> None:
    assert answer("binaries", put(tmp_path, "a.so", A[:400])) == {
        "unknown": "unparsable",
        "detail": "a broken ELF file: it ends before what its headers promise, at 464",
    }


def test_a_file_that_the_linker_refuses_is_none(tmp_path: Path) -> None:
    assert answer("binaries", put(tmp_path, "a.so", A[:80])) == {"value": None}


def test_a_file_beyond_our_bounds_is_not_told_as_broken(tmp_path: Path) -> None:
    data = elf(versions={"libc.so.6": ["GLIBC_2.17"] * 5000})
    assert answer("binaries", put(tmp_path, "a.so", data)) == {
        "unknown": "not-supported",
        "detail": ("an ELF file beyond our bounds: it asks for more than 4096 symbol versions"),
    }


def test_notes_of_a_huge_file_cost_no_memory(tmp_path: Path) -> None:
    data = bytearray(elf(sections={f"{NOTE}{number}": (7, b"text") for number in range(20)}))
    table = int.from_bytes(data[40:48], "little")
    for row in range(1, 21):
        data[table + 64 * row + 32 : table + 64 * row + 40] = (1 << 28).to_bytes(8, "little")
    path = put(tmp_path, "libcuda.so.1", bytes(data))
    os.truncate(path, 1 << 28)
    tracemalloc.start()
    found = facts(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found is not None
    assert (found["compat"], most < 4 << 20) == (None, True)


def test_a_section_beyond_all_files_costs_nothing(tmp_path: Path) -> None:
    data = bytearray(elf(soname="liba.so", sections={".nv_fatbin": (1, b"code"), NOTE: (7, b"")}))
    table = int.from_bytes(data[40:48], "little")
    for start in ((1 << 64) - 1, 1 << 63, len(data) + 1):
        for row in (1, 2):
            at = table + 64 * row
            data[at + 8 : at + 16] = (2).to_bytes(8, "little")  # it is mapped
            data[at + 24 : at + 40] = start.to_bytes(8, "little") + ((1 << 64) - 1).to_bytes(
                8, "little"
            )
        found = facts(put(tmp_path, "liba.so", bytes(data)))
        assert found is not None
        assert (found["soname"], found["sass"], found["compat"]) == ("liba.so", [], None)


def test_a_file_that_says_too_much_is_unknown(tmp_path: Path) -> None:
    data = elf(needed=[f"{'x' * 1000}{number}" for number in range(1100)])
    assert answer("binaries", put(tmp_path, "a.so", data)) == {
        "unknown": "not-supported",
        "detail": "its headers say too much",
    }


def test_the_digest_is_of_the_whole_file(tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    assert digest(put(tmp_path, "a", data)) == hashlib.sha256(data).hexdigest()


def test_two_processes_answer_for_every_path(tmp_path: Path) -> None:
    paths = [put(tmp_path, f"{number}.so", elf(soname=f"{number}")) for number in range(40)]
    paths[7:7] = [b"/no/such"]
    found = dict(answers("binaries", paths))
    values = [found[index]["value"] for index in range(len(paths))]
    assert values[7] is None
    names = [each["soname"] for each in values if isinstance(each, dict)]
    assert names == [str(number) for number in range(40)]
    assert list(answers("binaries", [])) == []


def test_a_file_that_is_cut_short_while_it_is_read_costs_no_other(tmp_path: Path) -> None:
    """The one in question is cut again and again; the system ends whoever looks at it then."""
    cut = tmp_path / "cut.so"
    paths = [put(tmp_path, f"{number}.so", A) for number in range(3)]
    stop = threading.Event()
    whole = A + b"\0" * (4 << 20)

    def cutting() -> None:
        while not stop.is_set():
            cut.write_bytes(whole)
            time.sleep(0.002)
            os.truncate(cut, 4096)

    cutting_thread = threading.Thread(target=cutting)
    cutting_thread.start()
    try:
        ran = [run("binaries", [*paths, os.fsencode(cut)]) for _ in range(5)]
    finally:
        stop.set()
        cutting_thread.join()
    for found in ran:
        assert [found[index] for index in range(3)] == [{"value": json.loads(json.dumps(SEEN))}] * 3
        assert set(found[3]) in ({"value"}, {"unknown", "detail"})


def workers(program: subprocess.Popen[bytes], count: int) -> list[int]:
    """The processes that the program has made, once they are so many."""
    listed = Path(f"/proc/{program.pid}/task/{program.pid}/children")
    if not listed.exists():
        pytest.skip("this kernel does not list a process's children")
    while len(found := [int(each) for each in listed.read_text().split()]) != count:
        time.sleep(0.01)
    return found


def endless(tmp_path: Path) -> list[bytes]:
    """Two files that take hours to hash, and one that does not."""
    for name in ("a", "b"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(1 << 43)
    return [os.fsencode(tmp_path / "a"), os.fsencode(tmp_path / "b"), put(tmp_path, "c", b"")]


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (signal.SIGBUS, "it was cut short while it was read"),
        (signal.SIGKILL, "the process that read it ended"),
    ],
)
def test_a_process_that_is_ended_costs_the_file_that_it_was_at(
    number: int, why: str, tmp_path: Path
) -> None:
    with started("contents", endless(tmp_path)) as program:
        for worker in workers(program, 2):
            os.kill(worker, number)
        assert program.stdout is not None
        found = as_said(program.stdout.read())
    lost = {"unknown": "crashed", "detail": why}
    assert found == {0: lost, 1: lost, 2: {"value": hashlib.sha256(b"").hexdigest()}}


def test_a_disk_that_gives_nothing_is_not_waited_for(tmp_path: Path) -> None:
    with started("contents", endless(tmp_path), silence_s=0.2) as program:
        assert program.stdout is not None
        found = as_said(program.stdout.read())
    late = {"unknown": "timed-out", "detail": "the disk gave nothing for 120 s"}
    assert found == dict.fromkeys(range(3), late)


def test_whoever_asks_no_more_ends_both_processes(tmp_path: Path) -> None:
    with started("contents", endless(tmp_path)) as program:
        own = workers(program, 2)
        os.killpg(program.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(map(runs, own)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [each for each in own if runs(each)] == []


def runs(number: int) -> bool:
    """Whether a process is there, and is no mere entry that nobody has waited for."""
    try:
        state = (
            Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        )
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}


def started(asked: str, paths: list[bytes], silence_s: float = 60.0) -> subprocess.Popen[bytes]:
    """The program as it is started, under this Python; all its paths asked."""
    folder = os.path.dirname(binary.__file__)
    text = f"import sys; sys.path.insert(0, {folder!r}); import binary; "
    text += f"binary.SILENCE_S = {silence_s}; binary.main()"
    program = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", text, asked],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert program.stdin is not None
    program.stdin.write(b"\0".join(paths))
    program.stdin.close()
    return program


def as_said(output: bytes) -> dict[int, dict[str, object]]:
    lines = [line.split(b" ", 1) for line in output.splitlines()]
    return {int(index): json.loads(said) for index, said in lines}


def run(asked: str, paths: list[bytes]) -> dict[int, dict[str, object]]:
    with started(asked, paths) as program:
        assert program.stdout is not None
        return as_said(program.stdout.read())


def test_every_module_fits_one_argument_of_a_command_together_with_the_others() -> None:
    from envsnap.host._binaries import MODULES

    assert sum(len(source(name).encode()) for name in MODULES) < 100 * 1024
