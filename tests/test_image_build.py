"""Images made of recipes by programs of the tests own, and what is said when one fails."""

from __future__ import annotations

import dataclasses
import errno
import functools
import hashlib
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, NoReturn

import pytest

from envsnap._build import BuildOptions, build
from envsnap._image import _built, _record, build_image, differences, engine_of
from envsnap.engines import Built, Done, Job, run, stream
from envsnap.engines.apptainer import Apptainer
from envsnap.engines.buildah import Buildah
from envsnap.engines.docker import Docker
from envsnap.engines.singularity import Singularity
from envsnap.errors import FileError, ToolError, UsageError
from envsnap.plan import PlanOptions, plan
from envsnap.plan._system_versions import Versions
from envsnap.sections import Fact, Packages, replace
from tests import made

BASE = PlanOptions(base_image="registry.example/python:3.11.7@sha256:" + "ab" * 32)


def options(folder: Path, *formats: str, **changes: object) -> BuildOptions:
    return BuildOptions(formats=formats, output=str(folder), plan=BASE, **changes)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize("formats", [(), ("dockerfile", "apptainer")])
def test_an_image_needs_one_engine(formats: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        engine_of(BuildOptions(formats=formats, image="x"))
    assert caught.value.message == "--image needs the one engine that makes it"


def path_with(folder: Path, name: str, script: str) -> str:
    program = folder / "bin" / name
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return f"{program.parent}:{os.environ['PATH']}"


def job(folder: Path, image: str, *, gpu: bool) -> Job:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return Job(
        context=str(folder), recipe="recipe", image=image, platform=f"linux/{machine}", gpu=gpu,
        listen=lambda _: None,
    )  # fmt: skip


MAKING = """
[ "$2" != --help ] || exit 0
case "$1" in
  --version) echo "singularity-ce version 4.1.0" ;;
  build) for word; do case "$word" in *.sif) echo image >"$word" ;; esac; done ;;
esac
"""


def test_the_line_that_runs_a_sif_names_the_program_that_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path_with(tmp_path, "singularity", MAKING)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    built = Singularity().build(job(tmp_path, "runs/my paper.sif", gpu=True))
    assert built == Built(
        engine="singularity-ce 4.1.0", image="runs/my paper.sif", name="my paper.sif",
        reference="runs/my paper.sif", id="sha256:" + hashlib.sha256(b"image\n").hexdigest(),
        run_line="singularity exec --nv --cleanenv --no-home 'runs/my paper.sif' python",
    )  # fmt: skip


AS_CALLER = '--user "$(id -u):$(id -g)" -e HOME=/tmp -v "$PWD":/work -w /work'
DOCKER = """
case "$1 $2" in
  "version --format") echo 20.10.24 20.10.24 ;;
  "buildx version") echo "github.com/docker/buildx v0.13.1 abc" ;;
  "buildx build") until [ "$1" = --iidfile ]; do shift; done; printf sha256:12 >"$2" ;;
  "image inspect") echo sha256:12 ;;
esac
"""


def test_the_line_that_runs_an_image_of_docker_can_be_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", path_with(tmp_path, "docker", DOCKER))
    built = Docker().build(job(tmp_path, "lab/paper:1", gpu=False))
    assert built == Built(
        engine="docker 20.10.24, buildx 0.13.1", image="lab/paper:1", name="lab/paper:1",
        reference="docker-daemon:lab/paper:1", id="sha256:12",
        run_line=f"docker run --rm {AS_CALLER} lab/paper:1 python",
    )  # fmt: skip
    built = Docker().build(job(tmp_path, "lab/paper:1", gpu=True))
    assert built.run_line == f"docker run --rm --gpus all {AS_CALLER} lab/paper:1 python"


IDLE = DOCKER.replace("until", "exit; until")
"""Docker that ends well, builds nothing, and knows an older image of that name."""


def test_an_older_image_of_that_name_is_not_taken_for_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", path_with(tmp_path, "docker", IDLE))
    with pytest.raises(ToolError) as caught:
        Docker().build(job(tmp_path, "lab/paper:1", gpu=False))
    assert caught.value.message == "docker ended without an error, and made no image"


def test_a_name_that_another_build_took_meanwhile_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_name = '[ "$5" = lab/paper:1 ] && echo sha256:34 || echo "$5"'
    lying = DOCKER.replace("echo sha256:12", by_name)
    monkeypatch.setenv("PATH", path_with(tmp_path, "docker", lying))
    with pytest.raises(ToolError) as caught:
        Docker().build(job(tmp_path, "lab/paper:1", gpu=False))
    assert caught.value.message == "docker built sha256:12, and lab/paper:1 is sha256:34"


def test_docker_that_names_an_image_by_another_digest_than_its_builder_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its containerd store goes by the manifest, buildx noted the configuration until 2026."""
    by_manifest = '[ "$5" = lab/paper:1 ] && echo sha256:34 || exit 1'
    path = path_with(tmp_path, "docker", DOCKER.replace("echo sha256:12", by_manifest))
    monkeypatch.setenv("PATH", path)
    assert Docker().build(job(tmp_path, "lab/paper:1", gpu=False)).id == "sha256:34"


BUILDAH = """
case "$*" in
  --version) echo "buildah version 1.33.7 (image-spec 1.1.0)" ;;
  *" build "* | build*) until [ "$1" = --iidfile ]; do shift; done; printf sha256:12 >"$2" ;;
  *images*) printf 'sha256:34\\nsha256:12\\n' ;;
