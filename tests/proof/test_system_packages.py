"""Files of system packages in an image: whose they are, what nobody can prove of them."""

from __future__ import annotations

import json
from dataclasses import replace as with_fields
from typing import TYPE_CHECKING

import pytest

from envsnap.images import Config, ImageTree
from envsnap.manifest import Manifest, environment_id, save
from envsnap.plan._system_versions import Versions
from envsnap.proof import Held, NotProved
from envsnap.proof._environment import Environment
from envsnap.proof._files import Files
from envsnap.proof._outside import Base, outside
from envsnap.proof._packages import asked_for, sorted_out, versions_in
from envsnap.sections import SystemLibraries, SystemLibrary
from tests import made
from tests.cli.processes import envsnap
from tests.proof.images import BASE, GOOD, Layer, Link, image, labels, manifest, read

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

INFO, STATUS = "/var/lib/dpkg/info", "/var/lib/dpkg/status"
LIB = "/usr/lib/x86_64-linux-gnu"
LIBC = "Package: libc6\nStatus: install ok installed\nVersion: 2.36-9\n\n"
NEW = (
    "Package: libgl1\nStatus: install ok installed\nVersion: 1.6.0-1\nDepends: libglvnd0, libc6\n\n"
    "Package: libglvnd0\nStatus: install ok installed\nVersion: 1.6.0-1\n\n"
)
UNDER: Layer = {
    **BASE, "/lib": Link("usr/lib"), f"{LIB}/libc.so.6": b"ELF", STATUS: LIBC.encode(),
    f"{INFO}/libc6:amd64.list": f"{LIB}/libc.so.6\n".encode(),
}  # fmt: skip
APT: Layer = {
    STATUS: (LIBC + NEW).encode(),
    f"{INFO}/libgl1:amd64.list": b"/.\n/lib\n/lib/x86_64-linux-gnu/libGL.so.1\n",
    f"{INFO}/libglvnd0.list": f"{LIB}/libGLdispatch.so.0\n/usr/share/doc/x\n".encode(),
    f"{LIB}/libGL.so.1": b"ELF", f"{LIB}/libGLdispatch.so.0": b"ELF", "/usr/share/doc/x": b"1",
    "/etc/ld.so.cache": b"cache",
}  # fmt: skip
SAID = (
    "of system packages that the environment asks for, and of dpkg: its lists in the image say "
    "that these {} files are theirs, and no digest of their archives is known"
)
NAMES = ("libgl1 1.6.0-1", "libglvnd0 1.6.0-1")


def needing(*names: str) -> Manifest:
    """A manifest whose compiled code asks the system for these libraries."""
    needed = tuple(
        SystemLibrary(
            name=name, versions=(), needed_by=("idna",), location="/usr/lib/x.so", owner=None
        )
        for name in names
    )
    return made.manifest(system_libraries=SystemLibraries(needed=needed, exempt=()))


def config(base: str = "docker.io/library/python:3.11.7-slim-bookworm") -> Config:
    said = {**labels(), "org.opencontainers.image.base.name": base} if base else labels()
    return Config(
        platform="", created="", labels=said, environ={}, user="", history=(), diff_ids=("one",)
    )


def tree_of(folder: Path, more: Mapping[str, bytes | Link] = {}) -> ImageTree:
    """An image on one layer of a base, with system packages, and then the environment."""
    return read(image(folder, layers=(UNDER, {**APT, **more}, *GOOD[1:])))[1]


def left(tree: ImageTree, wanted: Manifest, said: Config) -> list[NotProved]:
    """What is not proved where the base image's one layer is known."""
    environment = Environment(tree, None)
    found = outside(environment, Files(environment, Held(()), ()).named, Base(config(), None))
    assert found[0] == []
    return sorted_out(tree, found[1], wanted, (said, Base(config(), None)))


