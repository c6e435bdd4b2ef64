# ruff: noqa: ANN001, ANN002, ANN201, ANN202, ANN204 - Python 2.7 has no annotations; mypy reads the comments
"""What one BLAS library or OpenMP runtime says of itself, asked by the functions that it has.

Run as `python -c SOURCE MARKER PATH [NEED...]` by the interpreter whose libraries these are, for
one library alone: to open it runs its code, which may crash or never come back. What it needs is
opened before it, as whoever loads it else would have found that. After each answer writes, on file
descriptor 1, a line of MARKER and hex digits, which are ASCII JSON of all answers so far; so the
last line holds what was answered before the end. `kind` is null where the file is no such
library, or only passes on to one. Nothing is set but what says by which layer MKL threads, which
is asked for by setting it to none.

The functions are those that threadpoolctl asks (joblib/threadpoolctl 3.6, BSD-3-Clause). The syntax
is good for Python 2.7 and for 3.6 and newer.
"""

import os
import sys

if sys.path[:1] == [""]:
    del sys.path[0]  # the current folder is nobody's library

import binascii
import ctypes
import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional  # noqa: F401 - in the type comments

    Answers = Dict[str, object]

_OPENBLAS = [(a, b) for a in ("", "scipy_") for b in ("", "64_", "_64")]
_OF_OPENBLAS = {0: "disabled", 1: "pthreads", 2: "openmp"}
_OF_MKL = {0: "intel", 1: "sequential", 2: "pgi", 3: "gnu", 4: "tbb"}
_TEXT_BYTES = 1024


class _Place(ctypes.Structure):
    """What dladdr tells: the file that an address lies in."""

    _fields_ = (  # type: ignore[mutable-override]
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    )


class Library(object):
    """An opened library, and the functions of its own."""

    def __init__(self, path, needs):  # type: (str, list[str]) -> None
        """Open what it needs and then itself, which runs its code."""
        self.needs = [_opened(need) for need in needs]
        self.real = os.path.realpath(path)
        self.opened = ctypes.CDLL(path)
        self.locate = getattr(ctypes.CDLL(None), "dladdr", None)

    def function(self, name, gives=ctypes.c_int):  # type: (str, Any) -> Optional[Callable[..., Any]]
        """A function that this very file defines; None if it does not."""
        found = getattr(self.opened, name, None)
        if found is None or not self._is_own(found):
            return None
        found.restype = gives
        return found  # type: ignore[no-any-return]

    def _is_own(self, function):  # type: (Any) -> bool
        """Whether it lies in this file, and not in one that this file needs."""
        place = _Place()
        address = ctypes.cast(function, ctypes.c_void_p)
        if self.locate is None or not self.locate(address, ctypes.byref(place)):
            return True
        return bool(os.path.realpath(_native(place.file)) == self.real)

    def text(self, name, *given):  # type: (str, *Any) -> Optional[str]
        """What a function answers that gives text; None if there is none."""
        function = self.function(name, ctypes.c_char_p)
        said = function(*given) if function else None
        return said.decode("ascii", "replace") if said else None

    def number(self, name):  # type: (str) -> Optional[int]
        """What a function answers that gives a number; None if there is none."""
        function = self.function(name)
        return function() if function else None


def _opened(path):  # type: (str) -> Optional[ctypes.CDLL]
    """A library that another one needs; None where it cannot be opened: that may find another."""
    try:
        return ctypes.CDLL(path)
    except OSError:
        return None


def _native(path):  # type: (Any) -> Any
    return os.fsdecode(path) if hasattr(os, "fsdecode") else path


def _openblas(library, tell):  # type: (Library, Callable[..., None]) -> bool
    for before, after in _OPENBLAS:
        name = "%sopenblas_%%s%s" % (before, after)
        if library.function(name % "get_num_threads") is None:
            continue
        said = (library.text(name % "get_config") or "").split()
        known = said[:1] == ["OpenBLAS"] and len(said) > 1
        tell("kind", "openblas")
        tell("version", said[1] if known else None)
        core = library.text(name % "get_corename")
        build = [word for word in said[2:] if word != core]
        tell("build", " ".join(build) if known else None)
        tell("kernel", core)
        tell("threading", _OF_OPENBLAS.get(library.number(name % "get_parallel") or 0))
        tell("threads", library.number(name % "get_num_threads"))
        return True
    return False


