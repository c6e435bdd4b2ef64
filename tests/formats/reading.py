"""Every format of one small plan, or of a plan that is other in some way."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from envsnap.errors import PlanError
from envsnap.formats import formats
from envsnap.plan import BuildPlan, PlanOptions, plan
from tests import made
from tests.formats.test_golden import digest

NAMES = sorted(formats())


def planned(**changes: object) -> BuildPlan:
    found = plan(made.manifest(), PlanOptions(), digest)
    return BuildPlan(**{**vars(found), **changes})


def rendered(name: str, **changes: object) -> Mapping[str, str] | None:
    """What a format writes; None where it refuses."""
    try:
        return formats()[name].render(planned(**changes))
    except PlanError:
        return None


def yaml_of(text: str) -> dict[str, object]:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed: the extra conda")
    loaded = yaml.safe_load(text)
    assert isinstance(loaded, dict)
    return loaded
