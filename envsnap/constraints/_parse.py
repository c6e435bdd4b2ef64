"""From a text to an expression. Whatever the text, the answer is one or a ConstraintError."""

from __future__ import annotations

import re

from envsnap.constraints._language import (
    LONGEST,
    UNITS,
    Asked,
    ConstraintError,
    Expression,
    MayDiffer,
    OfFact,
    OfPackage,
    Value,
    Within,
)
from envsnap.constraints._names import NEEDS_UNIT, Kind, kind, near
from envsnap.constraints._topics import TOPICS
from envsnap.constraints._versions import star_fault, version

_TOKEN = re.compile(
    r'\s*(?:(?P<text>"(?:[^"\\]|\\["\\])*")|(?P<operator>[=!<>~]{1,3})|(?P<comma>,)'
    r"|(?P<word>[A-Za-z0-9_.*+:/@^-]+))"
)
_ORDERS = ("==", "!=", ">=", "<=", ">", "<")
_RULE = re.compile(r"[A-Z]{3}[0-9]{3}(?::[a-z0-9._+-]+)?\Z")
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,6})?\Z")
_PACKAGE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\Z")
_MOST_VALUES = 64
_SHOW = "The language: envsnap require --help"


def parse(text: str) -> Expression:
    """The expression in a text.

    >>> str(parse("driver  in 535.*,550.*"))
    'driver in 535.*, 550.*'

    Raises:
        ConstraintError: It is none; the message shows where.
    """
    if len(text) > LONGEST:
        raise ConstraintError(f"Longer than {LONGEST} characters", text, LONGEST)
    reader = _Reader(text)
    if reader.is_at_end:
        raise ConstraintError("There is no expression", text, 0, hint=_SHOW)
    if reader.takes("package"):
        return _package(reader)
    if reader.takes("packages"):
        return _packages(reader)
    name, place = reader.word("the name of a fact")
    if reader.takes("may"):
        return _may_differ(reader, name, place)
    found = kind(name)
    if found is None:
        raise _no_fact(text, name, place)
    return OfFact(name, _tests(reader, name, found))


class _Reader:
    """The words of a text, one after the other, each with its place."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._at = 0
        self._tokens = list(self._read())

    def _read(self) -> list[tuple[str, str, int]]:
        found, at = [], 0
        while self.text[at:].strip():
            token = _TOKEN.match(self.text, at)
            if token is None:
                rest = len(self.text[at:]) - len(self.text[at:].lstrip())
                raise ConstraintError("This is no part of an expression", self.text, at + rest,
                                      hint=_SHOW)  # fmt: skip
            name = str(token.lastgroup)
            found.append((name, token[name], token.start(name)))
            at = token.end()
        return found

    @property
    def is_at_end(self) -> bool:
        """Whether nothing is left."""
        return self._at >= len(self._tokens)

    @property
    def place(self) -> int:
        """Where the next word begins."""
        return len(self.text) if self.is_at_end else self._tokens[self._at][2]

    def is_next(self, *words: str) -> bool:
        """Whether these words are the next ones."""
        ahead = self._tokens[self._at : self._at + len(words)]
        return [each[:2] for each in ahead] == [("word", word) for word in words]

    def takes(self, word: str) -> bool:
        """Go past that word, if it is the next one."""
        is_next = self.is_next(word)
        self._at += is_next
        return is_next

    def next(self, *groups: str) -> tuple[str, str] | None:
        """The next word's group and text, if it is of one of these groups."""
        if self.is_at_end or self._tokens[self._at][0] not in groups:
            return None
        self._at += 1
        return self._tokens[self._at - 1][:2]

    def word(self, what: str) -> tuple[str, int]:
        """The next word, and its place."""
        place, found = self.place, self.next("word")
        if found is None:
            raise self.fault(f"Expected {what}", place)
        return found[1], place

    def end(self) -> None:
        """Refuse whatever is left."""
        if not self.is_at_end:
            raise self.fault("The expression ends before this", self.place)

    def fault(self, message: str, place: int, hint: str = _SHOW) -> ConstraintError:
        """What is wrong, and where."""
        return ConstraintError(message, self.text, place, hint=hint)


def _no_fact(text: str, name: str, place: int) -> ConstraintError:
    likely = near(name)
    hint = f"Did you mean: {', '.join(likely)}" if likely else "See the facts: envsnap explain"
    return ConstraintError(f"There is no fact {name!r}", text, place, hint=hint)


def _tests(reader: _Reader, name: str, of: Kind) -> tuple[Asked, ...]:
    """One membership, or orders divided by commas."""
    if any(reader.is_next(each) for each in ("in", "not", "has")):
        return (_membership(reader, name, of),)
    tests = [_order(reader, name, of)]
    while reader.next("comma"):
        tests.append(_order(reader, name, of))
    reader.end()
    return tuple(tests)


