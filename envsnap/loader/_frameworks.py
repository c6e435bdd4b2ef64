"""What frameworks open themselves, before their own modules are imported and from within.

Each framework's own file says which libraries and in which order, and that differs from one
version to the next, so it is read there; nothing of it is run.

PyTorch (`torch/__init__.py`) opens `torch/lib/libtorch_global_deps.so`, and libraries out of the
`nvidia-*` wheels: where the linker does not find one, or, in newer versions, whenever the CUDA
runtime was loaded (pytorch/pytorch#138460 and #145580). Code built against it is imported after it.
JAX (`jax_plugins/xla_cuda*/__init__.py`) opens the wheels' libraries by path before its plug-in,
which asks the linker for the rest by name.
What CuPy opens is in `_cupy.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from envsnap.facts import library_families
from envsnap.loader._cupy import before_cupy
from envsnap.loader._files import Files
from envsnap.loader._place import Place

_TORCH_NEEDS = ("libtorch", "libc10")
_TORCH_LIST = "def _preload_cuda_deps("
_TORCH_LIST_CHARACTERS = 12_000
_TORCH_ROW = re.compile(r"""["'](\w{1,40})["']\s{0,8}[:,]\s{0,8}["'](lib[^"'\s/]{1,80})["']""")
_TORCH_LATER_CHARACTERS = 4000
_TORCH_WITNESS = re.compile(r'"([\w/.]{0,80}libcudart\.so)" not in')
_TORCH_CALL = re.compile(r'_preload_cuda_lib\(\s*"(\w{1,40})",\s*"(lib[^"\s/]{1,80})"')
_TORCH_CUDA = re.compile(r"^cuda\b[^=\n]*=\s*['\"](\d{1,3})", re.MULTILINE)
_JAX = re.compile(r"/(?:jax_plugins/xla_cuda|jax_cuda)(\d{1,3})(?:_plugin)?/")
_JAX_LOAD = re.compile(r'^ +_load\("(\w{1,40})", \[([^\]]{1,400})\]\)', re.MULTILINE)
_JAX_PART = re.compile(r'"(lib[\w.-]{1,80})"')
_CUPY = ("/cupy/", "/cupy_backends/", "/cupyx/")
_CUDA_FOLDER = re.compile(r"cu(\d+)\Z")

Pairs = Sequence[tuple[str, str]]
"""Folders of the wheels, and names of libraries in them."""


def before(place: Place, path: str) -> None:
    """Open what would have been opened by the time that this library is."""
    for site in place.search_path:
        real = place.files.real(site)
        if real is None:
            continue
        if path.startswith(f"{real}/"):
            _of_the_same_package(place, path, real)
        if _asks_torch(place.files, path) and not path.startswith(f"{real}/torch/"):
            _torch(place, real)
            for name in sorted(place.files.names(f"{real}/torch")):
                if name.startswith("_C.") and name.endswith(".so"):
                    place.process.open(f"{real}/torch/{name}", found_by="preload")


def _of_the_same_package(place: Place, path: str, site: str) -> None:
    """What a framework opens before its own modules."""
    inside = path[len(site) :]
    if inside.startswith("/torch/"):
        _torch(place, site)
    elif inside.startswith(_CUPY):
        before_cupy(place, site, path)
    else:
        found = _JAX.match(inside)
        for folder, name in _jax_names(place.files, site, found[1]) if found else ():
            _open_first(place, [f"nvidia/{folder}/lib"], name)


def after(place: Place, path: str) -> None:
    """Open what the loaded libraries themselves open by name; what is not there is no fault."""
    found = _JAX.search(path)
    if found and path.endswith("/xla_cuda_plugin.so"):
        site = path[: found.start()]
        for _, name in _jax_names(place.files, site, found[1]):
            place.process.open(name, caller=path, is_optional=True)
    done: set[str] = set()
    while True:
        fresh = [each for real, each in place.process.objects.items() if real not in done]
        if not fresh:
            return
        for each in fresh:
            done.add(each.real)
            name = each.binary.soname or each.real.rpartition("/")[2]
            for opened in library_families.opens(name):
                place.process.open(opened, caller=each.real, is_optional=True)


def _asks_torch(files: Files, path: str) -> bool:
    binary = files.binary(path)
    return binary is not None and any(name.startswith(_TORCH_NEEDS) for name in binary.needed)


def _torch(place: Place, site: str) -> None:
    """What `import torch` opens before `torch._C`."""
    process, deps = place.process, f"{site}/torch/lib/libtorch_global_deps.so"
    if place.files.real(deps) is None:
        return
    text = place.files.text(f"{site}/torch/__init__.py") or ""
    trial = process.copy()
    before_it = len(trial.objects)
    trial.open(deps)
    if trial.missing(before_it):
        _preload(place, site, _torch_list(text))
        process.open(deps, found_by="preload")
        return
    process.open(deps, found_by="preload")
    later = _torch_later(text)
    witness = _TORCH_WITNESS.search(later)
    if witness and any(witness[1] in real for real in process.objects):
        is_all = "_preload_cuda_deps(" in later
        _preload(place, site, _torch_list(text) if is_all else _TORCH_CALL.findall(later))


def _torch_later(text: str) -> str:
    """The part that looks at what was loaded; empty in versions that do not."""
    start = text.find("/proc/self/maps")
    end = text.find("except", start, start + _TORCH_LATER_CHARACTERS)
    return text[start:end] if 0 <= start < end else ""


def _torch_list(text: str) -> Pairs:
    """The folders and names in the order of the file: a list in newer versions, once a table."""
    start = text.find(_TORCH_LIST)
    rows = _TORCH_ROW.findall(text, start, start + _TORCH_LIST_CHARACTERS) if start >= 0 else []
    return list(dict.fromkeys(rows))


def _preload(place: Place, site: str, pairs: Pairs) -> None:
    """Open these in their order; torch gives up at the first that is nowhere."""
    told = _TORCH_CUDA.search(place.files.text(f"{site}/torch/version.py") or "")
    for folder, pattern in pairs:
        folders = [f"nvidia/{folder}/lib", *([f"nvidia/cu{told[1]}/lib"] if told else [])]
        if not _open_first(place, [*folders, f"{folder}/lib"], pattern):
            return


def _open_first(place: Place, folders: Sequence[str], pattern: str) -> bool:
    """Open the first file of that kind on the search path, and say whether there was one."""
    for path in _matching(place, folders, pattern):
        place.process.open(path, found_by="preload")
        return True
    return False


def _matching(place: Place, folders: Sequence[str], pattern: str) -> Iterator[str]:
    for entry in place.search_path:
        for folder in folders:
            for name in sorted(place.files.names(f"{entry}/{folder}")):
                if fnmatchcase(name, pattern):
                    yield f"{entry}/{folder}/{name}"


def _jax_names(files: Files, site: str, cuda: str) -> Iterator[tuple[str, str]]:
    """The wheels' folders and the libraries that the plug-in for that CUDA asks for."""
    text = files.text(f"{site}/jax_plugins/xla_cuda{cuda}/__init__.py") or ""
    rows = [
        (folder, name)
        for folder, names in _JAX_LOAD.findall(text)
        for name in _JAX_PART.findall(names)
    ]
    # A library that comes in a folder for each CUDA is taken from that of this plug-in alone.
    told_apart = {name.partition(".")[0] for folder, name in rows if _CUDA_FOLDER.match(folder)}
    newest = any(folder == f"cu{cuda}" for folder, _ in rows)
    for folder, name in rows:
        numbered = _CUDA_FOLDER.match(folder)
        if numbered and numbered[1] != cuda:
            continue
        if newest and not numbered and name.partition(".")[0] in told_apart:
            continue
        yield folder, name
