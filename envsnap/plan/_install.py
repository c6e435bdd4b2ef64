"""What is installed into the image, from which file, and what cannot be."""

from __future__ import annotations

from collections.abc import Sequence

from envsnap.errors import PlanError
from envsnap.manifest import Manifest, canonical_name
from envsnap.plan import _safe
from envsnap.plan._locked import by_name, lock_of, without_file
from envsnap.plan._model import LeftOut, PlanOptions, Why
from envsnap.sections import Artifact, Package, replace

_SHOWN = 5
_IN_A_WHEELHOUSE = "no index has its file, only a wheelhouse (--wheelhouse DIR)"
_NOT_HERE = "its file is not in the wheelhouse, and --offline fetches nothing"
_NOT_BUILT = "only its source is there, and what builds it would be fetched (--offline)"
_ODD = "its version is none of PEP 440, and pip installs no such file"


def installs(
    manifest: Manifest, active: Sequence[Package], options: PlanOptions
) -> tuple[tuple[Artifact, ...], tuple[LeftOut, ...], list[Why]]:
    """The file of every active package; the packages without one; and what is to say of both.

    Raises:
        PlanError: There is no lock of this environment, or a package has no file.
    """
    lock = lock_of(manifest, hint="Make one: envsnap lock")
    artifacts = by_name(lock, _checked)
    chosen: list[Artifact] = []
    missing: list[LeftOut] = []
    unlocked = {canonical_name(each.name): each.why for each in lock.unlocked}
    for package in active:
        name = canonical_name(package.name)
        found = artifacts.get(name)
        if _safe.is_odd(package.version):
            missing.append(LeftOut(package.name, package.version, _ODD))
        elif found is None:
            missing.append(
                LeftOut(package.name, package.version, unlocked.get(name, "the lock lacks it"))
            )
        elif found.version != package.version:
            missing.append(LeftOut(package.name, package.version, f"the lock has {found.version}"))
        elif why := _lacking(found, options):
            missing.append(LeftOut(package.name, package.version, why))
        else:
            chosen.append(replace(found, url=None) if _is_alone(found, options) else found)
    if missing and not options.allow_missing:
        raise _missing(missing)
    chosen.sort(key=lambda each: canonical_name(each.name))
    return tuple(chosen), tuple(sorted(missing)), _reasons(chosen, missing)


def _is_alone(found: Artifact, options: PlanOptions) -> bool:
    """Whether whoever builds gets the file from a wheelhouse alone."""
    return found.url is None or options.offline or found.sha256 in options.alone


def _lacking(found: Artifact, options: PlanOptions) -> str | None:
    """Why a file that the lock names cannot be installed; None where it can."""
    if options.offline and not _safe.is_wheel(found):
        return _NOT_BUILT
    if not _is_alone(found, options) or found.sha256 in options.stored:
        return None
    return _IN_A_WHEELHOUSE if found.url is None or not options.offline else _NOT_HERE


def _checked(found: Artifact, where: str) -> Artifact | None:
    """The artifact, once its form is right; None where pip could not install it."""
    return None if _safe.is_odd(found.version) else _safe.artifact(found, where)


def _missing(missing: Sequence[LeftOut]) -> PlanError:
    noun = "package" if len(missing) == 1 else "packages"
    return without_file(
        missing,
        f"{noun} cannot be installed in an image",
        hint="Where the environment still is, make their files (envsnap lock --wheelhouse DIR) and "
        "build with --wheelhouse DIR; or leave them out with --allow-missing",
    )


def _reasons(chosen: Sequence[Artifact], missing: Sequence[LeftOut]) -> list[Why]:
    exact = sum(each.is_installed is True for each in chosen)
    sources = [each for each in chosen if not _safe.is_wheel(each)]
    carried = [each.name for each in chosen if each.url is None]
    found = [
        Why(f"{len(chosen)} packages are installed, each from one file with its SHA-256",
            f"the lock names it; {exact} of them have the name, version, build and tags of what "
            "was installed, or its recorded hash", "lock"),
        Why("every file is named by its address and its hash, and no index is asked",
            "these two can name no other package, and none is chosen while an image is built",
            "lock"),
    ]  # fmt: skip
    if carried:
        found.append(
            Why(f"{len(carried)} of them lie beside the recipe, in wheels/ ({_listed(carried)})",
                "no index has them: they come from the wheelhouse", "lock")
        )  # fmt: skip
    if sources:
        names = _listed([each.name for each in sources])
        found.append(
            Why(f"{len(sources)} of them are built from source, in a stage of its own ({names})",
                "no wheel of them is on the index; the source is pinned, what builds it is not; "
                "with its wheel from a wheelhouse nothing is built (envsnap lock --wheelhouse DIR)",
                "lock")
        )  # fmt: skip
    if missing:
        names = _listed([_safe.plain(each.name) for each in missing])
        found.append(
            Why(
                f"{len(missing)} packages are left out ({names})",
                "--allow-missing was given",
                "option",
            )
        )
    return found


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN])
