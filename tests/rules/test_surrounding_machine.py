"""SYS009 to SYS013, CUD011 and PRJ: what a machine brings beside Python and its packages."""

from __future__ import annotations

import pytest

from envsnap.manifest import Manifest
from envsnap.sections import Container, Cuda, Libraries, Reason, Unknown, replace
from tests import made
from tests.rules.book.packages import BASE, having
from tests.rules.book.system import asked_of_cxx, at, cluster, on
from tests.rules.machines import (
    NEEDS_DEEP,
    UNSEEN,
    copy,
    gpu,
    judged,
    libraries,
    machine,
    missing,
    told,
    well,
)


def with_cxx(version: object, source: str = "system", **system: object) -> Manifest:
    """A machine whose system has that libstdc++, as `--deep` met it."""
    file = copy("libstdc++", "libstdc++.so.6", source, version=version, owner="libstdc++6")
    return machine(libraries=libraries(file), os=made.linux(**system))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (with_cxx("6.0.30", distribution="nobodys"), []),
        (with_cxx("6.0.29", distribution="nobodys"),
         [("blocks", "torch needs GLIBCXX_3.4.30 of libstdc++; here is 3.4.29")]),
        (with_cxx("6.0.33", "conda", distribution="rocky", distribution_version="9.4"),
         [("blocks", "torch needs GLIBCXX_3.4.30 of libstdc++; here is 3.4.29")]),
        (with_cxx(None), []),
        (with_cxx(UNSEEN), []),
        (on(distribution="ubuntu", distribution_version="22.04"), []),
        (on(distribution="ubuntu", distribution_version="20.04"),
         [("blocks", "torch needs GLIBCXX_3.4.30 of libstdc++; here is 3.4.28")]),
        (on(libc="musl", libc_version="1.2.5"), []),
    ],
)  # fmt: skip
def test_the_found_systems_own_file_comes_before_the_table(
    found: Manifest, expected: list[tuple[str, str]]
) -> None:
    assert told(judged("SYS009", asked_of_cxx(), found)) == expected


@pytest.mark.parametrize(
    ("system", "path", "why"),
    [
        ({"distribution": "nobodys", "distribution_version": "1"}, "os.distribution_version",
         "nobodys 1 is not in the table 'manylinux'"),
        ({"distribution": None, "distribution_version": None}, "os.distribution_version",
         "which C++ library a system without a release has is not known"),
        ({"distribution": "sles", "distribution_version": "15.5"}, "os.distribution_version",
         "which C++ library sles 15.5 has is not in the tables"),
    ],
)  # fmt: skip
def test_a_distribution_of_which_nobody_told_is_not_checked(
    system: dict[str, object], path: str, why: str
) -> None:
    report = judged("SYS009", asked_of_cxx(), on(**system))
    assert missing(report) == [(f"found {path}", f"not-supported: {why}")]


def test_a_capture_that_was_not_deep_says_nothing_of_libstdcxx() -> None:
    report = judged("SYS009", BASE, BASE)
    assert (report.findings, report.not_checked, report.judged) == ((), (), {})


def test_modules_are_a_condition_where_nobody_read_what_they_bring() -> None:
    wanted, found = cluster("gcc/13", "cuda/12.4"), cluster()
    report = judged("SYS011", wanted, found)
    assert told(report) == [("note", "not loaded here: gcc/13, cuda/12.4")]
    assert report.findings[0].remedy == "module load gcc/13 cuda/12.4"
    assert [each.text for each in report.conditions] == [
        "which libraries programs get from modules was not read"
    ]
    read = {"libraries": Libraries(copies=(), consumers=())}
    deep = [machine(**{**side.sections, **read}) for side in (wanted, found)]
    assert judged("SYS011", *deep).conditions == ()
    assert wanted.sections["libraries"] is NEEDS_DEEP


def test_a_missing_gpu_is_asked_for_by_a_job_on_a_login_node() -> None:
    report = judged("GPU001", machine(), cluster(devices=False))
    assert [each.remedy for each in report.findings] == ["srun --gres=gpu:1 envsnap check"]
    elsewhere = judged("GPU001", machine(), machine(gpu=gpu()))
    assert [each.remedy for each in elsewhere.findings] == ["a machine with an NVIDIA GPU"]


def test_a_login_node_is_told_on_either_side_and_at_capture() -> None:
    login, node = cluster(devices=False), cluster()
    assert told(well("SYS012", login)) == [
        ("note", "a node of slurm without a GPU, outside of a job")
    ]
    assert well("SYS012", login).findings[0].remedy == "srun --gres=gpu:1 envsnap capture"
    report = judged("SYS012", node, login)
    assert told(report) == [("note", "a node of slurm without a GPU, outside of a job")]
    assert report.findings[0].remedy == "srun --gres=gpu:1 envsnap check"
    assert report.conditions == ()
    assert told(well("SYS012", node)) == []


def test_a_node_without_a_gpu_matters_to_what_computes_on_one_alone() -> None:
    login = machine(**{**cluster(devices=False).sections, "packages": having(
        *made.PACKAGES).sections["packages"]})  # fmt: skip
    assert told(well("SYS012", login)) == []
    unseen = machine(**{**login.sections, "packages": UNSEEN})
    assert missing(well("SYS012", unseen)) == [("packages", "no-permission: for a test")]


def test_another_image_of_the_same_engine_is_told_with_its_name() -> None:
    one, other = (
        machine(container=Container(kind="apptainer", image=image, host_libraries=()))
        for image in ("a.sif", UNSEEN)
    )
    assert told(judged("SYS013", one, other)) == [("note", "apptainer, a.sif -> apptainer")]


def test_nvcc_is_held_against_pytorch_alone() -> None:
    nvcc = Cuda(libraries=(), nvcc="11.8.89")
    cupy = having(made.package("cupy-cuda12x", "13.0")).sections["packages"]
    assert told(well("CUD011", machine(cuda=nvcc, packages=cupy))) == []
    assert told(well("CUD011", machine(cuda=Cuda(libraries=(), nvcc=None)))) == []
    alone = Unknown(Reason.NOT_ASKED, "--host-only")
    assert told(well("CUD011", machine(cuda=nvcc, packages=alone, python=alone))) == []


def test_another_projects_commit_tells_nothing() -> None:
    found = at(commit="b" * 40)
    renamed = replace(found.sections["project"], name="another")
    assert told(judged("PRJ002", at(), machine(project=renamed))) == []
    assert judged("PRJ002", at(), found).findings[0].remedy == f"git checkout {'a' * 40}"
