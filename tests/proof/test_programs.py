"""A program in an environment's `bin` starts what its package's entry point says, or is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envsnap._verify import Published
from envsnap.errors import ExitCode
from tests import made
from tests.inside.rows import row
from tests.proof import conda
from tests.proof.conda import CONDA
from tests.proof.images import (
    BASE,
    PYTHON,
    SITE,
    Layer,
    Link,
    artifact,
    digest,
    dist_info,
    image,
    labels,
    own_files,
    told,
    verified,
)

if TYPE_CHECKING:
    from pathlib import Path

    from envsnap.proof import Verified

BODY = b"import sys\nfrom tool import main\nif __name__ == '__main__':\n    sys.exit(main())\n"
LINE = b"#!/opt/env/bin/python\n"
GOOD = LINE + BODY
EVIL = b"import os\nos.system('steal')\n"
BIN = "/opt/env/bin"
NO_ENTRY = (
    "programs that a RECORD in the image alone states, "
    "and that no installer writes for an entry point of their package"
)


def look(folder: Path, programs: Layer, *more: Layer) -> Verified:
    """An image with a package `tool`, whose RECORD names these programs."""
    texts = {path: data for path, data in programs.items() if isinstance(data, bytes)}
    files = {
        "tool.py": b"def main(): ...\n",
        "tool-1.0.dist-info/entry_points.txt": b"[console_scripts]\ntool = tool:main\n",
    }
    rows = {f"../../../bin/{path.rpartition('/')[2]}": data for path, data in texts.items()}
    placed = dist_info("tool", "1.0", files)
    record = f"{SITE}/tool-1.0.dist-info/RECORD"
    placed[record] += "".join(row(path, data) for path, data in rows.items()).encode()
    wanted = made.manifest(
        (made.package("tool", "1.0", content=digest(placed)),), (artifact("tool", "1.0"),)
    )
    layers = (BASE, {**PYTHON, **placed, **programs}, own_files(wanted))
    reference = image(folder, *more, layers=layers, said=labels(wanted))
    return verified(reference, against=Published(wanted, "paper.json"))


def left(found: Verified) -> list[tuple[str, str, tuple[str, ...]]]:
    return [tuple(each) for each in found.not_proved]  # type: ignore[misc]


def test_a_program_that_an_installer_wrote_for_its_entry_point_is_proved(tmp_path: Path) -> None:
    found = look(tmp_path, {f"{BIN}/tool": GOOD})
    assert (found.exit_code, told(found), left(found)) == (ExitCode.OK, [], [])


@pytest.mark.parametrize("text", [LINE + EVIL, GOOD + EVIL, GOOD.replace(b"from tool", b"from os")])
def test_a_program_with_another_body_is_not_proved_though_its_record_agrees(
    tmp_path: Path, text: bytes
) -> None:
    found = look(tmp_path, {f"{BIN}/tool": text})
    assert (found.exit_code, told(found)) == (ExitCode.CANNOT_TELL, [])
    assert left(found) == [("program", NO_ENTRY, (f"{BIN}/tool",))]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"#!/opt/env/bin/python -cimport os;os.system('steal')\n" + BODY,
         '"#!/opt/env/bin/python -cimport os;os.system(\'steal\')"'),
        (b"#!/opt/env/bin/python3-evil\n" + BODY, "'#!/opt/env/bin/python3-evil'"),
        (b"#!/bin/sh\n'''exec' /opt/env/bin/python \"$0\" ; steal\n' '''\n" + BODY,
         "'#!/bin/sh\\n\\'\\'\\'exec\\' /opt/env/bin/python \"$0\" ; steal'"),
    ],
)  # fmt: skip
def test_a_program_whose_line_starts_more_than_python_is_told(
    tmp_path: Path, text: bytes, shown: str
) -> None:
    found = look(tmp_path, {f"{BIN}/tool": text})
    says = f"bin/tool starts with {shown}, not with the environment's own Python"
    assert (found.exit_code, told(found)) == (ExitCode.NO, [("script", says)])


def test_a_python_of_another_name_is_not_the_environments(tmp_path: Path) -> None:
    text = GOOD.replace(b"bin/python", b"bin/python3.99")
    layer: Layer = {f"{BIN}/tool": text, f"{BIN}/python3.11": Link("python")}
    found = look(tmp_path, layer, {f"{BIN}/python3.99": b"#!/bin/sh\nsteal\n"})
    says = "bin/tool starts with 'python3.99', not with the environment's own Python"
    stray = ("unowned", "bin/python3.99 belongs to no package")
    assert told(found) == [("script", says), stray]
    own = look(tmp_path, {**layer, f"{BIN}/tool": GOOD.replace(b"bin/python", b"bin/python3.11")})
    assert (own.exit_code, told(own)) == (ExitCode.OK, [])


def test_a_program_that_is_no_entry_point_is_not_proved_by_its_row_alone(tmp_path: Path) -> None:
    found = look(tmp_path, {f"{BIN}/tool": GOOD, f"{BIN}/git": GOOD, f"{BIN}/a.sh": b"#!/bin/sh\n"})
    assert (found.exit_code, told(found)) == (ExitCode.CANNOT_TELL, [])
    assert left(found) == [("program", NO_ENTRY, (f"{BIN}/a.sh", f"{BIN}/git"))]


def test_a_program_that_is_a_link_is_what_it_leads_to(tmp_path: Path) -> None:
    found = look(tmp_path, {f"{BIN}/tool": Link(f"{SITE}/tool.py")})
    assert told(found) == [("unowned", "bin/tool belongs to no package")]
    assert left(found) == [("program", NO_ENTRY, (f"{BIN}/tool",))]


def test_a_program_of_condas_that_starts_python_with_code_is_told(tmp_path: Path) -> None:
    known = conda.manifest()
    text = conda.PROGRAM.format(module="toy").encode()
    evil = text.replace(b"python3.11\n", b"python3.11 -cimport os;os.system('steal')\n")
    for each, code in ((text, ExitCode.OK), (evil, ExitCode.NO)):
        layers = conda.layers(known, {**CONDA, f"{BIN}/toy": each})
        reference = image(
            tmp_path, layers=layers, said=labels(known), environ=("PATH=/opt/env/bin:/usr/bin",)
        )
        found = verified(reference, against=Published(known, "paper.json"))
        assert found.exit_code == code
