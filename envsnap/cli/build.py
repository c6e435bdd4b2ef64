"""envsnap build: write container recipes from a manifest, or build the image."""

from __future__ import annotations

import sys
from typing import NamedTuple

from envsnap._build import OUTPUT, BuildOptions, Image, Recipes, build, build_image, engine_of
from envsnap.cli._manifest import load
from envsnap.cli._terminal import add_common, clean, payload, say
from envsnap.cli.lock import add_index_options, lock_aloud, lock_options
from envsnap.errors import ExitCode, UsageError
from envsnap.formats import named
from envsnap.lock import LockOptions
from envsnap.manifest import Manifest, environment_id, find, save
from envsnap.plan import PlanOptions
from envsnap.sections import Unknown

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
    how = parser.add_argument_group("the image")
    how.add_argument("--image", metavar="NAME|FILE.sif", help="build the image, too")
    how.add_argument("--base-image", metavar="REF", help="start from this image")
    how.add_argument("--network", metavar="MODE", help="build in this network of the engine's")
    how.add_argument(
        "--allow-missing", action="store_true", help="leave out what cannot be installed"
    )
    add_index_options(parser)
    add_common(parser)


class _Asked(NamedTuple):
    """What the command line asked for."""

    manifest: str
    build: BuildOptions
    lock: LockOptions
    explain: bool
    quiet: bool


def run(args: argparse.Namespace) -> ExitCode:
    """Lock if need be, write the recipes, build the image if asked, and print how to go on."""
    asked = _asked(args)
    if asked.build.image is not None:
        engine_of(asked.build)  # a wrong combination is said before anything is done
    manifest = _locked(asked)
    recipes = build(manifest, asked.build)
    _tell_recipes(recipes, asked)
    if asked.build.image is None:
        payload("\n".join(_build_lines(asked.build)))
        return ExitCode.OK
    say(f"Building {clean(asked.build.image)} ...", quiet=asked.quiet)
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
    return _Asked(
        manifest=args.manifest or find(),
        build=BuildOptions(
            formats=tuple(dict.fromkeys(formats)), output=args.output, image=args.image,
            network=args.network, force=args.force,
            plan=PlanOptions(base_image=args.base_image, allow_missing=args.allow_missing),
        ),
        lock=lock_options(args), explain=args.explain, quiet=args.quiet,
    )  # fmt: skip


def _locked(asked: _Asked) -> Manifest:
    """The manifest with its lock, which is written back into its file where it was missing."""
    manifest = load(asked.manifest)
    if manifest.lock is not None and manifest.lock.environment == environment_id(manifest):
        return manifest
    why = "has no lock yet" if manifest.lock is None else "has the lock of another environment"
    say(f"{clean(asked.manifest)} {why}: locking it first", quiet=asked.quiet)
    manifest = lock_aloud(manifest, asked.lock, quiet=asked.quiet)
    if asked.manifest != "-":
        save(manifest, asked.manifest)
        say(f"Wrote the lock into {clean(asked.manifest)}", quiet=asked.quiet)
    return manifest


def _tell_recipes(recipes: Recipes, asked: _Asked) -> None:
    planned = recipes.plan
    if asked.explain:
        payload(
            "\n".join(
                clean(f"{why.decision} because {why.because} [{why.source}]")
                for why in planned.reasons
            )
        )
    titles = ", ".join(named(name).title for name in asked.build.formats)
    count = len(planned.wheels) + len(planned.sources)
    say(f"Wrote {titles} into {clean(recipes.folder)}/: Python {planned.python}, {count} packages, "
        f"{planned.platform}", quiet=asked.quiet)  # fmt: skip
    if isinstance(planned.base.digest, Unknown):
        say(f"warning: The base image {planned.base.reference} is named by its tag alone "
            f"({clean(str(planned.base.digest.detail))})")  # fmt: skip


def _build_lines(options: BuildOptions) -> list[str]:
    """How the recipes are built by hand, one line each."""
    folder = clean(options.output)
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
    say(
        f"Built {clean(image.built.image)} with {clean(image.built.engine)}: {image.built.id[:19]}",
        quiet=quiet,
    )
    if image.differences:
        shown = "\n".join(f"  {clean(each)}" for each in image.differences[:_SHOWN])
        more = len(image.differences) - _SHOWN
        say(
            f"The image is not what the manifest says:\n{shown}"
            + (f"\n  and {more} more" if more > 0 else "")
        )
        return ExitCode.NO
    rebuilt = len(recipes.plan.sources)
    but = f", {rebuilt} of them rebuilt from source" if rebuilt else ""
    count = len(recipes.plan.wheels) + rebuilt
    say(
        f"Captured the image: Python and {count} packages are those of the manifest{but}",
        quiet=quiet,
    )
    payload(image.run_line)
    return ExitCode.OK
