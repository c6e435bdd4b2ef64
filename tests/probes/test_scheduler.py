from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.host import RecordedHost
from envsnap.probes import Look
from envsnap.probes.scheduler import parse_modules, parse_version, probe_scheduler
from envsnap.sections import Reason, Scheduler, Unknown

VARIABLES = (
    "SLURM_JOB_ID", "SLURM_CLUSTER_NAME", "PBS_JOBID", "PBS_ENVIRONMENT", "LSB_JOBID",
    "LSF_ENVDIR", "FLUX_URI", "FLUX_JOB_ID", "SGE_ROOT", "SLURM_CONF", "LOADEDMODULES",
)  # fmt: skip


def machine(environ: Mapping[str, str], **more: object) -> RecordedHost:
    return RecordedHost.made(
        environ={**dict.fromkeys(VARIABLES), "PATH": "/usr/bin", **environ},
        home="/home/anna",
        cwd="/",
        absent_below=["/"],
        **more,  # type: ignore[arg-type]
    )


def test_a_slurm_job_tells_version_and_modules(look_at: Callable[..., Look]) -> None:
    host = machine(
        {"SLURM_JOB_ID": "17", "LOADEDMODULES": "gcc/12.2.0:openmpi/4.1.4:/home/anna/modules/own"},
        files={"/etc/slurm/slurm.conf": "", "/usr/bin/sinfo": ""},
        commands={("sinfo", "--version"): "slurm 22.05.8\n"},
    )
    assert probe_scheduler(look_at(host)) == Scheduler(
        kind="slurm",
        version="22.05.8",
        modules=("gcc/12.2.0", "openmpi/4.1.4", "{home}/modules/own"),
    )


def test_slurm_without_a_configuration_here_is_not_asked(look_at: Callable[..., Look]) -> None:
    host = machine({}, files={"/usr/bin/sinfo": ""})
    why = Unknown(Reason.NOT_ASKED, "sinfo would ask the network for its configuration")
    assert probe_scheduler(look_at(host)) == Scheduler(kind="slurm", version=why, modules=())


def test_a_plain_machine_has_no_scheduler(look_at: Callable[..., Look]) -> None:
    host = machine({}, files={"/usr/bin/flux": "", "/usr/bin/qsub": ""})
    assert probe_scheduler(look_at(host)) == Scheduler(kind=None, version=None, modules=())


@pytest.mark.parametrize(
    ("environ", "kind"),
    [
        ({"PBS_JOBID": "1234.server"}, "pbs"),
        ({"LSB_JOBID": "5"}, "lsf"),
        ({"SGE_ROOT": "/opt/sge"}, "sge"),
        ({"FLUX_URI": "local:///run/flux/local"}, "flux"),
        ({"SLURM_CLUSTER_NAME": "tidal"}, "slurm"),
    ],
)
def test_a_scheduler_is_told_by_its_variables(
    environ: dict[str, str], kind: str, look_at: Callable[..., Look]
) -> None:
    assert probe_scheduler(look_at(machine(environ))).kind == kind


def test_pbs_tells_its_version(look_at: Callable[..., Look]) -> None:
    host = machine(
        {"PBS_JOBID": "1.s"}, commands={("qstat", "--version"): "pbs_version = 22.05.11\n"}
    )
    assert probe_scheduler(look_at(host)).version == "22.05.11"


@given(st.text())
def test_no_text_makes_a_parser_raise(text: str) -> None:
    assert isinstance(parse_version("slurm", text), (str, Unknown))
    assert "" not in parse_modules(text)
