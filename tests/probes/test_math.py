from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap._capture import capture
from envsnap.host import Binary, LocalHost, Ran, RecordedHost, Uname
from envsnap.inside import answer
from envsnap.loader import Answer, Linked
from envsnap.probes import Options
from envsnap.probes._deep._blas import parse
from envsnap.probes._deep._numpy_sets import Switches, taken
from envsnap.probes.math import needs_of, parse_texts
from envsnap.sections import Math, MathLibrary, Reason, Unknown
from tests.inside.test_paths import found as found_python
from tests.probes.environments import SITE, dist
from tests.probes.test_cpu import SKYLAKE_FLAGS
from tests.probes.test_system_libraries import EXTENSION, PYTHON, SYSTEM, binary, hello

SKYLAKE = (
    f"processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Xeon\nflags\t\t: {SKYLAKE_FLAGS}\n"
)
CORE = f"{SITE}/numpy/_core/_multiarray_umath.{EXTENSION}"
OPENBLAS = f"{SITE}/numpy.libs/libscipy_openblas64_-1.so"
NUMPY_TEXTS = ("NumPy baseline X86_V2", "NumPy dispatch X86_V3 X86_V4 AVX512_ICL")
MARKER = "envsnap-blas-1:"
TOLD = {
    "kind": "openblas",
    "version": "0.3.31.188.0",
    "build": "USE64BITINT DYNAMIC_ARCH NO_AFFINITY MAX_THREADS=64",
    "kernel": "SkylakeX",
    "threading": "pthreads",
    "threads": 16,
}
LIBRARY = MathLibrary(
    kind="openblas",
    version="0.3.31.188.0",
    build="USE64BITINT DYNAMIC_ARCH NO_AFFINITY MAX_THREADS=64",
    threading="pthreads",
    kernel="SkylakeX",
    threads=16,
    owner="numpy",
    location="{env}/lib/python3.11/site-packages/numpy.libs/libscipy_openblas64_-1.so",
)


def line(told: object) -> str:
    return f"\n{MARKER}{json.dumps(told).encode().hex()}\n"


def captured(
    said: Ran | Unknown | None = None,
    *,
    texts: tuple[str, ...] = NUMPY_TEXTS,
    site: bool = True,
    more: Mapping[str, Binary] = MappingProxyType({}),
    path: tuple[str, ...] = (SITE,),
    **environ: str,
) -> Math:
    """The section of an environment with NumPy, and what its OpenBLAS answers."""
    core = binary("libscipy_openblas64_-1.so", imports=True, runpath=("$ORIGIN/../../numpy.libs",))
    bundled = binary(soname="libscipy_openblas64_-1.so")
    files: dict[str, Binary] = {
        CORE: core._replace(texts=texts),
        OPENBLAS: bundled._replace(texts=("OpenBLAS 0.3.31.188.0",)),
    }
    record = "".join(f"{each.removeprefix(SITE + '/')},,\n" for each in files)
    host = RecordedHost.made(
        files={
            PYTHON: "", "/home/ada/work/.venv/pyvenv.cfg": "home = /usr/bin\n",
            "/proc/cpuinfo": SKYLAKE, **dist("numpy", "2.5.1", RECORD=record),
        },
        binaries={**SYSTEM, **files, **more},
        absent_below=["/"],
        environ={"PATH": "/usr/bin", **environ},
        commands={
            (PYTHON, "-c", "{script}", "envsnap-paths-1:"): hello(*path),
            (PYTHON, "-I", "-S", "-c", "{script}", "envsnap-paths-1:"): hello(*path),
            (PYTHON, "-I", "-S", "-c", "{script}", MARKER, OPENBLAS): said or line(TOLD),
        },
        uname=Uname("Linux", "6.1.0-18-amd64", "#1 SMP", "x86_64"),
        cwd="/home/ada/work",
        home="/home/ada",
    )  # fmt: skip
    options = Options(deep=True, digests=False, site=site)
    section = capture(host, options, sections=frozenset({"math", "packages", "cpu"})).section(Math)
    assert isinstance(section, Math), section
    return section


def test_a_blas_says_what_it_is_and_numpy_what_it_takes_on_this_processor() -> None:
    assert captured() == Math(
        libraries=(LIBRARY,), numpy_baseline=("X86_V2",), numpy_dispatch=("X86_V3", "X86_V4")
    )


