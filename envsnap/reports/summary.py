"""The end of a capture: what there is, what the author can still mend, what to type next."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.manifest import Manifest, canonical_name, environment_id, machine_id
from envsnap.reports._lines import manifest_words
from envsnap.reports._mend import Mend, to_mend
from envsnap.reports._shown import filled
from envsnap.reports._words import active_packages, lines, not_seen, sentence
from envsnap.sections import SECTIONS, Python, Unknown

_LABEL_WIDTH = 11
_SHOWN = 5


def reading(manifest: Manifest) -> Iterator[str]:
    """Which environment was read and why, then the others that were seen."""
    python = manifest.section(Python)
    if isinstance(python, Unknown):
        yield f"Reading this machine alone; no environment: {python}"
        return
    name = "" if not isinstance(python.environment_name, str) else f' "{python.environment_name}"'
    kind = python.environment_kind if isinstance(python.environment_kind, str) else "Python"
    yield f"Reading {kind}{name} ({python.chosen}), Python {python.version}"
    others = () if isinstance(python.not_chosen, Unknown) else python.not_chosen
    if others:
        seen = ", ".join(_other(each.kind, each.name) for each in others)
        yield f"  also here, not read: {seen}"
        yield "  choose with --python"


def summary(manifest: Manifest, width: int) -> Iterator[str]:
    """The parts of a manifest, one labelled line each."""
    for label, text in lines(manifest):
        yield from labelled(label, text, width)
    for text in not_seen(manifest):
        yield from labelled("Not seen", text, width)


def labelled(label: str, text: str, width: int) -> list[str]:
    """A label and its text, wrapped under itself."""
    return filled(
        text, width - 1, first=f"  {label:<{_LABEL_WIDTH}}", rest=" " * (_LABEL_WIDTH + 2)
    )


def mending(manifest: Manifest, width: int) -> Iterator[str]:
    """What only the author can mend, numbered."""
    things = to_mend(manifest)
    if not things:
        return
    yield f"Before you send it: {_things(len(things))} that only you can mend"
    for number, thing in enumerate(things, start=1):
        yield from _mend_lines(number, thing, width)


def paper(manifest: Manifest, width: int) -> Iterator[str]:
    """The sentence for a paper, wrapped."""
    yield "For the paper"
    yield from filled(sentence(manifest), width - 1, first="  ", rest="  ")


def identity(manifest: Manifest) -> str:
    """The two ids on one line."""
    environment, machine = environment_id(manifest), machine_id(manifest)
    locked = "locked" if manifest.lock else "not locked yet: no URLs"
    return f"  environment {_short(environment)}    machine {_short(machine)}    {locked}"


def _short(ident: str | Unknown) -> str:
    return "not known" if isinstance(ident, Unknown) else ident


def _other(kind: str, name: str) -> str:
    if kind == "foreign":
        return f"{name} (owned by somebody else)"
    if kind == "conda base":
        return kind
    return name if kind in {"venv", "system", name} else f"{kind} {name}"


def _things(number: int) -> str:
    return "1 thing" if number == 1 else f"{number} things"


def _mend_lines(number: int, thing: Mend, width: int) -> Iterator[str]:
    yield from filled(thing.what, width - 1, first=f"  {number}  ", rest="     ")
    for example in thing.examples:
        yield from filled(example, width - 1, first="       ", rest="         ")
    yield from filled(thing.step, width - 1, first="     -> ", rest="        ")


def steps(manifest: Manifest, path: str, width: int) -> list[str]:
    """The commands that come next, each with what it does where the line has room."""
    name = "" if path == "-" else manifest_words(path)
    lock = ((f"envsnap lock{name}", "the URL and hash of every package"),)
    rebuild = (
        *(() if manifest.lock is not None else lock),
        (f"envsnap build{name} --docker", "or --singularity, --repo2docker"),
    )
    check = (f"envsnap check{name}", "later, here or elsewhere: still the same?")
    is_known = isinstance(environment_id(manifest), str)
    rows = (*rebuild, check) if is_known else (check,)
    wide = max(len(command) for command, _ in rows)
    room = wide + max(len(what) for _, what in rows) + 10 <= width
    lines = [f"{command:<{wide}}    {what}" if room else command for command, what in rows]
    return [f"{'Next' if row == lines[0] else '':<6}{row}" for row in lines]


def changes(before: Manifest, now: Manifest, width: int) -> Iterator[str]:
    """What differs from the file that was replaced, counted; never a list of hundreds."""
    yield "Changed since the file that was here"
    for text in (*_package_changes(before, now), *_section_changes(before, now)):
        yield from filled(text, width - 1, first="  ", rest="    ")


def _package_changes(before: Manifest, now: Manifest) -> Iterator[str]:
    old, new = _versions(before), _versions(now)
    moved = [
        f"{name} {old[name]} -> {new[name]}"
        for name in old
        if name in new and old[name] != new[name]
    ]
    added = [f"{name} {new[name]}" for name in new if name not in old]
    removed = [f"{name} {old[name]}" for name in old if name not in new]
    for verb, names in (("changed", moved), ("added", added), ("removed", removed)):
        if names:
            many = f"{len(names)} packages {verb}: {_first_of(names)}"
            yield many if len(names) > 1 else f"{names[0]} {verb}"
    if before.lock is not None and now.lock is None:
        yield "its lock was dropped: the packages are not those that were locked"


def _versions(manifest: Manifest) -> dict[str, str]:
    active = active_packages(manifest)
    if isinstance(active, Unknown):
        return {}
    return {canonical_name(each.name): each.version for each in active}


def _first_of(names: list[str]) -> str:
    left = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {left} more" if left > 0 else "")


def _section_changes(before: Manifest, now: Manifest) -> Iterator[str]:
    names = [
        name
        for name in SECTIONS
        if name not in {"packages", "moment"}
        and before.sections.get(name) != now.sections.get(name)
    ]
    if names:
        yield f"facts in: {', '.join(names)}"
