"""Traps of a definition file, as Apptainer and SingularityCE parse and run it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from envsnap.lint._definition import (
    ENVIRONMENTS,
    HEADERS,
    LABELS,
    SCRIPTS,
    SECTIONS,
    Definition,
    Section,
    app_pairs,
    in_app,
    open_heredoc,
    pair,
)
from envsnap.lint._model import Spot, trap
from envsnap.lint._recipe import commands
from envsnap.lint._shell import parse

_PARSER = "apptainer/apptainer pkg/build/types/parser/deffile.go; tried with 1.4.5"
_BUFFER = 64 * 1024
_PAIR = 2
_TEMPLATE = re.compile(r"\{\{\s*(\w+)\s*\}\}", re.ASCII)
_HIDDEN = re.compile(r"(?:/tmp|/var/tmp|/root|/home|/proc|/sys|/dev|~|\$\{?HOME\}?)(?:/|\Z)")
_HOST_TMP = re.compile(r"/(?:var/)?tmp(?:/\*+|/)?\Z")
_NUMBERED = re.compile(r"otherurl\d+\Z")
_SET_BEFORE = ("PATH", "LD_LIBRARY_PATH", "HOME")
"""What Apptainer itself has set where a section begins."""
_NAME = re.compile(r"[A-Za-z_]\w*(?:=|\Z)", re.ASCII)
_AGENTS_OF_ROOT = frozenset({"debootstrap", "yum", "dnf", "zypper", "arch", "busybox"})
_OF_PYTHON = re.compile(r"(?:^|/|\s)(?:python|conda|miniconda|miniforge|mamba|pip|uv|pytorch)")


@trap(
    "SIF001", stops=True, of="definition", source=_PARSER,
    remedy="Put the text into a file beside the definition and copy it with %files",
)  # fmt: skip
def section_too_long(recipe: Definition) -> Iterator[Spot]:
    """A section of 64 KiB or more ends the build: "bufio.Scanner: token too long"."""
    for each in recipe.sections:
        if each.size >= _BUFFER:
            yield Spot(each.line, f"%{each.name} has {each.size:,} bytes; 65,536 are too many")


@trap(
    "SIF002", stops=True, of="definition", source=_PARSER,
    remedy="Put the text into a file beside the definition and copy it with %files",
)  # fmt: skip
def word_with_percent(recipe: Definition) -> Iterator[Spot]:
    """A line that begins with % starts a section wherever it stands, in a heredoc, too."""
    for stage in recipe.stages:
        before: Section | None = None
        for each in stage.sections:
            cut = before is not None and open_heredoc(before) is not None
            if each.name not in SECTIONS:
                yield Spot(each.line, f"%{each.name[:30]} is no section: the build ends here")
            elif cut:
                yield Spot(each.line, f"%{each.name} ends the heredoc above and starts a section")
            before = each


@trap(
    "SIF003", of="definition", source=_PARSER,
    remedy="Indent the line, or put the text into a file and copy it with %files",
)  # fmt: skip
def stage_by_accident(recipe: Definition) -> Iterator[Spot]:
    """A line that begins with `bootstrap:` starts a new stage wherever it stands."""
    for before, stage in zip(recipe.stages, recipe.stages[1:], strict=False):
        cut = bool(before.sections) and open_heredoc(before.sections[-1]) is not None
        if not before.sections and before.header("bootstrap") is None:
            continue  # a header in disorder, which has a rule of its own
        if cut or stage.header("from") is None:
            yield Spot(stage.line, "'bootstrap:' at the start of a line begins a stage here")


@trap(
    "SIF004", stops=True, of="definition",
    source="containers/image docker reference; apptainer 1.5.0",
    remedy="Name the digest alone (From: name@sha256:...), the tag in a comment",
)  # fmt: skip
def tag_and_digest(recipe: Definition) -> Iterator[Spot]:
    """From: names a tag and a digest, which Apptainer 1.5 and newer refuse."""
    for each in recipe.bases:
        name, at, _ = each.reference.partition("@")
        if at and ":" in name.rpartition("/")[2]:
            yield Spot(
                each.line, "From: has a tag and a digest; Apptainer 1.5 refuses both at once"
            )


@trap(
    "SIF005", stops=True, of="definition",
    source="apptainer/apptainer internal/pkg/build/args/reader.go",
    remedy="Write the value out, or give it a default in %arguments",
)  # fmt: skip
def template_without_value(recipe: Definition) -> Iterator[Spot]:
    """{{word}} is a build argument anywhere in the file; without a value the build ends."""
    given = {
        row.partition("=")[0].strip()
        for section in recipe.sections if section.name == "arguments" for row in section.rows
    }  # fmt: skip
    for number, row in enumerate(recipe.rows, 1):
        if row.lstrip().startswith("#"):
            continue
        for name in dict.fromkeys(_TEMPLATE.findall(row)):
            if name not in given:
                yield Spot(number, f"{{{{{name}}}}} has no default: the build ends without one")


@trap(
    "SIF006", of="definition", source="apptainer-userdocs, %files; tried",
    remedy="Copy it to /opt",
)  # fmt: skip
def copied_where_the_host_lies(recipe: Definition) -> Iterator[Spot]:
    """%files into /tmp, /var/tmp or a home: %post sees the host's folder there instead."""
    for each in recipe.copied:
        if _HIDDEN.match(each.target):
            yield Spot(each.line, f"%post does not see {each.target}: the host's folder covers it")


