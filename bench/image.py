"""Build one large environment's image by envsnap's recipe, by pip's and by uv's, in the same run.

Each image starts from the same base, gets the same system packages and installs the same files,
with nothing cached; then one small package is changed and each is built again. The ways take turns,
for a network is never twice the same, and medians are compared. Prints wall time, size and layers,
writes them as JSON, and answers 1 where a bound is missed.
Minutes, and three times the environment's size. Needs Docker with buildx; where --prune is given,
its build cache is emptied and untagged images go. On an ext4 without a journal, as small virtual
machines have it, times tell little: Linux passes over every inode that was freed within the last
minutes, one by one, so that what was deleted before slows each new file. Give Docker's data
another file system there.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from uv import find_uv_bin

CHANGED = ("idna", "3.10", "3.11")
"""A small package of the environment, and the two versions that it is given."""
UV_RECIPE = """FROM {base}
{system}COPY uv /bin/uv
ENV UV_LINK_MODE=copy UV_SYSTEM_PYTHON=1
RUN --mount=type=cache,target=/root/.cache/uv \\
    --mount=type=bind,source=requirements.txt,target=requirements.txt \\
    uv pip install --no-deps -r requirements.txt
"""
"""As uv's guide to Docker writes it for a list of requirements: a cache mount, and copies."""
PIP_RECIPE = """FROM {base}
{system}COPY requirements.txt .
RUN pip install --no-cache-dir --no-deps -r requirements.txt
"""


class Made(NamedTuple):
    """One image."""

    wall_s: float
    again_s: float
    """After one small package changed."""
    mib: int
    layers: int


def main() -> int:
    """Measure, print, and answer 0 where every bound is kept."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--environment", metavar="DIR", required=True, help="a venv of uv or pip")
    parser.add_argument("--network", metavar="MODE", default="host")
    parser.add_argument("--work", metavar="DIR", help="where it all goes (default: a new folder)")
    parser.add_argument(
        "--prune",
        action="store_true",
        help="empty Docker's build cache, and remove its untagged images, each time",
    )
    parser.add_argument("--turns", type=int, default=3, help="of uv and envsnap (default: 3)")
    parser.add_argument("--without-pip", action="store_true", help="leave the slowest out")
    parser.add_argument("--json", metavar="FILE", default="build/image.json")
    args = parser.parse_args()
    if args.work:
        os.makedirs(args.work, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.work, prefix="image-") as work:
        figures = measured(os.path.abspath(args.environment), work, args)
    write(figures, args.json)
    missed = bounds_missed(figures)
    print("\n".join(f"MISSED {each}" for each in missed) or "every bound is kept")
    return 1 if missed else 0


def measured(environment: str, work: str, args: argparse.Namespace) -> dict[str, Any]:
    """The figures of every way."""
    first, second = both_manifests(environment, work)
    base = base_of(work, first)
    figures: dict[str, Any] = {
        "base": base.partition("@")[0], "packages": len(locked(first)),
        "processors": os.cpu_count(), "load": [round(each, 1) for each in os.getloadavg()],
    }  # fmt: skip
    print(f"{'':10} {'wall s':>8} {'again s':>8} {'MiB':>7} {'layers':>6}")
    ways = ["uv", "envsnap"] * args.turns + ([] if args.without_pip else ["pip"])
    found: dict[str, list[Made]] = {}
    for way in ways:
        found.setdefault(way, []).append(image(way, base, (first, second), args))
        print("{:10} {:8.1f} {:8.1f} {:7d} {:6d}".format(way, *found[way][-1]), flush=True)
    figures["turns"] = {way: [each[:2] for each in turns] for way, turns in found.items()}
    for way, turns in found.items():
        walls, agains = ([each[at] for each in turns] for at in (0, 1))
        middle = turns[-1]._replace(wall_s=median(walls), again_s=median(agains))
        figures[way] = middle._asdict()
    for way in found:
        run(["docker", "image", "rm", "--force", f"envsnap-bench-{way}"], work)
    return figures


def both_manifests(environment: str, work: str) -> tuple[str, str]:
    """The environment with either version of the small package, captured and locked."""
    folder = os.path.join(work, "environment")
    run(["cp", "-a", environment, folder], work)
    python = os.path.join(folder, "bin", "python")
    found = []
    name, *versions = CHANGED
    for version in versions:
        install = ["pip", "install", "-q", "--no-deps", "--python", python, f"{name}=={version}"]
        run([find_uv_bin(), *install], work)
        manifest = os.path.join(work, f"{version}.json")
        only = ("--only", "python,packages,os")
        envsnap(work, "capture", "-q", *only, "--python", folder, "-o", manifest)
        envsnap(work, "lock", "-q", manifest)
        found.append(manifest)
    shutil.rmtree(folder)
    return found[0], found[1]


def base_of(work: str, manifest: str) -> str:
    """The base image that envsnap takes, which the others then get, too."""
    context(manifest, work)
    with open(os.path.join(work, "envsnap", "Dockerfile"), encoding="utf-8") as file:
        lines = [line.split()[1] for line in file if line.startswith("FROM ")]
    return next(line for line in reversed(lines) if ":" in line)


def image(way: str, base: str, manifests: Sequence[str], args: argparse.Namespace) -> Made:
    """One image, built from nothing and after a change."""
    work = os.path.dirname(manifests[0])
    if args.prune:
        run(["docker", "builder", "prune", "--all", "--force"], work)
        run(["docker", "image", "prune", "--force"], work)
    walls = []
    for manifest, cached in zip(manifests, ((), None), strict=True):
        if way == "envsnap":
            context(manifest, work)
        else:
            write_context(way, base, manifest, work)
        fresh = ["--no-cache"] if cached is not None else []
        os.sync()  # what was written before is nobody's to wait for
        started = time.perf_counter()
        run(
            ["docker", "buildx", "build", *fresh, "--load", "--network", args.network,
             "--progress=plain", "--tag", f"envsnap-bench-{way}", os.path.join(work, way)], work,
        )  # fmt: skip
        walls.append(round(time.perf_counter() - started, 1))
    looked = json.loads(run(["docker", "image", "inspect", f"envsnap-bench-{way}"], work))[0]
    layers = len(looked["RootFS"]["Layers"])
    return Made(walls[0], walls[1], looked["Size"] >> 20, layers)


def context(manifest: str, work: str) -> None:
    """The recipe that envsnap writes."""
    folder = os.path.join(work, "envsnap")
    envsnap(work, "build", "-q", "--docker", "--no-project", "-o", folder, manifest)


def write_context(way: str, base: str, manifest: str, work: str) -> None:
    """The recipe that its own guide writes."""
    folder = os.path.join(work, way)
    os.makedirs(folder, exist_ok=True)
    recipe = {"uv": UV_RECIPE, "pip": PIP_RECIPE}[way].format(base=base, system=system_step(work))
    wanted = "".join(f"{name}=={version}\n" for name, version in sorted(locked(manifest).items()))
    for name, text in (("Dockerfile", recipe), ("requirements.txt", wanted)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    if way == "uv":
        shutil.copy(find_uv_bin(), os.path.join(folder, "uv"))


def system_step(work: str) -> str:
    """The system packages that envsnap's image gets: without them packages would not load."""
    listed = os.path.join(work, "envsnap", "system.txt")
    if not os.path.exists(listed):
        return ""
    with open(listed, encoding="utf-8") as file:
        names = [line.split()[1] for line in file if line.startswith("package ")]
    return (
        f"RUN apt-get -q update && apt-get -q install -y --no-install-recommends "
        f"{' '.join(names)} && rm -rf /var/lib/apt/lists/*\n"
    )


