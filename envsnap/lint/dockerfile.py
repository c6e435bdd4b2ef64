"""Traps of a Dockerfile's own syntax and of how its builders read it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from envsnap.lint._dockerfile import Dockerfile, mounts_of, raw_words, settings_of, substituted
from envsnap.lint._model import Spot, trap

_REFERENCE = "moby/buildkit frontend/dockerfile/docs/reference.md"
_OF_THE_SHELL = re.compile(r"(?<!\\)\$\{?(HOME|USER|PWD|SHELL|HOSTNAME|UID)\b")
_ROOT = frozenset({"", "0", "root", "0:0", "root:root"})
_OF_APT = re.compile(r"/var/(?:cache|lib)/apt(?:/|\Z)")
_MANY = 2


@trap(
    "DKR001", of="dockerfile", source=f"{_REFERENCE}; tried with Docker 20.10",
    remedy="Put the lines into a file of the context and COPY it",
)  # fmt: skip
def heredoc(recipe: Dockerfile) -> Iterator[Spot]:
    """A heredoc needs a newer builder than Debian 12's Docker, which reads its lines as steps."""
    for each in recipe.instructions:
        for document in each.heredocs:
            yield Spot(document.line, f"A heredoc ({document.word}) fails with Docker 20.10")


@trap(
    "DKR002", of="dockerfile", source=f"{_REFERENCE}; tried without a network",
    remedy="Leave the line out where no step needs a newer syntax; else pin it by digest",
)  # fmt: skip
def syntax_line(recipe: Dockerfile) -> Iterator[Spot]:
    """A syntax line makes BuildKit pull that image before the first step.

    Without a network, or behind a mirror that lacks it, nothing is built.
    """
    for name, value, line in recipe.directives:
        if name == "syntax":
            floats = "" if "@sha256:" in value else ", by a tag that moves"
            yield Spot(line, f"The builder first pulls {value[:80]}{floats}")


@trap(
    "DKR003", of="dockerfile", source=_REFERENCE,
    remedy="Put it on the first line, before any other comment",
)  # fmt: skip
def directive_too_late(recipe: Dockerfile) -> Iterator[Spot]:
    """A parser directive stands below the top and is a plain comment there."""
    for name, line in recipe.misplaced:
        yield Spot(line, f"'# {name}=' is a plain comment here")


@trap(
    "DKR004", stops=True, of="dockerfile", source=f"{_REFERENCE}; tried",
    remedy='Write NAME="value", with a backslash before \\, " and $',
)  # fmt: skip
def unquoted_value(recipe: Dockerfile) -> Iterator[Spot]:
    """A value of ENV or LABEL with a space is not in quotes: the builder stops there.

    `ENV A=1 2` ends in "can't find = in". The old form `ENV A 1 2` takes the rest of the line,
    quotes and all.
    """
    for each in recipe.instructions:
        if each.name not in {"ENV", "LABEL"}:
            continue
        words = raw_words(each.value)
        if words and "=" not in words[0]:
            yield Spot(each.line, f"{each.name} {words[0][:40]} has no '=': the old form")
        elif any("=" not in word or word.startswith("=") for word in words):
            wrong = next(word for word in words if "=" not in word or word.startswith("="))
            yield Spot(each.line, f"{each.name} has a word without a name: {wrong[:40]}")


@trap(
    "DKR005", of="dockerfile", source=f"{_REFERENCE}; tried",
    remedy="Write the path out, or put a backslash before the $",
)  # fmt: skip
def variable_of_a_shell(recipe: Dockerfile) -> Iterator[Spot]:
    """ENV, COPY and WORKDIR expand $HOME and the like to nothing: no shell has set them."""
    for stage in recipe.stages:
        known: set[str] = set()
        for each in stage.instructions:
            if each.name in {"ENV", "LABEL", "COPY", "ADD", "WORKDIR", "VOLUME"}:
                without = re.sub(r"'[^']*'", "", each.value)
                for name in dict.fromkeys(_OF_THE_SHELL.findall(without)):
                    if name not in known:
                        yield Spot(each.line, f"${name} is empty in {each.name}")
            known |= {row.name for row in settings_of(each)}


@trap(
    "DKR006", of="dockerfile", source=_REFERENCE,
    remedy="Add required=true to the mount",
)  # fmt: skip
def secret_that_may_be_absent(recipe: Dockerfile) -> Iterator[Spot]:
    """A secret mount without `required` is silently empty where the secret was not given."""
    for each in recipe.instructions:
        for mount in mounts_of(each):
            absent = mount.get("required", "false") == "false"
            if mount.get("type") in {"secret", "ssh"} and absent and "required" not in _bare(mount):
                name = mount.get("id") or mount.get("src") or mount["type"]
                yield Spot(each.line, f"The mount {name} may be absent, and nobody is told")


def _bare(mount: object) -> set[str]:
    """The options that are given without a value, which turns them on."""
    return (
        {name for name, value in mount.items() if not value} if isinstance(mount, dict) else set()
    )


@trap(
    "DKR007", of="dockerfile", source=_REFERENCE,
    remedy="Add uid=10001,gid=10001 (those of USER) to the mount",
)  # fmt: skip
def cache_of_root(recipe: Dockerfile) -> Iterator[Spot]:
    """A cache mount belongs to root unless it names its owner: the step's user cannot write it."""
    for stage in recipe.stages:
        user = ""
        for each in stage.instructions:
            user = each.value.strip() if each.name == "USER" else user
            if user in _ROOT:
                continue
            for mount in mounts_of(each):
                if mount.get("type") == "cache" and "uid" not in mount and "mode" not in mount:
                    target = _target(mount) or mount.get("id") or "?"
                    yield Spot(each.line, f"The cache at {target} is root's, and {user} runs here")


