"""A folder of another machine's files: nothing of this one is ever read through it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.errors import FileError
from envsnap.host import Stat, StatedDigest, TreeHost
from envsnap.sections import Reason, Unknown

NOT_RUNNING = Unknown(Reason.NO_RUNNING_MACHINE)
NOT_REGULAR = Unknown(Reason.NOT_SUPPORTED, "not a regular file")
EMPTY_SHA = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root folder beside a secret of this machine."""
    (tmp_path / "secret").write_text("canary")
    place = tmp_path / "root"
    for folder in ("etc", "usr/lib", "proc/driver", "sys", "dev"):
        (place / folder).mkdir(parents=True)
    (place / "usr/lib/os-release").write_text("ID=debian\n")
    (place / "proc/version").write_text("of the machine that unpacked it")
    return place


def test_links_start_at_the_root_of_the_tree(root: Path) -> None:
    (root / "etc/os-release").symlink_to("/usr/lib/os-release")
    (root / "lib").symlink_to("usr/lib")
    (root / "etc/up").symlink_to("../../../../../usr/lib/os-release")
    host = TreeHost(str(root))
    for path in ("/etc/os-release", "/etc/up", "/lib/os-release", "/../etc/./os-release"):
        assert host.read(path) == b"ID=debian\n"
        assert host.real(path) == "/usr/lib/os-release"
        assert host.stat(path) == host.stat("/usr/lib/os-release")
    assert host.link("/etc/os-release") == "/usr/lib/os-release"
    assert host.link("/lib/os-release") is None
    assert host.list("/lib") == ("os-release",)
    assert host.real("/") == "/"
    assert host.list("/..") == ("dev", "etc", "lib", "proc", "sys", "usr")


