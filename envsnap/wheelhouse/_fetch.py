"""Fetches files by their hash: streamed, resumed, bounded, from nowhere that may not be asked.

A file is named right only when its bytes are: until then it is NAME.part, which a later run goes
on with. The user's credentials go to the origin that they are for and to no other.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from typing import IO, TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

from envsnap.errors import FileError, MissingExtraError, ToolError
from envsnap.lock._trust import (
    RefusedError,
    Trust,
    host_of,
    is_inside,
    origin_of,
    refusal,
    shown,
)
from envsnap.wheelhouse._onward import MOVED, UNREADABLE, led, onward, without_user
from envsnap.wheelhouse._part import (
    LIMIT_BYTES,
    UNSTATED_BYTES,
    hash_part,
    judge_room,
    remove,
    stated_length,
    told,
)

if TYPE_CHECKING:
    import requests

AT_ONCE = 6
"""How many files are fetched at a time."""
_CHUNK_BYTES = 1 << 20
_REDIRECTS = 8
_LOOK_BYTES = 64 << 20
"""How much is written before the room is looked at again."""
_OTHER_BYTES = "has other bytes than those that were locked"
_LATER = frozenset({408, 425, 429})
_PARTIAL, _NOT_THAT_RANGE, _OK, _FAULTS_OF_SERVER = 206, 416, 200, 500


class Source(NamedTuple):
    """A file somewhere, and what its bytes must be."""

    url: str
    """It can hold the user's own credentials: never shown, never written."""
    sha256: str | None
    """Hex; None only where there is an MD5, as with conda's older packages."""
    size: int | None = None
    """Bytes, where it is known."""
    md5: str | None = None

    def digest(self) -> hashlib._Hash:
        """A new digest of the kind that the file is known by."""
        return hashlib.sha256() if self.sha256 else hashlib.md5(usedforsecurity=False)


class Listener(Protocol):
    """Hears how many more bytes have come; a negative count takes some back."""

    def __call__(self, count: int, /) -> None: ...


class Patience(NamedTuple):
    """How long a server is waited for."""

    connect_s: float = 10.0
    silent_s: float = 20.0
    """How long it may say nothing."""
    slow_s: float = 120.0
    """How long it may send less than a thousand bytes a second."""
    pause_s: float = 1.0
    """Before the second try; longer before each further one."""
    tries: int = 3


class Client(NamedTuple):
    """What files are fetched with."""

    session: requests.Session
    patience: Patience


class GoneError(ToolError):
    """The file is not there any more, may not be had, or has become another one."""


def nobody(count: int, /) -> None:
    """A listener for those who do not want to hear."""


class Way(NamedTuple):
    """How files are fetched; used by several threads at once."""

    trust: Trust
    client: Client
    listen: Listener


def way(
    trust: Trust,
    listen: Listener = nobody,
    *,
    patience: Patience = Patience(),  # noqa: B008 - frozen
    connections: int = AT_ONCE,
) -> Way:
    """A way to fetch files that connects nowhere that the trust refuses.

    Raises:
        MissingExtraError: The library for it is not installed.
    """
    from importlib.util import find_spec

    if find_spec("requests") is None:
        raise MissingExtraError("requests", "lock")
    from envsnap.wheelhouse._session import session

    return Way(trust, Client(session(trust, connections), patience), listen)


def fetch(source: Source, target: str, by: Way | Trust) -> int:
    """Put the file there, its bytes proved; its size.

    A way serves many files; a trust alone makes one for this file.

    Raises:
        GoneError: It is gone, or its bytes are others.
        RefusedError: Its address, or one that it leads to, may not be fetched.
        ToolError: The network failed, several times.
        FileError: It could not be written.
    """
    by = way(by) if isinstance(by, Trust) else by
    if source.url.startswith("file:"):
        return _copy(source, target, by.listen)
    patience = by.client.patience
    for tried in range(1, patience.tries):
        found = _tried(source, target, by)
        if isinstance(found, int):
            return found
        time.sleep(patience.pause_s * tried)
    found = _tried(source, target, by)
    if isinstance(found, int):
        return found
    raise ToolError(
        f"{shown(source.url)} could not be fetched: {found}",
        hint="Run the same command again: what is complete is kept",
    )


