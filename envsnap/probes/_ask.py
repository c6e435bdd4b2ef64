"""Asking the chosen interpreter what it is, and placing its answer."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from envsnap.host import Host, Ran
from envsnap.inside import answer, source
from envsnap.probes._choose import Choice, choose
from envsnap.probes._interpreter import Entry, Interpreter, origin_of
from envsnap.probes._static_python import own_entries, read_static
from envsnap.sections import Fact, Reason, Unknown

DEADLINE_S = 15.0
"""How long an interpreter may take to start: site hooks on a cold network file system are slow."""
_PATHS = ("executable", "prefix", "base_prefix", "user_site")


def interpreter(
    host: Host, python: str | None, ours: str | None = None, *, site: bool = True
) -> Fact[Interpreter]:
    """The chosen interpreter's answer; without `site`, none of the environment's code is run.

    An unknown says why there is none: no Python, or one that would not start.
    """
    if isinstance(host.uname(), Unknown) and isinstance(host.environ("PATH"), Unknown):
        return read_static(host, python)
    choice = choose(host, python, ours)
    if isinstance(choice, Unknown):
        return choice
    executable = choice.chosen.executable
    if not site:
        return _without_site(host, choice)
    said = ask(host, [executable])
    degraded = None
    if isinstance(said, Unknown) and said.reason is not Reason.TIMED_OUT:
        degraded = f"it was read with -I -S; as usual: {said}"
        said = ask(host, [executable, "-I", "-S"])
    if isinstance(said, Unknown):
        is_gone = said.reason is Reason.TOOL_MISSING  # there is a file, and nothing to run it with
        return Unknown(Reason.CRASHED, "it could not be started") if is_gone else said
    return place(host, choice, said, degraded)


def _without_site(host: Host, choice: Choice) -> Fact[Interpreter]:
    """What the interpreter says before any file of the environment's had its say.

    Then it does not know of the environment: where that lies is told by where the program lies.
    """
    said = ask(host, [choice.chosen.executable, "-I", "-S"])
    if isinstance(said, Unknown):
        return said
    prefix = choice.chosen.executable.rpartition("/bin/")[0] or str(said["prefix"])
    path = [each.path for each in own_entries(host, prefix)]
    return place(host, choice, {**said, "prefix": prefix, "path": path}, None)


def ask(host: Host, command: Sequence[str]) -> Fact[Mapping[str, object]]:
    """Start an interpreter with the paths script and read its one line."""
    marker = "envsnap-paths-1:"
    ran = host.run([*command, "-c", source("paths"), marker], timeout_s=DEADLINE_S)
    return ran if isinstance(ran, Unknown) else parse_answer(ran, marker)


def parse_answer(ran: Ran, marker: str) -> Fact[Mapping[str, object]]:
    """The answer among whatever else the interpreter's start printed, its paths as text."""
    said = answer(ran.stdout.encode("utf-8", "surrogateescape"), marker)
    if said is None:
        last = (ran.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        return Unknown(Reason.CRASHED, f"Python ended with status {ran.status}: {last[:160]}")
    flat = _flat(said)
    if not all(isinstance(flat.get(key), str) for key in ("prefix", "version", "implementation")):
        return Unknown(Reason.UNPARSABLE, "Python's answer lacks its prefix or its version")
    return flat


def _flat(said: Mapping[str, object]) -> dict[str, object]:
    """The script's answer under the names that this module uses, paths decoded."""
    flat = {key: value for key, value in said.items() if key not in _PATHS}
    flat |= {key: _decoded(said[key]) for key in _PATHS if said.get(key) is not None}
    entries = said.get("sys_path")
    flat["path"] = [_decoded(each) for each in entries] if isinstance(entries, list) else []
    built = said.get("sysconfig")
    if isinstance(built, dict) and isinstance(variables := built.get("variables"), dict):
        flat["system"] = built.get("platform")
        flat["soabi"] = variables.get("SOABI")
        flat["free_threaded"] = bool(variables.get("Py_GIL_DISABLED"))
        flat["debug"] = bool(variables.get("Py_DEBUG"))
        flat["standalone_build"] = variables.get("PYTHON_BUILD_STANDALONE")
    return flat


def _decoded(path: object) -> str:
    """A path's text from the hex of its bytes."""
    try:
        return os.fsdecode(bytes.fromhex(path)) if isinstance(path, str) else ""
    except ValueError:
        return ""


def place(
    host: Host, choice: Choice, said: Mapping[str, object], degraded: str | None
) -> Interpreter:
    """The answer, with each entry of the search path put into its layer."""
    prefix, base = str(said["prefix"]), str(said.get("base_prefix") or said["prefix"])
    config = host.read(f"{prefix}/pyvenv.cfg", limit=65536)
    is_conda = isinstance(host.list(f"{prefix}/conda-meta"), tuple)
    return Interpreter(
        choice=choice,
        said=said,
        entries=tuple(_entries(host, said, prefix, base)),
        kind="conda" if is_conda else _kind(config, prefix, base),
        origin=(
            "python-build-standalone" if said.get("standalone_build") else origin_of(host, base)
        ),
        system_site_packages=_shares(config) if prefix != base else False,
        degraded=degraded,
    )


def _kind(config: object, prefix: str, base: str) -> str:
    if isinstance(config, bytes):
        return "virtualenv" if b"virtualenv" in config else "venv"
    return "installation" if prefix == base else "virtualenv"  # virtualenv < 20 wrote no pyvenv.cfg


def _shares(config: object) -> Fact[bool]:
    if not isinstance(config, bytes):
        return Unknown(Reason.NOT_SUPPORTED, "the environment has no pyvenv.cfg")
    lines = config.decode("utf-8", "replace").lower().replace(" ", "").splitlines()
    return "include-system-site-packages=true" in lines


def _entries(host: Host, said: Mapping[str, object], prefix: str, base: str) -> list[Entry]:
    paths = said.get("path")
    user_site = said.get("user_site")
    named = host.environ("PYTHONPATH")
    here = host.cwd()
    from_variable = {
        os.path.normpath(os.path.join(here if isinstance(here, str) else "", each))
        for each in (named.split(os.pathsep) if isinstance(named, str) else ())
        if each
    }  # as Python's site writes it into the path
    found: list[Entry] = []
    for path in paths if isinstance(paths, list) else []:
        text = str(path)
        if text in from_variable or os.path.normpath(text) in from_variable:
            layer = "pythonpath"
        elif isinstance(user_site, str) and text == user_site:
            layer = "user"
        else:
            layer = _layer(text, prefix, base)
        found.append(Entry(text, layer))
    return found


def _layer(path: str, prefix: str, base: str) -> str:
    if path.startswith("/usr/lib") and path.rpartition("/")[2] in {
        "dist-packages",
        "site-packages",
    }:
        return "distro"
    for folder, layer in ((prefix, "env"), (base, "base")):
        if path == folder or path.startswith(
            folder.rstrip("/\\") + ("\\" if "\\" in folder else "/")
        ):
            return layer
    return "base" if path.startswith("/usr/local/lib/python") else "pth"
