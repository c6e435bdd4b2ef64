"""Images of one Python on Debian, and plain Debian that this Python is put on."""

from __future__ import annotations

from collections.abc import Sequence

from envsnap import facts
from envsnap.errors import PlanError
from envsnap.facts import python_images
from envsnap.plan import _floor, _interpreter
from envsnap.plan._candidate import Candidate, Choice, Setting
from envsnap.plan._compiled import unsuited
from envsnap.plan._floor import DEBIAN, has_enough
from envsnap.plan._model import IN_THE_IMAGE, Interpreter, Why

_PATCHED = ("trixie", "bookworm", "bullseye")
"""The releases of Debian that a Python is put on which it has not, the newest first."""


def slim_choice(setting: Setting) -> Choice:
    """Images of this very Python, the newest suite first; then Debian, which is given it.

    Raises:
        PlanError: The tables know neither; the message names the nearest.
    """
    python = setting.python
    asked = (
        None
        if python.free_threaded is True
        else python_images.python_slim_suites(python.version, setting.machine)
    )
    images = _images(setting, asked)
    found = _interpreter.bring(python, setting.machine, setting.options)
    if not isinstance(found, str):
        return Choice([*images, *_debian(setting, asked, found, is_second=bool(images))])
    if images:
        other = _interpreter.no_other(python, setting.machine, found)
        return Choice(images, beyond=other)
    if isinstance(asked, (facts.Looked, facts.NewerThanFacts)) and setting.floor is not None:
        raise _no_glibc(setting, asked, outside=False)
    raise _interpreter.no_python(python, setting.machine, _both(asked, found))


def _images(setting: Setting, asked: facts.Answer[tuple[str, ...]] | None) -> list[Candidate]:
    version = setting.python.version
    table = f"table python_images of {facts.date_of('python_images')}"
    suites: Sequence[str] = ()
    because = guess = ""
    if isinstance(asked, facts.Looked):
        suites = asked.value
        because = f"it is the newest suite that images of Python {version} were built on"
    elif isinstance(asked, facts.NewerThanFacts):
        suites, guess = _PATCHED[:1], _interpreter.said(asked)
        because = f"{guess}; this is the suite that images are built on"
    return [
        Candidate(
            reference=f"python:{version}-slim-{suite}", interpreter=IN_THE_IMAGE, guess=guess,
            reasons=(Why(f"base=python:{version}-slim-{suite}",
                         f"the manifest names CPython {version}, and "
                         + (because if suite == suites[0] else "the newer suite does not serve"),
                         table), *_floor_reason(setting)),
        )
        for suite in suites
        if has_enough("debian", DEBIAN[suite], setting.floor)
    ]  # fmt: skip


def _debian(
    setting: Setting,
    asked: facts.Answer[tuple[str, ...]] | None,
    found: _interpreter.Brought,
    *,
    is_second: bool,
) -> list[Candidate]:
    """Plain Debian, and this Python unpacked or compiled for it.

    `is_second`: images of this Python are asked for before.

    Raises:
        PlanError: No Debian has glibc enough, and no image of this Python has.
    """
    suites = [each for each in _PATCHED if has_enough("debian", DEBIAN[each], setting.floor)]
    if not suites and not is_second:
        raise _no_glibc(setting, asked, outside=True)
    if found.interpreter.how == "compiled":
        suites.sort(key=lambda each: unsuited(setting.python.version, each))
    why, source = _why_debian(setting, asked, found.interpreter, is_second=is_second)
    return [
        Candidate(
            reference=f"debian:{suite}-slim", interpreter=found.interpreter,
            reasons=(Why(f"base=debian:{suite}-slim", why, source), *_floor_reason(setting),
                     found.why),
        )
        for suite in suites
    ]  # fmt: skip


def _why_debian(
    setting: Setting,
    asked: facts.Answer[tuple[str, ...]] | None,
    interpreter: Interpreter,
    *,
    is_second: bool,
) -> tuple[str, str]:
    """Why no image of this Python serves, and whose word that is."""
    version = setting.python.version
    table = f"table python_images of {facts.date_of('python_images')}"
    if is_second and isinstance(asked, facts.Looked):
        return f"the images of Python {version} are not there any more", "registry"
    if is_second:
        return f"no image of Python {version} is there", "registry"
    if asked is None:
        return "images called python have no build without the GIL", table
    if isinstance(asked, facts.NotInTable) or setting.floor is None:
        what = "its source" if interpreter.how == "compiled" else "a relocatable build of it"
        return f"{_interpreter.said(asked)}, and {what} is published", table
    return f"no image of Python {version} has glibc {setting.floor.version}", table


def _no_glibc(
    setting: Setting, asked: facts.Answer[tuple[str, ...]] | None, *, outside: bool
) -> PlanError:
    """The error that says that nothing has the glibc, and what is nearest.

    `outside`: whether there is a relocatable build or a source, which any Debian can take.
    """
    floor, version = setting.floor, setting.python.version
    needed = f"glibc {floor.version}, which {floor.who} needs" if floor is not None else "it"
    suites = _PATCHED if outside or not isinstance(asked, facts.Looked) else asked.value
    near = f"debian:{suites[0]}-slim" if outside else f"python:{version}-slim-{suites[0]}"
    has = _floor.glibc_of("debian", DEBIAN[suites[0]])
    return PlanError(
        f"No image of Python {version} has {needed}; the nearest is {near} with glibc {has}",
        hint="Name an image that has both with --base-image",
    )


def _both(asked: facts.Answer[tuple[str, ...]] | None, found: str) -> str:
    known = f"{_interpreter.said(asked)}; " if isinstance(asked, facts.NotInTable) else ""
    return f"{known}{found}"


def _floor_reason(setting: Setting) -> tuple[Why, ...]:
    if setting.floor is None:
        return ()
    return (
        Why(f"glibc {setting.floor.version} or newer", f"{setting.floor.who} needs it",
            "table manylinux"),
    )  # fmt: skip
