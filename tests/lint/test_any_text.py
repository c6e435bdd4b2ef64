"""A linter reads what others wrote: no text makes it fall over, and none is run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.lint import traps
from envsnap.lint._binder import binder, is_binder
from envsnap.lint._definition import definition
from envsnap.lint._dockerfile import dockerfile, raw_words, unquoted
from envsnap.lint._files import Beside
from envsnap.lint._shell import parse

if TYPE_CHECKING:
    from pathlib import Path

PIECES = st.lists(
    st.sampled_from((
        "FROM a\n", "RUN ", "ENV A=", "COPY . ", "<<EOF\n", "EOF\n", "\\\n", "# escape=`\n", "`\n",
        "--mount=type=secret,id=x ", "'", '"', "$(", ")", "${A", "}", "|", "&&", ";", "\n", " ",
        "#", "pip install ", "-r ", "apt-get install ", "rm -rf /tmp/* ", "Bootstrap: docker\n",
        "From: a@sha256:1\n", "%post\n", "%files from\n", "%labels\n", "%", "\t", "export A=1 2\n",
        "su - x\n", "{{ x }}", "a b c\n", "ARG A\n", "FROM $A\n", "USER x\n", "[", "chown -R ",
    )),
    max_size=30,
).map("".join)  # fmt: skip
TEXTS = st.one_of(PIECES, st.text(max_size=80))


@given(text=TEXTS)
def test_every_rule_takes_any_dockerfile(text: str) -> None:
    parsed = dockerfile(text, Beside("."))
    lines = text.count("\n") + 1
    for each in traps().values():
        if each.of in {"dockerfile", "recipe"}:
            assert all(1 <= spot.line <= lines for spot in each.find(parsed)), each.code


@given(text=TEXTS)
def test_every_rule_takes_any_definition(text: str) -> None:
    parsed = definition(text, Beside("."))
    lines = text.count("\n") + 1
    for each in traps().values():
        if each.of in {"definition", "recipe"}:
            assert all(1 <= spot.line <= lines for spot in each.find(parsed)), each.code


@pytest.mark.parametrize("name", ["runtime.txt", "apt.txt", "environment.yml", "requirements.txt"])
@given(text=TEXTS)
def test_every_rule_takes_any_folder(
    tmp_path_factory: pytest.TempPathFactory, name: str, text: str
) -> None:
    folder = tmp_path_factory.mktemp("folder")
    os.mkdir(folder / "binder")
    (folder / "binder" / name).write_text(text, encoding="utf-8")
    assert is_binder(str(folder))
    parsed = binder(str(folder))
    for each in traps().values():
        if each.of in {"binder", "environment"}:
            list(each.find(parsed))


@given(text=TEXTS)
def test_a_script_is_read_to_its_end(text: str) -> None:
    found = parse(text)
    assert all(1 <= each.line <= text.count("\n") + 1 for each in found.commands)


@given(
    words=st.lists(st.text(st.sampled_from("ab$'\"\\ #=;&|"), min_size=1, max_size=6), max_size=5)
)
def test_quoted_words_come_out_as_they_went_in(words: list[str]) -> None:
    import shlex

    line = " ".join(shlex.quote(each) for each in ["echo", *words])
    assert [each.words for each in parse(line).commands] == [("echo", *words)]


@given(value=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20))
def test_a_value_in_docker_quotes_comes_out_as_it_went_in(value: str) -> None:
    quoted = '"' + "".join(f"\\{char}" if char in '\\"$' else char for char in value) + '"'
    assert [unquoted(each) for each in raw_words(f"A={quoted} B=c")] == [f"A={value}", "B=c"]


def test_a_file_that_leads_out_of_the_folder_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "secret")
    beside = Beside(str(tmp_path / "in"))
    assert [beside.text(name) for name in ("link", "../secret", str(tmp_path / "secret"))] == [
        None, None, None,
    ]  # fmt: skip
