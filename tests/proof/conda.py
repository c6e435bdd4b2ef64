"""A conda environment in a hand-made image, as rattler leaves it: prefix written, conda-meta."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from envsnap.manifest import Manifest
from envsnap.sections import CondaArtifact, CondaRecord, Packages, replace
from tests import made
from tests.inside.rows import by_the_definition, row
from tests.proof.images import Layer, Link, own_files

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX = "/opt/env"
SITE = "lib/python3.11/site-packages"
PLACEHOLDER = "/opt/" + "placehold_" * 25
PROGRAM = """\
#!/opt/env/bin/python3.11
# -*- coding: utf-8 -*-
import re
import sys

from {module} import main

if __name__ == '__main__':
	sys.argv[0] = re.sub(r'(-script\\.pyw?|\\.exe)?$', '', sys.argv[0])
	sys.exit(main())
"""

Files = Mapping[str, "bytes | Link"]


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def installed(data: bytes) -> bytes:
    """A file of an archive with the prefix written into it, as every installer does."""
    theirs, ours = PLACEHOLDER.encode(), PREFIX.encode()
    if b"\0" not in data:
        return data.replace(theirs, ours)
    texts = data.split(b"\0")
    made_ = [each.replace(theirs, ours).ljust(len(each), b"\0") for each in texts[:-1]]
    return b"\0".join([*made_, texts[-1]])


def digest(files: Files) -> str:
    """envsnap-conda-1 of an archive's files, by its definition."""
    return hashlib.sha256(b"".join(sorted(lines(files)))).hexdigest()


def lines(files: Files) -> list[bytes]:
    """The lines that the digest is over."""
    found = []
    for path, data in files.items():
        kind = "link" if isinstance(data, Link) else "file"
        whole = _whole(files, path)
        has_prefix = kind == "file" and PLACEHOLDER.encode() in whole
        mode = "binary" if b"\0" in whole else "text"
        said = (mode, PLACEHOLDER) if has_prefix else ("", "")
        found.append("\0".join((path, kind, sha(whole), *said)).encode() + b"\n")
    return found


def _whole(files: Files, path: str) -> bytes:
    """A file, or that which a link leads to."""
    data = files[path]
    whole = files[_target(path, data)] if isinstance(data, Link) else data
    assert isinstance(whole, bytes)
    return whole


def package(
    name: str, files: Files, version: str = "1.0", more: Sequence[Mapping[str, object]] = ()
) -> Layer:
    """A package's files in an image, and conda's record of it."""
    rows = [*more]
    placed: dict[str, bytes | Link] = {}
    for path, data in files.items():
        whole = _whole(files, path)
        each: dict[str, object] = {"_path": path, "sha256": sha(whole), "size_in_bytes": len(whole)}
        each["path_type"] = "softlink" if isinstance(data, Link) else "hardlink"
        if isinstance(data, bytes) and PLACEHOLDER.encode() in data:
            mode = "binary" if b"\0" in data else "text"
            each |= {"prefix_placeholder": PLACEHOLDER, "file_mode": mode}
            each["sha256_in_prefix"] = sha(installed(data))
        rows.append(each)
        placed[f"{PREFIX}/{path}"] = data if isinstance(data, Link) else installed(data)
    record = {
        "name": name, "version": version, "build": "0", "sha256": "a" * 64,
        "files": [each["_path"] for each in rows],
        "paths_data": {"paths": rows, "paths_version": 1},
    }  # fmt: skip
    meta = f"{PREFIX}/conda-meta/{name}-{version}-0.json"
    return {**placed, meta: json.dumps(record).encode()}


def _target(path: str, link: Link) -> str:
    return f"{path.rpartition('/')[0]}/{link.target}"


