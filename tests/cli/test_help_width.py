"""Every help page fits the terminal that most people have."""

from __future__ import annotations

import argparse

import pytest

from envsnap.cli import COMMANDS, command_parser, main
from envsnap.cli._help import Formatter, fitted, name_long_choices


@pytest.mark.parametrize("command", COMMANDS)
def test_no_line_of_a_help_page_is_longer_than_80_columns(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_word_of_an_epilogue_is_still_there(command: str) -> None:
    parser = command_parser(command)
    words = f"{parser.description} {parser.epilog or ''}".split()
    page = parser.format_help().split()
    assert [word for word in words if word not in page] == []


def test_examples_are_folded_in_their_column_and_sentences_anew() -> None:
    page = (
        "examples:\n"
        "  envsnap diff           every fact that differs, with its grade\n"
        "  envsnap diff A B --format json --quiet   for programs\n"
        "\n"
        "This sentence is much too long for such\n"
        "a narrow page. It ends.\n"
        "Another.\n"
    )
    assert list(fitted(page, 38)) == [
        "examples:",
        "  envsnap diff     every fact that",
        "                   differs, with its",
        "                   grade",
        "  envsnap diff A B --format json --quiet",
        "                   for programs",
        "",
        "This sentence is much too long for",
        "such a narrow page. It ends.",
        "Another.",
    ]
    assert list(fitted(page, 80)) == page.splitlines()


def test_long_choices_stand_in_the_help_and_not_in_the_usage() -> None:
    parser = argparse.ArgumentParser(
        prog="x", add_help=False, formatter_class=lambda prog: Formatter(prog, width=60)
    )
    planets = ("mercury", "venus", "earth", "mars", "jupiter", "saturn")
    parser.add_argument("--planet", choices=planets, help="go to this one")
    parser.add_argument("--size", choices=("small", "large"), help="as that")
    name_long_choices(parser)
    assert parser.format_help() == (
        "usage: x [--planet PLANET] [--size {small,large}]\n"
        "\n"
        "options:\n"
        "  --planet PLANET       go to this one: mercury, venus,\n"
        "                        earth, mars, jupiter or saturn\n"
        "  --size {small,large}  as that\n"
    )
    assert parser.parse_args(["--planet", "mars"]).planet == "mars"
