"""What `envsnap build` may be asked for, and what the command line asked."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from datetime import datetime, timezone

from envsnap._build import OUTPUT, BuildOptions
from envsnap._typing import NamedTuple
from envsnap.cli._terminal import add_common
from envsnap.cli._wheelhouse import host_name
from envsnap.cli.lock import add_index_options, lock_options
from envsnap.errors import FileError, PlanError, UsageError
from envsnap.formats import formats, heeds, named
from envsnap.lock import LockOptions
from envsnap.lock._authorities import certificates_in, unreadable
from envsnap.lock._hosts import indexes, settings_of
from envsnap.lock._trust import own_of
from envsnap.manifest import find
from envsnap.plan import BatchJob, PlanOptions, Secret
from envsnap.plan._suite import day_of
from envsnap.wheelhouse._packed import is_pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

ENGINES = ("docker", "podman", "buildah", "apptainer", "singularity", "repo2docker")
_SECRETS = "/run/secrets"
_LONGEST_CERTIFICATES = 4 << 20
_OUT = "Leave it out"
_JOB = ("no batch job is written", "Add the job's script: --to slurm")
_READS = ("no step of what is written reads it", _OUT)
_IDLE: Mapping[str, tuple[str, str]] = {
    "partition": _JOB, "account": _JOB, "time": _JOB,
    "gres": ("no job is written that runs a program", "Add the job's script: --to slurm"),
    "network": ("apptainer build has no networks", _OUT),
    "base_image": ("nothing that is written starts from a base image", _OUT),
    "netrc": _READS, "pip_conf": _READS,
    "snapshot": ("nothing that is written installs system packages", _OUT),
    "embed_wheelhouse": ("nothing that is written keeps files in an image", _OUT),
    "with_project": ("nothing that is written has the project's code", _OUT),
}  # fmt: skip
"""Why an option changes nothing where no format heeds it, and what to do then."""


class Asked(NamedTuple):
    """What the command line asked for."""

    manifest: str
    build: BuildOptions
    lock: LockOptions
    allowed: frozenset[str]
    """Hosts that the recipes may name beside the user's own."""
    fetch: bool
    """Bring everything into the folder, for a machine without a network."""
    explain: bool
    quiet: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of build."""
    parser.add_argument(
        "manifest", metavar="MANIFEST", nargs="?", help="the file (default: the nearest upward)"
    )
    _add_formats(parser)
    _add_image_options(parser)
    _add_parts(parser)
    _add_job(parser)
    add_index_options(parser)
    add_common(parser)


def _add_formats(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what to write")
    for flags, name in (
        (("--docker",), "dockerfile"), (("--singularity", "--apptainer"), "apptainer"),
        (("--repo2docker",), "repo2docker"),
    ):  # fmt: skip
        what.add_argument(
            *flags, dest="formats", action="append_const", const=name,
            help=f"write the {name} format",
        )  # fmt: skip
    what.add_argument("--to", metavar="F,F", help=f"write these formats: {', '.join(formats())}")
    add = what.add_argument
    add("-o", "--output", metavar="DIR", default=OUTPUT,
        help=f"write into this folder (default: {OUTPUT})")  # fmt: skip
    add("--force", action="store_true",
        help="write into a folder with other files in it, and replace and name those in the "
        "way")  # fmt: skip
    add("--explain", action="store_true", help="print every decision and its reason")
    add("--fetch", action="store_true",
        help="bring the base image and every file into the folder: what builds there then needs no "
        "network, no Python and no envsnap (--singularity: sh DIR/build.sh FILE.sif; --docker: "
        "docker load, docker build)")  # fmt: skip


def _add_image_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("the image").add_argument
    add("--image", metavar="NAME|FILE.sif", help="build the image, too")
    add("--engine", choices=ENGINES, metavar="ENGINE",
        help=f"build with this engine: {', '.join(ENGINES)} (default: the best that this machine "
        "has)")  # fmt: skip
    add("--twice", action="store_true", help="build two times, and say what differs")
    add("--base-image", metavar="REF", help="start from this image")
    add("--network", metavar="MODE", help="build in this network of the engine's")
    add("--offline", action="store_true",
        help="use no network, now or in a step of the build: every file comes from --wheelhouse, "
        "and the base image is the one that the engine has")  # fmt: skip
    add("--workdir", metavar="DIR",
        help="keep every cache of every tool here (default: $SCRATCH, else $TMPDIR)")  # fmt: skip


def _add_parts(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("what goes into it").add_argument
    add("--wheelhouse", metavar="DIR",
        help="take from here what no index has (envsnap lock wrote it)")  # fmt: skip
    add("--embed-wheelhouse", action="store_true",
        help="keep these files in the image, so that it can be made again from it")  # fmt: skip
    add("--allow-missing", action="store_true", help="leave out what cannot be installed")
    add("--with-project", action="store_true", default=None,
        help="copy the project's own files of its commit to /opt/project (default: where the "
        "tree is clean)")  # fmt: skip
    add("--no-project", dest="with_project", action="store_false",
        help="leave the project's own files out")  # fmt: skip
    add("--snapshot", metavar="DATE",
        help="take system packages as they were that day, as 2026-01-31")  # fmt: skip
    add("--ca-cert", metavar="FILE",
        help="trust these certificate authorities (PEM), here and while the image is "
        "built")  # fmt: skip
    add("--netrc", metavar="FILE",
        help="let the build read passwords of private indexes; no layer keeps them")  # fmt: skip
    add("--pip-conf", metavar="FILE", help="let the build read these settings of pip, likewise")
    add(
        "--allow-host", metavar="HOST", type=host_name, action="append", default=[],
        help="name files on this host, too: it is not in your own settings",
    )  # fmt: skip


def _add_job(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("the batch job (--to slurm)").add_argument
    for name, meaning in (
        ("partition", "the site's partition"), ("account", "whom the hours are taken from"),
        ("gres", "what it needs of a node, as gpu:1"), ("time", "its limit, as 04:00:00"),
    ):  # fmt: skip
        add(f"--{name}", metavar=name.upper(), help=meaning)


def asked(args: argparse.Namespace) -> Asked:
    """What was asked for, each part of it possible.

    Raises:
        UsageError: The options do not go together, or one has no such value.
        FileError: A file that is named cannot be used.
    """
    _refuse_nonsense(args)
    locking = lock_options(args)
    secrets = _secrets(args)
    manifest = args.manifest or find()
    return Asked(
        manifest=manifest,
        build=BuildOptions(
            formats=_formats(args), output=args.output, image=args.image, network=args.network,
            force=args.force, manifest=None if manifest == "-" else manifest,
            wheelhouse=args.wheelhouse, own_hosts=_own(locking),
            engine=args.engine, with_project=args.with_project, workdir=args.workdir,
            twice=args.twice, secrets={each.id: path for each, path in secrets.items()},
            plan=PlanOptions(
                base_image=args.base_image, machine=os.uname().machine if args.image else None,
                allow_missing=args.allow_missing,
                offline=args.offline or args.fetch, snapshot=args.snapshot,
                ca_certificates=_certificates(args.ca_cert), secrets=tuple(secrets),
                embed=args.embed_wheelhouse, job=_job(args),
            ),
        ),
        lock=locking, allowed=frozenset(args.allow_host), fetch=args.fetch, explain=args.explain,
        quiet=args.quiet,
    )  # fmt: skip


def _refuse_nonsense(args: argparse.Namespace) -> None:
    if args.twice and args.image is None:
        raise UsageError("--twice builds images, and no image is asked for",
                         hint="Give --image NAME or --image FILE.sif")  # fmt: skip
    if args.engine is not None and args.image is None:
        raise UsageError(f"--engine {args.engine} builds an image, and none is asked for",
                         hint="Give --image NAME or --image FILE.sif")  # fmt: skip
    if args.fetch and args.image is not None:
        raise UsageError(
            "--fetch brings what a build needs, and builds nothing",
            hint="Leave out --image; where the image is to be, run: sh DIR/build.sh FILE.sif",
        )
    if args.offline and args.wheelhouse is None and not args.fetch:
        raise UsageError(
            "--offline takes every file from a wheelhouse, and none is named",
            hint="Fill one where there is a network, envsnap lock --wheelhouse DIR, and name it: "
            "--offline --wheelhouse DIR",
        )
    if args.wheelhouse is not None and not args.wheelhouse.strip():
        raise UsageError("--wheelhouse names no folder", hint="Name one: --wheelhouse DIR")
    _refuse_odd_words(args)
    for flag, path in (("--netrc", args.netrc), ("--pip-conf", args.pip_conf)):
        if path is not None and not os.path.isfile(path):
            raise FileError(f"{flag}: there is no file {path}", hint="Name one that can be read")


def _refuse_odd_words(args: argparse.Namespace) -> None:
    """Refuse values that are wrong whatever the manifest says."""
    if args.snapshot is not None:
        try:
            day = day_of(args.snapshot)
        except PlanError as error:
            raise UsageError(error.message, hint=error.hint) from None
        if day.date() > datetime.now(timezone.utc).date():
            raise UsageError(f"--snapshot {args.snapshot} is a day to come, and no archive has it",
                             hint="Give a day that has passed")  # fmt: skip
    base = args.base_image
    if base is not None and (
        not base or any(not each.isprintable() or each.isspace() for each in base)
    ):
        is_path = ":" in base and os.path.exists(base.partition(":")[2])
        hint = "Name one as python:3.11.9-slim-bookworm"
        if is_path:
            hint = (
                "Give the file a name without spaces, or make a link to it: no recipe can have it"
            )
        raise UsageError(f"--base-image takes an image, not {base[:200]!a}", hint=hint)


def _refuse_idle(args: argparse.Namespace, found: Collection[str]) -> None:
    """Refuse options that no format asked for heeds: nothing is swallowed without a word."""
    for name, (lacking, hint) in _IDLE.items():
        value = getattr(args, name)
        is_given = value is not None and (value is not False or name == "with_project")
        if is_given and not heeds(found, name, is_fetched=args.fetch):
            flag = "--no-project" if value is False else f"--{name.replace('_', '-')}"
            raise UsageError(f"{flag} changes nothing here: {lacking}", hint=hint)
    if args.network is not None and args.image is None:
        raise UsageError("--network changes nothing here: no image is built",
                         hint="Give --image NAME, too, or leave it out")  # fmt: skip
    has_wheels = args.wheelhouse is not None or args.fetch or is_pack(args.manifest or "")
    if args.embed_wheelhouse and not has_wheels:
        raise UsageError("--embed-wheelhouse keeps files of a wheelhouse, and none is named",
                         hint="Name it: --wheelhouse DIR")  # fmt: skip


def _formats(args: argparse.Namespace) -> tuple[str, ...]:
    found = list(args.formats or [])
    found += [part.strip() for part in args.to.split(",")] if args.to else []
    for name in found:
        named(name)
    if not found:
        raise UsageError(
            "Nothing to write", hint="Give --docker, --singularity, --repo2docker or --to"
        )
    _refuse_idle(args, found)
    return tuple(dict.fromkeys(found))


def _own(locking: LockOptions) -> frozenset[str]:
    """The hosts and origins that the user's settings and flags name."""
    places = indexes(locking.indexes, os.environ)
    return own_of(settings_of(places, os.environ, locker=locking.locker))


