"""Makes a valid wheel again from the installed files of one distribution.

What is made is looked into before it counts: its content digest must be that of the installation,
unless a file was edited or is missing, which is said.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from envsnap.errors import FileError
from envsnap.inside.content import digests_of
from envsnap.inside.wheel import from_wheel
from envsnap.probes._dist_info import parse_wheel
from envsnap.probes._interpreter import Interpreter
from envsnap.probes._located import Located
from envsnap.probes.packages import is_valid_version
from envsnap.sections import Unknown
from envsnap.wheelhouse._installed import gather, read, sort_out, walked, wrappers
from envsnap.wheelhouse._legacy import Known, gather_legacy
from envsnap.wheelhouse._member import Gathered, Home, Member, area_of, listed
from envsnap.wheelhouse._store import sha256_of
from envsnap.wheelhouse._tags import file_name, made_tags, stem_of, wheel_text
from envsnap.wheelhouse._zip import write_wheel

_LIMIT_BYTES = 1024 * 1024


class Made(NamedTuple):
    """A wheel that was made again."""

    path: str
    sha256: str
    size: int
    content: str
    """envsnap-content-1 of what it installs."""
    notes: tuple[str, ...]
    """What differs from the wheel that was once installed, as far as it can be told."""


def home_of(interpreter: Interpreter) -> Home:
    """What a wheel's tags and places need to know of its Python."""
    said = interpreter.said.get("sysconfig")
    variables = said.get("variables") if isinstance(said, dict) else None
    soabi = variables.get("SOABI") if isinstance(variables, dict) else None
    flat = interpreter.said.get("soabi", soabi)
    machine = str(interpreter.said.get("machine") or os.uname().machine)
    return Home(
        interpreter.prefix,
        interpreter.version,
        flat if isinstance(flat, str) else None,
        f"linux_{machine}",
    )


def make_wheel(located: Located, home: Home, folder: str, known: Known | None = None) -> Made:
    """A wheel of the installed files, in the folder.

    Raises:
        FileError: The files cannot be told or read, or the wheel is not what is installed.
    """
    known = known or Known()
    area = area_of(located.folder, home.prefix)
    package = located.package
    named = (package.name, package.version)
    if os.path.isfile(f"{located.path}/RECORD"):
        gathered = gather(located.path, area)
    elif located.path.endswith(".dist-info"):
        gathered = _without_record(located, home, known)
    else:
        gathered = gather_legacy(located.path, area, named, known)
    made = pack(gathered, home, folder, named)
    untouched = not any(note.startswith(_CHANGED) for note in made.notes)
    stated = package.content
    if isinstance(stated, str) and untouched and made.content != stated:
        os.unlink(made.path)
        raise FileError(f"The wheel made of {named[0]} {named[1]} is not what is installed")
    return made


_CHANGED = ("kept as edited", "not packed", "WHEEL was made", "its files are")


def pack(gathered: Gathered, home: Home, folder: str, named: tuple[str, str]) -> Made:
    """The members written as a wheel whose content was read back and compared.

    Raises:
        FileError: It could not be written, or does not hold what it was given.
    """
    dist_info = f"{gathered.stem}.dist-info"
    members, notes = list(gathered.members), list(gathered.notes)
    text = next((each for each in members if each.name == f"{dist_info}/WHEEL"), None)
    if text is None:
        names = [each.name for each in members]
        text = Member(f"{dist_info}/WHEEL", data=wheel_text(made_tags(names, home)))
        members.append(text)
        notes.append("WHEEL was made: the installation has none")
    tags, build = parse_wheel(text.data or read(text.source, _LIMIT_BYTES))
    if not isinstance(tags, tuple):
        raise FileError(f"The WHEEL file of {named[0]} has no tag")
    stem = gathered.stem if _names(gathered.stem, named) else stem_of(*named)
    wheel = file_name(
        stem_of(*stem.split("-", 1)), tags, None if isinstance(build, Unknown) else build
    )
    path = os.path.join(folder, wheel)
    written = write_wheel(path, members, dist_info)
    if written.edited:
        notes.append(f"kept as edited: {listed(written.edited)}")
    if not is_valid_version(named[1]):
        notes.append(
            f"pip and uv refuse the version {named[1][:60]!a}, which is none of PEP 440; "
            "envsnap itself unpacks the wheel"
        )
    content = _read_back(path, written.hexes, gathered.stem)
    digest = sha256_of(path)
    if digest is None:
        raise FileError(f"{path} was taken away while it was made")
    return Made(path, digest, os.path.getsize(path), content, tuple(notes))


def _names(stem: str, named: tuple[str, str]) -> bool:
    """Whether a dist-info folder is called as its distribution, in any spelling."""
    return stem.count("-") == 1 and stem_of(*stem.split("-")).lower() == stem_of(*named).lower()


def _read_back(path: str, hexes: Mapping[str, str], stem: str) -> str:
    """The content digest of a wheel as it lies on the disk, which is that of what was packed."""
    inside = {
        os.fsencode(name): digest.encode()
        for name, digest in hexes.items()
        if not name.startswith(f"{stem}.data/")
    }
    wanted = digests_of(inside, os.fsencode(f"{stem}.dist-info")).content
    found = from_wheel(path).content
    if found is None or found != wanted:
        os.unlink(path)
        raise FileError(f"{path} does not hold what was packed into it")
    return found


def _without_record(located: Located, home: Home, known: Known) -> Gathered:
    """A dist-info without RECORD, as distributions' packages have it."""
    area = area_of(located.folder, home.prefix)
    package = located.package
    found = gather_legacy(located.path, area, (package.name, package.version), known)
    stem = os.path.basename(located.path).removesuffix(".dist-info")
    own = sort_out(walked(located.path, area), area, stem, wrappers(located.path))
    skipped = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
    members = [each for each in found.members if f"{found.stem}.dist-info/" not in each.name]
    members += [each for each in own.members if os.path.basename(each.name) not in skipped]
    return Gathered(stem, tuple(members), found.notes)
