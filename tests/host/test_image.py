"""The agent inside an image answers what LocalHost answers; here it runs without an image."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from envsnap.errors import ToolError, UsageError
from envsnap.host import Host, ImageHost, LocalHost, Ran, StatedDigest, image_host
from envsnap.inside import source
from envsnap.sections import Reason, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EMPTY_SHA = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
VERSIONS = ["3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]
SYSTEM = "/usr/bin:/bin"


def interpreter(version: str) -> str:
    """An interpreter of this minor version: pyenv's, else one on PATH."""
    pyenv = shutil.which("pyenv")
    if pyenv:
        ran = subprocess.run(
            [pyenv, "prefix", version], capture_output=True, text=True, check=False
        )
        if ran.returncode == 0:
            return f"{ran.stdout.strip()}/bin/python3"
    found = shutil.which(f"python{version}")
    if found is None:
        pytest.skip(f"no Python {version} on this machine")
    return found


def local(python: str, folder: Path, *variables: str) -> ImageHost:
    """An agent without an image, under one interpreter that a folder of its own puts on PATH."""
    (folder / "bin").mkdir()
    (folder / "bin" / "python3").symlink_to(python)
    return ImageHost(["env", f"PATH={folder}/bin:{SYSTEM}", *variables], "here")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[ImageHost]:
    with local(sys.executable, tmp_path) as host:
        yield host


@pytest.fixture
def folder(tmp_path: Path) -> str:
    place = tmp_path / "seen"
    (place / "sub").mkdir(parents=True)
    (place / "file").write_text("text, é\n")
    (place / "raw").write_bytes(bytes(range(256)) * 8192)
    (place / "link").symlink_to("file")
    (place / "away").symlink_to("/no/such/thing")
    (place / "loop").symlink_to("loop")
    (place / "é").touch()
    (place / os.fsdecode(b"caf\xe9")).touch()
    (place / "not-a-program").write_text("\x7fELF")
    (place / "not-a-program").chmod(0o755)
    (place / "shut").touch(mode=0)
    os.mkfifo(place / "pipe")
    return str(place)


def answers(host: Host, folder: str) -> list[object]:
    names = ["", "/file", "/raw", "/link", "/away", "/loop", "/no", "/file/below", "/sub", "/pipe"]
    names += [
        "/é",
        os.fsdecode(b"/caf\xe9"),
        "/nul\0",
        "/" + "long" * 5000,
        "/shut",
        "/sub/../link",
    ]
    found: list[object] = []
    for path in [folder + name for name in names] + ["/proc/cpuinfo", "/proc/version", "/dev/null"]:
        found += [host.list(path), host.stat(path), host.link(path), host.real(path)]
        if path != "/proc/cpuinfo":  # its clock speeds change from one reading to the next
            found += [host.read(path), host.read(path, limit=3)]
    found += [host.capacity_mib("/"), host.capacity_mib("/no")]
    found += [host.uname(), host.user(), host.home(), host.cwd(), host.environ("NO_SUCH")]
    script = "echo out; echo err >&2; echo $LC_ALL $LANGUAGE; exit 3"
    found += [host.run(["/bin/sh", "-c", script]), host.run(["/bin/sh", "-c", "kill -9 $$"])]
    found += [
        host.run([f"{folder}/not-a-program"]),
        host.run([f"{folder}/file"]),
        host.run(["no-such"]),
    ]
    found += [
        host.run(["/bin/sh", "-c", "printf 'caf\\351'"]),
        host.run(["/bin/sleep", "9"], timeout_s=0.1),
    ]
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_the_agent_answers_what_the_local_host_does(
    version: str, locale: str, folder: str, tmp_path: Path
) -> None:
    with local(interpreter(version), tmp_path, f"LC_ALL={locale}") as host:
        assert answers(host, folder) == answers(LocalHost(), folder)


def test_a_command_is_found_on_the_path_of_the_image(here: ImageHost, tmp_path: Path) -> None:
    assert here.which("python3") == f"{tmp_path}/bin/python3"
    assert here.which("no-such") is None
    assert here.environ("PATH") == f"{tmp_path}/bin:{SYSTEM}"
    assert here.nvml() == Unknown(
        Reason.NOT_ASKED, "an image has no driver: the driver is the host's"
    )


def test_a_record_in_the_image_states_its_digest(here: ImageHost, tmp_path: Path) -> None:
    place = tmp_path / "a-1.dist-info" / "RECORD"
    place.parent.mkdir()
    place.write_text(f"a.py,sha256={EMPTY_SHA},0\n")
    content = hashlib.sha256(f"a.py\0{hashlib.sha256(b'').hexdigest()}\n".encode()).hexdigest()
    assert here.stated_digests([str(place), "/no/RECORD"])() == [
        StatedDigest(content, 1),
        StatedDigest(None, 0),
    ]


