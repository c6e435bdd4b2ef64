"""What an image sets and starts: variables and programs that let in other code."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping

from envsnap.images import Config, ImageTree
from envsnap.inside import compared
from envsnap.manifest import Manifest
from envsnap.proof._apptainer import FOLDER, OWN
from envsnap.proof._environment import Environment
from envsnap.proof._model import NotProved, Tampered
from envsnap.proof._outside import COMMAND, PRELOAD, Base, first_layer, owner_layer
from envsnap.proof._variables import Said, said_by
from envsnap.sections import Environ, Unknown

_STEERING = (
    "LD_AUDIT", "LD_PRELOAD", "PROMPT_COMMAND", "PYTHONBREAKPOINT", "PYTHONCASEOK",
    "PYTHONEXECUTABLE", "PYTHONHOME", "PYTHONINSPECT", "PYTHONPATH", "PYTHONPLATLIBDIR",
    "PYTHONPYCACHEPREFIX", "PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHONWARNINGS",
)  # fmt: skip
"""Variables that let in code which is not the environment's."""
_PLACES = (
    "BASH_ENV", "CUDA_INJECTION64_PATH", "ENV", "GCONV_PATH", "LD_LIBRARY_PATH", "LOCPATH",
    "OMP_TOOL_LIBRARIES", "OPENSSL_CONF", "OPENSSL_ENGINES", "OPENSSL_MODULES",
)  # fmt: skip
"""Variables that base images have, too: what matters is whose the files are that they name."""
_ENGINES_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What Docker, Podman and Apptainer set where an image sets no PATH."""
_FUNCTION = "BASH_FUNC_"
"""Bash takes a variable of such a name as a function, which goes before any program."""
_COMMANDS = ("/bin/bash", "/bin/sh", "bash", "python", "python3", "sh")
_RUNSCRIPT = ["#!/bin/sh", 'if [ "$#" -eq 0 ]; then', "exec python", "fi", 'exec "$@"']
_SCRIPTS = {"runscript": _RUNSCRIPT, "test": ["#!/bin/sh", COMMAND]}
"""What our definitions write, line by line."""

Found = tuple[list[Tampered], list[NotProved]]


def settings(
    environment: Environment, config: Config, wanted: Manifest, base: Base | None
) -> Found:
    """Settings that let in what is not the environment's, and those of which nobody knows."""
    tree = environment.tree
    said = said_by(tree) if tree.is_sif else Said(config.environ, (), ())
    tampered = [*_files(environment)]
    for path in said.strange:
        says = f"{path} runs at each start, and neither Apptainer nor a definition writes it"
        tampered.append(Tampered("setting", says, path=path))
    unknown: list[str] = []
    tampered += _variables(environment, said.variables, (wanted, base), unknown)
    tampered += _first_python(environment, said.variables)
    starts = [*said.unread, *(_scripts(tree) if tree.is_sif else ())]
    left = []
    if starts:
        says = "scripts that run at each start, which neither Apptainer nor our definition writes"
        left.append(NotProved("start", says, tuple(starts)))
    if not tree.is_sif:
        left += _start(environment, config, base)
    if unknown:
        says = "variables that name libraries or scripts in the image: only its base can tell whose"
        left.append(NotProved("setting", says, tuple(unknown)))
    return tampered, left


def _files(environment: Environment) -> Iterator[Tampered]:
    for fault in compared.setting_faults(environment.config):
        path = f"{environment.prefix}/pyvenv.cfg"
        yield Tampered("setting", str(fault), "", path, fault.wanted, fault.found)
    if environment.tree.contents.get(PRELOAD, b"").strip():
        says = f"{PRELOAD} puts libraries before all others in every process"
        yield Tampered("setting", says, path=PRELOAD)


