"""Images of a registry: logins, broken connections, redirects, and hosts that lie."""

from __future__ import annotations

import base64
import json
import os
import stat
from typing import TYPE_CHECKING

import pytest

from envsnap.errors import EnvsnapError, UsageError
from envsnap.images import (
    ImageError,
    _http,
    fetch_image,
    hosts_of,
    manifest_of,
    open_image,
    tree,
    write_archive,
)
from tests.images.made import Made, blobs_of, digest, layer, oci_layout, packed
from tests.images.registries import Behaviour, coded, registry

if TYPE_CHECKING:
    from pathlib import Path

BASE = layer(Made("usr/big", os.urandom(3 << 20)))
LAST = layer(Made("opt/envsnap/manifest.json", b'{"schema": "1.0"}'))
BLOBS = blobs_of([BASE, LAST])
BIG = digest(packed(BASE))


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of nobody: no login, no mirror, and no waiting between two tries."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME",
                 "ENVSNAP_REGISTRY_MIRROR"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    (home / "registries.conf").write_text("")
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(home / "registries.conf"))
    monkeypatch.setattr(_http, "_LONGEST_WAIT_S", 0.0)
    return home


def paths_of(reference: str) -> list[str]:
    with open_image(reference) as image:
        return sorted(tree(image, lambda _: False).entries)


EVERYTHING = ["/", "/opt", "/opt/envsnap", "/opt/envsnap/manifest.json", "/usr", "/usr/big"]


def test_an_image_is_read_with_a_token_that_everybody_gets() -> None:
    behaviour = Behaviour(BLOBS)
    with registry(behaviour) as host:
        assert hosts_of(f"docker://{host}/lab/paper:1") == (host,)
        with open_image(f"docker://{host}/lab/paper:1") as image:
            assert image.digest == digest(BLOBS["manifest"])
            assert image.config.platform == "linux/amd64"
            assert image.config.environ == {"PATH": "/opt/env/bin", "A": "b=c"}
            assert image.config.history == ("step 0", "step 1")
        assert paths_of(f"docker://{host}/lab/paper:1") == EVERYTHING
        assert paths_of(f"docker://{host}/lab/paper@{digest(BLOBS['manifest'])}") == EVERYTHING


def test_the_manifest_costs_no_large_layer() -> None:
    behaviour = Behaviour(BLOBS)
    with registry(behaviour) as host, open_image(f"docker://{host}/lab/paper:1") as image:
        assert manifest_of(image) == b'{"schema": "1.0"}'
        assert getattr(image, "received", 0) < 5000
    assert not any(BIG in path for path, _, _ in behaviour.asked)


def test_a_login_of_docker_is_used_and_not_told() -> None:
    home = os.environ["HOME"]
    behaviour = Behaviour(BLOBS, login=("me", "pass:word"), basic=True)
    with registry(behaviour) as host:
        with pytest.raises(ImageError) as caught:
            paths_of(f"docker://{host}/lab/paper:1")
        assert caught.value.message == f"{host} answers 401 for lab/paper:1"
        assert caught.value.hint == f"Log in: docker login {host}"
        auth = base64.b64encode(b"me:pass:word").decode()
        os.mkdir(f"{home}/.docker")
        with open(f"{home}/.docker/config.json", "w", encoding="utf-8") as file:
            json.dump({"auths": {host: {"auth": auth}}}, file)
        assert paths_of(f"docker://{host}/lab/paper:1") == EVERYTHING
    assert coded(("me", "pass:word")) in {said for _, _, said in behaviour.asked}


def test_a_login_buys_the_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    behaviour = Behaviour(BLOBS, login=("me", "secret"))
    path = tmp_path / "auth.json"
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(path))
    with registry(behaviour) as host:
        auth = base64.b64encode(b"me:secret").decode()
        path.write_text(json.dumps({"auths": {f"{host}/lab": {"auth": auth}}}))
        assert paths_of(f"docker://{host}/lab/paper:1") == EVERYTHING
        with pytest.raises(ImageError, match="answers 401"):
            paths_of(f"docker://{host}/other/paper:1")


