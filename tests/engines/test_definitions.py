"""Definitions of ours, built by Apptainer as a plain user, and what is left in the images."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace as with_fields
from pathlib import Path

import pytest

from envsnap.cli import main
from envsnap.formats import formats
from envsnap.formats._context import write_context
from envsnap.formats.apptainer import based_on
from envsnap.lint import lint
from envsnap.manifest import Manifest, load
from envsnap.plan import BuildPlan, PlanOptions, Secret, plan
from envsnap.plan._model import Interpreter
from envsnap.sections import Fact, Reason, Unknown, replace
from tests.serving import serving

pytestmark = [pytest.mark.engine, pytest.mark.slow]

PYTHON = os.environ.get("ENVSNAP_ENGINES_PYTHONS", "3.11.7").split()[0]
IMAGE = os.environ.get("ENVSNAP_TEST_IMAGE", f"python:{PYTHON}-slim-bookworm")
VERIFIED = "Python and 2 packages are those of the manifest"
LOOK = """
ls /opt /opt/envsnap; ls -A /root /mnt 2>/dev/null
find / -xdev ( -name "*.whl" -o -name "uv" -o -name "netrc" ) -not -path "*/ensurepip/*" 2>/dev/null
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that the other user may enter: pytest's own are closed to it."""
    made = Path(tempfile.mkdtemp(prefix="envsnap-tests-", dir="/var/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def manifest(folder: Path) -> Manifest:
    interpreter = os.path.expanduser(f"~/.pyenv/versions/{PYTHON}/bin/python3")
    if not os.path.exists(interpreter):
        pytest.fail(f"no Python {PYTHON} to capture")
    subprocess.run([interpreter, "-m", "venv", "--without-pip", str(folder / "env")], check=True)
    pip = [interpreter, "-m", "pip", "--python", str(folder / "env"), "install", "-q"]
    subprocess.run([*pip, "idna==3.7", "PySocks==1.7.1"], check=True)
    path = str(folder / "envsnap.lock.json")
    assert main(["capture", "--python", str(folder / "env"), "-o", path, "-q"]) == 0
    assert main(["lock", path, "-q"]) == 0
    return load(path)


def digest(_reference: str) -> Fact[str]:
    if "@" in IMAGE:
        return IMAGE.partition("@")[2]
    return Unknown(Reason.NOT_ASKED, "the stand-in has no digest here")


def planned(manifest: Manifest, **options: object) -> BuildPlan:
    return plan(manifest, PlanOptions(**options), digest)  # type: ignore[arg-type]


def written(context: Path, made: BuildPlan) -> Path:
    write_context(str(context), formats()["apptainer"].render(made))
    assert lint([str(context)]).problems == ()
    return context


def built(
    context: Path, *words: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["apptainer", "build", "--force", *words, str(context.parent / "image.sif"), "envsnap.def"],
        cwd=context, capture_output=True, text=True, check=False,
        env={**os.environ, **(environment or {})},
    )  # fmt: skip


def inside(context: Path, *words: str) -> str:
    image = str(context.parent / "image.sif")
    done = subprocess.run(
        ["apptainer", "exec", "--cleanenv", "--no-home", image, *words],
        cwd=context.parent, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


@pytest.mark.long
def test_a_site_without_subordinate_ids_builds_it_and_nothing_is_left_over(
    folder: Path, manifest: Manifest
) -> None:
    context = written(folder / "plain", planned(manifest))
    done = built(context, environment={"ENVSNAP_APPTAINER_SUBIDS": "no"})
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert said.count(VERIFIED) == 3  # its one layer, the end of %post, and %test
    assert inside(context, "envsnap-verify").splitlines()[0] == VERIFIED
    assert inside(context, "python", "-c", "import idna, sys; print(idna.__version__)") == "3.7\n"
    left = inside(context, "sh", "-c", LOOK.replace("(", "\\(").replace(")", "\\)")).split()
    assert "env" in left
    assert "manifest.json" in left
    assert not {"envsnap-context", "envsnap-cache", "envsnap-built"} & set(left)
    assert [each for each in left if each.endswith((".whl", "/uv", "netrc"))] == []


@pytest.mark.long
def test_a_base_image_can_be_a_file_and_what_no_index_has_can_stay_inside(
    folder: Path, manifest: Manifest
) -> None:
    context = folder / "file"
    context.mkdir()
    subprocess.run(
        ["docker", "save", "-o", str(context / "base.tar"), IMAGE.partition("@")[0]], check=True
    )
    made = based_on(planned(manifest), "docker-archive:base.tar")
    wheel = next(each for each in made.wheels if each.name == "idna")
    written(context, with_fields(made, embed=True))
    head = (context / "envsnap.def").read_text().splitlines()[:2]
    assert head == ["Bootstrap: docker-archive", "From: base.tar"]
    assert wheel.url is not None
    done = built(context)
    assert done.returncode == 0, done.stderr
    assert inside(context, "envsnap-verify").splitlines()[0] == VERIFIED


def private(manifest: Manifest, host: str) -> Manifest:
    """The manifest with every file at a private index."""
    assert manifest.lock is not None
    artifacts = tuple(
        replace(each, url=f"{host}/{each.filename}") for each in manifest.lock.artifacts
    )
    return manifest.with_lock(replace(manifest.lock, artifacts=artifacts))


def test_a_private_index_is_read_by_a_file_that_no_layer_keeps(
    folder: Path, manifest: Manifest
) -> None:
    files, secrets = folder / "files", folder / "private" / "secrets"
    files.mkdir()
    subprocess.run(
        ["pip", "download", "-q", "--no-deps", "-d", str(files), "idna==3.7", "PySocks==1.7.1"],
        check=True,
    )
    with serving(files, "lab:hunter2-of-the-lab") as host:
        options = {"secrets": (Secret("netrc", "/run/secrets/netrc"),)}
        context = written(folder / "private", planned(private(manifest, host), **options))
        secrets.mkdir()
        (secrets / "netrc").write_text("machine 127.0.0.1 login lab password hunter2-of-the-lab\n")
        refused = built(context)
        assert refused.returncode != 0
        assert "Give the folder that holds netrc" in refused.stdout + refused.stderr
        done = built(context, "--bind", f"{secrets}:/mnt")
        assert done.returncode == 0, done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    assert inside(context, "envsnap-verify").splitlines()[0] == VERIFIED
    asked = inside(context, "sh", "-c", "grep -rls hunter2-of-the-lab /opt /etc /usr/local || true")
    assert asked == ""
    assert b"hunter2" not in (folder / "image.sif").read_bytes()


@pytest.mark.long
def test_an_interpreter_comes_from_a_stage_before_and_the_base_fetches_nothing(
    folder: Path, manifest: Manifest
) -> None:
    files = folder / "archives"
    files.mkdir()
    home = os.path.expanduser(f"~/.pyenv/versions/{PYTHON}")
    without = [f"--exclude={name}" for name in ("test", "__pycache__", "*.a", "share", "include")]
    moved = f"--transform=s,^{PYTHON},python,"
    archive = files / "cpython.tar.gz"
    subprocess.run(
        ["tar", "-czf", str(archive), *without, moved, "-C", os.path.dirname(home), PYTHON],
        check=True,
    )
    made = planned(manifest)
    with serving(files) as host:
        interpreter = Interpreter(
            how="archive", executable="/opt/python/bin/python3", filename=archive.name,
            url=f"{host}/{archive.name}", sha256=hashlib.sha256(archive.read_bytes()).hexdigest(),
        )  # fmt: skip
        context = written(
            folder / "stages", with_fields(made, interpreter=interpreter, builder=made.base)
        )
        done = built(context)
    assert done.returncode == 0, done.stderr
    assert inside(context, "envsnap-verify").splitlines()[0] == VERIFIED
    asked = inside(context, "python", "-c", "import sys; print(sys.base_prefix)")
    assert asked == "/opt/python\n"
