"""Builds a wheel of somebody else's source, only where the user has allowed it by name."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from urllib.parse import urlsplit

from envsnap.engines import run
from envsnap.engines._pythons import Wanted, find_python
from envsnap.lock._trust import RefusedError, Trust, origin_of, refusal
from envsnap.probes._git import SAFE
from envsnap.sections import Origin, Python, Unknown
from envsnap.wheelhouse._build import Builder, build
from envsnap.wheelhouse._make import Made
from envsnap.wheelhouse._member import Home, is_member_name, listed
from envsnap.wheelhouse._prepare import Job, Prepared
from envsnap.wheelhouse._tree import QUIET, BuildError, Tree, submodules
from envsnap.wheelhouse._tree import git as run_git
from envsnap.wheelhouse._unpack import unpack_source

_COMMIT = re.compile(r"\A[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_CLONE_S = 1800.0
_WEB = (
    "-c", "protocol.https.allow=always",
    "-c", "protocol.http.allow=always",
    "-c", "http.followRedirects=false",
)  # fmt: skip
"""A redirect would lead where nobody has looked."""


def build_stranger(job: Job, prepared: Prepared, folder: str) -> Made:
    """The wheel, in a folder, of a package that is not here: of its commit or source archive.

    Raises:
        ToolError: There is no Python to build it with; or, a BuildError, it failed.
        RefusedError: Its repository is on a host that may not be asked.
    """
    builder = _builder(prepared, folder)
    with tempfile.TemporaryDirectory(prefix="envsnap-build-") as temporary:
        tree = os.path.join(temporary, "tree")
        artifact = job.artifact
        if artifact is not None and not artifact.filename.endswith(".whl"):
            root = unpack_source(os.path.join(prepared.folder, *job.filename.split("/")), tree)
            source = Tree(root, ("built from its source archive, as allowed",))
        else:
            source = cloned(job.package.origin, prepared.trust, tree)
        return build(source, job.package, builder, temporary)


def cloned(origin: Origin, trust: Trust, tree: str) -> Tree:
    """The commit that was recorded, cloned without anything of the repository being run.

    Raises:
        BuildError: None was recorded, or it cannot be fetched.
        RefusedError: It is on a host that may not be asked.
    """
    url, commit = origin.url, origin.commit
    if origin.kind != "vcs" or origin.vcs != "git" or not isinstance(url, str):
        raise BuildError("nobody recorded a repository of it")
    url = url.removeprefix("git+")
    if not isinstance(commit, str) or not _COMMIT.match(commit):
        raise BuildError("nobody recorded a commit of it")
    why = refusal(url, trust)
    if why is not None:
        raise RefusedError(f"Not cloned: {why}")
    clone = ("clone", "--quiet", "--no-checkout", "--no-recurse-submodules", "--", url, tree)
    git = ["git", *SAFE, *_WEB, *_pinned(url, trust)]
    done = run([*git, *clone], timeout_s=_CLONE_S, variables=_variables(url, trust))
    checkout = ("-c", "submodule.recurse=false", "checkout", "--quiet", "--detach", commit)
    if done.status != 0 or run_git(tree, *checkout) is None:
        raise BuildError(f"git could not fetch commit {commit[:12]} of it")
    below = origin.subdirectory if isinstance(origin.subdirectory, str) else ""
    if below and not is_member_name(below):
        raise BuildError(f"its folder {below[:60]!a} is none of its repository")
    left_out = [path for path, _ in submodules(tree, commit)]
    notes = (f"without its submodules: {listed(left_out)}",) if left_out else ()
    return Tree(os.path.join(tree, below), (f"built from commit {commit}, as allowed", *notes))


def _pinned(url: str, trust: Trust) -> tuple[str, ...]:
    """Options that hold git to the addresses that were judged; older ones of it ignore that.

    What helpers know of a host is for the user's own origins alone.
    """
    from envsnap.wheelhouse._session import judged

    peers, parts = judged(url, trust), urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    pinned = f"http.curloptResolve={parts.hostname}:{port}:{','.join(peers)}"
    helpers = () if origin_of(url) in trust.own else ("-c", "credential.helper=")
    return (*helpers, "-c", pinned) if peers and ":" not in str(parts.hostname) else helpers


def _variables(url: str, trust: Trust) -> Mapping[str, str | None]:
    """The environment of git: without the user's credentials for a host that is not theirs."""
    if origin_of(url) in trust.own:
        return QUIET
    settings = os.environ.get("GIT_CONFIG_GLOBAL") or os.path.expanduser("~/.gitconfig")
    no_home = {"GIT_CONFIG_GLOBAL": settings, "HOME": os.devnull}
    return {**QUIET, **no_home, "GIT_ASKPASS": None, "SSH_ASKPASS": None}


def _builder(prepared: Prepared, folder: str) -> Builder:
    """What it is built for: the Python that the manifest names, if this machine has one."""
    python = prepared.manifest.section(Python)
    if isinstance(python, Unknown):
        raise BuildError("the manifest does not know its Python")
    soabi = python.soabi if isinstance(python.soabi, str) else None
    wanted = Wanted(python.implementation, python.version, soabi)
    found = find_python(wanted, prepared.options.python).executable
    home = Home("/", python.version, soabi, f"linux_{os.uname().machine}")
    return Builder(home, found, folder)