def test_threads_get_their_own_answers(here: ImageHost) -> None:
    wrong: list[object] = []

    def ask(number: int) -> None:
        for _ in range(50):
            ran = here.run(["/bin/echo", str(number)])
            if ran != Ran(0, f"{number}\n", ""):
                wrong.append(ran)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_an_agent_that_dies_makes_every_later_answer_unknown(here: ImageHost) -> None:
    here.run(["/bin/sh", "-c", "kill -9 $PPID"])
    ended = Unknown(Reason.CRASHED, "the process inside the image ended")
    assert [here.list("/"), here.uname(), here.run(["true"])] == [ended] * 3


def test_a_closed_image_answers_nothing(here: ImageHost) -> None:
    here.close()
    here.close()
    assert here.stat("/") == Unknown(Reason.CRASHED, "the image is closed")


def test_the_agent_ends_with_whoever_started_it() -> None:
    command = [sys.executable, "-c", source("agent")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline().startswith(b'{"agent": "envsnap-agent-1", "python": "')
        child.stdin.close()
        assert child.wait(10) == 0


def lying(answer: str) -> list[str]:
    """A prefix under which the `agent` answers every question with this line."""
    script = (
        "import sys\nprint('Welcome to this image')\n"
        'print(\'{"agent": "envsnap-agent-1"}\', flush=True)\n'
        f"for line in sys.stdin:\n    print({answer!r}, flush=True)\n"
    )
    return [sys.executable, "-c", script]


@pytest.mark.parametrize(
    "answer",
    ['{"value": 5}', '{"value": [1, 2]}', '{"unknown": "so"}', "{}", '{"value": {"a": 1}}'],
)
def test_an_image_that_lies_about_the_type_is_unparsable(answer: str) -> None:
    with ImageHost(lying(answer), "liar") as host:
        found = [host.read("/"), host.list("/"), host.stat("/"), host.uname(), host.run(["a"])]
    assert found == [
        Unknown(Reason.UNPARSABLE, f"the image's answer to {name!r} is none")
        for name in ("read", "list", "stat", "uname", "run")
    ]


@pytest.mark.parametrize(
    ("answer", "what"), [("{", "gave an answer that is no JSON"), ("[1]", "gave no object")]
)
def test_an_image_that_answers_no_json_is_not_asked_again(answer: str, what: str) -> None:
    with ImageHost(lying(answer), "liar") as host:
        found = [host.stat("/"), host.stat("/")]
    assert found == [Unknown(Reason.UNPARSABLE, f"the process inside the image {what}")] * 2


def test_an_image_without_python_is_a_tool_error(tmp_path: Path) -> None:
    (tmp_path / "sh").symlink_to("/bin/sh")
    with pytest.raises(ToolError) as raised:
        ImageHost(["/usr/bin/env", f"PATH={tmp_path}"], "bare")
    assert raised.value.message == "Cannot look into bare: it has no Python 3.6 or newer"


def test_the_last_words_of_an_engine_are_told() -> None:
    script = "echo 'engine: no such image' >&2; echo \"Run 'engine --help'\" >&2; exit 125"
    with pytest.raises(ToolError) as raised:
        ImageHost(["sh", "-c", script], "demo")
    assert raised.value.message == "Cannot look into demo: engine: no such image"
    with pytest.raises(ToolError) as raised:
        ImageHost(["false"], "demo")
    assert raised.value.message == "Cannot look into demo: it ended with status 1"
    with pytest.raises(ToolError) as raised:
        ImageHost(["/no/engine"], "demo")
    assert raised.value.message == "Cannot look into demo: /no/engine: No such file or directory"


def test_an_engine_that_is_not_installed_is_a_tool_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.sif").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    for reference, engine in {
        "docker-daemon:a:1": "docker",
        f"{tmp_path}/a.sif": "apptainer",
    }.items():
        with pytest.raises(ToolError) as raised:
            image_host(reference)
        assert raised.value.message == f"Cannot look into {reference}: {engine} is not on PATH"
        assert raised.value.hint == f"Install {engine}, or do this where it is installed"


@pytest.mark.parametrize("name", ["docker://python", "docker-daemon:", "docker-daemon:--rm", "a"])
def test_a_reference_that_names_no_image_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError) as raised:
        image_host(name)
    assert raised.value.message == f"No image can be started from {name!r}"


def test_an_image_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        image_host(f"{tmp_path}/a.sif")
    assert raised.value.message == f"No image at {tmp_path}/a.sif"
