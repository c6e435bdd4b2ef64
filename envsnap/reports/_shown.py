"""Others' words as they stand on a screen: escapes spelled out, long names cut, lines filled.

What is cleaned and cut before a line is filled cannot push what stands beside it out of place.
"""

from __future__ import annotations

import re

_LONGEST = 100
"""A name of more characters than this is cut: paths inside an environment have fewer."""
_KEPT = 60
_MOST = 4000
"""A whole paragraph for a paper has fewer characters than this."""
_LONG = re.compile(rf"\S{{{_LONGEST + 1},}}")
_UNIT = re.compile(r"(?<=\d) (?=(?:s|ms|min|h|B|kB|MB|GB|MiB|GiB)\b)")
NO_BREAK = "\N{NO-BREAK SPACE}"


def clean(text: str) -> str:
    r"""Text whose control characters are spelled out: a manifest's words may be hostile.

    >>> clean("numpy\x1b[2J")
    'numpy\\x1b[2J'
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode()
        for char in text
    )


def bounded(text: str, longest: int = _MOST) -> str:
    r"""Text cleaned, and cut in its middle where somebody made it very long.

    >>> bounded("a" * 50 + "b" * 50, 10)
    'aaaaa … bbbbb (100 characters)'
    """
    if len(text) <= longest:
        return clean(text)
    half = longest // 2
    return f"{clean(text[:half])} … {clean(text[-half:])} ({len(text)} characters)"


def shown(text: str) -> str:
    r"""Text cleaned, and its longest names cut to their start and their end.

    >>> shown("lacks lib" + "x" * 3000 + ".so.1\x1b[2J")[-24:]
    'xxxxxxxxxxxx.so.1\\x1b[2J'
    """
    return _LONG.sub(_cut, clean(text))


def _cut(found: re.Match[str]) -> str:
    name = found[0]
    return f"{name[:_KEPT]}…{name[_KEPT - _LONGEST + 1 :]}"


def filled(text: str, width: int, *, first: str = "", rest: str = "") -> list[str]:
    """Text in lines of at most that width, as `shown`; a number keeps its unit beside it.

    >>> filled("math 0.02 s", 10, first="  ", rest="  ")
    ['  math', '  0.02 s']
    """
    import textwrap  # start-up

    lines = textwrap.wrap(
        joined(shown(text)), width, initial_indent=first, subsequent_indent=rest,
        break_on_hyphens=False,
    )  # fmt: skip
    return [each.replace(NO_BREAK, " ") for each in lines]


def joined(text: str) -> str:
    """Text in which no line can end between a number and its unit."""
    return _UNIT.sub(NO_BREAK, text)
