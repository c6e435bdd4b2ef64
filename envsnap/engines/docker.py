"""Docker: builds images with buildx, else with the daemon's own builder, and looks up digests."""

from __future__ import annotations

import re
import shlex

from envsnap.engines._command import run, stream
from envsnap.engines._digest import as_digest
from envsnap.engines._machine import refuse_other_machine
from envsnap.engines._model import Built, Job
from envsnap.errors import MissingExtraError, ToolError, UsageError
from envsnap.sections import Fact, Reason, Unknown

_NAME = re.compile(
    r"\A[a-z0-9][a-z0-9._-]*(?::[0-9]+(?=/))?(?:/[a-z0-9][a-z0-9._-]*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]*)?\Z"
)
_ASK_S = 30.0


class Docker:
    """Docker Engine, by its command."""

    def refuse_name(self, image: str) -> None:
        """Refuse what Docker would not take for a name, before anything is made for it.

        Raises:
            UsageError: It is no NAME or NAME:TAG in small letters.
        """
        if not _NAME.match(image):
            raise UsageError(
                f"Docker names images in small letters, as lab/paper:1, not {image!r}",
                hint="Give --image NAME or --image NAME:TAG",
            )

    def build(self, job: Job) -> Built:
        """The image, under the name asked for; an interrupted build leaves none of that name."""
        refuse_other_machine(job.platform)
        version = _server()
        buildx = _buildx()
        if buildx is not None:
            builder = f", buildx {buildx}"
            network = ["--network", job.network] if job.network else []
            argv = ["docker", "buildx", "build", "--load", "--progress=plain", *network,
                    "--tag", job.image, "--file", job.recipe, "."]  # fmt: skip
            status = stream(argv, cwd=job.context, listen=job.listen)
            if status:
                raise ToolError(f"docker buildx build ended with status {status}")
        else:
            builder = ""
            _build_with_daemon(job)
        answer = run(
            ["docker", "image", "inspect", "--format", "{{.Id}}", job.image], timeout_s=_ASK_S
        )
        if answer.status:
            raise ToolError(
                f"Docker built {job.image} and does not know it: {answer.stderr.strip()}"
            )
        gpus = ["--gpus", "all"] * job.gpu
        return Built(
            engine=f"docker {version}{builder}", image=job.image, name=job.image,
            reference=f"docker-daemon:{job.image}", id=answer.stdout.strip(),
            run_line=shlex.join(["docker", "run", "--rm", *gpus, job.image, "python"]),
        )  # fmt: skip


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
    if found is None:
        found = _pulled(reference)
    if found is None:
        return Unknown(Reason.NOT_RECORDED, f"no registry answers for {reference}")
    return found


def _asked_by_sdk(reference: str) -> str | None:
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
    except (docker.errors.DockerException, requests.exceptions.RequestException):
        return None


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


def _server() -> str:
    answer = run(["docker", "version", "--format", "{{.Server.Version}}"], timeout_s=_ASK_S)
    if answer.status:
        why = answer.stderr.strip().splitlines()[-1:] or ["it does not say why"]
        raise ToolError(
            f"Docker does not answer: {why[0]}", hint="Start Docker, or leave out --image"
        )
    return answer.stdout.strip()


def _buildx() -> str | None:
    answer = run(["docker", "buildx", "version"], timeout_s=_ASK_S)
    words = answer.stdout.split()
    return words[1].removeprefix("v") if answer.status == 0 and len(words) > 1 else None


def _build_with_daemon(job: Job) -> None:
    """Build by the SDK: the daemon's own builder needs no plugin, and our recipes no newer one."""
    try:
        import docker
        import docker.errors
        import requests
    except ImportError:
        raise MissingExtraError("docker", "docker") from None
    try:
        client = docker.from_env(timeout=3600)
        try:
            pieces = client.api.build(
                path=job.context, dockerfile=job.recipe, tag=job.image, rm=True, forcerm=True,
                network_mode=job.network, decode=True,
            )  # fmt: skip
            # All of them are read, or the connection would stay open behind an error.
            faults = [fault for piece in pieces if (fault := _tell(piece, job))]
        finally:
            client.close()
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        raise ToolError(f"Docker's own builder failed: {error}") from error
    if faults:
        raise ToolError(f"Docker's own builder failed: {faults[0]}")


def _tell(piece: object, job: Job) -> str | None:
    """Pass on what the daemon says; its complaint, where this is one."""
    if not isinstance(piece, dict):
        return None
    if isinstance(text := piece.get("stream"), str):
        job.listen(text.encode())
    return str(piece["error"]).strip() if "error" in piece else None
