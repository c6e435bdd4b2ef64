"""DRV: the NVIDIA driver, at the edges that decide."""

from __future__ import annotations

import pytest

from envsnap.manifest import Manifest
from envsnap.sections import (
    CondaRecord,
    Driver,
    ForwardCompatibility,
    Package,
    Reason,
    Unknown,
    replace,
)
from tests import made
from tests.rules.machines import (
    RUNTIME,
    T4,
    TORCH,
    UNSEEN,
    device,
    driver,
    gpu,
    judged,
    machine,
    missing,
    packages,
    told,
    well,
)


def driven(version: str, **changes: object) -> Manifest:
    return machine(gpu=gpu(device(), driver=driver(version), **changes))


def needing(*installed: Package, **changes: object) -> Manifest:
    return machine(packages=packages(*installed, **changes))


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("525.60.13", []),
        ("525.60.12", [("blocks",
            ("torch is built for CUDA 12.4, which needs driver 525.60.13; "
            "here is 525.60.12"))]),
        ("525.147.05", []),
        ("515.65.01", [("blocks",
            ("torch is built for CUDA 12.4, which needs driver 525.60.13; "
            "here is 515.65.01"))]),
        ("580.65.06", []),
    ],
)  # fmt: skip
def test_cuda_12_needs_the_first_driver_of_its_family(
    version: str, expected: list[tuple[str, str]]
) -> None:
    report = judged("DRV001", machine(), driven(version))
    assert told(report) == expected
    for finding in report.findings:
        assert finding.remedy == "a driver of 525.60.13 or newer"
        assert finding.source.title == "CUDA Compatibility: minor version compatibility"
        assert finding.confidence == "high"


@pytest.mark.parametrize(
    ("package", "good", "bad"),
    [
        (made.package("torch", "2.5.1"), "525.60.13", "525.60.12"),
        (made.package("torch", "2.5.1+cu118"), "450.80.02", "450.80.01"),
        (made.package("cupy-cuda11x", "13.0"), "450.80.02", "450.51.06"),
        (made.package("jax-cuda12-plugin", "0.4"), "525.60.13", "520.61.05"),
        (made.package("nvidia-cuda-runtime", "13.0.48"), "580.65.06", "575.51.03"),
    ],
)
def test_packages_tell_the_cuda_that_they_need(package: Package, good: str, bad: str) -> None:
    assert told(judged("DRV001", needing(package), driven(good))) == []
    (finding,) = judged("DRV001", needing(package), driven(bad)).findings
    assert (str(finding.outcome), finding.wanted) == ("blocks", f"{good} or newer")


def test_conda_packages_tell_it_too() -> None:
    record = CondaRecord(
        name="cuda-version", version="12.4", build="h_3", channel=None, subdir=None, url=None,
        md5=None, sha256=None,
    )  # fmt: skip
    wanted = machine(packages=packages(conda_only=(record,)))
    (finding,) = judged("DRV001", wanted, driven("515.65.01")).findings
    assert finding.what.startswith("cuda-version is built for CUDA 12.4, which needs driver")


@pytest.mark.parametrize("name", ["idna", "torch+cpu", "nvidia-ml-py"])
def test_without_packages_for_cuda_no_driver_is_too_old(name: str) -> None:
    package = made.package("torch", "2.5.1+cpu") if "+" in name else made.package(name, "1.0")
    assert told(judged("DRV001", needing(package), driven("390.46"))) == []


def test_a_driver_that_was_not_seen_is_not_judged() -> None:
    found = machine(gpu=gpu(device(), driver=driver(version=UNSEEN)))
    assert missing(judged("DRV001", machine(), found)) == [
        ("found gpu.driver.version", "no-permission: for a test")
    ]


def test_a_version_that_is_none_is_not_judged() -> None:
    assert missing(judged("DRV001", machine(), driven("beta"))) == [
        ("found gpu.driver.version", "not-supported: beta is no driver version")
    ]


def test_a_torch_newer_than_the_tables_is_not_judged() -> None:
    report = judged("DRV001", needing(made.package("torch", "99.0.0")), driven("515.65.01"))
    ((path, reason),) = missing(report)
    assert path == "wanted packages.installed.torch.version"
    assert "newer than facts of 2026-" in reason


