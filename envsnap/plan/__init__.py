"""What a container must contain, decided once for every format."""

from __future__ import annotations

from envsnap.plan._model import (
    BaseImage,
    BatchJob,
    BuildPlan,
    LeftOut,
    PlanOptions,
    Resolve,
    Secret,
    Why,
)
from envsnap.plan._plan import plan

__all__ = [
    "BaseImage", "BatchJob", "BuildPlan", "LeftOut", "PlanOptions", "Resolve", "Secret", "Why",
    "plan",
]  # fmt: skip
