from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap._capture import capture
from envsnap.host import Binary, Ran, RecordedHost
from envsnap.probes import Options
from envsnap.probes._deep._owners import owners, parse_apk, parse_dpkg, parse_rpm
from envsnap.probes.system_libraries import newest
from envsnap.sections import Exempt, Fact, Reason, SystemLibraries, SystemLibrary, Unknown
from tests.probes.environments import SITE, dist

PYTHON = "/home/ada/work/.venv/bin/python"
LIB = "/usr/lib64"
EXTENSION = "cpython-311-x86_64-linux-gnu.so"


def binary(
    *needed: str,
    imports: bool = False,
    runpath: tuple[str, ...] = (),
    soname: str | None = None,
    **versions: tuple[str, ...],
) -> Binary:
    """An ELF file; `libc_so_6=("GLIBC_2.34",)` are the versions that it asks of libc.so.6."""
    asked = {_named(name): each for name, each in versions.items()}
    return Binary(
        machine="x86_64", bits=64, soname=soname, needed=needed, rpath=(), runpath=runpath,
        interpreter=None, versions=tuple(sorted(asked.items())), imports=imports, sass=(), ptx=(),
        amd=(), compat=None, texts=(),
    )  # fmt: skip


def _named(name: str) -> str:
    stem, _, number = name.rpartition("_so_")
    return f"{stem}.so.{number}"


SAID = {
    "implementation": "cpython",
    "version": "3.11.7",
    "platform": "linux",
    "prefix": b"/home/ada/work/.venv".hex(),
    "base_prefix": b"/usr".hex(),
    "executable": PYTHON.encode().hex(),
    "sysconfig": {"variables": {"SOABI": "cpython-311-x86_64-linux-gnu"}},
}


def hello(*path: str) -> str:
    """What the environment's Python says of itself, with this search path."""
    said = {**SAID, "sys_path": [each.encode().hex() for each in path]}
    return "\nenvsnap-paths-1:" + json.dumps(said).encode().hex() + "\n"


SYSTEM = {
    PYTHON: binary("libc.so.6")._replace(interpreter="/lib64/ld-linux-x86-64.so.2"),
    "/lib64/ld-linux-x86-64.so.2": binary(soname="ld-linux-x86-64.so.2"),
    f"{LIB}/libc.so.6": binary(soname="libc.so.6"),
    f"{LIB}/libpq.so.5.15": binary("libc.so.6", "libldap-2.5.so.0", soname="libpq.so.5"),
    f"{LIB}/libldap-2.5.so.0": binary("libc.so.6", soname="libldap-2.5.so.0"),
}
LINKS = {f"{LIB}/libpq.so.5": "libpq.so.5.15"}
DPKG = {
    "/var/lib/dpkg/info/libpq5:amd64.list": f"/.\n{LIB}/libpq.so.5.15\n",
    "/var/lib/dpkg/info/libc6:amd64.list": "/.\n/lib64/libc.so.6\n",
}


def found(
    modules: Mapping[str, Fact[Binary | None]],
    *,
    distributions: Iterable[str] = ("app",),
    record: Iterable[str] = (),
) -> SystemLibraries:
    """What the environment of these files needs; `record` are those that the last one brought."""
    files: dict[str, str] = {}
    for name in distributions:
        files |= dist(name, "1.0", RECORD="".join(f"{each},,\n" for each in record))
    host = RecordedHost.made(
        files={
            PYTHON: "", "/home/ada/work/.venv/pyvenv.cfg": "home = /usr/bin\n",
            **DPKG, **files,
        },
        binaries={**SYSTEM, **{f"{SITE}/{name}": each for name, each in modules.items()}},
        links=LINKS,
        absent_below=["/"],
        environ={"PATH": "/usr/bin"},
        commands={(PYTHON, "-c", "{script}", "envsnap-paths-1:"): hello(SITE)},
        cwd="/home/ada/work",
        home="/home/ada",
    )  # fmt: skip
    told = capture(host, Options(deep=True), sections=frozenset({"system_libraries"}))
    section = told.section(SystemLibraries)
    assert isinstance(section, SystemLibraries), section
    return section


