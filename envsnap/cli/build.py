"""envsnap build: write container recipes from a manifest, or build the image."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from envsnap._build import (
    OUTPUT,
    BuildOptions,
    Image,
    Recipes,
    addresses,
    build,
    build_image,
    engine_of,
    image_hosts,
    refuse_inside,
    registry_of,
    resolve_digest,
)
from envsnap._typing import NamedTuple
from envsnap.cli._manifest import load
from envsnap.cli._terminal import Progress, add_common, clean, columns, folded, payload, say
from envsnap.cli._wheelhouse import host_name
from envsnap.cli.lock import add_index_options, lock_aloud, lock_options, talks_to
from envsnap.errors import ExitCode, ToolError, UsageError
from envsnap.formats import named
from envsnap.lock import LockOptions, hosts
from envsnap.lock._hosts import indexes, settings_of
from envsnap.lock._locate import locate
from envsnap.lock._trust import Trust, host_counts, own_of, refusal, refuse_strangers
from envsnap.manifest import Manifest, environment_id, find, save
from envsnap.plan import BuildPlan, PlanOptions
from envsnap.reports._lines import path_word
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

A manifest without a lock is locked first. The image is captured and compared with its manifest.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of build."""
    parser.add_argument(
        "manifest", metavar="MANIFEST", nargs="?", help="the file (default: the nearest upward)"
    )
    what = parser.add_argument_group("what to write")
    for flags, name in (
        (("--docker",), "dockerfile"), (("--singularity", "--apptainer"), "apptainer"),
        (("--repo2docker",), "repo2docker"),
    ):  # fmt: skip
        what.add_argument(
            *flags,
            dest="formats",
            action="append_const",
            const=name,
            help=f"write the {name} format",
        )
    what.add_argument("--to", metavar="F,F", help="write these formats")
    add = what.add_argument
    add(
        "-o",
        "--output",
        metavar="DIR",
        default=OUTPUT,
        help=f"write into this folder (default: {OUTPUT})",
    )
    add("--force", action="store_true", help="write into a folder with other files in it")
    add("--explain", action="store_true", help="print every decision and its reason")
    _add_image_options(parser)
    add(
        "--allow-host", metavar="HOST", type=host_name, action="append", default=[],
        help="name files on this host, too: it is not in your own settings",
    )  # fmt: skip
    add_index_options(parser)
    add_common(parser)


