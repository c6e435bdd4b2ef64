from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from envsnap.errors import ManifestError
from envsnap.manifest import Manifest, decode, document, encode, json_schema
from envsnap.sections import Captured, Gpu, Memory, Packages, Reason, Unknown, replace
from tests.made import package
from tests.strategies import manifests

CAPTURED = Captured(time="2026-11-21T00:00:00Z", version="0.1.0")
SMALL = Manifest(
    captured=CAPTURED,
    sections={
        "memory": Memory(total_mib=31_000, swap_mib=Unknown(Reason.NO_PERMISSION)),
        "gpu": Unknown(Reason.CRASHED, "RuntimeError: x"),
    },
)


def tree() -> dict[str, Any]:
    found = json.loads(encode(SMALL))
    assert isinstance(found, dict)
    return found


@given(manifests())
def test_what_is_encoded_is_decoded_to_the_same(manifest: Manifest) -> None:
    assert decode(json.loads(encode(manifest))) == manifest


@given(manifests())
def test_every_manifest_fits_the_schema(manifest: Manifest) -> None:
    from jsonschema import Draft202012Validator

    Draft202012Validator(json_schema()).validate(json.loads(encode(manifest)))


def test_the_schema_is_a_schema() -> None:
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(json_schema())


def test_the_file_says_first_what_it_is() -> None:
    lines = encode(SMALL).splitlines()
    assert lines[:3] == [
        "{",
        '  "about": [',
        '    "The software and hardware of a computation, recorded by envsnap 0.1.0.",',
    ]
    assert encode(SMALL).endswith("}\n")


def test_an_unknown_stands_in_the_place_of_the_value() -> None:
    assert tree()["sections"] == {
        "gpu": {"unknown": "crashed", "detail": "RuntimeError: x"},
        "memory": {"swap_mib": {"unknown": "no-permission"}, "total_mib": 31_000},
    }


def test_bytes_that_are_no_text_are_percent_encoded() -> None:
    odd = Manifest(captured=CAPTURED, sections={"gpu": Unknown(Reason.CRASHED, "a\udcffb")})
    assert document(odd)["sections"]["gpu"]["detail"] == "a%FFb"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "2.0"}, "Unsupported version '2.0' in 'schema'"),
        ({"schema": 1}, "Unsupported version 1 in 'schema'"),
        ({"schema": "1.x"}, "Unsupported version '1.x' in 'schema'"),
        ({"captured": None}, "Expected an object, not null, in 'captured'"),
        ({"sections": []}, "Expected an object, not [], in 'sections'"),
        ({"extra": 1}, "Unknown field in 'extra'"),
        ({"requires": 3}, "Expected an object, not 3, in 'requires'"),
        ({"requires": {"a": "b"}}, "Unknown field in 'requires.a'"),
        ({"requires": {"must": "b"}}, "Expected a list, not 'b', in 'requires.must'"),
        ({"requires": {"must": ["a", 3]}}, "Expected text, not 3, in 'requires.must[1]'"),
        (
            {"requires": {"may": [{"because": "b"}]}},
            "Expected text, not null, in 'requires.may[0].that'",
        ),
        (
            {"requires": {"may": [{"that": "a", "why": "b"}]}},
            "Unknown field in 'requires.may[0].why'",
        ),
        ({"requires": {"a": 1.5}}, "Expected an integer or text, not 1.5, in 'requires.a'"),
        (
            {"sections": {"memory": {"total_mib": "8", "swap_mib": 0}}},
            "Expected a whole number, not '8', in 'sections.memory.total_mib'",
        ),
        (
            {"sections": {"memory": {"total_mib": True, "swap_mib": 0}}},
            "Expected a whole number, not True, in 'sections.memory.total_mib'",
        ),
        (
            {"sections": {"memory": {"total_mib": -5, "swap_mib": 0}}},
            "Expected a whole number, not -5, in 'sections.memory.total_mib'",
        ),
        (
            {"sections": {"memory": {"total_mib": 1, "swap_mib": None}}},
            "Expected a whole number, not null, in 'sections.memory.swap_mib'",
        ),
        (
            {"sections": {"memory": {"total_mib": 1, "swap_mib": 1, "colour": "red"}}},
            "Unknown field in 'sections.memory.colour'",
        ),
        (
            {"sections": {"python": {"version": "3.11.7"}}},
            "Missing field in 'sections.python.implementation'",
        ),
        (
            {"sections": {"packages": {"installed": [{"name": 3}]}}},
            "Expected text, not 3, in 'sections.packages.installed[0].name'",
        ),
        (
            {"sections": {"python": {"implementation": "\ud800"}}},
            "Text that is no Unicode: '\\ud800' in 'sections.python.implementation'",
        ),
    ],
)
def test_a_fault_names_its_place_and_its_value(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ManifestError) as caught:
        decode(tree() | change)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("requested",), 1, "true or false, not 1, in 'sections.packages.installed[0].requested'"),
        (
            ("requested",),
            1.0,
            "true or false, not 1.0, in 'sections.packages.installed[0].requested'",
        ),
        (
            ("origin", "kind"),
            ["x"],
            "text, not ['x'], in 'sections.packages.installed[0].origin.kind'",
        ),
    ],
)
def test_a_document_is_judged_alone(place: tuple[str, ...], value: object, message: str) -> None:
    """To Python, 1 and 1.0 equal true: a document that was read before may not hide that."""
    judged = package("judged", "1", requested=True)
    packages = Packages(installed=(judged,), broken=(), conda_only=())
    whole = replace(SMALL, sections={"packages": packages})
    document = json.loads(encode(whole))
    assert decode(document) == whole
    changed = document["sections"]["packages"]["installed"][0]
    for part in place[:-1]:
        changed = changed[part]
    changed[place[-1]] = value
    with pytest.raises(ManifestError) as raised:
        decode(document)
    assert str(raised.value) == f"Expected {message}"


