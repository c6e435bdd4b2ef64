from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.host import Ran, RecordedHost, Uname
from envsnap.probes import Look
from envsnap.probes.tools import NAMES, parse_version, probe_tools
from envsnap.sections import Reason, Tool, Tools, Unknown

LINUX = Uname("Linux", "6.1.0", "#1 SMP", "x86_64")
FSF = "\nCopyright (C) 2022 Free Software Foundation, Inc.\n"
CONDA_GCC = "x86_64-conda-linux-gnu-cc (conda-forge gcc 13.3.0-1) 13.3.0"
RED_HAT_GCC = "gcc (GCC) 8.5.0 20210514 (Red Hat 8.5.0-22)"
NVCC = """\
nvcc: NVIDIA (R) Cuda compiler driver
Copyright (c) 2005-2024 NVIDIA Corporation
Built on Thu_Mar_28_02:18:24_PDT_2024
Cuda compilation tools, release 12.4, V12.4.131
Build cuda_12.4.r12.4/compiler.34097967_0
"""
GCC = "gcc (Debian 12.2.0-14) 12.2.0\nCopyright (C) 2022 Free Software Foundation, Inc.\n"


def test_one_program_under_two_names_is_started_once(look_at: Callable[..., Look]) -> None:
    host = RecordedHost.made(
        files={"/usr/bin/x86_64-linux-gnu-gcc-12": "", "/usr/bin/git": ""},
        links={
            "/usr/bin/cc": "/etc/alternatives/cc",
            "/etc/alternatives/cc": "/usr/bin/gcc",
            "/usr/bin/gcc": "x86_64-linux-gnu-gcc-12",
        },
        environ={"PATH": "/usr/bin"},
        commands={
            ("/usr/bin/cc", "--version"): GCC,
            ("/usr/bin/git", "--version"): "git version 2.39.2\n",
        },
        uname=LINUX,
        home="/home/anna",
        cwd="/",
        absent_below=["/"],
    )
    assert probe_tools(look_at(host)) == Tools(
        found=(
            Tool(name="cc", path="/usr/bin/cc", version="gcc 12.2.0"),
            Tool(name="gcc", path="/usr/bin/gcc", version="12.2.0"),
            Tool(name="git", path="/usr/bin/git", version="2.39.2"),
        )
    )


def test_one_program_that_plays_many_is_started_by_each_name(look_at: Callable[..., Look]) -> None:
    host = RecordedHost.made(
        files={"/usr/bin/ccache": ""},
        links={
            "/usr/lib/ccache/g++": "../../bin/ccache",
            "/usr/lib/ccache/clang": "../../bin/ccache",
        },
        environ={"PATH": "/usr/lib/ccache"},
        commands={
            ("/usr/lib/ccache/g++", "--version"): GCC.replace("gcc (", "g++ ("),
            ("/usr/lib/ccache/clang", "--version"): "Debian clang version 14.0.6\n",
        },
        uname=LINUX,
        home="/home/anna",
        cwd="/",
        absent_below=["/"],
    )
    assert probe_tools(look_at(host)) == Tools(
        found=(
            Tool(name="clang", path="/usr/lib/ccache/clang", version="14.0.6"),
            Tool(name="g++", path="/usr/lib/ccache/g++", version="12.2.0"),
        )
    )


def test_a_program_that_hangs_costs_its_own_version_alone(look_at: Callable[..., Look]) -> None:
    slow = Unknown(Reason.TIMED_OUT, "nvcc did not answer within 5 s")
    host = RecordedHost.made(
        files={"/home/anna/bin/nvcc": "", "/home/anna/bin/make": ""},
        environ={"PATH": "/home/anna/bin"},
        commands={
            ("/home/anna/bin/nvcc", "--version"): slow,
            ("/home/anna/bin/make", "--version"): Ran(2, "", "broken"),
        },
        uname=LINUX,
        home="/home/anna",
        cwd="/",
        absent_below=["/"],
    )
    ended = Unknown(Reason.CRASHED, "make --version ended with status 2")
    assert probe_tools(look_at(host)) == Tools(
        found=(
            Tool(name="make", path="{home}/bin/make", version=ended),
            Tool(name="nvcc", path="{home}/bin/nvcc", version=slow),
        )
    )


