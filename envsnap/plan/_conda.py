"""conda's packages in an image: the archive of each, and what unpacks them."""

from __future__ import annotations

from collections.abc import Sequence

from envsnap import facts
from envsnap._typing import NamedTuple
from envsnap.engines.conda import checked
from envsnap.errors import PlanError
from envsnap.facts import installers
from envsnap.plan._base import Wanted
from envsnap.plan._locked import lock_of, without_file
from envsnap.plan._model import PREFIX, Installer, LeftOut, PlanOptions, Why
from envsnap.sections import CondaArtifact, Packages, Unknown, replace

UNPACKS_BY = "3.13.15"
"""The Python that starts py-rattler where the environment's own is none that could."""
_SUBDIRS = {
    "x86_64": "linux-64", "aarch64": "linux-aarch64",
    "ppc64le": "linux-ppc64le", "s390x": "linux-s390x",
}  # fmt: skip
_LOCK_IT = "Lock it where the environment still is: envsnap lock --wheelhouse DIR"
_GIVE_IT = (
    "Where the environment still is, make their files (envsnap lock --wheelhouse DIR) and build "
    "with --wheelhouse DIR"
)
_NO_CHANNEL = "no channel has its archive, only a wheelhouse (--wheelhouse DIR)"
_NOT_HERE = "its archive is not in the wheelhouse, and --offline fetches nothing"


class CondaPart(NamedTuple):
    """What of an image is conda's."""

    packages: tuple[CondaArtifact, ...] = ()
    """By name; each field has the only form it may have."""
    unpacker: Installer | None = None
    """None where nothing is conda's."""
    left_out: tuple[LeftOut, ...] = ()
    reasons: tuple[Why, ...] = ()

    @property
    def variables(self) -> tuple[tuple[str, str], ...]:
        """What activation would set, PATH apart."""
        return (("CONDA_PREFIX", PREFIX),) if self.unpacker is not None else ()


class _Owned(NamedTuple):
    """A package that conda owns, as the capture saw it."""

    name: str
    version: str


def conda_part(wanted: Wanted) -> CondaPart:
    """The conda packages of an environment; none where it has none and conda did not make it.

    Raises:
        PlanError: The lock does not name the archive of each, or one is of another platform.
        ManifestError: A field of one has a form that no channel knows.
    """
    owned, options = _owned(wanted), wanted.options
    if not owned and wanted.python.environment_kind != "conda":
        return CondaPart()
    lock = lock_of(wanted.manifest, hint=_LOCK_IT)
    chosen = [checked(each, f"lock.conda[{index}]") for index, each in enumerate(lock.conda)]
    _refuse_lacking(owned, chosen)
    _refuse_platform(chosen, wanted.machine)
    kept, left_out = _to_be_had(chosen, options)
    unpacker, why = _unpacker(wanted.machine)
    return CondaPart(
        tuple(sorted(kept, key=lambda each: each.name)), unpacker, left_out,
        (*_reasons(kept, options), why),
    )  # fmt: skip


def _owned(wanted: Wanted) -> list[_Owned]:
    section = wanted.manifest.section(Packages)
    others = (
        ()
        if isinstance(section, Unknown) or isinstance(section.conda_only, Unknown)
        else section.conda_only
    )
    owned = [each.conda for each in wanted.active if each.conda is not None]
    return sorted({_Owned(each.name, each.version) for each in (*owned, *others)})


def _refuse_lacking(owned: Sequence[_Owned], chosen: Sequence[CondaArtifact]) -> None:
    """Refuse a lock that does not name what the capture saw."""
    names = [each.name for each in chosen]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise PlanError(f"{twice[0]} stands twice in 'lock.conda'")
    here = {(each.name, each.version) for each in chosen}
    missing = [
        LeftOut(each.name, each.version, "the lock names no archive of it")
        for each in owned
        if each not in here
    ]
    if missing or "python" not in names:
        missing = missing or [LeftOut("python", "", "conda made the environment without one")]
        noun = "conda package has" if len(missing) == 1 else "conda packages have"
        raise without_file(missing, f"{noun} no archive in the lock", hint=_LOCK_IT)


def _refuse_platform(chosen: Sequence[CondaArtifact], machine: str) -> None:
    ours = _SUBDIRS[machine]
    for each in chosen:
        if each.subdir not in {"noarch", ours}:
            raise PlanError(
                f"{each.name} is a conda package for {each.subdir}, and the environment is for "
                f"{ours}",
                hint="Lock the environment again on a machine of its own kind: envsnap lock",
            )


def _to_be_had(
    chosen: Sequence[CondaArtifact], options: PlanOptions
) -> tuple[list[CondaArtifact], tuple[LeftOut, ...]]:
    """The archives that whoever builds can get; one that travels anyway has no address any more."""
    kept, missing = [], []
    for each in chosen:
        travels = each.url is None or each.sha256 in options.alone
        if each.sha256 in options.stored or not (travels or options.offline):
            kept.append(replace(each, url=None) if travels else each)
        else:
            why = _NO_CHANNEL if each.url is None else _NOT_HERE
            missing.append(LeftOut(each.name, each.version, why))
    essential = any(each.name == "python" for each in missing)
    if missing and (essential or not options.allow_missing):
        noun = "conda package" if len(missing) == 1 else "conda packages"
        raise without_file(missing, f"{noun} cannot be unpacked in an image", hint=_GIVE_IT)
    return kept, tuple(sorted(missing))


def _unpacker(machine: str) -> tuple[Installer, Why]:
    found = installers.rattler_wheels(UNPACKS_BY)
    if not isinstance(found, facts.Looked):
        raise PlanError(f"Nothing unpacks conda packages in an image: {found}")
    if all(each.machine != machine for each in found.value):
        raise PlanError(
            f"No image of conda packages is planned for {machine}: py-rattler, which unpacks them, "
            "has no wheel for it",
            hint="Restore the environment on such a machine: envsnap restore",
        )
    version = found.value[0].version
    return (
        Installer("py-rattler", version, tuple(each.sha256 for each in found.value)),
        Why(f"py-rattler {version} unpacks conda's packages, and is not in the image",
            "it needs no conda, and its own wheels are known by their SHA-256; no script of a "
            "package (post-link) is run", f"table installers of {facts.date_of('installers')}"),
    )  # fmt: skip


def _reasons(kept: Sequence[CondaArtifact], options: PlanOptions) -> tuple[Why, ...]:
    noun = "conda package is" if len(kept) == 1 else "conda packages are"
    by_md5 = [each.name for each in kept if not isinstance(each.sha256, str)]
    how = f"; of {len(by_md5)} only the MD5 is known" if by_md5 else ""
    found = [
        Why(f"the environment is conda's, at {PREFIX}: {len(kept)} {noun} unpacked there",
            f"the lock names the archive of each and its hash{how}; what pip installed comes "
            "after them, and replaces what it had replaced", "lock"),
        Why(f"PATH and CONDA_PREFIX={PREFIX} are all that activation does here",
            "the variables of an image are fixed when it is made: scripts in etc/conda/activate.d "
            "are not run, and variables in etc/conda/env_vars.d and conda-meta/state are not set",
            "the plan"),
    ]  # fmt: skip
    here = [each.name for each in kept if each.url is None or options.offline]
    if here:
        because = "--offline was given" if options.offline else "no channel has them"
        found.append(
            Why(f"{len(here)} of the archives lie beside the recipe, in conda/",
                f"{because}: they come from the wheelhouse", "lock")
        )  # fmt: skip
    return tuple(found)
