"""What a hostile RECORD, or a hostile environment, gets of the hashing: nothing but an answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from envsnap.host import (
    LocalHost,
    ToVerify,
    TreeHost,
    Verified,
)
from envsnap.inside import hashed
from envsnap.inside.content import RECORD_LIMIT
from envsnap.sections import Reason, Unknown
from tests.host.installed import NOTHING, SITE, Installed, changes, one
from tests.inside.rows import by_the_definition

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    return Installed(tmp_path / "env")


def test_rows_that_leave_the_prefix_are_not_opened_and_the_package_stays(
    installed: Installed, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # whoever opened it would wait or fail
    rows = ("../../../../pipe", str(pipe), "/etc/passwd", "pkg/../../../../../pipe")
    for name in rows:
        installed.names(name)
    installed.has("pkg/a.py")
    found = one(installed)
    assert (changes(found), found.files) == ({"unchecked": tuple(sorted(rows))}, 1)
    assert found.content == by_the_definition({"pkg/a.py": b"x"})


def test_without_a_prefix_no_row_may_leave_the_folder(installed: Installed) -> None:
    installed.has("../../../bin/tool")
    installed.has("pkg.py")
    (found,) = LocalHost().verified([installed.asked()._replace(prefix="")], lambda _: None)()
    assert isinstance(found, Verified)
    assert (changes(found), found.files) == ({"unchecked": ("../../../bin/tool",)}, 1)


def test_links_that_lead_out_are_not_followed_and_others_are(
    installed: Installed, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.py").write_bytes(b"x")
    installed.has("pkg/real.py")
    for name, target in (("out.py", outside / "a.py"), ("in.py", "real.py"), ("no.py", "nowhere")):
        installed.names(f"pkg/{name}").symlink_to(target)
    (installed.site / "linked").symlink_to(outside)
    installed.names("linked/a.py")
    found = one(installed)
    assert (changes(found), found.files) == (
        {"missing": ("pkg/no.py",), "unchecked": ("linked/a.py", "pkg/out.py")},
        2,
    )


def test_pipes_and_folders_in_the_place_of_files_are_edits_and_not_opened(
    installed: Installed,
) -> None:
    installed.has("pkg/a.py")
    os.mkfifo(installed.names("pkg/pipe"))
    installed.names("pkg/folder").mkdir()
    found = one(installed)
    assert (changes(found), found.files) == ({"edited": ("pkg/folder", "pkg/pipe")}, 1)


def test_names_that_are_no_utf8_keep_their_bytes(installed: Installed) -> None:
    installed.has("pkg/\udcff\udcfe.py", b"now", stated=b"then")
    installed.has("pkg/with, comma.py")
    installed.record = installed.record.replace("pkg/with, comma.py", '"pkg/with, comma.py"')
    found = one(installed)
    assert (changes(found), found.files) == ({"edited": ("pkg/\udcff\udcfe.py",)}, 1)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (b"a\0b,,\n", "unparsable: RECORD holds a NUL byte"),
        (b'"a', "unparsable: RECORD is no table of comma-separated values: unexpected end of data"),
    ],
)
def test_a_record_that_is_none_costs_its_own_package_alone(
    tmp_path: Path, record: bytes, why: str
) -> None:
    bad, good = Installed(tmp_path / "env", "bad"), Installed(tmp_path / "env", "good")
    good.has("good.py")
    asked = [bad.asked(), good.asked()]
    (bad.dist_info / "RECORD").write_bytes(record)
    lost, found = LocalHost().verified(asked, lambda _: None)()
    assert str(lost) == why
    assert isinstance(found, Verified)
    assert found.files == 1


def test_a_record_of_100_mb_is_refused(installed: Installed) -> None:
    asked = installed.asked()
    with open(asked.record, "wb") as file:
        file.truncate(100_000_000)
    (found,) = LocalHost().verified([asked], lambda _: None)()
    assert found == Unknown(Reason.NOT_SUPPORTED, f"RECORD is larger than {RECORD_LIMIT} bytes")


def test_memory_does_not_grow_with_the_size_of_a_file(installed: Installed) -> None:
    with open(installed.has("pkg/sparse.bin", b""), "r+b") as file:
        file.truncate(1 << 30)
    program = (
        "import resource, sys; from envsnap.host import LocalHost, ToVerify\n"
        "found = LocalHost().verified([ToVerify(*sys.argv[1:])], lambda _: None)()[0]\n"
        "print(found.edited, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, *installed.asked()],
        capture_output=True,
        text=True,
        check=True,
    )
    edited, peak = ran.stdout.rsplit(" ", 1)
    assert edited == "('pkg/sparse.bin',)"
    assert int(peak) < 64 * 1024, "KiB"


def test_a_file_that_is_replaced_meanwhile_costs_nothing_but_its_own_answer(
    installed: Installed,
) -> None:
    for number in range(300):
        installed.has(f"pkg/{number}.bin", bytes(2_000_000 if number == 7 else 10))
    victim, done = installed.site / "pkg/7.bin", threading.Event()

    def replace() -> None:
        while not done.is_set():
            other = victim.with_suffix(".new")
            other.write_bytes(b"other" * 100_000)
            other.replace(victim)

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        found = one(installed)
    finally:
        done.set()
        thread.join()
    assert found.files in {299, 300}
    assert {*found.edited, *found.missing} <= {"pkg/7.bin"}
    assert set(found.extra) <= {"pkg/7.new"}


def test_a_file_that_may_not_be_read_is_said_to_be_unchecked() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        package = Installed(Path(folder, "env"))
        package.has("pkg/a.py")
        package.has("pkg/secret.py").chmod(0)
        package.has("shut/b.py").parent.chmod(0)
        asked = package.asked()
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)  # root reads everything
        try:
            answer = json.loads(alone(asked))["answers"][0]
        finally:
            if root:
                os.seteuid(0)
            (package.site / "shut").chmod(0o755)
    assert (answer["files"], answer["unchecked"], answer["missing"]) == (
        1,
        ["pkg/secret.py", "shut/b.py"],
        [],
    )


def alone(asked: ToVerify) -> str:
    """The answer of the program that hashes, without a second process."""
    work = hashed.work_of([(os.fsencode(asked.record), os.fsencode(asked.prefix))])
    hasher = hashed.Hasher(work, lambda _: None)
    for do, items in hasher.parts():
        for item in items:
            do(item)
    answers = hashed.Answers(work)
    answers.add(hasher.found, hasher.digests, hasher.outsides)
    return answers.text()


def test_long_lists_are_cut_and_counted(installed: Installed) -> None:
    for number in range(1500):
        installed.names(f"pkg/{number:04}.py")
    found = one(installed)
    assert (len(found.missing), found.missing[0]) == (1000, "pkg/0000.py")
    assert found.more == {**NOTHING, "missing": 500}


def test_a_record_that_is_a_link_out_of_a_tree_is_not_read(tmp_path: Path) -> None:
    package = Installed(tmp_path / "root/env")
    (package.dist_info / "RECORD").symlink_to("/etc/passwd")
    (found,) = TreeHost(str(tmp_path / "root")).verified(
        [ToVerify(f"/env/{SITE}/pkg-1.0.dist-info/RECORD", "/env")], lambda _: None
    )()
    assert found == Unknown(Reason.NOT_SUPPORTED, "There is no RECORD")