def _mkl(library, tell):  # type: (Library, Callable[..., None]) -> bool
    ask = library.function("MKL_Get_Version_String", None)
    if ask is None or library.function("MKL_Set_Threading_Layer") is None:
        return False
    tell("kind", "mkl")
    room = ctypes.create_string_buffer(_TEXT_BYTES)
    ask(room, _TEXT_BYTES)
    said = room.value.decode("ascii", "replace")
    version, _, build = said.partition("Version ")[2].partition(" ")
    product, _, rest = version.partition("-")
    tell("version", product or None)
    tell("build", " ".join((rest + " " + build).split()) or None)
    tell("kernel", None)
    tell("threads", library.number("MKL_Get_Max_Threads"))
    layer = library.function("MKL_Set_Threading_Layer")
    tell("threading", _OF_MKL.get(layer(-1)) if layer else None)
    return True


def _blis(library, tell):  # type: (Library, Callable[..., None]) -> bool
    if library.function("bli_info_get_version_str") is None:
        return False
    tell("kind", "blis")
    tell("version", library.text("bli_info_get_version_str"))
    tell("build", None)
    layers = [name for name in ("openmp", "pthreads") if library.number(_BLIS % name)]
    tell("threading", (layers or ["disabled"])[0])
    kernel = library.number("bli_arch_query_id")
    tell("kernel", None if kernel is None else library.text("bli_arch_string", kernel))
    tell("threads", _at_least_one(library.number("bli_thread_get_num_threads")))
    return True


_BLIS = "bli_info_get_enable_%s"


def _flexiblas(library, tell):  # type: (Library, Callable[..., None]) -> bool
    ask = library.function("flexiblas_get_version", None)
    if ask is None:
        return False
    tell("kind", "flexiblas")
    parts = [ctypes.c_int(), ctypes.c_int(), ctypes.c_int()]
    ask(*[ctypes.byref(part) for part in parts])
    tell("version", ".".join(["%d" % part.value for part in parts]))
    tell("build", None)
    tell("threading", None)
    backend = library.function("flexiblas_current_backend")
    room = ctypes.create_string_buffer(_TEXT_BYTES)
    if backend is not None:
        backend(room, _TEXT_BYTES)
    tell("kernel", room.value.decode("ascii", "replace") or None)
    tell("threads", _at_least_one(library.number("flexiblas_get_num_threads")))
    return True


def _openmp(library, tell):  # type: (Library, Callable[..., None]) -> bool
    if library.function("omp_get_max_threads") is None:
        return False
    name = os.path.basename(library.real)
    names = [each for each in ("libiomp", "libgomp", "libomp") if name.startswith(each)]
    if not names:
        return False
    tell("kind", names[0])
    for silent in ("version", "build", "kernel", "threading"):
        tell(silent, None)
    tell("threads", library.number("omp_get_max_threads"))
    return True


def _at_least_one(threads):  # type: (Optional[int]) -> Optional[int]
    """How many threads there are where -1 means that nobody asked for more than one."""
    return 1 if threads == -1 else threads


def main():  # type: () -> None
    """Write the lines and leave, without what the library may want to do at the end."""
    os.environ.setdefault("KMP_DUPLICATE_LIB_OK", "True")
    answers = {}  # type: Answers

    def tell(name, value):  # type: (str, object) -> None
        answers[name] = value
        said = binascii.hexlify(json.dumps(answers).encode("ascii")).decode("ascii")
        os.write(1, ("\n%s%s\n" % (sys.argv[1], said)).encode("ascii"))

    try:
        library = Library(sys.argv[2], sys.argv[3:])
    except OSError as fault:
        tell("error", "%s" % fault)
        os._exit(0)
    if not any(ask(library, tell) for ask in (_openblas, _blis, _mkl, _flexiblas, _openmp)):
        tell("kind", None)
    os._exit(0)


if __name__ == "__main__":
    main()
