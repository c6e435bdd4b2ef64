"""Whether a manifest holds an expression: yes, no, or a fact is not known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from envsnap._typing import Any, NamedTuple
from envsnap.constraints._language import (
    UNITS,
    Asked,
    Expression,
    MayDiffer,
    OfFact,
    OfPackage,
    Value,
)
from envsnap.constraints._names import COUNTED, Kind, kind
from envsnap.constraints._versions import matches, version
from envsnap.manifest import Manifest, canonical_name
from envsnap.sections import SECTIONS, Gpu, Os, Packages, Reason, Unknown, is_shape

_SHOWN = 3
_NAMING = frozenset({"==", "in", ">=", "<="})
"""The operators whose values are allowed themselves."""
_LONGEST = 80


class Answer(NamedTuple):
    """Whether it holds, and what was seen."""

    holds: bool | None
    """None where a fact that decides is not known."""
    seen: str
    """What is there, in a few words; the expression's own subject is not repeated."""
    path: str = ""
    """The fact that is not known."""
    unknown: Unknown | None = None


class _Seen(NamedTuple):
    path: str
    value: object


def holds(expression: Expression, manifest: Manifest) -> Answer:
    """Whether the manifest holds the expression. What may differ is held by everything."""
    if isinstance(expression, MayDiffer):
        return Answer(holds=True, seen="")
    if isinstance(expression, OfPackage):
        return _package(expression, manifest)
    of = kind(expression.name)
    if of is None:
        unknown = Unknown(Reason.NEWER_SCHEMA, f"there is no fact {expression.name}")
        return Answer(holds=None, seen="", path=expression.name, unknown=unknown)
    return _fact(expression, of, manifest)


def is_of_environment(expression: Expression) -> bool:
    """Whether it is about what a container brings of its own: packages, Python, the C library."""
    of = kind(expression.name) if isinstance(expression, OfFact) else None
    return isinstance(expression, OfPackage) or (of is not None and of.is_of_environment)


def refused_of(may: Expression, must: Expression) -> tuple[str, ...]:
    """The values that the one names as allowed and the other refuses; none where they agree.

    Of an order it is the value that it begins or ends with: `driver >= 525` allows 525.
    """
    of = kind(may.name) if isinstance(may, OfFact) else None
    if of is None or not isinstance(may, OfFact) or not isinstance(must, OfFact):
        return ()
    if kind(must.name) != of or of.holds == "texts":
        return ()
    named = [value for test in may.tests if test.operator in _NAMING for value in test.values]
    return tuple(str(each) for each in named if _is_refused(each, may, must, of))


def _is_refused(named: Value, may: OfFact, must: OfFact, of: Kind) -> bool:
    number = _number(named.text, named.unit, of)
    value = named.text.removesuffix(".*") if number is None else int(number)
    return _passes(value, may.tests, of) is True and _passes(value, must.tests, of) is False


def _fact(expression: OfFact, of: Kind, manifest: Manifest) -> Answer:
    """Every place that the name stands for must pass; where there is none, it does not hold."""
    places = list(_places(expression.name, of, manifest))
    known = [each for each in places if not isinstance(each.value, Unknown)]
    unknown = next((each for each in places if isinstance(each.value, Unknown)), None)
    results = [_passes(each.value, expression.tests, of) for each in known]
    seen = _words([each.value for each in known], of)
    failed = [each.value for each, passed in zip(known, results, strict=True) if passed is False]
    if failed:
        return Answer(holds=False, seen=_lacking(failed[0], expression.tests) or _words(failed, of))
    if unknown is not None and isinstance(unknown.value, Unknown):
        return Answer(holds=None, seen=seen, path=unknown.path, unknown=unknown.value)
    if None in results:
        at = known[results.index(None)]
        reason = Unknown(Reason.UNPARSABLE, f"{_word(at.value)} is no version")
        return Answer(holds=None, seen=seen, path=at.path, unknown=reason)
    return Answer(holds=bool(known), seen=seen if known else "none")


def _places(name: str, of: Kind, manifest: Manifest) -> Iterator[_Seen]:
    section, *rest = of.path.split(".")
    whole = manifest.section(SECTIONS[section])
    if name == "glibc" and isinstance(whole, Os) and not isinstance(whole.libc, Unknown):
        yield _Seen(of.path, whole.libc_version if whole.libc == "glibc" else None)
    elif name in COUNTED and isinstance(whole, Gpu):
        yield _Seen(of.path, _how_many(whole))
    elif rest[0] == "devices" and isinstance(whole, Gpu):
        yield from _visible(whole, rest[1:])
    else:
        yield from _below(whole, rest, section)


def _how_many(gpu: Gpu) -> object:
    """As many as programs see; a machine without GPUs need not say which are visible."""
    if not isinstance(gpu.devices, Unknown) and not gpu.devices:
        return 0
    return gpu.visible if isinstance(gpu.visible, Unknown) else len(gpu.visible)


