"""Makes a conda environment with pip on top, real to the last file, without a channel server.

    python tests/torture/conda.py --python EXE DIR

DIR/channel gets small packages of every kind, `.conda` and `.tar.bz2`; py-rattler solves and
installs them into DIR/env; then the environment's own pip installs wheels of DIR/wheels on top.
What was made is printed as JSON: conda package or distribution to what it is there for.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import csv
import glob
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from importlib import import_module

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from tests.torture.conda_packages import PLACEHOLDER, Link, Made, write

Files = dict[str, bytes | Link]

_NOT_COPIED = frozenset({
    "site-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3", "pydoc_data",
    "ensurepip", "__pycache__",
})  # fmt: skip
_C = 'const char *nativetoy(void) { return "native"; }\n'

CONDA = {
    "python": "an interpreter, copied",
    "pip": "pip, as ensurepip has it; its scripts have the prefix in their first line",
    "puretoy": "a pure library in a .tar.bz2, built by pip in conda-build's folder",
    "nativetoy": "a shared object, a link to it, and a package that loads it",
    "noarchtoy": "noarch: python, with an entry point",
    "datatoy": "no Python at all",
    "prefixtoy": "the prefix in a text and in a binary",
    "pairtoy": "two distributions in one package",
    "overtoy": "overwritten by pip with the same version",
    "replacedtoy": "replaced by pip with a newer version",
}
PIP = {
    "overtoy": "1.0, pip's content over conda's of that version",
    "replacedtoy": "2.0, where conda had 1.0",
    "toptoy": "a wheel of a folder",
}


def main() -> None:
    """Make the environment and say what is in it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="the interpreter to copy")
    parser.add_argument("folder")
    args = parser.parse_args()
    json.dump(make(args.python, os.path.abspath(args.folder)), sys.stdout, indent=2)


def make(python: str, folder: str) -> dict[str, object]:
    """The environment in folder/env, from folder/channel and folder/wheels."""
    interpreter = _asked(python)
    channel, wheels, prefix = (os.path.join(folder, name) for name in ("channel", "wheels", "env"))
    for package in _packages(interpreter):
        write(package, channel)
    os.makedirs(wheels)
    for name, version in (("overtoy", "1.0"), ("replacedtoy", "2.0"), ("toptoy", "1.0")):
        _wheel(name, version, wheels)
    asyncio.run(_install(channel, prefix, os.path.join(folder, "pkgs")))
    subprocess.run(
        [f"{prefix}/bin/python", "-m", "pip", "install", "-q", "--no-index", "--find-links", wheels,
         "--force-reinstall", "--no-deps", "--no-warn-script-location",
         "overtoy==1.0", "replacedtoy==2.0", "toptoy==1.0"],
        check=True, env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )  # fmt: skip
    return {
        "prefix": prefix,
        "python": interpreter["version"],
        "channel": channel,
        "conda": CONDA,
        "pip": PIP,
    }


def _asked(python: str) -> dict[str, str]:
    """The version and folders of an interpreter."""
    code = (
        "import json, sys, sysconfig; print(json.dumps({'version': '%d.%d.%d' % "
        "sys.version_info[:3], 'minor': '%d.%d' % sys.version_info[:2], 'base': sys.base_prefix, "
        "'stdlib': sysconfig.get_path('stdlib'), 'executable': sys.executable}))"
    )
    told = subprocess.run([python, "-I", "-c", code], check=True, capture_output=True).stdout
    found: dict[str, str] = json.loads(told)
    return found


async def _install(channel: str, prefix: str, cache: str) -> None:
    rattler, index = import_module("rattler"), import_module("rattler.index")
    subdir = rattler.Subdir("linux-64")
    os.makedirs(os.path.join(channel, "noarch"), exist_ok=True)
    await index.index_fs(channel, write_zst=False, write_shards=False)
    records = await rattler.solve(
        sources=[rattler.Channel(f"file://{channel}")],
        specs=[rattler.MatchSpec(name) for name in CONDA],
        platforms=[subdir, rattler.Subdir("noarch")],
    )
    await rattler.install(records, prefix, cache_dir=cache, platform=subdir, show_progress=False)