def _secrets(args: argparse.Namespace) -> dict[Secret, str]:
    """The files that the build may read, by what it calls them."""
    given = (("netrc", args.netrc), ("pip.conf", args.pip_conf))
    return {
        Secret(name, f"{_SECRETS}/{name}"): os.path.abspath(path)
        for name, path in given
        if path is not None
    }


def _certificates(path: str | None) -> str | None:
    """The certificates of a PEM file, and nothing else of it: no private key goes along."""
    if path is None:
        return None
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            text = file.read(_LONGEST_CERTIFICATES)
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror}") from error
    found = certificates_in(text)
    if not found:
        raise FileError(
            f"{path} holds no certificate",
            hint="Name a file in PEM form: it has lines -----BEGIN CERTIFICATE-----",
        )
    number = unreadable(found)
    if number is not None:
        raise UsageError(
            f"--ca-cert: certificate {number} of {path} cannot be read: it is damaged",
            hint=f"See what is in it: openssl x509 -noout -subject -in {path}",
        )
    return "\n".join(found) + "\n"


def _job(args: argparse.Namespace) -> BatchJob:
    words = {name: getattr(args, name) for name in ("partition", "account", "gres", "time")}
    job = BatchJob(**words)
    if any(value is not None for value in words.values()):
        from envsnap.formats.slurm import options

        try:
            options(job)
        except PlanError as error:
            raise UsageError(error.message, hint=error.hint) from None
    return job
