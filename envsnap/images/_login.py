"""The user's own passwords for a registry, where `docker login` and `podman login` keep them."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import subprocess
from collections.abc import Iterator

from envsnap._typing import NamedTuple
from envsnap.images._names import HUB

_HELPER_S = 20.0
_LARGEST = 1 << 20
_HELPER = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,60}\Z")
_HUB_KEY = "https://index.docker.io/v1/"
_TOKEN_USER = "<token>"  # noqa: S105 - what a helper answers as the user's name beside a token


class Login(NamedTuple):
    """What a registry is told of the user."""

    user: str
    password: str
    token: str
    """An identity token in place of the two; empty where there is none."""

    def __repr__(self) -> str:
        """Nothing of it, wherever it would be printed."""
        return "Login(...)"


def login_for(host: str, name: str) -> Login | None:
    """The login for a repository of a registry; None where the user has none.

    The most particular entry of the first file that has one counts, as for Podman.
    """
    wanted = _keys(host, name)
    for path in _files():
        settings = _settings(path)
        for key in wanted:
            if (found := _helped(settings, key)) or (found := _stated(settings, key)):
                return found
        if (found := _stored(settings, host)) is not None:
            return found
    return None


def _files() -> Iterator[str]:
    if named := os.environ.get("REGISTRY_AUTH_FILE"):
        yield named
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        yield os.path.join(runtime, "containers", "auth.json")
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    yield os.path.join(config, "containers", "auth.json")
    docker = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    yield os.path.join(docker, "config.json")


def _keys(host: str, name: str) -> list[str]:
    """What entries for a repository are called, the most particular first."""
    parts = name.split("/")
    paths = [f"{host}/{'/'.join(parts[:count])}" for count in range(len(parts), 0, -1)]
    hosts = [host, f"https://{host}", f"https://{host}/v1/", f"https://{host}/v2/"]
    return [*paths, *([_HUB_KEY, "index.docker.io"] if host == HUB else []), *hosts]


def _settings(path: str) -> dict[str, object]:
    try:
        with open(path, encoding="utf-8") as file:
            found = json.loads(file.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _stated(settings: dict[str, object], key: str) -> Login | None:
    auths = settings.get("auths")
    entry = auths.get(key) if isinstance(auths, dict) else None
    if not isinstance(entry, dict):
        return None
    token = entry.get("identitytoken")
    if isinstance(token, str) and token:
        return Login("", "", token)
    coded = entry.get("auth")
    if isinstance(coded, str) and coded:
        try:
            user, colon, password = base64.b64decode(coded).decode().partition(":")
        except (binascii.Error, ValueError):
            return None
        return Login(user, password.rstrip("\0"), "") if colon else None
    name, secret = entry.get("username"), entry.get("password")
    if isinstance(name, str) and isinstance(secret, str) and name:
        return Login(name, secret, "")
    return None


def _helped(settings: dict[str, object], key: str) -> Login | None:
    helpers = settings.get("credHelpers")
    helper = helpers.get(key) if isinstance(helpers, dict) else None
    return _asked(helper, key) if isinstance(helper, str) else None


def _stored(settings: dict[str, object], host: str) -> Login | None:
    store = settings.get("credsStore")
    return _asked(store, _HUB_KEY if host == HUB else host) if isinstance(store, str) else None


def _asked(helper: str, key: str) -> Login | None:
    """What `docker-credential-HELPER` answers; None where it has nothing or is not there."""
    if not _HELPER.match(helper):
        return None
    try:
        answer = subprocess.run(
            [f"docker-credential-{helper}", "get"], input=key.encode(), capture_output=True,
            timeout=_HELPER_S, check=False, start_new_session=True,
        )  # fmt: skip
        found = json.loads(answer.stdout[:_LARGEST]) if answer.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    if not isinstance(found, dict):
        return None
    user, secret = found.get("Username"), found.get("Secret")
    if not isinstance(user, str) or not isinstance(secret, str) or not secret:
        return None
    return Login("", "", secret) if user == _TOKEN_USER else Login(user, secret, "")
