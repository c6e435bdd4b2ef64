"""Images with musl: Alpine Linux, for wheels that are built for it."""

from __future__ import annotations

from collections.abc import Sequence

from envsnap import facts
from envsnap.errors import PlanError
from envsnap.facts import manylinux, python_images
from envsnap.plan import _interpreter
from envsnap.plan._candidate import Candidate, Setting
from envsnap.plan._floor import Floor, musl_floor, numbers
from envsnap.plan._model import IN_THE_IMAGE, Why
from envsnap.sections import Artifact


def alpine_candidates(setting: Setting, wheels: Sequence[Artifact]) -> list[Candidate]:
    """The images of this very Python on Alpine, the newest release first.

    Raises:
        PlanError: There is none, or none with musl enough.
    """
    version, machine = setting.python.version, setting.machine
    asked = python_images.python_alpine_releases(version, machine)
    if isinstance(asked, facts.NotInTable) or setting.python.free_threaded is True:
        raise _interpreter.no_python(
            setting.python, machine, _interpreter.said(asked), "on Alpine",
            known=python_images.python_alpine_versions(machine),
        )  # fmt: skip
    first = next((each.filename for each in wheels if "-musllinux_" in each.filename), None)
    why = f"{first or 'the captured system'} is for musl (Alpine Linux)"
    if isinstance(asked, facts.NewerThanFacts):
        said = _interpreter.said(asked)
        return [_candidate(f"python:{version}-alpine", f"{why}; {said}", listed=False)]
    floor = musl_floor(wheels)
    enough = [each for each in asked.value if _has_musl(each, floor)]
    if floor is not None and not enough:
        raise _no_musl(version, asked.value[0], floor)
    return [
        _candidate(
            f"python:{version}-alpine{each}",
            f"{why}; it is "
            + ("the newest release" if each == asked.value[0] else "another release")
            + f" that images of Python {version} were built on",
        )
        for each in enough
    ]


def _candidate(reference: str, because: str, *, listed: bool = True) -> Candidate:
    table = f"table python_images of {facts.date_of('python_images')}"
    return Candidate(
        reference=reference, interpreter=IN_THE_IMAGE, listed=listed,
        reasons=(Why(f"base={reference}", because, table),),
    )  # fmt: skip


def _has_musl(release: str, floor: Floor | None) -> bool:
    """Whether a release has that musl; one that is newer than the table surely has."""
    found = manylinux.distribution("alpine", release)
    if floor is None or isinstance(found, facts.NewerThanFacts):
        return True
    if not isinstance(found, facts.Looked):
        return False
    return numbers(found.value.libc_version) >= numbers(floor.version)


def _no_musl(version: str, newest: str, floor: Floor) -> PlanError:
    return PlanError(
        f"No image of Python {version} has musl {floor.version}, which {floor.who} needs; the "
        f"nearest is python:{version}-alpine{newest}{_which(newest)}",
        hint="Name an image that has both with --base-image",
    )


def _which(release: str) -> str:
    found = manylinux.distribution("alpine", release)
    return f" with musl {found.value.libc_version}" if isinstance(found, facts.Looked) else ""