@trap(
    "SIF007", of="definition", source="ReproNim/neurodocker issue 246; apptainer/singularity 2538",
    remedy="Remove the files that you made by their names, or work in /opt",
)  # fmt: skip
def host_tmp_emptied(recipe: Definition) -> Iterator[Spot]:
    """`rm -r /tmp/*` in %post removes the host's files: its /tmp is mounted there."""
    for _, command in commands(recipe):
        removes = command.name == "rm" and any(
            each.startswith("-") and ("r" in each or "R" in each) for each in command.words[1:]
        )
        for each in command.words[1:] if removes else ():
            if _HOST_TMP.match(each):
                yield Spot(command.line, f"rm -r {each} removes files of the machine that builds")


@trap(
    "SIF008", of="definition", source="apptainer/apptainer %labels; tried",
    remedy="Put one space between the name and the value, and no quotes",
)  # fmt: skip
def label_misread(recipe: Definition) -> Iterator[Spot]:
    """A label's name ends at the first space: a tab stays in it, and quotes stay in the value."""
    for section in recipe.sections:
        if section.name not in LABELS:
            continue
        for number, row in enumerate(section.rows, section.line + 1):
            name, _, value = row.strip().partition(" ")
            if row.lstrip().startswith("#"):
                continue
            if "\t" in name:
                yield Spot(number, "A tab is part of this label's name, and its value is empty")
            elif len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
                yield Spot(number, f"The quotes stay in the value of {name[:40]}")


@trap(
    "SIF009", of="definition", source="apptainer %environment; tried",
    remedy="Put the value in single quotes",
)  # fmt: skip
def unquoted_export(recipe: Definition) -> Iterator[Spot]:
    """An export with a space in its unquoted value is cut there, with no more than a warning."""
    for section in recipe.sections:
        if section.name not in ENVIRONMENTS | SCRIPTS:
            continue
        known = set(_SET_BEFORE)
        for command in parse(section.body, section.line + 1).commands:
            words = [each for each in command.words[1:] if not each.startswith("-")]
            known |= {name for name, _ in command.assigned}
            rest = _cut_off(words, known) if command.name == "export" else None
            if rest is not None:
                yield Spot(command.line, f"export is cut before {rest[:40]}")
            known |= {each.partition("=")[0] for each in words if command.name == "export"}


