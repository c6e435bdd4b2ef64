"""Plans of small manifests, with a registry that answers one digest for all."""

from __future__ import annotations

import pytest

from envsnap.errors import PlanError
from envsnap.manifest import Manifest
from envsnap.plan import BuildPlan, PlanOptions, plan
from envsnap.sections import (
    Fact,
    Reason,
    Unknown,
)
from tests import made

DIGEST = "sha256:" + "ab" * 32


def digest(_reference: str) -> Fact[str]:
    return DIGEST


def no_registry(reference: str) -> Fact[str]:
    return Unknown(Reason.TOOL_MISSING, f"nobody answers for {reference}")


def planned(
    manifest: Manifest | None = None, *, base_image: str | None = None, allow_missing: bool = False
) -> BuildPlan:
    options = PlanOptions(base_image=base_image, allow_missing=allow_missing)
    return plan(manifest or made.manifest(), options, digest)


def refusal(manifest: Manifest | None, *, base_image: str | None = None) -> tuple[str, str | None]:
    with pytest.raises(PlanError) as caught:
        planned(manifest, base_image=base_image)
    assert caught.value.exit_code == 6
    return caught.value.message, caught.value.hint
