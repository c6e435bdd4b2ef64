"""What an image says of itself to those who only read its configuration."""

from __future__ import annotations

import re

from envsnap import __version__
from envsnap.plan import _safe
from envsnap.plan._base import Wanted
from envsnap.plan._model import HOME, BaseImage
from envsnap.sections import Git, Project, Unknown

_OCI = "org.opencontainers.image"
_TEXT = re.compile(r"\A[ -~]{1,200}\Z")
_COMMIT = re.compile(r"\A[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_REMOTE = re.compile(
    r"\A(?:https?|ssh|git)://(?:git@)?[A-Za-z0-9.-]+(?::[0-9]{1,5})?/[A-Za-z0-9._~/+-]{1,200}\Z"
)
"""An address that holds no name and password. A folder of the author's is nobody else's source."""


def image_labels(
    wanted: Wanted, base: BaseImage, digest: str, environment: str
) -> tuple[tuple[str, str], ...]:
    """The labels, sorted: envsnap's own and those of the OCI's list; `digest` is the manifest's."""
    found = {
        "io.envsnap.environment": environment,
        "io.envsnap.manifest": f"{HOME}/manifest.json",
        "io.envsnap.manifest.sha256": digest,
        "io.envsnap.version": __version__,
        f"{_OCI}.base.name": base.repository + (f":{base.tag}" if base.tag else ""),
        f"{_OCI}.created": _safe.time(wanted.manifest.captured.time, "captured.time"),
        f"{_OCI}.version": environment,
        **_of_project(wanted),
    }
    if base.is_file:
        del found[f"{_OCI}.base.name"]  # the path of a file on the builder's machine tells nobody
    if not isinstance(base.digest, Unknown):
        found[f"{_OCI}.base.digest"] = base.digest
    return tuple(sorted(found.items()))


def _of_project(wanted: Wanted) -> dict[str, str]:
    """The project's name; where its code is in the image, from which repository and commit."""
    project = wanted.manifest.section(Project)
    if isinstance(project, Unknown):
        return {}
    found = {f"{_OCI}.title": project.name if isinstance(project.name, str) else ""}
    code = wanted.options.project
    if code is not None:
        remote = project.git.remote if isinstance(project.git, Git) else None
        found[f"{_OCI}.source"] = remote if isinstance(remote, str) else ""
        found[f"{_OCI}.revision"] = code.commit
    forms = {f"{_OCI}.source": _REMOTE, f"{_OCI}.revision": _COMMIT}
    return {name: text for name, text in found.items() if forms.get(name, _TEXT).match(text)}
