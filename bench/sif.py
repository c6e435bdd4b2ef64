"""Make one large environment's SIF file by envsnap's definition, and by way of a Docker archive.

The definition is what `envsnap build --singularity --image` runs, its proof included. The other
way is `docker buildx build` of what envsnap emits for Docker, `docker save`, and `apptainer build`
of that archive: with the program's own options and, beside it, packed as envsnap has it packed,
which tells how much of the difference is the level of gzip. The ways take turns, nothing is cached,
and medians are compared. Prints wall time and size, writes them as JSON, and answers 1 where the
definition takes more than half of the archive's time.

Some ten minutes for a turn, and five times the environment's size. Needs Docker with buildx, and
Apptainer; where --prune is given, Docker's build cache is emptied.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from image import context, envsnap, run, write

from envsnap.engines._sif_builder import PACKED

ASKED = 0.5
IMAGE = "envsnap-bench-sif"


def main() -> int:
    """Measure, print, and answer 0 where the bound is kept."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--environment", metavar="DIR", required=True, help="a venv of uv or pip")
    parser.add_argument("--network", metavar="MODE", default="host")
    parser.add_argument("--work", metavar="DIR", help="where it all goes (default: a new folder)")
    parser.add_argument("--prune", action="store_true", help="empty Docker's build cache each time")
    parser.add_argument("--turns", type=int, default=1, help="of each way (default: 1)")
    parser.add_argument("--json", metavar="FILE", default="build/sif.json")
    args = parser.parse_args()
    if args.work:
        os.makedirs(args.work, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.work, prefix="sif-") as work:
        figures = measured(os.path.abspath(args.environment), work, args)
    write(figures, args.json)
    share = figures["definition"]["wall_s"] / figures["archive"]["wall_s"]
    alike = figures["definition"]["wall_s"] / figures["archive packed alike"]["wall_s"]
    print(f"definition, as a share of the archive's way  {share:.2f} (asked: {ASKED})")
    print(f"where the archive is packed alike            {alike:.2f}")
    return 1 if share > ASKED else 0


def measured(environment: str, work: str, args: argparse.Namespace) -> dict[str, Any]:
    """The figures of each way."""
    manifest = os.path.join(work, "environment.json")
    only = ("--only", "python,packages,os")
    envsnap(work, "capture", "-q", *only, "--python", environment, "-o", manifest)
    envsnap(work, "lock", "-q", manifest)
    context(manifest, work)
    turns = []
    for _ in range(args.turns):
        turns.append({**definition(manifest, work), **archive(work, args)})
        for way, (wall_s, mib) in turns[-1].items():
            print(f"{way:22} {wall_s:7.1f} s {mib:6d} MiB", flush=True)
    return {
        "processors": os.cpu_count(), "turns": turns,
        **{way: _middle([each[way] for each in turns]) for way in turns[0]},
    }  # fmt: skip


def definition(manifest: str, work: str) -> dict[str, tuple[float, int]]:
    """The SIF file of envsnap's own command."""
    image, recipe = os.path.join(work, "definition.sif"), os.path.join(work, "definition")
    words = ("build", "-q", "--singularity", "--no-project", "-o", recipe, "--image", image)
    wall_s = _timed(functools.partial(envsnap, work, *words, manifest))
    return {"definition": _made(image, wall_s)}


def archive(work: str, args: argparse.Namespace) -> dict[str, tuple[float, int]]:
    """The SIF files that go by way of Docker, which builds and saves once for both."""
    if args.prune:
        run(["docker", "builder", "prune", "--all", "--force"], work)
    saved = os.path.join(work, "image.tar")
    build = ["docker", "buildx", "build", "--no-cache", "--load", "--network", args.network]
    before_s = _timed(
        functools.partial(run, [*build, "--tag", IMAGE, os.path.join(work, "envsnap")], work),
        functools.partial(run, ["docker", "save", "--output", saved, IMAGE], work),
    )
    run(["docker", "image", "rm", "--force", IMAGE], work)
    found = {}
    for way, options in (
        ("archive", []),
        ("archive packed alike", ["--mksquashfs-args", PACKED]),
    ):
        image = os.path.join(work, "archive.sif")
        words = ["apptainer", "build", *options, image, f"docker-archive:{saved}"]
        wall_s = _timed(functools.partial(run, words, work))
        found[way] = _made(image, before_s + wall_s)
    os.unlink(saved)
    return found


def _timed(*steps: Callable[[], object]) -> float:
    """The seconds that some steps take, once what was written before has reached the disk."""
    os.sync()
    started = time.perf_counter()
    for each in steps:
        each()
    return time.perf_counter() - started


def _made(image: str, wall_s: float) -> tuple[float, int]:
    mib = os.path.getsize(image) >> 20
    os.unlink(image)
    return round(wall_s, 1), mib


def _middle(turns: Sequence[tuple[float, int]]) -> Mapping[str, Any]:
    return {"wall_s": median(each[0] for each in turns), "mib": turns[-1][1]}


if __name__ == "__main__":
    sys.exit(main())