def _visible(gpu: Gpu, rest: list[str]) -> Iterator[_Seen]:
    """A fact of each GPU that programs see; of a MIG card, of each instance where it has its own.

    The list is empty without GPUs, and then nothing can hold.
    """
    if isinstance(gpu.devices, Unknown) or not gpu.devices:
        yield from [_Seen("gpu.devices", gpu.devices)] if isinstance(gpu.devices, Unknown) else []
        return
    if isinstance(gpu.visible, Unknown):
        yield _Seen("gpu.visible", gpu.visible)
        return
    for index in gpu.visible:
        if not 0 <= index < len(gpu.devices):
            continue
        device, path = gpu.devices[index], f"gpu.devices[{index}]"
        is_cut = rest in (["memory_mib"], ["multiprocessors"]) and device.mig is True
        if is_cut and isinstance(device.slices, Unknown):
            yield _Seen(f"{path}.slices", device.slices)
        elif is_cut and not isinstance(device.slices, Unknown):
            yield from _below(device.slices, rest, f"{path}.slices")
        else:
            yield from _below(device, rest, path)


def _below(value: object, rest: list[str], path: str) -> Iterator[_Seen]:
    """Every value below a place; lists of shapes are gone through."""
    if isinstance(value, Unknown) or not rest:
        yield _Seen(path, value)
    elif isinstance(value, tuple):
        for index, each in enumerate(value):
            yield from _below(each, rest, f"{path}[{index}]")
    elif isinstance(value, Mapping):
        yield _Seen(f"{path}.{rest[0]}", value.get(".".join(rest)))
    elif is_shape(value):
        yield from _below(getattr(value, rest[0]), rest[1:], f"{path}.{rest[0]}")
    else:
        yield _Seen(path, None)


def _passes(value: object, tests: Iterable[Asked], of: Kind) -> bool | None:
    """Whether a known value passes all tests; None where it cannot be compared."""
    results = [_passes_one(value, each, of) for each in tests]
    return False if False in results else None if None in results else True


def _passes_one(value: object, test: Asked, of: Kind) -> bool | None:
    if test.operator == "has":
        return not _lacking(value, [test])
    if value is None:
        return test.operator in {"!=", "not in"}
    if isinstance(value, int) and not isinstance(value, bool):
        wanted = [_number(each.text, each.unit, of) for each in test.values]
        return _in_order(Decimal(value), test.operator, wanted)
    text = _text(value)
    if test.operator in {"==", "in", "!=", "not in"}:
        is_one = any(matches(text, each.text) for each in test.values)
        return is_one is (test.operator in {"==", "in"})
    ours, theirs = version(text), version(test.values[0].text)
    if ours is None or theirs is None:
        return None
    return _in_order(ours.order, test.operator, [theirs.order])


def _in_order(value: Any, operator: str, wanted: list[Any]) -> bool:  # noqa: ANN401 - what can be sorted
    match operator:
        case "==" | "in":
            return value in wanted
        case "!=" | "not in":
            return value not in wanted
        case ">=":
            return bool(value >= wanted[0])
        case "<=":
            return bool(value <= wanted[0])
        case ">":
            return bool(value > wanted[0])
        case _:
            return bool(value < wanted[0])


def _number(text: str, unit: str | None, of: Kind) -> Decimal | None:
    """The value in the fact's own unit; None for what is no number."""
    if of.holds not in {"number", "count"}:
        return None
    number = Decimal(text)
    if unit is None or of.unit is None:
        return number
    return number * UNITS[unit] / UNITS[of.unit]


def _package(expression: OfPackage, manifest: Manifest) -> Answer:
    """Whether the copy that import would use is of such a version."""
    packages = manifest.section(Packages)
    installed = packages if isinstance(packages, Unknown) else packages.installed
    if isinstance(installed, Unknown):
        return Answer(holds=None, seen="", path="packages.installed", unknown=installed)
    asked = canonical_name(expression.name)
    there = next(
        (each for each in installed if each.active and canonical_name(each.name) == asked), None
    )
    if there is None:
        return Answer(holds=False, seen="not installed")
    if not expression.specifiers:
        return Answer(holds=True, seen=_word(there.version))
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    seen = _word(there.version)
    try:
        installed_version = Version(there.version)
        is_in = SpecifierSet(",".join(expression.specifiers)).contains(
            installed_version, prereleases=True
        )
    except ValueError:  # no version, or one of thousands of digits
        reason = Unknown(Reason.UNPARSABLE, f"{seen} is no version of PEP 440")
        path = f"packages.installed.{there.name}.version"
        return Answer(holds=None, seen=seen, path=path, unknown=reason)
    return Answer(holds=is_in, seen=seen)


def _lacking(value: object, tests: Iterable[Asked]) -> str:
    """What a list is asked for and has not; empty for what is no list."""
    asked = [each.text for test in tests if test.operator == "has" for each in test.values]
    there = value if isinstance(value, tuple) else ()
    absent = [text for text in asked if not any(matches(str(one), text) for one in there)]
    return f"without {', '.join(absent)}" if absent else ""


def _words(values: list[Any], of: Kind) -> str:
    """The values, each once; never a long list."""
    unit = f" {of.unit}" if of.unit else ""
    words = list(dict.fromkeys(_word(each) for each in values))
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return ", ".join(f"{each}{unit}" for each in words[:_SHOWN]) + more


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _word(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "none" if value is None else _text(value)
    text = (", ".join(map(str, value)) or "none") if isinstance(value, tuple) else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
