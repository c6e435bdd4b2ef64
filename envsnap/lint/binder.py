"""Traps of a folder for repo2docker and BinderHub."""

from __future__ import annotations

import re
from collections.abc import Iterator

from envsnap.lint._binder import PYTHON_FILES, Binder, Configured, dependencies
from envsnap.lint._model import Spot, trap

_PACKS = "jupyterhub/repo2docker buildpacks; tried with 2026.4"
_RUNTIME = re.compile(r"python-(\d+\.\d+)(?:-\d{4}-\d{2}-\d{2})?\Z")
_FOUND = re.compile(r"python\s*=+\s*([\d.]*)")
_NAMED = re.compile(r"(?:[\w.-]+::)?python(?:\s|[=<>!~\[]|\Z)")
_PYTHONS = ("2.7", "3.5", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
_APT = re.compile(r"[a-z0-9][a-z0-9+.-]+(?:=[A-Za-z0-9.+:~-]+)?\Z")
_PARTS = (2, 4, 5)
_CONDA_PIN = re.compile(
    r"(?:\S+::)?[\w.-]+(?:\s*==?\s*|\s+)\d[\w.!+]*(?:[=\s]\S+)?\Z|https?://\S+\Z"
)
_UNPINNED = frozenset({"pip", "nodefaults"})
"""Which pip it is changes none of what is installed from files of exact versions."""
_PINNED = re.compile(r"([A-Za-z0-9][\w.-]*?)\s*(?:\[[^\]]*\])?\s*===?\s*([\w.*+!-]+)")
_OLD_PYTHON = re.compile(r"python\s*[-=]+\s*(?:2\.|3\.[0-6](?![0-9]))")
_SERVER_NEEDS = {"jinja2": "3.0.3", "pyzmq": "24", "tornado": "6.2"}
"""The oldest that jupyter_server 2 runs with, of what it shares with many a user's own code."""
_LOCKS = ("conda-lock.yml", "conda-lock.yaml", "pixi.lock", "uv.lock", "poetry.lock", "pdm.lock")


@trap(
    "R2D001", of="binder", source=_PACKS,
    remedy="Write python-3.11 there; for an exact patch write environment.yml with python=3.11.7",
)  # fmt: skip
def runtime_misread(folder: Binder) -> Iterator[Spot]:
    """runtime.txt takes `python-x.y` of a version that repo2docker has, and nothing finer.

    `python-3.11.7` ends in a ValueError.
    """
    for row in _rows(folder.file("runtime.txt"))[:1]:
        said = row[1].strip()
        if not said.startswith("python"):
            continue
        found = _RUNTIME.match(said)
        if found is None or len(said.split("-")) not in _PARTS:
            yield Spot(row[0], f"{said[:40]!a} is not python-x.y: the build ends here")
        elif found[1] not in _PYTHONS:
            yield Spot(row[0], f"repo2docker has no Python {found[1]}")


@trap(
    "R2D002", stops=True, of="binder", source=_PACKS, remedy="Keep one of them",
)  # fmt: skip
def two_folders(folder: Binder) -> Iterator[Spot]:
    """There are both binder/ and .binder/, which repo2docker refuses."""
    if len(folder.folders) > 1:
        yield Spot(1, "There are both binder/ and .binder/: repo2docker refuses")


@trap(
    "R2D003", of="binder", source=_PACKS,
    remedy="Move it into that folder",
)  # fmt: skip
def file_not_looked_at(folder: Binder) -> Iterator[Spot]:
    """With binder/ there, files of the same kind at the root are not read."""
    covered = folder.environment is not None or "Dockerfile" in folder.read
    for name in folder.ignored:
        hidden = name in PYTHON_FILES and covered
        if name not in folder.read and not hidden and name not in {"setup.py", "pyproject.toml"}:
            yield Spot(1, f"{name} at the root is not read: {folder.folders[0]}/ is there")


@trap(
    "R2D004", of="binder", source=_PACKS,
    remedy="Name the packages below `- pip:` in environment.yml, or install them in postBuild",
)  # fmt: skip
def hidden_by_environment(folder: Binder) -> Iterator[Spot]:
    """environment.yml makes repo2docker ignore requirements.txt and runtime.txt."""
    environment = folder.environment
    if environment is None:
        return
    taken = any("requirements.txt" in row.text for row in environment.rows)
    built = folder.file("postBuild")
    taken = taken or any("requirements.txt" in text for _, text in _rows(built))
    for name in ("requirements.txt", "runtime.txt"):
        if name in folder.read and not (taken and name == "requirements.txt"):
            yield Spot(1, f"{name} is not read: {environment.path} is there")


@trap(
    "R2D005", of="binder", source="jupyterhub/repo2docker buildpacks/base.py; tried",
    remedy="Write one package name to a line, with nothing but its version behind it",
)  # fmt: skip
def shell_in_apt(folder: Binder) -> Iterator[Spot]:
    """A line of apt.txt that is no package name reaches a shell of the build, as root."""
    for line, text in _rows(folder.file("apt.txt")):
        if not _APT.match(text.strip()):
            yield Spot(line, f"{text.strip()[:40]!a} is no package name")


@trap(
    "R2D006", of="binder", source=_PACKS,
    remedy="Remove it, or take the Dockerfile alone and say so",
)  # fmt: skip
def hidden_by_dockerfile(folder: Binder) -> Iterator[Spot]:
    """A Dockerfile makes repo2docker ignore every other file."""
    if "Dockerfile" not in folder.read:
        return
    others = sorted(name for name in folder.read if name not in {"Dockerfile", "pyproject.toml"})
    if others:
        shown = ", ".join(others)
        yield Spot(1, f"{folder.read['Dockerfile'].path} hides all others: {shown}")


@trap(
    "R2D007", of="binder", source="jupyterhub/repo2docker buildpacks/conda; tried",
    remedy="Write python=3.11.7 exactly so: no channel before it, no range behind it",
)  # fmt: skip
def python_not_found(folder: Binder) -> Iterator[Spot]:
    """A Python in environment.yml that repo2docker's search does not find falls to its default."""
    environment = folder.environment
    conda = dependencies(environment)[0] if environment else ()
    named = [row for row in conda if _NAMED.match(row.text)]
    for row in named:
        found = _FOUND.match(row.text)
        if found is None or not found[1]:
            yield Spot(row.line, f"{row.text[:40]!a} is not found: repo2docker takes its default")
    if environment is not None and not named:
        yield Spot(1, f"{environment.path} names no Python: repo2docker takes its default")


@trap(
    "R2D008", of="binder", source=_PACKS,
    remedy="Write environment.yml with python=X.Y.Z",
)  # fmt: skip
def python_that_moves(folder: Binder) -> Iterator[Spot]:
    """Without an exact Python the image gets the patch that repo2docker's own lock has today."""
    if folder.environment is not None or "Dockerfile" in folder.read:
        return
    if "runtime.txt" in folder.read:
        yield Spot(1, "runtime.txt leaves the patch of Python to repo2docker's version")
    elif "requirements.txt" in folder.read or "postBuild" in folder.read:
        yield Spot(1, "Nothing names a Python: repo2docker's default will change")


@trap(
    "R2D009", of="environment", source=f"{_PACKS}; conda documentation, match specifications",
    remedy="Pin each: with == and its --hash for pip, with name=version for conda; or install a "
    "lock in postBuild",
)  # fmt: skip
def requirement_that_moves(folder: Binder) -> Iterator[Spot]:
    """A requirement without its version is another one at every build."""
    for row in dependencies(folder.environment)[0] if folder.environment else ():
        if row.text not in _UNPINNED and not _CONDA_PIN.match(row.text):
            yield Spot(row.line, f"{row.text[:40]!a} names no exact version")
    for line, text in _requirements(folder):
        said = text.strip()
        if said.startswith(("-", ".", "#", "file:")) or said.endswith(":"):
            continue
        if "==" not in said and "#sha256=" not in said and "--hash" not in said:
            yield Spot(line, f"{said.partition(' ')[0][:40]!a} has no ==")


@trap(
    "R2D014", of="binder",
    source="jupyterhub/repo2docker buildpacks/python; jupyter_server 2.21 on PyPI, seen 2026-11-21",
    remedy="Take a version that the server can use, or make an environment of its own in postBuild",
)  # fmt: skip
def server_replaced(folder: Binder) -> Iterator[Spot]:
    """A requirement puts a package of the Jupyter server back to a version it cannot use.

    repo2docker installs into the very environment that the server runs in, from Python 3.7 on.
    """
    if "Dockerfile" in folder.read or _has_kernel_apart(folder):
        return
    for line, text in _requirements(folder):
        found = _PINNED.match(text.strip())
        name = found[1].lower() if found else ""
        if found and name in _SERVER_NEEDS and _is_below(found[2], _SERVER_NEEDS[name]):
            said = f"{name}=={found[2][:40]}"
            yield Spot(line, f"The Jupyter server needs {name} {_SERVER_NEEDS[name]}, not {said}")


def _has_kernel_apart(folder: Binder) -> bool:
    """Whether the Python is so old that repo2docker keeps it apart from the server's."""
    rows = dependencies(folder.environment)[0] if folder.environment else ()
    said = [text for _, text in _rows(folder.file("runtime.txt"))] + [row.text for row in rows]
    return any(_OLD_PYTHON.match(each.strip()) for each in said)


def _is_below(version: str, floor: str) -> bool:
    """Whether a version, its last part perhaps a star, is older than another."""
    from packaging.version import InvalidVersion, Version

    needed = Version(floor)
    try:
        given = Version(version.removesuffix(".*"))
    except InvalidVersion:
        return False
    if version.endswith(".*"):
        return given.release < needed.release[: len(given.release)]
    return given < needed


@trap(
    "R2D010", of="binder", source="jupyterhub/repo2docker buildpacks/python; tried",
    remedy="Name it from the repository's root",
)  # fmt: skip
def path_from_the_root(folder: Binder) -> Iterator[Spot]:
    """A path in requirements.txt counts from the repository's root, not from binder/."""
    if not folder.folders:
        return
    for line, text in _rows(folder.file("requirements.txt")):
        found = re.match(r"(?:-[rc]\s+|--(?:requirement|constraint)[ =])(\S+)|(\./\S+)", text)
        name = (found[1] or found[2]) if found else None
        if name and not folder.beside.has(name):
            yield Spot(line, f"{name[:40]!a} is not at the repository's root")


@trap(
    "R2D011", of="binder", source="jupyterhub/repo2docker documentation, start",
    remedy='End it with: exec "$@"',
)  # fmt: skip
def start_that_does_not_go_on(folder: Binder) -> Iterator[Spot]:
    """`start` takes the place of the image's entry point: what it does not exec never runs."""
    start = folder.file("start")
    if start is not None and not any('exec "$@"' in row.text for row in start.rows):
        yield Spot(1, 'start does not end in exec "$@": nothing is started')


@trap(
    "R2D012", of="binder", source="jupyterhub/repo2docker app.py base_image",
    remedy="Name the package alone",
)  # fmt: skip
def version_of_another_system(folder: Binder) -> Iterator[Spot]:
    """A version in apt.txt is one of Ubuntu's archive at that day: it is replaced within weeks."""
    for line, text in _rows(folder.file("apt.txt")):
        if _APT.match(text.strip()) and "=" in text:
            yield Spot(line, f"{text.strip()[:60]} may be gone from Ubuntu's archive")


@trap(
    "R2D013", of="binder", source="jupyterhub/repo2docker issue 1312",
    remedy="Write environment.yml and postBuild from it: envsnap build --repo2docker",
)  # fmt: skip
def lock_not_read(folder: Binder) -> Iterator[Spot]:
    """repo2docker reads no lock file of conda, pixi, uv, Poetry or PDM."""
    place = folder.folders[0] if folder.folders else ""
    known = {"environment.yml", "environment.yaml", "requirements.txt", "postBuild", "Dockerfile"}
    for name in _LOCKS:
        if folder.beside.has(f"{place}/{name}".lstrip("/")) and not known & set(folder.read):
            yield Spot(1, f"{name} is not read")


def _requirements(folder: Binder) -> list[tuple[int, str]]:
    """What pip installs: the lines of environment.yml below `pip:`, else of requirements.txt."""
    if folder.environment is not None:
        return [(row.line, row.text) for row in dependencies(folder.environment)[1]]
    return _rows(folder.file("requirements.txt"))


def _rows(file: Configured | None) -> list[tuple[int, str]]:
    return [(row.line, row.text) for row in file.rows] if file is not None else []
