"""Time `capture --verify` beside a bare loop that only hashes what the RECORDs name.

The bare loop is as plain as it gets: RECORDs read, files parted by their sizes, two processes,
each with one buffer that is used again. Both are timed as whole processes, in turn, in one run; of
the bare loop also the hashing alone. `python bench/verify.py --help` says how to choose more.
"""

from __future__ import annotations

import argparse
import base64
import csv
import glob
import hashlib
import json
import os
import platform
import statistics
import sys
import tempfile
import time

from run import Command, Run, made_environment, one, site_packages

BUFFER = 1 << 20
PER_FILE = 20_000  # bytes that could be hashed in the time that it takes to open one more file


def main() -> int:
    """Time both, print the ratios and write them."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--environment", metavar="DIR", help="default: that of bench/run.py")
    parser.add_argument("--runs", type=int, default=7, metavar="N", help="turns (default: 7)")
    parser.add_argument("--json", metavar="FILE", default="build/verify.json")
    parser.add_argument("--bare", nargs=2, metavar=("SITE", "FILE"), help="be the bare loop")
    args = parser.parse_args()
    if args.bare:
        return bare(*args.bare)
    found = timed(args.environment or made_environment(), args.runs)
    os.makedirs(os.path.dirname(args.json) or ".", exist_ok=True)
    with open(args.json, "w", encoding="utf-8") as file:
        json.dump(found, file, indent=2, sort_keys=True)
        file.write("\n")
    print(json.dumps(found, indent=2, sort_keys=True))
    print(f"Wrote {args.json}")
    return 0


def bare(site: str, told: str) -> int:
    """Hash what RECORDs name in two processes; 1 where something is not as stated."""
    rows = []
    for record in glob.glob(f"{glob.escape(site)}/*.dist-info/RECORD"):
        with open(record, newline="", encoding="utf-8") as file:
            rows += [(int(size or 0), os.path.join(site, path), stated)
                     for path, stated, size in csv.reader(file) if stated]  # fmt: skip
    rows.sort(reverse=True)
    halves: tuple[list[tuple[str, str]], list[tuple[str, str]]] = ([], [])
    weights = [0, 0]
    for size, path, stated in rows:
        half = int(weights[0] > weights[1])
        halves[half].append((path, stated))
        weights[half] += size + PER_FILE
    start = time.perf_counter()
    child = os.fork()
    wrong = hashed(halves[int(not child)])
    if not child:
        os._exit(min(wrong, 1))
    wrong += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with open(told, "w", encoding="utf-8") as file:
        said = {"hashing_s": time.perf_counter() - start, "files": len(rows)}
        json.dump({**said, "bytes": sum(size for size, _, _ in rows)}, file)
    return int(wrong > 0)


def hashed(rows: list[tuple[str, str]]) -> int:
    """How many files do not have the hash that is stated."""
    wrong, buffer = 0, bytearray(BUFFER)
    view = memoryview(buffer)
    for path, stated in rows:
        digest = hashlib.sha256()
        with open(path, "rb", buffering=0) as file:
            while count := file.readinto(buffer):
                digest.update(view[:count])
        coded = base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
        wrong += coded != stated.partition("=")[2]
    return wrong


def timed(environment: str, turns: int) -> dict[str, object]:
    """The medians and the ratios, after one turn of each that is not counted."""
    with tempfile.TemporaryDirectory() as folder:
        told, here = os.path.join(folder, "bare.json"), os.path.abspath(__file__)
        loop = (sys.executable, here, "--bare", site_packages(environment), told)
        envsnap = os.path.join(os.path.dirname(sys.executable), "envsnap")
        python = os.path.join(environment, "bin", "python")
        verify = (envsnap, "capture", "--verify", "--python", python, "-q", "-o", "-")
        commands = (Command("bare", loop), Command("verify", verify))
        runs: dict[str, list[Run]] = {each.name: [] for each in commands}
        alone: list[float] = []
        said: dict[str, float] = {}
        for turn in range(-1, turns):
            for command in commands:
                run = one(command)
                if turn >= 0:
                    runs[command.name].append(run)
            with open(told, encoding="utf-8") as file:
                said = json.load(file)
            if turn >= 0:
                alone.append(said["hashing_s"])
    return summarised(runs, alone, said)


def summarised(
    runs: dict[str, list[Run]], alone: list[float], said: dict[str, float]
) -> dict[str, object]:
    """The figures with what they were measured on; ratios are those of each turn."""
    pairs = list(zip(runs["verify"], runs["bare"], strict=True))
    found: dict[str, object] = {
        name: {
            "wall_s": round(statistics.median(run.wall_s for run in each), 3),
            "wall_s_min": round(min(run.wall_s for run in each), 3),
            "cpu_s": round(statistics.median(run.cpu_s for run in each), 3),
            "largest_process_mib": round(max(run.peak_mib for run in each), 1),
        }
        for name, each in runs.items()
    }
    ratios = [verify.wall_s / bare_run.wall_s for verify, bare_run in pairs]
    loops = [verify.wall_s / each for (verify, _), each in zip(pairs, alone, strict=True)]
    cpu = [verify.cpu_s / bare_run.cpu_s for verify, bare_run in pairs]
    return {
        **found,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        "files": said["files"],
        "gigabytes": round(said["bytes"] / 1e9, 2),
        "turns": len(pairs),
        "wall_of_bare": round(statistics.median(ratios), 3),
        "wall_of_bare_min": round(min(ratios), 3),
        "wall_of_hashing_alone": round(statistics.median(loops), 3),
        "cpu_of_bare": round(statistics.median(cpu), 3),
    }


if __name__ == "__main__":
    raise SystemExit(main())