def _target(mount: Mapping[str, str]) -> str:
    """Where a mount lies in the step, by any of the names that BuildKit has for it."""
    names = ("target", "dst", "destination")
    return next((mount[name] for name in names if mount.get(name)), "")


@trap(
    "DKR015", of="dockerfile", source=f"{_REFERENCE}, Example: cache apt packages",
    remedy="Add sharing=locked to the mount",
)  # fmt: skip
def cache_of_apt_shared(recipe: Dockerfile) -> Iterator[Spot]:
    """A cache of apt is shared by steps that run at the same time, and apt wants it for itself.

    One of them ends in "Could not get lock", or both write the same file.
    """
    for each in recipe.instructions:
        for mount in mounts_of(each):
            shared = mount.get("sharing", "shared") == "shared"
            if mount.get("type") == "cache" and shared and _OF_APT.match(_target(mount)):
                yield Spot(each.line, f"The cache at {_target(mount)} is not locked")


@trap(
    "DKR008", of="dockerfile", source="Docker documentation, COPY --chown",
    remedy="Give the owner while copying: COPY --chown=10001:10001 ...",
)  # fmt: skip
def owner_changed_later(recipe: Dockerfile) -> Iterator[Spot]:
    """RUN chown -R copies every file that it touches into one more layer."""
    for script in recipe.scripts:
        made = any(
            each.name in {"mkdir", "useradd", "adduser", "install", "tar", "cp"}
            for each in script.commands
        )
        for command in () if made else script.commands:
            deep = any(
                each == "--recursive" or (each.startswith("-") and each[1:2] != "-" and "R" in each)
                for each in command.words[1:]
            )
            if command.name in {"chown", "chgrp", "chmod"} and deep:
                yield Spot(command.line, f"{command.name} -R writes those files once more")


@trap(
    "DKR009", of="dockerfile", source="Docker documentation, .dockerignore files",
    remedy="Write a .dockerignore: a line `*`, then `!NAME` for each file that is copied",
)  # fmt: skip
def whole_folder_sent(recipe: Dockerfile) -> Iterator[Spot]:
    """The whole folder goes to the builder: data sets, .git and .env files with secrets."""
    taken = [each for each in recipe.copied if not each.sources[0].startswith(("http", "git@"))]
    if not taken:
        return
    text = recipe.beside.text(f"{recipe.name}.dockerignore") or recipe.beside.text(".dockerignore")
    if text is None:
        yield Spot(taken[0].line, "There is no .dockerignore: the whole folder goes to the builder")
        return
    whole = [each for each in taken if set(each.sources) & {".", "./", "*", "./*"}]
    allowed = {"*", "**", "/*", "/**"} & {row.strip() for row in text.split("\n")}
    if whole and not allowed:
        yield Spot(whole[0].line, "All is copied but what .dockerignore names: new files, too")


@trap(
    "DKR010", of="dockerfile", source="Docker documentation, Building best practices",
    remedy="Add a user by number and end with USER 10001:10001",
)  # fmt: skip
def runs_as_root(recipe: Dockerfile) -> Iterator[Spot]:
    """The image runs as root, and what it writes into a mounted folder is root's."""
    if not recipe.stages:
        return
    users = [each for each in recipe.stages[-1].instructions if each.name == "USER"]
    if users and substituted(users[-1].value.strip(), {}) in _ROOT:
        yield Spot(users[-1].line, "The image runs as root")
    elif not users and not recipe.stages[-1].own:
        yield Spot(recipe.stages[-1].line, "The image runs as whoever its base says, mostly root")


@trap(
    "DKR011", of="dockerfile", source=_REFERENCE, remedy="Keep the last, and remove the others",
)  # fmt: skip
def only_the_last_counts(recipe: Dockerfile) -> Iterator[Spot]:
    """Of several HEALTHCHECK, CMD or ENTRYPOINT in one stage only the last counts."""
    for stage in recipe.stages:
        for name in ("HEALTHCHECK", "CMD", "ENTRYPOINT"):
            found = [each for each in stage.instructions if each.name == name]
            for each in found[:-1] if len(found) >= _MANY else ():
                yield Spot(each.line, f"This {name} does not count: another follows")


@trap(
    "DKR013", of="dockerfile", source="Docker documentation, ADD --checksum",
    remedy="Give its hash: ADD --checksum=sha256:... URL TARGET",
)  # fmt: skip
def address_without_hash(recipe: Dockerfile) -> Iterator[Spot]:
    """ADD of an address takes whatever is there on the day of the build."""
    for each in recipe.instructions:
        if each.name != "ADD" or each.flag("checksum") is not None:
            continue
        for word in each.value.split()[:-1]:
            if word.startswith(("http://", "https://")):
                place = word.partition("://")[2].partition("/")[0].rpartition("@")[2]
                yield Spot(each.line, f"ADD takes a file of {place} without its hash")


@trap(
    "DKR012", stops=True, of="dockerfile", source="ubuntu 24.04 image: user ubuntu has uid 1000",
    remedy="Take another number (10001), or remove the user ubuntu first",
)  # fmt: skip
def number_that_is_taken(recipe: Dockerfile) -> Iterator[Spot]:
    """A user with the number 1000 is added to Ubuntu 24.04, which has one already."""
    if not any(re.search(r"ubuntu:?24\.04|ubuntu:noble", each.reference) for each in recipe.bases):
        return
    freed = any(
        each.name in {"userdel", "deluser", "usermod"}
        for script in recipe.scripts for each in script.commands
    )  # fmt: skip
    for script in recipe.scripts:
        for each in script.commands:
            if each.name in {"useradd", "adduser"} and "1000" in each.words and not freed:
                yield Spot(each.line, "Ubuntu 24.04 has a user 1000 already: this step fails")
