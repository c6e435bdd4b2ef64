"""PKG: what is installed, compared by name, version and content."""

from __future__ import annotations

import pytest

from envsnap.manifest import Manifest
from envsnap.rules import Level, Scope, claim
from envsnap.sections import Broken, CondaRecord, Package, Reason, Unknown, replace
from tests import made
from tests.rules.machines import UNSEEN, judged, machine, missing, packages, told, well

IDNA = made.package("idna", "3.7", content="a" * 64)
NUMPY = made.package("numpy", "1.26.4", content="b" * 64, tags=made.NUMPY_TAGS)


def having(*installed: Package, **changes: object) -> Manifest:
    return machine(packages=packages(*installed, **changes))


def test_one_missing_package_is_named() -> None:
    report = judged("PKG001", having(IDNA, NUMPY), having(NUMPY))
    assert told(report) == [("blocks", "1 package is not installed here: idna 3.7")]
    assert report.findings[0].id == "PKG001:packages"


def test_many_missing_packages_are_one_finding_without_a_list() -> None:
    many = tuple(made.package(f"p{number}", "1") for number in range(382))
    report = judged("PKG001", having(*many), having(NUMPY))
    assert told(report) == [("blocks", "382 packages are not installed here")]


def test_names_are_compared_as_indexes_do() -> None:
    theirs, ours = made.package("Py_Socks", "1"), made.package("py-socks", "1")
    assert told(judged("PKG001", having(theirs), having(ours))) == []


def test_a_shadowed_copy_does_not_count_as_installed() -> None:
    report = judged("PKG001", having(IDNA), having(replace(IDNA, active=False)))
    assert told(report) == [("blocks", "1 package is not installed here: idna 3.7")]


def test_an_empty_environment_misses_nothing_even_where_the_other_is_unknown() -> None:
    assert told(judged("PKG001", having(), machine(packages=UNSEEN))) == []


@pytest.mark.parametrize("code", ["PKG001", "PKG002", "PKG003", "PKG004", "PKG005"])
def test_without_packages_on_the_found_side_nothing_is_said(code: str) -> None:
    report = judged(code, having(IDNA), machine(packages=UNSEEN))
    assert missing(report) == [("found packages", "no-permission: for a test")]


def test_another_version_is_numerics_with_the_step_that_mends_it() -> None:
    report = judged("PKG002", having(IDNA), having(replace(IDNA, version="3.8")))
    assert told(report) == [("numerics", "idna 3.7 -> 3.8")]
    assert report.findings[0].remedy == "pip install idna==3.7"


@pytest.mark.parametrize("name", ["pip", "setuptools", "uv", "wheel", "certifi", "tqdm", "urllib3"])
def test_what_computes_nothing_is_a_note_and_holds_no_claim(name: str) -> None:
    ours = made.package(name, "24.0")
    edited = replace(ours, content="f" * 64)
    newer = judged("PKG002", having(ours), having(replace(ours, version="25.1")))
    other = judged("PKG003", having(ours), having(edited))
    assert told(newer) == [("note", f"{name} 24.0 -> 25.1")]
    assert told(other) == [("note", f"{name} 24.0: other files under the same version")]
    for report in (newer, other):
        assert claim(report, Scope.NATIVE).level is Level.BITWISE
    assert newer.findings[0].why == "It computes nothing that a result is made of"


@pytest.mark.parametrize(
    ("name", "wanted", "found", "level"),
    [
        ("numpy", "1.26.4", "1.26.3", Level.STATISTICAL),
        ("numpy", "1.26.4", "1.25.0", Level.STATISTICAL),
        ("numpy", "1.26.4", "2.0.0", Level.RUNS),
        ("torch", "2.9.0", "2.9.0.dev20250408", Level.RUNS),
        ("jax", "0.4.30", "0.4.31", Level.STATISTICAL),
        ("jax", "0.4.30", "0.5.0", Level.RUNS),
        ("dask", "2026.5.20", "2026.6.1", Level.STATISTICAL),
        ("nvidia-cudnn-cu12", "8.9.7.29", "9.1.0.70", Level.STATISTICAL),
        ("nvidia-dali-cuda120", "1.40.0", "2.0.0", Level.RUNS),
        ("model-of-the-author", "1.0", "2.0", Level.RUNS),
        ("model-of-the-author", "1.0", "1.1", Level.STATISTICAL),
        ("certifi", "2025.1.31", "2026.6.1", Level.BITWISE),
    ],
)
def test_another_version_leaves_what_its_number_and_its_role_leave(
    name: str, wanted: str, found: str, level: Level
) -> None:
    ours = made.package(name, wanted)
    report = judged("PKG002", having(ours), having(replace(ours, version=found)))
    assert claim(report, Scope.NATIVE).level is level


