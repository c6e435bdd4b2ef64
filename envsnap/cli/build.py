"""envsnap build: write container recipes from a manifest, or build the image."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from envsnap._build import (
    BuildOptions,
    Recipes,
    addresses,
    alone,
    build,
    image_hosts,
    refuse_early,
    refuse_inside,
    registry_of,
    resolve_digest,
    resolve_here,
)
from envsnap._caches import caches
from envsnap._image import Image, build_image, engine_of
from envsnap._sizes import ask_sizes, base_size, hosts_to_ask
from envsnap._twice import Twice
from envsnap.cli._build_options import Asked, add_arguments
from envsnap.cli._build_options import asked as options_of
from envsnap.cli._fetching import fetch_aloud
from envsnap.cli._lock_output import put_lock
from envsnap.cli._manifest import load
from envsnap.cli._next import build_lines, lacking_image, next_lines
from envsnap.cli._system import system_lines
from envsnap.cli._terminal import Progress, clean, columns, folded, payload, say
from envsnap.cli.lock import lock_aloud, lock_offline_aloud, talks_to
from envsnap.errors import ExitCode, ToolError
from envsnap.formats import named
from envsnap.formats._files import embedded
from envsnap.lock import hosts
from envsnap.lock._authorities import trusting
from envsnap.lock._locate import locate
from envsnap.lock._trust import Trust, host_counts, own_of, refusal, refuse_strangers
from envsnap.manifest import Manifest, environment_id
from envsnap.plan import BaseImage, BuildPlan
from envsnap.plan._explained import explained, names_base
from envsnap.sections import Fact, Unknown
from envsnap.wheelhouse._packed import is_pack, wheels_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

_SHOWN = 10
EPILOG = """examples:
  envsnap build --docker                        write a Dockerfile and its context
  envsnap build --docker --image lab/paper:1    and build the image
  envsnap build --singularity --image paper.sif
  envsnap build --to dockerfile,apptainer,repo2docker -o recipes
  envsnap build --docker --explain              say why it is written so
  envsnap build --singularity --fetch -o CTX    all of it, for a node without a network
  envsnap build --docker --image lab/paper:1 --twice   and whether it comes out the same

A manifest without a lock is locked first. The image is captured and compared with its manifest.
"""


def run(args: argparse.Namespace) -> ExitCode:
    """Lock if need be, write the recipes, build the image if asked, and print how to go on."""
    asked = options_of(args)
    with trusting(asked.build.plan.ca_certificates):
        return _run(asked)


def _run(asked: Asked) -> ExitCode:
    if asked.build.image is not None:
        engine_of(asked.build)  # a wrong combination is said before anything is done
    manifest, answered = _locked(asked)
    if asked.fetch:
        with _wheels(asked) as options:
            return fetch_aloud(manifest, asked._replace(build=options))
    with alone(asked.build.output):
        with _wheels(asked) as options:
            recipes = _recipes(manifest, options, asked, answered)
        _tell_recipes(recipes, asked)
        if asked.build.image is None:
            say("Next, build it:", quiet=asked.quiet)
            payload("\n".join(build_lines(asked.build, recipes)))
            return ExitCode.OK
        say(f"Building {clean(asked.build.image)} ...", quiet=asked.quiet)
        talks_to(image_hosts(recipes.plan), quiet=asked.quiet)
        image = build_image(recipes, asked.build, _live(quiet=asked.quiet))
    return _tell_image(image, recipes, asked)


def _recipes(
    manifest: Manifest, options: BuildOptions, asked: Asked, answered: frozenset[str]
) -> Recipes:
    """The recipes, written, once every host that they name was judged and its files are sized."""

    def resolve_aloud(reference: str) -> Fact[str]:
        talks_to([f"{registry_of(reference)} (digest of {reference})"], quiet=asked.quiet)
        return resolve_digest(reference)

    def weigh_aloud(base: BaseImage, platform: str) -> Mapping[str, int]:
        if not base.is_file and not isinstance(base.digest, Unknown):
            asked_of = f"{registry_of(base.reference)} (size of {base.reference})"
            talks_to([asked_of], quiet=asked.quiet)
        return base_size(base, platform)

    urls = [] if options.plan.offline else addresses(manifest, options.wheelhouse)
    trust = _judge_files(urls, manifest, asked, answered)
    sized = replace(options, plan=replace(options.plan, sizes=_sizes(manifest, trust, asked)))
    if options.plan.offline:
        return build(manifest, sized, resolve_here)
    return build(manifest, sized, resolve_aloud, weigh_aloud)


def _sizes(manifest: Manifest, trust: Trust, asked: Asked) -> Mapping[str, int]:
    """How large the files are whose size the lock does not know, by their hosts' word."""
    files = manifest.lock.artifacts if manifest.lock is not None else ()
    found = hosts_to_ask(files, {}, trust)
    if asked.build.plan.offline or not found:
        return {}
    talks_to([f"{host} (sizes of {count} files)" for host, count in found], quiet=asked.quiet)
    with Progress("Asking how large the files are ...", quiet=asked.quiet):
        return ask_sizes(files, {}, trust).known


