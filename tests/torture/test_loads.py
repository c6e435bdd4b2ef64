"""The loader's answer, held to what the real linker does, on real files and real imports."""

from __future__ import annotations

import glob
import json
import os
import random
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

import pytest

from envsnap.facts import library_families
from envsnap.host import LocalHost
from envsnap.loader import Loader
from envsnap.sections import Unknown

CC = shutil.which("cc") or shutil.which("gcc")
PROMISED = os.environ.get("ENVSNAP_TEST_ENGINES", "") == "1"
"""Where the engine tests run, what bench/environments/system.txt asks of the system is there."""
WATCH = """
import sys

events = []


def watch(name, arguments):
    if name == "import" and arguments[1]:
        events.append(["module", arguments[1]])
    elif name == "ctypes.dlopen" and arguments[0] is not None:
        events.append(["ctypes", str(arguments[0])])


sys.addaudithook(watch)
try:
    exec(sys.argv[1])
    fault = None
except BaseException as error:
    fault = repr(error)
loaded = list(events)
import json

files = [line.split(None, 5)[5].rstrip() for line in open("/proc/self/maps") if "/" in line]
path = [entry for entry in sys.path if entry]
print("@@" + json.dumps([loaded, list(events), sorted(set(files)), path, fault]))
"""
"""Runs a line, and tells what Python opened in its order, and what the process then holds."""

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux's linker"),
    pytest.mark.skipif(sys.version_info < (3, 8), reason="audit hooks are new in 3.8"),
]


class Seen(NamedTuple):
    """What a real process did and held."""

    events: list[list[str]]
    """Before and after the line, all that was opened."""
    files: set[str]
    path: list[str]
    fault: str | None


def watched(python: str, line: str, **environ: str) -> Seen:
    variables = {**os.environ, **environ}
    variables.pop("PYTHONPATH", None)
    ran = subprocess.run(
        [python, "-c", WATCH, line], capture_output=True, text=True, check=True, env=variables,
        timeout=300,
    )  # fmt: skip
    _, events, files, path, fault = json.loads(ran.stdout.rpartition("@@")[2])
    return Seen(events, {file for file in files if is_elf(file)}, path, fault)


def is_elf(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def played(loader: Loader, events: list[list[str]]) -> set[str]:
    """The files that the loader says such a process holds."""
    while True:
        process = loader.start()
        assert not isinstance(process, Unknown), process
        for kind, path in events:
            caller = next((each for each in process.objects if "/_ctypes." in each), None)
            process.open(path, caller=caller if kind == "ctypes" else None)
        if process.is_whole:
            return set(process.objects)
        loader.fetch()


class Shell(LocalHost):
    """This machine, with other variables."""

    def __init__(self, **environ: str) -> None:
        super().__init__()
        self._variables = environ

    def environ(self, name: str) -> str | Unknown | None:
        return self._variables[name] if name in self._variables else super().environ(name)


# --- libraries made for the test -------------------------------------------------------------


class World(NamedTuple):
    """Folders of small libraries that need each other in every way."""

    libraries: list[str]
    environ: dict[str, str]


def made_world(folder: Path, seed: int) -> World:
    """Libraries of the same few names in several folders, each looking elsewhere for its needs."""
    dice = random.Random(seed)  # noqa: S311 - the same worlds each time
    places = [folder / name for name in ("one", "two", "three", "one/glibc-hwcaps/x86-64-v2")]
    for place in places:
        place.mkdir(parents=True)
    names = [f"liba{number}.so.1" for number in range(5)]
    stubs = folder / "stubs"
    stubs.mkdir()
    for name in names:  # what the others are linked against; it is not found at run time
        compiled(stubs / name, soname=name)
    libraries = []
    for number, name in enumerate(names):
        for place in dice.sample(places, dice.randint(1, 3)):
            needs = dice.sample(names[number + 1 :], dice.randint(0, len(names) - number - 1))
            paths = dice.sample(["$ORIGIN", "$ORIGIN/../one", "$ORIGIN/../two", str(places[2])], 2)
            compiled(
                place / name,
                *(str(stubs / need) for need in needs),
                soname=dice.choice([name, name, "", f"lib{number}.so.2"]),
                tags=dice.choice(["--enable-new-dtags", "--disable-new-dtags", ""]),
                rpath=":".join(paths),
            )
            libraries.append(str(place / name))
    if dice.random() < 0.5:
        link = folder / "links" / names[0]
        link.parent.mkdir()
        link.symlink_to(dice.choice([each for each in libraries if names[0] in each]))
        libraries.append(str(link))
    return World(libraries, environ_of(dice, folder, libraries))


def environ_of(dice: random.Random, folder: Path, libraries: list[str]) -> dict[str, str]:
    environ = {}
    if dice.random() < 0.6:
        environ["LD_LIBRARY_PATH"] = dice.choice([f"{folder}/two", f"{folder}/gone:{folder}/one"])
    if dice.random() < 0.3:
        environ["LD_PRELOAD"] = dice.choice([libraries[-1], "liba4.so.1", "libgone.so"])
    return environ


def compiled(target: Path, *needs: str, soname: str, tags: str = "", rpath: str = "") -> None:
    assert CC is not None
    options = ["-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined"]
    options += [f"-Wl,-soname,{soname}"] if soname else []
    options += [f"-Wl,{tags}", f"-Wl,-rpath,{rpath}"] if tags else []
    subprocess.run(
        [CC, "-shared", "-nostdlib", "-x", "c", "/dev/null", "-x", "none", "-o", target, *options,
         *needs],
        check=True, capture_output=True,
    )  # fmt: skip


@pytest.mark.skipif(CC is None, reason="needs a C compiler")
@pytest.mark.parametrize(
    "seed",
    [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 40))],
)
def test_the_loader_loads_what_the_linker_loads(seed: int, tmp_path: Path) -> None:
    world = made_world(Path(os.path.realpath(tmp_path)), seed)
    for library in world.libraries:
        line = f"import ctypes; ctypes.CDLL({library!r})"
        seen = watched(sys.executable, line, **world.environ)
        loader = Loader(Shell(**world.environ), sys.executable)
        if seen.fault is None:
            assert played(loader, seen.events) == seen.files
        else:
            name = seen.fault.partition("OSError('")[2].partition(":")[0]
            found = loader.closure(library)
            assert not isinstance(found, Unknown)
            missing = [need.name for each in found for need in each.needs if need.path is None]
            assert name in missing, (seen.fault, missing)