TORCH_INDEX = "https://download.pytorch.org/whl/"


@pytest.mark.parametrize(
    ("version", "remedy"),
    [
        ("2.9.1", "pip install torch==2.9.1"),
        ("2.9.1+cu126", f"pip install torch==2.9.1+cu126 --index-url {TORCH_INDEX}cu126"),
        ("2.9.1+local", None),
        ("2.8.0.dev20250408+cu128", None),
    ],
)
def test_a_build_of_pytorch_comes_from_the_index_that_has_it(
    version: str, remedy: str | None
) -> None:
    wanted = made.package("torch", version)
    report = judged("PKG002", having(wanted), having(made.package("torch", "2.5.1")))
    assert report.findings[0].remedy == remedy


def test_what_conda_installed_comes_from_conda() -> None:
    wanted = replace(NUMPY, conda=conda("numpy", "1.26.4"))
    report = judged("PKG002", having(wanted), having(replace(wanted, version="1.25.0")))
    assert report.findings[0].remedy == "conda install numpy=1.26.4"


@pytest.mark.parametrize("kind", ["vcs", "directory", "editable", "archive"])
def test_what_came_from_no_index_is_not_asked_of_one(kind: str) -> None:
    wanted = replace(IDNA, origin=replace(IDNA.origin, kind=kind))
    report = judged("PKG002", having(wanted), having(replace(wanted, version="3.8")))
    assert report.findings[0].remedy is None


@pytest.mark.parametrize(
    ("version", "remedy"),
    [
        ("3.7+local.1", None),  # which index has it, nobody says
        ("1; rm -rf ~", "pip install 'idna==1; rm -rf ~'"),
        ("1$(reboot)", "pip install 'idna==1$(reboot)'"),
        ("1' `reboot` '", """pip install 'idna==1'"'"' `reboot` '"'"''"""),
        ("1\nreboot", None),
        ("1\x1b[2J", None),
    ],
)
def test_a_version_is_quoted_in_the_line_to_paste(version: str, remedy: str | None) -> None:
    report = judged("PKG002", having(replace(IDNA, version=version)), having(IDNA))
    assert report.findings[0].remedy == remedy


def test_a_name_that_would_be_an_option_makes_no_line_to_paste() -> None:
    evil = made.package("--index-url", "1")
    (finding,) = judged("PKG002", having(evil), having(replace(evil, version="2"))).findings
    assert finding.what == "-index-url 1 -> 2"
    assert finding.remedy is None


def test_a_conda_version_is_quoted_in_the_line_to_paste() -> None:
    ours = conda("libblas", "1")
    theirs = replace(ours, version="1;reboot")
    report = judged("PKG006", having(conda_only=(theirs,)), having(conda_only=(ours,)))
    assert [each.remedy for each in report.findings] == ["conda install 'libblas=1;reboot'"]


def test_the_same_version_with_other_files_is_numerics() -> None:
    other = replace(NUMPY, content="c" * 64)
    report = judged("PKG003", having(IDNA, NUMPY), having(IDNA, other))
    assert told(report) == [("numerics", "numpy 1.26.4: other files under the same version")]


def test_other_files_of_another_version_go_without_saying() -> None:
    other = replace(NUMPY, version="2.0.0", content="c" * 64)
    assert told(judged("PKG003", having(NUMPY), having(other))) == []


def test_an_unknown_digest_leaves_that_package_open_and_judges_the_others() -> None:
    theirs = (replace(IDNA, content=UNSEEN), NUMPY)
    report = judged("PKG003", having(*theirs), having(IDNA, replace(NUMPY, content="c" * 64)))
    assert [each.path for each in report.not_checked] == ["wanted packages.installed.idna.content"]
    assert [each.subject for each in report.findings] == ["numpy"]


def test_two_unknown_digests_are_not_equal() -> None:
    same = having(replace(IDNA, content=UNSEEN))
    assert missing(judged("PKG003", same, same)) == [
        ("wanted packages.installed.idna.content", "no-permission: for a test")
    ]


