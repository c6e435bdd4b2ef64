"""LIB: what would load, on two sides and on one."""

from __future__ import annotations

import pytest

from envsnap.manifest import Manifest
from envsnap.sections import (
    Consumer,
    Exempt,
    Libraries,
    LibraryCopy,
    SystemLibraries,
    Unknown,
    replace,
)
from tests import made
from tests.rules.machines import (
    CUDNN,
    NEEDS_DEEP,
    TORCH,
    UNSEEN,
    copy,
    judged,
    libraries,
    library,
    machine,
    missing,
    packages,
    told,
    well,
)

OWN = copy()
DECOY = copy(
    source="other", owner=None, content="d" * 64, version=None, location="/opt/decoy/libcudnn.so.9"
)  # fmt: skip
SYSTEM = copy(
    "openmp", "libgomp.so.1", "system", owner="libgomp1", version=None, location="/lib/libgomp.so.1"
)  # fmt: skip


def getting(*copies: LibraryCopy, **more: object) -> Manifest:
    return machine(libraries=libraries(*copies, **more))  # type: ignore[arg-type]


def test_a_decoy_on_the_search_path_is_told() -> None:
    report = judged("LIB001", getting(OWN), getting(DECOY, found_by="LD_LIBRARY_PATH"))
    assert told(report) == [
        ("numerics",
         "cuDNN of torch: nvidia-cudnn-cu12 9.1.0 -> /opt/decoy/libcudnn.so.9 (LD_LIBRARY_PATH)")
    ]  # fmt: skip
    assert report.findings[0].remedy == (
        "leave LD_LIBRARY_PATH and LD_PRELOAD empty, or run it in the container"
    )


def test_the_same_bytes_from_elsewhere_are_a_note() -> None:
    moved = replace(DECOY, content=OWN.content, version="9.1.0")
    assert told(judged("LIB001", getting(OWN), getting(moved))) == [
        ("note", "cuDNN of torch: nvidia-cudnn-cu12 9.1.0 -> another folder 9.1.0")
    ]


def test_a_packages_own_copy_in_another_version_is_the_package_rules_matter() -> None:
    newer = replace(OWN, content="e" * 64, version="9.5.1")
    spelt = replace(newer, owner="nvidia_cudnn_cu12")
    for own in (newer, spelt, replace(newer, location="{base}/lib/libcudnn.so.9")):
        assert told(judged("LIB001", getting(OWN), getting(own))) == []


def test_another_environments_copy_of_the_same_package_is_told() -> None:
    decoy = replace(OWN, content="d" * 64, version="9.5.1", location="{other}/libcudnn.so.9")
    words = "cuDNN of torch: nvidia-cudnn-cu12 9.1.0 -> nvidia-cudnn-cu12"
    assert told(judged("LIB001", getting(OWN), getting(decoy))) == [
        ("numerics", f"{words} in another folder 9.5.1")
    ]
    own = replace(decoy, location=OWN.location)
    report = judged("LIB001", getting(OWN), getting(own, found_by="LD_LIBRARY_PATH"))
    assert told(report) == [("numerics", f"{words} (LD_LIBRARY_PATH) 9.5.1")]
    same = replace(decoy, content=OWN.content)
    assert told(judged("LIB001", getting(OWN), getting(same))) == []
    blind = replace(decoy, content=UNSEEN)
    assert missing(judged("LIB001", getting(OWN), getting(blind))) == [
        ("found libraries.copies.libcudnn.content", "no-permission: for a test")
    ]


OPENBLAS = copy(
    "blas", "libopenblas.so.0", "conda", owner="libopenblas", version="0.3.29",
    location="{env}/lib/libopenblas.so.0",
)  # fmt: skip
MKL = copy(
    "blas", "libmkl_rt.so.2", "conda", owner="mkl", version=None, content="e" * 64,
    location="{env}/lib/libmkl_rt.so.2",
)  # fmt: skip


def test_a_blas_that_another_serves_for_is_told() -> None:
    numpy, exchanged = getting(OPENBLAS, of="numpy"), getting(MKL, of="numpy")
    assert told(judged("LIB001", numpy, exchanged)) == [
        ("numerics", "BLAS of numpy: libopenblas of libopenblas 0.3.29 -> libmkl_rt of mkl")
    ]
    assert told(judged("LIB001", exchanged, numpy)) == [
        ("numerics", "BLAS of numpy: libmkl_rt of mkl -> libopenblas of libopenblas 0.3.29")
    ]


