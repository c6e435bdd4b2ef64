from __future__ import annotations

import pytest

from envsnap.lock._pins import OWN_ARCHIVE, sort_out
from envsnap.lock._uv import blamed
from envsnap.sections import Artifact, Package, Reason, Unknown, Unlocked
from tests import made

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SHA256 = "ab" * 32
RELEASED = "install a released version of it"


def unlocked(package: Package) -> Unlocked:
    found = sort_out((package,))
    assert (found.pins, found.artifacts) == ((), ())
    return found.unlocked[0]


def test_an_index_package_is_asked_for_by_its_canonical_name() -> None:
    (pin,) = sort_out((made.package("Ruamel.Yaml", "0.18.6"),)).pins
    assert (pin.name, pin.version) == ("ruamel-yaml", "0.18.6")


def test_a_shadowed_copy_is_nobodys_business() -> None:
    assert sort_out((made.package("idna", "3.6", active=False),)) == ((), (), (), ())


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("editable", f"it is an editable project on this machine; {RELEASED}"),
        ("directory", f"it was installed from a folder of this machine; {RELEASED}"),
        ("vcs", f"it was installed from commit 0123456789ab of a repository; {RELEASED}"),
        (
            "distribution",
            "the system's package manager installed it; install it with pip in a venv",
        ),
        (
            "archive",
            OWN_ARCHIVE,
        ),
    ],
)
def test_what_no_index_has_is_said_with_the_remedy(kind: str, why: str) -> None:
    commit = COMMIT if kind == "vcs" else None
    package = made.package("Demo", "1.0", origin=made.origin(kind, commit=commit))
    assert unlocked(package) == Unlocked(name="demo", version="1.0", why=why)


def test_an_archive_with_a_recorded_address_and_hash_is_locked_already() -> None:
    where = made.origin(
        "archive",
        url="https://files.example/demo-1.0%2Bcpu-py3-none-any.whl",
        archive_hash=f"sha256={SHA256}",
    )
    assert sort_out((made.package("demo", "1.0+cpu", origin=where),)).artifacts == (
        Artifact(
            name="demo",
            version="1.0+cpu",
            filename="demo-1.0+cpu-py3-none-any.whl",
            url="https://files.example/demo-1.0%2Bcpu-py3-none-any.whl",
            sha256=SHA256,
            size=Unknown(Reason.NOT_RECORDED, "no installer records it"),
            is_installed=True,
            how="address",
        ),
    )


def test_an_address_without_a_hash_does_not_say_which_bytes_came() -> None:
    where = made.origin("archive", url="https://files.example/demo-1.0-py3-none-any.whl#sha256=0")
    package = made.package("demo", "1.0", origin=where)
    assert unlocked(package).why == (
        "it was installed from https://files.example/demo-1.0-py3-none-any.whl, and its installer "
        "recorded no hash: which bytes came from there is not known; install it with pip, which "
        "records one"
    )
    assert [pin.package for pin in sort_out((package,)).unproved] == [package]


def test_a_local_archive_with_a_hash_is_looked_for_on_the_index() -> None:
    where = made.origin("archive", url="file://{other}/demo.whl", archive_hash=f"sha256={SHA256}")
    (pin,) = sort_out((made.package("demo", "1.0", origin=where),)).pins
    assert (pin.name, pin.version) == ("demo", "1.0")


@pytest.mark.parametrize(
    ("name", "version", "valid"),
    [
        ("demo; x", "1.0", "yes"),
        ("demo", "1.0\n--index-url=https://evil.example", "yes"),
        ("demo", "2004d", "no"),
        ("demo", "1.1build1", "yes"),
    ],
)
def test_a_name_or_version_that_no_index_has_never_reaches_the_locker(
    name: str, version: str, valid: str
) -> None:
    found = unlocked(made.package(name, version, version_valid=valid == "yes"))
    assert found.why == "its name or version is none that an index can have"


def test_the_pins_that_uv_names_are_blamed_and_no_others() -> None:
    pins = {pin.name: pin for pin in sort_out((
        made.package("cffi", "99.0"), made.package("idna", "3.7"), made.package("my_lib", "1.0"),
    )).pins}  # fmt: skip
    complaint = (
        "No solution found when resolving dependencies Because there is no version of cffi==99.0 "
        "and my-lib was not found in the package registry and you require my-lib==1.0, we can"
    )
    assert blamed(complaint, pins) == ["cffi", "my-lib"]


def test_a_network_that_fails_blames_no_pin() -> None:
    pins = {pin.name: pin for pin in sort_out((made.package("idna", "3.7"),)).pins}
    assert blamed("Failed to fetch: `https://index.example/simple/idna/` dns error", pins) == []
