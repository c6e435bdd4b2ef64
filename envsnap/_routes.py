"""routes: how this machine could build an image, seen before anything is fetched.

`look` asks and tries; `judge` is pure, so that it can be held against machines that are not here.
"""

from __future__ import annotations

import os
import re
import shlex
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence

from envsnap._typing import Literal, NamedTuple
from envsnap._units import size_words
from envsnap.engines._choice import ENGINES
from envsnap.engines._ground import (
    Folder,
    look_at_folder,
    memory_limit,
    try_user_namespace,
    user_quotas,
)
from envsnap.errors import ToolError
from envsnap.host import Host
from envsnap.probes._texts import read_text
from envsnap.sections import Engines, Fact, Reason, Unknown

Word = Literal["fine", "warns", "stops", "not checked"]
Ask = Callable[[], Fact[str]]
NO_IMAGES: Mapping[str, Ask] = {}

_NETWORKED = ("nfs", "lustre", "gpfs", "beegfs", "ceph", "cifs", "smb", "afs", "panfs", "pvfs",
              "orangefs", "fuse.sshfs", "glusterfs")  # fmt: skip
"""File systems that cannot hold the many owners of an image, by how their names begin."""
_IN_MEMORY = ("tmpfs", "ramfs")
_SETTINGS = {
    "user.max_user_namespaces": "/proc/sys/user/max_user_namespaces",
    "kernel.unprivileged_userns_clone": "/proc/sys/kernel/unprivileged_userns_clone",
    "kernel.apparmor_restrict_unprivileged_userns": (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
    ),
}
_BY_NAMESPACE = frozenset({"podman", "buildah", "apptainer", "singularity"})
_FORMATS = {"dockerfile": "--docker", "apptainer": "--singularity", "repo2docker": "--repo2docker"}
BUILDERS = frozenset(kind.name for group in ENGINES.values() for kind in group)
"""The engines that are asked."""
_LEAST_BYTES = 10 * 10**9
"""What an image with CUDA wheels needs, where no manifest tells better."""
_ON_DISK = "/var/tmp"  # noqa: S108 - looked at, not written to
"""Where temporary files lie on a disk, also where /tmp is memory."""
_ELSEWHERE = "Name a folder on a local disk with --workdir DIR"
_ERROR_NUMBER = re.compile(r"\[Errno -?\d+\] ")
_LITTLE_MEMORY = 4 * 10**9


class Check(NamedTuple):
    """One thing that was looked at."""

    topic: str
    word: Word
    said: str
    remedy: str = ""
    """One imperative sentence; empty where nothing need be done."""


class Route(NamedTuple):
    """One engine: a way to an image."""

    engine: str
    format: str
    works: bool
    said: str
    """Its version; else why not."""


class Routes(NamedTuple):
    """All ways, what was looked at, and the way that would be taken."""

    routes: tuple[Route, ...]
    checks: tuple[Check, ...]
    chosen: Route | None
    workdir: str | None
    """The folder to build in; None where none will do."""
    instead_of: str | None
    """The folder that was named and is not that one; None where it is, or none was named."""
    needs_workdir: bool
    """Whether the engine has to be told of the folder: it would take another by itself."""
    exports: tuple[str, ...]
    """Lines for a shell that builds by hand."""


class Seen(NamedTuple):
    """What was asked and tried, here and now."""

    versions: Mapping[str, str | ToolError]
    """By engine: its version, or why it does not answer."""
    is_root: bool
    namespace: Fact[bool]
    """Whether a user namespace could be made."""
    settings: Mapping[str, Fact[str | None]]
    """What the kernel says of them, by the setting's name."""
    folders: tuple[Folder, ...]
    """Where a build could work, the first asked for first."""
    home: Folder
    memory: Fact[int | None]
    images: Mapping[str, Fact[str]]
    """The digests of the images that a build would begin with, asked for as a build asks; empty
    where the network was not to be used."""
    named: str | None = None
    """The folder that was asked for, the first of `folders`."""
    temporary: str = _ON_DISK
    """Where temporary files go by themselves."""