def distribution(name: str, version: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """A distribution below site-packages as a package's archive has it."""
    info = f"{name}-{version}.dist-info"
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n"
    whole = {**files, f"{info}/METADATA": text.encode(), f"{info}/INSTALLER": b"conda\n"}
    record = "".join(row(path, data) for path, data in whole.items()) + f"{info}/RECORD,,\n"
    whole[f"{info}/RECORD"] = record.encode()
    return {f"{SITE}/{path}": data for path, data in whole.items()}


def record(
    name: str, files: Files, changes: Mapping[str, object], version: str = "1.0"
) -> CondaRecord:
    """What a capture keeps of it."""
    found = CondaRecord(
        name=name, version=version, build="0", channel="conda-forge", subdir="linux-64",
        url=None, md5=None, sha256="a" * 64, content=digest(files),
    )  # fmt: skip
    return replace(found, **changes)


PYTHON: Files = {
    "bin/python3.11": b"\x7fELF\0" + f"{PLACEHOLDER}/lib:{PLACEHOLDER}".encode() + b"\0\0\1\0end",
    "bin/python": Link("python3.11"),
    "lib/python3.11/os.py": b"import abc\n",
    "lib/libz.so.1": b"\x7fELF z",
    "lib/libz.so": Link("libz.so.1"),
    "etc/where.cfg": f"root={PLACEHOLDER}/etc\n# {PLACEHOLDER}\n".encode(),
}
TOY: Files = {
    **distribution(
        "toy",
        "1.0",
        {
            "toy/__init__.py": b"def main(): ...\n",
            "toy-1.0.dist-info/entry_points.txt": b"[console_scripts]\ntoy = toy:main\n",
        },
    ),
    "share/toy.txt": b"toy\n",
}
TOY_PROGRAM = [{
    "_path": "bin/toy", "path_type": "unix_python_entry_point",
    "sha256": sha(PROGRAM.format(module="toy").encode()),
}]  # fmt: skip
BARE: Files = {path: data for path, data in TOY.items() if "entry_points" not in path}
"""A package whose archive names its program in info/link.json alone."""
OVER: Files = distribution("over", "1.0", {"over/__init__.py": b"'conda'\n"})
PIP = distribution("over", "2.0", {"over/__init__.py": b"'pip'\n"})

OVER_LEFT = {path: data for path, data in package("over", OVER).items() if "conda-meta" in path}
"""What pip leaves of a package in whose place it puts its own: conda's record of it."""
CONDA: Layer = {
    **package("python", PYTHON, "3.11.7"),
    **package("toy", TOY, more=TOY_PROGRAM),
    f"{PREFIX}/bin/toy": PROGRAM.format(module="toy").encode(),
    f"{PREFIX}/conda-meta/history": b"==> today <==\n",
    f"{PREFIX}/CACHEDIR.TAG": b"Signature: 8a477f597d28d172789f06886806bc55",
    **OVER_LEFT,
    **{f"{PREFIX}/{path}": data for path, data in PIP.items()},
}


def manifest(
    *, content: bool = True, more: tuple[CondaRecord, ...] = (), toy: Files = TOY,
    python: str | None = None, only: bool = False,
) -> Manifest:  # fmt: skip
    """Two packages of conda's, and one that pip has put in the place of conda's.

    `only` has no packages but `more`; `python` is another digest of Python's.
    """
    changes: dict[str, object] = {} if content else {"content": None}
    of_python = changes if python is None else {"content": python}
    installed_ = (
        made.package("over", "2.0", content=_of_wheel(PIP, "over")),
        made.package(
            "toy", "1.0", content=_of_wheel(toy, "toy"), conda=record("toy", toy, changes)
        ),
    )
    alone = (record("over", OVER, changes), record("python", PYTHON, of_python, "3.11.7"))
    if only:
        return made.manifest((), (), packages=Packages(installed=(), conda_only=more, broken=()))
    artifacts = (made.artifact("over", "2.0", "over-2.0-py3-none-any.whl"),)
    packages = Packages(installed=installed_, conda_only=(*more, *alone), broken=())
    return made.manifest((), artifacts, packages=packages)


def made_again(name: str, files: Files) -> CondaArtifact:
    """The archive of a package as a wheelhouse made it from what was installed."""
    return CondaArtifact(
        name=name, version="1.0", build="0", subdir="linux-64", filename=f"{name}-1.0-0.tar.bz2",
        url=None, sha256="a" * 64, md5=None, size=1, how="made", content=digest(files),
    )  # fmt: skip


def _of_wheel(files: Files, name: str) -> str:
    inner = {path.removeprefix(f"{SITE}/"): data for path, data in files.items() if SITE in path}
    left = {f"{name}-1.0.dist-info", f"{name}-2.0.dist-info"}
    own = {f"{each}/{last}" for each in left for last in ("RECORD", "INSTALLER")}
    return by_the_definition(
        {path: data for path, data in inner.items() if isinstance(data, bytes) and path not in own}
    )


def layers(wanted: Manifest | None = None, conda: Layer = CONDA) -> tuple[Layer, ...]:
    """A base, the environment, and the small last layer."""
    return ({"/etc/os-release": b"ID=debian\n"}, conda, own_files(wanted or manifest()))
