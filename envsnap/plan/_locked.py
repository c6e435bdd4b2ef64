"""What both plans, of an image and of a native environment, ask of a manifest's lock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from envsnap.errors import PlanError
from envsnap.manifest import Manifest, canonical_name, environment_id
from envsnap.plan import _safe
from envsnap.plan._model import LeftOut
from envsnap.sections import Artifact, Lock

_SHOWN = 5


def lock_of(manifest: Manifest, *, hint: str) -> Lock:
    """The lock of the manifest's own environment.

    Raises:
        PlanError: There is none, or it is of another environment.
    """
    if manifest.lock is None:
        raise PlanError(
            "The manifest has no lock, which names the file of every package", hint=hint
        )
    own = environment_id(manifest)
    if manifest.lock.environment != own:
        said = _safe.shown(manifest.lock.environment)
        raise PlanError(
            f"The lock is of environment {said}, not of the manifest's own, {own}", hint=hint
        )
    return manifest.lock


def by_name(
    lock: Lock, checked: Callable[[Artifact, str], Artifact | None]
) -> Mapping[str, Artifact]:
    """The artifacts by canonical name, each held to the form that it must have.

    `checked` gets an artifact and its path in the manifest; it answers None for one to leave out.

    Raises:
        PlanError: A name stands twice, or `checked` refuses one.
    """
    found: dict[str, Artifact] = {}
    for index, each in enumerate(lock.artifacts):
        artifact = checked(each, f"lock.artifacts[{index}]")
        if artifact is None:
            continue
        if found.setdefault(canonical_name(artifact.name), artifact) is not artifact:
            raise PlanError(f"{artifact.name} stands twice in 'lock.artifacts'")
    return found


def without_file(missing: Sequence[LeftOut], what: str, *, hint: str) -> PlanError:
    """The error that names packages without a file; `what` comes after their number and noun."""
    lines = [
        f"\n  {_safe.plain(each.name)} {_safe.plain(each.version)}: {_safe.plain(each.why)}"
        for each in missing[:_SHOWN]
    ]
    more = f"\n  and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    return PlanError(f"{len(missing)} {what}:{''.join(lines)}{more}", hint=hint)