def test_a_library_that_crashes_is_unknown_alone_and_its_file_still_tells_its_version() -> None:
    section = captured(Ran(-11, "", "Fatal Python error: Segmentation fault\n"))
    why = Unknown(
        Reason.CRASHED,
        "it ended with signal 11 when it was asked: Fatal Python error: Segmentation fault",
    )
    assert section.libraries == (
        MathLibrary(
            kind="openblas", version="0.3.31.188.0", build=why, threading=why, kernel=why,
            threads=why, owner="numpy", location=LIBRARY.location,
        ),
    )  # fmt: skip
    assert section.numpy_dispatch == ("X86_V3", "X86_V4")


def test_the_folders_in_a_librarys_complaint_are_left_out() -> None:
    told = {"error": "/home/ada/my work/libopenblas.so.0: undefined symbol: x (/home/ada/a.so)"}
    said = parse(Ran(0, line(told), ""), "openblas")
    assert str(said.version) == (
        "crashed: it cannot be opened: libopenblas.so.0: undefined symbol: x (a.so)"
    )


def test_what_a_library_needs_comes_behind_what_that_needs() -> None:
    closure = (
        Linked(
            "/a", (Answer("b", "/b", "runpath"), Answer("libc.so.6", "/lib/libc.so.6", "cache"))
        ),
        Linked("/b", (Answer("c", "/c", "runpath"), Answer("a", "/a", "loaded"))),
        Linked("/c", (Answer("b", "/b", "loaded"), Answer("d", None, ""))),
    )
    assert needs_of({"/m": closure}, ["/a", "/x"], {"/a", "/b", "/c"}) == {
        "/a": ("/c", "/b"), "/x": (),
    }  # fmt: skip


def test_no_library_is_opened_where_none_of_the_environments_code_may_run() -> None:
    section = captured(site=False)
    why = Unknown(Reason.NOT_ASKED, "to open a library is to run its code")
    assert not isinstance(section.libraries, Unknown)
    assert [(each.version, each.threads) for each in section.libraries] == [("0.3.31.188.0", why)]


def test_the_users_switches_are_respected() -> None:
    off = captured(NPY_DISABLE_CPU_FEATURES="X86_V4, AVX512_ICL")
    on = captured(NPY_ENABLE_CPU_FEATURES="X86_V4")
    assert (off.numpy_dispatch, on.numpy_dispatch) == (("X86_V3",), ("X86_V4",))


def test_a_numpy_that_tells_nothing_in_its_file_is_unknown() -> None:
    section = captured(texts=())
    why = Unknown(Reason.NOT_SUPPORTED, "NumPy 2.5.1 does not tell it in its file")
    assert (section.numpy_baseline, section.numpy_dispatch) == (why, why)


def test_of_two_numpys_on_the_path_the_first_one_tells() -> None:
    behind = f"/usr/lib/python3/dist-packages/numpy/core/_multiarray_umath.{EXTENSION}"
    other = binary(imports=True)._replace(texts=("NumPy baseline SSE", "NumPy dispatch AVX2"))
    both = captured(more={behind: other}, path=(SITE, "/usr/lib/python3/dist-packages"))
    reverse = captured(more={behind: other}, path=("/usr/lib/python3/dist-packages", SITE))
    assert (both.numpy_baseline, reverse.numpy_baseline) == (("X86_V2",), ("SSE",))


def test_a_name_that_is_newer_than_the_table_is_not_guessed() -> None:
    section = captured(texts=("NumPy baseline X86_V2", "NumPy dispatch X86_V3 AVX10"))
    why = Unknown(Reason.NOT_SUPPORTED, "not all of these are known: X86_V3, AVX10")
    assert (section.numpy_baseline, section.numpy_dispatch) == (("X86_V2",), why)


def test_a_numpy_without_dispatch_takes_nothing_more() -> None:
    assert parse_texts(["NumPy dispatch", "GCC 8.5.0"]) == {"dispatch": ()}
    assert captured(texts=("NumPy dispatch",)).numpy_dispatch == ()


@pytest.mark.parametrize(
    ("dispatch", "features", "expected"),
    [
        (["AVX512_ICL"], "avx512f avx512cd avx512bw avx512dq avx512vl", ()),
        (["ASIMDHP", "ASIMDDP", "SVE"], "fp asimd asimdhp asimddp", ("ASIMDHP", "ASIMDDP")),
        (["VX", "VXE", "VXE2"], "esan3 vx vxe", ("VX", "VXE")),
        (["FMA3", "AVX2"], "avx2 fma", ("FMA3", "AVX2")),
        (["VSX4"], "", None),
    ],
)
def test_a_set_is_taken_where_the_processor_has_all_of_it(
    dispatch: list[str], features: str, expected: tuple[str, ...] | None
) -> None:
    assert taken(dispatch, features.split(), (2, 0)) == expected


