"""Time `envsnap lock` beside `uv pip compile --generate-hashes --no-deps`, in turn.

Both ask the same places for the same pins: the folders that pip is set to are given to uv too.
Warm runs share uv's cache, each cold run has an empty one. Prints a table and what was locked how.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from typing import Any

from run import made_environment, uv_program

LOCK, UV = "envsnap lock", "uv pip compile"


def main() -> int:
    """Time both and answer 0, or 1 if lock took more than twice as long."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--environment",
        metavar="DIR",
        help="what is locked (default: bench/env, as run.py makes it)",
    )
    parser.add_argument("--runs", type=int, default=7, metavar="N", help="turns (default: 7)")
    parser.add_argument("--json", metavar="FILE", default="build/bench-lock.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        manifest, locked = made(args.environment or made_environment(), folder)
        commands = commands_for(locked, manifest, folder)
        table = {
            kind: measured(commands, args.runs, cold=kind == "cold") for kind in ("warm", "cold")
        }
    document = {
        "bench": "lock-1",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "turns": args.runs,
        "machine": {
            "cpus": os.cpu_count(),
            "load_after": [round(each, 2) for each in os.getloadavg()],
            "system": platform.platform(),
        },
        "locked": outcome(locked),
        "wall_s": table,
    }
    for line in lines(document):
        print(line)
    os.makedirs(os.path.dirname(args.json) or ".", exist_ok=True)
    with open(args.json, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2, sort_keys=True)
        file.write("\n")
    print(f"Wrote {args.json}")
    return int(any(rows["ratio"] > 2 for rows in table.values()))  # noqa: PLR2004 - the budget


def made(environment: str, folder: str) -> tuple[str, dict[str, Any]]:
    """The path of a manifest of the environment, and the same locked."""
    envsnap = os.path.join(os.path.dirname(sys.executable), "envsnap")
    manifest, locked = os.path.join(folder, "m.json"), os.path.join(folder, "locked.json")
    python = os.path.join(environment, "bin", "python")
    subprocess.run([envsnap, "capture", "-q", "--python", python, "-o", manifest], check=True)
    subprocess.run([envsnap, "lock", "-q", manifest, "-o", locked], check=True)
    with open(locked, encoding="utf-8") as file:
        found: dict[str, Any] = json.load(file)
    return manifest, found


def commands_for(locked: dict[str, Any], manifest: str, folder: str) -> dict[str, list[str]]:
    """Both commands. uv gets the pins that lock found a file for: it answers for all or none."""
    uv = uv_program() or sys.exit("bench: uv is neither on PATH nor beside this Python")
    pins = os.path.join(folder, "pins.in")
    with open(pins, "w", encoding="utf-8") as file:
        artifacts = locked["lock"]["artifacts"]
        file.writelines(f"{each['name']}=={each['version']}\n" for each in artifacts)
    version = locked["sections"]["python"]["version"]
    envsnap = os.path.join(os.path.dirname(sys.executable), "envsnap")
    return {
        LOCK: [envsnap, "lock", "-q", manifest, "-o", os.path.join(folder, "out.json")],
        UV: [
            uv, "pip", "compile", "-q", "--generate-hashes", "--no-deps",
            "--python", sys.executable, "--python-version", version, pins,
        ],
    }  # fmt: skip


def measured(commands: dict[str, list[str]], turns: int, *, cold: bool) -> dict[str, float]:
    """Medians of both, and their ratio."""
    walls: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(-1, turns):
        for name, argv in commands.items():
            with tempfile.TemporaryDirectory() as cache:
                wall = one(argv, {"UV_CACHE_DIR": cache} if cold else {})
            if turn >= 0:
                walls[name].append(wall)
    found = {name: round(statistics.median(each), 3) for name, each in walls.items()}
    return {**found, "ratio": round(found[LOCK] / found[UV], 3)}


def one(argv: list[str], variables: dict[str, str]) -> float:
    """Seconds that one process takes, whole."""
    links = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.find-links"],
        check=False, capture_output=True, text=True,
    ).stdout.split() or os.environ.get("PIP_FIND_LINKS", "").split()  # fmt: skip
    environment = {**os.environ, "UV_FIND_LINKS": ",".join(links), **variables}
    start = time.perf_counter()
    subprocess.run(argv, check=True, env=environment, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def outcome(locked: dict[str, Any]) -> dict[str, Any]:
    """How many packages stand on which rung, and how many are not locked."""
    lock = locked["lock"]
    counts = Counter(
        ("matched" if each["is_installed"] is True else "not proved")
        + (", with an address" if each["url"] else ", without an address")
        for each in lock["artifacts"]
    )
    evidence = Counter(each["evidence"] for each in locked["sections"]["packages"]["installed"])
    return {
        "artifacts": dict(counts), "evidence": {str(key): n for key, n in evidence.items()},
        "unlocked": [f"{each['name']} {each['version']}" for each in lock["unlocked"]],
    }  # fmt: skip


def lines(document: dict[str, Any]) -> list[str]:
    """The table for people."""
    found = [f"{'':<6} {LOCK:>14} {UV:>16} {'ratio':>7}"]
    found += [
        f"{kind:<6} {rows[LOCK]:>12.2f} s {rows[UV]:>14.2f} s {rows['ratio']:>7.2f}"
        for kind, rows in document["wall_s"].items()
    ]
    for title, counts in document["locked"].items():
        found.append(f"{title}: {json.dumps(counts)}")
    return found


if __name__ == "__main__":
    raise SystemExit(main())