def test_without_a_record_name_and_version_must_do_and_that_is_said() -> None:
    bare = having(replace(IDNA, content=None))
    report = judged("PKG003", bare, bare)
    assert told(report) == []
    assert [each.text for each in report.conditions] == [
        "1 package: idna compared by version alone: no digest"
    ]


def test_the_system_vouches_for_packages_of_the_distribution() -> None:
    ours = replace(
        IDNA,
        content=Unknown(Reason.UNPARSABLE, "no SHA-256"),
        origin=made.origin("distribution"),
    )
    assert told(judged("PKG003", having(ours), having(ours))) == []


def test_another_build_of_the_same_content_is_a_note() -> None:
    report = judged("PKG004", having(IDNA), having(replace(IDNA, build="1")))
    assert told(report) == [("note", "idna 3.7: build none -> 1")]


def test_more_packages_are_one_note() -> None:
    report = judged("PKG005", having(IDNA), having(IDNA, NUMPY))
    assert told(report) == [("note", "1 package: numpy 1.26.4 more than wanted")]


def test_another_environment_is_not_called_more_packages() -> None:
    assert told(judged("PKG005", having(IDNA), having(NUMPY))) == []


def conda(name: str, version: str, build: str = "h_0") -> CondaRecord:
    return CondaRecord(
        name=name, version=version, build=build, channel=None, subdir=None, url=None, md5=None,
        sha256=None,
    )  # fmt: skip


def test_missing_and_other_conda_libraries_are_told_apart() -> None:
    wanted = having(conda_only=(conda("libblas", "3.9.0", "mkl"), conda("mkl", "2024.1")))
    found = having(conda_only=(conda("libblas", "3.9.0", "openblas"),))
    assert told(judged("PKG006", wanted, found)) == [
        ("blocks", "1 conda package: mkl not installed"),
        ("numerics", "libblas 3.9.0 mkl -> 3.9.0 openblas"),
    ]


def test_a_copy_that_hides_another_version_is_a_note() -> None:
    hidden = replace(IDNA, version="2.0", active=False, layer="user")
    assert told(well("PKG010", having(IDNA, hidden))) == [
        ("note", "idna 3.7 (env) hides 2.0 (user)")
    ]


def test_two_copies_of_one_version_are_no_finding() -> None:
    assert told(well("PKG010", having(IDNA, replace(IDNA, active=False)))) == []


def test_broken_installations_are_counted() -> None:
    fault = Broken(location="{env}/lib/~umpy.dist-info", why="no METADATA")
    assert told(well("PKG011", having(broken=(fault,)))) == [
        ("note", "1 installation could not be read, as {env}/lib/~umpy.dist-info: no METADATA")
    ]
    assert told(well("PKG011", having(IDNA))) == []


def test_placeholders_of_an_anonymous_manifest_are_left_open_not_missed() -> None:
    wanted = having(IDNA, made.package("local-package-1", "0.1"))
    wanted = replace(wanted, captured=replace(wanted.captured, anonymous=True))
    assert missing(judged("PKG001", wanted, having(IDNA))) == [
        ("wanted packages.installed", "not-asked: 1 of 2 names left out")
    ]


@pytest.mark.parametrize(
    "channel",
    [
        "defaults",
        "pkgs/main",
        "https://repo.anaconda.com/pkgs/main/linux-64",
        "https://repo.anaconda.com/pkgs/msys2",
    ],
)
def test_packages_of_the_defaults_channel_are_a_note(channel: str) -> None:
    blas = replace(conda("libblas", "1"), channel=channel)
    numpy = replace(NUMPY, conda=replace(conda("numpy", "1.26.4"), channel=channel))
    report = well("PKG012", having(IDNA, numpy, conda_only=(blas,)))
    assert told(report) == [("note", "2 conda packages: libblas, numpy from the defaults channel")]


@pytest.mark.parametrize("channel", [None, "conda-forge", "https://conda.example/forge"])
def test_packages_of_other_channels_are_no_finding(channel: str | None) -> None:
    blas = replace(conda("libblas", "1"), channel=channel)
    assert told(well("PKG012", having(IDNA, conda_only=(blas,)))) == []


def test_a_package_of_an_unknown_channel_is_not_taken_for_one_of_others() -> None:
    blas = replace(conda("libblas", "1"), channel=UNSEEN)
    report = well("PKG012", having(IDNA, conda_only=(blas,)))
    assert missing(report) == [("packages.conda.libblas.channel", "no-permission: for a test")]
