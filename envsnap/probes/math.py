"""What the processor's share of a result depends on: BLAS, OpenMP, NumPy's instruction sets."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

from envsnap._typing import NamedTuple
from envsnap.loader import Linked
from envsnap.probes._deep._blas import Said, ask, kind_of
from envsnap.probes._deep._elf_files import ElfFile, elf_files
from envsnap.probes._deep._linked import linked
from envsnap.probes._deep._numpy_sets import Switches, taken
from envsnap.probes._deep._path_class import place_of, sources_of
from envsnap.probes._interpreter import Interpreter
from envsnap.probes._registry import Look, probe
from envsnap.sections import Cpu, Fact, Math, MathLibrary, Packages, Reason, Unknown

_AT_ONCE = 2
_MOST = 64
"""So many libraries are opened; a large environment has a dozen."""

_PRODUCTS = {
    "openblas": "OpenBLAS ", "mkl": "MKL ", "blis": "BLIS ", "flexiblas": "FlexiBLAS ",
    "atlas": "ATLAS ", "libgomp": "GCC ", "libomp": "Clang ", "libiomp": "Intel OpenMP ",
}  # fmt: skip
"""How the texts in a library's data begin that tell the version of its kind."""
_SEVERAL = 2
_NUMPY_CORE = "/_multiarray_umath."


class Copy(NamedTuple):
    """One file that could be a BLAS or an OpenMP runtime."""

    path: str
    owner: Fact[str | None]
    texts: tuple[str, ...]
    needs: tuple[str, ...] = ()
    """The environment's files that it needs, each behind those that it needs itself."""


@probe(Math, needs=(Packages, Cpu))
def probe_math(look: Look) -> Math:
    """The libraries and instruction sets that the environment computes with on this processor."""
    files = elf_files(look)
    if isinstance(files, Unknown):
        return Math(libraries=files, numpy_baseline=files, numpy_dispatch=files)
    baseline, dispatch = _numpy(look, files)
    return Math(libraries=_libraries(look, files), numpy_baseline=baseline, numpy_dispatch=dispatch)


def _libraries(look: Look, files: Sequence[ElfFile]) -> Fact[tuple[MathLibrary, ...]]:
    interpreter = look.interpreter
    if isinstance(interpreter, Unknown):
        return interpreter
    copies = _copies(look, files)
    if isinstance(copies, Unknown):
        return copies
    if len(copies) > _MOST:
        return Unknown(Reason.NOT_SUPPORTED, f"there are {len(copies)} of them")
    found = zip(copies, _asked(look, interpreter, copies), strict=True)
    told = [_library(look, copy, said) for copy, said in found if said.kind]
    return tuple(sorted(told, key=lambda each: (each.kind, each.location)))


def _copies(look: Look, files: Sequence[ElfFile]) -> Fact[Sequence[Copy]]:
    """Those of the environment's packages, and those of others that its modules would load."""
    found = {
        each.path: Copy(each.path, each.distribution, each.binary.texts)
        for each in files
        if kind_of(_name(each.path)) is not None
    }
    closures = linked(look)
    if isinstance(closures, Unknown):
        return closures
    loaded = {each.path for closure in closures.values() for each in closure}
    others = sorted(path for path in loaded - found.keys() if kind_of(_name(path)) is not None)
    sources = sources_of(look, others)
    for path, binary in zip(others, look.host.binaries(others), strict=True):
        texts = () if binary is None or isinstance(binary, Unknown) else binary.texts
        found[path] = Copy(path, sources[path].owner, texts)
    needs = needs_of(closures, found, frozenset(each.path for each in files))
    return [found[path]._replace(needs=needs[path]) for path in sorted(found)]


