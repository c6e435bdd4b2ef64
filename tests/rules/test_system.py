"""SYS and CPU: the system, its C library, the processor and the memory."""

from __future__ import annotations

import pytest

from envsnap.manifest import Manifest
from envsnap.rules import Level, compare
from envsnap.sections import Environ, Memory
from tests import made
from tests.rules.book.system import asked_of_cxx
from tests.rules.machines import UNSEEN, cpu, judged, machine, missing, packages, told

PURE = packages(made.package("idna", "3.7"))


def on(**changes: object) -> Manifest:
    return machine(os=made.linux(**changes))


def needing(*platforms: str) -> Manifest:
    tags = tuple(f"cp311-cp311-{each}" for each in platforms)
    return machine(packages=packages(made.package("numpy", "2.0", tags=tags)))


@pytest.mark.parametrize(
    ("code", "changes", "expected"),
    [
        ("SYS001", {"system": "Darwin"}, [("blocks", "Linux -> Darwin")]),
        ("SYS002", {"architecture": "aarch64"}, [("blocks", "x86_64 -> aarch64")]),
        ("SYS002", {"architecture": "AMD64"}, []),
        ("SYS003", {"architecture": "aarch64"}, [("blocks", "an image for x86_64 on aarch64")]),
        (
            "SYS003",
            {"architecture": "arm64", "system": "Darwin"},
            [("degrades", "an image for x86_64 on aarch64: emulated, slow")],
        ),
        ("SYS005", {"libc_version": "2.35"}, [("numerics", "glibc 2.36 -> glibc 2.35")]),
        ("SYS005", {"libc": None, "libc_version": None}, [("numerics", "glibc 2.36 -> none")]),
        ("SYS006", {"distribution": "ubuntu", "distribution_version": "22.04"},
         [("note", "debian 12 -> ubuntu 22.04")]),
        ("SYS007", {"kernel": "6.8.0"}, [("note", "kernel 6.1.0 -> 6.8.0")]),
    ],
)  # fmt: skip
def test_what_another_system_means(
    code: str, changes: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    assert told(judged(code, on(), on(**changes))) == expected


@pytest.mark.parametrize(
    ("code", "fact"),
    [
        ("SYS001", "system"), ("SYS002", "architecture"), ("SYS003", "architecture"),
        ("SYS004", "libc"), ("SYS004", "libc_version"), ("SYS005", "libc_version"),
        ("SYS006", "distribution"), ("SYS007", "kernel"),
    ],
)  # fmt: skip
def test_a_system_that_was_not_seen_is_not_judged(code: str, fact: str) -> None:
    assert missing(judged(code, on(), on(**{fact: UNSEEN}))) == [
        (f"found os.{fact}", "no-permission: for a test")
    ]


@pytest.mark.parametrize(
    ("platforms", "glibc", "expected"),
    [
        (["manylinux_2_28_x86_64"], "2.28", []),
        (["manylinux_2_28_x86_64"], "2.27",
         [("blocks", "numpy needs glibc 2.28; here is 2.27")]),
        (["manylinux_2_28_x86_64", "manylinux2014_x86_64"], "2.17", []),
        (["manylinux_2_17_x86_64.manylinux2014_x86_64"], "2.16",
         [("blocks", "numpy needs glibc 2.17; here is 2.16")]),
        (["linux_x86_64"], "2.5", []),
        (["any"], "2.5", []),
    ],
)  # fmt: skip
def test_a_wheels_tag_is_the_floor_of_the_c_library(
    platforms: list[str], glibc: str, expected: list[tuple[str, str]]
) -> None:
    assert told(judged("SYS004", needing(*platforms), on(libc_version=glibc))) == expected


def test_wheels_for_glibc_do_not_run_on_musl() -> None:
    report = judged("SYS004", needing("manylinux2014_x86_64"), on(libc="musl"))
    assert told(report) == [("blocks", "1 package needs glibc; here is musl")]


def test_the_floor_is_that_of_the_most_demanding_wheel() -> None:
    wanted = machine(
        packages=packages(
            made.package("a", "1", tags=("cp311-cp311-manylinux_2_9_x86_64",)),
            made.package("b", "1", tags=("cp311-cp311-manylinux_2_34_x86_64",)),
        )
    )
    assert told(judged("SYS004", wanted, on(libc_version="2.31"))) == [
        ("blocks", "b needs glibc 2.34; here is 2.31")
    ]


def test_a_wheel_without_tags_leaves_the_floor_open() -> None:
    wanted = machine(packages=packages(made.package("a", "1", tags=UNSEEN)))
    assert missing(judged("SYS004", wanted, on())) == [
        ("wanted packages.installed.a.tags", "no-permission: for a test")
    ]


def test_another_microarchitecture_is_numerics_with_what_it_lacks() -> None:
    found = machine(cpu=cpu(microarchitecture="haswell", features=("avx", "rdrand")))
    assert told(judged("CPU001", machine(), found)) == [
        ("numerics", "zen3 -> haswell, without avx2, fma")
    ]
    found = machine(cpu=cpu(microarchitecture="zen4", generic_level="x86_64_v4", features=UNSEEN))
    assert told(judged("CPU001", machine(), found)) == [("numerics", "zen3 -> zen4")]


def test_without_numerical_libraries_another_processor_is_a_note() -> None:
    pure = machine(packages=PURE)
    zen4 = machine(cpu=cpu(microarchitecture="zen4", generic_level="x86_64_v4"))
    report = judged("CPU001", pure, zen4)
    assert told(report) == [("note", "zen3 -> zen4")]
    assert [(each.why, each.lowers) for each in report.findings] == [(
        "no library is installed that is known to choose its code by the processor", Level.BITWISE,
    )]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "tag", "outcome"),
    [
        ("polars", "cp311-abi3-manylinux_2_17_x86_64", "numerics"),
        ("polars", "py3-none-any", "note"),
        ("pydantic-core", "cp311-cp311-manylinux_2_17_x86_64", "note"),
    ],
)
def test_what_is_compiled_and_known_to_compute_chooses_its_code(
    name: str, tag: str, outcome: str
) -> None:
    wanted = machine(packages=packages(made.package(name, "1", tags=(tag,))))
    found = machine(cpu=cpu(microarchitecture="zen3plus"))
    assert told(judged("CPU001", wanted, found)) == [(outcome, "zen3 -> zen3plus")]