def _membership(reader: _Reader, name: str, of: Kind) -> Asked:
    place = reader.place
    operator = reader.word("in, not in or has")[0]
    if operator == "not":
        if not reader.takes("in"):
            raise reader.fault("Expected 'in'", reader.place)
        operator = "not in"
    if (operator == "has") is not (of.holds == "texts"):
        wanted = "'has'" if of.holds == "texts" else "'==' or 'in'"
        what = "a list" if of.holds == "texts" else "no list"
        raise reader.fault(f"{name} is {what}: ask with {wanted}", place)
    values = [_value(reader, name, of)]
    while reader.next("comma"):
        values.append(_value(reader, name, of))
    if len(values) > _MOST_VALUES:
        raise reader.fault(f"More than {_MOST_VALUES} values", place)
    reader.end()
    return Asked(operator, tuple(values))


def _order(reader: _Reader, name: str, of: Kind) -> Asked:
    place, found = reader.place, reader.next("operator")
    if found is None or found[1] not in _ORDERS:
        raise reader.fault(f"Expected one of {' '.join(_ORDERS)} in has, or 'may differ'", place)
    if of.holds == "texts":
        raise reader.fault(f"{name} is a list: ask with 'has'", place)
    at = reader.place
    value = _value(reader, name, of)
    if found[1] not in {"==", "!="}:
        if of.holds == "truth":
            raise reader.fault(f"{name} is true or false: it has no order", place)
        if version(value.text) is None or value.text.endswith("*"):
            raise reader.fault(f"{value.text!r} is no number or version to compare with", at)
    return Asked(found[1], (value,))


def _value(reader: _Reader, name: str, of: Kind) -> Value:
    place, found = reader.place, reader.next("word", "text")
    if found is None:
        raise reader.fault("Expected a value", place)
    group, text = found
    if group == "text":
        text = re.sub(r"\\([\"\\])", r"\1", text[1:-1])
        if not text.isprintable():
            raise reader.fault("A value with characters that cannot be shown", place)
    unit = next((each for each in UNITS if reader.takes(each)), None)
    if of.holds in {"number", "count"} and not _NUMBER.match(text):
        raise reader.fault(f"{name} is a number, not {text!r}", place)
    if of.holds == "truth" and text not in {"true", "false"}:
        raise reader.fault(f"{name} is true or false, not {text!r}", place)
    if unit is not None and of.unit not in UNITS:
        raise reader.fault(f"{name} has no unit as {unit}", place)
    if unit is None and name in NEEDS_UNIT:
        raise reader.fault(f"{name} needs a unit, as {text} GiB", place)
    fault = star_fault(text)
    if fault is not None:
        raise reader.fault(fault, place)
    return Value(text, unit)


def _package(reader: _Reader) -> OfPackage:
    """A package, and the versions of it as PEP 440 writes them."""
    from packaging.specifiers import InvalidSpecifier, Specifier

    name, place = reader.word("the name of a package")
    if not _PACKAGE.match(name):
        raise reader.fault(f"{name!r} is no name of a package", place)
    specifiers: list[str] = []
    while not reader.is_at_end:
        if specifiers and not reader.next("comma"):
            raise reader.fault("Expected a comma", reader.place)
        at = reader.place
        operator, version_text = reader.next("operator"), reader.next("word")
        written = f"{operator[1] if operator else ''}{version_text[1] if version_text else ''}"
        try:
            Specifier(written)
        except InvalidSpecifier:
            raise reader.fault(f"{written!r} is no version specifier (PEP 440)", at) from None
        specifiers.append(f"{operator[1] if operator else ''} {written.lstrip('=!<>~')}")
    if len(specifiers) > _MOST_VALUES:
        raise reader.fault(f"More than {_MOST_VALUES} values", place)
    return OfPackage(name, tuple(specifiers))


def _packages(reader: _Reader) -> MayDiffer:
    if reader.is_next("may", "differ"):
        raise reader.fault("Expected the names of packages, or * for all", reader.place)
    names = []
    while True:
        name, place = reader.word("the name of a package, or *")
        if name != "*" and not _PACKAGE.match(name):
            raise reader.fault(f"{name!r} is no name of a package", place)
        names.append(name)
        if not reader.next("comma"):
            break
    if not (reader.takes("may") and reader.takes("differ")):
        raise reader.fault("Expected 'may differ in build, patch, minor or version'", reader.place)
    within = Within.VERSION
    if reader.takes("in"):
        word, place = reader.word("build, patch, minor or version")
        if word not in {each.value for each in Within}:
            raise reader.fault(f"Expected build, patch, minor or version, not {word!r}", place)
        within = Within(word)
    reader.end()
    return MayDiffer("packages", tuple(names), within)


def _may_differ(reader: _Reader, name: str, place: int) -> MayDiffer:
    if not reader.takes("differ"):
        raise reader.fault("Expected 'differ'", reader.place)
    reader.end()
    if _RULE.match(name):
        return MayDiffer("rule", (name,))
    if name not in TOPICS:
        known = kind(name) is not None
        said = f"No rule compares {name!r}" if known else f"There is no fact {name!r}"
        raise reader.fault(said, place, hint=f"These may differ: {', '.join(sorted(TOPICS))}; or a "
                           "rule by its code, as CPU001")  # fmt: skip
    return MayDiffer("fact", (name,))
