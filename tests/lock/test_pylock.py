from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.errors import ToolError
from envsnap.lock._pylock import File, Release, parse
from envsnap.lock._uv import _read

if TYPE_CHECKING:
    from pathlib import Path

RECORDED = os.path.join(os.path.dirname(__file__), "pylock.uv.toml")


def recorded() -> str:
    with open(RECORDED, encoding="utf-8") as file:
        return file.read()


def test_the_answer_of_uv_is_read_whole() -> None:
    found = parse(recorded())
    assert sorted(found) == ["antlr4-python3-runtime", "idna", "zstandard"]
    assert found["idna"] == Release(
        "3.7",
        (
            File(
                "idna-3.7-py3-none-any.whl",
                "https://files.example/packages/idna-3.7-py3-none-any.whl",
                "82fee1fc78add43492d3a1898bfa6d8a904cc97d8427f683ed8e798d07761aa0",
                66836,
            ),
        ),
        File(
            "idna-3.7.tar.gz",
            "https://files.example/packages/idna-3.7.tar.gz",
            "028ff3aadf0609c1fd278d8ea3089299412a7a8b9bd005dd08b9f8285bcb5cfc",
            None,
        ),
    )


def test_a_release_with_source_alone_has_no_wheels() -> None:
    release = parse(recorded())["antlr4-python3-runtime"]
    assert release.wheels == ()
    assert release.sdist is not None


def test_a_file_without_sha256_is_no_file_and_a_query_is_no_part_of_a_name() -> None:
    assert [each.filename for each in parse(recorded())["zstandard"].wheels] == [
        "zstandard-0.23.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "zstandard-0.23.0-cp311-cp311-manylinux_2_28_x86_64.whl",
        "zstandard-0.23.0-1local-cp311-cp311-manylinux_2_28_x86_64.whl",
        "zstandard-0.23.0-cp311-cp311-manylinux_2_39_x86_64.whl",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lock-version = ", "The locker's answer is not TOML: "),
        ('lock-version = "2.0"', "The locker's answer has lock-version '2.0'; we read 1.x"),
        ("", "The locker's answer has lock-version None; we read 1.x"),
        ('lock-version = "1.0"\npackages = 1', "The locker's answer has no list of packages"),
        (
            'lock-version = "1.0"\n[[packages]]\nversion = "1"',
            "The locker's answer has a package without a name",
        ),
    ],
)
def test_another_answer_is_refused(text: str, message: str) -> None:
    with pytest.raises(ToolError) as caught:
        parse(text)
    assert caught.value.message.startswith(message)
    assert caught.value.exit_code == 5


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    said = "The locker's answer is read"
    try:
        parse(text)
    except ToolError as error:
        said = error.message
    assert said.startswith("The locker's answer ")


def test_an_answer_of_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    sparse = tmp_path / "pylock.toml"
    with open(sparse, "wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(ToolError) as caught:
        _read(str(sparse))
    assert caught.value.message == "uv's answer has 1024 MiB; one of 64 MiB is read at most"


def test_a_file_whose_name_is_none_is_no_file() -> None:
    row = (
        '{ name = "%s", url = "https://files.example/a", hashes = { sha256 = "' + "a" * 64 + '" } }'
    )
    rows = [row % name for name in ("a-1\\u001b[2J.whl", "../a-1-py3-none-any.whl", "a b.whl")]
    text = 'lock-version = "1.0"\n[[packages]]\nname = "a"\nversion = "1"\n'
    found = parse(f"{text}wheels = [{', '.join(rows)}]\n")
    assert [each.filename for each in found["a"].wheels] == ["a-1-py3-none-any.whl"]
