"""Whose folder a library lies in: a wheel's, conda's, the system's, a module's or the host's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from envsnap._typing import NamedTuple
from envsnap.manifest import canonical_name
from envsnap.probes._anchors import Anchors, text
from envsnap.probes._deep._elf_files import elf_files
from envsnap.probes._deep._owners import owners
from envsnap.probes._deep._record_rows import Records
from envsnap.probes._registry import Look
from envsnap.sections import CondaRecord, Fact, Package, Packages, Unknown

_HOST_LIBRARIES = "/.singularity.d/libs/"
_SYSTEM = ("/usr/", "/lib/", "/lib32/", "/lib64/", "/opt/", "/nix/store/", "/gnu/store/")
_MOST_MODULES = 500


class Origin(NamedTuple):
    """The path class of a file, and who brought it there."""

    source: Fact[str]
    owner: Fact[str | None]
    version: str | None
    """The owner's, where the owner is a package that has one; else None."""
    content: str | None
    """SHA-256 as RECORD states it, hex; None where none does."""


def sources_of(look: Look, paths: Sequence[str]) -> Mapping[str, Origin]:
    """The class of each file's path and its owner; all links of the paths are resolved."""
    known = look.once("path classes", lambda: _Known(look))
    found = {path: known.origin(path) for path in paths}
    unowned = [path for path, each in found.items() if each.source == "system"]
    for path, owner in owners(look.host, unowned).items():
        found[path] = found[path]._replace(owner=owner)
    return found


def place_of(look: Look, path: str) -> str:
    """A path with all links resolved, anchored: the anchors' own links are resolved for it, too."""
    return look.once("real anchors", lambda: _real_anchors(look)).anchor(path)


def name_of(look: Look, name: str) -> str:
    """The name by which a library calls itself, or is asked for, as a manifest may say it.

    It is a path of whoever built it where the linker was given one: it is anchored as paths are.
    """
    return place_of(look, name) if "/" in name else text(name)


def _real_anchors(look: Look) -> Anchors:
    def real(folder: str | None) -> str | None:
        found = look.host.real(folder) if folder else None
        return found if isinstance(found, str) else folder

    named = look.anchors
    return Anchors(
        env=real(named.env), base=real(named.base), project=real(named.project),
        home=real(named.home),
    )  # fmt: skip


class _Known:
    """What is known of this machine's folders, gathered once."""

    def __init__(self, look: Look) -> None:
        files = elf_files(look)
        self._brought = (
            {} if isinstance(files, Unknown) else {each.path: each.distribution for each in files}
        )
        packages = look.have.get("packages")
        installed, conda_only = _parts(packages if isinstance(packages, Packages) else None)
        self._packages = {canonical_name(each.name): each for each in reversed(installed)}
        self._conda = {each.name: each for each in conda_only}
        for each in installed:
            if each.conda is not None:
                self._conda.setdefault(each.conda.name, each.conda)
        self._records = Records(look.host)
        self._prefixes = tuple(_conda_prefixes(look))
        self._modules = tuple(_module_folders(look))

    def origin(self, path: str) -> Origin:
        """Whose the file is; the system's own owner is left open."""
        if path.startswith(_HOST_LIBRARIES):
            return Origin("host", None, None, None)
        distribution = self._brought.get(path)
        if distribution is not None:
            return self._of_package(path, distribution)
        if any(path.startswith(prefix) for prefix in self._prefixes):
            return Origin("conda", None, None, None)
        row = self._records.row(path, None) if path not in self._brought else None
        if row is not None:
            return Origin("pip", row.distribution, row.version, row.content)
        for folder, module in self._modules:
            if path.startswith(folder):
                return Origin("module", module, None, None)
        source = "system" if path.startswith(_SYSTEM) else "other"
        return Origin(source, None, None, None)

    def _of_package(self, path: str, distribution: str) -> Origin:
        package = self._packages.get(canonical_name(distribution))
        conda = package.conda if package is not None else self._conda.get(distribution)
        if conda is not None or (package is None and self._below_conda(path)):
            version = conda.version if conda is not None else None
            return Origin("conda", conda.name if conda else distribution, version, None)
        if package is not None and package.layer == "distro" and path.startswith(_SYSTEM):
            return Origin("system", None, None, None)
        row = self._records.row(path, distribution)
        version = package.version if package is not None else row.version if row else None
        return Origin("pip", distribution, version, row.content if row else None)

    def _below_conda(self, path: str) -> bool:
        return any(path.startswith(prefix) for prefix in self._prefixes)


def _parts(packages: Packages | None) -> tuple[Sequence[Package], Sequence[CondaRecord]]:
    if packages is None:
        return (), ()
    installed, conda_only = packages.installed, packages.conda_only
    return (
        () if isinstance(installed, Unknown) else [each for each in installed if each.active],
        () if isinstance(conda_only, Unknown) else conda_only,
    )


def _conda_prefixes(look: Look) -> Iterator[str]:
    """The environment's folders that conda keeps, links resolved, with a slash."""
    interpreter = look.interpreter
    if isinstance(interpreter, Unknown):
        return
    for folder in dict.fromkeys((interpreter.prefix, interpreter.base_prefix)):
        real = look.host.real(folder)
        if isinstance(real, str) and isinstance(look.host.list(f"{real}/conda-meta"), tuple):
            yield f"{real}/"


def _module_folders(look: Look) -> Iterator[tuple[str, str]]:
    """The folders of loaded environment modules, the longest first.

    EasyBuild's modules say theirs in EBROOT and their name; of others the folders are known that
    they put into LD_LIBRARY_PATH and whose path holds name and version.
    """
    loaded = look.host.environ("LOADEDMODULES")
    names = [each for each in loaded.split(":") if each] if isinstance(loaded, str) else []
    searched = look.host.environ("LD_LIBRARY_PATH")
    folders = searched.split(":") if isinstance(searched, str) else []
    found: dict[str, str] = {}
    for module in names[:_MOST_MODULES]:
        name, _, version = module.partition("/")
        root = look.host.environ(easybuild_variable(name))
        places = [root] if isinstance(root, str) and root else []
        plain = (f"/{name}/{version}", f"/{name}-{version}")
        places += [each for each in folders if version and any(part in each for part in plain)]
        for place in places:
            real = look.host.real(place)
            if isinstance(real, str) and real not in {"/", "/usr", "/usr/lib", "/lib"}:
                found.setdefault(f"{real}/", module)
    yield from sorted(found.items(), key=lambda each: -len(each[0]))


def easybuild_variable(name: str) -> str:
    """The variable in which EasyBuild's module of that name says where it lies.

    >>> easybuild_variable("OpenMPI"), easybuild_variable("CUDA-core"), easybuild_variable("C++")
    ('EBROOTOPENMPI', 'EBROOTCUDAMINCORE', 'EBROOTCPLUSPLUS')
    """
    plain = name.replace("-", "min").replace("+", "plus")
    return "EBROOT" + re.sub(r"[^A-Za-z0-9_]", "", plain).upper()