def _packages(interpreter: Mapping[str, str]) -> Iterator[Made]:
    minor = interpreter["minor"]
    site = f"lib/python{minor}/site-packages"
    build = f"py{minor.replace('.', '')}_0"
    python = f"python {minor}.*"
    yield _python(interpreter)
    yield _pip(interpreter, site, build)
    work = {"direct_url.json": b'{"dir_info": {}, "url": "file:///home/builder/bld/puretoy/work"}'}
    yield Made(
        name="puretoy", version="1.0", build=build, suffix=".tar.bz2", depends=[python],
        files=_distribution("puretoy", "1.0", site, more=work),
    )  # fmt: skip
    yield _native(site, build, python)
    points = {"entry_points.txt": b"[console_scripts]\nnoarchtoy = noarchtoy:main\n"}
    yield Made(
        name="noarchtoy", version="0.3", build="pyhd8ed1ab_0", subdir="noarch", noarch="python",
        depends=["python"], entry_points=["noarchtoy = noarchtoy:main"],
        files=_distribution("noarchtoy", "0.3", "site-packages", more=points),
    )  # fmt: skip
    yield Made(
        name="datatoy", version="5.0", build="0", subdir="noarch", noarch="generic",
        suffix=".tar.bz2", files={"share/datatoy/data with a space.txt": b"1 2 3\n"},
    )  # fmt: skip
    yield _prefixed()
    yield Made(
        name="pairtoy", version="1.1", build=build, depends=[python],
        files=_distribution("pair-a", "1.1", site) | _distribution("pair-b", "1.1", site),
    )  # fmt: skip
    for name in ("overtoy", "replacedtoy"):
        yield Made(
            name=name, version="1.0", build=build, depends=[python],
            files=_distribution(name, "1.0", site),
        )  # fmt: skip


def _python(interpreter: Mapping[str, str]) -> Made:
    minor, stdlib = interpreter["minor"], interpreter["stdlib"]
    files: Files = {}
    for folder, names, here in os.walk(stdlib):
        names[:] = sorted(
            each for each in names if each not in _NOT_COPIED and not each.startswith("config-")
        )
        for each in here:
            if each.startswith(("_test", "_ctypes_test", "xxlimited")) and each.endswith(".so"):
                continue
            path = os.path.join(folder, each)
            with open(path, "rb") as file:
                data = file.read()
            inner = os.path.relpath(path, stdlib).replace(os.sep, "/")
            if each.startswith("_sysconfigdata"):
                data = data.replace(interpreter["base"].encode(), PLACEHOLDER.encode())
            files[f"lib/python{minor}/{inner}"] = data
    files[f"bin/python{minor}"] = _relocatable(interpreter["executable"], interpreter["base"])
    for each in glob.glob(f"{interpreter['base']}/lib/libpython{minor}*.so.*"):
        files[f"lib/{os.path.basename(each)}"] = _relocatable(each, interpreter["base"])
    files["bin/python3"] = files["bin/python"] = Link(target=f"python{minor}")
    return Made(
        name="python", version=interpreter["version"], build="h0_0_cpython", files=files,
        executable=frozenset({f"bin/python{minor}"}),
    )  # fmt: skip


def _relocatable(path: str, base: str) -> bytes:
    """A program whose libraries are looked for beside it, wherever that is.

    The way to them is a text in it that ends in a zero byte; the new one is not longer.
    """
    with open(os.path.realpath(path), "rb") as file:
        data = file.read()
    way, beside = f"{base}/lib".encode() + b"\0", b"$ORIGIN/../lib"
    return data.replace(way, beside.ljust(len(way), b"\0")) if len(way) > len(beside) else data


