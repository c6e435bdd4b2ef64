"""The operating system: distribution, kernel, C library, WSL."""

from __future__ import annotations

import re

from envsnap.host import Host
from envsnap.probes._libc import libc
from envsnap.probes._registry import Look, probe
from envsnap.probes._texts import is_there, not_on, read_text, said, unparsable
from envsnap.sections import Fact, Os, Reason, Unknown

_OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
_SYSTEM_VERSION = "/System/Library/CoreServices/SystemVersion.plist"
_COMPATIBILITY_VERSION = "10.16"
"""What macOS 11 and later tell a program that was built against an older SDK."""

_ASSIGNMENT = re.compile(r"^\s*([A-Za-z_][A-Za-z0-9_]*)=(.*)$")
_ESCAPED = r"(?s)\\(.)"
_PLIST_PAIR = r"<key>([^<]*)</key>\s*<string>([^<]*)</string>"


@probe(Os)
def probe_os(look: Look) -> Os:
    """The operating system under the environment."""
    host = look.host
    kernel, library = host.uname(), libc(host)
    if not isinstance(kernel, Unknown):
        name: Fact[str] = kernel.system
        release: Fact[str] = kernel.release
        build: Fact[str] = kernel.version
        machine: Fact[str] = kernel.machine
    else:  # a folder: the C libraries that are known here are those of Linux
        name = "Linux" if isinstance(library.name, str) else kernel
        release, build, machine = kernel, kernel, library.machine or kernel
    words = _words(host, name)
    return Os(
        system=name,
        distribution=_word(words, "ID"),
        distribution_version=_word(words, "VERSION_ID"),
        distribution_name=_word(words, "PRETTY_NAME"),
        codename=_word(words, "VERSION_CODENAME"),
        distribution_like=words
        if isinstance(words, Unknown)
        else tuple(words.get("ID_LIKE", "").split()),
        kernel=release,
        kernel_build=build,
        architecture=machine,
        libc=library.name,
        libc_version=library.version,
        wsl=_wsl(host, name, release),
    )


def _word(words: Fact[dict[str, str]], key: str) -> Fact[str | None]:
    return words if isinstance(words, Unknown) else words.get(key) or None


def _words(host: Host, name: Fact[str]) -> Fact[dict[str, str]]:
    """The distribution in os-release's own terms, on every system."""
    if name == "Darwin":
        return _macos(host)
    if name == "Windows":
        kernel = host.uname()
        if isinstance(kernel, Unknown):
            return kernel
        full = f"Windows {kernel.release}"
        return {"ID": "windows", "VERSION_ID": kernel.version, "PRETTY_NAME": full}
    refused = None
    for path in _OS_RELEASE:
        text = read_text(host, path)
        if isinstance(text, str):
            return parse_os_release(text)
        refused = refused or text
    if refused is not None:
        return refused
    return _before_os_release(host)


def parse_os_release(text: str) -> dict[str, str]:
    """The assignments of an os-release file, unquoted as a shell would.

    >>> parse_os_release('ID="rocky"')
    {'ID': 'rocky'}
    """
    found = {}
    for line in text.splitlines():
        assignment = _ASSIGNMENT.match(line)
        if assignment:
            found[assignment[1]] = _unquoted(assignment[2].strip())
    return found


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1]
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    return re.sub(_ESCAPED, r"\1", value)


def _before_os_release(host: Host) -> Fact[dict[str, str]]:
    """A distribution from before 2012, by its /etc/*-release file.

    `distro` knows their many forms. It reads a folder, so it gets one with copies of these files.
    """
    names = host.list("/etc")
    if isinstance(names, Unknown):
        return names
    texts = {}
    for name in names or ():
        if name.endswith(("-release", "_release", "-version", "_version")):
            found = host.read(f"/etc/{name}", limit=4096)
            if isinstance(found, bytes) and "/" not in name:
                texts[name] = found
    return _as_distro_reads(texts) if texts else {}


def _as_distro_reads(texts: dict[str, bytes]) -> Fact[dict[str, str]]:
    import os
    import tempfile

    import distro

    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/etc")
        for name, text in texts.items():
            with open(f"{folder}/etc/{name}", "wb") as copy:
                copy.write(text)
        read = distro.LinuxDistribution(root_dir=folder, include_lsb=False, include_uname=False)
        if not read.id():
            return Unknown(Reason.UNPARSABLE, "/etc/*-release name no distribution known here")
        return {
            "ID": read.id(),
            "VERSION_ID": read.version(),
            "PRETTY_NAME": read.name(pretty=True),
            "VERSION_CODENAME": read.codename(),
        }


def _macos(host: Host) -> Fact[dict[str, str]]:
    plist = read_text(host, _SYSTEM_VERSION)
    version = parse_plist(plist).get("ProductVersion") if isinstance(plist, str) else None
    if version is None or version == _COMPATIBILITY_VERSION:
        answer = said(host, ["/usr/bin/sw_vers", "-productVersion"])
        if isinstance(answer, Unknown):
            return answer
        version = answer.strip()
    if not re.fullmatch(r"\d+(\.\d+){0,3}", version):
        return unparsable("macOS's version", version)
    return {"ID": "macos", "VERSION_ID": version, "PRETTY_NAME": f"macOS {version}"}


def parse_plist(text: str) -> dict[str, str]:
    """The keys and texts of a flat property list in XML."""
    return dict(re.findall(_PLIST_PAIR, text))


def _wsl(host: Host, name: Fact[str], release: Fact[str]) -> Fact[int | None]:
    if isinstance(name, Unknown):
        return name
    if name != "Linux":
        return None if name in {"Windows", "Darwin"} else not_on(name)
    if isinstance(release, Unknown):
        return release
    version = parse_wsl(release)
    own_kernel = version is None and is_there(host, "/proc/sys/fs/binfmt_misc/WSLInterop")
    return 2 if own_kernel else version


def parse_wsl(release: str) -> int | None:
    """The WSL version that a kernel's release tells; None if it tells of none.

    >>> parse_wsl("5.15.167.4-microsoft-standard-WSL2"), parse_wsl("4.4.0-19041-Microsoft")
    (2, 1)
    """
    if "WSL2" in release or "microsoft" in release:
        return 2
    return 1 if release.endswith("-Microsoft") else None
