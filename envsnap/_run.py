"""run: what was seen of a command becomes the section `run` of the capture that follows it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence

from envsnap.host._watch import PAUSE_MS, NotStartedError, Watched, watch
from envsnap.probes import Look
from envsnap.probes._gpu._pci import address
from envsnap.probes._imported import distributions_of
from envsnap.sections import Fact, Gpu, GpuPeak, LibraryCopy, Reason, Run, Unknown

__all__ = ["NotStartedError", "Watched", "other_than", "python_of", "seen", "watch"]

_PYTHON = re.compile(r"(?:python|pypy)[0-9.]*t?\Z")
_MIB = 1024 * 1024


def python_of(argv: Sequence[str], watched: Watched) -> str | None:
    """The Python that a command used; None where none is known.

    The first word, if it is one; else as the command's Pythons said themselves.
    """
    if watched.python is not None:
        return watched.python
    if not _PYTHON.match(os.path.basename(argv[0])):
        return None
    import shutil

    return shutil.which(argv[0])


def seen(argv: Sequence[str], watched: Watched) -> Callable[[Look], Run]:
    """What fills the section, once the environment and the machine are captured."""

    def fill(look: Look) -> Run:
        anchor = look.anchors.anchor
        return Run(
            program=anchor(_program(argv[0])),
            exit_status=watched.status,
            wall_ms=watched.wall_ms,
            peak_memory_mib=watched.peak_mib,
            gpu_peaks=_gpu_peaks(look, watched.gpu_bytes),
            libraries=_libraries(look, watched.libraries),
            modules=_modules(look, watched.imported),
            other_pythons=_other_pythons(look, watched),
            programs=_anchored(watched.programs, anchor),
            sampled_ms=watched.sampled_ms or PAUSE_MS,
        )

    return fill


def _program(word: str) -> str:
    import shutil

    return os.path.abspath(shutil.which(word) or word)


def _anchored(paths: Fact[tuple[str, ...]], anchor: Callable[[str], str]) -> Fact[tuple[str, ...]]:
    return paths if isinstance(paths, Unknown) else tuple(sorted({anchor(path) for path in paths}))


def _modules(look: Look, files: Fact[tuple[str, ...]]) -> Fact[tuple[str, ...]]:
    return files if isinstance(files, Unknown) else distributions_of(look, files)


def _other_pythons(look: Look, watched: Watched) -> Fact[tuple[str, ...]]:
    interpreter = look.interpreter
    if isinstance(watched.imported, Unknown):
        return watched.imported
    if isinstance(interpreter, Unknown):
        return interpreter
    return _anchored(other_than(interpreter.executable, watched), look.anchors.anchor)


def other_than(python: str, watched: Watched) -> tuple[str, ...]:
    """Its Pythons that lie in another folder than this one: they are of another environment."""
    import shutil

    own = os.path.realpath(os.path.dirname(shutil.which(python) or python))
    return tuple(each for each in watched.pythons if os.path.realpath(os.path.dirname(each)) != own)


def _gpu_peaks(look: Look, told: Fact[Mapping[str, int]]) -> Fact[tuple[GpuPeak, ...]]:
    """Joined with the devices by their PCI address; no GPU, no peak, whatever NVML says."""
    gpu = look.have.get("gpu")
    if not isinstance(gpu, Gpu):
        return gpu if isinstance(gpu, Unknown) else Unknown(Reason.NOT_ASKED, "gpu was left out")
    if isinstance(gpu.devices, Unknown):
        return gpu.devices if isinstance(told, Unknown) or told else ()
    if not gpu.devices:
        return ()
    if isinstance(told, Unknown):
        if all(each.vendor != "nvidia" for each in gpu.devices):
            return Unknown(Reason.NOT_SUPPORTED, "the memory of NVIDIA's GPUs alone is looked at")
        return told
    places = {each.pci_bus_id: at for at, each in enumerate(gpu.devices)}
    peaks = {places.get(str(address(bus))): size for bus, size in told.items()}
    return tuple(
        GpuPeak(device=at, memory_mib=-(-size // _MIB))
        for at, size in sorted((at, size) for at, size in peaks.items() if at is not None)
    )


def _libraries(look: Look, paths: Fact[tuple[str, ...]]) -> Fact[tuple[LibraryCopy, ...]]:
    """The files of the families that results depend on, each described as `libraries` does."""
    if isinstance(paths, Unknown):
        return paths
    from envsnap.facts.library_families import family
    from envsnap.probes._deep._copies import copies

    mapped = [path for path in paths if family(os.path.basename(path)) is not None]
    return copies(look, mapped)
