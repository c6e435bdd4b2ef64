"""Brings a distribution's packages from its mirrors: signed lists first, then files by hash."""

from __future__ import annotations

import gzip
import lzma
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote, urljoin

from envsnap.engines import run
from envsnap.errors import ToolError
from envsnap.lock._trust import RefusedError, Trust, host_of, is_inside, own_of, refusal, shown
from envsnap.wheelhouse._debian import Deb, Index, Wish, closure, installed, listed
from envsnap.wheelhouse._fetch import Source
from envsnap.wheelhouse._tools import Hear, Needed, bring_files

_WORD = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9._/+-]*\Z")
_SHA256 = re.compile(r"\A[0-9a-f]{64}\Z")
_LONGEST_LIST = 32 << 20
_LONGEST_UNPACKED = 512 << 20
_REDIRECTS, _OK, _MOVED = 5, 200, frozenset({301, 302, 303, 307, 308})
_TIMEOUT_S = (10.0, 30.0)
_CHECK_S = 30.0
_SIGNED = re.compile(
    r"\A-----BEGIN PGP SIGNED MESSAGE-----\n(?:Hash: [A-Za-z0-9, ]+\n)*\n(?P<text>.*?)\n"
    r"-----BEGIN PGP SIGNATURE-----\n[^-]*-----END PGP SIGNATURE-----\s*\Z",
    re.DOTALL,
)
_DEBIAN = re.compile(r"\Ahttps?://deb\.([^/ ]+)/(debian[a-z-]*)/?\Z")
Said = Callable[[str], None]


class Archive(NamedTuple):
    """One suite of one mirror."""

    url: str
    """Ends with a slash."""
    suite: str
    components: tuple[str, ...]


class OfImage(NamedTuple):
    """What an image has and knows of its distribution, as the texts of its files."""

    status: str
    """/var/lib/dpkg/status"""
    sources: Mapping[str, str]
    """/etc/apt/sources.list, and those of sources.list.d, by their paths."""
    keys: Mapping[str, bytes]
    """Its keyrings, by their paths."""


class Asked(NamedTuple):
    """What is looked for, and on whose account."""

    machine: str
    """As dpkg names it: 'amd64'."""
    snapshot: str | None
    trust: Trust
    folder: str
    """For what passes by."""
    listen: Said


def archives(sources: Mapping[str, str], snapshot: str | None = None) -> tuple[Archive, ...]:
    """Every suite that apt's files name, in either of their forms; of a past date on request.

    >>> archives({"a.list": "deb http://deb.example/debian bookworm main"})
    (Archive(url='http://deb.example/debian/', suite='bookworm', components=('main',)),)
    """
    found: list[Archive] = []
    for path in sorted(sources):
        lines = sources[path].splitlines()
        found += _of_stanzas(lines) if path.endswith(".sources") else _of_lines(lines)
    if snapshot is not None:
        found = [each._replace(url=_past(each.url, snapshot)) for each in found]
    return tuple(dict.fromkeys(found))


def _of_lines(lines: Iterable[str]) -> Iterator[Archive]:
    for line in lines:
        words = re.sub(r"\[[^\]]*\]", " ", line.partition("#")[0]).split()
        if len(words) > 3 and words[0] == "deb":  # noqa: PLR2004 - address, suite, components
            yield from _archive(words[1], words[2], words[3:])


