"""A manifest for double-blind review: what names a person, project or site is taken out.

Versions, hashes and hardware stay: they are what a reviewer needs. A commit goes, because a
public one is found by searching for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from envsnap.manifest._model import Manifest
from envsnap.sections import (
    SECTIONS,
    Container,
    Git,
    Moment,
    Origin,
    Package,
    Packages,
    Project,
    Python,
    Reason,
    Scheduler,
    Unknown,
    is_shape,
    replace,
)

S = TypeVar("S")

LEFT_OUT = Unknown(Reason.NOT_ASKED, "left out with --anonymous")
_NAMING_PATH = re.compile(
    r"(\{(?:other|project|home|env|base)\})/[^\s:;,]*|(?<![\w}])/(?!usr/|bin/|lib)[^\s:;,]+"
)


def anonymous(manifest: Manifest) -> Manifest:
    """The same manifest without what names its author. The lock goes too: its URLs may."""
    sections: dict[str, object] = {}
    for name, section in manifest.sections.items():
        change = _CHANGES.get(SECTIONS[name])
        changed = section if isinstance(section, Unknown) or change is None else change(section)
        sections[name] = without_paths(changed)
    captured = replace(manifest.captured, anonymous=True)
    return replace(manifest, captured=captured, sections=sections, lock=None, extras=())


def without_paths(value: object) -> object:
    """The same value with every telling path cut to its anchor, at any depth."""
    if isinstance(value, str):
        return _NAMING_PATH.sub(lambda found: f"{found[1] or '{other}'}/...", value)
    if isinstance(value, Unknown):
        detail = None if value.detail is None else str(without_paths(value.detail))
        return Unknown(value.reason, detail)
    if isinstance(value, tuple):
        return tuple(without_paths(each) for each in value)
    if isinstance(value, Mapping):
        return {key: without_paths(each) for key, each in value.items()}
    if is_shape(value):
        return replace(value, **{name: without_paths(each) for name, each in vars(value).items()})
    return value


def _python(section: Python) -> Python:
    return replace(section, environment_name=LEFT_OUT, not_chosen=LEFT_OUT)


def _packages(section: Packages) -> Packages:
    if isinstance(section.installed, Unknown):
        return section
    named = [each for each in section.installed if _names_its_author(each.origin)]
    titles = {id(each): f"local-package-{index}" for index, each in enumerate(named, start=1)}
    installed = tuple(
        replace(each, name=titles.get(id(each), each.name), origin=_origin(each.origin))
        for each in section.installed
    )
    return replace(section, installed=tuple(sorted(installed, key=_order)), broken=LEFT_OUT)


def _order(package: Package) -> tuple[str, bool]:
    return package.name.lower().replace("_", "-"), not package.active


def _names_its_author(origin: Origin) -> bool:
    return origin.kind in {"editable", "directory", "vcs"}


def _origin(origin: Origin) -> Origin:
    if origin.url is None or origin.kind == "conda":
        return origin
    return replace(origin, url=LEFT_OUT, commit=LEFT_OUT, revision=LEFT_OUT, subdirectory=LEFT_OUT)


def _project(section: Project) -> Project:
    git = section.git
    if isinstance(git, Git):
        git = replace(
            git,
            commit=LEFT_OUT,
            commit_time=LEFT_OUT,
            branch=LEFT_OUT,
            remote=LEFT_OUT,
            pushed=git.pushed,
        )
    return replace(section, name=LEFT_OUT, git=git)


def _container(section: Container) -> Container:
    return replace(section, image=LEFT_OUT)


def _scheduler(section: Scheduler) -> Scheduler:
    return replace(section, modules=LEFT_OUT)


def _moment(section: Moment) -> Moment:
    return replace(section, job=LEFT_OUT)


_CHANGES: Mapping[type, Callable[..., object]] = {
    Python: _python,
    Packages: _packages,
    Project: _project,
    Container: _container,
    Scheduler: _scheduler,
    Moment: _moment,
}
