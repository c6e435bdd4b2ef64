"""The interpreter of a folder in which nothing can be started, read from its files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

from envsnap._typing import NamedTuple
from envsnap.host import Host
from envsnap.probes._interpreter import Entry, Interpreter, origin_of
from envsnap.sections import Fact, Reason, Unknown

_USUAL_PREFIXES = (
    "/opt/env", "/opt/venv", "/venv", "/app/.venv", "/.venv", "/opt/conda", "/usr/local", "/usr",
)  # fmt: skip
_FOLDER = r"(python|pypy)(\d+\.\d+)t?\Z"
_PATCHLEVEL = rb'#define\s+PY_VERSION\s+"([0-9][0-9a-z.+]*)"'
_BINARY_LIMIT_BYTES = 16 * 1024 * 1024


class _Home(NamedTuple):
    """Where a Python's library lies."""

    prefix: str
    library: str
    """The folder lib/pythonX.Y."""
    implementation: str
    minor: str


def read_static(host: Host, python: str | None) -> Fact[Interpreter]:
    """What the files say of the interpreter in this folder."""
    prefix = _prefix_of(python) if python else None
    for candidate in (prefix,) if prefix else _USUAL_PREFIXES:
        config = _pyvenv(host, candidate)
        base = _base_prefix(config) if config else candidate
        home = _home(host, base)
        own = _home(host, candidate)
        if home and own:
            return _described(host, own, home, config)
    where = f"at {python}" if python else "in the usual folders"
    return Unknown(Reason.TOOL_MISSING, f"no Python was found {where}")


def own_entries(host: Host, prefix: str) -> tuple[Entry, ...]:
    """An environment's own folders of packages, with what their .pth files name; no code is run."""
    own = _home(host, prefix)
    return () if own is None else tuple(_own(host, own))


def _prefix_of(python: str) -> str:
    path = "/" + python.strip("/")
    return path.rpartition("/bin/")[0] or path if "/bin/" in path else path


def _home(host: Host, prefix: str) -> _Home | None:
    names = host.list(f"{prefix}/lib")
    if not isinstance(names, tuple):
        return None
    found = [(match, name) for name in names if (match := re.match(_FOLDER, name))]
    with_site = [
        _Home(
            prefix, f"{prefix}/lib/{name}", {"python": "cpython"}.get(match[1], match[1]), match[2]
        )
        for match, name in found
    ]
    return max(with_site, key=lambda each: tuple(map(int, each.minor.split("."))), default=None)


def _pyvenv(host: Host, prefix: str) -> Mapping[str, str]:
    raw = host.read(f"{prefix}/pyvenv.cfg", limit=65536)
    if not isinstance(raw, bytes):
        return {}
    pairs = (line.partition("=") for line in raw.decode("utf-8", "surrogateescape").splitlines())
    return {key.strip().lower(): value.strip() for key, equals, value in pairs if equals}


def _base_prefix(config: Mapping[str, str]) -> str:
    home = config.get("home", "/usr/bin").rstrip("/")
    return home.rpartition("/")[0] or "/usr"


def _described(host: Host, own: _Home, home: _Home, config: Mapping[str, str]) -> Fact[Interpreter]:
    version = _version(host, home, config)
    if isinstance(version, Unknown):
        return version
    build = _build_variables(host, home)
    said: dict[str, object] = {
        "prefix": own.prefix,
        "base_prefix": home.prefix,
        "executable": f"{own.prefix}/bin/python",
        "implementation": home.implementation,
        "version": version,
        "implementation_version": version,
    }
    names = {"soabi": "SOABI", "free_threaded": "Py_GIL_DISABLED", "debug": "Py_DEBUG"}
    said |= {key: build[name] for key, name in names.items() if name in build}
    said |= {key: False for key in ("free_threaded", "debug") if build and key not in said}
    triplet = str(build.get("HOST_GNU_TYPE") or build.get("MULTIARCH") or "")
    said |= {"machine": triplet.partition("-")[0]} if triplet else {}
    shared = config.get("include-system-site-packages", "true").lower() == "true"
    kind = "installation" if not config else "virtualenv" if "virtualenv" in config else "venv"
    if isinstance(host.list(f"{own.prefix}/conda-meta"), tuple):
        kind = "conda"
    return Interpreter(
        choice=None,
        said=said,
        entries=tuple(_entries(host, own, home, shared=shared)),
        kind=kind,
        origin=origin_of(host, home.prefix),
        system_site_packages=shared if config else False,
        degraded="nothing can be started in a folder; it was read from files",
    )


