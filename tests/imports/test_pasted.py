from __future__ import annotations

import time

import pytest

from envsnap.imports import Text
from envsnap.imports._pasted import clean, fragments, may_be_facts


def bodies(text: str) -> list[str]:
    return [each.text for each in fragments(text)]


def test_a_fence_is_a_piece_and_prose_outside_is_left_out() -> None:
    issue = "I tried torch==1.0\n\n```text\nnumpy==1.26.4\n```\n\nand torch==2.0, too."
    assert bodies(issue) == ["numpy==1.26.4\n"]


def test_a_text_without_fences_is_taken_whole() -> None:
    assert bodies("numpy==1.26.4\ntorch==2.5.1\n") == ["numpy==1.26.4\ntorch==2.5.1\n"]


def test_a_report_outside_of_the_fences_is_taken_all_the_same() -> None:
    issue = "```\nTraceback\n```\nCollecting environment information...\nPyTorch version: 2.5.1\n"
    assert bodies(issue) == [
        "Traceback\n",
        "Collecting environment information...\nPyTorch version: 2.5.1\n",
    ]


def test_a_report_and_a_table_in_one_fence_are_two_pieces_and_the_frame_stays_with_the_table() -> (
    None
):
    fence = "```\njax:    0.4.33\njaxlib: 0.4.33\n+----+\n| NVIDIA-SMI 550.54.14 |\n```"
    assert bodies(fence) == [
        "jax:    0.4.33\njaxlib: 0.4.33\n",
        "+----+\n| NVIDIA-SMI 550.54.14 |\n",
    ]


@pytest.mark.parametrize(
    "prompt",
    [
        "$ ", "(base) $ ", "user@host:~/work$ ", "(a) (b) user@host:/w$ ", "[user@host work]$ ",
        "root@4fe:/# ", "PS C:\\work> ", "C:\\work>", "(venv) C:\\work>", ">>> ", "In [3]: ",
        "~$ ", "➜  ", "!", "% ",
    ],
)  # fmt: skip
def test_a_prompt_ends_a_piece_and_is_left_out(prompt: str) -> None:
    text = f"before==1\n{prompt}pip list\nafter==2\n"
    assert bodies(text) == ["before==1\n", "after==2\n"]


@pytest.mark.parametrize(
    "line",
    [
        "# a comment", "100% done", "a > b", "GPU 0: Tesla T4",
        "| 30%   35C    P8    10W / 180W |", "Is that 5 $ or less", '<gpu id="0">',
    ],
)  # fmt: skip
def test_what_only_looks_like_a_prompt_is_none(line: str) -> None:
    assert bodies(f"one\n{line}\ntwo\n") == [f"one\n{line}\ntwo\n"]


def test_a_command_that_shows_a_file_names_the_piece() -> None:
    text = "```\n$ cat work/requirements.txt\nnumpy==1.26.4\n```"
    assert fragments(text, "issue.md") == [Text("requirements.txt", "numpy==1.26.4\n")]


ROWS = "numpy 1.26.4\ntorch 2.3.1\n"


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("$ pip list", "pip list"),
        ("(base) me@box:~$ python3 -m pip list --disable-pip-version-check", "pip list"),
        ("!pip3 list", "pip list"),
        ("$ uv pip list | grep -i torch", "pip list |"),
        ("$ pip freeze | findstr torch", "pip freeze |"),
        ("pip list | grep torch", "pip list |"),
        ("$ conda list -n work", "conda list"),
        ("$ mamba list torch", "conda list |"),
    ],
)
def test_the_command_settles_what_its_lines_are(command: str, name: str) -> None:
    text = f"and the env:\n\n{command}\n{ROWS}\nalso nvcc says\n\n```\nTraceback\n```\n"
    assert [each for each in fragments(text, "issue.md") if each.text == ROWS] == [Text(name, ROWS)]


@pytest.mark.parametrize(
    "line", ["pip list output:", "conda list is below", "pip list shows torch"]
)
def test_a_sentence_about_a_list_is_no_command(line: str) -> None:
    assert fragments(f"```\nx\n```\n{line}\n{ROWS}") == [Text("-", "x\n")]


def test_lines_that_may_tell_facts_are_found_outside_of_what_was_read() -> None:
    prose = "OS: Ubuntu 22.04, python 3.10.14. thx"
    text = f'It worked last week!\n```\n{ROWS}```\n{prose}\n  File "/x/python3.10/torch 2.3"\n'
    assert list(may_be_facts(text, [ROWS])) == [prose]


def test_quotes_tags_and_code_in_a_line_are_taken_off() -> None:
    text = (
        "> <details><summary>env</summary>\n> \n"
        "> > `Collecting environment information...\n>   OS: x`\n> </details>"
    )
    assert bodies(text) == ["env\n", "Collecting environment information...\n  OS: x\n"]


def test_indented_blocks_lose_their_indent() -> None:
    assert bodies("\n    +----+\n    | NVIDIA-SMI 1 |\n") == ["+----+\n| NVIDIA-SMI 1 |\n"]


def test_colours_and_blanks_that_are_none_are_cleaned_away() -> None:
    assert clean("\x1b[32mGPU\u00a00\uff1a\x1b[0m Tesla\u200b T4^[[0m\x07\r\nx\r") == (
        "GPU 0: Tesla T4\nx\n"
    )


def test_the_second_line_of_a_report_begins_no_other_one() -> None:
    text = "Collecting environment information...\nPyTorch version: 2.5.1\nOS: x\n"
    assert bodies(text) == [text]


@pytest.mark.parametrize(
    "line",
    [
        "@" * 20000,
        "(" * 20000,
        "(a) " * 5000,
        "`" * 20000,
        "> " * 10000,
        "C:\\" * 7000,
        f"pip list{' -n' * 6000}",
        f"$ conda list{' -n' * 300} x",
    ],
)
def test_no_line_however_made_takes_long(line: str) -> None:
    start = time.perf_counter()
    fragments("\n".join([f"{line}$", f"{line} x"] * 20))
    assert time.perf_counter() - start < 2
