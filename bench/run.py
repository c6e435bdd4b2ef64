"""Time whole envsnap processes beside their peers, in turn, in one run.

The machine's speed drifts, so the commands take turns and the ratios are what counts. Prints a
table and writes the figures as JSON. `python bench/run.py --help` says how to choose what runs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

HERE = os.path.dirname(os.path.abspath(__file__))
REQUIREMENTS = os.path.join(HERE, "environment-large.txt")
BASE = "pip freeze"
CAPTURE, CHECK = "envsnap capture", "envsnap check"
BOUND = 1.3
"""A check on this machine captures it first: so many times a capture beside it."""
TORCH = "torch==2.13.0"


class Command(NamedTuple):
    """One thing that is timed."""

    name: str
    argv: tuple[str, ...]
    slow: bool = False
    """Run once in five turns: it takes seconds."""


class Run(NamedTuple):
    """One finished process."""

    wall_s: float
    cpu_s: float
    peak_mib: float


def main() -> int:
    """Time everything and answer 0, or 1 if a check takes more than its bound."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--environment",
        metavar="DIR",
        help="the environment to capture (default: bench/env, made from environment-large.txt)",
    )
    parser.add_argument("--runs", type=int, default=15, metavar="N", help="turns (default: 15)")
    parser.add_argument(
        "--json", metavar="FILE", default="build/bench.json", help="write the figures here"
    )
    args = parser.parse_args()
    environment = args.environment or made_environment()
    with tempfile.TemporaryDirectory() as folder:
        commands = list(commands_for(environment, folder))
        figures = timed(commands, args.runs)
    table = summarised(figures)
    print(as_text(table, environment))
    os.makedirs(os.path.dirname(args.json) or ".", exist_ok=True)
    with open(args.json, "w", encoding="utf-8") as file:
        json.dump(document(table, environment, args.runs), file, indent=2, sort_keys=True)
        file.write("\n")
    print(f"Wrote {args.json}")
    ratio = table[CHECK]["wall_ms"] / table[CAPTURE]["wall_ms"]
    return exceeded("check, in times of capture", ratio, BOUND)


def exceeded(what: str, figure: float, bound: float) -> int:
    """1 where a figure is above its bound, and a line that says so either way."""
    is_above = figure > bound
    print(f"{'FAILED' if is_above else 'ok'}: {what}: {figure:.2f} (at most {bound})")
    return int(is_above)