def _tried(source: Source, target: str, by: Way) -> int | str:
    """The size of the file that is there now; or why another try may go better."""
    try:
        return _once(source, target, by)
    except _AgainError as fault:
        return str(fault)


class _AgainError(Exception):
    """Something that may go better the next time."""


class _Body(NamedTuple):
    """An answer on its way into a file."""

    answer: requests.Response
    part: str
    digest: hashlib._Hash
    have: int


def _once(source: Source, target: str, by: Way) -> int:
    """One try, which goes on where an earlier one stopped."""
    part = f"{target}.part"
    digest = source.digest()
    have = hash_part(part, digest)
    if source.size is not None and have >= source.size:
        have = 0
    answer = _asked(source.url, by, have)
    if have and answer.status_code != _PARTIAL:
        if answer.status_code == _NOT_THAT_RANGE:
            answer.close()
            answer = _asked(source.url, by, 0)
        have = 0
    with answer:
        _judge_status(answer.status_code, source.url)
        if source.size not in {None, have + _length(answer, source.size, have)}:
            raise GoneError(f"{shown(source.url)} {_OTHER_BYTES}")
        if not have:
            digest = source.digest()
            remove(part)
        size = _pour(_Body(answer, part, digest, have), source, by)
    if have and not _is_right(source, digest):  # what an earlier run has left was another file's
        remove(part)
        by.listen(-size)
        return _once(source, target, by)
    _name_it(source, digest, part, target)
    return size


def _asked(url: str, by: Way, have: int) -> requests.Response:
    """The answer at the end of all redirects, each of which is judged before it is followed.

    Where the user's own host leads, on the public internet, is the user's own, too.
    """
    import requests
    from urllib3.exceptions import HTTPError

    from envsnap.wheelhouse._session import credentials, proxies

    trust, (client, patience) = by.trust, by.client
    address, stated = without_user(url)
    first = origin_of(address)
    for _ in range(_REDIRECTS):
        why = refusal(address, trust)
        if why is not None:
            raise RefusedError(f"Not fetched: {why}", hint=_hint(address))
        try:
            answer = client.get(
                address, stream=True, allow_redirects=False,
                timeout=(patience.connect_s, patience.silent_s),
                headers={"Range": f"bytes={have}-"} if have else {},
                auth=(stated if origin_of(address) == first else None)
                or credentials(address, by.trust),
                proxies=proxies(address),
            )  # fmt: skip
        except ValueError:  # the library reads a redirect although it does not follow it
            raise RefusedError(UNREADABLE.format(shown(address))) from None
        except (requests.RequestException, HTTPError) as error:
            raise _AgainError(told(error)) from None
        if answer.status_code not in MOVED:
            return answer
        answer.close()
        further = onward(address, answer.headers.get("Location", ""))
        trust = led(address, further, trust)
        address = further
    raise GoneError(f"{shown(url)} redirects more than {_REDIRECTS} times")


def _hint(address: str) -> str | None:
    host = host_of(address)
    return f"Allow it if you know it: --allow-host {host}" if host and not is_inside(host) else None


def _judge_status(status: int, url: str) -> None:
    if status in {_OK, _PARTIAL}:
        return
    if status >= _FAULTS_OF_SERVER or status in _LATER:
        raise _AgainError(f"the server answers {status}")
    raise GoneError(f"{shown(url)} is gone: the server answers {status}")


def _length(answer: requests.Response, size: int | None, have: int) -> int:
    """How many bytes the server says will come; what is wanted where it says nothing."""
    said = stated_length(answer.headers)
    return (size or 0) - have if said is None else said


