"""A script of a POSIX shell, taken apart into its simple commands. Nothing of it is run.

Wrong shell is read as far as it goes: a linter must not fall over what it was given.
"""

from __future__ import annotations

import re

from envsnap._typing import NamedTuple

_KEYWORDS = frozenset({"if", "then", "else", "elif", "do", "while", "until", "!", "{", "("})
_PREFIXES = frozenset({"sudo", "env", "exec", "time", "command", "nohup", "-E", "-H"})
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)\+?=", re.ASCII)
_BASH_EXPANSION = re.compile(r"\$\{!?\w+(?:\[|/|\^|,|:[0-9 -]*[0-9])", re.ASCII)
_OPERATORS = ("&&", "||", ";;", "|&", "|", ";", "&", "(", ")")
_REDIRECTIONS = ("&>>", "&>", "<<<", "<<-", "<<", ">>", ">&", "<&", "<>", ">|", "<", ">")


class Command(NamedTuple):
    """One simple command."""

    words: tuple[str, ...]
    """Without quotes, and without keywords and assignments before it."""
    raw: tuple[str, ...]
    """The same words as they are written."""
    assigned: tuple[tuple[str, str], ...]
    line: int
    piped: bool
    """Whether its output goes into another command."""
    marks: tuple[str, ...]
    """What only bash understands of it, as written."""

    @property
    def name(self) -> str:
        """The program, without its folder."""
        return self.words[0].rpartition("/")[2] if self.words else ""


class Heredoc(NamedTuple):
    """Lines that are a command's input."""

    word: str
    line: int
    """Of the command."""
    body: tuple[tuple[int, str], ...]
    """Its lines, each with its number."""
    closed: bool


class Parsed(NamedTuple):
    """A whole script."""

    commands: tuple[Command, ...]
    heredocs: tuple[Heredoc, ...]


def parse(text: str, first: int = 1) -> Parsed:
    """The commands of a script whose first line has that number."""
    reader = _Reader(text, first)
    reader.read()
    return Parsed(tuple(reader.commands), tuple(reader.heredocs))


