"""verify: an image's files are compared with a manifest; nothing of the image is started."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

from envsnap._typing import NamedTuple
from envsnap.errors import ManifestError, UsageError
from envsnap.images import Config, Image, ImageTree
from envsnap.manifest import Manifest
from envsnap.proof import Base, Held, Tampered, Verified
from envsnap.sections import Packages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envsnap.plan._system_versions import Versions
    from envsnap.proof._layers import Lowest

Listen = Callable[[str], None]
"""Gets a line that says what is being read."""
ALLOWED = (
    "bytecode", "content", "outside", "program", "project", "setting", "start", "system",
    "unreadable", "verifier",
)  # fmt: skip
"""What may be accepted as not proved."""
_INSIDE = "/opt/envsnap/manifest.json"
_WHEELS = "/opt/envsnap/wheels"
_SHOWN = 5
_ENVIRONMENT_LABEL = "io.envsnap.environment"
_MANIFEST_LABEL = "io.envsnap.manifest.sha256"
_BASE_NAME, _BASE_DIGEST = (f"org.opencontainers.image.base.{each}" for each in ("name", "digest"))


class Published(NamedTuple):
    """A manifest from elsewhere, which nobody who made the image could change."""

    manifest: Manifest
    name: str
    """What it is called: a path."""


@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    """What the caller of a verification decides."""

    against: Published | None = None
    base: bool = False
    """Ask the registry for the base image that the labels name, and compare its layers or files."""
    repository: str | None = None
    """A folder whose repository may have the commit of the project's code; None to ask none."""
    without: tuple[str, ...] = ()
    """Packages that were left out on purpose."""
    others_ok: bool = False
    """Other packages and files may be there, too: nothing is said of them."""
    allowed: frozenset[str] = frozenset()
    """Codes of what may stay not proved."""
    prefix: str | None = None
    """The environment's folder; None for the usual ones."""
    platform: str | None = None
    """Which image of an index: 'linux/arm64'; None for this machine's."""


def verify(image: Image, options: VerifyOptions, listen: Listen) -> tuple[Verified, ImageTree]:
    """Compare an open image with the published manifest, or else with the one it carries.

    Raises:
        ManifestError: Neither is there, or the one inside cannot be used.
        UsageError: The image has no environment.
        ImageError: The image cannot be read.
    """
    from envsnap.inside.compared import Scope
    from envsnap.proof import Read, code, prove

    with closing(Held(_watched(options))) as held:
        found, lowest = _read(image, options, held, listen)
        raw = found.content(_INSIDE)
        inside, fault = _inside(raw)
        wanted = _wanted(options, inside, fault, image.reference)
        scope = Scope(without=options.without, others_ok=options.others_ok)
        base, known, of_base = _base(image, listen) if options.base else ("", None, [])
        seen = (image.config, known)
        proof = prove(Read(found, held, options.prefix, lowest), seen, wanted, scope)
    of_code, no_code = code(found, wanted, options.repository)
    told = [
        *([fault] if fault else ()),
        *(_of_manifests(inside, options.against) if inside else ()),
        *_of_labels(image.config, inside, raw),
        *_of_object(image, raw, options.against),
        *of_base,
        *of_code,
        *(_overlay(each) for each in image.overlays),
        *(_doubtful(each) for each in found.doubtful),
    ]
    return Verified(
        image=image.reference, digest=image.digest, wanted=wanted,
        published=options.against.name if options.against else "", inside=inside, proof=proof,
        tampered=(*told, *proof.tampered), not_proved=(*proof.not_proved, *no_code),
        base=base,
        embedded=tuple(sorted(path for path in found.entries if path.startswith(f"{_WHEELS}/"))),
        allowed=options.allowed,
    ), found  # fmt: skip


def _has_one(image: Image) -> None:
    """Say that an image carries no manifest before all of it is read: of a large one, minutes."""
    from envsnap.images import manifest_of

    if image.config.labels.get(_MANIFEST_LABEL) is None and manifest_of(image) is None:
        raise _no_manifest(image.reference, f"There is no {_INSIDE}")


def _watched(options: VerifyOptions) -> tuple[str, ...]:
    """The folders of which it may be asked what a file was in its conda archive."""
    from envsnap.proof import folders

    found = options.against.manifest.section(Packages) if options.against else None
    if not isinstance(found, Packages) or not isinstance(found.installed, tuple):
        return folders(options.prefix)
    # To look for the prefix in each file takes a third of the time that its hash does.
    is_condas = found.conda_only or any(each.conda for each in found.installed)
    return folders(options.prefix) if is_condas else ()


def _read(
    image: Image, options: VerifyOptions, held: Held, listen: Listen
) -> tuple[ImageTree, Lowest]:
    """All files, those kept that are needed whole; and the way to those of the lowest layers."""
    from envsnap.proof import wanted_files
    from envsnap.proof._layers import read
    from envsnap.proof._taken import USERS

    if options.against is None:
        _has_one(image)
    wants = wanted_files(options.prefix, held)
    return read(
        image,
        lambda path: path == USERS or path.startswith(f"{_WHEELS}/") or wants(path),
        listen,
    )


def _wanted(
    options: VerifyOptions, inside: Manifest | None, fault: Tampered | None, reference: str
) -> Manifest:
    """What the image is compared with."""
    if options.against is not None:
        return options.against.manifest
    if inside is None:
        raise _no_manifest(reference, fault.says if fault else f"There is no {_INSIDE}")
    return inside


def _no_manifest(reference: str, why: str) -> ManifestError:
    return ManifestError(
        f"{reference}: {why}", hint="Name the manifest it should have: --against FILE"
    )


