from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.host import Ran, RecordedHost, Uname
from envsnap.probes import Look, _libc, system
from envsnap.sections import Os, Reason, Unknown

DEBIAN = """\
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
HOME_URL="https://www.debian.org/"
"""
UBUNTU = """\
PRETTY_NAME="Ubuntu 22.04.4 LTS"
NAME="Ubuntu"
VERSION_ID="22.04"
VERSION="22.04.4 LTS (Jammy Jellyfish)"
VERSION_CODENAME=jammy
ID=ubuntu
ID_LIKE=debian
UBUNTU_CODENAME=jammy
"""
ROCKY = """\
NAME="Rocky Linux"
VERSION="9.4 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.4"
PLATFORM_ID="platform:el9"
PRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"
"""
ALPINE = """\
NAME="Alpine Linux"
ID=alpine
VERSION_ID=3.19.1
PRETTY_NAME="Alpine Linux v3.19"
"""
GLIBC = b"\x7fELF\x02\x01\x01" + bytes(11) + b"\x3e\x00" + bytes(40)
GLIBC_236 = GLIBC + (
    b"\0GNU C Library (Debian GLIBC 2.36-9+deb12u4) stable release version 2.36.\nCopyright\0"
)
GLIBC_234 = GLIBC + b"GNU C Library (GNU libc) stable release version 2.34.\n"
LINUX = Uname("Linux", "6.1.0-18-amd64", "#1 SMP Debian 6.1.76-1", "x86_64")
MACOS_PLIST = """\
<?xml version="1.0" encoding="UTF-8"?>
<plist version="1.0"><dict>
	<key>ProductBuildVersion</key>
	<string>23F79</string>
	<key>ProductName</key>
	<string>macOS</string>
	<key>ProductVersion</key>
	<string>14.5</string>
</dict></plist>
"""


def test_debian_is_known_to_the_last_field(look_at: Callable[..., Look]) -> None:
    host = RecordedHost.made(
        files={"/etc/os-release": DEBIAN, "/lib/x86_64-linux-gnu/libc.so.6": GLIBC_236},
        uname=LINUX,
        absent_below=["/"],
    )
    assert system.probe_os(look_at(host)) == Os(
        system="Linux",
        distribution="debian",
        distribution_version="12",
        distribution_name="Debian GNU/Linux 12 (bookworm)",
        codename="bookworm",
        distribution_like=(),
        kernel="6.1.0-18-amd64",
        kernel_build="#1 SMP Debian 6.1.76-1",
        architecture="x86_64",
        libc="glibc",
        libc_version="2.36",
        wsl=None,
    )


def test_rocky_keeps_its_libc_in_lib64_and_has_no_code_name(look_at: Callable[..., Look]) -> None:
    host = RecordedHost.made(
        files={"/usr/lib/os-release": ROCKY, "/usr/lib64/libc.so.6": GLIBC_234},
        links={"/etc/os-release": "../usr/lib/os-release", "/lib64": "usr/lib64"},
        uname=Uname("Linux", "5.14.0-427.el9.x86_64", "#1 SMP", "x86_64"),
        absent_below=["/"],
    )
    found = system.probe_os(look_at(host))
    assert (found.distribution, found.distribution_version) == ("rocky", "9.4")
    assert (found.codename, found.distribution_like) == (None, ("rhel", "centos", "fedora"))
    assert (found.libc, found.libc_version) == ("glibc", "2.34")


def test_alpine_runs_on_musl_whose_loader_tells_the_version(look_at: Callable[..., Look]) -> None:
    loader = "/lib/ld-musl-x86_64.so.1"
    spoken = "musl libc (x86_64)\nVersion 1.2.4_git20230717\nDynamic Program Loader\n"
    host = RecordedHost.made(
        files={"/etc/os-release": ALPINE, loader: GLIBC},
        commands={(loader,): Ran(1, "", spoken)},
        uname=Uname("Linux", "6.6.14-0-virt", "#1-Alpine SMP", "x86_64"),
        absent_below=["/"],
    )
    found = system.probe_os(look_at(host))
    assert (found.distribution, found.codename) == ("alpine", None)
    assert (found.libc, found.libc_version) == ("musl", "1.2.4")


