"""The plan of an image: every decision, and why it fell that way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from envsnap._typing import Literal, NamedTuple
from envsnap.sections import Artifact, CondaArtifact, Fact, Reason, Unknown

Resolve = Callable[[str], Fact[str]]
"""Asks a registry which digest an image reference has now: 'sha256:' and 64 hex digits.

`Unknown(NOT_ASKED)` says that nobody needs it: then nothing is said of it either."""

PREFIX = "/opt/env"
WHEELS = "wheels"
"""The folder beside a recipe for the files that travel with it."""
CONDA = "conda"
"""The folder beside a recipe for conda's archives, what unpacks them, and what they must be."""
FILES = ("docker-archive", "oci-archive", "localimage")
"""What a base image is named with that is a file: 'oci-archive:base.tar'."""
HOME = "/opt/envsnap"
"""Where the image keeps its manifest, its lock and its verifier."""


class Why(NamedTuple):
    """One decision of a plan, for `build --explain`."""

    decision: str
    because: str
    source: str
    """The field of the manifest, the table or the option that decided."""


class LeftOut(NamedTuple):
    """A package of the environment that nothing installs into the image."""

    name: str
    version: str
    why: str
    in_base: bool = False
    """Whether the image has it all the same, for the base image brings it."""


@dataclass(frozen=True, kw_only=True)
class BaseImage:
    """The image to start from."""

    reference: str
    """As people write it: 'python:3.11.9-slim-bookworm'."""
    repository: str
    """With its registry: 'docker.io/library/python'; of a file the reference."""
    tag: str | None
    """None where the user named a digest alone, or a file."""
    digest: Fact[str]
    """What the registry answered; unknown when it was not asked or did not answer."""

    @property
    def is_file(self) -> bool:
        """Whether it is an archive or a SIF, and in no registry."""
        return self.reference.startswith(tuple(f"{kind}:" for kind in FILES))

    @property
    def pinned(self) -> str:
        """The reference with its digest, where that is known: what a Dockerfile takes."""
        if isinstance(self.digest, Unknown) or "@" in self.reference:
            return self.reference
        return f"{self.reference}@{self.digest}"

    @property
    def full(self) -> str:
        """Repository and digest, else tag, never both: what an Apptainer definition takes."""
        if isinstance(self.digest, Unknown):
            return f"{self.repository}:{self.tag}"
        return f"{self.repository}@{self.digest}"


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """How the exact Python comes into the image."""

    how: Literal["image", "archive", "compiled", "conda"]
    """image: the base image has it; archive: a relocatable build, unpacked; compiled: from its
    source, in a stage of its own; conda: its package."""
    executable: str
    """Where it lies in the image: '/usr/local/bin/python3'."""
    filename: str | None = None
    """The file name of the archive or of the source; None for the others."""
    url: str | None = None
    """Where the archive is fetched; None where it travels with the recipe."""
    sha256: str | None = None
    """The archive's SHA-256, hex; never None where there is an archive."""
    system_site_packages: bool = False
    """Whether the environment sees what the base image brings itself, as NVIDIA's NGC images do."""


IN_THE_IMAGE = Interpreter(how="image", executable="/usr/local/bin/python3")
"""What the images called python have."""


class SystemPackage(NamedTuple):
    """A package of the base image's distribution that is installed into it."""

    name: str
    because: str
    """Who needs it: 'libGL.so.1, which opencv-python needs'."""
    provides: tuple[str, ...] = ()
    """The libraries that it is installed for, sorted: 'libGL.so.1'."""
    in_binder: tuple[str, ...] = ()
    """What the Ubuntu that repo2docker builds on calls it, where that is another name."""


@dataclass(frozen=True, kw_only=True)
class SystemPackages:
    """What the base image's package manager installs."""

    image: tuple[SystemPackage, ...] = ()
    """For the image itself, sorted by name."""
    builder: tuple[SystemPackage, ...] = ()
    """For the stage alone that builds sources: compilers and headers, sorted by name."""
    compiler: tuple[SystemPackage, ...] = ()
    """For the stage alone that compiles Python, sorted by name."""
    snapshot: str | None = None
    """The archive's state that is taken, '20260101T000000Z'; None for today's."""


class Layer(NamedTuple):
    """Packages that are installed in one step, so that a change of others leaves it as it was."""

    name: str
    """A plain word, unique in its plan: 'torch', 'rest'."""
    wheels: tuple[Artifact, ...]
    """Sorted by canonical name."""
    unpacked: bool = False
    """Whether our own program installs them: no other takes a version that is none of PEP 440."""


class ProjectCode(NamedTuple):
    """The project's own files at one commit, which travel with the recipe as `project.tar`."""

    name: str
    commit: str
    """40 or 64 hex digits."""
    sha256: str
    """Of the archive."""


class Secret(NamedTuple):
    """A file of the builder's own machine that one step may read and no layer keeps."""

    id: str
    """A plain word: 'netrc', 'pip.conf'."""
    target: str
    """Where the step finds it in the image."""


class Installer(NamedTuple):
    """The program that unpacks the wheels inside, itself pinned."""

    name: Literal["uv", "pip", "py-rattler"]
    version: str | None
    """None for the base image's own pip."""
    sha256: tuple[str, ...]
    """Of each wheel of it that may be taken, hex; empty for the base image's own pip."""


