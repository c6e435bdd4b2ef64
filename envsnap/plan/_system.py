"""Which packages of its distribution a base image gets, by evidence: no list of a laptop's own.

What the recipes do with them (`install.sh system`): nothing where there is none, so that an image
without any needs neither root nor network for them. Else the lists are brought, of the day that
`snapshot` names or of today, NVIDIA's own lists first taken away; the packages are installed
without what they recommend; the lists, logs and caches are removed in the same step. Ubuntu's apt
takes a snapshot by itself (`APT::Snapshot`, apt 2.4.11 and newer); Debian's sources are pointed at
its archive of snapshots, whose signatures have lapsed (`Acquire::Check-Valid-Until`). By https
that needs ca-certificates first, from the image's own sources; by http the lists' signatures are
what is trusted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from envsnap import facts
from envsnap._typing import NamedTuple
from envsnap.errors import PlanError
from envsnap.facts import library_families, package_needs, system_packages
from envsnap.manifest import Manifest, canonical_name
from envsnap.plan import _safe
from envsnap.plan._model import BaseImage, PlanOptions, SystemPackage, SystemPackages, Why
from envsnap.plan._needs import GENERAL, Ask, asked, few, names_of, who_of
from envsnap.plan._suite import Ground, ground_of, snapshot_of
from envsnap.plan._system_versions import who_decides
from envsnap.plan._unplaced import judged, must_be_there
from envsnap.sections import Artifact, Package, Packages, Unknown

_LISTED = 8
_HEADERS = "libc6-dev"
_COMPILERS = frozenset({"gcc", "clang"})
_CUDA = frozenset({
    "cublas", "cudnn", "cufft", "cufile", "cupti", "curand", "cusolver", "cusparse", "cusparselt",
    "cutensor", "nccl", "nvjitlink", "nvrtc", "nvshmem", "nvtx", "runtime",
})  # fmt: skip
"""Families that an image of NVIDIA's has, and no distribution."""
_ROCM = frozenset({
    "hip", "miopen", "rccl", "rocblas", "rocfft", "rocsolver", "rocsparse",
})  # fmt: skip
_ALTERNATIVES = frozenset({"libblas.so.3", "liblapack.so.3"})
"""Libraries that several packages have, with other digits: the captured one's is taken."""
_BINDER = "noble"
"""Ubuntu 24.04, which repo2docker builds on since 2026-01, whatever base image a plan has."""
_LOOK = "envsnap capture --deep"


class _Placed(NamedTuple):
    """What is asked for, sorted out."""

    packages: Mapping[str, list[Ask]]
    """By the package that has it."""
    nowhere: Sequence[Ask]
    """What no table can place."""


def system_packages_of(
    manifest: Manifest,
    base: BaseImage,
    chosen: Sequence[Artifact],
    options: PlanOptions,
    *,
    more: Sequence[Ask] = (),
) -> tuple[SystemPackages, tuple[Why, ...]]:
    """The packages that the image and its builder get, and why.

    `more` is what the image is asked for beside what its packages and runs ask for.

    Raises:
        PlanError: Something needs a library that cannot be placed, or the snapshot is none.
    """
    ground = ground_of(base)
    found = asked(manifest, chosen)
    found = found._replace(asks=(*found.asks, *more))
    shown = {ask.name for ask in found.asks if ask.is_shown}
    placed = _placed([ask for ask in found.asks if ask.is_shown], ground, base)
    reasons = [] if found.was_looked else [_not_looked()]
    reasons += judged(placed.nowhere, ground, base, options)
    reasons += _perhaps([ask for ask in found.asks if ask.name not in shown])
    image = _listed(placed.packages)
    if image and options.offline:
        reasons.append(_travelling(image))
    builder, why_builder = _builder(manifest, chosen, ground)
    snapshot = None
    if options.snapshot is not None:
        snapshot, why_snapshot = snapshot_of(options.snapshot, ground)
        reasons.append(why_snapshot)
    system = SystemPackages(image=image, builder=builder, snapshot=snapshot)
    versions = who_decides(system, offline=options.offline)
    reasons += [*_reasons(image, placed.packages, ground), *versions, *why_builder]
    return system, tuple(reasons)


