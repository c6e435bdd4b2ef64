"""The conda half of a lock: which archive each conda package is, and two lists that others read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from envsnap.engines.conda import checked, fault
from envsnap.errors import ManifestError, PlanError
from envsnap.manifest import Manifest, canonical_name
from envsnap.sections import (
    Artifact,
    CondaArtifact,
    CondaRecord,
    Lock,
    Packages,
    Python,
    Reason,
    Unknown,
    Unlocked,
)

_ARCHIVE = (".conda", ".tar.bz2")
_PUBLIC = re.compile(r"\Ahttps?://[^\s@{}]+\Z")
_PLATFORMS = {"x86_64": "linux-64", "aarch64": "linux-aarch64", "ppc64le": "linux-ppc64le"}
_NO_SIZE = Unknown(Reason.NOT_RECORDED, "the capture does not keep the sizes of archives")
_PIP_NAME = re.compile(r"\A[a-z0-9](?:[a-z0-9._-]{0,198}[a-z0-9])?\Z")
_PIP_VERSION = re.compile(r"\A[A-Za-z0-9.!+_-]{1,100}\Z")
_PIP_URL = re.compile(r"\Ahttps?://[A-Za-z0-9.\[\]:-]+/[A-Za-z0-9._~:/@!*+,=%-]+\Z")
_SHA256 = re.compile(r"\A[0-9a-f]{64}\Z")


class CondaLocked(NamedTuple):
    """The conda packages of an environment."""

    artifacts: tuple[CondaArtifact, ...]
    """Sorted by name."""
    unlocked: tuple[Unlocked, ...]


def conda_artifacts(manifest: Manifest) -> CondaLocked:
    """The archive of every conda package, each once, or why its archive cannot be told.

    Raises:
        PlanError: It is a conda environment, and the manifest does not know its conda packages.
    """
    packages, python = manifest.section(Packages), manifest.section(Python)
    if isinstance(packages, Unknown):
        return CondaLocked((), ())
    kind = None if isinstance(python, Unknown) else python.environment_kind
    if kind == "conda" and isinstance(packages.conda_only, Unknown):
        raise PlanError(
            f"The manifest does not know its conda packages ({packages.conda_only})",
            hint="Capture the environment again: envsnap capture",
        )
    artifacts: list[CondaArtifact] = []
    unlocked: list[Unlocked] = []
    for record in _records(packages):
        found = _locked(record)
        if isinstance(found, CondaArtifact):
            artifacts.append(found)
        else:
            name = canonical_name(record.name)
            unlocked.append(Unlocked(name=name, version=record.version, why=found))
    return CondaLocked(tuple(artifacts), tuple(unlocked))


def _records(packages: Packages) -> list[CondaRecord]:
    """Each conda package once: one of them can bring several distributions, or none."""
    installed = () if isinstance(packages.installed, Unknown) else packages.installed
    others = () if isinstance(packages.conda_only, Unknown) else packages.conda_only
    found = {each.conda.name: each.conda for each in installed if each.conda is not None}
    found |= {each.name: each for each in others}
    return [found[name] for name in sorted(found)]


def _locked(record: CondaRecord) -> CondaArtifact | str:
    """The archive, or why it cannot be told."""
    build, subdir = record.build, record.subdir
    if not isinstance(build, str) or not isinstance(subdir, str):
        return "conda's record of it names no build and platform; reinstall it with conda"
    url = record.url if isinstance(record.url, str) else ""
    sha256, md5 = _hash(record.sha256), _hash(record.md5)
    if not isinstance(sha256, str) and not isinstance(md5, str):
        return "conda's record of it has no hash; reinstall it with conda from its channel"
    last = unquote(url.partition("#")[0]).rpartition("/")[2]
    name = f"{record.name}-{record.version}-{build}"
    artifact = CondaArtifact(
        name=record.name, version=record.version, build=build, subdir=subdir, sha256=sha256,
        md5=md5, size=_NO_SIZE, url=url.partition("#")[0] if _PUBLIC.match(url) else None,
        filename=last if last.endswith(_ARCHIVE) else f"{name}.conda",
    )  # fmt: skip
    wrong = fault(artifact)
    return artifact if wrong is None else f"its {wrong} is none that a channel can have"


def _hash(value: object) -> str | None:
    return value.lower() if isinstance(value, str) else None


def explicit(lock: Lock) -> str:
    """An `@EXPLICIT` list, every archive with its hash, as conda and micromamba read it.

    Raises:
        ManifestError: A field of the lock has a form that no channel knows.
        PlanError: There is nothing that such a list can name.
    """
    archives = _checked(lock)
    if all(each.url is None for each in archives):
        raise PlanError(
            "No conda package of this environment has a public address",
            hint="Keep its archives beside the manifest: envsnap lock --wheelhouse DIR",
        )
    lines = [
        f"# The conda packages of environment {_plain(lock.environment)}, written by envsnap.",
        "# Make it again:  conda create --prefix DIR --file THIS  (conda 24.9 or newer reads",
        "# SHA-256), or  micromamba create --prefix DIR --file THIS",
        f"# platform: {_platform(archives, None)}",
        *_left_out([f"{each.name} {each.version}" for each in archives if each.url is None]),
        *_beside(lock),
        "@EXPLICIT",
    ]
    lines += [f"{each.url}#{_mark(each)}" for each in archives if each.url is not None]
    return "\n".join(lines) + "\n"


def _mark(artifact: CondaArtifact) -> str:
    """The hash behind the address: MD5 is bare, SHA-256 says so."""
    return f"sha256:{artifact.sha256}" if isinstance(artifact.sha256, str) else str(artifact.md5)


def _beside(lock: Lock) -> list[str]:
    if not lock.artifacts:
        return []
    return [f"# pip installed others on top ({len(lock.artifacts)}), which this list cannot name."]


def conda_lock(lock: Lock, manifest: Manifest) -> str:
    """A conda-lock.yml of version 1, with the packages that pip installed on top.

    Raises:
        ManifestError: A field of the lock has a form that no channel knows.
        PlanError: There is nothing that such a file can name.
    """
    archives = _checked(lock)
    platform = _platform(archives, manifest)
    conda = [each for each in archives if each.url is not None and isinstance(each.md5, str)]
    pip = [each for each in lock.artifacts if each.url is not None]
    if not conda:
        raise PlanError(
            "No conda package of this environment has the address and MD5 that conda-lock needs",
            hint="Keep its archives beside the manifest: envsnap lock --wheelhouse DIR",
        )
    absent = [f"{each.name} {each.version}" for each in archives if each not in conda]
    absent += [f"{each.name} {each.version}" for each in lock.artifacts if each not in pip]
    packages = [*(_conda_package(each, platform) for each in conda), *_pip(pip, platform)]
    digest = hashlib.sha256("".join(line for each in packages for line in each).encode())
    channels = sorted({str(each.url).rsplit("/", 2)[0] for each in conda})
    lines = [
        f"# The packages of environment {_plain(lock.environment)}, written by envsnap.",
        "# Make it again:  conda-lock install --prefix DIR THIS",
        *_left_out(absent),
        "version: 1",
        "metadata:",
        f"  content_hash: {{{_text(platform)}: {_text(digest.hexdigest())}}}",
        "  channels:",
        *(f"  - {{url: {_text(each)}, used_env_vars: []}}" for each in channels),
        f"  platforms: [{_text(platform)}]",
        "  sources: []",
        f"  custom_metadata: {{envsnap_environment: {_text(lock.environment)}}}",
        "package:",
        *(line for each in packages for line in each),
    ]
    return "\n".join(lines) + "\n"


def _conda_package(artifact: CondaArtifact, platform: str) -> list[str]:
    fields = {
        "name": artifact.name,
        "version": artifact.version,
        "manager": "conda",
        "platform": platform,
        "url": str(artifact.url),
    }
    return _package(fields, {"md5": artifact.md5, "sha256": artifact.sha256})


def _pip(artifacts: Sequence[Artifact], platform: str) -> Iterable[list[str]]:
    for index, each in enumerate(artifacts):
        name, url = canonical_name(each.name), str(each.url)
        forms = {
            "name": _PIP_NAME.match(name),
            "version": _PIP_VERSION.match(each.version),
            "url": _PIP_URL.match(url),
            "sha256": _SHA256.match(each.sha256),
        }
        wrong = next((field for field, fits in forms.items() if not fits), None)
        if wrong is not None:
            value = str(getattr(each, wrong))[:60]
            raise ManifestError(f"Unexpected {wrong} {value!a}", where=f"lock.artifacts[{index}]")
        fields = {
            "name": name,
            "version": each.version,
            "manager": "pip",
            "platform": platform,
            "url": url,
        }
        yield _package(fields, {"sha256": each.sha256})


def _package(fields: Mapping[str, str], hashes: Mapping[str, object]) -> list[str]:
    known = [f"{name}: {_text(value)}" for name, value in hashes.items() if isinstance(value, str)]
    rows = [f"{name}: {_text(value)}" for name, value in fields.items()]
    rows += [f"hash: {{{', '.join(known)}}}", "dependencies: {}", "category: main"]
    return [f"- {rows[0]}", *(f"  {row}" for row in rows[1:]), "  optional: false"]


def _checked(lock: Lock) -> list[CondaArtifact]:
    return [checked(each, f"lock.conda[{index}]") for index, each in enumerate(lock.conda)]


def _platform(archives: Sequence[CondaArtifact], manifest: Manifest | None) -> str:
    """The platform of the environment: noarch packages are for any."""
    python = Unknown(Reason.NOT_ASKED) if manifest is None else manifest.section(Python)
    machine = None if isinstance(python, Unknown) else python.architecture
    said = _PLATFORMS.get(machine) if isinstance(machine, str) else None
    named = sorted({each.subdir for each in archives} - {"noarch"})
    return named[0] if named else said or _PLATFORMS["x86_64"]


def _left_out(names: Sequence[str]) -> list[str]:
    """What the list cannot name, said in it: whoever reads it alone must know."""
    if not names:
        return []
    return [
        f"# Not in this list, for want of a public address or an MD5: {len(names)}.",
        "# A wheelhouse has them (envsnap lock --wheelhouse DIR, envsnap restore):",
        *(f"#   {_plain(name)}" for name in names),
    ]


def _plain(text: str) -> str:
    return "".join(char if char.isascii() and char.isprintable() else "?" for char in text)[:120]


def _text(value: str) -> str:
    """A value in double quotes, as YAML and JSON both write it. Every value is ASCII by now."""
    return json.dumps(_plain(value) if not value.isascii() else value)
