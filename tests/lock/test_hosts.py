from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from envsnap.lock._hosts import Indexes, hosts, indexes

if TYPE_CHECKING:
    from pathlib import Path

ASKED = Indexes(
    default="https://me:secret@index.example/simple", extra=("https://extra.example/cu121",)
)


def test_what_the_caller_names_is_asked_and_nothing_else() -> None:
    environ = {"PIP_INDEX_URL": "https://other.example/simple"}
    assert indexes(ASKED, environ) == ASKED


def test_hosts_are_told_without_credentials() -> None:
    assert hosts(ASKED, {}, locker="uv") == ("index.example", "extra.example")


def test_an_extra_index_still_asks_the_default_one() -> None:
    extra = Indexes(extra=("https://extra.example/cu121",))
    environ = {"UV_INDEX": "", "PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1"}
    assert hosts(extra, environ, locker="uv") == ("extra.example", "uv's default index")
    assert hosts(extra, environ, locker="pip-tools") == ("extra.example", "pip's default index")


def test_the_hosts_of_the_variables_of_uv_are_told() -> None:
    environ = {
        "UV_DEFAULT_INDEX": "https://me:secret@index.example/simple",
        "UV_INDEX": "lab=https://lab.example/a https://other.example/b",
        "UV_NO_CONFIG": "1",
    }
    named = ("index.example", "lab.example", "other.example")
    assert hosts(Indexes(), environ, locker="uv") == named


FLAT = """\
index-url = "https://index.example"
extra-index-url = ["https://b.example"]
"""
TABLES = """\
[[tool.uv.index]]
name = "b"
url = "https://b.example"
[[tool.uv.index]]
url = "https://index.example"
default = true
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [("uv.toml", FLAT), ("uv.toml", f"[pip]\n{FLAT}"), ("pyproject.toml", TABLES)],
)
def test_the_hosts_of_the_files_of_uv_are_told_and_pip_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    below = tmp_path / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    environ = {"PIP_INDEX_URL": "https://pip.example/simple", "HOME": str(tmp_path)}
    assert hosts(Indexes(), environ, locker="uv") == ("index.example", "b.example")
    assert indexes(Indexes(), environ) == Indexes()


@pytest.mark.parametrize("text", ["native-tls = true", "index-url = ", 'index = "wrong"'])
def test_settings_of_uv_without_an_index_leave_that_to_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "uv.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    environ = {"PIP_INDEX_URL": "https://pip.example/simple", "HOME": str(tmp_path)}
    assert hosts(Indexes(), environ, locker="uv") == ("pip.example",)
    assert hosts(Indexes(), environ, locker="pip-tools") == ("pip.example",)


def test_the_index_of_pip_is_asked_where_uv_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = tmp_path / "pip.conf"
    settings.write_text(
        "[global]\nindex-url = https://index.example/simple\n"
        "extra-index-url =\n    https://extra.example/simple\n    file:///srv/simple\n"
    )
    environ = {"PIP_CONFIG_FILE": str(settings), "HOME": str(tmp_path)}
    found = indexes(Indexes(), environ)
    assert found == Indexes(
        default="https://index.example/simple",
        extra=("https://extra.example/simple", "file:///srv/simple"),
    )
    assert found.remote == Indexes(
        default="https://index.example/simple", extra=("https://extra.example/simple",)
    )
    assert indexes(
        Indexes(), {**environ, "PIP_INDEX_URL": "https://new.example/simple"}
    ).default == ("https://new.example/simple")
    assert indexes(Indexes(), {**environ, "UV_DEFAULT_INDEX": "https://uv.example"}) == Indexes()


def test_a_broken_setting_of_pip_is_no_fault_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = tmp_path / "pip.conf"
    settings.write_bytes(b"index-url\xff without a section")
    environ = {"PIP_CONFIG_FILE": str(settings), "HOME": str(tmp_path)}
    assert indexes(Indexes(), environ) == Indexes()


def test_what_the_caller_adds_is_asked_beside_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {
        "PIP_CONFIG_FILE": os.devnull,
        "HOME": str(tmp_path),
        "PIP_INDEX_URL": "https://mirror.example/simple",
        "PIP_FIND_LINKS": "/srv/wheels https://links.example/all.html",
    }
    asked = Indexes(extra=("https://extra.example/cu121",), find_links=("more",))
    assert indexes(asked, environ) == Indexes(
        default="https://mirror.example/simple",
        extra=("https://extra.example/cu121",),
        find_links=(
            f"file://{tmp_path}/more", "file:///srv/wheels", "https://links.example/all.html",
        ),
    )  # fmt: skip
    named = ("mirror.example", "extra.example", "links.example")
    assert hosts(asked, environ, locker="uv") == named


def test_a_folder_is_an_address_whatever_characters_it_has(tmp_path: Path) -> None:
    environ = {"PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1"}
    asked = Indexes(find_links=(f"{tmp_path}/a, b",))
    assert indexes(asked, environ).find_links == (f"file://{tmp_path}/a%2C%20b",)


def test_a_machine_without_another_index_has_no_remote_one() -> None:
    assert Indexes(default="file:///srv/simple").remote is None
    assert Indexes(no_index=True, find_links=("file:///srv/wheels",)).remote is None
    local = Indexes(default="file:///srv/simple", find_links=("https://links.example/a",))
    assert local.remote == Indexes(no_index=True, find_links=("https://links.example/a",))
    extra = Indexes(default="file:///srv/simple", extra=("https://extra.example/a",))
    assert extra.remote == Indexes(default="https://extra.example/a")


def test_certificates_proxies_and_trusted_hosts_of_pip_reach_uv() -> None:
    environ = {
        "PIP_CONFIG_FILE": os.devnull,
        "UV_NO_CONFIG": "1",
        "PIP_CERT": "/etc/lab.pem",
        "PIP_PROXY": "http://proxy.example:3128",
        "PIP_TRUSTED_HOST": "index.example",
        "PIP_NO_INDEX": "1",
    }
    assert indexes(Indexes(), environ) == Indexes(
        no_index=True,
        client=(
            ("ALL_PROXY", "http://proxy.example:3128"),
            ("SSL_CERT_FILE", "/etc/lab.pem"),
            ("UV_INSECURE_HOST", "index.example"),
        ),
    )
    own = {**environ, "SSL_CERT_FILE": "/etc/own.pem"}
    assert ("SSL_CERT_FILE", "/etc/lab.pem") not in indexes(Indexes(), own).client