def _variables(
    environment: Environment,
    found: Mapping[str, str],
    judges: tuple[Manifest, Base | None],
    unknown: list[str],
) -> Iterator[Tampered]:
    """Variables that steer and are neither the manifest's nor the base image's."""
    wanted, base = judges
    section = wanted.section(Environ)
    known = {} if isinstance(section, Unknown) else section.variables
    captured = {} if isinstance(known, Unknown) else known
    of_base = {} if base is None else base.config.environ
    functions = [each for each in found if each.startswith(_FUNCTION)]
    for name in (*_STEERING, *_PLACES, *functions):
        value = found.get(name)
        if not value or value in {captured.get(name), of_base.get(name)}:
            continue
        whose = _whose(environment, value) if name in _PLACES else "theirs"
        if whose == "theirs" or (base is not None and whose):
            says = f"the image sets {name}={value}, which the manifest does not have"
            yield Tampered("setting", says, path=name, found=value)
        elif whose:
            unknown.append(f"{name}={value}")


def _whose(environment: Environment, value: str) -> str:
    """Whose the files are that a variable names: 'theirs', 'unknown', or empty for nobody's.

    Those that came before the environment are the base image's business; in an image of one layer
    nothing tells.
    """
    tree, first = environment.tree, first_layer(environment)
    answer = ""
    for path in value.split(":"):
        if not path.startswith("/"):
            return "theirs"  # of whatever folder a program is started in
        layer = owner_layer(tree, path)
        if layer is None:
            continue  # mounted by an engine, or nothing
        if len(tree.layers) == 1:
            answer = "unknown"
        elif layer >= first:
            return "theirs"
    return answer


def _first_python(environment: Environment, found: Mapping[str, str]) -> Iterator[Tampered]:
    """Another `python` than the environment's, first on the image's own PATH."""
    tree, wanted = environment.tree, f"{environment.prefix}/bin"
    for folder in found.get("PATH", _ENGINES_PATH).split(":"):
        if folder.rstrip("/") == wanted:
            return
        names = ("python", "python3")
        if not folder.startswith("/") or any(
            tree.entry(posixpath.join(folder, name)) is not None for name in names
        ):
            says = f"PATH finds {folder}/python before {wanted}/python"
            yield Tampered("setting", says, path="PATH", wanted=wanted, found=folder)
            return


def _start(environment: Environment, config: Config, base: Base | None) -> Iterator[NotProved]:
    """An image that starts with something else than its base image, or than Python."""
    tree, entrypoint, words = environment.tree, config.entrypoint, config.command
    of_base = base.config.entrypoint if base is not None else ()
    if entrypoint and entrypoint != of_base:
        layer = owner_layer(tree, entrypoint[0]) if len(entrypoint) == 1 else None
        if base is not None or layer is None or layer >= first_layer(environment):
            says = "the image starts with a program that is not known: its entry point"
            yield NotProved("start", says, (" ".join(entrypoint),))
    known = (*_COMMANDS, f"{environment.prefix}/bin/python", f"{environment.prefix}/bin/python3")
    is_known = len(words) <= 1 and all(each in known for each in words)
    if not is_known and not (base is not None and words == base.config.command):
        says = "the image starts with a program that is not known: its command"
        yield NotProved("start", says, (" ".join(words),))
    if config.health and not (base is not None and config.health == base.config.health):
        says = "an engine starts a program in it from time to time: its health check"
        yield NotProved("start", says, (" ".join(config.health),))


def _scripts(tree: ImageTree) -> Iterator[str]:
    """A SIF's scripts that are neither Apptainer's own nor what our definitions write."""
    for path, entry in tree.below(FOLDER):
        inner = path.removeprefix(f"{FOLDER}/")
        is_one = inner in {"runscript", "startscript", "test"} or inner.startswith("actions/")
        if not is_one or entry.kind == "folder" or entry.sha256 in OWN.get(inner, ()):
            continue
        text = (tree.contents.get(path) or b"").decode("utf-8", "surrogateescape")
        lines = [each.strip() for each in text.split("\n") if each.strip()]
        if entry.kind != "file" or lines != _SCRIPTS.get(inner):
            yield path
