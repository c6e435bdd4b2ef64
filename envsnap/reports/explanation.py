"""What a rule, a principle or a section means, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import get_args, get_origin

from envsnap.errors import UsageError
from envsnap.facts import Looked, Source, principles
from envsnap.facts.principles import Principle
from envsnap.reports._lines import Line, Part, labelled, line, wrapped
from envsnap.reports._terms import TERMS, Term, terms
from envsnap.rules import FAMILIES, Kind, Rule, rules
from envsnap.rules._examples import example
from envsnap.rules._principles import RESTS_ON
from envsnap.sections import SECTIONS, fields, is_shape

_INDENT = 9
_KINDS = {
    Kind.HEALTH: "health: reads one environment and machine",
    Kind.FIT: "fit: holds what an environment needs against what a machine has",
    Kind.DRIFT: "drift: compares the same fact on two sides",
}


def explanation(name: str | None, width: int) -> list[Line]:
    """One rule, a family of rules, a principle, a section or a word of reports; or all of them.

    Raises:
        UsageError: There is nothing of that name.
    """
    if name is None:
        return list(_everything(width))
    if name in SECTIONS:
        return list(_section(name, width))
    found = [each for each in rules() if each.code == name.upper()]
    if found:
        return list(_rule(found[0], width))
    family = [each for each in rules() if each.family == name.upper()]
    if family:
        return list(_listed(family, width))
    known = principles.principle(name)
    if isinstance(known, Looked):
        return list(_principle(known, width))
    if found_terms := terms(name):
        return [each for term in found_terms for each in _term(term, width)]
    raise UsageError(
        f"No rule, principle, section or word of a report {name!r}", hint=_nearest(name)
    )


def _nearest(name: str) -> str:
    from difflib import get_close_matches

    family = name[:3].upper()
    if family in FAMILIES:
        return f"List that family: envsnap explain {family}"
    near = get_close_matches(name.lower(), [*SECTIONS, *TERMS], n=1)
    return f"Did you mean {near[0]}" if near else "List what there is: envsnap explain"


def _everything(width: int) -> Iterator[Line]:
    for family, title in FAMILIES.items():
        yield line(Part(title, "bold"))
        yield from _listed([each for each in rules() if each.family == family], width)
        yield line()
    numbers = [each.value.number for each in principles.every()]
    for title, text in (
        ("what the rules rest on", f"{numbers[0]} to {numbers[-1]}"),
        ("sections of a manifest", ", ".join(SECTIONS)),
        ("words of a report", ", ".join(TERMS)),
    ):
        yield line(Part(title, "bold"))
        for each in wrapped(text, width - 3):
            yield line("  ", each)
        yield line()
    told = (
        "envsnap explain CODE, R14, SECTION or WORD says more; envsnap explain --all says it all."
    )
    yield from map(line, wrapped(told, width - 1))


def _listed(those: Iterable[Rule], width: int) -> Iterator[Line]:
    for rule in those:
        said = f"{rule.topic}: {rule.message}"
        first, *rest = wrapped(said, width - 1 - _INDENT)
        yield line("  ", Part(f"{rule.code:<{_INDENT - 2}}", "dim"), first)
        for each in rest:
            yield line(" " * _INDENT, each)


def _rule(rule: Rule, width: int) -> Iterator[Line]:
    for each in wrapped(f"{rule.code}  {rule.message}", width - 1):
        yield line(Part(each, "bold"))
    yield line()
    for paragraph in rule.explanation.split("\n\n"):
        for each in wrapped(paragraph, width - 1):
            yield line(each)
        yield line()
    yield from _example(rule, width)
    for label, text in known_of(rule):
        yield from labelled(label, text, width=width, indent=_INDENT)
    for number, known in enumerate(rests_on(rule)):
        label = "" if number else "rests on"
        yield from labelled(label, f"{known.number}  {known.says}", width=width, indent=_INDENT)
    yield from _source("source", rule.source, width)


def _source(label: str, source: Source, width: int) -> Iterator[Line]:
    """Who says so; what is envsnap's own was not read anywhere on a day."""
    read = f", read on {source.date}" if source.url else ""
    yield from labelled(label, f"{source.title}{read}", width=width, indent=_INDENT)
    if source.url:
        yield line(" " * _INDENT, source.url)