def test_the_libraries_beside_an_unknown_torch_tell_its_cuda() -> None:
    wanted = needing(made.package("torch", "99.0.0"), RUNTIME)
    assert judged("DRV001", wanted, driven("515.65.01")).findings[0].outcome == "blocks"


def test_without_a_gpu_the_driver_is_another_rules_matter() -> None:
    assert told(judged("DRV001", machine(), machine(gpu=gpu()))) == []


def test_under_wsl_the_drivers_number_is_that_of_windows() -> None:
    assert told(judged("DRV001", machine(), driven("527.41", platform="wsl2"))) == []
    (finding,) = judged("DRV001", machine(), driven("527.40", platform="wsl2")).findings
    assert finding.wanted == "527.41 or newer"


def test_an_older_driver_of_the_same_major_is_a_note_and_a_condition() -> None:
    report = judged("DRV002", machine(), driven("535.183.01"))
    assert told(report) == [("note", "driver 535.183.01 is older than CUDA 12.4's own, 550.54.14")]
    assert [each.text for each in report.conditions] == [
        "code compiled at run time for CUDA 12.4 on driver 535.183.01 was not judged"
    ]
    assert told(judged("DRV002", machine(), driven("550.54.14"))) == []
    assert told(judged("DRV002", machine(), driven("515.65.01"))) == []  # DRV001's matter


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("580.65.06", []),
        ("590.44.01", [("blocks",
            "driver 590.44.01 drives no pascal GPU; the last branch that does is R580")]),
    ],
)  # fmt: skip
def test_a_branch_that_dropped_the_gpu_blocks(
    version: str, expected: list[tuple[str, str]]
) -> None:
    pascal = device("Tesla P100-PCIE-16GB", compute_capability="6.0", shown_by=("pci",))
    found = machine(gpu=gpu(pascal, driver=driver(version)))
    assert told(judged("DRV003", machine(), found)) == expected


def test_a_card_that_nothing_describes_leaves_its_branch_open() -> None:
    unseen = device(compute_capability=UNSEEN)
    assert missing(judged("DRV003", machine(), machine(gpu=gpu(unseen)))) == [
        ("found gpu.devices[0].compute_capability", "no-permission: for a test")
    ]


def test_module_and_library_of_two_versions_block_until_a_reboot() -> None:
    upgraded = driver(kernel_module="535.129.03", library="550.54.14")
    found = machine(gpu=gpu(device(), driver=upgraded))
    report = well("DRV004", found)
    assert told(report) == [("blocks", "kernel module 535.129.03, libraries 550.54.14")]
    assert report.findings[0].remedy == "reboot, or load the new module"
    assert told(well("DRV004", machine())) == []


def test_an_environment_without_gpu_packages_does_not_mind_the_driver() -> None:
    found = machine(gpu=gpu(device(), driver=driver(kernel_module="1.0")))
    pure = needing(made.package("idna", "3.7"))
    assert told(judged("DRV004", pure, found)) == []


def test_a_module_that_is_not_loaded_blocks() -> None:
    found = machine(gpu=gpu(T4, driver=driver(kernel_module=None)))
    assert told(well("DRV005", found)) == [
        ("blocks", "an NVIDIA GPU is there, its kernel module is not loaded")
    ]
    assert told(well("DRV005", machine(gpu=gpu()))) == []


def test_a_module_that_was_not_seen_is_not_judged() -> None:
    why = Unknown(Reason.NO_PERMISSION, "/proc")
    found = machine(gpu=gpu(T4, driver=driver(kernel_module=why)))
    assert missing(well("DRV005", found)) == [("gpu.driver.kernel_module", "no-permission: /proc")]


def test_another_driver_is_a_note() -> None:
    assert told(judged("DRV006", machine(), driven("580.65.06"))) == [
        ("note", "driver 550.54.14 -> 580.65.06")
    ]


def test_the_found_machines_own_cuda_packages_do_not_count() -> None:
    pure, old = needing(made.package("idna", "3.7")), driven("390.46")
    assert told(judged("DRV001", pure, old)) == []
    assert judged("DRV001", needing(TORCH), old).findings != ()