def test_files_of_packages_that_the_environment_asks_for_are_theirs(tmp_path: Path) -> None:
    found = left(tree_of(tmp_path), needing("libGL.so.1"), config())
    assert found == [NotProved("system", SAID.format(7), NAMES)]


def test_what_no_package_owns_stays_nobodys(tmp_path: Path) -> None:
    more = {"/usr/bin/more": b"1", "/usr/share/doc/y": b"1"}
    found = left(tree_of(tmp_path, more), needing("libGL.so.1"), config())
    assert [(each.code, each.names) for each in found] == [
        ("system", NAMES), ("outside", ("/usr/bin/more", "/usr/share/doc/y")),
    ]  # fmt: skip


def test_a_package_that_nothing_asks_for_gets_nothing(tmp_path: Path) -> None:
    evil = "Package: evil\nStatus: install ok installed\nVersion: 1\n\n"
    more = {
        STATUS: (LIBC + NEW + evil).encode(), f"{INFO}/evil.list": b"/usr/bin/evil\n",
        "/usr/bin/evil": b"1",
    }  # fmt: skip
    found = left(tree_of(tmp_path, more), needing("libGL.so.1"), config())
    assert [(each.code, each.names) for each in found] == [
        ("system", NAMES), ("outside", ("/usr/bin/evil",)),
    ]  # fmt: skip


def test_no_list_vouches_for_what_replaced_a_file_of_the_base(tmp_path: Path) -> None:
    listed = f"{LIB}/libc.so.6\n/usr/bin/env\n".encode()
    more = {
        f"{LIB}/libc.so.6": b"EVIL", f"{INFO}/libc6:amd64.list": listed, "/usr/bin/env": b"EVIL",
        f"{INFO}/libglvnd0.list": f"{LIB}/libGLdispatch.so.0\n{LIB}/libc.so.6\n".encode(),
    }  # fmt: skip
    found = left(tree_of(tmp_path, more), needing("libGL.so.1"), config())
    assert [(each.code, each.names) for each in found][1] == (
        "outside",
        ("/usr/bin/env", f"{LIB}/libc.so.6", "/usr/share/doc/x", f"{INFO}/libc6:amd64.list"),
    )


def test_in_an_image_without_layers_the_base_s_files_tell_what_was_replaced(
    tmp_path: Path,
) -> None:
    under = read(image(tmp_path, layers=(UNDER, *GOOD[1:])))[1]
    more = {f"{INFO}/libglvnd0.list": f"{LIB}/libc.so.6\n".encode(), f"{LIB}/libc.so.6": b"EVIL"}
    flat = with_fields(tree_of(tmp_path, more), replaced={})
    known = NotProved("outside", "x", (f"{INFO}/libglvnd0.list", f"{LIB}/libc.so.6"))
    both = sorted_out(flat, [known], needing("libGL.so.1"), (config(), Base(config(), under)))
    assert [(each.code, each.names) for each in both] == [
        ("system", ("libglvnd0 1.6.0-1",)), ("outside", (f"{LIB}/libc.so.6",)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "place",
    ["/etc/ld.so.conf.d/evil.conf", "/etc/profile.d/evil.sh", "/usr/lib/python3/evil.pth",
     "/etc/cron.d/evil", "/var/spool/cron/evil", "/etc/ld.so.preload.d/x"],
)  # fmt: skip
def test_no_list_vouches_for_what_steers_others(tmp_path: Path, place: str) -> None:
    more = {f"{INFO}/libglvnd0.list": f"{place}\n".encode(), place: b"1"}
    found = left(tree_of(tmp_path, more), needing("libGL.so.1"), config())
    assert found[0].names == NAMES
    assert place in found[1].names


def test_no_list_vouches_for_a_program_of_another_user(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, {f"{INFO}/libglvnd0.list": b"/usr/bin/evil\n", "/usr/bin/evil": b"1"})
    entry = tree.entries["/usr/bin/evil"]._replace(mode=0o4755)
    with_id = with_fields(tree, entries={**tree.entries, "/usr/bin/evil": entry})
    assert "/usr/bin/evil" in left(with_id, needing("libGL.so.1"), config())[1].names


@pytest.mark.parametrize("place", ["/usr/local/bin/evil", "/opt/evil", "/home/a/evil", "/srv/evil"])
def test_no_list_vouches_for_where_distributions_have_no_files(tmp_path: Path, place: str) -> None:
    more = {f"{INFO}/libglvnd0.list": f"{place}\n".encode(), place: b"1"}
    found = left(tree_of(tmp_path, more), needing("libGL.so.1"), config())
    assert found[0].names == NAMES
    assert place in found[1].names


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (needing(), config()),
        (needing("libGL.so.1"), config("")),
        (needing("libGL.so.1"), config("rockylinux:9")),
        (needing("libGL.so.1"), config("a b")),
    ],
)
def test_where_no_plan_asks_for_a_package_all_stays_as_it_was(
    tmp_path: Path, wanted: Manifest, said: Config
) -> None:
    (found,) = left(tree_of(tmp_path), wanted, said)
    assert (found.code, len(found.names)) == ("outside", 7)


