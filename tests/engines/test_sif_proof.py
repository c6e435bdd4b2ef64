"""From a manifest to a SIF and to a stranger's answer: a plain user builds, a reader verifies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from envsnap.manifest import load
from tests.engines.building import PYTHON, interpreter
from tests.engines.halves import on_node

pytestmark = [pytest.mark.engine, pytest.mark.network, pytest.mark.slow]

SITE = f"/opt/env/lib/python{PYTHON.rpartition('.')[0]}/site-packages"
CHANGE = f"""\
Bootstrap: localimage
From: paper.sif

%post
    printf '#' | dd of={SITE}/idna/core.py bs=1 seek=0 conv=notrunc
"""


@pytest.fixture(scope="module")
def author(tmp_path_factory: pytest.TempPathFactory, login: Path) -> Path:
    """The folder of a plain user who has built paper.sif, with envsnap in one file."""
    folder = tmp_path_factory.mktemp("author")
    (folder / "work").mkdir()
    shutil.copy(login / "envsnap.lock.json", folder / "envsnap.lock.json")
    maker = str(Path(__file__).parents[2] / "scripts" / "pyz.py")
    subprocess.run([sys.executable, maker, "--installed", str(folder / "envsnap.pyz")], check=True)
    done = as_author(
        folder, str(home() / "bin" / "python3"), "envsnap.pyz", "build", "--singularity",
        "--image", "paper.sif", "--workdir", "work", "-o", "recipe", *allowed(folder),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = "Captured the image: Python and 2 packages are those of the manifest"
    assert told in done.stderr.splitlines()
    assert sorted(os.listdir(folder)) == [
        "envsnap.lock.json", "envsnap.pyz", "home", "paper.sif", "recipe", "work"
    ]  # fmt: skip
    return folder


def allowed(folder: Path) -> Sequence[str]:
    """The hosts of the lock, which are in no settings of this user's."""
    found = load(str(folder / "envsnap.lock.json"))
    assert found.lock is not None
    hosts = {urlsplit(each.url).hostname or "" for each in found.lock.artifacts if each.url}
    return [word for host in sorted(hosts) for word in ("--allow-host", host)]


def home() -> Path:
    """Where the interpreter lies that runs envsnap on the node."""
    return Path(os.path.realpath(interpreter())).parents[1]


def as_author(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of the plain user, in the folder."""
    own = folder / "home"
    own.mkdir(exist_ok=True)
    return on_node(own, [folder, home()], *words, ENVSNAP_NODE_NETWORK="yes")


def verified(image: Path, folder: Path, *options: str) -> tuple[int, str]:
    """What envsnap answers a reader who has the SIF, and neither a network nor Apptainer."""
    shutil.copy(image, folder / "paper.sif")
    shutil.copy(image.with_name("envsnap.pyz"), folder)
    done = subprocess.run(
        ["unshare", "-n", sys.executable, "-I", "envsnap.pyz", "verify", "paper.sif", *options],
        cwd=folder, env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.mark.parametrize("published", [False, True])
def test_a_reader_of_the_sif_is_told_that_it_is_the_environment(
    author: Path, tmp_path: Path, *, published: bool
) -> None:
    code, said = verified(author / "paper.sif", tmp_path, *against(author, published))
    assert (code, answer(said)) == (0, "YES"), said
    assert "Not proved" not in said
    assert f"Compared    Python {PYTHON} and 2 packages in /opt/env" in said
    assert "Proved      2 packages by the digest of all files\n" in said


@pytest.fixture(scope="module")
def changed(author: Path) -> Path:
    """The image built once more, with one byte of one file another."""
    (author / "changed.def").write_text(CHANGE)
    quickly = ("--mksquashfs-args", "-comp gzip -Xcompression-level 1")
    done = as_author(
        author, "apptainer", "build", "--notest", *quickly, "changed.sif", "changed.def"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return author / "changed.sif"


@pytest.mark.parametrize("published", [False, True])
def test_one_byte_that_is_another_is_named_to_the_reader(
    author: Path, changed: Path, tmp_path: Path, *, published: bool
) -> None:
    code, said = verified(changed, tmp_path, *against(author, published))
    assert (code, answer(said)) == (1, "NO   1 difference"), said
    assert f"  edited        idna {SITE.removeprefix('/opt/env/')}/idna/core.py is not" in said


def answer(said: str) -> str:
    """The line that a reader looks for."""
    start = "  Is it the environment?  "
    (only,) = (each for each in said.splitlines() if each.startswith(start))
    return only.removeprefix(start)


def against(author: Path, published: bool) -> Sequence[str]:  # noqa: FBT001 - the parameter's own
    """Whether the manifest that the author has published is given, too."""
    return ("--against", str(author / "envsnap.lock.json")) if published else ()
