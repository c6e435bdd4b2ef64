"""Many found sides against one manifest: who answers alike, and what differs between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from envsnap._typing import NamedTuple
from envsnap.errors import ExitCode
from envsnap.manifest import Manifest, environment_id, machine_id
from envsnap.reports._answers import answers
from envsnap.reports._lines import Part
from envsnap.reports._sides import Sides, machine_words
from envsnap.reports._words import gib, gpu_words, known
from envsnap.rules import FAMILIES, Checked, Claim, Finding, Level, Outcome, Scope, Verdict
from envsnap.sections import Cpu, Engines, Gpu, Memory, Os, Python, Unknown

_NOT_KNOWN = "not known"
_PRECEDENCE = (ExitCode.BAD_MANIFEST, ExitCode.NO, ExitCode.CANNOT_TELL)
_FAMILIES = ("GPU", *(each for each in FAMILIES if each not in {"GPU", "CPU"}), "CPU")
"""A GPU first, a processor last: the one does most of the work, the other differs most often."""
_WORST_FIRST = (Verdict.WILL_NOT_RUN, Verdict.CANNOT_TELL, Verdict.LIMITS, Verdict.RUNS)


class Told(NamedTuple):
    """What one rule found on one side: its first finding, and how many there are."""

    code: str
    outcome: Outcome
    subject: str
    what: str
    number: int


class Row(NamedTuple):
    """One found side, or several that are of one kind and answer alike."""

    names: tuple[str, ...]
    kind: str
    """Which machine it is: its id, or what is known of it in words."""
    machine: str
    facts: tuple[tuple[str, str], ...]
    """What may differ between machines: labels, and values in words."""
    ways: tuple[tuple[str, Part], ...]
    """The ways to run it and the results, each with its answer in a word."""
    verdict: Verdict
    """The way that decides."""
    scope: Scope
    level: Level
    floor: Level
    """What is left of it if all that is not known is as bad as it can be."""
    exit_code: ExitCode
    findings: tuple[Told, ...]
    """What counts the way that decides, the worst first."""
    not_known: tuple[str, ...]
    """The facts whose absence leaves the answer open."""
    lowered_by: tuple[tuple[str, str], ...] = ()
    """What leaves so little to expect of the results: words, and the rule's code."""
    excused: tuple[str, ...] = ()
    """The findings, by their ids, that somebody's word keeps from deciding."""

    @property
    def is_definite(self) -> bool:
        """Whether no unknown fact could make the results less."""
        return self.level is self.floor

    @property
    def worst(self) -> Told | None:
        """The finding that decides; None where none makes the answer worse."""
        first = next(iter(self.findings), None)
        return first if first and first.outcome.reaches(Outcome.NUMERICS) else None

    @property
    def is_open(self) -> bool:
        """Whether what is not known is what keeps the answer from being a yes."""
        is_cut = ExitCode.CANNOT_TELL is self.exit_code or self.verdict is Verdict.CANNOT_TELL
        return is_cut or self.worst is None

    @property
    def will_do(self) -> bool:
        """Whether the answer is yes there."""
        return self.exit_code is ExitCode.OK

    @property
    def runs(self) -> bool:
        """Whether it runs there, if not as well as was asked for."""
        return self.verdict in {Verdict.RUNS, Verdict.LIMITS}


class Unread(NamedTuple):
    """A side that was named and could not be used."""

    name: str
    why: str

    @property
    def told(self) -> str:
        """Why, with its name in it once."""
        return self.why if self.name in self.why else f"{self.name}: {self.why}"


class Matrix(NamedTuple):
    """All found sides against one manifest."""

    wanted: Manifest
    wanted_name: str
    rows: tuple[Row, ...]
    """The worst first, and of those the fewest: outliers stand on top, the best at the end."""
    unread: tuple[Unread, ...] = ()

    @property
    def number(self) -> int:
        """How many sides could be used."""
        return sum(len(each.names) for each in self.rows)

    @property
    def exit_code(self) -> ExitCode:
        """3 where one could not be used, else 1, 4 or 0: the first of them that any answers."""
        codes = {each.exit_code for each in self.rows}
        codes |= {ExitCode.BAD_MANIFEST} if self.unread else set()
        return worst_of(codes)

    @property
    def differing(self) -> dict[str, dict[str, tuple[int, ...]]]:
        """The facts that differ: the numbers of the rows by each value, by label."""
        found: dict[str, dict[str, tuple[int, ...]]] = {}
        for number, each in enumerate(self.rows, 1):
            for label, value in each.facts:
                values = found.setdefault(label, {})
                values[value] = (*values.get(value, ()), number)
        return {label: values for label, values in found.items() if len(values) > 1}


def worst_of(codes: Collection[ExitCode]) -> ExitCode:
    """The answer to all of them: 3 before 1 before 4 before 0."""
    return next((each for each in _PRECEDENCE if each in codes), ExitCode.OK)


def row(checked: Checked, sides: Sides) -> Row:
    """A found side's answer, and of its manifest no more than tells machines apart."""
    claim, found = checked.claim, sides.found
    all_of_it = checked.report.findings_of(checked.scope)
    counted = sorted((each for each in all_of_it if not checked.is_excused(each)), key=_weight)
    number = Counter((each.code, each.outcome) for each in counted)
    first = {(each.code, each.outcome): each for each in reversed(counted)}
    ident, words = machine_id(found), machine_words(found)
    return Row(
        names=(sides.found_name,),
        kind=ident if isinstance(ident, str) else words,
        machine=words,
        facts=tuple((label, read(found)) for label, read in _FACTS),
        ways=tuple((each.label, each.word) for each in answers(checked)),
        verdict=checked.verdict,
        scope=checked.scope,
        level=claim.level,
        floor=claim.floor,
        exit_code=checked.exit_code,
        findings=tuple(
            Told(code, outcome, first[code, outcome].subject, first[code, outcome].what, many)
            for (code, outcome), many in number.items()
        ),
        not_known=tuple(dict.fromkeys(each.path for each in checked.left_open)),
        lowered_by=tuple(_lowering(claim)),
        excused=tuple(each.id for each in all_of_it if checked.is_excused(each)),
    )


