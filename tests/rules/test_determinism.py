"""ENV002 to ENV006: what has to hold for two runs to agree, on one machine even."""

from __future__ import annotations

import pytest

from envsnap.manifest import Manifest
from envsnap.rules import Condition, Level, Scope
from envsnap.sections import Environ, Package, Reason, Unknown
from tests import made
from tests.rules.machines import (
    AMD,
    RUNTIME,
    TORCH,
    UNSEEN,
    device,
    gpu,
    judged,
    machine,
    missing,
    packages,
)

NUMPY = made.package("numpy", "1.26.4")
TENSORFLOW = made.package("tensorflow", "2.17.0")
JAX = (made.package("jax", "0.6.0"), made.package("jax-cuda12-plugin", "0.6.0"))
PURE = packages(made.package("idna", "3.7"))
A100 = gpu(device())


def setting(*installed: Package, **variables: str) -> Manifest:
    return machine(
        environ=Environ(variables=variables), gpu=A100,
        **({"packages": packages(*installed)} if installed else {}),
    )  # fmt: skip


def conditions(code: str, manifest: Manifest) -> tuple[Condition, ...]:
    report = judged(code, manifest, manifest)
    assert report.not_checked == ()
    assert report.findings == ()
    return report.conditions


@pytest.mark.parametrize("value", [":4096:8", ":16:8"])
def test_a_workspace_that_cublas_promises_the_same_bits_for_is_no_condition(value: str) -> None:
    assert conditions("ENV002", setting(CUBLAS_WORKSPACE_CONFIG=value)) == ()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "was not set"),
        ({"CUBLAS_WORKSPACE_CONFIG": ":0:0"}, "was set to another layout than :4096:8 or :16:8"),
    ],
)
def test_without_a_workspace_of_its_own_cublas_is_not_the_same_each_run(
    variables: dict[str, str], words: str
) -> None:
    assert conditions("ENV002", setting(**variables)) == (
        Condition(
            "ENV002", f"CUBLAS_WORKSPACE_CONFIG {words} at capture", Level.STATISTICAL,
            "export CUBLAS_WORKSPACE_CONFIG=:4096:8", Scope.BOTH,
        ),
    )  # fmt: skip


def test_cublas_concerns_nobody_whose_environment_computes_elsewhere() -> None:
    nothing = Environ(variables={})
    for other in (
        machine(environ=nothing, gpu=gpu()),
        machine(environ=nothing, gpu=gpu(AMD, kind="amd", driver=None)),
        machine(environ=nothing, packages=PURE),
    ):
        assert conditions("ENV002", other) == ()


def test_machines_without_an_environment_have_no_conditions() -> None:
    alone = Unknown(Reason.NOT_ASKED, "--host-only")
    machines = machine(packages=alone, python=alone, environ=Environ(variables={}))
    for code in ("ENV002", "ENV003", "ENV004", "ENV005", "ENV006"):
        assert conditions(code, machines) == ()


def test_variables_that_nobody_saw_leave_the_conditions_open() -> None:
    for code in ("ENV002", "ENV005"):
        blind = machine(environ=UNSEEN)
        assert missing(judged(code, blind, blind)) == [
            ("wanted environ", "no-permission: for a test")
        ]


def test_seeds_are_asked_for_where_something_draws() -> None:
    assert conditions("ENV003", machine(packages=packages(NUMPY, TORCH))) == (
        Condition(
            "ENV003", "the seeds of NumPy and PyTorch were not recorded", None,
            "seed each in the program, and state the seeds: random.seed, numpy.random.seed, "
            "torch.manual_seed, torch.utils.data.DataLoader.generator",
        ),
    )  # fmt: skip
    assert conditions("ENV003", machine(packages=PURE)) == ()


def test_the_switches_of_pytorch_matter_on_a_gpu() -> None:
    assert conditions("ENV004", machine()) == (
        Condition(
            "ENV004", "the deterministic switches of PyTorch were not recorded", None,
            "set them in the program, and say so: torch.backends.cudnn.benchmark, "
            "torch.backends.cudnn.deterministic, torch.use_deterministic_algorithms",
        ),
    )  # fmt: skip
    assert conditions("ENV004", machine(gpu=gpu())) == ()


def test_tensorflow_may_be_asked_by_a_variable() -> None:
    text = "the deterministic switches of TensorFlow were not recorded"
    assert [each.text for each in conditions("ENV004", setting(TENSORFLOW))] == [text]
    assert conditions("ENV004", setting(TENSORFLOW, TF_DETERMINISTIC_OPS="1")) == ()
    both = setting(TENSORFLOW, TORCH, RUNTIME)
    assert [each.text for each in conditions("ENV004", both)] == [
        "the deterministic switches of PyTorch and TensorFlow were not recorded"
    ]


@pytest.mark.parametrize(("value", "is_open"), [("0", False), ("7", False), ("random", True)])
def test_the_hash_seed_orders_sets(value: str, *, is_open: bool) -> None:
    told = conditions("ENV005", setting(NUMPY, PYTHONHASHSEED=value))
    assert bool(told) is is_open


def test_a_hash_seed_that_is_not_set_is_told_where_something_computes() -> None:
    assert conditions("ENV005", setting(NUMPY)) == (
        Condition(
            "ENV005", "PYTHONHASHSEED was not set at capture", None, "export PYTHONHASHSEED=0"
        ),
    )
    assert conditions("ENV005", machine(packages=PURE, environ=Environ(variables={}))) == ()


@pytest.mark.parametrize(
    ("flags", "is_asked"),
    [
        ("--xla_gpu_deterministic_ops=true", True),
        ("--xla_gpu_autotune_level=0 --xla_gpu_exclude_nondeterministic_ops", True),
        ("--xla_gpu_deterministic_ops=false", False),
        ("--xla_gpu_deterministic_ops_of_mine=true", False),
        ("", False),
    ],
)
def test_jax_on_a_gpu_is_the_same_each_run_only_where_xla_is_told(
    flags: str, *, is_asked: bool
) -> None:
    told = conditions("ENV006", setting(*JAX, XLA_FLAGS=flags))
    lowering = Condition(
        "ENV006", "XLA_FLAGS did not ask for deterministic operations at capture",
        Level.STATISTICAL, "export XLA_FLAGS=--xla_gpu_deterministic_ops=true",
    )  # fmt: skip
    assert told == (() if is_asked else (lowering,))


def test_jax_on_the_processor_needs_no_flags() -> None:
    assert conditions("ENV006", setting(JAX[0], made.package("jaxlib", "0.6.0"))) == ()
    old = (made.package("jax", "0.4.10"), made.package("jaxlib", "0.4.10+cuda12.cudnn88"))
    assert len(conditions("ENV006", setting(*old))) == 1