def _pip(interpreter: Mapping[str, str], site: str, build: str) -> Made:
    bundled = os.path.join(interpreter["stdlib"], "ensurepip", "_bundled")
    name = max(each for each in os.listdir(bundled) if each.startswith("pip-"))
    version = name.split("-")[1]
    files: Files = {}
    with zipfile.ZipFile(os.path.join(bundled, name)) as wheel:
        for each in wheel.namelist():
            files[f"{site}/{each}"] = wheel.read(each)
    files[f"{site}/pip-{version}.dist-info/INSTALLER"] = b"conda\n"
    start = f"#!{PLACEHOLDER}/bin/python\nfrom pip._internal.cli.main import main\nmain()\n"
    files["bin/pip"] = start.encode()
    return Made(
        name="pip", version=version, build=build, files=files,
        executable=frozenset({"bin/pip"}), depends=[f"python {interpreter['minor']}.*"],
    )  # fmt: skip


def _native(site: str, build: str, python: str) -> Made:
    code = (
        b"import ctypes, sys\nCALL = ctypes.CDLL(sys.prefix + '/lib/libnativetoy.so').nativetoy\n"
    )
    files = _distribution("nativetoy", "2.1", site, code=code)
    files["lib/libnativetoy.so.1"] = _shared_object()
    files["lib/libnativetoy.so"] = Link(target="libnativetoy.so.1")
    return Made(name="nativetoy", version="2.1", build=build, depends=[python], files=files)


def _shared_object() -> bytes:
    compiler = shutil.which("cc")
    if compiler is None:
        raise SystemExit("A C compiler (cc) makes the package with the shared object")
    with tempfile.TemporaryDirectory() as folder:
        target = os.path.join(folder, "nativetoy.so")
        argv = [compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", target]
        subprocess.run(argv, input=_C.encode(), check=True)
        with open(target, "rb") as file:
            return file.read()


def _prefixed() -> Made:
    text = f"#!/bin/sh\necho {PLACEHOLDER}/share\n# {PLACEHOLDER} twice\n"
    binary = b"\x7fTOY\0" + f"{PLACEHOLDER}/share/prefixtoy".encode() + b"\0\0\1\2" * 40
    twice = f"{PLACEHOLDER}/a:{PLACEHOLDER}/b".encode() + b"\0tail\0"
    return Made(
        name="prefixtoy", version="1.2", build="h1234567_3", suffix=".tar.bz2",
        files={
            "bin/prefixtoy": text.encode(),
            "lib/pkgconfig/prefixtoy.pc": f"prefix={PLACEHOLDER}\n".encode(),
            "lib/prefixtoy.bin": binary + twice,
        },
        executable=frozenset({"bin/prefixtoy"}),
    )  # fmt: skip


def _distribution(
    name: str, version: str, site: str, *, code: bytes | None = None,
    more: Mapping[str, bytes] | None = None,
) -> Files:  # fmt: skip
    """A module and its dist-info, as conda-build leaves them."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    plain = {
        f"{module}/__init__.py": code or f"def main():\n    print('{name} of conda')\n".encode(),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/INSTALLER": b"conda\n",
        **{f"{info}/{each}": data for each, data in (more or {}).items()},
    }
    plain[f"{info}/RECORD"] = _record(plain, f"{info}/RECORD")
    return {f"{site}/{path}": data for path, data in plain.items()}


def _record(files: Mapping[str, bytes], own: str) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for path, data in sorted(files.items()):
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.writerow([path, f"sha256={digest}", len(data)])
    rows.writerow([own, "", ""])
    return text.getvalue().encode()


def _wheel(name: str, version: str, folder: str) -> None:
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": f"def main():\n    print('{name} of pip')\n".encode(),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n".encode(),
    }
    files[f"{info}/RECORD"] = _record(files, f"{info}/RECORD")
    path = os.path.join(folder, f"{name}-{version}-py3-none-any.whl")
    with zipfile.ZipFile(path, "w") as wheel:
        for each, data in files.items():
            wheel.writestr(zipfile.ZipInfo(each), data)


if __name__ == "__main__":
    main()