def known_of(rule: Rule) -> tuple[tuple[str, str], ...]:
    """What a rule declares of itself, by its label."""
    names = {shape: name for name, shape in SECTIONS.items()}
    scope = {"both": "natively and in a container"}.get(rule.scope, f"{rule.scope} alone")
    return (
        ("kind", _KINDS[rule.kind]),
        ("worst", f"{rule.worst}: {_WORST[rule.worst]}"),
        ("leaves", _LEAVES[rule.lowers]),
        ("counts", scope),
        ("reads", ", ".join(names[shape] for shape in rule.reads)),
    )


def rests_on(rule: Rule) -> Iterator[Principle]:
    """The principles of the field that a rule applies."""
    for number in RESTS_ON.get(rule.code, ()):
        known = principles.principle(number)
        if isinstance(known, Looked):
            yield known.value


def _example(rule: Rule, width: int) -> Iterator[Line]:
    known = example(rule.code)
    if known is None:
        return
    said = f"{known.outcome}: {known.says}"
    yield from labelled("example", said, width=width, indent=_INDENT)
    if known.remedy is not None:
        yield from labelled("", f"-> {known.remedy}", width=width, indent=_INDENT)
    yield from labelled("", f"but nothing is said {known.but}", width=width, indent=_INDENT)
    yield line()


def _principle(known: Looked[Principle], width: int) -> Iterator[Line]:
    for each in wrapped(f"{known.value.number}  {known.value.says}", width - 1):
        yield line(Part(each, "bold"))
    yield line()
    judged = [each for each in rules() if known.value.number in RESTS_ON.get(each.code, ())]
    if judged:
        yield from _listed(judged, width)
    else:
        for each in wrapped(f"not judged: {known.value.not_judged}", width - 1):
            yield line(each)
    yield line()
    yield from labelled("sure", known.confidence, width=width, indent=_INDENT)
    for number, source in enumerate(known.sources):
        yield from _source("" if number else "source", source, width)


def _term(term: Term, width: int) -> Iterator[Line]:
    yield line(Part(f"{term.shown} ({term.kind})", "bold"))
    yield line()
    for each in wrapped(term.means, width - 1):
        yield line(each)
    yield line()
    yield from labelled("said by", term.promised_by, width=width, indent=_INDENT)
    yield from labelled("test", term.test, width=width, indent=_INDENT)
    yield line()


_WORST = {
    "blocks": "it will not run",
    "degrades": "it runs, limited",
    "numerics": "it runs, and digits may differ",
    "perf": "timing alone",
    "note": "worth knowing",
}
_LEAVES = {
    "bitwise": "the same bits to expect",
    "bitwise on the same architecture": "the same bits on the same architecture alone",
    "statistical": "the same conclusions to expect; digits may differ",
    "runs": "nothing to expect but that it runs",
    "does not run": "nothing to expect",
}


def _section(name: str, width: int) -> Iterator[Line]:
    shape = SECTIONS[name]
    yield line(Part(f"{name}  {(shape.__doc__ or '').strip().partition(chr(10))[0]}", "bold"))
    yield line()
    yield from _fields(shape, "", width)
    using = [each.code for each in rules() if shape in each.reads]
    if using:
        yield line()
        yield from labelled("rules", ", ".join(using), width=width, indent=_INDENT)


def _fields(shape: type, prefix: str, width: int) -> Iterator[Line]:
    for field in fields(shape):
        unit = f" [{field.unit}]" if field.unit else ""
        yield line("  ", Part(f"{prefix}{field.name}", "bold"), unit)
        for each in wrapped(field.meaning, width - 5):
            yield line("    ", each)
        if field.sources:
            for each in wrapped(f"witnesses: {', '.join(field.sources)}", width - 5):
                yield line("    ", Part(each, "dim"))
        inner, many = _inner(field.type)
        if inner is not None:
            yield from _fields(inner, f"{prefix}{field.name}{'[]' if many else ''}.", width)


def _inner(hint: object) -> tuple[type | None, bool]:
    """The shape within a fact's type, and whether the fact holds many of it."""
    if isinstance(hint, type) and is_shape(hint):
        return hint, False
    for each in get_args(hint):
        found, many = _inner(each)
        if found is not None:
            return found, many or get_origin(hint) is tuple
    return None, False