def compat(**changes: object) -> ForwardCompatibility:
    known = ForwardCompatibility(
        version="590.44.01", cuda="13.1", drivers=(535, 550, 570, 575, 580, 590),
        found_first=True, used=True,
        location="/usr/local/cuda/compat/libcuda.so.590.44.01",
    )  # fmt: skip
    return replace(known, **changes)


CUDA_13 = made.package("nvidia-cuda-runtime", "13.0.48")
NEEDS_580 = (
    "nvidia-cuda-runtime is built for CUDA 13.0, which needs driver 580.65.06; here is 535.183.01"
)


def helped(**changes: object) -> Manifest:
    return driven_with(driver("535.183.01", compat=compat(**changes), cuda_in_effect="13.1"))


def driven_with(known: Driver, **changes: object) -> Manifest:
    return machine(gpu=gpu(replace(device(), **changes), driver=known))


def test_cuda_compat_makes_up_for_an_old_driver_outside_containers() -> None:
    wanted = needing(CUDA_13)
    assert told(judged("DRV001", wanted, helped())) == []
    report = judged("DRV009", wanted, helped())
    assert told(report) == [("blocks", NEEDS_580)]
    assert report.findings[0].remedy == (
        "cuda-compat in the image, or a driver of 580.65.06 or newer"
    )


def test_cuda_compat_that_is_not_used_or_too_old_helps_nothing() -> None:
    wanted = needing(CUDA_13)
    for changes in ({"used": False}, {"cuda": "12.9"}):
        assert told(judged("DRV001", wanted, helped(**changes))) == [("blocks", NEEDS_580)]
        assert told(judged("DRV009", wanted, helped(**changes))) == []


def test_cuda_compat_is_asked_for_only_where_the_driver_is_too_old() -> None:
    wanted = needing(CUDA_13)
    old = driven_with(driver("535.183.01", compat=UNSEEN))
    new = driven_with(driver("580.65.06", compat=UNSEEN))
    assert missing(judged("DRV001", wanted, old)) == [
        ("found gpu.driver.compat", "no-permission: for a test")
    ]
    assert told(judged("DRV001", wanted, new)) == []


@pytest.mark.parametrize("name", ["GeForce GTX 1080 Ti", "NVIDIA GeForce RTX 4090"])
def test_cuda_compat_that_nobody_looked_for_would_not_help_a_geforce(name: str) -> None:
    found = driven_with(driver("535.183.01", compat=UNSEEN), name=name)
    assert told(judged("DRV001", needing(CUDA_13), found)) == [("blocks", NEEDS_580)]


def test_cuda_compat_may_help_the_other_card_or_one_without_a_name() -> None:
    old = driver("535.183.01", compat=UNSEEN)
    geforce = device("NVIDIA GeForce RTX 4090")
    where = [("found gpu.driver.compat", "no-permission: for a test")]
    for cards in ((geforce, device()), (device(UNSEEN),)):
        found = machine(gpu=gpu(*cards, driver=old))
        assert missing(judged("DRV001", needing(CUDA_13), found)) == where


def test_cuda_compat_as_new_as_the_packages_has_no_older_minor() -> None:
    wanted = needing(made.package("nvidia-cuda-runtime-cu12", "12.8.57"))
    assert [each for each, _ in told(judged("DRV002", wanted, driven("535.183.01")))] == ["note"]
    assert told(judged("DRV002", wanted, helped())) == []


def first_and_refused(ours: str, **changes: object) -> Manifest:
    known = compat(used=False, **changes)
    return driven_with(driver(ours, compat=known), name="NVIDIA GeForce RTX 4090")


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (first_and_refused("535.183.01"), "590.44.01 {}: it is not for GeForce RTX 4090"),
        (first_and_refused("610.11"), "590.44.01 {}: the driver, 610.11, is newer"),
        (
            first_and_refused("515.65.01", drivers=(535, 550)),
            "590.44.01 {}: it is for drivers of R535, R550; here is 515.65.01",
        ),
        (
            first_and_refused("535.183.01", version=UNSEEN, drivers=UNSEEN),
            "{}: it is not for GeForce RTX 4090",
        ),
    ],
)
def test_cuda_compat_that_comes_first_and_does_not_work_stops_cuda(
    found: Manifest, why: str
) -> None:
    report = well("DRV008", found)
    said = why.format("comes before the driver's own library and does not work")
    assert told(report) == [("blocks", f"cuda-compat {said}")]
    assert report.findings[0].remedy == (
        "take cuda-compat off LD_LIBRARY_PATH and the linker's cache"
    )