def _most(body: _Body, source: Source) -> int:
    """How many bytes the file may have; there must be room for those that are stated.

    Raises:
        GoneError: It is larger than any that is taken.
        FileError: The disk has no room.
    """
    if source.size is not None:
        return source.size
    said = stated_length(body.answer.headers)
    if said is None:
        return UNSTATED_BYTES
    if body.have + said > LIMIT_BYTES:
        raise GoneError(f"{shown(source.url)} has more than {LIMIT_BYTES >> 30} GiB")
    judge_room(os.path.dirname(body.part), said)
    return body.have + said


def _pour(body: _Body, source: Source, by: Way) -> int:
    """The body into the file, hashed while it comes; the size of the whole."""
    limit, begun = _most(body, source), time.monotonic()
    size = looked = body.have
    by.listen(size)
    try:
        with open(body.part, "ab") as file:
            while size <= limit and (chunk := _chunk(body.answer)):
                size += len(chunk)
                body.digest.update(chunk)
                file.write(chunk)
                by.listen(len(chunk))
                if size - looked > _LOOK_BYTES:
                    looked = size
                    judge_room(os.path.dirname(body.part))
                _judge_speed(size - body.have, time.monotonic() - begun, by.client.patience)
    except _AgainError:
        by.listen(-size)
        raise
    except FileError:
        remove(body.part)  # it is what fills the disk
        raise
    except OSError as error:
        raise FileError(f"Cannot write {body.part}: {error.strerror}") from error
    if size > limit:
        remove(body.part)
        raise GoneError(f"{shown(source.url)} has more than the {limit} bytes that it should have")
    if source.size is not None and size < source.size:
        by.listen(-size)
        raise _AgainError(f"it ended after {size} of {source.size} bytes")
    return size


def _chunk(answer: requests.Response) -> bytes:
    """What has come by now, at least one byte; nothing at the end."""
    from urllib3.exceptions import HTTPError

    try:
        return bytes(answer.raw.read1(_CHUNK_BYTES))
    except (HTTPError, OSError) as error:
        raise _AgainError(told(error)) from None


def _judge_speed(size: int, seconds: float, patience: Patience) -> None:
    if seconds > patience.slow_s and size < 1000 * seconds:
        raise _AgainError(f"it sent {size} bytes in {seconds:.0f} s")


def _name_it(source: Source, digest: hashlib._Hash, part: str, target: str) -> None:
    if not _is_right(source, digest):
        remove(part)
        raise GoneError(f"{shown(source.url)} {_OTHER_BYTES}")
    os.replace(part, target)


def _is_right(source: Source, digest: hashlib._Hash) -> bool:
    wanted = source.sha256 or source.md5
    return bool(wanted) and digest.hexdigest() == wanted


def _copy(source: Source, target: str, listen: Listener) -> int:
    """A file of the user's own --find-links, copied and hashed like any other."""
    parts = urlsplit(source.url)
    path = unquote(parts.path)
    if parts.netloc not in {"", "localhost"}:
        raise GoneError(f"{shown(source.url)} is a file of another machine")
    part, digest, size = f"{target}.part", source.digest(), 0
    remove(part)
    try:
        with _regular(path) as file, open(part, "xb") as out:
            while size <= LIMIT_BYTES and (chunk := file.read(_CHUNK_BYTES)):
                digest.update(chunk)
                out.write(chunk)
                size += len(chunk)
                listen(len(chunk))
    except FileNotFoundError:
        raise GoneError(f"{path!a} is not there any more") from None
    except OSError as error:
        raise FileError(f"Cannot copy {path}: {error.strerror}") from error
    _name_it(source, digest, part, target)
    return size


def _regular(path: str) -> IO[bytes]:
    """A regular file, opened; no pipe is waited for."""
    file = open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")  # noqa: SIM115 - the caller does
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise GoneError(f"{path!a} is no regular file")
    return file
