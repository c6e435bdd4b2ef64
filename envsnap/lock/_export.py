"""A lock in two forms that installers read: pylock.toml (PEP 751), requirements.txt. Pure.

What a form cannot name is left out and said in the file itself: whoever has it alone must know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from packaging.version import InvalidVersion, Version

from envsnap.errors import MissingExtraError, PlanError
from envsnap.lock._pins import can_be_asked
from envsnap.manifest import Manifest
from envsnap.sections import Artifact, Lock, Python, Unknown

PYLOCK_MARK = 'created-by = "envsnap"'
REQUIREMENTS_MARK = "# Written by envsnap lock"
PYLOCK_NAME = re.compile(r"\Apylock(?:\.[^.]+)?\.toml\Z")
"""What PEP 751 lets such a file be called."""
_FILENAME = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9._+!-]*\Z")
_ADDRESS = re.compile(r"\Ahttps?://[A-Za-z0-9.\[\]:-]+/[A-Za-z0-9._~:/@!*+,=%&()?;-]*\Z")
_SHA256 = re.compile(r"\A[0-9a-f]{64}\Z")


class Exported(NamedTuple):
    """The text of a file, and what is not in it."""

    text: str
    left_out: tuple[str, ...]
    """`name version` of what only a wheelhouse can have, or no installer takes."""


def pylock(manifest: Manifest, paths: Mapping[str, str]) -> Exported:
    """The lock as pylock.toml; `paths` are files beside it by their SHA-256, with slashes.

    Raises:
        PlanError: The manifest has no lock.
        MissingExtraError: tomli-w is not installed.
    """
    try:
        import tomli_w
    except ImportError:
        raise MissingExtraError("tomli-w", "lock") from None
    lock, python = _known(manifest)
    packages, left_out = [], [f"{each.name} {each.version}" for each in lock.unlocked]
    for artifact in lock.artifacts:
        place = _place(artifact, paths)
        if place is None:
            left_out.append(f"{artifact.name} {artifact.version}")
        else:
            packages.append(_package(artifact, place))
    machine = python.architecture if isinstance(python.architecture, str) else None
    markers = [
        "sys_platform == 'linux'",
        f"implementation_name == '{_word(python.implementation)}'",
    ]
    markers += [f"platform_machine == '{_word(machine)}'"] if machine else []
    tree: dict[str, Any] = {
        "lock-version": "1.0",
        "environments": [" and ".join(markers)],
        "requires-python": "==" + ".".join(python.version.split(".")[:2]) + ".*",
        "created-by": "envsnap",
        "packages": packages,
        "tool": {"envsnap": {"environment": _word(lock.environment), "left-out": left_out}},
    }
    return Exported(tomli_w.dumps(tree), tuple(left_out))


def _package(artifact: Artifact, place: str) -> dict[str, Any]:
    """One distribution. What came from an address of its own stays known as such (PEP 610)."""
    remote = place.startswith(("https://", "http://"))
    file: dict[str, Any] = {"url" if remote else "path": place}
    if isinstance(artifact.size, int):
        file["size"] = artifact.size
    file["hashes"] = {"sha256": artifact.sha256}
    if artifact.how == "address" and remote:
        return {"name": artifact.name, "archive": file}
    kind = artifact.filename.endswith(".whl")
    named = {"name": artifact.filename, **file}
    form = {"wheels": [named]} if kind else {"sdist": named}
    return {"name": artifact.name, "version": artifact.version, **form}


def requirements(manifest: Manifest, paths: Mapping[str, str]) -> Exported:
    """The lock as requirements.txt, every file with its hash; `paths` are files beside it.

    What an index has stands as `name==version`, so that whoever installs asks their own, also
    where its address is of a mirror inside a network; local versions (`+cu128`) and what came
    from an address stand with it, as no index need have them.

    Raises:
        PlanError: The manifest has no lock.
    """
    lock, python = _known(manifest)
    lines, left_out = [], [f"{each.name} {each.version}" for each in lock.unlocked]
    for artifact in lock.artifacts:
        line = _requirement(artifact, _place(artifact, paths))
        if line is None:
            left_out.append(f"{artifact.name} {artifact.version}")
        else:
            lines.append(f"{line} \\\n    --hash=sha256:{artifact.sha256}")
    head = [
        f"{REQUIREMENTS_MARK} from environment {_word(lock.environment)}.",
        f"# Install in this folder, with Python {_word(python.version)}:",
        "#   pip install --require-hashes --no-deps -r THIS",
    ]
    head += [f"# not in this file: {_comment(each)}" for each in left_out]
    return Exported("\n".join([*head, *lines]) + "\n", tuple(left_out))


def _requirement(artifact: Artifact, place: str | None) -> str | None:
    try:
        is_local = Version(artifact.version).local is not None
    except InvalidVersion:
        return None  # neither pip nor uv takes it
    if place is None:
        can_be_there = artifact.how == "index" and artifact.url is None and not is_local
        return (
            f"{artifact.name}=={artifact.version}" if can_be_there and _is_plain(artifact) else None
        )
    if not place.startswith(("https://", "http://")):
        return f"./{place}"
    if is_local or artifact.how == "address":
        return f"{artifact.name} @ {place}"
    return f"{artifact.name}=={artifact.version}"


def _place(artifact: Artifact, paths: Mapping[str, str]) -> str | None:
    """Where the file is: beside the list, else at its address; None where it has neither.

    A value of another form than such a thing has, which only a tampered lock holds, is none.
    """
    if not _is_plain(artifact):
        return None
    if artifact.url is not None:
        address = quote(artifact.url, safe="%/:=&?~#+!$,;'@()*[]")
        return address if _ADDRESS.match(address) else None
    path = paths.get(artifact.sha256)
    fits = path is not None and all(map(_FILENAME.match, path.replace("../", "").split("/")))
    return path if fits else None


def _is_plain(artifact: Artifact) -> bool:
    """Whether its words are such as a list can have."""
    named = _FILENAME.match(artifact.filename) and _SHA256.match(artifact.sha256)
    return bool(named) and can_be_asked(artifact.name, artifact.version)


def _known(manifest: Manifest) -> tuple[Lock, Python]:
    python = manifest.section(Python)
    if manifest.lock is None or isinstance(python, Unknown):
        raise PlanError("The manifest has no lock", hint="Make one: envsnap lock")
    return manifest.lock, python


def _word(text: str) -> str:
    """What cannot end a string or a line of any of the forms."""
    return re.sub(r"[^A-Za-z0-9._+-]", "?", text)[:80]


def _comment(text: str) -> str:
    return ascii(text)[1:-1][:200]