def test_cuda_compat_that_works_is_no_finding_and_one_that_may_is_not_judged() -> None:
    assert told(well("DRV008", driven_with(driver("535.183.01", compat=compat())))) == []
    open_ = driven_with(driver("535.183.01", compat=compat(used=UNSEEN)))
    assert missing(well("DRV008", open_)) == [
        ("gpu.driver.compat.used", "no-permission: for a test")
    ]


def test_an_older_manifest_that_does_not_say_which_is_found_first_is_not_asked() -> None:
    older = compat(found_first=Unknown(Reason.NOT_RECORDED), used=False)
    assert told(well("DRV008", driven_with(driver("535.183.01", compat=older)))) == []


def test_cuda_compat_for_other_driver_branches_is_a_note_where_it_is_only_installed() -> None:
    unused = compat(found_first=False, used=False)
    assert told(well("DRV008", driven_with(driver("515.65.01", compat=unused)))) == [
        ("note", ("cuda-compat 590.44.01 is for drivers of R535, R550, R570, R575, R580, R590; "
        "here is 515.65.01"))
    ]  # fmt: skip
    assert told(well("DRV008", driven_with(driver("580.65.06", compat=unused)))) == []


def test_of_two_releases_the_newer_by_its_number_is_held_against_the_driver() -> None:
    old = CondaRecord(
        name="cudatoolkit", version="9.2", build="0", channel=None, subdir=None, url=None,
        md5=None, sha256=None,
    )  # fmt: skip
    new = made.package("nvidia-cuda-runtime-cu11", "11.8.89")
    assert told(judged("DRV002", needing(new, conda_only=(old,)), driven("450.80.02"))) == [
        ("note", "driver 450.80.02 is older than CUDA 11.8's own, 520.61.05")
    ]


@pytest.mark.parametrize(
    ("flavour", "capability", "expected"),
    [
        ("open", "7.0", [("blocks", "the open kernel module does not drive sm_70")]),
        ("open", "7.5", []),
        ("proprietary", "9.0", []),
        (
            "proprietary",
            "10.0",
            [("blocks", "the proprietary kernel module does not drive sm_100")],
        ),
        (None, "10.0", []),
    ],
)
def test_each_kernel_module_drives_some_gpus(
    flavour: str | None, capability: str, expected: list[tuple[str, str]]
) -> None:
    known = driver("580.65.06", flavour=flavour)
    unseen = driven_with(known, compute_capability=capability, shown_by=("pci",))
    assert told(judged("DRV007", machine(), unseen)) == expected
    assert (
        told(judged("DRV007", machine(), driven_with(known, compute_capability=capability))) == []
    )


def test_whether_the_module_fits_needs_what_the_gpu_is() -> None:
    known = driver("580.65.06")
    black = driven_with(known, compute_capability="10.0", shown_by=UNSEEN)
    assert missing(judged("DRV007", machine(), black)) == [
        ("found gpu.devices[0].shown_by", "no-permission: for a test")
    ]
    either = driven_with(driver("580.65.06", flavour=UNSEEN), shown_by=UNSEEN)
    assert told(judged("DRV007", machine(), either)) == []
    dark = driven_with(known, shown_by=("pci",), compute_capability=UNSEEN)
    assert missing(judged("DRV007", machine(), dark)) == [
        ("found gpu.devices[0].compute_capability", "no-permission: for a test")
    ]


def test_what_nvml_itself_calls_a_mismatch_blocks_where_one_version_is_hidden() -> None:
    said = "kernel module 550.54.15, library unknown"
    torn = driver(
        version=Unknown(Reason.WITNESSES_DISAGREE, said), library=Unknown(Reason.NOT_SUPPORTED)
    )
    report = well("DRV004", machine(gpu=gpu(device(), driver=torn)))
    assert told(report) == [("blocks", f"of several versions: {said}")]
    assert report.findings[0].remedy == "reboot, or load the new module"
