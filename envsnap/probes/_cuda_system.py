"""CUDA libraries outside the environment: toolkits' folders and the system's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from envsnap.host import Host
from envsnap.sections import CudaLibrary, Fact, Reason, Unknown

_FILE = re.compile(
    r"lib(cudart|cublas|cudnn|nccl|cufft|curand|cusolver|cusparse|cusparseLt|nvrtc|nvJitLink"
    r"|cupti|cutensor|nvjpeg)\.so\.(\d{1,9}(?:\.\d{1,9}){0,4})\Z",
    re.ASCII,
)
_TXT = re.compile(r"CUDA Version (\d+(?:\.\d+){1,3})\s*\Z", re.ASCII)
_VERSION = re.compile(r"\d{1,9}(?:\.\d{1,9}){1,3}\Z", re.ASCII)
_RELEASE = re.compile(r"release (\d+\.\d+), V(\d+(?:\.\d+){1,3})", re.ASCII)
_FOLDERS = (
    "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib/powerpc64le-linux-gnu",
    "/usr/lib64",
)  # fmt: skip
_VARIABLES = ("CUDA_HOME", "CUDA_PATH", "CUDA_ROOT", "EBROOTCUDA")
_FAMILIES = {"cudart": "runtime"}

Anchor = Callable[[str], str]


def from_system(host: Host, anchor: Anchor) -> Fact[tuple[CudaLibrary, ...]]:
    """Every library whose file name tells its version, and every toolkit."""
    roots = _toolkits(host, anchor)
    if isinstance(roots, Unknown):
        return roots
    found: list[CudaLibrary] = []
    for root in roots:
        version = _toolkit_version(host, root)
        if version is not None:
            found.append(_library("toolkit", version, anchor(root)))
    folders = _real_folders(host, [*(f"{root}/lib64" for root in roots), *_FOLDERS])
    if isinstance(folders, Unknown):
        return folders
    for folder in folders:
        names = host.list(folder)
        if isinstance(names, Unknown):
            return names
        for family, version, name in parse_names(names or ()):
            found.append(_library(family, version, anchor(f"{folder}/{name}")))
    return tuple(found)


def parse_names(names: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Family, version and file name of each library; of `.so.12` and `.so.12.4.127` the longer.

    >>> list(parse_names(["libcudart.so.12", "libcudart.so.12.4.127", "libz.so.1"]))
    [('runtime', '12.4.127', 'libcudart.so.12.4.127')]
    """
    longest: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for name in names:
        match = _FILE.match(name)
        if match is None:
            continue
        family, version = match.groups()
        known = longest.setdefault((family, version.partition(".")[0]), [])
        parts = version.count(".")
        if not known or known[0][0].count(".") == parts:
            known.append((version, name))
        elif known[0][0].count(".") < parts:
            known[:] = [(version, name)]
    for (family, _), copies in longest.items():
        for version, name in copies:
            yield _FAMILIES.get(family, family.lower()), version, name


def parse_version_json(text: str, part: str = "cuda") -> str | None:
    """The version of one part of a toolkit in its version.json; None if it says none.

    >>> parse_version_json('{"cuda": {"name": "CUDA SDK", "version": "12.4.1"}}')
    '12.4.1'
    """
    import json  # start-up

    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    about = said.get(part) if isinstance(said, dict) else None
    version = about.get("version") if isinstance(about, dict) else None
    return version if isinstance(version, str) and _VERSION.match(version) else None


def parse_version_txt(text: str) -> str | None:
    """The version in the version.txt of toolkits before 11.1; None if it says none."""
    match = _TXT.match(text.strip())
    return match.group(1) if match else None


def parse_nvcc(text: str) -> str | None:
    """The version in `nvcc --version`, as '12.4.131'; None for other text."""
    match = _RELEASE.search(text)
    return match.group(2) if match else None


def nvcc_version(host: Host) -> Fact[str | None]:
    """The version of the nvcc on PATH; None if there is none."""
    path = host.which("nvcc")
    if path is None or isinstance(path, Unknown):
        return path
    written = _nvcc_beside(host, path)
    if written is not None:
        return written
    ran = host.run(["nvcc", "--version"])
    if isinstance(ran, Unknown):
        return ran
    if ran.status != 0:
        return Unknown(Reason.CRASHED, f"nvcc --version ended with status {ran.status}")
    said = ran.stdout.strip()[-60:]
    return parse_nvcc(ran.stdout) or Unknown(Reason.UNPARSABLE, said)


def _nvcc_beside(host: Host, path: str) -> str | None:
    """The version in its toolkit's version.json, which saves starting nvcc (7 ms)."""
    real = host.real(path)
    if not isinstance(real, str) or not real.endswith("/bin/nvcc"):
        return None
    raw = host.read(real.removesuffix("bin/nvcc") + "version.json", limit=1024 * 1024)
    if not isinstance(raw, bytes):
        return None
    return parse_version_json(raw.decode("utf-8", "replace"), "cuda_nvcc")


def _toolkits(host: Host, anchor: Anchor) -> Fact[list[str]]:
    """The folders of the toolkits, links resolved; those of the environment are its packages'."""
    names = host.list("/usr/local")
    if isinstance(names, Unknown):
        return names
    named = [f"/usr/local/{name}" for name in names or () if name.startswith("cuda")]
    for variable in _VARIABLES:
        folder = host.environ(variable)
        if isinstance(folder, str) and folder.startswith("/"):
            named.append(folder.rstrip("/"))
    found = _real_folders(host, named)
    if isinstance(found, Unknown):
        return found
    return [root for root in found if not anchor(root).startswith("{env}") and root != "/usr"]


def _real_folders(host: Host, paths: Sequence[str]) -> Fact[list[str]]:
    """The folders that the paths lead to, each once."""
    found = []
    for path in paths:
        real = host.real(path)
        if isinstance(real, Unknown):
            return real
        if real is not None:
            found.append(real)
    return list(dict.fromkeys(found))


def _toolkit_version(host: Host, root: str) -> Fact[str] | None:
    for name, parse in (("version.json", parse_version_json), ("version.txt", parse_version_txt)):
        raw = host.read(f"{root}/{name}", limit=1024 * 1024)
        if isinstance(raw, Unknown):
            return raw
        if raw is not None:
            text = raw.decode("utf-8", "replace")
            return parse(text) or Unknown(Reason.UNPARSABLE, f"{name}: {text.strip()[:40]}")
    return None


def _library(family: str, version: Fact[str], location: str) -> CudaLibrary:
    return CudaLibrary(
        family=family, version=version, source="system", owner=None, location=location
    )
