from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.host import Ran, RecordedHost, Uname
from envsnap.probes import Look
from envsnap.probes._docker import parse_client
from envsnap.probes._userns import parse_status, parse_subids
from envsnap.probes.engines import parse_limits, parse_version, probe_engines
from envsnap.sections import Engine, Engines, Reason, Unknown

LINUX = Uname("Linux", "6.1.0", "#1 SMP", "x86_64")
LIMITS = """\
Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max open files            1024                 1048576              files
Max locked memory         67108864             67108864             bytes
Max realtime timeout      unlimited            unlimited            us
"""
ROOTLESS = {
    "/proc/sys/user/max_user_namespaces": "62716\n",
    "/proc/self/status": "Uid:\t1000\t1000\nCapEff:\t0000000000000000\nSeccomp:\t0\n",
    "/proc/self/limits": LIMITS,
    "/etc/subuid": "anna:100000:65536\n",
    "/etc/subgid": "1000:100000:65536\n",
}
VERSION = ("--format", "{{.Client.Version}}|{{.Server.Version}}")


def machine(
    *,
    files: Mapping[str, str] | None = None,
    commands: Mapping[tuple[str, ...], str | Ran | Unknown] | None = None,
    environ: Mapping[str, str | None] | None = None,
    user: tuple[str, int] = ("anna", 1000),
    on_path: Mapping[str, str] | None = None,
) -> RecordedHost:
    return RecordedHost.made(
        files={**ROOTLESS, **(files or {}), **dict.fromkeys((on_path or {}).values(), "")},
        commands=commands or {},
        environ={"PATH": "/usr/bin", **(environ or {})},
        uname=LINUX,
        user=user,
        home="/home/anna",
        capacities={"/dev/shm": 7936},  # noqa: S108 - a name in a test
        absent_below=["/"],
    )


def docker_asked(
    socket: str, answer: str | Ran | Unknown
) -> dict[tuple[str, ...], str | Ran | Unknown]:
    return {
        ("docker", "-H", f"unix://{socket}", "version", *VERSION): answer,
        ("docker", "--version"): "Docker version 24.0.7, build afdd53b\n",
    }


def test_a_laptop_with_docker_and_podman_is_known_to_the_last_field(
    look_at: Callable[..., Look],
) -> None:
    host = machine(
        files={"/var/run/docker.sock": ""},
        on_path={"docker": "/usr/bin/docker", "podman": "/usr/bin/podman"},
        commands={
            **docker_asked("/var/run/docker.sock", "24.0.7|24.0.7\n"),
            ("podman", "--version"): "podman version 4.9.3\n",
        },
    )
    assert probe_engines(look_at(host)) == Engines(
        found=(
            Engine(name="docker", version="24.0.7", usable=True),
            Engine(name="podman", version="4.9.3", usable=True),
        ),
        user_namespaces=True,
        subordinate_ids=True,
        container_toolkit=None,
        shm_mib=7936,
        open_files=1024,
        locked_memory_kib=65536,
    )


@pytest.mark.parametrize(
    ("answer", "usable"),
    [
        (
            Ran(
                1, "24.0.7|<no value>\n", "permission denied while trying to connect to the Docker"
            ),
            False,
        ),
        (
            Ran(
                1, "24.0.7|", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."
            ),
            False,
        ),
        (
            Unknown(Reason.TIMED_OUT, "docker did not answer within 1 s"),
            Unknown(Reason.TIMED_OUT, "docker did not answer within 1 s"),
        ),
    ],
)
def test_docker_is_usable_when_its_daemon_answers_this_user(
    answer: Ran | Unknown, usable: object, look_at: Callable[..., Look]
) -> None:
    host = machine(
        files={"/var/run/docker.sock": ""},
        on_path={"docker": "/usr/bin/docker"},
        commands=docker_asked("/var/run/docker.sock", answer),
    )
    assert probe_engines(look_at(host)).found == (
        Engine(name="docker", version="24.0.7", usable=usable),  # type: ignore[arg-type]
    )


def test_docker_without_a_socket_is_not_usable(look_at: Callable[..., Look]) -> None:
    host = machine(on_path={"docker": "/usr/bin/docker"}, commands=docker_asked("/none", ""))
    assert probe_engines(look_at(host)).found == (
        Engine(name="docker", version="24.0.7", usable=False),
    )


def test_rootless_docker_is_found_by_its_own_socket(look_at: Callable[..., Look]) -> None:
    host = machine(
        files={"/run/user/1000/docker.sock": ""},
        environ={"XDG_RUNTIME_DIR": "/run/user/1000"},
        on_path={"docker": "/usr/bin/docker"},
        commands=docker_asked("/run/user/1000/docker.sock", "24.0.7|24.0.7"),
    )
    assert probe_engines(look_at(host)).found == (
        Engine(name="docker", version="24.0.7", usable=True),
    )


def test_a_daemon_on_another_machine_is_not_asked(look_at: Callable[..., Look]) -> None:
    host = machine(
        environ={"DOCKER_HOST": "tcp://10.0.0.5:2376"},
        on_path={"docker": "/usr/bin/docker"},
        commands=docker_asked("/none", ""),
    )
    away = Unknown(Reason.NOT_ASKED, "DOCKER_HOST names a daemon on another machine")
    assert probe_engines(look_at(host)).found == (
        Engine(name="docker", version="24.0.7", usable=away),
    )


def apptainer(files: Mapping[str, str], user: tuple[str, int] = ("anna", 1000)) -> RecordedHost:
    return machine(
        files=files,
        user=user,
        on_path={"apptainer": "/usr/bin/apptainer"},
        commands={("apptainer", "--version"): "apptainer version 1.4.5-1.el9\n"},
    )


