"""PKG: what is installed, compared by name, version and content."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from envsnap._typing import NamedTuple
from envsnap.manifest import canonical_name
from envsnap.rules._core import Open, Pair, Said, Side, drift, health, need
from envsnap.rules._findings import Condition, Level, Outcome, Scope
from envsnap.rules._releases import expected_of, how_to_get, is_served, outcome_of, why_of
from envsnap.rules._sources import (
    CONDA_NAMES,
    DEFAULTS_BLOCKED,
    IMPORT_SYSTEM,
    PYTHON_PATH,
    RECORDING,
    VERSIONING,
)
from envsnap.rules._views import active, all_are_listed, listed, shell_line
from envsnap.sections import Changes, CondaRecord, Fact, Package, Packages, Reason, Unknown

_PLACEHOLDER = "local-package-"
_NOT_LOOKED_AT = frozenset({Reason.NOT_ASKED, Reason.NOT_RECORDED, Reason.NOT_SUPPORTED})
"""Without --verify nobody hashed the files, and some have no RECORD: nothing went wrong there."""
_DEFAULTS = re.compile(
    r"defaults\Z|pkgs/(?:main|free|r|msys2)\b"
    r"|https?://(?:repo\.anaconda\.com|repo\.continuum\.io)/pkgs/"
)


@drift("PKG001", scope=Scope.NATIVE, worst=Outcome.BLOCKS, reads=(Packages,), source=IMPORT_SYSTEM)
def missing(pair: Pair) -> Iterator[Said | Open]:
    """What imports them stops there.

    A distribution of the wanted environment is not installed in the found one. Many missing
    ones are one finding: the environment has not been set up. A container brings its own.
    """
    wanted = active(pair.wanted)
    if not wanted:
        return
    found = active(pair.found)
    named = _named(pair)
    if len(named) < len(wanted):
        left_out = Unknown(
            Reason.NOT_ASKED, f"{len(wanted) - len(named)} of {len(wanted)} names left out"
        )
        yield Open(pair.wanted.path("packages.installed"), left_out)
    absent = [f"{each.name} {each.version}" for name, each in named.items() if name not in found]
    if absent:
        verb = "is" if len(absent) == 1 else "are"
        yield Said(
            "packages", Outcome.BLOCKS, _not_installed(absent, verb),
            remedy="envsnap build, or install them here",
            wanted=f"{len(wanted)} packages", found=f"{len(wanted) - len(absent)} of them",
        )  # fmt: skip
    all_are_listed(pair.wanted)


@drift(
    "PKG002", scope=Scope.NATIVE, worst=Outcome.NUMERICS, reads=(Packages,), source=VERSIONING,
    lowers=Level.RUNS,
)  # fmt: skip
def other_version(pair: Pair) -> Iterator[Said]:
    """Another version may compute something else.

    The same distribution is installed on both sides in different versions. What only installs,
    fetches, prints or checks (pip, certifi, tqdm) computes nothing: it is a note. Of the others no
    maker promises the same digits. Within one major version the same conclusions can be expected,
    for it adds and mends; another major one, and another 0.y, may compute something else, except
    of BLAS and NVIDIA's libraries, whose functions stay the same and whose algorithms do not. Of
    what is in no table nobody knows that it computes nothing: it counts as what computes.
    """
    for both in _both(pair):
        if both.wanted.version != both.found.version:
            yield Said(
                both.name, outcome_of(both.name),
                f"{both.name} {both.wanted.version} -> {both.found.version}",
                remedy=how_to_get(both.wanted),
                wanted=both.wanted.version, found=both.found.version,
                lowers=expected_of(both.name, both.wanted.version, both.found.version),
                why=why_of(both.name),
            )  # fmt: skip


@drift(
    "PKG003", scope=Scope.NATIVE, worst=Outcome.NUMERICS, reads=(Packages,), source=RECORDING,
    lowers=Level.RUNS,
)  # fmt: skip
def other_content(pair: Pair) -> Iterator[Said | Condition | Open]:
    """The version is the same, the installed files are not.

    Compared are the content digests: SHA-256 over the files that the wheel put into
    site-packages. They differ for another build, a local one, or a file that was edited.
    Where an installer left no RECORD, or the distribution's packages state no SHA-256, there
    is no digest, and name and version must do. What other files compute, nobody has promised.
    Programs and data that the wheel put elsewhere have a digest of their own, which is compared
    where both sides know it.
    """
    by_name: list[str] = []
    for both in _both(pair):
        if both.wanted.version != both.found.version:
            continue
        contents = both.wanted.content, both.found.content
        others = both.wanted.outside, both.found.outside
        unknown = next((each for each in contents if isinstance(each, Unknown)), None)
        if unknown is not None and _is_of_distribution(both):
            by_name.append(both.name)
        elif unknown is not None:
            side = pair.wanted if isinstance(contents[0], Unknown) else pair.found
            yield Open(side.path(f"packages.installed.{both.name}.content"), unknown)
        elif contents[0] is None or contents[1] is None:
            by_name.append(both.name)
        elif contents[0] != contents[1]:
            changes = _differing(both.found.changes)
            yield _other_files(both, f"other files under the same version{changes}", contents)
        elif others[0] != others[1] and not any(isinstance(each, Unknown) for each in others):
            yield _other_files(both, "other programs or data outside of site-packages", others)
    if by_name:
        yield Condition(
            code="PKG003", text=f"{listed(by_name, 'package')} compared by version alone: no digest"
        )


def _other_files(both: _Both, what: str, digests: tuple[object, object]) -> Said:
    return Said(
        both.name, outcome_of(both.name), f"{both.name} {both.wanted.version}: {what}",
        remedy=f"reinstall {both.name} from the artifact of the wanted side",
        wanted=_words(digests[0])[:12], found=_words(digests[1])[:12],
        lowers=Level.BITWISE if is_served(both.name) else Level.RUNS,
    )  # fmt: skip


@drift("PKG004", scope=Scope.NATIVE, worst=Outcome.NOTE, reads=(Packages,), source=RECORDING)
def other_build(pair: Pair) -> Iterator[Said | Open]:
    """Another build of the same content, or from another place.

    Version and content agree; the wheel's tags, its build tag, or where it was installed from
    differ. That changes nothing by itself.
    """
    for both in _both(pair):
        wanted, found = both.wanted, both.found
        same_content = wanted.content == found.content and not isinstance(wanted.content, Unknown)
        if wanted.version != found.version or not same_content:
            continue
        for what, theirs, ours in (
            ("tags", wanted.tags, found.tags),
            ("build", wanted.build, found.build),
            ("origin", wanted.origin.kind, found.origin.kind),
        ):
            if isinstance(theirs, Unknown):
                yield Open(pair.wanted.path(f"packages.installed.{both.name}.{what}"), theirs)
            elif isinstance(ours, Unknown):
                yield Open(pair.found.path(f"packages.installed.{both.name}.{what}"), ours)
            elif theirs != ours:
                yield Said(
                    f"{both.name} {what}", Outcome.NOTE,
                    f"{both.name} {wanted.version}: {what} {_words(theirs)} -> {_words(ours)}",
                    wanted=_words(theirs), found=_words(ours),
                )  # fmt: skip


@drift("PKG005", scope=Scope.NATIVE, worst=Outcome.NOTE, reads=(Packages,), source=IMPORT_SYSTEM)
def extra(pair: Pair) -> Iterator[Said]:
    """Packages that only the found environment has.

    They matter only where a program imports one of them when it happens to be there.
    """
    wanted, found = active(pair.wanted), active(pair.found)
    more = [f"{each.name} {each.version}" for name, each in found.items() if name not in wanted]
    # Beside an environment that was never set up here, these are just another environment.
    if more and any(name in found for name in wanted):
        yield Said("more packages", Outcome.NOTE, f"{listed(more, 'package')} more than wanted")


@drift("PKG006", scope=Scope.NATIVE, worst=Outcome.BLOCKS, reads=(Packages,), source=CONDA_NAMES)
def conda_libraries(pair: Pair) -> Iterator[Said]:
    """Libraries that conda installed beside Python's own packages.

    conda packages that are no Python distribution (BLAS, CUDA, compilers' run times) are
    compared by name, version, build and, where both are known, the archive's SHA-256. Another
    build of one version is the same source compiled anew: the same conclusions can be expected.
    """
    wanted = _conda_only(pair.wanted)
    if not wanted:
        return
    found = _conda_only(pair.found)
    absent = [name for name in wanted if name not in found]
    if absent:
        all_are_listed(pair.found)
        yield Said(
            "conda packages", Outcome.BLOCKS, f"{listed(absent, 'conda package')} not installed",
            remedy="envsnap build, or conda install them here",
        )  # fmt: skip
    for name, theirs in wanted.items():
        ours = found.get(name)
        if ours is not None and _conda_words(theirs) != _conda_words(ours):
            yield Said(
                name, outcome_of(name), f"{name} {_conda_words(theirs)} -> {_conda_words(ours)}",
                remedy=shell_line("conda install", f"{name}={theirs.version}"),
                wanted=_conda_words(theirs), found=_conda_words(ours),
                lowers=expected_of(name, theirs.version, ours.version),
            )  # fmt: skip


@health("PKG010", scope=Scope.NATIVE, worst=Outcome.NOTE, reads=(Packages,), source=PYTHON_PATH)
def shadowed(side: Side) -> Iterator[Said]:
    """Python imports the first copy on its path, and the others are dead weight.

    Two copies of one distribution are on the module search path. Which one is imported depends
    on the order of the path: PYTHONPATH, the user's folder, the environment, its base.
    """
    installed = need(side.need(Packages).installed, side.path("packages.installed"))
    used = active(side)
    for each in installed:
        first = None if each.active else used.get(canonical_name(each.name))
        if first is not None and first.version != each.version:
            yield Said(
                each.name, Outcome.NOTE,
                f"{each.name} {first.version} ({first.layer}) hides {each.version} ({each.layer})",
                remedy="uninstall one of them",
            )  # fmt: skip


@health("PKG011", scope=Scope.NATIVE, worst=Outcome.NOTE, reads=(Packages,), source=RECORDING)
def broken(side: Side) -> Iterator[Said]:
    """What is in them cannot be known, nor compared.

    A folder of an installed distribution has no readable metadata: an installation that was
    cut off, or left over by another one.
    """
    faults = need(side.need(Packages).broken, side.path("packages.broken"))
    if faults:
        verb = "installation" if len(faults) == 1 else "installations"
        yield Said(
            "broken", Outcome.NOTE,
            f"{len(faults)} {verb} could not be read, as {faults[0].location}: {faults[0].why}",
            remedy="reinstall or remove them",
        )  # fmt: skip


@health(
    "PKG012", scope=Scope.NATIVE, worst=Outcome.NOTE, reads=(Packages,), source=DEFAULTS_BLOCKED
)
def defaults_channel(side: Side) -> Iterator[Said | Open]:
    """Where that channel is blocked, as many institutions do, nobody can fetch them.

    Some of the environment's packages came from conda's `defaults` channel, whose terms ask
    organisations of some size for a licence. Their networks often refuse it, and then the
    environment cannot be rebuilt there; conda-forge has most of the same packages.
    """
    packages = side.need(Packages)
    installed = need(packages.installed, side.path("packages.installed"))
    records = {
        record.name: record.channel
        for record in (*(each.conda for each in installed), *_conda_only(side).values())
        if record is not None
    }
    for name, each in records.items():
        if isinstance(each, Unknown):
            yield Open(side.path(f"packages.conda.{name}.channel"), each)
            break  # one tells that it is open
    blocked = [name for name, each in records.items() if _DEFAULTS.match(_known(each))]
    if blocked:
        yield Said(
            "defaults channel", Outcome.NOTE,
            f"{listed(blocked, 'conda package')} from the defaults channel",
            remedy="install them from conda-forge, then capture again",
        )  # fmt: skip


def _known(fact: Fact[str | None]) -> str:
    return fact if isinstance(fact, str) else ""


@health("PKG013", scope=Scope.NATIVE, worst=Outcome.NOTE, reads=(Packages,), source=RECORDING)
def edited(side: Side) -> Iterator[Said | Open]:
    """What is installed under that name and version is something else.

    Files of a distribution differ from what its RECORD states, or are gone: they were edited
    where they lie, or overwritten by another distribution. Only `--verify` finds that out. A
    comparison with an environment that has the files as they were is PKG003, which lowers what
    can be expected: two environments with the same edits hold the same bytes.
    """
    installed = need(side.need(Packages).installed, side.path("packages.installed"))
    for each in installed:
        if isinstance(each.changes, Unknown):
            if each.changes.reason not in _NOT_LOOKED_AT:
                yield Open(side.path(f"packages.installed.{each.name}.changes"), each.changes)
        elif words := _differing(each.changes):
            yield Said(
                f"{each.name} {each.location}", Outcome.NOTE, f"{each.name} {each.version}{words}",
                remedy="reinstall it, or keep the change as a release of its own",
            )  # fmt: skip


def _differing(changes: Fact[Changes]) -> str:
    """The edited and missing files, as the end of a sentence; empty where there are none."""
    if isinstance(changes, Unknown):
        return ""
    kinds = (("edited", changes.edited), ("missing", changes.missing))
    parts = [f"{kind} {listed([*paths], 'file')}" for kind, paths in kinds if paths]
    return f", {'; '.join(parts)}" if parts else ""


class _Both(NamedTuple):
    name: str
    wanted: Package
    found: Package


def _both(pair: Pair) -> Iterator[_Both]:
    """The packages of both sides, without those that are known to be equal."""
    yield from pair.once(_not_the_same)
    for side in pair if active(pair.wanted) else ():
        all_are_listed(side)


def _not_the_same(pair: Pair) -> Sequence[_Both]:
    wanted = active(pair.wanted)
    found = dict(active(pair.found)) if wanted else {}  # which answers for other names, too
    return [
        _Both(name, each, other)
        for name, each in _named(pair).items()
        if (other := found.get(name)) is not None and not _is_known_to_be_equal(each, other)
    ]


def _is_known_to_be_equal(wanted: Package, found: Package) -> bool:
    """Whether all that PKG002 to PKG004 look at is known, and the same."""
    is_known = (
        type(wanted.content) is str
        and type(wanted.outside) is not Unknown
        and type(wanted.tags) is not Unknown
        and type(wanted.build) is not Unknown
    )
    return is_known and (
        wanted is found
        or (
            wanted.version == found.version
            and wanted.content == found.content
            and wanted.outside == found.outside
            and wanted.tags == found.tags
            and wanted.build == found.build
            and wanted.origin.kind == found.origin.kind
        )
    )


def _is_of_distribution(both: _Both) -> bool:
    """Whether both copies came with the system, whose package manager vouches for them."""
    return both.wanted.origin.kind == both.found.origin.kind == "distribution"


def _named(pair: Pair) -> Mapping[str, Package]:
    """The wanted packages, less those whose own names --anonymous took away."""
    wanted = active(pair.wanted)
    if not any(side.manifest.captured.anonymous for side in pair):
        return wanted
    return {name: each for name, each in wanted.items() if not name.startswith(_PLACEHOLDER)}


def _not_installed(absent: list[str], verb: str) -> str:
    number, _, names = listed(absent, "package").partition(": ")
    return f"{number} {verb} not installed here" + (f": {names}" if names else "")


def _conda_only(side: Side) -> Mapping[str, CondaRecord]:
    packages = side.need(Packages)
    records = need(packages.conda_only, side.path("packages.conda_only"))
    return {each.name: each for each in records}


def _conda_words(record: CondaRecord) -> str:
    return f"{record.version} {record.build}" if isinstance(record.build, str) else record.version


def _words(value: object) -> str:
    if isinstance(value, tuple):
        return (
            value[0]
            if len(value) == 1
            else f"{value[0]} and {len(value) - 1} more"
            if value
            else "none"
        )
    return "none" if value is None else str(value)
