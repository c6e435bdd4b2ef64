"""Builds that are ended half-way leave nothing half, and the next one works."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from envsnap.engines import Engine
from envsnap.engines._choice import choose
from envsnap.errors import ToolError
from tests.engines.building import BASE, PREFIX, context, job, readable_folder, said

pytestmark = [pytest.mark.engine, pytest.mark.slow]

NUMBER = "86399"
"""How long the step sleeps: by it its process is found."""
SLOW = {
    "dockerfile": f"FROM {BASE}\nRUN echo half-way && sleep {NUMBER}\n",
    "apptainer": (
        f"Bootstrap: docker\nFrom: {BASE}\n\n%post\n    echo half-way\n    sleep {NUMBER}\n"
    ),
}
QUICK = {
    "dockerfile": f"FROM {BASE}\nRUN echo whole >/opt/told.txt\n",
    "apptainer": f"Bootstrap: docker\nFrom: {BASE}\n\n%post\n    echo whole >/opt/told.txt\n",
}
DRIVER = """
import sys
from envsnap.engines._choice import choose
from tests.engines.building import job
def listen(piece):
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
engine = choose(*sys.argv[1:3])
engine.build(job(sys.argv[3], sys.argv[4], workdir=sys.argv[5], network=None, listen=listen))
"""
ENGINES = [
    ("dockerfile", "docker"),
    ("dockerfile", "podman"),
    ("dockerfile", "buildah"),
    ("apptainer", "apptainer"),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    with readable_folder() as made:
        yield made


def name_in(folder: Path, format_name: str, engine: str) -> str:
    return (
        str(folder / "x.sif")
        if format_name == "apptainer"
        else f"{PREFIX}:cut-{engine}-{folder.name[-6:]}"
    )


def images(engine: str, image: str) -> str:
    """The image's id, where the engine has it; the file, where that is one."""
    if engine == "apptainer":
        return image if os.path.exists(image) else ""
    argv = [engine, "images", "-q", image]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "image not known" in done.stderr
    return done.stdout.strip()


def left_containers(engine: str) -> set[str]:
    """What builds leave in an engine's store."""
    if engine in {"podman", "buildah"}:
        return set(said(["buildah", "containers", "--quiet"]).split())
    return set(said(["docker", "ps", "-aq"]).split()) if engine == "docker" else set()


def sleeping() -> list[int]:
    """The processes of the slow step."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if entry.isdecimal() and words[:2] == [b"sleep", NUMBER.encode()]:
            found.append(int(entry))
    return found


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize(("format_name", "engine"), ENGINES)
def test_a_build_that_is_ended_leaves_no_image_and_no_process(
    format_name: str, engine: str, how: signal.Signals, folder: Path
) -> None:
    image, work = name_in(folder, format_name, engine), folder / "work"
    work.mkdir()
    place = context(folder / "context", SLOW[format_name])
    before = left_containers(engine)
    argv = [sys.executable, "-c", DRIVER, format_name, engine, str(place), image, str(work)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
        words = b""
        assert child.stdout is not None
        while b"\nhalf-way" not in words and b" half-way\n" not in words:
            piece = os.read(child.stdout.fileno(), 4096)
            assert piece, words.decode()
            words += piece
        while not sleeping():
            time.sleep(0.1)
        child.send_signal(how)
        child.wait(60)
    wait_until(lambda: not sleeping())
    wait_until(lambda: os.listdir(work) == ["envsnap-cache"])
    assert images(engine, image) == ""
    expected = ["context", "work"]
    wait_until(lambda: sorted(os.listdir(folder)) == expected)
    context(folder / "context", QUICK[format_name])
    choose(format_name, engine).build(job(place, image, workdir=str(work), network=None))
    assert images(engine, image)
    wait_until(lambda: left_containers(engine) <= before)
    gone(engine, image)


def wait_until(holds: object, seconds: float = 60) -> None:
    """Wait for what must come to be."""
    assert callable(holds)
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.2)


def gone(engine: str, image: str) -> None:
    if engine != "apptainer":
        subprocess.run([engine, "rmi", "--force", image], capture_output=True, check=False)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A disk with little room."""
    place = folder
    argv = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "none", str(place)]
    if subprocess.run(argv, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_no_room_is_said_as_such_and_the_next_build_works(folder: Path) -> None:
    engine: Engine = choose("apptainer", "apptainer")
    place = context(folder / "context", QUICK["apptainer"])
    image = str(folder / "x.sif")
    with readable_folder() as mounted, small_disk(mounted, 30) as small:
        with pytest.raises(ToolError) as caught:
            engine.build(job(place, image, workdir=str(small), network=None))
        assert caught.value.message == (
            "apptainer build ended with status 255: "
            "the disk, or its quota, is full where the engine works"
        )
        assert os.listdir(small) == ["envsnap-cache"]
    assert sorted(os.listdir(folder)) == ["context"]
    engine.build(job(place, image, workdir=str(folder), network=None))
    assert os.path.getsize(image) > 1 << 20


class Dropping(socketserver.BaseRequestHandler):
    """A registry's door that is shut after some bytes."""

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", 5000)) as behind:
            threading.Thread(target=forward, args=(self.request, behind), daemon=True).start()
            while piece := behind.recv(65536):
                self.server.left -= len(piece)  # type: ignore[attr-defined]  # set below
                if self.server.left < 0:  # type: ignore[attr-defined]  # set below
                    return
                self.request.sendall(piece)


def forward(asking: socket.socket, behind: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it was shut
        while piece := asking.recv(65536):
            behind.sendall(piece)


class Door(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    left = 0


@contextmanager
def dropping_after(count: int) -> Iterator[Door]:
    with Door(("127.0.0.1", 0), Dropping) as server:
        server.left = count
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.long
@pytest.mark.parametrize("engine", ["buildah", "podman"])
def test_a_registry_that_goes_away_half_way_leaves_no_half_image(
    engine: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dropping_after(8_000_000) as door:
        address = f"127.0.0.1:{door.server_address[1]}"
        settings = folder / "registries.conf"
        settings.write_text(f'[[registry]]\nlocation = "{address}"\ninsecure = true\n')
        monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(settings))
        place = context(folder / "context", f"FROM {address}/library/{BASE}\n")
        asked = job(place, f"{PREFIX}:dropped", workdir=str(folder), network=None)
        own = choose("dockerfile", engine)
        empty = folder / "storage.conf"
        empty.write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/store"\nrunroot = "{folder}/r"\n'
        )
        monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(empty))
        with pytest.raises(ToolError) as caught:
            own.build(asked)
        assert "a server did not answer, or stopped half-way" in caught.value.message
        assert said([engine, "images", "-qa"]) == ""
        door.left = 1 << 40
        assert own.build(asked).image == f"{PREFIX}:dropped"
    subprocess.run(["umount", "-l", f"{folder}/store/overlay"], capture_output=True, check=False)


@pytest.mark.long
def test_apptainer_survives_a_registry_that_goes_away_half_way(folder: Path) -> None:
    image = str(folder / "x.sif")
    with dropping_after(8_000_000) as door:
        address = f"127.0.0.1:{door.server_address[1]}"
        place = context(
            folder / "context",
            f"Bootstrap: docker\nFrom: {address}/library/{BASE}\n\n%post\n    true\n",
        )
        asked = job(place, image, workdir=str(folder), network=None)
        own = choose("apptainer", "apptainer")
        with pytest.raises(ToolError):
            own.build(asked)
        assert sorted(os.listdir(folder)) == ["context", "envsnap-cache"]
        door.left = 1 << 40
        own.build(asked)
    assert os.path.getsize(image) > 1 << 20
