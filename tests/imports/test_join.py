"""What several texts tell, as one; and the table of readers."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from envsnap import imports
from envsnap._import import imported, read
from envsnap.imports import NOT_TOLD, Text, blank, disagreements, joined, listed, packages
from envsnap.imports._cards import LISTED
from envsnap.imports._core import _MODULES
from envsnap.manifest import decode, document
from envsnap.sections import SECTIONS, Gpu, Os, Packages, Python, Reason, Unknown

TIME = "2026-01-01T00:00:00Z"
PIP = Text("list", "Package Version\n------- -------\nidna    3.7\ntorch   2.4.1\n")
CARDS = "GPU 0: Tesla T4 (UUID: GPU-0)\nGPU 1: Tesla T4 (UUID: GPU-1)\n"
FREEZE = Text("freeze", "idna==3.7\ntorch==2.4.1+cu121\n")


def test_every_reader_module_is_asked() -> None:
    folder = os.path.dirname(imports.__file__)
    found = {name.removesuffix(".py") for name in os.listdir(folder) if name.endswith(".py")}
    assert set(_MODULES) == {name for name in found if not name.startswith("_")}


def test_what_one_text_does_not_tell_another_may() -> None:
    one = blank(Os, system="Linux")
    other = blank(Os, architecture="x86_64")
    both = joined([{"os": one}, {"os": other}])["os"]
    assert both == blank(Os, system="Linux", architecture="x86_64")


def test_where_two_tell_different_things_the_fact_is_unknown_and_both_are_named() -> None:
    both = joined([{"os": blank(Os, system=name)} for name in ("Linux", "Darwin", "Linux")])
    assert both["os"] == blank(Os, system=Unknown(Reason.WITNESSES_DISAGREE, "Linux and Darwin"))
    assert list(disagreements(both)) == ["os.system: Linux and Darwin"]


def test_a_section_whose_heart_is_in_doubt_is_unknown_as_a_whole() -> None:
    pythons = [
        blank(Python, implementation="cpython", version=each) for each in ("3.10.1", "3.11.2")
    ]
    both = joined({"python": each} for each in pythons)["python"]
    assert both == Unknown(Reason.WITNESSES_DISAGREE, "3.10.1 and 3.11.2")


def test_a_version_without_its_local_part_is_the_same_one() -> None:
    manifest = imported([read(PIP), read(FREEZE)], TIME)
    section = manifest.section(Packages)
    assert isinstance(section, Packages)
    assert not isinstance(section.installed, Unknown)
    assert [f"{each.name} {each.version}" for each in section.installed] == [
        "idna 3.7",
        "torch 2.4.1+cu121",
    ]
    assert section.conda_only == ()
    assert manifest.captured.imported == ("pip freeze", "pip list")


def test_a_package_in_two_versions_is_left_out_and_its_place_is_in_doubt() -> None:
    both = joined([
        {"packages": packages([listed("idna", "3.7"), listed("rich", "13.0.0")])},
        {"packages": packages([listed("Idna", "3.6")])},
    ])  # fmt: skip
    section = both["packages"]
    assert isinstance(section, Packages)
    assert not isinstance(section.installed, Unknown)
    assert [each.name for each in section.installed] == ["rich"]
    assert section.unlisted == Unknown(Reason.WITNESSES_DISAGREE, "idna 3.7 and 3.6")


def test_a_part_beside_the_whole_list_leaves_it_whole() -> None:
    part = {"packages": packages([listed("idna", "3.7")], is_whole=False)}
    whole = {"packages": packages([listed("idna", "3.7"), listed("rich", "13.0.0")])}
    for pair in ([part, whole], [whole, part]):
        section = joined(pair)["packages"]
        assert isinstance(section, Packages)
        assert section.unlisted is False


def test_the_same_text_twice_says_no_more_than_once() -> None:
    once, twice = imported([read(FREEZE)], TIME), imported([read(FREEZE)] * 2, TIME)
    assert once == twice


def test_an_import_is_a_manifest_like_any_other() -> None:
    manifest = imported([read(FREEZE)], TIME)
    assert set(manifest.sections) == set(SECTIONS)
    assert manifest.section(Gpu) == NOT_TOLD
    assert decode(document(manifest)) == manifest


def test_cards_that_nobody_says_are_hidden_are_taken_for_visible_and_that_stays_to_be_seen() -> (
    None
):
    gpu = imported([read(Text("-", CARDS))], TIME).section(Gpu)
    assert isinstance(gpu, Gpu)
    assert (gpu.visible, gpu.hidden) == ((0, 1), LISTED)


def test_what_a_report_says_of_visible_cards_holds_beside_a_tool_that_lists_them_all() -> None:
    seen = blank(Gpu, visible=(1,), hidden="CUDA_VISIBLE_DEVICES shows some of them")
    told = [each.sections for each in read(Text("-", CARDS)).told]
    for order in ([*told, {"gpu": seen}], [{"gpu": seen}, *told]):
        gpu = joined(order)["gpu"]
        assert isinstance(gpu, Gpu)
        assert (gpu.visible, gpu.hidden) == (seen.visible, seen.hidden)


@given(st.text(max_size=300), st.sampled_from(["-", "uv.lock", "requirements.txt", "a.json"]))
def test_no_text_is_too_much_for_the_readers(text: str, name: str) -> None:
    assert isinstance(read(Text(name, text)).told, tuple)


@given(st.lists(st.sampled_from(f"{PIP.text}{FREEZE.text}# --hash=sha256:ab @ [x] \\".split(" "))))
def test_no_list_made_of_pieces_of_lists_is_too_much_for_the_readers(parts: list[str]) -> None:
    for glue in (" ", "\n", "=="):
        read(Text("requirements.txt", glue.join(parts)))
