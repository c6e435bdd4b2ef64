"""An Apptainer or Singularity definition, taken apart as `apptainer build` does it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from envsnap._typing import NamedTuple
from envsnap.lint._files import Beside
from envsnap.lint._recipe import Base, Copied, Script, Setting, script_settings
from envsnap.lint._shell import Heredoc, parse

SECTIONS = frozenset({
    "help", "setup", "files", "labels", "environment", "pre", "post", "runscript", "test",
    "startscript", "arguments", "appinstall", "appfiles", "appenv", "apptest", "apphelp", "apprun",
    "applabels", "appstart",
})  # fmt: skip
HEADERS = frozenset({
    "bootstrap", "from", "includecmd", "mirrorurl", "updateurl", "osversion", "include", "library",
    "registry", "namespace", "stage", "product", "user", "regcode", "productpgp", "registerurl",
    "modules", "fingerprints", "confurl", "setopt", "target", "frontend", "filename", "buildargs",
})  # fmt: skip
SCRIPTS = frozenset({"post", "appinstall"})
"""Those that run while the image is made; the apps' lines are put behind those of `%post`."""
ENVIRONMENTS = frozenset({"environment", "appenv"})
LABELS = frozenset({"labels", "applabels"})
_BOOTSTRAP = re.compile(r"bootstrap:", re.IGNORECASE)
_TEMPLATE = re.compile(r"\{\{\s*(\w+)\s*\}\}", re.ASCII)
_PAIR = re.compile(r"\"([^\"]*)\"|(\S+)")


class Header(NamedTuple):
    """One line of a stage's header."""

    key: str
    """In small letters; empty for a line without a colon."""
    value: str
    line: int


class Section(NamedTuple):
    """One section."""

    name: str
    arguments: tuple[str, ...]
    line: int
    rows: tuple[str, ...]
    """The lines below its name, which has the number before theirs."""

    @property
    def body(self) -> str:
        """Those lines as text."""
        return "\n".join(self.rows)

    @property
    def size(self) -> int:
        """Bytes of the whole section, as the parser's buffer must hold it."""
        return len(f"%{self.name} {' '.join(self.arguments)}\n{self.body}".encode())


class Stage(NamedTuple):
    """What begins at one `bootstrap:`."""

    line: int
    headers: tuple[Header, ...]
    sections: tuple[Section, ...]

    def header(self, key: str) -> Header | None:
        """The header of that name; None where there is none."""
        return next((each for each in self.headers if each.key == key), None)


@dataclass(frozen=True, eq=False)
class Definition:
    """A parsed definition."""

    beside: Beside
    rows: tuple[str, ...]
    stages: tuple[Stage, ...]

    @property
    def sections(self) -> tuple[Section, ...]:
        """Of every stage."""
        return tuple(section for stage in self.stages for section in stage.sections)

    @cached_property
    def bases(self) -> tuple[Base, ...]:
        """The images of registries that stages start from."""
        found = []
        for stage in self.stages:
            agent, source = stage.header("bootstrap"), stage.header("from")
            if agent and source and agent.value.lower() == "docker":
                given = source.value.removeprefix("//")
                found.append(Base(given, source.line))
        return tuple(found)

    @cached_property
    def scripts(self) -> tuple[Script, ...]:
        """What `%post` and the apps' `%appinstall` run."""
        return tuple(found for stage in self.stages for found in _scripts(stage))

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """Variables of `%environment` and `%appenv`, labels, and what scripts set."""
        found = []
        for section in self.sections:
            kind = f"%{section.name}"
            if section.name in ENVIRONMENTS:
                scripts = [_script(section)]
                found += [each._replace(kind=kind) for each in script_settings(scripts)]
            elif section.name in LABELS:
                for number, row in enumerate(section.rows, section.line + 1):
                    name, _, value = row.strip().partition(" ")
                    if name and not name.startswith("#"):
                        found.append(Setting(kind, name, value, number))
        return (*found, *script_settings(self.scripts))

    @cached_property
    def copied(self) -> tuple[Copied, ...]:
        """What `%files` and `%appfiles` take from the machine that builds."""
        found = []
        for section in self.sections:
            if section.name == "files" and not section.arguments:
                for number, row in enumerate(section.rows, section.line + 1):
                    words = pair(row)
                    if words:
                        found.append(Copied((words[0],), words[min(1, len(words) - 1)], number))
            found += [
                Copied((source,), in_app(section, target), number)
                for source, target, number in app_pairs(section)
            ]
        return tuple(found)


