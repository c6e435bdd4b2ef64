"""What a fetched folder has beside its packages: the base image, the distribution's packages."""

from __future__ import annotations

import dataclasses
import glob
import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress

from envsnap._build import BuildOptions, registry_of
from envsnap._installers import Brought, By, early_plan, interpreter_host
from envsnap._room import judge_room, path_of
from envsnap._units import size_words
from envsnap.errors import EnvsnapError, FileError, PlanError
from envsnap.facts.machines import debian_of
from envsnap.formats import named
from envsnap.formats._files import DEBS, DEBS_PYTHON
from envsnap.formats._halves import BASE, BUILDER
from envsnap.manifest import Manifest
from envsnap.plan import BaseImage, BuildPlan
from envsnap.plan._model import SystemPackage
from envsnap.sections import Reason, Unknown
from envsnap.wheelhouse._store import sha256_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envsnap.wheelhouse._mirror import OfImage

LAYOUT = "base"
BUILDER_LAYOUT = "builder"
TOOLS = "tools"
SIF_BASE = "base.sif"
_LOCAL = "localimage:"
_WORDS = {BUILDER: "the image that unpacks conda's packages"}
"""What an image is called while it comes, where it is not the base."""
_STATUS = "/var/lib/dpkg/status"
_SOURCES = ("/etc/apt/sources.list", "/etc/apt/sources.list.d/")
_KEYS = ("/usr/share/keyrings/", "/etc/apt/trusted.gpg.d/")


def bring_base(planned: BuildPlan, formats: Iterable[str], by: By) -> tuple[Brought, ...]:
    """The images that the recipes start from, each as one archive; none where no recipe does.

    Raises:
        ToolError: A registry failed, or an image has other bytes than it promised.
        FileError: An archive could not be read or written.
    """
    asked = {*formats}
    if not starting(asked):
        return ()
    if planned.base.reference.startswith(_LOCAL):
        return (_local_image(planned.base, by),)
    found = [_image(planned.base, (LAYOUT, BASE), planned, by)]
    builder = builder_of(planned, asked)
    if builder is not None:
        found.append(_image(builder, (BUILDER_LAYOUT, BUILDER), planned, by))
    return tuple(found)


def builder_of(planned: BuildPlan, formats: Iterable[str]) -> BaseImage | None:
    """The second image, which unpacks conda's packages; None where the recipes start from one."""
    is_used = planned.conda and any(named(name).is_staged for name in formats)
    return planned.builder if is_used and planned.builder != planned.base else None


def _image(
    wanted: BaseImage, places: tuple[str, str], planned: BuildPlan, by: By
) -> Brought:  # fmt: skip
    """One image as an archive that has a name, by way of a folder that an earlier run began."""
    from envsnap.images import copy_image, fetch_image, write_archive

    have: dict[str, tuple[int, int]] = {}
    what = _WORDS.get(places[1], "the base image")
    doing = "Copying" if wanted.is_file else "Fetching"

    def hear(digest: str, here: int, whole: int) -> None:
        have[digest] = (here, whole)
        here, whole = (sum(each[at] for each in have.values()) for at in (0, 1))
        by.listen(f"{doing} {what}: {size_words(here)} of {size_words(whole)}")

    layout, target = (os.path.join(by.folder, each) for each in places)
    if wanted.is_file:
        digest = copy_image(wanted.reference, planned.platform, layout, hear)
    else:
        digest = fetch_image(wanted.full, planned.platform, layout, hear)
    by.listen(f"Writing {what} as one archive ...")
    write_archive(layout, target, planned.epoch, base_name(digest))
    return Brought(places[1], sha256_of(target) or "", target, base_name(digest))


