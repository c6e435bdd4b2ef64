"""A Dockerfile, taken apart as BuildKit does it: directives, continuations, comments, stages."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from envsnap._typing import NamedTuple
from envsnap.lint._files import Beside
from envsnap.lint._recipe import Base, Copied, Script, Setting, script_settings
from envsnap.lint._shell import Heredoc, parse

_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*\Z")
_DIRECTIVES = frozenset({"syntax", "escape", "check"})
_HEREDOC = re.compile(r"(?<![<\\])<<(-?)(?!<)\s*([\"']?)([A-Za-z_][A-Za-z0-9_.-]*)\2")
_MOST_HEREDOCS = 64
"""Of one instruction; each is looked for to the end of the file."""
_TAKES_HEREDOC = frozenset({"RUN", "COPY", "ADD"})
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?([-+])([^}]*))?\})", re.ASCII)


class Instruction(NamedTuple):
    """One instruction, whole."""

    name: str
    """In capitals."""
    flags: tuple[tuple[str, str], ...]
    """`--name=value` in front of it."""
    value: str
    """What follows, its lines joined as BuildKit joins them."""
    script: str
    """The same with its line ends kept, each behind a backslash."""
    line: int
    last: int
    heredocs: tuple[Heredoc, ...]

    def flag(self, name: str) -> str | None:
        """The value of a flag; None where it is not given."""
        return next((value for each, value in self.flags if each == name), None)


class Stage(NamedTuple):
    """What follows one FROM."""

    name: str
    base: str
    own: bool
    """Whether it starts from an earlier stage."""
    line: int
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True, eq=False)
class Dockerfile:
    """A parsed Dockerfile."""

    beside: Beside
    name: str
    directives: tuple[tuple[str, str, int], ...]
    misplaced: tuple[tuple[str, int], ...]
    """Comments that look like directives and stand too late to be any."""
    instructions: tuple[Instruction, ...]

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """In order."""
        return tuple(_stages(self.instructions))

    @property
    def bases(self) -> tuple[Base, ...]:
        """The images that stages start from."""
        return tuple(
            Base(each.base, each.line)
            for each in self.stages
            if not each.own and each.base != "scratch"
        )

    @cached_property
    def scripts(self) -> tuple[Script, ...]:
        """What RUN runs in a shell."""
        return tuple(found for stage in self.stages for found in _scripts(stage))

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """ENV, ARG, LABEL, and what scripts set."""
        found = [setting for each in self.instructions for setting in settings_of(each)]
        return (*found, *script_settings(self.scripts))

    @cached_property
    def copied(self) -> tuple[Copied, ...]:
        """What COPY and ADD take from the context."""
        found = []
        for each in self.instructions:
            if each.name in {"COPY", "ADD"} and each.flag("from") is None and not each.heredocs:
                words = words_of(each.value)
                if len(words) > 1:
                    found.append(Copied(tuple(words[:-1]), words[-1], each.line))
        return tuple(found)


def dockerfile(text: str, beside: Beside, name: str = "Dockerfile") -> Dockerfile:
    """A Dockerfile's text, parsed."""
    rows = text.split("\n")
    directives, misplaced = _directives(rows)
    escape = next((value for each, value, _ in directives if each == "escape"), "\\")
    return Dockerfile(
        beside, name, tuple(directives), tuple(misplaced),
        tuple(_instructions(rows, escape if escape in {"\\", "`"} else "\\")),
    )  # fmt: skip


def _directives(rows: list[str]) -> tuple[list[tuple[str, str, int]], list[tuple[str, int]]]:
    """The directives at the top, and the comments further down that only look like one."""
    found: list[tuple[str, str, int]] = []
    late: list[tuple[str, int]] = []
    top = True
    for number, row in enumerate(rows, 1):
        match = _DIRECTIVE.match(row.strip())
        name = match[1].lower() if match else ""
        if top and match and name in _DIRECTIVES:
            found.append((name, match[2], number))
            continue
        top = False
        if match and name in {"syntax", "escape"}:
            late.append((name, number))
    return found, late


def _instructions(rows: list[str], escape: str) -> list[Instruction]:
    found = []
    at = 0
    while at < len(rows):
        if not rows[at].strip() or rows[at].lstrip().startswith("#"):
            at += 1
            continue
        first = at
        parts: list[str] = []
        at = _logical(rows, at, escape, parts)
        words = parts[0].lstrip().split(None, 1)
        name = words[0].upper()
        parts[0] = words[1] if len(words) > 1 else ""
        heredocs: list[Heredoc] = []
        if name in _TAKES_HEREDOC:
            heredocs = _bodies(rows, at, "\n".join(parts), first + 1)
            at = (
                heredocs[-1].body[-1][0] + 1
                if heredocs and heredocs[-1].body
                else at + len(heredocs)
            )
        flags, rest = _flags("\\\n".join(parts))
        joined = rest.replace("\\\n", "")
        found.append(Instruction(name, flags, joined, rest, first + 1, at, tuple(heredocs)))
    return found


def _logical(rows: list[str], at: int, escape: str, parts: list[str]) -> int:
    """Gather the rows of one instruction, each with an empty one for a comment inside of it."""
    while at < len(rows):
        row = rows[at]
        at += 1
        if parts and (not row.strip() or row.lstrip().startswith("#")):
            parts.append("")  # dropped by BuildKit; here it keeps the count of lines
            continue
        bare = row.rstrip()
        if not bare.endswith(escape):
            parts.append(row)
            break
        parts.append(bare[:-1])
    return at