OWN_PIP = Installer("pip", None, ())
"""The base image's own."""


class Estimate(NamedTuple):
    """What a build will cost, before anything starts. Bytes, seconds."""

    download: Fact[int]
    image: Fact[int]
    """Unpacked, without the base image."""
    seconds: Fact[int]
    source: str
    """What it was reckoned from."""


_NOT_ASKED: Fact[int] = Unknown(Reason.NOT_ASKED)
NOT_ESTIMATED = Estimate(_NOT_ASKED, _NOT_ASKED, _NOT_ASKED, "nothing")


class BatchJob(NamedTuple):
    """What a site's batch system wants to know of a job; None where its default will do."""

    partition: str | None = None
    account: str | None = None
    gres: str | None = None
    """As Slurm's --gres takes it: 'gpu:1'."""
    time: str | None = None
    """As Slurm's --time takes it: '04:00:00'."""
    image: str | None = None
    """The SIF file that the job runs."""


ANY_JOB = BatchJob()
"""A job that leaves all to its site."""


@dataclass(frozen=True, kw_only=True)
class PlanOptions:
    """What the caller of a build decides instead of the manifest."""

    base_image: str | None = None
    allow_missing: bool = False
    """Plan an image without the packages that cannot be installed."""
    stored: frozenset[str] = frozenset()
    """The SHA-256 of every file in the caller's wheelhouse, which can travel with the recipe."""
    alone: frozenset[str] = frozenset()
    """The SHA-256 of files that travel or are missing, though the lock has an address of them."""
    stand_ins: Mapping[str, Artifact] = field(default_factory=dict)
    """Wheels in the caller's wheelhouse that install what was installed from a source archive, by
    the SHA-256 of that archive."""
    offline: bool = False
    """Everything travels with the recipe: no step of the build may use the network."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Bytes of files whose size the lock does not know, by their SHA-256."""
    machine: str | None = None
    """The architecture of the machine that builds, 'x86_64'; None where nothing is built."""
    snapshot: str | None = None
    """The state of the distribution's archive to install from: '20260101T000000Z'."""
    ca_certificates: str | None = None
    """PEM text that is trusted before the first step that uses the network."""
    project: ProjectCode | None = None
    secrets: tuple[Secret, ...] = ()
    job: BatchJob = ANY_JOB
    embed: bool = False
    """Keep the files that no index has inside the image, so that it can be made again from it."""


@dataclass(frozen=True, kw_only=True)
class BuildPlan:
    """Everything that a format writes down. It decides nothing more."""

    base: BaseImage
    python: str
    """The version to the patch: '3.11.9'."""
    platform: str
    """As container engines name it: 'linux/amd64'."""
    wheels: tuple[Artifact, ...]
    sources: tuple[Artifact, ...]
    """Source archives, built inside the image: nothing else installs these packages."""
    left_out: tuple[LeftOut, ...]
    variables: tuple[tuple[str, str], ...]
    """Environment variables of the image, PATH apart."""
    labels: tuple[tuple[str, str], ...]
    gpu: bool
    """Whether the environment was captured beside an NVIDIA GPU."""
    environment: str
    """The environment's id."""
    captured: str
    """When the manifest was captured, UTC, ISO 8601."""
    manifest: str
    """The manifest's own text, for the image to carry."""
    manifest_sha256: str
    reasons: tuple[Why, ...]
    """Of the formats that start from `base`."""
    others: Mapping[str, tuple[Why, ...]] = field(default_factory=dict)
    """The reasons of each format that has no base image to choose, by its name."""
    notes: tuple[str, ...] = ()
    """What nobody knows before the build, in sentences."""
    interpreter: Interpreter = IN_THE_IMAGE
    builder: BaseImage | None = None
    """The image of the stage that builds sources or fetches; None where `base` serves."""
    system: SystemPackages = SystemPackages()
    layers: tuple[Layer, ...] = ()
    """Every wheel once, in the order of installation: the large ones first, local code last."""
    installer: Installer = OWN_PIP
    conda: tuple[CondaArtifact, ...] = ()
    """conda packages, which are unpacked before the wheels; sorted by name."""
    unpacker: Installer | None = None
    """What unpacks them; None where there are none."""
    project: ProjectCode | None = None
    secrets: tuple[Secret, ...] = ()
    ca_certificates: str | None = None
    offline: bool = False
    embed: bool = False
    job: BatchJob = ANY_JOB
    estimate: Estimate = NOT_ESTIMATED
    prefix: str = PREFIX

    @property
    def epoch(self) -> int:
        """SOURCE_DATE_EPOCH: when the manifest was captured, in seconds since 1970, UTC."""
        return int(datetime.fromisoformat(self.captured.replace("Z", "+00:00")).timestamp())

    @property
    def carried(self) -> tuple[Artifact, ...]:
        """What whoever builds finds on no index: it travels with the recipe, in `wheels`."""
        return tuple(each for each in (*self.wheels, *self.sources) if each.url is None)

    @property
    def carried_conda(self) -> tuple[CondaArtifact, ...]:
        """The archives of conda's that travel with the recipe, in `conda`."""
        return tuple(each for each in self.conda if each.url is None or self.offline)
