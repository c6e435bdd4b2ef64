"""What an image sets: variables and files that let in other code, or change what is computed."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping

from envsnap import __version__
from envsnap._typing import NamedTuple
from envsnap.facts import determinism
from envsnap.images import Config
from envsnap.inside import compared
from envsnap.manifest import Manifest
from envsnap.proof._around import VERSION_LABEL
from envsnap.proof._environment import Environment
from envsnap.proof._model import NotProved, Tampered
from envsnap.proof._outside import PRELOAD, Base, first_layer, owner_layer
from envsnap.proof._starts import starts
from envsnap.proof._variables import Said, said_by
from envsnap.sections import Environ, Unknown

_STEERING = (
    "GLIBC_TUNABLES", "LD_AUDIT", "LD_PRELOAD", "PROMPT_COMMAND", "PYTEST_ADDOPTS",
    "PYTEST_PLUGINS", "PYTHONBREAKPOINT", "PYTHONCASEOK", "PYTHONEXECUTABLE", "PYTHONHOME",
    "PYTHONINSPECT", "PYTHONOPTIMIZE", "PYTHONPATH", "PYTHONPLATLIBDIR", "PYTHONPYCACHEPREFIX",
    "PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHONWARNINGS",
)  # fmt: skip
"""Variables that let in code which is not the environment's, or leave out some of its own."""
_PLACES = (
    "BASH_ENV", "CUDA_INJECTION64_PATH", "ENV", "GCONV_PATH", "LD_LIBRARY_PATH", "LOCPATH",
    "OMP_TOOL_LIBRARIES", "OPENSSL_CONF", "OPENSSL_ENGINES", "OPENSSL_MODULES",
)  # fmt: skip
"""Variables that base images have, too: what matters is whose the files are that they name."""
_ENGINES_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What Docker, Podman and Apptainer set where an image sets no PATH."""
_FUNCTION = "BASH_FUNC_"
"""Bash takes a variable of such a name as a function, which goes before any program."""


class Judges(NamedTuple):
    """What may set a variable."""

    captured: Mapping[str, str] | None
    """The manifest; None where it does not know its variables."""
    base: Base | None

    @property
    def of_base(self) -> Mapping[str, str]:
        """What the base image sets; nothing where nobody asked for it."""
        return {} if self.base is None else self.base.config.environ


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
    judges = Judges(_captured(wanted), base)
    unknown = []
    for each in (
        *_variables(environment, said.variables, judges),
        *_results(config, said.variables, judges),
    ):
        if isinstance(each, Tampered):
            tampered.append(each)
        else:
            unknown.append(each)
    tampered += _first_program(environment, said.variables)
    changed, left = starts(environment, config, base, said.unread)
    if unknown:
        says = "variables of which the manifest says nothing: only the base image can tell whose"
        left.append(NotProved("setting", says, tuple(unknown)))
    return [*tampered, *changed], left


def _captured(wanted: Manifest) -> Mapping[str, str] | None:
    """The variables of the manifest; None where it does not know them."""
    section = wanted.section(Environ)
    known = section if isinstance(section, Unknown) else section.variables
    return None if isinstance(known, Unknown) else known


def _files(environment: Environment) -> Iterator[Tampered]:
    for fault in compared.setting_faults(environment.config):
        path = f"{environment.prefix}/pyvenv.cfg"
        yield Tampered("setting", str(fault), "", path, fault.wanted, fault.found)
    if environment.tree.contents.get(PRELOAD, b"").strip():
        says = f"{PRELOAD} puts libraries before all others in every process"
        yield Tampered("setting", says, path=PRELOAD)


def _variables(
    environment: Environment, found: Mapping[str, str], judges: Judges
) -> Iterator[Tampered | str]:
    """Variables that steer and are neither the manifest's nor the base image's.

    One of which only the base image could tell whose it is comes as NAME=VALUE.
    """
    captured = judges.captured or {}
    functions = [each for each in found if each.startswith(_FUNCTION)]
    for name in (*_STEERING, *_PLACES, *functions):
        value = found.get(name)
        if not value or value in {captured.get(name), judges.of_base.get(name)}:
            continue
        whose = _whose(environment, value) if name in _PLACES else "theirs"
        if whose == "theirs" or (judges.base is not None and whose):
            says = f"the image sets {name}={value}, which the manifest does not have"
            yield Tampered("setting", says, path=name, found=value)
        elif whose:
            yield f"{name}={value}"


def _results(config: Config, found: Mapping[str, str], judges: Judges) -> Iterator[Tampered | str]:
    """Variables that change what is computed, and are set otherwise than at capture.

    That one is missing is held against a recipe of this very version alone: others set it when
    they start, or have another rule for what can be written.
    """
    if judges.captured is None:
        return
    is_ours = config.labels.get(VERSION_LABEL) == __version__
    for name in sorted(filter(determinism.changes_results, {*found, *judges.captured})):
        value, wanted = found.get(name), judges.captured.get(name)
        if value == wanted or (wanted is None and value == judges.of_base.get(name)):
            continue
        if wanted is None and judges.base is None:
            yield f"{name}={value}"
        elif value is not None or (is_ours and not determinism.unwritable(wanted or "")):
            what = f"sets {name}={value}" if value is not None else f"does not set {name}"
            told = "does not have" if wanted is None else f"has as {wanted}"
            says = f"the image {what}, which the manifest {told}: it changes results"
            yield Tampered("setting", says, path=name, wanted=wanted or "", found=value or "")


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


def _first_program(environment: Environment, found: Mapping[str, str]) -> Iterator[Tampered]:
    """What the image's own PATH finds before a program of that name in the environment."""
    tree, wanted = environment.tree, f"{environment.prefix}/bin"
    start = f"{wanted}/"
    programs = {
        path.removeprefix(start)
        for path, entry in environment.inside.items()
        if path.startswith(start) and entry.kind != "folder"
    }
    for folder in found.get("PATH", _ENGINES_PATH).split(":"):
        if folder.rstrip("/") == wanted:
            return
        others = (
            each
            for each in ("python", "python3", *sorted(programs))
            if tree.entry(posixpath.join(folder, each)) is not None
        )
        other = next(others, None) if folder.startswith("/") else "python"
        if other is not None:
            says = f"PATH finds {folder}/{other} before {wanted}/{other}"
            yield Tampered("setting", says, path="PATH", wanted=wanted, found=folder)
            return
