"""The images that a plan could start from, the best first, and the one that is still there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from envsnap._typing import NamedTuple
from envsnap.errors import PlanError
from envsnap.facts.registry_answers import NoSuchTag
from envsnap.plan import _safe
from envsnap.plan._floor import Floor
from envsnap.plan._model import FILES, BaseImage, Interpreter, PlanOptions, Resolve, Why
from envsnap.sections import Fact, Python, Reason, Unknown


class Setting(NamedTuple):
    """What every image must suit."""

    python: Python
    machine: str
    """The architecture, as 'x86_64'."""
    options: PlanOptions
    floor: Floor | None = None
    """The oldest glibc that serves; None where nothing asks for one."""
    captured_glibc: str | None = None
    """The glibc of the machine that was captured; None where it is not known."""


class Candidate(NamedTuple):
    """One image that would serve."""

    reference: str
    interpreter: Interpreter
    reasons: tuple[Why, ...]
    brings: frozenset[str] = frozenset()
    """Families of libraries that it has itself, as 'cudnn'."""
    listed: bool = True
    """Whether a table knows it; else it counts only where its registry answers for it."""
    guess: str = ""
    """Why nobody knows whether there is such an image; empty where a table has it."""


class Choice(NamedTuple):
    """The images that would serve, the best first."""

    candidates: Sequence[Candidate]
    aside: Sequence[Why] = ()
    """What is said of them all."""
    beyond: str = ""
    """What is said where none of them is there: why this Python comes no other way."""


def settle(
    choice: Choice, where: str, resolve: Resolve, *, sure: bool = False
) -> tuple[BaseImage, Candidate, list[Why]]:
    """The first that its registry has not lost, and what is to say of those before it.

    `sure`: the user named it, and may know of a copy that no registry answers for.

    Raises:
        PlanError: All of them are gone.
    """
    passed: list[Why] = []
    for each in choice.candidates:
        base = resolved(each.reference, where, resolve)
        why = None if sure else why_not(each, base.digest)
        if why is None:
            return base, each, passed
        passed.append(why)
    names = ", ".join(each.reference for each in choice.candidates)
    never_was = all(each.guess for each in choice.candidates)
    said = "There is no image" if never_was else "None of the images that fit is there:"
    beyond = f"; {choice.beyond}" if choice.beyond else ""
    raise PlanError(
        f"{said} {names} ({passed[-1].because}){beyond}",
        hint="Name one that is, or a copy of your own, with --base-image",
    )


def resolved(reference: str, where: str, resolve: Resolve) -> BaseImage:
    """The image with the digest that its registry answers; no registry has one that is a file."""
    found = parsed(reference, where)
    if found.is_file or not isinstance(found.digest, Unknown):
        return found
    return replace(found, digest=resolve(reference))


def parsed(reference: str, where: str) -> BaseImage:
    """The image by its name alone: nobody is asked.

    Raises:
        PlanError: It is no reference of an image, or a file without a name.
    """
    if reference.startswith(tuple(f"{kind}:" for kind in FILES)):
        _safe.file_reference(reference, where)
        digest: Fact[str] = Unknown(Reason.NOT_SUPPORTED, "it is a file")
        return BaseImage(reference=reference, repository=reference, tag=None, digest=digest)
    repository, tag, stated = _safe.reference(reference, where)
    digest = stated if stated is not None else Unknown(Reason.NOT_ASKED)
    return BaseImage(reference=reference, repository=repository, tag=tag, digest=digest)


def is_gone(digest: Fact[str]) -> bool:
    """Whether the registry answered that it has no such tag. No answer is not that."""
    return isinstance(digest, NoSuchTag)


def unheard(chosen: Candidate, base: BaseImage) -> tuple[str, ...]:
    """What nobody knows of an image that no table has, where its registry was not heard either.

    Nothing where no registry was asked because nothing that is written starts from the image.
    """
    if not chosen.guess or not isinstance(base.digest, Unknown):
        return ()
    if base.digest.reason is Reason.NOT_ASKED:
        return ()
    said = _safe.plain(base.digest.detail or str(base.digest.reason))
    nobody = f"Nobody knows whether there is an image {base.reference}"
    return (f"{nobody}: {chosen.guess}, and its registry was not heard ({said})",)


def why_not(candidate: Candidate, digest: Fact[str]) -> Why | None:
    """Why an image does not count; None where it does."""
    if not isinstance(digest, Unknown):
        return None
    said, name = _safe.plain(digest.detail or str(digest.reason)), candidate.reference
    if is_gone(digest):
        is_known = candidate.listed and not candidate.guess
        decision = f"{name} is gone" if is_known else f"there is no tag {name}"
        return Why(decision, said, "registry")
    if not candidate.listed:
        why = f"no table lists it, and its registry was not heard: {said}"
        return Why(f"{name} is passed over", why, "registry")
    return None
