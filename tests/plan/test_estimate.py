"""What a build will cost: sums of what is known, and never a nothing for what is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap._units import size_words, time_words
from envsnap.plan import PlanOptions, plan
from envsnap.plan._estimate import (
    SILENT,
    UNPACKED,
    Cost,
    Sum,
    cost_of,
    cost_of_plan,
    digits,
    to_ask,
)
from envsnap.plan._model import Estimate
from envsnap.sections import Artifact, CondaArtifact, Fact, Reason, Unknown
from tests import made
from tests.base_cases import DIGEST, answering, manifest_of

ASK = answering([])
UNKNOWN: Unknown = Unknown(Reason.NOT_RECORDED)
SOURCE = (
    "bytes by the lock and by the files' own hosts; unpacked as 381 packages and NVIDIA's wheels "
    "were (bench/results); time at 100 Mbit/s and 110 MB/s unpacked; the base image and its "
    "system packages apart"
)


def file(
    name: str, size: Fact[int], ending: str = "-cp311-cp311-linux_x86_64.whl", **more: object
) -> Artifact:
    filename = f"{name.replace('-', '_')}-1.0{ending}"
    return made.artifact(name, "1.0", filename, size=size, **more)


def conda() -> CondaArtifact:
    return CondaArtifact(
        name="zlib", version="1.3", build="h1_0", subdir="linux-64", filename="zlib-1.3-h1_0.conda",
        url="https://files.example/zlib-1.3-h1_0.conda", sha256="ab" * 32, md5=UNKNOWN, size=1000,
    )  # fmt: skip


def test_each_kind_of_file_is_reckoned_as_it_was_measured() -> None:
    files = [
        file("numpy", 20_000_000),
        file("idna", 1_000_000, "-py3-none-any.whl"),
        file("nvidia-nccl-cu12", 300_000_000),
    ]
    cost = cost_of(files, (), PlanOptions())
    assert cost.estimate == Estimate(321_000_000, 513_500_000, 30, SOURCE)
    assert cost.told() == "about 321 MB to fetch, 514 MB unpacked, under a minute at 100 Mbit/s"


def test_what_is_not_known_is_unknown_and_the_line_says_at_least() -> None:
    files = [file("numpy", 20_000_000), file("torch", UNKNOWN)]
    cost = cost_of(files, (), PlanOptions())
    lacks = Unknown(Reason.NOT_RECORDED, "of 1 of 2 files the size is not known")
    assert cost.estimate == Estimate(lacks, lacks, lacks, SOURCE)
    assert cost.told() == (
        "at least 20 MB to fetch, 60 MB unpacked, under a minute at 100 Mbit/s: "
        "of 1 file the size is not known"
    )


def test_sizes_that_were_asked_for_fill_what_the_lock_lacks() -> None:
    torch = file("torch", UNKNOWN)
    assert to_ask([torch, file("numpy", 1)], {}) == (torch,)
    sizes = {torch.sha256: 900_000_000}
    assert to_ask([torch], sizes) == ()
    assert cost_of([torch], (), PlanOptions(sizes=sizes)).estimate.download == 900_000_000


def test_files_that_travel_are_unpacked_and_not_fetched() -> None:
    here = file("numpy", 20_000_000, url=None)
    alone = file("scipy", 30_000_000)
    options = PlanOptions(alone=frozenset({alone.sha256}))
    assert cost_of([here, alone], (), options).download == Sum(0, 0, 0)
    offline = cost_of([file("numpy", 20_000_000)], (), PlanOptions(offline=True))
    assert (offline.download.fact, offline.image.fact) == (0, 60_000_000)
    assert offline.told() == "about 60 MB unpacked, under a minute"


def test_nobody_knows_how_long_a_source_takes_to_build() -> None:
    cost = cost_of([file("psycopg2", 1_000_000, ".tar.gz")], (), PlanOptions())
    assert cost.estimate.seconds == Unknown(
        Reason.NOT_SUPPORTED, "building 1 source archive takes its own time"
    )
    assert cost.told() == (
        "at least 1.0 MB to fetch, 5.9 MB unpacked, under a minute at 100 Mbit/s: "
        "1 source archive to build"
    )


def test_conda_packages_were_not_measured() -> None:
    found = cost_of((), [conda()], PlanOptions()).estimate
    assert found.download == 1000
    assert isinstance(found.image, Unknown)


@pytest.mark.parametrize("size", [-5, 0, 1 << 60])
def test_a_size_that_can_be_none_is_none(size: int) -> None:
    assert cost_of([file("x", size)], (), PlanOptions()).download == Sum(0, 1, 1)


@given(st.integers(min_value=0, max_value=1 << 50))
def test_bytes_are_said_in_a_few_digits(count: int) -> None:
    number, unit = size_words(count).split()
    assert 0 <= float(number) < 1130
    assert unit in {"B", "kB", "MB", "GB", "TB"}


def test_words_of_sizes_and_times() -> None:
    assert [size_words(each) for each in (0, 999, 1000, 999_600, 1_250_000_000)] == [
        "0 B", "999 B", "1.0 kB", "1.0 MB", "1.2 GB",
    ]  # fmt: skip
    assert [time_words(each) for each in (0, 59, 60, 89, 91, 7199, 7200)] == [
        "under a minute", "under a minute", "1 minute", "1 minute", "2 minutes", "120 minutes",
        "2.0 hours",
    ]  # fmt: skip


def test_the_ratios_are_the_measured_ones() -> None:
    results = Path(__file__).parents[2] / "bench" / "results" / "2026-11-21-sizes.json"
    kinds = json.loads(results.read_text(encoding="utf-8"))["kinds"]
    assert {kind: round(each["ratio"], 1) for kind, each in kinds.items()} == dict(UNPACKED)


def test_the_base_image_is_in_the_sum_where_its_size_is_known_and_said_where_not() -> None:
    found = plan(manifest_of({"packages": ["idna==3.7"], "gpu": "none"}), PlanOptions(), ASK)
    assert cost_of_plan(found, PlanOptions()).told() == (
        "about 18 MB to fetch, 3.5 kB unpacked, under a minute at 100 Mbit/s; "
        "without the base image, whose registry did not say how large it is"
    )
    known = PlanOptions(sizes={digits(DIGEST): 50_000_000})
    assert cost_of_plan(found, known).told() == (
        "about 68 MB to fetch, 3.5 kB unpacked, under a minute at 100 Mbit/s"
    )


def test_pythons_own_archive_and_system_packages_are_said() -> None:
    packages = ["opencv-python==4.9 manylinux_2_17_x86_64", "demo==3.0 manylinux_2_39_x86_64"]
    manifest = manifest_of({"packages": packages, "gpu": "none"})
    found = plan(manifest, PlanOptions(), ASK)
    assert found.interpreter.sha256 is not None
    assert cost_of_plan(found, PlanOptions()).besides == (
        SILENT, "Python's own archive", "system packages",
    )  # fmt: skip
    stored = PlanOptions(stored=frozenset({found.interpreter.sha256}))
    assert cost_of_plan(plan(manifest, stored, ASK), stored).besides == (
        SILENT, "system packages",
    )  # fmt: skip


def test_a_base_image_that_is_not_fetched_is_not_missing_from_the_sum() -> None:
    manifest = manifest_of({"packages": ["idna==3.7"], "gpu": "none"})
    of_file = PlanOptions(base_image="oci-archive:base.tar")
    idna = manifest.lock.artifacts[0].sha256 if manifest.lock is not None else ""
    offline = PlanOptions(offline=True, stored=frozenset({idna}))
    found = [cost_of_plan(plan(manifest, each, ASK), each).besides for each in (of_file, offline)]
    assert found == [(), ()]


def test_what_is_in_no_sum_is_one_sentence() -> None:
    nothing = Sum(0, 0, 0)
    said = [
        Cost(nothing, nothing, 0, besides).told().partition("; ")[2]
        for besides in ((), ("Python's own archive",), ("Python's own archive", "system packages"))
    ]
    assert said == [
        "", "without Python's own archive", "without Python's own archive and system packages",
    ]  # fmt: skip