def _locked(asked: Asked) -> tuple[Manifest, frozenset[str]]:
    """The manifest with its lock, and the hosts that the user's own index named just now.

    The lock is written back into the manifest's file where it was missing.
    """
    manifest = load(asked.manifest)
    if manifest.edited:
        say(f"warning: {clean(asked.manifest)} was edited since it was captured")
    refuse_early(manifest, asked.build)
    if manifest.lock is not None and manifest.lock.environment == environment_id(manifest):
        return manifest, frozenset()
    why = "has no lock yet" if manifest.lock is None else "has the lock of another environment"
    if asked.build.plan.offline and not asked.fetch and asked.build.wheelhouse is not None:
        say(f"{clean(asked.manifest)} {why}, and stays so: the wheelhouse serves as one",
            quiet=asked.quiet)  # fmt: skip
        folder = asked.build.wheelhouse
        return lock_offline_aloud(
            manifest, folder, quiet=asked.quiet, is_listed=True
        ), frozenset()  # fmt: skip
    say(f"{clean(asked.manifest)} {why}: locking it first", quiet=asked.quiet)
    with caches(asked.build.workdir):
        manifest = lock_aloud(manifest, asked.lock, quiet=asked.quiet)
    if asked.manifest != "-" and not is_pack(asked.manifest):
        put_lock(manifest, asked.manifest)
        say(f"Wrote the lock into {clean(asked.manifest)}", quiet=asked.quiet)
    found = manifest.lock.artifacts if manifest.lock is not None else ()
    return manifest, own_of([each.url for each in found if each.url and each.how == "index"])


def _judge_files(
    urls: Sequence[str], manifest: Manifest, asked: Asked, answered: frozenset[str]
) -> Trust:
    """Say which hosts the recipes fetch from, and refuse those that the user never chose.

    Where a host is in no setting, the user's own index is asked whether it has its files there.

    Raises:
        PlanError: An address is inside a network.
        RefusedError: A host is neither the user's own nor allowed.
    """
    named = [f"{host} ({count})" for host, count in host_counts(urls)]
    if named:
        text = f"The image's files come from: {clean(', '.join(named))}"
        say(folded(text, columns(sys.stderr)), quiet=asked.quiet)
    own = asked.build.own_hosts | answered
    refuse_inside(urls, own)
    trust = Trust(own=own, allowed=asked.allowed)
    if any(refusal(url, trust) for url in urls):
        trust = Trust(own=own | _answering(manifest, asked), allowed=asked.allowed)
    refuse_strangers(urls, (), trust)
    return trust


def _answering(manifest: Manifest, asked: Asked) -> frozenset[str]:
    """The hosts where the user's own index has files of the lock; none where it does not answer."""
    locking = asked.lock
    talks_to(hosts(locking.indexes, os.environ, locker=locking.locker), quiet=asked.quiet)
    try:
        with (
            caches(asked.build.workdir),
            Progress("Asking the package index ...", quiet=asked.quiet),
        ):
            return locate(manifest, locking).own
    except ToolError as error:
        say(folded(clean(f"warning: {error.message}"), columns(sys.stderr)))
        return frozenset()


@contextmanager
def _wheels(asked: Asked) -> Iterator[BuildOptions]:
    """The options, with the wheels of a pack as their wheelhouse where none was named."""
    if asked.build.wheelhouse is not None or not is_pack(asked.manifest):
        yield asked.build
        return
    with wheels_of(asked.manifest) as folder:
        yield replace(asked.build, wheelhouse=folder)


