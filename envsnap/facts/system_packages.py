"""Which package of Debian or Ubuntu has a library or a program, release by release."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence

from envsnap._typing import NamedTuple
from envsnap.facts._table import Answer, Row, Table, table

_SONAME = re.compile(r"(.+?)\.so\.(.+)\Z")
_TRIPLET = re.compile(r"\A(?:x86_64|aarch64|powerpc64le|s390x)-linux-gnu-")
_NUMBERED = re.compile(r"-?[0-9]+(?:\.[0-9]+)*\Z")
_LINKER = ("ld-linux", "ld64.so")
_C_LIBRARY = "libc6"


class _Libraries(NamedTuple):
    """What one release has, by name: the package and the row that says so."""

    libraries: Mapping[str, tuple[str, Row]]
    development: Mapping[str, tuple[str, Row]]

    @property
    def packages(self) -> frozenset[str]:
        """Every package that has a library."""
        return frozenset(package for package, _ in self.libraries.values())


def suites() -> Sequence[str]:
    """The releases that the table is about, by their code names.

    >>> suites()
    ('bookworm', 'bullseye', 'focal', 'jammy', 'noble', 'trixie')
    """
    return tuple(_bases(table("system_packages")))


def package_of(soname: str, suite: str) -> Answer[str]:
    """Give the package that has a library, by the name that a program asks for.

    >>> package_of("libGL.so.1", "bookworm").value, package_of("libmpi.so.40", "noble").value
    ('libgl1', 'libopenmpi3t64')
    """
    facts = table("system_packages")
    if suite not in _bases(facts):
        return facts.missing(f"The release {suite}")
    if soname.startswith(_LINKER):
        return facts.looked(_C_LIBRARY, _bases(facts)[suite])
    found = _libraries(facts, suite).libraries.get(soname)
    return facts.missing(f"{soname} of {suite}") if found is None else facts.looked(*found)


def others_of(soname: str, suite: str) -> Mapping[str, str]:
    """Give the packages of a release that have a library of that name in any version.

    >>> others_of("libffi.so.6", "bookworm")
    {'libffi.so.8': 'libffi8'}
    """
    facts, stem = table("system_packages"), soname.partition(".so")[0]
    if suite not in _bases(facts):
        return {}
    found = _libraries(facts, suite).libraries.items()
    return {name: package for name, (package, _) in found if name.partition(".so")[0] == stem}


def development_of(soname: str, suite: str) -> Answer[str]:
    """Give the package that a program is compiled with against a library.

    >>> development_of("libpq.so.5", "bookworm").value
    'libpq-dev'
    """
    facts = table("system_packages")
    if suite not in _bases(facts):
        return facts.missing(f"The release {suite}")
    found = _libraries(facts, suite).development.get(soname.partition(".so")[0])
    return (
        facts.missing(f"What {soname} is compiled with on {suite}")
        if found is None
        else facts.looked(*found)
    )


def package_of_program(name: str, suite: str) -> Answer[str]:
    """Give the package that has a program, by its command or by the file that is seen to run.

    >>> package_of_program("mpirun", "bookworm").value
    'openmpi-bin'
    >>> package_of_program("x86_64-linux-gnu-gcc-12", "jammy").value
    'gcc'
    """
    facts = table("system_packages")
    if suite not in _bases(facts):
        return facts.missing(f"The release {suite}")
    programs = _programs(facts)
    row = next((programs[each] for each in _spellings(name) if each in programs), None)
    if row is None or suite not in row["packages"]:
        return facts.missing(f"The program {name} of {suite}")
    return facts.looked(row["packages"][suite], row)


def is_in_base(package: str, suite: str) -> bool:
    """Whether every image of a release has a package with libraries already.

    >>> is_in_base("libc6", "bookworm"), is_in_base("libgl1", "bookworm")
    (True, False)
    """
    row = _bases(table("system_packages")).get(suite)
    return row is not None and package in row["packages"].split(" ")


def has(package: str, suite: str) -> bool:
    """Whether a release has a package of that name with libraries.

    >>> has("libopenblas0-pthread", "bookworm"), has("libopenblas", "bookworm")
    (True, False)
    """
    facts = table("system_packages")
    return suite in _bases(facts) and package in _libraries(facts, suite).packages


def named_by_rule(soname: str) -> str | None:
    """How Debian's policy names the package of a library; None for one without a version.

    >>> named_by_rule("libGL.so.1"), named_by_rule("libfoo_2.so.0.1"), named_by_rule("libfoo.so")
    ('libgl1', 'libfoo-2-0.1', None)
    """
    parts = _SONAME.match(soname)
    if parts is None:
        return None
    stem = parts[1].lower().replace("_", "-")
    return f"{stem}-{parts[2]}" if stem[-1].isdigit() else f"{stem}{parts[2]}"


def _spellings(name: str) -> Iterator[str]:
    """The command's own name, and what it is without its target and version: 'gcc-12' is 'gcc'."""
    yield name
    plain = _TRIPLET.sub("", name)
    yield plain
    yield _NUMBERED.sub("", plain)


@functools.cache
def _bases(facts: Table) -> Mapping[str, Row]:
    return {row["suite"]: row for row in facts.rows("base")}


@functools.cache
def _libraries(facts: Table, suite: str) -> _Libraries:
    return _Libraries(
        {name: (_full(name, package), row)
         for name, package, row in _entries(facts, "libraries", suite)},
        {name: (f"{name.lower()}-dev" if package == "*-dev" else package, row)
         for name, package, row in _entries(facts, "development", suite)},
    )  # fmt: skip


def _entries(facts: Table, kind: str, suite: str) -> Iterator[tuple[str, str, Row]]:
    for row in facts.rows(kind):
        if suite in row["suites"].split(" "):
            for package, names in row["names"].items():
                for name in names.split(" "):
                    yield name, package, row


def _full(soname: str, package: str) -> str:
    """The package's name; '*' stands for what the rule makes of the library's."""
    return package.replace("*", named_by_rule(soname) or "") if package[0] == "*" else package


@functools.cache
def _programs(facts: Table) -> Mapping[str, Row]:
    """The rows by command, and by the names that a command is seen to run by."""
    rows = facts.rows("program")
    seen = {each: row for row in rows for each in row["seen_as"]}
    return {**seen, **{row["program"]: row for row in rows}}
