"""show --sentence, as text and as LaTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envsnap.cli import main
from envsnap.manifest import environment_id, save
from tests.rules.machines import machine

if TYPE_CHECKING:
    from pathlib import Path

WORDS = (
    "Python 3.11.7, PyTorch 2.5.1, Debian GNU/Linux 12 (bookworm), driver 550.54.14, NVIDIA "
    "A100-SXM4-40GB, 40 GiB, "
)


@pytest.fixture
def paper(tmp_path: Path) -> str:
    path = f"{tmp_path}/paper.json"
    save(machine(), path)
    return path


def test_the_sentence_is_text_unless_latex_is_asked_for(
    paper: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", paper, "--sentence"]) == 0
    assert capsys.readouterr().out == f"{WORDS}sm_80; envsnap {environment_id(machine())}.\n"
    assert main(["show", paper, "--sentence", "--latex"]) == 0
    ident = rf"\texttt{{{environment_id(machine())}}}"
    assert capsys.readouterr().out == rf"{WORDS}sm\_80; envsnap {ident}." + "\n"


def test_latex_without_the_sentence_is_a_usage_error(
    paper: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", paper, "--latex"]) == 2
    assert capsys.readouterr().err == (
        "error: --latex is a form of --sentence\nhint: envsnap show --sentence --latex\n"
    )
