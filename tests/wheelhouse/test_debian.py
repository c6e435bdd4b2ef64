"""Debian's packages are chosen as apt chooses them, and only what somebody signed is believed."""

from __future__ import annotations

import pytest

from envsnap.errors import PlanError, ToolError
from envsnap.wheelhouse._debian import Index, Wish, closure, installed, listed
from envsnap.wheelhouse._mirror import Archive, archives, signed_part

STATUS = """\
Package: libc6
Status: install ok installed
Version: 2.36-9+deb12u9
Source: glibc

Package: libc-bin
Status: install ok installed
Version: 2.36-9+deb12u9
Source: glibc

Package: gone
Status: deinstall ok config-files
Version: 1
"""


def stanza(name: str, version: str, **more: str) -> str:
    fields = {"Package": name, "Version": version, "Size": "10", "SHA256": "0" * 64}
    fields["Filename"] = f"pool/main/x/{name}_{version}_amd64.deb"
    fields |= {key.replace("_", "-"): value for key, value in more.items()}
    return "".join(f"{key}: {value}\n" for key, value in fields.items()) + "\n"


def chosen(packages: str, *names: str) -> list[str]:
    index = Index(listed(packages.splitlines()))
    found = closure([Wish(name) for name in names], installed(STATUS), index)
    return [f"{each.name}={each.version}" for each in found]


def test_what_is_needed_comes_too_and_what_is_there_does_not() -> None:
    packages = stanza("aa", "1", Depends="libc6 (>= 2.36), bb | cc") + stanza("bb", "2")
    assert chosen(packages + stanza("cc", "3"), "aa") == ["aa=1", "bb=2"]


def test_the_newest_of_all_suites_is_taken() -> None:
    assert chosen(stanza("aa", "1-9") + stanza("aa", "1-10") + stanza("aa", "1-10~rc"), "aa") == [
        "aa=1-10"
    ]


def test_an_alternative_that_no_mirror_has_is_passed_over() -> None:
    packages = stanza("aa", "1", Pre_Depends="bb (>= 3) | dd") + stanza("bb", "2")
    packages += stanza("cc", "1", Provides="dd (= 1)", Priority="optional")
    assert chosen(packages, "aa") == ["aa=1", "cc=1"]


def test_what_was_built_together_becomes_newer_together() -> None:
    packages = stanza("aa", "1", Depends="libc6 (>= 2.36-9+deb12u14)")
    for name in ("libc6", "libc-bin"):
        packages += stanza(name, "2.36-9+deb12u14", Source="glibc")
    assert chosen(packages, "aa") == [
        "aa=1", "libc-bin=2.36-9+deb12u14", "libc6=2.36-9+deb12u14",
    ]  # fmt: skip


def test_a_circle_of_needs_ends() -> None:
    packages = stanza("aa", "1", Depends="bb") + stanza("bb", "1", Depends="aa")
    assert chosen(packages, "aa") == ["aa=1", "bb=1"]


def test_what_no_mirror_has_is_named_with_who_needs_it() -> None:
    with pytest.raises(PlanError) as caught:
        chosen(stanza("aa", "1", Depends="gone (>= 2)"), "aa")
    assert caught.value.message == (
        "The distribution's mirror has no package 'gone', which aa needs"
    )


@pytest.mark.parametrize(
    "path", ["../a_1_amd64.deb", "pool/../../a.deb", "/pool/a.deb", "pool/a b.deb", "pool/a.txt"]
)
def test_a_path_that_leads_elsewhere_is_not_listed(path: str) -> None:
    assert list(listed(stanza("aa", "1", Filename=path).splitlines())) == []


def test_both_forms_of_sources_are_read() -> None:
    found = archives(
        {
            "/etc/apt/sources.list": "# deb http://no.example/x y z\n"
            "deb [arch=amd64] http://deb.example/debian bookworm main contrib\n"
            "deb-src http://deb.example/debian bookworm main\ndeb cdrom:x bookworm main\n",
            "/etc/apt/sources.list.d/a.sources": "Types: deb\nURIs: http://s.example/sec/\n"
            "Suites: bookworm-security ../up\nComponents: main\n\nTypes: deb\nEnabled: no\n"
            "URIs: http://off.example\nSuites: x\nComponents: main\n",
        }
    )
    assert found == (
        Archive("http://deb.example/debian/", "bookworm", ("main", "contrib")),
        Archive("http://s.example/sec/", "bookworm-security", ("main",)),
    )


def test_a_mirror_without_a_history_is_refused_for_a_date() -> None:
    line = {"a.list": "deb http://deb.files.example/debian bookworm main"}
    (found,) = archives(line, "20260101T000000Z")
    assert found.url == "https://snapshot.files.example/archive/debian/20260101T000000Z/"
    with pytest.raises(ToolError, match="has no history"):
        archives({"a.list": "deb http://mirror.example/debian bookworm main"}, "20260101T000000Z")


SIGNED = (
    "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nSHA256:\n x\n"
    "-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n"
)


@pytest.mark.parametrize("text", ["SHA256:\n y\n" + SIGNED, SIGNED + "SHA256:\n y\n", SIGNED * 2])
def test_what_stands_around_a_signed_text_is_not_believed(text: str) -> None:
    assert signed_part(SIGNED) == "SHA256:\n x"
    with pytest.raises(ToolError):
        signed_part(text)