esac
"""


def test_of_the_images_that_a_store_has_by_a_name_the_built_one_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", path_with(tmp_path, "buildah", BUILDAH))
    assert Buildah().build(job(tmp_path, "lab/paper:1", gpu=False)).id == "sha256:12"
    monkeypatch.setenv(
        "PATH", path_with(tmp_path, "buildah", BUILDAH.replace("until", "exit; until"))
    )
    with pytest.raises(ToolError) as caught:
        Buildah().build(job(tmp_path, "lab/paper:1", gpu=False))
    assert caught.value.message == "buildah ended without an error, and made no image"


@pytest.mark.parametrize("name", ["paper", "-o.sif", "paper.SIF", ""])
def test_a_sif_by_another_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        Apptainer().refuse_name(name)
    assert caught.value.message == f"Apptainer makes a FILE.sif, not {name!r}"


@pytest.mark.parametrize("name", ["Paper", "-v", "a b", "paper:", ""])
def test_a_name_that_docker_would_refuse_is_refused_before(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        Docker().refuse_name(name)
    assert caught.value.message == (
        f"Docker names images in small letters, as lab/paper:1, not {name!r}"
    )


@pytest.mark.parametrize("name", ["paper", "lab/paper:V1.0", "127.0.0.1:5000/lab/my-paper:1"])
def test_a_name_that_docker_takes_is_taken(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Docker().refuse_name(name)
    monkeypatch.setenv("PATH", path_with(tmp_path, "docker", DOCKER))
    engine, recipe = engine_of(BuildOptions(image=name))
    assert (engine.name, recipe) == ("docker", "Dockerfile")


FAILING = """
[ "$2" != --help ] || exit 0
case "$1" in
  --version) echo "apptainer version 1.4.5" ;;
  build) echo half >"$2"; for i in 1 2 3; do echo "step $i"; done
         echo "FATAL: no space" >&2; exit 255 ;;