def look(host: Host, workdir: str | None = None, images: Mapping[str, Ask] = NO_IMAGES) -> Seen:
    """Ask every engine and try the ground, all at the same time; `images` asks registries."""
    kinds = {kind.name: kind for group in ENGINES.values() for kind in group}
    asked: dict[str, Callable[[], object]] = {
        f"engine {name}": _version_of(kind().version) for name, kind in kinds.items()
    }
    asked["namespace"], asked["quotas"] = try_user_namespace, user_quotas
    asked |= {f"image {name}": ask for name, ask in images.items()}
    answers = _at_once(asked)
    folders = dict.fromkeys(os.path.abspath(each) for each in _candidates(workdir))
    quotas: Fact[Mapping[str, int]] = answers["quotas"]  # type: ignore[assignment]  # as asked
    return Seen(
        versions={name: answers[f"engine {name}"] for name in kinds},  # type: ignore[misc]  # as asked
        is_root=os.getuid() == 0,
        namespace=answers["namespace"],  # type: ignore[arg-type]  # as asked
        settings={name: _setting(host, path) for name, path in _SETTINGS.items()},
        folders=tuple(look_at_folder(each, quotas) for each in folders),
        home=look_at_folder(os.path.expanduser("~"), quotas),
        memory=memory_limit(),
        images={name: answers[f"image {name}"] for name in images},  # type: ignore[misc]  # as asked
        named=os.path.abspath(workdir) if workdir else None,
        temporary=os.path.abspath(tempfile.gettempdir()),
    )


def _version_of(ask: Callable[[], str]) -> Callable[[], str | ToolError]:
    def answer() -> str | ToolError:
        try:
            return ask()
        except ToolError as error:
            return error

    return answer


