"""Finds the Python to make an environment from: the very version, else one of the same minor."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from typing import NamedTuple

from envsnap.engines._command import run
from envsnap.errors import ToolError, UsageError

_ASK_S = 20.0
_QUESTION = """
import json, platform, sys, sysconfig
level = {"alpha": "a", "beta": "b", "candidate": "rc"}.get(sys.version_info[3])
version = "%d.%d.%d" % sys.version_info[:3] + ("%s%d" % (level, sys.version_info[4]) if level else "")
print(json.dumps([
    sys.implementation.name, version, sysconfig.get_config_var("SOABI"),
    getattr(sys, "_base_executable", "") or sys.executable,
]))
"""  # noqa: E501 - a program of its own


class Wanted(NamedTuple):
    """The Python that an environment was captured with."""

    implementation: str
    version: str
    """To the patch: '3.11.9'."""
    soabi: str | None
    """The tag of its extension modules; None where it is not known."""


class Base(NamedTuple):
    """A Python that environments can be made from."""

    executable: str
    """Of the installation, not of a virtual environment."""
    implementation: str
    version: str
    soabi: str | None


def find_python(wanted: Wanted, named: str | None) -> Base:
    """The interpreter of that version to the patch; else the nearest of its minor version.

    Where one is named, no other is taken.

    Raises:
        UsageError: The named one is no Python, or one of another minor version.
        ToolError: None is here; the hint says how to get it.
    """
    if named is not None:
        return _named(named, wanted)
    near: list[Base] = []
    seen: set[str] = set()
    for path in _candidates(wanted.version):
        real = os.path.realpath(path)
        if real in seen or not os.access(path, os.X_OK):
            continue
        seen.add(real)
        found = _ask(path)
        if found is None or not _fits(found, wanted):
            continue
        if found.version == wanted.version:
            return found
        near.append(found)
    if not near:
        raise ToolError(
            f"No Python {wanted.version} is here, and none of its minor version",
            hint=f"Get it: uv python install {wanted.version}; or name one with --python",
        )
    patch = _numbers(wanted.version)
    return min(near, key=lambda each: abs(_numbers(each.version)[2] - patch[2]))


def _named(named: str, wanted: Wanted) -> Base:
    path = os.path.join(named, "bin", "python") if os.path.isdir(named) else named
    found = _ask(shutil.which(path) or path)
    if found is None:
        raise UsageError(f"{named} is no Python that answers", hint="Name one with --python EXE")
    if not _fits(found, wanted):
        raise UsageError(
            f"{named} is {_told(found)}, and the environment is of {_told(wanted)}",
            hint="Leave out --python to have one looked for, or get it: "
            f"uv python install {wanted.version}",
        )
    return found


def _told(found: Base | Wanted) -> str:
    tag = f" ({found.soabi})" if found.soabi else ""
    name = "Python" if found.implementation == "cpython" else found.implementation
    return f"{name} {found.version}{tag}"


def _fits(found: Base, wanted: Wanted) -> bool:
    """Whether extension modules of one load into the other."""
    return (
        found.implementation == wanted.implementation
        and _numbers(found.version)[:2] == _numbers(wanted.version)[:2]
        and (wanted.soabi is None or found.soabi is None or found.soabi == wanted.soabi)
    )


def _numbers(version: str) -> tuple[int, ...]:
    numbers = [
        int("".join(char for char in part if char.isdecimal()) or "0")
        for part in version.replace("a", ".").replace("b", ".").replace("rc", ".").split(".")
    ]
    return (*numbers, 0, 0, 0)[:3]


def _candidates(version: str) -> Iterator[str]:
    """Where it can be: on PATH, with pyenv, with uv; the likeliest first."""
    minor = ".".join(version.split(".")[:2])
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        for name in (f"python{minor}", "python3", "python"):
            yield os.path.join(folder or ".", name)
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    versions = os.path.join(root, "versions")
    names = os.listdir(versions) if os.path.isdir(versions) else []
    for name in sorted(names, key=lambda each: (each != version, each)):
        if name.startswith(f"{minor}."):
            yield os.path.join(versions, name, "bin", f"python{minor}")
    if uv := find_uv():
        for asked in (version, minor):
            argv = [uv, "python", "find", asked, "--system", "--offline", "--no-python-downloads"]
            done = run([*argv, "--no-config"], timeout_s=_ASK_S)
            if done.status == 0 and done.stdout.strip():
                yield done.stdout.strip().splitlines()[0]


def _ask(path: str) -> Base | None:
    """What an interpreter says of itself; None where it does not answer."""
    try:
        done = run([path, "-I", "-S", "-c", _QUESTION], timeout_s=_ASK_S)
        implementation, version, soabi, base = json.loads(done.stdout)
    except (ToolError, ValueError):
        return None
    program = base if os.access(base, os.X_OK) else path
    return Base(program, implementation, version, soabi)


def find_uv() -> str | None:
    """The uv beside the interpreter that runs envsnap, else on PATH; None where there is none."""
    beside = os.path.join(os.path.dirname(sys.executable), "uv")
    return beside if os.access(beside, os.X_OK) else shutil.which("uv")
