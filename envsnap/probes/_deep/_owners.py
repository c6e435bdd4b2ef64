"""Which of the system's packages brought a file: dpkg's, rpm's or apk's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from envsnap.host import Host
from envsnap.probes._texts import is_there
from envsnap.sections import Fact, Reason, Unknown

_DPKG = "/var/lib/dpkg/info"
_APK = ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")
_RPM = ("/usr/lib/sysimage/rpm", "/var/lib/rpm")
_APK_BYTES = 64 << 20
_LIST_BYTES = 1 << 20
_MOST_LISTS = 10_000
_DEADLINE_S = 20.0


def owners(host: Host, paths: Sequence[str]) -> Mapping[str, Fact[str | None]]:
    """The name of the package that brought each file; None for a file that none did.

    The paths are those with all links resolved.
    """
    if not paths:
        return {}
    if isinstance(host.list(_DPKG), tuple):
        return _by_dpkg(host, paths)
    for place in _APK:
        raw = host.read(place, limit=_APK_BYTES)
        if isinstance(raw, bytes):
            known = parse_apk(raw.decode("utf-8", "surrogateescape"))
            return {path: _first(known, path) for path in paths}
    if any(is_there(host, place) is True for place in _RPM):
        return _by_rpm(host, paths)
    silent = Unknown(Reason.NOT_SUPPORTED, "this system has none of dpkg, rpm and apk")
    return dict.fromkeys(paths, silent)


def spellings(path: str) -> tuple[str, ...]:
    """A file's path as packages may write it: before or after /lib became a link to /usr/lib.

    >>> spellings("/usr/lib64/libz.so.1")
    ('/usr/lib64/libz.so.1', '/lib64/libz.so.1')
    """
    if path.startswith("/usr/lib"):
        return path, path[len("/usr") :]
    return (path, "/usr" + path) if path.startswith("/lib") else (path,)


def _first(known: Mapping[str, str], path: str) -> str | None:
    return next((known[each] for each in spellings(path) if each in known), None)


def _by_dpkg(host: Host, paths: Sequence[str]) -> Mapping[str, Fact[str | None]]:
    """By dpkg's own answer; by its lists where nothing can be run."""
    asked = [each for path in paths for each in spellings(path)]
    ran = host.run(["dpkg-query", "-S", "--", *asked], timeout_s=_DEADLINE_S)
    if isinstance(ran, Unknown) or ran.status not in {0, 1}:  # 1: some file is in no package
        known = _by_lists(host, frozenset(asked))
    else:
        known = parse_dpkg(ran.stdout)
    return {path: _first(known, path) for path in paths}


def parse_dpkg(text: str) -> Mapping[str, str]:
    r"""Packages by path, from what `dpkg-query -S` prints.

    >>> parse_dpkg("libc6:amd64: /lib/x86_64-linux-gnu/libc.so.6\ndiversion by a from: /b\n")
    {'/lib/x86_64-linux-gnu/libc.so.6': 'libc6'}
    """
    found = {}
    for line in text.splitlines():
        named, colon, path = line.partition(": /")
        if colon and not named.startswith("diversion by "):
            found["/" + path] = named.partition(",")[0].partition(":")[0]
    return found


def _by_lists(host: Host, wanted: frozenset[str]) -> Mapping[str, str]:
    """By the list of files that dpkg keeps of each package; those of libraries are read first."""
    names = host.list(_DPKG)
    lists = [each for each in names if each.endswith(".list")] if isinstance(names, tuple) else []
    found: dict[str, str] = {}
    for name in sorted(lists, key=lambda each: not each.startswith("lib"))[:_MOST_LISTS]:
        raw = host.read(f"{_DPKG}/{name}", limit=_LIST_BYTES)
        lines = raw.decode("utf-8", "surrogateescape").split("\n") if isinstance(raw, bytes) else ()
        owner = name.removesuffix(".list").partition(":")[0]
        found.update(dict.fromkeys(wanted.intersection(lines), owner))
    return found


def _by_rpm(host: Host, paths: Sequence[str]) -> Mapping[str, Fact[str | None]]:
    """By rpm's answer: a line for each file, in their order."""
    ask = ["rpm", "-qf", "--queryformat", "%{NAME}\\n", "--"]
    ran = host.run([*ask, *paths], timeout_s=_DEADLINE_S)
    if isinstance(ran, Unknown):
        return dict.fromkeys(paths, ran)
    lines = ran.stdout.splitlines()
    if len(lines) == len(paths):
        return dict(zip(paths, map(parse_rpm, lines), strict=True))
    if len(paths) == 1:  # several packages brought it, each the same file
        return {paths[0]: parse_rpm(lines[0]) if lines else None}
    return {path: _by_rpm(host, [path])[path] for path in paths}


def parse_rpm(line: str) -> str | None:
    """The package that rpm names for a file; None where it says that none owns it.

    >>> parse_rpm("file /opt/x.so is not owned by any package") is None
    True
    """
    return line if line and " " not in line else None


def parse_apk(text: str) -> Mapping[str, str]:
    r"""Packages by path, from apk's list of what is installed.

    >>> parse_apk("P:musl\nV:1.2.4\nF:lib\nR:ld-musl-x86_64.so.1\n\n")
    {'/lib/ld-musl-x86_64.so.1': 'musl'}
    """
    found, package, folder = {}, "", ""
    for line in text.splitlines():
        key, value = line[:2], line[2:]
        if key == "P:":
            package = value
        elif key == "F:":
            folder = value
        elif key == "R:":
            found[f"/{folder}/{value}"] = package
    return found