def _of_stanzas(lines: Iterable[str]) -> Iterator[Archive]:
    fields: dict[str, str] = {}
    last = ""
    for line in [*lines, ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes") != "no":
                for url in fields.get("uris", "").split():
                    for suite in fields.get("suites", "").split():
                        yield from _archive(url, suite, fields.get("components", "").split())
            fields, last = {}, ""
        elif line[0] in " \t":
            fields[last] = f"{fields.get(last, '')} {line.strip()}"
        else:
            name, _, value = line.partition(":")
            last = name.strip().lower()
            fields[last] = value.strip()


def _archive(url: str, suite: str, components: Sequence[str]) -> Iterator[Archive]:
    plain = [each for each in components if _WORD.match(each) and ".." not in each]
    is_plain = _WORD.match(suite) and ".." not in suite and not suite.endswith("/")
    if url.startswith(("http://", "https://")) and is_plain and plain:
        yield Archive(f"{url.rstrip('/')}/", suite, tuple(plain))


def _past(url: str, snapshot: str) -> str:
    """The address of Debian's archive as it was on a date."""
    found = _DEBIAN.match(url)
    if found is None:
        raise ToolError(
            f"{shown(url)} has no history, so nothing of the date {snapshot} can be fetched",
            hint="Leave out --snapshot, or build where there is a network",
        )
    return f"https://snapshot.{found[1]}/archive/{found[2]}/{snapshot}/"


def trust_in(found: Sequence[Archive], own: Iterable[str], allowed: frozenset[str]) -> Trust:
    """Whom these addresses may be fetched from: an image names no host inside a network.

    Raises nothing: what is refused is said when it is asked for.
    """
    hosts = {host for each in found if (host := host_of(each.url)) and not is_inside(host)}
    return Trust(own=own_of(own), allowed=allowed | hosts)


def choose(
    wishes: Sequence[Wish], image: OfImage, asked: Asked
) -> tuple[tuple[tuple[Deb, str], ...], bool]:
    """Every package that must come, with its address; and whether all signatures were checked.

    Raises:
        PlanError: No mirror has one of them.
        ToolError: A mirror failed, or a signature is wrong.
    """
    os.makedirs(asked.folder, exist_ok=True)
    where: dict[Deb, str] = {}
    signed = True
    for each in archives(image.sources, asked.snapshot):
        asked.listen(f"Reading the list of {each.suite} at {host_of(each.url)}")
        known, is_signed = _listed(each, asked, image.keys)
        signed = signed and is_signed
        where.update(dict.fromkeys(known, each.url))
    chosen = closure(wishes, installed(image.status), Index(where))
    addresses = (urljoin(where[each], quote(each.path, safe="/%")) for each in chosen)
    return tuple(zip(chosen, addresses, strict=True)), signed


def bring_debs(chosen: Sequence[tuple[Deb, str]], folder: str, trust: Trust, hear: Hear) -> None:
    """The files of packages, in a folder.

    Raises:
        ToolError: One could not be fetched.
    """
    needed = [
        Needed(Source(url, each.sha256, each.size), os.path.join(folder, each.filename))
        for each, url in chosen
    ]
    bring_files(needed, trust, hear)


def _listed(archive: Archive, asked: Asked, keys: Mapping[str, bytes]) -> tuple[list[Deb], bool]:
    """The packages of one suite, by lists whose hashes its signed file has."""
    start = urljoin(archive.url, f"dists/{archive.suite}/")
    release = _read(urljoin(start, "InRelease"), asked.trust)
    signed = _is_signed(release, keys, asked.folder)
    text = signed_part(release.decode("utf-8", "replace"))
    if re.search(r"(?m)^NotAutomatic: yes", text):
        return [], signed  # backports: nothing is taken from there unasked
    found: list[Deb] = []
    for component in archive.components:
        path = _path_of(text, f"{component}/binary-{asked.machine}/Packages")
        if path is None:
            continue
        name, sha256 = path
        target = os.path.join(asked.folder, f"{sha256}.{name.rpartition('.')[2]}")
        needed = Needed(Source(urljoin(start, name), sha256), target)
        bring_files([needed], asked.trust, lambda _: None)
        found += listed(_lines(target))
    return found, signed


def signed_part(text: str) -> str:
    r"""What a signature speaks of: whatever stands around it, nobody has signed.

    Raises:
        ToolError: There is more than that, or no signature.

    >>> signed_part("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nA: 1\n"
    ...     "-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n")
    'A: 1'
    """
    found = _SIGNED.match(text.replace("\r\n", "\n"))
    if found is None or "\n-----BEGIN PGP" in found["text"]:
        raise ToolError("A mirror's InRelease is no text with one signature")
    return found["text"].replace("\n- ", "\n")


def _path_of(release: str, wanted: str) -> tuple[str, str] | None:
    """The packed list of a name in a Release file, and its SHA-256."""
    _, _, rest = release.partition("\nSHA256:")
    rows = [line.split() for line in _indented(rest)]
    found = {row[2]: row[0] for row in rows if len(row) == 3 and _SHA256.match(row[0])}  # noqa: PLR2004 - hash, size, name
    names = [f"{wanted}.xz", f"{wanted}.gz"]
    return next(((name, found[name]) for name in names if name in found), None)


def _indented(text: str) -> Iterator[str]:
    for line in text.splitlines()[1:]:
        if not line.startswith(" "):
            return
        yield line


def _lines(path: str) -> Iterator[str]:
    """A packed list line by line; one that swells beyond all lists is cut."""
    left = _LONGEST_UNPACKED
    with (lzma.open if path.endswith(".xz") else gzip.open)(path) as file:
        for line in file:
            left -= len(line)
            if left < 0:
                raise ToolError(f"{os.path.basename(path)} unpacks to more than a list can have")
            yield bytes(line).decode("utf-8", "replace").rstrip("\n")


def _is_signed(release: bytes, keys: Mapping[str, bytes], folder: str) -> bool:
    """Whether the signature was checked with the image's own keys; False where gpgv is not here.

    Raises:
        ToolError: It is wrong.
    """
    from shutil import which

    program = which("gpgv")
    rings = []
    for number, path in enumerate(sorted(each for each in keys if each.endswith(".gpg"))):
        ring = os.path.join(folder, f"ring-{number}.gpg")
        with open(ring, "wb") as file:
            file.write(keys[path])
        rings += ["--keyring", os.path.abspath(ring)]
    if program is None or not rings:
        return False
    path = os.path.join(folder, "InRelease")
    with open(path, "wb") as file:
        file.write(release)
    done = run([program, "--status-fd", "1", *rings, path], timeout_s=_CHECK_S)
    # A list is signed with the keys of several releases, of which an image has those of its time.
    if "[GNUPG:] VALIDSIG " not in done.stdout or "[GNUPG:] BADSIG " in done.stdout:
        last = (done.stderr.strip().splitlines() or ["it does not say why"])[-1]
        raise ToolError(
            f"A list of packages is not signed by the base image's keys: {last[:200]}",
            hint="Name another base image, or build where its own apt decides",
        )
    return True


def _read(url: str, trust: Trust) -> bytes:
    """A short text whose hash nobody knows beforehand.

    Raises:
        RefusedError: The address may not be asked.
        ToolError: It does not come.
    """
    import requests

    from envsnap.wheelhouse._session import proxies, session

    client, address = session(trust, 1), url
    try:
        for _ in range(_REDIRECTS):
            why = refusal(address, trust)
            if why is not None:
                raise RefusedError(f"Not fetched: {why}")
            with client.get(
                address, timeout=_TIMEOUT_S, stream=True, allow_redirects=False,
                proxies=proxies(address),
            ) as answer:  # fmt: skip
                if answer.status_code in _MOVED:
                    address = urljoin(address, answer.headers.get("Location", ""))
                    continue
                if answer.status_code != _OK:
                    raise ToolError(f"{shown(url)}: the server answers {answer.status_code}")
                return bytes(answer.raw.read(_LONGEST_LIST))
    except requests.RequestException as error:
        raise ToolError(f"{shown(url)} could not be fetched: {type(error).__name__}") from None
    raise ToolError(f"{shown(url)} redirects more than {_REDIRECTS} times")