def test_a_document_without_a_schema_is_no_manifest() -> None:
    with pytest.raises(ManifestError, match="Not an envsnap manifest: it has no field 'schema'"):
        decode({"name": "something else"})


def test_a_fact_that_the_file_does_not_have_is_not_recorded() -> None:
    changed = tree()
    del changed["sections"]["memory"]["swap_mib"]
    assert decode(changed).section(Memory) == Memory(
        total_mib=31_000,
        swap_mib=Unknown(Reason.NOT_RECORDED, "this manifest has no swap_mib"),
    )


def test_a_section_that_the_file_does_not_have_is_not_recorded() -> None:
    changed = tree()
    del changed["sections"]["gpu"]
    found = decode(changed).section(Gpu)
    assert found == Unknown(Reason.NOT_RECORDED, "the manifest has no section gpu")


def test_the_fields_of_a_newer_minor_version_are_kept_and_written_back() -> None:
    newer = tree() | {"schema": "1.7", "signed": {"by": ["x", 1]}}
    newer["sections"]["memory"]["pages"] = {"huge": 4}
    newer["sections"]["clock"] = {"source": "tsc"}
    manifest = decode(newer)
    assert manifest.section(Memory) == SMALL.section(Memory)
    again = json.loads(encode(manifest))
    assert again["signed"] == {"by": ["x", 1]}
    assert again["sections"]["memory"]["pages"] == {"huge": 4}
    assert again["sections"]["clock"] == {"source": "tsc"}
    assert again["schema"] == "1.7"


def test_a_reason_of_a_newer_version_is_read_as_such() -> None:
    newer = tree() | {"schema": "1.7"}
    newer["sections"]["gpu"] = {"unknown": "cosmic-ray"}
    expected = Unknown(Reason.NEWER_SCHEMA, "the manifest says 'cosmic-ray'")
    assert decode(newer).section(Gpu) == expected


def test_facts_that_were_edited_are_noticed() -> None:
    changed = tree()
    assert not decode(changed).edited
    changed["sections"]["memory"]["total_mib"] = 64_000
    assert decode(changed).edited


def test_what_is_nested_too_deep_is_refused() -> None:
    deep: Any = "end"
    for _ in range(40):
        deep = {"a": deep}
    with pytest.raises(ManifestError, match=r"Nested too deep in 'requires\.a\.a\.a\.\.\.'"):
        decode(tree() | {"requires": deep})


def test_the_schema_can_be_written_whole() -> None:
    written = json.dumps(json_schema())
    assert '"default": {"unknown": "not-asked", "detail": "capture --verify' in written
