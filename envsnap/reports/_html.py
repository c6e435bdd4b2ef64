"""From a template to one HTML page that needs nothing else, and in which every word is text.

Whatever a template writes is cleaned of control characters and then escaped: neither a template
nor who adds a fact to it can forget that. The page's own style and script are known by their hash,
and the page forbids the browser everything else.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from envsnap._templates import template
from envsnap.reports._groups import what
from envsnap.reports._remedy import pieces
from envsnap.reports._shown import bounded

TYPE_CHECKING = False
if TYPE_CHECKING:
    import jinja2

_FOLDER = "report"
_NOTHING_ELSE = "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'"


def render(name: str, values: Mapping[str, object]) -> str:
    """A whole page."""
    from markupsafe import Markup  # jinja2's own: neither is imported before it is used

    style, script = (template(f"{_FOLDER}/page.{ending}") for ending in ("css", "js"))
    policy = f"{_NOTHING_ELSE}; style-src '{_known_by(style)}'; script-src '{_known_by(script)}'"
    ours = {"style": Markup(style), "script": Markup(script), "policy": policy}  # noqa: S704 - ours
    return _environment().get_template(name).render({**values, **ours})


def web_address(text: str | None) -> str:
    """An address that a link may lead to; empty where it is none of the web's.

    >>> web_address("https://docs.example/a"), web_address("javascript:alert(1)")
    ('https://docs.example/a', '')
    """
    return text if text and text.startswith(("https://", "http://")) else ""


def sentence(text: str) -> str:
    """Text with its first letter large, and every name in it as it was.

    >>> sentence("runs on an H100")
    'Runs on an H100'
    """
    return f"{text[:1].upper()}{text[1:]}"


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2  # only here: it costs more than a whole capture

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        finalize=_cleaned,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["web_address"] = web_address
    environment.filters["sentence"] = sentence
    environment.filters["pieces"] = pieces
    environment.filters["what"] = what
    return environment


def _source(name: str) -> str:
    return template(f"{_FOLDER}/{name}")


def _cleaned(value: object) -> object:
    """What a browser or its font would obey is spelled out; what is endless is cut."""
    return value if hasattr(value, "__html__") else bounded(str(value))


def _known_by(text: str) -> str:
    """The hash by which a browser knows our own style and script."""
    from base64 import b64encode
    from hashlib import sha256

    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
