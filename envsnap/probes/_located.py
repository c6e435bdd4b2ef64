"""The packages of an environment together with where they lie on this machine.

A manifest's paths are anchored, and some cannot be told back. What makes wheels of the installed
files, or hashes them, looks again and gets the folders as they are; they never reach a manifest.
"""

from __future__ import annotations

from envsnap._typing import NamedTuple
from envsnap.host import Host
from envsnap.probes._ask import interpreter
from envsnap.probes._dist_info import Found, Metadata
from envsnap.probes._interpreter import Interpreter
from envsnap.probes._registry import Look, NeedsError, Options
from envsnap.probes._search import metadata, search
from envsnap.probes.packages import probe_packages
from envsnap.sections import Fact, Package, Packages, Unknown


class Located(NamedTuple):
    """One installed distribution, and its place."""

    package: Package
    path: str
    """Its dist-info, egg-info or EGG-INFO folder, egg-info file or egg-link, as it is on this
    machine; of a zip's, the zip's path comes first."""
    folder: str
    """The entry of the search path that holds it."""
    kind: str
    """dist-info, egg-info, egg-link, egg or zip."""


class Environment(NamedTuple):
    """An environment on this machine, its paths as they are."""

    interpreter: Interpreter
    section: Packages
    packages: tuple[Located, ...]
    """As in the section, less what could not be found again."""


def located(host: Host, options: Options) -> Fact[Environment]:
    """The chosen environment, every package with its place; or why it cannot be looked at."""
    found = interpreter(host, options.python, options.ours, site=options.site)
    if isinstance(found, Unknown):
        return found
    look = Look(host=host, options=options, have={}, environment=lambda: found)
    try:
        section = probe_packages(look)
    except NeedsError as error:
        return error.unknown
    if isinstance(section.installed, Unknown):
        return section.installed
    places = _places(look, found)
    packages = tuple(
        Located(package, place.path, place.folder, place.kind)
        for package in section.installed
        if (place := places.get((package.name, package.version, package.location)))
    )
    return Environment(found, section, packages)


def _places(look: Look, found: Interpreter) -> dict[tuple[str, str, str], Found]:
    """Where each distribution lies, by what the section calls it."""
    places: dict[tuple[str, str, str], Found] = {}
    for each in search(look.host, found.entries):
        said = metadata(look.host, each)
        if isinstance(said, Metadata):
            anchored = look.anchors.anchor(each.folder)
            places.setdefault((said.name, said.version, anchored), each)
    return places