class _Reader:
    """One way through the text."""

    def __init__(self, text: str, first: int) -> None:
        self.text = text
        self.at = 0
        self.line = first
        self.commands: list[Command] = []
        self.heredocs: list[Heredoc] = []
        self._waiting: list[tuple[str, bool, int]] = []
        self._words: list[tuple[str, str]] = []
        self._start = first
        # In pieces, for a word may be as long as the whole file.
        self._word: list[str] = []
        self._raw: list[str] = []
        self._target: str | None = None
        self._marks: list[str] = []

    def read(self) -> None:
        """Read to the end."""
        while self.at < len(self.text):
            self._step()
        self._end_command(piped=False)
        self._take_heredocs()

    def _step(self) -> None:
        char = self.text[self.at]
        if self._starts("\\\n"):
            self._pass(2)
        elif char == "\n":
            self._end_command(piped=False)
            self._pass(1)
            self._take_heredocs()
        elif char.isspace():
            self._end_word()
            self._pass(1)
        elif char == "#" and not self._raw:
            self._pass(max(self._until("\n"), 1))
        elif char in "\\'\"$`":
            self._quoted(char)
        else:
            self._operator_or_plain(char)

    def _operator_or_plain(self, char: str) -> None:
        if self._starts("<(") or self._starts(">("):
            self._marks.append(self.text[self.at : self.at + 2])
            self._add(self._balanced(self.at + 1))
            return
        redirection = next((each for each in _REDIRECTIONS if self._starts(each)), None)
        operator = next((each for each in _OPERATORS if self._starts(each)), None)
        if redirection is not None:
            self._redirect(redirection)
        elif operator is not None:
            if operator == "(" and self._raw and self._raw[-1].endswith("="):
                self._marks.append(f"{''.join(self._raw)}(...)")
            elif operator == "|&":
                self._marks.append("|&")
            self._end_command(piped=operator in {"|", "|&"})
            self._pass(len(operator))
        else:
            self._add(char)

    def _redirect(self, operator: str) -> None:
        if "".join(self._raw).isdecimal():  # the number of what is redirected
            self._word, self._raw = [], []
        self._end_word()
        if operator in {"&>", "&>>", "<<<"}:
            self._marks.append(operator)
        self._target = operator
        self._pass(len(operator))

    def _quoted(self, char: str) -> None:
        if char == "\\":
            self._add(self.text[self.at : self.at + 2], self.text[self.at + 1 : self.at + 2])
        elif char == "'":
            end = self.text.find("'", self.at + 1)
            end = len(self.text) if end < 0 else end
            self._add(self.text[self.at : end + 1], self.text[self.at + 1 : end])
        elif char == '"':
            self._in_double_quotes()
        elif char == "`":
            self._add(self.text[self.at : self.at + 1 + self._until("`", 1)])
        else:
            self._expansion()

    def _in_double_quotes(self) -> None:
        end, text = self.at + 1, ""
        while end < len(self.text) and self.text[end] != '"':
            if self.text[end] == "\\":
                # Only before these does a backslash in double quotes mean anything.
                skipped = self.text[end + 1 : end + 2]
                text += "" if skipped == "\n" else skipped if skipped in '"\\$`' else f"\\{skipped}"
                end += 2
                continue
            stop = self._balanced_end(end + 1) if self.text.startswith("$(", end) else end + 1
            text += self.text[end:stop]
            end = stop
        self._note_expansions(text)
        self._add(self.text[self.at : end + 1], text)

    def _expansion(self) -> None:
        if self._starts("$("):
            self._add("$" + self._balanced(self.at + 1))
        elif self._starts("${"):
            whole = self.text[self.at : self.at + self._until("}") + 1]
            self._note_expansions(whole)
            self._add(whole)
        else:
            if self._starts("$'"):
                self._marks.append("$'...'")
            self._add("$")

    def _note_expansions(self, text: str) -> None:
        self._marks += [f"{found[0]}...}}" for found in _BASH_EXPANSION.finditer(text)]

    def _balanced(self, opening: int) -> str:
        return self.text[opening : self._balanced_end(opening)]

    def _balanced_end(self, opening: int) -> int:
        """Where the parenthesis that opens there is closed; quotes inside are respected."""
        depth, at, quote = 0, opening, ""
        while at < len(self.text):
            char = self.text[at]
            if char == "\\" and quote != "'":
                at += 1
            elif quote:
                quote = "" if char == quote else quote
            elif char in "'\"":
                quote = char
            elif char == "(":
                depth += 1
            elif char == ")":
                depth -= 1
                if depth == 0:
                    return at + 1
            at += 1
        return len(self.text)

    def _starts(self, text: str) -> bool:
        return self.text.startswith(text, self.at)

    def _until(self, char: str, skip: int = 0) -> int:
        """How far away a character is; to the end where there is none."""
        found = self.text.find(char, self.at + skip)
        return (len(self.text) if found < 0 else found) - self.at

    def _pass(self, count: int) -> None:
        self.line += self.text.count("\n", self.at, self.at + count)
        self.at += count

    def _add(self, raw: str, text: str | None = None) -> None:
        if not self._raw and not self._words:
            self._start = self.line
        self._raw.append(raw)
        self._word.append(raw if text is None else text)
        self._pass(len(raw))

    def _end_word(self) -> None:
        if not self._raw:
            return
        word = "".join(self._word)
        if self._target is not None:
            if self._target in {"<<", "<<-"}:
                self._waiting.append((word, self._target == "<<-", self._start))
            self._target = None
        else:
            self._words.append((word, "".join(self._raw)))
        self._word, self._raw = [], []

    def _end_command(self, *, piped: bool) -> None:
        self._end_word()
        self._target = None
        words, assigned = _stripped(self._words)
        if words or assigned or self._marks:
            self.commands.append(
                Command(
                    tuple(text for text, _ in words), tuple(raw for _, raw in words),
                    tuple(assigned), self._start, piped, tuple(self._marks),
                )
            )  # fmt: skip
        self._words, self._marks = [], []

    def _take_heredocs(self) -> None:
        for word, tabs, started in self._waiting:
            body: list[tuple[int, str]] = []
            closed = False
            while self.at < len(self.text) and not closed:
                row = self.text[self.at : self.at + self._until("\n")]
                closed = (row.lstrip("\t") if tabs else row) == word
                if not closed:
                    body.append((self.line, row))
                self._pass(len(row) + 1)
            self.heredocs.append(Heredoc(word, started, tuple(body), closed))
        self._waiting = []


def _stripped(
    words: list[tuple[str, str]],
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The words without keywords, prefixes and assignments in front; and those assignments."""
    assigned: list[tuple[str, str]] = []
    at = 0
    while at < len(words):
        text, raw = words[at]
        found = _ASSIGNED.match(raw)
        if found is not None:
            assigned.append((found[1], text.partition("=")[2]))
        elif raw not in _KEYWORDS and raw not in _PREFIXES:
            break
        at += 1
    return words[at:], assigned
