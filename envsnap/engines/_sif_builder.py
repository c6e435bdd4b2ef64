"""What Apptainer and SingularityCE share: a definition becomes a SIF file, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence

from envsnap.engines._archives import file_hash
from envsnap.engines._command import Mess, run, stream
from envsnap.engines._machine import refuse_other_machine
from envsnap.engines._model import Built, Job
from envsnap.engines._names import series
from envsnap.engines._translate import explained
from envsnap.engines._workdir import Places, is_in_use, passing_folder, places, swept_folder
from envsnap.errors import FileError, ToolError, UsageError

_ASK_S = 30.0
_FLOORS = {"apptainer": (1, 1), "singularity-ce": (3, 11), "singularity-pro": (3, 11)}
"""The oldest that our definitions are written for, by what the program calls itself."""
_REPEATS = {"apptainer": (1, 5)}
"""From where on SOURCE_DATE_EPOCH makes the same bytes."""
_SAID = re.compile(r"\A(apptainer|singularity(?:-ce|-pro)?) version (\S+)")
_WITHOUT = "none"
"""The network of a recipe whose steps use none: what a definition then does by itself."""
PACKED = "-comp gzip -Xcompression-level 3"
"""gzip, which every kernel mounts, at a level that takes less than half the time of mksquashfs's
own, 9, for a file that is a twentieth larger (measured on a NumPy environment)."""
SECRETS = "/mnt"
"""Where %post finds the secrets, by their id: a folder that every base image has."""
_SEEN_BY_ALL = 0o055
"""The rights of whoever else may start the image before it has its place, as a helper of root's."""


class SifBuilder:
    """A program that makes SIF files, by its command."""

    name: str

    def version(self) -> str:
        """As 'apptainer 1.4.5'.

        Raises:
            ToolError: It is not there, or older than what our definitions are written for.
        """
        if shutil.which(self.name) is None:
            raise ToolError(
                f"{self.name} is not on PATH",
                hint=f"Load your site's module (module load {self.name}), or leave out --image",
            )
        answer = run([self.name, "--version"], timeout_s=_ASK_S)
        found = _SAID.match(answer.stdout)
        if answer.status or found is None:
            said = (answer.stderr.strip().splitlines() or ["it does not say why"])[-1]
            raise ToolError(f"{self.name} does not answer: {said}")
        kind, version = found[1], found[2]
        floor = _FLOORS.get(kind)
        if floor is None or series(version) < floor:
            raise ToolError(
                f"{kind} {version} is too old for our definitions",
                hint="Use Apptainer 1.1, SingularityCE 3.11, or newer",
            )
        return f"{kind} {version}"

    def refuse_name(self, image: str) -> None:
        """Refuse what is no FILE.sif: by its ending it is told from a name of Docker's.

        Raises:
            UsageError: It does not end so, or would be taken for an option.
            FileError: There is no such folder to put it into.
        """
        if not image.endswith(".sif") or image.startswith("-"):
            raise UsageError(
                f"{self.name.capitalize()} makes a FILE.sif, not {image!r}",
                hint="Give --image FILE.sif",
            )
        _refuse_no_folder(os.path.abspath(image))

    def build(self, job: Job) -> Built:
        """The SIF file. It is built beside its place and renamed, so that no half of one stays."""
        refuse_other_machine(job.platform)
        if job.network is not None and job.network != _WITHOUT:
            raise UsageError(
                f"{self.name} builds in the machine's own network, and takes no --network",
                hint="Leave out --network, or give --docker",
            )
        version = self.version()
        try:
            with half(os.path.abspath(job.image)) as part, places(job.workdir) as where:
                self._make(job, part, where, version)
                if job.finish is not None:
                    job.finish(part)
                digest = file_hash(part)
                os.replace(part, os.path.abspath(job.image))
        except OSError as error:
            raise FileError(f"Cannot write {job.image}: {error.strerror}") from error
        # Nothing of the host's home and variables reaches the program.
        options = ["--nv"] * job.gpu + ["--cleanenv", "--no-home"]
        return Built(
            engine=version, image=job.image, name=os.path.basename(job.image),
            reference=job.image, id=f"sha256:{digest}",
            run_line=shlex.join([self.name, "exec", *options, job.image, "python"]),
            repeats=job.epoch is not None and _repeats(version),
        )  # fmt: skip

    def _packed(self) -> Sequence[str]:
        """How the file system is packed, where the program can be told."""
        said = run([self.name, "build", "--help"], timeout_s=_ASK_S).stdout
        return ["--mksquashfs-args", PACKED] if "--mksquashfs-args" in said else []

    def remove(self, built: Built) -> None:
        """Remove the file."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(built.image)

    def _make(self, job: Job, part: str, where: Places, version: str) -> None:
        with _secrets(job.secrets, where.passing) as folder:
            bound = ["--bind", f"{folder}:{SECRETS}:ro"] if folder else []
            # %files are read relative to the working folder, and the recipe names them so.
            options = [*_fakeroot(version), *self._packed(), *bound]
            argv = [self.name, "build", *options, part, job.recipe]
            epoch = {} if job.epoch is None else {"SOURCE_DATE_EPOCH": str(job.epoch)}
            leaves = [os.path.dirname(part), *filter(None, (where.passing, folder))]
            with explained(job) as listen:
                status = stream(
                    argv, cwd=job.context, listen=listen, variables={**where.variables, **epoch},
                    mess=Mess(paths=leaves),
                )  # fmt: skip
                if status:
                    raise ToolError(f"{self.name} build ended with status {status}")


@contextlib.contextmanager
def half(target: str) -> Iterator[str]:
    """Where a file is made before it gets its place, in a folder beside it that goes afterwards.

    What a build that was killed left there goes, too.

    Raises:
        FileError: Somebody else makes the same file now, or there is no folder for it.
    """
    _refuse_no_folder(target)
    root, name = os.path.split(target)
    prefix = f".{name}.part-"
    if is_in_use(root, prefix):
        raise FileError(
            f"{target} is being built by another process",
            hint="Wait for it, or give another --image FILE.sif",
        )
    # Of a name of its own: what tidies up after a killed build finds nothing of the next one.
    with swept_folder(root, prefix) as folder:
        os.chmod(folder, stat.S_IMODE(os.stat(folder).st_mode) | _SEEN_BY_ALL)
        yield os.path.join(folder, "image.sif")


def _refuse_no_folder(target: str) -> None:
    """Refuse a file in a folder that is not there: a typing error would make new ones."""
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise FileError(
            f"There is no folder {folder} for {os.path.basename(target)}",
            hint=f"Make it with: mkdir -p {shlex.quote(folder)}",
        )


@contextlib.contextmanager
def _secrets(files: Mapping[str, str], passing: str | None) -> Iterator[str | None]:
    """A folder with the secrets by their id, for nobody else's eyes; None where there are none."""
    if not files:
        yield None
        return
    with passing_folder(passing or tempfile.gettempdir()) as folder:
        for name, path in files.items():
            place = os.path.join(folder, name)
            shutil.copyfile(path, place)
            os.chmod(place, stat.S_IRUSR)
        yield folder


def _fakeroot(version: str) -> Sequence[str]:
    """What Apptainer does by itself for a plain user, SingularityCE is told."""
    return ["--fakeroot"] if version.startswith("singularity") and os.getuid() else []


def _repeats(version: str) -> bool:
    kind, _, number = version.partition(" ")
    return kind in _REPEATS and series(number) >= _REPEATS[kind]
