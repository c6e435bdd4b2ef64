"""Buildah: builds the same recipes as Docker, without a daemon, as a plain user too."""

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

_OLDEST = (1, 24)
"""Whose builder knows `RUN --mount=type=bind` and `type=secret`."""


class Buildah:
    """Buildah, by its command. What runs its images is Podman: they share their store."""

    name = "buildah"

    def version(self) -> str:
        """As 'buildah 1.28.2'.

        Raises:
            ToolError: It is not there, or too old.
        """
        return asked_version("buildah", _OLDEST)

    def refuse_name(self, image: str) -> None:
        """Refuse what no registry would take for a name.

        Raises:
            UsageError: It is no NAME or NAME:TAG in small letters.
        """
        refuse_odd_name(image, "Buildah")

    def build(self, job: Job) -> Built:
        """The image, under the name asked for; an interrupted build leaves none of that name."""
        version = self.version()
        # Without --layers it keeps nothing for the next build.
        store, digest = build_in_store("buildah", job, ("--layers",))
        return Built(
            engine=version, image=job.image, name=job.image,
            reference=f"{SCHEME}{store.prefix}{job.image}", id=digest,
            run_line=run_line(job, store), repeats=job.epoch is not None,
        )  # fmt: skip

    def remove(self, built: Built) -> None:
        """Take its name away, and with its last name the image."""
        remove_image("buildah", built)
