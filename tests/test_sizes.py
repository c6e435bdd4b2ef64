"""Asking hosts how large files are: by HEAD, of nobody who may not be asked, never for long."""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler
from typing import ClassVar

import pytest

from envsnap._sizes import Sizes, ask_sizes, base_size, hosts_to_ask
from envsnap.lock._trust import Trust, own_of
from envsnap.plan._estimate import digits
from envsnap.plan._model import BaseImage
from envsnap.sections import Artifact, Reason, Unknown, replace
from tests import made
from tests.images.made import Made, blobs_of, digest, layer, packed
from tests.images.registries import Behaviour, registry
from tests.serving import served

NOT_SAID: Unknown = Unknown(Reason.NOT_RECORDED)


class Index(BaseHTTPRequestHandler):
    """A host of files that is asked for nothing but their heads."""

    asked: ClassVar[list[tuple[str, str, str | None]]] = []

    def do_HEAD(self) -> None:
        """Say what the address asks for."""
        Index.asked.append((self.command, self.path, self.headers.get("Authorization")))
        kind = self.path.rpartition("/")[2].partition("-")[0]
        if kind == "slow":
            time.sleep(0.3)
        self.send_response({"moved": 302, "gone": 404, "away": 302}.get(kind, 200))
        if kind == "moved":
            self.send_header("Location", "/there/numpy-1.0.whl")
        elif kind == "away":
            self.send_header("Location", "http://169.254.169.254/latest")
        elif kind == "mute":
            pass
        elif kind == "odd":
            self.send_header("Content-Length", "9" * 400)
        else:
            self.send_header("Content-Length", "123456")
        self.end_headers()

    def do_GET(self) -> None:
        """Nothing is fetched."""
        Index.asked.append((self.command, self.path, None))
        self.send_response(500)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(autouse=True)
def _nothing_asked_yet() -> None:
    Index.asked = []


def file(name: str, url: str | None, size: int | Unknown = NOT_SAID) -> Artifact:
    return made.artifact(
        name, "1.0", f"{name}-1.0-py3-none-any.whl", url=url, size=size,
        sha256=f"{sum(name.encode()):064x}",
    )  # fmt: skip


def own(host: str) -> Trust:
    return Trust(own=own_of([f"http://{host}/"]))


def one(kind: str) -> int | Unknown:
    """What is known of one file of that kind."""
    with served(Index) as host:
        found = file(kind, f"http://{host}/{kind}-1.0.whl")
        sizes = ask_sizes([found], {}, own(host))
    return sizes.known.get(found.sha256) or sizes.unknown[found.sha256]


def test_the_files_own_host_says_how_large_it_is() -> None:
    assert one("numpy") == 123456
    assert Index.asked == [("HEAD", "/numpy-1.0.whl", None)]


def test_a_redirect_is_followed_and_judged() -> None:
    assert one("moved") == 123456
    assert one("away") == Unknown(
        Reason.NO_PERMISSION, "169.254.169.254 is an address of this machine or its network"
    )


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("gone", "its host answers 404"),
        ("mute", "its host does not say it"),
        ("odd", "its host does not say it"),
    ],
)
def test_what_a_host_does_not_say_stays_unknown(kind: str, why: str) -> None:
    assert one(kind) == Unknown(Reason.NOT_RECORDED, why)


def test_only_files_that_are_not_known_are_asked_for() -> None:
    with served(Index) as host:
        files = [
            file("known", f"http://{host}/known-1.0.whl", 7),
            file("given", f"http://{host}/given-1.0.whl"),
            file("local", None),
            file("asked", f"http://{host}/asked-1.0.whl"),
        ]
        given = {files[1].sha256: 8}
        assert hosts_to_ask(files, given, own(host)) == (("127.0.0.1", 1),)
        found = ask_sizes(files, given, own(host))
    assert found == Sizes({files[1].sha256: 8, files[3].sha256: 123456}, {})
    assert [path for _, path, _ in Index.asked] == ["/asked-1.0.whl"]


def test_a_host_that_may_not_be_fetched_from_is_not_asked() -> None:
    with served(Index) as host:
        stranger = file("numpy", f"http://{host}/numpy-1.0.whl")
        assert hosts_to_ask([stranger], {}, Trust()) == ()
        found = ask_sizes([stranger], {}, Trust())
    assert found == Sizes(
        {},
        {
            stranger.sha256: Unknown(
                Reason.NO_PERMISSION, "127.0.0.1 is an address of this machine or its network"
            )
        },
    )
    assert Index.asked == []


def test_a_password_in_an_address_goes_to_its_own_host_and_into_no_answer() -> None:
    with served(Index) as host:
        found = file("gone", f"http://ann:s3cret@{host}/gone-1.0.whl")
        sizes = ask_sizes([found], {}, own(host))
    assert Index.asked == [("HEAD", "/gone-1.0.whl", "Basic YW5uOnMzY3JldA==")]
    assert "s3cret" not in str(sizes)


def test_many_are_asked_at_a_time() -> None:
    with served(Index) as host:
        files = [file(f"slow{'x' * n}", f"http://{host}/slow-{n}.whl") for n in range(32)]
        begun = time.monotonic()
        found = ask_sizes(files, {}, own(host))
        took = time.monotonic() - begun
    assert set(found.known.values()) == {123456}
    assert took < 5  # one after another: 9.6 s


def test_a_host_that_is_not_there_is_no_fault_of_the_build() -> None:
    found = file("numpy", "http://127.0.0.1:9/numpy-1.0.whl")
    sizes = ask_sizes([found], {}, own("127.0.0.1:9"))
    assert sizes.unknown == {found.sha256: Unknown(Reason.TOOL_MISSING, "no connection to it")}


def test_a_base_image_is_as_large_as_the_layers_that_its_registry_lists() -> None:
    layers = [layer(Made("usr/one", b"1" * 999)), layer(Made("usr/two", b"22"))]
    behaviour = Behaviour(blobs_of(layers))
    with registry(behaviour) as host:
        base = BaseImage(
            reference=f"{host}/lab/paper:1", repository=f"{host}/lab/paper", tag="1",
            digest=digest(behaviour.blobs["manifest"]),
        )  # fmt: skip
        found = base_size(base, "linux/amd64")
        gone = base_size(replace(base, digest=digest(b"another")), "linux/amd64")
    assert found == {digits(str(base.digest)): sum(len(packed(each)) for each in layers)}
    assert gone == {}


def test_of_a_base_image_without_a_digest_nobody_is_asked() -> None:
    base = BaseImage(reference="lab:1", repository="host.example/lab", tag="1", digest=NOT_SAID)
    assert base_size(base, "linux/amd64") == {}
