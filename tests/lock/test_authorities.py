"""What --ca-cert gives is trusted by every client of ours, and by nobody once it is over."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from envsnap.errors import ToolError
from envsnap.images._http import Registry, RegistryError
from envsnap.images._mirrors import Endpoint
from envsnap.lock import Indexes, LockOptions, make_lock
from envsnap.lock._authorities import VARIABLES, certificates_in, trusting, unreadable
from envsnap.lock._trust import Trust, own_of
from tests import made
from tests.images.made import Made, blobs_of, layer
from tests.images.registries import Behaviour, registry
from tests.lock.index import index_of, wheel
from tests.lock.locking import needs_uv
from tests.serving import served
from tests.tls import HAS_OPENSSL, Site, site

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not HAS_OPENSSL, reason="openssl is not on PATH")
SYSTEM = "/etc/ssl/certs/ca-certificates.crt"
DEMO = dict([wheel("demo", "1.0")])


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site's authority, on a machine whose user has set nothing."""
    for name in (*VARIABLES, "SSL_CERT_DIR", "REGISTRY_AUTH_FILE", "CONTAINERS_REGISTRIES_CONF",
                 *(each for each in os.environ if each.lower().endswith("_proxy")),
                 *(each for each in os.environ if each.startswith(("UV_", "PIP_")))):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    return site(tmp_path)


def test_our_reader_of_registries_trusts_it(lab: Site) -> None:
    behaviour = Behaviour(blobs_of([layer(Made("a", b"a"))]), elsewhere="no login")
    with registry(behaviour, lab.tls) as host:

        def asked() -> int:
            place = Endpoint(host, "lab/paper", is_plain=False)
            with Registry(place, host, tries=1).ask("manifests/1") as answer:
                return answer.status

        with pytest.raises(RegistryError, match="CERTIFICATE_VERIFY_FAILED"):
            asked()
        with trusting(lab.authority.read_text()):
            assert asked() == 200
        with pytest.raises(RegistryError, match="CERTIFICATE_VERIFY_FAILED"):
            asked()


@pytest.mark.skipif(find_spec("requests") is None, reason="requests comes with an extra")
def test_our_fetcher_of_files_trusts_it(lab: Site) -> None:
    from envsnap.wheelhouse._session import session

    with served(index_of(DEMO), lab.tls) as host:
        address = f"https://{host}/files/{next(iter(DEMO))}"
        trust = Trust(own=own_of([address]))
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            session(trust, 1).get(address)
        with trusting(lab.authority.read_text()):
            assert session(trust, 1).get(address).content == next(iter(DEMO.values()))


@needs_uv
def test_uv_trusts_it(lab: Site) -> None:
    with served(index_of(DEMO), lab.tls) as host:
        asked = LockOptions(indexes=Indexes(default=f"https://{host}/simple"))
        manifest = made.manifest((made.package("demo", "1.0"),)).with_lock(None)
        with pytest.raises(ToolError, match="UnknownIssuer"):
            make_lock(manifest, asked)
        with trusting(lab.authority.read_text()):
            assert [each.name for each in make_lock(manifest, asked).artifacts] == ["demo"]


def test_pip_trusts_it(lab: Site, tmp_path: Path) -> None:
    with served(index_of(DEMO), lab.tls) as host:
        pip = (
            sys.executable, "-m", "pip", "download", "--no-deps", "--retries", "0", "--quiet",
            "--disable-pip-version-check", "-i", f"https://{host}/simple", "-d", str(tmp_path),
            "demo==1.0",
        )  # fmt: skip
        assert subprocess.run(pip, check=False, capture_output=True).returncode == 1
        with trusting(lab.authority.read_text()):
            assert subprocess.run(pip, check=False).returncode == 0
    assert (tmp_path / next(iter(DEMO))).exists()


def serials(bundle: str) -> set[str]:
    found = ssl.create_default_context(cafile=bundle).get_ca_certs()
    return {str(each["serialNumber"]) for each in found}


@pytest.mark.skipif(not os.path.exists(SYSTEM), reason="the system keeps no such bundle")
def test_the_machine_s_own_authorities_stay_trusted(lab: Site) -> None:
    usual = serials(SYSTEM)
    own = certificates_in(lab.authority.read_text())
    with trusting("".join(own)):
        bundle = os.environ["SSL_CERT_FILE"]
        assert {os.environ[name] for name in VARIABLES} == {bundle}
        assert usual
        assert usual < serials(bundle)
    assert not os.path.exists(bundle)
    assert not {*VARIABLES} & {*os.environ}


def test_a_bundle_that_the_user_names_is_added_to_and_comes_back(
    lab: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = tmp_path / "other"
    others.mkdir()
    other = site(others).authority
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(others))
    (tmp_path / "pip.conf").write_text(f"[global]\ncert = {other}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    text = lab.authority.read_text()

    def stopped() -> None:
        with trusting(text):
            with open(os.environ["SSL_CERT_FILE"], encoding="ascii") as file:
                given = certificates_in(file.read())
            server = certificates_in((others / "certificate.pem").read_text())
            assert given == [*certificates_in(other.read_text()), *server, *certificates_in(text)]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert {name: os.environ.get(name) for name in VARIABLES} == {
        **dict.fromkeys(VARIABLES), "REQUESTS_CA_BUNDLE": str(others),
    }  # fmt: skip


def test_a_certificate_with_a_byte_that_is_no_base64_is_left_out(
    lab: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = lab.authority.read_text()
    bad = b"-----BEGIN CERTIFICATE-----\nAAAA\xa0\n-----END CERTIFICATE-----\n"
    (tmp_path / "named.pem").write_bytes(bad + text.encode())
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "named.pem"))
    with trusting(""), open(os.environ["SSL_CERT_FILE"], encoding="ascii") as file:
        assert certificates_in(file.read()) == certificates_in(text)


def test_without_authorities_nothing_is_set(lab: Site) -> None:
    del lab
    before = dict(os.environ)
    with trusting(None):
        assert dict(os.environ) == before


def test_a_damaged_certificate_is_known_by_its_number(lab: Site) -> None:
    good = certificates_in(f"a\r\n{lab.authority.read_text()}")
    bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
    assert [unreadable(good), unreadable([*good, bad]), unreadable([bad])] == [None, 2, 1]
