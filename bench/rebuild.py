"""Keep a large environment as files, make it again without a network, and count what is lost.

Captures the environment, fills a wheelhouse, restores from that under `unshare -rn`, captures what
was restored, and compares the content digest of every package. Prints the figures and writes them
as JSON; answers 1 where a package was lost or differs. Minutes, and twice the environment's size.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

OFFLINE = ("unshare", "-rn")


def main() -> int:
    """Measure, and answer 0 where every package came back as it was."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--environment", metavar="DIR", required=True, help="what is kept")
    parser.add_argument("--work", metavar="DIR", help="where the files go (default: a new folder)")
    parser.add_argument("--json", metavar="FILE", default="build/rebuild.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.work, prefix="rebuild-") as work:
        figures = rebuilt(os.path.abspath(args.environment), work)
    for name, value in figures.items():
        print(f"{name:22} {value}")
    os.makedirs(os.path.dirname(args.json) or ".", exist_ok=True)
    with open(args.json, "w", encoding="utf-8") as file:
        json.dump(figures, file, indent=2, sort_keys=True)
        file.write("\n")
    return 1 if figures["lost"] or figures["differ"] else 0


def rebuilt(environment: str, work: str) -> dict[str, Any]:
    """The figures of one environment, kept and made again."""
    capture = ("capture", "-q", "--only", "python,packages,os")
    envsnap(work, *capture, "--python", environment, "-o", "before.json")
    lock_s = envsnap(work, "lock", "before.json")
    fill_s = envsnap(work, "lock", "before.json", "--wheelhouse", "wheels", "--python", environment)
    restore = ("restore", "again", "--manifest", "before.json", "--wheelhouse", "wheels")
    restore_s = envsnap(work, *restore, prefix=OFFLINE)
    envsnap(work, *capture, "--python", "again", "-o", "after.json")
    before, after = read(work, "before.json"), read(work, "after.json")
    wanted, found = packages(before), packages(after)
    locked = {each["name"]: each for each in before["lock"]["artifacts"]}
    kept = [os.path.join(folder, name) for folder, _, names in os.walk(f"{work}/wheels")
            for name in names]  # fmt: skip
    return {
        "packages": len(wanted),
        "lost": sorted(wanted.keys() - found.keys()),
        "differ": sorted(
            name for name in wanted.keys() & found.keys()
            if wanted[name]["version"] != found[name]["version"]
            or content_of(wanted[name], locked.get(name)) != found[name]["content"]
        ),
        "rungs": counted(each["evidence"] for each in wanted.values()),
        "files": counted(each.get("how", "index") for each in locked.values()),
        "wheelhouse_mib": sum(map(os.path.getsize, kept)) >> 20,
        "lock_s": lock_s, "wheelhouse_s": fill_s, "restore_s": restore_s,
        "python": before["sections"]["python"]["version"],
        "processors": os.cpu_count(), "load": [round(each, 1) for each in os.getloadavg()],
    }  # fmt: skip


def envsnap(work: str, *words: str, prefix: Sequence[str] = ()) -> float:
    """Run envsnap to its end: how many seconds it took. Ends this process if it failed."""
    started = time.perf_counter()
    ran = subprocess.run([*prefix, sys.executable, "-m", "envsnap", *words], cwd=work, check=False)
    if ran.returncode:
        sys.exit(f"bench: envsnap {' '.join(words)} ended with {ran.returncode}")
    return round(time.perf_counter() - started, 1)


def read(work: str, name: str) -> dict[str, Any]:
    """A manifest."""
    with open(os.path.join(work, name), encoding="utf-8") as file:
        found: dict[str, Any] = json.load(file)
    return found


def packages(manifest: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The active packages by canonical name."""
    from envsnap.manifest import canonical_name

    installed = manifest["sections"]["packages"]["installed"]
    return {canonical_name(each["name"]): each for each in installed if each.get("active", True)}


def content_of(package: Mapping[str, Any], artifact: Mapping[str, Any] | None) -> object:
    """What a package must hold again: a wheel that was built or made says what is in it."""
    rebuilt = artifact is not None and artifact["url"] is None and artifact.get("how") != "index"
    return artifact["content"] if artifact and rebuilt else package["content"]


def counted(names: Any) -> dict[str, int]:  # noqa: ANN401 - any iterable of texts
    """How often each occurs, the most frequent first."""
    return dict(Counter(names).most_common())


if __name__ == "__main__":
    sys.exit(main())
