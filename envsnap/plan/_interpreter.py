"""How the exact Python comes into an image whose base does not have it."""

from __future__ import annotations

from collections.abc import Iterable

from envsnap import facts
from envsnap._typing import NamedTuple
from envsnap.errors import PlanError
from envsnap.facts import python_builds, python_images
from envsnap.plan._floor import numbers
from envsnap.plan._model import Interpreter, PlanOptions, Why
from envsnap.sections import Python

FOLDER = "/opt/python"
"""Where a relocatable Python lies in the image."""
_FETCHER = "python:3.13.15-slim-bookworm"
"""The stage that fetches and unpacks: any Python does, and this one's images are still made."""


class Archived(NamedTuple):
    """A Python that is unpacked from an archive."""

    interpreter: Interpreter
    why: Why


def archive(
    python: Python, machine: str, options: PlanOptions
) -> Archived | facts.NewerThanFacts | facts.NotInTable:
    """The relocatable build of this Python, and why it is taken; else why there is none."""
    threads = python.free_threaded is True
    found = python_builds.build(python.version, machine, free_threaded=threads)
    if not isinstance(found, facts.Looked):
        return found
    build = found.value
    executable = f"{FOLDER}/bin/python{'.'.join(python.version.split('.')[:2])}"
    if threads:
        executable += "t"
    stored = build.sha256 in options.stored
    interpreter = Interpreter(
        how="archive", executable=executable, filename=build.filename,
        url=None if stored else build.url, sha256=build.sha256,
    )  # fmt: skip
    kind = " without the GIL" if threads else ""
    why = Why(
        f"Python {python.version}{kind} is unpacked to {FOLDER} from {build.filename}",
        "the base image has no Python of this very version; the archive is checked against its "
        "SHA-256" + (", and travels with the recipe" if interpreter.url is None else ""),
        f"table python_builds of {facts.date_of('python_builds')}",
    )
    return Archived(interpreter, why)


def fetcher(interpreter: Interpreter) -> str | None:
    """The image of the stage that fetches the archive; None where there is none to fetch."""
    return _FETCHER if interpreter.how == "archive" else None


def no_python(
    python: Python, machine: str, why: str, kind: str = "", *, known: Iterable[str] | None = None
) -> PlanError:
    """The error that says that nobody publishes this Python, and what is nearest.

    `kind`: which images are meant, as 'on Alpine'; `known`: the versions that would do. Without
    them every image of Python would, and every relocatable build.
    """
    threads = python.free_threaded is True
    if known is None:
        others = () if threads else python_images.python_slim_versions(machine)
        known = (*archives(python, machine), *others)
    mark = "t" if threads else ""
    near = [each + mark for each in nearest(python.version, known)]
    said_near = f"; the nearest to be had: {' and '.join(near)}" if near else ""
    return PlanError(
        f"There is no image of Python {python.version}{mark}{f' {kind}' if kind else ''}: "
        f"{why}{said_near}",
        hint="Name an image that has this Python with --base-image",
    )


def archives(python: Python, machine: str) -> tuple[str, ...]:
    """Every version that has a relocatable build of the same kind, the oldest first."""
    return python_builds.versions(machine, free_threaded=python.free_threaded is True)


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
