"""Programs that read what recipes say, from the environment of the tests or from PATH."""

from __future__ import annotations

import os
import shutil
import sys


def linter(name: str) -> str:
    """Where it is; empty where it is not installed."""
    beside = os.path.dirname(sys.executable)
    return shutil.which(name, path=os.pathsep.join([beside, os.environ.get("PATH", "")])) or ""


SHELLCHECK = linter("shellcheck")
HADOLINT = linter("hadolint")
