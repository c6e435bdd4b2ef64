"""Environments that live in one of NVIDIA's NGC images: what they have is on no index."""

from __future__ import annotations

import re
from collections.abc import Sequence

from envsnap import facts
from envsnap._typing import NamedTuple
from envsnap.errors import PlanError
from envsnap.facts import ngc_images
from envsnap.manifest import Manifest, canonical_name
from envsnap.plan import _safe
from envsnap.plan._candidate import Candidate
from envsnap.plan._interpreter import said
from envsnap.plan._model import Interpreter, Why
from envsnap.sections import Package, Python, exists_only_here

_MARK = re.compile(r"[+.]nv(\d\d)\.(\d\d)\Z")
_FRAMEWORKS = {"torch": ("pytorch", "py3"), "tensorflow": ("tensorflow", "tf2-py3")}
_FEW = 3


class Ngc(NamedTuple):
    """The NGC image that an environment came from."""

    month: str
    """As '25.10'."""
    reference: str
    proof: str
    """The package and version that tell it."""


def ngc_of(active: Sequence[Package]) -> Ngc | None:
    """The image whose own packages are among these; None where none is.

    Raises:
        PlanError: They are of two images.
    """
    found = {}
    for each in active:
        mark, name = _MARK.search(each.version), canonical_name(each.name)
        if mark is not None and "+" in each.version and name in _FRAMEWORKS:
            image, kind = _FRAMEWORKS[name]
            month = f"{mark[1]}.{mark[2]}"
            reference = f"nvcr.io/nvidia/{image}:{month}-{kind}"
            found[reference] = Ngc(month, reference, f"{name} {_safe.plain(each.version)}")
    if len(found) > 1:
        raise PlanError(
            f"The environment has packages of two NGC images: {' and '.join(sorted(found))}",
            hint="Name the one to start from with --base-image",
        )
    return next(iter(found.values()), None)


def brought(manifest: Manifest, active: Sequence[Package]) -> tuple[Package, ...]:
    """The packages that only the NGC image has: those it marked, and those no index has."""
    lock = manifest.lock
    locked = {canonical_name(each.name) for each in lock.artifacts} if lock is not None else set()
    return tuple(
        each
        for each in active
        if _MARK.search(each.version)
        or (canonical_name(each.name) not in locked and not exists_only_here(each.origin))
    )


def ngc_candidate(ngc: Ngc, python: Python, names: Sequence[Package]) -> Candidate:
    """The NGC image, with its own Python.

    Raises:
        PlanError: That image has another Python.
    """
    found = ngc_images.release(ngc.month)
    minor = ".".join(python.version.split(".")[:2])
    known = found.value if isinstance(found, facts.Looked) else None
    if known is not None and known.python != minor:
        raise PlanError(
            f"{ngc.proof} comes from {ngc.reference} alone, which has Python {known.python} and "
            f"not {minor}",
            hint="Name the image that the environment was captured in with --base-image",
        )
    few = ", ".join(_safe.plain(each.name) for each in names[:_FEW]) + (
        ", ..." if len(names) > _FEW else ""
    )
    table = f"table ngc_images of {facts.date_of('ngc_images')}"
    return Candidate(
        reference=ngc.reference,
        interpreter=Interpreter(
            how="image", executable=known.executable if known else "python3",
            system_site_packages=True,
        ),
        brings=frozenset({"everything"}),
        reasons=(
            Why(f"base={ngc.reference}", f"{ngc.proof} is on no index: it comes from this image "
                "alone", "sections.packages"),
            Why(f"Python is the image's own, {_said(found)}", "what the image brings is installed "
                "for that one; its patch release is checked when the image is built", table),
            Why(f"the image's own packages stay as they are: {len(names)} ({few})",
                "no index has them", "lock"),
        ),
    )  # fmt: skip


def _said(found: facts.Answer[ngc_images.Release]) -> str:
    if not isinstance(found, facts.Looked):
        return f"of a version that no table tells ({said(found)})"
    return f"{found.value.python} ({found.confidence} confidence)"
