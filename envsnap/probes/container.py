"""Whether this is the inside of a container, and which; what was bound in from the host.

A virtual machine is no container, and a file that an image once left behind makes none:
`/.dockerenv` counts only where the root is not a disk of the machine's own.
"""

from __future__ import annotations

import re

from envsnap._typing import NamedTuple
from envsnap.host import Host
from envsnap.probes._registry import Look, probe
from envsnap.probes._texts import is_there, not_on, read_text, system
from envsnap.sections import Container, Fact, Reason, Unknown

_APPTAINER = "/.singularity.d"
_LIBRARY = r"^lib[\w.+-]+\.so(?:\.[\w.]+)*$"
_OCTAL = r"\\([0-7]{3})"
_QUOTED = r'(?m)^(\w+)="([^"]*)"$'

_DISKS = (
    "/dev/sd",
    "/dev/vd",
    "/dev/xvd",
    "/dev/nvme",
    "/dev/mmcblk",
    "/dev/hd",
    "/dev/root",
    "/dev/md",
)
_LAYERED = frozenset({"overlay", "fuse.fuse-overlayfs", "aufs"})

_OWN_PLACES = frozenset({"/", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"})
_BY_MOUNT = (
    (r"/kubelet/pods/|^/pods/", "kubernetes"),
    (r"/overlay-containers/[0-9a-f]{64}/userdata/", "podman"),
    (r"(?:^|/)containers/[0-9a-f]{64}/(?:hosts|hostname|resolv\.conf)$", "docker"),
    (r"/nerdctl/|/containerd/io\.containerd\.", "containerd"),
)
"""Folders of the host whose parts an engine puts in the places that are each container's own."""

_BY_CGROUP = (
    ("/kubepods", "kubernetes"),
    ("/docker/", "docker"),
    ("/docker-", "docker"),
    ("/libpod-", "podman"),
    ("/lxc/", "lxc"),
    ("/lxc.payload", "lxc"),
)
_NO_CONTAINER = frozenset({"wsl", ""})
_WHOLE_MACHINE = frozenset({"systemd", "init"})


class Mount(NamedTuple):
    """One line of /proc/self/mountinfo."""

    root: str
    """The folder of the file system that is shown."""
    point: str
    """Where it is shown."""
    kind: str
    source: str
    options: str


@probe(Container)
def probe_container(look: Look) -> Container:
    """The container this process runs in, if any."""
    host = look.host
    name = system(host)
    if isinstance(name, Unknown):
        return Container(kind=name, image=name, host_libraries=name)
    if name == "Darwin":
        return Container(kind=None, image=None, host_libraries=())
    if name != "Linux":
        why = not_on(name)
        return Container(kind=why, image=why, host_libraries=why)
    text = read_text(host, "/proc/self/mountinfo", limit=4 << 20)
    mounts = parse_mountinfo(text) if isinstance(text, str) else ()
    kind = _kind(host, text, mounts)
    return Container(kind=kind, image=_image(host, kind), host_libraries=_bound(host, kind, mounts))


def _kind(host: Host, text: Fact[str | None], mounts: tuple[Mount, ...]) -> Fact[str | None]:
    """The innermost container: Apptainer runs in others, none of them runs in it."""
    by_file = _by_file(host) or _by_marks(host, mounts)
    if by_file:
        return by_file
    told = read_text(host, "/run/systemd/container")
    if isinstance(told, str) and told.strip() not in _NO_CONTAINER:
        return told.strip()[:40]
    return text if isinstance(text, Unknown) else _by_root(host, mounts)


def _by_file(host: Host) -> str | None:
    if is_there(host, _APPTAINER):
        return _apptainer_or_singularity(host)
    if is_there(host, "/ch/environment"):
        return "charliecloud"
    return "podman" if is_there(host, "/run/.containerenv") else None


def _apptainer_or_singularity(host: Host) -> str:
    """Apptainer sets the names of both, SingularityCE its own alone."""
    own, other = host.environ("APPTAINER_NAME"), host.environ("SINGULARITY_NAME")
    return "singularity" if isinstance(other, str) and not isinstance(own, str) else "apptainer"


def _by_marks(host: Host, mounts: tuple[Mount, ...]) -> str | None:
    shown = [f"{mount.options} {mount.root}" for mount in mounts if mount.point in _OWN_PLACES]
    for mark, kind in _BY_MOUNT:
        if any(re.search(mark, text) for text in shown):
            in_pod = isinstance(host.environ("KUBERNETES_SERVICE_HOST"), str)
            return "kubernetes" if in_pod else kind
    cgroup = read_text(host, "/proc/1/cgroup")
    for folder, kind in _BY_CGROUP:
        if isinstance(cgroup, str) and folder in cgroup:
            return kind
    return None


def _by_root(host: Host, mounts: tuple[Mount, ...]) -> Fact[str | None]:
    """No engine left a mark: what the root itself is, decides."""
    root = next((mount for mount in reversed(mounts) if mount.point == "/"), None)
    if root is not None and root.root == "/" and root.source.startswith(_DISKS):
        return None
    if is_there(host, "/.dockerenv"):
        return "docker"
    first = read_text(host, "/proc/1/comm")
    if root is not None and root.kind not in _LAYERED:
        return None
    if isinstance(first, str) and first.strip() in _WHOLE_MACHINE:
        return None  # a machine that starts from a layered image, as diskless nodes do
    return Unknown(Reason.NOT_SUPPORTED, "the root is layered, by no engine that is known here")


def parse_mountinfo(text: str) -> tuple[Mount, ...]:
    """The mounts that a process sees, in order; a line that is none is left out."""
    found = []
    for line in text.splitlines():
        before, dash, after = line.partition(" - ")
        words, rest = before.split(" "), after.split(" ")
        if dash and len(words) > 5 and len(rest) > 2:  # noqa: PLR2004 - proc(5) numbers the fields
            found.append(
                Mount(_plain(words[3]), _plain(words[4]), rest[0], _plain(rest[1]), rest[2])
            )
    return tuple(found)


def _plain(word: str) -> str:
    return re.sub(_OCTAL, lambda code: chr(int(code[1], 8)), word) if "\\" in word else word


def _image(host: Host, kind: Fact[str | None]) -> Fact[str | None]:
    if not isinstance(kind, str):
        return kind
    if kind in {"apptainer", "singularity"}:
        own, other = host.environ("APPTAINER_NAME"), host.environ("SINGULARITY_NAME")
        return own if isinstance(own, str) else other
    if kind == "podman":
        told = read_text(host, "/run/.containerenv")
        image = parse_containerenv(told).get("image") if isinstance(told, str) else None
        if image:
            return image
    return Unknown(Reason.NOT_SUPPORTED, f"{kind} does not tell it inside")


def parse_containerenv(text: str) -> dict[str, str]:
    """Podman's note to its containers. It is empty for an ordinary one."""
    return dict(re.findall(_QUOTED, text))


def _bound(host: Host, kind: Fact[str | None], mounts: tuple[Mount, ...]) -> Fact[tuple[str, ...]]:
    if isinstance(kind, Unknown):
        return kind
    if kind is None:
        return ()
    names = {mount.point.rpartition("/")[2] for mount in mounts}
    beside = host.list(f"{_APPTAINER}/libs")
    if isinstance(beside, Unknown):
        return beside
    return tuple(sorted(name for name in names | set(beside or ()) if re.match(_LIBRARY, name)))