def test_a_package_in_another_version_may_name_its_own_blas_otherwise() -> None:
    older = replace(OPENBLAS, source="pip", owner="numpy", name="libopenblas64_p-r0-0cf96a72.so")
    newer = replace(older, name="libscipy_openblas64_-32a4b2a6.so", content="e" * 64)
    assert told(judged("LIB001", getting(older, of="numpy"), getting(newer, of="numpy"))) == []


def test_a_library_that_is_neither_loaded_nor_missing_is_told() -> None:
    assert told(judged("LIB001", getting(OWN), getting())) == [
        ("numerics", "cuDNN of torch: libcudnn of nvidia-cudnn-cu12 9.1.0 -> not loaded")
    ]
    assert told(judged("LIB001", getting(OWN), getting(missing=("libcudnn.so.9",)))) == []
    cudnn_8 = ("libcudnn.so.8",)  # missing there, too: the package has parts that nobody used
    both = judged("LIB001", getting(OWN, missing=cudnn_8), getting(missing=cudnn_8))
    assert [each for each, _ in told(both)] == ["numerics"]
    by_a_link = getting(missing=("libblas.so.3",))
    assert told(judged("LIB001", getting(OPENBLAS), by_a_link)) == []
    assert missing(judged("LIB001", getting(OWN), getting(missing=UNSEEN))) == [
        ("found libraries.consumers.torch.missing", "no-permission: for a test")
    ]
    driver = copy("driver", "libcuda.so.1", "system", owner=None, location="/lib/libcuda.so.1")
    assert told(judged("LIB001", getting(driver), getting())) == []


def test_an_openmp_that_a_variable_adds_is_told() -> None:
    intel = copy(
        "openmp", "libiomp5.so", "other", owner=None, version=None, location="/opt/libiomp5.so"
    )
    loads = libraries(SYSTEM, intel)
    assert isinstance(loads.consumers, tuple)
    (torch,) = loads.consumers
    assert isinstance(torch.loads, tuple)
    by_preload = (torch.loads[0], replace(torch.loads[1], found_by="LD_PRELOAD"))
    added = replace(loads, consumers=(replace(torch, loads=by_preload),))
    report = judged("LIB001", getting(SYSTEM), machine(libraries=added))
    assert told(report) == [
        ("numerics",
         ("OpenMP of torch: libgomp of the system's libgomp1 -> libgomp of the system's "
          "libgomp1, libiomp5 of /opt/libiomp5.so (LD_PRELOAD)"))
    ]  # fmt: skip
    assert report.findings[0].remedy == (
        "leave LD_LIBRARY_PATH and LD_PRELOAD empty, or run it in the container"
    )
    assert told(judged("LIB001", getting(SYSTEM), getting(SYSTEM, intel))) == []


def test_the_systems_copy_is_known_by_its_bytes_not_by_its_packages_name() -> None:
    renamed = replace(SYSTEM, owner="libgomp")
    assert told(judged("LIB001", getting(SYSTEM), getting(renamed))) == []
    other = replace(renamed, content="e" * 64)
    assert told(judged("LIB001", getting(SYSTEM), getting(other))) == [
        ("numerics", "libgomp of torch: the system's libgomp1 -> the system's libgomp")
    ]


def test_libraries_that_no_digit_depends_on_are_a_note() -> None:
    there = replace(SYSTEM, family="libstdc++", name="libstdc++.so.6")
    here = copy(
        "libstdc++", "libstdc++.so.6", "conda", owner="libstdcxx-ng", version=None,
        content="e" * 64,
    )  # fmt: skip
    assert told(judged("LIB001", getting(there), getting(here))) == [
        ("note", "libstdc++ of torch: the system's libgomp1 -> libstdcxx-ng")
    ]


def test_what_several_packages_get_from_elsewhere_is_told_once() -> None:
    def both(library: LibraryCopy) -> Manifest:
        one, other = libraries(library), libraries(library, of="jax")
        assert isinstance(one.consumers, tuple)
        assert isinstance(other.consumers, tuple)
        return machine(libraries=replace(one, consumers=other.consumers + one.consumers))

    assert [what for _, what in told(judged("LIB001", both(OWN), both(DECOY)))] == [
        "cuDNN of jax, torch: nvidia-cudnn-cu12 9.1.0 -> another folder"
    ]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"content": UNSEEN}, "found libraries.copies.libcudnn.content"),
        ({"source": UNSEEN}, "found libraries.copies[0].source"),
    ],
)
def test_a_copy_that_was_not_seen_whole_is_not_checked(
    changes: dict[str, object], path: str
) -> None:
    found = getting(replace(DECOY, **changes))
    assert missing(judged("LIB001", getting(OWN), found)) == [(path, "no-permission: for a test")]


