"""What the tests beside this share."""

from __future__ import annotations

import sys

from envsnap.host import LocalHost, RecordedHost, RecordingHost
from envsnap.sections import Reason, Unknown

DENIED = Unknown(Reason.NO_PERMISSION)
MIB = 1024 * 1024


SHM = "/dev/shm"  # noqa: S108 - asked about, not written to


EMPTY_SHA = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"


def not_recorded(question: str) -> Unknown:
    return Unknown(Reason.NOT_RECORDED, question)


def asked(host: LocalHost | RecordedHost | RecordingHost, folder: str) -> list[object]:
    """The answers to many questions about one folder."""
    paths = ["", "/file", "/link", "/loop", "/no", "/file/below", "/sub", "/pipe", "/raw"]
    answers: list[object] = []
    for path in (folder + each for each in paths):
        answers += [
            host.read(path),
            host.list(path),
            host.stat(path),
            host.link(path),
            host.real(path),
        ]
    answers += [host.read(f"{folder}/long", limit=4), host.capacity_mib(folder)]
    answers += [host.capacity_mib(f"{folder}/no"), host.environ("PATH"), host.environ("NO_SUCH")]
    answers += [host.run([sys.executable, "-c", "print(1)\n"]), host.run(["no-such-command"])]
    answers += [host.which("sh"), host.which("no-such-command"), host.uname(), host.user()]
    answers += [host.home(), host.cwd()]
    answers += [
        tuple(host.stated_digests([f"{folder}/a-1.dist-info/RECORD", f"{folder}/no/RECORD"])())
    ]
    return answers


GOOD = {"format": "envsnap-recording-1"}
