"""The batch script for Slurm, run by a shell where a stand-in plays Apptainer."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from envsnap.errors import PlanError
from envsnap.formats import formats
from envsnap.formats.slurm import options
from envsnap.plan import BatchJob, PlanOptions, plan
from tests import made
from tests.formats.test_golden import digest

if TYPE_CHECKING:
    from pathlib import Path

NOT_CHECKED = "warning: this node was not checked, its driver and GPU least of all: there is"
SAYS = '#!/bin/sh\nfor each in "$@"; do printf "[%s]" "$each"; done; echo\nexit {code}\n'


@pytest.fixture
def job(tmp_path: Path) -> Path:
    folder = tmp_path / "a job"
    folder.mkdir()
    for path, text in (
        formats()["slurm"].render(plan(made.manifest(), PlanOptions(), digest)).items()
    ):
        (folder / path).write_text(text)
    (folder / "envsnap.sif").touch()
    program(folder, "apptainer")
    return folder


def program(folder: Path, name: str, code: int = 0) -> None:
    """A program that says its words, one in each pair of brackets."""
    where = folder / "bin"
    where.mkdir(exist_ok=True)
    (where / name).write_text(SAYS.format(code=code))
    (where / name).chmod(0o755)


def run(job: Path, *words: str, **environment: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        ["bash", "job.sbatch", *words], cwd=job, capture_output=True, text=True, check=False,
        env={"PATH": f"{job / 'bin'}:/usr/bin:/bin", **environment},
    )  # fmt: skip
    return done.returncode, [*done.stdout.splitlines(), *done.stderr.splitlines()]


def test_the_program_gets_its_words_and_the_image_is_verified_first(job: Path) -> None:
    image = job / "envsnap.sif"
    code, said = run(job, "python", "a b.py", "--x=$HOME", "*")
    assert code == 0
    assert said == [
        f"[exec][--cleanenv][--no-home][{image}][envsnap-verify][--quick]",
        f"[exec][--nv][--cleanenv][--no-home][{image}][python][a b.py][--x=$HOME][*]",
        f"{NOT_CHECKED} neither envsnap nor envsnap.pyz",
    ]


def test_a_node_that_was_not_checked_is_told(job: Path) -> None:
    program(job, "envsnap")
    os.unlink(job / "envsnap.lock.json")
    code, said = run(job, "python")
    assert (code, len(said), said[-1]) == (0, 3, f"{NOT_CHECKED} no envsnap.lock.json")


def test_the_copy_that_sbatch_starts_finds_what_lies_beside_the_script(
    job: Path, tmp_path: Path
) -> None:
    spool, submitted = tmp_path / "spool", tmp_path / "submitted"
    spool.mkdir()
    submitted.mkdir()
    shutil.copy(job / "job.sbatch", spool / "slurm_script")
    program(job, "envsnap")
    (job / "bin" / "scontrol").write_text(
        f"#!/bin/sh\necho '   Command={job}/job.sbatch python a.py'\n"
    )
    (job / "bin" / "scontrol").chmod(0o755)
    done = subprocess.run(
        ["bash", "../spool/slurm_script", "python"], cwd=submitted,
        capture_output=True, text=True, check=True,
        env={"PATH": f"{job / 'bin'}:/usr/bin:/bin", "SLURM_JOB_ID": "7",
             "SLURM_SUBMIT_DIR": str(submitted)},
    )  # fmt: skip
    checked, ran = done.stdout.splitlines()
    assert checked.startswith(f"[check][{job / 'envsnap.lock.json'}]")
    assert ran == f"[exec][--nv][--cleanenv][--no-home][{job / 'envsnap.sif'}][python]"
    assert done.stderr == ""


def test_the_image_may_lie_in_the_folder_above(job: Path) -> None:
    os.rename(job / "envsnap.sif", job.parent / "envsnap.sif")
    _, said = run(job, "true", ENVSNAP_CHECK="no")
    assert said == [f"[exec][--nv][--cleanenv][--no-home][{job.parent / 'envsnap.sif'}][true]"]


@pytest.mark.parametrize(
    ("beside", "command"),
    [
        ("envsnap.def", "cd {own} && apptainer build ../none.sif envsnap.def"),
        ("build.sh", "sh {own}/build.sh {own}/none.sif"),
        ("x", "envsnap build {own}/envsnap.lock.json --singularity --image none.sif"),
    ],
)
def test_where_there_is_no_image_it_is_said_how_it_is_built(
    job: Path, beside: str, command: str
) -> None:
    (job / beside).touch()
    code, said = run(job, "true", ENVSNAP_IMAGE="none.sif")
    own = str(job).replace(" ", "\\ ")
    assert (code, said) == (2, [
        "job.sbatch: there is no image none.sif",
        f"  Looked for it in {job}, {job} and above it",
        f"  Build it: {command.format(own=own)}",
    ])  # fmt: skip


@pytest.mark.parametrize(("answer", "code", "lines"), [(0, 0, 2), (4, 0, 2), (1, 1, 1), (3, 1, 1)])
def test_the_node_is_checked_where_envsnap_is_there(
    job: Path, answer: int, code: int, lines: int
) -> None:
    program(job, "envsnap", answer)
    found, said = run(job, "python")
    assert (found, len(said)) == (code, lines)
    assert said[0] == (
        f"[check][{job / 'envsnap.lock.json'}][--host-only][--for][container][--fail-on][blocks]"
    )


def test_the_one_file_is_taken_where_it_lies_beside(job: Path) -> None:
    program(job, "python3")
    (job / "envsnap.pyz").touch()
    _, said = run(job, "python")
    assert said[0].startswith(f"[{job / 'envsnap.pyz'}][check][{job / 'envsnap.lock.json'}]")


def test_no_check_is_made_where_none_is_wanted(job: Path) -> None:
    program(job, "apptainer", 7)
    code, said = run(job, "true", ENVSNAP_CHECK="no")
    assert (code, len(said)) == (7, 1)


def test_a_mistake_is_told_before_anything_starts(job: Path) -> None:
    assert run(job) == (2, ["usage: sbatch job.sbatch PROGRAM [ARG...]"])
    os.unlink(job / "bin" / "apptainer")
    if not any(os.path.exists(f"{place}/apptainer") for place in ("/usr/bin", "/bin")):
        assert run(job, "true") == (
            5, ["job.sbatch: neither apptainer nor singularity is on this node"],
        )  # fmt: skip


def test_modules_are_purged_and_apptainer_is_loaded_from_them(job: Path) -> None:
    os.rename(job / "bin", job / "site")
    init = job / "modules" / "init"
    init.mkdir(parents=True)
    (init / "bash").write_text(
        'module() { echo "module $*" >> told.txt; '
        f'if [ "$1 $2" = "load apptainer" ]; then PATH="{job / "site"}:$PATH"; fi; }}\n'
    )
    code, said = run(job, "true", ENVSNAP_CHECK="no", MODULESHOME=str(job / "modules"))
    assert (code, len(said)) == (0, 1)
    assert (job / "told.txt").read_text() == "module purge\nmodule load apptainer\n"


def test_the_place_in_the_job_gets_in_and_nothing_else_is_made_up(job: Path) -> None:
    (job / "bin" / "apptainer").write_text("#!/bin/sh\nenv | grep ENV_ | sort\n")
    _, said = run(
        job, "true", ENVSNAP_CHECK="no", CUDA_VISIBLE_DEVICES="0,1", SLURM_PROCID="3", OTHER="x"
    )
    assert said == [
        "APPTAINERENV_CUDA_VISIBLE_DEVICES=0,1", "APPTAINERENV_SLURM_PROCID=3",
        "SINGULARITYENV_CUDA_VISIBLE_DEVICES=0,1", "SINGULARITYENV_SLURM_PROCID=3",
    ]  # fmt: skip


@pytest.mark.parametrize("time", ["90", "90:30", "04:00:00", "1-12", "1-12:30", "2-00:00:00"])
def test_a_time_is_written_as_slurm_takes_it(time: str) -> None:
    assert options(BatchJob(time=time)) == [f"time={time}"]


@pytest.mark.parametrize("time", ["abc", "4h", "1-", ":30", "1:2:3:4"])
def test_what_slurm_takes_for_no_time_is_refused(time: str) -> None:
    with pytest.raises(PlanError) as caught:
        options(BatchJob(time=time))
    assert caught.value.message == f"--time takes a time as sbatch does, not {time!a}"
    assert caught.value.hint == "Write minutes, hours or days: 90, 04:00:00 or 1-12:00:00"