LIBC = SystemLibrary(
    name="libc.so.6", versions=("GLIBC_2.34",), needed_by=("app",), location=f"{LIB}/libc.so.6",
    owner="libc6",
)  # fmt: skip
MODULE = f"app/_db.{EXTENSION}"
"""What the tests below call the module of the distribution `app`."""


def test_what_a_module_needs_and_no_package_brings_is_told() -> None:
    module = binary(
        "libpq.so.5", "libc.so.6", imports=True, libc_so_6=("GLIBC_2.2.5", "GLIBC_2.34")
    )
    libpq = SystemLibrary(
        name="libpq.so.5", versions=(), needed_by=("app",), location=f"{LIB}/libpq.so.5.15",
        owner="libpq5",
    )  # fmt: skip
    section = found({MODULE: module}, record=[MODULE])
    assert section == SystemLibraries(needed=(LIBC, libpq), exempt=())


def test_a_library_that_a_package_brings_is_followed_and_not_needed() -> None:
    bundled = binary("libc.so.6", soname="libx-12345678.so.1", libc_so_6=("GLIBC_2.34",))
    module = binary(
        "libx-12345678.so.1", "libc.so.6", imports=True, runpath=("$ORIGIN/../app.libs",)
    )
    library = "app.libs/libx-12345678.so.1"
    section = found({MODULE: module, library: bundled}, record=[MODULE, library])
    assert section == SystemLibraries(needed=(LIBC,), exempt=())


def test_a_library_that_nothing_answers_for_is_needed_and_not_here() -> None:
    module = binary("libGL.so.1", imports=True)
    lacking = SystemLibrary(
        name="libGL.so.1", versions=(), needed_by=("app",), location=None, owner=None
    )
    section = found({MODULE: module}, record=[MODULE])
    assert section == SystemLibraries(needed=(lacking,), exempt=())


def test_the_drivers_library_is_exempt() -> None:
    module = binary("libcuda.so.1", "libnvidia-ml.so.1", imports=True)
    section = found({MODULE: module}, record=[MODULE])
    assert section == SystemLibraries(
        needed=(),
        exempt=(
            Exempt(name="libcuda.so.1", why="driver", needed_by=("app",)),
            Exempt(name="libnvidia-ml.so.1", why="driver", needed_by=("app",)),
        ),
    )


def test_what_only_a_plug_in_asks_for_is_exempt() -> None:
    module = binary("libc.so.6", imports=True, libc_so_6=("GLIBC_2.34",))
    plug_in = binary("libX11.so.6", "libc.so.6", "libmine.so")
    files = {MODULE: module, "app/plugins/libqxcb.so": plug_in, "app/libmine.so": binary()}
    section = found(files, record=files)
    assert section == SystemLibraries(
        needed=(LIBC,),
        exempt=(Exempt(name="libX11.so.6", why="plug-in", needed_by=("app",)),),
    )


def test_of_alternatives_the_one_whose_library_is_there_counts() -> None:
    files: dict[str, Fact[Binary | None]] = {
        f"mpi4py/MPI.openmpi.{EXTENSION}": binary("libpq.so.5", imports=True),
        f"mpi4py/MPI.mpich.{EXTENSION}": binary("libmpi.so.12", imports=True),
    }
    section = found(files, distributions=["mpi4py"], record=files)
    assert not isinstance(section.needed, Unknown)
    assert [each.name for each in section.needed] == ["libpq.so.5"]
    missing = Exempt(name="libmpi.so.12", why="plug-in", needed_by=("mpi4py",))
    assert section.exempt == (missing,)