def test_a_plain_capture_asks_nothing_and_answers_nothing() -> None:
    plain, deep = machine(), getting(OWN)
    for code in ("LIB001", "LIB002"):
        assert told(judged(code, plain, deep)) == []
        assert missing(judged(code, deep, plain)) == [("found libraries", str(NEEDS_DEEP))]
    for code in ("LIB003", "LIB004"):
        assert told(well(code, plain)) == []
        assert missing(well(code, machine(libraries=UNSEEN))) == [
            ("libraries", "no-permission: for a test")
        ]


def test_a_library_that_is_nowhere_here_stops_the_import() -> None:
    lacking = getting(missing=("libsndfile.so.1",), of="soundfile")
    assert told(judged("LIB002", getting(of="soundfile"), lacking)) == [
        ("blocks", "libsndfile.so.1, which soundfile needs, is not here")
    ]
    assert told(judged("LIB002", lacking, lacking)) == [
        ("note", "libsndfile.so.1, which soundfile needs, is not here")
    ]
    assert told(judged("LIB002", lacking, getting(of="soundfile"))) == []


INSTALL = "install the system package that has it, or run it in the container"


@pytest.mark.parametrize(
    ("loads", "brought", "remedy"),
    [
        ((), (), INSTALL),
        ((OWN,), ("libcudnn.so.9", "libcufft.so.11", "libcutensor.so.2"),
         ("for libcudnn.so.9 import first what loads it: torch; for libcufft.so.11, "
          "libcutensor.so.2 put the folder of the package that brings it on LD_LIBRARY_PATH")),
        ((OWN,), (),
         "for libcudnn.so.9 import first what loads it: torch; for the others " + INSTALL),
        ((replace(OWN, source="system"),), (), INSTALL),
    ],
)  # fmt: skip
def test_a_missing_library_that_a_package_brings_needs_no_system_package(
    loads: tuple[LibraryCopy, ...], brought: tuple[str, ...], remedy: str
) -> None:
    known = libraries(*loads)
    assert isinstance(known.consumers, tuple)
    lacks = ("libcudnn.so.9", "libcufft.so.11", "libcutensor.so.2")
    cupy = Consumer(distribution="cupy-cuda12x", loads=(), missing=lacks)
    exempt = tuple(Exempt(name=name, why="brought", needed_by=()) for name in brought)
    both = machine(
        libraries=replace(known, consumers=(cupy, *known.consumers)),
        system_libraries=SystemLibraries(needed=(), exempt=exempt),
    )
    report = judged("LIB002", both, both)
    assert told(report) == [("note", f"{', '.join(lacks)}, which cupy-cuda12x needs, are not here")]
    assert report.findings[0].remedy == remedy


def test_the_drivers_own_libraries_are_the_driver_rules_matter() -> None:
    assert told(judged("LIB002", getting(), getting(missing=("libcuda.so.1",)))) == []


def test_what_is_missing_may_not_be_known() -> None:
    assert missing(judged("LIB002", getting(), getting(missing=UNSEEN))) == [
        ("found libraries.consumers.torch.missing", "no-permission: for a test")
    ]


def test_two_openmp_runtimes_in_one_package_are_a_note() -> None:
    intel = replace(
        SYSTEM, name="libiomp5.so", source="pip", owner="intel-openmp", location="{env}/libiomp5.so"
    )
    assert told(well("LIB003", getting(SYSTEM, intel))) == [
        (
            "note",
            (
                "OpenMP twice for torch: libgomp of the system's libgomp1 and libiomp5 of "
                "intel-openmp"
            ),
        )
    ]
    assert told(well("LIB003", getting(SYSTEM))) == []


