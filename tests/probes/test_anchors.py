from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.probes import Anchors
from envsnap.probes._anchors import text

ANCHORS = Anchors(
    env="/home/ada/work/.venv", base="/home/ada/.pyenv/versions/3.11.7",
    project="/home/ada/work", home="/home/ada",
)  # fmt: skip


@pytest.mark.parametrize(
    ("path", "anchored"),
    [
        ("/home/ada/work/.venv/lib/python3.11", "{env}/lib/python3.11"),
        ("/home/ada/work/.venv", "{env}"),
        ("/home/ada/work/.venvs/x", "{project}/.venvs/x"),
        ("/home/ada/work/src", "{project}/src"),
        ("/home/ada/.cache", "{home}/.cache"),
        ("/home/ada/.pyenv/versions/3.11.7/bin/python", "{base}/bin/python"),
        ("/usr/lib/python3", "/usr/lib/python3"),
        ("/scratch/ada-lovelace/data", "{other}/data"),
        ("/home/bob", "{other}/bob"),
        ("/usrlocal/secret/x", "{other}/x"),
        ("", "{other}/"),
    ],
)
def test_a_path_is_told_from_its_nearest_anchor(path: str, anchored: str) -> None:
    assert ANCHORS.anchor(path) == anchored


def test_windows_paths_are_anchored_too() -> None:
    anchors = Anchors(env="C:\\Users\\ada\\env")
    assert anchors.anchor("C:\\Users\\ada\\env\\Lib") == "{env}\\Lib"
    assert anchors.anchor("D:\\ada\\secret") == "{other}/secret"


def test_undecodable_bytes_and_percent_signs_are_percent_encoded() -> None:
    assert text("100%/\udcff\udc80ä") == "100%25/%FF%80ä"


@given(st.binary(max_size=20))
def test_every_path_becomes_text_that_can_be_undone(raw: bytes) -> None:
    from urllib.parse import unquote_to_bytes

    encoded = text(raw.decode("utf-8", "surrogateescape"))
    assert unquote_to_bytes(encoded.encode()) == raw
