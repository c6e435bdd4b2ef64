"""What a fetched folder has beside its packages: the base image, the installer, an interpreter."""

from __future__ import annotations

import dataclasses
import glob
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

from envsnap._build import registry_of
from envsnap.errors import EnvsnapError, PlanError
from envsnap.facts.machines import debian_of
from envsnap.formats._files import DEBS
from envsnap.formats._halves import BASE
from envsnap.lock import LockOptions
from envsnap.lock._trust import Trust, host_of, own_of
from envsnap.manifest import Manifest, canonical_name
from envsnap.plan import BuildPlan, PlanOptions, plan
from envsnap.plan._estimate import size_words
from envsnap.plan._layers import travelling_tools
from envsnap.plan._model import WHEELS
from envsnap.sections import Reason, Unknown
from envsnap.wheelhouse._fetch import Source
from envsnap.wheelhouse._part import judge_room
from envsnap.wheelhouse._store import sha256_of
from envsnap.wheelhouse._tools import Needed, Tool, bring_files, offered, trust_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envsnap.wheelhouse._mirror import OfImage

Listener = Callable[[str], None]
LAYOUT = "base"
TOOLS = "tools"
_MIRROR = "UV_PYTHON_INSTALL_MIRROR"
_STATUS = "/var/lib/dpkg/status"
_SOURCES = ("/etc/apt/sources.list", "/etc/apt/sources.list.d/")
_KEYS = ("/usr/share/keyrings/", "/etc/apt/trusted.gpg.d/")


class Brought(NamedTuple):
    """One file that travels with the recipe, its bytes proved."""

    path: str
    """Below the folder, with `/`."""
    sha256: str
    source: str
    """Where it lies now."""
    base: str | None = None
    """The base image's name in it; None of every other file."""


class By(NamedTuple):
    """Who asks, and where what has come waits."""

    lock: LockOptions
    allowed: frozenset[str]
    """Hosts allowed by name."""
    folder: str
    listen: Listener


def bring_tools(planned: BuildPlan, manifest: Manifest, by: By) -> tuple[Brought, ...]:
    """The program that installs the packages, and the interpreter where the base has none.

    Raises:
        ToolError: One could not be fetched, or the index does not have it.
        FileError: One could not be written.
    """
    found = []
    for each in travelling_tools(planned):
        if not each.tool:
            continue
        name, version = each.filename.split("-")[:2]
        tool = Tool(canonical_name(name), version, frozenset({each.sha256}))
        file = offered(tool, manifest, by.lock)
        by.listen(f"Fetching {each.filename}")
        target = os.path.join(by.folder, TOOLS, each.filename)
        source = Source(file.url, file.sha256, file.size)
        trust = trust_of([file.url], by.lock, by.allowed)
        bring_files([Needed(source, target)], trust, _nobody)
        found.append(Brought(f"{WHEELS}/{each.filename}", file.sha256, target))
    return (*found, *_interpreter(planned, by))


def _nobody(count: int, /) -> None:
    """Nobody hears of a file that is small."""


def _interpreter(planned: BuildPlan, by: By) -> tuple[Brought, ...]:
    """The archive of the exact Python, where the base image has another one or none."""
    wanted = planned.interpreter
    if wanted.url is None or wanted.sha256 is None or wanted.filename is None:
        return ()
    url = _mirrored(wanted.url, os.environ.get(_MIRROR))
    target = os.path.join(by.folder, TOOLS, wanted.filename)
    # The address is of a table of ours, or of the user's own setting; its host leads to the files.
    trust = Trust(own=own_of([url]), allowed=by.allowed)

    def hear(count: int) -> None:
        by.listen(f"Fetching Python {planned.python}: {count / 1e6:.0f} MB")

    bring_files([Needed(Source(url, wanted.sha256), target)], trust, hear)
    return (Brought(f"{WHEELS}/{wanted.filename}", wanted.sha256, target),)


def _mirrored(url: str, mirror: str | None) -> str:
    """The address of an archive in the mirror of a site, by the variable that uv reads, too.

    >>> _mirrored("https://files.example/releases/download/2024/a.tgz", "https://m.example/py")
    'https://m.example/py/2024/a.tgz'
    """
    _, known, rest = url.partition("/releases/download/")
    return f"{mirror.rstrip('/')}/{rest}" if mirror and known else url


def bring_base(planned: BuildPlan, by: By) -> tuple[Brought, ...]:
    """The base image from its registry, as one archive.

    Raises:
        ToolError: The registry failed, or sent other bytes than it promised.
        FileError: The archive could not be written.
    """
    from envsnap.images import fetch_image, write_archive

    have: dict[str, tuple[int, int]] = {}

    def hear(digest: str, here: int, whole: int) -> None:
        have[digest] = (here, whole)
        here, whole = (sum(each[at] for each in have.values()) for at in (0, 1))
        by.listen(f"Fetching the base image: {size_words(here)} of {size_words(whole)}")

    layout = os.path.join(by.folder, LAYOUT)
    name = base_name(fetch_image(planned.base.full, planned.platform, layout, hear))
    target = os.path.join(by.folder, BASE)
    by.listen("Writing the base image as one archive ...")
    write_archive(layout, target, planned.epoch, name)
    return (Brought(BASE, sha256_of(target) or "", target, name),)


