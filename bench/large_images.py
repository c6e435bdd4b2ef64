"""Build images of a large environment by every engine, with and without a network; prove each.

The environment is captured, locked and put into a wheelhouse once. Then each engine builds what
envsnap emits, unmodified: from the index, and again from the wheelhouse where neither envsnap nor
the engine nor a step has a network. Each image is read by `envsnap verify` against the manifest.
Prints a row for each, writes them as JSON, and answers 1 where a package was lost or changed.

Needs root, the engines of tests/engines/up.sh, and some 30 GB; takes about half an hour.
Apptainer builds on the node of tests/engines: as a plain user, of a fetched folder.
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
from collections.abc import Sequence
from typing import Any

from image import envsnap, run, write

IMAGE = "envsnap-bench-large"
OFFLINE = ("unshare", "-n")
REFERENCES = {"docker": "docker-daemon:", "podman": "podman:", "buildah": "podman:localhost/"}
NODE = os.path.join(os.path.dirname(__file__), os.pardir, "tests", "engines", "node")


def main() -> int:
    """Build, prove, print, and answer 0 where every image is the environment."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--environment", metavar="DIR", required=True, help="a venv of uv or pip")
    parser.add_argument("--engines", default="docker,podman,buildah,apptainer", metavar="NAMES")
    parser.add_argument("--work", metavar="DIR", help="where it all goes (default: a new folder)")
    parser.add_argument("--json", metavar="FILE", default="build/large-images.json")
    args = parser.parse_args()
    if args.work:
        os.makedirs(args.work, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.work, prefix="large-") as work:
        os.chmod(work, 0o755)  # noqa: S103 - the node's user reads it
        figures = measured(os.path.abspath(args.environment), work, args.engines.split(","))
    write(figures, args.json)
    wrong = [each for each in figures["images"] if each["answer"] != "same" or each["lost"]]
    return 1 if wrong else 0


def measured(environment: str, work: str, engines: Sequence[str]) -> dict[str, Any]:
    """A row for each image."""
    envsnap(work, "capture", "-q", "--python", environment, "-o", "m.json")
    envsnap(work, "lock", "-q", "--wheelhouse", "wheels", "--python", environment, "m.json")
    packages = len(active(work))
    print(f"{packages} packages\n{'engine':10} {'network':8} {'wall s':>7} {'proved':>7} answer")
    rows = []
    for engine in engines:
        for network in ("yes", "no"):
            started = time.perf_counter()
            image = (sif if engine == "apptainer" else by_engine)(work, engine, network)
            wall = round(time.perf_counter() - started, 1)
            row = proved(work, image, packages) | {
                "engine": engine, "network": network, "wall_s": wall,
            }  # fmt: skip
            rows.append(row)
            told = (engine, network, wall, row["by_content"], row["answer"])
            print("{:10} {:8} {:7.1f} {:7d} {}".format(*told), flush=True)
            away(work, engine)
    return {"packages": packages, "images": rows, "processors": os.cpu_count()}


def by_engine(work: str, engine: str, network: str) -> str:
    """An image of Docker's, Podman's or Buildah's: how verify reads it."""
    words = ["build", "-q", "--docker", "-o", "context", "--wheelhouse", "wheels", "--no-project"]
    if network == "yes":
        image = ("--engine", engine, "--image", IMAGE, "--network", "host")
        envsnap(work, *words, *image, "m.json")
    else:
        envsnap(work, *words, "--fetch", "--workdir", work, "m.json")
        program = "docker" if engine == "docker" else "podman"
        run([program, "load", "-i", "context/base.tar"], work)
        build = {"buildah": ["bud", "--layers"]}.get(engine, ["build"])
        run([engine, *build, "--network", "none", "-t", IMAGE, "context"], work)
    return f"{REFERENCES[engine]}{IMAGE}"


def sif(work: str, _engine: str, network: str) -> str:
    """A SIF file, built by a plain user on a node."""
    for name in ("home", "images"):
        os.makedirs(os.path.join(work, name), exist_ok=True)
    image = os.path.join(work, "images", "large.sif")
    words = ["build", "-q", "--singularity", "-o", "context", "--no-project"]
    words += ["--wheelhouse", "wheels", "m.json"]
    if network == "yes":
        envsnap(work, *words)
        argv = ["apptainer", "build", image, "envsnap.def"]
    else:
        envsnap(work, *words, "--fetch", "--workdir", "images")
        argv = ["sh", "build.sh", image]
    folders = [os.path.join(work, each) for each in ("context", "images")]
    node = {"ENVSNAP_NODE_HOME": os.path.join(work, "home"), "ENVSNAP_NODE_NETWORK": network}
    run([NODE, *folders, "--", *argv], work, **node)
    return image


def proved(work: str, image: str, packages: int) -> dict[str, Any]:
    """What a reader is told of an image."""
    words = ["verify", image, "--against", "m.json", "--json", "--allow-unknown", "program"]
    argv = [*OFFLINE, sys.executable, "-m", "envsnap", *words]
    ran = subprocess.run(argv, cwd=work, capture_output=True, text=True, check=False)
    found = json.loads(ran.stdout or "{}")
    if "packages" not in found:
        sys.exit(f"bench: {' '.join(words)} ended with {ran.returncode}\n{ran.stderr}")
    return {
        "answer": found["answer"], "lost": packages - found["packages"]["found"],
        "by_content": found["packages"]["by_content"], "differs": found["differs"][:20],
        "by_version": len(found["packages"]["by_version"]),
        "not_proved": {each["code"]: len(each["names"]) for each in found["not_proved"]},
    }  # fmt: skip


def away(work: str, engine: str) -> None:
    """Leave nothing for the next one."""
    shutil.rmtree(os.path.join(work, "context"), ignore_errors=True)
    shutil.rmtree(os.path.join(work, "images"), ignore_errors=True)
    if engine != "apptainer":
        program = "docker" if engine == "docker" else "podman"
        run([program, "image", "rm", "--force", IMAGE], work)
        prune = ["builder", "prune", "--all"] if engine == "docker" else ["image", "prune"]
        run([program, *prune, "--force"], work)


def active(work: str) -> list[str]:
    """The packages that an import can find."""
    with open(os.path.join(work, "m.json"), encoding="utf-8") as file:
        installed = json.load(file)["sections"]["packages"]["installed"]
    return [each["name"] for each in installed if each.get("active", True)]


if __name__ == "__main__":
    sys.exit(main())
