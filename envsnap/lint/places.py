"""Traps in where things are put, and by which shell's words."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from envsnap.lint._model import Spot, trap
from envsnap.lint._recipe import Recipe, Script, commands
from envsnap.lint._shell import Command

_HOME = re.compile(r"(?:/root|/home/[^/\s]+|~|\$\{?HOME\}?)(?:/|\Z)")
_BASH_WORDS = frozenset({
    "source", "[[", "shopt", "declare", "typeset", "pushd", "popd", "mapfile", "readarray", "let",
    "function",
})  # fmt: skip
_BASH_IS_SH = re.compile(
    r"(?:\A|/)(?:rockylinux|almalinux|centos|fedora|ubi\d*|amazonlinux|oraclelinux|alpine|"
    r"opensuse)|(?:rockylinux|ubi|centos|alpine|amzn)"
)
_PREFIX_FLAGS = ("-p", "--prefix", "--target", "-t")


@trap(
    "BLD020", of="recipe", source="apptainer-userdocs docker_and_oci, best practices",
    remedy="Install into /opt, and set UV_PYTHON_INSTALL_DIR=/opt/python for uv's own Pythons",
)  # fmt: skip
def installed_into_a_home(recipe: Recipe) -> Iterator[Spot]:
    """Something is installed into a home folder, which others than root cannot read.

    Apptainer runs the image as its caller, whose own home lies over /root and /home.
    """
    for script, command in commands(recipe):
        what = _into_home(script, command)
        if what:
            yield Spot(command.line, what)
    for each in recipe.copied:
        if _HOME.match(each.target) and any(name.endswith((".", "/")) for name in each.sources):
            yield Spot(each.line, f"A folder is copied into {each.target}")


def _into_home(script: Script, command: Command) -> str:
    words = command.words
    if command.name == "uv" and words[1:3] == ("python", "install"):
        given = {**script.variables, **dict(command.assigned)}
        place = given.get("UV_PYTHON_INSTALL_DIR", "/root/.local/share/uv/python")
        return f"uv installs Python into {place}" if _HOME.match(place) else ""
    if "--user" in words and "install" in words and "pip" in " ".join(words[:3]):
        return "pip installs into the home folder of the user who builds"
    if command.name in {"python", "python3", "virtualenv", "uv"} and "venv" in " ".join(words[:3]):
        return next((f"A venv is made in {each}" for each in words[2:] if _HOME.match(each)), "")
    if command.name.endswith((".sh", "conda", "mamba")) or "miniconda" in " ".join(words).lower():
        for flag, place in itertools.pairwise(words):
            if flag in _PREFIX_FLAGS and _HOME.match(place):
                return f"conda is installed into {place}"
    return ""


@trap(
    "BLD021", of="recipe", source="dash(1); tried",
    remedy='Write it for POSIX sh, or name the shell: SHELL ["/bin/bash", "-c"], %post -c '
    "/bin/bash",
)  # fmt: skip
def words_of_bash(recipe: Recipe) -> Iterator[Spot]:
    """A script uses what only bash understands, and /bin/sh reads it.

    On Debian and Ubuntu that is dash: no `source`, no arrays, no `[[`, no pipefail.
    """
    if recipe.bases and all(_BASH_IS_SH.search(each.reference) for each in recipe.bases):
        return
    for script, command in commands(recipe):
        if script.shell not in {"sh", "dash"}:
            continue
        what = _of_bash(command)
        if what:
            yield Spot(command.line, f"/bin/sh does not understand {what}")


def _of_bash(command: Command) -> str:
    words = command.words
    if command.marks:
        return f"{command.marks[0]!r}"
    if command.raw and command.raw[0] in _BASH_WORDS:
        return f"{command.raw[0]!r}"
    if command.name == "set" and "pipefail" in words:
        return "'set -o pipefail'"
    if command.name == "[" and "==" in words:
        return "'==' in [ ]"
    return ""
