"""Which hosts are the user's own channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envsnap.lock._conda_hosts import conda_hosts

if TYPE_CHECKING:
    from pathlib import Path

DEFAULTS = {
    "conda.anaconda.org",
    "https://conda.anaconda.org:443",
    "https://repo.anaconda.com:443",
    "repo.anaconda.com",
}


def test_without_settings_the_channels_are_the_programs_own() -> None:
    assert conda_hosts({}) == DEFAULTS


def test_a_sites_mirror_is_the_users_own(tmp_path: Path) -> None:
    (tmp_path / ".condarc").write_text(
        "channels:\n"
        "  - https://ada:secret@conda.lab.example/t/tk-1/forge\n"
        "  - conda-forge\n"
        "default_channels: ['http://10.0.0.7:8080/main', \"https://Mirror.example/r\"]\n"
        "# - https://old.example/forge\n"
    )
    found = conda_hosts({"HOME": str(tmp_path), "CONDA_CHANNELS": "https://env.example/x,y"})
    own = {
        "conda.lab.example", "https://conda.lab.example:443", "10.0.0.7", "http://10.0.0.7:8080",
        "mirror.example", "https://mirror.example:443", "env.example", "https://env.example:443",
    }  # fmt: skip
    assert found == DEFAULTS | own


def test_a_settings_file_that_is_a_folder_says_nothing(tmp_path: Path) -> None:
    (tmp_path / ".condarc").mkdir()
    assert conda_hosts({"HOME": str(tmp_path), "CONDARC": str(tmp_path)}) == DEFAULTS
