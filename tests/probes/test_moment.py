from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.host import RecordedHost, Uname
from envsnap.probes import Look
from envsnap.probes import moment as probes_moment
from envsnap.probes.container import parse_mountinfo
from envsnap.probes.moment import limit_files, parse_limit, probe_moment
from envsnap.sections import Moment, Reason, Unknown

LINUX = Uname("Linux", "6.1.0", "#1 SMP", "x86_64")
V2 = "30 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
V1_DOCKER = "131 127 0:32 /docker/0899 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
STATUS = "Name:\tpython\nCpus_allowed:\t0f\nCpus_allowed_list:\t0-3\n"
MEMINFO = "MemTotal: 8388608 kB\nMemAvailable: 4194304 kB\n"
NAMES = (*probes_moment._JOB, *probes_moment._JOB_IDENTIFY)  # noqa: SLF001 - all that may be asked


def machine(
    groups: str, mounts: str, files: Mapping[str, str], environ: Mapping[str, str]
) -> RecordedHost:
    return RecordedHost.made(
        files={
            "/proc/self/status": STATUS,
            "/proc/meminfo": MEMINFO,
            "/proc/self/cgroup": groups,
            "/proc/self/mountinfo": mounts,
            **files,
        },
        environ={**dict.fromkeys(NAMES), **environ},
        uname=LINUX,
        absent_below=["/"],
    )


def test_a_job_on_a_cluster_tells_its_share_and_names_nobody(look_at: Callable[..., Look]) -> None:
    job = "/sys/fs/cgroup/system.slice/slurmstepd.scope/job_17"
    host = machine(
        "0::/system.slice/slurmstepd.scope/job_17/step_0\n",
        V2,
        {f"{job}/step_0/memory.max": "max\n", f"{job}/memory.max": "4294967296\n"},
        {"SLURM_JOB_ID": "17", "SLURM_JOB_NUM_NODES": "2", "SLURM_JOB_ACCOUNT": "anna"},
    )
    assert probe_moment(look_at(host)) == Moment(
        job={"SLURM_JOB_ID": "17", "SLURM_JOB_NUM_NODES": "2"},
        memory_limit_mib=4096,
        cpus_allowed=4,
        available_memory_mib=4096,
    )
    assert probe_moment(look_at(host, identify=True)).job == {
        "SLURM_JOB_ACCOUNT": "anna",
        "SLURM_JOB_ID": "17",
        "SLURM_JOB_NUM_NODES": "2",
    }


def test_a_pbs_job_keeps_its_number_and_leaves_the_server(look_at: Callable[..., Look]) -> None:
    host = machine("0::/\n", V2, {}, {"PBS_JOBID": "1234.head.tidal.example"})
    assert probe_moment(look_at(host)).job == {"PBS_JOBID": "1234"}
    assert probe_moment(look_at(host, identify=True)).job == {
        "PBS_JOBID": "1234.head.tidal.example"
    }


@pytest.mark.parametrize(
    ("groups", "mounts", "files", "limit"),
    [
        ("0::/\n", V2, {}, None),
        ("0::/\n", V2, {"/sys/fs/cgroup/memory.max": "1073741824\n"}, 1024),
        ("0::/../other\n", V2, {"/sys/fs/cgroup/memory.max": "1073741824\n"}, 1024),
        (
            "4:memory:/a\n0::/\n",
            V1,
            {
                "/sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712\n",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
            None,
        ),
        (
            "4:cpu,memory:/docker/0899\n",
            V1_DOCKER,
            {"/sys/fs/cgroup/memory/memory.limit_in_bytes": "2147483648\n"},
            2048,
        ),
    ],
)
def test_the_narrowest_limit_counts(
    groups: str,
    mounts: str,
    files: dict[str, str],
    limit: int | None,
    *,
    look_at: Callable[..., Look],
) -> None:
    assert probe_moment(look_at(machine(groups, mounts, files, {}))).memory_limit_mib == limit


def test_a_limit_that_is_not_shown_is_unknown(look_at: Callable[..., Look]) -> None:
    hidden = machine("0::/a\n", "", {}, {})
    assert probe_moment(look_at(hidden)).memory_limit_mib == Unknown(
        Reason.NOT_SUPPORTED, "no cgroup file system is shown here"
    )


def test_macos_shows_no_share(look_at: Callable[..., Look]) -> None:
    host = RecordedHost.made(
        environ=dict.fromkeys(NAMES), uname=Uname("Darwin", "23.5.0", "Darwin", "arm64")
    )
    why = Unknown(Reason.NOT_SUPPORTED, "macOS does not show it")
    assert probe_moment(look_at(host)) == Moment(
        job={}, memory_limit_mib=why, cpus_allowed=why, available_memory_mib=why
    )


@given(st.text(), st.text(alphabet="0:/a.,memory\n"))
def test_no_text_makes_a_parser_raise(text: str, like: str) -> None:
    mounts = parse_mountinfo(V1 + V2)
    for groups in (text, like):
        assert all(path.startswith("/sys/fs/cgroup") for path in limit_files(groups, mounts))
    assert parse_limit(text) is None or text.strip().isdecimal()