def _inside(raw: bytes | None) -> tuple[Manifest | None, Tampered | None]:
    """The manifest that the image carries; or what is wrong with it."""
    from envsnap.manifest import parse

    if raw is None:
        return None, None
    try:
        found = parse(raw, _INSIDE)
    except ManifestError as error:
        return None, Tampered("manifest", error.message, path=_INSIDE)
    if found.edited:
        says = "the manifest inside was edited: its facts are not those of its own digest"
        return found, Tampered("manifest", says, path=_INSIDE)
    return found, None


def _of_manifests(
    inside: Manifest, against: Published | None, which: str = "the manifest inside"
) -> Iterator[Tampered]:
    """How the manifest inside differs from the published one: all that it states otherwise."""
    if against is None:
        return
    from envsnap.proof._manifests import otherwise

    stated = otherwise(against.manifest, inside)
    is_other = stated.digests[0] != stated.digests[1]
    facts = (_facts(against.manifest, inside) or stated.facts) if is_other else []
    found = [*facts, *stated.rest]
    if found or is_other:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        says = f"{which} is not {against.name}: {'; '.join(found[:_SHOWN])}{more}"
        digests = stated.digests if is_other else ("", "")
        yield Tampered("manifest", says, "", _INSIDE, *digests)
    if stated.files:
        names = ", ".join(stated.files)
        says = f"the lock inside names other files than {against.name} for {names}"
        yield Tampered("manifest", says, path=_INSIDE)


def _facts(wanted: Manifest, found: Manifest) -> list[str]:
    """The facts that differ and are known on both sides, in the words that the rules have."""
    from envsnap.reports.differences import differences

    known = [each for each in differences(wanted, found) if not each.is_unknown]
    return [f"{each.path}: {each.wanted} -> {each.found}" for each in known]


def _of_labels(config: Config, inside: Manifest | None, raw: bytes | None) -> Iterator[Tampered]:
    """Labels that say something else than the files."""
    from envsnap.manifest import environment_id

    if inside is None or raw is None:
        return
    of_file = hashlib.sha256(raw).hexdigest()
    known = ((_ENVIRONMENT_LABEL, environment_id(inside)), (_MANIFEST_LABEL, of_file))
    for name, found in known:
        said = config.labels.get(name)
        if said is not None and isinstance(found, str) and said != found:
            says = f"the label {name} says {said}; of the manifest inside it is {found}"
            yield Tampered("label", says, path=name, wanted=said, found=found)


def _of_object(image: Image, raw: bytes | None, against: Published | None) -> Iterator[Tampered]:
    """A SIF's data object that is not the manifest in its file system.

    `show` and `check` read the object alone, so one that its file system does not have is told too.
    """
    from envsnap.images import manifest_of

    beside = manifest_of(image) if image.is_sif else None
    if beside is None or beside == raw:
        return
    what = "another manifest than its file system" if raw is not None else (
        "a manifest, and its file system has none"
    )  # fmt: skip
    yield Tampered("manifest", f"the SIF's data object holds {what}", path=_INSIDE)
    found, fault = _inside(beside)
    if fault is not None:
        yield fault._replace(says=f"in the SIF's data object: {fault.says}")
    if found is not None:
        yield from _of_manifests(found, against, "the manifest in the SIF's data object")


def _doubtful(path: str) -> Tampered:
    says = f"engines may have something else at {path}: its layer can be unpacked in two ways"
    return Tampered("doubtful", says, path=path)


def _overlay(name: str) -> Tampered:
    says = f"it holds {name}, a file system that Apptainer lays over the image's own"
    return Tampered("overlay", says, found=name)


def after_build(image: str, manifest: bytes) -> None:
    """Put the manifest beside the file system of a SIF that was just built: a JSON data object.

    So it is read without the file system, by `apptainer sif` and by `show` and `check` alike.

    Raises:
        FileError: The file cannot be read or written.
        ImageError: It is no SIF file, or has no room for one more object.
    """
    from envsnap.images import add_object
    from envsnap.manifest import FILE_NAME

    add_object(image, FILE_NAME, manifest)


def with_system(found: Verified, tree: ImageTree, known: Versions | None) -> Verified:
    """What was found, with the image's system packages beside those that its build got."""
    from envsnap.proof._packages import rows

    return replace(found, system=rows(tree, known))


def base_of(config: Config) -> str:
    """The reference of the base image that an image's labels name.

    Raises:
        UsageError: They name none.
    """
    name, digest = config.labels.get(_BASE_NAME, ""), config.labels.get(_BASE_DIGEST, "")
    if not name or not digest:
        raise UsageError(
            "The image's labels do not say from which base image it was made",
            hint="Leave out --base",
        )
    before, colon, tag = name.rpartition(":")
    return f"docker://{before if colon and '/' not in tag else name}@{digest}"


def _base(image: Image, listen: Listen) -> tuple[str, Base | None, list[Tampered]]:
    """The base image that the labels name, and whether its layers are the image's first.

    Of an image that has no layers, as a SIF, all files of the base are read to compare.
    """
    from envsnap.images import open_image, tree

    reference, is_flat = base_of(image.config), not image.config.diff_ids
    with open_image(reference, platform=image.config.platform or None) as base:
        wanted, digest, config = base.config.diff_ids, base.digest, base.config
        files = tree(base, lambda _: False, listen=listen) if is_flat else None
    found = image.config.diff_ids[: len(wanted)]
    if is_flat or (wanted and found == wanted):
        return reference, Base(config, files), []
    first = next((at for at, each in enumerate(wanted) if found[at : at + 1] != (each,)), 0)
    says = f"the first layers are not those of {reference}: layer {first + 1} of {len(wanted)}"
    fault = Tampered("base", says, wanted=digest, found="".join(found[first : first + 1]))
    return "", None, [fault]
