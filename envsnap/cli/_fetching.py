"""`envsnap build --fetch`: everything that a build needs, brought into one folder."""

from __future__ import annotations

import os
import sys

from envsnap._fetch import FetchOptions, fetch, fetch_hosts, left_of
from envsnap._placed import Placed
from envsnap._units import size_words
from envsnap.cli._build_options import Asked
from envsnap.cli._next import fetched_lines
from envsnap.cli._terminal import Progress, clean, columns, folded, payload, say
from envsnap.cli.lock import talks_to
from envsnap.errors import ExitCode
from envsnap.formats._context import SUMS
from envsnap.manifest import Manifest


def fetch_aloud(manifest: Manifest, asked: Asked) -> ExitCode:
    """Fetch, saying from where and how far it is; then how to go on without a network."""
    options = FetchOptions(build=asked.build, lock=asked.lock, allow_host=asked.allowed)
    talks_to(fetch_hosts(manifest, options), quiet=asked.quiet)
    try:
        with Progress("Looking for the files ...", quiet=asked.quiet) as line:
            fetched = fetch(manifest, options, line.update)
    except BaseException:
        _tell_left(asked.build.output, quiet=asked.quiet)
        raise
    _tell(fetched, asked)
    return ExitCode.OK


def _tell_left(folder: str, *, quiet: bool) -> None:
    """What a fetch that failed has left, and what it is good for."""
    count, size = left_of(folder)
    if count:
        files = "1 file" if count == 1 else f"{count} files"
        is_whole = os.path.lexists(os.path.join(folder, SUMS))
        state = "is as it was before" if is_whole else "is not whole"
        said = f"{clean(folder)}/ {state}. {files}, {size_words(size)}, are kept in it: the "
        say(folded(f"{said}same command goes on with them", columns(sys.stderr)), quiet=quiet)


def _tell(fetched: Placed, asked: Asked) -> None:
    width, folder = columns(sys.stderr), clean(fetched.folder)
    count = len(fetched.plan.wheels) + len(fetched.plan.conda)
    packages = "1 package" if count == 1 else f"{count} packages"
    base = f", the base image {clean(fetched.plan.base.reference)}" if fetched.images else ""
    said = f"Fetched {folder}/: {packages}{base}; {size_words(fetched.size)} in all"
    say(folded(said, width), quiet=asked.quiet)
    for note in fetched.notes:
        say(folded(clean(f"note: {note}"), width))
    say("Copy the folder to where the image is to be; there no network is needed:",
        quiet=asked.quiet)  # fmt: skip
    payload("\n".join(fetched_lines(fetched, asked.build.formats)))