def test_the_switch_that_enables_is_as_old_as_it_is() -> None:
    on = Switches(enable="AVX2")
    features = {"avx", "avx2"}
    assert taken(["AVX", "AVX2"], features, (1, 24), on) == ("AVX", "AVX2")
    assert taken(["AVX", "AVX2"], features, (1, 25), on) == ("AVX2",)


@given(st.text(), st.integers(-64, 255))
def test_no_answer_of_a_library_breaks_the_reader(text: str, status: int) -> None:
    said = parse(Ran(status, text, text), "openblas")
    assert said.kind in {"openblas", None}


@given(
    st.dictionaries(
        st.sampled_from(["kind", "version", "build", "threading", "kernel", "threads", "error"]),
        st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers()),
    )
)
def test_what_a_library_answers_is_a_short_line_or_nothing(told: dict[str, object]) -> None:
    said = parse(Ran(0, line(told), ""), "openblas")
    for each in (said.version, said.build, said.threading, said.kernel):
        assert each is None or isinstance(each, Unknown) or (each.isprintable() and each[:400])


REAL = [
    ("3.7", "1.21.6"), ("3.8", "1.20.3"), ("3.9", "1.22.4"), ("3.9", "2.0.2"),
    ("3.10", "1.26.4"), ("3.12", "2.2.6"), ("3.13", "2.3.5"), ("3.13", "2.5.0"),
]  # fmt: skip
ASK_NUMPY = """
import json
try:
    from numpy._core import _multiarray_umath as core
except ImportError:
    from numpy.core import _multiarray_umath as core
have = core.__cpu_features__
print(json.dumps([core.__cpu_baseline__, [each for each in core.__cpu_dispatch__ if have[each]]]))
"""
ASK_THREADPOOLCTL = """
import json, os
import numpy, scipy.linalg, sklearn.cluster
from threadpoolctl import threadpool_info
print(json.dumps([
    [os.path.realpath(each["filepath"]), each["version"], each["num_threads"],
     each.get("threading_layer"), each.get("architecture")]
    for each in threadpool_info()
]))
"""


def made(folder: Path, python: str, *requirements: str) -> str:
    """An environment with these packages; its interpreter."""
    subprocess.run([python, "-m", "venv", "--without-pip", str(folder)], check=True)
    uv = [str(Path(sys.executable).parent / "uv"), "pip", "install", "-q", "--only-binary", ":all:"]
    inside = str(folder / "bin" / "python")
    subprocess.run([*uv, "--python", inside, *requirements], check=True)
    return inside


def section_of(python: str) -> Math:
    options = Options(python=python, deep=True, digests=False)
    wanted = frozenset({"math", "packages", "cpu"})
    section = capture(LocalHost(), options, sections=wanted).section(Math)
    assert isinstance(section, Math), section
    return section


def told_by(python: str, program: str, **environ: str) -> list[list[str]]:
    ran = subprocess.run(
        [python, "-c", program], capture_output=True, check=True, env={**os.environ, **environ}
    )
    answered = json.loads(ran.stdout)
    assert isinstance(answered, list)
    return answered


@pytest.mark.network
@pytest.mark.parametrize(("release", "version"), REAL)
def test_numpy_itself_says_the_same(
    release: str, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = found_python(release)
    if base is None:
        pytest.skip(f"there is no Python {release} here")
    python = made(tmp_path / "env", base, f"numpy=={version}")
    baseline, dispatch = told_by(python, ASK_NUMPY)
    section = section_of(python)
    assert section.numpy_baseline == tuple(baseline)
    assert section.numpy_dispatch == tuple(dispatch)
    if dispatch:
        monkeypatch.setenv("NPY_DISABLE_CPU_FEATURES", dispatch[-1])
        assert section_of(python).numpy_dispatch == tuple(told_by(python, ASK_NUMPY)[1])


@pytest.mark.network
@pytest.mark.parametrize("threads", [None, "1"])
def test_threadpoolctl_says_the_same_after_the_import(
    threads: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = ("numpy", "scipy", "scikit-learn", "threadpoolctl")
    python = made(tmp_path / "env", sys.executable, *wanted)
    if threads:
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
    real = os.path.realpath(tmp_path / "env")
    section = section_of(python)
    assert not isinstance(section.libraries, Unknown)
    ours = {
        each.location.replace("{env}", real): [
            None if each.kind == "libgomp" else each.version,
            each.threads, each.threading, each.kernel,
        ]
        for each in section.libraries
    }  # fmt: skip
    assert ours == {path: rest for path, *rest in told_by(python, ASK_THREADPOOLCTL)}


def test_the_marker_is_found_in_what_the_script_wrote() -> None:
    assert answer(line(TOLD).encode(), MARKER) == TOLD
