"""Writes envsnap/facts/system_packages.json from the distributions' own indexes.

    python scripts/system_packages.py FOLDER --debian ADDRESS --ubuntu ADDRESS

The addresses are those of mirrors, as apt's sources name them. What is fetched is kept in FOLDER
and taken from there the next time; about 300 MB.
"""

from __future__ import annotations

import argparse
import gzip
import json
import lzma
import os
import re
import sys
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import NamedTuple, TextIO, cast

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TABLE = os.path.join(ROOT, "envsnap", "facts", "system_packages.json")
sys.path.insert(0, ROOT)

from envsnap.facts.system_packages import named_by_rule  # noqa: E402 - the path comes first

TIMEOUT_S = 300
DEBIAN = ("bullseye", "bookworm", "trixie")
UBUNTU = ("focal", "jammy", "noble")
SUITES = (*DEBIAN, *UBUNTU)
FOREIGN = {"restricted", "multiverse"}
"""Ubuntu's components that are not free: drivers of GPUs, and CUDA as nobody installs it."""
LIBRARIES = {"libs", "oldlibs", "science", "math", "database", "sound", "net", "graphics", "video",
             "x11", "python", "admin", "utils", "interpreters", "gnu-r", "java"}  # fmt: skip
"""Sections of packages whose libraries other packages' code can need."""
ONLY_NAMED_LIBS = {"libs", "oldlibs"}
"""A library without a version in its name counts here alone: elsewhere it is a plug-in."""
SIDE_FOLDERS = ("blas", "lapack", "openblas-pthread", "openblas-openmp", "openblas-serial",
                "atlas", "openmpi/lib", "blis-openmp", "blis-pthread", "blis-serial")  # fmt: skip
"""Where alternatives lie: on installation they are linked into the library folder."""
ALTERNATIVES = {"libmpich12": ("libmpi.so.12",), "libblas3": ("libblas.so.3",),
                "liblapack3": ("liblapack.so.3",)}  # fmt: skip
"""Names that a package's own script makes, and its list of files does not show."""
PREFERRED = ("golang-go", "libopenblas0-pthread", "libmpich12", "parallel", "docker.io")
"""What wins among several owners, whatever their names are."""

PROGRAM_LIST = os.path.join(ROOT, "scripts", "system_programs.txt")

_TOP = re.compile(r"(?:usr/)?lib/(?:x86_64-linux-gnu/)?(?P<side>[a-z/-]+/)?(?P<file>lib[^/]+)\Z")
_LIBRARY = re.compile(r"lib[A-Za-z0-9_+.-]+?\.so(?:\.[0-9][A-Za-z0-9.]*)?\Z")
_DEVELOPMENT = re.compile(r"lib[A-Za-z0-9_+.-]+\.so\Z")


class Program(NamedTuple):
    """A program that research code starts."""

    seen_as: tuple[str, ...]
    places: tuple[str, ...]
    """Where a package can have it."""


def listed() -> Mapping[str, Program]:
    """The programs that are looked for."""
    found = {}
    with open(PROGRAM_LIST, encoding="ascii") as file:
        lines = [line.split() for line in file if not line.startswith("#")]
    for name, *more in lines:
        places = tuple(each[1:] for each in more if each.startswith("/"))
        usual = tuple(f"{folder}/{name}" for folder in ("usr/bin", "bin", "usr/sbin", "sbin"))
        seen_as = tuple(sorted(each for each in more if not each.startswith("/")))
        found[name] = Program(seen_as, places or usual)
    return found


PROGRAMS = listed()


class Index(NamedTuple):
    """What one suite's indexes say."""

    libraries: Mapping[str, str]
    """The package that has a library, by the library's name."""
    development: Mapping[str, str]
    """The package that a program is compiled with, by the library's name without version."""
    programs: Mapping[str, str]
    base: Sequence[str]
    """Packages with libraries that every image of the suite has."""
    source: Mapping[str, str]


class Owner(NamedTuple):
    """A package that has a file."""

    section: str
    name: str


def main() -> None:
    """Fetch what is not there yet, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="where the indexes are kept")
    parser.add_argument("--debian", required=True, help="the address of a mirror of Debian")
    parser.add_argument("--ubuntu", required=True, help="the address of a mirror of Ubuntu")
    given = parser.parse_args()
    os.makedirs(given.folder, exist_ok=True)
    found = {
        suite: read(suite, given.folder, given.debian if suite in DEBIAN else given.ubuntu)
        for suite in SUITES
    }
    with open(TABLE, "w", encoding="ascii", newline="\n") as file:
        file.write(written(found))
    print(f"{os.path.relpath(TABLE, ROOT)}: {os.path.getsize(TABLE)} bytes")


def read(suite: str, folder: str, mirror: str) -> Index:
    """One suite's indexes, as a table has them."""
    base = f"{mirror.rstrip('/')}/dists/{suite}"
    release = fetched(f"{base}/Release", os.path.join(folder, f"{suite}-Release"))
    names: tuple[str, ...] = ("Contents-amd64.gz",)
    packed = "gz"
    if suite in DEBIAN:
        names, packed = ("main/Contents-amd64.gz", "main/Contents-all.gz"), "xz"
    contents = [
        fetched(f"{base}/{name}", os.path.join(folder, f"{suite}-{os.path.basename(name)}"))
        for name in names
    ]
    packages = fetched(
        f"{base}/main/binary-amd64/Packages.{packed}",
        os.path.join(folder, f"{suite}-Packages.{packed}"),
    )
    owned = owners(contents)
    libraries = libraries_of(owned)
    with opened(packages) as file:
        inside = base_of(file)
    print(f"{suite}: {len(libraries)} libraries", file=sys.stderr)
    return Index(
        libraries,
        development_of(owned, {each.partition(".so")[0] for each in libraries}),
        programs_of(owned),
        sorted(inside & set(libraries.values())),
        source_of(suite, release, names),
    )