def test_a_folder_tells_system_and_architecture_by_its_libc(look_at: Callable[..., Look]) -> None:
    off = Unknown(Reason.NO_RUNNING_MACHINE)
    host = RecordedHost.made(
        files={
            "/etc/os-release": ALPINE,
            "/lib/ld-musl-aarch64.so.1": b"\x7fELF\x02\x01\x01" + bytes(11) + b"\xb7\x00",
            "/lib/apk/db/installed": "C:Q1\nP:musl\nV:1.2.4_git20230717-r4\n\n",
        },
        commands={("/lib/ld-musl-aarch64.so.1",): off},
        uname=off,
        absent_below=["/"],
    )
    found = system.probe_os(look_at(host))
    assert (found.system, found.kernel, found.architecture) == ("Linux", off, "aarch64")
    assert (found.libc, found.libc_version, found.wsl) == ("musl", "1.2.4", off)


def test_a_system_that_keeps_libc_elsewhere_is_asked(look_at: Callable[..., Look]) -> None:
    host = RecordedHost.made(
        files={"/etc/os-release": "ID=nixos\n"},
        commands={("getconf", "GNU_LIBC_VERSION"): "glibc 2.39\n"},
        which={"getconf": "/run/current-system/sw/bin/getconf"},
        uname=LINUX,
        absent_below=["/"],
    )
    found = system.probe_os(look_at(host))
    assert (found.libc, found.libc_version) == ("glibc", "2.39")


@pytest.mark.parametrize(
    ("files", "name", "version"),
    [
        ({"/etc/centos-release": "CentOS release 6.10 (Final)\n"}, "centos", "6.10"),
        (
            {"/etc/redhat-release": "Red Hat Enterprise Linux Server release 6.10 (Santiago)\n"},
            "rhel",
            "6.10",
        ),
    ],
)
def test_a_distribution_from_before_os_release_is_read_by_distro(
    files: dict[str, str], name: str, version: str, look_at: Callable[..., Look]
) -> None:
    host = RecordedHost.made(files=files, uname=LINUX, absent_below=["/"], which={"getconf": None})
    found = system.probe_os(look_at(host))
    assert (found.distribution, found.distribution_version) == (name, version)


def test_a_linux_without_any_release_file_has_no_distribution(look_at: Callable[..., Look]) -> None:
    host = RecordedHost.made(
        folders={"/etc": []}, uname=LINUX, absent_below=["/"], which={"getconf": None}
    )
    found = system.probe_os(look_at(host))
    assert (found.distribution, found.distribution_version) == (None, None)
    assert found.libc == Unknown(Reason.TOOL_MISSING, "getconf")


def test_a_denied_os_release_costs_its_own_fields_alone(look_at: Callable[..., Look]) -> None:
    host = RecordedHost.made(
        denied=["/etc/os-release"],
        files={"/lib64/libc.so.6": GLIBC_234},
        uname=LINUX,
        absent_below=["/"],
    )
    found = system.probe_os(look_at(host))
    assert found.distribution == Unknown(Reason.NO_PERMISSION)
    assert (found.kernel, found.libc_version) == ("6.1.0-18-amd64", "2.34")


def test_macos_is_told_by_its_property_list(look_at: Callable[..., Look]) -> None:
    plist = "/System/Library/CoreServices/SystemVersion.plist"
    host = RecordedHost.made(
        files={plist: MACOS_PLIST},
        uname=Uname("Darwin", "23.5.0", "Darwin Kernel Version 23.5.0", "arm64"),
        absent_below=["/"],
    )
    assert system.probe_os(look_at(host)) == Os(
        system="Darwin",
        distribution="macos",
        distribution_version="14.5",
        distribution_name="macOS 14.5",
        codename=None,
        distribution_like=(),
        kernel="23.5.0",
        kernel_build="Darwin Kernel Version 23.5.0",
        architecture="arm64",
        libc=None,
        libc_version=None,
        wsl=None,
    )


