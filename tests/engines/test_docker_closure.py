"""The whole closure in real images: sources with C code, no network, a password and a private CA.

What is emitted is built unmodified by BuildKit. The base image is a stand-in (README.md).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple

import pytest

from envsnap._build import BuildOptions, build
from envsnap._image import build_image
from envsnap.cli import main
from envsnap.manifest import environment_id, load, save
from envsnap.plan import PlanOptions
from envsnap.plan._layers import installer
from envsnap.plan._model import Secret
from envsnap.sections import Artifact, replace
from envsnap.wheelhouse._store import Stored, Wheelhouse, write_list
from tests.engines.building import interpreter
from tests.engines.test_built_from_wheelhouse import keep, source, stored_of

if TYPE_CHECKING:
    from pathlib import Path

    from envsnap._image import Image

pytestmark = [pytest.mark.engine, pytest.mark.slow]

PASSWORD = "Hunter2-Geheim"  # noqa: S105 - of a server that this test starts
C_PROJECT = {
    "pyproject.toml": """
[build-system]
requires = ["setuptools>=61"]
build-backend = "setuptools.build_meta"
[project]
name = "c-answer"
version = "1.0"
""",
    "setup.py": """
from setuptools import Extension, setup
setup(ext_modules=[Extension("c_answer", ["c_answer.c"])])
""",
    "c_answer.c": """
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "c_answer", 0, -1, 0};
PyMODINIT_FUNC PyInit_c_answer(void) {
    PyObject *made = PyModule_Create(&module);
    PyModule_AddIntConstant(made, "ANSWER", 42);
    return made;
}
""",
}


class Answer(NamedTuple):
    """A file that the private index has."""

    path: str
    body: bytes


@pytest.fixture
def image() -> Iterator[str]:
    assert shutil.which("docker"), "docker is not on PATH"
    name = "envsnap-tests-test-closure"
    yield name
    subprocess.run(["docker", "image", "rm", "--force", name], capture_output=True, check=False)


def environment(folder: Path, *what: str) -> tuple[str, list[str]]:
    """An environment with these, captured; its manifest, and the words that start its pip."""
    subprocess.run([interpreter(), "-m", "venv", str(folder / ".venv")], check=True)
    pip = [str(folder / ".venv" / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-q", *what], check=True)
    manifest = str(folder / "envsnap.lock.json")
    assert main(["capture", "--python", str(folder / ".venv"), "-o", manifest, "-q"]) == 0
    return manifest, pip


def named_at(manifest: str, file: Path, url: str) -> Artifact:
    """The lock of a manifest, with one more package at an address."""
    read = load(manifest)
    assert read.lock is not None
    name, version = file.name.removesuffix(".tar.gz").split("-")[:2]
    raw = file.read_bytes()
    added = Artifact(
        name=name.replace("_", "-"), version=version, filename=file.name, url=url,
        sha256=hashlib.sha256(raw).hexdigest(), size=len(raw), is_installed=False,
    )  # fmt: skip
    lock = replace(
        read.lock,
        artifacts=tuple(sorted((*read.lock.artifacts, added), key=lambda each: each.name)),
        unlocked=tuple(each for each in read.lock.unlocked if each.name != added.name),
    )
    save(read.with_lock(lock), manifest)
    return added


class Authority(NamedTuple):
    """A private certificate authority, and the certificate that it gave 127.0.0.1."""

    ca: Path
    crt: Path
    key: Path


def authority(folder: Path) -> Authority:
    """Two certificates: what installs takes no authority's own for a server's."""
    made = Authority(folder / "ca.pem", folder / "crt.pem", folder / "key.pem")
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    ca_key = str(folder / "ca-key.pem")
    by_ca = ["-CA", str(made.ca), "-CAkey", ca_key]
    for words in (
        ["-subj", "/CN=A private authority", "-keyout", ca_key, "-out", str(made.ca)],
        ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-addext",
         "basicConstraints=critical,CA:FALSE", "-keyout", str(made.key), "-out", str(made.crt),
         *by_ca],
    ):  # fmt: skip
        subprocess.run([*new, *words], check=True, capture_output=True)
    return made


@contextmanager
def private(answers: list[Answer], crt: Path, key: Path) -> Iterator[tuple[str, list[int]]]:
    """An index by https that wants a name and a password; its origin, and what it answered."""
    wanted = "Basic " + base64.b64encode(f"lab:{PASSWORD}".encode()).decode()
    told: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = {each.path: each.body for each in answers}
            ok = self.headers.get("Authorization") == wanted
            body = known.get(self.path, b"") if ok else b""
            status = 401 if not ok else 200 if self.path in known else 404
            told.append(status)
            self.send_response(status)
            if not ok:
                self.send_header("WWW-Authenticate", 'Basic realm="lab"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}", told
    server.shutdown()
    thread.join()
    server.server_close()


def built(manifest: str, options: BuildOptions) -> tuple[Image, bytes]:
    """The image, proved, and what the engine said."""
    said: list[bytes] = []
    recipes = build(load(manifest), options)
    made = build_image(recipes, options, said.append)
    assert made.differences == ()
    return made, b"".join(said)


def answered(image: str, *command: str) -> str:
    ran = subprocess.run(
        ["docker", "run", "--rm", "--network", "none", image, *command],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return ran.stdout


def c_source(folder: Path, pip: list[str]) -> Path:
    """A source archive whose module is written in C."""
    tree = folder / "c-answer"
    tree.mkdir()
    for name, text in C_PROJECT.items():
        (tree / name).write_text(text)
    (tree / "MANIFEST.in").write_text("include *.c\n")
    script = "from setuptools.build_meta import build_sdist; print(build_sdist('dist'))"
    subprocess.run([*pip, "install", "-q", "setuptools>=61", "--target", str(folder / "tools")],
                   check=True)  # fmt: skip
    subprocess.run(
        [pip[0], "-c", script], check=True, cwd=tree, capture_output=True,
        env={**os.environ, "PYTHONPATH": str(folder / "tools")},
    )  # fmt: skip
    (archive,) = (tree / "dist").iterdir()
    return archive


def test_c_sources_behind_a_password_and_a_private_authority_leave_neither_in_the_image(
    tmp_path: Path, image: str
) -> None:
    """One index has all: a wheel, and a source archive that needs a compiler."""
    subprocess.run([interpreter(), "-m", "venv", str(tmp_path / "make")], check=True)
    make = [str(tmp_path / "make" / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    archive = c_source(tmp_path, make)
    tree = source(tmp_path / "private", "privateone", "2.0")
    subprocess.run([*make, "wheel", "-q", "--no-deps", "-w", str(tmp_path / "w"), str(tree)],
                   check=True)  # fmt: skip
    (wheel,) = (tmp_path / "w").iterdir()
    manifest, _ = environment(tmp_path, "idna==3.7", str(archive), str(wheel))
    assert main(["lock", manifest, "-q"]) == 0
    own = authority(tmp_path)
    answers = [Answer(f"/files/{each.name}", each.read_bytes()) for each in (archive, wheel)]
    with private(answers, own.crt, own.key) as (origin, told):
        for each in (archive, wheel):
            named_at(manifest, each, f"{origin}/files/{each.name}")
        netrc = tmp_path / "netrc"
        netrc.write_text(f"machine 127.0.0.1 login lab password {PASSWORD}\n")
        options = BuildOptions(
            output=str(tmp_path / "ctx"), image=image, network="host", engine="docker",
            own_hosts=frozenset({"127.0.0.1", origin}), secrets={"netrc": str(netrc)},
            plan=PlanOptions(
                secrets=(Secret("netrc", "/run/secrets/netrc"),),
                ca_certificates=own.ca.read_text(),
            ),
        )  # fmt: skip
        _, said = built(manifest, options)
    assert 200 in told
    code = "import c_answer, privateone; print(c_answer.ANSWER, privateone.VERSION)"
    assert answered(image, "python", "-c", code) == "42 2.0\n"
    assert answered(image, "sh", "-c", "command -v cc gcc || echo none") == "none\n"
    history = subprocess.run(
        ["docker", "history", "--no-trunc", image], capture_output=True, check=True
    ).stdout
    saved = subprocess.run(["docker", "save", image], capture_output=True, check=True).stdout
    body = own.ca.read_bytes().splitlines()[3]
    context = b"".join(
        each.read_bytes() for each in (tmp_path / "ctx").rglob("*") if each.is_file()
    )
    for where in (history, saved, said, context):
        assert PASSWORD.encode() not in where
    assert body not in saved


def test_an_image_is_built_without_a_network(tmp_path: Path, image: str) -> None:
    """An editable, a VCS and an index package, all in the context, and uv's own wheel."""
    editable = source(tmp_path / "editable", "editedone", "0.3")
    manifest, pip = environment(tmp_path, "idna==3.7", "-e", str(editable))
    assert main(["lock", manifest, "-q"]) == 0
    house = tmp_path / "wh"
    subprocess.run([*pip, "wheel", "-q", "--no-deps", "-w", str(house), str(editable)], check=True)
    keep(manifest, house)
    read = load(manifest)
    assert read.lock is not None
    wanted = [each for each in read.lock.artifacts if each.url is not None]
    for each in wanted:
        subprocess.run([*pip, "download", "-q", "--no-deps", "-d", str(house),
                        f"{each.name}=={each.version}"], check=True)  # fmt: skip
    tool = installer("3.11.7")[0]
    subprocess.run([*pip, "download", "-q", "--no-deps", "-d", str(house),
                    f"{tool.name}=={tool.version}"], check=True)  # fmt: skip
    stored: list[Stored] = [
        stored_of(each) for each in sorted(house.iterdir()) if each.suffix == ".whl"
    ]
    shutil.rmtree(house / "files", ignore_errors=True)
    write_list(Wheelhouse(str(house), str(environment_id(read)), tuple(stored)))
    options = BuildOptions(
        output=str(tmp_path / "ctx"), image=image, network="none", engine="docker",
        wheelhouse=str(house), plan=PlanOptions(offline=True),
    )  # fmt: skip

    built(manifest, options)
    code = "import editedone, idna; print(editedone.VERSION, idna.__version__)"
    assert answered(image, "python", "-c", code) == "0.3 3.7\n"
    assert answered(image, "sh", "-c", "ls /opt /opt/envsnap /mnt").split() != []


def test_the_projects_code_is_in_the_image_at_its_commit(
    tmp_path: Path, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("import idna; print('trained', idna.__version__)\n")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@t.example"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "train.py"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "one"], check=True)
    manifest, _ = environment(tmp_path, "idna==3.7")
    assert main(["lock", manifest, "-q"]) == 0
    options = BuildOptions(
        output=str(tmp_path / "ctx"), image=image, network="host", engine="docker",
        with_project=True,
    )  # fmt: skip
    built(manifest, options)
    assert answered(image, "python", "train.py") == "trained 3.7\n"
    listed = json.loads(
        subprocess.run(
            ["docker", "image", "inspect", image], capture_output=True, check=True
        ).stdout
    )
    assert listed[0]["Config"]["WorkingDir"] == "/opt/project"
    assert listed[0]["Config"]["User"] == "10001:10001"
    left = (
        "find /var/log /var/cache/apt /var/lib/apt/lists /root /tmp -type f -newer /etc/os-release"
    )
    assert "uv" not in answered(image, "sh", "-c", f"{left} 2>/dev/null || true")
