"""Time `check` against 10, 100 and 1,000 machines: how its time and memory grow with them.

The machines are one real capture with other facts: drivers, GPUs, memory, processors. Once all of
them differ, once they are as alike as the nodes of a cluster are. Whole processes, in turn, in one
run. `python bench/matrix.py --help` says how to choose more.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from run import Command, Run, exceeded, made_environment, one

from envsnap.manifest import decode, save

Document = dict[str, Any]  # a manifest, as JSON has it

SIZES = (10, 100, 1000)
KINDS = 8
"""How many kinds of nodes the cluster has whose nodes are alike."""
BOUND = 1.3
"""One more machine among 1,000 may cost so many times what it costs among 100: 1 is linear."""
CARDS = (
    ("Tesla V100-SXM2-32GB", "volta", "7.0", 80, 32768),
    ("NVIDIA A100-SXM4-40GB", "ampere", "8.0", 108, 40960),
    ("NVIDIA A100-SXM4-80GB", "ampere", "8.0", 108, 81920),
    ("NVIDIA H100 80GB HBM3", "hopper", "9.0", 132, 81559),
)
DRIVERS = (("535.183.01", "12.2"), ("550.54.15", "12.4"), ("570.124.06", "12.8"))


def main() -> int:
    """Time the sizes, print the ratios and write them; 1 where they do not grow linearly."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--environment", metavar="DIR", help="default: that of bench/run.py")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="turns (default: 3)")
    parser.add_argument("--json", metavar="FILE", default="build/matrix.json")
    args = parser.parse_args()
    found = timed(args.environment or made_environment(), args.runs)
    os.makedirs(os.path.dirname(args.json) or ".", exist_ok=True)
    with open(args.json, "w", encoding="utf-8") as file:
        json.dump(found, file, indent=2, sort_keys=True)
        file.write("\n")
    print(json.dumps(found, indent=2, sort_keys=True))
    print(f"Wrote {args.json}")
    growths = [float(str(found[f"{name}_growth"])) for name in ("distinct", "alike")]
    return exceeded("growth of a machine's cost from 100 to 1,000", max(growths), BOUND)


def timed(environment: str, turns: int) -> dict[str, object]:
    """The medians for each size, and what one more machine costs."""
    envsnap = os.path.join(os.path.dirname(sys.executable), "envsnap")
    python = os.path.join(environment, "bin", "python")
    with tempfile.TemporaryDirectory() as folder:
        wanted = os.path.join(folder, "wanted.json")
        subprocess.run(
            [envsnap, "capture", "--python", python, "-q", "-o", wanted],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        commands = [Command("one", (envsnap, "check", wanted, "--against", wanted, "-q"))]
        for name, kinds in (("distinct", max(SIZES)), ("alike", KINDS)):
            for size in SIZES:
                nodes = os.path.join(folder, f"{name}-{size}")
                write(wanted, nodes, size, kinds)
                check = (envsnap, "check", wanted, "--against", nodes)
                commands.append(Command(f"{name}-{size}", check))
        runs: dict[str, list[Run]] = {each.name: [] for each in commands}
        for turn in range(-1, turns):
            for command in commands:
                run = one(command)
                if turn >= 0:
                    runs[command.name].append(run)
    return summarised(runs, turns, environment)


def write(wanted: str, folder: str, size: int, kinds: int) -> None:
    """The manifests of that many nodes, of so many kinds."""
    os.makedirs(folder)
    with open(wanted, encoding="utf-8") as file:
        document = json.load(file)
    for number in range(size):
        node = machine(document, number % kinds)
        node["captured"]["time"] = f"2026-01-{number % 28 + 1:02}T00:00:00Z"
        node["sections"]["moment"]["available_memory_mib"] = number
        save(decode(node), os.path.join(folder, f"node{number:04}.json"))


def machine(document: Document, kind: int) -> Document:
    """The captured document on a machine of that kind; no two kinds have the same facts."""
    name, architecture, capability, processors, memory = CARDS[kind % len(CARDS)]
    driver, cuda = DRIVERS[kind // len(CARDS) % len(DRIVERS)]
    unknown = {"unknown": "not-recorded", "detail": "made for a measurement"}
    found = copy.deepcopy(document)
    sections = found["sections"]
    sections["memory"]["total_mib"] = 262144 + kind
    sections["gpu"] = {
        "kind": "nvidia", "platform": "pci", "pci": unknown, "hidden": None, "topology": [],
        "rocm": None, "visible": [0],
        "driver": {
            "version": driver, "kernel_module": driver, "library": driver, "cuda": cuda,
            "cuda_in_effect": cuda, "flavour": "proprietary", "compat": None,
        },
        "devices": [{
            "vendor": "nvidia", "name": name, "architecture": architecture,
            "compute_capability": capability, "multiprocessors": processors,
            "memory_mib": memory, "ecc": True, "mig": None, "slices": [],
            "power_limit_w": 300 + kind,
        }],
    }  # fmt: skip
    return found


def summarised(runs: dict[str, list[Run]], turns: int, environment: str) -> dict[str, object]:
    """The figures with what they were measured on."""
    found: dict[str, object] = {
        name: {
            "wall_s": round(statistics.median(run.wall_s for run in each), 3),
            "cpu_s": round(statistics.median(run.cpu_s for run in each), 3),
            "largest_process_mib": round(max(run.peak_mib for run in each), 1),
        }
        for name, each in runs.items()
    }
    small, middle, large = SIZES
    for name in ("distinct", "alike"):
        cpu = {
            size: statistics.median(run.cpu_s for run in runs[f"{name}-{size}"]) for size in SIZES
        }
        few = (cpu[middle] - cpu[small]) / (middle - small)
        many = (cpu[large] - cpu[middle]) / (large - middle)
        found[f"{name}_cpu_ms_a_machine"] = [round(few * 1000, 2), round(many * 1000, 2)]
        found[f"{name}_growth"] = round(many / few, 2)  # 1 is linear
    return {
        **found,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "environment": os.path.basename(os.path.normpath(environment)),
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        "turns": turns,
    }


if __name__ == "__main__":
    raise SystemExit(main())
