"""The found side of a check: this machine, or the machines that were named."""

from __future__ import annotations

import os
import re

from envsnap._typing import NamedTuple
from envsnap.cli._manifest import load_any, names_image
from envsnap.cli._sides import sides_of
from envsnap.cli._terminal import Progress, hashing
from envsnap.errors import EnvsnapError, FileError, ManifestError, ToolError, UsageError
from envsnap.manifest import Manifest
from envsnap.sections import Packages, Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from envsnap.host import Host
    from envsnap.probes import Options
    from envsnap.reports.matrix import Unread


class SideAsked(NamedTuple):
    """What the command line says of the found side."""

    against: tuple[str, ...]
    recording: str | None
    python: str | None
    host_only: bool
    verify: bool
    deep: bool
    quiet: bool
    gathered: frozenset[str] = frozenset()
    """Those that were not named themselves: found in a folder, or by a pattern."""


class Found(NamedTuple):
    """One found side."""

    name: str
    manifest: Manifest
    is_image: bool = False
    content: str = ""
    """What its facts are the same by; empty where that was not asked."""


class Same(NamedTuple):
    """A side with the same facts as an earlier one."""

    name: str
    content: str


def add_side(parser: argparse.ArgumentParser) -> None:
    """The options that name the found side."""
    side = parser.add_argument_group("the found side (default: this machine)")
    side.add_argument(
        "--against", metavar="M", action="append", default=[],
        help="a manifest, a recording, an image (docker-daemon:NAME and FILE.sif are started and "
        "captured; of docker://NAME or docker-archive:FILE the manifest in it is read), a folder "
        "or a quoted pattern of manifests, or a profile as t4-cloud or h100-sxm@535.183.01 ('help' "
        "lists them); may be given several times",
    )  # fmt: skip
    side.add_argument(
        "--from", metavar="RECORDING", dest="recording", help="capture the recorded machine"
    )
    side.add_argument("--python", metavar="EXE", help="compare this interpreter or environment")
    side.add_argument("--host-only", action="store_true", help="compare the machines alone")
    side.add_argument(
        "--deep", action="store_true",
        help="read its libraries, too (default: as deep as the manifest was captured)",
    )  # fmt: skip
    side.add_argument("--verify", action="store_true", help="hash every installed file, too")


def side_asked(args: argparse.Namespace) -> SideAsked:
    """What was asked for; what does not go together is refused.

    Raises:
        UsageError: Two options that exclude each other are given.
    """
    elsewhere = [args.recording is not None, bool(args.against)]
    if all(elsewhere) or (args.against and (args.python or args.host_only)):
        raise UsageError(
            "--against names the found side; --from, --python and --host-only capture it",
            hint="Give one",
        )
    if args.verify and (args.against or args.recording is not None):
        raise UsageError(
            "--verify hashes this machine's files; --against and --from name another side",
            hint="Give one",
        )
    if args.deep and args.host_only:
        raise UsageError(
            "--deep reads the environment's libraries, --host-only leaves the environment out",
            hint="Give one",
        )
    sides = {name: sides_of(name) for name in args.against}
    against = tuple(dict.fromkeys(each for those in sides.values() for each in those))
    gathered = frozenset(against) - sides.keys()
    return SideAsked(
        against=against, gathered=gathered, recording=args.recording, python=args.python,
        host_only=args.host_only, verify=args.verify, deep=args.deep, quiet=args.quiet,
    )  # fmt: skip


def found_side(asked: SideAsked, wanted: Manifest) -> Found:
    """The one machine that was named; without a name this machine."""
    if asked.against:
        (name,) = asked.against
        return _named(name, wanted, asked)
    told = asked.recording is not None
    name = f"the recording {asked.recording}" if told else "this machine"
    return Found(name, _captured(asked.recording, wanted, asked))


def found_sides(asked: SideAsked, wanted: Manifest) -> Iterator[Found | Same | Unread]:
    """The machines that were named, one after the other.

    One that cannot be used does not lose the others.
    """
    seen: set[str] = set()
    for name in asked.against:
        content = _content(name)
        if content and content in seen:
            yield Same(name, content)
            continue
        try:
            yield _named(name, wanted, asked)._replace(content=content)
        except (ManifestError, FileError, ToolError) as error:
            from envsnap.reports.matrix import Unread

            yield Unread(name, error.message)
            continue
        seen.add(content)


