"""Time a check between two manifests of 5,000 packages beside reading both as JSON.

The manifests are grown from a capture of the large environment: its packages again under other
names, every tenth of the second one's in another version. Both commands are whole processes, in
turn, in one run. Fails above `BOUND`. `python bench/compare.py --help` says how to choose more.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile

from run import Command, exceeded, made_environment, one

from envsnap.manifest import Manifest, load, save
from envsnap.sections import Package, Packages, Unknown, replace

READ = "import json, sys\nfor p in sys.argv[1:]:\n    json.load(open(p, encoding='utf-8'))"
BOUND = 3.0
"""Reading both with `json.load` and interpreter, so many times, is what a check may take."""
CHANGED = 10  # one package in so many has another version


def main() -> int:
    """Time both, print the ratio and write it; 1 above the bound."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--environment", metavar="DIR", help="default: that of bench/run.py")
    parser.add_argument("--packages", type=int, default=5000, metavar="N", help="default: 5000")
    parser.add_argument("--runs", type=int, default=15, metavar="N", help="turns (default: 15)")
    parser.add_argument("--json", metavar="FILE", default="build/compare.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = manifests(args.environment or made_environment(), args.packages, folder)
        found = timed(files, args.runs)
        ratio = float(str(found["check_of_json_load"]))
        found["manifest_mib"] = round(os.path.getsize(files[0]) / 2**20, 1)
    found.update({"packages": args.packages, "python": platform.python_version()})
    os.makedirs(os.path.dirname(args.json) or ".", exist_ok=True)
    with open(args.json, "w", encoding="utf-8") as file:
        json.dump(found, file, indent=2, sort_keys=True)
        file.write("\n")
    print(json.dumps(found, indent=2, sort_keys=True))
    print(f"Wrote {args.json}")
    return exceeded("check of two manifests, in times of json.load", ratio, BOUND)


def manifests(environment: str, number: int, folder: str) -> list[str]:
    """Two manifests of so many packages, written into the folder."""
    files = [os.path.join(folder, f"{name}.json") for name in ("wanted", "found")]
    python = os.path.join(environment, "bin", "python")
    envsnap = os.path.join(os.path.dirname(sys.executable), "envsnap")
    subprocess.run([envsnap, "capture", "--python", python, "-q", "-o", files[0]], check=True)
    captured = load(files[0])
    packages = captured.section(Packages)
    if isinstance(packages, Unknown) or isinstance(packages.installed, Unknown):
        sys.exit("bench: the environment's packages could not be read")
    many = grown(packages.installed, number)
    other = [
        replace(each, version=f"{each.version}.1", content="ab" * 32) if not at % CHANGED else each
        for at, each in enumerate(many)
    ]
    save(with_packages(captured, packages, many), files[0])
    save(with_packages(captured, packages, other), files[1])
    return files


def grown(installed: tuple[Package, ...], number: int) -> list[Package]:
    """The packages, and again under other names, sorted as a capture sorts them."""
    many = [
        each if not again else replace(each, name=f"{each.name}-x{again}")
        for again in range(number // len(installed) + 1)
        for each in installed
    ][:number]
    return sorted(many, key=lambda each: re.sub(r"[-_.]+", "-", each.name).lower())


def with_packages(manifest: Manifest, packages: Packages, installed: list[Package]) -> Manifest:
    """The manifest with other packages."""
    section = replace(packages, installed=tuple(installed))
    return replace(manifest, sections={**manifest.sections, "packages": section})


def timed(files: list[str], turns: int) -> dict[str, object]:
    """Medians of both commands in milliseconds, and the ratio."""
    envsnap = os.path.join(os.path.dirname(sys.executable), "envsnap")
    commands = (
        Command("json_load", (sys.executable, "-c", READ, *files)),
        Command("check", (envsnap, "check", files[0], "--against", files[1])),
    )
    walls: dict[str, list[float]] = {each.name: [] for each in commands}
    for turn in range(-1, turns):
        for command in commands:
            run = one(command)
            if turn >= 0:
                walls[command.name].append(run.wall_s)
    medians = {name: statistics.median(each) for name, each in walls.items()}
    return {
        "runs": turns,
        "check_of_json_load": round(medians["check"] / medians["json_load"], 2),
        **{f"{name}_ms": round(each * 1000, 1) for name, each in medians.items()},
    }


if __name__ == "__main__":
    sys.exit(main())