@pytest.mark.parametrize(
    ("files", "user", "usable"),
    [
        ({}, 1000, True),
        ({"/proc/sys/user/max_user_namespaces": "0\n"}, 1000, False),
        ({"/proc/sys/kernel/unprivileged_userns_clone": "0\n"}, 1000, False),
        ({"/proc/sys/user/max_user_namespaces": "0\n"}, 0, True),
        (
            {
                "/proc/sys/user/max_user_namespaces": "0\n",
                "/usr/libexec/apptainer/bin/starter-suid": "",
            },
            1000,
            True,
        ),
        ({"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n"}, 1000, False),
        (
            {
                "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n",
                "/etc/apparmor.d/apptainer": "profile",
            },
            1000,
            True,
        ),
    ],
)
def test_apptainer_is_usable_when_the_kernel_grants_what_it_needs(
    files: Mapping[str, str],
    user: int,
    usable: object,
    look_at: Callable[..., Look],
) -> None:
    assert probe_engines(look_at(apptainer(files, ("anna", user)))).found == (
        Engine(name="apptainer", version="1.4.5-1.el9", usable=usable),  # type: ignore[arg-type]
    )


def test_a_seccomp_filter_leaves_user_namespaces_unknown(look_at: Callable[..., Look]) -> None:
    inside = {"/proc/self/status": "CapEff:\t00000000a80425fb\nSeccomp:\t2\n"}
    why = Unknown(Reason.NOT_ASKED, "a seccomp filter may forbid them: only a trial would tell")
    found = probe_engines(look_at(apptainer(inside)))
    assert found.user_namespaces == why
    assert found.found == (Engine(name="apptainer", version="1.4.5-1.el9", usable=why),)


def test_podman_needs_ids_to_unpack_most_images(look_at: Callable[..., Look]) -> None:
    host = machine(
        files={"/etc/subuid": "berta:100000:65536\n"},
        on_path={"podman": "/usr/bin/podman"},
        commands={("podman", "--version"): "podman version 4.9.3\n"},
    )
    found = probe_engines(look_at(host))
    assert found.subordinate_ids is False
    assert found.found == (Engine(name="podman", version="4.9.3", usable=False),)


def test_ids_from_a_directory_service_are_unknown(look_at: Callable[..., Look]) -> None:
    host = machine(files={"/etc/nsswitch.conf": "passwd: files sss\nsubid: sss\n"})
    assert probe_engines(look_at(host)).subordinate_ids == Unknown(
        Reason.NOT_SUPPORTED, "subordinate ids come from a directory service here"
    )


def test_the_container_toolkit_tells_its_version(look_at: Callable[..., Look]) -> None:
    host = machine(
        on_path={"nvidia-ctk": "/usr/bin/nvidia-ctk"},
        commands={
            (
                "nvidia-ctk",
                "--version",
            ): "NVIDIA Container Toolkit CLI version 1.14.6\ncommit: 5605d19\n"
        },
    )
    assert probe_engines(look_at(host)).container_toolkit == "1.14.6"


def test_an_engine_that_may_install_itself_is_not_started(look_at: Callable[..., Look]) -> None:
    why = Unknown(Reason.NOT_ASKED, "udocker may install itself when it is started")
    host = machine(on_path={"udocker": "/usr/bin/udocker"})
    assert probe_engines(look_at(host)).found == (Engine(name="udocker", version=why, usable=why),)


def test_macos_shows_no_user_namespaces(look_at: Callable[..., Look]) -> None:
    host = RecordedHost.made(
        environ={"PATH": "/usr/bin"},
        uname=Uname("Darwin", "23.5.0", "Darwin", "arm64"),
        absent_below=["/"],
    )
    found = probe_engines(look_at(host))
    why = Unknown(Reason.NOT_SUPPORTED, "macOS does not show it")
    assert (found.found, found.user_namespaces, found.subordinate_ids) == ((), why, why)
    assert (found.shm_mib, found.open_files) == (
        None,
        Unknown(Reason.NOT_SUPPORTED, "/proc/self/limits does not tell it"),
    )


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("apptainer version 1.3.1", "1.3.1"),
        ("singularity-ce version 4.1.2-jammy", "4.1.2-jammy"),
        ("singularity version 3.8.7-1.el8", "3.8.7-1.el8"),
        ("buildah version 1.28.2 (image-spec 1.0.2-dev, runtime-spec 1.0.2-dev)", "1.28.2"),
        ("nerdctl version 1.7.5", "1.7.5"),
        ("3.4.1", "3.4.1"),
        ("cli-version: 1.14.6\nlib-version: 1.14.6", "1.14.6"),
    ],
)
def test_an_engines_version_is_found_in_what_it_prints(output: str, version: str) -> None:
    assert parse_version("engine", output) == version


def test_podmans_stand_in_for_docker_is_called_podman() -> None:
    assert parse_client("podman version 4.9.3\n") == "podman 4.9.3"
    assert parse_client("Docker version 20.10.24+dfsg1, build 297e128") == "20.10.24+dfsg1"


def test_limits_may_be_unlimited() -> None:
    assert parse_limits(LIMITS.replace("67108864", "unlimited")) == {
        "Max cpu time": None,
        "Max open files": 1024,
        "Max locked memory": None,
        "Max realtime timeout": None,
    }


@given(st.text())
def test_no_text_makes_a_parser_raise(text: str) -> None:
    assert isinstance(parse_version("engine", text), (str, Unknown))
    assert isinstance(parse_client(text), (str, Unknown))
    assert isinstance(parse_limits(text), dict)
    assert isinstance(parse_status(text), dict)
    assert parse_subids(text, "anna", 1000) == 0
