"""What pip put in the place of conda's files: the only ones that no archive has to vouch for.

Each is in the digest that the manifest has of pip's distribution, or it is gone. RECORD's rows
outside of the folder of packages are in another: on their word nothing is given up.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from envsnap.inside import compared, conda_files

if TYPE_CHECKING:
    from envsnap.inside.conda_files import CondaPackage
    from envsnap.proof._environment import Distribution, Environment

_INFO = re.compile(r"([^/]+?)-[^/-]+(?:-py[0-9.]+)?\.(?:dist|egg)-info/")


def give_up_replaced(environment: Environment, manifest: dict[str, Any]) -> list[str]:
    """Let conda's packages state no file of which pip's distribution tells.

    The paths that nobody can judge: what is not there, and was not surely pip's to remove.
    """
    by_pip, known = conda_files.of_pip(manifest), conda_files.wanted(manifest)
    unknown: list[str] = []
    for package in conda_files.replaced(list(environment.conda), manifest):
        if package.name in known:
            names = package.provides & by_pip
            unknown += _give_up(environment, package, names)
    return unknown


def _give_up(environment: Environment, package: CondaPackage, names: Collection[str]) -> list[str]:
    found = [
        each
        for each in environment.distributions
        if compared.canonical(each.installed.name) in names
    ]
    claimed = {place for each in found for place in _in_site(each)}
    folders = {top for each in found for top in _folders(each)}
    programs = {
        f"{environment.prefix}/bin/{name}"
        for each in found
        for name in compared.scripts(each.entry_points)
    }
    gone, unknown = set(), []
    for each in package.files:
        place = f"{environment.prefix}/{each.place}"
        is_here = place in environment.inside
        if is_here and not (place in claimed or place in programs):
            continue
        is_removed = place.startswith(tuple(folders)) or _is_info(environment, place, names)
        if is_here:
            unknown += [place] if place.endswith(".pyc") else []
        elif not is_removed and each.kind != "bytecode":
            if not place.startswith((*environment.sites, f"{environment.prefix}/bin/")):
                continue  # pip removes such a file seldom: it is missing
            unknown.append(place)
        gone.add(each.place)
    package.files = [each for each in package.files if each.place not in gone]
    package.rows = [row for row in package.rows if os.fsdecode(row[0]) not in gone]
    return unknown


def _in_site(found: Distribution) -> Iterator[str]:
    """What its RECORD names in the folder of packages: the manifest's digest is over it."""
    return (place for place in found.named() if place.startswith(f"{found.site}/"))


def _folders(found: Distribution) -> Iterator[str]:
    for place in _in_site(found):
        top, is_deeper, _ = place[len(found.site) + 1 :].partition("/")
        if is_deeper and top != "__pycache__" and not top.endswith("-info"):
            yield f"{found.site}/{top}/"


def _is_info(environment: Environment, place: str, names: Collection[str]) -> bool:
    """Whether it lies in the metadata that conda's package brought of these distributions."""
    site = next((each for each in environment.sites if place.startswith(f"{each}/")), None)
    match = _INFO.match(place, len(site) + 1) if site is not None else None
    return match is not None and compared.canonical(match[1]) in names
