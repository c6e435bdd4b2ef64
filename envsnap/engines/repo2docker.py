"""repo2docker: builds the folder it is given, by Docker, and puts a notebook server in."""

from __future__ import annotations

import shutil

from envsnap.engines._command import Mess, run, stream
from envsnap.engines._machine import refuse_other_machine
from envsnap.engines._model import Built, Job
from envsnap.engines._names import refuse_odd_name
from envsnap.engines._run_lines import container_line
from envsnap.engines._translate import explained
from envsnap.engines._workdir import places
from envsnap.engines.docker import SHM, Docker, image_id, remove_image
from envsnap.errors import ToolError, UsageError

_ASK_S = 60.0
_USER = ("--user-id", "1000", "--user-name", "jovyan")
"""Its own default is whoever builds, whom the image would then name; it refuses root."""


class Repo2docker:
    """repo2docker, by its command."""

    name = "repo2docker"

    def version(self) -> str:
        """As 'repo2docker 2026.4.0, docker 20.10.24, buildx 0.13.1'.

        Raises:
            ToolError: It is not there, or Docker does not answer.
        """
        if shutil.which("repo2docker") is None:
            raise ToolError(
                "repo2docker is not on PATH", hint="Install it: uv tool install jupyter-repo2docker"
            )
        answer = run(["repo2docker", "--version"], timeout_s=_ASK_S)
        if answer.status or not answer.stdout.strip():
            said = (answer.stderr.strip().splitlines() or ["it does not say why"])[-1]
            raise ToolError(f"repo2docker does not answer: {said}")
        return f"repo2docker {answer.stdout.split()[-1]}, {Docker().version()}"

    def refuse_name(self, image: str) -> None:
        """Refuse what Docker would not take for a name.

        Raises:
            UsageError: It is no NAME or NAME:TAG in small letters.
        """
        refuse_odd_name(image, "repo2docker")

    def build(self, job: Job) -> Built:
        """The image, under the name asked for.

        Raises:
            UsageError: The job has what repo2docker cannot hand on: secrets, or a fresh build.
        """
        refuse_other_machine(job.platform)
        if job.secrets:
            raise UsageError(
                "repo2docker cannot hand secrets to a build", hint="Give --docker instead"
            )
        version = self.version()
        network = [f"--DockerEngine.extra_buildx_build_args=--network={job.network}"]
        argv = ["repo2docker", "--no-run", *_USER, "--image-name", job.image,
                *(network if job.network else []), "."]  # fmt: skip
        with places(job.workdir) as where, explained(job) as listen:
            status = stream(argv, cwd=job.context, listen=listen, variables=where.variables,
                            mess=Mess(paths=[where.passing] if where.passing else []))  # fmt: skip
            if status:
                raise ToolError(f"repo2docker ended with status {status}")
        options = ["--gpus", "all"] * job.gpu + ["--shm-size", SHM] * job.shared_memory
        return Built(
            engine=version, image=job.image, name=job.image,
            reference=f"docker-daemon:{job.image}", id=image_id(job.image),
            run_line=container_line("docker", (), options, job.image),
        )  # fmt: skip

    def remove(self, built: Built) -> None:
        """Take its name away, and with its last name the image."""
        remove_image(built.image)
