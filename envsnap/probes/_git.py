"""A repository's state, asked of git in a way that starts nothing of the repository's own.

No hook, no file system monitor, no fetch of what a partial clone left out.
"""

from __future__ import annotations

import re
import time

from envsnap._typing import NamedTuple
from envsnap.host import Host, Ran
from envsnap.probes._registry import Look
from envsnap.probes._texts import unparsable
from envsnap.probes._urls import clean_url
from envsnap.sections import Fact, Git, Reason, Unknown

SAFE = (
    "--no-optional-locks",
    "-c", "core.fsmonitor=false",
    "-c", "core.hooksPath=/dev/null",
    "-c", "log.showSignature=false",
    "-c", "protocol.allow=never",
    "-c", "protocol.https.allow=never",
    "-c", "protocol.ssh.allow=never",
)  # fmt: skip
"""What keeps git from starting or fetching anything; whoever fetches allows one way after it."""
_STATUS = ("status", "--porcelain=v2", "--branch", "--untracked-files=normal", "--no-renames")
_TIME = ("log", "-1", "--format=%ct")
_REMOTES = ("config", "--get-regexp", r"^remote\..*\.url$")
_PUSHED = ("for-each-ref", "--count=1", "--contains=HEAD", "--format=%(refname)", "refs/remotes")

_DEADLINE_S = 20.0
_COMMIT = r"^[0-9a-f]{40}(?:[0-9a-f]{24})?$"
_NO_COMMIT = Unknown(Reason.NOT_SUPPORTED, "the repository has no commit yet")
_OURS = ("envsnap.lock.json", "envsnap-build", "environment.zip")
_NOT_FOUND = 1
"""`git config` ends with this where nothing has that name."""


class Status(NamedTuple):
    """What `git status --porcelain=v2 --branch` tells."""

    commit: str | None
    """None before the first commit."""
    branch: str | None
    """None if detached."""
    upstream: str | None
    changed: int


def git(look: Look, folder: str) -> Fact[Git | None]:
    """The state of the repository that holds the folder; None if it is in none.

    Several probes may ask of one repository, and each packages many: it is looked at once.
    """
    root = repository(look.host, folder)
    return None if root is None else look.once(f"git {root}", lambda: _state(look, root))


def repository(host: Host, folder: str) -> str | None:
    """The folder upward that has a `.git`, seen or not: only a known absence is one."""
    while folder:
        if host.stat(f"{folder}/.git") is not None:
            return folder
        folder = folder.rpartition("/")[0]
    return None


def _state(look: Look, root: str) -> Fact[Git | None]:
    ran = run_git(look, root, _STATUS)
    if isinstance(ran, Unknown):
        return ran
    if ran.status:
        return _refused(ran)
    status = parse_status(ran.stdout)
    if status is None:
        return unparsable("git status", ran.stdout)
    remotes = _remotes(look, root)
    return Git(
        commit=status.commit or _NO_COMMIT,
        commit_time=_commit_time(look, root) if status.commit else _NO_COMMIT,
        branch=status.branch,
        changed_files=status.changed,
        remote=remotes if isinstance(remotes, Unknown) else _remote(look, remotes, status.upstream),
        pushed=_pushed(look, root) if status.commit else False,
    )


def run_git(look: Look, root: str, command: tuple[str, ...]) -> Fact[Ran]:
    """What git answers there, kept from starting anything of the repository's own."""
    return look.host.run(["git", "-C", root, *SAFE, *command], timeout_s=_DEADLINE_S)


def _refused(ran: Ran) -> Unknown | None:
    """Why git told nothing. Its own words name folders and are left out."""
    if "dubious ownership" in ran.stderr or "unsafe repository" in ran.stderr:
        return Unknown(Reason.NO_PERMISSION, "git reads no repository that belongs to another user")
    if "not a git repository" in ran.stderr:
        return None
    return Unknown(Reason.CRASHED, f"git status ended with status {ran.status}")


def parse_status(text: str) -> Status | None:
    """The lines of porcelain v2; None if they are others."""
    commit: str | None = None
    branch: str | None = None
    upstream: str | None = None
    changed, complete = 0, False
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key in {"1", "2", "u"} or (key == "?" and not is_ours(value)):
            changed += 1
        if line.startswith("# branch.oid "):
            commit = line.split(" ", 2)[2]
            complete = commit == "(initial)" or bool(re.match(_COMMIT, commit))
        elif value.startswith("branch.head ") and value != "branch.head (detached)":
            branch = value.partition(" ")[2]
        elif value.startswith("branch.upstream "):
            upstream = value.partition(" ")[2]
    if not complete:
        return None
    return Status(None if commit == "(initial)" else commit, branch, upstream, changed)


def is_ours(path: str) -> bool:
    """Whether an untracked file or folder is one that envsnap writes by its usual name.

    The capture that follows the first must not find that the project was changed by it.

    >>> is_ours("paper/envsnap.lock.json"), is_ours("envsnap-build/Dockerfile"), is_ours("a.py")
    (True, True, False)
    """
    return any(part in _OURS for part in path.strip('"').split("/"))


def _commit_time(look: Look, root: str) -> Fact[str]:
    ran = run_git(look, root, _TIME)
    if isinstance(ran, Unknown):
        return ran
    return parse_commit_time(ran.stdout)


def parse_commit_time(text: str) -> Fact[str]:
    """Seconds since 1970 as ISO 8601, UTC.

    >>> parse_commit_time("1700000000")
    '2023-11-14T22:13:20Z'
    """
    spoken = text.strip()
    if not (spoken.isascii() and spoken.isdecimal() and len(spoken) <= 11):  # noqa: PLR2004 - the year 5138
        return unparsable("git log", text)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(spoken)))


def _remotes(look: Look, root: str) -> Fact[dict[str, str]]:
    ran = run_git(look, root, _REMOTES)
    if isinstance(ran, Unknown):
        return ran
    if ran.status not in {0, _NOT_FOUND}:
        return Unknown(Reason.CRASHED, f"git config ended with status {ran.status}")
    return parse_remotes(ran.stdout)


def parse_remotes(text: str) -> dict[str, str]:
    """The address of each remote, as configured.

    >>> parse_remotes("remote.origin.url https://forge.example/lab/tide.git")
    {'origin': 'https://forge.example/lab/tide.git'}
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, blank, url = line.partition(" ")
        if blank and key.startswith("remote.") and key.endswith(".url"):
            found.setdefault(key[len("remote.") : -len(".url")], url)
    return found


def _remote(look: Look, remotes: dict[str, str], upstream: str | None) -> str | None:
    """The remote that the branch follows; else origin; else the first by name."""
    followed = [name for name in remotes if upstream and upstream.startswith(name + "/")]
    name = max(
        followed, key=len, default="origin" if "origin" in remotes else min(remotes, default="")
    )
    return clean_url(remotes[name], look.anchors) if name else None


def _pushed(look: Look, root: str) -> Fact[bool]:
    ran = run_git(look, root, _PUSHED)
    if isinstance(ran, Unknown):
        return ran
    if ran.status:
        return Unknown(Reason.CRASHED, f"git for-each-ref ended with status {ran.status}")
    return bool(ran.stdout.strip())
