"""Builds a wheel of somebody else's source, only where the user has allowed it by name."""

from __future__ import annotations

import os
import re
import shutil
import tempfile

from envsnap.engines import run
from envsnap.errors import FileError
from envsnap.lock._trust import RefusedError, Trust, refusal
from envsnap.wheelhouse._build import Builder, BuildError, Tree, build
from envsnap.wheelhouse._make import Made
from envsnap.wheelhouse._member import Home, is_member_name
from envsnap.wheelhouse._prepare import Job, Prepared
from envsnap.wheelhouse._unpack import unpack_source

_COMMIT = re.compile(r"\A[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_CLONE_S = 1800.0


def build_stranger(job: Job, prepared: Prepared) -> Made:
    """The wheel of a package that is not here, from its commit or its source archive.

    Raises:
        BuildError: It cannot be fetched or built.
        RefusedError: Its repository is on a host that may not be asked.
    """
    with tempfile.TemporaryDirectory(prefix="envsnap-build-") as temporary:
        tree = os.path.join(temporary, "tree")
        artifact = job.artifact
        if artifact is not None and not artifact.filename.endswith(".whl"):
            root = unpack_source(os.path.join(prepared.folder, *job.filename.split("/")), tree)
            source = Tree(root, ("built from its source archive, as allowed",))
        else:
            source = _cloned(job, prepared.trust, tree)
        return build(source, job.package, _builder(prepared), temporary)


def _cloned(job: Job, trust: Trust, tree: str) -> Tree:
    """The commit that was recorded, cloned without anything of the repository being run."""
    origin = job.package.origin
    url, commit = origin.url, origin.commit
    if origin.kind != "vcs" or origin.vcs != "git" or not isinstance(url, str):
        raise BuildError("nobody recorded a repository of it")
    url = url.removeprefix("git+")
    if not isinstance(commit, str) or not _COMMIT.match(commit):
        raise BuildError("nobody recorded a commit of it")
    why = refusal(url, trust)
    if why is not None:
        raise RefusedError(f"Not cloned: {why}")
    safe = ("-c", "core.hooksPath=/dev/null", "-c", "protocol.allow=never")
    allowed = ("-c", "protocol.https.allow=always", "-c", "protocol.http.allow=always")
    for words in (
        ("clone", "--quiet", "--no-checkout", "--", url, tree),
        ("-C", tree, "checkout", "--quiet", "--detach", commit),
    ):
        quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1"}
        done = run(["git", *safe, *allowed, *words], timeout_s=_CLONE_S, variables=quiet)
        if done.status != 0:
            raise BuildError(f"git could not fetch commit {commit[:12]} of it")
    below = origin.subdirectory if isinstance(origin.subdirectory, str) else ""
    if below and not is_member_name(below):
        raise BuildError(f"its folder {below[:60]!a} is none of its repository")
    return Tree(os.path.join(tree, below), (f"built from commit {commit}, as allowed",))


def _builder(prepared: Prepared) -> Builder:
    """What it is built for: the Python that the manifest names, if this machine has one."""
    from envsnap.sections import Python, Unknown

    python = prepared.manifest.section(Python)
    if isinstance(python, Unknown):
        raise BuildError("the manifest does not know its Python")
    minor = ".".join(python.version.split(".")[:2])
    asked = prepared.options.python
    found = asked or shutil.which(f"python{minor}")
    if found is None:
        raise FileError(f"No Python {minor} to build with", hint="Name one: --python EXE")
    soabi = python.soabi if isinstance(python.soabi, str) else None
    home = Home("/", python.version, soabi, f"linux_{os.uname().machine}")
    return Builder(home, found, prepared.folder)
