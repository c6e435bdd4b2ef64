"""What a wheel put outside of site-packages is held against the manifest's digest of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envsnap._verify import Published
from envsnap.errors import ExitCode
from envsnap.images import _scan
from envsnap.sections import NO_OUTSIDE, Unknown, replace
from tests import made
from tests.inside.rows import by_the_definition, row
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
    from collections.abc import Mapping
    from pathlib import Path

    from envsnap.proof import Verified
    from envsnap.sections import Fact

ENV = "/opt/env"
BODY = b"import tool\n"
SCRIPT = b"#!/opt/env/bin/python\n" + BODY
ELF = b"\x7fELF tool"
FILES: Mapping[str, bytes] = {
    "bin/run.py": SCRIPT, "bin/tool": ELF, "share/tool/x.json": b"{}",
    "include/site/python3.11/tool/tool.h": b"#define X\n",
}  # fmt: skip
OUTSIDE = by_the_definition({
    "bin/run.py": b"#!python\n" + BODY, "bin/tool": ELF, "share/tool/x.json": b"{}",
    "headers/tool.h": b"#define X\n",
})  # fmt: skip
"""Of these files, as any installation of the wheel has it."""
EVIL = b"#!/opt/env/bin/python\nsteal()\n"
NO_ENTRY = (
    "programs that a RECORD in the image alone states, "
    "and that no installer writes for an entry point of their package"
)
OTHER = "tool 1.0 put other files outside of site-packages than it did: "


def parts(files: Mapping[str, bytes], name: str = "tool") -> dict[str, bytes]:
    """A package `tool` whose RECORD names these files of the environment."""
    placed = dist_info(name, "1.0", {f"{name}.py": b"def main(): ...\n"})
    rows = [row(f"../../../{path}", data) for path, data in files.items()]
    placed[f"{SITE}/{name}-1.0.dist-info/RECORD"] += "".join(rows).encode()
    return {**placed, **{f"{ENV}/{path}": data for path, data in files.items()}}


def look(
    folder: Path,
    files: Mapping[str, bytes] = FILES,
    *more: Layer,
    outside: Fact[str | None] = OUTSIDE,
    lock: Mapping[str, object] | None = None,
) -> Verified:
    """An image with a package that was captured with this digest of what it put elsewhere."""
    placed = parts(files)
    content = digest({path: data for path, data in placed.items() if path.startswith(SITE)})
    wanted = made.manifest(
        (made.package("tool", "1.0", content=content, outside=outside),),
        (replace(artifact("tool", "1.0"), **(lock or {})),),
    )
    layers = (BASE, {**PYTHON, **placed}, own_files(wanted))
    reference = image(folder, *more, layers=layers, said=labels(wanted))
    return verified(reference, against=Published(wanted, "paper.json"))


def left(found: Verified) -> list[tuple[str, tuple[str, ...]]]:
    return [(each.code, each.names) for each in found.not_proved]


def test_programs_data_and_headers_of_the_manifests_digest_are_proved(tmp_path: Path) -> None:
    found = look(tmp_path)
    assert (found.exit_code, told(found), found.not_proved) == (ExitCode.OK, [], ())
    assert (found.proof.proved, found.proof.outside) == (1, 0)


@pytest.mark.parametrize("path", sorted(FILES))
def test_a_file_that_was_changed_is_named_with_its_layer(tmp_path: Path, path: str) -> None:
    found = look(tmp_path, FILES, {f"{ENV}/{path}": EVIL})
    assert found.exit_code == ExitCode.NO
    assert [(each.kind, each.path, each.layer, each.over) for each in found.tampered] == [
        ("edited", f"{ENV}/{path}", 3, (1,))
    ]


@pytest.mark.parametrize("path", sorted(FILES))
def test_a_record_that_was_changed_with_its_file_is_no_proof(tmp_path: Path, path: str) -> None:
    found = look(tmp_path, {**FILES, path: EVIL})
    names = ", ".join(sorted(FILES)[:3]) + " and 1 more"
    assert (found.exit_code, told(found)) == (ExitCode.NO, [("outside", OTHER + names)])
    only = look(tmp_path, {"bin/tool": ELF + b"!"}).tampered
    assert [(each.kind, each.path) for each in only] == [("outside", f"{ENV}/bin/tool")]


def test_the_file_that_a_later_layer_changed_with_its_record_is_named(tmp_path: Path) -> None:
    place = f"{ENV}/bin/tool"
    record = f"{SITE}/tool-1.0.dist-info/RECORD"
    evil = {place: EVIL, record: parts({**FILES, "bin/tool": EVIL})[record]}
    (only,) = look(tmp_path, FILES, evil).tampered
    assert (only.kind, only.path, only.layer, only.over) == ("outside", place, 3, (1,))
    assert only.others == (place, record)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"share/tool/x.json": None}, ", ".join(sorted(FILES)[:3])),
        ({"bin/more": ELF}, "bin/more, bin/run.py, bin/tool and 2 more"),
        (dict.fromkeys(FILES), "its RECORD names none"),
    ],
)  # fmt: skip
def test_rows_that_are_gone_or_new_are_told(
    tmp_path: Path, changed: Mapping[str, bytes | None], what: str
) -> None:
    files = {path: data for path, data in {**FILES, **changed}.items() if data is not None}
    assert told(look(tmp_path, files)) == [("outside", OTHER + what)]


def test_where_the_manifest_knows_of_no_such_file_a_new_one_is_told(tmp_path: Path) -> None:
    found = look(tmp_path, {"bin/tool": ELF}, outside=None)
    assert (found.exit_code, told(found)) == (ExitCode.NO, [("outside", OTHER + "bin/tool")])


@pytest.mark.parametrize("outside", [NO_OUTSIDE, Unknown(made.NOT_LOOKED.reason, "why")])
def test_a_manifest_without_the_digest_gives_the_answer_of_before(
    tmp_path: Path, outside: Unknown
) -> None:
    found = look(tmp_path, outside=outside)
    programs = (f"{ENV}/bin/run.py", f"{ENV}/bin/tool")
    assert (told(found), left(found)) == ([], [("program", programs)])
    assert (found.exit_code, found.proof.outside) == (ExitCode.CANNOT_TELL, 4)


@pytest.mark.parametrize(
    "lock",
    [
        {"is_installed": False},
        {"is_installed": Unknown(made.NOT_LOOKED.reason)},
        {"how": "built", "is_installed": True},
        {"how": "made", "is_installed": True},
    ],
)
def test_of_another_file_than_the_installed_one_only_an_equal_digest_counts(
    tmp_path: Path, lock: Mapping[str, object]
) -> None:
    same = look(tmp_path, lock=lock)
    assert (same.exit_code, told(same), left(same)) == (ExitCode.OK, [], [])
    other = look(tmp_path, {**FILES, "bin/tool": EVIL}, lock=lock)
    programs = (f"{ENV}/bin/run.py", f"{ENV}/bin/tool")
    assert (told(other), left(other)) == ([], [("program", programs)])
    assert other.exit_code == ExitCode.CANNOT_TELL


@pytest.mark.parametrize(
    "line", [b"#!/usr/bin/python3", b"#!/opt/env/bin/python -cimport os;os.system('steal')"]
)
def test_a_script_that_another_python_starts_is_told(tmp_path: Path, line: bytes) -> None:
    found = look(tmp_path, {**FILES, "bin/run.py": line + b"\n" + BODY})
    why = "'bin/run.py' is started by another Python than the one beside it"
    assert (found.exit_code, told(found)) == (ExitCode.NO, [("outside", OTHER + why)])


NO_PYTHON = ("unowned", "bin/python3.99 belongs to no package")


def test_a_python_of_another_name_does_not_prove_what_it_starts(tmp_path: Path) -> None:
    text = SCRIPT.replace(b"bin/python", b"bin/python3.99")
    evil = {f"{ENV}/bin/python3.99": b"#!/bin/sh\nsteal\n"}
    found = look(tmp_path, {**FILES, "bin/run.py": text}, evil)
    assert (told(found), left(found)) == ([NO_PYTHON], [("program", (f"{ENV}/bin/run.py",))])


def test_a_program_that_is_a_link_is_not_proved_by_what_it_leads_to(tmp_path: Path) -> None:
    layer: Layer = {f"{ENV}/bin/tool": Link(f"{ENV}/share/copy"), f"{ENV}/share/copy": ELF}
    found = look(tmp_path, FILES, layer)
    programs = (f"{ENV}/bin/run.py", f"{ENV}/bin/tool")
    every = tuple(f"{ENV}/{path}" for path in sorted(FILES))
    assert (told(found), left(found)) == ([], [("program", programs), ("outside", every)])
    changed = look(tmp_path, {**FILES, "share/tool/x.json": EVIL}, layer)
    assert (told(changed), left(changed)) == ([], [("program", programs), ("outside", every)])
    assert changed.exit_code == ExitCode.CANNOT_TELL


DATA = {"share/tool/x.json": EVIL}
WITHOUT_HASH = "RECORD states no SHA-256 of 'y': md5 (1 rows)"


@pytest.mark.parametrize(
    ("more", "rows", "what"),
    [
        ({}, b"../../../share/tool/y,md5=00,1\n", WITHOUT_HASH),
        ({}, b"../../../../env/share/y,md5=00,1\n", WITHOUT_HASH),
        (
            {"share/x": b"1"}, row("../../../lib/../share/x", b"2").encode(),
            "RECORD states two hashes of 'x'",
        ),
        ({"Scripts/x": b"never kept"}, b"", "Scripts/x, share/tool/x.json"),
        (
            {f"include/python3.11/{name}/x.h": name.encode() for name in ("tool", "Tool")}, b"",
            "RECORD states two hashes of 'x.h'",
        ),
    ],
)  # fmt: skip
def test_a_record_that_refuses_its_digest_is_no_way_around_it(
    tmp_path: Path, more: Mapping[str, bytes], rows: bytes, what: str
) -> None:
    files = {**DATA, **more}
    record = f"{SITE}/tool-1.0.dist-info/RECORD"
    proper = by_the_definition({"share/tool/x.json": b"{}"})
    found = look(tmp_path, files, {record: parts(files)[record] + rows}, outside=proper)
    assert found.exit_code == ExitCode.NO
    assert ("outside", OTHER + what) in told(found)


@pytest.mark.parametrize("path", ["//opt/env/bin/evil", "/opt/env/bin/evil"])
@pytest.mark.parametrize("data", [ELF, EVIL])
def test_a_row_that_begins_with_slashes_adds_no_program(
    tmp_path: Path, path: str, data: bytes
) -> None:
    record = f"{SITE}/tool-1.0.dist-info/RECORD"
    text = parts(FILES)[record] + row(path, data).encode()
    found = look(tmp_path, FILES, {record: text, f"{ENV}/bin/evil": data})
    assert told(found) == [("outside", OTHER + "bin/evil, bin/run.py, bin/tool and 2 more")]
    programs = tuple(f"{ENV}/bin/{name}" for name in ("evil", "run.py", "tool"))
    assert left(found) == [("program", programs)]


def test_a_row_that_comes_back_by_a_link_adds_no_program(tmp_path: Path) -> None:
    record = f"{SITE}/tool-1.0.dist-info/RECORD"
    text = parts(FILES)[record] + row("../../../../way/bin/evil", ELF).encode()
    layer: Layer = {record: text, "/opt/way": Link(ENV), f"{ENV}/bin/evil": ELF}
    found = look(tmp_path, FILES, layer)
    assert found.exit_code == ExitCode.NO
    assert {(each.kind, each.path) for each in found.tampered} == {
        ("unchecked", "/opt/way/bin/evil"), ("unowned", f"{ENV}/bin/evil"),
    }  # fmt: skip


HANDED = b"#!/bin/sh\n%s'''exec' /opt/env/bin/%s \"$0\" \"$@\"\n' '''\n"


@pytest.mark.parametrize("line", [b"# coding: utf-8 " + b"x" * 300 + b"\n", b"# coding: utf-7\n"])
def test_a_coding_line_hides_nothing_of_what_starts_a_script(tmp_path: Path, line: bytes) -> None:
    evil = {f"{ENV}/bin/python3.99": b"#!/bin/sh\nsteal\n"}
    for python in (b"python", b"python3.99"):
        text = HANDED % (line, python) + BODY
        found = look(tmp_path, {**FILES, "bin/run.py": text}, evil)
        why = "'bin/run.py' is started by another Python than the one beside it"
        assert told(found) == [("outside", OTHER + why), NO_PYTHON]
        assert found.exit_code == ExitCode.NO


def test_a_script_with_its_own_coding_is_proved_as_uv_writes_it(tmp_path: Path) -> None:
    body = b"# -*- coding: utf-8 -*-\n" + BODY
    proper = by_the_definition({"bin/run.py": b"#!python\n" + body})
    text = HANDED % (b"# coding: utf-8\n", b"python") + body
    found = look(tmp_path, {"bin/run.py": text}, outside=proper)
    assert (found.exit_code, told(found), left(found)) == (ExitCode.OK, [], [])
    other = look(
        tmp_path, {"bin/run.py": text.replace(b"bin/python", b"bin/python3.99")},
        {f"{ENV}/bin/python3.99": b"#!/bin/sh\nsteal\n"}, outside=proper,
    )  # fmt: skip
    assert (told(other), left(other)) == ([NO_PYTHON], [("program", (f"{ENV}/bin/run.py",))])


def test_a_large_program_that_is_no_script_is_proved_by_its_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = ELF + b"x" * 5000
    proper = by_the_definition({"bin/tool": large})
    monkeypatch.setattr(_scan, "LARGEST_CONTENT", 4000)
    found = look(tmp_path, {"bin/tool": large}, outside=proper)
    assert (found.exit_code, told(found), left(found)) == (ExitCode.OK, [], [])
    other = look(tmp_path, {"bin/tool": large + b"!"}, outside=proper)
    assert told(other) == [("outside", OTHER + "bin/tool")]
    script = look(tmp_path, {"bin/tool": b"#!" + large}, outside=proper)
    names = (f"{ENV}/bin/tool",)
    assert (script.exit_code, told(script)) == (ExitCode.CANNOT_TELL, [])
    assert left(script) == [("program", names), ("outside", names)]


def test_a_header_in_the_folder_of_another_package_is_told(tmp_path: Path) -> None:
    files = {path: data for path, data in FILES.items() if "include" not in path}
    moved = "include/python3.11/cpython/tool.h"
    found = look(tmp_path, {**files, moved: b"#define X\n"})
    assert told(found) == [("outside", OTHER + f"bin/run.py, bin/tool, {moved} and 1 more")]


@pytest.mark.parametrize("path", ["sitecustomize.pyc", "tool/evil.pyc"])
def test_bytecode_without_its_source_is_not_proved_though_a_record_states_it(
    tmp_path: Path, path: str
) -> None:
    record = f"{SITE}/tool-1.0.dist-info/RECORD"
    text = parts(FILES)[record] + row(path, b"evil").encode()
    found = look(tmp_path, FILES, {record: text, f"{SITE}/{path}": b"evil"})
    assert (found.exit_code, told(found)) == (ExitCode.CANNOT_TELL, [])
    names = (f"{SITE}/{path}",)
    assert [(each.code, each.names) for each in found.not_proved] == [("bytecode", names)]


def test_bytecode_in_another_folder_is_not_proved_by_the_record_that_states_it(
    tmp_path: Path,
) -> None:
    record, place = f"{SITE}/tool-1.0.dist-info/RECORD", f"{ENV}/lib/python3.11/tool.pyc"
    text = parts(FILES)[record] + row("../tool.pyc", b"evil").encode()
    found = look(tmp_path, FILES, {record: text, place: b"evil"})
    assert (told(found), left(found)) == ([], [("bytecode", (place,))])


def test_a_row_that_leaves_the_prefix_is_told_and_not_in_the_digest(tmp_path: Path) -> None:
    record = f"{SITE}/tool-1.0.dist-info/RECORD"
    text = parts(FILES)[record]
    leaving = row("../../../../evil/run.py", SCRIPT).encode()
    found = look(tmp_path, FILES, {record: text + leaving, "/opt/evil/run.py": SCRIPT})
    assert [(each.kind, each.path) for each in found.tampered] == [
        ("unchecked", "/opt/evil/run.py")
    ]
    assert left(found) == [("outside", ("/opt/evil/run.py",))]


def test_a_row_without_its_hash_is_told(tmp_path: Path) -> None:
    record = f"{SITE}/tool-1.0.dist-info/RECORD"
    text = parts(FILES)[record]
    rows = [each for each in text.splitlines() if b"bin/tool" not in each]
    found = look(tmp_path, FILES, {record: b"\n".join([*rows, b"../../../bin/tool,,"])})
    why = "RECORD states no SHA-256 of 'tool': no hash (1 rows)"
    assert told(found) == [("outside", OTHER + why)]


def test_a_program_that_no_record_names_is_nobodys(tmp_path: Path) -> None:
    found = look(tmp_path, FILES, {f"{ENV}/bin/more": ELF})
    assert told(found) == [("unowned", "bin/more belongs to no package")]


@pytest.mark.parametrize("data", [ELF, EVIL])
def test_of_two_packages_that_claim_one_path_both_must_agree(tmp_path: Path, data: bytes) -> None:
    claims = parts({"bin/tool": data}, "more")
    wanted = made.manifest(
        (
            made.package("more", "1.0", content=None, outside=NO_OUTSIDE),
            made.package("tool", "1.0", outside=OUTSIDE, content=digest(
                {path: each for path, each in parts(FILES).items() if path.startswith(SITE)}
            )),
        ),
        (artifact("more", "1.0"), artifact("tool", "1.0")),
    )  # fmt: skip
    layers = (BASE, {**PYTHON, **claims, **parts(FILES)}, own_files(wanted))
    found = verified(
        image(tmp_path, layers=layers, said=labels(wanted)), against=Published(wanted, "paper.json")
    )
    kinds = [(each.kind, each.package, each.path) for each in found.tampered]
    wrong = [("edited", "more", f"{ENV}/bin/tool")] if data == EVIL else []
    assert (kinds, left(found)) == (wrong, [("content", ("more",))])
