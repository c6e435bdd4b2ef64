"""What the GPU's probe asks of the linker's surroundings."""

from __future__ import annotations

import pytest

from envsnap.host import RecordedHost, Uname
from envsnap.loader import cached_files, user_folders
from envsnap.sections import Reason, Unknown
from tests.loader.test_cache import newer

X86 = Uname("Linux", "6.1.0", "#1 SMP", "x86_64")


@pytest.mark.parametrize(
    ("value", "folders"),
    [
        (None, ()),
        ("", ()),
        ("/opt/a:/opt/b/", ("/opt/a", "/opt/b")),
        ("/opt/a;/opt/b", ("/opt/a", "/opt/b")),
        ("/opt/a:", ("/opt/a", "/home/ada")),
        ("lib", ("/home/ada/lib",)),
    ],
)
def test_the_users_folders_are_those_that_the_linker_looks_into(
    value: str | None, folders: tuple[str, ...]
) -> None:
    environ = {} if value is None else {"LD_LIBRARY_PATH": value}
    host = RecordedHost.made(environ=environ, cwd="/home/ada", absent_below=["/"])
    assert user_folders(host) == folders


def test_without_a_working_folder_the_whole_paths_are_left() -> None:
    host = RecordedHost.made(environ={"LD_LIBRARY_PATH": "lib:/opt/a"}, absent_below=["/"])
    assert user_folders(host) == ("/opt/a",)


def test_the_cache_tells_the_files_of_this_machine_in_its_order() -> None:
    raw = newer(
        (0x0303, b"liba.so", b"/opt/first/liba.so", 0),
        (3, b"liba.so", b"/lib32/liba.so", 0),
        (0x0303, b"liba.so", b"/usr/lib/liba.so", 0),
    )
    host = RecordedHost.made(files={"/etc/ld.so.cache": raw}, uname=X86, absent_below=["/"])
    assert cached_files(host, "liba.so") == ("/opt/first/liba.so", "/usr/lib/liba.so")
    assert cached_files(host, "libb.so") == ()


def test_a_cache_that_is_not_there_has_nothing_and_a_closed_one_is_unknown() -> None:
    assert cached_files(RecordedHost.made(uname=X86, absent_below=["/"]), "liba.so") == ()
    why = Unknown(Reason.NO_PERMISSION)
    closed = RecordedHost.made(files={"/etc/ld.so.cache": why}, uname=X86, absent_below=["/"])
    assert cached_files(closed, "liba.so") == why