def _tell_recipes(recipes: Recipes, asked: Asked) -> None:
    planned = recipes.plan
    if asked.explain:
        payload("\n".join(_reason_lines(planned, asked.build.formats)))
    titles = ", ".join(named(name).title for name in asked.build.formats)
    count = len(planned.wheels) + len(planned.sources) + len(planned.conda)
    packages = "1 package" if count == 1 else f"{count} packages"
    width = columns(sys.stderr)
    wrote = f"Wrote {titles} into {clean(recipes.folder)}/: Python {planned.python}, {packages}, "
    say(folded(f"{wrote}{planned.platform}", width), quiet=asked.quiet)
    say(folded(clean(f"To build it: {recipes.cost}"), width), quiet=asked.quiet)
    for note in (*recipes.notes, *_own_notes(recipes, asked)):
        say(folded(clean(f"note: {note}"), width))
    is_named = names_base(asked.build.formats) and not planned.base.is_file
    if is_named and isinstance(planned.base.digest, Unknown):
        warning = f"warning: The base image {planned.base.reference} is named by its tag alone "
        say(folded(f"{warning}({clean(str(planned.base.digest.detail))})", width))


def _own_notes(recipes: Recipes, asked: Asked) -> list[str]:
    """What was asked for and changes nothing, and what lacks beside what was written."""
    planned, found = recipes.plan, []
    if asked.build.plan.snapshot is not None and not planned.system.image:
        found.append("--snapshot changes nothing here: the image needs no system package")
    if asked.build.plan.embed and not embedded(planned):
        found.append("--embed-wheelhouse changes nothing here: an index has every file")
    lacking = lacking_image(asked.build)
    return [*found, *([lacking] if lacking is not None else [])]


def _reason_lines(planned: BuildPlan, formats: Sequence[str]) -> list[str]:
    """Every decision that these formats write down, its reason below it."""
    width = columns(sys.stdout)
    return [
        folded(clean(text), width)
        for why in explained(planned, formats)
        for text in (why.decision, f"    {why.because} [{why.source}]")
    ]


def _live(*, quiet: bool) -> _Live:
    return _Live(on=sys.stderr.isatty() and not quiet)


class _Live:
    """Passes on what an engine says, as it says it, to a terminal."""

    def __init__(self, *, on: bool) -> None:
        self._on = on

    def __call__(self, piece: bytes) -> None:
        if self._on:
            sys.stderr.buffer.write(piece)
            sys.stderr.buffer.flush()


def _tell_image(image: Image, recipes: Recipes, asked: Asked) -> ExitCode:
    built, width, quiet = image.built, columns(sys.stderr), asked.quiet
    said = f"Built {clean(built.image)} with {clean(built.engine)}: {built.id[:19]}"
    say(folded(said, width), quiet=quiet)
    if image.differences:
        lines = [f"  {clean(each)}" for each in image.differences[:_SHOWN]]
        more = len(image.differences) - _SHOWN
        lines += [f"  and {more} more"] if more > 0 else []
        say(folded("\n".join(["The image is not what the manifest says:", *lines]), width))
        return ExitCode.NO
    if image.twice is not None and not _tell_twice(image.twice, width):
        return ExitCode.NO
    for said in system_lines(image):
        say(folded(clean(said), width), quiet=quiet)
    rebuilt = len(recipes.plan.sources)
    but = f", {rebuilt} of them rebuilt from source" if rebuilt else ""
    count = len(recipes.plan.wheels) + len(recipes.plan.conda) + rebuilt
    said = f"Captured the image: Python and {count} packages are those of the manifest{but}"
    say(folded(said, width), quiet=quiet)
    code = " (the project's own code is in /opt/project)" if recipes.plan.project else ""
    next_ = (
        f"Next: run Python in it, a program of this folder named at the end{code}; and compare it"
    )
    say(folded(next_, width), quiet=quiet)
    payload("\n".join(next_lines(built, asked.manifest)))
    return ExitCode.OK


def _tell_twice(twice: Twice, width: int) -> bool:
    """Say how the second build came out; whether it is the same."""
    if twice.same_digest:
        say("Built twice: both images have the same digest")
    elif not twice.differences:
        said = "Built twice: every file and setting is the same; the digests differ by what is not "
        say(folded(f"{said}compared: times, the order of files, hard links", width))
    else:
        lines = [f"  {clean(each)}" for each in twice.differences[:_SHOWN]]
        more = len(twice.differences) - _SHOWN
        lines += [f"  and {more} more"] if more > 0 else []
        say(folded("\n".join(["Built twice, and the images differ:", *lines]), width))
    if twice.ignored is not None:
        note = f"note: equal digests were not to be had: {clean(twice.ignored)}"
        say(folded(f"{note}; Buildah does: --engine buildah", width))
    return twice.is_same


__all__ = ["EPILOG", "add_arguments", "run"]
