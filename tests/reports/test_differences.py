"""diff: every fact that differs, and the rules that mind it."""

from __future__ import annotations

import json

from hypothesis import given

from envsnap.manifest import Manifest
from envsnap.reports._lines import plain
from envsnap.reports.differences import RULES, Difference, differences
from envsnap.reports.differences_text import json_text, text
from envsnap.rules import rules
from envsnap.sections import SECTIONS, Environ, Reason, Unknown, fields
from tests import made
from tests.rules.machines import (
    T4,
    UNSEEN,
    copy,
    device,
    driver,
    gpu,
    libraries,
    library,
    machine,
    packages,
)
from tests.strategies import manifests


def graded(each: Difference) -> tuple[str, str, str, str | None]:
    return each.path, each.wanted, each.found, each.grade.code if each.grade else None


def test_the_same_manifest_differs_nowhere() -> None:
    assert differences(machine(), machine()) == []
    assert plain(text([], 80)) == ["The same: no fact differs"]


@given(manifests())
def test_no_manifest_differs_from_itself(manifest: Manifest) -> None:
    assert differences(manifest, manifest) == []


def test_the_moment_is_never_compared() -> None:
    assert differences(machine(moment=UNSEEN), machine()) == []


def test_another_gpu_is_told_fact_by_fact_with_its_grades() -> None:
    wanted = machine(gpu=gpu(device(), driver=driver("550.54.14")))
    found = machine(gpu=gpu(T4, driver=driver("515.65.01")))
    told = [graded(each) for each in differences(wanted, found)]
    assert told == [
        ("gpu.driver.version", "550.54.14", "515.65.01", "DRV001"),
        ("gpu.driver.kernel_module", "550.54.14", "515.65.01", None),
        ("gpu.driver.library", "550.54.14", "515.65.01", None),
        ("gpu.driver.gsp_firmware", "550.54.14", "515.65.01", None),
        ("gpu.devices.[0].name", "NVIDIA A100-SXM4-40GB", "Tesla T4", None),
        ("gpu.devices.[0].architecture", "ampere", "turing", None),
        ("gpu.devices.[0].compute_capability", "8.0", "7.5", "GPU007"),
        ("gpu.devices.[0].multiprocessors", "108", "40", "GPU004"),
        ("gpu.devices.[0].memory_mib", "40960", "15360", "GPU005"),
        ("gpu.devices.[0].mig", "false", "none", None),
    ]


def test_packages_are_paired_by_name_and_missing_ones_graded() -> None:
    wanted = machine(packages=packages(made.package("a", "1"), made.package("B_b", "1")))
    found = machine(packages=packages(made.package("b-b", "2"), made.package("c", "3")))
    assert [graded(each) for each in differences(wanted, found)] == [
        ("packages.installed.a", "1", "not there", "PKG001"),
        ("packages.installed.b-b.version", "1", "2", "PKG002"),
        ("packages.installed.c", "not there", "3", "PKG005"),
    ]


def test_a_variable_is_graded_by_itself() -> None:
    wanted = machine(environ=Environ(variables={"LANG": "C", "OMP_NUM_THREADS": "8"}))
    found = machine(environ=Environ(variables={"LANG": "C.UTF-8"}))
    outcomes = [(each.path, str(each.grade and each.grade.outcome)) for each in
                differences(wanted, found)]  # fmt: skip
    assert outcomes == [
        ("environ.variables.LANG", "note"),
        ("environ.variables.OMP_NUM_THREADS", "numerics"),
    ]


def test_an_unknown_fact_differs_from_a_known_one() -> None:
    (each,) = differences(machine(), machine(cuda=UNSEEN))
    assert graded(each) == ("cuda", "there", "unknown (no-permission)", None)
    wanted = machine(cuda=machine().sections["cuda"])
    assert differences(wanted, wanted) == []
    assert library("cudnn", "9").version == "9"


