"""The dynamic linker, as data: which file would answer for a library. Nothing is loaded.

What glibc's and musl's linkers do is told in ld.so(8), in dlopen(3) and in musl's documentation of
its differences from glibc; `tests/torture/test_loads.py` holds this to what they really do.
"""

from __future__ import annotations

from envsnap.loader._loader import Loader
from envsnap.loader._process import Answer, Linked
from envsnap.loader._settings import cached_files, user_folders

__all__ = ["Answer", "Linked", "Loader", "cached_files", "user_folders"]
