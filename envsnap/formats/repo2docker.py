"""A folder `binder/` for repo2docker and BinderHub.

environment.yml names Python to the patch, which runtime.txt cannot; the packages come from
postBuild, because hashes without dependencies need options that a requirements file cannot hold.
"""

from __future__ import annotations

from collections.abc import Mapping

from envsnap.formats._files import proof, requirements, values
from envsnap.formats._registry import container_format
from envsnap.formats._templates import render
from envsnap.plan import BuildPlan
from envsnap.plan._model import WHEELS


@container_format("repo2docker", title="repo2docker folder", main="binder")
def repo2docker(plan: BuildPlan) -> Mapping[str, str]:
    """The files of `binder/`. Everything lies there: repo2docker then reads nothing else."""
    found = {
        "environment.yml": render("environment.yml.j2", values(plan)),
        "postBuild": render("postBuild.j2", values(plan)),
        **requirements(plan, f"../{WHEELS}"),
        **proof(plan),
    }
    return {f"binder/{name}": text for name, text in found.items()}
