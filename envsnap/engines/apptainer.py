"""Apptainer, or Singularity where that is what a site has: builds a SIF file as a plain user."""

from __future__ import annotations

import os
import shlex
import shutil

from envsnap.engines._archives import file_hash
from envsnap.engines._command import run, stream
from envsnap.engines._machine import refuse_other_machine
from envsnap.engines._model import Built, Job
from envsnap.errors import FileError, ToolError, UsageError

_ASK_S = 30.0


class Apptainer:
    """Apptainer, by its command."""

    def refuse_name(self, image: str) -> None:
        """Refuse what is no FILE.sif: by its ending it is told from a name of Docker's.

        Raises:
            UsageError: It does not end so, or would be taken for an option.
        """
        if not image.endswith(".sif") or image.startswith("-"):
            raise UsageError(
                f"Apptainer makes a FILE.sif, not {image!r}", hint="Give --image FILE.sif"
            )

    def build(self, job: Job) -> Built:
        """The SIF file. It is built beside its place and renamed, so that no half of one stays."""
        refuse_other_machine(job.platform)
        program, version = _program()
        target = os.path.abspath(job.image)
        part = f"{target}.{os.getpid()}.part"
        try:
            # %files are read relative to the working folder, and the recipe names them so.
            status = stream(
                [program, "build", part, job.recipe], cwd=job.context, listen=job.listen
            )
            if status:
                raise ToolError(f"{program} build ended with status {status}")
            digest = file_hash(part)
            os.replace(part, target)
        except OSError as error:
            raise FileError(f"Cannot write {job.image}: {error.strerror}") from error
        finally:
            if os.path.lexists(part):
                os.unlink(part)
        # Nothing of the host's home and variables reaches the program.
        options = ["--nv"] * job.gpu + ["--cleanenv", "--no-home"]
        return Built(
            engine=version, image=job.image, name=os.path.basename(job.image),
            reference=job.image, id=f"sha256:{digest}",
            run_line=shlex.join([program, "run", *options, job.image, "python"]),
        )  # fmt: skip


def _program() -> tuple[str, str]:
    for name in ("apptainer", "singularity"):
        if shutil.which(name):
            answer = run([name, "--version"], timeout_s=_ASK_S)
            if answer.status == 0:
                return name, answer.stdout.strip().replace(" version ", " ")
    raise ToolError(
        "Neither apptainer nor singularity is on PATH",
        hint="Load your site's module (module load apptainer), or leave out --image",
    )
