"""Builds a wheel of one's own source, by its own backend.

Where no backend can run, as without a network, the importable files are packed instead.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from envsnap.engines import run
from envsnap.engines._archives import ZIP_FAULTS
from envsnap.engines._pythons import find_uv
from envsnap.errors import FileError
from envsnap.probes._located import Located
from envsnap.sections import Package
from envsnap.wheelhouse._installed import read
from envsnap.wheelhouse._make import Made, pack
from envsnap.wheelhouse._member import Gathered, Home, Member, is_member_name
from envsnap.wheelhouse._tags import stem_of
from envsnap.wheelhouse._tree import BuildError, Folder, Tree, tree_of

_TIMEOUT_S = 1800.0
_MEMBER_LIMIT_BYTES = 8 * 1024**3
_LIMIT_BYTES = 1024 * 1024
_ALONE = {"UV_OFFLINE": "1", "PIP_NO_INDEX": "1"}
"""What keeps uv and pip from asking anybody."""
_BEGINNING = "315532800"
"""1980, when zip's times begin: backends write it instead of the time of the build."""


def source_of(located: Located) -> str | None:
    """The folder that a distribution was installed from; None where it is not there any more."""
    if located.kind == "egg-link":
        link = read(located.path, _LIMIT_BYTES).decode("utf-8", "surrogateescape")
        lines = [line.strip() for line in link.split("\n")]
        folder = os.path.normpath(os.path.join(lines[0], "".join(lines[1:2])))
        return folder if os.path.isdir(folder) else None
    try:
        tree = json.loads(read(f"{located.path}/direct_url.json", _LIMIT_BYTES))
    except (FileError, ValueError, RecursionError):
        return None
    url = tree.get("url") if isinstance(tree, dict) else None
    if not isinstance(url, str) or not url.startswith("file:"):
        return None
    below = tree.get("subdirectory")
    folder = unquote(urlsplit(url).path)
    if isinstance(below, str) and is_member_name(below):
        folder = os.path.join(folder, below)
    return folder if os.path.isdir(folder) else None


def build_own(located: Located, recorded: Package, builder: Builder) -> Made:
    """A wheel of the user's own source as it was recorded, built in a folder of its own.

    Raises:
        BuildError: Its backend could not run, or failed.
        FileError: The source cannot be read.
    """
    source = source_of(located)
    if source is None:
        raise BuildError("the folder that it was installed from is not there any more")
    with tempfile.TemporaryDirectory(prefix="envsnap-build-") as temporary:
        folder = Folder(source, recorded.origin, located.package.origin)
        return build(tree_of(folder, temporary), recorded, builder, temporary)


class Builder(NamedTuple):
    """What a wheel is built for, and where it goes."""

    home: Home
    python: str
    """The interpreter of the environment."""
    folder: str
    offline: bool = False
    """Whether what builds must be here already: nothing is fetched."""


def build(tree: Tree, package: Package, builder: Builder, temporary: str) -> Made:
    """The wheel that the tree's own backend makes, packed again so that its bytes are stable.

    Raises:
        BuildError: It failed.
    """
    out = os.path.join(temporary, "out")
    argv = _command(tree.path, out, builder.python)
    variables = {**_variables(package), **(_ALONE if builder.offline else {})}
    done = run(argv, timeout_s=_TIMEOUT_S, variables=variables)
    wheels = [each for each in _names(out) if each.endswith(".whl")]
    if done.status != 0 or len(wheels) != 1:
        raise BuildError(f"its backend failed: {reason(done.stderr)}")
    notes = ("built from its source by its own backend", *tree.notes)
    return repack(os.path.join(out, wheels[0]), package, builder, notes)


def reason(said: str) -> str:
    r"""Why a build failed, in the backend's own words: not in those of the tool that ran it.

    >>> reason("a.c:3: error: no b.h\nninja: stopped\nerror: Failed to build `a`\nhint: Look at it")
    'a.c:3: error: no b.h'
    """
    lines = [line.strip() for line in said.splitlines()]
    own = [line for line in lines if line and not _OF_TOOLS.match(line)]
    errors = [line for line in own if _ERROR.search(line)]
    return (errors or own or ["it said nothing"])[-1][:200]


def repack(path: str, package: Package, builder: Builder, notes: Sequence[str]) -> Made:
    """A wheel's own files as a wheel whose bytes depend on them alone.

    Raises:
        BuildError: It is no wheel, or names files outside itself.
    """
    members: list[Member] = []
    total = 0
    try:
        with zipfile.ZipFile(path) as wheel:
            rows = [each for each in wheel.infolist() if not each.is_dir()]
            for row in rows:
                total += row.file_size
                if not is_member_name(row.filename) or total > _MEMBER_LIMIT_BYTES:
                    raise BuildError(f"its wheel has an unusable file: {row.filename[:120]!a}")
                members.append(Member(row.filename, data=wheel.read(row)))
    except (OSError, *ZIP_FAULTS) as error:
        raise BuildError(f"its wheel cannot be read: {error}") from error
    infos = {each.name.split("/")[0] for each in members if each.name.count("/") == 1}
    stems = [each.removesuffix(".dist-info") for each in infos if each.endswith(".dist-info")]
    if len(stems) != 1:
        raise BuildError("its wheel has no dist-info folder of its own")
    signed = tuple(f"{stems[0]}.dist-info/{name}" for name in _OF_RECORD)
    kept = tuple(each for each in members if each.name not in signed)
    version = stems[0].partition("-")[2]
    if version != stem_of(package.name, package.version).partition("-")[2]:
        raise BuildError(f"its source is version {version[:60]} now")
    named = (package.name, package.version)
    return pack(Gathered(stems[0], kept, tuple(notes)), builder.home, builder.folder, named)


_OF_TOOLS = re.compile(
    r"hint: |cause: |error: Failed to build|Building |\[(?:stdout|stderr)\]|[\u00d7\u251c\u2570]|"
    r"error: (?:subprocess|metadata)|note: This|ERROR: Failed|Failed to build"
)
"""Lines of uv and pip, which say that it failed and not why."""
_ERROR = re.compile(r"(?i)\berror\b|\w(?:error|exception)\b")
_OF_RECORD = ("RECORD", "RECORD.jws", "RECORD.p7s")


def _command(source: str, out: str, python: str) -> list[str]:
    uv = find_uv()
    if uv is not None:
        return [uv, "build", "--wheel", "--python", python, "--out-dir", out, source]
    return [python, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", out, source]


def _variables(package: Package) -> Mapping[str, str]:
    """What makes a build repeatable, and lets backends that ask git say what was installed."""
    version = package.version
    return {
        "SOURCE_DATE_EPOCH": _BEGINNING,
        "PYTHONHASHSEED": "0",
        "SETUPTOOLS_SCM_PRETEND_VERSION": version,
        "PDM_BUILD_SCM_VERSION": version,
        "POETRY_DYNAMIC_VERSIONING_BYPASS": version,
    }


def _names(folder: str) -> list[str]:
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []
