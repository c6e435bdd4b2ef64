"""Prove that each of a wheel's two digests is one, whoever installs it and wherever it lands.

Downloads the wheels of wheels.txt, installs them with pip, with uv, below another prefix and for
another Python, and compares every digest with that of the wheel's own zip. Writes what was found
as JSON; the exit status is 1 where two differ. `python bench/wheels.py --help`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from envsnap.inside.content import Stated
from envsnap.inside.outside import of_file
from envsnap.inside.wheel import from_wheel

LARGE_BYTES = 10 * 1024 * 1024
MANY_FILES = 500
PINS = Path(__file__).with_name("wheels.txt")


def main() -> int:
    """Compare, write, and answer 0 where all digests agree."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--pins", default=str(PINS), help="one NAME==VERSION a line")
    parser.add_argument("--wheels", metavar="DIR", help="wheels at hand (default: downloaded)")
    parser.add_argument(
        "--python", metavar="EXE", action="append", default=[],
        help="another Python: all wheels for another patch release, else those for every Python 3",
    )  # fmt: skip
    parser.add_argument("--json", metavar="FILE", default="build/wheels.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheels = sorted(Path(args.wheels or downloaded(args.pins, Path(folder))).glob("*.whl"))
        found = compared(wheels, Path(folder), args.python)
    os.makedirs(os.path.dirname(args.json) or ".", exist_ok=True)
    with open(args.json, "w", encoding="utf-8") as file:
        json.dump(found, file, indent=2, sort_keys=True)
        file.write("\n")
    told = f"{found['equal']} with one answer, {found['elsewhere']} with files elsewhere"
    print(f"{found['wheels']} wheels, {told}. Wrote {args.json}")
    return 0 if found["equal"] == found["wheels"] else 1


def downloaded(pins: str, folder: Path) -> Path:
    """The wheels for this Python, from the index that pip is set to."""
    into = folder / "wheels"
    run(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:",
        "-d", into, "-r", pins)  # fmt: skip
    return into


def run(*command: str | Path) -> None:
    """A command that must end well; it prints only where it does not."""
    ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if ran.returncode:
        sys.exit(f"bench: {' '.join(map(str, command))[:200]}\n{ran.stdout.decode()[-4000:]}")


def compared(wheels: list[Path], folder: Path, pythons: list[str]) -> dict[str, object]:
    """Every wheel with the ways of installing it and whether its digest was one."""
    sites = dict(installed(wheels, folder, pythons))
    same: dict[str, str] = {}
    elsewhere: dict[str, str] = {}
    differing: dict[str, object] = {}
    shapes = Counter[str]()
    for wheel in wheels:
        dist_info = "-".join(wheel.name.split("-")[:2]) + ".dist-info"
        own = from_wheel(str(wheel))
        said = {by: here[dist_info] for by, here in sites.items() if dist_info in here}
        shapes.update(shapes_of(wheel, own))
        digests = {by: both(each) for by, each in said.items()}
        if own.content and all(each == both(own) for each in digests.values()):
            same[wheel.name] = own.content
            elsewhere |= {wheel.name: own.other} if own.other else {}
        else:
            differing[wheel.name] = {**digests, "the wheel": both(own)}
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "wheels": len(wheels),
        "equal": len(same),
        "elsewhere": len(elsewhere),
        "shapes": dict(shapes),
        "ways": {by: len(here) for by, here in sites.items()},
        "content": same,
        "outside": elsewhere,
        "different": differing,
    }


def both(stated: Stated) -> list[object]:
    """Both digests, or why the second is not known, and how many files each is over."""
    why = stated.other_refusal and stated.other_refusal.detail
    return [stated.content, stated.files, stated.other or why, stated.outside]


def installed(
    wheels: list[Path], folder: Path, pythons: list[str]
) -> Iterator[tuple[str, Mapping[str, Stated]]]:
    """Each way of installing, and what each RECORD states then."""
    own = (sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--no-compile")
    plain = folder / "by pip"
    run(sys.executable, "-m", "venv", "--without-pip", plain)
    run(own[0], *own[1:3], "--python", plain / "bin" / "python", *own[3:], *wheels)
    yield "pip", stated(plain)
    other = folder / "deep" / "down" / "prefix"
    run(sys.executable, "-m", "venv", "--without-pip", other)
    run(own[0], *own[1:3], "--python", other / "bin" / "python", *own[3:], *wheels)
    yield "pip, another prefix", stated(other)
    uv = shutil.which("uv", path=os.path.dirname(sys.executable)) or shutil.which("uv")
    if uv is None:
        sys.exit("bench: uv is not installed")
    for python in (sys.executable, *pythons):
        version = subprocess.run(
            [python, "-c", "import platform; print(platform.python_version())"],
            check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip
        is_ours = version.rpartition(".")[0] == platform.python_version().rpartition(".")[0]
        fitting = wheels if is_ours else [each for each in wheels if is_for_all(each)]
        place = folder / f"uv {version}"
        run(uv, "venv", "-q", "--python", python, place)
        run(uv, "pip", "install", "-q", "--python", place / "bin" / "python", "--link-mode=copy",
            "--no-deps", "--no-index", *fitting)  # fmt: skip
        yield f"uv, Python {version}", stated(place)


def is_for_all(wheel: Path) -> bool:
    """Whether the wheel is for every Python 3."""
    return wheel.name.endswith(("-py3-none-any.whl", "-py2.py3-none-any.whl"))


def stated(prefix: Path) -> Mapping[str, Stated]:
    """The digests below a prefix, by the name of the dist-info folder."""
    found = prefix.glob("lib/python*/site-packages/*.dist-info")
    return {each.name: of_file(os.fsencode(each / "RECORD")) for each in found}


def shapes_of(wheel: Path, own: Stated) -> Iterator[str]:
    """What is special about a wheel."""
    import zipfile

    with zipfile.ZipFile(wheel) as file:
        names = [name for name in file.namelist() if not name.endswith("/")]
        size = sum(each.file_size for each in file.infolist())
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    folders = {top for top in tops if any(name.startswith(f"{top}/") for name in names)}
    yield "pure" if wheel.name.endswith("-any.whl") else "binary"
    for part in ("scripts", "data", "headers", "purelib", "platlib"):
        if any(f".data/{part}/" in name for name in names):
            yield part
    if any(name.endswith("entry_points.txt") for name in names):
        yield "entry points"
    if tops and not folders:
        yield "modules alone"
    if any(f"{top}/__init__.py" not in names for top in folders if not top.endswith(".data")):
        yield "namespace"
    if size > LARGE_BYTES:
        yield "over 10 MiB"
    if own.files > MANY_FILES:
        yield "over 500 files"


if __name__ == "__main__":
    raise SystemExit(main())
