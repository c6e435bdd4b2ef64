"""make_lock: a manifest's packages become files with addresses and hashes."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from envsnap.errors import PlanError, UsageError
from envsnap.lock._choose import Chosen, Target, choose
from envsnap.lock._hosts import Indexes, indexes
from envsnap.lock._pins import OWN_ARCHIVE, Pin, sort_out, unlocked_of
from envsnap.lock._pip_tools import ask_pip_tools
from envsnap.lock._uv import Answer, Question, ask_uv
from envsnap.manifest import Manifest, environment_id
from envsnap.sections import (
    Artifact,
    Lock,
    Os,
    Package,
    Packages,
    Python,
    Reason,
    Unknown,
    Unlocked,
)

_PUBLIC = re.compile(r"\Ahttps?://[^\s@{}]+\Z")
_PYTHON = re.compile(r"\A[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(?:(?:a|b|rc)[0-9]{1,3})?\Z")
_DEFAULT_GLIBC = (2, 17)
_DEFAULT_MUSL = (1, 2)
LOCKERS = ("uv", "pip-tools")


@dataclass(frozen=True, kw_only=True)
class LockOptions:
    """How the index is asked."""

    locker: str = "uv"
    indexes: Indexes = field(default_factory=Indexes)


def make_lock(manifest: Manifest, options: LockOptions) -> Lock:
    """The file of every active package, or why there is none.

    Raises:
        PlanError: The manifest does not say which packages of which Python to ask for.
        ToolError: The locker or the network failed.
    """
    python, packages, environment = _known(manifest)
    target = _target(manifest, python)
    sorted_out = sort_out(packages)
    answer = _ask(sorted_out.pins, python, target, options)
    artifacts, unlocked = list(sorted_out.artifacts), list(sorted_out.unlocked)
    for pin in sorted_out.pins:
        found = _locked(pin, answer, target)
        if isinstance(found, Artifact):
            artifacts.append(found)
        else:
            unlocked.append(found)
    return Lock(
        environment=environment, locker=answer.locker,
        artifacts=tuple(sorted(artifacts, key=lambda each: each.name)),
        unlocked=tuple(sorted(unlocked, key=lambda each: each.name)),
    )  # fmt: skip


def _ask(pins: tuple[Pin, ...], python: Python, target: Target, options: LockOptions) -> Answer:
    chosen = indexes(options.indexes, os.environ)
    if options.locker == "uv":
        return ask_uv(pins, Question(python.version, target, chosen))
    if options.locker == "pip-tools":
        return ask_pip_tools(pins, target, chosen)
    raise UsageError(
        f"Unknown locker {options.locker!r}", hint=f"The lockers are: {', '.join(LOCKERS)}"
    )


def _known(manifest: Manifest) -> tuple[Python, tuple[Package, ...], str]:
    python, packages = manifest.section(Python), manifest.section(Packages)
    hint = "Capture the environment again: envsnap capture"
    if isinstance(python, Unknown):
        raise PlanError(f"The manifest does not know its Python ({python})", hint=hint)
    found = packages if isinstance(packages, Unknown) else packages.installed
    if isinstance(found, Unknown):
        raise PlanError(f"The manifest does not know its packages ({found})", hint=hint)
    environment = environment_id(manifest)
    if isinstance(environment, Unknown):
        raise PlanError(f"The manifest does not know its environment ({environment})", hint=hint)
    if not _PYTHON.match(python.version):
        raise PlanError(
            f"Expected a Python version to the patch, not {python.version[:60]!a}, "
            "in 'sections.python.version'"
        )
    if python.implementation != "cpython":
        raise PlanError(f"No lock is made for {python.implementation!a}: only for CPython")
    return python, found, environment


def _target(manifest: Manifest, python: Python) -> Target:
    """The platform that the wheels were installed on. Only Linux is asked for: images are Linux."""
    system = manifest.section(Os)
    kind = python.platform if isinstance(python.platform, str) else "linux"
    if not kind.startswith("linux"):
        raise PlanError(
            f"This environment is for {kind!a}; a lock for Linux is another resolution",
            hint="Make the environment on Linux, and capture it there",
        )
    machine = python.architecture if isinstance(python.architecture, str) else "x86_64"
    numbers = python.version.split(".")
    major, minor = int(numbers[0]), int(numbers[1])
    musl = not isinstance(system, Unknown) and system.libc == "musl"
    said = None if isinstance(system, Unknown) else system.libc_version
    found = re.match(r"\A(\d{1,3})\.(\d{1,3})", said) if isinstance(said, str) else None
    version = (
        (int(found[1]), int(found[2])) if found else (_DEFAULT_MUSL if musl else _DEFAULT_GLIBC)
    )
    return Target((major, minor), machine, "musl" if musl else "glibc", version)


def _locked(pin: Pin, answer: Answer, target: Target) -> Artifact | Unlocked:
    if pin.name in answer.rejected:
        return unlocked_of(pin.package, _why_rejected(pin, answer.rejected[pin.name]))
    release = answer.releases.get(pin.name)
    chosen = choose(pin.package, release, target) if release is not None else None
    if chosen is None:
        return unlocked_of(pin.package, "the index has no file of it for this Python and platform")
    if pin.package.origin.kind == "archive" and chosen.is_installed is not True:
        return unlocked_of(pin.package, OWN_ARCHIVE)
    return _artifact(pin, chosen)


def _artifact(pin: Pin, chosen: Chosen) -> Artifact | Unlocked:
    from envsnap.probes._urls import clean_url  # the rules for what an address gives away are there

    address = clean_url(chosen.file.url).partition("#")[0]
    if not _PUBLIC.match(address):
        why = "it was found in a folder of this machine or behind a token: no image can fetch it"
        return unlocked_of(pin.package, why)
    size = chosen.file.size
    return Artifact(
        name=pin.name, version=pin.version, filename=chosen.file.filename, url=address,
        sha256=chosen.file.sha256, is_installed=chosen.is_installed,
        size=Unknown(Reason.NOT_SUPPORTED, "the index does not say") if size is None else size,
    )  # fmt: skip


def _why_rejected(pin: Pin, complaint: str) -> str:
    local = pin.version.partition("+")[2]
    if local:
        return (
            f"the index has no build {local}; name the one it came from with --extra-index-url, "
            f"for PyTorch https://download.pytorch.org/whl/{local}"
        )
    return f"the index has no such version ({complaint})"
