"""explain: rules, families and sections in words."""

from __future__ import annotations

import pytest

from envsnap.errors import UsageError
from envsnap.reports._lines import plain
from envsnap.reports.explanation import explanation
from envsnap.rules import rules
from envsnap.sections import SECTIONS, fields

DRIVER_FLOOR = """\
DRV001  CUDA does not start on a driver older than its family's first one

Since CUDA 11 every release of a major version runs on the driver of its first
release (CUDA 12: 525.60.13); before 11 each needs its own. A container uses
the machine's driver. Where a cuda-compat package serves programs with a newer
CUDA, that one counts.

kind     fit: holds what an environment needs against what a machine has
worst    blocks: it will not run
counts   natively and in a container
reads    gpu, os, packages, python
source   CUDA Compatibility: minor version compatibility, read on 2026-11-21
         https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html"""


def shown(name: str | None) -> list[str]:
    return plain(explanation(name, 80))


def test_a_rule_is_explained_with_its_source_whatever_the_letters() -> None:
    assert "\n".join(shown("DRV001")) == DRIVER_FLOOR
    assert shown("drv001") == shown("DRV001")


def test_without_a_name_every_rule_and_section_is_listed() -> None:
    listed = "\n".join(shown(None))
    assert [each.code for each in rules() if each.code not in listed] == []
    assert [each for each in SECTIONS if each not in listed] == []


def test_a_family_lists_its_rules_alone() -> None:
    assert [each[2:8] for each in shown("ENG") if not each.startswith(" " * 9)] == [
        "ENG001",
        "ENG002",
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
    assert caught.value.message == "No rule or section 'GPU999'"
    assert caught.value.hint == (
        f"The sections are {', '.join(SECTIONS)}; the rules: envsnap explain"
    )
