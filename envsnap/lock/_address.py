"""Whether a file's address may stand in a lock that is made to be published. Pure."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from envsnap.lock._pylock import File
from envsnap.lock._trust import host_of, is_inside

_PUBLIC = re.compile(r"\Ahttps?://[!-~]+\Z")
_UNFIT = re.compile(r"[\"'<>\\^`{|}@]")


def public_address(file: File) -> str | None:
    """Where anybody could fetch the file; None where only this machine or its network can.

    So it is for a folder, behind a token, and on a host that is another one elsewhere. A user and
    password before the host are left out: the address without them stays an address.
    """
    from envsnap.probes._urls import clean_url  # the rules for what an address gives away are there

    folder, slash, name = file.url.partition("#")[0].rpartition("/")
    if unquote(name) != file.filename:
        folder, slash, name = file.url.partition("#")[0], "", ""
    # The name of a package can look like a token, as hf_xet does: it is known, so it is left out.
    cleaned = clean_url(folder + slash)
    try:
        parts = urlsplit(folder + slash)
        plain = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    except ValueError:
        return None
    if cleaned != plain or not _PUBLIC.match(cleaned + name) or _UNFIT.search(cleaned + name):
        return None
    host = host_of(cleaned + name)
    return None if host is None or is_inside(host) else cleaned + name