def base_name(digest: str) -> str:
    """What the base image is called where it was loaded from its archive: no registry has this.

    >>> base_name("sha256:" + "ab" * 32)
    'envsnap-base:abababababab'
    """
    return f"envsnap-base:{digest.removeprefix('sha256:')[:12]}"


STARTS: Mapping[str, str] = {
    "apptainer": f"oci-archive:{BASE}", "dockerfile": "", "devcontainer": "",
}  # fmt: skip
"""The formats that start from the base image's archive, and how they name it: empty for its own
name, by which an engine has it once it was loaded."""


def on_archive(planned: BuildPlan, name: str, base: Brought | None) -> BuildPlan:
    """The plan of a format whose image starts from the archive beside it, where there is one."""
    if base is None or base.base is None or name not in STARTS:
        return planned
    local = Unknown(Reason.NOT_RECORDED, f"it lies in {BASE}")
    start = dataclasses.replace(planned.base, reference=STARTS[name] or base.base, digest=local)
    return dataclasses.replace(planned, base=start)


def missing_images(planned: BuildPlan, formats: Iterable[str]) -> list[str]:
    """What whoever builds has to have beside the folder."""
    if not planned.conda or planned.builder is None or "dockerfile" not in formats:
        return []
    image = planned.builder.pinned
    return [f"What unpacks conda's packages starts from {image}, which is not in the folder"]


def planned_hosts(manifest: Manifest, options: PlanOptions) -> list[str]:
    """The hosts of what is fetched beside the packages, by a plan for which nobody is asked."""
    lock = manifest.lock
    known = frozenset(each.sha256 for each in lock.artifacts) if lock is not None else frozenset()
    asked = dataclasses.replace(options, allow_missing=True, stored=known, alone=known)
    try:
        found = plan(manifest, asked, lambda _: Unknown(Reason.NOT_RECORDED, "nobody was asked"))
    except EnvsnapError:  # what is wrong is said where it matters
        return ["the base image's registry"]
    base = found.base.reference
    registry = [registry_of(base)] if not found.base.is_file else []
    interpreter = host_of(_mirrored(found.interpreter.url or "", os.environ.get(_MIRROR)))
    system = ["the base image's own package archive"] * bool(found.system.image)
    return [*registry, *([interpreter] if interpreter else []), *system]


def bring_system(planned: BuildPlan, by: By) -> tuple[Brought, ...]:
    """The distribution's packages that the plan installs, and all that they need of it.

    What the base image has already is not fetched: where it has not come, its registry is read.

    Raises:
        PlanError: The base image is of no distribution with dpkg, or no mirror has a package.
        ToolError: A mirror failed, or its lists are not signed as they should be.
    """
    from envsnap.wheelhouse._debian import Wish
    from envsnap.wheelhouse._mirror import Asked, archives, bring_debs, choose, trust_in

    if not planned.system.image:
        return ()
    by.listen("Looking which packages the base image has ...")
    image = _of_image(_opened_by(planned, by), planned.base.reference)
    snapshot = planned.system.snapshot
    known = archives(image.sources, snapshot)
    own = [each.url for each in archives(_own_sources())]
    trust = trust_in(known, own, by.allowed)
    wishes = [Wish(each.name) for each in planned.system.image]
    asked = Asked(
        debian_of(planned.platform), snapshot, trust, os.path.join(by.folder, "lists"), by.listen
    )
    chosen, is_signed = choose(wishes, image, asked)
    if not is_signed:
        by.listen("warning: gpgv is not here, so nobody checked who signed the lists of packages")
    whole = sum(each.size for each, _ in chosen)
    judge_room(by.folder, whole)

    def hear(count: int) -> None:
        by.listen(f"Fetching {len(chosen)} packages of the distribution: {count / 1e6:.0f} MB")

    target = os.path.join(by.folder, DEBS)
    bring_debs(chosen, target, trust, hear)
    return tuple(
        Brought(f"{DEBS}/{each.filename}", each.sha256, os.path.join(target, each.filename))
        for each, _ in chosen
    )


def _opened_by(planned: BuildPlan, by: By) -> str:
    layout = os.path.join(by.folder, LAYOUT)
    is_here = os.path.isfile(os.path.join(layout, "index.json"))
    return f"oci:{layout}" if is_here else f"docker://{planned.base.full}"


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


__all__ = ["Brought", "base_name", "bring_base", "bring_system", "bring_tools"]
