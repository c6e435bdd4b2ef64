"""Each engine builds a small context as it lies: names, secrets, epochs, places and run lines."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from envsnap.engines import Built
from envsnap.engines._choice import choose, names
from envsnap.engines.apptainer import Apptainer
from envsnap.engines.buildah import Buildah
from envsnap.engines.docker import Docker
from envsnap.engines.podman import Podman
from envsnap.errors import ToolError, UsageError
from envsnap.host import image_host
from tests.engines.building import (
    DEFINITION,
    DOCKERFILE,
    HERE,
    PREFIX,
    SECRET_DEFINITION,
    WITH_SECRET,
    context,
    job,
    readable_folder,
    said,
    tree,
)

pytestmark = [pytest.mark.engine, pytest.mark.slow]

EPOCH = 1_700_000_000
SECRET = "correct horse battery staple"  # noqa: S105 - made up


@pytest.fixture
def folder() -> Iterator[Path]:
    with readable_folder() as made:
        yield made


@pytest.fixture(autouse=True)
def no_image_stays() -> Iterator[None]:
    yield
    for program in ("docker", "podman", os.path.join(HERE, "rootless", "podman")):
        found = subprocess.run(
            [program, "images", "-q", "--filter", f"reference=*{PREFIX}*"],
            capture_output=True, text=True, check=False,
        ).stdout.split()  # fmt: skip
        if found:
            subprocess.run(
                [program, "rmi", "--force", *set(found)], capture_output=True, check=False
            )


@pytest.fixture
def rootless(monkeypatch: pytest.MonkeyPatch) -> None:
    """podman and buildah on PATH are those of a plain user."""
    monkeypatch.setenv("PATH", f"{HERE}/rootless:{os.environ['PATH']}")


def told_by(built: Built, *words: str) -> str:
    """What `cat` in the image answers, by the line that runs it."""
    network = "none" if built.run_line.startswith("docker") else "host"
    line = built.run_line.removesuffix(" python").replace(" --rm ", f" --rm --network={network} ")
    return said(["/bin/sh", "-c", f'{line} "$@"', "sh", *words])


def test_docker_builds_with_buildkit(folder: Path) -> None:
    made = Docker().build(job(context(folder, DOCKERFILE), f"{PREFIX}:docker"))
    assert re.fullmatch(r"docker \S+, buildx \S+", made.engine)
    assert made.reference == f"docker-daemon:{PREFIX}:docker"
    assert made.run_line.startswith("docker run --rm --user ")
    assert told_by(made, "cat", "/opt/told.txt") == "told\n"


def test_docker_without_its_plugin_builds_by_the_buildkit_of_its_own(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docker").write_text(
        '#!/bin/sh\n[ "$1" != buildx ] || exit 1\nexec /usr/bin/docker "$@"\n'
    )
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    if not said(["docker", "--version"]).startswith("Docker version 20.10"):
        pytest.skip("the docker command of this machine has no BuildKit of its own")
    made = Docker().build(job(context(folder, DOCKERFILE), f"{PREFIX}:plain"))
    assert re.fullmatch(r"docker \S+, BuildKit", made.engine)
    assert told_by(made, "cat", "/opt/told.txt") == "told\n"


@pytest.mark.parametrize("kind", [Podman, Buildah])
@pytest.mark.parametrize("who", ["root", "hpc"])
def test_podman_and_buildah_build_the_same_recipe(
    kind: type[Podman | Buildah], who: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    if who == "hpc":
        request.getfixturevalue("rootless")
    made = kind().build(job(context(folder, DOCKERFILE), f"{PREFIX}:{kind.name}"))
    assert re.fullmatch(rf"{kind.name} \d+\.\d+\.\d+", made.engine)
    assert made.reference == f"containers-storage:{PREFIX}:{kind.name}"
    assert made.run_line == (
        f'podman run --rm --user 0 -v "$PWD":/work -w /work {PREFIX}:{kind.name} python'
    )
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", made.id)
    assert told_by(made, "cat", "/opt/told.txt") == "told\n"


@pytest.mark.parametrize("who", ["docker", "podman", "podman of a plain user"])
def test_a_program_of_this_folder_runs_and_its_results_stay(
    who: str, folder: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = folder / "my work"
    work.mkdir(mode=0o777)
    work.chmod(0o777)
    (work / "train.py").write_text("open('model.txt', 'w').write('trained')")
    if who.endswith("user"):
        request.getfixturevalue("rootless")
    kind = Docker if who == "docker" else Podman
    made = kind().build(job(context(folder / "context", DOCKERFILE), f"{PREFIX}:runs"))
    monkeypatch.chdir(work)
    assert told_by(made, "python", "train.py") == ""
    assert (work / "model.txt").read_text() == "trained"
    assert os.access(work / "model.txt", os.W_OK)


def test_the_same_epoch_gives_the_same_image_in_two_uncached_builds(folder: Path) -> None:
    place = context(folder, DOCKERFILE)
    ids = [
        Buildah().build(job(place, f"{PREFIX}:{n}", epoch=EPOCH, fresh=True))
        for n in ("one", "two")
    ]
    assert ids[0].id == ids[1].id
    assert ids[0].repeats


def test_docker_of_before_buildkit_0_13_says_that_it_does_not_repeat(folder: Path) -> None:
    made = Docker().build(job(context(folder, DOCKERFILE), f"{PREFIX}:epoch", epoch=EPOCH))
    assert not made.repeats


def test_apptainer_builds_beside_the_place_and_leaves_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    made = Apptainer().build(
        job(context(folder / "recipe", DEFINITION), "paper.sif", gpu=True, network=None)
    )
    assert made.run_line == "apptainer exec --nv --cleanenv --no-home paper.sif python"
    assert (made.engine, made.repeats) == ("apptainer 1.4.5", False)
    assert sorted(os.listdir(folder)) == ["paper.sif", "recipe"]
    ran = ["apptainer", "exec", "--cleanenv", "--no-home", "paper.sif", "cat", "/opt/told.txt"]
    assert said(ran, cwd=folder) == "told\n"


@pytest.mark.parametrize("kind", [Docker, Podman, Buildah, Apptainer])
def test_a_secret_is_read_and_in_no_layer_and_no_word(
    kind: type[Docker | Podman | Buildah | Apptainer], folder: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "word"
    secret.write_text(SECRET)
    heard: list[bytes] = []
    is_sif = kind is Apptainer
    image = str(folder / "secret.sif") if is_sif else f"{PREFIX}:secret-{kind.name}"
    place = context(folder / "context", SECRET_DEFINITION if is_sif else WITH_SECRET)
    made = kind().build(
        job(place, image, secrets={"word": str(secret)}, listen=heard.append, network=None)
    )
    assert SECRET.encode() not in b"".join(heard)
    wanted = subprocess.run(["sha256sum", secret], capture_output=True, text=True, check=True)
    assert told_by(made, "cat", "/opt/sum").split()[0] == wanted.stdout.split()[0]
    if is_sif:
        assert SECRET.encode() not in Path(image).read_bytes()
        return
    saved = folder / "image.tar"
    program = "docker" if kind is Docker else "podman"
    said([program, "save", "--output", str(saved), image])
    assert SECRET.encode() not in saved.read_bytes()


def test_engines_stand_in_their_order() -> None:
    assert names("dockerfile") == ("docker", "podman", "buildah")
    assert choose("dockerfile").name == "docker"
    assert choose("apptainer").name == "apptainer"
    assert choose("dockerfile", "buildah").name == "buildah"
    with pytest.raises(ToolError, match="singularity is not on PATH"):
        choose("apptainer", "singularity")


def test_an_engine_that_does_not_fit_is_refused_with_those_that_do() -> None:
    with pytest.raises(UsageError) as caught:
        choose("dockerfile", "apptainer")
    assert caught.value.message == "apptainer does not build 'dockerfile'"
    assert caught.value.hint == "Give --engine one of: docker, podman, buildah"
    with pytest.raises(UsageError) as caught:
        choose("dockerfile", "kaniko")
    assert caught.value.message == "No engine is called 'kaniko'"


@pytest.mark.parametrize("kind", [Docker, Apptainer, Podman, Buildah])
def test_a_home_folder_stays_as_it_was(
    kind: type[Docker | Podman | Buildah | Apptainer],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its own caches, its own copies of images: below the working folder, all of it."""
    home = folder / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    image = str(folder / "x.sif") if kind is Apptainer else f"{PREFIX}:home-{kind.name}"
    recipe = DEFINITION if kind is Apptainer else DOCKERFILE
    before = tree(str(home))
    made = kind().build(
        job(context(folder / "context", recipe), image, workdir=str(folder), network=None)
    )
    assert tree(str(home)) == before
    assert [name for name in os.listdir(folder) if name.startswith("envsnap-tmp-")] == []
    assert made.image == image


