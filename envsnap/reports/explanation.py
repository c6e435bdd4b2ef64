"""What a rule or a section means, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import get_args, get_origin, get_type_hints

from envsnap.errors import UsageError
from envsnap.reports._lines import Line, Part, labelled, line, wrapped
from envsnap.rules import FAMILIES, Kind, Rule, rules
from envsnap.sections import SECTIONS, fields, is_shape

_INDENT = 9
_KINDS = {
    Kind.HEALTH: "health: reads one environment and machine",
    Kind.FIT: "fit: holds what an environment needs against what a machine has",
    Kind.DRIFT: "drift: compares the same fact on two sides",
}


def explanation(name: str | None, width: int) -> list[Line]:
    """One rule, the rules of a family, one section, or a list of them all.

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
    raise UsageError(
        f"No rule or section {name!r}",
        hint=f"The sections are {', '.join(SECTIONS)}; the rules: envsnap explain",
    )


def _everything(width: int) -> Iterator[Line]:
    for family, title in FAMILIES.items():
        yield line(Part(title, "bold"))
        yield from _listed([each for each in rules() if each.family == family], width)
        yield line()
    yield line(Part("sections of a manifest", "bold"))
    for each in wrapped(", ".join(SECTIONS), width - 3):
        yield line("  ", each)
    yield line()
    yield line("envsnap explain CODE or SECTION says more.")


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
    names = {shape: name for name, shape in SECTIONS.items()}
    scope = {"both": "natively and in a container"}.get(rule.scope, f"{rule.scope} alone")
    source = f"{rule.source.title}, read on {rule.source.date}"
    for label, text in (
        ("kind", _KINDS[rule.kind]),
        ("worst", f"{rule.worst}: {_WORST[rule.worst]}"),
        ("counts", scope),
        ("reads", ", ".join(names[shape] for shape in rule.reads)),
        ("source", source),
    ):
        yield from labelled(label, text, width=width, indent=_INDENT)
    if rule.source.url:
        yield line(" " * _INDENT, rule.source.url)


_WORST = {
    "blocks": "it will not run",
    "degrades": "it runs, limited",
    "numerics": "it runs, and digits may differ",
    "perf": "timing alone",
    "note": "worth knowing",
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
    hints = get_type_hints(shape)
    for field in fields(shape):
        unit = f" [{field.unit}]" if field.unit else ""
        yield line("  ", Part(f"{prefix}{field.name}", "bold"), unit)
        for each in wrapped(field.meaning, width - 5):
            yield line("    ", each)
        if field.sources:
            for each in wrapped(f"witnesses: {', '.join(field.sources)}", width - 5):
                yield line("    ", Part(each, "dim"))
        inner, many = _inner(hints[field.name])
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
