"""What Podman and Buildah share: the same recipes, the same store of images."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
from collections.abc import Mapping, Sequence

from envsnap._typing import NamedTuple
from envsnap.engines._command import Mess, run, stream
from envsnap.engines._machine import refuse_other_machine
from envsnap.engines._model import Built, Job
from envsnap.engines._names import series
from envsnap.engines._noted import id_file, noted_id
from envsnap.engines._run_lines import container_line
from envsnap.engines._translate import explained
from envsnap.engines._workdir import Places, places
from envsnap.errors import ToolError

ASK_S = 30.0
SCHEME = "containers-storage:"
_LONGEST_RUNROOT = 50


class Store(NamedTuple):
    """Where images lie. Empty paths: where the engines have them by themselves."""

    root: str
    running: str

    @property
    def options(self) -> tuple[str, ...]:
        """What tells an engine of it, before its command."""
        return ("--root", self.root, "--runroot", self.running) if self.root else ()

    @property
    def prefix(self) -> str:
        """What names it before an image: '[ROOT+RUNNING]'."""
        return f"[{self.root}+{self.running}]" if self.root else ""


OWN_STORE = Store("", "")


def asked_version(program: str, floor: tuple[int, int]) -> str:
    """As 'podman 4.3.1'.

    Raises:
        ToolError: It is not on PATH, does not answer, or is older than our recipes need.
    """
    answer = run([program, "--version"], timeout_s=ASK_S)
    words = answer.stdout.split()
    if answer.status or len(words) < 3:  # noqa: PLR2004 - 'podman version 4.3.1'
        said = (answer.stderr.strip().splitlines() or ["it does not say why"])[-1]
        raise ToolError(f"{program} does not answer: {said}")
    if series(words[2]) < floor:
        oldest = ".".join(map(str, floor))
        raise ToolError(f"{program} {words[2]} is too old: our recipes need {oldest}")
    return f"{program} {words[2]}"


def build_in_store(program: str, job: Job, options: Sequence[str]) -> tuple[Store, str]:
    """Build with either; where the image lies, and its id."""
    refuse_other_machine(job.platform)
    with places(job.workdir, always=True) as where, id_file(where.passing or job.context) as noted:
        own = _graph_root(program, where)
        store = _store(own, where)
        mark = f"envsnap-build-{secrets.token_hex(8)}"
        argv = [program, *store.options, "build", "--force-rm", *options, "--iidfile", noted,
                "--secret", f"id={mark},src={os.devnull}", *_options(job), "."]  # fmt: skip
        tidy = ["/bin/sh", "-c", _TIDY, "envsnap-tidy", mark, store.root or own,
                os.path.basename(where.passing or mark), program, *store.options, "rm",
                *["--force"] * (program == "podman")]  # fmt: skip
        with explained(job) as listen:
            status = stream(
                argv, cwd=job.context, listen=listen, variables=_variables(job, where),
                mess=Mess(tidy, [where.passing] if where.passing else []),
            )  # fmt: skip
            if status:
                raise ToolError(f"{program} build ended with status {status}")
        built = noted_id(noted, program)
    _refuse_other(program, store, job.image, built)
    return store, built


_TIDY = r"""
mark=$1 root=$2 passing=$3
shift 3
for file in /proc/[0-9]*/mountinfo; do
    grep -qE -- "/$passing/[^ ]* /etc/hosts " "$file" || continue
    process=${file%/mountinfo}
    kill -s KILL "${process#/proc/}"
done
for file in "$root"/*-containers/*/userdata/buildah.json; do
    grep -qF -- "$mark" "$file" || continue
    id=${file%/userdata/*}
    "$@" "${id##*/}"
done
"""
"""Ends the step and removes the container of a build that was ended: neither engine does it then.

