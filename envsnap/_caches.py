"""Where the tools keep their caches that a build starts itself: package index, locker, fetch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from envsnap.engines._environ import environ_with
from envsnap.engines._workdir import choose_workdir, places


@contextmanager
def caches(workdir: str | None) -> Iterator[None]:
    """Every tool that is started keeps its cache in the working folder while the block runs.

    The engines have theirs there by themselves: the block has to end before one starts, for it
    lends its own temporary folder as $TMPDIR.
    """
    with places(choose_workdir(workdir, os.environ)) as found, environ_with(found.variables):
        yield
