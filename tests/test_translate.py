"""What engines say, and what they mean: real lines of theirs, each by its row."""

from __future__ import annotations

import pytest

from envsnap.engines._translate import FAULTS, translate

SAID = {
    "user namespaces are switched off": (
        "ERROR  : Failed to create user namespace: No space left on device",
        "unshare: clone failed: No space left on device",
    ),
    "this user may not make user namespaces": (
        "ERROR  : Could not write info to setgroups: Permission denied",
        "cannot clone: Operation not permitted\nError: cannot re-exec process",
    ),
    "this user has no range of subordinate ids": (
        "Error: writing blob: potentially insufficient UIDs or GIDs available in user namespace",
    ),
    "the temporary folder hands on": (
        "FATAL: while creating rootfs: mkdir /tmp/build-temp-1/rootfs/x: no such file or directory",
    ),
    "the temporary folder lies on a file system": (
        "fork/exec /tmp/bundle/rootfs/.singularity.d/libs/fakeroot: permission denied",
    ),
    "the disk, or its quota, is full": (
        "FATAL:   While performing build: error writing layer: no space left on device",
        "OSError: [Errno 122] Disk quota exceeded",
    ),
    "Docker built with its old builder": ("unknown flag: --mount",
        "the --mount option requires BuildKit. Refer to https://docs.docker.com/go/buildkit/"),
    "the recipe's syntax line": (
        'failed to do request: Head "https://r.example/v2/docker/dockerfile/manifests/1": dial tcp',
    ),
    "the registry lets this address": (
        "toomanyrequests: You have reached your pull rate limit.",
    ),
    "the base image's tag or digest": (
        "GET http://r.example/v2/library/python/manifests/1: MANIFEST_UNKNOWN: manifest unknown",
        "failed to create LLB definition: 127.0.0.1:5000/library/python:0.0.1-slim: not found",
    ),
    "a certificate authority of this site": (
        'Get "https://r.example/v2/": x509: certificate signed by unknown authority',
    ),
    "a file that was fetched is not the one": (
        "THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
        "error: Hash mismatch for `idna==3.7`",
    ),
    "a section of the definition": ("FATAL: bufio.Scanner: token too long",),
    "the definition's head has a key": ('FATAL: invalid header keyword found: "platform"',),
    "the image is for another architecture": ("exec /bin/sh: exec format error",),
    "the kernel, or the batch system": (
        'ERROR: process "/bin/sh -c x" did not complete successfully: exit code: 137',
    ),
    "the user that a step": ("unable to find user app: no matching entries in passwd file",),
    "a step makes users": ("groupadd: cannot lock /etc/group; try again later.",),
    "the registry speaks plain HTTP": ("http: server gave HTTP response to HTTPS client",),
    "a server did not answer": (
        "dial tcp 10.0.0.1:443: connect: connection refused",
        "read tcp 127.0.0.1:1->127.0.0.1:2: unexpected EOF",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("means", "said"), [(m, s) for m, all_of in SAID.items() for s in all_of])
def test_a_known_complaint_is_told_by_what_it_means(means: str, said: str) -> None:
    found = translate(f"STEP 2/4\n{said}\n")
    assert found is not None
    assert found.means.startswith(means)


def test_every_row_has_a_complaint_that_only_it_answers() -> None:
    told = [translate(line) for lines in SAID.values() for line in lines]
    assert [each.means for each in FAULTS if each not in told] == []
    assert all(each.source.startswith("https://") for each in FAULTS)
    assert all(not each.remedy.endswith(".") for each in FAULTS)


def test_other_words_stay_their_own() -> None:
    assert translate("error: the cat sat on the keyboard") is None
