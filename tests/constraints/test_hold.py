"""Whether a machine holds what is required: yes, no, or a fact is not known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.constraints import holds, parse, refused_of
from envsnap.constraints._versions import matches, version
from envsnap.manifest import Manifest
from envsnap.sections import MigSlice, Unknown
from tests import made
from tests.rules.machines import (
    AMD,
    T4,
    UNSEEN,
    cpu,
    device,
    driver,
    gpu,
    machine,
    packages,
)
from tests.strategies import manifests

SLICE = MigSlice(profile="1g.10gb", memory_mib=9856, multiprocessors=14)
MIG = machine(gpu=gpu(device(mig=True, slices=(SLICE,))))
MUSL = machine(os=made.linux(libc="musl", libc_version="1.2.4"))
TWO = machine(gpu=gpu(device(), T4))


@pytest.mark.parametrize(
    ("text", "manifest", "expected"),
    [
        ("gpu.compute_capability >= 8.0", machine(), (True, "8.0")),
        ("gpu.compute_capability >= 8.0", TWO, (False, "7.5")),
        ("gpu.compute_capability >= 8.0", machine(gpu=gpu()), (False, "none")),
        ("gpu.compute_capability >= 8.0", machine(gpu=gpu(AMD)), (False, "none")),
        ("gpu.compute_capability >= 10.0", machine(), (False, "8.0")),
        ("gpu.memory >= 20 GiB", machine(), (True, "40960 MiB")),
        ("gpu.memory >= 40960.5 MiB", machine(), (False, "40960 MiB")),
        ("gpu.memory >= 20 GiB", MIG, (False, "9856 MiB")),
        ("gpu.memory_mib >= 20000", machine(), (True, "40960 MiB")),
        ("gpu.multiprocessors == 14", MIG, (True, "14")),
        ("gpu.count >= 2", TWO, (True, "2")),
        ("gpu.count >= 2", machine(gpu=gpu(device(), T4, visible=(1,))), (False, "1")),
        ("gpu.count == 0", machine(gpu=gpu(visible=UNSEEN)), (True, "0")),
        ("driver in 535.*, 550.*", machine(), (True, "550.54.14")),
        ("driver not in 550.*", machine(), (False, "550.54.14")),
        ("driver >= 550.54.14", machine(), (True, "550.54.14")),
        ("driver > 550.54.14.0", machine(), (False, "550.54.14")),
        ("driver >= 525", machine(gpu=gpu()), (False, "none")),
        ("glibc >= 2.28", machine(), (True, "2.36")),
        ("glibc >= 2.4", machine(), (True, "2.36")),
        ("glibc >= 1.0", MUSL, (False, "none")),
        ("python == 3.11.*", machine(), (True, "3.11.7")),
        ("python == 3.1.*", machine(), (False, "3.11.7")),
        ("python < 3.11.7", machine(python=made.python(version="3.11.7rc1")), (True, "3.11.7rc1")),
        ("kernel >= 5.10", machine(os=made.linux(kernel="6.8.0-48-generic")),
         (True, "6.8.0-48-generic")),
        ("cpu.architecture == x86_64", machine(), (True, "x86_64")),
        ("cpu.features has avx2, fma", machine(), (True, "avx, avx2, fma")),
        ("cpu.features has avx512f, avx2", machine(), (False, "without avx512f")),
        ('gpu.name in "Tesla T4", "NVIDIA A100*"', TWO, (True, "NVIDIA A100-SXM4-40GB, Tesla T4")),
        ("memory >= 64 GiB", machine(), (True, "65536 MiB")),
        ("gpu.devices.ecc == true", machine(), (True, "true")),
        ("python.free_threaded == true", machine(), (False, "false")),
        ("environ.variables.CUBLAS_WORKSPACE_CONFIG == :4096:8", machine(), (True, ":4096:8")),
        ("environ.variables.OMP_NUM_THREADS == 4", machine(), (False, "none")),
        ("environ.variables.OMP_NUM_THREADS != 4", machine(), (True, "none")),
        ("package NumPy >= 1.26, < 2", machine(), (True, "1.26.4")),
        ("package numpy < 1.26.4", machine(), (False, "1.26.4")),
        ("package scipy", machine(), (False, "not installed")),
        ("gpu may differ", machine(), (True, "")),
    ],
)  # fmt: skip
def test_a_known_machine_holds_it_or_not(
    text: str, manifest: Manifest, expected: tuple[bool, str]
) -> None:
    answer = holds(parse(text), manifest)
    assert (answer.holds, answer.seen, answer.unknown) == (*expected, None)


@pytest.mark.parametrize(
    ("text", "manifest", "path"),
    [
        ("driver >= 525", machine(gpu=gpu(device(), driver=driver(UNSEEN))), "gpu.driver.version"),
        ("driver >= 525", machine(gpu=UNSEEN), "gpu"),
        ("gpu.count >= 1", machine(gpu=gpu(device(), visible=UNSEEN)), "gpu.visible"),
        ("gpu.memory >= 1 GiB", machine(gpu=gpu(device(mig=True, slices=UNSEEN))),
         "gpu.devices[0].slices"),
        ("cpu.features has avx2", machine(cpu=cpu(features=UNSEEN)), "cpu.features"),
        ("package numpy", machine(packages=packages(installed=UNSEEN)), "packages.installed"),
        ("environ.variables.A == 4", machine(environ=UNSEEN), "environ"),
    ],
)  # fmt: skip
def test_an_unknown_fact_is_neither_yes_nor_no(text: str, manifest: Manifest, path: str) -> None:
    answer = holds(parse(text), manifest)
    assert (answer.holds, answer.path, answer.unknown) == (None, path, UNSEEN)


def test_one_card_that_fails_decides_whatever_another_one_is() -> None:
    unseen = device(memory_mib=UNSEEN)
    answer = holds(parse("gpu.memory >= 20 GiB"), machine(gpu=gpu(unseen, T4)))
    assert (answer.holds, answer.seen) == (False, "15360 MiB")


def test_a_text_that_is_no_version_cannot_be_put_in_order() -> None:
    answer = holds(parse("kernel >= 5"), machine(os=made.linux(kernel="custom")))
    assert (answer.holds, answer.path, str(answer.unknown)) == (
        None, "os.kernel", "unparsable: custom is no version",
    )  # fmt: skip


ASKED = [
    parse(text)
    for text in (
        "driver >= 525.60.13", "gpu.memory >= 20 GiB", "glibc >= 2.28", "package numpy >= 1, < 2",
        "gpu.count >= 1", "cpu.features has avx2", "environ.variables.A in 1, 2", "python == 3.*",
        "gpu.name != x", "gpu.devices.slices.memory_mib > 1", "packages.installed.active == true",
    )
]  # fmt: skip


@given(manifests(), st.sampled_from(ASKED))
def test_every_manifest_has_an_answer(manifest: Manifest, expression: object) -> None:
    answer = holds(expression, manifest)  # type: ignore[arg-type]  # one of those above
    assert (answer.holds is None) is isinstance(answer.unknown, Unknown)
    assert len(answer.seen) < 400


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_text_breaks_the_comparison_of_versions(one: str, other: str) -> None:
    assert matches(one, one)
    assert isinstance(matches(one, other), bool)
    assert version(one) is None or version(one) == version(one)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=5), st.integers(0, 3))
def test_zeros_at_the_end_change_no_version(parts: list[int], zeros: int) -> None:
    text = ".".join(map(str, parts))
    assert version(text + ".0" * zeros) == version(text)
    assert matches(text, f"{text}.*")


@pytest.mark.parametrize(
    ("may", "must", "refused"),
    [
        ("driver in 535.*, 550.*", "driver in 550.*", ("535.*",)),
        ("driver in 535.*, 550.*", "driver >= 525.60.13", ()),
        ("driver >= 525, < 560", "driver >= 535", ("525",)),
        ("driver < 560", "driver >= 535", ()),
        ("gpu.memory in 16 GiB, 40 GiB", "gpu.memory_mib >= 20000", ("16 GiB",)),
        ("gpu.memory in 20 GiB, 40 GiB", "gpu.memory >= 20 GiB", ()),
        ('gpu.name in "Tesla T4", A100*', "gpu.name == A100*", ('"Tesla T4"',)),
        ("driver may differ", "driver == 535.183.01", ()),
        ("driver == 535.183.01", "package torch >= 2", ()),
    ],
)
def test_what_is_allowed_by_one_and_refused_by_the_other_is_told(
    may: str, must: str, refused: tuple[str, ...]
) -> None:
    assert refused_of(parse(may), parse(must)) == refused
