"""A `.devcontainer` folder for VS Code, Codespaces and the devcontainer command.

It builds the Dockerfile beside it, so that the editor works in the very image of the paper.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from envsnap.formats._registry import OF_IMAGES, Place, container_format
from envsnap.formats.dockerfile import dockerfile
from envsnap.plan import BuildPlan

_USER = "envsnap"
_NAMED_BY = {"netrc": "ENVSNAP_NETRC", "pip.conf": "ENVSNAP_PIP_CONF"}
"""The variable that names a file which the build may read: no other password file is taken."""


def _by_hand(place: Place) -> list[str]:
    """The line that builds and starts the container."""
    return [f"devcontainer up --workspace-folder {place.folder}"]


def _fetched(place: Place) -> list[str]:
    """The same, once the base image is loaded."""
    return [*place.loads, *_by_hand(place)]


@container_format(
    "devcontainer", title="devcontainer", main=".devcontainer", by_hand=_by_hand, fetched=_fetched,
    heeds=OF_IMAGES, starts="", is_staged=True,
)  # fmt: skip
def devcontainer(plan: BuildPlan) -> Mapping[str, str]:
    """The Dockerfile with its context, and what points an editor at it."""
    document: dict[str, object] = {
        "name": f"envsnap {plan.environment}",
        "build": _build(plan),
        "remoteUser": _USER,
        # The image's own command is Python, which would end at once.
        "overrideCommand": True,
        "customizations": {
            "vscode": {
                "settings": {"python.defaultInterpreterPath": f"{plan.prefix}/bin/python"},
                "extensions": ["ms-python.python"],
            }
        },
    }
    if plan.gpu:
        # The tools then add --gpus all themselves where there is one, and start without one.
        document["hostRequirements"] = {"gpu": "optional"}
        document["runArgs"] = ["--shm-size=8g"]
    text = json.dumps(document, indent=2, ensure_ascii=True)
    return {**dockerfile(plan), ".devcontainer/devcontainer.json": f"{text}\n"}


def _build(plan: BuildPlan) -> Mapping[str, object]:
    options = [f"--platform={plan.platform}"]
    if plan.offline:
        options.append("--network=none")
    options += [
        # Where it is not set, the builder says that there is no file of this name.
        f"--secret=id={each.id},src=${{localEnv:{name}:{name}-names-no-file}}"
        for each in plan.secrets
        if (name := _NAMED_BY.get(each.id))
    ]
    return {"dockerfile": "../Dockerfile", "context": "..", "options": options}
