"""How large a file is, by its own host's word: asked with HEAD, nothing is fetched."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from envsnap.errors import ToolError
from envsnap.lock._trust import Trust, origin_of, refusal
from envsnap.sections import Fact, Reason, Unknown
from envsnap.wheelhouse._fetch import Patience, Way, way
from envsnap.wheelhouse._onward import MOVED, led, onward, without_user
from envsnap.wheelhouse._part import LIMIT_BYTES, stated_length, told

if TYPE_CHECKING:
    from collections.abc import Sequence

    import requests

AT_ONCE = 16
"""How many files are asked for at a time."""
PATIENCE = Patience(connect_s=10.0, silent_s=10.0, tries=1)
_REDIRECTS = 8
_OK = 200


def sizes_at(urls: Sequence[str], trust: Trust) -> tuple[Fact[int], ...]:
    """The size of the file at each address, in their order; unknown where its host does not say.

    An address that the trust refuses is not asked, nor is one that it leads to.

    Raises:
        MissingExtraError: The library for it is not installed.
    """
    by = way(trust, patience=PATIENCE, connections=AT_ONCE)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return tuple(pool.map(lambda url: _size(url, by), urls))


def _size(url: str, by: Way) -> Fact[int]:
    """What the last host of all redirects states, each judged before it is followed."""
    import requests
    from urllib3.exceptions import HTTPError

    try:
        return _asked(url, by)
    except ToolError as error:
        return Unknown(Reason.NO_PERMISSION, error.message)
    except ValueError:
        return Unknown(Reason.UNPARSABLE, "it leads to an address that cannot be read")
    except requests.Timeout:
        return Unknown(Reason.TIMED_OUT, "its host did not answer in time")
    except (requests.RequestException, HTTPError) as error:
        return Unknown(Reason.TOOL_MISSING, told(error))


def _asked(url: str, by: Way) -> Fact[int]:
    from envsnap.wheelhouse._session import credentials, proxies

    trust, (client, patience) = by.trust, by.client
    address, stated = without_user(url)
    first = origin_of(address)
    for _ in range(_REDIRECTS):
        why = refusal(address, trust)
        if why is not None:
            return Unknown(Reason.NO_PERMISSION, why)
        own = stated if origin_of(address) == first else None
        with client.head(
            address, allow_redirects=False, timeout=(patience.connect_s, patience.silent_s),
            auth=own or credentials(address, by.trust), proxies=proxies(address),
        ) as answer:  # fmt: skip
            if answer.status_code not in MOVED:
                return _stated(answer)
            further = onward(address, answer.headers.get("Location", ""))
        trust = led(address, further, trust)
        address = further
    return Unknown(Reason.NOT_RECORDED, f"it redirects more than {_REDIRECTS} times")


def _stated(answer: requests.Response) -> Fact[int]:
    if answer.status_code != _OK:
        return Unknown(Reason.NOT_RECORDED, f"its host answers {answer.status_code}")
    said = stated_length(answer.headers)
    if not said or said > LIMIT_BYTES:
        return Unknown(Reason.NOT_RECORDED, "its host does not say it")
    return said
