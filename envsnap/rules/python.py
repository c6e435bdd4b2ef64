"""PYT: the interpreter under the packages."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.rules._core import Pair, Said, Side, drift, health, need
from envsnap.rules._findings import Outcome, Scope
from envsnap.rules._sources import ENVSNAP, PYTHON_ABI
from envsnap.rules._views import compiled, listed, shell_line
from envsnap.sections import Packages, Python


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

    An extension module for CPython 3.11 does not load in 3.12, unless it keeps to the stable
    ABI. Without compiled packages the language and its library still differ.
    """
    wanted, found = pair.wanted.need(Python), pair.found.need(Python)
    if _minor(wanted) == _minor(found):
        return
    binaries = compiled(pair.wanted)
    yield Said(
        "Python", Outcome.BLOCKS if binaries else Outcome.NUMERICS,
        f"Python {wanted.version} -> {found.version}"
        + (f"; compiled for it: {listed(binaries, 'package')}" if binaries else ""),
        why=None if binaries else "another language version, another standard library",
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

    A free-threaded build, a debug build and the usual one have three binary interfaces within
    one version of Python; so have two C libraries and two architectures, whose names stand in
    the tag of extension modules (SOABI).
    """
    wanted, found = pair.wanted.need(Python), pair.found.need(Python)
    if _minor(wanted) != _minor(found):
        return  # PYT002 says it
    for name, what in (("free_threaded", "free-threaded build"), ("debug", "debug build")):
        theirs = need(getattr(wanted, name), pair.wanted.path(f"python.{name}"))
        ours = need(getattr(found, name), pair.found.path(f"python.{name}"))
        if theirs != ours:
            yield Said(
                what, Outcome.BLOCKS, f"{what}: {_yes(theirs)} -> {_yes(ours)}",
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


def _minor(python: Python) -> list[str]:
    return python.version.split(".")[:2]


def _remedy(python: Python) -> str:
    line = shell_line("uv python install", python.version)
    return f"install Python {python.version}" + (f", as: {line}" if line else "")


def _yes(value: bool) -> str:  # noqa: FBT001 - the value is what is put into words
    return "yes" if value else "no"
