"""Whether this user may make user namespaces, and has ids to fill them with."""

from __future__ import annotations

import re

from envsnap._typing import NamedTuple
from envsnap.host import Host
from envsnap.probes._texts import is_there, not_on, read_text, system
from envsnap.sections import Fact, Reason, Unknown

_ENOUGH_IDS = 65536
_SYS_ADMIN = 1 << 21
_APPARMOR = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
_FILTERED = Unknown(Reason.NOT_ASKED, "a seccomp filter may forbid them: only a trial would tell")
_SUBID_SOURCE = r"(?m)^\s*subid:\s*([^#\n]*)"
_STATUS = r"(?m)^(Seccomp|CapEff|Uid):\s*(\w+)"


class Rights(NamedTuple):
    """What the kernel and the administrator grant this user."""

    is_root: Fact[bool]
    user_namespaces: Fact[bool]
    subordinate_ids: Fact[bool]
    by_profile_only: bool = False
    """Whether AppArmor grants user namespaces to the programs alone that a profile names."""

    def allowed_to(self, host: Host, program: str) -> Fact[bool]:
        """Whether that program may make user namespaces."""
        if self.by_profile_only:
            return is_there(host, f"/etc/apparmor.d/{program}")
        return self.user_namespaces


def rights(host: Host) -> Rights:
    """What this user may do."""
    name = system(host)
    if name != "Linux":
        why = name if isinstance(name, Unknown) else not_on(name)
        return Rights(why, why, why)
    user = host.user()
    is_root = user if isinstance(user, Unknown) else user[1] == 0
    restricted = _number(host, _APPARMOR) == 1
    namespaces = _user_namespaces(host, restricted=restricted)
    return Rights(is_root, namespaces, _subordinate_ids(host), restricted and namespaces is False)


def _user_namespaces(host: Host, *, restricted: bool) -> Fact[bool]:
    most = _number(host, "/proc/sys/user/max_user_namespaces")
    if most is None:
        there = host.stat("/proc/self/ns/user")
        return there if isinstance(there, Unknown) else there is not None
    if isinstance(most, Unknown):
        return most
    if most == 0 or _number(host, "/proc/sys/kernel/unprivileged_userns_clone") == 0:
        return False
    if restricted:
        return False
    status = parse_status(_text(host, "/proc/self/status"))
    filtered = status.get("Seccomp", "0") != "0"
    return _FILTERED if filtered and not _is_admin(status) else True


def _is_admin(status: dict[str, str]) -> bool:
    """Whether the process has CAP_SYS_ADMIN, which container engines' filters let through."""
    try:
        return bool(int(status.get("CapEff", "0"), 16) & _SYS_ADMIN)
    except ValueError:
        return False


def parse_status(text: str) -> dict[str, str]:
    """The fields of /proc/self/status that tell rights."""
    return dict(re.findall(_STATUS, text))


def _text(host: Host, path: str) -> str:
    found = read_text(host, path)
    return found if isinstance(found, str) else ""


def _number(host: Host, path: str) -> Fact[int | None]:
    found = read_text(host, path)
    if not isinstance(found, str):
        return found
    spoken = found.strip()
    if spoken.isascii() and spoken.isdecimal() and len(spoken) <= 20:  # noqa: PLR2004 - 64 bits
        return int(spoken)
    return Unknown(Reason.UNPARSABLE, path)


def _subordinate_ids(host: Host) -> Fact[bool]:
    user = host.user()
    if isinstance(user, Unknown):
        return user
    source = re.search(_SUBID_SOURCE, _text(host, "/etc/nsswitch.conf"))
    if source and source[1].split() not in ([], ["files"]):
        return Unknown(Reason.NOT_SUPPORTED, "subordinate ids come from a directory service here")
    for path in ("/etc/subuid", "/etc/subgid"):
        text = read_text(host, path)
        if isinstance(text, Unknown):
            return text
        if parse_subids(text or "", *user) < _ENOUGH_IDS:
            return False
    return True


def parse_subids(text: str, name: str, number: int) -> int:
    """How many subordinate ids a user has by /etc/subuid or /etc/subgid.

    >>> parse_subids("anna:100000:65536", "anna", 1000)
    65536
    """
    total = 0
    for line in text.splitlines():
        owner, _, rest = line.strip().partition(":")
        first, _, count = rest.partition(":")
        counted = count.isascii() and count.isdecimal() and len(count) <= 10  # noqa: PLR2004 - 32 bits
        if owner in {name, str(number)} and first.isdecimal() and counted:
            total += int(count)
    return total
