"""Where one module is imported, as what frameworks open depends on it."""

from __future__ import annotations

from collections.abc import Sequence

from envsnap._typing import NamedTuple
from envsnap.host import Host
from envsnap.loader._files import Files
from envsnap.loader._process import Process


class Place(NamedTuple):
    """Where one module is imported, and what is already there."""

    host: Host
    files: Files
    process: Process
    search_path: Sequence[str]

    @property
    def cupy_folder(self) -> str:
        """The folder of the libraries that CuPy's own tool installs."""
        told, home = (self.host.environ(name) for name in ("CUPY_CUDA_LIB_PATH", "HOME"))
        if isinstance(told, str):
            return told
        return f"{home if isinstance(home, str) else ''}/.cupy/cuda_lib"
