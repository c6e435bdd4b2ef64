"""envsnap verify: compare the files of an image with its manifest, without starting it."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from envsnap._verify import ALLOWED, Published, VerifyOptions, base_of, verify, with_system
from envsnap.cli._lines import painted
from envsnap.cli._manifest import load_any
from envsnap.cli._terminal import Progress, Style, add_common, clean, columns, payload, say
from envsnap.errors import ExitCode, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from envsnap.images import Image
    from envsnap.manifest import Manifest
    from envsnap.plan._system_versions import Versions
    from envsnap.proof import Verified

EPILOG = """examples:
  envsnap verify paper.sif --against envsnap.lock.json   an image against what was published
  envsnap verify docker-archive:paper.tar                against the manifest it carries
  envsnap verify docker://ghcr.io/lab/paper:1.0 --base   the base image's layers, too
  envsnap verify paper.sif --extract kit                 take its manifest and wheels out again

IMAGE: docker://NAME (fetched from its registry), docker-daemon:NAME, podman:NAME,
docker-archive:FILE.tar, oci-archive:FILE.tar, oci:FOLDER or FILE.sif. Its files are read and
hashed here; nothing of it is started, its own verifier neither.

exit codes: 0 the environment of the manifest, 1 something differs, 3 no usable manifest,
4 cannot tell: something is not proved that --allow-unknown does not accept,
5 the image cannot be read
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of verify."""
    parser.add_argument("image", metavar="IMAGE", help="the image to read")
    parser.add_argument(
        "--against", metavar="M",
        help="compare with this manifest, as it was published (default: the one inside)",
    )  # fmt: skip
    parser.add_argument(
        "--base", action="store_true",
        help="ask the registry for the base image that the labels name, and compare",
    )  # fmt: skip
    parser.add_argument(
        "--without", metavar="NAME", action="append", default=[],
        help="a package that was left out on purpose; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--others-ok", action="store_true",
        help="other packages and files may be there, too, as repo2docker's own",
    )  # fmt: skip
    parser.add_argument(
        "--allow-unknown", metavar="CODE", action="append", default=[], choices=ALLOWED,
        help=f"accept that this is not proved: {', '.join(ALLOWED)}",
    )  # fmt: skip
    parser.add_argument(
        "--project", metavar="FOLDER", default=".",
        help="whose repository has the commit of the code in the image (default: here)",
    )  # fmt: skip
    parser.add_argument(
        "--prefix", metavar="FOLDER", help="where the environment lies in the image"
    )
    parser.add_argument(
        "--platform", metavar="NAME", help="which image of several: linux/arm64 (default: this one)"
    )
    _add_form(parser)
    add_common(parser)


def _add_form(parser: argparse.ArgumentParser) -> None:
    """What is written, and where."""
    parser.add_argument(
        "--extract", metavar="DIR",
        help="write the manifest and the wheels that travel inside there, to build from",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="write the answer like this"
    )
    parser.add_argument(
        "--json",
        dest="format",
        action="store_const",
        const="json",
        help="the same as --format json",
    )


def run(args: argparse.Namespace) -> ExitCode:
    """Read, compare, report, and answer."""
    from envsnap.images import hosts_of, is_image, open_image

    if not is_image(args.image):
        raise _no_image(args.image)
    against = Published(load_any(args.against), args.against) if args.against else None
    options = VerifyOptions(
        against=against, base=args.base, repository=args.project, without=tuple(args.without),
        others_ok=args.others_ok,
        allowed=frozenset(args.allow_unknown), prefix=args.prefix, platform=args.platform,
    )  # fmt: skip
    _tell_hosts(hosts_of(args.image), quiet=args.quiet)
    with open_image(args.image, platform=args.platform) as image:
        if args.base:
            _tell_hosts(hosts_of(base_of(image.config)), quiet=args.quiet)
        verified = _verified(args, image, options)
    _report(args, verified)
    return verified.exit_code


def _no_image(text: str) -> UsageError:
    """What to say of a text that names none; a bare name is most likely Docker's."""
    from envsnap.images._names import named

    hint = (
        "Say what it is: docker://NAME, docker-daemon:NAME, podman:NAME, docker-archive:FILE.tar, "
        "oci-archive:FILE.tar, oci:FOLDER or FILE.sif"
    )
    with suppress(UsageError):
        if not text.endswith((".tar", ".json")) and named(text):
            hint = f"Say where it is: docker-daemon:{text}, podman:{text} or docker://{text}"
    return UsageError(f"{clean(text)[:300]} names no image", hint=hint)


def _verified(args: argparse.Namespace, image: Image, options: VerifyOptions) -> Verified:
    with Progress(f"Reading {args.image} ...", quiet=args.quiet) as line:
        found, tree = verify(image, options, line.update)
    if args.against:
        found = with_system(found, tree, _kept_versions(found.wanted, args.against))
    if args.extract:
        from envsnap._extract import extract

        taken = extract(tree, found.wanted, args.extract)
        wheels = "1 wheel" if taken.files == 1 else f"{taken.files} wheels"
        say(f"Wrote {clean(args.extract)}: the manifest, {wheels}", quiet=args.quiet)
        for each in taken.left:
            say(f"not taken: {clean(each)}")
    return found


def _kept_versions(wanted: Manifest, against: str) -> Versions | None:
    """The system packages that a build of this manifest got, by the build.json beside it."""
    from envsnap._build import OUTPUT
    from envsnap._record import image_versions
    from envsnap.manifest import environment_id

    named, folder = str(environment_id(wanted)), os.path.dirname(against)
    places = (folder or os.curdir, os.path.join(folder, OUTPUT))
    found = (image_versions(each, named) for each in places)
    return next((each for each in found if each is not None), None)


def _tell_hosts(hosts: tuple[str, ...], *, quiet: bool) -> None:
    if hosts:
        say(f"Talks to: {', '.join(map(clean, hosts))}", quiet=quiet)


def _report(args: argparse.Namespace, verified: Verified) -> None:
    from envsnap.reports.verify_json import json_text
    from envsnap.reports.verify_text import brief, text

    if args.format == "json":
        payload(json_text(verified))
        return
    width = columns(sys.stdout)
    lines = brief(verified, width) if args.quiet else text(verified, width=width)
    payload(painted(lines, Style(sys.stdout, args.color)))
