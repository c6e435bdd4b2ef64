"""What a capture does not load: each of these costs more than a fiftieth of it."""

from __future__ import annotations

import subprocess
import sys

from tests.cli.processes import variables

DEAR = ("dataclasses", "hashlib", "inspect", "pathlib", "shutil", "tempfile", "typing")
PROGRAM = f"""
import os, sys
base = os.path.realpath(sys.executable)  # with no editable package, whose folder is hashed
for name in {DEAR!r}:  # a .pth file of the tests' own environment may have loaded it
    sys.modules.pop(name, None)
from envsnap.cli import main
code = main(["capture", "--no-digests", "--python", base, "-q", "-o", "/dev/null"])
print(code, sorted(set({DEAR!r}) & set(sys.modules)))
"""


def test_a_capture_loads_nothing_dear() -> None:
    command = [sys.executable, "-c", PROGRAM]
    ran = subprocess.run(command, env=variables(), capture_output=True, text=True, check=True)
    assert ran.stdout == "0 []\n"