def system_notes(
    manifest: Manifest, base: BaseImage, chosen: Sequence[Artifact], options: PlanOptions
) -> tuple[str, ...]:
    """What the base image must have itself, because nothing can put it there: a sentence, or none.

    For people who start from an image of their own: a plan of one that is known is refused.
    """
    ground = ground_of(base)
    shown = [ask for ask in asked(manifest, chosen).asks if ask.is_shown]
    return must_be_there(_placed(shown, ground, base).nowhere, ground, base, options)


def _perhaps(asks: Sequence[Ask]) -> list[Why]:
    """What is said of programs that packages can start, where nothing shows that they did."""
    if not asks:
        return []
    verb, them = ("is", "it") if len({ask.name for ask in asks}) == 1 else ("are", "them")
    return [
        Why(f"{few(names_of(asks))} {verb} not installed",
            f"{few(who_of(asks))} can start {them}, and nothing shows that they did: record a run "
            f"of yours (envsnap run), or name an image that has {them} (--base-image)",
            asks[0].source)
    ]  # fmt: skip


def _placed(asks: Iterable[Ask], ground: Ground, base: BaseImage) -> _Placed:
    packages: dict[str, list[Ask]] = {}
    nowhere: list[Ask] = []
    for ask in asks:
        names = _packages_of(ask, ground)
        if names is None and not _is_of_base(ask, base):
            nowhere.append(ask)
        for name in names or ():
            packages.setdefault(name, []).append(ask)
    return _Placed(packages, nowhere)


def _packages_of(ask: Ask, ground: Ground) -> Sequence[str] | None:
    """The packages that have it; none where every image has it; None where no table has it."""
    if ask.kind == "library" and _is_everywhere(ask.name, ground):
        return ()
    if ground.suite is None:
        return None
    answer = _asked_of(ask, ground.suite)
    if isinstance(answer, facts.Looked):
        name = answer.value
        if ask.name in _ALTERNATIVES and system_packages.has(ask.owner or "", ground.suite):
            name = ask.owner or name
        if system_packages.is_in_base(name, ground.suite):
            return ()
        return (name, _HEADERS) if name in _COMPILERS else (name,)
    others = sorted(set(system_packages.others_of(ask.name, ground.suite).values()))
    if ask.kind == "library" and not ask.is_needed and len(others) == 1:
        return others  # what is built or opened there takes the version that is there
    return None


def _is_everywhere(soname: str, ground: Ground) -> bool:
    """Whether every image with glibc, or with musl, has it, whatever its distribution."""
    if ground.kind == "musl":
        return soname.startswith(("libc.musl-", "ld-musl-"))
    answer = system_packages.package_of(soname, "bookworm")
    return isinstance(answer, facts.Looked) and answer.value in {"libc6", "libgcc-s1", "libstdc++6"}


def _is_of_base(ask: Ask, base: BaseImage) -> bool:
    """Whether it is CUDA's or ROCm's own, and so is the image."""
    family = library_families.family(ask.name) if ask.kind == "library" else None
    name = base.repository
    return (family in _CUDA and ("nvidia/" in name)) or (family in _ROCM and "rocm/" in name)


def refuse_without_archives(found: SystemPackages) -> None:
    """Refuse a build without a network whose context has none of the packages' own archives.

    Raises:
        PlanError: There are packages to install, and nothing to install them from.
    """
    wanted = found.image or found.compiler
    if wanted:
        raise PlanError(
            f"{_named(wanted)} cannot be installed without a network ({wanted[0].because})",
            hint="Bring them along where there is one: envsnap build --fetch -o DIR; or name an "
            "image that has them: --base-image IMAGE",
        )


def _builder(
    manifest: Manifest, chosen: Sequence[Artifact], ground: Ground
) -> tuple[tuple[SystemPackage, ...], tuple[Why, ...]]:
    """What building the source archives takes, beside the interpreter's own headers."""
    sources = [each for each in chosen if not _safe.is_wheel(each) and _compiles(manifest, each)]
    if not sources or ground.suite is None:
        return (), _no_builder(sources, ground)
    names = [each.name for each in sources]
    why = {"build-essential": f"compilers, for {few(names)}"}
    for ask in asked(manifest, sources).asks:
        found = system_packages.development_of(ask.name, ground.suite)
        if ask.kind == "library" and isinstance(found, facts.Looked):
            own = system_packages.package_of(ask.name, ground.suite)
            if not (isinstance(own, facts.Looked) and own.value in {"libc6", "libgcc-s1"}):
                why[found.value] = ask.because()
    for each in sources:
        needs = package_needs.needs_of(canonical_name(each.name))
        for program in needs.value.builds if isinstance(needs, facts.Looked) else ():
            place = system_packages.package_of_program(program, ground.suite)
            if isinstance(place, facts.Looked):
                why[place.value] = f"{program}, which building {each.name} takes"
    packages = tuple(SystemPackage(name, why[name]) for name in sorted(why))
    return packages, (
        Why(f"a stage of its own builds {few(names)} with {_named(packages)}",
            "only source archives of them are there; the compilers do not stay in the image",
            "lock"),
    )  # fmt: skip