def test_a_module_that_cannot_be_read_leaves_the_whole_unknown() -> None:
    hidden = Unknown(Reason.NO_PERMISSION, "Permission denied")
    other = binary("libc.so.6", imports=True)
    section = found({MODULE: hidden, f"app/_o.{EXTENSION}": other}, record=[MODULE])
    why = Unknown(
        Reason.NO_PERMISSION,
        f"{{env}}/lib/python3.11/site-packages/{MODULE}: Permission denied",
    )
    assert section == SystemLibraries(needed=why, exempt=why)


@pytest.mark.parametrize("reason", [Reason.UNPARSABLE, Reason.NOT_SUPPORTED])
def test_a_file_that_is_broken_or_beyond_our_bounds_may_need_something(reason: Reason) -> None:
    module = binary("libc.so.6", imports=True, libc_so_6=("GLIBC_2.34",))
    files: dict[str, Fact[Binary | None]] = {
        MODULE: module, f"app/_b.{EXTENSION}": Unknown(reason, "its tables"),
    }  # fmt: skip
    place = f"{{env}}/lib/python3.11/site-packages/app/_b.{EXTENSION}"
    why = Unknown(reason, f"{place}: its tables")
    assert found(files, record=files) == SystemLibraries(needed=why, exempt=why)


def test_what_the_linker_refuses_needs_nothing() -> None:
    module = binary("libc.so.6", imports=True, libc_so_6=("GLIBC_2.34",))
    files: dict[str, Fact[Binary | None]] = {MODULE: module, f"app/_b.{EXTENSION}": None}
    assert found(files, record=files) == SystemLibraries(needed=(LIBC,), exempt=())


def test_what_another_package_brings_is_no_system_library() -> None:
    module = binary("libcublas.so.12", "libc.so.6", imports=True, libc_so_6=("GLIBC_2.34",))
    files: dict[str, Fact[Binary | None]] = {
        MODULE: module, "nvidia/cublas/lib/libcublas.so.12": binary(soname="libcublas.so.12"),
    }  # fmt: skip
    brought = Exempt(name="libcublas.so.12", why="brought", needed_by=("app",))
    assert found(files, record=files) == SystemLibraries(needed=(LIBC,), exempt=(brought,))


def test_what_a_package_brings_and_the_system_answers_for_is_the_system_s() -> None:
    module = binary("libpq.so.5", imports=True)
    files: dict[str, Fact[Binary | None]] = {MODULE: module, "app.libs/libpq.so.5": binary()}
    section = found(files, record=files)
    assert not isinstance(section.needed, Unknown)
    assert ([each.name for each in section.needed], section.exempt) == (["libpq.so.5"], ())


def test_a_path_of_whoever_built_it_is_not_told() -> None:
    canary = "/data/build/alice/secret-project"
    module = binary(
        f"{canary}/libone.so", "/home/ada/src/build/libtwo.so", "../alice/build/libthree.so",
        "$ORIGIN/alice/libfour.so", imports=True,
    )  # fmt: skip
    plug_in = binary(f"{canary}/libfive.so", "./alice/libsix.so")
    files: dict[str, Fact[Binary | None]] = {MODULE: module, "app/plugins/libq.so": plug_in}
    section = found(files, record=files)
    assert not isinstance(section.needed, Unknown)
    assert not isinstance(section.exempt, Unknown)
    assert [each.name for each in section.needed] == [
        "{home}/src/build/libtwo.so", "{other}/libfour.so", "{other}/libone.so",
        "{other}/libthree.so",
    ]  # fmt: skip
    assert [each.name for each in section.exempt] == ["{other}/libfive.so", "{other}/libsix.so"]
    assert "alice" not in repr(section)


def test_what_the_standard_library_needs_comes_with_the_interpreter() -> None:
    module = binary("libffi.so.8", imports=True)
    section = found({f"lib-dynload/_ctypes.{EXTENSION}": module})
    assert section == SystemLibraries(needed=(), exempt=())


