"""The CUDA libraries that are installed, by pip, by conda and by the system.

Where the packages are unknown so are the libraries as a whole: a list without the packages' part
would pass for one that has none. nvcc is known all the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.probes._cuda_packages import from_conda, from_pip
from envsnap.probes._cuda_system import from_system, nvcc_version
from envsnap.probes._registry import Look, not_asked, probe
from envsnap.sections import (
    CondaRecord,
    Cuda,
    CudaLibrary,
    Fact,
    Package,
    Packages,
    Tools,
    Unknown,
)


@probe(Cuda, needs=(Packages, Tools))
def probe_cuda(look: Look) -> Cuda:
    """Which CUDA libraries are installed, and by whom."""
    return Cuda(libraries=_libraries(look), nvcc=_nvcc(look))


def _nvcc(look: Look) -> Fact[str | None]:
    """Its version: where the tool of that name has told it, it is not started a second time."""
    tools = look.have.get("tools")
    found = tools.found if isinstance(tools, Tools) else ()
    for tool in () if isinstance(found, Unknown) else found:
        # Another product under that name would be named before its version.
        if tool.name == "nvcc" and isinstance(tool.version, str) and tool.version[:1].isdigit():
            return tool.version
    return nvcc_version(look.host)


def _libraries(look: Look) -> Fact[tuple[CudaLibrary, ...]]:
    packages = look.have.get("packages", not_asked("packages"))
    if not isinstance(packages, Packages):
        return packages if isinstance(packages, Unknown) else not_asked("packages")
    installed, conda_only = packages.installed, packages.conda_only
    if isinstance(installed, Unknown):
        return installed
    if isinstance(conda_only, Unknown):
        return conda_only
    system = from_system(look.host, look.anchors.anchor)
    if isinstance(system, Unknown):
        return system
    records = [*_records(installed), *conda_only]
    found = {*from_pip(installed), *from_conda(records), *system}
    return tuple(sorted(found, key=_order))


def _records(installed: tuple[Package, ...]) -> Iterator[CondaRecord]:
    for package in installed:
        if package.conda is not None:
            yield package.conda


def _order(library: CudaLibrary) -> tuple[str, str, str, str, str]:
    owner, location = library.owner or "", str(library.location or "")
    return (library.family, library.source, str(library.version), owner, location)
