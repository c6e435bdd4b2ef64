"""NVIDIA's own expressions: those of real images, read and judged as its toolkit does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.constraints.nvidia import (
    Decision,
    Factor,
    Malformed,
    Offer,
    Requirement,
    card,
    compared,
    decide,
    parse,
    requirements,
    written,
)

RECORDED = Path(__file__).parent / "nvidia_require_cuda.json"
IMAGES: list[dict[str, Any]] = json.loads(RECORDED.read_text(encoding="utf-8"))["images"]
BRANDS = ("tesla", "unknown", "nvidia", "nvidiartx", "geforce", "geforcertx", "quadro",
          "quadrortx", "titan", "titanrtx")  # fmt: skip
NAMED = [f"{each['image_version']}-{each['distro']}" for each in IMAGES]


def full(image: dict[str, Any]) -> str:
    """The variable's value: the CUDA version, then each range for each brand that has one."""
    ranges = [each.split(",") for each in image["driver_ranges"]]
    others = [
        ",".join([f"brand={brand}", *(f"driver{part}" for part in parts)])
        for parts in ranges
        for brand in BRANDS
    ]
    return " ".join([image["require_cuda"], *others])


def on(driver: str, cuda: str, name: str = "Tesla T4", arch: str = "7.5") -> Any:  # noqa: ANN401 - offers
    return [card(cuda, driver, arch, name)]


@pytest.mark.parametrize("image", IMAGES, ids=NAMED)
def test_the_variable_of_every_image_reads_back(image: dict[str, Any]) -> None:
    asked = parse(full(image))
    assert written(asked) == full(image)
    assert not any(isinstance(each, Malformed) for term in asked for each in term)


@pytest.mark.parametrize("image", IMAGES, ids=NAMED)
def test_an_image_starts_on_the_driver_that_serves_its_cuda(image: dict[str, Any]) -> None:
    cuda = image["require_cuda"].removeprefix("cuda>=")
    major, minor = map(int, cuda.split("."))
    older = f"{major}.{minor - 1}" if minor else f"{major - 1}.9"
    asked = parse(full(image))
    assert decide(asked, on("999.1", cuda)) is Decision.STARTS
    assert decide(asked, on("999.1", f"{cuda}.0")) is Decision.STARTS
    assert decide(asked, on("999.1", older)) is Decision.REFUSED


@pytest.mark.parametrize("image", IMAGES, ids=NAMED)
def test_an_image_starts_on_the_older_branches_that_it_names_and_on_no_other(
    image: dict[str, Any],
) -> None:
    asked = parse(full(image))
    named = {int(each.removeprefix(">=").partition(",")[0]) for each in image["driver_ranges"]}
    for branch in (384, 418, 450, 470, 525, 535, 550, 560, 565, 570, 575, 580):
        decided = decide(asked, on(f"{branch}.99.01", "1.0"))
        assert decided is (Decision.STARTS if branch in named else Decision.REFUSED), branch


@pytest.mark.parametrize(
    ("text", "started_on", "refused_on"),
    [
        ("cuda>=12.1.1 driver>=530", ("530.30.02", "12.1"), ("525.147.05", "12.0")),
        ("cuda>=11.0 driver>=450", ("450.80.02", "11.0"), ("440.118.02", "10.2")),
        (
            "cuda>=11.4 brand=tesla,driver>=418,driver<419 driver>=450",
            ("450.80.02", "11.0"),
            ("430.64", "10.1"),
        ),
    ],
)
def test_what_people_write_into_their_own_images_is_judged(
    text: str, started_on: tuple[str, str], refused_on: tuple[str, str]
) -> None:
    assert decide(parse(text), on(*started_on)) is Decision.STARTS
    assert decide(parse(text), on(*refused_on)) is Decision.REFUSED


@pytest.mark.parametrize(
    ("text", "decided"),
    [
        ("", Decision.STARTS),
        ("cuda>=12.0", Decision.STARTS),
        ("cuda>12.2", Decision.REFUSED),
        ("cuda>=12.2.0", Decision.STARTS),
        ("CUDA>=12.0", Decision.STARTS),
        ("cuda!=12.2", Decision.REFUSED),
        ("arch>=8.0", Decision.REFUSED),
        ("arch>=8.0 driver>=535", Decision.STARTS),
        ("driver>=535,driver<536", Decision.STARTS),
        ("driver>=535,driver<535.183", Decision.REFUSED),
        ("brand=Tesla", Decision.STARTS),
        ("brand=geforce", Decision.REFUSED),
        ("brand>=tesla", Decision.REFUSED),
        ("cuda", Decision.REFUSED),
        ("colour=red", Decision.REFUSED),
        ("cuda==12.2", Decision.REFUSED),
        ("cuda>=12.x", Decision.REFUSED),
        ("cuda>=12.0 nonsense", Decision.STARTS),
        ("cuda>=13.0 nonsense", Decision.REFUSED),
        ("nonsense cuda>=12.0", Decision.REFUSED),
        ("cuda>=13.0,nonsense cuda>=12.0", Decision.STARTS),
        ("  ,cuda>=12.0,  ", Decision.STARTS),
    ],
)
def test_the_odd_corners_are_the_toolkits_own(text: str, decided: Decision) -> None:
    assert decide(parse(text), on("535.183.01", "12.2")) is decided


