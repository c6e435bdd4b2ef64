"""Traps in the image that a recipe starts from."""

from __future__ import annotations

import re
from collections.abc import Iterator

from envsnap._typing import NamedTuple
from envsnap.errors import PlanError
from envsnap.facts import Looked
from envsnap.facts.nvidia_cuda_images import by_tag, cudnn_part, dead
from envsnap.lint._model import Spot, trap
from envsnap.lint._recipe import Base, Recipe
from envsnap.plan import _safe

_CUDA = frozenset({"docker.io/nvidia/cuda", "nvcr.io/nvidia/cuda"})
_PYTHON = "docker.io/library/python"
_PATCH = re.compile(r"\d+\.\d+\.\d+")
_CUDNN = re.compile(r"-cudnn(\d*)-")
_SUITES = ("bullseye", "bookworm", "trixie", "buster", "stretch", "jessie", "alpine", "windows")
_MOVING = frozenset({"latest", "stable", "rolling", "devel", "testing", "unstable", "edge"})
_ENDED = {
    "ubuntu14.04": 2019, "ubuntu16.04": 2021, "ubuntu18.04": 2023, "ubuntu20.04": 2025,
    "debian8": 2020, "debian9": 2022, "debian10": 2024, "jessie": 2020, "stretch": 2022,
    "buster": 2024, "centos6": 2020, "centos7": 2024, "centos8": 2021,
}  # fmt: skip
"""The year when the last support ended that is not paid for."""
_OLD = re.compile(rf"(?:{'|'.join(map(re.escape, _ENDED))})(?![0-9])")
_LISTS = "nvidia/container-images/cuda doc/supported-tags.md and unsupported-tags.md"


class _Named(NamedTuple):
    base: Base
    repository: str
    tag: str | None
    digest: str | None


@trap(
    "BLD010", of="recipe", source="moby/buildkit docs/build-repro.md",
    remedy="Write the digest: FROM name:tag@sha256:... in a Dockerfile, From: name@sha256:... in a "
    "definition; `docker buildx imagetools inspect name:tag` says it",
)  # fmt: skip
def base_without_digest(recipe: Recipe) -> Iterator[Spot]:
    """The base image is named without its digest.

    A tag is a name that its owner moves: the same recipe makes another image next month, and
    none at all once the tag is deleted.
    """
    for base in recipe.bases:
        if "@sha256:" in base.reference:
            continue
        if "$" in base.reference or "{{" in base.reference:
            yield Spot(base.line, f"The base image is whatever {base.reference} is given as")
        else:
            yield Spot(base.line, f"The base image {base.reference} is named without its digest")


@trap(
    "BLD011", of="recipe", source="docker-library/official-images library/python",
    remedy="Name the patch and the suite: python:3.11.9-slim-bookworm",
)  # fmt: skip
def python_that_moves(recipe: Recipe) -> Iterator[Spot]:
    """A tag of the image python leaves the patch or the Debian suite open.

    `python:3.11-slim` is another Python every few weeks, and another Debian every two years.
    """
    for base, repository, tag, digest in _named(recipe):
        if repository != _PYTHON or digest:
            continue
        said = tag or "latest"
        lacking = [
            what for what, there in (
                ("its patch", _PATCH.match(said)),
                ("its suite", any(suite in said for suite in _SUITES)),
            ) if not there
        ]  # fmt: skip
        if lacking:
            yield Spot(base.line, f"python:{said} leaves {' and '.join(lacking)} open")


@trap(
    "BLD012", stops=True, of="recipe", source=_LISTS,
    remedy="Take a tag that is offered, by its digest, and keep a copy of the image",
)  # fmt: skip
def cuda_tag_that_is_gone(recipe: Recipe) -> Iterator[Spot]:
    """A tag of nvidia/cuda does not exist, or not any more.

    NVIDIA deletes the tags of releases that it no longer supports. There never was `latest` since
    2021, nor a tag without the patch.
    """
    for base, _, tag, _ in _cuda(recipe):
        gone = dead(tag or "latest")
        if gone is None or _misspelled(tag or ""):
            continue
        instead = f"; {gone.instead} is there" if gone.instead else ""
        yield Spot(base.line, f"nvidia/cuda:{tag or 'latest'} is not offered{instead}")


