"""Small steps that several probes share: read a text, run a command, count a list of CPUs."""

from __future__ import annotations

from collections.abc import Sequence

from envsnap._typing import TypeVar
from envsnap.host import Host
from envsnap.sections import Fact, Reason, Unknown

T = TypeVar("T")

_MOST_CPUS = 1 << 16
_LONGEST_DETAIL = 60


def read_text(host: Host, path: str, *, limit: int = 1 << 20) -> Fact[str | None]:
    """A file's text; bytes that are no UTF-8 become U+FFFD. None if there is no such file."""
    found = host.read(path, limit=limit)
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else found


def said(host: Host, argv: Sequence[str], *, timeout_s: float = 5.0) -> Fact[str]:
    """A command's standard output, if it ended well."""
    ran = host.run(argv, timeout_s=timeout_s)
    if isinstance(ran, Unknown):
        return ran
    if ran.status:
        name = argv[0].rpartition("/")[2]
        return Unknown(Reason.CRASHED, f"{name} ended with status {ran.status}")
    return ran.stdout


def unparsable(what: str, text: str) -> Unknown:
    """The reason for a fact whose witness spoke in a way that is not understood."""
    lines = text.split("\n", 1)
    return Unknown(Reason.UNPARSABLE, f"{what}: {lines[0][:_LONGEST_DETAIL]!r}")


def is_there(host: Host, path: str) -> bool:
    """Whether something is seen at the path; not seen is not the same as absent."""
    found = host.stat(path)
    return found is not None and not isinstance(found, Unknown)


def parse_cpu_list(text: str) -> int | None:
    """How many processors a list as '0-3,8' names; None if it is none.

    >>> parse_cpu_list("0-3,8")
    5
    """
    total = 0
    for part in text.strip().split(","):
        first, dash, last = part.partition("-")
        if not _is_number(first) or (dash and not _is_number(last)):
            return None
        total += int(last if dash else first) - int(first) + 1
    return total if 0 < total <= _MOST_CPUS else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 6  # noqa: PLR2004 - no id is longer


def system(host: Host) -> Fact[str]:
    """The kernel's name: Linux, Darwin or Windows."""
    found = host.uname()
    return found if isinstance(found, Unknown) else found.system


def not_on(name: str) -> Unknown:
    """The reason for a fact that has no witness on this system.

    >>> str(not_on("Darwin"))
    'not-supported: macOS does not show it'
    """
    spoken = {"Darwin": "macOS"}.get(name, name)
    return Unknown(Reason.NOT_SUPPORTED, f"{spoken} does not show it")


def sysctl(host: Host, names: Sequence[str]) -> Fact[dict[str, str]]:
    """What macOS's sysctl answers to these names; one that it does not know is left out."""
    answer = said(host, ["/usr/sbin/sysctl", "-i", *names])
    return answer if isinstance(answer, Unknown) else parse_sysctl(answer)


def parse_sysctl(text: str) -> dict[str, str]:
    """The 'name: value' lines of sysctl.

    >>> parse_sysctl("hw.memsize: 17179869184")
    {'hw.memsize': '17179869184'}
    """
    pairs = (line.partition(": ") for line in text.splitlines())
    return {name: value.strip() for name, colon, value in pairs if colon}


def whole(text: str | None, what: str) -> Fact[int]:
    """A text as a whole number; the reason if it is none."""
    if text is None:
        return Unknown(Reason.NOT_SUPPORTED, f"the system does not tell {what}")
    if text.isascii() and text.isdecimal() and len(text) <= 20:  # noqa: PLR2004 - 64 bits
        return int(text)
    return unparsable(what, text)
