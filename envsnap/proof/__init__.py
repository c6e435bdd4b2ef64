"""What the files of an image prove about the environment in it; nothing of the image is started.

held = Held(folders(None))
files = tree(image, wanted_files(None, held))
    found = prove(Read(files, held), (image.config, None), wanted, scope)
"""

from __future__ import annotations

from envsnap.proof._code import code
from envsnap.proof._environment import FOLDERS, folders, wanted_files
from envsnap.proof._held import Held
from envsnap.proof._model import NotProved, Proof, Tampered, Verified
from envsnap.proof._outside import PROJECT, Base
from envsnap.proof._prove import Read, prove

__all__ = [
    "FOLDERS", "PROJECT", "Base", "Held", "NotProved", "Proof", "Read", "Tampered", "Verified",
    "code", "folders", "prove", "wanted_files",
]  # fmt: skip
