"""`capture --deep` and `run` where nothing can be written, and what they write where it can be.

A mount namespace makes the whole file system read-only, for root too, but for one folder of files
in memory; in it an unprivileged user is root of nothing else.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from envsnap.sections import DEEP
from tests.cli.processes import Ended, command, environment, run, site_packages, variables

SEAL = """
mount --make-rprivate / && mount -t tmpfs none "$1" || exit 99
cut -d' ' -f5 /proc/self/mountinfo | while read -r place; do
    case "$place" in
        "$1") ;;
        *) mount -o remount,bind,ro "$place" 2>/dev/null ;;
    esac
done
! touch "$2/written" 2>/dev/null || exit 98
cd "$2" && shift 2 && exec "$@"
"""
UNSHARE = shutil.which("unshare")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder to work in, with an environment beside it that has a library and a package."""
    folder = environment(tmp_path / "env", alpha="1.0")
    site = site_packages(folder)
    (site / "alpha").mkdir()
    (site / "alpha" / "__init__.py").write_text("")
    extension = next(iter(_extensions()), None)
    if extension is not None:
        shutil.copy2(extension, site / "alpha" / extension.name)
        (site / "alpha" / "libopenblas.so.0").symlink_to(extension.name)
    for name in ("here", "home", "temporary", "kept"):
        (tmp_path / name).mkdir()
    return tmp_path / "here"


def _extensions() -> list[Path]:
    """Extension modules of the tests' own Python: real libraries, where it has them as files."""
    folders = [Path(each) for each in sys.path if each.endswith("lib-dynload")]
    return sorted(path for folder in folders for path in folder.glob("_*.so"))


def settings(here: Path) -> dict[str, str]:
    folder = here.parent
    return variables(HOME=f"{folder}/home", TMPDIR=f"{folder}/temporary")


def sealed(here: Path, *words: str) -> Ended:
    """Run envsnap where nothing can be written but below the folder `kept`, as one shell line."""
    if UNSHARE is None:
        pytest.skip("there is no unshare here")
    ready = [UNSHARE, "-rm", "true"]
    if subprocess.run(ready, capture_output=True, check=False).returncode:
        pytest.skip("this system lets this user make no mount namespace")
    kept = f"{here.parent}/kept"
    inner = 'answer=$1; shift; "$@"; code=$?; cat "$answer" 2>/dev/null; exit $code'
    words = ("sh", "-c", inner, "sh", f"{kept}/m.json", *command(*words))
    return run(
        [UNSHARE, "-rm", "sh", "-c", SEAL, "sh", kept, str(here), *words], here, settings(here)
    )


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Everything below, with when it was changed and how large it is."""
    return {
        str(path): (status.st_mtime_ns, 0 if stat.S_ISDIR(status.st_mode) else status.st_size)
        for path in folder.rglob("*")
        for status in [path.lstat()]
    }


def same_in_both(text: str, other: str) -> None:
    """Whether two captures say the same of what `--deep` reads, and know it."""
    ours, theirs = (json.loads(each)["sections"] for each in (text, other))
    names = {*DEEP, "python", "packages"}
    assert {name: ours[name] for name in names} == {name: theirs[name] for name in names}
    assert [name for name in DEEP if "unknown" in ours[name]] == []


def test_a_deep_capture_reads_and_writes_nothing(here: Path) -> None:
    words = ("capture", "-q", "--deep", "--python", f"{here.parent}/env", "-o", "-")
    before = tree(here.parent)
    free = run(command(*words), here, settings(here))
    assert (free.code, free.err, tree(here.parent)) == (0, "", before)
    tight = sealed(here, *words)
    assert (tight.code, tight.err) == (0, "")
    same_in_both(tight.out, free.out)


def test_a_run_writes_its_answer_alone(here: Path) -> None:
    python = f"{here.parent}/env/bin/python"
    words = ("--deep", "--", python, "-c", "import alpha; raise SystemExit(5)")
    before = tree(here.parent)
    free = run(command("run", "-q", "-o", "../kept/m.json", *words), here, settings(here))
    answer = here.parent / "kept" / "m.json"
    text = answer.read_text()
    answer.unlink()
    after = tree(here.parent)
    del before[f"{here.parent}/kept"], after[f"{here.parent}/kept"]
    assert (free.code, after) == (5, before)
    tight = sealed(here, "run", "-q", "-o", "../kept/m.json", *words)
    assert tight.code == 5
    same_in_both(tight.out, text)
    seen = [json.loads(each)["sections"]["run"] for each in (tight.out, text)]
    assert [(each["modules"], each["exit_status"]) for each in seen] == [(["alpha"], 5)] * 2


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_folders_without_rights_are_enough_to_capture_and_refuse_a_run(here: Path) -> None:
    words = ("capture", "-q", "--deep", "--python", f"{here.parent}/env", "-o", "-")
    names = ("here", "home", "temporary")
    for name in names:
        (here.parent / name).chmod(0o555)
    try:
        captured = run(command(*words), here, settings(here))
        refused = run(command("run", "--", "true"), here, settings(here))
    finally:
        for name in names:
            (here.parent / name).chmod(0o755)
    assert (captured.code, captured.err) == (0, "")
    assert (refused.code, refused.err.splitlines()[0]) == (
        7,
        f"error: {here} may not be written to",
    )