def test_the_list_has_sections_facts_and_a_count() -> None:
    found = differences(machine(), machine(os=made.linux(kernel="6.8.0", codename="trixie")))
    assert [each.rstrip() for each in plain(text(found, 80))] == [
        "os",
        "  codename: bookworm -> trixie",
        "  kernel: 6.1.0 -> 6.8.0                                        note     SYS007",
        "",
        "2 facts differ; rules mind 1 of them.  envsnap explain CODE says why",
    ]


def test_what_neither_side_knows_is_counted_and_fills_no_lines() -> None:
    other = Unknown(Reason.NOT_RECORDED, "what was imported does not say it")
    found = differences(machine(cuda=UNSEEN), machine(cuda=other, os=made.linux(kernel="6.8.0")))
    assert [each.path for each in found if each.is_unknown] == ["cuda"]
    assert [each.rstrip() for each in plain(text(found, 80))] == [
        "os",
        "  kernel: 6.1.0 -> 6.8.0                                        note     SYS007",
        "",
        "1 fact differs; rules mind 1 of them.  envsnap explain CODE says why",
        "1 fact is unknown on both sides, for another reason on each",
    ]
    alone = differences(machine(cuda=UNSEEN), machine(cuda=other))
    assert plain(text(alone, 80)) == [
        "The same: no fact differs",
        "1 fact is unknown on both sides, for another reason on each",
    ]


def test_the_list_as_json_is_versioned() -> None:
    found = differences(machine(), machine(os=made.linux(kernel="6.8.0")))
    assert json.loads(json_text(found)) == {
        "differences": "1.0",
        "facts": [
            {
                "path": "os.kernel",
                "wanted": "6.1.0",
                "found": "6.8.0",
                "outcome": "note",
                "code": "SYS007",
            }
        ],
    }


def test_every_graded_fact_and_every_grading_rule_exists() -> None:
    codes = {each.code for each in rules()}
    assert {code for those in RULES.values() for code in those} <= codes
    for path in RULES:
        section, _, fact = path.partition(".")
        assert fact.split(".")[0] in {field.name for field in fields(SECTIONS[section])}, path


def test_a_library_that_loads_from_elsewhere_is_told_by_its_file_and_graded() -> None:
    decoy = copy(source="other", owner=None, content="d" * 64, location="/opt/libcudnn.so.9")
    wanted = machine(libraries=libraries(copy()))
    found = machine(libraries=libraries(decoy, found_by="LD_LIBRARY_PATH"))
    assert [graded(each) for each in differences(wanted, found)] == [
        ("libraries.copies.{env}/nvidia/cudnn/libcudnn.so.9", "9.1.0", "not there", "LIB001"),
        ("libraries.copies./opt/libcudnn.so.9", "not there", "9.1.0", "LIB001"),
        ("libraries.consumers.torch.loads.cudnn.location",
         "{env}/nvidia/cudnn/libcudnn.so.9", "/opt/libcudnn.so.9", "LIB001"),
        ("libraries.consumers.torch.loads.cudnn.found_by",
         "runpath", "LD_LIBRARY_PATH", "LIB001"),
    ]  # fmt: skip


def test_a_mapping_beside_an_unknown_is_told_in_words() -> None:
    wanted = machine(environ=Environ(variables={"LANG": "C", "TZ": "UTC"}))
    (each,) = differences(wanted, machine(environ=Environ(variables=UNSEEN)))
    assert graded(each)[:3] == ("environ.variables", "LANG=C, TZ=UTC", "unknown (no-permission)")


def test_an_escape_in_a_path_does_not_push_the_code_out_of_its_column() -> None:
    decoy = copy(content="d" * 64, location="{other}/a\x1b[31m.so")
    wanted = machine(libraries=libraries(copy(location="{other}/a\x1b[31m.so")))
    lines = plain(text(differences(wanted, machine(libraries=libraries(decoy))), 80))
    assert "\x1b" not in "".join(lines)
    assert {each.index("LIB001") for each in lines if "LIB001" in each} == {73}
