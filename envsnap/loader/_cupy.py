"""What CuPy opens out of wheels and folders of its own, before modules of its own ask for it.

CuPy 12 and 13 (`cupy/_environment.py`) open cuTENSOR as `cupy` is imported, and NCCL and cuDNN as
`cupy.cuda.nccl` and `cupy.cuda.cudnn` are: out of a wheel that is new enough, else out of the
folder that `cupyx.tools.install_library` fills, else by the full name that CuPy was built with.
`cupy/.data/_wheel.json` says which.
CuPy 14 (`cupy_backends/cuda/libs/__init__.py`) has NVIDIA's cuda-pathfinder open what a module of
its own needs, which takes the wheels' libraries before those that the linker would find.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from envsnap.facts import library_families
from envsnap.loader._place import Place
from envsnap.manifest import canonical_name

_LIBS = "cupy_backends/cuda/libs"
_DEEPEST = 8
_MODULE = re.compile(r"/cupy_backends/cuda/libs/(\w{1,40})\.")
_ASKED = re.compile(r"""_preload_library\(\s*["'](\w{1,40})["']""")
_FUNCTION = r"def _get_{}_from_wheel\("
_FUNCTION_CHARACTERS = 1500
_WHEEL = re.compile(r"""_find_compatible_wheel\(\s*["']([\w-]{1,60})["']""")
_FILE = re.compile(r"""["']([\w/]{1,80}/lib\w{1,40}\.so)\.\{""")
_DIST_INFO = re.compile(r"(.{1,80})-(\d{1,6}(?:\.\d{1,6}){0,3})\.dist-info\Z")
_PARTS = 3
_MOST_FILES = 32


def before_cupy(place: Place, site: str, path: str) -> None:
    """Open what would have been opened by the time that this module of CuPy's is imported."""
    settings = _settings(place, site)
    if settings:
        module = _MODULE.search(path)
        for file in ("__init__", *([f"cuda/{module[1]}"] if module else [])):
            for name in _ASKED.findall(place.files.text(f"{site}/cupy/{file}.py") or ""):
                _preload(place, site, settings, name)
    if path.startswith(f"{site}/{_LIBS}/"):
        text = place.files.text(f"{site}/{_LIBS}/__init__.py") or ""
        if "pathfinder" in text:
            _of_the_wheels(place, path, _DEEPEST)


def _settings(place: Place, site: str) -> Mapping[str, object]:
    """What the wheel was built with; empty where CuPy opens nothing by it, as of conda's."""
    try:
        found = json.loads(place.files.text(f"{site}/cupy/.data/_wheel.json") or "{}")
    except (ValueError, RecursionError):
        return {}
    is_wheel = isinstance(found, dict) and found.get("packaging") == "pip"
    return found if is_wheel else {}


def _preload(place: Place, site: str, settings: Mapping[str, object], name: str) -> None:
    row, cuda = settings.get(name), settings.get("cuda")
    if not isinstance(row, dict) or not isinstance(cuda, str):
        return
    files = row.get("filenames")
    folder = f"{place.cupy_folder}/{cuda}/{name}/{row.get('version')}"
    wheel = _wheel_of(place, site, name)
    least = str(row.get("min_pypi_version"))
    found = list(_in_a_wheel(place, wheel, cuda.partition(".")[0], least)) if wheel else []
    for file in files[:_MOST_FILES] if isinstance(files, list) else ():
        if not isinstance(file, str) or "/" in file:
            continue
        paths = [*found, *(f"{folder}/{each}/{file}" for each in ("lib", "lib64", "bin"))]
        there = next((each for each in paths if place.files.real(each) is not None), None)
        place.process.open(there or file, found_by="preload", is_optional=True)


def _wheel_of(place: Place, site: str, name: str) -> tuple[str, str] | None:
    """The wheel that CuPy takes a library out of, and the library in it, both without versions."""
    text = place.files.text(f"{site}/cupy/_environment.py") or ""
    start = re.search(_FUNCTION.format(name), text)
    part = text[start.end() : start.end() + _FUNCTION_CHARACTERS] if start else ""
    wheel, file = _WHEEL.search(part), _FILE.search(part)
    return (wheel[1], file[1]) if wheel and file else None


def _in_a_wheel(place: Place, wheel: tuple[str, str], cuda: str, least: str) -> Iterator[str]:
    """The library, where the first wheel of that name for that CUDA is not too old."""
    name, file = wheel
    for entry in place.search_path:
        for found in sorted(place.files.names(entry)):
            told = _DIST_INFO.match(found)
            if told and canonical_name(told[1]) == f"{name}-cu{cuda}":
                if _serves(_numbers(told[2]), _numbers(least)):
                    yield f"{entry}/{file}.{least.partition('.')[0]}"
                return


def _serves(version: tuple[int, ...], least: tuple[int, ...]) -> bool:
    return version[:1] == least[:1] and version >= least


def _numbers(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in re.findall(r"\d{1,6}", version)[:_PARTS]]
    return tuple(numbers + [0] * (_PARTS - len(numbers)))


def _of_the_wheels(place: Place, path: str, depth: int) -> None:
    """Open what a library needs of NVIDIA's, out of the wheels: first what that needs in turn."""
    binary = place.files.binary(path)
    for name in binary.needed if binary is not None and depth else ():
        if library_families.family(name) is None:
            continue
        for found in _in_wheels(place, name):
            real = place.files.real(found)
            if real is not None:
                _of_the_wheels(place, real, depth - 1)
            place.process.open(found, found_by="preload")
            break


def _in_wheels(place: Place, name: str) -> Iterator[str]:
    for entry in place.search_path:
        for folder in sorted(place.files.names(f"{entry}/nvidia")):
            if place.files.has(f"{entry}/nvidia/{folder}/lib", name):
                yield f"{entry}/nvidia/{folder}/lib/{name}"
