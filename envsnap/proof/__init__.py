"""What the files of an image prove about the environment in it; nothing of the image is started.

    found = prove(tree, (image.config, None), wanted, scope)

`tree` must have kept what `wanted_files` asks for.
"""

from __future__ import annotations

from envsnap.proof._code import code
from envsnap.proof._environment import FOLDERS, wanted_files
from envsnap.proof._model import NotProved, Proof, Tampered, Verified
from envsnap.proof._outside import PROJECT, Base
from envsnap.proof._prove import prove

__all__ = [
    "FOLDERS", "PROJECT", "Base", "NotProved", "Proof", "Tampered", "Verified", "code", "prove",
    "wanted_files",
]  # fmt: skip
