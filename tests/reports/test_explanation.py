"""explain: rules, families and sections in words."""

from __future__ import annotations

import os
import re

import pytest

import envsnap
from envsnap.errors import UsageError
from envsnap.facts import principles
from envsnap.reports._lines import plain
from envsnap.reports.explanation import explanation
from envsnap.reports.rule_book import rule_book
from envsnap.rules import FAMILIES, Level, Outcome, Rule, Verdict, rules
from envsnap.sections import SECTIONS, fields

PACKAGE = os.path.dirname(os.path.abspath(envsnap.__file__))
DRIVER_FLOOR = """\
DRV001  CUDA does not start on a driver older than its family's first one

Since CUDA 11 every release of a major version runs on the driver of its first
release (CUDA 12: 525.60.13); before 11 each needs its own. A container uses
the machine's driver. Where a cuda-compat package serves programs with a newer
CUDA, that one counts.

example  blocks: torch is built for CUDA 12.4, which needs driver 525.60.13;
         here is 525.60.12
         -> a driver of 525.60.13 or newer
         but nothing is said of driver 525.60.13

kind     fit: holds what an environment needs against what a machine has
worst    blocks: it will not run
leaves   nothing to expect
counts   natively and in a container
reads    gpu, os, packages, python
rests on R2  from CUDA 11 on every release of a major version runs on the
         driver of the family's first one; before 11 each needs its own
         R4  a cuda-compat package lets a newer CUDA run on an older driver, on
         the driver branches and the data-center GPUs that it is made for
source   CUDA Compatibility: minor version compatibility, read on 2026-11-21
         https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html"""
MODULE_AND_LIBRARIES = """\
R6  the loaded kernel module and the driver's libraries must be of one version

  DRV004 mismatch: CUDA refuses to start until module and libraries are of one
         version again
  DRV005 not loaded: Without its kernel module no program reaches the GPU

sure     high
source   nvidia-container-toolkit issue 394: driver/library version mismatch,
         read on 2026-11-21
         https://github.com/NVIDIA/nvidia-container-toolkit/issues/394"""


def shown(name: str | None) -> list[str]:
    return plain(explanation(name, 80))


def test_a_rule_is_explained_with_its_source_whatever_the_letters() -> None:
    assert "\n".join(shown("DRV001")) == DRIVER_FLOOR
    assert shown("drv001") == shown("DRV001")


def test_a_principle_is_explained_with_the_rules_that_judge_by_it() -> None:
    assert "\n".join(shown("R6")) == MODULE_AND_LIBRARIES
    assert shown("r6") == shown("R6")


def test_a_principle_that_no_rule_judges_says_why() -> None:
    assert "not judged: no capture has met a variant's label yet" in "\n".join(shown("R11"))


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.code)
def test_every_rule_can_be_explained_in_eighty_columns(rule: Rule) -> None:
    lines = shown(rule.code)
    assert [each for each in lines if len(each) > 79 and "https://" not in each] == []


def test_the_page_of_the_docs_is_what_explain_all_prints() -> None:
    page = os.path.join(os.path.dirname(PACKAGE), "docs", "rules.md")
    with open(page, encoding="utf-8", newline="") as file:
        assert file.read() == rule_book(), "run: make docs"


def test_the_page_has_every_rule_and_principle_and_each_link_leads_somewhere() -> None:
    page = rule_book()
    headings = re.findall(r"^### (\w+)", page, flags=re.MULTILINE)
    numbers = [each.value.number for each in principles.every()]
    assert sorted(headings) == sorted([*(each.code for each in rules()), *numbers])
    anchors = [
        re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-")
        for each in re.findall(r"^#+ (.+)$", page, flags=re.MULTILINE)
    ]
    assert len(set(anchors)) == len(anchors)
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= set(anchors)


def test_the_page_begins_with_a_link_to_every_rule() -> None:
    contents = rule_book().partition("\n## Contents\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| \[(\w+)\]\(#", contents, flags=re.MULTILINE) == [
        each.code for family in FAMILIES for each in rules() if each.family == family
    ]


@pytest.mark.parametrize(
    "name", [*Level, *Outcome, *Verdict, "No promise", "SAME ARCH?", "BITWISE"], ids=str
)
def test_every_word_of_an_answer_says_what_it_promises_and_how_to_test_it(name: str) -> None:
    said = shown(str(name))
    assert [each for each in said if len(each) > 79] == []
    labels = [each[:9].strip() for each in said]
    assert labels.count("said by") == labels.count("test") >= 1


def test_a_word_is_explained_with_who_promises_it() -> None:
    assert "\n".join(shown("no promise")[:7]) == (
        "NO PROMISE (of the results)\n"
        "\n"
        "It runs, and nothing is promised of what it computes: other code computes it,\n"
        "as another version of a package.\n"
        "\n"
        "said by  nobody\n"
        "test     compare the figures with those that were published, as with a program"
    )


def test_without_a_name_every_rule_and_section_is_listed() -> None:
    listed = "\n".join(shown(None))
    assert [each.code for each in rules() if each.code not in listed] == []
    assert [each for each in SECTIONS if each not in listed] == []


def test_a_family_lists_its_rules_alone() -> None:
    assert [each[2:8] for each in shown("ENG") if not each.startswith(" " * 9)] == [
        "ENG001",
        "ENG002",
        "ENG003",
    ]


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_lists_its_facts_with_their_meaning(name: str) -> None:
    listed = shown(name)
    for field in fields(SECTIONS[name]):
        heading = f"  {field.name}" + (f" [{field.unit}]" if field.unit else "")
        assert heading in listed


def test_the_facts_within_facts_are_listed_with_unit_and_witnesses() -> None:
    listed = shown("gpu")
    at = listed.index("  devices[].memory_mib [MiB]")
    assert listed[at + 1 : at + 3] == ["    Total memory", "    witnesses: NVML, nvidia-smi"]
    assert "  driver.version" in listed


def test_an_unknown_name_is_refused_with_what_there_is() -> None:
    with pytest.raises(UsageError) as caught:
        explanation("GPU999", 80)
    assert caught.value.message == "No rule, principle, section or word of a report 'GPU999'"
    assert caught.value.hint == "List that family: envsnap explain GPU"
    with pytest.raises(UsageError) as caught:
        explanation("bitwis", 80)
    assert caught.value.hint == "Did you mean bitwise"
