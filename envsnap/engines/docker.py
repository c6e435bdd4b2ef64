"""Docker: builds images with BuildKit, by its own command, and looks up digests."""

from __future__ import annotations

import os
from collections.abc import Sequence

from envsnap._typing import NamedTuple
from envsnap.engines._command import Done, Mess, run, stream
from envsnap.engines._digest import as_digest
from envsnap.engines._machine import refuse_other_machine
from envsnap.engines._model import Built, Job
from envsnap.engines._names import refuse_odd_name, series
from envsnap.engines._noted import id_file, noted_id
from envsnap.engines._run_lines import container_line
from envsnap.engines._translate import explained
from envsnap.engines._workdir import Places, places
from envsnap.errors import ToolError
from envsnap.sections import Fact, Reason, Unknown

_ASK_S = 30.0
_OLDEST = (20, 10)
"""Whose BuildKit knows `RUN --mount` without a line that fetches a newer one."""
_NEEDS_BUILDX = (23, 0)
"""From here on the docker command has no BuildKit of its own."""
_REWRITES = (0, 13)
"""The BuildKit that can set every file's time to the epoch."""
_TELLS_PROVENANCE = (0, 10)
SHM = "8g"
"""Docker's own 64 MB are too few for the data loaders of one training run."""


class _Builder(NamedTuple):
    """What builds: the daemon, and the program that talks to its BuildKit."""

    server: str
    buildx: str | None
    """None where the docker command itself has BuildKit."""


class Docker:
    """Docker Engine, by its command."""

    name = "docker"

    def version(self) -> str:
        """As 'docker 20.10.24, buildx 0.13.1'.

        Raises:
            ToolError: It does not answer, has no BuildKit, or is too old.
        """
        return _said(_builder())

    def refuse_name(self, image: str) -> None:
        """Refuse what Docker would not take for a name, before anything is made for it.

        Raises:
            UsageError: It is no NAME or NAME:TAG in small letters.
        """
        refuse_odd_name(image, "Docker")

    def build(self, job: Job) -> Built:
        """The image, under the name asked for; an interrupted build leaves none of that name."""
        refuse_other_machine(job.platform)
        builder = _builder()
        repeats = job.epoch is not None and _rewrites(builder)
        with places(job.workdir) as where, id_file(job.context) as noted:
            options = [*_options(job, builder, repeats=repeats), "--iidfile", noted]
            argv = [*_command(builder), *options, "."]
            with explained(job) as listen:
                status = stream(
                    argv, cwd=job.context, listen=listen, variables=_variables(job, builder, where),
                    mess=Mess(paths=[where.passing] if where.passing else []),
                )  # fmt: skip
                if status:
                    raise ToolError(f"{' '.join(_command(builder))} ended with status {status}")
            identity = _checked_id(job.image, noted_id(noted, "docker"))
        gpus = ["--gpus", "all"] * job.gpu + ["--shm-size", SHM] * job.shared_memory
        return Built(
            engine=_said(builder), image=job.image, name=job.image,
            reference=f"docker-daemon:{job.image}", id=identity,
            run_line=container_line("docker", (), gpus, job.image),
            repeats=repeats,
        )  # fmt: skip

    def remove(self, built: Built) -> None:
        """Take its name away, and with its last name the image."""
        remove_image(built.image)


def _command(builder: _Builder) -> list[str]:
    return ["docker", "build"] if builder.buildx is None else ["docker", "buildx", "build"]


def _options(job: Job, builder: _Builder, *, repeats: bool) -> Sequence[str]:
    output = ["--load"] * (builder.buildx is not None)
    if repeats:
        output = ["--output", "type=docker,rewrite-timestamp=true"]
    if job.epoch is not None and builder.buildx and series(builder.buildx) >= _TELLS_PROVENANCE:
        output += ["--provenance=false"]
    epoch = ["--build-arg", f"SOURCE_DATE_EPOCH={job.epoch}"] * (job.epoch is not None)
    network = ["--network", job.network] if job.network else []
    secrets = [
        word
        for name, path in sorted(job.secrets.items())
        for word in ("--secret", f"id={name},src={os.path.abspath(path)}")
    ]
    return [*output, "--progress=plain", *network, *epoch, *secrets, *["--no-cache"] * job.fresh,
            "--tag", job.image, "--file", job.recipe]  # fmt: skip


def _variables(job: Job, builder: _Builder, where: Places) -> dict[str, str | None]:
    found: dict[str, str | None] = dict(where.variables)
    if job.epoch is not None:
        found["SOURCE_DATE_EPOCH"] = str(job.epoch)
    if builder.buildx is None:
        found["DOCKER_BUILDKIT"] = "1"
    if where.cache and not _own_builders():
        found["BUILDX_CONFIG"] = os.path.join(where.cache, "buildx")
    return found


def _own_builders() -> bool:
    """Whether the user made builders of their own, which another folder would not know."""
    home = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    folder = os.environ.get("BUILDX_CONFIG") or os.path.join(home, "buildx")
    try:
        return bool(os.listdir(os.path.join(folder, "instances")))
    except OSError:
        return False


def remove_image(image: str) -> None:
    """Take a name of an image away; nothing happens where there is none."""
    run(["docker", "image", "rm", "--force", image], timeout_s=_ASK_S)