def _local_image(base: BaseImage, by: By) -> Brought:
    """A SIF file, copied: Apptainer starts from it as it is."""
    from envsnap.images import open_image

    path = path_of(base)
    target = os.path.join(by.folder, SIF_BASE)
    by.listen("Copying the base image ...")
    try:
        shutil.copyfile(path, f"{target}.part")
        os.replace(f"{target}.part", target)
    except OSError as error:
        raise FileError(f"Cannot copy {path}: {error.strerror}") from error
    with open_image(target):
        pass  # what is no SIF is refused here, and not on a node without a network
    return Brought(SIF_BASE, sha256_of(target) or "", target, f"{_LOCAL}{SIF_BASE}")


def base_name(digest: str) -> str:
    """What the base image is called where it was loaded from its archive: no registry has this.

    >>> base_name("sha256:" + "ab" * 32)
    'envsnap-base:abababababab'
    """
    return f"envsnap-base:{digest.removeprefix('sha256:')[:12]}"


def refuse_absent(base: BaseImage) -> None:
    """Refuse a base image that is no file here, before anybody is asked for the rest.

    Raises:
        PlanError: It is a folder, which cannot travel.
        FileError: There is no such file.
    """
    if not base.is_file:
        return
    path = path_of(base)
    if os.path.isdir(path):
        raise PlanError(f"The base image {base.reference} is a folder, which cannot travel",
                        hint=f"Make a file of it: apptainer build base.sif {path}")  # fmt: skip
    if not os.path.isfile(path):
        raise FileError(f"There is no file {path}, which --base-image names",
                        hint="Name one that can be read")  # fmt: skip


def stand_in(planned: BuildPlan, name: str) -> tuple[Brought, ...]:
    """The base image as it will lie beside a recipe, for one that is tried before it has come."""
    if planned.base.reference.startswith(_LOCAL):
        is_taken = name == "apptainer"  # who cannot start from it says so by the name as typed
        return (
            Brought(
                SIF_BASE, "", "", f"{_LOCAL}{SIF_BASE}" if is_taken else planned.base.reference
            ),
        )
    return (Brought(BASE, "", "", base_name("sha256:" + "0" * 12)),)


def starting(formats: Iterable[str]) -> bool:
    """Whether one of these formats starts from an image that travels as an archive."""
    return any(named(name).starts is not None for name in formats)


def on_archive(planned: BuildPlan, name: str, images: Sequence[Brought]) -> BuildPlan:
    """The plan of a format whose images lie beside it, where they do."""
    own = named(name).starts
    if not images or own is None:
        return planned
    first, *others = [each.base or "" for each in images]
    start = first if first.startswith(_LOCAL) else own or first
    second = _beside(planned.builder, others[0]) if others and planned.builder else planned.builder
    if planned.builder == planned.base:
        second = _beside(planned.base, first)
    found = dataclasses.replace(planned, base=_beside(planned.base, start), builder=second)
    return _told_by_place(found, planned.base) if planned.base.is_file else found


def _told_by_place(planned: BuildPlan, base: BaseImage) -> BuildPlan:
    """The same, its sentences without the path that the base image had on this machine."""
    was, now = base.reference, planned.base.reference
    reasons = tuple(
        each._replace(
            decision=each.decision.replace(was, now), because=each.because.replace(was, now)
        )
        for each in planned.reasons
    )
    notes = tuple(each.replace(was, now) for each in planned.notes)
    return dataclasses.replace(planned, reasons=reasons, notes=notes)


def _beside(image: BaseImage, reference: str) -> BaseImage:
    """The image by the name that it has in the folder."""
    local = Unknown(Reason.NOT_RECORDED, "it lies beside the recipe")
    return dataclasses.replace(image, reference=reference, repository=reference, digest=local)


def planned_hosts(manifest: Manifest, options: BuildOptions) -> list[str]:
    """The hosts of what is fetched beside the packages, by a plan for which nobody is asked."""
    try:
        found = early_plan(manifest, options.plan)
    except EnvsnapError:  # what is wrong is said where it matters
        return ["the base image's registry"]
    is_used = starting(options.formats)
    images = [found.base, builder_of(found, options.formats)] if is_used else []
    registries = [registry_of(each.reference) for each in images if each and not each.is_file]
    interpreter = interpreter_host(found)
    system = ["the base image's own package archive"] * bool(
        found.system.image or found.system.compiler
    )
    return [*registries, *([interpreter] if interpreter else []), *system]