def _add_image_options(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group("the image")
    how.add_argument("--image", metavar="NAME|FILE.sif", help="build the image, too")
    how.add_argument("--base-image", metavar="REF", help="start from this image")
    how.add_argument("--network", metavar="MODE", help="build in this network of the engine's")
    how.add_argument(
        "--wheelhouse",
        metavar="DIR",
        help="take from here what no index has (envsnap lock wrote it)",
    )
    how.add_argument(
        "--allow-missing", action="store_true", help="leave out what cannot be installed"
    )


class _Asked(NamedTuple):
    """What the command line asked for."""

    manifest: str
    build: BuildOptions
    lock: LockOptions
    allowed: frozenset[str]
    """Hosts that the recipes may name beside the user's own."""
    explain: bool
    quiet: bool


def run(args: argparse.Namespace) -> ExitCode:
    """Lock if need be, write the recipes, build the image if asked, and print how to go on."""
    asked = _asked(args)
    if asked.build.image is not None:
        engine_of(asked.build)  # a wrong combination is said before anything is done
    manifest, answered = _locked(asked)

    def resolve_aloud(reference: str) -> Fact[str]:
        talks_to([f"{registry_of(reference)} (digest of {reference})"], quiet=asked.quiet)
        return resolve_digest(reference)

    with _wheels(asked) as options:
        _judge_files(addresses(manifest, options.wheelhouse), manifest, asked, answered)
        recipes = build(manifest, options, resolve_aloud)
    _tell_recipes(recipes, asked)
    if asked.build.image is None:
        payload("\n".join(_build_lines(asked.build)))
        return ExitCode.OK
    say(f"Building {clean(asked.build.image)} ...", quiet=asked.quiet)
    talks_to(image_hosts(recipes.plan), quiet=asked.quiet)
    image = build_image(recipes, asked.build, _live(quiet=asked.quiet))
    return _tell_image(image, recipes, quiet=asked.quiet)


def _asked(args: argparse.Namespace) -> _Asked:
    formats = list(args.formats or [])
    formats += [part.strip() for part in args.to.split(",")] if args.to else []
    for name in formats:
        named(name)
    if not formats:
        raise UsageError(
            "Nothing to write", hint="Give --docker, --singularity, --repo2docker or --to"
        )
    locking = lock_options(args)
    return _Asked(
        manifest=args.manifest or find(),
        build=BuildOptions(
            formats=tuple(dict.fromkeys(formats)), output=args.output, image=args.image,
            network=args.network, force=args.force, wheelhouse=args.wheelhouse,
            own_hosts=_own(locking),
            plan=PlanOptions(base_image=args.base_image, allow_missing=args.allow_missing),
        ),
        lock=locking, allowed=frozenset(args.allow_host), explain=args.explain, quiet=args.quiet,
    )  # fmt: skip


def _own(locking: LockOptions) -> frozenset[str]:
    """The hosts and origins that the user's settings and flags name."""
    places = indexes(locking.indexes, os.environ)
    return own_of(settings_of(places, os.environ, locker=locking.locker))


def _locked(asked: _Asked) -> tuple[Manifest, frozenset[str]]:
    """The manifest with its lock, and the hosts that the user's own index named just now.

    The lock is written back into the manifest's file where it was missing.
    """
    manifest = load(asked.manifest)
    if manifest.edited:
        say(f"warning: {clean(asked.manifest)} was edited since it was captured")
    if manifest.lock is not None and manifest.lock.environment == environment_id(manifest):
        return manifest, frozenset()
    why = "has no lock yet" if manifest.lock is None else "has the lock of another environment"
    say(f"{clean(asked.manifest)} {why}: locking it first", quiet=asked.quiet)
    manifest = lock_aloud(manifest, asked.lock, quiet=asked.quiet)
    if asked.manifest != "-" and not is_pack(asked.manifest):
        save(manifest, asked.manifest)
        say(f"Wrote the lock into {clean(asked.manifest)}", quiet=asked.quiet)
    found = manifest.lock.artifacts if manifest.lock is not None else ()
    return manifest, own_of([each.url for each in found if each.url and each.how == "index"])


def _judge_files(
    urls: Sequence[str], manifest: Manifest, asked: _Asked, answered: frozenset[str]
) -> None:
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


def _answering(manifest: Manifest, asked: _Asked) -> frozenset[str]:
    """The hosts where the user's own index has files of the lock; none where it does not answer."""
    locking = asked.lock
    talks_to(hosts(locking.indexes, os.environ, locker=locking.locker), quiet=asked.quiet)
    try:
        with Progress("Asking the package index ...", quiet=asked.quiet):
            return locate(manifest, locking).own
    except ToolError as error:
        say(folded(clean(f"warning: {error.message}"), columns(sys.stderr)))
        return frozenset()


@contextmanager
def _wheels(asked: _Asked) -> Iterator[BuildOptions]:
    """The options, with the wheels of a pack as their wheelhouse where none was named."""
    if asked.build.wheelhouse is not None or not is_pack(asked.manifest):
        yield asked.build
        return
    with wheels_of(asked.manifest) as folder:
        yield replace(asked.build, wheelhouse=folder)


def _tell_recipes(recipes: Recipes, asked: _Asked) -> None:
    planned = recipes.plan
    if asked.explain:
        payload("\n".join(_reason_lines(planned, columns(sys.stdout))))
    titles = ", ".join(named(name).title for name in asked.build.formats)
    count = len(planned.wheels) + len(planned.sources)
    packages = "1 package" if count == 1 else f"{count} packages"
    width = columns(sys.stderr)
    wrote = f"Wrote {titles} into {clean(recipes.folder)}/: Python {planned.python}, {packages}, "
    say(folded(f"{wrote}{planned.platform}", width), quiet=asked.quiet)
    if isinstance(planned.base.digest, Unknown):
        warning = f"warning: The base image {planned.base.reference} is named by its tag alone "
        say(folded(f"{warning}({clean(str(planned.base.digest.detail))})", width))


def _reason_lines(planned: BuildPlan, width: int) -> list[str]:
    """Every decision, its reason below it."""
    return [
        folded(clean(text), width)
        for why in planned.reasons
        for text in (why.decision, f"    {why.because} [{why.source}]")
    ]


def _build_lines(options: BuildOptions) -> list[str]:
    """How the recipes are built by hand, one line each."""
    folder = clean(path_word(options.output))
    lines = {
        "dockerfile": f"docker build -t NAME {folder}",
        "apptainer": f"cd {folder} && apptainer build ../FILE.sif envsnap.def",
        "repo2docker": f"repo2docker {folder}",
    }
    return [lines[name] for name in options.formats if name in lines]


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


def _tell_image(image: Image, recipes: Recipes, *, quiet: bool) -> ExitCode:
    built, width = image.built, columns(sys.stderr)
    said = f"Built {clean(built.image)} with {clean(built.engine)}: {built.id[:19]}"
    say(folded(said, width), quiet=quiet)
    if image.differences:
        lines = [f"  {clean(each)}" for each in image.differences[:_SHOWN]]
        more = len(image.differences) - _SHOWN
        lines += [f"  and {more} more"] if more > 0 else []
        say(folded("\n".join(["The image is not what the manifest says:", *lines]), width))
        return ExitCode.NO
    rebuilt = len(recipes.plan.sources)
    but = f", {rebuilt} of them rebuilt from source" if rebuilt else ""
    count = len(recipes.plan.wheels) + rebuilt
    said = f"Captured the image: Python and {count} packages are those of the manifest{but}"
    say(folded(said, width), quiet=quiet)
    say("To run a program in it, name it at the end:", quiet=quiet)
    payload(built.run_line)
    return ExitCode.OK
