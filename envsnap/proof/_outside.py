"""What lies outside of an environment in its image: what later layers put there, and its base."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator

from envsnap._typing import NamedTuple
from envsnap.images import Config, Entry, ImageTree
from envsnap.inside import VERIFIER
from envsnap.proof._environment import HOME, Environment
from envsnap.proof._model import NotProved, Tampered

PROJECT = "/opt/project"
"""Where the project's own code lies."""
COMMAND = "/usr/local/bin/envsnap-verify"
PRELOAD = "/etc/ld.so.preload"
_COMMAND_TEXT = """\
#!/bin/sh
# Compares this environment with its manifest, from the files alone.
home={home} prefix={prefix}
if [ -f "$home/left-out.txt" ]; then
    while IFS= read -r name; do set -- "$@" --without "$name"; done <"$home/left-out.txt"
fi
exec "$prefix/bin/python" -I -B "$home/verify.py" "$@" "$home/manifest.json"
"""
SEARCHED = re.compile(
    r"/(?:usr/(?:local/)?)?(?:s?bin|lib[0-9a-z]*|libexec)/|/opt/python/|/etc/ld\.so"
)
"""Where programs and libraries are looked for."""
_RUNS = re.compile(rf"{SEARCHED.pattern}|.*\.so[0-9.]*\Z")
"""What can be run: there, and libraries anywhere."""
PYTHONS = ("/usr/local/", "/opt/python/")
"""Where base images and our own have their Python."""
_ENGINES = re.compile(
    r"/etc/(?:(?:passwd|group|shadow|gshadow)-?|hosts|hostname|resolv\.conf|mtab)\Z"
    r"|/(?:singularity|environment|\.run|\.exec|\.test|\.shell|\.dockerenv)\Z"
    r"|/(?:dev|proc|sys)/"
)
"""What every engine writes itself."""
_OF_SIF = re.compile(
    r"/\.singularity\.d/(?:(?:actions|bootstrap_history|env|libs)/[^/]+"
    r"|runscript(?:\.help)?|startscript|test|Singularity|labels\.json)\Z"
)
"""What Apptainer writes; the scripts among it are judged on their own."""
_JUDGED = (f"{HOME}/", f"{PROJECT}/")
_OF_HOME = re.compile(
    r"(?:manifest\.json|left-out\.txt|wheels/[^/]+\.whl"
    rf"|{'|'.join(map(re.escape, VERIFIER))})\Z"
)


class Base(NamedTuple):
    """The base image that a registry has."""

    config: Config
    tree: ImageTree | None
    """Its files, for an image without layers of its own; None where its layers were compared."""


class _Change(NamedTuple):
    path: str
    entry: Entry
    over: tuple[int, ...]
    is_late: bool
    """Whether it came after the environment, not with or before it."""
    is_over: bool
    """Whether something else was there."""


def command_text(prefix: str) -> str:
    """What `install.sh` writes as the command `envsnap-verify`."""
    return _COMMAND_TEXT.format(home=HOME, prefix=prefix)


def first_layer(environment: Environment) -> int:
    """The layer in which the environment begins."""
    tree, prefix = environment.tree, environment.prefix
    found = [
        min(entry.layer, *tree.replaced.get(path, ()), entry.layer)
        for path, entry in environment.inside.items()
        if entry.kind == "file"
        and (".dist-info/" in path or path.startswith((f"{prefix}/pyvenv.cfg",
                                                       f"{prefix}/conda-meta/")))
    ]  # fmt: skip
    return min(found, default=min((each.layer for each in environment.inside.values()), default=0))


def outside(
    environment: Environment, named: Collection[str], base: Base | None
) -> tuple[list[Tampered], list[NotProved]]:
    """What was changed or added outside of the files that packages state, which are `named`."""
    tampered, left = [], []
    for each in _changes(environment, base):
        if is_ours(each.path, environment, named):
            continue
        is_run = bool(_RUNS.match(each.path))
        is_pythons = each.is_over and each.path.startswith(PYTHONS)
        if (each.is_late and is_run) or is_pythons:
            tampered.append(_told(each))
        else:
            left.append(each.path)
    if not left:
        return tampered, []
    says = "outside of the environment, where neither a package nor the base image vouches for them"
    return tampered, [NotProved("outside", says, tuple(left))]


