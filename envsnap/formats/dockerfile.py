"""A Dockerfile and its whole context, for Docker, BuildKit, Buildah and Podman.

No heredoc and no `# syntax=` line: Docker 20.10 knows neither without asking a registry.
"""

from __future__ import annotations

from collections.abc import Mapping

from envsnap.formats._files import carried, image_files, values
from envsnap.formats._registry import container_format
from envsnap.formats._templates import render
from envsnap.plan import BuildPlan


@container_format("dockerfile", title="Dockerfile", main="Dockerfile")
def dockerfile(plan: BuildPlan) -> Mapping[str, str]:
    """The files of a Docker build context."""
    context = image_files(plan)
    return {
        "Dockerfile": render("Dockerfile.j2", values(plan)),
        ".dockerignore": render("dockerignore.j2", {"files": [*sorted(context), *carried(plan)]}),
        **context,
    }
