"""Real images from real recipes: built, captured from inside, compared with their manifest.

What is emitted is built unmodified. The base image is a stand-in of the same name (README.md).
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from envsnap._build import BuildOptions, build
from envsnap._image import differences, engine_of
from envsnap.cli import main
from envsnap.engines import Job
from envsnap.manifest import load
from tests.engines.building import PYTHON, interpreter

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.engine, pytest.mark.slow]

REQUIREMENTS = (
    "numpy==1.26.4",
    "idna==3.7",
    "requests[socks]==2.32.3",
    "antlr4-python3-runtime==4.9.3",
)
IMAGE = "envsnap-test-built"
TOLD = "Python and 10 packages are those of the manifest, 1 of them rebuilt from source"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose environment has numpy, a pure package, one with an extra and a source one."""
    folder = tmp_path_factory.mktemp("project")
    subprocess.run([interpreter(), "-m", "venv", str(folder / ".venv")], check=True)
    pip = [str(folder / ".venv" / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-q", *REQUIREMENTS], check=True)
    manifest = str(folder / "envsnap.lock.json")
    assert main(["capture", "--python", str(folder / ".venv"), "-o", manifest, "-q"]) == 0
    assert main(["lock", manifest, "-q"]) == 0
    return folder


@pytest.fixture
def docker_image() -> Iterator[str]:
    assert shutil.which("docker"), "docker is not on PATH"
    yield IMAGE
    subprocess.run(["docker", "image", "rm", "--force", IMAGE], capture_output=True, check=False)


def test_docker_builds_the_emitted_context(
    project: Path, docker_image: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = project / "docker"
    words = ["build", str(project / "envsnap.lock.json"), "--docker", "-o", str(out)]
    assert main([*words, "--image", docker_image, "--network", "host"]) == 0
    said = capsys.readouterr()
    line, _ = said.out.splitlines()
    caller = '--user "$(id -u):$(id -g)" -e HOME=/tmp -v "$PWD":/work -w /work'
    assert line == f"docker run --rm {caller} {docker_image} python"
    assert pasted(line, project) == f"{PYTHON}\n"
    assert TOLD in " ".join(said.err.split())
    rows = (out / "Dockerfile").read_text().splitlines()
    last = [row for row in rows if row.startswith("FROM")][-1]
    assert re.fullmatch(rf"FROM python:{re.escape(PYTHON)}-slim-\w+@sha256:[0-9a-f]{{64}}", last)
    record = json.loads((out / "build.json").read_text())
    assert record["image"]["name"] == docker_image
    assert re.fullmatch(r"docker \S+, buildx \S+", record["image"]["engine"])
    assert not (out / "build.log").exists()
    assert checked(project, f"docker-daemon:{docker_image}", capsys)["numpy"] == "1.26.4"
    ran = docker_run(
        docker_image,
        "python",
        "-c",
        "import numpy, os, socks; print(numpy.__version__, os.getuid())",
    )
    assert ran == "1.26.4 10001\n"
    assert (
        docker_run(
            docker_image,
            "sh",
            "-c",
            "ls -d /opt/env/lib/python*/site-packages/*/direct_url.json || true",
        )
        == ""
    )
    assert (
        json.loads(docker_run(docker_image, "cat", "/opt/envsnap/manifest.json"))["lock"]
        is not None
    )


def checked(project: Path, image: str, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What `check` says of the image, whose kernel and driver are this machine's."""
    manifest = str(project / "envsnap.lock.json")
    capsys.readouterr()
    words = ["check", manifest, "--against", image, "--for", "container"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "\n  IN THE IMAGE       RUNS " in said
    assert "Exit 0" in said
    assert main(["capture", "--image", image, "-o", "-", "-q"]) == 0
    found = json.loads(capsys.readouterr().out)["sections"]
    wanted = json.loads((project / "envsnap.lock.json").read_text())["sections"]
    assert found["os"]["kernel"] == wanted["os"]["kernel"]
    assert found["python"]["version"] == wanted["python"]["version"]
    versions = [
        {each["name"]: (each["version"], each["content"]) for each in side["packages"]["installed"]}
        for side in (wanted, found)
    ]
    for both in versions:
        both.pop("antlr4-python3-runtime")  # built from its source, each time
    assert versions[0] == versions[1]
    return {name: version for name, (version, _) in versions[1].items()}


def pasted(line: str, folder: Path) -> str:
    """What the line that runs an image answers, with a program at its end."""
    program = f"{line.strip()} -c 'import platform; print(platform.python_version())'"
    done = subprocess.run(
        ["sh", "-c", program], capture_output=True, text=True, check=True, cwd=folder
    )
    return done.stdout


def docker_run(image: str, *words: str) -> str:
    done = subprocess.run(
        ["docker", "run", "--rm", image, *words], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_apptainer_builds_the_emitted_definition_as_a_plain_user(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, sif = project / "sif", project / "paper.sif"
    words = ["build", str(project / "envsnap.lock.json"), "--singularity", "-o", str(out)]
    assert main([*words, "--image", str(sif)]) == 0
    said = capsys.readouterr()
    line, _ = said.out.splitlines()
    assert line == f"apptainer exec --cleanenv --no-home {sif} python"
    assert pasted(line, project) == f"{PYTHON}\n"
    assert TOLD in " ".join(said.err.split())
    assert [path.name for path in project.glob("*.part*")] == []
    assert checked(project, str(sif), capsys)["numpy"] == "1.26.4"
    for words in (
        ["exec", "--cleanenv", "--no-home", str(sif), "python"],
        ["run", "--cleanenv", "--no-home", str(sif), "python"],
    ):
        done = subprocess.run(
            ["apptainer", *words, "-c", "import numpy, sys; print(numpy.__version__, sys.prefix)"],
            capture_output=True, text=True, check=True, cwd=project,
        )  # fmt: skip
        assert done.stdout == "1.26.4 /opt/env\n"
    tested = subprocess.run(
        ["apptainer", "test", str(sif)], capture_output=True, text=True, check=True, cwd=project
    )
    assert tested.stdout.startswith("Python and 10 packages are those of the manifest\n")


def test_repo2docker_chooses_the_python_to_the_patch(project: Path) -> None:
    out = project / "binder-recipe"
    manifest = str(project / "envsnap.lock.json")
    assert main(["build", manifest, "--repo2docker", "-o", str(out), "-q"]) == 0
    user = ["--user-id", "1000", "--user-name", "jovyan"]
    done = subprocess.run(
        ["repo2docker", "--no-build", "--debug", *user, str(out)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = done.stdout + done.stderr
    minor = PYTHON.rpartition(".")[0]
    assert f"Building conda environment for python={minor}" in said
    assert 'env update -p ${NB_PYTHON_PREFIX} --file "binder/environment.yml"' in said
    assert "RUN ./binder/postBuild" in said
    assert f"- python={PYTHON}\n" in (out / "binder" / "environment.yml").read_text()


def test_an_image_that_drifted_is_told_from_its_manifest(
    project: Path, docker_image: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from envsnap._capture import capture
    from envsnap.host import image_host
    from envsnap.probes import Options

    manifest = load(str(project / "envsnap.lock.json"))
    options = BuildOptions(output=str(project / "drift"), image=docker_image, network="host")
    recipes = build(manifest, options)
    engine, recipe = engine_of(options)
    (project / "drift" / "Dockerfile").write_text(
        (project / "drift" / "Dockerfile").read_text().replace(
            "USER 10001", "RUN /opt/env/bin/python -m pip uninstall -y pysocks\nUSER 10001"
        )
    )  # fmt: skip
    job = Job(
        context=str(project / "drift"), recipe=recipe, image=docker_image, network="host",
        platform=recipes.plan.platform, listen=lambda _: None,
    )  # fmt: skip
    engine.build(job)
    with image_host(f"docker-daemon:{docker_image}") as host:
        found = capture(
            host, Options(python="/opt/env/bin/python"), sections=frozenset({"python", "packages"})
        )
    assert differences(manifest, found, recipes.plan) == (
        "packages: 1 package is not installed here: PySocks 1.7.1",
    )
    capsys.readouterr()
    words = ["check", str(project / "envsnap.lock.json"), "--for", "container"]
    assert main([*words, "--against", f"docker-daemon:{docker_image}"]) == 1
    said = capsys.readouterr().out
    assert "\n  IN THE IMAGE       WILL NOT RUN " in said
    assert "\n  packages    1 package is not installed here: PySocks 1.7.1" in said
