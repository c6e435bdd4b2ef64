from __future__ import annotations

from typing import TYPE_CHECKING

from envsnap.lock._hosts import Indexes, hosts, indexes, redacted

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

ASKED = Indexes(
    default="https://me:secret@index.example/simple", extra=("https://extra.example/cu121",)
)


def test_what_the_caller_names_is_asked_and_nothing_else() -> None:
    environ = {"PIP_INDEX_URL": "https://other.example/simple"}
    assert indexes(ASKED, environ) == ASKED


def test_hosts_are_told_without_credentials() -> None:
    assert hosts(ASKED, {}) == ("index.example", "extra.example")


def test_an_extra_index_still_asks_the_default_one() -> None:
    extra = Indexes(extra=("https://extra.example/cu121",))
    assert hosts(extra, {"UV_INDEX": ""}) == ("extra.example", "your configured package index")


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
    assert indexes(Indexes(), environ) == Indexes(
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


def test_messages_lose_their_credentials() -> None:
    assert redacted("cannot reach https://me:secret@index.example/simple: 401") == (
        "cannot reach https://index.example/simple: 401"
    )
