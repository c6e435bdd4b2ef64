"""The variables that a SIF's own scripts set, read as text: nothing is run."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from envsnap._typing import NamedTuple
from envsnap.images import ImageTree
from envsnap.proof._apptainer import FOLDER, OWN

_EXPORT = re.compile(r"\s*export ([A-Za-z_][A-Za-z0-9_]*)=(.*)\Z")
_DEFAULT = re.compile(r'"\$\{(\w+):-(?:"((?:[^"`$\\]|\\.)*)")?\}"\Z')
"""How Apptainer writes a variable of the image that it made the SIF from."""
_PIECE = re.compile(
    r"'(?P<single>[^']*)'|\"(?P<double>(?:[^\"`$\\]|\\.|\$\w+|\$\{\w+\})*)\""
    r"|\\(?P<escaped>.)|(?P<bare>[A-Za-z0-9_./:=,@%+-]+)"
)
_IN_QUOTES = re.compile(r"\\([\\\"$`])|\$\{?(\w+)\}?")
_KNOWN = re.compile(r"(?:01-base|10-docker2singularity|9[01]-environment|94-appsbase|95-apps|"
                    r"99-base|99-runtimevars)\.sh\Z")  # fmt: skip


class Said(NamedTuple):
    """What the scripts of a SIF say."""

    variables: Mapping[str, str]
    """After all of them, in their order."""
    strange: tuple[str, ...]
    """Scripts that neither Apptainer nor a definition writes."""
    unread: tuple[str, ...]
    """Scripts with more in them than variables."""


def said_by(tree: ImageTree) -> Said:
    """The variables of a SIF, as each start of it sets them."""
    variables: dict[str, str] = {}
    strange, unread = [], []
    for path, entry in tree.below(f"{FOLDER}/env"):
        inner = path.removeprefix(f"{FOLDER}/")
        if entry.kind == "file" and (
            entry.sha256 in OWN.get(inner, ()) or not path.endswith(".sh")
        ):
            continue
        if entry.kind != "file" or not _KNOWN.match(posixpath.basename(path)):
            strange.append(path)
        elif not _read(tree.contents.get(path), variables):
            unread.append(path)
    return Said(variables, tuple(strange), tuple(unread))


def _read(text: bytes | None, variables: dict[str, str]) -> bool:
    """Whether it is nothing but `export NAME=VALUE`; the variables are kept."""
    if text is None:
        return False
    for line in text.decode("utf-8", "surrogateescape").split("\n"):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _EXPORT.match(line)
        value = match and value_of(match[2].rstrip(), match[1], variables)
        if match is None or value is None:
            return False
        variables[match[1]] = value
    return True


def value_of(text: str, name: str, variables: Mapping[str, str]) -> str | None:
    r"""What a shell would make of the right side of an assignment; None where it could run one.

    >>> value_of("'/opt/env/bin':\"$PATH\"", "PATH", {"PATH": "/bin"})
    '/opt/env/bin:/bin'
    >>> value_of('"${LANG:-"C.UTF-8"}"', "LANG", {}), value_of('"$(id)"', "A", {})
    ('C.UTF-8', None)
    """
    default = _DEFAULT.match(text)
    if default is not None:
        return _plain(default[2] or "", variables) if default[1] == name else None
    found, at = [], 0
    while at < len(text):
        match = _PIECE.match(text, at)
        if match is None:
            return None
        at = match.end()
        if match["double"] is not None:
            found.append(_plain(match["double"], variables))
        else:
            found.append(match["single"] or match["escaped"] or match["bare"] or "")
    return "".join(found)


def _plain(text: str, variables: Mapping[str, str]) -> str:
    return _IN_QUOTES.sub(lambda each: each[1] or variables.get(each[2] or "", ""), text)
