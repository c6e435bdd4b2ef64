"""What engines say when they mean something else: their known words, what they mean, what helps.

Each was seen, or is told in the engine's own issues. What no row knows stays in its own words.
The last line that any row knows counts, and of the rows that know it the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from envsnap._typing import NamedTuple
from envsnap.engines._command import Listener
from envsnap.engines._model import Job
from envsnap.errors import ToolError

_KEPT_BYTES = 256 * 1024
_LAST_LINES = 100
"""How far from the end a cause is looked for: what was said before it was overcome."""
_OVERCOME = re.compile(r"retrying \(retry\(total=[1-9]|retrying in [0-9]", re.IGNORECASE)
"""What is tried again: its last failure is told by other words."""


class Fault(NamedTuple):
    """One misleading complaint."""

    words: str
    """A pattern of what is said, without regard to case."""
    means: str
    remedy: str
    """One imperative sentence."""
    source: str


FAULTS: Sequence[Fault] = (
    Fault(
        r"user namespace[^\n]*no space left on device"
        r"|(?:cannot clone|clone failed|clone\(\)): no space left on device|max_user_namespaces",
        "user namespaces are switched off on this machine (no disk is full)",
        "Ask your administrator for user.max_user_namespaces above 0, or build elsewhere: "
        "envsnap doctor --build",
        "https://github.com/apptainer/apptainer/issues/2190",
    ),
    Fault(
        r"could not write info to setgroups: permission denied"
        r"|failed to create user namespace: (?:operation not permitted|permission denied)"
        r"|unshare[^\n]*user namespace[^\n]*not permitted|cannot clone: operation not permitted"
        r"|newuidmap[^\n]*operation not permitted",
        "this user may not make user namespaces here (AppArmor, or a container's seccomp filter)",
        "See what forbids them with: envsnap doctor --build",
        "https://github.com/apptainer/apptainer/issues/2455",
    ),
    Fault(
        r"potentially insufficient uids|no subuid ranges found|fakeroot mapping[^\n]*not found"
        r"|no mapping entry found in /etc/sub[ug]id",
        "this user has no range of subordinate ids, and the image has files of several users",
        'Ask your administrator for: usermod --add-subuids 100000-165535 --add-subgids '
        '100000-165535 "$USER"',
        "https://github.com/containers/podman/blob/main/troubleshooting.md",
    ),
    Fault(
        r"mkdir [^\n]*rootfs[^\n]*: no such file or directory",
        "the temporary folder hands on its group or an access list, which the engine's own "
        "user namespace cannot keep",
        "Name a plain folder on a local disk with --workdir DIR",
        "https://github.com/apptainer/apptainer/issues/3013",
    ),
    Fault(
        r"(?:fork/exec|exec:) [^\n]*new[ug]idmap[^\n]*(?:permission denied|no such file|not found)"
        r"|should have set[ug]id or have filecaps set[ug]id",
        "newuidmap or newgidmap, which give user namespaces their ids, is missing or not setuid",
        "Ask your administrator to install the package uidmap (shadow-utils on Red Hat's systems) "
        "anew, and see that: ls -l $(command -v newuidmap) says -rwsr-xr-x",
        "https://github.com/podman-container-tools/podman/issues/23596",
    ),
    Fault(
        r"fork/exec (?!/usr/|/proc/)[^\n]*: permission denied",
        "the temporary folder lies on a file system that starts no programs (noexec)",
        "Name a folder on another file system with --workdir DIR",
        "https://github.com/apptainer/apptainer/issues/895",
    ),
    Fault(
        r"session key[^\n]*disk quota exceeded",
        "this user has as many keys in the kernel's keyring as it allows (no disk is full)",
        "Try again with fewer containers at once, set keyring = false under [containers] in "
        "containers.conf, or ask your administrator for a larger kernel.keys.maxkeys",
        "https://github.com/podman-container-tools/podman/issues/13363",
    ),
    Fault(
        r"(?:inotify|fsnotify)[^\n]*(?:no space left on device|too many open files)",
        "the kernel lets this user watch no more files (no disk is full)",
        "End other programs that watch files (editors, IDE servers), or ask your administrator for "
        "a larger fs.inotify.max_user_watches and fs.inotify.max_user_instances",
        "https://man7.org/linux/man-pages/man7/inotify.7.html",
    ),
    Fault(
        r"no space left on device|disk quota exceeded|enospc",
        "the disk, or its quota, is full where the engine works",
        "Name a folder with more room with --workdir DIR (envsnap build --explain says how much "
        "is needed)",
        "https://github.com/apptainer/apptainer/issues/1380",
    ),
    Fault(
        r"unknown flag: --?mount|the --mount option requires buildkit",
        "Docker built with its old builder, which does not know RUN --mount",
        "Install docker-buildx, or give --engine podman",
        "https://docs.docker.com/build/buildkit/",
    ),
    Fault(
        r"failed to (?:resolve source metadata for|do request)[^\n]*docker/dockerfile"
        r"|docker/dockerfile:[^\n]*(?:dial tcp|not found|i/o timeout)",
        "the recipe's syntax line asks for an image that cannot be fetched here",
        "Remove the line '# syntax=docker/dockerfile:...' from the recipe",
        "https://docs.docker.com/build/buildkit/frontend/",
    ),
    Fault(
        r"toomanyrequests|429 too many requests|pull rate limit",
        "the registry lets this address pull no more for now: all users of a login node share one",
        "Log in to the registry (docker login), name a mirror, or try again in some hours",
        "https://docs.docker.com/docker-hub/usage/",
    ),
    Fault(
        r"failed to (?:compute cache key|calculate checksum of ref)[^\n]*: not found"
        r"|checking on sources under [^\n]*no such file or directory"
        r"|copy failed:[^\n]*(?:not found in build context|no such file or directory)",
        "a file that the recipe copies is not in its folder, or a .dockerignore leaves it out",
        "Write the recipe and its files anew with: envsnap build, and see what .dockerignore names",
        "https://github.com/moby/buildkit/issues/2104",
    ),
    Fault(
        r"manifest (?:for [^\n]* )?(?:unknown|not found)|name_unknown|manifest_unknown"
        r"|failed to (?:create llb|resolve source metadata)[^\n]*: not found"
        r"|failed to solve: (?:[^\s\"]+: )+not found|requested image not found",
        "the base image's tag or digest is not, or no longer, in its registry",
        "Name another base with --base-image REF (envsnap build --explain says why this one)",
        "https://github.com/replicate/cog/issues/1162",
    ),
    Fault(
        r"x509: certificate signed by unknown authority|certificate_verify_failed"
        r"|self.signed certificate in certificate chain|unable to get local issuer certificate"
        r"|invalid peer certificate: unknownissuer",
        "a certificate authority of this site is not known in the image, or to the engine",
        "Give your site's authorities with --ca-cert FILE",
        "https://github.com/replicate/cog/pull/2627",
    ),
    Fault(
        r"hash mismatch|do not match the hashes|these packages do not match",
        "a file that was fetched is not the one that was locked",
        "Lock again with: envsnap lock --force; if it happens again, an index or proxy changes "
        "files",
        "https://github.com/astral-sh/uv/issues/16784",
    ),
    Fault(
        r"hash sum mismatch",
        "a mirror of the distribution is being renewed, or a proxy keeps old files or alters them",
        "Try again in some minutes, or past the proxy",
        "https://github.com/moby/moby/issues/30207",
    ),
    Fault(
        r"fatal error: [^\n]*\.h(?:pp)?: no such file or directory",
        "a package is built from its source, and the header of a library, or Python's own, is not "
        "there",
        "Take a version that has a wheel for this Python, or a base image with the library's -dev "
        "package: --base-image REF",
        "https://github.com/rhasspy/piper/issues/71",
    ),
    Fault(
        r"bufio\.scanner: token too long",
        "a section of the definition is longer than 64 KiB, which the engine cannot read",
        "Make the definition with: envsnap build --singularity",
        "https://github.com/apptainer/apptainer/issues/1085",
    ),
    Fault(
        r"invalid header keyword",
        "the definition's head has a key that this version of the engine does not know",
        "Find it with: envsnap lint FILE.def",
        "https://apptainer.org/docs/user/latest/definition_files.html",
    ),
    Fault(
        r"exec format error",
        "the image is for another architecture than this machine's",
        "Build it on such a machine",
        "https://docs.docker.com/build/building/multi-platform/",
    ),
    Fault(
        r"cannot allocate memory in static tls block",
        "a library came too late for the little thread-local memory that a program sets aside when "
        "it starts (there is memory enough)",
        "Import the package that loads it before all others, or name the library that is told here "
        "in LD_PRELOAD",
        "https://github.com/dmlc/xgboost/issues/8488",
    ),
    Fault(
        r"exit (?:code|status):? ?137|signal: killed|out of memory|oom.?kill"
        r"|cannot allocate memory",
        "the kernel, or the batch system, ended a step that wanted more memory",
        "Ask for more memory (--mem), or build on another machine",
        "https://docs.kernel.org/admin-guide/cgroup-v2.html#memory",
    ),
    Fault(
        r"unable to find user |no matching entries in passwd file|user: unknown userid",
        "the user that a step or the engine runs as is in no passwd file",
        "Make the user in the recipe before USER, or run the engine as a user of this machine",
        "https://docs.docker.com/reference/dockerfile/#user",
    ),
    Fault(
        r"groupadd: [^\n]*(?:lock|permission)|chown[^\n]*invalid argument",
        "a step makes users or gives files away, which needs a range of subordinate ids",
        'Ask your administrator for: usermod --add-subuids 100000-165535 --add-subgids '
        '100000-165535 "$USER"',
        "https://github.com/apptainer/apptainer/issues/2153",
    ),
    Fault(
        r"server gave http response to https client",
        "the registry speaks plain HTTP, and the engine was not told that it may",
        "Name the registry as insecure in the engine's settings (registries.conf, or "
        "insecure-registries of Docker's daemon.json)",
        "https://github.com/containers/image/blob/main/docs/containers-registries.conf.5.md",
    ),
    Fault(
        r"dial tcp[^\n]*(?:connection refused|i/o timeout|no such host|network is unreachable)"
        r"|temporary failure in name resolution|connection reset by peer"
        r"|: unexpected eof[\"')\]]*\s*$|failed to establish a new connection",
        "a server did not answer, or stopped half-way",
        "Try again; without a network build with --offline, in a network of its own with "
        "--network host",
        "https://docs.docker.com/engine/daemon/troubleshoot/",
    ),
)  # fmt: skip


def translate(said: str) -> Fault | None:
    """What the last of an engine's words mean that any row knows; None where none does."""
    for line in reversed(said.split("\n")[-_LAST_LINES:]):
        if not _OVERCOME.search(line):
            for fault in FAULTS:
                if re.search(fault.words, line, re.IGNORECASE):
                    return fault
    return None


@contextmanager
def explained(job: Job) -> Iterator[Listener]:
    """A listener for the program's words; where it fails, the error says what they mean.

    Raises:
        ToolError: The one that was raised, with what is known of its cause.
    """
    said = bytearray()

    def hear(piece: bytes) -> None:
        said.extend(piece)
        del said[:-_KEPT_BYTES]
        job.listen(piece)

    try:
        yield hear
    except ToolError as error:
        fault = translate(said.decode("utf-8", "replace"))
        if fault is None:
            raise
        hint = error.hint or fault.remedy
        raise ToolError(f"{error.message}: {fault.means}", hint=hint) from error