@trap(
    "BLD013", stops=True, of="recipe", source="replicate/cog pkg/config/cuda_compatibility.json",
    remedy="Spell it as that release does: cudnn8 up to CUDA 12.2, cudnn9 in 12.3, cudnn from 12.4",
)  # fmt: skip
def cudnn_spelled_wrong(recipe: Recipe) -> Iterator[Spot]:
    """A tag of nvidia/cuda spells cuDNN as that CUDA release does not.

    The suffix carried cuDNN's major version until CUDA 12.3 and carries none since 12.4.
    """
    for base, _, tag, _ in _cuda(recipe):
        right = _misspelled(tag or "")
        if right:
            written = _CUDNN.sub(f"-{right}-", tag or "", count=1)
            yield Spot(base.line, f"nvidia/cuda:{tag} is not offered; {written} is how it is named")


@trap(
    "BLD014", of="recipe", source=_LISTS,
    remedy="Take a supported release, or keep a copy of the image in a registry of your own",
)  # fmt: skip
def cuda_tag_that_may_go(recipe: Recipe) -> Iterator[Spot]:
    """A tag of nvidia/cuda is no longer supported and may be deleted any day."""
    for base, _, tag, _ in _cuda(recipe):
        found = by_tag(tag or "")
        if isinstance(found, Looked) and found.value.state == "unsupported":
            yield Spot(base.line, f"nvidia/cuda:{tag} is no longer supported: it may be deleted")


@trap(
    "BLD015", of="recipe", source="Docker documentation, image tags",
    remedy="Name the release: ubuntu:24.04, debian:12-slim",
)  # fmt: skip
def release_left_open(recipe: Recipe) -> Iterator[Spot]:
    """The base image leaves its release open: it is the next one some day.

    The libraries, their versions and the names of system packages change with it.
    """
    for base, repository, tag, digest in _named(recipe):
        said = tag or "latest"
        if digest is None and said in _MOVING and repository not in {_PYTHON, *_CUDA}:
            yield Spot(base.line, f"{repository.rpartition('/')[2]}:{said} names no release")


@trap(
    "BLD016", of="recipe",
    source="Ubuntu release cycle; Debian wiki, LTS; CentOS, end of life",
    remedy="Take a release that is supported, or name the image by its digest if it must be this",
)  # fmt: skip
def release_without_support(recipe: Recipe) -> Iterator[Spot]:
    """The base image's release gets no fixes any more, and its packages leave the mirrors.

    apt-get or yum then finds nothing, and new wheels ask for a newer glibc.
    """
    for base, repository, tag, digest in _named(recipe):
        name, said = repository.rpartition("/")[2], tag or ""
        if name in {"ubuntu", "debian", "centos"}:
            said = f"{name}{said}"
        found = _OLD.search(said) if digest is None else None
        if found:
            yield Spot(base.line, f"{found[0]} in {base.reference} has had no support since "
                       f"{_ENDED[found[0]]}")  # fmt: skip


def _misspelled(tag: str) -> str | None:
    """How a tag should spell cuDNN; None where it does so, or has none, or nobody knows."""
    written = _CUDNN.search(tag)
    if written is None:
        return None
    right = cudnn_part(tag.partition("-")[0])
    if not isinstance(right, Looked) or right.value in {None, f"cudnn{written[1]}"}:
        return None
    found = by_tag(tag)
    return right.value if isinstance(found, Looked) and found.value.state == "gone" else None


def _cuda(recipe: Recipe) -> Iterator[_Named]:
    return (each for each in _named(recipe) if each.repository in _CUDA)


def _named(recipe: Recipe) -> Iterator[_Named]:
    """The bases whose names can be read."""
    for base in recipe.bases:
        try:
            repository, tag, digest = _safe.reference(base.reference, "FROM")
        except PlanError:
            continue
        yield _Named(base, repository, tag, digest)