def _no_builder(sources: Sequence[Artifact], ground: Ground) -> tuple[Why, ...]:
    if not sources:
        return ()
    return (
        Why(f"{few([each.name for each in sources])} is built with the base image's own compilers",
            f"no package of {ground.what} is known", "lock"),
    )  # fmt: skip


def _compiles(manifest: Manifest, source: Artifact) -> bool:
    """Whether what was built from it has compiled code, or may have."""
    packages = manifest.section(Packages)
    installed = () if isinstance(packages, Unknown) else packages.installed
    found: Package | None = None
    if not isinstance(installed, Unknown):
        name = canonical_name(source.name)
        found = next((each for each in installed if canonical_name(each.name) == name), None)
    tags = found.tags if found is not None and isinstance(found.tags, tuple) else ()
    return not tags or not all(tag.endswith("-none-any") for tag in tags)


def _listed(packages: Mapping[str, Sequence[Ask]]) -> tuple[SystemPackage, ...]:
    return tuple(
        SystemPackage(
            name, "; ".join(dict.fromkeys(ask.because() for ask in asks[:2])),
            tuple(sorted({ask.name for ask in asks if ask.kind == "library"})),
            _in_binder(name, asks),
        )
        for name, asks in sorted(packages.items())
    )  # fmt: skip


def _in_binder(name: str, asks: Sequence[Ask]) -> tuple[str, ...]:
    """The packages that have the same in repo2docker's own Ubuntu; none where the name is one."""
    answers = [_asked_of(ask, _BINDER) for ask in asks]
    found = {each.value for each in answers if isinstance(each, facts.Looked)}
    return () if name == _HEADERS or found == {name} else tuple(sorted(found))


def _asked_of(ask: Ask, suite: str) -> facts.Answer[str]:
    if ask.kind == "library":
        return system_packages.package_of(ask.name, suite)
    return system_packages.package_of_program(ask.name, suite)


def _reasons(
    image: Sequence[SystemPackage], packages: Mapping[str, Sequence[Ask]], ground: Ground
) -> list[Why]:
    """Why each package is installed: one line each, the first ones."""
    made = f"table system_packages of {facts.date_of('system_packages')}"
    found = [
        Why(f"{each.name} is installed in the image", each.because,
            f"{packages[each.name][0].source}; {made}")
        for each in image[:_LISTED]
    ]  # fmt: skip
    if len(image) > _LISTED:
        rest = image[_LISTED:]
        found.append(Why(f"so are {_named(rest)}", "for reasons like these: system.txt has them",
                         made))  # fmt: skip
    if not image and ground.kind != "unknown":
        found.append(Why("no system packages are installed",
                         "nothing is known to need one that the base image lacks",
                         "sections.system_libraries"))  # fmt: skip
    return found


def _not_looked() -> Why:
    return Why(
        "which system libraries are needed was not looked at",
        f"the capture was not a deep one, so only what is {GENERAL} about a few packages is "
        f"installed; {_LOOK} reads it from the libraries themselves",
        "sections.system_libraries",
    )


def _travelling(image: Sequence[SystemPackage]) -> Why:
    noun = "package" if len(image) == 1 else "packages"
    return Why(f"the archives of {len(image)} system {noun} lie beside the recipe, in debs/",
               "no step of the build uses the network", "--offline")  # fmt: skip


def _named(packages: Sequence[SystemPackage]) -> str:
    shown = ", ".join(each.name for each in packages[:_LISTED])
    return f"{shown}, ..." if len(packages) > _LISTED else shown


__all__ = ["refuse_without_archives", "system_notes", "system_packages_of"]
