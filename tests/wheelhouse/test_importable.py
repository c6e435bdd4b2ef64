"""What an editable install makes importable, of every generation."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import pytest

from envsnap.errors import FileError
from envsnap.probes._located import Located
from envsnap.wheelhouse._importable import pack_importable
from tests.made import package
from tests.wheelhouse.by_hand import HOME, install

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a package, and things that are none."""
    folder = tmp_path / "project"
    for name in ("src/mine/__init__.py", "src/mine/sub/x.py", "tests/__init__.py", "setup.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    return folder


def packed(located: Located, target: Path) -> list[str]:
    made = pack_importable(located, HOME, str(target), "its backend failed")
    assert made.notes[0] == "the importable files of its folder as it is, for its backend failed"
    with zipfile.ZipFile(made.path) as wheel:
        return [name for name in wheel.namelist() if ".dist-info/" not in name]


def test_a_pth_file_leads_to_the_packages_of_its_folder(tmp_path: Path, project: Path) -> None:
    lines = {"__editable__.mine.pth": f"{project}/src\nimport os\n".encode()}
    located = install(tmp_path / "env", lines, "mine").located
    assert packed(located, tmp_path) == ["mine/__init__.py", "mine/sub/x.py"]


def test_a_finders_map_is_read_and_not_run(tmp_path: Path, project: Path) -> None:
    source = (
        f"raise SystemExit('it was run')\nMAPPING: dict[str, str] = {{'mine': '{project}/src/mine',"
        f" 'deep.name': '{project}/src/mine/sub'}}\n"
    )
    finder = {"__editable___mine_finder.py": source.encode()}
    located = install(tmp_path / "env", finder, "mine").located
    assert packed(located, tmp_path) == ["deep/name/x.py", "mine/__init__.py", "mine/sub/x.py"]


def test_a_finder_of_an_unknown_kind_is_served_by_the_projects_name(
    tmp_path: Path, project: Path
) -> None:
    origin = json.dumps({"url": project.as_uri(), "dir_info": {"editable": True}})
    files = {"_loader.py": b"x = 1\n", "mine-1.0.dist-info/direct_url.json": origin.encode()}
    located = install(tmp_path / "env", files, "mine").located
    assert packed(located, tmp_path) == ["mine/__init__.py", "mine/sub/x.py"]


def test_an_egg_link_leads_to_the_packages_that_its_egg_info_names(
    tmp_path: Path, project: Path
) -> None:
    info = project / "src" / "mine.egg-info"
    info.mkdir()
    (info / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: mine\nVersion: 1.0\n")
    (info / "top_level.txt").write_text("mine\n")
    link = tmp_path / "mine.egg-link"
    link.write_text(f"{project}/src\n../")
    located = Located(package("mine", "1.0"), str(link), str(tmp_path), "egg-link")
    assert packed(located, tmp_path) == ["mine/__init__.py", "mine/sub/x.py"]


def test_a_link_out_of_the_project_is_not_followed(tmp_path: Path, project: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (project / "src" / "mine" / "leak.py").symlink_to(tmp_path / "secret")
    lines = {"mine.pth": f"{project}/src\n".encode()}
    located = install(tmp_path / "env", lines, "mine").located
    assert packed(located, tmp_path) == ["mine/__init__.py", "mine/sub/x.py"]


def test_an_install_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    located = install(tmp_path / "env", {"mine.pth": b"/nowhere\n"}, "mine").located
    with pytest.raises(FileError, match=r"^Nothing says which files mine 1\.0 imports$"):
        pack_importable(located, HOME, str(tmp_path), "no network")
