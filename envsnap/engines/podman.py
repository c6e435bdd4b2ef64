"""Podman: builds the same recipes as Docker, without a daemon, as a plain user too."""

from __future__ import annotations

from envsnap.engines._containers import (
    SCHEME,
    asked_version,
    build_in_store,
    remove_image,
    run_line,
)
from envsnap.engines._model import Built, Job
from envsnap.engines._names import refuse_odd_name

_OLDEST = (4, 0)
"""Whose builder knows `RUN --mount=type=bind` and `type=secret`."""


class Podman:
    """Podman, by its command."""

    name = "podman"

    def version(self) -> str:
        """As 'podman 4.3.1'.

        Raises:
            ToolError: It is not there, or too old.
        """
        return asked_version("podman", _OLDEST)

    def refuse_name(self, image: str) -> None:
        """Refuse what no registry would take for a name.

        Raises:
            UsageError: It is no NAME or NAME:TAG in small letters.
        """
        refuse_odd_name(image, "Podman")

    def build(self, job: Job) -> Built:
        """The image, under the name asked for; an interrupted build leaves none of that name."""
        version = self.version()
        store, digest = build_in_store("podman", job, ())
        return Built(
            engine=version, image=job.image, name=job.image,
            reference=f"{SCHEME}{store.prefix}{job.image}", id=digest,
            run_line=run_line(job, store), repeats=job.epoch is not None,
        )  # fmt: skip

    def remove(self, built: Built) -> None:
        """Take its name away, and with its last name the image."""
        remove_image("podman", built)