def image_id(image: str) -> str:
    """What names the image in Docker: its configuration's digest."""
    answer = _inspected_id(image)
    if answer.status:
        raise ToolError(f"Docker built {image} and does not know it: {answer.stderr.strip()}")
    return answer.stdout.strip()


def _checked_id(image: str, built: str) -> str:
    """What names the image in Docker, where that is what was built.

    Docker may know it by another digest than its builder noted: with containerd's store by the
    manifest's, while buildx noted the configuration's (docker/buildx, pull request 3952).

    Raises:
        ToolError: Another image has the name now.
    """
    found = image_id(image)
    by_note = _inspected_id(built)
    if by_note.status == 0 and by_note.stdout.strip() != found:
        raise ToolError(f"docker built {built}, and {image} is {found}")
    return found


def _inspected_id(image: str) -> Done:
    return run(["docker", "image", "inspect", "--format", "{{.Id}}", image], timeout_s=_ASK_S)


def digest(reference: str) -> Fact[str]:
    """The digest that the reference's registry answers now, asked through the daemon.

    The daemon knows the mirrors and the credentials of this site. Where it cannot ask, the
    digest of an image that was pulled before counts.
    """
    try:
        _server()
    except ToolError as error:
        return Unknown(Reason.TOOL_MISSING, error.message)
    found = _asked_by_sdk(reference)
    if isinstance(found, str):
        return found
    nobody = Unknown(Reason.NOT_RECORDED, f"no registry answers for {reference}")
    return _pulled(reference) or (nobody if _is_here(reference) else found) or nobody


def pulled_digest(reference: str) -> str | None:
    """The digest of an image that is here already; no registry is asked."""
    try:
        _server()
    except ToolError:
        return None
    return _pulled(reference)


def _asked_by_sdk(reference: str) -> Fact[str] | None:
    """The digest that the daemon hears; that a tag is gone is never a daemon's to say.

    Its 404 may be a mirror's, which has a part of what the registry has: Docker 20.10 asks no
    further, and no daemon tells who answered. The registry itself has the last word.
    """
    try:
        import docker
        import docker.errors
        import requests
    except ImportError:
        return None
    try:
        client = docker.from_env(timeout=int(_ASK_S))
        try:
            return as_digest(client.images.get_registry_data(reference).id)
        finally:
            client.close()
    except docker.errors.NotFound:
        silent = f"the daemon finds no {reference}, and a mirror of its registry may have said so"
        return Unknown(Reason.TOOL_MISSING, silent)
    except (docker.errors.DockerException, requests.exceptions.RequestException):
        return None


def _is_here(reference: str) -> bool:
    """Whether the daemon has an image by that name, as one that was made here and never pushed."""
    return _inspected_id(reference).status == 0


def _pulled(reference: str) -> str | None:
    """The digest of the image by that name that is already here, as its registry named it."""
    argv = [
        "docker",
        "image",
        "inspect",
        "--format",
        "{{range .RepoDigests}}{{println .}}{{end}}",
        reference,
    ]
    answer = run(argv, timeout_s=_ASK_S)
    repository = reference.partition("@")[0].rpartition(":")[0] or reference
    for line in answer.stdout.split():
        name, _, found = line.partition("@")
        if name == repository:
            return as_digest(found)
    return None


def _builder() -> _Builder:
    client, server = _versions()
    if series(server) < _OLDEST:
        raise ToolError(
            f"Docker {server} is too old: its builder does not know RUN --mount",
            hint="Use Docker 20.10 or newer, or another engine: --engine podman",
        )
    buildx = _buildx()
    if buildx is None and series(client) >= _NEEDS_BUILDX:
        raise ToolError(
            f"Docker {client} has no BuildKit: its buildx plugin is missing",
            hint="Install it (docker-buildx-plugin, or docker-buildx), or give --engine podman",
        )
    return _Builder(server, buildx)


def _said(builder: _Builder) -> str:
    plugin = f", buildx {builder.buildx}" if builder.buildx else ", BuildKit"
    return f"docker {builder.server}{plugin}"


def _versions() -> tuple[str, str]:
    """The command's and the daemon's."""
    asked = ["docker", "version", "--format", "{{.Client.Version}} {{.Server.Version}}"]
    answer = run(asked, timeout_s=_ASK_S)
    words = answer.stdout.split()
    if answer.status or len(words) != 2:  # noqa: PLR2004 - the two that were asked for
        why = answer.stderr.strip().splitlines()[-1:] or ["it does not say why"]
        raise ToolError(
            f"Docker does not answer: {why[0]}", hint="Start Docker, or leave out --image"
        )
    return words[0], words[1]


def _server() -> str:
    return _versions()[1]


def _buildx() -> str | None:
    answer = run(["docker", "buildx", "version"], timeout_s=_ASK_S)
    words = answer.stdout.split()
    return words[1].removeprefix("v") if answer.status == 0 and len(words) > 1 else None


def _rewrites(builder: _Builder) -> bool:
    """Whether this builder sets every file's time; the daemon's own old one ignores the wish."""
    if builder.buildx is None:
        return False
    answer = run(["docker", "buildx", "inspect"], timeout_s=_ASK_S)
    for line in answer.stdout.splitlines():
        key, _, value = line.partition(":")
        if key.strip().lower() == "buildkit version":
            return series(value) >= _REWRITES
    return False
