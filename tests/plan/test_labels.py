"""What a registry shows of an image: whose it is, from which release, commit and manifest."""

from __future__ import annotations

import pytest

from envsnap import __version__
from envsnap.plan import PlanOptions, plan
from envsnap.plan._model import ProjectCode
from envsnap.sections import Fact, Git, Project, Reason, Unknown
from tests import made

DIGEST = "sha256:" + "ab" * 32
CODE = ProjectCode("paper", "cd" * 20, "ef" * 32)


def digest(_reference: str) -> Fact[str]:
    return DIGEST


def project(name: Fact[str | None], remote: Fact[str | None]) -> Project:
    git = Git(
        commit="cd" * 20, commit_time="2026-01-30T12:00:00Z", branch="main", changed_files=0,
        remote=remote, pushed=True,
    )  # fmt: skip
    return Project(name=name, git=git, lock_files=(), newest_install=None)


def labels(own: Project, code: ProjectCode | None) -> dict[str, str]:
    manifest = made.manifest(project=own)
    return dict(plan(manifest, PlanOptions(project=code), digest).labels)


def test_an_image_with_the_projects_code_names_its_repository_and_commit() -> None:
    own = project("paper", "https://git.example/lab/paper.git")
    found = plan(made.manifest(project=own), PlanOptions(project=CODE), digest)
    assert dict(found.labels) == {
        "io.envsnap.environment": found.environment,
        "io.envsnap.manifest": "/opt/envsnap/manifest.json",
        "io.envsnap.manifest.sha256": found.manifest_sha256,
        "io.envsnap.version": __version__,
        "org.opencontainers.image.base.digest": DIGEST,
        "org.opencontainers.image.base.name": "docker.io/library/python:3.11.7-slim-bookworm",
        "org.opencontainers.image.created": "2026-01-31T12:00:00Z",
        "org.opencontainers.image.revision": "cd" * 20,
        "org.opencontainers.image.source": "https://git.example/lab/paper.git",
        "org.opencontainers.image.title": "paper",
        "org.opencontainers.image.version": found.environment,
    }


def test_an_image_without_it_names_the_project_alone() -> None:
    found = labels(project("paper", "https://git.example/lab/paper.git"), None)
    assert found["org.opencontainers.image.title"] == "paper"
    assert "org.opencontainers.image.source" not in found
    assert "org.opencontainers.image.revision" not in found


@pytest.mark.parametrize(
    "remote",
    [
        None,
        Unknown(Reason.NOT_ASKED, "not part of this test"),
        "https://me:Geheim@git.example/paper.git",
        "/home/me/paper",
        "https://git.example/paper\nLABEL a=b",
    ],
)
def test_a_remote_that_nobody_else_can_use_or_that_holds_a_password_is_no_label(
    remote: Fact[str | None],
) -> None:
    assert "org.opencontainers.image.source" not in labels(project("paper", remote), CODE)


def test_a_name_that_no_label_can_hold_is_none() -> None:
    assert "org.opencontainers.image.title" not in labels(project("pa\nper", None), None)
