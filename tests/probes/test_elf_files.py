"""Which library files the environment has, whose they are, and what import can reach."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping

import pytest

from envsnap.host import Binary, Host, LocalHost, RecordedHost
from envsnap.probes import Look, Options
from envsnap.probes._ask import interpreter
from envsnap.probes._deep._elf_files import ElfFile, elf_files, read_files
from envsnap.probes._interpreter import Entry, Interpreter
from envsnap.sections import Fact, Reason, Unknown
from tests.elves import library
from tests.probes.environments import SITE, dist

ENV = "/home/ada/work/.venv"
STDLIB = "/usr/lib/python3.11"
DYNLOAD = f"{STDLIB}/lib-dynload"
TAG = ".cpython-311-x86_64-linux-gnu.so"
MODULE = library(imports=True)
PLAIN = library(soname="libx.so")


def an_interpreter(*entries: str, **said: object) -> Interpreter:
    known = {"prefix": ENV, "base_prefix": "/usr", "soabi": TAG[1:-3], **said}
    places = tuple(Entry(each, "env") for each in entries or (DYNLOAD, SITE))
    return Interpreter(
        choice=None, said=known, entries=places, kind="venv", origin="other",
        system_site_packages=False, degraded=None,
    )  # fmt: skip


def look(host: Host, python: Fact[Interpreter]) -> Look:
    return Look(host=host, options=Options(deep=True), have={}, environment=lambda: python)


def made(
    binaries: Mapping[str, Fact[Binary | None]],
    files: Mapping[str, str | bytes] | None = None,
    links: Mapping[str, str] | None = None,
) -> RecordedHost:
    return RecordedHost.made(
        files=files or {}, binaries=binaries, links=links or {}, absent_below=["/"]
    )


def found(
    binaries: Mapping[str, Fact[Binary | None]],
    files: Mapping[str, str | bytes] | None = None,
    links: Mapping[str, str] | None = None,
    python: Interpreter | None = None,
) -> tuple[ElfFile, ...]:
    files_of_it = elf_files(look(made(binaries, files, links), python or an_interpreter()))
    assert not isinstance(files_of_it, Unknown), files_of_it
    return files_of_it


def owners(files: tuple[ElfFile, ...]) -> dict[str, str | None]:
    return {each.path.removeprefix(f"{SITE}/"): each.distribution for each in files}


def importable(files: tuple[ElfFile, ...]) -> set[str]:
    return {each.path.removeprefix(f"{SITE}/") for each in files if each.importable}


def record(*paths: str) -> str:
    return "".join(f"{path},sha256={'A' * 43},1\n" for path in paths)


def test_a_record_says_whose_a_library_is() -> None:
    rows = record(f"num/_core{TAG}", "num.libs/libx-1.so.0.1", "num/__init__.py", "num/a.source")
    files = dist("Num", "1", RECORD=rows)
    said = {f"{SITE}/num/_core{TAG}": MODULE, f"{SITE}/num.libs/libx-1.so.0.1": PLAIN}
    assert found(said, files) == (
        ElfFile(f"{SITE}/num.libs/libx-1.so.0.1", "Num", PLAIN, importable=False),
        ElfFile(f"{SITE}/num/_core{TAG}", "Num", MODULE, importable=True),
    )


def test_a_library_beside_a_package_is_nobodys() -> None:
    files = dist("Num", "1", RECORD=record(f"num/_core{TAG}"))
    said = dict.fromkeys(
        (f"{SITE}/num/_core{TAG}", f"{SITE}/num/libmine.so", f"{SITE}/other/_a{TAG}",
         f"{SITE}/_top{TAG}", f"{SITE}/other/deep/er/libb.so.1", f"{SITE}/x.libs/libc.so"),
        MODULE,
    )  # fmt: skip
    assert owners(found(said, files)) == {
        f"num/_core{TAG}": "Num", "num/libmine.so": None, f"other/_a{TAG}": None,
        f"_top{TAG}": None, "other/deep/er/libb.so.1": None, "x.libs/libc.so": None,
    }  # fmt: skip


def test_a_row_that_leaves_the_prefix_is_not_opened() -> None:
    rows = record("../../../../../shadow.so", "/etc/a.so", "../../../lib/libown.so")
    said = {"/home/ada/shadow.so": PLAIN, "/etc/a.so": PLAIN, f"{ENV}/lib/libown.so": PLAIN}
    assert owners(found(said, dist("Num", "1", RECORD=rows))) == {f"{ENV}/lib/libown.so": "Num"}


def test_links_are_resolved_and_each_file_is_told_once() -> None:
    rows = record(f"num/_core{TAG}", "num/libx.so", "num/libx.so.1")
    said: dict[str, Fact[Binary | None]] = {
        f"{SITE}/num/libx.so.1": PLAIN,
        f"/home/ada/.cache/uv/_core{TAG}": MODULE,
    }
    links = {
        f"{SITE}/num/libx.so": "libx.so.1",
        f"{SITE}/num/_core{TAG}": f"/home/ada/.cache/uv/_core{TAG}",
        f"{SITE}/num/gone.so": "/no/such",
    }
    assert found(said, dist("Num", "1", RECORD=rows), links) == (
        ElfFile(f"/home/ada/.cache/uv/_core{TAG}", "Num", MODULE, importable=True),
        ElfFile(f"{SITE}/num/libx.so.1", "Num", PLAIN, importable=False),
    )


def test_a_link_out_of_the_search_path_is_not_followed_and_said_so() -> None:
    host = made(
        {f"{SITE}/num/_a{TAG}": MODULE, "/srv/share/big/libbig.so": PLAIN},
        links={f"{SITE}/big": "/srv/share/big", f"{SITE}/loop": SITE},
    )
    read = read_files(look(host, an_interpreter()))
    assert not isinstance(read, Unknown)
    assert owners(read.files) == {f"num/_a{TAG}": None}
    why = Unknown(Reason.NOT_SUPPORTED, "a link that leads out of the search path")
    assert read.unread == {f"{SITE}/big": why}


def test_condas_records_say_whose_a_library_is() -> None:
    site = "lib/python3.11/site-packages"
    blas = {"name": "libblas", "version": "3.9", "files": ["lib/libblas.so.3", "../out.so", 5]}
    num = {"name": "num-base", "version": "1", "files": [
        f"{site}/num/_core{TAG}", f"{site}/Num-1.dist-info/METADATA", "lib/libnum.so",
    ]}  # fmt: skip
    files = {
        f"{ENV}/conda-meta/libblas-3.9-0.json": json.dumps(blas),
        f"{ENV}/conda-meta/num-base-1-0.json": json.dumps(num),
        f"{ENV}/conda-meta/broken.json": '{"files": [".so"]',
        **dist("Num", "1"),
    }
    said = dict.fromkeys(
        (f"{ENV}/lib/libblas.so.3", f"{ENV}/lib/libnum.so", f"{SITE}/num/_core{TAG}"), PLAIN
    )
    assert owners(found(said, files)) == {
        f"{ENV}/lib/libblas.so.3": "libblas",
        f"{ENV}/lib/libnum.so": "Num",
        f"num/_core{TAG}": "Num",
    }


def test_an_editable_installation_has_the_libraries_of_its_folder() -> None:
    url = json.dumps({"url": "file:///home/ada/work/fast", "dir_info": {"editable": True}})
    files = dist("Fast", "1", direct_url_json=url, RECORD=record("fast.pth"))
    files["/home/ada/work/fast/env/conda-meta/history"] = ""
    said = {
        f"/home/ada/work/fast/src/fast/_a{TAG}": MODULE,
        "/home/ada/work/libno.so": PLAIN,
        "/home/ada/work/fast/env/lib/libother.so": PLAIN,
        "/home/ada/work/fast/.venv/lib/libother.so": PLAIN,
    }
    assert found(said, files) == (
        ElfFile(f"/home/ada/work/fast/src/fast/_a{TAG}", "Fast", MODULE, importable=True),
    )


def test_an_egg_link_and_an_egg_have_theirs() -> None:
    egg = f"{SITE}/Old-1-py3.11-linux-x86_64.egg"
    files = {
        f"{SITE}/Link.egg-link": "/home/ada/work/link\n.",
        "/home/ada/work/link/Link.egg-info/PKG-INFO": "Name: Link\nVersion: 1\n",
        f"{egg}/EGG-INFO/PKG-INFO": "Name: Old\nVersion: 1\n",
    }
    said = {f"/home/ada/work/link/link/_a{TAG}": MODULE, f"{egg}/old/_b{TAG}": MODULE}
    python = an_interpreter(SITE, egg)
    assert owners(found(said, files, python=python)) == {
        f"/home/ada/work/link/link/_a{TAG}": "Link",
        f"{egg.removeprefix(SITE + '/')}/old/_b{TAG}": "Old",
    }
    assert len(importable(found(said, files, python=python))) == 2


def test_what_a_distribution_without_a_record_brought_is_told_by_its_top_level_names() -> None:
    files = {
        f"{SITE}/Deb-1.egg-info/PKG-INFO": "Name: Deb\nVersion: 1\n",
        f"{SITE}/Deb-1.egg-info/top_level.txt": "deb\n_deb\n../../up\n",
    }
    said = {f"{SITE}/deb/sub/_a.so": MODULE, f"{SITE}/_deb{TAG}": MODULE, f"{SITE}/x/b.so": PLAIN}
    assert owners(found(said, files)) == {
        "deb/sub/_a.so": "Deb", f"_deb{TAG}": "Deb", "x/b.so": None,
    }  # fmt: skip


def test_the_modules_of_python_itself_are_nobodys_and_importable() -> None:
    files = {f"{STDLIB}/os.py": ""}
    said = {f"{DYNLOAD}/_json{TAG}": MODULE, f"{STDLIB}/config/libpython.so": PLAIN}
    assert found(said, files, python=an_interpreter(STDLIB, DYNLOAD, SITE)) == (
        ElfFile(f"{DYNLOAD}/_json{TAG}", None, MODULE, importable=True),
    )


@pytest.mark.parametrize(
    ("name", "said", "reached"),
    [
        (f"a/_b{TAG}", {}, True),
        ("a/_b.abi3.so", {}, True),
        ("a/_b.abi3.so", {"free_threaded": True}, False),
        ("a/_b.so", {}, True),
        (f"24eba0__mypyc{TAG}", {}, True),
        ("a/_b.cpython-310-x86_64-linux-gnu.so", {}, False),
        ("a/libb.so.1", {}, False),
        (f"a.libs/_b{TAG}", {}, False),
        (f"a-b/_b{TAG}", {}, False),
        ("a/_b.pypy311-pp73-x86_64-linux-gnu.so", {"soabi": "pypy311-pp73-x86_64-linux-gnu"}, True),
    ],
)
def test_import_reaches_a_module_by_its_name_and_the_names_above_it(
    name: str, said: Mapping[str, object], *, reached: bool
) -> None:
    files = dist("A", "1", RECORD=record(name))
    python = an_interpreter(**said)
    assert importable(found({f"{SITE}/{name}": MODULE}, files, python=python)) == (
        {name} if reached else set()
    )
    assert importable(found({f"{SITE}/{name}": PLAIN}, files, python=python)) == set()


def test_one_that_cannot_be_read_does_not_cost_the_others() -> None:
    denied = Unknown(Reason.NO_PERMISSION)
    host = made({f"{SITE}/a/a.so": denied, f"{SITE}/a/b.so": PLAIN, f"{SITE}/a/c.so": None})
    read = read_files(look(host, an_interpreter()))
    assert not isinstance(read, Unknown)
    assert owners(read.files) == {"a/b.so": None}
    assert read.unread == {f"{SITE}/a/a.so": denied}


def test_where_none_can_be_read_the_reason_is_the_answer() -> None:
    host = RecordedHost.made(files={f"{SITE}/a.so": b"\x7fELF"}, absent_below=["/"])
    assert elf_files(look(host, an_interpreter())) == Unknown(
        Reason.NOT_RECORDED, "binary {other}/a.so"
    )
    nobody = Unknown(Reason.NOT_ASKED, "no interpreter in this test")
    assert elf_files(look(host, nobody)) == nobody


def test_a_tree_without_end_is_looked_through_for_a_while_alone() -> None:
    files = {f"{SITE}/many/a{number}/b": "" for number in range(10_050)}
    read = read_files(look(made({f"{SITE}/_a{TAG}": MODULE}, files), an_interpreter()))
    assert not isinstance(read, Unknown)
    assert owners(read.files) == {f"_a{TAG}": None}
    why = Unknown(Reason.NOT_SUPPORTED, "more than 10000 folders")
    assert read.unread == {SITE: why}


def test_a_list_that_names_any_number_of_libraries_is_not_followed() -> None:
    rows = record(*(f"a{number}/b.so" for number in range(50_001)))
    host = made({}, dist("Many", "1", RECORD=rows))
    assert elf_files(look(host, an_interpreter())) == Unknown(
        Reason.NOT_SUPPORTED, "more than 50000 library files"
    )


def test_it_is_read_once_for_all_who_ask() -> None:
    one = look(made({f"{SITE}/a.so": MODULE}), an_interpreter())
    assert elf_files(one) is elf_files(one)


def this_environment() -> Look:
    host = LocalHost()
    return look(host, interpreter(host, sys.executable, None, site=True))


def test_every_module_that_this_python_could_import_is_found() -> None:
    files = elf_files(this_environment())
    assert not isinstance(files, Unknown)
    reached = {each.path for each in files if each.importable}
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    there = {
        os.path.realpath(os.path.join(folder, name))
        for entry in (sysconfig.get_path("platlib"), sysconfig.get_config_var("DESTSHARED"))
        for folder, _, names in os.walk(entry)
        for name in names
        if name.endswith((suffix, ".abi3.so"))
    }
    assert there - reached == set()
    assert {each.distribution for each in files if "/ruff" in each.path} <= {"ruff"}


def test_modules_that_were_really_loaded_are_among_them() -> None:
    script = (
        "import json, ssl, sqlite3, sys, mypy.main;"
        "from importlib.machinery import ExtensionFileLoader as E;"
        "print(json.dumps([m.__file__ for m in sys.modules.values()"
        " if isinstance(getattr(m, '__loader__', None), E)]))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    if ran.returncode:
        pytest.skip(ran.stderr.splitlines()[-1])
    files = elf_files(this_environment())
    assert not isinstance(files, Unknown)
    loaded = {os.path.realpath(path) for path in json.loads(ran.stdout)}
    assert loaded - {each.path for each in files if each.importable} == set()
