"""Build envsnap.pyz: one file that runs on a plain Python 3.10 or newer with nothing installed.

Usage: pyz.py [--installed] FILE

The libraries inside are those of pyz-requirements.txt, by hash; with --installed they are the ones
that this Python has, for a build without network. The same input gives the same bytes.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping

HERE = os.path.dirname(os.path.abspath(__file__))
CHECKOUT = os.path.dirname(HERE)
REQUIREMENTS = os.path.join(HERE, "pyz-requirements.txt")
LIBRARIES = (
    "archspec",
    "distro",
    "jinja2",
    "markupsafe",
    "nvidia-ml-py",
    "packaging",
    "tomli",
)
NOT_LIBRARY = (
    *("../", "/", "bin/"),  # scripts
    *("archspec/cpu/", "archspec/vendor/", "archspec/json/tests/"),  # only its table is used
    "example.py",  # of nvidia-ml-py
)
LEFT_OUT = (".pyc", ".pyi", ".so", ".pyd", ".c", ".typed")
EPOCH = (1980, 1, 1, 0, 0, 0)


def main(arguments: list[str]) -> int:
    """Build the file that the arguments name, and say how large it is."""
    installed = "--installed" in arguments
    names = [argument for argument in arguments if argument != "--installed"]
    if len(names) != 1 or names[0].startswith("-"):
        print("usage: pyz.py [--installed] FILE", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        if not installed:
            fetch(folder)
        entries = dict(program()) | dict(libraries(sys.path if installed else [folder]))
    write(names[0], entries)
    print(f"{names[0]}: {os.path.getsize(names[0]) / 1e6:.1f} MB, {len(entries)} files")
    return 0


def fetch(folder: str) -> None:
    """Put the libraries into the folder, each checked against its hash."""
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-compile"]
    if importlib.util.find_spec("pip") is None:  # in an environment that uv has made
        beside = os.path.join(os.path.dirname(sys.executable), "uv")
        uv = beside if os.path.exists(beside) else "uv"
        pip = [uv, "pip", "install", "--python", sys.executable]
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    command = [*pip, *options, "--target", folder, "--requirement", REQUIREMENTS]
    if subprocess.run(command, check=False).returncode != 0:
        sys.exit("pyz.py: the libraries could not be fetched: see the lines above")


def program() -> Iterator[tuple[str, bytes]]:
    """Give envsnap's own files, with the checkout's templates where a wheel has them."""
    yield "__main__.py", read(os.path.join(HERE, "pyz_main.py"))
    yield "LICENSE", read(os.path.join(CHECKOUT, "LICENSE"))
    for source, target in (("envsnap", "envsnap"), ("templates", "envsnap/templates")):
        top = os.path.join(CHECKOUT, source)
        for folder, folders, files in os.walk(top):
            folders[:] = [name for name in folders if not name.startswith((".", "__"))]
            for name in files:
                path = os.path.join(folder, name)
                if not name.endswith(LEFT_OUT):
                    inside = os.path.relpath(path, top).replace(os.sep, "/")
                    yield f"{target}/{inside}", read(path)


def libraries(folders: list[str]) -> Iterator[tuple[str, bytes]]:
    """Give the libraries' Python files, their data and their licences; compiled parts stay out."""
    for library in LIBRARIES:
        found = next(iter(importlib.metadata.distributions(name=library, path=folders)), None)
        if found is None:
            if library == "tomli":  # Python 3.11 has it as tomllib
                continue
            sys.exit(f"pyz.py: {library} is not installed")
        for path in found.files or ():
            name = inside_zip(str(path).replace(os.sep, "/"))
            if name is not None:
                yield name, read(str(found.locate_file(path)))


def inside_zip(path: str) -> str | None:
    """Where a library's file goes in the zip; None for what a run does not need."""
    if path.startswith(NOT_LIBRARY) or path.endswith(LEFT_OUT):
        return None
    top, _, rest = path.partition("/")
    if not top.endswith(".dist-info"):
        return path
    licence = os.path.basename(path).upper().startswith(("LICEN", "COPYING", "NOTICE", "AUTHORS"))
    return f"licenses/{top.removesuffix('.dist-info')}/{rest}" if licence else None


def read(path: str) -> bytes:
    """Give a file's bytes."""
    with open(path, "rb") as file:
        return file.read()


def header(name: str) -> zipfile.ZipInfo:
    """Give a file's header in the zip, the same whoever builds it and when."""
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system, entry.external_attr = 3, 0o644 << 16
    return entry


def write(path: str, entries: Mapping[str, bytes]) -> None:
    """Write the zip behind a line that starts it, whole or not at all."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as file:
            file.write(b"#!/usr/bin/env python3\n")
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
                for name in sorted(entries):
                    archive.writestr(header(name), entries[name])
        os.chmod(temporary, 0o755)  # noqa: S103 - a program, for everybody who can read it
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
