"""Text of other programs without the credentials that it may repeat. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote, urlsplit

from envsnap.lock._hosts import Indexes

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"`<>]+")
_SECRET_VARIABLE = re.compile(r"\AUV_(?:INDEX_.+_|PUBLISH_)(?:PASSWORD|TOKEN)\Z")
_SHORTEST = 4
"""A shorter password would be cut out of ordinary words."""


def redacted(text: str, secrets: Sequence[str] = ()) -> str:
    """Text whose addresses give nothing away, with `***` for every secret that is known.

    >>> redacted("cannot reach https://me:secret@index.example/simple: 401")
    'cannot reach https://index.example/simple: 401'
    """
    from envsnap.probes._urls import clean_url  # the rules for what an address gives away are there

    text = _ADDRESS.sub(lambda found: clean_url(found[0]), text)
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def secrets_of(indexes: Indexes, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The passwords in the settings themselves, the longest first."""
    found = {value for name, value in environ.items() if _SECRET_VARIABLE.match(name)}
    for address in (indexes.default or "", *indexes.extra, *indexes.find_links):
        try:
            parts = urlsplit(address)
        except ValueError:
            continue
        found.update(filter(None, (parts.password, parts.query)))
        if parts.username and not parts.password:
            found.add(parts.username)  # a token alone stands where the user's name would
    found |= {unquote(each) for each in found}
    return tuple(sorted((each for each in found if len(each) >= _SHORTEST), key=len, reverse=True))
