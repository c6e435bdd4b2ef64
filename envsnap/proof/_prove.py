"""All comparisons of an image's files with one manifest, put together."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator

from envsnap import __version__
from envsnap._typing import NamedTuple
from envsnap.images import Config, ImageTree
from envsnap.inside import compared, conda_files
from envsnap.manifest import Manifest, document
from envsnap.proof import _around
from envsnap.proof import _outside as outside
from envsnap.proof import _settings as settings
from envsnap.proof._environment import HOME, Environment
from envsnap.proof._files import Files
from envsnap.proof._held import Held
from envsnap.proof._layers import Lowest
from envsnap.proof._model import NotProved, Proof, Tampered
from envsnap.proof._outside import Base
from envsnap.proof._replaced import give_up_replaced
from envsnap.proof._taken import startless, taken_away, unreadable
from envsnap.sections import Packages, Python, Unknown


class Read(NamedTuple):
    """An image's files as they were read."""

    tree: ImageTree
    held: Held
    """What watched them pass."""
    prefix: str | None = None
    """The environment's folder; None for the usual ones."""
    lowest: Lowest | None = None
    """The way to the files of its lowest layers; None where nobody asks what was taken away."""


def prove(
    read: Read, known: tuple[Config, Base | None], wanted: Manifest, scope: compared.Scope
) -> Proof:
    """Compare the environment in an image with a manifest, from its files alone.

    `known` is what the image says of itself, and its base image where a registry was asked.

    Raises:
        UsageError: The image has no environment there.
    """
    environment = Environment(read.tree, read.prefix)
    unknown: list[str] = []
    if not isinstance(_installed(wanted), Unknown):
        unknown = give_up_replaced(environment, document(wanted))
    judged = _judged(environment, wanted, scope)
    sure = _sure(environment, wanted)
    names = _names(wanted) if scope.others_ok else None
    files = Files(
        environment, read.held, sure, names, covered={*_covered(environment, judged.outside)}
    )
    files.unknown += unknown
    if not scope.others_ok:
        files.strays()
    python = _around.python_facts(environment)
    judged.faults[:0] = compared.python_faults(document(wanted), python)
    around = _surroundings(files, known, wanted, others_ok=scope.others_ok)
    paths = {each.path for each in (*files.tampered, *around[0])}
    gone = _taken_away(files, known, read.lowest, paths, others_ok=scope.others_ok)
    told = (_told(each, files) for each in judged.faults)
    tampered = (*_around.links(environment), *told, *files.tampered, *around[0], *gone[0])
    version = python.get("version")
    return Proof(
        prefix=environment.prefix, python=version if isinstance(version, str) else "",
        packages=len(environment.conda) + sum(map(files.is_pips, environment.distributions)),
        proved=_proved(files, judged, {each.package for each in tampered}),
        by_version=dict(sorted(judged.by_version.items())),
        files=files.files, size=files.size, outside=files.outside, tampered=tampered,
        not_proved=(*_not_proved(wanted, judged, files, (known[0], python)), *around[1], *gone[1]),
        layers=read.tree.layers,
    )  # fmt: skip


def _surroundings(
    files: Files, known: tuple[Config, Base | None], wanted: Manifest, *, others_ok: bool
) -> settings.Found:
    """What the image sets and starts; and what else is in it, unless that is nobody's business."""
    config, base = known
    tampered, left = settings.settings(files.environment, config, wanted, base)
    if not others_ok:
        more, unproved = outside.outside(files.environment, files.named, base)
        left += _of_packages(files, unproved, wanted, known)
        done = {each.path for each in _around.interpreter(files.environment)}
        tampered += [each for each in more if each.path not in done]
    tampered += [
        *outside.searched(files.environment.tree),
        *_around.interpreter(files.environment),
        *_around.verifier(files.environment, config),
    ]
    return tampered, left


def _taken_away(
    files: Files,
    known: tuple[Config, Base | None],
    lowest: Lowest | None,
    told: Collection[str],
    *,
    others_ok: bool,
) -> settings.Found:
    """What is gone, or cannot be read, but for the paths of which more was `told` already.

    That others may be there, too, is no leave to take anything away: doubts alone are dropped.
    """
    config, base = known
    environment = files.environment
    gone, left = taken_away(environment, files.named, base, lowest)
    found: dict[str, Tampered] = {}
    shut, doubts = unreadable(environment, files.named, config)
    for each in (*shut, *gone, *startless(environment)):
        found.setdefault(each.path, each)
    new = [each for path, each in found.items() if path not in told]
    return new, [] if others_ok else [*left, *doubts]


def _of_packages(
    files: Files, found: list[NotProved], wanted: Manifest, known: tuple[Config, Base | None]
) -> list[NotProved]:
    """What is outside of the environment, that of system packages apart from the rest."""
    if not found:
        return []
    from envsnap.proof._packages import sorted_out  # which brings all of plan

    return sorted_out(files.environment.tree, found, wanted, known)