def test_packages_that_get_different_cuda_libraries_are_a_note() -> None:
    one, other = libraries(OWN), libraries(DECOY, of="cupy")
    assert isinstance(one.consumers, tuple)
    assert isinstance(other.consumers, tuple)
    both = Libraries(copies=(OWN, DECOY), consumers=one.consumers + other.consumers)
    assert told(well("LIB003", machine(libraries=both))) == [
        ("note", "copies of libcudnn: another folder and nvidia-cudnn-cu12 9.1.0")
    ]
    same = replace(DECOY, content=OWN.content)
    alike = replace(both, copies=(OWN, same))
    assert told(well("LIB003", machine(libraries=alike))) == []


def test_what_loads_replaces_what_is_installed() -> None:
    from envsnap.sections import Cuda

    installed = Cuda(libraries=(library("cudnn", "9.1.0"), library("cudnn", "8.9.7")), nvcc=None)
    assert told(well("CUD010", machine(cuda=installed))) != []
    assert told(well("CUD010", machine(cuda=installed, libraries=libraries(OWN)))) == []


def parts(*versions: object) -> Manifest:
    names = ("libcudnn.so.9", "libcudnn_ops.so.9", "libcudnn_graph.so.9")
    return getting(
        *(
            copy(name=name, version=version, location=f"{{env}}/{name}")
            for name, version in zip(names, versions, strict=False)
        )
    )


def test_parts_of_two_cudnn_releases_do_not_work_together() -> None:
    assert told(well("LIB004", parts("9.1.0", "9.1.0", None))) == []
    assert told(well("LIB004", parts("9.1.0", "9.5.1"))) == [
        ("degrades", "torch gets parts of cuDNN 9.1.0 and 9.5.1")
    ]
    assert missing(well("LIB004", parts("9.1.0", UNSEEN))) == [
        ("libraries.copies[1].version", "no-permission: for a test")
    ]


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("9.1.0", []),
        ("9.10.2", []),
        ("9.0.0", [("degrades",
                    "torch 2.5.1 is built with cuDNN 9.1.0; what loads is 9.0.0")]),
        ("8.9.7", [("blocks", "torch 2.5.1 is built with cuDNN 9.1.0; what loads is 8.9.7")]),
        (None, []),
    ],
)  # fmt: skip
def test_torch_needs_the_cudnn_minor_that_it_was_built_with(
    version: str | None, expected: list[tuple[str, str]]
) -> None:
    assert told(well("LIB005", getting(copy(version=version)))) == expected


def test_without_deep_the_installed_cudnn_stands_in() -> None:
    old = machine(packages=packages(TORCH, replace(CUDNN, version="8.9.2.26")))
    assert told(well("LIB005", old)) == [
        ("blocks", "torch 2.5.1 is built with cuDNN 9.1.0; nvidia-cudnn-cu12 here is 8.9.2")
    ]
    assert told(well("LIB005", machine())) == []
    assert told(well("LIB005", machine(packages=packages(TORCH)))) == []


def test_a_torch_newer_than_the_tables_ran_with_its_cudnn_where_it_was_captured() -> None:
    newer = machine(packages=packages(made.package("torch", "99.0.0"), CUDNN))
    other = machine(
        packages=packages(made.package("torch", "99.0.0"), replace(CUDNN, version="9.9.0.1"))
    )
    assert told(judged("LIB005", newer, newer)) == []
    for report in (well("LIB005", newer), judged("LIB005", newer, other)):
        ((path, reason),) = missing(report)
        assert path.endswith("packages.installed.torch.version")
        assert reason.startswith("not-supported: torch 99.0.0 is newer than facts of 2026-")


def test_which_cudnn_loads_may_not_be_known() -> None:
    assert missing(well("LIB005", getting(copy(version=UNSEEN)))) == [
        ("libraries.copies[0].version", "no-permission: for a test")
    ]


def test_a_machine_without_its_environment_has_nothing_to_load() -> None:
    from envsnap.profiles import NO_ENVIRONMENT

    bare: Unknown = NO_ENVIRONMENT
    found = machine(packages=bare, python=bare)
    assert told(judged("LIB005", machine(), found)) == []


def test_a_package_that_gets_two_copies_does_not_drift_from_itself() -> None:
    own = replace(SYSTEM, source="pip", owner="torch", location="{env}/torch/lib/libgomp.so.1")
    both = getting(SYSTEM, own)
    assert told(judged("LIB001", both, both)) == []
    assert told(judged("LIB001", both, getting(SYSTEM))) == [
        ("note", "libgomp of torch: torch -> the system's libgomp1")
    ]
