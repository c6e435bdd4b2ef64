"""Time our reader of GPU code beside NVIDIA's cuobjdump, file by file, and compare what they say.

Takes folders with libraries, or wheels (each is unpacked and removed again). `--golden` writes what
cuobjdump says as rows of tests/golden/gpu_code/libraries.json; `--small` writes small modules,
with whether it finds a function in them, as tests/golden/gpu_code/modules.json, which holds code
that is compiled from free software alone.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import mmap
import os
import platform
import re
import shutil
import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from cuobjdump import described, listed, small

from envsnap.inside.elf import Elf
from envsnap.inside.gpu_code import targets

RUNS = 5
MOST_SMALL = 400
TIMES = 10
"""So many times faster than cuobjdump ours has to be, all in all and for each large library."""
LARGE_S = 1.0
"""From so many seconds of cuobjdump's on, a library is judged on its own."""
GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "gpu_code" / "libraries.json"
_LIBRARY = re.compile(r"\.so[.0-9]*$")


def main() -> int:
    """Time and compare, or write the golden list; 1 where ours differs or is too slow."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("places", nargs="+", metavar="DIR|WHEEL")
    parser.add_argument(
        "--cuobjdump", action="append", default=[], metavar="EXE",
        help="the program; once more for an older one, asked of files that the first refuses",
    )  # fmt: skip
    parser.add_argument("--golden", metavar="FILE", help="write what cuobjdump says, and no times")
    parser.add_argument("--small", metavar="FILE", help="write small modules, and no times")
    parser.add_argument("--json", metavar="FILE", default="build/bench-gpu-code.json")
    args = parser.parse_args()
    tools = args.cuobjdump or [shutil.which("cuobjdump") or sys.exit("bench: no cuobjdump")]
    if args.golden:
        return golden(args.places, tools, Path(args.golden))
    if args.small:
        return whole_modules(args.places, tools, Path(args.small))
    rows = [timed(tools, name, path) for name, path in libraries(args.places)]
    rows = [row for row in rows if row["targets"] or row["cuobjdump_s"] >= 0.05]  # noqa: PLR2004
    ours = sum(row["ours_s"] for row in rows)
    reference = sum(row["cuobjdump_s"] for row in rows)
    document = {
        "bench": "gpu-code-1",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": {
            "cpus": os.cpu_count(),
            "load_after": [round(each, 2) for each in os.getloadavg()],
            "system": platform.platform(),
        },
        "libraries": rows,
        "ours_s": round(ours, 3),
        "cuobjdump_s": round(reference, 3),
        "ratio": round(reference / ours, 1),
        "slow": [row["library"] for row in rows if is_slow(row)],
    }
    for line in lines(document):
        print(line)
    os.makedirs(os.path.dirname(args.json) or ".", exist_ok=True)
    with open(args.json, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2, sort_keys=True)
        file.write("\n")
    print(f"Wrote {args.json}")
    is_slower = bool(document["slow"]) or reference < TIMES * ours
    return int(is_slower or not all(row["agree"] for row in rows))


def is_slow(row: dict[str, Any]) -> bool:
    """Whether a library that takes cuobjdump long takes ours too long."""
    return bool(LARGE_S <= row["cuobjdump_s"] < TIMES * row["ours_s"])


def libraries(places: list[str]) -> Iterator[tuple[str, Path]]:
    """The libraries of folders and wheels, by the name that they have there."""
    for place in places:
        if os.path.isdir(place):
            for path in sorted(Path(place).rglob("*")):
                if _LIBRARY.search(path.name) and path.is_file() and not path.is_symlink():
                    yield str(path.relative_to(place)), path
            continue
        with zipfile.ZipFile(place) as wheel:
            for name in sorted(filter(_LIBRARY.search, wheel.namelist())):
                with tempfile.TemporaryDirectory() as folder:
                    yield name, Path(wheel.extract(name, folder))


def mapped(path: Path) -> mmap.mmap:
    """A file's bytes, read when they are looked at."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def timed(tools: list[str], name: str, path: Path) -> dict[str, Any]:
    """Seconds of both for one library. Cuobjdump goes first, and so reads it from the disk."""
    reference = listed(tools, path)
    walls: list[float] = []
    found: dict[str, list[str]] = {}
    data = mapped(path)
    for _ in range(RUNS):
        start = time.perf_counter()
        data = mapped(path)
        found = targets(data, Elf(data))
        walls.append(time.perf_counter() - start)
    exact = {key: found[key] for key in ("sass", "ptx")}
    code = any(exact.values()) or reference.sass or reference.ptx
    known = known_targets().get((path.name, len(data)))
    return {
        "library": name,
        "mib": len(data) >> 20,
        "targets": [*found["sass"], *found["ptx"]],
        "cuobjdump": reference.tool,
        "cuobjdump_s": round(reference.seconds, 4),
        "ours_s": round(statistics.median(walls), 5),
        "agree": not code or exact == (known or described(tools, path, data)["targets"]),
    }


