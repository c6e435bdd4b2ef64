from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from envsnap.host import LocalHost, Ran
from envsnap.inside import answer, source
from envsnap.probes._deep._blas import Said, kind_of, parse
from envsnap.sections import Reason, Unknown
from tests.inside.test_paths import found

COMPILER = shutil.which("cc") or shutil.which("gcc")
pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason="no C compiler for the stand-ins"),
    pytest.mark.skipif(sys.platform != "linux", reason="the libraries are Linux's"),
]
MARKER = "envsnap-blas-1:"
OPENBLAS = """
const char *scipy_openblas_get_config64_(void) {
    return "OpenBLAS 0.3.99.dev  USE64BITINT DYNAMIC_ARCH NO_AFFINITY Zen MAX_THREADS=64";
}
const char *scipy_openblas_get_corename64_(void) { return "Zen"; }
int scipy_openblas_get_parallel64_(void) { return 1; }
"""
THREADS = "int scipy_openblas_get_num_threads64_(void) { return 7; }"
ANSWERS = {
    "kind": "openblas",
    "version": "0.3.99.dev",
    "build": "USE64BITINT DYNAMIC_ARCH NO_AFFINITY MAX_THREADS=64",
    "kernel": "Zen",
    "threading": "pthreads",
    "threads": 7,
}


def made(folder: Path, name: str, text: str, *options: str) -> Path:
    code = folder / f"{name}.c"
    code.write_text(text)
    command = [str(COMPILER), "-shared", "-fPIC", "-o", str(folder / name), str(code), *options]
    subprocess.run(command, check=True)
    return folder / name


def asked(library: Path, *, timeout_s: float = 10.0) -> Ran | Unknown:
    command = [sys.executable, "-I", "-S", "-c", source("blas"), MARKER, str(library)]
    return LocalHost().run(command, timeout_s=timeout_s)


def said(library: Path) -> Said:
    ran = asked(library)
    assert isinstance(ran, Ran)
    return parse(ran, kind_of(library.name))


def test_a_library_is_asked_by_the_functions_that_it_has(tmp_path: Path) -> None:
    library = made(tmp_path, "libscipy_openblas64_-1.so", OPENBLAS + THREADS)
    told = dict(ANSWERS, version="0.3.99.dev")
    build = str(told["build"])
    assert said(library) == Said("openblas", "0.3.99.dev", build, "pthreads", "Zen", 7)


@pytest.mark.parametrize("release", ["2.7", "3.6", "3.8", "3.13"])
def test_every_python_that_an_environment_may_have_can_ask(release: str, tmp_path: Path) -> None:
    python = found(release)
    if python is None:
        pytest.skip(f"there is no Python {release} here")
    library = made(tmp_path, "libscipy_openblas64_-1.so", OPENBLAS + THREADS)
    alone = ["-E", "-s", "-S"] if release == "2.7" else ["-I", "-S"]
    command = [python, *alone, "-c", source("blas"), MARKER, str(library)]
    ran = subprocess.run(command, capture_output=True, check=True)
    assert ran.stderr == b""
    assert answer(b"\n".join(reversed(ran.stdout.split(b"\n"))), MARKER) == ANSWERS


def test_what_was_answered_before_a_crash_stands(tmp_path: Path) -> None:
    crash = "int scipy_openblas_get_num_threads64_(void) { return *(volatile int *)0; }"
    told = said(made(tmp_path, "libscipy_openblas64_-1.so", OPENBLAS + crash))
    why = Unknown(Reason.CRASHED, "it ended with signal 11 when it was asked: it said no more")
    build = str(ANSWERS["build"])
    assert told == Said("openblas", "0.3.99.dev", build, "pthreads", "Zen", why)


def test_a_library_that_ends_the_process_as_it_is_opened_is_unknown(tmp_path: Path) -> None:
    text = """
#include <stdio.h>
#include <stdlib.h>
__attribute__((constructor)) static void start(void) {
    fputs("FATAL: this processor is too old\\n", stderr);
    exit(2);
}
"""
    why = Unknown(
        Reason.CRASHED, "it ended with status 2 when it was asked: FATAL: this processor is too old"
    )
    told = said(made(tmp_path, "libopenblas.so.0", text))
    assert told == Said("openblas", why, why, why, why, why)


def test_a_library_that_hangs_is_given_up(tmp_path: Path) -> None:
    text = (
        "#include <unistd.h>\n"
        "__attribute__((constructor)) static void start(void) { for (;;) pause(); }"
    )
    started = time.monotonic()
    library = made(tmp_path, "libgomp.so.1", text)
    python = os.path.basename(sys.executable)
    late = Unknown(Reason.TIMED_OUT, f"{python} did not answer within 1 s")
    assert asked(library, timeout_s=1) == late
    assert time.monotonic() - started < 10


def test_what_a_library_prints_and_says_is_not_believed(tmp_path: Path) -> None:
    text = (
        "#include <stdio.h>\n"
        '__attribute__((constructor)) static void start(void) { puts("envsnap-blas-1:7b"); }\n'
        'const char *bli_info_get_version_str(void) { return "9.9\\033[2J\\n"; }\n'
        "int bli_info_get_enable_openmp(void) { return 0; }\n"
        "int bli_thread_get_num_threads(void) { return -1; }\n"
    )
    told = said(made(tmp_path, "libblis.so.4", text))
    assert told == Said("blis", "9.9 [2J", None, "disabled", None, 1)


def test_a_name_that_passes_on_to_another_file_is_not_a_second_copy(tmp_path: Path) -> None:
    real = made(tmp_path, "libopenblas.so.0", OPENBLAS + THREADS)
    front = made(tmp_path, "libblas.so.3", "int front;", "-Wl,--no-as-needed", str(real))
    silent = Unknown(Reason.NOT_SUPPORTED, "it has none of the known functions")
    assert said(front) == Said(None, silent, silent, silent, silent, silent)
    assert said(real).version == "0.3.99.dev"


def test_what_a_library_needs_is_opened_before_it(tmp_path: Path) -> None:
    helper = made(tmp_path, "libhelper.so", "int help(void) { return 3; }", "-Wl,-soname,libh.so.1")
    text = (
        OPENBLAS + "int help(void);\nint scipy_openblas_get_num_threads64_(void) { return help(); }"
    )
    library = made(tmp_path, "libopenblas.so.0", text, str(helper))
    alone = said(library)
    why = Unknown(
        Reason.CRASHED,
        "it cannot be opened: libh.so.1: cannot open shared object file: No such file or directory",
    )
    assert alone == Said("openblas", why, why, why, why, why)
    command = [sys.executable, "-I", "-S", "-c", source("blas"), MARKER, str(library), str(helper)]
    ran = LocalHost().run(command)
    assert isinstance(ran, Ran)
    assert parse(ran, "openblas").threads == 3


def test_a_file_that_is_no_library_says_so(tmp_path: Path) -> None:
    broken = tmp_path / "libgomp.so.1"
    broken.write_text("GROUP(libgomp.so)")
    why = Unknown(Reason.CRASHED, "it cannot be opened: libgomp.so.1: file too short")
    assert said(broken) == Said("libgomp", why, why, why, why, why)


def test_the_openmp_runtime_of_this_machine_counts_its_threads() -> None:
    library = next(
        (each for each in Path("/usr/lib").glob("*/libgomp.so.1") if each.exists()), None
    )
    if library is None:
        pytest.skip("no libgomp here")
    told = said(library)
    expected = int(os.environ.get("OMP_NUM_THREADS", "0")) or len(os.sched_getaffinity(0))
    assert told == Said("libgomp", None, None, None, None, expected)