def needs_of(
    closures: Mapping[str, tuple[Linked, ...]], wanted: Iterable[str], among: Container[str]
) -> Mapping[str, tuple[str, ...]]:
    """The files of `among` that each wanted one needs, each behind those that it needs itself.

    Older wheels say where these lie in the module alone that needs the library.
    """
    asked = {each.path: each.needs for closure in closures.values() for each in closure}

    def behind(path: str, seen: set[str]) -> Iterator[str]:
        seen.add(path)
        for need in asked.get(path, ()):
            if need.path is not None and need.path in among and need.path not in seen:
                yield from behind(need.path, seen)
                yield need.path

    return {path: tuple(behind(path, set())) for path in wanted}


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _asked(look: Look, interpreter: Interpreter, copies: Sequence[Copy]) -> Iterable[Said]:
    """What each says, two children at a time."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda copy: ask(look, interpreter, copy.path, copy.needs), copies))


def _library(look: Look, copy: Copy, said: Said) -> MathLibrary:
    """A copy with what it says; its version by its own data where it could not be asked."""
    kind = said.kind or ""
    by_text = [
        text[len(_PRODUCTS[kind]) :] for text in copy.texts if text.startswith(_PRODUCTS[kind])
    ]
    version = said.version if isinstance(said.version, str) or not by_text else by_text[0]
    return MathLibrary(
        kind=kind,
        version=version,
        build=said.build,
        threading=said.threading,
        kernel=said.kernel,
        threads=said.threads,
        owner=copy.owner,
        location=place_of(look, copy.path),
    )


def _numpy(
    look: Look, files: Sequence[ElfFile]
) -> tuple[Fact[tuple[str, ...] | None], Fact[tuple[str, ...] | None]]:
    """NumPy's baseline, and what it takes beyond it on this processor; None without NumPy."""
    installed = look.need(Packages).installed
    if isinstance(installed, Unknown):
        return installed, installed
    versions = [each.version for each in installed if each.name.lower() == "numpy" and each.active]
    if not versions:
        return None, None
    core = _core(look, files)
    if core is None:
        why = Unknown(Reason.NOT_SUPPORTED, "NumPy's compiled core was not found")
        return why, why
    told = parse_texts(core.binary.texts)
    if "dispatch" not in told:
        why = Unknown(Reason.NOT_SUPPORTED, f"NumPy {versions[0]} does not tell it in its file")
        return why, why
    dispatch = _dispatch(look, told["dispatch"], versions[0])
    return told.get("baseline", ()), dispatch


def _core(look: Look, files: Sequence[ElfFile]) -> ElfFile | None:
    """The copy that import comes upon first: Debian has NumPy in two folders of the path."""
    cores = [each for each in files if each.importable and _NUMPY_CORE in each.path]
    interpreter = look.interpreter
    if len(cores) < _SEVERAL or isinstance(interpreter, Unknown):
        return next(iter(cores), None)
    by_folder = {each.path.rpartition("/numpy/")[0]: each for each in cores}
    reached = (look.host.real(entry.path) for entry in interpreter.entries)
    return next((by_folder[str(each)] for each in reached if each in by_folder), None)


def parse_texts(texts: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """NumPy's own lists of instruction sets, `baseline` and `dispatch`, in its order.

    >>> parse_texts(["NumPy baseline SSE SSE2", "NumPy dispatch"])
    {'baseline': ('SSE', 'SSE2'), 'dispatch': ()}
    """
    words = (text.split() for text in texts if text.startswith("NumPy "))
    return {each[1]: tuple(each[2:]) for each in words if len(each) > 1}


def _dispatch(look: Look, dispatch: Sequence[str], version: str) -> Fact[tuple[str, ...]]:
    features = look.need(Cpu).features
    if not dispatch:
        return ()
    if isinstance(features, Unknown):
        return features
    off, on = (look.host.environ(f"NPY_{word}_CPU_FEATURES") for word in ("DISABLE", "ENABLE"))
    if isinstance(off, Unknown) or isinstance(on, Unknown):
        return off if isinstance(off, Unknown) else Unknown(Reason.NOT_RECORDED, "environment")
    found = taken(dispatch, features, _numbers(version), Switches(off or "", on))
    if found is None:
        return Unknown(Reason.NOT_SUPPORTED, f"not all of these are known: {', '.join(dispatch)}")
    return found


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(each[:9]) for each in re.findall(r"\d+", version)[:2])