A step's processes are told by where their /etc/hosts comes from, which is this build's own folder;
containers by a secret that no step reads: it is noted with each of them and in no image.
"""


def remove_image(program: str, built: Built) -> None:
    """Take an image's name away in the store that its reference names."""
    place = built.reference.removeprefix(SCHEME).removesuffix(built.image).strip("[]")
    root, _, running = place.partition("+")
    options = Store(root, running).options
    run([program, *options, "rmi", "--force", built.image], timeout_s=ASK_S)


def run_line(job: Job, store: Store) -> str:
    """The line that starts Python in the image, by Podman: Buildah's own is for building."""
    gpus = ["--device", "nvidia.com/gpu=all"] * job.gpu
    shared = ["--shm-size", "8g"] * job.shared_memory
    return container_line("podman", store.options, [*gpus, *shared], job.image)


def _options(job: Job) -> Sequence[str]:
    network = ["--network", job.network] if job.network else []
    mounted = [
        word
        for name, path in sorted(job.secrets.items())
        for word in ("--secret", f"id={name},src={os.path.abspath(path)}")
    ]
    epoch: list[str] = []
    if job.epoch is not None:
        number = str(job.epoch)
        epoch = ["--timestamp", number, "--build-arg", f"SOURCE_DATE_EPOCH={number}"]
    return [*network, *epoch, *mounted, *["--no-cache"] * job.fresh,
            "--tag", job.image, "--file", job.recipe]  # fmt: skip


def _variables(job: Job, where: Places) -> Mapping[str, str | None]:
    epoch = {} if job.epoch is None else {"SOURCE_DATE_EPOCH": str(job.epoch)}
    return {**where.variables, **_data(where), **epoch}


def _data(where: Places) -> Mapping[str, str]:
    return {"XDG_DATA_HOME": os.path.join(where.cache, "data")} if where.cache else {}


def _graph_root(program: str, where: Places) -> str:
    """Where the engine's own store is; empty where it does not say.

    It is asked with another place for a plain user's data, since the question makes files there.
    """
    word = "{{.store.GraphRoot}}" if program == "buildah" else "{{.Store.GraphRoot}}"
    argv = [program, "info", "--format", word]
    answer = run(argv, timeout_s=ASK_S, variables=_data(where))
    return answer.stdout.strip() if answer.status == 0 else ""


def _store(own: str, where: Places) -> Store:
    """The engine's own store, unless that is below the home folder and a working folder is named.

    A rootless engine keeps whole images below ~/.local/share, where quotas are small.
    """
    if where.cache is None:
        return OWN_STORE
    kept = [os.path.realpath(os.path.expanduser("~")), os.path.realpath(where.cache)]
    if own and not any(_is_below(os.path.realpath(own), each) for each in kept):
        return OWN_STORE
    root = os.path.join(where.cache, "containers", "storage")
    return Store(root, _running(root))


def _running(root: str) -> str:
    """Where a store notes what runs: at a short path, since Podman takes no more than 50 letters.

    Raises:
        ToolError: Somebody else has it.
    """
    name = f"envsnap-{hashlib.sha256(root.encode()).hexdigest()[:12]}"
    own = os.environ.get("XDG_RUNTIME_DIR", "")
    is_short = 0 < len(own) < _LONGEST_RUNROOT - len(name) and os.access(own, os.W_OK)
    folder = os.path.join(own if is_short else "/tmp", name)  # noqa: S108 - made ours, or refused
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, mode=0o700)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ToolError(f"{folder} belongs to somebody else", hint="Set XDG_RUNTIME_DIR")
    return folder


def _is_below(path: str, folder: str) -> bool:
    return os.path.commonpath([path, folder]) == folder


def _refuse_other(program: str, store: Store, image: str, built: str) -> None:
    """Refuse to go on where the name is not that of what was built."""
    argv = [program, *store.options, "images", "--no-trunc", "--quiet", image]
    answer = run(argv, timeout_s=ASK_S)
    if answer.status or built not in answer.stdout.split():
        said = answer.stderr.strip() or f"it knows {', '.join(answer.stdout.split()) or 'none'}"
        raise ToolError(f"{program} built {built}, and {image} is not it: {said}")