def fetched(address: str, path: str) -> str:
    """The file's path, once it is there."""
    if not os.path.exists(path):
        print(f"fetching {os.path.basename(path)}", file=sys.stderr)
        with urllib.request.urlopen(address, timeout=TIMEOUT_S) as answer:  # noqa: S310 - as given
            content = answer.read()
        with open(f"{path}.part", "wb") as file:
            file.write(content)
        os.replace(f"{path}.part", path)
    return path


def opened(path: str) -> TextIO:
    """The lines of a packed file."""
    how: Callable[..., object] = lzma.open if path.endswith(".xz") else gzip.open
    return cast("TextIO", how(path, "rt", encoding="utf-8", errors="replace"))


def owners(contents: Iterable[str]) -> Mapping[str, list[Owner]]:
    """Who has a file, of the files that can matter here."""
    paths = {path for each in PROGRAMS.values() for path in each.places}
    found: dict[str, list[Owner]] = defaultdict(list)
    for index in contents:
        for line in opened(index):
            path, _, locations = line.rstrip().rpartition(" ")
            path = path.rstrip()
            if path not in paths and not _TOP.match(path):
                continue
            for location in locations.split(","):
                *sections, name = location.split("/")
                if not FOREIGN & set(sections):
                    found[path].append(Owner(sections[-1] if sections else "", name))
    return found


def libraries_of(owned: Mapping[str, list[Owner]]) -> dict[str, str]:
    """The package of every library that a program can be linked against.

    The index has files and links, and a SONAME is one of them: 'libz.so.1.2.13' is left out beside
    'libz.so.1' of the same package, for no program asks for it.
    """
    of_package: dict[Owner, set[str]] = defaultdict(set)
    for path, who in owned.items():
        place = _TOP.match(path)
        if place is None or not _LIBRARY.match(place["file"]):
            continue
        if place["side"] and place["side"].rstrip("/") not in SIDE_FOLDERS:
            continue
        for owner in who:
            if is_library(owner, place["file"]):
                of_package[owner].add(place["file"])
                of_package[owner].update(ALTERNATIVES.get(owner.name, ()))
    found: dict[str, list[Owner]] = defaultdict(list)
    for owner, names in of_package.items():
        for name in names:
            if not any(".so." in other and name.startswith(f"{other}.") for other in names):
                found[name].append(owner)
    return {name: chosen(name, who) for name, who in found.items()}


def is_library(owner: Owner, name: str) -> bool:
    """Whether other packages' code may ask for it: no plug-in, and nothing to compile with."""
    if owner.section not in LIBRARIES or owner.name.endswith(("-dev", "-dbg", "-cross")):
        return False
    return not name.endswith(".so") or owner.section in ONLY_NAMED_LIBS


def chosen(name: str, who: Iterable[Owner]) -> str:
    """One of several owners: that which the name asks for, a preferred one, the shortest."""
    asked = named_by_rule(name)
    return min(
        {each.name for each in who},
        key=lambda each: (
            each not in {asked, f"{asked}t64"},
            each not in PREFERRED,
            not each.startswith("lib"),
            len(each),
            each,
        ),
    )


def development_of(owned: Mapping[str, list[Owner]], known: set[str]) -> dict[str, str]:
    """The package with the headers of a library, by the link that a linker takes."""
    found: dict[str, list[str]] = defaultdict(list)
    for path, who in owned.items():
        place = _TOP.match(path)
        if place is None or place["side"] or not _DEVELOPMENT.match(place["file"]):
            continue
        stem = place["file"][: -len(".so")]
        found[stem] += [each.name for each in who if each.section == "libdevel" and stem in known]
    return {
        stem: min(who, key=lambda each: (each != f"{stem.lower()}-dev", len(each), each))
        for stem, who in found.items()
        if who
    }


def programs_of(owned: Mapping[str, list[Owner]]) -> dict[str, str]:
    """The package of every program of the list that the suite has."""
    found = {}
    for program, each in PROGRAMS.items():
        path = next((path for path in each.places if owned.get(path)), None)
        if path is not None:
            name = path.rpartition("/")[2]
            found[program] = min((who.name for who in owned[path]), key=program_rank(name, program))
    return found


