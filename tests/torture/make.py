"""Make a real environment with an installation of every kind that one interpreter can hold.

    python tests/torture/make.py --python EXE [--offline] [--uv EXE] FOLDER

Everything is made in FOLDER, which must be empty. With --offline nothing is fetched: what would
come from an index is a wheel made here. The answer is JSON on standard output: the environments,
each with its interpreter, the variables that belong to it, and what every package is.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDERS = ("src", "wheels", "sdists", "target", "user", "eggs")
PYPROJECT = """[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
SETUP = """from setuptools import setup
setup(name={name!r}, version={version!r}, packages=[{module!r}], package_dir={{"": "src"}})
"""
FLAT = """[build-system]
requires = ["setuptools>=64"]
build-backend = "setuptools.build_meta"
[project]
name = "{name}"
version = "{version}"
"""
Expected = dict[str, Any]


class Workshop:
    """The folder, the interpreter, and what was made so far."""

    def __init__(self, folder: str, python: str, *, offline: bool, uv: str | None) -> None:
        self.folder = os.path.abspath(folder)
        self.base = os.path.abspath(os.path.expanduser(python))
        self.offline = offline
        self.uv = os.path.abspath(uv) if uv else None
        self.packages: dict[str, Expected] = {}
        self.broken: dict[str, str] = {}
        self.left_out: dict[str, str] = {}
        self.python = self.at("env", "bin", "python")
        words = "import sysconfig, sys; print(sysconfig.get_path('purelib')); print(sys.version)"
        for name in FOLDERS:
            os.makedirs(self.at(name))
        self.run([python, "-m", "venv", self.at("env")])
        told = self.run([self.python, "-c", words]).splitlines()
        self.site, self.version = told[0], told[1].split()[0]

    def at(self, *parts: str) -> str:
        """A path in the folder."""
        return os.path.join(self.folder, *parts)

    def run(self, command: list[str], *, cwd: str | None = None, **variables: str) -> str:
        """A command's output; what it said where it fails."""
        quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_PYTHON_VERSION_WARNING": "1"}
        if self.offline:
            quiet |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "UV_OFFLINE": "1"}
        quiet["PYTHONDONTWRITEBYTECODE"] = "1"  # beside a project's sources it is an untracked file
        environment = {**os.environ, **quiet, "NO_PROXY": "127.0.0.1", **variables}
        environment.pop("PYTHONPATH", None)
        ran = subprocess.run(
            command, cwd=cwd or self.folder, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if ran.returncode:
            message = f"{' '.join(command)}\n{ran.stdout}{ran.stderr}"
            raise SystemExit(message)
        return ran.stdout.strip()

    def pip(self, *words: str, python: str | None = None, **variables: str) -> None:
        """pip install, of what is named and nothing it depends on."""
        found = ["--find-links", self.at("wheels"), "--find-links", self.at("sdists")]
        self.run(
            [python or self.python, "-m", "pip", "install", "--no-deps", *found, *words],
            **variables,
        )

    def project(self, name: str, version: str = "1.0", **about: object) -> str:
        """A small project's folder: one package that knows its version."""
        module = name.replace("-", "_")
        folder = self.at("src", f"{name}-{version}")
        files = {
            "about.json": json.dumps({"name": name, "version": version, **about}),
            "pyproject.toml": PYPROJECT,
            f"src/{module}/__init__.py": f"VERSION = {version!r}\n",
        }
        _write(folder, files)
        shutil.copy(os.path.join(HERE, "backend.py"), folder)
        return folder

    def wheel(self, name: str, version: str = "1.0", **about: object) -> str:
        """A wheel among those that pip finds; its path."""
        return self._built("wheel", self.project(name, version, **about))

    def sdist(self, name: str, version: str = "1.0", **about: object) -> str:
        """A source distribution among those that pip finds; its path."""
        return self._built("sdist", self.project(name, version, **about))

    def _built(self, what: str, project: str) -> str:
        target = self.at(f"{what}s")
        command = [self.python, "backend.py", what, target]
        return os.path.join(target, self.run(command, cwd=project))

    def expect(self, name: str, kind: str, **more: object) -> None:
        """What a capture should say of a package."""
        self.packages[name] = {"kind": kind, "version": "1.0", "evidence": "content"} | more


def _write(folder: str, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


@contextmanager
def _served(folder: str) -> Iterator[str]:
    """The folder, served on the loopback address."""
    handler = functools.partial(_Quiet, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing: standard error is for faults."""


def wheels(shop: Workshop) -> None:
    """Index wheels, pure and binary; a local version; entry points, scripts and data files."""
    shop.wheel("torture-pure")
    shop.wheel("torture-binary", tag="OWN-OWN-manylinux2014_x86_64")
    shop.wheel("torchtext", "0.18.0+cpu")
    shop.wheel("torture-edited")
    scripts = {
        "scripts/torture-script": "#!python\nprint('script')\n",
        "scripts/torture-shell": "#!/bin/sh\necho shell\n",
        "data/share/torture/data.txt": "data\n",
        "headers/torture.h": "#define TORTURE 1\n",
    }
    shop.wheel("torture-full", entry_points={"torture-run": "torture_full:VERSION"}, data=scripts)
    shop.pip("torture-pure", "torture-binary", "torchtext", "torture-edited", "torture-full")
    shop.expect("torture-pure", "index")
    shop.expect("torture-binary", "index")
    shop.expect("torture-full", "index")
    hint = "https://download.pytorch.org/whl/cpu"
    shop.expect("torchtext", "index", version="0.18.0+cpu", index_hint=hint)
    shop.expect("torture-edited", "index")
    with open(os.path.join(shop.site, "torture_edited", "__init__.py"), "a") as file:
        file.write("EDITED = True\n")
    if not shop.offline:
        shop.pip("idna==3.7", "markupsafe==2.1.5")
        shop.expect("idna", "index", version="3.7")
        shop.expect("MarkupSafe", "index", version="2.1.5")


def namespaces(shop: Workshop) -> None:
    """Two distributions that share a package without `__init__.py`."""
    for part in ("one", "two"):
        project = shop.project(f"torture-space-{part}")
        shutil.rmtree(os.path.join(project, "src"))
        _write(project, {f"src/torture_space/{part}.py": ""})
        shop._built("wheel", project)  # noqa: SLF001 - a workshop's own function
        shop.pip(f"torture-space-{part}")
        shop.expect(f"torture-space-{part}", "index")


def sources(shop: Workshop) -> None:
    """Built here: sdists, a folder, a repository's commit; archives by their address."""
    shop.sdist("torture-sdist")
    shop.sdist("torture-compiled", tag="OWN-OWN-linux_x86_64")
    shop.pip("torture-sdist", "torture-compiled")
    shop.expect("torture-sdist", "index")
    shop.expect("torture-compiled", "index", built_here=True)
    shop.pip(shop.project("torture-folder"))
    shop.expect("torture-folder", "directory", git=None)
    file = shop.wheel("torture-file")
    with open(file, "rb") as opened:
        digest = hashlib.sha256(opened.read()).hexdigest()
    shop.pip(f"torture-file @ file://{file}#sha256={digest}")
    shop.expect("torture-file", "archive", evidence="archive", archive_hash=f"sha256={digest}")
    path = shop.wheel("torture-url")
    with open(path, "rb") as opened:
        digest = hashlib.sha256(opened.read()).hexdigest()
    with _served(shop.at("wheels")) as address:
        name = os.path.basename(path)
        url = f"{address.replace('//', '//user:s3cret@')}/{name}#sha256={digest}"
        shop.pip(f"torture-url @ {url}")
    shop.expect("torture-url", "archive", evidence="archive", archive_hash=f"sha256={digest}")
    repository = shop.project("torture-commit")
    commit = _committed(shop, repository)
    shop.pip(f"git+file://{repository}@main#egg=torture-commit")
    shop.expect("torture-commit", "vcs", evidence="vcs", commit=commit, revision="main")


def _committed(shop: Workshop, folder: str) -> str:
    """The folder as a repository with one commit."""
    git = ["git", "-c", "user.name=torture", "-c", "user.email=torture@lab.example"]
    shop.run([*git, "init", "-q", "-b", "main"], cwd=folder)
    shop.run([*git, "add", "."], cwd=folder)
    shop.run([*git, "commit", "-q", "-m", "one"], cwd=folder)
    return shop.run(["git", "rev-parse", "HEAD"], cwd=folder)


def editables(shop: Workshop) -> None:
    """Editable installations of every generation."""
    for kind in ("pth", "finder"):
        name = f"torture-editable-{kind}"
        project = shop.project(name, editable=kind)
        commit = _committed(shop, project)
        changed = kind == "finder"
        if changed:
            _write(project, {"notes.txt": "not committed\n"})
        shop.pip("-e", project)
        state = {"commit": commit, "changed_files": int(changed), "pushed": False}
        shop.expect(name, "editable", git=state, difference=changed)
    if shop.offline:
        reason = "setuptools would have to come from an index"
        shop.left_out |= {"setuptools PEP 660": reason, "setuptools develop": reason}
        return
    for name, files in (
        ("torture-flat", {"torture_flat/__init__.py": ""}),
        ("torture-src", {"src/torture_src/__init__.py": ""}),
    ):
        project = shop.at("src", name)
        _write(project, {"pyproject.toml": FLAT.format(name=name, version="1.0"), **files})
        shop.pip("-e", project)
        shop.expect(name, "editable", git=None)
    develop(shop)


def develop(shop: Workshop) -> None:
    """The oldest generation: `setup.py develop` leaves an egg-link and easy-install.pth."""
    shop.run([shop.python, "-m", "pip", "install", "setuptools<72", "wheel"])
    project = shop.project("torture-develop")
    os.unlink(os.path.join(project, "pyproject.toml"))
    text = SETUP.format(name="torture-develop", version="1.0", module="torture_develop")
    _write(project, {"setup.py": text})
    commit = _committed(shop, project)
    shop.run([shop.python, "setup.py", "-q", "develop", "--no-deps"], cwd=project)
    state = {"commit": commit, "changed_files": 1, "pushed": False}
    shop.expect("torture-develop", "editable", evidence="version", git=state, difference=False)


def layers(shop: Workshop) -> None:
    """A --target folder on PYTHONPATH, with a copy that hides another, and a .pth with eggs."""
    shop.wheel("torture-twice", "1.0")
    shop.wheel("torture-twice", "2.0", entry_points={"torture-twice": "torture_twice:VERSION"})
    shop.pip("torture-twice==1.0")
    shop.pip("--target", shop.at("target"), "torture-twice==2.0")
    shop.expect("torture-twice", "index", version="2.0", layer="pythonpath", hidden=["1.0"])
    _egg(shop, "torture-egg", zipped=False)
    _egg(shop, "torture-zipped", zipped=True)
    lines = f"{shop.at('eggs')}/torture_egg.egg\n{shop.at('eggs')}/torture_zipped.egg\n"
    _write(shop.site, {"torture-eggs.pth": lines})


def _egg(shop: Workshop, name: str, *, zipped: bool) -> None:
    module = name.replace("-", "_")
    path = shop.at("eggs", f"{module}.egg")
    files = {
        "EGG-INFO/PKG-INFO": f"Metadata-Version: 1.0\nName: {name}\nVersion: 1.0\n",
        "EGG-INFO/top_level.txt": f"{module}\n",
        f"{module}/__init__.py": "VERSION = '1.0'\n",
    }
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            for place, text in files.items():
                archive.writestr(zipfile.ZipInfo(place, (2020, 1, 1, 0, 0, 0)), text)
    else:
        _write(path, files)
    shop.expect(name, "unknown", evidence="version", layer="pth")


def oddities(shop: Workshop) -> None:
    """What nobody installs on purpose: broken folders, and versions that are no PEP 440."""
    head = "Metadata-Version: 1.1\nName: torture-debian\nVersion: 1.1build1\n"
    _write(shop.site, {"torture_debian-1.1build1.egg-info": head, "torture_debian.py": ""})
    shop.expect("torture-debian", "unknown", version="1.1build1", evidence="version")
    os.mkdir(os.path.join(shop.site, "torture_empty-1.0.dist-info"))
    _write(shop.site, {"~orture_pure-0.9.dist-info/METADATA": "Name: torture-pure\nVersion: 0.9\n"})
    _write(shop.site, {"torture_corrupt-1.0.dist-info/METADATA": "\0\0\0 no header\n"})
    _write(shop.site, {"torture_file-9.dist-info": "a file in the place of a folder"})
    shop.broken |= {
        "torture_empty-1.0.dist-info": "an empty dist-info folder",
        "~orture_pure-0.9.dist-info": "a removal that was not finished",
        "torture_corrupt-1.0.dist-info": "its metadata names no name and version",
        "torture_file-9.dist-info": "it is no folder",
    }


def without_pip(shop: Workshop) -> None:
    """A package that uv put there."""
    if shop.uv is None:
        shop.left_out["uv"] = "no uv was found; name one with --uv"
        return
    wheel = shop.wheel("torture-uv")
    words = ["pip", "install", "--no-deps", "--no-index", "--find-links", os.path.dirname(wheel)]
    shop.run([shop.uv, *words, "--python", shop.python, "torture-uv"])
    shop.expect("torture-uv", "index", installer="uv", built_here=False)
    words[-1] = os.path.dirname(shop.sdist("torture-uv-sdist"))
    shop.run([shop.uv, *words, "--python", shop.python, "torture-uv-sdist"])
    shop.expect("torture-uv-sdist", "index", installer="uv", built_here=True)


def shared(shop: Workshop) -> Expected:
    """An environment without pip that shares its base's packages and the user's."""
    python = shop.at("shared", "bin", "python")
    flags = ["--without-pip", "--system-site-packages"]
    shop.run([shop.base, "-m", "venv", *flags, shop.at("shared")])
    shop.wheel("torture-user")
    user = {"PYTHONUSERBASE": shop.at("user")}
    shop.pip("--user", "torture-user", python=python, **user)
    told = {"kind": "index", "version": "1.0", "evidence": "content", "layer": "user"}
    packages = {"torture-user": told, "pip": {"layer": "base"}}
    return {"python": python, "variables": user, "packages": packages, "broken": {}}


def bare(shop: Workshop) -> Expected:
    """An environment with nothing in it, not even pip."""
    shop.run([shop.base, "-m", "venv", "--without-pip", shop.at("bare")])
    python = shop.at("bare", "bin", "python")
    return {"python": python, "variables": {}, "packages": {}, "broken": {}}


def make(shop: Workshop) -> Expected:
    """Everything, and what a capture should say of it."""
    for step in (wheels, namespaces, sources, editables, layers, without_pip, oddities):
        step(shop)
    full = {
        "python": shop.python,
        "variables": {"PYTHONPATH": shop.at("target")},
        "packages": shop.packages,
        "broken": shop.broken,
    }
    return {
        "version": shop.version,
        "environments": {"full": full, "shared": shared(shop), "bare": bare(shop)},
        "left_out": shop.left_out,
    }


def main() -> None:
    """Read the words, make it all, print what was made."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--python", required=True, help="the interpreter, CPython 3.8 or newer")
    parser.add_argument("--offline", action="store_true", help="fetch nothing")
    parser.add_argument("--uv", default=shutil.which("uv"), help="uv, for what it installs")
    words = parser.parse_args()
    if os.path.isdir(words.folder) and os.listdir(words.folder):
        parser.error(f"{words.folder} is not empty")
    shop = Workshop(words.folder, words.python, offline=words.offline, uv=words.uv)
    sys.stdout.write(json.dumps(make(shop), indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
