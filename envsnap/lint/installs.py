"""Traps in what a recipe's scripts install."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from envsnap._typing import NamedTuple
from envsnap.lint._model import Spot, trap
from envsnap.lint._recipe import Recipe, Script, commands
from envsnap.lint._shell import Command

_APT = frozenset({"apt-get", "apt", "aptitude"})
_PIP = re.compile(r"pip[0-9.]*\Z")
_PYTHON = re.compile(r"python[0-9.]*\Z")
_VCS = re.compile(r"(?:git|hg|bzr|svn)\+")
_AT_COMMIT = re.compile(r"@[0-9a-f]{40}(?:[0-9a-f]{24})?(?:[#;\s]|\Z)")
_HASHED = re.compile(r"--hash[= ]|#sha256=")
_TAKES_VALUE = frozenset({
    "-r", "--requirement", "-c", "--constraint", "-i", "--index-url", "--extra-index-url", "-f",
    "--find-links", "-t", "--target", "--prefix", "--root", "--python", "-p", "--platform",
    "--index", "--default-index", "--trusted-host", "--src", "--cache-dir", "--progress-bar",
    "--config-settings", "-C", "--no-binary", "--only-binary", "--upgrade-strategy", "--timeout",
    "--retries", "--cert", "--proxy", "--abi", "--implementation", "--python-version",
    "--preview-features", "--link-mode", "--index-strategy", "--torch-backend",
})  # fmt: skip
_USER = re.compile(r"(?<=//)[^/@\s]*@")
"""Name and password in an address: they are in no message."""
_SHOWN = 60
_TOOLS = frozenset({"pip", "setuptools", "wheel", "uv"})
_FAKEROOT = frozenset({"openssh-client", "openssh-server", "ssh"})
_APT_PIN = re.compile(r"[a-z0-9][a-z0-9+.-]+(?::[a-z0-9]+)?=[^\s*]+\Z")
_OF_A_DAY = re.compile(
    r"snapshot[\w-]*\.(?:debian|ubuntu)\.|/(?:debian|ubuntu)[\w-]*/\d{8}T|--snapshot\b|"
    r"APT::Snapshot|\bsnapshot=(?!no\b)"
)
"""Sources that keep what they had on a day: the archives' hosts and paths, and apt's own word."""


class _Pip(NamedTuple):
    """One `pip install`."""

    arguments: tuple[str, ...]
    named: tuple[str, ...]
    """Requirements and paths."""
    files: tuple[str, ...]
    """Of -r."""
    uv: bool


@trap(
    "BLD001", of="recipe", source="pip documentation, Secure installs",
    remedy="Install from a lock with a hash for every file: pip install --no-deps "
    "--require-hashes -r requirements.lock; `envsnap lock` makes one",
)  # fmt: skip
def pip_without_hashes(recipe: Recipe) -> Iterator[Spot]:
    """The index decides on the day of the build what pip installs.

    Even with `==` the packages that these need float, and a file of the same name can have other
    bytes on another index.
    """
    for script, command in commands(recipe):
        pip = _pip(command)
        if pip is None or "--require-hashes" in pip.arguments:
            continue
        if script.variables.get("PIP_REQUIRE_HASHES") or _all_hashed(recipe, pip):
            continue
        if pip.named or pip.files:
            shown = " ".join([*(f"-r {each}" for each in pip.files), *pip.named])
            yield Spot(command.line, f"pip installs {_cut(shown)} without hashes")


@trap(
    "BLD002", of="recipe", source="hadolint DL3042",
    remedy="Add --no-cache-dir, or set PIP_NO_CACHE_DIR=1",
)  # fmt: skip
def pip_cache_in_the_image(recipe: Recipe) -> Iterator[Spot]:
    """The cache of pip stays in the image: every wheel twice."""
    for script in recipe.scripts:
        mounted = any(each.get("type") == "cache" for each in script.mounts)
        off = "PIP_NO_CACHE_DIR" in script.variables or _set_before(script, "PIP_NO_CACHE_DIR")
        for command in () if mounted or off else script.commands:
            pip = _pip(command)
            if pip is None or pip.uv or not (pip.named or pip.files):
                continue
            if "--no-cache-dir" not in pip.arguments:
                yield Spot(command.line, "pip leaves its cache in the image")


@trap(
    "BLD003", of="recipe", source="Docker documentation, Building best practices",
    remedy="Add --no-install-recommends",
)  # fmt: skip
def apt_with_recommends(recipe: Recipe) -> Iterator[Spot]:
    """An apt-get install takes what packages only recommend: larger, and more that can fail.

    Some of these add users, which a rootless Apptainer build cannot.
    """
    for _, command in commands(recipe):
        if _apt(command, "install") and not _flagged(command, "no-install-recommends"):
            yield Spot(command.line, f"{command.name} installs recommended packages, too")


@trap(
    "BLD004", stops=True, of="recipe", source="apt-get(8)", remedy="Add -y",
)  # fmt: skip
def apt_that_asks(recipe: Recipe) -> Iterator[Spot]:
    """An apt-get install asks whether to go on, and nobody answers."""
    for script, command in commands(recipe):
        if not _apt(command, "install") or _yes(command):
            continue
        if not any(each.name == "yes" and each.piped for each in script.commands):
            yield Spot(command.line, f"{command.name} install waits for an answer: there is no -y")


@trap(
    "BLD005", of="dockerfile", source="Docker documentation, Building best practices",
    remedy="Write both into one RUN: apt-get update && apt-get install ...",
)  # fmt: skip
def apt_lists_of_another_day(recipe: Recipe) -> Iterator[Spot]:
    """An apt-get update stands in a step of its own.

    The step is cached: later builds install by a list of packages that the archive has replaced.
    """
    for script in recipe.scripts:
        updates = [each for each in script.commands if _apt(each, "update")]
        others = [
            each for each in script.commands
            if each.name in _APT and not _apt(each, "update")
        ]  # fmt: skip
        if updates and not others and len(recipe.scripts) > 1:
            yield Spot(updates[0].line, "apt-get update stands in a step of its own")


@trap(
    "BLD009", of="recipe", source="KatherLab/MediSwarm issue 395; Debian and Ubuntu archives",
    remedy="Take the sources as they were on a day (Debian's snapshot archive, apt-get "
    "--snapshot), or leave the version out",
)  # fmt: skip
def apt_version_that_goes(recipe: Recipe) -> Iterator[Spot]:
    """An apt-get install names a version, which its archive drops once there is a newer one.

    Within days of a security fix the build stops: "Version '...' was not found".
    """
    if _from_a_day(recipe):
        return
    for _, command in commands(recipe):
        if _apt(command, "install"):
            for each in filter(_APT_PIN.match, command.words[1:]):
                yield Spot(command.line, f"{_cut(each)} will be gone from the archive")


def _from_a_day(recipe: Recipe) -> bool:
    """Whether the recipe, or a file that it copies, speaks of an archive's snapshot."""
    texts = [each.value or "" for each in recipe.settings]
    for script in recipe.scripts:
        texts += [word for command in script.commands for word in command.words]
        texts += [row for document in script.heredocs for _, row in document.body]
    names = (name for each in recipe.copied for name in each.sources)
    texts += [recipe.beside.text(name) or "" for name in names]
    return any(_OF_A_DAY.search(each) for each in texts)


