"""What build.json says of a build, and of the system packages that its image got."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from envsnap.formats._context import read_record
from envsnap.plan import BuildPlan
from envsnap.plan._system_versions import Versions, recorded
from envsnap.sections import Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envsnap.engines import Built

_BEFORE = "system_before"
"""Where the versions of the image before stand until there is a new one."""


def earlier_versions(folder: str, environment: str) -> Versions | None:
    """The system packages that the last image of this environment got, by its folder's record."""
    known = read_record(folder) or {}
    said = known.get("system") or known.get(_BEFORE)
    return recorded(said) if known.get("environment") == environment else None


def image_versions(folder: str, environment: str) -> Versions | None:
    """Those of the image that the record is of; None where it was not built, or has none."""
    known = read_record(folder) or {}
    return recorded(known.get("system")) if known.get("environment") == environment else None


def record(
    planned: BuildPlan,
    formats: Iterable[str],
    built: Built | None,
    versions: Versions | None = None,
) -> Mapping[str, object]:
    """What build.json says of a build; `versions` are those of its system packages."""
    digest = None if isinstance(planned.base.digest, Unknown) else planned.base.digest
    image = built and {"engine": built.engine, "id": built.id, "name": built.name}
    return {
        "base": {"digest": digest, "reference": planned.base.reference},
        "captured": planned.captured,
        "environment": planned.environment,
        "formats": sorted(formats),
        "image": image,
        "left_out": [each.name for each in planned.left_out],
        "manifest_sha256": planned.manifest_sha256,
        "platform": planned.platform,
        "system": versions and versions.document(),
    }


def before_build(
    planned: BuildPlan, formats: Iterable[str], earlier: Versions | None
) -> Mapping[str, object]:
    """What build.json says while there is no image: with the versions of the one before, apart."""
    kept = {_BEFORE: earlier.document()} if earlier is not None else {}
    return {**record(planned, formats, None), **kept}
