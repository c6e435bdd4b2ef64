"""install.sh itself, run here: what it installs from an index that wants a password."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple

import pytest

from envsnap.formats._files import image_files
from envsnap.plan import PlanOptions, plan
from envsnap.plan._model import Secret
from envsnap.sections import Fact, replace
from tests import made, wheels

if TYPE_CHECKING:
    from pathlib import Path

UV = shutil.which("uv", path=f"{os.path.dirname(sys.executable)}:{os.environ.get('PATH', '')}")
WHEEL = wheels.wheel("privateone", "2.0")
WANTED = "Basic " + base64.b64encode(b"lab:Geheim/nis").decode()

pytestmark = [
    pytest.mark.skipif(UV is None, reason="no uv"),
    pytest.mark.skipif(sys.platform != "linux", reason="not Linux"),
]


class Site(NamedTuple):
    """A context folder, an environment to fill, and the statuses that the index answered."""

    data: Path
    prefix: Path
    origin: str
    told: list[int]

    def run(self, *step: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", str(self.data / "install.sh"), *step],
            capture_output=True, text=True, check=False,
            env={"PATH": os.environ["PATH"], "ENVSNAP_PREFIX": str(self.prefix),
                 "HOME": str(self.data), "TMPDIR": str(self.data), **variables},
        )  # fmt: skip


@pytest.fixture
def index() -> Iterator[tuple[str, list[int]]]:
    told: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_ours = self.headers.get("Authorization") == WANTED
            body = WHEEL.raw if is_ours else b""
            told.append(200 if is_ours else 401)
            self.send_response(told[-1])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", told
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def site(tmp_path: Path, index: tuple[str, list[int]]) -> Site:
    """The whole context of one wheel, behind a password, beside uv and an empty environment."""
    origin, told = index
    artifact = made.artifact(
        WHEEL.name, WHEEL.version, WHEEL.filename, url=f"{origin}/{WHEEL.filename}",
        sha256=WHEEL.sha256, size=len(WHEEL.raw),
    )  # fmt: skip
    packages = (made.package(WHEEL.name, WHEEL.version, content=WHEEL.content),)
    own = replace(wheels.PYTHON, version="3.11.7")
    secrets = (Secret("netrc", "/x/netrc"), Secret("pip.conf", "/x/pip.conf"))
    planned = plan(
        made.manifest(packages, (artifact,), python=own), PlanOptions(secrets=secrets), digest
    )
    for path, text in image_files(planned).items():
        target = tmp_path / "data" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        # What must be there is another test's; here it is the Python that runs this.
        target.write_text(text.replace('"3.11.7"', f'"{wheels.VERSION}"'))
    (tmp_path / "data/tools/bin").mkdir(parents=True)
    os.symlink(str(UV), tmp_path / "data/tools/bin/uv")
    made_here = [sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "env")]
    subprocess.run(made_here, check=True)
    return Site(tmp_path / "data", tmp_path / "env", origin, told)


def digest(_reference: str) -> Fact[str]:
    return "sha256:" + "ab" * 32


def test_a_netrc_file_opens_the_index(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    path.write_text("machine 127.0.0.1 login lab password Geheim/nis\n")
    ran = site.run("layer", "01-tiny", NETRC=str(path))
    assert (ran.returncode, ran.stdout.splitlines()[:1]) == (
        0, ["envsnap: installing layer 01-tiny"],
    ), ran.stderr  # fmt: skip
    assert 200 in site.told


def test_the_passwords_in_pips_settings_open_it_too_and_stay_nowhere(
    site: Site, tmp_path: Path
) -> None:
    path = tmp_path / "pip.conf"
    own = site.origin.replace("http://", "http://lab:Geheim%2Fnis@")
    path.write_text(f"[global]\nindex-url = {own}/simple\n")
    ran = site.run("layer", "01-tiny", PIP_CONFIG_FILE=str(path))
    assert ran.returncode == 0, ran.stderr
    left = [each for root in (site.data, site.prefix) for each in root.rglob("*") if each.is_file()]
    assert not [each for each in left if b"Geheim" in each.read_bytes()]
    assert "Geheim" not in ran.stdout + ran.stderr


def test_without_a_password_the_step_fails(site: Site) -> None:
    assert site.run("layer", "01-tiny").returncode != 0
    assert set(site.told) == {401}


def test_a_file_that_a_layer_did_not_get_whole_ends_its_step(site: Site, tmp_path: Path) -> None:
    """Each layer is compared by the step that installs it."""
    path = tmp_path / "netrc"
    path.write_text("machine 127.0.0.1 login lab password Geheim/nis\n")
    proof = site.data / "layers/01-tiny.json"
    proof.write_text(proof.read_text().replace('"version": "2.0"', '"version": "3.0"'))
    ran = site.run("layer", "01-tiny", NETRC=str(path))
    assert ran.returncode == 1
    assert "privateone" in ran.stdout + ran.stderr
