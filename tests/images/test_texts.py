"""An image's JSON: what engines' reader and ours could take for two things is refused."""

from __future__ import annotations

import json

import pytest

from envsnap.images import ImageError
from envsnap.images._texts import config_of, parse

RUNS = {"Env": ["A=1"], "Entrypoint": ["python"], "WorkingDir": "/srv", "OnBuild": ["RUN x"]}


def text(**other: object) -> bytes:
    return json.dumps({"architecture": "amd64", "os": "linux", "config": RUNS, **other}).encode()


def refusal(raw: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        config_of(raw, "it")
    return caught.value.message


def test_what_a_configuration_says_is_read() -> None:
    found = config_of(text(rootfs={"diff_ids": ["one"]}), "it")
    assert (found.environ, found.entrypoint, found.folder) == ({"A": "1"}, ("python",), "/srv")
    assert (found.on_build, found.diff_ids, found.platform) == (("RUN x",), ("one",), "linux/amd64")


@pytest.mark.parametrize("key", ["ENTRYPOINT", "entrypoint", "env", "ENV", "onbuild", "workingdir",
                                 "labels", "u\u017fer", "LABELS"])  # fmt: skip
@pytest.mark.parametrize("is_beside", [True, False], ids=["beside it", "alone"])
def test_a_key_in_other_letters_is_refused(key: str, is_beside: bool) -> None:  # noqa: FBT001
    raw = text(config={**(RUNS if is_beside else {}), key: ["sh", "-c", "steal"]})
    assert refusal(raw).startswith(f"it.config has a key {key!a}, which engines take for ")


@pytest.mark.parametrize("key", ["Config", "ROOTFS", "History", "oS"])
def test_so_is_one_of_the_whole(key: str) -> None:
    assert "which engines take for" in refusal(text(**{key: {}}))


def test_a_key_that_stands_twice_is_refused_wherever_it_stands() -> None:
    inner = b'{"config":{"Entrypoint":["sh","-c","steal"]},' + text()[1:]
    for raw in (inner, text().replace(b'"Env"', b'"Env": ["A=2"], "Env"')):
        assert refusal(raw) == "it has one key twice in an object"


@pytest.mark.parametrize(
    "said",
    [
        {"Entrypoint": "steal"},
        {"Env": {"A": "1"}},
        {"Env": [1]},
        {"Cmd": [["sh"]]},
        {"User": 0},
        {"WorkingDir": ["/"]},
        {"OnBuild": "RUN x"},
        {"Healthcheck": ["CMD"]},
        {"Healthcheck": {"Test": "steal"}},
        {"Labels": ["a"]},
    ],
)
def test_a_field_of_another_type_is_refused(said: dict[str, object]) -> None:
    assert "it.config" in refusal(text(config=said))


def test_a_variable_of_two_values_is_refused() -> None:
    assert refusal(text(config={"Env": ["A=1", "A=2"]})) == (
        "it.config gives the variable 'A' two values"
    )
    assert config_of(text(config={"Env": ["A=1", "A=1"]}), "it").environ == {"A": "1"}


def test_what_says_nothing_is_nothing() -> None:
    said = dict.fromkeys((*RUNS, "Labels", "User", "Cmd", "Healthcheck"))
    found = config_of(text(config=said, rootfs=None, history=None), "it")
    assert (found.environ, found.entrypoint, found.labels, found.history) == ({}, (), {}, ())


def test_labels_are_told_apart_by_the_case_of_their_letters() -> None:
    assert config_of(text(config={"Labels": {"a": "1", "A": "2"}}), "it").labels == {
        "a": "1",
        "A": "2",
    }


def test_no_object_and_no_end_are_refused() -> None:
    for raw in (b"[]", b"{", b"[" * 100_000):
        with pytest.raises(ImageError, match="is no JSON object"):
            parse(raw, "it")
