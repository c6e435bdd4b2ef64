"""What an image starts with, and where: programs, scripts and folders that let in other code."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from envsnap.images import Config, ImageTree
from envsnap.proof._apptainer import FOLDER, OWN
from envsnap.proof._environment import Environment
from envsnap.proof._model import NotProved, Tampered
from envsnap.proof._outside import COMMAND, Base, first_layer, owner_layer

_COMMANDS = ("/bin/bash", "/bin/sh", "bash", "python", "python3", "sh")
_RUNSCRIPT = ["#!/bin/sh", 'if [ "$#" -eq 0 ]; then', "exec python", "fi", 'exec "$@"']
_SCRIPTS = {"runscript": _RUNSCRIPT, "test": ["#!/bin/sh", COMMAND]}
"""What our definitions write, line by line."""
_LIBRARY = re.compile(r"/lib(?:64)?/(?:python|pypy)[0-9.]+t?(?:/|\Z)")


def starts(
    environment: Environment, config: Config, base: Base | None, unread: tuple[str, ...]
) -> tuple[list[Tampered], list[NotProved]]:
    """What starts in the image and is not known; of a SIF, `unread` are scripts known already."""
    if environment.tree.is_sif:
        found = (*unread, *_scripts(environment.tree))
        says = "scripts that run at each start, which neither Apptainer nor our definition writes"
        return [], [NotProved("start", says, found)] if found else []
    left = [*_programs(environment, config, base), *_others(config, base)]
    return [*_folder(environment.tree, config)], left


def _programs(environment: Environment, config: Config, base: Base | None) -> Iterator[NotProved]:
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


def _others(config: Config, base: Base | None) -> Iterator[NotProved]:
    """What engines and builders start by themselves."""
    of_base = None if base is None else base.config
    if config.health and (of_base is None or config.health != of_base.health):
        says = "an engine starts a program in it from time to time: its health check"
        yield NotProved("start", says, (" ".join(config.health),))
    if config.on_build and (of_base is None or config.on_build != of_base.on_build):
        says = "a builder runs steps of it in every image that is made from it: ONBUILD"
        yield NotProved("start", says, config.on_build)


def _folder(tree: ImageTree, config: Config) -> Iterator[Tampered]:
    """The folder that programs start in: Python imports from there before its own library.

    That no other folder has modules in it is another's matter: each file there is compared.
    """
    folder = posixpath.normpath(f"/{config.folder}")
    if _LIBRARY.search(tree.real(folder) or folder):
        says = f"programs start in {folder}, and import from there before all else: WORKDIR"
        yield Tampered("setting", says, path="WorkingDir", found=folder)


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
