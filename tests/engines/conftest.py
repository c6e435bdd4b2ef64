"""What several modules build from is fetched once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envsnap.cli import main
from tests.engines.building import captured, readable_folder
from tests.engines.halves import start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session", autouse=True)
def _in_no_project() -> Iterator[None]:
    """Work outside of this repository: where its tree is clean, images would get its files, too."""
    with readable_folder() as folder, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield


@pytest.fixture(scope="session")
def login(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A login node: a captured and locked environment, a home folder, a folder to work in."""
    folder = tmp_path_factory.mktemp("login")
    for name in ("home", "work", "images"):
        (folder / name).mkdir()
    (folder / "home" / "data").write_bytes(b"mine")
    manifest = captured(folder, "idna==3.7", "markupsafe==2.1.5")
    assert main(["lock", manifest, "-q"]) == 0
    return folder


@pytest.fixture(scope="session")
def context(login: Path) -> Path:
    """The folder, fetched."""
    folder = login / "a context"
    child = start(login, folder)
    out, err = child.communicate(timeout=300)
    assert child.returncode == 0, err
    assert out.splitlines()[-1] == "Writing the recipe ..."
    return folder
