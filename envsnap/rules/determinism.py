"""ENV: what decides whether two runs on one machine agree, and no difference between machines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from envsnap.facts import determinism
from envsnap.rules._core import Pair, Side, drift, need
from envsnap.rules._cuda import computes_on_gpu, is_machine_alone
from envsnap.rules._findings import Condition, Level, Outcome, Scope
from envsnap.rules._sources import CUBLAS, HASH_SEED, JAX_DETERMINISM, TORCH_RANDOMNESS
from envsnap.rules._views import active, all_are_listed, shell_line, visible_gpus
from envsnap.sections import Environ, Gpu, Packages, Python

_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
_SAME_EACH_RUN = frozenset({":4096:8", ":16:8"})
_TITLES = {"torch": "PyTorch", "tensorflow": "TensorFlow", "jax": "JAX", "numpy": "NumPy"}
"""Distributions that draw random numbers, and what people call them."""
_ON = frozenset({"1", "true"})
_XLA = re.compile(r"--xla_gpu_(?:deterministic|exclude_nondeterministic)_ops(?:=(?:true|1))?(?!\S)")
_JAX_ON_GPU = re.compile(r"jax-(?:cuda|rocm)\d+-(?:plugin|pjrt)")


@drift(
    "ENV002", scope=Scope.BOTH, worst=Outcome.NOTE, reads=(Environ, Gpu, Packages, Python),
    source=CUBLAS, lowers=Level.STATISTICAL,
)  # fmt: skip
def cublas_workspace(pair: Pair) -> Iterator[Condition]:
    """Without it cuBLAS may give other digits from run to run.

    Programs that run on several CUDA streams get the same bits from cuBLAS only with
    CUBLAS_WORKSPACE_CONFIG set to :4096:8 or :16:8. No difference between two machines; it
    lowers what can be promised to statistical agreement, for how many streams a program runs on
    is its libraries' choice.
    """
    side = pair.wanted
    if not _has_nvidia(side):
        return
    value = _variables(side).get(_CUBLAS)
    if value in _SAME_EACH_RUN:
        return
    state = "was not set" if value is None else "was set to another layout than :4096:8 or :16:8"
    yield Condition(
        code="ENV002", text=f"{_CUBLAS} {state} at capture", lowers=Level.STATISTICAL,
        remedy=shell_line("export", f"{_CUBLAS}=:4096:8"),
    )  # fmt: skip


@drift("ENV003", scope=Scope.BOTH, worst=Outcome.NOTE, reads=(Packages,), source=TORCH_RANDOMNESS)
def seeds(pair: Pair) -> Iterator[Condition]:
    """Two runs draw the same random numbers only if the program seeds every generator.

    What a program seeds, and with what, no capture sees. Asked for where a library is installed
    that draws random numbers for computations.
    """
    drawing = _installed(pair.wanted, tuple(_TITLES))
    if not drawing:
        return
    calls = [
        each.name
        for name in ("python", *sorted(drawing))
        for each in determinism.switches(name)
        if each.decides == "seed"
    ]
    yield Condition(
        code="ENV003", text=f"the seeds of {_named(drawing)} were not recorded",
        remedy=f"seed each in the program, and state the seeds: {', '.join(calls)}",
    )  # fmt: skip


@drift(
    "ENV004", scope=Scope.BOTH, worst=Outcome.NOTE, reads=(Environ, Gpu, Packages, Python),
    source=TORCH_RANDOMNESS,
)  # fmt: skip
def switches(pair: Pair) -> Iterator[Condition]:
    """Frameworks add in any order unless the program asks for deterministic ones.

    PyTorch on a GPU takes algorithms that sum by atomic operations, cuDNN may measure which is
    fastest and take another one in the next run; TensorFlow's threads finish in any order. Each
    has switches against it, which programs set and no capture sees.
    """
    side = pair.wanted
    asked = [name for name in ("torch", "tensorflow") if _installed(side, (name,))]
    if "torch" in asked and not (visible_gpus(side) and computes_on_gpu(side)):
        asked.remove("torch")
    if "tensorflow" in asked:
        value = _variables(side).get("TF_DETERMINISTIC_OPS", "")
        asked = [each for each in asked if each != "tensorflow" or value.lower() not in _ON]
    if asked:
        names = [
            each.name
            for name in asked
            for each in determinism.switches(name)
            if each.decides == "determinism"
        ]
        yield Condition(
            code="ENV004", text=f"the deterministic switches of {_named(asked)} were not recorded",
            remedy=f"set them in the program, and say so: {', '.join(names)}",
        )  # fmt: skip


@drift("ENV005", scope=Scope.BOTH, worst=Outcome.NOTE, reads=(Environ, Packages), source=HASH_SEED)
def hash_seed(pair: Pair) -> Iterator[Condition]:
    """Python puts sets of text in another order in each run, unless told not to.

    A program that walks through a set of names, as of files or of classes, hands them on in that
    order: to a shuffle, to a batch, to a sum. Asked for where such libraries are installed.
    """
    if not _installed(pair.wanted, tuple(_TITLES)):
        return
    value = _variables(pair.wanted).get("PYTHONHASHSEED", "random")
    if not value.isdecimal():
        yield Condition(
            code="ENV005", text="PYTHONHASHSEED was not set at capture",
            remedy=shell_line("export", "PYTHONHASHSEED=0"),
        )  # fmt: skip


@drift(
    "ENV006", scope=Scope.BOTH, worst=Outcome.NOTE, reads=(Environ, Gpu, Packages),
    source=JAX_DETERMINISM, lowers=Level.STATISTICAL,
)  # fmt: skip
def xla_operations(pair: Pair) -> Iterator[Condition]:
    """XLA takes the kernels that it measures as fastest, and adds in any order.

    JAX on a GPU gives the same bits in each run only with XLA_FLAGS that ask for it; a program
    has no call for that. It lowers what can be promised to statistical agreement.
    """
    side = pair.wanted
    if not _jax_on_gpu(side) or not visible_gpus(side):
        return
    flags = _variables(side).get("XLA_FLAGS", "")
    if not _XLA.search(flags):
        yield Condition(
            code="ENV006", text="XLA_FLAGS did not ask for deterministic operations at capture",
            lowers=Level.STATISTICAL,
            remedy=shell_line("export", "XLA_FLAGS=--xla_gpu_deterministic_ops=true"),
        )  # fmt: skip


def _has_nvidia(side: Side) -> bool:
    """Whether the environment computes on a GPU of NVIDIA's."""
    if is_machine_alone(side):
        return False
    gpus = any(each.vendor == "nvidia" for each in visible_gpus(side))
    return gpus and computes_on_gpu(side)


def _jax_on_gpu(side: Side) -> bool:
    """Whether JAX has its half for GPUs: a plugin, or before 0.4.14 a build of jaxlib."""
    if not _installed(side, ("jax",)):
        return False
    packages = active(side)
    if any(_JAX_ON_GPU.match(name) for name in packages):
        return True
    return any("+cuda" in each.version for name, each in packages.items() if name == "jaxlib")


def _installed(side: Side, names: tuple[str, ...]) -> list[str]:
    """Those of the names that are installed; ends the rule where they may be, and are not told."""
    if is_machine_alone(side):
        return []
    packages = set(active(side))
    found = [each for each in names if each in packages]
    if not found:
        all_are_listed(side)
    return found


def _named(names: list[str]) -> str:
    """'NumPy and PyTorch'."""
    titles = sorted(_TITLES[each] for each in names)
    return " and ".join(filter(None, (", ".join(titles[:-1]), titles[-1])))


def _variables(side: Side) -> Mapping[str, str]:
    return need(side.need(Environ).variables, side.path("environ.variables"))
