"""Asks an image registry for a digest where no Docker daemon answers, as on a login node."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from urllib.parse import quote, urlencode, urlsplit

from envsnap.engines._digest import as_digest
from envsnap.sections import Fact, Reason, Unknown

_ASK_S = 10.0
_ACCEPT = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_HUB = "registry-1.docker.io"
"""Where docker.io keeps its images."""
_UNAUTHORIZED = 401
_LONGEST_TOKEN = 1 << 20


def host_of(repository: str) -> str:
    """The host that has the images of a repository, as 'docker.io/library/python'.

    >>> host_of("docker.io/library/python"), host_of("127.0.0.1:5000/lab/paper")
    ('registry-1.docker.io', '127.0.0.1:5000')
    """
    host = repository.partition("/")[0]
    return _HUB if host == "docker.io" else host


def digest(repository: str, tag: str) -> Fact[str]:
    """The digest that a public registry answers for a tag, all architectures together."""
    host, name = host_of(repository), repository.partition("/")[2]
    scheme = "http" if host.partition(":")[0] in {"127.0.0.1", "localhost"} else "https"
    address = f"{scheme}://{host}/v2/{quote(name)}/manifests/{quote(tag)}"
    try:
        try:
            return _checked(_ask(address, None))
        except urllib.error.HTTPError as error:
            if error.code != _UNAUTHORIZED:
                raise
            token = _token(error.headers.get("WWW-Authenticate", ""))
        return _checked(_ask(address, token))
    except urllib.error.HTTPError as error:
        return Unknown(Reason.NOT_RECORDED, f"{host} answers {error.code} for {name}:{tag}")
    except OSError as error:
        return Unknown(Reason.TIMED_OUT, f"{host} does not answer: {_why(error)}")
    except ValueError as error:
        return Unknown(Reason.NO_PERMISSION, f"{host} lets nobody read {name}: {error}")


def _ask(address: str, token: str | None) -> str | None:
    headers = {"Accept": _ACCEPT, **({"Authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(address, headers=headers, method="HEAD")  # noqa: S310 - http(s) alone is put together above
    with urllib.request.urlopen(request, timeout=_ASK_S) as answer:  # noqa: S310 - as above
        found: str | None = answer.headers.get("Docker-Content-Digest")
    return found


def _token(challenge: str) -> str:
    """A token that lets anybody read, from where the registry says."""
    fields = dict(_CHALLENGE.findall(challenge))
    realm = fields.pop("realm", "")
    if urlsplit(realm).scheme not in {"https", "http"}:
        message = "it does not say where to ask for a token"
        raise ValueError(message)
    with urllib.request.urlopen(f"{realm}?{urlencode(fields)}", timeout=_ASK_S) as answer:  # noqa: S310 - the scheme was just checked
        found = json.loads(answer.read(_LONGEST_TOKEN))
    token = found.get("token") or found.get("access_token") if isinstance(found, dict) else None
    if not isinstance(token, str):
        message = "it gives no token"
        raise ValueError(message)  # noqa: TRY004 - the registry's text is wrong, not our type
    return token


def _checked(found: str | None) -> Fact[str]:
    return as_digest(found) or Unknown(Reason.UNPARSABLE, "the registry's answer has no digest")


def _why(error: OSError) -> str:
    return str(getattr(error, "reason", None) or error)[:120]
