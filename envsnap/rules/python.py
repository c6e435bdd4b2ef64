"""PYT: the interpreter under the packages."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.rules._abi import bound
from envsnap.rules._core import Pair, Said, Side, drift, health, need
from envsnap.rules._findings import Level, Outcome, Scope
from envsnap.rules._sources import DEBUG_BUILD, ENVSNAP, IMPORT_SYSTEM, PYTHON_ABI, PYTHON_PATH
from envsnap.rules._views import active, all_are_listed, few, listed, shell_line
from envsnap.sections import Packages, Python

_OWN_HOOKS = ("_frozen_importlib.", "_frozen_importlib_external.", "_distutils_hack.", "six.")
"""Hooks that Python itself, setuptools and six bring: no code comes from elsewhere by them."""
_BOTH_LOAD = (3, 8)
"""From this version on a debug build loads what was compiled for the usual one."""


@drift("PYT001", scope=Scope.NATIVE, worst=Outcome.BLOCKS, reads=(Python,), source=PYTHON_ABI)
def implementation(pair: Pair) -> Iterator[Said]:
    """Compiled packages are built for one implementation of Python.

    CPython and PyPy load different extension modules, and differ in speed and in details.
    """
    wanted, found = pair.wanted.need(Python), pair.found.need(Python)
    if wanted.implementation != found.implementation:
        yield Said(
            "Python", Outcome.BLOCKS, f"{wanted.implementation} -> {found.implementation}",
            remedy=_remedy(wanted), wanted=wanted.implementation, found=found.implementation,
        )  # fmt: skip


@drift(
    "PYT002", scope=Scope.NATIVE, worst=Outcome.BLOCKS, reads=(Python, Packages), source=PYTHON_ABI
)
def minor_version(pair: Pair) -> Iterator[Said]:
    """Compiled packages are built for one minor version of Python.

    An extension module for CPython 3.11 does not load in 3.12, unless its wheel's tags say that
    it keeps to the stable ABI (abi3), or asks for no Python in particular. Without such packages
    the language and its library still differ: it runs, and nothing is promised of its digits.
    """
    wanted, found = pair.wanted.need(Python), pair.found.need(Python)
    if _minor(wanted) == _minor(found):
        return
    binaries = bound(pair)
    yield Said(
        "Python", Outcome.BLOCKS if binaries else Outcome.NUMERICS,
        f"Python {wanted.version} -> {found.version}"
        + (f"; compiled for it: {listed(binaries, 'package')}" if binaries else ""),
        why=None if binaries else "another language version, another standard library",
        lowers=None if binaries else Level.RUNS,
        remedy=_remedy(wanted), wanted=wanted.version, found=found.version,
    )  # fmt: skip


@drift("PYT003", scope=Scope.NATIVE, worst=Outcome.NOTE, reads=(Python,), source=PYTHON_ABI)
def patch_version(pair: Pair) -> Iterator[Said]:
    """A patch release mends faults and keeps the binary interface.

    The same minor version of Python in another patch release.
    """
    wanted, found = pair.wanted.need(Python), pair.found.need(Python)
    if wanted.version != found.version and _minor(wanted) == _minor(found):
        yield Said(
            "Python", Outcome.NOTE, f"Python {wanted.version} -> {found.version}",
            wanted=wanted.version, found=found.version,
        )  # fmt: skip


@drift("PYT004", scope=Scope.NATIVE, worst=Outcome.BLOCKS, reads=(Python,), source=PYTHON_ABI)
def binary_interface(pair: Pair) -> Iterator[Said]:
    """Extension modules load only into the build of Python that they were made for.

    A free-threaded build and the usual one have two binary interfaces within one version of
    Python; so have two C libraries and two architectures, whose names stand in the tag of
    extension modules (SOABI). A debug build loads what the usual one does since Python 3.8, and
    not the other way round.
    """
    wanted, found = pair.wanted.need(Python), pair.found.need(Python)
    if _minor(wanted) != _minor(found):
        return  # PYT002 says it
    for name, what in (("free_threaded", "free-threaded build"), ("debug", "debug build")):
        theirs = need(getattr(wanted, name), pair.wanted.path(f"python.{name}"))
        ours = need(getattr(found, name), pair.found.path(f"python.{name}"))
        if theirs != ours:
            is_slow_alone = name == "debug" and ours and _numbers(found) >= _BOTH_LOAD
            yield Said(
                what, Outcome.PERF if is_slow_alone else Outcome.BLOCKS,
                f"{what}: {_yes(theirs)} -> {_yes(ours)}",
                why="a debug build checks itself all the time" if is_slow_alone else None,
                remedy=_remedy(wanted), wanted=_yes(theirs), found=_yes(ours),
            )  # fmt: skip
            return
    theirs_tag = need(wanted.soabi, pair.wanted.path("python.soabi"))
    our_tag = need(found.soabi, pair.found.path("python.soabi"))
    if theirs_tag != our_tag:
        yield Said(
            "extension modules", Outcome.BLOCKS, f"their tag: {theirs_tag} -> {our_tag}",
            remedy=_remedy(wanted), wanted=theirs_tag, found=our_tag,
        )  # fmt: skip


@drift("PYT005", scope=Scope.NATIVE, worst=Outcome.NOTE, reads=(Python,), source=ENVSNAP)
def builder(pair: Pair) -> Iterator[Said]:
    """The same version of Python, built by somebody else.

    Options and compiler of the build change speed, hardly ever results.
    """
    wanted, found = pair.wanted.need(Python), pair.found.need(Python)
    theirs = need(wanted.origin, pair.wanted.path("python.origin"))
    ours = need(found.origin, pair.found.path("python.origin"))
    if theirs != ours:
        yield Said(
            "Python build", Outcome.NOTE, f"Python built by {theirs} -> {ours}",
            wanted=theirs, found=ours,
        )  # fmt: skip


@health("PYT010", scope=Scope.NATIVE, worst=Outcome.NOTE, reads=(Python,), source=ENVSNAP)
def degraded(side: Side) -> Iterator[Said]:
    """What was captured may be less than what a program sees.

    The interpreter did not answer in its usual way and was read without its site packages'
    start-up code, or from its files.
    """
    why = need(side.need(Python).degraded, side.path("python.degraded"))
    if why is not None:
        yield Said("Python", Outcome.NOTE, f"Python was read in a reduced way: {why}")


@drift("PYT006", scope=Scope.NATIVE, worst=Outcome.NOTE, reads=(Python,), source=IMPORT_SYSTEM)
def import_hooks(pair: Pair) -> Iterator[Said]:
    """Whoever stands on sys.meta_path decides what an import gets.

    The classes there differ. Those that Python, setuptools and six bring are left out; the
    finders of editable installations and tools that rewrite modules as they are imported are not.
    """
    theirs, ours = (
        {
            each
            for each in need(side.need(Python).import_hooks, side.path("python.import_hooks"))
            if not each.startswith(_OWN_HOOKS)
        }
        for side in pair
    )
    if theirs != ours:
        then, now = (few(sorted(each)) or "none" for each in (theirs, ours))
        yield Said(
            "import hooks", Outcome.NOTE, f"import hooks: {then} -> {now}", wanted=then, found=now
        )


@health(
    "PYT011", scope=Scope.NATIVE, worst=Outcome.NOTE, reads=(Packages, Python), source=PYTHON_PATH
)
def outside(side: Side) -> Iterator[Said]:
    """They are imported from outside of the environment, which others will not have.

    Distributions that PYTHONPATH, or the user's own folder (pip install --user), adds to an
    environment. They belong to the shell or the account, not to the environment.
    """
    kind = need(side.need(Python).environment_kind, side.path("python.environment_kind"))
    layers = {"pythonpath": "PYTHONPATH"}
    if kind != "installation":
        layers["user"] = "the user's folder"
    beyond = [each for each in active(side).values() if each.layer in layers]
    for layer, place in layers.items():
        names = [each.name for each in beyond if each.layer == layer]
        if names:
            verb = "comes" if len(names) == 1 else "come"
            number, _, which = listed(names, "package").partition(": ")
            yield Said(
                place, Outcome.NOTE,
                f"{number} {verb} from {place}" + (f": {which}" if which else ""),
                remedy="install them into the environment, then "
                + ("unset PYTHONPATH" if layer == "pythonpath" else "export PYTHONNOUSERSITE=1"),
            )  # fmt: skip
    all_are_listed(side)


@health("PYT012", scope=Scope.NATIVE, worst=Outcome.PERF, reads=(Python,), source=DEBUG_BUILD)
def debug_build(side: Side) -> Iterator[Said]:
    """It checks itself all the time, which makes it much slower.

    The interpreter was built with --with-pydebug, for those who work on Python itself: with more
    checks, and without the compiler's optimisation.
    """
    if need(side.need(Python).debug, side.path("python.debug")):
        yield Said(
            "Python", Outcome.PERF, "a debug build of Python", remedy=_remedy(side.need(Python))
        )


def _minor(python: Python) -> list[str]:
    return python.version.split(".")[:2]


def _numbers(python: Python) -> tuple[int, ...]:
    return tuple(int(part) for part in _minor(python) if part.isdecimal())


def _remedy(python: Python) -> str:
    line = shell_line("uv python install", python.version)
    return f"install Python {python.version}" + (f", as: {line}" if line else "")


def _yes(value: bool) -> str:  # noqa: FBT001 - the value is what is put into words
    return "yes" if value else "no"
