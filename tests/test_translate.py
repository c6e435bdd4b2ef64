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
    "newuidmap or newgidmap": (
        "ERRO[0000] fork/exec /usr/bin/newuidmap: permission denied",
        'cannot set up namespace using "newuidmap": should have setuid or have filecaps setuid',
        'command required for rootless mode: exec: "newuidmap": executable file not found in $PATH',
    ),
    "this user has as many keys": (
        ("runc create failed: unable to start container process: unable to join session keyring: "
        "unable to create session key: disk quota exceeded"),
        'caused "process_linux.go:402: could not create session key: disk quota exceeded": unknown',
    ),
    "the kernel lets this user watch": (
        "failed to create fsnotify watcher: inotify_add_watch: no space left on device",
        "Error: starting inotify watcher: too many open files",
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
    "a file that the recipe copies": (
        ("ERROR: failed to solve: failed to compute cache key: failed to calculate checksum of ref "
        'dh4pq78gjp8h::mf6s0i1gs597: "/install.sh": not found'),
        'checking on sources under "/ctx": copier: stat: "/install.sh": no such file or directory',
        "COPY failed: file not found in build context or excluded by .dockerignore: stat a",
    ),
    "the base image's tag or digest": (
        "ERROR: failed to solve: python:0.1: docker.io/library/python:0.1: not found",
        ("ERROR: failed to solve: python:0.1-slim: failed to resolve source metadata for "
        "docker.io/library/python:0.1-slim: docker.io/library/python:0.1-slim: not found"),
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
    "a mirror of the distribution": (
        "E: Failed to fetch http://deb.example/debian/pool/main/a/apt/a.deb  Hash Sum mismatch",
    ),
    "a package is built from its source": (
        "      src/pcremodule.c:29:20: fatal error: Python.h: No such file or directory",
    ),
    "a section of the definition": ("FATAL: bufio.Scanner: token too long",),
    "the definition's head has a key": ('FATAL: invalid header keyword found: "platform"',),
    "the image is for another architecture": ("exec /bin/sh: exec format error",),
    "a library came too late": (
        "ImportError: /usr/lib/libgomp.so.1: cannot allocate memory in static TLS block",
    ),
    "the kernel, or the batch system": (
        "OSError: [Errno 12] Cannot allocate memory",
        'ERROR: process "/bin/sh -c x" did not complete successfully: exit code: 137',
    ),
    "the user that a step": ("unable to find user app: no matching entries in passwd file",),
    "a step makes users": ("groupadd: cannot lock /etc/group; try again later.",),
    "the registry speaks plain HTTP": ("http: server gave HTTP response to HTTPS client",),
    "a server did not answer": (
        "dial tcp 10.0.0.1:443: connect: connection refused",
        "read tcp 127.0.0.1:1->127.0.0.1:2: unexpected EOF",
        "FATAL: While performing build: conveyor failed to get: while fetching: unexpected EOF",
        'level=error msg="reading blob sha256:12: unexpected EOF"',
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


@pytest.mark.parametrize(
    "said",
    [
        "error: the cat sat on the keyboard",
        "/bin/sh: -c: line 1: unexpected EOF while looking for matching `\"'",
        "SyntaxError: unexpected EOF while parsing",
        "fork/exec /proc/self/exe: permission denied",
    ],
)
def test_other_words_stay_their_own(said: str) -> None:
    assert translate(said) is None


RETRIED = (
    "WARNING: Retrying (Retry(total=4, connect=None, read=None, redirect=None, status=None)) after "
    "connection broken by 'ConnectionResetError(104, 'Connection reset by peer')': /simple/idna/\n"
)
LAST_TRY = RETRIED.replace("total=4", "total=0")


def meaning(said: str) -> str | None:
    found = translate(said)
    return found and found.means


def test_the_last_complaint_counts_whichever_row_comes_first() -> None:
    full = "E: Write error - write (28: No space left on device)\n"
    gone = "error: connect: Connection reset by peer\n"
    assert meaning(f"{full}{gone}") == meaning(gone)
    assert meaning(f"{gone}{full}") == meaning(full)


def test_what_was_overcome_explains_nothing() -> None:
    header = "pcre.c:29:20: fatal error: Python.h: No such file or directory\n"
    assert meaning(f"{RETRIED}{header}error: command 'gcc' failed\n") == meaning(header)
    assert meaning(f"{RETRIED}error: the cat sat on the keyboard\n") is None
    again = 'msg="Failed, retrying in 2s ... (1/3). Error: dial tcp: i/o timeout"\n'
    assert meaning(f"{again}error: the cat sat on the keyboard\n") is None
    overcome, much = "curl: (56) Recv failure: Connection reset by peer\n", "Compiling ...\n" * 200
    assert meaning(f"{overcome}{much}error: the cat sat on the keyboard\n") is None


def test_the_last_of_all_tries_explains_the_failure() -> None:
    failed = "ERROR: No matching distribution found for idna==3.7\n"
    said = f"{RETRIED}{LAST_TRY}{failed}"
    assert str(meaning(said)).startswith("a server did not answer")
