"""Real environments that others described in public, read and judged.

Each text holds the facts of one of them, in the form in which its thread has them; index.json
says where it was found and what import is to make of it, pairs.json what check is to say of two
of them, and why that is right. README.md says how they were reduced.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from envsnap._check import CheckOptions, check
from envsnap._import import imported, read
from envsnap.imports import Text
from envsnap.imports._pasted import fragments
from envsnap.manifest import Manifest, decode, encode
from envsnap.rules import Outcome, Scope, health
from envsnap.sections import Cpu, Cuda, Device, Gpu, MigSlice, Os, Packages, Python, Unknown

HERE = os.path.dirname(os.path.abspath(__file__))
TOLD = "2026-11-21T00:00:00Z"


def document(name: str) -> Any:  # noqa: ANN401 - as JSON has it
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return json.load(file)


INDEX: dict[str, Any] = document("index.json")
PAIRS: list[dict[str, Any]] = document("pairs.json")


@cache
def text_of(name: str) -> str:
    with open(os.path.join(HERE, f"{name}.txt"), encoding="utf-8") as file:
        return file.read()


@cache
def manifest_of(name: str) -> Manifest:
    return imported([read(Text("-", text_of(name)))], TOLD)


def facts_of(manifest: Manifest) -> dict[str, object]:
    """What is known, in the few words of the index; what is not known is left out."""
    found: dict[str, object] = {"forms": list(manifest.captured.imported)}
    python, system = manifest.section(Python), manifest.section(Os)
    cpu, cuda = manifest.section(Cpu), manifest.section(Cuda)
    packages, gpu = manifest.section(Packages), manifest.section(Gpu)
    if isinstance(packages, Packages) and isinstance(packages.installed, tuple):
        found["packages"] = [f"{each.name} {each.version}" for each in packages.installed]
    if isinstance(python, Python):
        found["python"] = python.version
    if isinstance(system, Os):
        found["os"] = told_of(
            system, "system", "distribution", "distribution_version", "kernel", "architecture",
            "libc_version", "wsl",
        )  # fmt: skip
    if isinstance(cpu, Cpu):
        found["cpu"] = told_of(cpu, "vendor", "model", "sockets", "cores", "threads")
    if isinstance(cuda, Cuda) and is_told(cuda, "nvcc"):
        found["nvcc"] = cuda.nvcc
    return found | (gpu_facts(gpu) if isinstance(gpu, Gpu) else {})


def gpu_facts(gpu: Gpu) -> dict[str, object]:
    found: dict[str, object] = {"platform": gpu.platform} if is_told(gpu, "platform") else {}
    if gpu.driver is not None and not isinstance(gpu.driver, Unknown):
        found["driver"] = told_of(
            gpu.driver, "version", "kernel_module", "library", "cuda", "cuda_in_effect", "compat"
        )
    if isinstance(gpu.devices, tuple):
        found["gpus"] = dict(Counter(words(each) for each in gpu.devices))
    if isinstance(gpu.visible, tuple):
        found["visible"] = len(gpu.visible)
    return found


def words(device: Device) -> str:
    """A card in a line: its name, capability or target, memory, MIG and ECC, where told."""
    name = "cut off" if isinstance(device.name, Unknown) else device.name
    code = device.architecture if device.vendor == "amd" else device.compute_capability
    parts = [name, "?" if isinstance(code, Unknown) else str(code)]
    if isinstance(device.memory_mib, int):
        parts.append(f"{device.memory_mib} MiB")
    if device.mig is True and isinstance(device.slices, tuple):
        parts += map(slice_words, device.slices)
    elif not isinstance(device.mig, Unknown):
        parts.append("MIG off" if device.mig is False else "no MIG")
    if not isinstance(device.ecc, Unknown):
        parts.append({True: "ECC on", False: "ECC off", None: "no ECC"}[device.ecc])
    return ", ".join(parts)


def slice_words(part: MigSlice) -> str:
    return str(part.profile) if isinstance(part.profile, str) else f"{part.memory_mib} MiB"


def is_told(section: object, name: str) -> bool:
    return not isinstance(getattr(section, name), Unknown)


def told_of(section: object, *names: str) -> dict[str, object]:
    return {name: said(getattr(section, name)) for name in names if is_told(section, name)}


def said(value: object) -> object:
    return value if value is None or isinstance(value, (str, int)) else "in use"


@pytest.mark.parametrize("name", sorted(INDEX))
def test_what_others_recorded_is_read_as_they_say_it(name: str) -> None:
    assert facts_of(manifest_of(name)) == INDEX[name]["facts"]


def test_every_text_has_its_source_and_every_source_its_text() -> None:
    texts = {each[:-4] for each in os.listdir(HERE) if each.endswith(".txt")}
    assert texts == set(INDEX)
    assert len(INDEX) >= 30
    for name, entry in INDEX.items():
        kind = "pull" if "/pull/" in entry["url"] else "issues"
        repository, number = entry["source"].split("#")
        assert entry["url"] == f"https://github.com/{repository}/{kind}/{number}", name
        assert entry["read"] == "2026-11-21", name


@pytest.mark.parametrize("name", sorted(INDEX))
def test_a_manifest_of_what_others_recorded_is_written_and_read_again(name: str) -> None:
    assert decode(json.loads(encode(manifest_of(name)))) == manifest_of(name)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair['wanted']}-on-{pair['found']}")
def test_two_environments_of_others_are_judged_as_argued(pair: dict[str, Any]) -> None:
    scope = Scope(pair["for"])
    checked = check(
        manifest_of(pair["wanted"]), manifest_of(pair["found"]), CheckOptions(scope=scope)
    )
    grave = [
        f"{each.outcome} {each.code}"
        for each in checked.report.findings_of(scope)
        if each.outcome.reaches(Outcome.NUMERICS)
    ]
    assert {
        "verdict": str(checked.verdict),
        "results": str(checked.claim.level),
        "findings": sorted(set(grave)),
    } == {name: pair[name] for name in ("verdict", "results", "findings")}, pair["because"]


def test_every_pair_is_argued_and_known() -> None:
    assert len(PAIRS) >= 30
    for pair in PAIRS:
        assert {pair["wanted"], pair["found"]} <= set(INDEX)
        assert pair["because"].endswith(".")


def test_only_what_its_owner_complained_about_is_ill() -> None:
    """These reports hold their own fault; of the others none is found ill by mistake."""
    grave = {
        name: [f"{each.outcome} {each.code}" for each in health(manifest_of(name)).findings
               if each.outcome.reaches(Outcome.NUMERICS)]
        for name in INDEX
    }  # fmt: skip
    assert {name: found for name, found in grave.items() if found} == {
        "comfyui-16438": ["degrades GPU002"],
        "comfyui-gtx-1070": ["blocks GPU002"],
        "comfyui-rtx-5070-ti": ["blocks GPU002"],
        "gke-old-driver": ["blocks DRV001"],
        "h100-pcie-cu117": ["blocks GPU002"],
        "rtx-5090d-cu126": ["blocks GPU002"],
    }


def test_no_text_names_a_person_a_folder_or_a_serial() -> None:
    zeros = "00000000-0000-0000-0000-00000000000"
    for name in INDEX:
        text = text_of(name)
        assert "/home/" not in text
        assert "C:\\Users" not in text
        assert text.count("UUID: ") == text.count(zeros), name


ALL = "\n".join(text_of(name) for name in sorted(INDEX))
LINES = ALL.split("\n")


@given(st.sampled_from(sorted(INDEX)), st.integers(0, 6000), st.integers(0, 6000))
def test_a_text_that_is_cut_anywhere_is_read_as_far_as_it_goes(
    name: str, start: int, length: int
) -> None:
    cut = text_of(name)[start : start + length]
    assert_sound(cut)


@given(st.lists(st.sampled_from(LINES), max_size=60))
def test_lines_in_any_order_raise_nothing(lines: list[str]) -> None:
    assert_sound("\n".join(lines))


@given(st.text(max_size=200), st.sampled_from(LINES), st.text(max_size=200))
@example("\x1b[31m", "| NVIDIA-SMI 1 |", "\x00\ud800")
@example("(((((((((((", "user@host:~$ nvidia-smi", "@@@@@@@@@@$ ")
def test_no_text_around_a_line_raises(before: str, line: str, after: str) -> None:
    assert_sound(f"{before}{line}{after}\n{after}{line}{before}")


def assert_sound(text: str) -> None:
    """What is read can be written, and no piece is larger than what was given."""
    reading = read(Text("-", text))
    manifest = imported([reading], TOLD)
    assert decode(json.loads(encode(manifest))) == manifest
    assert sum(len(each.text) for each in fragments(text)) <= len(text) + len(text.split("\n")) + 2
