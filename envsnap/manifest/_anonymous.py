"""A manifest for double-blind review: what names a person, project or site is taken out.

Versions, hashes and hardware stay: they are what a reviewer needs. A commit goes, because a
public one is found by searching for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from envsnap.manifest._anonymous_deep import only_theirs, without_libraries
from envsnap.manifest._cut import CUT, LEFT_OUT, cut, without_details, without_names, without_paths
from envsnap.manifest._identity import canonical_name
from envsnap.manifest._model import Manifest
from envsnap.sections import (
    DEEP,
    OF_A_RUN,
    SECTIONS,
    CondaRecord,
    Container,
    Environ,
    Fact,
    Git,
    Moment,
    Origin,
    Package,
    Packages,
    Project,
    Python,
    Scheduler,
    Unknown,
    exists_only_here,
    is_local,
    replace,
)

_NAMES_AND_PATHS = {
    "CONDA_DEFAULT_ENV", "CUDA_CACHE_PATH", "CUDA_HOME", "CUDA_PATH", "LD_LIBRARY_PATH",
    "LD_PRELOAD", "NCCL_TOPO_FILE", "PYTHONHOME", "PYTHONPATH",
}  # fmt: skip
"""Variables that hold names and paths alone: what is no folder of the system's is somebody's."""
_WARNINGS = re.compile(r"(?:,?(?:default|error|always|all|module|once|ignore)\b)*")
_USUAL_HOOKS = ("_frozen_importlib", "_distutils_hack.", "six.")
_USUAL_FILES = re.compile(
    r"(?:uv|poetry|pdm|pixi|Pipfile)\.lock|pylock\.toml|Pipfile|pixi\.toml"
    r"|requirements\.(?:txt|in)|constraints\.txt|environment\.ya?ml|conda-lock\.ya?ml"
)


def anonymous(manifest: Manifest) -> Manifest:
    """The same manifest without what names its author. The lock goes too: its URLs may."""
    sections: dict[str, object] = {}
    local = _local_names(manifest)
    theirs = only_theirs(manifest, local)
    for name, section in manifest.sections.items():
        if name in DEEP or name == OF_A_RUN:
            known = without_libraries(section, local, theirs)
            sections[name] = without_paths(without_names(known, local))
            continue
        change = _CHANGES.get(SECTIONS[name])
        changed = section if isinstance(section, Unknown) or change is None else change(section)
        sections[name] = changed if isinstance(changed, Environ) else without_paths(changed)
    captured = replace(manifest.captured, anonymous=True)
    return replace(manifest, captured=captured, sections=sections, lock=None, extras=())


def _local_names(manifest: Manifest) -> frozenset[str]:
    """The canonical names of packages that only their author has."""
    packages = manifest.section(Packages)
    if isinstance(packages, Unknown):
        return frozenset()
    installed, conda_only = packages.installed, packages.conda_only
    own = () if isinstance(installed, Unknown) else filter(_is_the_author_s, installed)
    records = () if isinstance(conda_only, Unknown) else conda_only
    names = [each.name for each in own] + [each.name for each in records if is_local(each.url)]
    return frozenset(map(canonical_name, names))


def _is_the_author_s(package: Package) -> bool:
    return exists_only_here(package.origin) or package.origin.kind == "vcs"


def _python(section: Python) -> Python:
    degraded, hooks = section.degraded, section.import_hooks
    if isinstance(degraded, str):
        degraded = degraded.partition(";")[0]  # an interpreter's last words follow
    if not isinstance(hooks, Unknown):  # an editable package's own has its name
        hooks = tuple(each if each.startswith(_USUAL_HOOKS) else CUT for each in hooks)
    return replace(
        section, environment_name=LEFT_OUT, not_chosen=LEFT_OUT, degraded=degraded,
        import_hooks=hooks, not_paths=LEFT_OUT,
    )  # fmt: skip


def _packages(section: Packages) -> Packages:
    titles: dict[str, str] = {}

    def title(name: str) -> str:
        return titles.setdefault(canonical_name(name), f"local-package-{len(titles) + 1}")

    installed, conda_only = section.installed, section.conda_only
    if not isinstance(installed, Unknown):
        installed = tuple(sorted((_package(each, title) for each in installed), key=_order))
    if not isinstance(conda_only, Unknown):
        conda_only = tuple(_record(each, title) for each in conda_only)
    return replace(section, installed=installed, conda_only=conda_only, broken=LEFT_OUT)


def _order(package: Package) -> tuple[str, bool]:
    return canonical_name(package.name), not package.active


def _package(package: Package, title: Callable[[str], str]) -> Package:
    name, version = package.name, package.version
    changes = package.changes
    if _is_the_author_s(package):
        package = without_details(package)  # they name its files
        name, version = title(name), version.partition("+")[0]  # '+g1a2b3c4' is a commit
        changes = changes if isinstance(changes, Unknown) else LEFT_OUT
    elif not isinstance(changes, Unknown):  # what is extra is nobody's but the author's
        changes = replace(changes, extra=(CUT,) if changes.extra else ())
    conda = package.conda and _record(package.conda, title)
    origin = _origin(package.origin)
    return replace(
        package, name=name, version=version, origin=origin, changes=changes, conda=conda
    )  # fmt: skip


def _record(record: CondaRecord, title: Callable[[str], str]) -> CondaRecord:
    """The record without its channel: most channels are a person's or a group's."""
    if is_local(record.url):
        version = record.version.partition("+")[0]
        record = replace(record, name=title(record.name), version=version, build=LEFT_OUT)
    return replace(record, channel=LEFT_OUT, url=LEFT_OUT)


def _origin(origin: Origin) -> Origin:
    if origin.url is None:
        return origin
    return replace(
        origin, url=LEFT_OUT, commit=LEFT_OUT, revision=LEFT_OUT, subdirectory=LEFT_OUT,
        git=_git(origin.git),
    )  # fmt: skip


def _git(git: Fact[Git | None]) -> Fact[Git | None]:
    """Whether it is clean and pushed, and nothing that could be searched for."""
    if not isinstance(git, Git):
        return git
    return replace(git, commit=LEFT_OUT, commit_time=LEFT_OUT, branch=LEFT_OUT, remote=LEFT_OUT)


def _environ(section: Environ) -> Environ:
    if isinstance(section.variables, Unknown):
        return replace(section, variables=without_paths(section.variables))
    return replace(
        section, variables={name: _value(name, text) for name, text in section.variables.items()}
    )


def _value(name: str, text: str) -> str:
    if name == "PYTHONWARNINGS":  # a filter may name a module
        return text if _WARNINGS.fullmatch(text) else CUT
    if name in _NAMES_AND_PATHS:
        parts = re.split("([: ])" if name == "LD_PRELOAD" else "(:)", text)
        return "".join(map(_place, parts))
    return cut(text)


def _place(part: str) -> str:
    if part in {"", ":", " ", "base"}:
        return part
    return cut(part) if part.startswith(("/", "{")) else CUT


def _project(section: Project) -> Project:
    git, files = section.git, section.lock_files
    if not isinstance(files, Unknown):
        files = tuple(each if _USUAL_FILES.fullmatch(each) else CUT for each in files)
    return replace(section, name=LEFT_OUT, git=_git(git), lock_files=files)


def _container(section: Container) -> Container:
    return replace(section, image=LEFT_OUT)


def _scheduler(section: Scheduler) -> Scheduler:
    return replace(section, modules=LEFT_OUT)


def _moment(section: Moment) -> Moment:
    return replace(section, job=LEFT_OUT)


_CHANGES: Mapping[type, Callable[..., object]] = {
    Python: _python,
    Packages: _packages,
    Environ: _environ,
    Project: _project,
    Container: _container,
    Scheduler: _scheduler,
    Moment: _moment,
}
