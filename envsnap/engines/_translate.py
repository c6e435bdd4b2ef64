"""What engines say when they mean something else: their known words, what they mean, what helps.

Each was seen, or is told in the engine's own issues. What no row knows stays in its own words.
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
        r"user namespace[^\n]*no space left on device|clone[^\n]*no space left on device"
        r"|max_user_namespaces",
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
        r"fork/exec [^\n]*: permission denied",
        "the temporary folder lies on a file system that starts no programs (noexec)",
        "Name a folder on another file system with --workdir DIR",
        "https://github.com/apptainer/apptainer/issues/895",
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
        r"manifest (?:for [^\n]* )?(?:unknown|not found)|name_unknown|manifest_unknown"
        r"|failed to (?:solve|create llb)[^\n]*: not found|requested image not found",
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
        r"|temporary failure in name resolution|connection reset by peer|unexpected eof"
        r"|failed to establish a new connection",
        "a server did not answer, or stopped half-way",
        "Try again; without a network build with --offline, in a network of its own with "
        "--network host",
        "https://docs.docker.com/engine/daemon/troubleshoot/",
    ),
)  # fmt: skip


def translate(said: str) -> Fault | None:
    """What an engine's words mean; None where no row knows them."""
    for fault in FAULTS:
        if re.search(fault.words, said, re.IGNORECASE):
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
