"""Tab completion, asked of a real bash."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from envsnap.cli import main

if TYPE_CHECKING:
    from pathlib import Path

ASK = """
source envsnap.bash
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_shtab_envsnap envsnap "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("ch", ["check"]),
        ("check --for ", ["native", "container"]),
        ("check pap", ["paper.json"]),
        ("diff paper.json pap", ["paper.json"]),
        ("check --against pap", ["paper.json"]),
        ("capture -o pap", ["paper.json"]),
        ("check --against h100-s", ["h100-sxm"]),
        ("build --to dev", ["devcontainer"]),
        ("build --to slurm,app", ["slurm,apptainer"]),
        ("build --netrc pap", ["paper.json"]),
        ("build --ca-cert pap", ["paper.json"]),
        ("build --find-links pap", ["paper.json"]),
        ("lint --facts pap", ["paper.json"]),
        ("verify image", ["image.sif"]),
        ("verify pap", []),
        ("verify docker-", ["docker-daemon:", "docker-archive:"]),
        ("verify --against t4", []),
        ("verify --against pap", ["paper.json"]),
    ],
)
def test_bash_offers_commands_choices_and_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, offered: list[str]
) -> None:
    assert main(["completion", "bash"]) == 0
    (tmp_path / "envsnap.bash").write_text(capsys.readouterr().out)
    for name in ("paper.json", "image.sif"):
        (tmp_path / name).touch()
    ran = subprocess.run(
        ["bash", "--norc", "-c", ASK, "bash", "envsnap", *words.split(" ")],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ran.stdout.split(), ran.stderr) == (offered, "")