def _version(host: Host, home: _Home, config: Mapping[str, str]) -> Fact[str]:
    """The version to the patch, by the first witness that has it."""
    named = config.get("version_info") or config.get("version") or ""
    if re.match(r"\d+\.\d+\.\d+", named):
        return named.removesuffix(".final.0").replace(".final", "")
    header = host.read(f"{home.prefix}/include/python{home.minor}/patchlevel.h", limit=65536)
    if isinstance(header, bytes) and (found := re.search(_PATCHLEVEL, header)):
        return found[1].decode().rstrip("+")
    wanted = re.compile(
        rb"\0(" + re.escape(home.minor.encode()) + rb"\.\d+(?:(?:a|b|rc)\d+)?)\+?\0"
    )
    for name in (f"bin/python{home.minor}", f"lib/libpython{home.minor}.so.1.0", "bin/python3"):
        binary = host.read(f"{home.prefix}/{name}", limit=_BINARY_LIMIT_BYTES)
        if isinstance(binary, bytes) and (found := wanted.search(binary)):
            return found[1].decode()
    return Unknown(
        Reason.NO_RUNNING_MACHINE, f"no file tells the patch version of Python {home.minor}"
    )


def _build_variables(host: Host, home: _Home) -> Mapping[str, object]:
    """The variables of the build, from `_sysconfigdata*.py` read as a literal, never run."""
    import ast

    names = host.list(home.library)
    for name in names if isinstance(names, tuple) else ():
        if name.startswith("_sysconfigdata") and name.endswith(".py"):
            raw = host.read(f"{home.library}/{name}", limit=1 << 20)
            text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else ""
            try:
                found = ast.literal_eval(text.partition("build_time_vars = ")[2])
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
            if isinstance(found, dict):
                return found
    return {}


def _entries(host: Host, own: _Home, home: _Home, *, shared: bool) -> Iterator[Entry]:
    yield from _own(host, own)
    is_environment = own.prefix != home.prefix
    if is_environment and not shared:
        return
    if is_environment:
        yield from _with_pth(host, f"{home.library}/site-packages", "base")
    for folder in (
        f"/usr/local/lib/python{home.minor}/dist-packages",
        "/usr/lib/python3/dist-packages",
    ):
        if home.prefix == "/usr":
            yield from _with_pth(
                host, folder, "distro" if folder.startswith("/usr/lib/") else "base"
            )


def _own(host: Host, own: _Home) -> Iterator[Entry]:
    minor = own.library.rpartition("/")[2]
    yield from _with_pth(host, f"{own.library}/site-packages", "env")
    yield from _with_pth(host, f"{own.prefix}/lib64/{minor}/site-packages", "env")


def _with_pth(host: Host, folder: str, layer: str) -> Iterator[Entry]:
    """A folder and what its .pth files add; their code lines are not run."""
    names = host.list(folder)
    if not isinstance(names, tuple):
        return
    yield Entry(folder, layer)
    for name in names:
        if not name.endswith(".pth"):
            continue
        raw = host.read(f"{folder}/{name}", limit=65536)
        lines = (
            raw.decode("utf-8", "surrogateescape").splitlines() if isinstance(raw, bytes) else []
        )
        for line in map(str.strip, lines):
            if line and not line.startswith(("#", "import ", "import\t")):
                yield Entry(os.path.normpath(os.path.join(folder, line)), "pth")