@trap(
    "BLD006", of="recipe", source="hadolint DL4006; POSIX sh, Pipelines",
    remedy="Write the first command's output to a file, check that, then read it",
)  # fmt: skip
def failure_in_a_pipe(recipe: Recipe) -> Iterator[Spot]:
    """A download is piped on: if it fails, the build goes on with half of it.

    /bin/sh answers the status of the last command of a pipe alone, and knows no pipefail.
    """
    for script, command in commands(recipe):
        if command.piped and command.name in {"curl", "wget", "pip", "git"} and not script.pipefail:
            yield Spot(command.line, f"A failure of {command.name} in this pipe is not seen")


@trap(
    "BLD007", of="recipe", source="pip documentation, VCS Support",
    remedy="Name the commit in full behind an @, or build a wheel of it and pin that by its hash",
)  # fmt: skip
def repository_without_commit(recipe: Recipe) -> Iterator[Spot]:
    """A requirement is a repository at a branch or tag: a name that moves."""
    for _, command in commands(recipe):
        pip = _pip(command)
        for each in pip.named if pip else ():
            if _VCS.search(each) and not _AT_COMMIT.search(each):
                yield Spot(command.line, "pip installs from a repository without naming the commit")


@trap(
    "BLD008", of="recipe", source="pip documentation, --extra-index-url",
    remedy="Take each file by its address and hash, or use one index that holds all",
)  # fmt: skip
def second_index(recipe: Recipe) -> Iterator[Spot]:
    """A second index is asked for every package: whoever offers the higher version wins.

    A stranger can offer a package of your own's name on the public index.
    """
    for _, command in commands(recipe):
        pip = _pip(command)
        given = [each.partition("=")[0] for each in pip.arguments] if pip else []
        if "--extra-index-url" in given and "--require-hashes" not in given:
            yield Spot(command.line, "pip takes any package from either of two indexes")
    for each in recipe.settings:
        if each.name == "PIP_EXTRA_INDEX_URL" and each.value:
            yield Spot(each.line, "pip takes any package from either of two indexes")