def test_a_credential_helper_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, nobody: Path
) -> None:
    helper = tmp_path / "docker-credential-lab"
    helper.write_text('#!/bin/sh\nread host\nprintf \'{"Username":"me","Secret":"%s"}\' "$host"\n')
    helper.chmod(helper.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    behaviour = Behaviour(BLOBS, basic=True)
    with registry(behaviour) as host:
        behaviour.login = ("me", host)
        (nobody / ".docker").mkdir()
        (nobody / ".docker" / "config.json").write_text(json.dumps({"credsStore": "lab"}))
        assert paths_of(f"docker://{host}/lab/paper:1") == EVERYTHING


def test_another_host_is_not_told_who_asks() -> None:
    store = Behaviour(BLOBS, elsewhere="no login")
    with registry(store) as other:
        behaviour = Behaviour(BLOBS, elsewhere=other)
        with registry(behaviour) as host:
            assert paths_of(f"docker://{host}/lab/paper:1") == EVERYTHING
    assert {said for _, _, said in store.asked} == {None}
    assert "Bearer good" in {said for _, _, said in behaviour.asked}


@pytest.mark.parametrize("knows_parts", [True, False])
def test_a_broken_connection_is_gone_on_with(knows_parts: bool) -> None:  # noqa: FBT001 - both ways
    behaviour = Behaviour(BLOBS, breaks_at=1 << 20, knows_parts=knows_parts)
    if not knows_parts:
        behaviour.breaks_at = None
    with registry(behaviour) as host:
        assert paths_of(f"docker://{host}/lab/paper:1") == EVERYTHING
    ranges = [part for path, part, said in behaviour.asked if path.endswith(BIG) and said]
    assert ranges == (["", "bytes=1048576-", "bytes=2097152-", "bytes=3145728-"]
                      if knows_parts else [""])  # fmt: skip


def test_a_registry_that_is_busy_is_asked_again() -> None:
    with registry(Behaviour(BLOBS, statuses=[503, 429, 500])) as host:
        assert paths_of(f"docker://{host}/lab/paper:1") == EVERYTHING


def test_too_many_downloads_are_told_as_such() -> None:
    with registry(Behaviour(BLOBS, statuses=[429] * 9)) as host:
        with pytest.raises(ImageError) as caught:
            paths_of(f"docker://{host}/lab/paper:1")
        assert caught.value.message == (
            f"{host} answers 429 for lab/paper:1: too many downloads from this address"
        )
        assert caught.value.hint == (
            f"Log in (docker login {host}), wait an hour, or set ENVSNAP_REGISTRY_MIRROR=HOST"
        )


def test_other_bytes_than_promised_are_refused() -> None:
    wrong = {**BLOBS, BIG: packed(layer(Made("usr/evil", b"")))}
    with registry(Behaviour(wrong)) as host, pytest.raises(ImageError, match="broke off after"):
        paths_of(f"docker://{host}/lab/paper:1")
    same_size = {**BLOBS, BIG: bytes(len(packed(BASE)))}
    with registry(Behaviour(same_size)) as host, pytest.raises(EnvsnapError):
        paths_of(f"docker://{host}/lab/paper:1")
    other = digest(b"another")
    lying = {**BLOBS, other: BLOBS["manifest"]}
    with registry(Behaviour(lying)) as host, pytest.raises(ImageError) as caught:
        paths_of(f"docker://{host}/lab/paper@{other}")
    assert caught.value.message == (
        f"{host} sends another manifest than {other}: {digest(BLOBS['manifest'])}"
    )


def test_a_layer_is_what_the_configuration_says_that_it_unpacks_to(tmp_path: Path) -> None:
    """By those digests two images are compared, and their author writes them."""
    evil = layer(Made("usr/bin/evil", b"steal"))
    lying = blobs_of([BASE], [packed(evil)])
    with registry(Behaviour(lying)) as host:
        for reference in (f"docker://{host}/lab/paper:1", oci_layout(str(tmp_path / "a"), lying)):
            with pytest.raises(ImageError) as caught:
                paths_of(reference)
            assert caught.value.message == (
                f"Layer 1 of {reference} has other bytes: their digest is {digest(evil)}"
            )
    more = oci_layout(str(tmp_path / "b"), blobs_of([BASE], [packed(BASE), packed(evil)]))
    with pytest.raises(ImageError, match="holds 2 layers, and its configuration names 1"):
        paths_of(more)


def test_what_is_not_there_is_told() -> None:
    with registry(Behaviour(BLOBS)) as host, pytest.raises(ImageError) as caught:
        paths_of(f"docker://{host}/lab/paper:2")
    assert caught.value.message == f"{host} has no lab/paper:2"


def test_a_mirror_is_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    behaviour = Behaviour(BLOBS)
    with registry(behaviour) as host:
        monkeypatch.setenv("ENVSNAP_REGISTRY_MIRROR", host)
        assert hosts_of("docker://paper:1") == (host, "registry-1.docker.io")
        assert paths_of("docker://paper:1") == EVERYTHING
    assert "/v2/library/paper/manifests/1" in {path for path, _, _ in behaviour.asked}
    monkeypatch.setenv("ENVSNAP_REGISTRY_MIRROR", "http://user:secret@host/")
    with pytest.raises(UsageError, match="ENVSNAP_REGISTRY_MIRROR is no host of a registry"):
        hosts_of("docker://paper:1")


def test_the_containers_settings_name_mirrors(nobody: Path) -> None:
    (nobody / "registries.conf").write_text(
        '[[registry]]\nprefix = "docker.io"\nlocation = "docker.io"\n'
        '[[registry.mirror]]\nlocation = "mirror.example:5000/hub"\ninsecure = true\n'
        '[[registry]]\nprefix = "docker.io/lab"\nlocation = "own.example/lab"\n'
    )
    assert hosts_of("docker://paper:1") == ("mirror.example:5000", "registry-1.docker.io")
    assert hosts_of("docker://lab/paper:1") == ("own.example", "registry-1.docker.io")


def whole(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*") if path.is_file()
    }  # fmt: skip


def fetch(host: str, folder: Path) -> str:
    return fetch_image(f"docker://{host}/lab/paper:1", "linux/amd64", str(folder), lambda *_: None)


def test_a_fetched_image_is_a_layout_and_an_archive(tmp_path: Path) -> None:
    with registry(Behaviour(BLOBS)) as host:
        assert fetch(host, tmp_path / "a") == digest(BLOBS["manifest"])
    assert paths_of(f"oci:{tmp_path / 'a'}") == EVERYTHING
    for name in ("1.tar", "2.tar"):
        write_archive(str(tmp_path / "a"), str(tmp_path / name), 1_700_000_000)
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()
    assert paths_of(f"oci-archive:{tmp_path / '1.tar'}") == EVERYTHING


@pytest.mark.parametrize("left", [b"", packed(BASE)[:1000], b"another's", bytes(9 << 20)])
def test_a_fetch_goes_on_with_what_is_there(tmp_path: Path, left: bytes) -> None:
    folder = tmp_path / "layout"
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    part = blobs / f"{BIG.removeprefix('sha256:')}.part"
    part.write_bytes(left)
    (blobs / digest(packed(LAST)).removeprefix("sha256:")).write_bytes(b"broken")
    behaviour = Behaviour(BLOBS)
    with registry(behaviour) as host:
        fetch(host, folder)
        before = whole(folder)
        asked = len(behaviour.asked)
        fetch(host, folder)
    assert [path for path, _, _ in behaviour.asked[asked:] if path.endswith(BIG)] == []
    assert whole(folder) == before
    assert not [name for name in before if name.endswith(".part")]
    assert paths_of(f"oci:{folder}") == EVERYTHING
    if left == packed(BASE)[:1000]:
        assert ("bytes=1000-", "Bearer good") in {each[1:] for each in behaviour.asked}


def test_a_fetch_that_fails_leaves_no_index(tmp_path: Path) -> None:
    folder = tmp_path / "layout"
    missing = {name: data for name, data in BLOBS.items() if name != digest(packed(LAST))}
    with registry(Behaviour(missing)) as host, pytest.raises(ImageError):
        fetch(host, folder)
    assert not (folder / "index.json").exists()
    with pytest.raises(EnvsnapError):
        write_archive(str(folder), str(tmp_path / "a.tar"), 0)
    assert sorted(os.listdir(tmp_path)) == ["home", "layout"]


def test_another_architecture_is_not_fetched(tmp_path: Path) -> None:
    with registry(Behaviour(BLOBS)) as host, pytest.raises(ImageError) as caught:
        fetch_image(f"docker://{host}/lab/paper:1", "linux/arm64", str(tmp_path), lambda *_: None)
    assert caught.value.message == (
        f"docker://{host}/lab/paper:1 is an image for linux/amd64, and linux/arm64 is wanted"
    )
