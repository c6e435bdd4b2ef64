"""check's answer as JUnit XML: each rule a test, each machine a suite of them.

It holds to both schemas in use: Ant's, which Azure and GitLab follow, and that of Jenkins.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET  # it only writes here

from envsnap.reports._cases import Case, End, cases
from envsnap.reports._ending import exit_words
from envsnap.reports._groups import what
from envsnap.reports._shown import bounded
from envsnap.reports._sides import Sides
from envsnap.rules import FAMILIES, Checked, Finding, Scope

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_NO_TIME = "1970-01-01T00:00:00"
_SKIPPED = set(End) - {End.FAILED, End.PASSED}


def text(done: Sequence[tuple[Checked, Sides]]) -> str:
    """The document, with its declaration and a final newline."""
    root = ET.Element("testsuites")
    for number, (checked, sides) in enumerate(done):
        root.append(_suite(number, checked, sides))
    ET.indent(root)
    body = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _suite(number: int, checked: Checked, sides: Sides) -> ET.Element:
    found = list(cases(checked))
    ends = Counter(each.end for each in found)
    suite = _element(
        "testsuite",
        name=sides.found_name or "found", package="envsnap", id=str(number),
        timestamp=_time(sides.found.captured.time), time="0",
        hostname="localhost",  # the schema asks for one; a machine's name is nobody's business
        tests=str(len(found)), failures=str(ends[End.FAILED]), errors="0",
        skipped=str(sum(ends[each] for each in _SKIPPED)),
    )  # fmt: skip
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(checked, sides):
        properties.append(_element("property", name=name, value=value))
    suite.extend([_case(each, checked) for each in found])
    ET.SubElement(suite, "system-out").text = "\n".join(map(bounded, _notes(found, checked)))
    ET.SubElement(suite, "system-err").text = ""
    return suite


def _properties(checked: Checked, sides: Sides) -> Iterable[tuple[str, str]]:
    claim = checked.claim
    yield "wanted", sides.wanted_name
    yield "native", str(checked.report.verdict(Scope.NATIVE))
    yield "container", str(checked.report.verdict(Scope.CONTAINER))
    yield "decides", str(checked.scope)
    best = "" if claim.is_definite else "at best "
    yield "claim", f"{best}{claim.level}" if claim.says_something else "cannot tell"
    yield "exit_code", str(int(checked.exit_code))


def _case(case: Case, checked: Checked) -> ET.Element:
    rule = case.rule
    family = FAMILIES.get(rule.family, rule.family)
    test = _element(
        "testcase", name=f"{rule.code} {rule.topic}", classname=f"envsnap.{family}", time="0"
    )
    if case.end is End.FAILED:
        reached = [each for each in checked.reached if each.code == rule.code]
        failure = _element("failure", message=_what(reached[0]), type=str(reached[0].outcome))
        failure.text = "\n".join(bounded(_told(each)) for each in reached)
        test.append(failure)
    elif case.end in _SKIPPED:
        told = case.reason if case.end is End.ACCEPTED else f"{case.end.value}: {case.reason}"
        test.append(_element("skipped", message=told))
    return test


def _notes(found: Iterable[Case], checked: Checked) -> list[str]:
    """What does not decide, and why the exit code is what it is."""
    reached = {each.id for each in checked.reached}
    said = [each for case in found for each in case.findings if each.id not in reached]
    return [*map(_told, said), *checked.accepted_left, exit_words(checked)]


def _what(each: Finding) -> str:
    return f"{each.subject}: {what(each)}"


def _told(each: Finding) -> str:
    mend = f" -> {each.remedy}" if each.remedy else ""
    return f"{each.code} {each.outcome} ({each.scope}): {_what(each)}. {each.why}{mend}"


def _time(stated: str) -> str:
    found = _TIME.match(stated)
    return found[0] if found else _NO_TIME


def _element(tag: str, **attributes: str) -> ET.Element:
    """An element whose attributes are short, and hold no character that XML does not know."""
    spelled = {name: bounded(" ".join(value.split())) for name, value in attributes.items()}
    return ET.Element(tag, spelled)