def test_what_would_fetch_or_ask_is_not_started(look_at: Callable[..., Look]) -> None:
    rust = RecordedHost.made(
        files={"/home/anna/.cargo/bin/rustup": ""},
        links={"/home/anna/.cargo/bin/rustc": "rustup"},
        environ={"PATH": "/home/anna/.cargo/bin"},
        uname=LINUX,
        home="/home/anna",
        cwd="/",
        absent_below=["/"],
    )
    mac = RecordedHost.made(
        files={"/usr/bin/git": ""},
        environ={"PATH": "/usr/bin"},
        uname=Uname("Darwin", "23.5.0", "Darwin", "arm64"),
        home="/Users/anna",
        cwd="/",
        absent_below=["/"],
    )
    fetches = Unknown(Reason.NOT_ASKED, "rustup may fetch a toolchain to answer")
    asks = Unknown(Reason.TOOL_MISSING, "Apple's command line tools are not installed")
    assert probe_tools(look_at(rust)).found == (
        Tool(name="rustc", path="{home}/.cargo/bin/rustc", version=fetches),
    )
    assert probe_tools(look_at(mac)).found == (Tool(name="git", path="/usr/bin/git", version=asks),)


def test_a_folder_has_no_path_to_look_on(look_at: Callable[..., Look]) -> None:
    off = Unknown(Reason.NO_RUNNING_MACHINE)

    class Folder(RecordedHost):
        def environ(self, name: str) -> Unknown:  # noqa: ARG002 - all alike
            return off

    host = Folder.made(uname=off)
    assert probe_tools(look_at(host)) == Tools(found=off)


@pytest.mark.parametrize(
    ("name", "output", "version"),
    [
        ("gcc", GCC, "12.2.0"),
        ("cc", GCC, "gcc 12.2.0"),
        ("gcc", RED_HAT_GCC + FSF, "8.5.0"),
        ("cc", CONDA_GCC + FSF, "gcc 13.3.0"),
        (
            "gcc",
            "Apple clang version 15.0.0 (clang-1500.3.9.4)\nTarget: arm64",
            "Apple clang 15.0.0",
        ),
        ("clang", "Ubuntu clang version 14.0.0-1ubuntu1.1\nTarget: x86_64", "14.0.0"),
        ("cc", "Debian clang version 14.0.6\nTarget: x86_64-pc-linux-gnu", "clang 14.0.6"),
        ("gfortran", "GNU Fortran (Debian 12.2.0-14) 12.2.0" + FSF, "12.2.0"),
        ("nvcc", NVCC, "12.4.131"),
        ("git", "git version 2.39.3 (Apple Git-146)\n", "2.39.3"),
        ("git", "git version 2.45.1.windows.1\n", "2.45.1"),
        ("make", "GNU Make 4.3\nBuilt for x86_64-pc-linux-gnu\n", "4.3"),
        (
            "mpirun",
            "mpirun (Open MPI) 4.1.4\n\nReport bugs to http://www.open-mpi.org/",
            "Open MPI 4.1.4",
        ),
        ("mpirun", "mpirun.real (OpenRTE) 4.1.2\n\nReport bugs", "Open MPI 4.1.2"),
        (
            "mpirun",
            "HYDRA build details:\n    Version:                                 4.0.2\n    CC: gcc",
            "MPICH 4.0.2",
        ),
        (
            "mpirun",
            "Intel(R) MPI Library for Linux* OS, Version 2021.9 Build 20230307 (id: d82b3071db)",
            "Intel MPI 2021.9",
        ),
        ("ld", "GNU ld (GNU Binutils for Debian) 2.40\nCopyright (C) 2023 Free Software", "2.40"),
        ("ld", "GNU ld version 2.30-123.el8\n", "2.30"),
        ("ld", "GNU gold (GNU Binutils for Debian 2.40) 1.16\n", "GNU gold 1.16"),
        ("ld", "Debian LLD 14.0.6 (compatible with GNU linkers)", "LLD 14.0.6"),
        ("ld", "mold 2.4.0 (compatible with GNU ld)", "mold 2.4.0"),
        ("ld", "@(#)PROGRAM:ld  PROJECT:ld-1053.12\nBUILD 15:45:16", "Apple ld 1053.12"),
        ("rustc", "rustc 1.75.0 (82e1608df 2023-12-21)\n", "1.75.0"),
        (
            "cc",
            "icx: command line warning\nIntel(R) oneAPI DPC++/C++ Compiler 2023.1.0",
            "Intel oneAPI 2023.1.0",
        ),
    ],
)
def test_a_version_is_found_in_what_programs_print(
    name: str, output: str, version: str | None
) -> None:
    strange = Unknown(Reason.UNPARSABLE, f"{name} --version: {output.splitlines()[0][:60]!r}")
    assert parse_version(name, output) == (version or strange)


@given(st.sampled_from(NAMES), st.text(), st.sampled_from(["", "GNU ld (", "clang version "]))
def test_no_output_makes_the_parser_raise(name: str, text: str, start: str) -> None:
    assert isinstance(parse_version(name, start + text), (str, Unknown))
