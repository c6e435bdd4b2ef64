"""What Podman and Buildah share: a recipe becomes an image in the store that both have."""

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


class StoreBuilder:
    """A program that builds without a daemon, as a plain user too, by its command."""

    name: str
    oldest: tuple[int, int]
    """The first whose builder knows `RUN --mount=type=bind` and `type=secret`."""
    options: tuple[str, ...] = ()
    """What it is told beside what both are."""

    def version(self) -> str:
        """As 'podman 4.3.1'.

        Raises:
            ToolError: It is not there, or too old.
        """
        return asked_version(self.name, self.oldest)

    def refuse_name(self, image: str) -> None:
        """Refuse what no registry would take for a name.

        Raises:
            UsageError: It is no NAME or NAME:TAG in small letters.
        """
        refuse_odd_name(image, self.name.capitalize())

    def build(self, job: Job) -> Built:
        """The image, under the name asked for; an interrupted build leaves none of that name."""
        version = self.version()
        store, digest = build_in_store(self.name, job, self.options)
        return Built(
            engine=version, image=job.image, name=job.image,
            reference=f"{SCHEME}{store.prefix}{job.image}", id=digest,
            run_line=run_line(job, store), repeats=job.epoch is not None,
        )  # fmt: skip

    def remove(self, built: Built) -> None:
        """Take its name away, and with its last name the image."""
        remove_image(self.name, built)
