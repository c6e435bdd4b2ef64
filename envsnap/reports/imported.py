"""What an import says: what is wrong, what was read, what is missing, what to ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from envsnap.imports import Told, disagreements
from envsnap.lock._redact import redacted
from envsnap.manifest import Manifest, canonical_name
from envsnap.reports._lines import labelled, plain
from envsnap.reports._words import active_packages, count, lines
from envsnap.reports.health import health_lines
from envsnap.rules import Report
from envsnap.sections import Cuda, Gpu, Unknown

_INDENT = 13
_LINES = 3
_PACKAGES = "packages.unlisted: "
"""Where it stands that two texts name a package in different versions."""
_LONGEST = 60
_FIRST = ("torch", "tensorflow", "jax", "vllm", "transformers", "numpy")
"""Whose versions a reader looks for."""
_NUMBERS = {2: "two", 3: "three", 4: "four"}


def answer_lines(report: Report, complaints: Sequence[str], width: int) -> Iterator[str]:
    """What is wrong: by the text's own word, and by the rules."""
    for number, each in enumerate(complaints):
        yield from _labelled("" if number else "  It says", each, width)
    if report.findings:
        yield from health_lines(report, width)
        return
    judged, left = len(report.judged), len({each.code for each in report.not_checked})
    more = "; too little to tell" if left >= judged else ""
    none = "no rule finds why" if complaints else f"nothing wrong in what the text says{more}"
    text = f"{none} ({judged} of {judged + left} rules judged)"
    yield from _labelled("  Health", text, width)


def read_lines(name: str, told: Sequence[Told], width: int) -> Iterator[str]:
    """What one text was found to be, and what in it was not understood."""
    forms = ", ".join(dict.fromkeys(each.form for each in told)) or "nothing was recognised"
    yield from _labelled("  Read", f"{name}: {forms}", width)
    for note in dict.fromkeys(note for each in told for note in each.notes):
        yield from _labelled("", note, width)
    left = [line for each in told for line in each.not_read]
    if left:
        shown = "; ".join(repr(_cut(each)) for each in left[:_LINES])
        more = f" and {len(left) - _LINES} more" if len(left) > _LINES else ""
        yield from _labelled("", f"{count(len(left), 'line')} not understood: {shown}{more}", width)


def overlooked_lines(overlooked: Sequence[str], width: int) -> Iterator[str]:
    """The lines that seem to tell facts, and were not read."""
    if overlooked:
        shown = "; ".join(repr(_cut(each)) for each in overlooked[:_LINES])
        more = f" and {len(overlooked) - _LINES} more" if len(overlooked) > _LINES else ""
        what = (
            "1 line that may tell"
            if len(overlooked) == 1
            else f"{len(overlooked)} lines that may tell"
        )
        yield from _labelled("  Not read", f"{what} facts: {shown}{more}", width)


def doubt_lines(manifest: Manifest, width: int) -> Iterator[str]:
    """The facts on which what was read does not agree: they are left unknown."""
    for each in disagreements(manifest.sections):
        package = each.removeprefix(_PACKAGES)
        text = f"{each}: left unknown" if package == each else f"{package}: left out"
        yield from _labelled("  In doubt", text, width)


def missing_lines(missing: Iterable[str], width: int) -> Iterator[str]:
    """The facts whose absence left most rules undecided."""
    for number, each in enumerate(missing):
        label = "" if number else "  Missing"
        yield from _labelled(label, each, width)


def to_send_lines(commands: Sequence[str]) -> Iterator[str]:
    """What to paste to whoever reported it; nothing where there is nothing to ask for."""
    if commands:
        many = _NUMBERS.get(len(commands))
        these = (
            f"these {many} and paste what they print" if many else "this and paste what it prints"
        )
        yield from ("", "To send to whoever reported it", f"  Please run {these}:")
        yield from (f"      {each}" for each in commands)


def known_lines(manifest: Manifest, width: int) -> Iterator[str]:
    """What is known now, one labelled line each; how surely packages are named is left out."""
    for label, text in lines(manifest):
        said = packages_named(manifest) if label == "Packages" else text
        if not text.startswith("not seen") and label != "Identity":
            yield from _labelled(f"  {label}", said, width)
    cuda, gpu = manifest.section(Cuda), manifest.section(Gpu)
    if isinstance(cuda, Cuda) and isinstance(cuda.nvcc, str):
        yield from _labelled("  nvcc", cuda.nvcc, width)
    if isinstance(gpu, Gpu) and isinstance(gpu.visible, tuple) and isinstance(gpu.hidden, Unknown):
        text = "that programs see every GPU in the list: the text does not tell"
        yield from _labelled("  Assumed", text, width)


def packages_named(manifest: Manifest) -> str:
    """'381 named: torch 2.5.1, numpy 1.26.4, jax 0.4.33 and others'."""
    active = active_packages(manifest)
    if isinstance(active, Unknown):
        return "none named"
    versions = {canonical_name(each.name): each.version for each in active}
    first = [each for each in _FIRST if each in versions]
    rest = [each for each in sorted(versions) if each not in _FIRST]
    shown = ", ".join(f"{each} {versions[each]}" for each in [*first, *rest][:_LINES])
    return f"{len(versions)}: {shown}{' and others' if len(versions) > _LINES else ''}"


def _labelled(label: str, text: str, width: int) -> list[str]:
    """A line of what somebody sent; an address in it shows no password or token."""
    return plain(labelled(label, redacted(text), width=width, indent=_INDENT))


def _cut(text: str) -> str:
    text = redacted(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
