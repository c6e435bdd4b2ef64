"""One registry, asked over HTTP: with the user's login, through redirects, and patiently."""

from __future__ import annotations

import base64
import contextlib
import glob
import http.client
import json
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import cast
from urllib.parse import urlencode, urljoin, urlsplit

from envsnap.images._login import Login, login_for
from envsnap.images._mirrors import Endpoint, is_loopback
from envsnap.images._model import ImageError

WAIT_S = 30.0
_LONGEST_WAIT_S = 30.0
_REDIRECTS = {301, 302, 303, 307, 308}
_MOST_REDIRECTS = 5
_OK, _PART, _UNAUTHORIZED, _NOT_FOUND, _TOO_MANY = 200, 206, 401, 404, 429
_AGAIN = {408, _TOO_MANY, 500, 502, 503, 504}
_CHALLENGE = re.compile(r'([A-Za-z_]+)="([^"]*)"')
_LONGEST_TOKEN = 1 << 20
Answer = http.client.HTTPResponse


class RegistryError(ImageError):
    """A registry's answer is no, with its status; 0 where it did not answer at all."""

    def __init__(self, message: str, status: int, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class _AsItCame(urllib.request.HTTPErrorProcessor):
    """Leaves every status to us: redirects and refusals are looked at before they are followed."""

    def http_response(self, request: urllib.request.Request, response: Answer) -> Answer:
        """The answer, untouched."""
        del request
        return response

    https_response = http_response


class Registry:
    """A conversation with one place about one repository."""

    def __init__(
        self,
        place: Endpoint,
        usual_host: str,
        *,
        tries: int = 5,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.place, self.tries = place, tries
        self.received = 0
        """Bytes of answers that were read."""
        self._usual_host, self._sleep = usual_host, sleep
        self._authorization: str | None = None
        self._openers: dict[str, urllib.request.OpenerDirector] = {}

    def ask(
        self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """A whole or partial answer, its body unread.

        Raises:
            RegistryError: The answer is no, or none came after several tries.
        """
        address, last = f"{self.place.base}/{path}", ""
        for number in range(self.tries):
            try:
                answer = self._authorized(address, method, headers or {})
            except (OSError, http.client.HTTPException) as error:
                last, wait = _why(error), 2.0**number
                if _is_lasting(error):
                    break
            else:
                if answer.status in {_OK, _PART}:
                    return answer
                last, wait = f"it answers {answer.status}", _wait(answer, number)
                answer.close()
                if answer.status not in _AGAIN:
                    raise self._refused(answer.status, path)
                if number == self.tries - 1:
                    raise self._refused(answer.status, path)
            if number < self.tries - 1:
                self.wait(wait)
        raise RegistryError(f"{self.place.host} does not answer: {last}", 0)

    def wait(self, seconds: float) -> None:
        """Leave the host alone for a while."""
        self._sleep(min(seconds, _LONGEST_WAIT_S))

    def _refused(self, status: int, path: str) -> RegistryError:
        host, last = self.place.host, path.rpartition("/")[2]
        what = f"{self.place.name}{'@' if last.startswith('sha256:') else ':'}{last}"
        if status == _TOO_MANY:
            return RegistryError(
                f"{host} answers 429 for {what}: too many downloads from this address",
                status,
                hint=f"Log in (docker login {self._usual_host}), wait an hour, or set "
                "ENVSNAP_REGISTRY_MIRROR=HOST",
            )
        hint = None
        if status in {_UNAUTHORIZED, 403}:
            hint = f"Log in: docker login {self._usual_host}"
        if status == _NOT_FOUND:
            return RegistryError(f"{host} has no {what}", status)
        return RegistryError(f"{host} answers {status} for {what}", status, hint=hint)

    def _authorized(self, address: str, method: str, headers: Mapping[str, str]) -> Answer:
        answer = self._followed(address, method, headers, self._authorization)
        if answer.status != _UNAUTHORIZED:
            return answer
        challenge = answer.headers.get("WWW-Authenticate", "")
        answer.close()
        self._authorization = self._login(challenge)
        return self._followed(address, method, headers, self._authorization)

    def _followed(
        self, address: str, method: str, headers: Mapping[str, str], authorization: str | None
    ) -> Answer:
        """The answer behind all redirects; another host is not told who we are."""
        home = urlsplit(address)[:2]
        for _ in range(_MOST_REDIRECTS):
            own = {"Authorization": authorization} if authorization else {}
            if urlsplit(address)[:2] != home:
                own = {}
            answer = self._open(address, method, {**headers, **own})
            if answer.status not in _REDIRECTS:
                return answer
            target = urljoin(address, answer.headers.get("Location", ""))
            answer.close()
            parts = urlsplit(target)
            if not _is_safe(target, is_plain=urlsplit(address).scheme == "http"):
                raise RegistryError(f"{self.place.host} leads to {parts.scheme}:, not to https", 0)
            address = target
        raise RegistryError(f"{self.place.host} leads in circles", 0)

    def _open(
        self, address: str, method: str, headers: Mapping[str, str], data: bytes | None = None
    ) -> Answer:
        request = urllib.request.Request(address, data, dict(headers), method=method)  # noqa: S310 - http(s) alone is put together or let pass
        request.add_header("User-Agent", "envsnap")
        opener = self._opener(urlsplit(address).netloc)
        return cast("Answer", opener.open(request, timeout=WAIT_S))

    def _opener(self, host: str) -> urllib.request.OpenerDirector:
        if host not in self._openers:
            proxies = urllib.request.ProxyHandler({} if is_loopback(host) else None)
            tls = urllib.request.HTTPSHandler(context=_trust(host))
            self._openers[host] = urllib.request.build_opener(proxies, tls, _AsItCame())
        return self._openers[host]

    def _login(self, challenge: str) -> str | None:
        """What to say of the user, as the registry wants to be told; None where nothing can be."""
        kind = challenge.partition(" ")[0].lower()
        login = login_for(self._usual_host, self.place.name)
        if kind == "basic":
            return _basic(login) if login is not None and login.user else None
        if kind != "bearer":
            raise RegistryError(f"{self.place.host} wants a login of a kind unknown to us", 401)
        fields = dict(_CHALLENGE.findall(challenge))
        realm = fields.get("realm", "")
        if not _is_safe(realm, is_plain=self.place.is_plain):
            raise RegistryError(
                f"{self.place.host} lets nobody read {self.place.name}: "
                "it does not say where to ask for a token", 401,
            )  # fmt: skip
        asked = {key: fields[key] for key in ("service", "scope") if key in fields}
        asked.setdefault("scope", f"repository:{self.place.name}:pull")
        return f"Bearer {self._token(realm, asked, login)}"

    def _token(self, realm: str, asked: dict[str, str], login: Login | None) -> str:
        if login is not None and login.token:
            form = {"grant_type": "refresh_token", "refresh_token": login.token,
                    "client_id": "envsnap", **asked}  # fmt: skip
            answer = self._open(realm, "POST", {}, urlencode(form).encode())
        else:
            joint = "&" if urlsplit(realm).query else "?"
            own = {"Authorization": _basic(login)} if login is not None else {}
            answer = self._open(f"{realm}{joint}{urlencode(asked)}", "GET", own)
        with answer:
            if answer.status != _OK:
                raise self._refused(answer.status, "token")
            raw = answer.read(_LONGEST_TOKEN)
        try:
            found = json.loads(raw)
        except (ValueError, RecursionError):
            found = None
        token = found.get("token") or found.get("access_token") if isinstance(found, dict) else None
        if not isinstance(token, str) or not token.isprintable():
            raise RegistryError(
                f"{self.place.host} lets nobody read {self.place.name}: it gives no token", 401
            )
        return token


def _is_safe(address: str, *, is_plain: bool) -> bool:
    """Whether an address may be asked: by TLS, or without where we came without."""
    parts = urlsplit(address)
    if not parts.hostname or parts.username is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_plain)


def _basic(login: Login) -> str:
    return "Basic " + base64.b64encode(f"{login.user}:{login.password}".encode()).decode()


def _trust(host: str) -> ssl.SSLContext:
    """This machine's certificate authorities, and those that the engines keep for the host."""
    context = ssl.create_default_context()
    own = os.path.expanduser("~/.config/containers/certs.d")
    for folder in ("/etc/docker/certs.d", "/etc/containers/certs.d", own):
        for path in glob.glob(os.path.join(folder, glob.escape(host), "*.crt")):
            with contextlib.suppress(OSError, ssl.SSLError):
                context.load_verify_locations(path)
    return context


def _wait(answer: Answer, number: int) -> float:
    stated = answer.headers.get("Retry-After", "")
    return float(stated) if stated.isdecimal() and len(stated) < len("10000") else 2.0**number


def _is_lasting(error: Exception) -> bool:
    """Whether trying again changes nothing: a certificate that nobody here trusts."""
    return isinstance(getattr(error, "reason", error), ssl.SSLCertVerificationError)


def _why(error: Exception) -> str:
    return (str(getattr(error, "reason", None) or error) or type(error).__name__)[:120]


class Blob:
    """A blob as it comes; where the connection breaks it is asked for again from there."""

    def __init__(self, registry: Registry, digest: str, size: int, at: int = 0) -> None:
        self._registry, self._digest, self._size, self.at = registry, digest, size, at
        self._answer: Answer | None = None

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes.

        Raises:
            RegistryError: They do not come, however often they are asked for.
        """
        for number in range(self._registry.tries):
            if self.at >= self._size:
                self.close()
                return b""
            try:
                piece = self._open().read(min(size, self._size - self.at))
            except (OSError, http.client.HTTPException):
                piece = b""
            if piece:
                self.at += len(piece)
                self._registry.received += len(piece)
                return piece
            self.close()
            if number:
                self._registry.wait(2.0**number)
        host = self._registry.place.host
        raise RegistryError(
            f"{host} broke off after {self.at} of {self._size} bytes of {self._digest}", 0
        )

    def _open(self) -> Answer:
        if self._answer is None:
            headers = {"Range": f"bytes={self.at}-"} if self.at else {}
            answer = self._registry.ask(f"blobs/{self._digest}", headers=headers)
            stated = answer.headers.get("Content-Range", "")
            if self.at and answer.status == _OK:
                self._pass_over(answer)
            elif self.at and not stated.startswith(f"bytes {self.at}-"):
                raise RegistryError(f"{self._registry.place.host} sends another part", 0)
            self._answer = answer
        return self._answer

    def _pass_over(self, answer: Answer) -> None:
        """Read again what is here already, from a host that knows no parts."""
        left = self.at
        while left and (piece := answer.read(min(left, 1 << 20))):
            left -= len(piece)
            self._registry.received += len(piece)

    def close(self) -> None:
        """End the connection."""
        if self._answer is not None:
            self._answer.close()
            self._answer = None
