"""Where a registry's images are asked for on this site: its mirrors first, then itself.

Read as the engines read it: ENVSNAP_REGISTRY_MIRROR, the containers' registries.conf, and the
mirrors of Docker's own settings, which stand for docker.io alone.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import sys
from importlib import import_module

from envsnap._typing import NamedTuple
from envsnap.errors import UsageError
from envsnap.images._names import HUB, Named

_HUB_HOST = "registry-1.docker.io"
"""Where docker.io keeps its images."""
_LARGEST = 1 << 20
_PLACE = re.compile(
    r"\A(https?://)?([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._/-]*)?\Z"
)


class Endpoint(NamedTuple):
    """One place that may have an image."""

    host: str
    name: str
    is_plain: bool
    """Whether it speaks http without TLS."""

    @property
    def base(self) -> str:
        """Where its answers about the image begin."""
        return f"{'http' if self.is_plain else 'https'}://{self.host}/v2/{self.name}"


def is_loopback(host: str) -> bool:
    """Whether a host, with or without its port, is this machine.

    >>> is_loopback("127.0.0.1:5000"), is_loopback("localhost"), is_loopback("127.evil.org")
    (True, True, False)
    """
    name = host.rpartition(":")[0] if re.search(r":[0-9]+\Z", host) else host
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def own_host(host: str) -> str:
    """The host behind a registry's usual name.

    >>> own_host("docker.io"), own_host("127.0.0.1:5000")
    ('registry-1.docker.io', '127.0.0.1:5000')
    """
    return _HUB_HOST if host == HUB else host


def endpoints(image: Named) -> tuple[Endpoint, ...]:
    """Where to ask for an image, the first place first.

    Raises:
        UsageError: ENVSNAP_REGISTRY_MIRROR is no host.
    """
    found = [*_from_variable(image), *_from_containers(image)]
    if image.host == HUB:
        found += [place for text in _docker_mirrors() if (place := _endpoint(text, image.name))]
    own = own_host(image.host)
    found.append(Endpoint(own, image.name, is_loopback(own)))
    return tuple(dict.fromkeys(found))


def _from_variable(image: Named) -> list[Endpoint]:
    text = os.environ.get("ENVSNAP_REGISTRY_MIRROR", "")
    if not text or image.host != HUB:
        return []
    found = _endpoint(text, image.name)
    if found is None:
        raise UsageError(
            "ENVSNAP_REGISTRY_MIRROR is no host of a registry",
            hint="Set it as HOST[:PORT] or http://HOST:PORT; it stands for docker.io",
        )
    return [found]


def _endpoint(text: str, name: str, *, is_plain: bool | None = None) -> Endpoint | None:
    """A place by its text, as 'HOST:PORT/prefix'; None where it is none."""
    found = _PLACE.match(text.strip())
    if found is None:
        return None
    scheme, host, port, prefix = found.groups()
    whole = f"{host}{port or ''}"
    if is_plain is None:
        is_plain = scheme == "http://" or (scheme is None and is_loopback(whole))
    path = "/".join(each for each in [*(prefix or "").split("/"), name] if each)
    return None if ".." in path.split("/") else Endpoint(whole, path, is_plain)


def _docker_mirrors() -> list[str]:
    raw = _read("/etc/docker/daemon.json")
    try:
        found = json.loads(raw or "{}")
    except (ValueError, RecursionError):
        return []
    mirrors = found.get("registry-mirrors") if isinstance(found, dict) else None
    return [each for each in mirrors if isinstance(each, str)] if isinstance(mirrors, list) else []


def _containers_files() -> list[str]:
    named = os.environ.get("CONTAINERS_REGISTRIES_CONF")
    own = os.path.expanduser("~/.config/containers/registries.conf")
    main = named or (own if os.path.exists(own) else "/etc/containers/registries.conf")
    folders = [] if named else ["/etc/containers/registries.conf.d", f"{own}.d"]
    return [main, *(path for folder in folders for path in _conf_files(folder))]


def _conf_files(folder: str) -> list[str]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [os.path.join(folder, name) for name in names if name.endswith(".conf")]


def _from_containers(image: Named) -> list[Endpoint]:
    """What the registries.conf of Podman, Buildah and Apptainer say of a repository."""
    whole = f"{image.host}/{image.name}"
    best: dict[str, object] = {}
    longest = ""
    for path in _containers_files():
        for each in _registries(_read(path)):
            prefix = each.get("prefix") or each.get("location")
            if isinstance(prefix, str) and len(prefix) >= len(longest) and _covers(prefix, whole):
                best, longest = each, prefix
    if not best:
        return []
    rest = whole[len(longest) :].strip("/")
    listed = best.get("mirror")
    places = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    if best.get("location") not in {None, longest} or best.get("insecure") is True:
        places.append(best)
    found = []
    for each in places:
        location = each.get("location")
        plain = True if each.get("insecure") is True else None
        if isinstance(location, str) and (place := _endpoint(location, rest, is_plain=plain)):
            found.append(place._replace(host=own_host(place.host)))
    return found


def _covers(prefix: str, whole: str) -> bool:
    return whole == prefix or whole.startswith(prefix.rstrip("/") + "/")


def _registries(text: str) -> list[dict[str, object]]:
    toml = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        found = toml.loads(text).get("registry")
    except (ValueError, RecursionError):
        return []  # its own programs say what is wrong with it
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_LARGEST)
    except OSError:
        return ""
