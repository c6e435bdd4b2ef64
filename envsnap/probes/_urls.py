"""Addresses without what opens a door: no user, no password, no token, no query.

A manifest is made to be published, and an address is where secrets hide: before the host
(`https://user:password@`), in the path (`/t/TOKEN/`), and after the question mark.
"""

from __future__ import annotations

import re

from envsnap.probes._anchors import Anchors

_SERVICE_USERS = frozenset({"git", "hg"})
"""User names that say nothing of a person: every user of a forge writes the same one."""

_KEPT_FRAGMENTS = ("egg=", "subdirectory=", "sha256=", "sha384=", "sha512=", "md5=")

_CONDA_PART = r"/t/[^/]+(?=/|$)"
_PRIVATE_FOLDERS = (
    r"^(?P<before>https?://"
    r"(?:dl\.cloudsmith\.io/(?!public/|basic/)|(?:[\w.-]+\.)?packagecloud\.io/priv/))[^/]+"
)
_KNOWN_FORMS = (
    r"(?<=[/=@:])(?:gh[a-z]_|github_pat_|gl[a-z]{2,5}-|hf_|npm_|pypi-|sk-|xox[a-z]-|dckr_pat_|eyJ)"
    r"[\w.~+-]{12,}"
)
_SCP = r"^(?:(?P<user>[^@/\s]*)@)?(?P<host>[\w.-]{2,}):(?P<path>(?!//)[^\s]*)$"
_URL = r"(?s)^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)$"
_AUTHORITY_END = r"[/?#]"
_HOST_AND_PORT = r"^[\w.~%-]+(?::\d+)?$|^\[[0-9A-Fa-f:.%]*\](?::\d+)?$"


def clean_url(url: str, anchors: Anchors = Anchors()) -> str:  # noqa: B008 - frozen
    """The address without credentials; a local path told from its anchor.

    >>> clean_url("https://me:secret@files.example/t/tk-1/simple/?sig=a#sha256=00")
    'https://files.example/simple/#sha256=00'
    >>> clean_url("git@forge.example:lab/project.git")
    'git@forge.example:lab/project.git'
    """
    url = url.strip()
    if found := re.match(_URL, url):
        return _clean_parts(found["scheme"], found["rest"], anchors)
    if url.startswith(("/", "~")) or url[1:3] in {":\\", ":/"}:
        return anchors.anchor(url)
    scp = None if url.startswith(".") else re.match(_SCP, url)
    if scp and (scp["user"] is not None or "@" not in scp["path"]):
        user = f"{scp['user']}@" if scp["user"] in _SERVICE_USERS else ""
        return f"{user}{scp['host']}:{_without_tokens('/' + _before_query(scp['path']))[1:]}"
    return _without_tokens("/" + _before_query(url).rpartition("@")[2])[1:]


def _clean_parts(scheme: str, rest: str, anchors: Anchors) -> str:
    if scheme.lower().rpartition("+")[2] == "file":
        from urllib.parse import unquote  # start-up: only local addresses need it

        return f"{scheme}://" + anchors.anchor("/" + unquote(_before_query(rest)).partition("/")[2])
    rest = _without_user(rest, scheme)
    fragment = rest.partition("#")[2]
    kept = "&".join(part for part in fragment.split("&") if part.startswith(_KEPT_FRAGMENTS))
    cleaned = _without_tokens(f"{scheme}://{_before_query(rest)}")
    return f"{cleaned}#{_without_tokens(kept)}" if kept else cleaned


def _before_query(rest: str) -> str:
    return rest.partition("#")[0].partition("?")[0]


def _without_user(rest: str, scheme: str) -> str:
    """Host and path. A password with a slash, `?` or `#` in it lets nothing of itself through."""
    authority = re.split(_AUTHORITY_END, rest, maxsplit=1)[0]
    user, at, host = authority.rpartition("@")
    if at:
        service = f"{user}@" if user in _SERVICE_USERS and "ssh" in scheme else ""
        return service + host + rest[len(authority) :]
    if re.match(_HOST_AND_PORT, authority):
        return rest
    if "@" in rest:
        return rest.rpartition("@")[2]
    return "{host}" + rest[len(authority) :]


def _without_tokens(url: str) -> str:
    url = re.sub(_CONDA_PART, "", url)
    url = re.sub(_PRIVATE_FOLDERS, r"\g<before>{token}", url)
    return re.sub(_KNOWN_FORMS, "{token}", url)
