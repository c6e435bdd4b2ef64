"""glibc's order, one rule at a time, on machines that are written down."""

from __future__ import annotations

import struct

from envsnap.host import Binary
from envsnap.loader import Answer, Linked, Loader
from envsnap.sections import Fact, Reason, Unknown
from tests.loader.machines import LINKER, PYTHON, V2, elf, host, loaded, needs

MODULE = "/env/m.so"


def test_the_interpreter_s_own_files_stand_first() -> None:
    machine = host({MODULE: elf("libz.so.1"), "/usr/lib64/libz.so.1": elf("libc.so.6")})
    assert loaded(machine, MODULE) == (
        Linked(
            PYTHON,
            (
                Answer(LINKER, LINKER, "path"),
                Answer("libc.so.6", "/lib64/libc.so.6", "default"),
                Answer(MODULE, MODULE, "path"),
            ),
        ),
        Linked(LINKER, ()),
        Linked("/lib64/libc.so.6", ()),
        Linked(MODULE, (Answer("libz.so.1", "/usr/lib64/libz.so.1", "default"),)),
        Linked("/usr/lib64/libz.so.1", (Answer("libc.so.6", "/lib64/libc.so.6", "loaded"),)),
    )


def libraries(module: Binary, *folders: str) -> dict[str, Fact[Binary | None]]:
    return {MODULE: module, **{f"{folder}/libz.so.1": elf() for folder in folders}}


def test_rpath_comes_before_ld_library_path_and_runpath_after_it() -> None:
    environ = {"LD_LIBRARY_PATH": "/ld"}
    rpath = host(libraries(elf("libz.so.1", rpath=["/own"]), "/own", "/ld"), environ=environ)
    runpath = host(libraries(elf("libz.so.1", runpath=["/own"]), "/own", "/ld"), environ=environ)
    assert needs(rpath, MODULE) == [("/own/libz.so.1", "rpath")]
    assert needs(runpath, MODULE) == [("/ld/libz.so.1", "LD_LIBRARY_PATH")]


def test_the_rpath_of_those_who_led_there_helps_unless_there_is_a_runpath() -> None:
    def machine(middle: Binary) -> list[tuple[str | None, str]]:
        return needs(
            host(
                {
                    MODULE: elf("liba.so", rpath=["/own"]),
                    "/own/liba.so": middle,
                    "/own/libz.so.1": elf(),
                    "/usr/lib64/libz.so.1": elf(),
                }
            ),
            MODULE,
            of="/own/liba.so",
        )

    assert machine(elf("libz.so.1")) == [("/own/libz.so.1", "rpath")]
    assert machine(elf("libz.so.1", runpath=["/gone"])) == [("/usr/lib64/libz.so.1", "default")]


def test_the_program_s_rpath_helps_everybody_as_conda_has_it() -> None:
    program = elf("libc.so.6", rpath=["$ORIGIN/../lib"], interpreter=LINKER)
    found = libraries(elf("libz.so.1"), "/env/lib", "/usr/lib64")
    assert needs(host(found, program=program), MODULE) == [("/env/lib/libz.so.1", "rpath")]


def test_a_library_that_is_loaded_answers_for_its_soname() -> None:
    machine = host(
        {
            MODULE: elf("/opt/libz-of-ours.so", "libz.so.1"),
            "/opt/libz-of-ours.so": elf(soname="libz.so.1"),
            "/usr/lib64/libz.so.1": elf(soname="libz.so.1"),
        }
    )
    assert needs(machine, MODULE) == [
        ("/opt/libz-of-ours.so", "path"),
        ("/opt/libz-of-ours.so", "loaded"),
    ]


def test_origin_is_the_folder_of_the_link_and_not_of_the_file() -> None:
    machine = host(
        {
            MODULE: elf("libb.so", runpath=["/links"]),
            "/real/libb.so": elf("libz.so.1", runpath=["$ORIGIN"]),
            "/real/libz.so.1": elf(),
            "/links/libz.so.1": elf(),
        },
        links={"/links/libb.so": "/real/libb.so"},
    )
    assert needs(machine, MODULE, of="/real/libb.so") == [("/links/libz.so.1", "runpath")]


def test_the_best_folder_for_the_processor_is_taken() -> None:
    places = ("/own", "/own/glibc-hwcaps/x86-64-v2", "/own/glibc-hwcaps/x86-64-v3")
    found = libraries(elf("libz.so.1", runpath=["/own"]), *places)
    assert needs(host(found, files={"/proc/cpuinfo": V2}), MODULE) == [
        ("/own/glibc-hwcaps/x86-64-v2/libz.so.1", "runpath")
    ]
    assert needs(host(found), MODULE) == [("/own/libz.so.1", "runpath")]


def test_a_library_for_another_machine_is_passed_by() -> None:
    machine = host(
        {
            MODULE: elf("libz.so.1", runpath=["/arm", "/own"]),
            "/arm/libz.so.1": elf(machine="aarch64"),
            "/own/libz.so.1": elf(),
        }
    )
    assert needs(machine, MODULE) == [("/own/libz.so.1", "runpath")]


def test_a_file_that_is_no_library_ends_the_search() -> None:
    found = libraries(elf("libz.so.1", runpath=["/script", "/own"]), "/own")
    machine = host(found, files={"/script/libz.so.1": "GROUP ( libz.a )"})
    assert loaded(machine, MODULE)[-1] == Linked(MODULE, (Answer("libz.so.1", None, ""),))


