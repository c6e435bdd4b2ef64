"""What tells a builder that a step's data is another, where it does not look into mounts itself.

BuildKit hashes what a step sees by a mount. Buildah and Podman compare the text of the step alone:
to them a step whose files changed would be the one of the last build.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from envsnap.formats import _files
from envsnap.plan import BuildPlan
from envsnap.plan._layers import travelling_tools
from envsnap.plan._model import WHEELS

_LENGTH = 12


class Data:
    """The digest of every file of a context, as far as a plan knows it."""

    def __init__(self, plan: BuildPlan, context: Mapping[str, str]) -> None:
        self._digests = {
            **{path: _digest(text) for path, text in context.items()},
            **{f"{WHEELS}/{each.filename}": each.sha256 for each in plan.carried},
            **{f"{WHEELS}/{each.filename}": each.sha256 for each in travelling_tools(plan)},
            **{_files.conda_place(each): str(each.sha256) for each in plan.carried_conda},
        }
        if plan.project is not None:
            self._digests[_files.PROJECT] = plan.project.sha256

    def seen_by(self, paths: Iterable[str]) -> str:
        """A short digest of the files at these paths, and of those below them."""
        roots = set(paths)
        rows = [
            f"{path} {digest}\n"
            for path, digest in sorted(self._digests.items())
            if path in roots or path.partition("/")[0] in roots
        ]
        return _digest("".join(rows))[:_LENGTH]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
