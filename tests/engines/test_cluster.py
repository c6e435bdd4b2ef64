"""A real Slurm: jobs build the image without a network and run in it; ended, they leave nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from envsnap.cli import main
from envsnap.formats import formats
from envsnap.plan import PlanOptions, plan
from envsnap.sections import Reason, Unknown
from tests import made
from tests.engines.building import interpreter
from tests.engines.halves import CLUSTER, TOLD, digests, on_node

pytestmark = [pytest.mark.engine, pytest.mark.network, pytest.mark.slow]

CHECK = ("check", "envsnap.lock.json", "--host-only", "--for", "container", "--fail-on", "blocks")
ENDED = """
ended() {
    until scontrol show job "$1" >/tmp/job
        grep -qE "JobState=(COMPLETED|FAILED|CANCELLED)" /tmp/job
    do sleep 0.2; done
    grep -oE "(JobState|ExitCode)=[^ ]+" /tmp/job
    rm /tmp/job
}
"""
BUILD = f"""
{ENDED}
ended "$(sbatch --parsable --output="$3/said" "$1/build.sh" "$3/paper.sif")"
ls -A /tmp /var/tmp | grep -v ^pytest-of-
"""
RUN = f"""
{ENDED}
cd "$1" && export PATH="$2/bin:$PATH" MODULEPATH="$1/modulefiles" ENVSNAP_IMAGE="$3/paper.sif"
. /etc/profile.d/modules.sh
module load lab && echo "$LOADEDMODULES $APPTAINERENV_LAB"
shift 3
ended "$(sbatch --parsable --output=said job.sbatch "$@")"
"""
HALF_WAY = """
others() {
    for each in $(find /proc -maxdepth 1 -name "[0-9]*" -user hpc); do
        read -r name <$each/comm || continue
        case $name in bash | find) ;; *) echo "$name" ;; esac
    done 2>/dev/null
}
until [ -s "$2"/envsnap-build.*/child ]; do sleep 0.1; done
sleep 2
others | grep -c starter
"""
"""Until Apptainer is at work."""
LEFT = """
for each in $(seq 200); do [ -n "$(ls -A "$2")" ] || break; sleep 0.1; done
for each in $(seq 100); do [ -n "$(others)" ] || break; sleep 0.1; done
others; ls -A "$2" "$3"
"""
CANCELLED = f"""
{ENDED}
job=$(sbatch --parsable --output="$4/said" "$1/build.sh" "$3/paper.sif")
{HALF_WAY}
scancel "$job"
{LEFT}
ended "$job"
"""
KILLED = f"""
sh "$1/build.sh" "$3/paper.sif" >"$4/said" 2>&1 &
{HALF_WAY}
kill -s KILL $!
{LEFT}
sh "$1/build.sh" "$3/paper.sif" 2>/dev/null
"""


class Site(NamedTuple):
    """A cluster's folders, and what was fetched for it."""

    root: Path
    context: Path

    def folder(self, name: str) -> Path:
        """A folder of that name, made where there is none."""
        found = self.root / name
        found.mkdir(exist_ok=True)
        return found

    def run(self, script: str, *words: str | Path) -> str:
        """What a shell on the login node says; all paths among its words are folders there."""
        shown = [each for each in words if isinstance(each, Path)]
        done = on_node(
            self.folder("home"), [*shown, self.folder("scratch")], "env",
            f"SCRATCH={self.root / 'scratch'}", "bash", "-c", script, "bash", *map(str, words),
            program=CLUSTER,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, context: Path) -> Site:
    found = Site(tmp_path_factory.mktemp("site"), context)
    (found.folder("home") / "data").write_bytes(b"mine")
    return found


@pytest.fixture(scope="module")
def built(site: Site) -> str:
    """What is said where a job builds the image: its end, and what lies in the usual places."""
    return site.run(BUILD, site.context, site.folder("scratch"), site.folder("images"))


@pytest.fixture(scope="module")
def job(site: Site, context: Path) -> Path:
    """A folder with the job's script, envsnap in one file, and a module that gets into images."""
    folder, manifest = site.root / "a job", str(context / "envsnap.lock.json")
    assert main(["build", manifest, "--to", "slurm", "-o", str(folder), "--time", "5", "-q"]) == 0
    maker = str(Path(__file__).parents[2] / "scripts" / "pyz.py")
    subprocess.run([sys.executable, maker, "--installed", str(folder / "envsnap.pyz")], check=True)
    (folder / "modulefiles").mkdir()
    (folder / "modulefiles" / "lab").write_text("#%Module1.0\nsetenv APPTAINERENV_LAB loaded\n")
    return folder


