from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.host import RecordedHost, Uname
from envsnap.probes import Look
from envsnap.probes.container import (
    Mount,
    parse_containerenv,
    parse_mountinfo,
    probe_container,
)
from envsnap.sections import Container, Reason, Unknown

LINUX = Uname("Linux", "6.1.0", "#1 SMP", "x86_64")
ID = "0899e02e56d00adeb6f58c7e249680616c1251f00703705c56186659e1ad7fd1"
LAYERS = "/var/lib/docker/overlay2"
DOCKER = f"""\
122 49 0:40 / / rw,relatime master:2 - overlay overlay rw,lowerdir={LAYERS}/l/LD6V:{LAYERS}/l/FB64
123 122 0:43 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
139 122 254:0 /var/lib/docker/containers/{ID}/resolv.conf /etc/resolv.conf rw - ext4 /dev/vda rw
140 122 254:0 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw - ext4 /dev/vda rw
141 122 254:0 /usr/lib/x86_64-linux-gnu/libcuda.so.535.161.08 \
/usr/lib/x86_64-linux-gnu/libcuda.so.535.161.08 ro - ext4 /dev/vda rw
"""
DISK = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
"""
BTRFS = "30 1 0:26 /@ / rw,relatime shared:1 - btrfs /dev/mapper/luks rw,subvol=/@\n"
DOCKERS_HOST = (
    DISK
    + f"61 27 0:50 / {LAYERS}/498c/merged rw - overlay overlay rw,lowerdir={LAYERS}/l/LD6V\n"
    + f"62 27 0:51 / /var/lib/docker/containers/{ID}/mounts/shm rw - tmpfs shm rw\n"
)
POD = """\
900 800 0:60 / / rw - overlay overlay rw,lowerdir=/var/lib/containerd/\
io.containerd.snapshotter.v1.overlayfs/snapshots/12/fs
901 900 8:1 /var/lib/kubelet/pods/1f/etc-hosts /etc/hosts rw - ext4 /dev/sda1 rw
"""
PODMAN_ROOT = (
    "700 600 0:70 / / rw - overlay overlay rw,lowerdir=/home/anna/.local/share/containers/x\n"
)
LIVE = "30 1 0:26 / / rw,relatime - overlay overlay rw,lowerdir=/run/rootfsbase\n"


def machine(
    mounts: str,
    files: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> RecordedHost:
    return RecordedHost.made(
        files={"/proc/self/mountinfo": mounts, "/proc/1/cgroup": "0::/\n", **(files or {})},
        environ=environ or {},
        uname=LINUX,
        absent_below=["/"],
    )


def kind(host: RecordedHost, look_at: Callable[..., Look]) -> object:
    return probe_container(look_at(host)).kind


def test_docker_is_known_with_what_the_nvidia_runtime_bound_in(
    look_at: Callable[..., Look],
) -> None:
    host = machine(DOCKER, {"/.dockerenv": ""})
    assert probe_container(look_at(host)) == Container(
        kind="docker",
        image=Unknown(Reason.NOT_SUPPORTED, "docker does not tell it inside"),
        host_libraries=("libcuda.so.535.161.08",),
    )


def test_a_disk_with_a_left_over_dockerenv_is_no_container(look_at: Callable[..., Look]) -> None:
    host = machine(DISK, {"/.dockerenv": ""})
    assert probe_container(look_at(host)) == Container(kind=None, image=None, host_libraries=())


@pytest.mark.parametrize("mounts", [DISK, BTRFS, DOCKERS_HOST])
def test_a_plain_machine_is_no_container(mounts: str, look_at: Callable[..., Look]) -> None:
    assert kind(machine(mounts), look_at) is None


def test_a_dockerenv_over_an_unknown_root_is_docker(look_at: Callable[..., Look]) -> None:
    mounts = "30 1 0:26 /docker/sub / rw - btrfs /dev/mapper/x rw\n"
    assert kind(machine(mounts, {"/.dockerenv": ""}), look_at) == "docker"


def test_docker_with_cgroups_v1_is_told_by_its_group_alone(look_at: Callable[..., Look]) -> None:
    groups = f"4:memory:/docker/{ID}\n1:name=systemd:/docker/{ID}\n"
    assert kind(machine(LIVE, {"/proc/1/cgroup": groups}), look_at) == "docker"


def test_a_pod_is_kubernetes(look_at: Callable[..., Look]) -> None:
    assert kind(machine(POD), look_at) == "kubernetes"
    in_docker = machine(DOCKER, environ={"KUBERNETES_SERVICE_HOST": "10.96.0.1"})
    assert kind(in_docker, look_at) == "kubernetes"


def test_podman_tells_its_image(look_at: Callable[..., Look]) -> None:
    note = 'engine="podman-4.3.1"\nname="tide"\nimage="registry.example/lab/tide:1"\n'
    host = machine(PODMAN_ROOT, {"/run/.containerenv": note})
    found = probe_container(look_at(host))
    assert (found.kind, found.image) == ("podman", "registry.example/lab/tide:1")


def test_podman_without_a_note_does_not_tell_its_image(look_at: Callable[..., Look]) -> None:
    host = machine(PODMAN_ROOT, {"/run/.containerenv": ""})
    assert probe_container(look_at(host)).image == Unknown(
        Reason.NOT_SUPPORTED, "podman does not tell it inside"
    )


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"APPTAINER_NAME": "tide.sif", "SINGULARITY_NAME": "tide.sif"}, "apptainer"),
        ({"SINGULARITY_NAME": "tide.sif"}, "singularity"),
    ],
)
def test_apptainer_tells_its_image_and_the_libraries_of_the_host(
    environ: dict[str, str], name: str, look_at: Callable[..., Look]
) -> None:
    libs = "/.singularity.d/libs"
    host = machine(
        LIVE,
        {f"{libs}/libcuda.so.1": "", f"{libs}/libnvidia-ml.so.1": "", f"{libs}/notes": ""},
        environ,
    )
    assert probe_container(look_at(host)) == Container(
        kind=name, image="tide.sif", host_libraries=("libcuda.so.1", "libnvidia-ml.so.1")
    )


def test_a_name_without_its_folder_was_inherited(look_at: Callable[..., Look]) -> None:
    assert kind(machine(DISK, environ={"APPTAINER_NAME": "tide.sif"}), look_at) is None


def test_systemds_note_names_a_container_but_wsl_is_none(look_at: Callable[..., Look]) -> None:
    note = "/run/systemd/container"
    assert kind(machine(BTRFS, {note: "systemd-nspawn\n"}), look_at) == "systemd-nspawn"
    assert kind(machine(DISK, {note: "wsl\n"}), look_at) is None


def test_a_layered_root_is_a_machine_only_under_its_own_init(look_at: Callable[..., Look]) -> None:
    assert kind(machine(LIVE, {"/proc/1/comm": "systemd\n"}), look_at) is None
    assert kind(machine(LIVE, {"/proc/1/comm": "bash\n"}), look_at) == Unknown(
        Reason.NOT_SUPPORTED, "the root is layered, by no engine that is known here"
    )


def test_a_folder_tells_nothing_and_macos_has_none(look_at: Callable[..., Look]) -> None:
    off = Unknown(Reason.NO_RUNNING_MACHINE)
    folder = RecordedHost.made(uname=off)
    mac = RecordedHost.made(uname=Uname("Darwin", "23.5.0", "Darwin", "arm64"))
    assert probe_container(look_at(folder)) == Container(kind=off, image=off, host_libraries=off)
    assert probe_container(look_at(mac)) == Container(kind=None, image=None, host_libraries=())


def test_a_mount_with_a_blank_in_its_name_is_read() -> None:
    line = (
        "36 35 98:0 /mnt\\0401 /mnt/two\\040words rw,noatime master:1 - ext3 /dev/root rw,errors=x"
    )
    assert parse_mountinfo(line) == (
        Mount("/mnt 1", "/mnt/two words", "ext3", "/dev/root", "rw,errors=x"),
    )


@given(st.text(), st.text(alphabet="0123 /-\\rw,\n"))
def test_no_text_makes_a_parser_raise(text: str, like: str) -> None:
    assert isinstance(parse_mountinfo(text), tuple)
    assert isinstance(parse_mountinfo(like), tuple)
    assert isinstance(parse_containerenv(text), dict)