def bring_system(planned: BuildPlan, by: By) -> tuple[Brought, ...]:
    """The distribution's packages that the plan installs, and all that they need of it.

    What the base image has already is not fetched: where it has not come, its registry is read.

    Raises:
        PlanError: The base image is of no distribution with dpkg, or no mirror has a package.
        ToolError: A mirror failed, or its lists are not signed as they should be.
    """
    parts = ((DEBS, planned.system.image), (DEBS_PYTHON, planned.system.compiler))
    return tuple(
        each
        for place, packages in parts
        if packages
        for each in _bring_packages(planned, packages, place, by)
    )


def _bring_packages(
    planned: BuildPlan, packages: Sequence[SystemPackage], place: str, by: By
) -> tuple[Brought, ...]:
    from envsnap.wheelhouse._debian import Wish
    from envsnap.wheelhouse._mirror import Asked, archives, bring_debs, choose, trust_in

    by.listen("Looking which packages the base image has ...")
    image = _of_image(_opened_by(planned, by), planned.base.reference)
    snapshot = planned.system.snapshot
    known = archives(image.sources, snapshot)
    own = [each.url for each in archives(_own_sources())]
    trust = trust_in(known, own, by.allowed)
    wishes = [Wish(each.name) for each in packages]
    asked = Asked(
        debian_of(planned.platform), snapshot, trust, os.path.join(by.folder, "lists"), by.listen
    )
    chosen, is_signed = choose(wishes, image, asked)
    if not is_signed:
        by.listen("warning: gpgv is not here, so nobody checked who signed the lists of packages")
    judge_room(by.folder, {"the distribution's packages": sum(each.size for each, _ in chosen)})

    def hear(count: int) -> None:
        by.listen(f"Fetching {len(chosen)} packages of the distribution: {count / 1e6:.0f} MB")

    target = os.path.join(by.folder, place)
    bring_debs(chosen, target, trust, hear)
    return tuple(
        Brought(f"{place}/{each.filename}", each.sha256, os.path.join(target, each.filename))
        for each, _ in chosen
    )


def _opened_by(planned: BuildPlan, by: By) -> str:
    layout = os.path.join(by.folder, LAYOUT)
    if os.path.isfile(os.path.join(layout, "index.json")):
        return f"oci:{layout}"
    if planned.base.is_file:
        return planned.base.reference.removeprefix(_LOCAL)
    return f"docker://{planned.base.full}"


def _of_image(place: str, reference: str) -> OfImage:
    """What the base image says of its packages and their mirrors."""
    from envsnap.images import open_image, tree
    from envsnap.wheelhouse._mirror import OfImage

    with open_image(place) as image:
        found = tree(image, _is_of_dpkg)
    status = found.content(_STATUS)
    if status is None:
        raise PlanError(
            f"{reference} has no dpkg, so the packages of its distribution cannot be fetched",
            hint="Build where there is a network: without --fetch",
        )
    texts = {
        path: raw.decode("utf-8", "replace")
        for path, raw in found.contents.items()
        if path.startswith(_SOURCES)
    }
    keys = {path: raw for path, raw in found.contents.items() if path.startswith(_KEYS)}
    return OfImage(status.decode("utf-8", "replace"), texts, keys)


def _is_of_dpkg(path: str) -> bool:
    return path == _STATUS or path.startswith((*_SOURCES, *_KEYS))


def _own_sources() -> dict[str, str]:
    """The mirrors that this machine's own apt is set to, where it has one."""
    found = {}
    for path in [_SOURCES[0], *glob.glob(f"{_SOURCES[1]}*")]:
        with suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
            found[path] = file.read()
    return found


__all__ = ["Brought", "base_name", "bring_base", "bring_system"]
