"""A build backend of the standard library alone, copied into the small projects of make.py.

`about.json` beside it says what the project is. It builds wheels, sdists and editable wheels of
both kinds (a .pth file, or a finder), so that no test needs another backend from an index.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from typing import Any

Settings = object
_FINDER = """import importlib.abc, importlib.util, sys
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name != {module!r}:
            return None
        return importlib.util.spec_from_file_location(
            name, {init!r}, submodule_search_locations=[{folder!r}])
def install():
    sys.meta_path.append(Finder())
"""


def _about() -> dict[str, Any]:
    with open("about.json", encoding="utf-8") as file:
        loaded: dict[str, Any] = json.load(file)
        return loaded


def _stem(about: Mapping[str, Any]) -> str:
    return "{}-{}".format(about["name"].replace("-", "_"), about["version"])


def _tag(about: Mapping[str, Any]) -> str:
    own = "cp{}{}".format(*sys.version_info[:2])
    return str(about.get("tag", "py3-none-any")).replace("OWN", own)


def metadata(about: Mapping[str, Any]) -> str:
    return "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".format(**about)


def wheel_files(about: Mapping[str, Any], sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """Everything a wheel holds but its RECORD: path to content."""
    stem = _stem(about)
    info = f"{stem}.dist-info"
    pure = "true" if _tag(about).endswith("-any") else "false"
    wheel = f"Wheel-Version: 1.0\nGenerator: torture\nRoot-Is-Purelib: {pure}\nTag: {_tag(about)}\n"
    files = dict(sources)
    files[f"{info}/METADATA"] = metadata(about).encode()
    files[f"{info}/WHEEL"] = wheel.encode()
    if about.get("entry_points"):
        lines = "".join(f"{name} = {call}\n" for name, call in about["entry_points"].items())
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{lines}".encode()
    for place, text in about.get("data", {}).items():  # scripts/x, data/share/y, headers/z.h
        files[f"{stem}.data/{place}"] = text.encode()
    return files


def write_wheel(folder: str, about: Mapping[str, Any], sources: Mapping[str, bytes]) -> str:
    """A wheel in the folder; its file name."""
    files, stem = wheel_files(about, sources), _stem(about)
    rows = []
    for path, content in sorted(files.items()):
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(content)}\n")
    record = f"{stem}.dist-info/RECORD"
    name = f"{stem}-{_tag(about)}.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w", zipfile.ZIP_DEFLATED) as archive:
        rows.append(f"{record},,\n")
        for path, content in [*sorted(files.items()), (record, "".join(rows).encode())]:
            archive.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), content)
    return name


def sources_of(folder: str) -> dict[str, bytes]:
    """The files of the project's packages, by their path in a wheel."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in sorted(names):
            path = os.path.join(place, name)
            if not path.endswith(".pyc"):
                with open(path, "rb") as file:
                    found[os.path.relpath(path, folder)] = file.read()
    return found


def build_wheel(
    wheel_directory: str,
    config_settings: Settings = None,  # noqa: ARG001 - the hooks' own names
    metadata_directory: str | None = None,  # noqa: ARG001
) -> str:
    return write_wheel(wheel_directory, _about(), sources_of("src"))


def build_editable(
    wheel_directory: str,
    config_settings: Settings = None,  # noqa: ARG001 - the hooks' own names
    metadata_directory: str | None = None,  # noqa: ARG001
) -> str:
    about = _about()
    source = os.path.abspath("src")
    module = about["name"].replace("-", "_")
    if about.get("editable") != "finder":
        files = {f"_{module}.pth": f"{source}\n".encode()}
        return write_wheel(wheel_directory, about, files)
    folder = os.path.join(source, module)
    init = os.path.join(folder, "__init__.py")
    finder = _FINDER.format(module=module, init=init, folder=folder)
    name = f"__editable___{module}_finder"
    line = f"import {name}; {name}.install()\n"
    files = {f"__editable__.{module}.pth": line.encode(), f"{name}.py": finder.encode()}
    return write_wheel(wheel_directory, about, files)


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:  # noqa: ARG001
    about = _about()
    stem = _stem(about)
    files = {"PKG-INFO": metadata(about).encode()}
    for name in ("about.json", "backend.py", "pyproject.toml"):
        with open(name, "rb") as file:
            files[name] = file.read()
    files.update({f"src/{path}": content for path, content in sources_of("src").items()})
    name = f"{stem}.tar.gz"
    with tarfile.open(os.path.join(sdist_directory, name), "w:gz") as archive:
        for path, content in sorted(files.items()):
            member = tarfile.TarInfo(f"{stem}/{path}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return name


if __name__ == "__main__":  # in the project's folder: backend.py wheel|sdist FOLDER
    built = build_wheel(sys.argv[2]) if sys.argv[1] == "wheel" else build_sdist(sys.argv[2])
    sys.stdout.write(f"{built}\n")
