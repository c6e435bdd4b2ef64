"""Which addresses may be fetched from: somebody else's manifest must not send us anywhere. Pure.

A manifest names addresses. Those on hosts of the user's own settings are fetched; any other host
has to be allowed by name; and an address inside a network (this machine, the lab's subnet, a
cloud's metadata service) is fetched only where it is the user's own. What a name resolves to is
looked at again when the connection stands: `peer_refusal`.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from envsnap.errors import ToolError

_LONGEST_ADDRESS = 4096
_LONGEST_SHOWN = 120
_SHOWN = 5
_HOST = re.compile(r"\A[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?\Z")
_INNER_NAMES = ("localhost", "localdomain", "local", "internal", "intranet", "lan", "home.arpa")
"""Last parts of names that no public name server answers for."""
_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_CREDENTIALS = re.compile(r"\A([^:/]*://)?[^/]*@")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, kw_only=True)
class Trust:
    """Whom the user has chosen to talk to; hosts in any case, with or without the last dot."""

    own: frozenset[str] = frozenset()
    """Hosts and origins of the user's settings and flags: what `own_of` makes of addresses.

    A host inside a network counts by its origin alone: behind its other ports stand others.
    """
    allowed: frozenset[str] = frozenset()
    """Hosts allowed by name (--allow-host)."""

    def __post_init__(self) -> None:
        """Spell hosts as they are compared."""
        object.__setattr__(self, "own", frozenset(map(_plain, self.own)))
        object.__setattr__(self, "allowed", frozenset(map(_plain, self.allowed)))


class RefusedError(ToolError):
    """An address that may not be fetched, with the reason."""


def refusal(url: str, trust: Trust) -> str | None:
    """Why this address may not be fetched; None if it may.

    >>> refusal("http://127.1/a.whl", Trust())
    '127.1 is an address of this machine or its network'
    >>> refusal("https://files.example/a.whl", Trust(allowed=frozenset({"files.example"})))
    """
    parts, host = _split(url), host_of(url)
    if parts is None:
        return f"{shown(url)} is no address that can be read one way only"
    if parts.scheme not in {"http", "https"}:
        return f"{shown(url)} is neither http:// nor https://"
    if host is None:
        return f"{shown(url)} names no host"
    if origin_of(url) not in trust.own and is_inside(host):
        return f"{host} is an address of this machine or its network"
    known = host in trust.own or host in trust.allowed
    return None if known else f"{host} is neither in your own settings nor allowed"


def peer_refusal(url: str, peer: str, trust: Trust) -> str | None:
    """Why a connection for this address may not be used, now that its peer is known; else None.

    >>> peer_refusal("https://files.example/", "169.254.169.254", Trust())
    'files.example resolves to 169.254.169.254, an address of this machine or its network'
    """
    if origin_of(url) in trust.own or not is_inside(peer.partition("%")[0]):
        return None
    return f"{host_of(url)} resolves to {peer}, an address of this machine or its network"


def refuse_strangers(urls: Iterable[str], own_files: Collection[str], trust: Trust) -> None:
    """Refuse before anything is fetched, naming every host that would have to be allowed.

    Raises:
        RefusedError: An address may not be fetched, and is none of the user's own files.
    """
    refused = [(url, why) for url in urls if url not in own_files and (why := refusal(url, trust))]
    if not refused:
        return
    counts = host_counts(url for url, _ in refused)
    named = ", ".join(f"{host} ({count})" for host, count in counts[:_SHOWN])
    noun = "1 file is" if len(refused) == 1 else f"{len(refused)} files are"
    outside = [host for host, _ in counts if not is_inside(host)]
    flags = " ".join(f"--allow-host {host}" for host in outside[:_SHOWN])
    raise RefusedError(
        f"{noun} not fetched, from {named}: {refused[0][1]}",
        hint=f"If you trust it, allow it: {flags}"
        if len(outside) == len(counts)
        else "If it is your own index, name it: --index-url URL",
    )


def own_of(urls: Iterable[str]) -> frozenset[str]:
    """The hosts and origins of the user's own addresses, for `Trust.own`.

    >>> sorted(own_of(["http://Localhost:3141/simple", "file:///wheels"]))
    ['http://localhost:3141', 'localhost']
    """
    pairs = [(host_of(url), origin_of(url)) for url in urls]
    return frozenset(each for pair in pairs for each in pair if each is not None)


def origin_of(url: str) -> str | None:
    """The scheme, host and port of an address of the web; None for any other.

    >>> origin_of("https://user@FILES.example./a")
    'https://files.example:443'
    """
    parts, host = _split(url), host_of(url)
    if parts is None or host is None or parts.scheme not in _PORTS:
        return None
    return f"{parts.scheme}://{host}:{parts.port or _PORTS[parts.scheme]}"


def host_of(url: str) -> str | None:
    """The host of an address: lower case, without the dot that may end it; None without one.

    >>> host_of("https://user@FILES.example.:8443/a")
    'files.example'
    """
    parts = _split(url)
    if parts is None or not parts.hostname:
        return None
    host = _plain(parts.hostname)
    return host if _HOST.match(host) or _ip(host) is not None else None


def is_host(said: str) -> bool:
    """Whether a text is the name of a host alone, or an address: no port, path or wildcard.

    >>> [is_host(each) for each in ("files.example", "::1", "x:443", "https://x", "*", "")]
    [True, True, False, False, False, False]
    """
    return bool(_HOST.match(said)) or _ip(said) is not None


def is_inside(host: str) -> bool:
    """Whether a host is this machine, or of a network that only this machine may reach.

    Spellings that a resolver takes for an address count as that address: 2130706433, 0x7f.1.

    >>> [is_inside(each) for each in ("0177.0.0.1", "::ffff:10.0.0.8", "files.example")]
    [True, True, False]
    """
    address = _ip(host)
    if address is None:
        return "." not in host or host.endswith(tuple(f".{name}" for name in _INNER_NAMES))
    return not address.is_global or address.is_multicast or address.is_reserved


def host_counts(urls: Iterable[str | None]) -> tuple[tuple[str, int], ...]:
    """How many of the addresses lie on each host, the most first.

    >>> host_counts(["https://a.example/1", "https://b.example/2", "https://b.example/3", None])
    (('b.example', 2), ('a.example', 1))
    """
    found = Counter(host_of(url) or shown(url) for url in urls if url is not None)
    return tuple(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def shown(url: str) -> str:
    """An address for a message: on one line, not too long, without credentials and query.

    >>> shown("https://me:secret@files.example/a.whl?token=1")
    'https://files.example/a.whl'
    """
    bare = _CREDENTIALS.sub(lambda found: found[1] or "", url.partition("?")[0])
    return ascii(bare[:_LONGEST_SHOWN])[1:-1]


def _split(url: str) -> SplitResult | None:
    """The parts of an address; None where two programs could take it for two.

    A backslash ends the host for a browser and not for a library, a control character is dropped
    by one and kept by another, and so on: what is ambiguous is refused.
    """
    if len(url) > _LONGEST_ADDRESS or not url.isascii() or not url.isprintable():
        return None
    if " " in url or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.netloc.count("@") <= 1 else None


def _plain(host: str) -> str:
    return host.lower().removesuffix(".")


def _ip(host: str) -> Address | None:
    """The address that a host is, however it is spelled; None for a name.

    An address of IPv6 that carries one of IPv4 is judged as that: it is where packets go.
    """
    try:
        return _carried(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _carried(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address.teredo is not None:
        inner = address.teredo[1]
    if inner is None and (address in _NAT64 or (int(address) >> 32 == 0 and int(address) > 1)):
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inner or address
