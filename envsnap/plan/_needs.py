"""What an environment asks of the system under it, and how that is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from envsnap import facts
from envsnap._typing import Literal, NamedTuple
from envsnap.facts import package_needs
from envsnap.manifest import Manifest, canonical_name
from envsnap.plan import _safe
from envsnap.sections import Artifact, Run, SystemLibraries, SystemLibrary, Unknown

_ANY = "-none-any.whl"
_SYSTEM = ("/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/", "/usr/lib/", "/usr/local/bin/", "/lib/")
"""Where a system's own programs lie."""
_COMMON = frozenset({
    "awk", "basename", "bash", "cat", "chmod", "chown", "cp", "cut", "dash", "date", "df",
    "dirname", "du", "echo", "env", "expr", "false", "find", "gawk", "getconf", "grep", "gzip",
    "head", "hostname", "id", "init", "ldconfig", "ln", "ls", "lscpu", "mawk", "mkdir", "mktemp",
    "mv", "nice", "nohup", "nproc", "nvidia-smi", "printf", "readlink", "rm", "sed", "seq",
    "setsid", "sh", "sleep", "sort", "stat", "su", "sudo", "systemctl", "tail", "tar", "taskset",
    "tee", "test", "timeout", "touch", "tr", "true", "uname", "uniq", "wc", "which", "whoami",
    "xargs",
})  # fmt: skip
"""What every image has, or what is none of an image's: the driver's, and the machine's own."""
GENERAL = "general knowledge"


class Ask(NamedTuple):
    """One library or program that something asks the system for."""

    kind: Literal["library", "program"]
    name: str
    who: tuple[str, ...]
    """Distributions; empty where a run used it."""
    source: str
    """The field of the manifest, or the table, that says so."""
    is_needed: bool
    """Whether something does not load without it; else something may start it, or did."""
    is_shown: bool = True
    """Whether anything shows that it is used; else it may be, and nobody knows."""
    owner: str | None = None
    """The package that the captured machine had it from."""

    def because(self) -> str:
        """The reason, for a recipe and for --explain: 'libGL.so.1, which opencv-python needs'."""
        name = _safe.plain(self.name)
        if not self.who:
            return f"{name}, which a run started"
        return f"{name}, which {few(self.who)} {'needs' if len(self.who) == 1 else 'need'}"


class Asked(NamedTuple):
    """Everything that is asked of the system."""

    asks: tuple[Ask, ...]
    was_looked: bool
    """Whether the manifest has the evidence: what the libraries themselves ask for."""


def asked(manifest: Manifest, chosen: Sequence[Artifact]) -> Asked:
    """What the packages that are installed ask for, and what a run started."""
    installed = {canonical_name(each.name): each for each in chosen}
    section = manifest.section(SystemLibraries)
    evidence = section if isinstance(section, Unknown) else section.needed
    found = [*_declared(installed.values(), looked=not isinstance(evidence, Unknown))]
    if not isinstance(evidence, Unknown):
        found += _by_evidence(evidence, installed)
    return Asked((*found, *_by_run(manifest)), not isinstance(evidence, Unknown))


def few(names: Iterable[str]) -> str:
    """Some names for a sentence; they may be hostile."""
    plain = [_safe.plain(each) for each in names]
    shown = ", ".join(plain[:3])
    return f"{shown}, ..." if len(plain) > 3 else shown  # noqa: PLR2004 - as many as fit a line


def names_of(asks: Iterable[Ask]) -> list[str]:
    """What is asked for, each name once."""
    return list(dict.fromkeys(ask.name for ask in asks))


def who_of(asks: Iterable[Ask]) -> list[str]:
    """Who asks for it, each once."""
    return list(dict.fromkeys(name for ask in asks for name in ask.who))


def _by_evidence(needed: Iterable[SystemLibrary], installed: dict[str, Artifact]) -> Iterator[Ask]:
    """What the captured libraries ask for. What is built in the image is asked anew, in there."""
    for each in needed:
        who = tuple(name for name in each.needed_by if canonical_name(name) in installed)
        from_wheels = [name for name in who if _safe.is_wheel(installed[canonical_name(name)])]
        if who:
            was_there = each.location is not None
            yield Ask("library", each.name, who, "sections.system_libraries",
                      is_needed=was_there and bool(from_wheels),
                      owner=each.owner if isinstance(each.owner, str) else None)  # fmt: skip


def _declared(chosen: Iterable[Artifact], *, looked: bool) -> Iterator[Ask]:
    """What is known of a package without its files."""
    for each in chosen:
        found = package_needs.needs_of(canonical_name(each.name))
        if not isinstance(found, facts.Looked):
            continue
        source = f"table package_needs of {facts.date_of('package_needs')}"
        if found.confidence != "high":
            source += f", {GENERAL}"
        needs, who = found.value, (each.name,)
        is_plain = each.filename.endswith(_ANY) or not _safe.is_wheel(each)
        libraries = (*(needs.opens if is_plain else ()), *(() if looked else needs.links))
        for name in libraries:
            yield Ask("library", name, who, source, is_needed=False)
        for name in needs.programs:
            yield Ask("program", name, who, source, is_needed=False, is_shown=needs.at_once)


def _by_run(manifest: Manifest) -> Iterator[Ask]:
    run = manifest.section(Run)
    if isinstance(run, Unknown) or isinstance(run.programs, Unknown):
        return
    for path in run.programs:
        name = path.rpartition("/")[2]
        if path.startswith(_SYSTEM) and name not in _COMMON and not name.startswith("python"):
            yield Ask("program", name, (), "sections.run.programs", is_needed=False)