def _sure(environment: Environment, wanted: Manifest) -> Collection[bytes]:
    """Conda's records in the image that are the manifest's."""
    if isinstance(_installed(wanted), Unknown):
        return ()
    return conda_files.sure(document(wanted), environment.conda)


def _proved(files: Files, judged: compared.Judged, tampered: set[str]) -> int:
    """How many packages have the manifest's files; conda's own and what they bring are one."""
    proved = {compared.canonical(each) for each in judged.proved - tampered}
    pips = filter(files.is_pips, files.environment.distributions)
    names = {compared.canonical(each.installed.name) for each in pips}
    return len(judged.of_conda - tampered) + len(proved & names)


def _judged(environment: Environment, wanted: Manifest, scope: compared.Scope) -> compared.Judged:
    """What differs about the packages; nothing where the manifest does not know its own."""
    if isinstance(_installed(wanted), Unknown):
        return compared.Judged()
    plain = document(wanted)
    installed = [each.installed for each in environment.distributions]
    judged = compared.judge(plain, installed, scope)
    conda_files.judge(plain, list(environment.conda), scope, judged)
    return judged


def _covered(environment: Environment, packages: Collection[str]) -> tuple[str, ...]:
    """The files of these packages that their digest of what is outside of site-packages is over."""
    names = {compared.canonical(each) for each in packages}
    return tuple(
        f"{environment.prefix}/{os.fsdecode(inner)}"
        for each in environment.distributions
        if compared.canonical(each.installed.name) in names
        for inner in sorted(each.installed.covered)
    )


def _names(wanted: Manifest) -> Collection[str]:
    """The packages that the manifest knows, by canonical name."""
    if isinstance(_installed(wanted), Unknown):
        return ()
    plain = document(wanted)
    return {*compared.active(plain), *conda_files.wanted(plain)}


def _installed(wanted: Manifest) -> object:
    packages = wanted.section(Packages)
    return packages if isinstance(packages, Unknown) else packages.installed


def _told(fault: compared.Fault, files: Files) -> Tampered:
    """A fault about a package or Python, with the files of it that were put over others."""
    if fault.kind not in {"content", "outside"}:
        return Tampered(
            fault.kind, str(fault), fault.package, fault.path, fault.wanted, fault.found
        )
    told = files.record_of if fault.kind == "content" else files.outside_of
    path, layer, over = told(fault.package)
    return Tampered(
        fault.kind, str(fault), fault.package, path, fault.wanted, fault.found, layer, over,
        files.replaced_of(fault.package),
    )  # fmt: skip


def _unproved(judged: compared.Judged, files: Files) -> Iterator[NotProved]:
    """What no digest of the manifest is over."""
    of_conda = {each for each, why in judged.by_version.items() if why in conda_files.UNPROVED}
    if plain := sorted(judged.by_version.keys() - of_conda):
        says = "known by their version alone: no digest of what was installed to compare with"
        yield NotProved("content", says, tuple(plain))
    if of_conda:
        says = (
            "of conda, whose files conda-meta in the image alone states: "
            "this envsnap's capture keeps a digest of them"
        )
        yield NotProved("content", says, tuple(sorted(of_conda)))
    if files.unknown:
        says = "files of conda's packages of which nobody can tell what they were in their archives"
        yield NotProved("content", says, tuple(files.unknown))
    if files.programs:
        says = (
            "programs that a RECORD in the image alone states, "
            "and that no installer writes for an entry point of their package"
        )
        yield NotProved("program", says, tuple(files.programs))
    if untold := _covered(files.environment, judged.outside_unknown):
        says = (
            "outside of site-packages, of packages with a program that could not be read: "
            "the manifest's digest is over them all"
        )
        yield NotProved("outside", says, untold)
    if files.beyond:
        says = "in the environment's folder, and no package's"
        yield NotProved("outside", says, tuple(files.beyond))


def _not_proved(
    wanted: Manifest,
    judged: compared.Judged,
    files: Files,
    seen: tuple[Config, dict[str, object]],
) -> Iterator[NotProved]:
    config, python = seen
    if isinstance(_installed(wanted), Unknown):
        yield NotProved("packages", "the manifest does not know its packages")
    if isinstance(wanted.section(Python), Unknown):
        yield NotProved("python", "the manifest does not know its Python")
    elif "version" not in python:
        yield NotProved("python", "no file of the image tells the version of its Python")
    yield from _unproved(judged, files)
    if files.bytecode:
        says = "bytecode, which Python may load in the place of its sources"
        yield NotProved("bytecode", says, tuple(files.bytecode))
    other = config.labels.get(_around.VERSION_LABEL)
    if other != __version__ and f"{HOME}/verify.py" in files.environment.tree.entries:
        whose = f"that of envsnap {other}" if other else "of a version that no label tells"
        says = f"the verifier in the image, which is {whose}"
        yield NotProved("verifier", says)
