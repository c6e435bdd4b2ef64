"""Others' words inside Markdown that GitHub renders: they stay text, whatever they say."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable

from envsnap._typing import NamedTuple
from envsnap.reports._remedy import pieces
from envsnap.reports._shown import shown

_LONGEST = 300
"""Characters of one cell; what is longer is cut, and stands whole in the JSON report."""
_SPARE = 4
_NOTHING = "&#8203;"
"""A space of no width: behind it a name is no mention, a number no issue, an address no link."""
_MARKS = re.compile(
    r"(?P<mark>[\\`*_\[\]|~$])|(?P<html>[&<>\"])|(?P<name>[@#])|(?P<issue>\bGH-(?=\d))"
    r"|(?P<scheme>:(?=//))|(?P<www>\bwww(?=\.))",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"https://[!#-;=?-Z_a-z~%]+\Z")


def escaped(text: str, *, longest: int = _LONGEST) -> str:
    r"""Text that renders as itself: no markup, mention, reference or link comes of it.

    >>> escaped("a|b <i> @you #1")
    'a\\|b &lt;i&gt; @&#8203;you #&#8203;1'
    """
    return _MARKS.sub(_escape, one_line(text, longest=longest))


def _escape(found: re.Match[str]) -> str:
    match found.lastgroup:
        case "mark":
            return f"\\{found[0]}"
        case "html":
            return html.escape(found[0])
        case _:
            return f"{found[0]}{_NOTHING}"


def in_html(text: str) -> str:
    """The same inside an element of HTML, where Markdown is not read.

    >>> in_html("*a* <b> @you")
    '*a* &lt;b&gt; @&#8203;you'
    """
    return re.sub(r"(?<!&)[@#]", rf"\g<0>{_NOTHING}", html.escape(one_line(text), quote=False))


def code(text: str) -> str:
    """Text as code in a line of its own; a longer fence than any in it surrounds it.

    >>> code("envsnap explain `x`")
    '`` envsnap explain `x` ``'
    """
    words = one_line(text, longest=1000)
    runs = [len(each) for each in re.findall("`+", words)]
    fence = "`" * (max(runs, default=0) + 1)
    gap = " " if runs else ""
    return f"{fence}{gap}{words}{gap}{fence}"


def in_cell(text: str) -> str:
    r"""Code that may stand in a table, where a bar would end its cell.

    >>> in_cell("dmesg | grep Xid")
    '`dmesg \\| grep Xid`'
    """
    return code(text).replace("|", "\\|")


def remedy(words: str) -> str:
    """What mends something, its commands as code that can be copied."""
    return "".join(
        in_cell(each.text) if each.is_command else _with_its_spaces(each.text)
        for each in pieces(words)
    )


def _with_its_spaces(text: str) -> str:
    """Text, its outer spaces kept: it stands between commands."""
    before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return f"{before and ' '}{escaped(text)}{after and ' '}" if text.strip() else " "


def linked(words: str, url: str | None) -> str:
    """Words with a link, where the address is one of the web and nothing else."""
    if url is None or not _ADDRESS.match(url):
        return escaped(words)
    return f"[{escaped(words)}]({url.replace('(', '%28').replace(')', '%29')})"


def one_line(text: str, *, longest: int = _LONGEST) -> str:
    """Text on one line, its control characters spelled out, cut where it is too long."""
    some = text[: longest * _SPARE]  # no time is spent on what is cut anyway
    words = " ".join(shown(some.replace("\n", " ").replace("\t", " ")).split())
    if len(words) > longest or len(some) < len(text):
        return f"{words[: longest - 1]}…"
    return words


class Block(NamedTuple):
    """A part of a page: what begins it, rows of which some may be left out, what ends it."""

    head: str
    rows: tuple[str, ...] = ()
    tail: str = ""
    more: Callable[[int], str] = "{} more".format
    """What stands for rows that were left out."""


def table(titles: Iterable[str], rows: Iterable[Iterable[str]], head: str = "") -> Block:
    """A table under its heading."""
    names = list(titles)
    top = f"| {' | '.join(names)} |\n|{' --- |' * len(names)}\n"

    def more(number: int) -> str:
        return f"| {number} more{' |' * len(names)}\n"

    return Block(f"{head}{top}", tuple(f"| {' | '.join(row)} |\n" for row in rows), "\n", more)


def folded(summary: str, rows: Iterable[str]) -> Block:
    """A list that opens on a click."""
    head = f"<details><summary>{in_html(summary)}</summary>\n\n"
    return Block(
        head, tuple(f"- {each}\n" for each in rows), "\n</details>\n\n", "- {} more\n".format
    )


def fitted(blocks: Iterable[Block], limit: int, end: str) -> str:
    """The blocks as one text of at most that many characters; `end` says that some was cut."""
    done: list[str] = []
    room = limit - len(end)
    for block in blocks:
        frame = len(block.head) + len(block.tail) + len(block.more(len(block.rows)))
        if frame > room:
            return "".join(done) + end
        rows: list[str] = []
        left = room - frame
        for row in block.rows:
            left -= len(row)
            if left < 0:
                rows.append(block.more(len(block.rows) - len(rows)))
                break
            rows.append(row)
        whole = "".join((block.head, *rows, block.tail))
        done.append(whole)
        room -= len(whole)
    return "".join(done)