def test_what_is_not_known_leaves_it_open_only_where_it_decides() -> None:
    unknown = [(Offer(None, "535.183.01", "7.5", None),)]
    assert decide(parse("cuda>=12.0"), unknown) is Decision.OPEN
    assert decide(parse("cuda>=12.0 driver>=535"), unknown) is Decision.STARTS
    assert decide(parse("cuda>=12.0,driver<535"), unknown) is Decision.REFUSED
    assert decide(parse("brand=tesla"), unknown) is Decision.OPEN


def test_every_card_of_the_container_must_do() -> None:
    old, new = card("12.2", "535.1", "7.5", "Tesla T4"), card("12.2", "535.1", "9.0", None)
    assert decide(parse("arch>=8.0"), [new]) is Decision.STARTS
    assert decide(parse("arch>=8.0"), [new, old]) is Decision.REFUSED


def test_a_name_that_may_be_of_two_brands_decides_where_both_are_named() -> None:
    rtx = [card("12.2", "535.1", "8.9", "NVIDIA GeForce RTX 4090")]
    assert decide(parse("brand=geforce brand=geforcertx"), rtx) is Decision.STARTS
    assert decide(parse("brand=geforce"), rtx) is Decision.OPEN
    assert decide(parse("brand=tesla"), rtx) is Decision.REFUSED


@pytest.mark.parametrize(
    ("variables", "asked"),
    [
        ({"NVIDIA_REQUIRE_CUDA": "cuda>=12.1"}, ("cuda>=12.1",)),
        (
            {"NVIDIA_REQUIRE_CUDA": "cuda>=12.1", "NVIDIA_REQUIRE_ANY": "arch>=7"},
            ("arch>=7", "cuda>=12.1"),
        ),
        ({"NVIDIA_REQUIRE_JETPACK": "r36"}, ()),
        ({"NVIDIA_REQUIRE_CUDA": "cuda>=12.1", "NVIDIA_DISABLE_REQUIRE": "true"}, ()),
        ({"NVIDIA_REQUIRE_CUDA": "cuda>=12.1", "NVIDIA_DISABLE_REQUIRE": "yes"}, ("cuda>=12.1",)),
        ({"CUDA_VERSION": "10.2.89"}, ("cuda>=10.2",)),
        ({"CUDA_VERSION": "10.2.89", "NVIDIA_REQUIRE_CUDA": "cuda>=9"}, ("cuda>=9",)),
        ({}, ()),
    ],
)
def test_an_image_asks_by_its_variables(variables: dict[str, str], asked: tuple[str, ...]) -> None:
    assert requirements(variables) == asked


NUMBERS = st.lists(st.integers(0, 10**6), min_size=1, max_size=4).map(
    lambda parts: ".".join(map(str, parts))
)
FACTORS = st.builds(
    Factor, st.sampled_from(("cuda", "driver", "arch")),
    st.sampled_from(("=", "!=", "<", "<=", ">", ">=")), NUMBERS,
)  # fmt: skip
REQUIREMENTS = st.lists(st.lists(FACTORS, min_size=1, max_size=3).map(tuple), max_size=4).map(tuple)
OFFERS = st.builds(Offer, *(st.none() | NUMBERS for _ in range(3)), st.none())


@given(REQUIREMENTS)
def test_a_requirement_reads_back(requirement: Requirement) -> None:
    assert parse(written(requirement)) == requirement


@given(st.text(max_size=200), OFFERS)
def test_every_text_is_decided(text: str, offer: Offer) -> None:
    assert decide(parse(text), [(offer,)]) in set(Decision)


@given(REQUIREMENTS, OFFERS, st.tuples(NUMBERS, NUMBERS, NUMBERS))
def test_what_is_decided_stands_whatever_was_not_known(
    requirement: Requirement, offer: Offer, others: tuple[str, str, str]
) -> None:
    decided = decide(requirement, [(offer,)])
    cuda, driver, arch = (ours or other for ours, other in zip(offer[:3], others, strict=True))
    if decided is not Decision.OPEN:
        assert decide(requirement, [(Offer(cuda, driver, arch, "tesla"),)]) is decided


@given(NUMBERS, NUMBERS)
def test_versions_have_one_order(one: str, other: str) -> None:
    results = [compared(one, operator, other) for operator in ("<", "=", ">")]
    assert sorted(map(str, results)) == ["False", "False", "True"]
    assert compared(one, "<=", other) is not compared(one, ">", other)
