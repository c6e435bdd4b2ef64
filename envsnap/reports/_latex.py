"""Text as LaTeX: every character that means something there is spelled out."""

from __future__ import annotations

from collections.abc import Iterable

from envsnap._typing import NamedTuple


class Word(NamedTuple):
    """A code or an id: in typewriter, where the form has one."""

    text: str


Piece = str | Word

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\char34{}",
    "'": r"'{}", "`": r"\textasciigrave{}", "-": r"-{}", ",": r",{}", "!": r"!{}", "?": r"?{}",
    "…": r"\ldots{}", "\N{NO-BREAK SPACE}": "~",
}  # fmt: skip
r"""Those of TeX, and those that fonts would join to another one: two hyphens, two quotes, ?`."""
_JOINS = {"-": "-", "'": "'", ",": ",", "!": "`", "?": "`"}
_LETTERS = frozenset("ßæÆøØœŒłŁı")
_LAST_LATIN = "\N{LATIN SMALL LETTER Z WITH CARON}"
_ACCENTS = frozenset(
    map(chr, (*range(0x300, 0x305), *range(0x306, 0x309), *range(0x30A, 0x30D), 0x327))
)
"""The accents that TeX's first fonts can set on a letter: those that pdflatex was seen to print."""


def joined_plain(pieces: Iterable[Piece]) -> str:
    """The pieces as plain text."""
    return "".join(each.text if isinstance(each, Word) else each for each in pieces)


def joined_latex(pieces: Iterable[Piece]) -> str:
    r"""The pieces as LaTeX.

    >>> joined_latex(["a_b (", Word("GPU003"), ")"])
    'a\\_b (\\texttt{GPU003})'
    """
    return "".join(
        rf"\texttt{{{escaped(each.text)}}}" if isinstance(each, Word) else escaped(each)
        for each in pieces
    )


def escaped(text: str) -> str:
    r"""Text that LaTeX prints as it stands, whoever wrote it.

    Letters with the usual accents stay, every LaTeX since 2018 reads them; of others the code
    point is told, for a document without their fonts would not compile.

    >>> escaped("100% & {x} --force"), escaped("\u03b1")
    ('100\\% \\& \\{x\\} -{}-force', '[U+03B1]')
    """
    following = [*text[1:], ""]
    return "".join(map(_character, text, following))


def _character(char: str, following: str) -> str:
    if char in _JOINS:
        return _SPECIAL[char] if following == _JOINS[char] else char
    if char in _SPECIAL:
        return _SPECIAL[char]
    if char.isascii():
        return char if char.isprintable() else " "
    return char if _is_letter(char) else f"[U+{ord(char):04X}]"


def _is_letter(char: str) -> bool:
    """Whether every LaTeX prints the letter as it stands."""
    from unicodedata import normalize  # start-up

    parts = normalize("NFD", char)
    is_accented = parts[:1].isascii() and parts[1:] in _ACCENTS and char <= _LAST_LATIN
    return char in _LETTERS or is_accented