def _at_once(asked: Mapping[str, Callable[[], object]]) -> Mapping[str, object]:
    answers: dict[str, object] = {}

    def ask(name: str) -> None:
        answers[name] = asked[name]()

    threads = [threading.Thread(target=ask, args=(name,)) for name in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def _candidates(workdir: str | None) -> Sequence[str]:
    named = (workdir, os.environ.get("SCRATCH"), os.environ.get("TMPDIR"))
    return [*(each for each in named if each), tempfile.gettempdir(), _ON_DISK]


def _setting(host: Host, path: str) -> Fact[str | None]:
    said = read_text(host, path)
    return said.strip() if isinstance(said, str) else said


def judge(seen: Seen, engines: Engines, *, gpu: bool, needs: Fact[int]) -> Routes:
    """What was seen, judged; `needs` is what the image takes unpacked, where that is known."""
    wanted = needs if not isinstance(needs, Unknown) else _LEAST_BYTES
    fitting = [each for each in seen.folders if not refused_for(each, wanted)]
    # Memory is taken where there is no disk: what an image takes, the machine's programs lack.
    folder = min(fitting, key=_is_in_memory, default=None)
    may = seen.is_root or seen.namespace is True
    routes = tuple(_routes(seen, may=may))
    chosen = next((each for each in routes if each.works), None)
    checks = [
        _namespaces(seen), _ids(seen, engines), *_folders(seen, wanted, folder),
        *_home(seen), _memory(seen), *([_gpu(engines)] if gpu else []), *_images(seen),
    ]  # fmt: skip
    place = folder.path if folder else None
    return Routes(
        routes, tuple(checks), chosen, place,
        instead_of=seen.named if place != seen.named else None,
        needs_workdir=place != seen.temporary or (chosen and chosen.engine) != "docker",
        exports=_exports(chosen, folder, seen.temporary),
    )  # fmt: skip


def _routes(seen: Seen, *, may: bool) -> Sequence[Route]:
    return [
        _route(kind.name, format_name, seen.versions[kind.name], may=may)
        for format_name, kinds in ENGINES.items()
        for kind in kinds
    ]


def _route(name: str, format_name: str, version: str | ToolError, *, may: bool) -> Route:
    if isinstance(version, ToolError):
        return Route(name, format_name, works=False, said=version.message)
    if name in _BY_NAMESPACE and not may:
        said = f"{version}; it needs user namespaces, which this user may not make"
        return Route(name, format_name, works=False, said=said)
    return Route(name, format_name, works=True, said=version)


def _namespaces(seen: Seen) -> Check:
    topic = "user namespaces"
    told = [f"{name} = {value}" for name, value in seen.settings.items() if isinstance(value, str)]
    if seen.namespace is True:
        return Check(topic, "fine", "one was made")
    if isinstance(seen.namespace, Unknown):
        return Check(topic, "not checked", str(seen.namespace.detail))
    word: Word = "warns" if seen.is_root else "stops"
    why = _forbidden_by(seen.settings)
    said = f"blocked: {why}" if why else f"blocked, and not by a setting ({', '.join(told)})"
    return Check(
        topic, word, said,
        "Ask your administrator to allow them, or build where they are; inside a container, "
        "start it with --security-opt seccomp=unconfined",
    )  # fmt: skip


def _forbidden_by(settings: Mapping[str, Fact[str | None]]) -> str:
    """The setting that forbids user namespaces; empty where none does."""
    forbidding = {
        "user.max_user_namespaces": "0", "kernel.unprivileged_userns_clone": "0",
        "kernel.apparmor_restrict_unprivileged_userns": "1",
    }  # fmt: skip
    for name, value in forbidding.items():
        if settings.get(name) == value:
            return f"{name} = {value}"
    return ""


def _ids(seen: Seen, engines: Engines) -> Check:
    topic = "subordinate ids"
    found = engines.subordinate_ids
    if isinstance(found, Unknown):
        return Check(topic, "not checked", str(found.detail or found.reason.value))
    if found or seen.is_root:
        said = "at least 65536 in /etc/subuid and /etc/subgid" if found else "root needs none"
        return Check(topic, "fine", said)
    return Check(
        topic, "warns", "fewer than 65536 in /etc/subuid or /etc/subgid: system packages that make "
        "users cannot be installed, and Podman and Buildah unpack no image of several owners",
        'Ask your administrator for: usermod --add-subuids 100000-165535 --add-subgids '
        '100000-165535 "$USER"',
    )  # fmt: skip


def refused_for(folder: Folder, wanted: int) -> str:
    """Why a folder will not do to build in; empty where it will."""
    if isinstance(folder.kind, str) and folder.kind.lower().startswith(_NETWORKED):
        return f"it is on {folder.kind}, which keeps no other users' files"
    if isinstance(folder.starts_programs, Unknown):
        return str(folder.starts_programs.detail)
    if not folder.starts_programs:
        return "programs cannot be started from it (noexec)"
    if not isinstance(folder.free_bytes, Unknown) and folder.free_bytes < wanted:
        return (
            f"{size_words(folder.free_bytes)} are free there, and {size_words(wanted)} are needed"
        )
    if isinstance(folder.quota_bytes, int) and folder.quota_bytes < wanted:
        left = size_words(folder.quota_bytes)
        return f"your quota leaves {left} there, and {size_words(wanted)} are needed"
    return ""


def _is_in_memory(folder: Folder) -> bool:
    return folder.kind in _IN_MEMORY


def _folders(seen: Seen, wanted: int, chosen: Folder | None) -> Sequence[Check]:
    """Every folder that was to be taken before, and the one that is."""
    checks = []
    for each in seen.folders:
        topic = f"working folder {each.path}"
        why = refused_for(each, wanted)
        # A folder is only passed over while another remains; where none does, each stops.
        word: Word = "warns" if chosen else "stops"
        checks.append(Check(topic, word, why, _ELSEWHERE) if why else _usable(topic, each))
        if each is chosen:
            break
    return checks


def _usable(topic: str, folder: Folder) -> Check:
    kind = folder.kind if isinstance(folder.kind, str) else "a file system unknown"
    free = (
        "" if isinstance(folder.free_bytes, Unknown) else f", {size_words(folder.free_bytes)} free"
    )
    if _is_in_memory(folder):
        said = f"{kind}{free}: what is written there takes memory"
        return Check(topic, "warns", said, _ELSEWHERE)
    if folder.hands_on is True:
        said = f"{kind}{free}; it hands on its group or access list, so envsnap takes that off"
        return Check(topic, "warns", said, "For builds by hand make a folder with chmod 700, g-s")
    return Check(topic, "fine", f"{kind}{free}, starts programs")


def _home(seen: Seen) -> Sequence[Check]:
    """What the home folder has left: builds write nothing there, and other programs may."""
    topic, rest = "home folder", "with a working folder builds write nothing there"
    left, free = seen.home.quota_bytes, seen.home.free_bytes
    if isinstance(left, int):
        said = f"the quota leaves {size_words(left)}" if left else "its quota is full"
        return [Check(topic, "fine", f"{said}; {rest}")]
    if isinstance(left, Unknown) and left.reason is Reason.NOT_RECORDED:
        return [Check(topic, "not checked", str(left.detail))]
    if isinstance(free, Unknown):
        return [Check(topic, "not checked", str(free.detail))]
    return [Check(topic, "fine", f"{size_words(free)} free, no quota told; {rest}")]


def _memory(seen: Seen) -> Check:
    topic = "memory limit"
    if isinstance(seen.memory, Unknown):
        return Check(topic, "not checked", str(seen.memory.detail))
    if seen.memory is None:
        return Check(topic, "fine", "none but the machine's own")
    if seen.memory < _LITTLE_MEMORY:
        said = f"{size_words(seen.memory)}: packing a large image may be ended"
        return Check(topic, "warns", said, "Build in a job that asks for more: srun --mem=8G ...")
    return Check(topic, "fine", size_words(seen.memory))


def _gpu(engines: Engines) -> Check:
    topic = "GPU in containers"
    found = engines.container_toolkit
    if isinstance(found, Unknown):
        return Check(topic, "not checked", str(found.detail or found.reason.value))
    if found is None:
        return Check(
            topic, "warns", "no NVIDIA container toolkit: Docker and Podman give containers no GPU "
            "(Apptainer's --nv needs none)", "Install nvidia-container-toolkit",
        )  # fmt: skip
    return Check(topic, "fine", f"nvidia-container-toolkit {found}")


def _images(seen: Seen) -> Sequence[Check]:
    if not seen.images:
        return [Check("registries", "not checked", "the network was not used; --online asks them")]
    return [_image(f"base image {name}", found) for name, found in seen.images.items()]


def _image(topic: str, found: Fact[str]) -> Check:
    if not isinstance(found, Unknown):
        return Check(topic, "fine", "its registry, or a mirror, has it")
    why = _ERROR_NUMBER.sub("", str(found.detail or found.reason.value))
    if found.reason is Reason.NOT_RECORDED:
        remedy = "Name another one with: envsnap build --base-image REF"
        return Check(topic, "warns", f"not found: {why}", remedy)
    remedy = "Fetch where it answers: envsnap build --singularity --fetch -o DIR"
    return Check(topic, "warns", f"not to be had from here: {why}", remedy)


def _exports(chosen: Route | None, folder: Folder | None, temporary: str) -> tuple[str, ...]:
    """What a shell needs that it has not, so that no tool writes into the home folder."""
    if chosen is None or folder is None:
        return ()
    place = folder.path
    named: dict[str, str] = {} if place == temporary else {"TMPDIR": place}
    if chosen.engine in {"apptainer", "singularity"}:
        prefix = chosen.engine.upper()
        named |= {f"{prefix}_TMPDIR": place, f"{prefix}_CACHEDIR": f"{place}/{chosen.engine}-cache"}
    return tuple(f"export {name}={shlex.quote(value)}" for name, value in named.items())


def build_line(found: Routes) -> str | None:
    """The command that takes the route; None where there is none."""
    if found.chosen is None:
        return None
    image = "paper.sif" if found.chosen.format == "apptainer" else "lab/paper:1"
    told = found.workdir if found.needs_workdir else None
    workdir = f" --workdir {shlex.quote(told)}" if told else ""
    return (
        f"envsnap build {_FORMATS[found.chosen.format]} --engine {found.chosen.engine} "
        f"--image {image}{workdir}"
    )


NOT_KNOWN: Fact[int] = Unknown(Reason.NOT_ASKED)