def test_without_fma_the_c_library_rounds_otherwise() -> None:
    old = cpu(microarchitecture="sandybridge", generic_level="x86_64_v2", features=UNSEEN)
    report = judged("CPU001", machine(packages=PURE), machine(cpu=old))
    assert told(report) == [("numerics", "zen3 -> sandybridge")]
    assert [(each.why, each.lowers) for each in report.findings] == [
        ("the C library's functions round otherwise with FMA than without", Level.STATISTICAL)
    ]


@pytest.mark.parametrize(
    ("sections", "path"),
    [
        ({"packages": UNSEEN}, "wanted packages"),
        ({"packages": packages(made.package("idna", "3.7"), unlisted=UNSEEN)},
         "wanted packages.unlisted"),
    ],
)  # fmt: skip
def test_where_packages_are_not_known_another_processor_is_named_and_left_open(
    sections: dict[str, object], path: str
) -> None:
    found = machine(cpu=cpu(microarchitecture="zen4", threads=8))
    for code, outcome in (("CPU001", "note"), ("CPU003", "perf")):
        report = judged(code, machine(**sections), found)
        assert [str(each.outcome) for each in report.findings] == [outcome]
        assert [each.path for each in report.not_checked] == [path]


def test_a_processor_that_was_not_seen_is_not_judged() -> None:
    for code, fact in (("CPU001", "microarchitecture"), ("CPU003", "threads")):
        report = judged(code, machine(), machine(cpu=cpu(**{fact: UNSEEN})))
        assert missing(report) == [(f"found cpu.{fact}", "no-permission: for a test")]


LOCAL = packages(
    made.package("ours", "1", tags=("cp311-cp311-linux_x86_64",)),
    made.package("numpy", "2", tags=("cp311-cp311-manylinux_2_28_x86_64",)),
)


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("x86_64_v2", [("degrades", "x86_64_v3 -> x86_64_v2, and ours was compiled there")]),
        ("x86_64_v3", []),
        ("x86_64_v4", []),
        (None, []),
    ],
)
def test_a_lower_level_matters_to_what_was_compiled_there(
    level: str | None, expected: list[tuple[str, str]]
) -> None:
    found = machine(cpu=cpu(generic_level=level))
    assert told(judged("CPU002", machine(packages=LOCAL), found)) == expected


def test_a_lower_level_does_not_matter_to_wheels_of_an_index() -> None:
    assert told(judged("CPU002", machine(), machine(cpu=cpu(generic_level="x86_64_v2")))) == []


def test_another_number_of_threads_splits_sums_otherwise() -> None:
    report = judged("CPU003", machine(), machine(cpu=cpu(threads=8)))
    assert told(report) == [("numerics", "16 -> 8 threads")]
    assert [(each.why, each.remedy, each.lowers) for each in report.findings] == [(
        "Sums on the CPU are split by its number of threads", "export OMP_NUM_THREADS=16",
        Level.STATISTICAL,
    )]  # fmt: skip


@pytest.mark.parametrize(
    "sections",
    [{"environ": Environ(variables={"OMP_NUM_THREADS": "4"})}, {"packages": PURE}],
)
def test_a_number_that_was_set_or_nothing_that_adds_up_leaves_the_speed(
    sections: dict[str, object],
) -> None:
    report = judged("CPU003", machine(**sections), machine(cpu=cpu(threads=8)))
    assert told(report) == [("perf", "16 -> 8 threads")]
    assert [(each.why, each.remedy) for each in report.findings] == [
        ("It runs at another speed", None)
    ]


@pytest.mark.parametrize(
    ("mib", "expected"), [(60000, []), (32768, [("note", "64 GiB -> 32 GiB")]), (131072, [])]
)
def test_less_memory_is_a_note(mib: int, expected: list[tuple[str, str]]) -> None:
    found = machine(memory=Memory(total_mib=mib, swap_mib=0))
    assert told(judged("CPU004", machine(), found)) == expected


@pytest.mark.parametrize(
    ("wanted", "found", "remedy"),
    [
        ({}, {"libc_version": "2.39"}, "run it in the container"),
        ({"system": "Darwin"}, {}, None),
        ({"architecture": "aarch64"}, {"libc_version": "2.39"}, None),
    ],
)
def test_nobody_is_sent_to_a_container_that_does_not_run_or_cannot_be(
    wanted: dict[str, object], found: dict[str, object], remedy: str | None
) -> None:
    report = compare(on(**wanted), on(**found), codes=("SYS001", "SYS003", "SYS005", "SYS014"))
    assert {each.remedy for each in report.findings if each.code in {"SYS001", "SYS005"}} == {
        remedy
    }


def test_of_two_remedies_the_container_alone_is_left_out() -> None:
    wanted = machine(**{**asked_of_cxx().sections, "os": made.linux(architecture="aarch64")})
    found = on(distribution="debian", distribution_version="10")
    report = compare(wanted, found, codes=("SYS003", "SYS009"))
    (said,) = (each for each in report.findings if each.code == "SYS009")
    assert said.remedy == "install conda-forge's libstdcxx-ng beside it"
