"""What a container must contain, decided once for every format."""

from __future__ import annotations

from envsnap.plan._model import BaseImage, BuildPlan, LeftOut, PlanOptions, Resolve, Why
from envsnap.plan._plan import plan

__all__ = ["BaseImage", "BuildPlan", "LeftOut", "PlanOptions", "Resolve", "Why", "plan"]
