"""Makes a native environment: a venv of one Python, filled with files that were checked before.

No index is asked, no dependency resolved, and no source built: every file is named by its hash.
uv installs where it is, else pip. What neither takes is unpacked by our own code.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from envsnap.engines._command import Done, run
from envsnap.engines._pythons import Base, Wanted, find_python, find_uv
from envsnap.engines._unpack import Schemes, unpack
from envsnap.errors import ToolError

_MAKE_S = 120.0
_INSTALL_S = 7200.0
_UV_OLDEST = (3, 8)
_TAIL_LINES = 6
_OF_VENV = ("venv", "'venv'", "ensurepip", "'ensurepip'")
_SCHEMES = """
import json, sys, sysconfig
paths = sysconfig.get_paths()
print(json.dumps([sys.prefix, paths["purelib"], paths["platlib"], sys.executable]))
"""
_PIP = """
import glob, importlib.util, os
found = importlib.util.find_spec("pip")
if found is not None:
    print(os.path.dirname(os.path.dirname(found.origin)))
else:
    import ensurepip
    here = os.path.join(os.path.dirname(ensurepip.__file__), "_bundled", "pip-*.whl")
    print((glob.glob(here) + [""])[0])
"""


class File(NamedTuple):
    """One file that installs one distribution; its bytes were compared with the hash."""

    name: str
    """Canonical."""
    version: str
    path: str
    sha256: str

    @property
    def is_wheel(self) -> bool:
        """Whether it is a wheel; else it is a source archive."""
        return self.path.endswith(".whl")


class Installed(NamedTuple):
    """Who installed the files."""

    installer: str
    """uv, pip, or envsnap where nothing else was needed."""
    unpacked: tuple[str, ...]
    """Distributions that no installer takes."""
    built: tuple[str, ...]
    """Distributions that were built from their source."""


def make_environment(base: Base, folder: str) -> Schemes:
    """A new, empty environment of that Python, without pip; and where its files go.

    Raises:
        ToolError: The interpreter has no venv module, or it did not work.
    """
    done = run(
        [base.executable, "-I", "-m", "venv", "--without-pip", folder],
        timeout_s=_MAKE_S, variables=_plain_python(),
    )  # fmt: skip
    if done.status:
        said = done.stdout + done.stderr
        lacks = any(f"No module named {each}" in said for each in _OF_VENV)
        hint = "Install its module venv (on Debian: apt install python3-venv), or name"
        raise ToolError(
            f"Python {base.version} makes no environment: {_last(done)}",
            hint=f"{hint if lacks else 'Name'} another Python with --python",
        )
    return schemes_of(folder)


def schemes_of(folder: str, *, site: bool = True) -> Schemes:
    """Where the files of an environment go, by its own interpreter's word.

    Without `site`, none of its packages has its say: a virtual environment then tells its base's.

    Raises:
        ToolError: It does not say.
    """
    python = os.path.join(folder, "bin", "python")
    flags = ["-I"] if site else ["-I", "-S"]
    told = run([python, *flags, "-c", _SCHEMES], timeout_s=_MAKE_S, variables=_plain_python())
    if told.status:
        raise ToolError(f"The environment's Python does not start: {_last(told)}")
    return Schemes(*json.loads(told.stdout))


def install(files: Sequence[File], base: Base, into: Schemes, work: str) -> Installed:
    """Install wheels and, after them, source archives; `work` is a folder for what passes by.

    Raises:
        ToolError: The installer refused a file, or there is none.
    """
    wheels = [each for each in files if each.is_wheel]
    usual = [each for each in wheels if _is_usual(each)]
    odd = [each for each in wheels if not _is_usual(each)]
    sources = [each for each in files if not each.is_wheel]
    installer = "envsnap"
    for wave, is_source in ((usual, False), (sources, True)):
        if wave:
            installer = _install(wave, base, into, os.path.join(work, f"wave-{int(is_source)}"))
    for each in odd:
        unpack(each.path, into)
    names = [tuple(each.name for each in wave) for wave in (odd, sources)]
    return Installed(installer, *names)


def _is_usual(file: File) -> bool:
    """Whether installers take the wheel: name, version and file name are as the standards say."""
    from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
    from packaging.version import InvalidVersion, Version

    try:
        name, version, _, _ = parse_wheel_filename(os.path.basename(file.path))
        return name == canonicalize_name(file.name) and version == Version(file.version)
    except (InvalidWheelFilename, InvalidVersion):
        return False


def _install(files: Sequence[File], base: Base, into: Schemes, work: str) -> str:
    """Have uv or pip install exactly these files; who did it."""
    from packaging.utils import canonicalize_name
    from packaging.version import Version

    links = os.path.join(work, "files")
    os.makedirs(links)
    for each in files:
        os.symlink(os.path.abspath(each.path), os.path.join(links, os.path.basename(each.path)))
    wanted = os.path.join(work, "requirements.txt")
    with open(wanted, "w", encoding="utf-8") as file:
        file.writelines(
            f"{canonicalize_name(each.name)}=={Version(each.version)} --hash=sha256:{each.sha256}\n"
            for each in files
        )
    is_source = not files[0].is_wheel
    uv = find_uv() if _minor(base.version) >= _UV_OLDEST else None
    if uv is not None:
        argv, variables = _uv_line(uv, into, work, is_source=is_source), _without("UV_")
    else:
        argv, variables = _pip_line(base, into, is_source=is_source)
    if is_source:  # its tools come from the index that uv and pip are set to
        variables = {name: value for name, value in variables.items() if value is not None}
    argv += ["--find-links", links, "--no-deps", "--require-hashes", "-r", wanted]
    done = run(argv, timeout_s=_INSTALL_S, variables=variables)
    who = "uv" if uv is not None else "pip"
    if done.status:
        raise ToolError(f"{who} did not install the files: {_last(done)}")
    return who


def _uv_line(uv: str, into: Schemes, work: str, *, is_source: bool) -> list[str]:
    closed = [] if is_source else ["--no-index", "--offline", "--no-build", "--no-config"]
    # A cache beside the environment: what is unpacked there becomes the environment by links.
    # Where conda made it, it can have a package of that very version, which pip had overwritten.
    return [
        uv, "pip", "install", "--python", into.python, "--no-progress", "--color", "never",
        "--cache-dir", os.path.join(work, "cache"), "--reinstall", *closed,
    ]  # fmt: skip


def _pip_line(
    base: Base, into: Schemes, *, is_source: bool
) -> tuple[list[str], Mapping[str, str | None]]:
    """The line that starts a pip for the environment, which has none of its own."""
    told = run([base.executable, "-I", "-c", _PIP], timeout_s=_MAKE_S, variables=_plain_python())
    found = told.stdout.strip()
    closed = [] if is_source else ["--isolated", "--no-index", "--only-binary", ":all:"]
    again = "--force-reinstall" if base.executable == into.python else "--ignore-installed"
    options = [
        "install", again, "--no-cache-dir", "--no-compile",
        "--no-warn-script-location", "--disable-pip-version-check", "--no-input", *closed,
    ]  # fmt: skip
    variables = {**_without("PIP_"), **_plain_python(), "PIP_USER": "0"}
    if told.status == 0 and found:
        return [into.python, "-m", "pip", *options], {**variables, "PYTHONPATH": found}
    line = [sys.executable, "-I", "-m", "pip"]
    if run([*line, "--version"], timeout_s=_MAKE_S).status == 0:
        return [*line, "--python", into.python, *options], variables
    raise ToolError(
        "Neither uv nor pip is here to install the files",
        hint="Install envsnap with its extra: uv tool install 'envsnap[lock] @ SOURCE'",
    )


def _minor(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def _without(prefix: str) -> Mapping[str, str | None]:
    """The user's settings of a tool, each to be left out: they could send it elsewhere."""
    return {name: None for name in os.environ if name.startswith(prefix)}


def _plain_python() -> Mapping[str, str | None]:
    """Variables under which a Python sees its own packages and writes nothing beside them."""
    unset = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV", "CONDA_PREFIX")
    return {**dict.fromkeys(unset), "PYTHONNOUSERSITE": "1"}


def _last(done: Done) -> str:
    """What a program said was wrong, in one line."""
    lines = [each.strip() for each in (done.stderr or done.stdout).splitlines() if each.strip()]
    return " ".join(lines[-_TAIL_LINES:])[-600:] or f"it ended with status {done.status}"


__all__ = [
    "Base", "File", "Installed", "Schemes", "Wanted", "find_python", "install", "make_environment",
    "schemes_of",
]  # fmt: skip