def test_the_newest_version_of_each_series_is_by_number() -> None:
    asked = ["GCC_3.0", "GCC_4.8.0", "GLIBCXX_3.4", "GLIBCXX_3.4.9", "GLIBCXX_3.4.22", "OPENSSL_3"]
    assert newest(asked) == ("GCC_4.8.0", "GLIBCXX_3.4.22", "OPENSSL_3")
    assert newest(["GLIBC_ABI_DT_RELR", "GLIBC_PRIVATE", "XML_1"]) == (
        "GLIBC_ABI_DT_RELR", "GLIBC_PRIVATE", "XML_1",
    )  # fmt: skip


@given(st.lists(st.text()))
def test_no_name_of_a_version_breaks_the_choice(names: list[str]) -> None:
    assert set(newest(names)) <= set(names)


@given(st.text())
def test_no_answer_of_a_package_manager_breaks_its_reader(text: str) -> None:
    for known in (parse_dpkg(text), parse_apk(text)):
        assert all(isinstance(owner, str) for owner in known.values())
    assert parse_rpm(text) in {text, None}


def test_rpm_names_the_owner_of_each_file_in_order() -> None:
    ask = ("rpm", "-qf", "--queryformat", "%{NAME}\\n", "--")
    paths = ["/usr/lib64/libz.so.1.2.11", "/opt/x.so"]
    said = "zlib\nfile /opt/x.so is not owned by any package\n"
    host = RecordedHost.made(
        files={"/var/lib/rpm/rpmdb.sqlite": ""},
        absent_below=["/"],
        commands={(*ask, *paths): Ran(1, said, "")},
    )
    assert owners(host, paths) == {paths[0]: "zlib", paths[1]: None}


def test_a_file_that_two_rpms_brought_is_asked_for_alone() -> None:
    ask = ("rpm", "-qf", "--queryformat", "%{NAME}\\n", "--")
    host = RecordedHost.made(
        folders={"/usr/lib/sysimage/rpm": ()},
        absent_below=["/"],
        commands={
            (*ask, "/a", "/b"): Ran(0, "one\nsame\ntwo\n", ""),
            (*ask, "/a"): Ran(0, "one\nsame\n", ""),
            (*ask, "/b"): Ran(0, "two\n", ""),
        },
    )
    assert owners(host, ["/a", "/b"]) == {"/a": "one", "/b": "two"}


def test_apk_keeps_its_owners_in_one_file() -> None:
    text = "P:musl\nV:1.2\nF:lib\nR:ld-musl-x86_64.so.1\n\nP:zlib\nF:usr/lib\nR:libz.so.1.3\n"
    host = RecordedHost.made(files={"/lib/apk/db/installed": text}, absent_below=["/"])
    assert owners(host, ["/lib/ld-musl-x86_64.so.1", "/usr/lib/libz.so.1.3", "/opt/x"]) == {
        "/lib/ld-musl-x86_64.so.1": "musl", "/usr/lib/libz.so.1.3": "zlib", "/opt/x": None,
    }  # fmt: skip


def test_dpkgs_lists_are_read_where_nothing_can_be_run() -> None:
    host = RecordedHost.made(
        files={"/var/lib/dpkg/info/zlib1g:amd64.list": "/.\n/lib/x86_64-linux-gnu/libz.so.1.2\n"},
        absent_below=["/"],
    )
    path = "/usr/lib/x86_64-linux-gnu/libz.so.1.2"
    assert owners(host, [path, "/usr/lib/none.so"]) == {path: "zlib1g", "/usr/lib/none.so": None}


@pytest.mark.parametrize("paths", [[], ["/usr/lib/libz.so.1"]])
def test_a_system_without_packages_says_so(paths: list[str]) -> None:
    silent = Unknown(Reason.NOT_SUPPORTED, "this system has none of dpkg, rpm and apk")
    host = RecordedHost.made(absent_below=["/"])
    assert owners(host, paths) == dict.fromkeys(paths, silent)
