from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from envsnap import inside
from envsnap.inside.outside import of_file
from envsnap.inside.wheel import from_wheel
from tests.inside.rows import by_the_definition, refused, row, told


def ask(*paths: bytes, python: str = sys.executable) -> list[Any]:
    command = [python, *inside.command("content", "outside")[1:]]
    ran = subprocess.run(command, input=b"\0".join(paths), capture_output=True, check=True)
    assert ran.stderr == b""
    return [json.loads(line) for line in ran.stdout.decode("ascii").splitlines()]


def test_the_second_process_answers_in_order(tmp_path: Path) -> None:
    site, binary = tmp_path / "lib/python3.11/site-packages", b"\x7fELF"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "c").write_bytes(binary)
    programs = row("../../../bin/b", b"b") + row("../../../bin/c", binary)
    for name, text in (("a-1", row("a.py")), ("b-1", row("b.py") + programs)):
        folder = site / f"{name}.dist-info"
        folder.mkdir(parents=True)
        (folder / "RECORD").write_text(text)
        (folder / "entry_points.txt").write_text("[console_scripts]\nb = b:main\n")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    asked = [site / f"{name}.dist-info/RECORD" for name in ("b-1", "c-1", "a-1")]
    nothing = {"other": None, "outside": 0, "other_refusal": None}
    absent = {"code": "absent", "detail": "There is no RECORD"}
    no_file = {"code": "unparsable", "detail": "RECORD cannot be read: it is no regular file"}
    lost = {"content": None, "files": 0, "other": None, "outside": 0}
    assert ask(*[os.fsencode(path) for path in (*asked, pipe)]) == [
        {"content": by_the_definition({"b.py": b""}), "files": 1, "refusal": None,
         "other": by_the_definition({"bin/c": binary}), "outside": 1, "other_refusal": None},
        {"refusal": absent, "other_refusal": absent, **lost},
        {"content": by_the_definition({"a.py": b""}), "files": 1, "refusal": None, **nothing},
        {"refusal": no_file, "other_refusal": no_file, **lost},
    ]  # fmt: skip


def test_nothing_asked_is_nothing_answered() -> None:
    assert ask() == []


def test_refusals_survive_the_way_through_json(tmp_path: Path) -> None:
    folder = tmp_path / "a-1.dist-info"
    folder.mkdir()
    (folder / "RECORD").write_bytes(b'"a""\\\xff\xc3\xa9\x01.py",,\n')
    (answer,) = ask(os.fsencode(folder / "RECORD"))
    refusal = of_file(os.fsencode(folder / "RECORD")).refusal
    assert refusal is not None
    assert answer["refusal"] == {"code": refusal.code, "detail": refusal.detail}


def test_a_record_that_may_not_be_read_says_so() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        record = Path(folder, "RECORD")
        record.write_text(row("a.py"))
        record.chmod(0)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)  # root reads everything
        try:
            answer = of_file(os.fsencode(record))
        finally:
            if root:
                os.seteuid(0)
    assert told(answer) == refused("no-permission", "RECORD may not be read")


def make_wheel(path: Path, files: dict[str, bytes]) -> str:
    with zipfile.ZipFile(path, "w") as wheel:
        for name, data in files.items():
            wheel.writestr(name, data)
        wheel.writestr("pkg-1.0.dist-info/RECORD", "")
    return str(path)


def test_a_wheel_has_the_digests_of_its_installation(tmp_path: Path) -> None:
    wheel = make_wheel(
        tmp_path / "pkg-1.0-py3-none-any.whl",
        {
            "pkg/": b"",
            "pkg/a.py": b"a",
            "pkg-1.0.data/purelib/pkg/pure.py": b"p",
            "pkg-1.0.data/platlib/pkg/plat.so": b"s",
            "pkg-1.0.data/scripts/tool": b"\x7fELF",
            "pkg-1.0.data/data/share/x": b"x",
            "pkg-1.0.data/headers/x.h": b"h",
            "pkg-1.0.dist-info/METADATA": b"m",
        },
    )
    inside = {"pkg/a.py": b"a", "pkg/pure.py": b"p", "pkg/plat.so": b"s"}
    outside = {"bin/tool": b"\x7fELF", "share/x": b"x", "headers/x.h": b"h"}
    assert told(from_wheel(wheel)) == {
        "content": by_the_definition({**inside, "pkg-1.0.dist-info/METADATA": b"m"}),
        "files": 4,
        "refusal": None,
        "other": by_the_definition(outside),
        "outside": 3,
        "other_refusal": None,
    }


def test_a_script_that_installers_rewrite_is_told_without_its_first_line(tmp_path: Path) -> None:
    files = {
        "a.py": b"",
        "pkg-1.0.data/scripts/t": b"#!python -E\nbody\n",
        "pkg-1.0.data/scripts/tool": b"an entry point's",
        "pkg-1.0.dist-info/entry_points.txt": b"[console_scripts]\ntool = a:main\n",
    }
    answer = told(from_wheel(make_wheel(tmp_path / "w.whl", files)))
    expected = by_the_definition({"bin/t": b"#!python\nbody\n"})
    assert (answer["other"], answer["outside"], answer["other_refusal"]) == (expected, 1, None)


def test_a_member_that_leaves_its_folder_is_no_other_file(tmp_path: Path) -> None:
    files = {"a.py": b"", "../../../bin/t": b"#!python\n", "pkg-1.0.data/data/../../../../x": b""}
    answer = told(from_wheel(make_wheel(tmp_path / "w.whl", files)))
    assert answer["other"] == by_the_definition({"bin/t": b"#!python\n", "x": b""})
