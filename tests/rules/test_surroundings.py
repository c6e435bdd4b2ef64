"""CUD, ENG and ENV: the system's libraries, container engines and variables."""

from __future__ import annotations

import pytest

from envsnap.manifest import Manifest
from envsnap.sections import Container, Cuda, CudaLibrary, Engine, Environ, Fact
from tests import made
from tests.rules.machines import (
    UNSEEN,
    device,
    engine,
    engines,
    gpu,
    judged,
    library,
    machine,
    missing,
    packages,
    told,
    well,
)


def having(*libraries: CudaLibrary) -> Manifest:
    return machine(cuda=Cuda(libraries=libraries, nvcc=None))


def test_another_system_library_is_numerics() -> None:
    theirs, ours = library("cudnn", "9.1.0"), library("cudnn", "9.5.1")
    assert told(judged("CUD001", having(theirs), having(ours))) == [
        ("numerics", "the system's cuDNN 9.1.0 -> 9.5.1")
    ]
    assert told(judged("CUD001", having(theirs), having())) == [
        ("numerics", "the system's cuDNN 9.1.0 -> none")
    ]


def test_beside_a_packages_copy_the_systems_is_a_note() -> None:
    wanted = having(library("cudnn", "9.1.0"), library("cudnn", "9.1.0.70", "pip"))
    assert told(judged("CUD001", wanted, having(library("cudnn", "9.5.1")))) == [
        ("note", "the system's cuDNN 9.1.0 -> 9.5.1")
    ]


def test_a_library_without_a_version_is_left_open() -> None:
    wanted = having(library("cudnn", UNSEEN))
    assert missing(judged("CUD001", wanted, wanted)) == [
        ("cuda.libraries.cudnn.version", "no-permission: for a test")
    ]


def test_without_system_libraries_the_other_side_need_not_be_known() -> None:
    assert told(judged("CUD001", having(), machine(cuda=UNSEEN))) == []


def test_two_versions_of_cudnn_are_a_note() -> None:
    found = having(library("cudnn", "8.9.7"), library("cudnn", "9.1.0.70", "pip"))
    assert told(well("CUD010", found)) == [
        ("note", "2 versions of cuDNN: 8.9.7 (system), 9.1.0.70 (pip)")
    ]
    same = having(library("cudnn", "9.1.0"), library("cudnn", "9.1.0.70", "pip"))
    assert told(well("CUD010", same)) == []


def with_shm(shm_mib: Fact[int | None], kind: str | None = None) -> Manifest:
    container = Container(kind=kind, image=None, host_libraries=())
    return machine(engines=engines(shm_mib=shm_mib), container=container)


def test_shared_memory_is_judged_in_a_container_alone() -> None:
    wanted = with_shm(32768)
    assert told(judged("ENG003", wanted, with_shm(64))) == []
    assert told(judged("ENG003", wanted, with_shm(None))) == []
    assert told(judged("ENG003", wanted, with_shm(None, "docker"))) == [
        ("degrades", "shared memory: 32 GiB -> none")
    ]


def test_what_ran_with_as_little_shared_memory_runs_there() -> None:
    for theirs in (64, None):
        assert told(judged("ENG003", with_shm(theirs), with_shm(32, "docker"))) == []


def test_shared_memory_that_nobody_told_is_not_none() -> None:
    report = judged("ENG003", with_shm(32768), with_shm(UNSEEN, "docker"))
    assert missing(report) == [("found engines.shm_mib", "no-permission: for a test")]


def running(*found: Engine, **changes: object) -> Manifest:
    return machine(engines=engines(*found, **changes))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ((engine(),), []),
        ((engine(usable=False), engine("apptainer")), []),
        ((engine(usable=False),), [("blocks", "docker cannot be used by this user")]),
        ((), [("blocks", "no container engine is installed")]),
    ],
)
def test_a_container_needs_an_engine(
    found: tuple[Engine, ...], expected: list[tuple[str, str]]
) -> None:
    assert told(judged("ENG001", machine(), running(*found))) == expected


def test_inside_a_container_the_question_is_answered() -> None:
    inside = Container(kind="docker", image=None, host_libraries=())
    found = machine(engines=engines(), container=inside)
    assert told(judged("ENG001", machine(), found)) == []


