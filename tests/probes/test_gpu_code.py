"""The GPU code of an environment's libraries, as a capture tells it."""

from __future__ import annotations

from collections.abc import Mapping

from envsnap._capture import capture
from envsnap.host import Binary, RecordedHost
from envsnap.probes import Options
from envsnap.sections import CodeFile, Fact, GpuCode, Reason, Unknown
from tests.probes.environments import SITE, answered, dist

PYTHON = "/home/ada/work/.venv/bin/python"
ROW = "torch/lib/libtorch_cuda.so,,\n"
TORCH = f"{SITE}/torch/lib/libtorch_cuda.so"


def holding(
    sass: tuple[str, ...] = (), ptx: tuple[str, ...] = (), amd: tuple[str, ...] = ()
) -> Binary:
    return Binary(
        machine="x86_64", bits=64, soname=None, needed=(), rpath=(), runpath=(), interpreter=None,
        versions=(), imports=False, sass=sass, ptx=ptx, amd=amd, compat=None, texts=(),
    )  # fmt: skip


def captured(
    binaries: Mapping[str, Fact[Binary | None]],
    record: str,
    links: Mapping[str, str] | None = None,
) -> GpuCode:
    host = RecordedHost.made(
        files={
            PYTHON: "",
            "/home/ada/work/.venv/pyvenv.cfg": "home = /usr/bin\n",
            **dist("torch", "2.8.0", RECORD=record),
        },
        absent_below=["/"],
        environ={"PATH": "/usr/bin"},
        commands={(PYTHON, "-c", "{script}", "envsnap-paths-1:"): answered(SITE)},
        cwd="/home/ada/work",
        home="/home/ada",
        binaries=binaries,
        links=links or {},
        folders={"/data/libs": ()},
    )
    options = Options(digests=False, deep=True)
    found = capture(host, options, sections=frozenset({"gpu_code"})).section(GpuCode)
    assert isinstance(found, GpuCode), found
    return found


def code(
    distribution: Fact[str | None],
    path: str,
    *,
    sass: Fact[tuple[str, ...]] = (),
    ptx: Fact[tuple[str, ...]] = (),
    amd: Fact[tuple[str, ...]] = (),
) -> CodeFile:
    location = "{env}/lib/python3.11/site-packages/" + path
    return CodeFile(distribution=distribution, location=location, sass=sass, ptx=ptx, amd=amd)


def test_libraries_with_gpu_code_are_told_with_their_distribution() -> None:
    found = captured(
        {
            TORCH: holding(("sm_80", "sm_90a"), ("compute_90",)),
            f"{SITE}/torch/lib/libc10.so": holding(),
            f"{SITE}/loose.so": holding(amd=("gfx942",)),
        },
        "torch/lib/libtorch_cuda.so,,\ntorch/lib/libc10.so,,\n",
    )
    assert found.files == (
        code(None, "loose.so", amd=("gfx942",)),
        code("torch", "torch/lib/libtorch_cuda.so", sass=("sm_80", "sm_90a"), ptx=("compute_90",)),
    )


def test_an_environment_without_gpu_code_has_none() -> None:
    found = captured({TORCH: holding()}, "torch/lib/libtorch_cuda.so,,\n")
    assert found.files == ()


def test_compressed_code_of_amds_is_unknown_and_the_rest_stands() -> None:
    found = captured({TORCH: holding(("sm_80",), amd=("compressed", "gfx90a"))}, ROW)
    why = Unknown(Reason.NOT_SUPPORTED, "the code is compressed in a form not read here")
    assert found.files == (code("torch", "torch/lib/libtorch_cuda.so", sass=("sm_80",), amd=why),)


def test_a_library_that_could_not_be_read_may_hold_code() -> None:
    why = Unknown(Reason.NO_PERMISSION, "libtorch_cuda.so")
    broken = Unknown(Reason.UNPARSABLE, "its tables end")
    found = captured(
        {
            TORCH: why,
            f"{SITE}/torch/lib/broken.so": broken,
            f"{SITE}/torch/lib/libc10.so": holding(),
        },
        "torch/lib/broken.so,,\n" + ROW,
    )
    assert found.files == (
        code("torch", "torch/lib/broken.so", sass=broken, ptx=broken, amd=broken),
        code("torch", "torch/lib/libtorch_cuda.so", sass=why, ptx=why, amd=why),
    )


def test_a_folder_that_could_not_be_looked_through_is_nobody_s() -> None:
    found = captured({f"{SITE}/loose.so": holding()}, "", links={f"{SITE}/out": "/data/libs"})
    why = Unknown(Reason.NOT_SUPPORTED, "a link that leads out of the search path")
    assert found.files == (code(why, "out", sass=why, ptx=why, amd=why),)