def test_no_link_leads_out_of_the_tree(root: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    up = "../" * 40
    for name, target in {
        "absolute": str(secret),
        "relative": "../../secret",
        "far": f"{up}{str(secret).lstrip('/')}",
        "passwd": "/etc/passwd",
        "folder": str(tmp_path),
        "root": "/..",
    }.items():
        (root / "etc" / name).symlink_to(target)
    host = TreeHost(str(root))
    outward = ["/etc/absolute", "/etc/relative", "/etc/far", "/etc/passwd", "/etc/folder/secret"]
    outward += ["/etc/root/secret", "/etc/root/../secret", "/../secret", f"/{up}{secret}"]
    for path in outward:
        answers = (host.read(path), host.stat(path), host.list(path), host.real(path))
        assert answers == (None, None, None, None)
    assert host.list("/etc/root") == host.list("/")


def test_loops_and_endless_chains_lead_nowhere(root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("/a")
    (root / "self").symlink_to("self/self")
    (root / "chain0").symlink_to("/usr/lib/os-release")
    for number in range(1, 10_000):
        (root / f"chain{number}").symlink_to(f"chain{number - 1}")
    host = TreeHost(str(root))
    for path in ("/a", "/self", "/chain9999", "/chain40"):
        assert (host.read(path), host.stat(path), host.real(path)) == (None, None, None)
    assert host.read("/chain39") == b"ID=debian\n"


def test_pipes_are_neither_waited_for_nor_read(root: Path) -> None:
    os.mkfifo(root / "etc/pipe")
    host = TreeHost(str(root))
    assert host.read("/etc/pipe") == NOT_REGULAR
    found = host.stat("/etc/pipe")
    assert isinstance(found, Stat)
    assert found.kind == "other"
    assert host.read("/etc") == NOT_REGULAR


def test_names_that_are_no_unicode_are_read(root: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    (root / "etc" / name).write_text("x")
    host = TreeHost(str(root))
    assert host.list("/etc") == (name,)
    assert host.read(f"/etc/{name}") == b"x"


def test_what_only_a_running_machine_knows_is_unknown(root: Path) -> None:
    (root / "etc/mtab").symlink_to("../proc/version")
    (root / "etc/null").symlink_to("/dev/null")
    host = TreeHost(str(root))
    for path in ("/proc", "/proc/version", "/sys/bus", "/dev/nvidia0", "/etc/mtab", "/etc/null"):
        assert host.read(path) == NOT_RUNNING
        assert host.list(path) == NOT_RUNNING
        assert host.stat(path) == NOT_RUNNING
        assert host.real(path) == NOT_RUNNING
    assert host.link("/proc/self") == NOT_RUNNING
    assert host.link("/proc") == NOT_RUNNING
    assert host.link("/etc/mtab") == "../proc/version"
    others: list[object] = [
        host.run(["true"]),
        host.which("sh"),
        host.environ("PATH"),
        host.uname(),
    ]
    others += [host.user(), host.home(), host.cwd(), host.capacity_mib("/"), host.nvml()]
    assert others == [NOT_RUNNING] * 9


def test_a_record_of_the_tree_states_its_digest(root: Path, tmp_path: Path) -> None:
    (root / "a-1.dist-info").mkdir()
    (root / "a-1.dist-info/RECORD").write_text(f"a.py,sha256={EMPTY_SHA},0\n")
    (root / "b-1.dist-info").symlink_to(tmp_path)
    (tmp_path / "RECORD").write_text(f"b.py,sha256={EMPTY_SHA},0\n")
    content = hashlib.sha256(f"a.py\0{hashlib.sha256(b'').hexdigest()}\n".encode()).hexdigest()
    places = ["/a-1.dist-info/RECORD", "/b-1.dist-info/RECORD"]
    assert TreeHost(str(root)).stated_digests(places)() == [
        StatedDigest(content, 1),
        StatedDigest(None, 0),
    ]


def test_a_root_that_is_no_folder_is_a_file_error(root: Path) -> None:
    with pytest.raises(FileError) as raised:
        TreeHost(f"{root}/usr/lib/os-release")
    assert raised.value.message == f"No folder at {root}/usr/lib/os-release"


ASK_UNPRIVILEGED = """
import os, sys
from envsnap.host import TreeHost
host = TreeHost(sys.argv[1])
os.setgid(65534), os.setuid(65534)
print(host.list("/shut"), host.read("/shut/a"), host.stat("/shut/a"), host.read("/shadow"))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_what_may_not_be_opened_is_no_permission() -> None:
    with tempfile.TemporaryDirectory() as root:
        Path(root).chmod(0o755)
        Path(root, "shut").mkdir(mode=0o700)
        Path(root, "shadow").touch(mode=0o600)
        command = [sys.executable, "-c", ASK_UNPRIVILEGED, root]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.stderr, ran.stdout) == ("", " ".join(["no-permission"] * 4) + "\n")


OPENED = """
import sys
from envsnap.host import TreeHost
opened = []
def hook(event, args):
    if event in {"open", "os.listdir"}:
        opened.append(args[0])
sys.addaudithook(hook)
host = TreeHost(sys.argv[1])
for path in sys.argv[2:]:
    host.read(path), host.list(path), host.stat(path), host.link(path), host.real(path)
print(opened)
"""


def test_nothing_outside_the_tree_is_ever_opened(root: Path, tmp_path: Path) -> None:
    (root / "etc/passwd").symlink_to(tmp_path / "secret")
    (root / "etc/out").symlink_to("../../..")
    (root / "etc/in").symlink_to("/../usr/lib/os-release")
    command = [sys.executable, "-c", OPENED, str(root), "/etc/passwd", "/etc/out/secret", "/etc/in"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    place = f"{root}/usr/lib/os-release"
    assert ran.stdout == f"[{place!r}, {place!r}]\n"


@given(st.text("ab./\0é\udce9", max_size=30))
def test_no_path_raises_or_leaves(path: str) -> None:
    place = Path(__file__).parent
    host = TreeHost(str(place))
    host.list(path)
    host.stat(path)
    host.link(path)
    assert host.read(path) in {None, NOT_REGULAR}
    found = host.real(path)
    assert found in {None, "/"}