def made_environment() -> str:
    """The large environment, made once (3.7 GB, minutes); torch as a CPU build at hand."""
    folder = os.path.join(HERE, "env")
    python = os.path.join(folder, "bin", "python")
    if os.path.exists(os.path.join(folder, "made")):
        return folder
    uv = uv_program() or sys.exit("bench: making the environment needs uv on PATH")
    print(f"Making the large environment in {folder} (3.7 GB, some minutes)", flush=True)
    subprocess.run([uv, "venv", "--clear", "--seed", "--python", "3.11", folder], check=True)
    subprocess.run(
        [uv, "pip", "install", "--python", python, "--no-deps", "-r", REQUIREMENTS], check=True
    )
    folders = subprocess.run(
        [python, "-m", "pip", "config", "get", "global.find-links"],
        check=False, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    local = [each for each in folders if os.path.isdir(each)]
    wheel = [f"--find-links={each}" for each in local]
    offline = [python, "-m", "pip", "install", "--no-index", *wheel, "--no-deps", TORCH]
    if not local or subprocess.run(offline, check=False).returncode:
        print("bench: no CPU build of torch at hand; going on without torch", flush=True)
    open(os.path.join(folder, "made"), "w", encoding="utf-8").close()
    return folder


def uv_program() -> str | None:
    """uv, on PATH or beside this Python."""
    beside = os.path.join(os.path.dirname(sys.executable), "uv")
    return shutil.which("uv") or (beside if os.path.exists(beside) else None)


def commands_for(environment: str, folder: str) -> list[Command]:
    """What is timed, the floor first."""
    python = os.path.join(environment, "bin", "python")
    beside = os.path.dirname(sys.executable)
    envsnap = os.path.join(beside, "envsnap")
    manifest = os.path.join(folder, "m.json")
    capture = (envsnap, "capture", "--python", python, "-o")
    recording = os.path.join(folder, "recording")
    subprocess.run([*capture, manifest, "-q", "--record", recording], check=True)
    asked = (sys.executable, "-I", os.path.join(HERE, "asked.py"), recording)
    found = [
        Command("python -I -c pass", (python, "-I", "-c", "pass")),
        Command("envsnap's python -I -c pass", (sys.executable, "-I", "-c", "pass")),
        Command("envsnap --version", (envsnap, "--version")),
        Command("the programs a capture asks", asked),
        Command(CAPTURE, (*capture, "-")),
        Command("envsnap capture --no-digests", (*capture, "-", "--no-digests")),
        Command(CHECK, (envsnap, "check", manifest, "--python", python, "-q")),
        Command(BASE, (python, "-m", "pip", "freeze")),
        Command("pip inspect", (python, "-m", "pip", "inspect"), slow=True),
    ]
    uv = uv_program()
    if uv is not None:
        found.append(Command("uv pip freeze", (uv, "pip", "freeze", "--python", python)))
    torch = subprocess.run(
        [python, "-c", "import importlib.util as u, sys; sys.exit(not u.find_spec('torch'))"],
        check=False,
    )
    if torch.returncode == 0:
        collect = (python, "-m", "torch.utils.collect_env")
        found.append(Command("torch collect_env", collect, slow=True))
    return found


def timed(commands: list[Command], turns: int) -> dict[str, list[Run]]:
    """Every command's runs; all take their turn, after one that is not counted."""
    figures: dict[str, list[Run]] = {each.name: [] for each in commands}
    for turn in range(-1, turns):
        for command in commands:
            if command.slow and turn % 5:
                continue
            run = one(command)
            if turn >= 0:
                figures[command.name].append(run)
        if sys.stderr.isatty():
            print(f"\rturn {turn + 1} of {turns}", end="", file=sys.stderr, flush=True)
    return figures


def one(command: Command) -> Run:
    """One process from outside: wall, its own and its children's processor time, peak memory."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    child = subprocess.Popen(
        command.argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in {0, 1}:
        sys.exit(f"bench: {' '.join(command.argv)} ended with {child.returncode}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def summarised(figures: dict[str, list[Run]]) -> dict[str, dict[str, float]]:
    """Medians, and the ratio of the walls to pip freeze's."""
    base = statistics.median(run.wall_s for run in figures[BASE])
    table = {}
    for name, runs in figures.items():
        wall = statistics.median(run.wall_s for run in runs)
        table[name] = {
            "runs": len(runs),
            "wall_ms": round(wall * 1000, 1),
            "wall_ms_min": round(min(run.wall_s for run in runs) * 1000, 1),
            "wall_ms_max": round(max(run.wall_s for run in runs) * 1000, 1),
            "cpu_ms": round(statistics.median(run.cpu_s for run in runs) * 1000, 1),
            "peak_mib": round(statistics.median(run.peak_mib for run in runs), 1),
            "of_pip_freeze": round(wall / base, 3),
        }
    return table


def as_text(table: dict[str, dict[str, float]], environment: str) -> str:
    """The table for people."""
    count = len([n for n in os.listdir(site_packages(environment)) if n.endswith(".dist-info")])
    lines = [
        f"{count} distributions, medians of whole processes in turn, warm",
        (
            f"{'command':<30} {'runs':>4} {'wall ms':>9} {'min':>8} {'max':>8} {'cpu ms':>8} "
            f"{'MiB':>6} {'/ pip freeze':>13}"
        ),
    ]
    lines += [
        f"{name:<30} {row['runs']:>4.0f} {row['wall_ms']:>9.1f} {row['wall_ms_min']:>8.1f} "
        f"{row['wall_ms_max']:>8.1f} {row['cpu_ms']:>8.1f} {row['peak_mib']:>6.0f} "
        f"{row['of_pip_freeze']:>13.3f}"
        for name, row in table.items()
    ]
    return "\n".join(lines)


def site_packages(environment: str) -> str:
    """The folder that holds the environment's distributions."""
    library = os.path.join(environment, "lib")
    python = next(name for name in sorted(os.listdir(library)) if name.startswith("python"))
    return os.path.join(library, python, "site-packages")


def document(table: dict[str, dict[str, float]], environment: str, turns: int) -> dict[str, object]:
    """The figures for programs, with what they were measured on."""
    return {
        "bench": "1",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "turns": turns,
        "machine": {
            "cpus": os.cpu_count(),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        "distributions": len(
            [n for n in os.listdir(site_packages(environment)) if n.endswith(".dist-info")]
        ),
        "commands": table,
    }


if __name__ == "__main__":
    raise SystemExit(main())