esac
"""


def test_a_build_that_fails_shows_its_last_words_and_leaves_no_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", path_with(tmp_path, "apptainer", FAILING))
    out, sif = tmp_path / "out", tmp_path / "x.sif"
    sif.write_text("the image of before")
    asked = options(out, "apptainer", image=str(sif))
    heard: list[bytes] = []
    with pytest.raises(ToolError) as caught:
        build_image(build(made.manifest(), asked), asked, heard.append)
    assert caught.value.message == (
        "apptainer build ended with status 255; its last words:\n"
        "  step 1\n  step 2\n  step 3\n  FATAL: no space"
    )
    assert caught.value.hint == f"The whole log: {out / 'build.log'}"
    assert b"".join(heard) == b"step 1\nstep 2\nstep 3\nFATAL: no space\n"
    assert sif.read_text() == "the image of before"
    assert [path.name for path in tmp_path.glob("*.part*")] == []


LAST_WORDS = (
    "apptainer build ended with status 255; its last words:\n"
    "  step 1\n  step 2\n  step 3\n  FATAL: no space"
)
FULL = OSError(errno.ENOSPC, "No space left on device")


def failing_with(error: Exception) -> Callable[..., NoReturn]:
    def fail(*_: object, **__: object) -> NoReturn:
        raise error

    return fail


@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("envsnap._image.shutil.copyfileobj", FULL),
        ("envsnap._image.add_to_record", FileError("Cannot write build.json")),
    ],
)
def test_a_log_that_cannot_be_kept_does_not_hide_the_engines_error(
    function: str, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", path_with(tmp_path, "apptainer", FAILING))
    asked = options(tmp_path / "out", "apptainer", image=str(tmp_path / "x.sif"))
    recipes = build(made.manifest(), asked)
    monkeypatch.setattr(function, failing_with(error))
    with pytest.raises(ToolError) as caught:
        build_image(recipes, asked, lambda _: None)
    assert (caught.value.message, caught.value.hint) == (LAST_WORDS, None)
    assert list((tmp_path / "out").glob("*.log")) == []


WITHOUT_ROOM = [failing_with(FULL), functools.partial(open, "/dev/full", "r+b")]
"""Temporary files on a full disk: it has no room for the file, or for what is written into it."""


@pytest.mark.parametrize("temporary", WITHOUT_ROOM)
def test_a_build_that_fails_while_the_disk_is_full_shows_its_last_words(
    temporary: Callable[..., IO[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", path_with(tmp_path, "apptainer", FAILING))
    asked = options(tmp_path / "out", "apptainer", image=str(tmp_path / "x.sif"))
    recipes = build(made.manifest(), asked)
    monkeypatch.setattr(tempfile, "TemporaryFile", temporary)
    with pytest.raises(ToolError) as caught:
        build_image(recipes, asked, lambda _: None)
    assert (caught.value.message, caught.value.hint) == (LAST_WORDS, None)
    assert list((tmp_path / "out").glob("*.log")) == []


@pytest.mark.parametrize("temporary", WITHOUT_ROOM)
def test_a_build_needs_no_room_for_its_log(
    temporary: Callable[..., IO[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    talking = DOCKER.replace("until", "echo working; until")
    monkeypatch.setenv("PATH", path_with(tmp_path, "docker", talking))
    recipes = build(made.manifest(), options(tmp_path / "out", "dockerfile"))
    monkeypatch.setattr(tempfile, "TemporaryFile", temporary)
    built = _built(Docker(), job(tmp_path, "lab/paper:1", gpu=False), recipes, lambda _: None)
    assert built.id == "sha256:12"


def test_no_engine_is_said_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    asked = options(tmp_path / "out", "apptainer", image="x.sif")
    with pytest.raises(ToolError) as caught:
        build_image(build(made.manifest(), asked), asked, print)
    assert caught.value.message == (
        "No engine here builds 'apptainer':\n"
        "  apptainer: apptainer is not on PATH\n"
        "  singularity: singularity is not on PATH"
    )
    assert caught.value.hint == "See what this machine lacks with: envsnap doctor --build"
    assert not (tmp_path / "out" / "build.log").exists()


def test_ctrl_c_ends_the_program_and_all_it_started(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! >{tmp_path}/pid; echo started; wait"

    def interrupt(_piece: bytes) -> None:
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        stream(["sh", "-c", script], cwd=str(tmp_path), listen=interrupt)
    assert time.monotonic() - started < 20
    child = int((tmp_path / "pid").read_text())
    # A child that became init's is reaped there; it can linger as a zombie, which runs nothing.
    for _ in range(50):
        if not alive(child):
            break
        time.sleep(0.1)
    assert not alive(child)


@pytest.mark.parametrize("left", ["sleep 5", "for i in $(seq 500); do echo more; sleep 0.01; done"])
def test_what_a_program_leaves_running_is_not_waited_for(left: str, tmp_path: Path) -> None:
    ends = "head -c 300000 /dev/zero; echo last; exit 3"
    script = f"sh -c '{left}' & echo $! >{tmp_path}/pid; {ends}"
    heard = bytearray()
    started = time.monotonic()
    try:
        status = stream(["sh", "-c", script], cwd=str(tmp_path), listen=heard.extend)
        assert time.monotonic() - started < 3
    finally:
        os.killpg(os.getpgid(int((tmp_path / "pid").read_text())), signal.SIGKILL)
    assert (status, heard.count(b"\0"), b"last\n" in heard) == (3, 300_000, True)


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_program_that_hangs_is_ended() -> None:
    with pytest.raises(ToolError) as caught:
        run(["sleep", "60"], timeout_s=0.2)
    assert caught.value.message == "sleep did not answer within 0.2 s"


def test_a_program_that_is_not_there_is_said() -> None:
    with pytest.raises(ToolError) as caught:
        run(["no-such-program-of-ours"], timeout_s=5)
    assert caught.value.message == "no-such-program-of-ours is not on PATH"


def test_a_program_answers_on_both_streams() -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    assert run([sys.executable, "-c", code], timeout_s=30) == Done(3, "out\n", "err\n")


def test_what_an_image_has_other_than_its_plan_is_listed() -> None:
    def digest_of(_reference: str) -> Fact[str]:
        return "sha256:" + "ab" * 32

    wanted = made.manifest()
    planned = plan(wanted, PlanOptions(), digest_of)
    assert differences(wanted, wanted, planned) == ()
    others = (
        replace(made.PACKAGES[0], content="1" * 64),  # built from source: told by its version alone
        replace(made.PACKAGES[1], version="3.8"),
        replace(made.PACKAGES[2], content="1" * 64),
        made.package("pip", "24.0"),
    )
    found = made.manifest(
        python=made.python(soabi="cpython-312-x86_64-linux-gnu"),
        packages=Packages(installed=others, conda_only=(), broken=()),
    )
    assert differences(wanted, found, planned) == (
        "packages: 1 package is not installed here: PySocks 1.7.1",
        (
            "extension modules: their tag: "
            "cpython-311-x86_64-linux-gnu -> cpython-312-x86_64-linux-gnu"
        ),
        "idna 3.7 -> 3.8",
        "numpy 1.26.4: other files under the same version",
        "more packages: 1 package: pip 24.0 more than wanted",
    )


def test_the_record_of_an_image_has_nothing_of_the_image_before(tmp_path: Path) -> None:
    asked = options(tmp_path / "out", "dockerfile")
    old = Versions({"libgl1": "1.7-OLD"}, {})
    recipes = dataclasses.replace(build(made.manifest(), asked), earlier=old)
    built = Built(
        engine="docker", image="a", name="a", reference="docker-daemon:a", id="sha256:NEW",
        run_line="docker run a",
    )  # fmt: skip
    before, after = _record(recipes, asked, None), _record(recipes, asked, built, None)
    assert (before["system"], before["system_before"]) == (None, old.document())
    assert (after["system"], "system_before" in after) == (None, False)
