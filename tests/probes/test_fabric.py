"""Adapters and the libraries that speak over them, from what real systems print."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.host import LocalHost, Ran, RecordedHost
from envsnap.probes._registry import Look, Options
from envsnap.probes.fabric import parse_ofed, parse_plugins, probe_fabric
from envsnap.sections import Adapter, Fabric, Reason, Unknown

NOT_LOOKED = Unknown(Reason.NOT_ASKED)
IB = "/sys/class/infiniband"
SLURM = {"/etc/slurm/slurm.conf": "ClusterName=reef\n"}
UCX = (
    "# Library version: 1.16.0\n# Library path: /lib64/libucs.so.0\n"
    "# API headers version: 1.16.0\n# Git branch '', revision e4bb802\n"
)
FABRIC_INFO = "/usr/bin/fi_info: 1.18.1\nlibfabric: 1.18.1\nlibfabric api: 1.18\n"
SRUN = (
    "MPI plugin types are...\n\tcray_shasta\n\tnone\n\tpmi2\n\tpmix\n"
    "specific pmix plugin versions available: pmix_v4,pmix_v5\n"
)


def fabric(host: RecordedHost | LocalHost) -> Fabric:
    look = Look(host=host, options=Options(), have={}, environment=lambda: NOT_LOOKED)
    return probe_fabric(look)


def machine(
    files: Mapping[str, str | Unknown],
    commands: Mapping[tuple[str, ...], str | Ran | Unknown] = {},
    **more: Any,  # noqa: ANN401 - what RecordedHost.made takes
) -> RecordedHost:
    programs = {argv[0]: "" for argv in commands}
    folders = {"/sys/module": ["kernel"], **more.pop("folders", {})}
    return RecordedHost.made(
        files={**programs, **files}, commands=commands, folders=folders, absent_below=["/"], **more
    )


def adapter(name: str, *, state: str = "4: ACTIVE", port: int = 1) -> dict[str, str]:
    return {
        f"{IB}/{name}/board_id": "MT_0000000838\n",
        f"{IB}/{name}/fw_ver": "28.39.1002\n",
        f"{IB}/{name}/node_guid": "b83f:d203:0012:3456\n",
        f"{IB}/{name}/ports/{port}/link_layer": "InfiniBand\n",
        f"{IB}/{name}/ports/{port}/rate": "400 Gb/sec (4X NDR)\n",
        f"{IB}/{name}/ports/{port}/state": f"{state}\n",
    }


NDR = Adapter(
    name="mlx5_0", model="MT_0000000838", firmware="28.39.1002", link="InfiniBand",
    rate="400 Gb/sec (4X NDR)", state="ACTIVE",
)  # fmt: skip


def test_a_machine_without_any_of_it_has_none_of_it() -> None:
    assert fabric(machine({})) == Fabric(
        adapters=(), ofed=None, gpudirect=False, ucx=None, libfabric=None, mpi=None, pmi=()
    )


def test_a_node_of_a_cluster_is_told_by_its_kernel_and_its_programs() -> None:
    host = machine(
        {**SLURM, **adapter("mlx5_0"), **adapter("mlx5_1", state="1: DOWN")},
        {
            ("/usr/bin/ofed_info", "-s"): "MLNX_OFED_LINUX-24.04-0.6.6.0:\n",
            ("/usr/bin/ucx_info", "-v"): UCX,
            ("/usr/bin/fi_info", "--version"): FABRIC_INFO,
            ("/usr/bin/srun", "--mpi=list"): SRUN,
            ("/usr/bin/mpirun", "--version"): "mpirun (Open MPI) 4.1.4\n\nReport bugs to\n",
        },
        folders={"/sys/module": ["mlx5_core", "nvidia_peermem"], "/sys/module/nvidia_peermem": []},
    )
    found = fabric(host)
    assert found == Fabric(
        adapters=(NDR, Adapter(**{**NDR.__dict__, "name": "mlx5_1", "state": "DOWN"})),
        ofed="MLNX_OFED_LINUX-24.04-0.6.6.0",
        gpudirect=True,
        ucx="1.16.0",
        libfabric="1.18.1",
        mpi="Open MPI 4.1.4",
        pmi=("cray_shasta", "none", "pmi2", "pmix", "pmix_v4", "pmix_v5"),
    )
    assert "b83f" not in repr(found)


def test_of_two_ports_the_one_that_is_up_is_told() -> None:
    down = {f"{IB}/mlx5_0/ports/1/state": "1: DOWN\n", f"{IB}/mlx5_0/ports/1/rate": "10 Gb/sec\n"}
    assert fabric(machine({**adapter("mlx5_0", port=2), **down})).adapters == (NDR,)


def test_what_an_adapter_does_not_tell_is_unknown_for_it_alone() -> None:
    files = adapter("mlx5_0")
    del files[f"{IB}/mlx5_0/fw_ver"]
    adapters = fabric(machine({**files, f"{IB}/mlx5_0/board_id": "\x07\n"})).adapters
    assert isinstance(adapters, tuple)
    (found,) = adapters
    why = Unknown(Reason.NOT_SUPPORTED, "the adapter's driver does not tell it")
    assert (found.firmware, found.model) == (why, why)
    assert found.rate == "400 Gb/sec (4X NDR)"


@pytest.mark.parametrize(("version", "ofed"), [("24.04-0.6.6", "24.04-0.6.6"), ("5.0-0", None)])
def test_where_a_container_hides_its_program_the_module_tells_ofed(
    version: str, ofed: str | None
) -> None:
    host = machine({"/sys/module/mlx5_core/version": f"{version}\n"})
    assert fabric(host).ofed == ofed


def test_a_program_that_fails_or_hangs_costs_its_fact_alone() -> None:
    host = machine(
        SLURM,
        {
            ("/usr/bin/ucx_info", "-v"): Unknown(Reason.TIMED_OUT, "5 s"),
            ("/usr/bin/fi_info", "--version"): "libfabric is not here\n",
            ("/usr/bin/srun", "--mpi=list"): Ran(1, "", "srun: fatal: no slurm.conf\n"),
        },
    )
    found = fabric(host)
    assert found.ucx == Unknown(Reason.TIMED_OUT, "5 s")
    assert found.libfabric == Unknown(Reason.UNPARSABLE, "fi_info: 'libfabric is not here'")
    assert found.pmi == Unknown(Reason.CRASHED, "srun ended with status 1")
    assert found.adapters == ()


def test_where_no_module_is_shown_gpudirect_is_unknown() -> None:
    host = RecordedHost.made(absent_below=["/"])
    assert fabric(host).gpudirect == Unknown(Reason.NOT_SUPPORTED, "/sys/module is not shown here")


def test_old_slurm_lists_its_plug_ins_among_its_errors() -> None:
    old = "srun: MPI types are...\nsrun: pmi2\nsrun: none\nsrun: pmix_v3\n"
    host = machine(SLURM, {("/usr/bin/srun", "--mpi=list"): Ran(0, "", old)})
    assert fabric(host).pmi == ("none", "pmi2", "pmix_v3")


def test_srun_without_a_configuration_would_ask_the_network_and_is_not_started() -> None:
    commands: dict[tuple[str, ...], str] = {("/usr/bin/srun", "--mpi=list"): SRUN}
    why = Unknown(Reason.NOT_ASKED, "srun would look for its configuration in the network")
    assert fabric(machine({}, commands)).pmi == why
    named = machine(
        {"/opt/site/slurm.conf": ""}, commands, environ={"SLURM_CONF": "/opt/site/slurm.conf"}
    )
    assert fabric(named).pmi == ("cray_shasta", "none", "pmi2", "pmix", "pmix_v4", "pmix_v5")


@pytest.mark.parametrize(
    "text", [UCX, "# Version 1.16.0\n# Git branch ''\n", "# UCT version=1.16.0 revision e4bb802\n"]
)
def test_ucx_tells_its_version_in_three_ways(text: str) -> None:
    assert fabric(machine({}, {("/usr/bin/ucx_info", "-v"): text})).ucx == "1.16.0"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("OFED-internal-24.10-0.7.0:\n", "OFED-internal-24.10-0.7.0"),
        ("MLNX_OFED_LINUX-5.8-3.0.7.0:\n", "MLNX_OFED_LINUX-5.8-3.0.7.0"),
        ("ofed_info: command not found", None),
        ("MLNX_OFED_LINUX-" + "1" * 200, None),
    ],
)
def test_the_release_of_ofed(text: str, found: str | None) -> None:
    assert parse_ofed(text) == found


@given(st.text())
def test_no_text_raises(text: str) -> None:
    assert (parse_ofed(text) or "") in text
    assert all(plugin in text for plugin in parse_plugins(text))


def test_looking_costs_next_to_nothing_where_nothing_is() -> None:
    host = LocalHost()
    if host.which("srun") or host.which("ofed_info") or host.list(IB):
        pytest.skip("this machine has a fabric")
    began = time.perf_counter()
    fabric(host)
    assert time.perf_counter() - began < 0.05
