r"""The programs of a package's entry points: what each calls, and what installers write for it.

A program is an interpreter's line and a text that calls one function. pip writes distlib's text or
its own, uv, conda and `unpack` beside this write theirs; all say the same. No other text is taken
for one of them. Beside `verify`. Syntax for Python 3.6 and newer, standard library only.

>>> text = b"[console_scripts]\ntool = pkg.cli:main [color]\n"
>>> targets(text)
{'tool': ('pkg.cli', 'main')}
>>> line = b"#!/env/bin/python\n"
>>> is_wrapper(line + b"import sys\nfrom pkg.cli import main\nsteal()\n", ("pkg.cli", "main"))
False
"""

import re

if __package__:
    from envsnap.inside import content, outside
else:  # beside this file, wherever that is
    import content  # type: ignore[import-not-found, no-redef]
    import outside  # type: ignore[import-not-found, no-redef]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Entry = tuple[str, str]
    """A module, and what is called in it: 'main' or 'Command.run'."""

_TARGET = re.compile(r"([^\W\d]\w*(?:\.\w+)*)\s*:\s*([^\W\d]\w*(?:\.\w+)*)\s*(?:\[[^\]]*\])?")
_VERSIONED = re.compile(r"(pip)3?(?:\.[0-9]+)?|(easy_install)-3\.[0-9]+")
"""What pip names after the Python that it installs pip and easy_install for."""
_NAME = rb"python(?:3(?:\.[0-9]+t?)?)?"
_CODING = rb"\n?(?:# -\*- coding: utf-8 -\*-\n)?"
_IMPORT = rb"from (?P<module>[^\s;#]+) import (?P<first>[^\s;#]+)\n"
_IF = rb"if __name__ == (?P<q>['\"])__main__(?P=q):\n"
_CALL = rb"sys\.exit\((?P<call>[^\s;#()]+)\(\)\)\s*"
_TAB = rb"(?P<tab>    |\t)"
_RE = (
    rb"sys\.argv\[0\] = re\.sub\(r?(?P=q)\(-script\\\.pyw\??\|\\\.exe\)\?\$(?P=q), (?P=q){2}, "
    rb"sys\.argv\[0\]\)\n(?P=tab)" + _CALL
)
_ENDS = rb"if sys\.argv\[0\]\.endswith\((?P=q)%s(?P=q)\):\n        sys\.argv\[0\] = sys\.argv\[0\]"
_PYW = _ENDS % rb"-script\.pyw" + rb"\[:-11\]\n    el"
_EXE = _ENDS % rb"\.exe" + rb"\[:-4\]\n    "
_SUFFIX = rb"sys\.argv\[0\] = sys\.argv\[0\]\.removesuffix\((?P=q)\.exe(?P=q)\)\n    "
_BODIES = tuple(
    re.compile(each)
    for each in (
        _CODING + rb"import re\nimport sys\n\n?" + _IMPORT + rb"\n?" + _IF + _TAB + _RE,
        _CODING + rb"import re\nimport sys\n" + _IF + _TAB + _IMPORT + rb"(?P=tab)" + _RE,
        _CODING + rb"import sys\n" + _IMPORT + _IF + b"    (?:" + _PYW + b")?" + _EXE + _CALL,
        rb"import sys\n" + _IMPORT + _IF + b"    (?:" + _SUFFIX + b")?" + _CALL,
    )
)
"""Of distlib, conda, earlier uv and pip; of distlib today; of uv and pip; of pip and `unpack`."""


def targets(entry_points: bytes) -> "dict[str, Entry]":
    """What each program of an entry_points.txt calls; one of another form is left out."""
    found = {}
    for name, called in content.scripts_of(entry_points).items():
        match = _TARGET.fullmatch(called.decode("utf-8", "replace"))
        if match is not None:
            found[name.decode("utf-8", "surrogateescape")] = (match.group(1), match.group(2))
    return found


def target_of(name: str, known: "Mapping[str, Entry]") -> "Entry | None":
    """What a program of this name calls, also where pip wrote a version into its own name."""
    found = known.get(name)
    versioned = _VERSIONED.fullmatch(name) if found is None else None
    if versioned is not None:
        return known.get(versioned.group(1) or versioned.group(2))
    return found


def interpreter(text: bytes, folder: str) -> "str | None":
    """The name of the Python in `folder` that starts a program; None where another thing may.

    A path too long for the kernel, or one with a space, is handed to /bin/sh on the second line.
    """
    own = folder.encode("utf-8", "surrogateescape")
    found = outside.handed(text, own)
    first = text.partition(b"\n")[0]
    command = found[0] if found else first[2:] if first.startswith(b"#!") else b""
    match = re.fullmatch(re.escape(own + b"/") + b"(" + _NAME + b")", command)
    return match.group(1).decode() if match else None


def called(text: bytes) -> "Entry | None":
    """What a program calls that an installer wrote; None where it is of no installer's form."""
    body = _body(text)
    match = next(filter(None, (each.fullmatch(body) for each in _BODIES)), None)
    if match is None:
        return None
    try:
        module, first, call = (match.group(each).decode() for each in ("module", "first", "call"))
    except UnicodeDecodeError:
        return None
    return (module, call) if first == call.partition(".")[0] else None


def is_wrapper(text: bytes, entry: "Entry") -> bool:
    """Whether a program's text, after its interpreter's line, is an installer's for that entry."""
    return called(text) == entry


def _body(text: bytes) -> bytes:
    """The text after the interpreter's lines, whichever interpreter they name."""
    first, _, rest = text.partition(b"\n")
    if first == b"#!/bin/sh" and rest.startswith(b"'''exec' "):
        return rest.partition(b"\n")[2].partition(b"\n")[2]
    return rest
