"""build.sh, run by the shells that clusters have, with a program in the place of Apptainer."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from envsnap.formats._halves import readme
from envsnap.plan import BatchJob, PlanOptions, plan
from envsnap.sections import Reason, Unknown
from tests import made
from tests.fetched import CONTENTS, SHELLS, Site, fill, site_at
from tests.linters import SHELLCHECK


@pytest.fixture(params=SHELLS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    return site_at(tmp_path, request.param)


def test_the_image_is_built_in_the_working_folder_compared_and_named(site: Site) -> None:
    status, out, err = site.run()
    digest = hashlib.sha256(b"Bootstrap: oci-archive\n").hexdigest()
    assert (status, out) == (
        0,
        "apptainer exec --nv --cleanenv --no-home 'ROOT/here/envsnap.sif' python PROGRAM\n",
    )
    assert err.splitlines() == [
        "Checking 4 files ...",
        "Building ROOT/here/envsnap.sif with apptainer version 1.4.5, in ROOT/work/WORK ...",
        "in ROOT/a context",
        "building in ROOT/work/WORK/tmp, ROOT/work/WORK/cache",
        "Comparing the image with its manifest ...",
        "Python and 4 packages are those of the manifest",
        f"Built ROOT/here/envsnap.sif: {digest}",
        "To run a program in it:",
    ]
    added = (site.root / "log").read_text().split()
    assert added[:5] == ["sif", "add", "--datatype", "6", "--filename"]
    assert site.left() == ["envsnap.sif"]
    assert os.listdir(site.root / "home") == []


def test_the_image_goes_where_it_is_asked_for(site: Site) -> None:
    target = site.root / "it's here.sif"
    status, out, _ = site.run(str(target))
    assert (status, target.is_file(), site.left()) == (0, True, [])
    assert "'ROOT/it'\\''s here.sif'" in out


def test_sbatch_starts_a_copy_which_finds_its_folder(site: Site) -> None:
    spool = site.root / "spool"
    spool.mkdir()
    copy = shutil.copy(site.context / "build.sh", spool / "slurm_script")
    status, _, err = site.run(script=Path(copy), SLURM_SUBMIT_DIR=str(site.context))
    assert (status, "in ROOT/a context" in err) == (0, True)
    status, _, err = site.run(script=Path(copy), SLURM_SUBMIT_DIR=str(site.root))
    assert (status, err) == (
        3,
        (
            "build.sh: The folder of this script is not found\n"
            "  Start it there: cd FOLDER && sbatch build.sh\n"
        ),
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("a.sif", "b.sif"), "build.sh: One image alone is built"),
        (("a.img",), "build.sh: a.img does not end in .sif"),
        (("--force",), "build.sh: No image can be called '--force'"),
        (("",), "build.sh: No image can be called ''"),
    ],
)
def test_what_no_image_is_called_is_refused(site: Site, words: tuple[str, ...], said: str) -> None:
    status, out, err = site.run(*words)
    assert (status, out, err.splitlines()[0]) == (2, "", said)


def test_an_image_may_have_letters_of_any_language(site: Site) -> None:
    folder = site.root / "jürgen"
    folder.mkdir()
    assert site.run(str(folder / "bild.sif"))[0] == 0
    assert os.listdir(folder) == ["bild.sif"]
    said = "build.sh: No image can be called 'a\nb.sif'"
    status, _, err = site.run("a\nb.sif")
    assert (status, err.startswith(said)) == (2, True)


def test_a_place_where_even_root_cannot_write_is_told_before_the_build(site: Site) -> None:
    status, _, err = site.run("/proc/x.sif")
    assert status == 7
    assert "/proc" in err
    assert "in ROOT/a context" not in err
    assert site.left() == []


def test_a_file_that_was_changed_is_named(site: Site) -> None:
    (site.context / "base.tar").write_text("another base")
    (site.context / "envsnap.lock.json").unlink()
    status, _, err = site.run()
    assert status == 3
    assert "base.tar: FAILED" in err
    assert "envsnap.lock.json: FAILED open or read" in err
    assert site.left() == []


def test_a_folder_that_was_not_fetched_to_its_end_is_refused(site: Site) -> None:
    (site.context / "SHA256SUMS").unlink()
    status, _, err = site.run()
    said = "build.sh: SHA256SUMS is not here: the folder was not fetched to its end"
    assert (status, err.splitlines()[0], site.left()) == (3, said, [])


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("apptainer version 1.0.3", 5), ("apptainer version 1.1.0-rc.1", 0),
        ("singularity version 3.8.7-1.el8", 5), ("singularity-ce version 3.10.5", 5),
        ("singularity-ce version 3.11.4-jammy", 0), ("singularity-ce version 4.1.2", 0),
        ("apptainer version devel", 5),
    ],
)  # fmt: skip
def test_a_program_that_is_too_old_is_refused(site: Site, version: str, status: int) -> None:
    assert site.run(FAKE_VERSION=version)[0] == status


def test_without_apptainer_it_is_said_how_to_get_it(site: Site) -> None:
    (site.root / "bin" / "apptainer").unlink()
    status, _, err = site.run()
    assert (status, err) == (
        5,
        (
            "build.sh: Neither apptainer nor singularity is here\n"
            "  Load your site's module first (module load apptainer), or go to a node that has it\n"
        ),
    )


def test_an_image_that_is_not_its_manifests_is_not_left(site: Site) -> None:
    status, out, err = site.run(FAKE_TEST="1")
    said = "build.sh: The image is not what its manifest says: it was removed"
    assert (status, out, said in err.splitlines(), site.left()) == (1, "", True, [])
    assert site.run(FAKE_TEST="255")[0] == 5


def test_a_build_that_fails_says_what_its_words_mean(site: Site) -> None:
    status, _, err = site.run(FAKE_FAULT="FATAL: no space left on device")
    assert err.splitlines()[-2:] == [
        "build.sh: apptainer build ended with status 255",
        "  There is room: this is what Linux says where no more user namespaces are allowed, too",
    ]
    assert (status, site.left()) == (5, [])


def test_an_image_of_before_stays_where_the_new_one_fails(site: Site) -> None:
    (site.root / "here" / "envsnap.sif").write_text("before")
    assert site.run(FAKE_TEST="1")[0] == 1
    assert (site.root / "here" / "envsnap.sif").read_text() == "before"


@pytest.mark.parametrize(
    ("version", "told"),
    [("apptainer version 1.4.5", 0), ("singularity-ce version 4.1.5", 1)],
)
def test_singularity_is_told_what_apptainer_does_by_itself(
    site: Site, version: str, told: int
) -> None:
    if os.getuid() == 0:
        (site.root / "bin" / "id").write_text("#!/bin/sh\necho 1000\n")
        (site.root / "bin" / "id").chmod(0o755)
    status, _, err = site.run(FAKE_VERSION=version)
    assert (status, err.count("with --fakeroot")) == (0, told)


def test_the_home_folder_is_never_worked_in(site: Site) -> None:
    inside = site.root / "home" / "tmp"
    inside.mkdir()
    status, _, err = site.run(ENVSNAP_WORKDIR=str(inside))
    assert (status, err) == (
        6,
        (
            "build.sh: $ENVSNAP_WORKDIR, ROOT/home/tmp, is passed over: "
            "it lies in the home folder\n"
            "build.sh: There is no folder to build in\n"
            "  Name one on a local disk: ENVSNAP_WORKDIR=/local/folder sh build.sh\n"
        ),
    )


def test_scratch_comes_before_the_temporary_folder_and_one_that_is_none_is_passed_over(
    site: Site,
) -> None:
    (site.root / "tmp").mkdir()
    gone = str(site.root / "gone")
    status, _, err = site.run(ENVSNAP_WORKDIR="", SCRATCH=gone, TMPDIR=str(site.root / "tmp"))
    assert status == 0
    assert err.splitlines()[0] == ("build.sh: $SCRATCH, ROOT/gone, is passed over: it is no folder")
    assert "in ROOT/tmp/WORK ..." in err


def test_a_disk_without_room_is_refused_before_anything_is_built(site: Site) -> None:
    fill(site.context, CONTENTS._replace(size=1 << 50))
    status, _, err = site.run()
    assert (status, err.count("MiB free, and the build takes about")) == (6, 1)


def test_what_a_site_wants_of_a_job_stands_at_its_head(tmp_path: Path) -> None:
    fill(tmp_path, CONTENTS, BatchJob(partition="cpu", account="lab", gres="gpu:1", time="1:00:00"))
    head = (tmp_path / "build.sh").read_text().splitlines()[:9]
    assert head == [
        "#!/bin/sh", "#SBATCH --job-name=envsnap-build", "#SBATCH --nodes=1", "#SBATCH --ntasks=1",
        "#SBATCH --partition=cpu", "#SBATCH --account=lab", "#SBATCH --time=1:00:00",
        "##SBATCH --cpus-per-task=4", "##SBATCH --mem=8G",
    ]  # fmt: skip


def test_shellcheck_finds_nothing(site: Site) -> None:
    program = SHELLCHECK
    if not program:
        pytest.skip("shellcheck is not on PATH")
    done = subprocess.run(
        [program, "-s", "sh", str(site.context / "build.sh")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == ("", 0)


def test_the_readme_says_how_the_folder_is_used() -> None:
    planned = plan(made.manifest(), PlanOptions(), lambda _: Unknown(Reason.NOT_ASKED, "no"))
    contents = CONTENTS._replace(notes=("x 1 is not in it: why",))
    text = readme(planned, contents)["README.txt"]
    rows = text.splitlines()
    assert "    sbatch build.sh /folder/envsnap.sif" in rows
    assert rows[-2:] == ["", "Note: x 1 is not in it: why"]
    assert "docker" not in text
    place = rows.index("What is here (6 files of it were fetched, 4 MB)")
    assert rows[place + 1 : place + 7] == [
        "    envsnap.def           the recipe: Apptainer definition",
        "    base.tar              the base image",
        "    wheels/               the packages, each by its hash",
        "    envsnap.lock.json     the manifest, which the image is compared with",
        "    SHA256SUMS            the hash of every file here: sha256sum -c SHA256SUMS",
        "",
    ]


def test_the_readme_says_to_load_the_base_image_where_it_travels() -> None:
    pinned = "sha256:" + "ab" * 32
    planned = plan(made.manifest(), PlanOptions(), lambda _: pinned)
    for base in (1 << 20, 0):
        text = readme(planned, CONTENTS._replace(formats=("dockerfile",), base=base))["README.txt"]
        rows = text.splitlines()
        assert ("    docker load -i base.tar" in rows) is (base > 0)
        assert ("    base.tar              the base image" in rows) is (base > 0)
        assert "    docker build --network none -t lab/paper:1 ." in rows
        assert [each for each in rows if len(each) > 82] == []