@pytest.mark.skipif(shutil.which("ldd") is None, reason="needs ldd")
def test_the_loader_says_what_the_linker_s_own_trace_says() -> None:
    folder = sysconfig.get_config_var("DESTSHARED")
    modules = sorted(os.path.realpath(each) for each in glob.glob(f"{folder}/*.so"))
    closures = Loader(Shell(), sys.executable).closures(modules)
    assert not isinstance(closures, Unknown)
    traced = {module: trace(module) for module in modules}
    assert sum(map(len, traced.values())) > len(modules)
    for module, lines in traced.items():
        needs = [need for each in closures[module] for need in each.needs]
        assert lines == {
            name: next(need.path for need in needs if need.name == name) for name in lines
        }


def trace(library: str) -> dict[str, str]:
    """What the linker says it would load for a library that is started like a program."""
    ran = subprocess.run(["ldd", library], capture_output=True, text=True, check=False)
    lines = [line.split() for line in ran.stdout.splitlines() if "=> /" in line]
    return {words[0]: os.path.realpath(words[2]) for words in lines}


# --- modules that are really imported ---------------------------------------------------------


def agrees(python: str, line: str, **environ: str) -> None:
    seen = watched(python, line, **environ)
    assert seen.fault is None
    # cffi opens libraries without an event that could be watched.
    opened = [["module", each] for each in sorted(seen.files) if library_families.is_opened(each)]
    loader = Loader(Shell(**environ), python, path=seen.path)
    assert played(loader, seen.events + opened) == seen.files


PYENV = Path.home() / ".pyenv" / "versions"


@pytest.mark.parametrize("version", ["here", "3.8.18", "3.10.13", "3.12.1", "3.13.0", "system"])
def test_the_standard_library_s_modules_load_as_the_loader_says(version: str) -> None:
    python = {"here": sys.executable, "system": "/usr/bin/python3"}.get(
        version, str(PYENV / version / "bin" / "python")
    )
    if not os.access(python, os.X_OK):
        pytest.skip(f"no Python {version} here")
    agrees(python, "import bz2, ctypes, decimal, hashlib, lzma, math, pyexpat, sqlite3, ssl, zlib")


def test_every_package_of_this_environment_loads_as_the_loader_says() -> None:
    agrees(sys.executable, "import charset_normalizer.md, markupsafe._speedups, hypothesis")


