"""What whoever built a library left in it of their own folders is in no manifest."""

from __future__ import annotations

from envsnap._capture import capture
from envsnap.host import RecordedHost, Uname
from envsnap.manifest import encode
from envsnap.probes import Look, Options
from envsnap.probes._deep._copies import copies
from envsnap.sections import Libraries, Reason, SystemLibraries, Unknown
from tests.elves import library
from tests.probes.environments import SITE, answered, dist

PYTHON = "/home/ada/work/.venv/bin/python"
CANARY = "alice"
BUILT = f"/data/{CANARY}/secret-project/build"
MODULE, BLAS = f"{SITE}/app/_app.abi3.so", f"{SITE}/app.libs/libopenblas.so.0"
PLUG_IN = f"{SITE}/app/plugins/libgui.so"
BINARIES = {
    PYTHON: library(interpreter="/lib64/ld.so"),
    "/lib64/ld.so": library(soname="ld.so"),
    MODULE: library(
        needed=(f"{BUILT}/libgone.so", BLAS, f"../{CANARY}/libnear.so"),
        rpath=(BUILT,), imports=True, versions=((f"{BUILT}/libgone.so", (f"{BUILT}_1.0",)),),
    ),
    BLAS: library(soname=f"{BUILT}/libopenblas.so.0", texts=("OpenBLAS 0.3.29",)),
    PLUG_IN: library(needed=(f"{BUILT}/libgui.so.1",), sass=("sm_80",)),
}  # fmt: skip


def machine() -> RecordedHost:
    names = [path.removeprefix(f"{SITE}/") for path in (MODULE, BLAS, PLUG_IN)]
    return RecordedHost.made(
        files={
            "/home/ada/work/.venv/pyvenv.cfg": "home = /usr/bin\n",
            **dist("app", "1.0", RECORD="".join(f"{name},,\n" for name in names)),
        },
        binaries=BINARIES,
        contents={BLAS: "ab" * 32},
        absent_below=["/"],
        environ={"PATH": "/usr/bin"},
        commands={(PYTHON, "-c", "{script}", "envsnap-paths-1:"): answered(SITE)},
        uname=Uname("Linux", "6.1.0", "#1 SMP", "x86_64"),
        cwd="/home/ada/work",
        home="/home/ada",
    )


def test_no_section_of_a_deep_capture_tells_a_builder_s_folder() -> None:
    manifest = capture(machine(), Options(deep=True))
    libraries, system = manifest.section(Libraries), manifest.section(SystemLibraries)
    assert isinstance(libraries, Libraries)
    assert isinstance(system, SystemLibraries)
    assert not isinstance(libraries.copies, Unknown)
    assert not isinstance(libraries.consumers, Unknown)
    assert not isinstance(system.needed, Unknown)
    assert not isinstance(system.exempt, Unknown)
    lacking = ("{other}/libgone.so", "{other}/libnear.so")
    assert [each.name for each in libraries.copies] == ["{other}/libopenblas.so.0"]
    assert [each.missing for each in libraries.consumers] == [lacking]
    assert [(each.name, each.versions) for each in system.needed] == [
        (lacking[0], ("{other}/build_1.0",)), (lacking[1], ()),
    ]  # fmt: skip
    assert [each.name for each in system.exempt] == ["{other}/libgui.so.1"]
    assert CANARY not in encode(manifest)


def test_no_library_of_a_run_tells_a_builder_s_folder() -> None:
    nothing = Unknown(Reason.NOT_ASKED)
    look = Look(host=machine(), options=Options(), have={}, environment=lambda: nothing)
    found = copies(look, [BLAS])
    assert [each.name for each in found] == ["{other}/libopenblas.so.0"]
    assert CANARY not in repr(found)