def _bodies(rows: list[str], at: int, said: str, line: int) -> list[Heredoc]:
    """The heredocs of an instruction whose own lines end there, one after the other."""
    found = []
    for match in islice(_HEREDOC.finditer(said), _MOST_HEREDOCS):
        end = at
        while end < len(rows) and (rows[end].lstrip("\t") if match[1] else rows[end]) != match[3]:
            end += 1
        if end == len(rows):  # not closed: an old trick with escapes, or no heredoc at all
            continue
        body = tuple((number + 1, rows[number]) for number in range(at, end))
        found.append(Heredoc(match[3], line, body, closed=True))
        at = end + 1
    return found


def _flags(text: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """The flags in front of an instruction's value, and what follows; line ends stay in there."""
    found: list[tuple[str, str]] = []
    rest, skipped = text, ""
    while True:
        bare = rest.lstrip(" \t")
        if bare.startswith("\\\n"):
            skipped += "\\\n"
            rest = bare[2:]
            continue
        match = re.match(r"--([a-z-]+)(?:=(\S*))?(?=\s|\\\n|\Z)", bare)
        if match is None:
            return tuple(found), skipped + bare
        found.append((match[1], match[2] or ""))
        rest = bare[match.end() :]


def _stages(instructions: tuple[Instruction, ...]) -> list[Stage]:
    found: list[Stage] = []
    given: dict[str, str] = {}
    start: tuple[str, str, int] | None = None
    below: list[Instruction] = []

    def end() -> None:
        if start is not None:
            name, base, line = start
            own = base.lower() in {each.name for each in found} or base.isdecimal()
            found.append(Stage(name, base, own, line, tuple(below)))

    for each in instructions:
        if each.name == "FROM":
            end()
            words = each.value.split() or [""]
            named = words[2].lower() if words[1:2] and words[1].upper() == "AS" else ""
            start = (named, substituted(words[0], given), each.line)
            below = []
        elif start is None and each.name == "ARG":
            given.update({row.name: row.value for row in settings_of(each) if row.value})
        else:
            below.append(each)
    end()
    return found


def substituted(text: str, given: Mapping[str, str]) -> str:
    """Text with its variables put in, as far as they are known; the others stay as they are."""

    def value(match: re.Match[str]) -> str:
        known = given.get(match[1] or match[2])
        if match[3] == "-":
            return known or match[4]
        if match[3] == "+":
            return match[4] if known else ""
        return match[0] if known is None else known

    return _VARIABLE.sub(value, text)


def settings_of(each: Instruction) -> list[Setting]:
    """What one instruction sets; of a form that BuildKit refuses, what can be read of it."""
    if each.name not in {"ENV", "ARG", "LABEL"}:
        return []
    raw = raw_words(each.value)
    if each.name != "ARG" and raw and "=" not in raw[0]:
        name, _, value = each.value.strip().partition(" ")
        return [Setting(each.name, name, value.strip(), each.line)]
    rows = [word.partition("=") for word in raw]
    return [
        Setting(each.name, unquoted(name), unquoted(value) if equals else None, each.line)
        for name, equals, value in rows
    ]


def raw_words(text: str) -> list[str]:
    """The words of an ENV or LABEL, with their quotes, as BuildKit splits them."""
    found, word, quote, at = [], "", "", 0
    while at < len(text):
        char = text[at]
        if char == "\\" and quote != "'":
            word += text[at : at + 2]
            at += 2
            continue
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char.isspace():
            found += [word] if word else []
            word = ""
            at += 1
            continue
        word += char
        at += 1
    return found + ([word] if word else [])


def unquoted(raw: str) -> str:
    """A word as BuildKit reads it, variables apart."""
    text, quote, at = "", "", 0
    while at < len(raw):
        char = raw[at]
        if char == "\\" and quote != "'":
            text += raw[at + 1 : at + 2]
            at += 2
            continue
        if quote and char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        else:
            text += char
        at += 1
    return text


def words_of(value: str) -> list[str]:
    """The words of a COPY, in either of its forms."""
    if value.lstrip().startswith("["):
        try:
            return [str(each) for each in json.loads(value)]
        except ValueError:
            pass
    return [unquoted(each) for each in raw_words(value)]


def mounts_of(each: Instruction) -> tuple[Mapping[str, str], ...]:
    """The mounts of a RUN."""
    return tuple(
        {name: value for name, _, value in (part.partition("=") for part in text.split(","))}
        for flag, text in each.flags
        if flag == "mount"
    )


def _scripts(stage: Stage) -> list[Script]:
    found = []
    shell, pipefail = "sh", False
    variables: dict[str, str] = {}
    for each in stage.instructions:
        variables.update({row.name: row.value for row in settings_of(each) if row.value})
        if each.name == "SHELL":
            words = words_of(each.value)
            shell = words[0].rpartition("/")[2] if words else "sh"
            pipefail = "pipefail" in words or any("pipefail" in word for word in words)
        elif each.name == "RUN" and not each.value.lstrip().startswith("["):
            found.append(_script(each, shell, dict(variables), pipefail=pipefail))
    return found


def _script(each: Instruction, shell: str, given: Mapping[str, str], *, pipefail: bool) -> Script:
    # A heredoc that stands alone is the script itself.
    alone = len(each.heredocs) == 1 and _HEREDOC.fullmatch(each.value.strip()) is not None
    if alone:
        body = each.heredocs[0].body
        parsed = parse("\n".join(row for _, row in body), body[0][0] if body else each.line)
    else:
        parsed = parse(each.script, each.line)
    strict = pipefail or any(
        command.name == "set" and "pipefail" in command.words for command in parsed.commands
    )
    return Script(
        parsed.commands, each.heredocs or parsed.heredocs, each.line, mounts_of(each), shell,
        strict, given,
    )  # fmt: skip
