"""The container engines, driven by their own commands. Each is one module of this folder."""

from __future__ import annotations

from envsnap.engines._command import Done, Listener, run, stream
from envsnap.engines._model import Built, Engine, Job
from envsnap.engines._workdir import choose_workdir

__all__ = ["Built", "Done", "Engine", "Job", "Listener", "choose_workdir", "run", "stream"]
