"""envsnap build --ca-cert, behind a site's proxy that signs with an authority of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from envsnap.cli import COMMANDS, command_parser, main
from envsnap.cli._untrusted import TRUSTING, certificate_hint
from envsnap.lock._authorities import VARIABLES
from envsnap.manifest import load, save
from tests import made
from tests.lock.index import index_of, wheel
from tests.lock.locking import needs_uv
from tests.serving import served
from tests.tls import HAS_OPENSSL, Site, site

if TYPE_CHECKING:
    from pathlib import Path

BASE = f"127.0.0.1:9/python@sha256:{'ab' * 32}"


DAMAGED = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def lab(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A manifest without a lock, at such a site, and a user who has set nothing."""
    proxies = [each for each in os.environ if each.lower().endswith("_proxy")]
    own = [each for each in os.environ if each.startswith(("UV_", "PIP_"))]
    for name in (*VARIABLES, *proxies, *own):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_CACHE_DIR", str(folder / "uv"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    save(made.manifest((made.package("demo", "1.0"),)).with_lock(None), "m.json")
    return site(folder)


@pytest.mark.skipif(not HAS_OPENSSL, reason="openssl is not on PATH")
@needs_uv
def test_the_index_is_asked_with_the_site_s_authority_and_the_hint_names_the_option(
    lab: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(index_of(dict([wheel("demo", "1.0")])), lab.tls) as host:
        words = ["build", "m.json", "--docker", "--base-image", BASE, "-q", "--allow-missing",
                 "--index-url", f"https://{host}/simple"]  # fmt: skip
        assert main(words) == 5
        said = capsys.readouterr().err.splitlines()
        assert said[-1] == "hint: Trust your site's authorities, a PEM file, with: --ca-cert FILE"
        assert main([*words, "--ca-cert", str(lab.authority)]) == 0
        assert main(["lock", "m.json", "--force", "--index-url", f"https://{host}/simple"]) == 5
        assert capsys.readouterr().err.splitlines()[-1] == (
            "hint: Trust your site's authorities: set SSL_CERT_FILE to a bundle that has them"
        )
    lock = load("m.json").lock
    assert lock is not None
    assert [each.name for each in lock.artifacts] == ["demo"]
    assert not {*VARIABLES} & {*os.environ}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (DAMAGED, (2, "error: --ca-cert: certificate 1 of ca.pem cannot be read: it is damaged")),
        ("", (7, "error: ca.pem holds no certificate")),
    ],
)
def test_what_is_no_certificate_is_refused_before_anything_is_done(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, told: tuple[int, str]
) -> None:
    save(made.manifest(), "m.json")
    (folder / "ca.pem").write_text(text)
    code = main(["build", "m.json", "--docker", "--ca-cert", "ca.pem"])
    assert (code, capsys.readouterr().err.splitlines()[0]) == told
    assert not os.path.exists("envsnap-build")


@pytest.mark.parametrize(
    ("message", "is_hinted"),
    [
        ("x does not answer: [SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate", True),
        ("Not fetched: its certificate is not trusted", True),
        ("x509: certificate signed by unknown authority", True),
        ("certificate verify failed: certificate has expired", False),
        ("certificate verify failed: IP address mismatch, certificate is not valid", False),
        ("x does not answer: Connection refused", False),
    ],
)
def test_an_authority_is_asked_for_where_one_helps(message: str, *, is_hinted: bool) -> None:
    assert (certificate_hint(message, "build") is not None) == is_hinted


def test_the_hint_names_the_option_where_a_command_has_it() -> None:
    having = {each for each in COMMANDS if "--ca-cert" in command_parser(each).format_help()}
    assert having == TRUSTING
