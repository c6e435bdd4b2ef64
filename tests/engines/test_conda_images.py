"""Real images of a real conda environment with pip on top, which no channel and no index has."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace as with_fields
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import NamedTuple

import pytest

from envsnap import facts
from envsnap._build import BuildOptions, build
from envsnap._image import build_image
from envsnap.cli import main
from envsnap.facts import installers
from envsnap.manifest import load, save
from envsnap.plan import PlanOptions, Secret
from envsnap.sections import replace
from tests.engines.building import interpreter
from tests.serving import served, serving
from tests.torture.conda import CONDA, make

pytestmark = [pytest.mark.engine, pytest.mark.slow]

IMAGE = "envsnap-test-conda"
PASSWORD = "Hunter2-Geheim"  # noqa: S105 - of a server that this test starts
PROGRAMS = "noarchtoy; prefixtoy; overtoy; replacedtoy; which python; echo $CONDA_PREFIX; id -u"
SAID = [
    "noarchtoy of conda", "/opt/env/share", "overtoy of pip", "replacedtoy of pip",
    "/opt/env/bin/python", "/opt/env",
]  # fmt: skip
LEFT = r"""
ls /opt /opt/envsnap /mnt/* 2>/dev/null
find / -xdev \( -name '*.conda' -o -name '*.whl' -o -name rattler -o -name uv \) -not \
    -path '*/ensurepip/*' 2>/dev/null
"""


class Empty(BaseHTTPRequestHandler):
    """An index that has nothing."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


class Locked(NamedTuple):
    """An environment, captured and locked."""

    folder: Path
    manifest: str
    wheelhouse: str


@pytest.fixture(scope="module")
def locked() -> Iterator[Locked]:
    pytest.importorskip("rattler", reason="py-rattler is not installed: it makes conda's packages")
    folder = Path(tempfile.mkdtemp(prefix="envsnap-tests-", dir="/var/tmp"))
    folder.chmod(0o755)
    make(interpreter(), str(folder / "made"))
    python, manifest = str(folder / "made/env/bin/python"), str(folder / "envsnap.lock.json")
    wheelhouse = str(folder / "wheels")
    assert main(["capture", "--python", python, "-o", manifest, "-q"]) == 0
    with served(Empty) as host:
        words = ["--index-url", f"http://{host}/simple", "--wheelhouse", wheelhouse, "-q"]
        assert main(["lock", manifest, "--python", python, *words]) == 0
    yield Locked(folder, manifest, wheelhouse)
    shutil.rmtree(folder)


@pytest.fixture
def image() -> Iterator[str]:
    assert shutil.which("docker"), "docker is not on PATH"
    yield IMAGE
    subprocess.run(["docker", "image", "rm", "--force", IMAGE], capture_output=True, check=False)


def said(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_docker(script: str) -> str:
    return said("docker", "run", "--rm", "--network", "none", IMAGE, "sh", "-c", script)


def in_sif(sif: str, script: str) -> str:
    return said("apptainer", "exec", "--cleanenv", "--no-home", sif, "sh", "-c", script)


def is_whole(verified: str) -> None:
    """What the verifier inside says: every package, and every file by its hash."""
    first, second, *_ = verified.splitlines()
    assert first == f"Python and {9 + len(CONDA)} packages are those of the manifest"
    assert second.endswith(" files hashed, each as its RECORD states")


def is_proved(reference: str, locked: Locked, capsys: pytest.CaptureFixture[str]) -> None:
    """What our own envsnap reads out of the image, which starts nothing of it."""
    capsys.readouterr()
    code = main(["verify", reference, "--against", locked.manifest, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert code == 0, found["not_proved"]
    assert (found["differs"], found["not_proved"]) == ([], [])


def bring_tools(wheelhouse: str) -> None:
    """What installs the packages, as the refusal of an offline build says to fetch it."""
    wanted = []
    for answer in (installers.uv_wheels("3.11.7"), installers.rattler_wheels("3.11.7")):
        assert isinstance(answer, facts.Looked)
        wanted += [each.filename.partition("-") for each in answer.value[:1]]
    pins = [f"{name.replace('_', '-')}=={rest.partition('-')[0]}" for name, _, rest in wanted]
    pip = [interpreter(), "-m", "pip", "--disable-pip-version-check", "download", "-q"]
    subprocess.run([*pip, "--no-deps", "-d", wheelhouse, *pins], check=True)


@pytest.mark.parametrize("is_offline", [False, True], ids=["network", "no-network"])
def test_docker_unpacks_the_archives_and_pip_s_packages_over_them(
    locked: Locked, image: str, capsys: pytest.CaptureFixture[str], *, is_offline: bool
) -> None:
    words = ["--offline"] if is_offline else ["--network", "host"]
    if is_offline:
        bring_tools(locked.wheelhouse)
    out = str(locked.folder / f"docker-{is_offline}")
    argv = ["build", locked.manifest, "--docker", "-o", out, "--wheelhouse", locked.wheelhouse]
    assert main([*argv, "--image", image, *words]) == 0
    count = len(CONDA) + 3
    told = f"Python and {count} packages are those of the manifest"
    assert told in " ".join(capsys.readouterr().err.split())
    assert in_docker(PROGRAMS).splitlines() == [*SAID, "10001"]
    is_whole(in_docker("envsnap-verify"))
    left = in_docker(f"{LEFT} true").split()
    assert not [each for each in left if each.endswith((".conda", ".whl", "rattler", "/uv"))]
    assert "manifest.json" in left
    is_proved(f"docker-daemon:{image}", locked, capsys)


def test_a_file_of_conda_s_that_was_changed_is_named(locked: Locked, image: str) -> None:
    argv = ["build", locked.manifest, "--docker", "-o", str(locked.folder / "changed"), "-q"]
    more = ["--wheelhouse", locked.wheelhouse, "--image", image, "--network", "host"]
    assert main([*argv, *more]) == 0
    module = in_docker("ls /opt/env/lib/python3.*/site-packages/puretoy/__init__.py").strip()
    run = ["docker", "run", "--rm", "--user", "0", image, "sh", "-c"]
    script = f"echo >> {module}; envsnap-verify"
    done = subprocess.run([*run, script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "puretoy/__init__.py is not the file that its RECORD states" in done.stdout


def test_apptainer_unpacks_them_in_its_one_stage(
    locked: Locked, capsys: pytest.CaptureFixture[str]
) -> None:
    sif, out = str(locked.folder / "image.sif"), str(locked.folder / "sif")
    argv = ["build", locked.manifest, "--singularity", "-o", out]
    assert main([*argv, "--wheelhouse", locked.wheelhouse, "--image", sif, "-q"]) == 0
    assert in_sif(sif, PROGRAMS).splitlines()[:-1] == SAID
    is_whole(in_sif(sif, "envsnap-verify"))
    left = in_sif(sif, f"{LEFT} true").split()
    assert not [each for each in left if each.endswith((".conda", ".whl", "rattler", "/uv"))]
    is_proved(sif, locked, capsys)


def test_a_private_channel_s_password_is_in_no_layer(locked: Locked, image: str) -> None:
    out, netrc = locked.folder / "private", locked.folder / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login lab password {PASSWORD}\n")
    manifest = load(locked.manifest)
    assert manifest.lock is not None
    with serving(locked.folder / "made" / "channel", f"lab:{PASSWORD}") as origin:
        at = tuple(
            replace(each, url=f"{origin}/{each.subdir}/{each.filename}")
            for each in manifest.lock.conda
        )
        path = str(locked.folder / "private.json")
        save(manifest.with_lock(replace(manifest.lock, conda=at)), path)
        options = BuildOptions(
            output=str(out), image=image, network="host", wheelhouse=locked.wheelhouse,
            engine="docker", own_hosts=frozenset({"127.0.0.1", origin}),
            secrets={"netrc": str(netrc)},
            plan=PlanOptions(secrets=(Secret("netrc", "/root/.netrc"),)),
        )  # fmt: skip
        heard: list[bytes] = []
        # Without the wheelhouse's archives: they would travel, for the channel is of this machine.
        bare = str(locked.folder / "bare")
        shutil.copytree(locked.wheelhouse, bare)
        _without_conda(bare)
        recipes = build(load(path), with_fields(options, wheelhouse=bare))
        assert recipes.plan.carried_conda == ()
        made = build_image(recipes, options, heard.append)
    assert made.differences == ()
    is_whole(in_docker("envsnap-verify"))
    history = said("docker", "history", "--no-trunc", image).encode()
    saved = subprocess.run(["docker", "save", image], capture_output=True, check=True).stdout
    context = b"".join(each.read_bytes() for each in out.rglob("*") if each.is_file())
    for where in (history, saved, context, b"".join(heard)):
        assert PASSWORD.encode() not in where


def _without_conda(folder: str) -> None:
    path = os.path.join(folder, "wheelhouse.json")
    with open(path, encoding="utf-8") as file:
        tree = json.load(file)
    tree["files"] = [each for each in tree["files"] if each["how"] != "conda"]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(tree, file)
