"""How the exact Python comes into an image whose base does not have it."""

from __future__ import annotations

from collections.abc import Iterable

from envsnap import facts
from envsnap._typing import Literal, NamedTuple
from envsnap.errors import PlanError
from envsnap.facts import python_builds, python_images, python_sources
from envsnap.plan._floor import numbers
from envsnap.plan._model import Interpreter, PlanOptions, Why
from envsnap.sections import Python

FOLDER = "/opt/python"
"""Where a Python lies in the image that its base does not have."""
_COMPILED_IN = "about 4 minutes of processor time"
"""Measured: 3.9.5 took 217 s, on Debian 12."""
_FETCHER = "python:3.13.15-slim-bookworm"
"""The stage that fetches and unpacks: any Python does, and this one's images are still made."""
_OLDEST_FETCHER = (3, 10)


class Brought(NamedTuple):
    """A Python that the base image does not have."""

    interpreter: Interpreter
    why: Why


def bring(python: Python, machine: str, options: PlanOptions) -> Brought | str:
    """This very Python for a base image without it, and why so; else why there is none.

    A relocatable build where one is published, else its source, which is compiled.
    """
    threads = python.free_threaded is True
    build = python_builds.build(python.version, machine, free_threaded=threads)
    if isinstance(build, facts.Looked):
        return _unpacked(python, build.value, options)
    source = python_sources.source(python.version, free_threaded=threads)
    if isinstance(source, facts.Looked):
        return _compiled(python, source.value, options)
    return f"{said(build)}; {said(source)}"


def _unpacked(python: Python, build: python_builds.Build, options: PlanOptions) -> Brought:
    interpreter = _interpreter("archive", python, build, options)
    why = Why(
        f"{_named(python)} is unpacked to {FOLDER} from {build.filename}",
        f"the base image has no Python of this very version; {_checked('archive', interpreter)}",
        f"table python_builds of {facts.date_of('python_builds')}",
    )
    return Brought(interpreter, why)


def _compiled(python: Python, source: python_sources.Source, options: PlanOptions) -> Brought:
    interpreter = _interpreter("compiled", python, source, options)
    why = Why(
        f"{_named(python)} is compiled from {source.filename} in a stage of its own, "
        f"{_COMPILED_IN}; {FOLDER} alone comes out of it",
        "the base image has no Python of this very version, and no relocatable build of it is "
        f"known; {_checked('source', interpreter)}. It is not optimized by a profile nor at link "
        "time: that takes far longer, and changes speed alone",
        f"table python_sources of {facts.date_of('python_sources')}",
    )
    return Brought(interpreter, why)


def _interpreter(
    how: Literal["archive", "compiled"],
    python: Python,
    file: python_builds.Build | python_sources.Source,
    options: PlanOptions,
) -> Interpreter:
    executable = f"{FOLDER}/bin/python{'.'.join(python.version.split('.')[:2])}"
    return Interpreter(
        how=how, executable=executable + ("t" if python.free_threaded is True else ""),
        filename=file.filename, url=None if file.sha256 in options.stored else file.url,
        sha256=file.sha256,
    )  # fmt: skip


def _named(python: Python) -> str:
    return f"Python {python.version}{' without the GIL' if python.free_threaded is True else ''}"


def _checked(what: str, interpreter: Interpreter) -> str:
    travels = ", and travels with the recipe" if interpreter.url is None else ""
    return f"the {what} is checked against its SHA-256{travels}"


def fetchers(interpreter: Interpreter, machine: str) -> tuple[str, ...]:
    """The images that a stage can start from which fetches what the base cannot, the best first.

    Any Python does: after the usual one the last patch of each minor release, the newest first.
    """
    if interpreter.how not in {"archive", "compiled"}:
        return ()
    last = {_key(each)[:2]: each for each in python_images.python_slim_versions(machine)}
    others = [last[minor] for minor in sorted(last, reverse=True) if minor >= _OLDEST_FETCHER]
    found = [_FETCHER]
    for version in others:
        suites = python_images.python_slim_suites(version, machine)
        if isinstance(suites, facts.Looked):
            found.append(f"python:{version}-slim-{suites.value[0]}")
    return tuple(dict.fromkeys(found))


def no_python(
    python: Python, machine: str, why: str, kind: str = "", *, known: Iterable[str] | None = None
) -> PlanError:
    """The error that says that nobody publishes this Python, and what is nearest.

    `kind`: which images are meant, as 'on Alpine'; `known`: the versions that would do. Without
    them every image of Python would, every relocatable build and every source.
    """
    threads = python.free_threaded is True
    if known is None:
        others = () if threads else python_images.python_slim_versions(machine)
        known = (*outside(python, machine), *others)
    mark = "t" if threads else ""
    return PlanError(
        f"There is no image of Python {python.version}{mark}{f' {kind}' if kind else ''}: "
        f"{why}{_said_near(python, known)}",
        hint="Name an image that has this Python with --base-image",
    )


def no_other(python: Python, machine: str, why: str) -> str:
    """What is said where images of this Python are gone, and nothing else brings it."""
    near = _said_near(python, outside(python, machine))
    return f"no other way to Python {python.version} is known: {why}{near}"


def _said_near(python: Python, known: Iterable[str]) -> str:
    mark = "t" if python.free_threaded is True else ""
    near = [each + mark for each in nearest(python.version, known)]
    return f"; the nearest to be had: {' and '.join(near)}" if near else ""


def outside(python: Python, machine: str) -> tuple[str, ...]:
    """Every version of the same kind that a base image without it can be given."""
    threads = python.free_threaded is True
    builds = python_builds.versions(machine, free_threaded=threads)
    return (*builds, *python_sources.versions(free_threaded=threads))


def said(answer: object) -> str:
    """An answer of the tables, inside a sentence."""
    text = str(answer)
    return text[:1].lower() + text[1:]


def nearest(version: str, known: Iterable[str]) -> list[str]:
    """The next version below and above, of the same minor release where there is one."""
    asked = _key(version)
    others = sorted(set(known), key=_key)
    same = [each for each in others if _key(each)[:2] == asked[:2]] or others
    below = [each for each in same if _key(each) < asked][-1:]
    above = [each for each in same if _key(each) > asked][:1]
    return [*below, *above]


def _key(version: str) -> tuple[int, ...]:
    """A pre-release lies below its release."""
    for mark in ("rc", "a", "b"):
        if mark in version:
            release, _, number = version.partition(mark)
            stage = ("a", "b", "rc").index(mark)
            return (*numbers(release), stage, int(number) if number.isdecimal() else 0)
    return (*numbers(version), len("abc"), 0)
