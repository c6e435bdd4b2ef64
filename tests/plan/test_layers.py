"""Which wheels share a layer: the large first, the small last, and local code after all others."""

from __future__ import annotations

import hashlib

import pytest

from envsnap.errors import PlanError
from envsnap.facts.installers import uv_wheels
from envsnap.plan import PlanOptions, plan
from envsnap.plan._layers import ALONE, MOST_ALONE, Travels, installer, layers, travelling_tools
from envsnap.plan._model import OWN_PIP, BuildPlan
from envsnap.sections import Artifact, Fact, Reason, Unknown
from tests import made

NOT_TOLD = Unknown(Reason.NOT_RECORDED, "the index does not say")


def digest(_reference: str) -> Fact[str]:
    return "sha256:" + "ab" * 32


def wheel(name: str, size: Fact[int], **changes: object) -> Artifact:
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    filename = f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
    return made.artifact(name, "1.0", filename, size=size, sha256=sha256, **changes)


def named(
    wheels: list[Artifact], sizes: dict[str, int] | None = None
) -> list[tuple[str, list[str]]]:
    found = layers(wheels, sizes or {})
    return [(layer.name, [each.name for each in layer.wheels]) for layer in found]


def test_the_largest_come_first_and_local_code_last() -> None:
    wheels = [
        wheel("mine", 900_000_000, url=None, how="built"),
        wheel("six", 10_000),
        wheel("attrs", 60_000),
        wheel("torch", 800_000_000),
        wheel("pandas", 12_000_000),
        wheel("triton", ALONE),
        wheel("jinja2", 300_000),
    ]
    assert named(wheels) == [
        ("torch", ["torch"]),
        ("triton", ["triton"]),
        ("medium", ["pandas"]),
        ("small", ["jinja2"]),
        ("tiny", ["attrs", "six"]),
        ("local", ["mine"]),
    ]


def test_a_size_that_the_lock_does_not_know_is_asked_of_the_options() -> None:
    unknown = wheel("unknown", NOT_TOLD)
    assert named([unknown]) == [("medium", ["unknown"])]
    assert named([unknown], {unknown.sha256: ALONE}) == [("unknown", ["unknown"])]


@pytest.mark.parametrize("size", [-1, -(10**30), 0])
def test_a_size_that_cannot_be_is_a_small_one(size: int) -> None:
    assert named([wheel("odd", size)]) == [("tiny", ["odd"])]


def test_many_large_ones_do_not_fill_an_image_with_layers() -> None:
    wheels = [wheel(f"large{number:03}", ALONE + number) for number in range(200)]
    found = named(wheels)
    assert len(found) == MOST_ALONE + 1
    assert found[0] == ("large199", ["large199"])
    assert found[-1][0] == "medium"
    assert sorted(name for _, names in found for name in names) == [each.name for each in wheels]


def test_no_wheel_has_no_layer() -> None:
    assert layers([], {}) == ()


def test_uv_installs_where_it_knows_the_python_and_pip_elsewhere() -> None:
    tool, why = installer("3.8.20")
    answer = uv_wheels("3.8.20")
    assert tool.name == "uv"
    assert set(tool.sha256) == {each.sha256 for each in answer.value}  # type: ignore[union-attr]
    assert why.decision == f"uv {tool.version} installs the wheels, and is not in the image"
    tool, why = installer("3.7.17")
    assert tool == OWN_PIP
    assert why.decision == "the base image's own pip installs the wheels"


def planned(**options: object) -> BuildPlan:
    wheels = tuple(each for each in made.ARTIFACTS if each.filename.endswith(".whl"))
    names = {each.name for each in wheels}
    packages = tuple(each for each in made.PACKAGES if each.name.lower() in names)
    stored = frozenset(each.sha256 for each in wheels)
    manifest = made.manifest(packages, wheels)
    return plan(manifest, PlanOptions(stored=stored, **options), digest)  # type: ignore[arg-type]


def test_offline_everything_travels_and_the_installer_with_it() -> None:
    found = planned(offline=True)
    assert [each.url for each in found.wheels] == [None, None, None]
    (tool,) = travelling_tools(found)
    assert tool == Travels(tool.filename, tool.sha256, tool=True)
    assert "manylinux" in tool.filename
    assert "x86_64" in tool.filename
    assert travelling_tools(planned()) == ()


def test_offline_refuses_what_is_not_there_and_what_would_have_to_be_built() -> None:
    with pytest.raises(PlanError) as caught:
        plan(made.manifest(), PlanOptions(offline=True), digest)
    assert caught.value.message == (
        "4 packages cannot be installed in an image:\n"
        "  antlr4-python3-runtime 4.9.3: only its source is there, and what builds it would be "
        "fetched (--offline)\n"
        "  idna 3.7: its file is not in the wheelhouse, and --offline fetches nothing\n"
        "  numpy 1.26.4: its file is not in the wheelhouse, and --offline fetches nothing\n"
        "  PySocks 1.7.1: its file is not in the wheelhouse, and --offline fetches nothing"
    )
