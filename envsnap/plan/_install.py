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
_ODD = "its version is none of PEP 440, and only a wheel of a wheelhouse installs it"


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
        if found is not None and not _safe.is_wheel(found):
            found = options.stand_ins.get(found.sha256, found)
        if found is None:
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


def unused_copies(packages: Sequence[Package]) -> tuple[str, ...]:
    """What is to know of copies that other copies hide: an image has none of them."""
    copies = [
        f"{_safe.plain(each.name)} {_safe.plain(each.version)}"
        for each in packages
        if not each.active and each.conda is None
    ]
    more = f" and {len(copies) - _SHOWN} more" if len(copies) > _SHOWN else ""
    told = f"Not in the image, for import never used them: {_listed(copies)}{more}"
    return (told,) if copies else ()


def _is_alone(found: Artifact, options: PlanOptions) -> bool:
    """Whether whoever builds gets the file from a wheelhouse alone."""
    return found.url is None or options.offline or found.sha256 in options.alone


def _lacking(found: Artifact, options: PlanOptions) -> str | None:
    """Why a file that the lock names cannot be installed; None where it can."""
    if _safe.is_odd(found.version) and not _is_unpacked(found, options):
        return _ODD
    if options.offline and not _safe.is_wheel(found):
        return _NOT_BUILT
    if not _is_alone(found, options) or found.sha256 in options.stored:
        return None
    return _IN_A_WHEELHOUSE if found.url is None or not options.offline else _NOT_HERE


def _checked(found: Artifact, where: str) -> Artifact:
    """The artifact, once its form is right."""
    is_odd = _safe.is_odd(found.version)
    return (_safe.local_artifact if is_odd else _safe.artifact)(found, where)


def _is_unpacked(found: Artifact, options: PlanOptions) -> bool:
    """Whether our own program can install what no installer takes: a wheel that travels."""
    travels = found.url is None and found.sha256 in options.stored
    return travels and _safe.is_unpackable(found)


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
                "they come from the wheelhouse, and whoever builds asks no index for them", "lock")
        )  # fmt: skip
    found += _unpacked(chosen)
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


def _unpacked(chosen: Sequence[Artifact]) -> list[Why]:
    """What is said of the wheels that no installer takes."""
    odd = [f"{each.name} {each.version}" for each in chosen if _safe.is_odd(each.version)]
    because = "their versions are none of PEP 440, and no installer takes such a file"
    said = f"{len(odd)} of them are unpacked by envsnap's own program ({_listed(odd)})"
    return [Why(said, because, "lock")] if odd else []


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN])