def _cut_off(words: Sequence[str], known: Collection[str]) -> str | None:
    """The word of an export that belongs to the value before it; None where each is a name.

    A name alone, behind a value, is meant only if it has a value of its own already.
    """
    is_behind = False
    for each in words:
        name, equals, _ = each.partition("=")
        if not _NAME.match(each) or (is_behind and not equals and name not in known):
            return each
        is_behind = is_behind or bool(equals)
    return None


@trap(
    "SIF010", stops=True, of="definition", source=_PARSER,
    remedy="Begin with Bootstrap: docker, then From: IMAGE",
)  # fmt: skip
def header_in_disorder(recipe: Definition) -> Iterator[Spot]:
    """Bootstrap: is not the first word of the file: "no bootstrap specification found"."""
    first = recipe.stages[0]
    if first.header("bootstrap") is not None:
        return
    if first.headers and not first.sections and len(recipe.stages) > 1:
        said = first.headers[0].key or "something"
        yield Spot(first.headers[0].line, f"{said}: stands before Bootstrap:")
    else:
        yield Spot(first.line, "There is no Bootstrap: at the top")


@trap(
    "SIF011", stops=True, of="definition", source=_PARSER,
    remedy="Remove it; the architecture is given by apptainer build --arch",
)  # fmt: skip
def unknown_header(recipe: Definition) -> Iterator[Spot]:
    """A header that Apptainer does not know ends the build: "invalid header keyword"."""
    for stage in recipe.stages:
        for each in stage.headers:
            if each.key not in HEADERS and not _NUMBERED.match(each.key):
                said = f"{each.key[:30]}: is" if each.key else f"{each.value[:30]!r} is"
                yield Spot(each.line, f"{said} no header of a definition")


@trap(
    "SIF012", of="definition", source="apptainer-userdocs, %setup",
    remedy="Do it in %post, and bring files by %files",
)  # fmt: skip
def runs_on_the_host(recipe: Definition) -> Iterator[Spot]:
    """%setup and %pre run on the machine that builds, outside of any container."""
    for each in recipe.sections:
        if each.name in {"setup", "pre"} and each.body.strip():
            yield Spot(each.line, f"%{each.name} runs on the machine that builds")


@trap(
    "SIF013", of="definition", source="easybuilders/easybuild-framework PR 3347; tried",
    remedy="Give the user's lines as one word: su user -c '...'",
)  # fmt: skip
def user_switched(recipe: Definition) -> Iterator[Spot]:
    """`su - user` starts a shell that ends at once: the following lines still run as root."""
    for script, command in commands(recipe):
        fed = any(document.line == command.line for document in script.heredocs)
        if command.name == "su" and not {"-c", "--command"} & set(command.words) and not fed:
            yield Spot(command.line, "The lines below still run as root")


@trap(
    "SIF014", of="definition", source=_PARSER,
    remedy="Write one source and one target, in double quotes where there is a space",
)  # fmt: skip
def pair_misread(recipe: Definition) -> Iterator[Spot]:
    """A line of %files is one source and one target: a third word is silently dropped.

    Single quotes and braces in names break the splitting.
    """
    for section in recipe.sections:
        if section.name != "files":
            continue
        if section.arguments and (
            section.arguments[0] != "from" or len(section.arguments) != _PAIR
        ):
            yield Spot(section.line, "%files takes 'from' and one stage, or nothing")
        for number, row in enumerate(section.rows, section.line + 1):
            words = pair(row)
            if len(words) > _PAIR:
                yield Spot(number, f"What follows {words[1][:40]} is dropped")
            elif any(set(_TEMPLATE.sub("", each)) & set("'{}") for each in words):
                yield Spot(number, "A quote or brace in a name is split wrongly")


@trap(
    "SIF015", of="definition", source="apptainer-userdocs, %environment; tried",
    remedy="Set PATH and the variables themselves; put functions into files on PATH",
)  # fmt: skip
def lost_at_the_start(recipe: Definition) -> Iterator[Spot]:
    """Functions, aliases and `conda activate` in %environment do not reach the program."""
    for section in recipe.sections:
        if section.name not in ENVIRONMENTS:
            continue
        for command in parse(section.body, section.line + 1).commands:
            activates = command.name in {"conda", "mamba", "micromamba"} and "activate" in (
                command.words
            )
            sourced = command.name in {"source", "."} and "activate" in " ".join(command.words)
            if activates or sourced or command.name == "alias":
                yield Spot(command.line, f"{' '.join(command.words)[:40]} does not last")