def program_rank(*names: str) -> Callable[[str], tuple[object, ...]]:
    """The order of packages that have a program: preferred, of its name, short."""
    return lambda each: (each not in PREFERRED, each not in names, len(each), each)


def base_of(lines: Iterable[str]) -> set[str]:
    """What the smallest system has: packages that are essential or required, apt, and their needs.

    Where one of several would do, none is taken: which one an image has is its maker's choice.
    """
    needs: dict[str, list[str]] = {}
    waiting = ["apt"]
    for stanza in stanzas(lines):
        asked = ", ".join(stanza.get(key, "") for key in ("Depends", "Pre-Depends")).split(",")
        name = stanza["Package"]
        needs[name] = [
            re.split(r"[\s:(]", each.strip(), maxsplit=1)[0] for each in asked if "|" not in each
        ]
        if stanza.get("Essential") == "yes" or stanza.get("Priority") == "required":
            waiting.append(name)
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in needs and name not in found:
            found.add(name)
            waiting += needs[name]
    return found


def stanzas(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """The packages of an index, without the lines that go on."""
    found: dict[str, str] = {}
    for line in lines:
        key, colon, value = line.rstrip("\n").partition(":")
        if line.isspace():
            yield found
            found = {}
        elif colon and not line[0].isspace():
            found[key] = value.strip()
    if found:
        yield found


def source_of(suite: str, release: str, names: Sequence[str]) -> dict[str, str]:
    """What a suite's rows rest on."""
    with open(release, encoding="utf-8") as file:
        stated = next(stanzas(file))
    origin, version = stated["Origin"], stated["Version"]
    files = ", ".join(os.path.basename(name).removesuffix(".gz") for name in names)
    fetched_at = datetime.fromtimestamp(os.path.getmtime(release), timezone.utc)
    return {
        "id": suite,
        "title": f"{origin} {version} ({suite}): its own {files} and Packages for amd64",
        "version": f"Release of {parsedate_to_datetime(stated['Date']):%Y-%m-%d}",
        "retrieved": f"{fetched_at:%Y-%m-%d}",
    }


def written(found: Mapping[str, Index]) -> str:
    """The table's text: one row a line, sorted."""
    bases: list[dict[str, object]] = [
        {"kind": "base", "suite": suite, "packages": " ".join(found[suite].base), "source": [suite]}
        for suite in sorted(SUITES)
    ]
    rows = [
        *bases,
        *grouped("development", {suite: each.development for suite, each in found.items()}),
        *grouped("libraries", {suite: each.libraries for suite, each in found.items()}),
        *programs_rows(found),
    ]
    for row in rows:
        row["confidence"] = "high"
    sources = [found[suite].source for suite in sorted(SUITES)]
    date = max(each["retrieved"] for each in sources)
    lines = [f'{{"schema":1,"date":"{date}","sources":[']
    lines.append(",\n".join(packed(each) for each in sources))
    lines.append('],"rows":[')
    lines.append(",\n".join(packed(each) for each in rows))
    return "\n".join([*lines, "]}", ""])


def packed(each: object) -> str:
    """One line of JSON."""
    return json.dumps(each, ensure_ascii=True, separators=(",", ":"))


def grouped(kind: str, by_suite: Mapping[str, Mapping[str, str]]) -> list[dict[str, object]]:
    """Names that the same suites have in the same package, together in one row."""
    together: dict[tuple[str, str], list[str]] = defaultdict(list)
    for suite in SUITES:
        for name, package in by_suite[suite].items():
            together[name, package].append(suite)
    rows: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for (name, package), suites in sorted(together.items()):
        rows[" ".join(suites)][short(kind, name, package)].append(name)
    return [
        {"kind": kind, "suites": suites,
         "names": {package: " ".join(names) for package, names in sorted(row.items())},
         "source": sorted(suites.split())}
        for suites, row in sorted(rows.items())
    ]  # fmt: skip


def short(kind: str, name: str, package: str) -> str:
    """The package, or a sign where its name follows from the library's."""
    if kind == "development":
        return "*-dev" if package == f"{name.lower()}-dev" else package
    asked = named_by_rule(name)
    return {asked: "*", f"{asked}t64": "*t64"}.get(package, package)


def programs_rows(found: Mapping[str, Index]) -> list[dict[str, object]]:
    """One row for each program that any suite has."""
    rows: list[dict[str, object]] = []
    for program in sorted(PROGRAMS, key=natural):
        packages = {
            suite: found[suite].programs[program]
            for suite in sorted(SUITES)
            if program in found[suite].programs
        }
        if packages:
            rows.append(
                {"kind": "program", "program": program, "seen_as": list(PROGRAMS[program].seen_as),
                 "packages": packages, "source": sorted(packages)}
            )  # fmt: skip
    return rows


def natural(text: str) -> list[tuple[int, int, str]]:
    """A text to be sorted with the numbers in it as numbers, as the tables' own order has it."""
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    return [(0, int(each), "") if each.isdecimal() else (1, 0, each) for each in parts]


if __name__ == "__main__":
    main()
