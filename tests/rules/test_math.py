"""CPU005 to CPU007: BLAS, its kernels and threads; SYS008 and FAB001 beside them."""

from __future__ import annotations

import pytest

from envsnap.manifest import Manifest
from envsnap.sections import Adapter, MathLibrary, replace
from tests import made
from tests.rules.machines import (
    FABRIC,
    UNSEEN,
    asked_of_glibc,
    judged,
    machine,
    math,
    missing,
    openblas,
    packages,
    told,
)


def with_blas(*found: MathLibrary, **changes: object) -> Manifest:
    return machine(math=math(*found, **changes))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"version": "0.3.27"},
         [("numerics", "BLAS of numpy: openblas 0.3.29 pthreads -> openblas 0.3.27 pthreads")]),
        ({"kind": "mkl", "version": None, "threading": None},
         [("numerics", "BLAS of numpy: openblas 0.3.29 pthreads -> mkl")]),
        ({"owner": "scipy"}, []),
    ],
)  # fmt: skip
def test_another_blas_is_another_order_of_sums(
    changes: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    assert told(judged("CPU005", with_blas(), with_blas(openblas(**changes)))) == expected


def test_other_kernels_of_the_same_blas_are_told() -> None:
    report = judged("CPU006", with_blas(), with_blas(openblas(kernel="Haswell")))
    assert told(report) == [("numerics", "openblas of numpy: kernels for Zen -> Haswell")]
    assert report.findings[0].remedy == "export OPENBLAS_CORETYPE=Zen"
    assert told(judged("CPU006", with_blas(), with_blas(openblas(kernel=None)))) == []
    newer = openblas(kernel="Haswell", version="0.3.30")
    assert told(judged("CPU006", with_blas(), with_blas(newer))) == []  # CPU005 says it


@pytest.mark.parametrize(
    ("dispatch", "expected", "remedy"),
    [
        (("AVX2",), [], None),
        (("AVX2", "AVX512F"), [("numerics", "NumPy now runs with AVX512F")],
         "export NPY_DISABLE_CPU_FEATURES='AVX512F'"),
        ((), [("numerics", "NumPy now runs without AVX2")], None),
        (None, [], None),
    ],
)  # fmt: skip
def test_numpy_takes_the_newest_instruction_set_it_knows(
    dispatch: tuple[str, ...] | None, expected: list[tuple[str, str]], remedy: str | None
) -> None:
    report = judged("CPU006", with_blas(), with_blas(numpy_dispatch=dispatch))
    assert told(report) == expected
    assert [each.remedy for each in report.findings] == ([remedy] if expected else [])


def test_another_release_of_numpy_names_its_instruction_sets_otherwise() -> None:
    other = packages(made.package("numpy", "1.25.2"))
    found = with_blas(numpy_dispatch=("X86_V3",))
    sections = {**found.sections, "packages": other}
    assert told(judged("CPU006", with_blas(), replace(found, sections=sections))) == []


def test_another_number_of_threads_splits_sums_otherwise() -> None:
    found = with_blas(openblas(threads=8), openblas(owner="scipy", threads=8))
    wanted = with_blas(openblas(), openblas(owner="scipy"))
    report = judged("CPU007", wanted, found)
    assert told(report) == [("numerics", "BLAS of numpy, scipy: 16 -> 8 threads")]
    assert report.findings[0].remedy == "export OMP_NUM_THREADS=16"
    assert told(judged("CPU007", wanted, wanted)) == []


@pytest.mark.parametrize(
    ("code", "field"), [("CPU005", "version"), ("CPU006", "kernel"), ("CPU007", "threads")]
)
def test_what_blas_does_not_tell_is_not_checked(code: str, field: str) -> None:
    blind = with_blas(openblas(**{field: UNSEEN}))
    assert missing(judged(code, with_blas(), blind)) == [
        (f"found math.libraries.{{env}}/numpy.libs/libscipy_openblas.so.{field}",
         "no-permission: for a test")
    ]  # fmt: skip


def test_without_deep_math_is_silent() -> None:
    for code in ("CPU005", "CPU006", "CPU007"):
        assert told(judged(code, machine(), with_blas())) == []
        assert missing(judged(code, with_blas(), machine())) == [
            ("found math", "needs-deep: capture --deep reads it")
        ]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("2.34", []),
        ("2.35", []),
        ("2.36", [("blocks", "numpy needs glibc 2.36 (libc.so.6); here is 2.35")]),
        ("PRIVATE", []),
    ],
)
def test_symbols_of_a_newer_c_library_stop_the_import(
    asked: str, expected: list[tuple[str, str]]
) -> None:
    wanted = machine(system_libraries=asked_of_glibc(asked))
    found = machine(os=made.linux(libc_version="2.35"))
    assert told(judged("SYS008", wanted, found)) == expected


def test_which_c_library_is_here_may_not_be_known() -> None:
    wanted = machine(system_libraries=asked_of_glibc())
    assert missing(judged("SYS008", wanted, machine(os=made.linux(libc_version=UNSEEN)))) == [
        ("found os.libc_version", "no-permission: for a test")
    ]
    assert told(judged("SYS008", wanted, machine(os=made.linux(libc="musl")))) == []
    assert told(judged("SYS008", machine(), machine(os=UNSEEN))) == []


ADAPTER = Adapter(
    name="mlx5_0", model="MT_0000000838", firmware="28.39.1002", link="InfiniBand",
    rate="400 Gb/sec (4X NDR)", state="ACTIVE",
)  # fmt: skip


def test_another_fabric_is_a_note() -> None:
    joined = machine(fabric=replace(FABRIC, adapters=(ADAPTER, ADAPTER), mpi="Open MPI 4.1.4"))
    assert told(judged("FAB001", joined, machine())) == [
        ("note", "adapters: 2 x InfiniBand 400 Gb/sec (4X NDR) -> none"),
        ("note", "MPI: Open MPI 4.1.4 -> none"),
    ]
    assert told(judged("FAB001", joined, joined)) == []
    assert missing(judged("FAB001", machine(), machine(fabric=replace(FABRIC, ucx=UNSEEN)))) == [
        ("found fabric.ucx", "no-permission: for a test")
    ]