def test_a_library_that_the_user_may_not_read_is_passed_by() -> None:
    found = libraries(elf("libz.so.1", runpath=["/closed", "/own"]), "/own")
    found["/closed/libz.so.1"] = Unknown(Reason.NO_PERMISSION, "libz.so.1")
    assert needs(host(found), MODULE) == [("/own/libz.so.1", "runpath")]


def test_a_library_that_could_not_be_read_answers_and_its_own_needs_are_unknown() -> None:
    found = libraries(elf("libz.so.1", runpath=["/own"]))
    found["/own/libz.so.1"] = Unknown(Reason.TIMED_OUT, "libz.so.1")
    loader = Loader(host(found), PYTHON)
    closure = loader.closure(MODULE)
    assert not isinstance(closure, Unknown)
    assert closure[-1] == Linked("/own/libz.so.1", ())
    assert loader.unread == {"/own/libz.so.1": Unknown(Reason.TIMED_OUT, "libz.so.1")}


def test_what_is_preloaded_is_there_before_all_needs() -> None:
    machine = host(
        {
            MODULE: elf("libz.so.1"),
            "/opt/mine.so": elf(soname="libz.so.1"),
            "/usr/lib64/libz.so.1": elf(soname="libz.so.1"),
            "/usr/lib64/libtwo.so": elf(),
        },
        environ={"LD_PRELOAD": "/opt/mine.so:libgone.so"},
        files={"/etc/ld.so.preload": "libtwo.so # everywhere\n"},
    )
    assert needs(machine, MODULE) == [("/opt/mine.so", "loaded")]
    assert needs(machine, MODULE, of=PYTHON)[1:3] == [
        ("/opt/mine.so", "LD_PRELOAD"),
        ("/usr/lib64/libtwo.so", "LD_PRELOAD"),
    ]


def test_an_empty_part_of_ld_library_path_is_the_working_folder() -> None:
    found = libraries(elf("libz.so.1"), "/place", "/usr/lib64")
    for value in (":/gone", "/gone:", "/gone;;", "."):
        machine = host(found, environ={"LD_LIBRARY_PATH": value})
        answer = needs(machine, MODULE)[0]
        assert answer[0] in {"/place/libz.so.1", "/place/./libz.so.1"}, value
    assert needs(host(found, environ={"LD_LIBRARY_PATH": ""}), MODULE) == [
        ("/usr/lib64/libz.so.1", "default")
    ]


def test_the_default_folders_are_those_that_the_linker_was_built_with() -> None:
    linker = b"\x7fELF\0\1/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0"
    found = libraries(
        elf("libz.so.1", "liblib.so", runpath=["/own/$LIB"]), "/usr/lib/x86_64-linux-gnu"
    )
    found["/own/lib/x86_64-linux-gnu/liblib.so"] = elf()
    found["/lib/x86_64-linux-gnu/libc.so.6"] = elf()
    machine = host(found, files={LINKER: linker})
    assert needs(machine, MODULE) == [
        ("/usr/lib/x86_64-linux-gnu/libz.so.1", "default"),
        ("/own/lib/x86_64-linux-gnu/liblib.so", "runpath"),
    ]


def test_the_cache_answers_before_the_default_folders() -> None:
    texts = b"libz.so.1\0/cuda/libz.so.1\0"
    start = 48 + 24
    cache = b"glibc-ld.so.cache1.1" + struct.pack("<II4sI12s", 1, len(texts), b"\2", 0, b"")
    cache += struct.pack("<iIIIQ", 0x0303, start, start + 10, 0, 0) + texts
    found = libraries(elf("libz.so.1"), "/usr/lib64", "/cuda")
    machine = host(found, files={"/etc/ld.so.cache": cache})
    assert needs(machine, MODULE) == [("/cuda/libz.so.1", "cache")]


def test_needs_that_go_round_in_a_circle_end() -> None:
    machine = host(
        {
            MODULE: elf("liba.so", runpath=["/own"]),
            "/own/liba.so": elf("libb.so", runpath=["/own"]),
            "/own/libb.so": elf("liba.so", runpath=["/own"]),
        }
    )
    assert needs(machine, MODULE, of="/own/libb.so") == [("/own/liba.so", "loaded")]


def test_a_program_without_a_linker_opens_nothing() -> None:
    static = Loader(host({}, program=elf()), PYTHON).closure(MODULE)
    script = Loader(host({PYTHON: None}), PYTHON).closure(MODULE)
    gone = Loader(host({}), "/gone/python").closure(MODULE)
    assert [static, script, gone] == [
        Unknown(Reason.NOT_SUPPORTED, "the interpreter is linked statically"),
        Unknown(Reason.NOT_SUPPORTED, "the interpreter is no ELF program"),
        Unknown(Reason.NOT_SUPPORTED, "the interpreter's program is not there"),
    ]


def test_a_library_that_asks_for_too_much_costs_little() -> None:
    folders = [f"/gone/{number}" for number in range(100_000)]
    names = [f"libgone{number}.so" for number in range(50_000)]
    machine = host({MODULE: elf(*names, runpath=folders)})
    found = loaded(machine, MODULE)[-1].needs
    assert (len(found), {need.path for need in found}) == (1024, {None})