@cache
def known_targets() -> dict[tuple[str, int], dict[str, list[str]]]:
    """What the golden list says, by a library's name and size."""
    if not GOLDEN.exists():
        return {}
    rows = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return {(os.path.basename(row["library"]), row["bytes"]): row["targets"] for row in rows}


def lines(document: dict[str, Any]) -> Iterator[str]:
    """The table."""
    rows = document["libraries"]
    width = max(len(Path(row["library"]).name) for row in rows)
    yield f"{'library':{width}} {'MiB':>5} {'cuobjdump':>10} {'ours':>9} {'ratio':>7}"
    for row in rows:
        ratio = row["cuobjdump_s"] / row["ours_s"]
        yield (
            f"{Path(row['library']).name:{width}} {row['mib']:5} {row['cuobjdump_s']:8.3f} s "
            f"{1000 * row['ours_s']:6.1f} ms {ratio:6.0f}x" + ("" if row["agree"] else "  DIFFERS")
        )
    large = [row for row in rows if row["cuobjdump_s"] >= LARGE_S]
    slow = ", ".join(document["slow"]) or "none"
    yield f"of {len(large)} above {LARGE_S:g} s, below {TIMES} times: {slow}"
    yield f"all: {document['cuobjdump_s']} s against {document['ours_s']} s: {document['ratio']}x"


def sha256(path: str) -> str:
    """The SHA-256 of a file, hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def golden(places: list[str], tools: list[str], into: Path) -> int:
    """Write the rows of these wheels into the golden list; those of other wheels stay."""
    rows = json.loads(into.read_text(encoding="utf-8")) if into.exists() else []
    for place in places:
        head = {"wheel": os.path.basename(place), "wheel_sha256": sha256(place)}
        rows = [row for row in rows if row["wheel"] != head["wheel"]]
        for name, path in libraries([place]):
            row = described(tools, path, mapped(path))
            if row["modules"] or head["wheel"].startswith("nvidia_"):
                rows.append({**head, "library": name, **row})
                print(name, *row["targets"]["sass"], *row["targets"]["ptx"], flush=True)
    rows.sort(key=lambda row: (row["wheel"], row["library"]))
    text = ",\n".join(json.dumps(row, sort_keys=True) for row in rows)
    into.parent.mkdir(parents=True, exist_ok=True)
    into.write_text(f"[\n{text}\n]\n", encoding="utf-8")
    return 0


def whole_modules(places: list[str], tools: list[str], into: Path) -> int:
    """Write the least modules of each kind, form and answer of these places."""
    found: dict[tuple[object, ...], dict[str, Any]] = {}
    for name, path in libraries(places):
        for row, raw in small(tools, mapped(path), MOST_SMALL):
            text = base64.b64encode(raw).decode()
            known = found.setdefault(tuple(row.values()), {**row, "library": name, "entry": text})
            if len(text) < len(known["entry"]):
                known.update(row, library=name, entry=text)
    rows = sorted(found.values(), key=lambda row: (row["kind"], row["form"], row["arch"]))
    text = ",\n".join(json.dumps(row, sort_keys=True) for row in rows)
    into.write_text(f"[\n{text}\n]\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