def test_an_engine_that_could_not_be_asked_leaves_it_open() -> None:
    found = running(engine(usable=UNSEEN), engine("podman", usable=False))
    assert missing(judged("ENG001", machine(), found)) == [
        ("found engines.found.docker.usable", "no-permission: for a test")
    ]


@pytest.mark.parametrize(
    ("found", "toolkit", "expected"),
    [
        ((engine(),), "1.16.2", []),
        ((engine(),), None, [("blocks", "docker has no NVIDIA container toolkit here")]),
        ((engine(), engine("apptainer")), None, []),
        ((), None, []),  # ENG001's matter
    ],
)
def test_docker_needs_the_toolkit_for_a_gpu(
    found: tuple[Engine, ...], toolkit: str | None, expected: list[tuple[str, str]]
) -> None:
    there = running(*found, container_toolkit=toolkit)
    assert told(judged("ENG002", machine(), there)) == expected


def test_without_gpu_packages_nobody_needs_the_toolkit() -> None:
    wanted = machine(packages=packages(made.package("idna", "3.7")))
    assert told(judged("ENG002", wanted, running(engine(), container_toolkit=UNSEEN))) == []


def test_a_toolkit_that_was_not_seen_leaves_it_open() -> None:
    found = running(engine(), container_toolkit=UNSEEN)
    assert missing(judged("ENG002", machine(), found)) == [
        ("found engines.container_toolkit", "no-permission: for a test")
    ]


def setting(**variables: str) -> Manifest:
    return machine(environ=Environ(variables=variables))


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        ({}, {}, []),
        ({"OMP_NUM_THREADS": "8"}, {}, [("numerics", "OMP_NUM_THREADS: 8 -> not set")]),
        ({}, {"MKL_CBWR": "AVX2"}, [("numerics", "MKL_CBWR: not set -> AVX2")]),
        ({"OMP_SCHEDULE": "static"}, {}, [("numerics", "OMP_SCHEDULE: static -> not set")]),
        ({"LANG": "C"}, {"LANG": "de_DE"}, [("note", "LANG: C -> de_DE")]),
        ({"CUDA_HOME": "x" * 40}, {}, [("note", f"CUDA_HOME: {'x' * 21}... -> not set")]),
    ],
)
def test_variables_are_graded_by_what_they_change(
    wanted: dict[str, str], found: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    assert told(judged("ENV001", setting(**wanted), setting(**found))) == expected


@pytest.mark.parametrize(
    ("wanted", "found", "remedy"),
    [
        ({"OMP_NUM_THREADS": "8"}, {}, "export OMP_NUM_THREADS=8"),
        ({"LANG": "C; reboot"}, {}, "export 'LANG=C; reboot'"),
        ({"LANG": "$(reboot)"}, {}, "export 'LANG=$(reboot)'"),
        ({"OMP_X;reboot": "1"}, {}, "export 'OMP_X;reboot=1'"),
        ({}, {"OMP_X;reboot": "1"}, "unset 'OMP_X;reboot'"),
        ({}, {"-f": "1"}, None),
        ({"LD_LIBRARY_PATH": "{home}/lib"}, {}, None),
    ],
)
def test_a_variable_is_quoted_in_the_line_to_paste(
    wanted: dict[str, str], found: dict[str, str], remedy: str | None
) -> None:
    report = judged("ENV001", setting(**wanted), setting(**found))
    assert [each.remedy for each in report.findings] == [remedy]


def test_a_missing_switch_is_a_condition_where_a_gpu_computes() -> None:
    text = "CUBLAS_WORKSPACE_CONFIG was not set at capture"
    assert [each.text for each in judged("ENV002", setting(), setting()).conditions] == [text]
    assert judged("ENV002", machine(), machine()).conditions == ()
    without = machine(gpu=gpu(), environ=Environ(variables={}))
    assert judged("ENV002", without, machine(gpu=gpu(device()))).conditions == ()


def test_variables_that_were_not_seen_are_not_judged() -> None:
    assert missing(judged("ENV001", machine(), machine(environ=UNSEEN))) == [
        ("found environ", "no-permission: for a test")
    ]


def test_a_value_that_was_cut_for_publication_is_left_open() -> None:
    wanted, found = {"CUDA_HOME": "{other}/..."}, {"CUDA_HOME": "/usr/local/cuda"}
    assert missing(judged("ENV001", setting(**wanted), setting(**found))) == [
        ("wanted environ.variables.CUDA_HOME", "not-asked: cut by --anonymous")
    ]
