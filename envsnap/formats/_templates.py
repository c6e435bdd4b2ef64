"""Templates, and the one rule about them: nothing reaches a recipe unquoted.

Every `{{ value | filter }}` must end in one of the filters below, each of which knows one
syntax. A template that forgets it fails at once, whatever the value.
"""

from __future__ import annotations

import functools
import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from html import escape

from envsnap._templates import template
from envsnap.errors import PlanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import jinja2

_PRINTABLE = re.compile(r"\A[ -~]*\Z")
_WORD = re.compile(r"\A[A-Za-z0-9/][A-Za-z0-9._/:@!+~=-]*\Z")
_SBATCH = re.compile(r"\A[a-z-]+=[A-Za-z0-9_][A-Za-z0-9_.,:=/+-]{0,199}\Z")
_KEY = re.compile(r"\A[A-Za-z_][A-Za-z0-9_.-]*\Z")
_ADDRESS = re.compile(r"\Ahttps?://[A-Za-z0-9._~:/@!*+,=%-]+\Z")
_IN_DOCKER_QUOTES = re.compile(r'([\\"$])')


class Quoted(str):
    """Text that is safe where it will stand."""

    __slots__ = ()


def word(text: str) -> Quoted:
    """A token that no syntax of ours reads anything into: a name, a version, a reference."""
    return _held_to(_WORD, text, "a plain word")


def sbatch(text: str) -> Quoted:
    """An option of a batch job with its value, in a line of comment that sbatch reads."""
    return _held_to(_SBATCH, text, "an option as sbatch takes it")


def key(text: str) -> Quoted:
    """The name of a variable or label."""
    return _held_to(_KEY, text, "the name of a variable")


def docker(text: str) -> Quoted:
    """A value in a Dockerfile's ENV or LABEL: in double quotes, nothing expanded."""
    quoted = _IN_DOCKER_QUOTES.sub(r"\\\1", _held_to(_PRINTABLE, text, "one line of ASCII"))
    return Quoted(f'"{quoted}"')


def sh(text: str) -> Quoted:
    """A word of a POSIX shell; where `{{` could stand, Apptainer would take it for its own."""
    if "{{" in text:
        raise PlanError(f"A value with '{{{{' cannot stand in a recipe: {text[:60]!a}")
    return Quoted(shlex.quote(_held_to(_PRINTABLE, text, "one line of ASCII")))


def command(words: Sequence[str]) -> Quoted:
    """A command line of a POSIX shell."""
    return Quoted(" ".join(sh(each) for each in words))


def line(text: str) -> Quoted:
    """The rest of a comment line or label: printable, no template marks, nothing to continue it."""
    plain = "".join(char if char.isascii() and char.isprintable() else "?" for char in text)
    return Quoted(plain.replace("{{", "{ {").replace("}}", "} }").rstrip("\\ "))


def html(text: str) -> Quoted:
    """Text or an attribute's value in HTML."""
    return Quoted(escape(_held_to(_PRINTABLE, text, "one line of ASCII")))


def yaml(text: str) -> Quoted:
    """A string in YAML, which reads JSON's strings."""
    return Quoted(json.dumps(text))


def toml(text: str) -> Quoted:
    """A basic string in TOML."""
    return Quoted(json.dumps(_held_to(_PRINTABLE, text, "one line of ASCII")))


def address(text: str) -> Quoted:
    """An address as the last word of a line that a shell's `read` takes apart, unquoted."""
    return _held_to(_ADDRESS, text, "an http or https address")


_FILTERS: tuple[Callable[..., Quoted], ...] = (
    word, sbatch, key, docker, sh, command, line, html, yaml, toml, address,
)  # fmt: skip


def render(name: str, values: Mapping[str, object]) -> str:
    """The template's text with these values."""
    return _environment().get_template(name).render(values)


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2  # only here: it costs more than a whole capture

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(template),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - HTML is one syntax of several; `finalize` is stricter
        finalize=_only_quoted,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update({each.__name__: each for each in _FILTERS})
    return environment


def _only_quoted(value: object) -> object:
    if not isinstance(value, Quoted):
        message = f"a template writes {value!r} without saying how it is quoted"
        raise TypeError(message)
    return value


def _held_to(pattern: re.Pattern[str], text: str, expected: str) -> Quoted:
    if not pattern.match(text):
        raise PlanError(f"Expected {expected} for a recipe, not {text[:60]!a}")
    return Quoted(text)
