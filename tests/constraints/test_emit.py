"""What must hold, in the languages that others read, and read by their own readers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.constraints import holds, nvidia, parse
from envsnap.constraints.emit import Emitted, Needs, conda, cuda_floor, pixi
from envsnap.constraints.emit import nvidia as for_nvidia
from envsnap.formats import formats
from envsnap.lock._toml import loads
from envsnap.manifest import Manifest
from envsnap.plan import PlanOptions, plan
from envsnap.sections import Fact, replace
from tests import made
from tests.rules.machines import device, driver, gpu, machine

CUDA_12 = Needs(cuda=("12.4", "11.8"))


def emitted(*texts: str, needs: Needs = Needs()) -> tuple[Emitted, Emitted, Emitted]:  # noqa: B008 - frozen
    must = [parse(text) for text in texts]
    return for_nvidia(must, needs), conda(must, needs), pixi(must, needs)


@pytest.mark.parametrize(
    ("versions", "floor"),
    [
        (["12.4"], "12.0"), (["12.4", "13.0"], "13.0"), (["12"], "12.0"), (["11.8"], "11.0"),
        (["10.2"], "10.2"), (["10.1", "9.2"], "10.1"), (["10"], "10.0"), ([], None), (["x"], None),
    ],
)  # fmt: skip
def test_a_family_of_cuda_asks_for_its_first_release(
    versions: list[str], floor: str | None
) -> None:
    assert cuda_floor(versions) == floor


def test_what_the_packages_need_is_said_in_every_language() -> None:
    assert emitted(needs=CUDA_12._replace(glibc="2.28")) == (
        Emitted("cuda>=12.0", ()),
        Emitted("__cuda >=12.0\n__glibc >=2.28", ()),
        Emitted(
            '[system-requirements]\ncuda = "12.0"\nlibc = { family = "glibc", version = "2.28" }',
            (),
        ),
    )


def test_of_two_floors_the_higher_one_is_said() -> None:
    texts, needs = ("glibc >= 2.31", "cuda >= 11.4"), CUDA_12._replace(glibc="2.17")
    _, for_conda, for_pixi = emitted(*texts, needs=needs)
    assert for_conda == Emitted("__cuda >=12.0\n__glibc >=2.31", ())
    assert loads(for_pixi.text)["system-requirements"] == {
        "cuda": "12.0", "libc": {"family": "glibc", "version": "2.31"},
    }  # fmt: skip


def test_alternatives_of_the_driver_are_nvidias_own() -> None:
    for_toolkit, for_conda, _ = emitted("driver in 535.*, 550.54.*, 560.35.03", needs=CUDA_12)
    assert for_toolkit.text == (
        "cuda>=12.0,driver>=535,driver<536 "
        "cuda>=12.0,driver>=550.54,driver<550.55 "
        "cuda>=12.0,driver=560.35.03"
    )
    assert for_conda == Emitted("__cuda >=12.0", ("driver in 535.*, 550.54.*, 560.35.03",))


def test_more_alternatives_than_a_variable_should_hold_are_left_out_and_named() -> None:
    texts = tuple(
        f"{name} in {', '.join(f'{each}.*' for each in range(first, first + 9))}"
        for name, first in (("driver", 535), ("cuda", 11))
    )
    assert emitted(*texts, needs=CUDA_12)[0] == Emitted("cuda>=12.0", texts)


def test_what_a_language_cannot_hold_is_named() -> None:
    texts = ("gpu.memory >= 20 GiB", "glibc >= 2.31", "gpu.compute_capability >= 8.0",
             "cuda >= 12.2, < 13", "cpu.level == x86_64_v3", "package numpy >= 1")  # fmt: skip
    for_toolkit, for_conda, for_pixi = emitted(*texts)
    assert for_toolkit == Emitted(
        "arch>=8.0,cuda>=12.2,cuda<13",
        ("gpu.memory >= 20 GiB", "glibc >= 2.31", "cpu.level == x86_64_v3", "package numpy >= 1"),
    )
    assert for_conda == Emitted(
        "__glibc >=2.31\n__cuda >=12.2,<13\n__archspec 1 x86_64_v3",
        ("gpu.memory >= 20 GiB", "gpu.compute_capability >= 8.0", "package numpy >= 1"),
    )
    assert for_pixi == Emitted(
        "[system-requirements]\n"
        'archspec = "x86_64_v3"\n'
        'libc = { family = "glibc", version = "2.31" }',
        ("gpu.memory >= 20 GiB", "gpu.compute_capability >= 8.0", "cuda >= 12.2, < 13",
         "package numpy >= 1"),
    )  # fmt: skip


def test_nothing_is_said_where_nothing_is_asked() -> None:
    assert emitted() == (Emitted("", ()), Emitted("", ()), Emitted("", ()))


DRIVERS = st.sampled_from(
    ("driver in 535.*, 550.*", "driver not in 545.*", "driver >= 525.60.13, < 570",
     "driver != 550.1", "driver == 550.54.*", "driver > 535", "driver <= 550.54.14", "cuda >= 12.2",
     "cuda in 12.2, 12.4.*", "gpu.compute_capability >= 8.0")
)  # fmt: skip
FOUND = st.sampled_from(("525.60.13", "535.183.01", "545.23", "550.1", "550.54.14", "570.1", "536"))


@given(
    st.lists(DRIVERS, max_size=3), FOUND,
    st.sampled_from(("12.0", "12.2", "12.4", "12.4.1")), st.sampled_from(("7.5", "8.0")),
)  # fmt: skip
def test_the_toolkit_starts_exactly_where_it_must_hold(
    texts: list[str], version: str, cuda: str, arch: str
) -> None:
    served = driver(version, cuda=cuda, cuda_in_effect=cuda)
    there = machine(gpu=gpu(device(compute_capability=arch), driver=served))
    expected = all(holds(parse(text), there).holds for text in texts)
    asked = nvidia.parse(emitted(*texts)[0].text)
    decided = nvidia.decide(asked, [nvidia.card(cuda, version, arch, "Tesla T4")])
    assert decided is (nvidia.Decision.STARTS if expected else nvidia.Decision.REFUSED)


OTHERS = st.sampled_from(
    ("glibc >= 2.28", "kernel >= 5.10", "glibc != 2.30", "cpu.microarchitecture == zen4")
)


@given(st.lists(DRIVERS | OTHERS, max_size=5))
def test_what_is_written_for_conda_and_pixi_is_what_they_read(texts: list[str]) -> None:
    _, for_conda, for_pixi = emitted(*texts, needs=CUDA_12)
    table = loads(for_pixi.text)["system-requirements"]
    assert set(table) <= {"archspec", "cuda", "libc", "linux"}
    rattler = pytest.importorskip("rattler", reason="py-rattler is not installed")
    for line in for_conda.text.splitlines():
        assert rattler.MatchSpec(line).name.normalized.startswith("__")


RUNTIME = made.package("nvidia-cuda-runtime-cu12", "12.4.127")
WHEEL = made.artifact(
    "nvidia-cuda-runtime-cu12", "12.4.127",
    "nvidia_cuda_runtime_cu12-12.4.127-py3-none-manylinux2014_x86_64.whl",
)  # fmt: skip


def recipe(manifest: Manifest) -> str:
    def digest(_: str) -> Fact[str]:
        return "sha256:" + "ab" * 32

    return formats()["dockerfile"].render(plan(manifest, PlanOptions(), digest))["Dockerfile"]


def with_cuda(kind: str = "nvidia") -> Manifest:
    installed, artifacts = (*made.PACKAGES, RUNTIME), (*made.ARTIFACTS, WHEEL)
    return made.manifest(installed, artifacts, gpu=made.gpu(kind))


def test_an_image_of_a_cuda_environment_says_which_driver_it_needs() -> None:
    assert 'ENV NVIDIA_REQUIRE_CUDA="cuda>=12.0"\n' in recipe(with_cuda())


def test_an_image_says_what_its_author_requires_of_the_driver() -> None:
    must = ["driver in 535.*, 550.*", "gpu.memory >= 20 GiB", "nonsense"]
    stated = replace(with_cuda(), requires={"must": must})
    assert (
        'ENV NVIDIA_REQUIRE_CUDA="cuda>=12.0,driver>=535,driver<536 '
        'cuda>=12.0,driver>=550,driver<551"\n'
    ) in recipe(stated)


def test_an_image_without_cuda_asks_for_no_driver() -> None:
    assert "NVIDIA_REQUIRE_CUDA" not in recipe(made.manifest())
    assert "NVIDIA_REQUIRE_CUDA" not in recipe(with_cuda("none"))


def test_the_plan_says_why_the_image_asks_for_a_driver() -> None:
    def digest(_: str) -> Fact[str]:
        return "sha256:" + "ab" * 32

    reasons = [each.decision for each in plan(with_cuda(), PlanOptions(), digest).reasons]
    assert "NVIDIA_REQUIRE_CUDA=cuda>=12.0" in reasons
