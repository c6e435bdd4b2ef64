"""What pip's settings hold of passwords, for programs that read a netrc file alone."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from envsnap.inside import passwords

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = """
[global]
timeout = 60
index-url = https://lab:Geheim%2Fnis@index.example/simple
extra_index_url =
    https://other:second@other.example:8443/simple
    https://open.example/simple
    https://token@token.example/simple
[install]
find-links = https://lab:Geheim%2Fnis@index.example/more
proxy = http://me:not-asked@proxy.example:3128
"""


def test_each_host_has_one_line_with_its_password_as_it_is() -> None:
    assert passwords.rows(SETTINGS) == [
        "machine index.example login lab password Geheim/nis",
        "machine other.example login other password second",
    ]


def test_a_password_that_programs_read_in_different_ways_is_refused_and_not_shown() -> None:
    with pytest.raises(ValueError, match=r"password for index\.example") as caught:
        passwords.rows("[global]\nindex-url = https://lab:Ge%20heim@index.example/\n")
    assert "heim" not in str(caught.value)


def test_settings_in_no_form_end_the_step_and_show_no_line_of_theirs(tmp_path: Path) -> None:
    path = tmp_path / "pip.conf"
    path.write_text("index-url = https://lab:Geheim@index.example/\n")
    ran = subprocess.run(
        [sys.executable, "-I", passwords.__file__, str(path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout, ran.stderr) == (
        1, "", "passwords.py: pip's settings are in no form that pip reads\n",
    )  # fmt: skip