@trap(
    "SIF016", of="definition", source="princeton-ddss/blackfish issue 366",
    remedy="Write export PYTHONNOUSERSITE=1 in %environment",
)  # fmt: skip
def packages_of_the_host(recipe: Definition) -> Iterator[Spot]:
    """Python in the image takes packages from the caller's ~/.local first."""
    kinds = {f"%{each}" for each in ENVIRONMENTS}
    names = {each.name for each in recipe.settings if each.kind in kinds}
    texts = [each.reference for each in recipe.bases]
    texts += [" ".join(command.words) for _, command in commands(recipe)]
    if "PYTHONNOUSERSITE" not in names and any(_OF_PYTHON.search(each) for each in texts):
        yield Spot(1, "Python takes packages of the caller's home: PYTHONNOUSERSITE is not set")


@trap(
    "SIF017", of="definition", source="apptainer-userdocs, build as a user; tried",
    remedy="Start from an image: Bootstrap: docker, docker-archive, oci-archive or localimage",
)  # fmt: skip
def agent_that_needs_root(recipe: Definition) -> Iterator[Spot]:
    """A bootstrap by the distribution's own tools needs root or fails under fakeroot."""
    for stage in recipe.stages:
        agent = stage.header("bootstrap")
        if agent is not None and agent.value.lower() in _AGENTS_OF_ROOT:
            yield Spot(agent.line, f"{agent.value} needs root on the machine that builds")


@trap(
    "SIF018", of="definition", source="apptainer-userdocs, gpu",
    remedy="Guard it: [ -e /dev/nvidiactl ] || exit 0",
)  # fmt: skip
def gpu_while_building(recipe: Definition) -> Iterator[Spot]:
    """%post or %test asks for a GPU, which the machine that builds rarely has."""
    for section in recipe.sections:
        if section.name not in {"test", *SCRIPTS} or "/dev/nvidia" in section.body:
            continue
        for command in parse(section.body, section.line + 1).commands:
            said = " ".join(command.words)
            if command.name == "nvidia-smi" or "cuda.is_available" in said:
                yield Spot(command.line, f"There is no GPU while %{section.name} runs")


@trap(
    "SIF019", of="definition", source="apptainer-userdocs, %post",
    remedy="Name it there: %post -c /bin/bash",
)  # fmt: skip
def hashbang_ignored(recipe: Definition) -> Iterator[Spot]:
    """A #! line at the top of %post is a comment: /bin/sh reads the section."""
    for section in recipe.sections:
        first = next((row for row in section.rows if row.strip()), "")
        is_script = section.name in SCRIPTS
        if is_script and first.lstrip().startswith("#!") and "/sh" not in first:
            yield Spot(section.line, f"%{section.name} does not start {first.strip()[2:40]}")


@trap(
    "SIF021", of="definition", source="apptainer/apptainer internal/pkg/build/apps/apps.go",
    remedy="Name the target from the app's own folder, as bin/tool; for another place use %files",
)  # fmt: skip
def app_file_elsewhere(recipe: Definition) -> Iterator[Spot]:
    """A target of %appfiles counts from the app's own folder, however it is written.

    No folder is made for it: `tool /tmp/tool` ends the build, for /scif/apps/NAME/tmp is not there.
    A row is split at its first space, and quotes stay.
    """
    for section in recipe.sections:
        for source, target, line in app_pairs(section):
            if target.startswith("/"):
                yield Spot(line, f"{target[:40]} is {in_app(section, target)[:60]} in the image")
            elif " " in target or source[0] in "'\"":
                yield Spot(line, f"What follows {source[:40]} is one name, with its spaces")
