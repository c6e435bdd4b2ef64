"""What the rules are, for people: docs/lint.md, and one of them in a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from envsnap.lint._model import Trap

_OF = {
    "dockerfile": "Dockerfiles",
    "definition": "Apptainer and Singularity definitions",
    "recipe": "Dockerfiles and definitions",
    "binder": "Folders for repo2docker",
    "environment": "Folders for repo2docker, and environment.yml as conda itself reads it",
}


def book(traps: Mapping[str, Trap]) -> str:
    """Every rule, as Markdown."""
    lines = [
        "# What `envsnap lint` finds",
        "",
        "It judges Dockerfiles, definitions of Apptainer and Singularity, folders for repo2docker",
        "and conda's environment.yml. Other files are not judged: no batch script (job.sbatch),",
        "which shellcheck reads, and no devcontainer.json.",
        "",
        "Each trap is one that an engine falls into, or leads its user into. Written by",
        "`envsnap lint --rules`; a comment `# envsnap: ignore[CODE] why` on a line, or above it,",
        "says that it is meant so, and `# envsnap: ignore-file[CODE] why` says it of a whole file.",
    ]
    for of, title in _OF.items():
        lines += ["", f"## {title}", "", "| code | trap | what to do | source |"]
        lines.append("| --- | --- | --- | --- |")
        for each in traps.values():
            if each.of == of:
                said = " ".join(filter(None, (f"{each.title}.", each.about, stop_words(each))))
                cells = (each.code, said, each.remedy, each.source)
                lines.append(f"| {' | '.join(map(_cell, cells))} |")
    return "\n".join(lines) + "\n"


def explained(each: Trap) -> list[str]:
    """One rule in a few lines."""
    about = " ".join(filter(None, (each.about, stop_words(each))))
    below = [about, ""] if about else []
    return [f"{each.code}  {each.title}.", "", *below, f"{each.remedy}.", f"Source: {each.source}"]


def stop_words(each: Trap) -> str:
    """That the build ends there; nothing where it goes on."""
    return "The build stops there." if each.stops else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("{{", "{ {").replace("}}", "} }")
