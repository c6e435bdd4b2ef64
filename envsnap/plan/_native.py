"""What a native environment must contain: every active package's file, whatever layer it was in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from envsnap.errors import PlanError
from envsnap.manifest import Manifest, canonical_name
from envsnap.plan import _safe
from envsnap.plan._locked import by_name, lock_of, without_file
from envsnap.plan._model import LeftOut
from envsnap.sections import (
    Artifact,
    CondaArtifact,
    CondaRecord,
    Lock,
    Package,
    Packages,
    Python,
    Unknown,
)

_LOCK_IT = "Lock it where the environment still is: envsnap lock --wheelhouse DIR"
_AGAIN = "Capture the environment again: envsnap capture"
_WHERE_IT_STILL_IS = (
    "Where the environment still is, make their files: envsnap lock --wheelhouse DIR; "
    "or leave them out with --allow-missing"
)


class NativePlan(NamedTuple):
    """Everything that an environment on this machine is made of."""

    python: Python
    environment: str
    """The environment's id."""
    artifacts: tuple[Artifact, ...]
    """By canonical name; conda's own packages apart."""
    conda: tuple[CondaArtifact, ...]
    left_out: tuple[LeftOut, ...]
    layers: tuple[tuple[str, int], ...]
    """The layers beside the environment's own whose packages go into it, and how many each has."""
    shadowed: tuple[str, ...]
    """Copies that import never used, as 'numpy 1.0': they are not restored."""
    packages: int
    """How many there are in all, conda's included."""


def native_plan(manifest: Manifest, *, allow_missing: bool = False) -> NativePlan:
    """What to restore.

    Raises:
        PlanError: The manifest or its lock does not say; the hint says what can be done.
    """
    python, packages = _known(manifest)
    lock = lock_of(manifest, hint=_LOCK_IT)
    active = [each for each in packages if each.active]
    by_pip = [each for each in active if each.conda is None]
    conda_only = _conda_only(manifest)
    owned = {each.conda.name for each in active if each.conda} | {each.name for each in conda_only}
    if owned and not lock.conda:
        raise PlanError(
            f"The lock names no conda archive, and {len(owned)} packages are conda's",
            hint="Lock it again: envsnap lock",
        )
    chosen, missing = _files(by_pip, lock)
    if missing and not allow_missing:
        noun = "package has" if len(missing) == 1 else "packages have"
        raise without_file(missing, f"{noun} no file in the lock", hint=_WHERE_IT_STILL_IS)
    return NativePlan(
        python=python, environment=lock.environment, artifacts=chosen,
        conda=lock.conda, left_out=missing, layers=_layers(by_pip),
        shadowed=tuple(f"{each.name} {each.version}" for each in packages if not each.active),
        packages=len(by_pip) + len(owned),
    )  # fmt: skip


def _known(manifest: Manifest) -> tuple[Python, Sequence[Package]]:
    python, packages = manifest.section(Python), manifest.section(Packages)
    if isinstance(python, Unknown):
        raise PlanError(f"The manifest does not know its Python ({python})", hint=_AGAIN)
    _safe.python_version(python.version, "sections.python.version")
    if python.version.startswith("2."):
        raise PlanError(f"No environment is made for Python {python.version}: it has no venv")
    found = packages if isinstance(packages, Unknown) else packages.installed
    if isinstance(found, Unknown):
        raise PlanError(f"The manifest does not know its packages ({found})", hint=_AGAIN)
    return python, found


def _conda_only(manifest: Manifest) -> Sequence[CondaRecord]:
    packages = manifest.section(Packages)
    if isinstance(packages, Unknown) or isinstance(packages.conda_only, Unknown):
        return ()
    return packages.conda_only


def _files(
    packages: Sequence[Package], lock: Lock
) -> tuple[tuple[Artifact, ...], tuple[LeftOut, ...]]:
    """The file of every package, and the packages without one."""
    artifacts = by_name(lock, _safe.local_artifact)
    unlocked = {canonical_name(each.name): each.why for each in lock.unlocked}
    chosen, missing = [], []
    for package in packages:
        name = canonical_name(package.name)
        found = artifacts.get(name)
        if found is not None and found.version == package.version:
            chosen.append(found)
            continue
        why = unlocked.get(name, "the lock lacks it")
        why = why if found is None else f"the lock has {found.version}"
        missing.append(LeftOut(package.name, package.version, why))
    chosen.sort(key=lambda each: canonical_name(each.name))
    return tuple(chosen), tuple(sorted(missing))


def _layers(packages: Sequence[Package]) -> tuple[tuple[str, int], ...]:
    """Every layer but the one that has the most: what is now in one folder was not before."""
    counted: dict[str, int] = {}
    for each in packages:
        counted[each.layer] = counted.get(each.layer, 0) + 1
    own = "env" if "env" in counted else max(counted, key=lambda each: counted[each], default="")
    return tuple(sorted((layer, count) for layer, count in counted.items() if layer != own))