@pytest.fixture(scope="module")
def system_environment(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The environment of bench/environments/system.txt; psycopg2 is built where that can be."""
    folder = tmp_path_factory.mktemp("system") / "env"
    listed = Path(__file__).parents[2] / "bench" / "environments" / "system.txt"
    lines = listed.read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    if not (PROMISED or (CC and shutil.which("pg_config"))):
        wanted = [line for line in wanted if not line.startswith("psycopg2")]
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "-q", "--python", "3.11", folder], check=True)
    python = str(folder / "bin" / "python")
    subprocess.run(
        [*uv, "pip", "install", "-q", "--python", python, "--no-binary", "psycopg2", *wanted],
        check=True,
    )
    return python


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        "import numpy",
        "import scipy.linalg, scipy.sparse.linalg, scipy.optimize, scipy.special",
        "import cv2",
        "import soundfile",
        "import mpi4py; mpi4py.rc.initialize = False; import mpi4py.MPI",
        "import psycopg2",
    ],
)
def test_packages_that_need_the_system_load_as_the_loader_says(
    line: str, system_environment: str
) -> None:
    name = line.removeprefix("import ").partition(";")[0].partition(".")[0]
    found = subprocess.run(
        [system_environment, "-c", line], capture_output=True, text=True, check=False
    )
    if found.returncode and not PROMISED:
        pytest.skip(f"{name} cannot be imported here: {found.stderr.strip()[-80:]}")
    assert found.returncode == 0, found.stderr
    agrees(system_environment, line)


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("line", ["import torch", "import sklearn.cluster, sklearn.svm", "both"])
def test_frameworks_load_as_the_loader_says(line: str, frameworks: str) -> None:
    agrees(frameworks, "import sklearn.cluster, torch" if line == "both" else line)


@pytest.fixture(scope="module")
def frameworks(tmp_path_factory: pytest.TempPathFactory) -> str:
    """scikit-learn, and PyTorch for the CPU where pip's settings lead to it."""
    if not os.access(PYENV / "3.11.7/bin/python", os.X_OK):
        pytest.skip("no Python 3.11.7 of pyenv here")
    folder = tmp_path_factory.mktemp("frameworks") / "env"
    subprocess.run([PYENV / "3.11.7/bin/python", "-m", "venv", folder], check=True)
    python = str(folder / "bin" / "python")
    ask = [python, "-m", "pip", "install", "-q", "torch==2.13.0", "scikit-learn"]
    told = subprocess.run(
        [*ask, "--dry-run", "--report", "-"], capture_output=True, text=True, check=True
    )
    report = json.loads(told.stdout)["install"]
    if not any("%2Bcpu" in each["download_info"]["url"] for each in report):
        pytest.skip("pip would take PyTorch's CUDA build here, of several GB")
    subprocess.run(ask, check=True)
    return python


# --- frameworks for CUDA, which need no GPU to load their libraries ----------------------------

OF_JAX = ("jaxlib==0.10.2", "nvidia-cuda-runtime-cu12", "nvidia-cuda-cupti-cu12")
JAX_LINE = (
    "import jax_plugins.xla_cuda12 as plugin; plugin._load_nvidia_libraries(); "
    "plugin._import_extensions(); import ctypes; ctypes.CDLL(str(plugin._get_library_path()))"
)


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize(
    ("packages", "line", "part"),
    [
        (
            ["cupy-cuda12x==14.2.0", "nvidia-curand-cu12"],
            "import cupy; from cupy_backends.cuda.libs import curand",
            "/cupy_backends/cuda/libs/curand.",
        ),
        (
            ["cupy-cuda12x==13.6.0", "nvidia-nccl-cu12"],
            "import cupy.cuda.nccl",
            "/cupy_backends/cuda/libs/nccl.",
        ),
        (
            [
                "jax-cuda12-pjrt==0.10.2",
                "jax-cuda12-plugin==0.10.2",
                "jax==0.10.2",
                "jaxlib==0.10.2",
                "nvidia-cuda-runtime-cu12",
                "nvidia-cuda-cupti-cu12",
            ],
            JAX_LINE,
            "/xla_cuda_plugin.so",
        ),
    ],
    ids=["cupy 14", "cupy 13", "jax"],
)
def test_a_framework_takes_the_wheels_that_the_loader_says(
    packages: list[str], line: str, part: str, tmp_path: Path
) -> None:
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "-q", "--python", "3.11", tmp_path / "env"], check=True)
    python = str(tmp_path / "env" / "bin" / "python")
    subprocess.run([*uv, "pip", "install", "-q", "--python", python, *packages], check=True)
    seen = watched(python, line)
    assert seen.fault is None
    opened = [os.path.realpath(path) for _, path in seen.events if part in path]
    closures = Loader(Shell(), python, path=seen.path).closures(opened)
    assert not isinstance(closures, Unknown)
    found = {each.path for closure in closures.values() for each in closure}
    of_the_wheels = {file for file in seen.files if "/nvidia/" in file}
    assert of_the_wheels
    assert {file for file in found if "/nvidia/" in file} == of_the_wheels