def _named(name: str, wanted: Manifest, asked: SideAsked) -> Found:
    """A manifest, a recording, an image or a profile; a file comes before a profile."""
    if name in asked.gathered and os.path.exists(name) and not _is_plain(name):
        raise FileError(f"Cannot read {name}: no file that ends", hint="Name it alone")
    if name.startswith("docker-daemon:") or name.endswith(".sif"):
        return Found(name, _image(name, deep=_is_deep(asked, wanted)), is_image=True)
    if names_image(name):
        return Found(name, load_any(name))  # what it says of itself: it is not started
    if os.path.isdir(name) or name.endswith(".tar"):
        return Found(name, _captured(name, wanted, asked))
    from envsnap.profiles import load_named

    return Found(name, load_named(name, load_any))


def _is_plain(name: str) -> bool:
    """Whether reading it comes to an end: a pipe that lies about waits for ever."""
    return os.path.isfile(name) or os.path.isdir(name)


_HEAD = 8192
"""Where a manifest states its digest: within its first lines, before the facts."""
_STATED = re.compile(
    rb'\n  "schema": "([0-9.]{1,13})",\n(?:.*\n){1,40}?  "facts_digest": "([0-9a-f]{64})",\n'
)


def _content(name: str) -> str:
    """What is the same in two manifests whose facts are, found without decoding either.

    A file as envsnap writes it is not even parsed. Empty where it cannot be told: whoever loads
    the file says why.
    """
    if not name.endswith(".json") or not os.path.isfile(name):
        return ""
    from envsnap.manifest._encode import facts_digest, stands_as_written
    from envsnap.manifest._file import parse_json, read_bytes

    try:
        raw = read_bytes(name)
        stated = _STATED.search(raw, 0, _HEAD)
        if stated and stands_as_written(raw, stated[2].decode()):
            return f"{stated[1].decode()} {stated[2].decode()}"
        tree = parse_json(raw)
        if not isinstance(tree, dict) or not isinstance(tree.get("sections"), dict):
            return ""
        return f"{tree.get('schema')} {facts_digest(tree['sections'])}"
    except (EnvsnapError, RecursionError, TypeError, ValueError):
        return ""


def _image(reference: str, *, deep: bool) -> Manifest:
    """An image, captured from inside; its kernel and its driver are this machine's."""
    from envsnap._capture import capture
    from envsnap.host import image_host
    from envsnap.probes import Options

    with Progress(f"Reading {reference} ..."), image_host(reference) as host:
        return capture(host, Options(deep=deep))


def _is_deep(asked: SideAsked, wanted: Manifest) -> bool:
    """Whether the found side's libraries are read: as the wanted side's were, or asked for."""
    return asked.deep or (wanted.captured.deep and not asked.host_only)


def _captured(recording: str | None, wanted: Manifest, asked: SideAsked) -> Manifest:
    """This machine or a recorded one, with content digests where the wanted side has any."""
    from envsnap._capture import capture, own_environment
    from envsnap.host import LocalHost, RecordedHost
    from envsnap.probes import Options

    options = Options(
        python=asked.python, ours=own_environment(), host_only=asked.host_only,
        digests=_has_digests(wanted), verify=asked.verify, deep=_is_deep(asked, wanted),
    )  # fmt: skip
    host: Host = LocalHost() if recording is None else RecordedHost.from_path(recording)
    read = "this machine" if recording is None else recording
    with Progress(f"Reading {read} ...", quiet=asked.quiet) as line:
        if wanted.captured.verified and recording is None:
            options = options._replace(verify=asked.verify or _is_here(host, options, wanted))
        return capture(host, options._replace(listen=hashing(line)))


def _is_here(host: Host, options: Options, wanted: Manifest) -> bool:
    """Whether the wanted environment is, by half of its names: else its files are not hashed."""
    from envsnap._capture import capture
    from envsnap._check import is_set_up

    sections = frozenset({"python", "packages"})
    plain = options._replace(digests=False, verify=False, deep=False)
    seen = capture(host, plain, sections=sections)
    return not options.host_only and is_set_up(wanted, seen)


def _has_digests(wanted: Manifest) -> bool:
    packages = wanted.section(Packages)
    if isinstance(packages, Unknown) or isinstance(packages.installed, Unknown):
        return True
    return any(isinstance(each.content, str) for each in packages.installed)