def bounds_missed(figures: Mapping[str, Any]) -> list[str]:
    """What was promised of the ratios and does not hold."""
    ours, uv = figures["envsnap"], figures["uv"]
    asked = [
        ("wall, as a share of uv's", ours["wall_s"] / uv["wall_s"], 1.0),
        ("size, as a share of uv's", ours["mib"] / uv["mib"], 1.0),
        ("after a change, as a share of the whole", ours["again_s"] / ours["wall_s"], 0.1),
    ]
    for name, found, bound in asked:
        print(f"{name:42} {found:6.2f} (asked: {bound})")
    return [f"{name}: {found:.2f}" for name, found, bound in asked if found > bound]


def locked(manifest: str) -> Mapping[str, str]:
    """What a manifest's lock has a file for."""
    with open(manifest, encoding="utf-8") as file:
        lock = json.load(file)["lock"]
    return {each["name"]: each["version"] for each in lock["artifacts"]}


def write(figures: Mapping[str, Any], path: str) -> None:
    """The figures as JSON."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(figures, file, indent=2, sort_keys=True)
        file.write("\n")


def envsnap(work: str, *words: str) -> None:
    """Run envsnap to its end."""
    run([sys.executable, "-m", "envsnap", *words], work)


def run(words: Sequence[str], folder: str, **variables: str) -> str:
    """Run a program to its end: what it printed. Ends this process if it failed."""
    environ = {**os.environ, **variables}
    ran = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, check=False, env=environ
    )
    if ran.returncode:
        tail = "\n".join((ran.stdout + ran.stderr).splitlines()[-15:])
        sys.exit(f"bench: {' '.join(words)} ended with {ran.returncode}\n{tail}")
    return ran.stdout


if __name__ == "__main__":
    sys.exit(main())
