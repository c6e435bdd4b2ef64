"""Values that no capture writes: each with one message, and none taken for another."""

from __future__ import annotations

import json

import pytest

from envsnap.errors import ManifestError
from envsnap.manifest import Manifest, encode, environment_id, parse
from envsnap.sections import Package, Packages, replace
from tests import made

MANIFEST = made.manifest(made.PACKAGES)


def with_first(**changes: object) -> Manifest:
    packages = MANIFEST.section(Packages)
    assert isinstance(packages, Packages)
    assert isinstance(packages.installed, tuple)
    first, *rest = packages.installed
    section = replace(packages, installed=(replace(first, **changes), *rest))
    return replace(MANIFEST, sections={**MANIFEST.sections, "packages": section})


def test_an_empty_digest_is_another_than_none() -> None:
    ids = {environment_id(with_first(content=each)) for each in ("", None, "0" * 64)}
    assert len(ids) == 3


def test_equal_packages_have_one_hash_however_they_were_written() -> None:
    def read(text: str) -> Package:
        packages = parse(text.encode(), "m.json").section(Packages)
        assert isinstance(packages, Packages)
        assert isinstance(packages.installed, tuple)
        return packages.installed[0]

    text = encode(MANIFEST)
    tree = json.loads(text)
    tree["sections"]["packages"]["installed"][0]["active"] = True
    other = json.dumps(tree, sort_keys=False)
    assert read(text) == read(other)
    assert hash(read(text)) == hash(read(other))


@pytest.mark.parametrize("code", [1.5, 1, None, ["a"], {}])
def test_the_reason_of_an_unknown_is_text(code: object) -> None:
    tree = json.loads(encode(MANIFEST))
    tree["sections"]["os"] = {"unknown": code}
    with pytest.raises(ManifestError, match=r"Expected text, not .* in 'sections\.os\.unknown'"):
        parse(json.dumps(tree).encode(), "m.json")


@pytest.mark.parametrize("depth", [900, 980, 984, 986, 988, 1000, 5000])
def test_what_is_nested_deep_is_refused_and_no_fault_of_ours(depth: int) -> None:
    text = encode(MANIFEST).replace(
        '"tags": [', f'"tags": {"[" * depth}1{"]" * depth}, "was": [', 1
    )
    with pytest.raises(ManifestError):
        parse(text.encode(), "m.json")


def test_two_marks_of_byte_order_are_told() -> None:
    with pytest.raises(ManifestError, match="Unexpected UTF-8 BOM"):
        parse(b"\xef\xbb\xbf" * 2 + encode(MANIFEST).encode(), "m.json")


def test_a_doubled_key_is_found_among_many() -> None:
    # One key after the other, as it was once looked for, takes minutes.
    many = ", ".join(f'"{each}": 1' for each in range(100_000))
    with pytest.raises(ManifestError, match="The key '7' stands twice"):
        parse(f'{{{many}, "7": 2}}'.encode(), "m.json")
