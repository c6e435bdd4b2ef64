"""A login node that fetches, and nodes without a network that build what it has fetched."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

NODE = str(Path(__file__).with_name("node"))
CLUSTER = str(Path(__file__).with_name("slurm"))
REGISTRY = "127.0.0.1:5000"
TOLD = "Python and 2 packages are those of the manifest"
FETCH = """
import sys
from envsnap._build import BuildOptions
from envsnap._fetch import FetchOptions, fetch
from envsnap.manifest import load
build = BuildOptions(formats=("apptainer", "dockerfile"), output=sys.argv[2], workdir=sys.argv[3])
fetch(load(sys.argv[1]), FetchOptions(build=build), lambda line: print(line, flush=True))
"""
"""The flow as the command calls it, in a process that can be killed."""


def start(login: Path, folder: Path) -> subprocess.Popen[str]:
    """A fetch, begun."""
    words = [str(login / "envsnap.lock.json"), str(folder), str(login / "work")]
    variables = {
        **os.environ, "HOME": str(login / "home"), "ENVSNAP_REGISTRY_MIRROR": REGISTRY,
        "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}",
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, *words], text=True, env=variables,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file, by its path from there."""
    return {
        str(each.relative_to(folder)): hashlib.sha256(each.read_bytes()).hexdigest()
        for each in sorted(folder.rglob("*"))
        if each.is_file()
    }


def on_node(
    home: Path, folders: list[Path], *words: str, program: str = NODE, **variables: str
) -> subprocess.CompletedProcess[str]:
    """A command on a node that has no network, in the first of the folders."""
    return subprocess.run(
        [program, *map(str, folders), "--", *words], capture_output=True, text=True, check=False,
        env={**os.environ, "ENVSNAP_NODE_HOME": str(home), **variables},
    )  # fmt: skip
