"""What surrounds an environment in an image: its interpreter, its settings, its verifier."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator

from envsnap import __version__
from envsnap.images import Config
from envsnap.inside import VERIFIER, compared, source
from envsnap.probes._static_python import read_static
from envsnap.proof._environment import HOME, Environment
from envsnap.proof._host import as_host
from envsnap.proof._model import Tampered
from envsnap.proof._outside import command, first_layer, own_folder
from envsnap.sections import Unknown

VERSION_LABEL = "io.envsnap.version"
"""The label that says which envsnap built an image."""


def python_facts(environment: Environment) -> dict[str, object]:
    """What the files say of the interpreter; what they do not say is not there."""
    found = read_static(as_host(environment.tree), environment.prefix)
    python = next((each for each in environment.conda if each.name == "python"), None)
    of_conda: dict[str, object] = {"version": python.version} if python is not None else {}
    if isinstance(found, Unknown):
        return of_conda
    said = {**of_conda, **found.said}
    if "machine" in said:
        said["architecture"] = said["machine"]
    return said


def links(environment: Environment) -> Iterator[Tampered]:
    """Folders on the way to the packages that are links to elsewhere."""
    tree = environment.tree
    ways = {environment.prefix, *environment.sites}
    ways |= {posixpath.dirname(each) for each in environment.sites}
    for path in sorted(ways):
        entry = tree.entries.get(path)
        if entry is not None and entry.kind == "link":
            fault = compared.Fault("link", path, found=entry.link)
            yield Tampered("link", str(fault), path=path, found=entry.link, layer=entry.layer)


def interpreter(environment: Environment) -> Iterator[Tampered]:
    """What was put into the interpreter's own folders after it was there."""
    home = compared.settings(environment.config or b"").get("home", "")
    if not home.startswith("/") or not environment.inside:
        return
    tree, base = environment.tree, posixpath.dirname(home.rstrip("/"))
    yield from _program(environment, home)
    first = first_layer(environment)
    minors = {posixpath.basename(posixpath.dirname(each)) for each in environment.sites}
    for minor in sorted(minors):
        library = f"{base}/lib/{minor}"
        files = [(path, each) for path, each in tree.below(library) if each.kind != "folder"]
        layers = [min(entry.layer, *tree.replaced.get(path, ()), first) for path, entry in files]
        is_before = min(layers, default=first) < first
        for path, entry in files:
            is_ours = path.startswith(f"{library}/site-packages/") or path.endswith(".pyc")
            is_after = entry.layer > first or (is_before and entry.layer == first)
            if is_after and not is_ours:
                says = f"{path} was put into Python's own library after the environment was made"
                yield Tampered(
                    "interpreter", says, path=path, found=entry.sha256, layer=entry.layer,
                    over=tree.replaced.get(path, ()),
                )  # fmt: skip


def _program(environment: Environment, home: str) -> Iterator[Tampered]:
    """An environment's `python` that is not the interpreter it was made of."""
    tree, path = environment.tree, f"{environment.prefix}/bin/python"
    found, place = tree.entry(path), tree.real(path)
    folder = tree.real(home)
    if place is None or found is None:
        if path in tree.entries:
            says = f"{path} leads nowhere in the image"
            yield Tampered("interpreter", says, path=path, found=tree.entries[path].link)
        return
    if folder is None or posixpath.dirname(place) == folder:
        return
    names = (f"{folder}/python3", f"{folder}/python")
    if found.sha256 and any(
        each.sha256 == found.sha256 for each in map(tree.entry, names) if each is not None
    ):
        return  # a copy of it
    what = "a program of its own" if place == path else place
    says = f"{path} is {what}, not the Python in {home}"
    yield Tampered("interpreter", says, path=path, wanted=home, found=place, layer=found.layer)


def verifier(environment: Environment, config: Config) -> Iterator[Tampered]:
    """A verifier in the image that is not the one of this envsnap."""
    tree = environment.tree
    yield from own_folder(environment)
    if config.labels.get(VERSION_LABEL) != __version__:
        return
    for name in VERIFIER:
        path = f"{HOME}/{name}"
        entry = tree.entries.get(path)
        ours = hashlib.sha256(source(name.removesuffix(".py")).encode()).hexdigest()
        if entry is not None and entry.sha256 != ours:
            says = f"{path} is not this envsnap's verifier: do not trust what it prints"
            yield Tampered(
                "verifier", says, path=path, wanted=ours, found=entry.sha256, layer=entry.layer,
                over=tree.replaced.get(path, ()),
            )  # fmt: skip
    yield from command(environment)