def app_pairs(section: Section) -> list[tuple[str, str, int]]:
    """Source, target and line of each row of `%appfiles`; none of another section.

    It is split at its first space, with no regard to quotes.
    """
    found = []
    for number, row in enumerate(section.rows, section.line + 1):
        source, _, target = row.partition("#")[0].strip().partition(" ")
        if source and section.name == "appfiles":
            found.append((source, target or source, number))
    return found


def in_app(section: Section, target: str) -> str:
    """Where a target of `%appfiles` lies in the image: always below the app's own folder."""
    app = section.arguments[0] if section.arguments else ""
    return f"/scif/apps/{app}/{target.lstrip('/')}"


def pair(row: str) -> list[str]:
    """The words of a line of `%files`; none for a comment."""
    if row.lstrip().startswith("#"):
        return []
    return [quoted or plain for quoted, plain in _PAIR.findall(row)]


def definition(text: str, beside: Beside) -> Definition:
    """A definition's text, parsed."""
    written = tuple(text.split("\n"))
    # Values come in before anything is split: a template is one word whatever its spaces.
    rows = _TEMPLATE.sub(_joined, text).split("\n")
    starts = [number for number, row in enumerate(rows) if _BOOTSTRAP.match(row)]
    first = starts[0] if starts else len(rows)
    # What stands before the first `bootstrap:` is a stage of its own only if it says anything.
    said = any(row.strip() and not row.lstrip().startswith("#") for row in rows[:first])
    begins = ([0] if said or not starts else []) + starts
    ends = [*begins[1:], len(rows)]
    stages = tuple(_stage(rows[a:b], a + 1) for a, b in zip(begins, ends, strict=True))
    return Definition(beside, written, stages)


def _joined(match: re.Match[str]) -> str:
    return f"{{{{{match[1]}}}}}" + "\n" * match[0].count("\n")


def _stage(rows: list[str], first: int) -> Stage:
    marks = [number for number, row in enumerate(rows) if row.lstrip().startswith("%")]
    header = rows[: marks[0]] if marks else rows
    ends = [*marks[1:], len(rows)] if marks else []
    sections = []
    for start, end in zip(marks, ends, strict=True):
        name, *arguments = rows[start].split()
        sections.append(
            Section(name[1:], tuple(arguments), first + start, tuple(rows[start + 1 : end]))
        )
    return Stage(first, tuple(_headers(header, first)), tuple(sections))


def _headers(rows: list[str], first: int) -> list[Header]:
    found = []
    for number, row in enumerate(rows, first):
        said = row.partition("#")[0].strip()
        if said:
            key, colon, value = said.partition(":")
            found.append(Header(key.strip().lower() if colon else "", value.strip(), number))
    return found


def _scripts(stage: Stage) -> list[Script]:
    """What `%post` runs and, behind it in one script, what the apps install."""
    posts = [_script(each) for each in stage.sections if each.name == "post"]
    apps = [_script(each) for each in stage.sections if each.name == "appinstall"]
    for post in posts[:1]:
        apps = [
            each._replace(
                shell=post.shell, pipefail=post.pipefail or each.pipefail,
                variables={**post.variables, **each.variables},
            )
            for each in apps
        ]  # fmt: skip
    return posts + apps


def _script(section: Section) -> Script:
    parsed = parse(section.body, section.line + 1)
    arguments = section.arguments
    shell = arguments[1].rpartition("/")[2] if arguments[:1] == ("-c",) and arguments[1:] else "sh"
    pipefail = any(
        each.name == "set" and "pipefail" in each.words for each in parsed.commands
    )  # fmt: skip
    variables: Mapping[str, str] = {
        each.name: each.value
        for each in script_settings([
            Script(parsed.commands, parsed.heredocs, 0, (), shell, pipefail, {})
        ])
        if each.value
    }  # fmt: skip
    return Script(
        parsed.commands, parsed.heredocs, section.line, (), shell, pipefail, variables
    )  # fmt: skip


def open_heredoc(section: Section) -> Heredoc | None:
    """The heredoc that a section's end cuts; None for none, or where only its indent is off."""
    found = parse(section.body, section.line + 1).heredocs
    if not found or found[-1].closed:
        return None
    last = found[-1]
    return None if any(row.strip() == last.word for _, row in last.body) else last