def _weight(each: Finding) -> tuple[int, int, int]:
    """The worst first; of those what leaves least to expect, in the order of the rule book."""
    family = each.code[:3]
    place = _FAMILIES.index(family) if family in _FAMILIES else len(_FAMILIES)
    return each.outcome.rank, -each.lowers.rank, place


def _lowering(claim: Claim) -> Iterator[tuple[str, str]]:
    if claim.level is Level.BITWISE:
        return
    for each in claim.lowered_by:
        if each.lowers is claim.level:
            yield about(each.subject, each.what), each.code
    for condition in claim.conditions:
        if condition.lowers is claim.level:
            yield condition.text, condition.code


def about(subject: str, what: str) -> str:
    """'GPU memory: 40 GiB -> 15 GiB'; what begins with its subject says it once."""
    return what if what.startswith(subject) else f"{subject}: {what}"


def rows_of(alone: Iterable[Row]) -> tuple[Row, ...]:
    """The rows, those of one kind that answer alike as one; outliers first, the best at the end."""
    groups: dict[tuple[object, ...], Row] = {}
    for each in alone:
        key = alike(each)
        seen = groups.get(key)
        groups[key] = each if seen is None else seen._replace(names=seen.names + each.names)
    return tuple(sorted(groups.values(), key=_order))


def alike(each: Row) -> tuple[object, ...]:
    """What two rows share that are of one kind and answer alike."""
    told = tuple((found.code, found.outcome, found.number) for found in each.findings)
    lowered = tuple(code for _, code in each.lowered_by)
    return (
        each.kind, each.machine, each.ways, each.scope, each.level, each.floor,
        each.exit_code, told, each.not_known, lowered, each.excused,
    )  # fmt: skip


def _order(each: Row) -> tuple[object, ...]:
    return (
        _WORST_FIRST.index(each.verdict), each.will_do, -each.floor.rank, -each.level.rank,
        len(each.names), each.names,
    )  # fmt: skip


def _driver(manifest: Manifest) -> str:
    gpu = manifest.section(Gpu)
    if isinstance(gpu, Unknown) or isinstance(gpu.driver, Unknown):
        return _NOT_KNOWN
    return known(gpu.driver.version, _NOT_KNOWN) if gpu.driver else "none"


def _cuda(manifest: Manifest) -> str:
    gpu = manifest.section(Gpu)
    if isinstance(gpu, Unknown) or isinstance(gpu.driver, Unknown):
        return _NOT_KNOWN
    return known(gpu.driver.cuda_in_effect, _NOT_KNOWN) if gpu.driver else "none"


def _multiprocessors(manifest: Manifest) -> str:
    gpu = manifest.section(Gpu)
    if isinstance(gpu, Unknown) or isinstance(gpu.devices, Unknown):
        return _NOT_KNOWN
    found = []
    for each in gpu.devices:
        slices = () if isinstance(each.slices, Unknown) else each.slices
        found += [known(part.multiprocessors, _NOT_KNOWN) for part in slices] or [
            known(each.multiprocessors, _NOT_KNOWN)
        ]
    return ", ".join(dict.fromkeys(found)) or "none"


def _system(manifest: Manifest) -> str:
    system = manifest.section(Os)
    if isinstance(system, Unknown):
        return _NOT_KNOWN
    name = known(system.distribution) or known(system.system, _NOT_KNOWN)
    return f"{name} {known(system.distribution_version)}".strip()


def _libc(manifest: Manifest) -> str:
    system = manifest.section(Os)
    if isinstance(system, Unknown) or isinstance(system.libc, Unknown):
        return _NOT_KNOWN
    return f"{system.libc or 'none'} {known(system.libc_version)}".strip()


def _cpu(manifest: Manifest) -> str:
    cpu = manifest.section(Cpu)
    return _NOT_KNOWN if isinstance(cpu, Unknown) else known(cpu.microarchitecture, _NOT_KNOWN)


def _memory(manifest: Manifest) -> str:
    memory = manifest.section(Memory)
    if isinstance(memory, Unknown) or isinstance(memory.total_mib, Unknown):
        return _NOT_KNOWN
    return gib(memory.total_mib)


def _engines(manifest: Manifest) -> str:
    engines = manifest.section(Engines)
    if isinstance(engines, Unknown) or isinstance(engines.found, Unknown):
        return _NOT_KNOWN
    return ", ".join(each.name for each in engines.found if each.usable is True) or "none"


def _python(manifest: Manifest) -> str:
    python = manifest.section(Python)
    return _NOT_KNOWN if isinstance(python, Unknown) else python.version


def _environment(manifest: Manifest) -> str:
    ident = environment_id(manifest)
    return ident if isinstance(ident, str) else _NOT_KNOWN


_FACTS: Sequence[tuple[str, Callable[[Manifest], str]]] = (
    ("driver", _driver),
    ("its CUDA", _cuda),
    ("GPU", lambda manifest: gpu_words(manifest) or _NOT_KNOWN),
    ("SMs", _multiprocessors),
    ("system", _system),
    ("C library", _libc),
    ("CPU", _cpu),
    ("memory", _memory),
    ("engines", _engines),
    ("Python", _python),
    ("environment", _environment),
)
"""What is compared between machines, in the order in which it matters."""