def ran(site: Site, job: Path, words: Sequence[str]) -> tuple[list[str], str]:
    """How Slurm says that the job ended, and what it has said."""
    python = Path(os.path.realpath(interpreter())).parents[1]
    said = site.run(RUN, job, python, site.folder("images"), *words).splitlines()
    assert said[0] == "lab loaded"
    return said[1:], (job / "said").read_text()


def checked(site: Site, job: Path) -> tuple[int, str]:
    """What `check` answers on that very node."""
    python = Path(os.path.realpath(interpreter())).parents[1]
    done = on_node(
        site.folder("home"), [job, python], str(python / "bin" / "python3"), "envsnap.pyz", *CHECK
    )
    return done.returncode, done.stdout


def test_a_job_builds_the_image_without_a_network_and_leaves_nothing_else(
    site: Site, built: str
) -> None:
    assert built == "JobState=COMPLETED\nExitCode=0:0\n/tmp:\n\n/var/tmp:\n"
    images = site.root / "images"
    assert sorted(os.listdir(images)) == ["paper.sif", "said"]
    assert TOLD in (images / "said").read_text().splitlines()
    assert os.listdir(site.root / "scratch") == []
    assert list(digests(site.root / "home")) == ["data"]
    published = str(site.context / "envsnap.lock.json")
    assert main(["verify", str(images / "paper.sif"), "--against", published, "-q"]) == 0


@pytest.mark.usefixtures("built")
def test_a_program_runs_in_the_image_where_check_finds_nothing_that_blocks(
    site: Site, job: Path
) -> None:
    code, report = checked(site, job)
    assert code == 0, report
    program = "import markupsafe, os; print(markupsafe.__version__, os.environ.get('LAB'))"
    ended, said = ran(site, job, ["python", "-c", program])
    assert ended == ["JobState=COMPLETED", "ExitCode=0:0"]
    assert said.endswith("\n2.1.5 None\n")
    assert "IN THE CONTAINER   RUNS" in said


@pytest.mark.usefixtures("built")
def test_no_program_runs_where_check_finds_what_blocks(site: Site, job: Path) -> None:
    manifest = job / "envsnap.lock.json"
    whole = manifest.read_bytes()
    must = "gpu.memory >= 20 GiB"
    assert main(["require", str(manifest), must, "-q"]) == 0
    try:
        code, report = checked(site, job)
        ended, said = ran(site, job, ["echo", "it ran"])
    finally:
        manifest.write_bytes(whole)
    assert code == 1
    assert f"requires {must}" in report
    assert ended == ["JobState=FAILED", "ExitCode=1:0"]
    assert f"requires {must}" in said
    assert "it ran" not in said


@pytest.mark.usefixtures("built")
def test_the_script_of_an_environment_with_a_gpu_ends_as_its_program_does(
    site: Site, tmp_path: Path
) -> None:
    with_gpu = plan(made.manifest(), PlanOptions(), lambda _: Unknown(Reason.NOT_ASKED, "no"))
    (tmp_path / "modulefiles").mkdir()
    (tmp_path / "modulefiles" / "lab").write_text("#%Module1.0\nsetenv APPTAINERENV_LAB loaded\n")
    for name, text in formats()["slurm"].render(with_gpu).items():
        (tmp_path / name).write_text(text)
    script = (tmp_path / "job.sbatch").read_text()
    assert script.splitlines()[-1] == 'exec "$runner" exec --nv --cleanenv --no-home "$sif" "$@"'
    os.unlink(tmp_path / "envsnap.lock.json")  # it is another environment's
    ended, said = ran(site, tmp_path, ["sh", "-c", "ls -A ~; echo $SLURM_JOB_ID; exit 7"])
    assert ended == ["JobState=FAILED", "ExitCode=7:0"]
    assert "this node was not checked" in said
    assert said.splitlines()[-1] == "1"


@pytest.mark.parametrize("script", [CANCELLED, KILLED])
def test_of_a_build_that_is_ended_nothing_runs_on_and_nothing_is_left(
    site: Site, script: str, tmp_path: Path
) -> None:
    scratch, images = site.folder("scratch"), tmp_path / "images"
    images.mkdir()
    said = site.run(script, site.context, scratch, images, tmp_path)
    starters, said = said.split("\n", 1)
    assert int(starters) > 0
    nothing = f"{scratch}:\n\n{images}:\n"
    if script == CANCELLED:
        assert said == f"{nothing}JobState=CANCELLED\nExitCode=143:0\n"
        assert os.listdir(images) == []
    else:
        assert said.startswith(f"{nothing}apptainer exec ")
        assert os.listdir(images) == ["paper.sif"]