@pytest.mark.parametrize("kind", [Podman, Buildah])
def test_a_store_below_home_is_left_alone_for_one_below_the_working_folder(
    kind: type[Podman | Buildah], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, work = folder / "home", folder / "work"
    home.mkdir()
    settings = folder / "storage.conf"
    settings.write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{home}/storage"\nrunroot = "{home}/run"\n'
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(settings))
    made = kind().build(
        job(context(folder / "context", DOCKERFILE), f"{PREFIX}:kept", workdir=str(work))
    )
    kept = re.escape(f"{work}/envsnap-cache/containers/storage")
    wanted = rf"containers-storage:\[{kept}\+(/\S+/envsnap-[0-9a-f]{{12}})\]{PREFIX}:kept"
    found = re.fullmatch(wanted, made.reference)
    assert found
    assert told_by(made, "cat", "/opt/told.txt") == "told\n"
    with image_host(made.reference) as host:
        assert host.read("/opt/told.txt") == b"told\n"
    copies = [path for path in tree(str(home)) if "/overlay/" in path and "/diff/" in path]
    assert copies == []
    unmounted(f"{work}/envsnap-cache/containers/storage/overlay", f"{home}/storage/overlay")
    shutil.rmtree(found[1])


def unmounted(*folders: str) -> None:
    """Take off what an engine left mounted, so that the folder can go."""
    for each in folders:
        subprocess.run(["umount", "-l", each], capture_output=True, check=False)


def test_a_dead_tag_is_said_as_such(folder: Path) -> None:
    for kind in (Docker, Podman, Buildah):
        registry = "127.0.0.1:5000/library/" if kind is Docker else ""
        place = context(folder, f"FROM {registry}python:0.0.1-slim\n")
        with pytest.raises(ToolError) as caught:
            kind().build(job(place, f"{PREFIX}:dead"))
        assert "the base image's tag or digest is not, or no longer, in its registry" in (
            caught.value.message
        )
        assert caught.value.hint is not None
        assert "--base-image REF" in caught.value.hint