@trap(
    "SIF020", of="definition", source="apptainer/apptainer issues 2153 and 3083",
    remedy="Leave it out of the image; where it must be, build with subordinate ids",
)  # fmt: skip
def package_that_adds_users(recipe: Recipe) -> Iterator[Spot]:
    """A system package adds a user or group, which fails under fakeroot."""
    for _, command in commands(recipe):
        found = sorted(_FAKEROOT & set(command.words)) if _apt(command, "install") else []
        for each in found:
            yield Spot(command.line, f"{each} adds a group: a rootless build can fail at it")


def _pip(command: Command) -> _Pip | None:
    """A command as an installation by pip or uv; None for any other."""
    words = list(command.words)
    if not words:
        return None
    if command.name == "uv" and "pip" in words:
        rest, uv = words[words.index("pip") + 1 :], True
    elif _PIP.match(command.name):
        rest, uv = words[1:], False
    elif _PYTHON.match(command.name) and words[1:3] == ["-m", "pip"]:
        rest, uv = words[3:], False
    elif _PYTHON.match(command.name) and "pip" in words[2:6] and "-m" in words:
        rest, uv = words[words.index("pip") + 1 :], False
    else:
        return None
    if "install" not in rest:
        return None
    rest = rest[rest.index("install") + 1 :]
    named, files = _split(rest)
    if set(named) <= _TOOLS and not files:
        return _Pip(tuple(rest), (), (), uv)
    return _Pip(tuple(rest), tuple(named), tuple(files), uv)


def _split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is named, and the files of -r."""
    named, files, waiting = [], [], ""
    for word in words:
        if waiting:
            files += [word] if waiting in {"-r", "--requirement"} else []
            waiting = ""
        elif word in _TAKES_VALUE:
            waiting = word
        elif word.startswith("--requirement="):
            files.append(word.partition("=")[2])
        elif word.startswith("-r") and len(word) > len("-r"):
            files.append(word[2:])
        elif not word.startswith("-"):
            named.append(word)
    return named, files


def _all_hashed(recipe: Recipe, pip: _Pip) -> bool:
    """Whether every name comes with a hash: in the file of -r, or in its own address."""
    if any(not _HASHED.search(each) and not each.startswith((".", "/")) for each in pip.named):
        return False
    for name in pip.files:
        text = recipe.beside.text(name.rpartition("/")[2]) or recipe.beside.text(name.lstrip("/"))
        if name.endswith(".toml") and "pylock" in name:
            continue
        if text is None or not _HASHED.search(text):
            return False
    return True


def _set_before(script: Script, name: str) -> bool:
    return any(
        name in dict(each.assigned) or any(word.startswith(f"{name}=") for word in each.words)
        for each in script.commands
    )


def _apt(command: Command, verb: str) -> bool:
    return command.name in _APT and verb in command.words[1:]


def _flagged(command: Command, name: str) -> bool:
    off = re.compile(r"APT::Install-Recommends=(?:0|false|no)", re.IGNORECASE)
    return f"--{name}" in command.words or any(off.search(each) for each in command.words)


def _yes(command: Command) -> bool:
    return any(
        each in {"--yes", "--assume-yes"}
        or (each.startswith("-") and not each.startswith("--") and "y" in each and "=" not in each)
        or each.startswith("-qq")
        for each in command.words[1:]
    )


def _cut(text: str) -> str:
    hidden = _USER.sub("", text)
    return hidden if len(hidden) <= _SHOWN else f"{hidden[: _SHOWN - 3]}..."