def test_a_list_that_leads_out_or_is_no_text_breaks_nothing(tmp_path: Path) -> None:
    more = {f"{INFO}/libglvnd0.list": b"../../etc/passwd\n\xff\x00\n/\n//\n" * 9}
    found = left(tree_of(tmp_path, more), needing("libGL.so.1"), config())
    assert [each.code for each in found] == ["system", "outside"]


def test_the_versions_in_an_image_are_read_without_starting_it(tmp_path: Path) -> None:
    tree = tree_of(tmp_path)
    assert versions_in(tree, ["libgl1"]) == Versions(
        {"libgl1": "1.6.0-1"}, {"libc6": "2.36-9", "libglvnd0": "1.6.0-1"}
    )
    assert versions_in(with_fields(tree, contents={}), ["libgl1"]) == Versions({}, {})


def test_a_python_that_was_compiled_asks_for_its_libraries_too(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, {"/opt/python/bin/python3": b"ELF"})
    assert {"libgl1", "libsqlite3-0"} <= asked_for(tree, needing("libGL.so.1"), config())


def recorded(folder: Path, versions: Versions | None) -> str:
    """The manifest as it was published, beside what its author's build got."""
    document = {
        "about": "written by envsnap build; the folder can be deleted and made again",
        "environment": environment_id(manifest()), "system": versions and versions.document(),
    }  # fmt: skip
    folder.mkdir()
    (folder / "build.json").write_text(json.dumps(document))
    save(manifest(), str(folder / "paper.json"))
    return str(folder / "paper.json")


def test_verify_says_which_system_packages_are_other_than_the_authors(tmp_path: Path) -> None:
    known = Versions({"libgl1": "1.6.0-1"}, {"libc6": "2.36-8", "libglvnd0": "1.6.0-1"})
    against = recorded(tmp_path / "ctx", known)
    reference = image(tmp_path, layers=(UNDER, APT, *GOOD[1:]))
    ended = envsnap("verify", reference, "--against", against, cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    words = " ".join(ended.out.split())
    assert (
        "System 2 packages of the versions in the build.json beside the manifest; 1 of others "
        "libc6 2.36-8 -> 2.36-9 No image's"
    ) in words
    told = json.loads(
        envsnap("verify", reference, "--against", against, "--json", cwd=tmp_path).out
    )
    assert told["system"] == {"same": 2, "differs": ["libc6 2.36-8 -> 2.36-9"]}


def test_without_a_record_verify_says_nothing_of_versions(tmp_path: Path) -> None:
    against = recorded(tmp_path / "ctx", None)
    reference = image(tmp_path, layers=(UNDER, APT, *GOOD[1:]))
    told = json.loads(
        envsnap("verify", reference, "--against", against, "--json", cwd=tmp_path).out
    )
    assert told["system"] is None