def test_a_compatibility_version_of_macos_is_not_believed(look_at: Callable[..., Look]) -> None:
    plist = "/System/Library/CoreServices/SystemVersion.plist"
    host = RecordedHost.made(
        files={plist: MACOS_PLIST.replace("14.5", "10.16")},
        commands={("/usr/bin/sw_vers", "-productVersion"): "13.6.1\n"},
        uname=Uname("Darwin", "22.6.0", "Darwin Kernel Version 22.6.0", "x86_64"),
        absent_below=["/"],
    )
    assert system.probe_os(look_at(host)).distribution_version == "13.6.1"


def test_windows_is_told_by_its_version(look_at: Callable[..., Look]) -> None:
    host = RecordedHost.made(uname=Uname("Windows", "11", "10.0.22631", "AMD64"))
    found = system.probe_os(look_at(host))
    assert (found.distribution, found.distribution_version) == ("windows", "10.0.22631")
    assert (found.distribution_name, found.libc, found.wsl) == ("Windows 11", None, None)


@pytest.mark.parametrize(
    ("release", "version"),
    [
        ("5.15.167.4-microsoft-standard-WSL2", 2),
        ("4.19.128-microsoft-standard", 2),
        ("4.4.0-19041-Microsoft", 1),
        ("6.8.0-48-generic", None),
        ("5.15.0-1073-azure", None),
    ],
)
def test_wsl_is_told_by_the_kernel_release(release: str, version: int | None) -> None:
    assert system.parse_wsl(release) == version


def test_a_kernel_of_ones_own_in_wsl_is_told_by_its_interpreter_entry(
    look_at: Callable[..., Look],
) -> None:
    host = RecordedHost.made(
        files={"/etc/os-release": UBUNTU, "/proc/sys/fs/binfmt_misc/WSLInterop": "enabled\n"},
        uname=Uname("Linux", "6.1.21-custom", "#1 SMP", "x86_64"),
        absent_below=["/"],
        which={"getconf": None},
    )
    assert system.probe_os(look_at(host)).wsl == 2


def test_values_are_unquoted_as_a_shell_would() -> None:
    text = '# c\nA=\'one \\ two\'\nB="say \\"hi\\" for \\$5"\nC=plain\nD=\nnot an assignment\n'
    assert system.parse_os_release(text) == {
        "A": "one \\ two",
        "B": 'say "hi" for $5',
        "C": "plain",
        "D": "",
    }


@pytest.mark.parametrize(
    ("banner", "version"),
    [
        (b"GNU C Library (Ubuntu GLIBC 2.35-0ubuntu3.6) stable release version 2.35.\n", "2.35"),
        (b"GNU C Library (GNU libc) stable release version 2.17, by Roland", "2.17"),
        (b"GNU C Library (GNU libc) development release version 2.39.9000.\n", "2.39.9000"),
        (b"musl libc", None),
    ],
)
def test_glibc_tells_its_version_in_its_file(banner: bytes, version: str | None) -> None:
    assert _libc.parse_glibc(b"\x7fELF\0" + banner) == version


@given(st.text(), st.binary())
def test_no_text_makes_a_parser_raise(text: str, raw: bytes) -> None:
    assert isinstance(system.parse_os_release(text), dict)
    assert isinstance(system.parse_plist(text), dict)
    assert system.parse_wsl(text) in {1, 2, None}
    assert _libc.parse_glibc(raw) is None
    assert _libc.parse_elf_machine(raw) is None
    assert _libc.parse_musl(text) is None
    assert _libc.parse_apk_musl(text) is None