def _told(each: _Change) -> Tampered:
    what = "replaced" if each.is_over else "added"
    says = f"{each.path} was {what} after the environment was made"
    if not each.is_late:
        says = f"{each.path} is not the file of the base image"
    return Tampered(
        "outside", says, path=each.path, found=each.entry.sha256,
        layer=each.entry.layer, over=each.over,
    )  # fmt: skip


def _changes(environment: Environment, base: Base | None) -> Iterator[_Change]:
    """All files and links that are not the base image's, as far as layers or its files tell."""
    tree = environment.tree
    if base is not None and base.tree is not None:
        yield from _against(tree, base.tree)
        return
    first = first_layer(environment)
    begin = len(base.config.diff_ids) if base is not None else first + 1
    for path, entry in sorted(tree.entries.items()):
        if entry.layer >= begin and entry.kind != "folder":
            over = tree.replaced.get(path, ())
            yield _Change(path, entry, over, entry.layer > first, bool(over))


def _against(tree: ImageTree, base: ImageTree) -> Iterator[_Change]:
    """The same of files without layers: whatever the base image has other, or not at all."""
    for path, entry in sorted(tree.entries.items()):
        wanted = base.entries.get(path)
        if entry.kind == "folder":
            continue
        if wanted is None or _content(wanted) != _content(entry):
            yield _Change(path, entry, (), is_late=False, is_over=wanted is not None)


def _content(entry: Entry) -> tuple[str, str, str]:
    return entry.kind, entry.sha256, entry.link


def is_ours(path: str, environment: Environment, named: Collection[str]) -> bool:
    """Whether something else judges it."""
    if environment.tree.is_sif and _OF_SIF.match(path):
        return True
    if _ENGINES.match(path) or path in {COMMAND, PRELOAD} or path.startswith(_JUDGED):
        return True
    if not environment.is_inside(path):
        return False
    if environment.conda:
        return True  # of a conda environment every file is judged
    lib64 = environment.inside.get(f"{environment.prefix}/lib64")
    if path == f"{environment.prefix}/lib64" and lib64 is not None and lib64.link == "lib":
        return True
    places = (*environment.sites, f"{environment.prefix}/bin", f"{environment.prefix}/conda-meta")
    is_judged = path.startswith(tuple(f"{each}/" for each in places))
    return path in named or is_judged or path == f"{environment.prefix}/pyvenv.cfg"


def own_folder(environment: Environment) -> Iterator[Tampered]:
    """What lies beside the verifier, where its own imports would find it first."""
    for path, entry in environment.tree.below(HOME):
        inner = path.removeprefix(f"{HOME}/")
        is_ours = entry.kind == "file" and _OF_HOME.match(inner)
        if entry.kind != "folder" and not is_ours:
            says = f"{path} lies beside the verifier, and is none of its files"
            yield Tampered("verifier", says, path=path, found=entry.sha256, layer=entry.layer)


def command(environment: Environment) -> Iterator[Tampered]:
    """A command `envsnap-verify` that is not the one of this envsnap."""
    entry = environment.tree.entries.get(COMMAND)
    ours = hashlib.sha256(command_text(environment.prefix).encode()).hexdigest()
    if entry is not None and entry.sha256 != ours:
        says = f"{COMMAND} is not this envsnap's: do not trust what it prints"
        yield Tampered(
            "verifier", says, path=COMMAND, wanted=ours, found=entry.sha256, layer=entry.layer,
            over=environment.tree.replaced.get(COMMAND, ()),
        )  # fmt: skip


def searched(tree: ImageTree) -> Iterator[Tampered]:
    """Files in the folder that every SIF searches for libraries of the host."""
    if not tree.is_sif:
        return
    for path, entry in tree.below("/.singularity.d/libs"):
        if entry.kind != "folder":
            says = f"{path} is loaded before other libraries, and nothing puts it there"
            yield Tampered("outside", says, path=path, found=entry.sha256)


def owner_layer(tree: ImageTree, path: str) -> int | None:
    """The layer that brought what a path leads to; of a folder, that of its newest file."""
    real = tree.real(path)
    if real is None:
        return None
    layers = [each.layer for _, each in tree.below(real) if each.kind != "folder"]
    entry = tree.entries[real]
    if entry.kind == "folder":
        return max(layers, default=None)
    return entry.layer


__all__ = [
    "PYTHONS", "SEARCHED", "Base", "command", "first_layer", "is_ours", "outside", "own_folder",
    "owner_layer", "searched",
]  # fmt: skip
