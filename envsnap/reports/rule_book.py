"""The whole rule book, as one page of Markdown: `envsnap explain --all` and docs/rules.md."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.facts import Source, date_of, principles
from envsnap.reports._terms import TERMS
from envsnap.reports.explanation import known_of, rests_on
from envsnap.rules import FAMILIES, Level, Outcome, Rule, rules
from envsnap.rules._examples import Example, example
from envsnap.rules._principles import RESTS_ON

_HEAD = """\
# The rule book

What `envsnap check`, `capture`, `import` and `doctor` know of environments, and what they make
of it. Each rule reads one manifest, or two, and says what it found, how bad that is, who says so
and what mends it; a rule that misses a fact is *not checked*, never fine. `envsnap explain CODE`
prints one of them.

This page is made by `scripts/rule_book.py` from the rules themselves and from their tests' cases.
"""
_OUTCOMES = {
    Outcome.BLOCKS: "it will not run",
    Outcome.DEGRADES: "it runs, limited or slower than it should",
    Outcome.NUMERICS: "it runs, and digits may differ",
    Outcome.PERF: "timing alone",
    Outcome.NOTE: "worth knowing; not known to change a digit",
}


def rule_book() -> str:
    """What there is, linked; then every rule by family, and what they rest on."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield _HEAD
    yield "| outcome | what it does to the result |"
    yield "| --- | --- |"
    yield from (f"| {outcome} | {text} |" for outcome, text in _OUTCOMES.items())
    yield ""
    yield from _contents()
    yield from _claims()
    for family, those in _families():
        yield f"## {_family(family)}"
        yield ""
        for rule in those:
            yield from _rule(rule)
    yield from _ground()


def _claims() -> Iterator[str]:
    """What can be expected of the results, and how to hold somebody to it."""
    yield "## What to expect of the results"
    yield ""
    for level in Level:
        term = TERMS[level][0]
        yield f"- **{level}**: {_plain(term.means)} How to test it: {_plain(term.test)}."
    yield ""


def _families() -> Iterator[tuple[str, list[Rule]]]:
    for family in FAMILIES:
        those = [each for each in rules() if each.family == family]
        if those:
            yield family, those


def _family(family: str) -> str:
    title = FAMILIES[family]
    return family if title == family else f"{family}: {title}"


def _contents() -> Iterator[str]:
    """Every rule with its link, and the links to what they rest on."""
    yield "## Contents"
    yield ""
    yield "| rule | what it looks at | at worst | rests on |"
    yield "| --- | --- | --- | --- |"
    for _, those in _families():
        for rule in those:
            link = f"[{rule.code}](#{_slug(_heading(rule))})"
            yield f"| {link} | {_subject(rule)} | {rule.worst} | {_links(rule)} |"
    yield ""


def _subject(rule: Rule) -> str:
    return _plain(f"{FAMILIES[rule.family]}, {rule.topic}")


def _heading(rule: Rule) -> str:
    return f"{rule.code}: {_subject(rule)}"


def _slug(heading: str) -> str:
    """The anchor that Markdown's renderers give a heading."""
    kept = "".join(each for each in heading.lower() if each.isalnum() or each in " -_")
    return kept.replace(" ", "-")


def _links(rule: Rule) -> str:
    return ", ".join(f"[{each.number}](#{each.number.lower()})" for each in rests_on(rule))


def _rule(rule: Rule) -> Iterator[str]:
    yield f"### {_heading(rule)}"
    yield ""
    yield f"**{_plain(rule.message)}.**"
    yield ""
    yield from (_plain(each) for each in rule.explanation.split("\n"))
    yield ""
    known = example(rule.code)
    if known is not None:
        yield from _example(known)
    told = [
        text if label in {"kind", "worst"} else f"{label} {text}" for label, text in _known(rule)
    ]
    yield f"{_plain('; '.join(told))}; rests on {_links(rule)}."
    yield f"Source: {_source(rule.source)}."
    yield ""


def _example(known: Example) -> Iterator[str]:
    yield f"- Example, **{known.outcome}**: {_plain(known.says)}"
    if known.wanted is not None and known.found is not None:
        yield f"- its two sides: wanted {_plain(known.wanted)}; found {_plain(known.found)}"
    if known.remedy is not None:
        yield f"- what mends it: {_plain(known.remedy)}"
    yield f"- but nothing is said {_plain(known.but)}"
    yield ""


def _known(rule: Rule) -> Iterator[tuple[str, str]]:
    """What a rule declares, each in as few words as the page's first table allows."""
    for label, text in known_of(rule):
        short = text.partition(":")[0] if label in {"kind", "worst"} else text
        yield label, f"at worst {short}" if label == "worst" else short


def _ground() -> Iterator[str]:
    yield "## What the rules rest on"
    yield ""
    yield f"Facts of {date_of('principles')}. *Sure* is how far the sources can be relied on."
    yield ""
    for each in principles.every():
        known = each.value
        judged = [code for code in sorted(RESTS_ON) if known.number in RESTS_ON[code]]
        yield f"### {known.number}"
        yield ""
        yield f"{_plain(known.says[:1].upper() + known.says[1:])}."
        yield ""
        yield f"- sure: {each.confidence}"
        yield f"- judged by: {', '.join(judged)}" if judged else f"- not judged: {known.not_judged}"
        yield from (f"- source: {_source(source)}" for source in each.sources)
        yield ""


def _source(source: Source) -> str:
    title = _plain(source.title)
    return f"[{title}]({source.url}), read on {source.date}" if source.url else title


def _plain(text: str) -> str:
    """Text that Markdown takes as it is."""
    for sign in ("\\", "|", "<", "*", "_", "["):
        text = text.replace(sign, f"\\{sign}")
    return text
