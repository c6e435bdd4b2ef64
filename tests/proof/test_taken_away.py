"""What a later layer takes away, or lets nobody read, is told: what stays looks as it should."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import pytest

from envsnap import _verify
from envsnap._verify import Published
from envsnap.errors import ExitCode
from envsnap.images import open_image, tree
from envsnap.proof import Base, Held
from envsnap.proof._environment import Environment
from envsnap.proof._files import Files
from envsnap.proof._layers import read as read_layers
from envsnap.proof._taken import taken_away
from envsnap.reports.verify_text import text
from tests.inside.rows import row
from tests.proof import images
from tests.proof.images import (
    BASE,
    CORE,
    GOOD,
    IDNA,
    LIBRARY,
    PYTHON,
    SITE,
    SOCKS,
    Gone,
    Layer,
    Link,
    image,
    manifest,
    own_files,
    read,
    told,
    verified,
)
from tests.proof.images import _tar as plain_tar

if TYPE_CHECKING:
    from pathlib import Path

    from envsnap.images import Image

PUBLISHED = Published(manifest(), "paper.json")
SSL = "/usr/lib/x86_64-linux-gnu/libssl.so.3"
APT = "/etc/apt/sources.list.d/cuda-ubuntu2204.list"
LIBRARIES: Layer = {
    **BASE, f"{LIBRARY}/json/__init__.py": b"", f"{LIBRARY}/json/decoder.py": b"",
    f"{LIBRARY}/__pycache__/os.cpython-311.pyc": b"", SSL: b"ELF", "/etc/ssl/openssl.cnf": b"x",
    APT: b"deb x", "/var/log/dpkg.log": b"x", "/var/lib/apt/lists/a/b": b"x",
    "/var/lib/dpkg/status-old": b"x", "/var/cache/apt/archives/a.deb": b"x",
    "/var/cache/debconf/config.dat-old": b"x", "/var/cache/ldconfig/aux-cache": b"x",
}  # fmt: skip
OF_STEPS = (
    APT, "/var/log/dpkg.log", "/var/lib/apt/lists/a", "/var/lib/dpkg/status-old",
    "/var/cache/apt/archives/a.deb", "/var/cache/debconf/config.dat-old",
    "/var/cache/ldconfig/aux-cache", f"{LIBRARY}/__pycache__",
)  # fmt: skip
LAYERS = (LIBRARIES, *GOOD[1:])
LATE = "was taken away after the environment was made"


class Member(NamedTuple):
    """One member of a layer, with what the other tests' layers do not set."""

    path: str
    mode: int
    kind: Literal["file", "folder"] = "folder"
    data: bytes = b""
    owner: int = 0


def layer(*members: Member, of: Layer | None = None) -> Layer:
    """A layer as bytes: the members after the files that a plain one has."""
    file = io.BytesIO(plain_tar(of or {}))
    with tarfile.open(fileobj=file, mode="a", format=tarfile.PAX_FORMAT) as archive:
        for each in members:
            member = tarfile.TarInfo(each.path.lstrip("/"))
            member.type = tarfile.DIRTYPE if each.kind == "folder" else tarfile.REGTYPE
            member.mode, member.size, member.uid = each.mode, len(each.data), each.owner
            archive.addfile(member, io.BytesIO(each.data))
    return Made(of or {}, file.getvalue())


class Made(dict[str, "bytes | Link | Gone"]):
    """A layer that is a tar archive already."""

    def __init__(self, files: Layer, raw: bytes) -> None:
        super().__init__(files)
        self.raw = raw


@pytest.fixture(autouse=True)
def _with_made_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        images, "_tar", lambda each: each.raw if isinstance(each, Made) else plain_tar(each)
    )


@pytest.fixture
def _with_its_base(monkeypatch: pytest.MonkeyPatch) -> None:
    """The base image that a registry has is the first layer."""

    def base(opened: Image, _: object) -> tuple[str, Base, list[object]]:
        own = replace(opened.config, environ={}, diff_ids=opened.config.diff_ids[:1])
        return "docker://base", Base(own, None), []

    monkeypatch.setattr(_verify, "_base", base)


@pytest.mark.usefixtures("_with_its_base")
@pytest.mark.parametrize("asked", [{}, {"base": True}])
@pytest.mark.parametrize(
    ("what", "path"),
    [
        ({f"{LIBRARY}/os.py": Gone()}, f"{LIBRARY}/os.py"),
        ({SSL: Gone()}, SSL),
        ({f"{LIBRARY}/json": Gone()}, f"{LIBRARY}/json"),
        ({"/usr/lib": Gone()}, "/usr/lib"),
        ({f"{LIBRARY}/json/.wh..wh..opq": b""}, f"{LIBRARY}/json/__init__.py"),
        ({"/opt/env/bin/python": Gone()}, "/opt/env/bin/python"),
        ({"/opt/env/pyvenv.cfg": Gone()}, "/opt/env/pyvenv.cfg"),
    ],
)
def test_what_a_later_layer_takes_away_is_a_difference(
    tmp_path: Path, what: Layer, path: str, asked: dict[str, bool]
) -> None:
    found = verified(image(tmp_path, what, layers=LAYERS), against=PUBLISHED, **asked)
    assert found.exit_code == ExitCode.NO
    assert ("outside", f"{path} {LATE}") in told(found)


@pytest.mark.usefixtures("_with_its_base")
@pytest.mark.parametrize(
    ("more", "end"), [((), "has it"), (({SSL: Gone()},), "has it, but for what is named above")]
)
def test_the_report_does_not_say_that_a_base_is_whole_which_is_not(
    tmp_path: Path, more: tuple[Layer, ...], end: str
) -> None:
    found = verified(image(tmp_path, *more, layers=LAYERS), against=PUBLISHED, base=True)
    words = "".join(part.text for each in text(found, width=200) for part in each)
    assert f"the base image's, as its registry {end}" in words
    assert ("but for" in words) is bool(more)


def test_a_library_of_python_is_missed_where_others_may_be_there_too(tmp_path: Path) -> None:
    reference = image(tmp_path, {f"{LIBRARY}/os.py": Gone()}, layers=LAYERS)
    assert told(verified(reference, others_ok=True)) == [("outside", f"{LIBRARY}/os.py {LATE}")]


def test_an_environment_without_a_python_is_told_by_that(tmp_path: Path) -> None:
    """The next `python` on PATH would start, with none of the packages."""
    files = {path: data for path, data in GOOD[1].items() if path != "/opt/env/bin/python"}
    found = verified(image(tmp_path, layers=(BASE, files, GOOD[2])), against=PUBLISHED)
    says = "/opt/env/bin has no python: another one starts in its place"
    assert (found.exit_code, told(found)) == (ExitCode.NO, [("interpreter", says)])


def test_what_is_neither_run_nor_pythons_is_not_proved(tmp_path: Path) -> None:
    reference = image(tmp_path, {"/etc/ssl/openssl.cnf": Gone()}, layers=LAYERS)
    found = verified(reference)
    assert (found.exit_code, told(found)) == (ExitCode.CANNOT_TELL, [])
    assert [(each.code, each.names) for each in found.not_proved] == [
        ("outside", ("/etc/ssl/openssl.cnf",))
    ]
    assert verified(reference, others_ok=True).exit_code == ExitCode.OK


@pytest.mark.usefixtures("_with_its_base")
@pytest.mark.parametrize(
    ("path", "code"), [(f"{LIBRARY}/os.py", ExitCode.NO), (SSL, ExitCode.CANNOT_TELL)]
)
def test_what_the_environments_own_layer_takes_from_the_base_is_told_with_the_base_alone(
    tmp_path: Path, path: str, code: ExitCode
) -> None:
    """dpkg takes away libraries of the base itself, where it brings newer ones."""
    layers = (LIBRARIES, {**GOOD[1], path: Gone()}, GOOD[2])
    reference = image(tmp_path, layers=layers)
    assert verified(reference, against=PUBLISHED).exit_code == ExitCode.OK
    found = verified(reference, against=PUBLISHED, base=True)
    says = f"{path} of the base image is not there"
    assert found.exit_code == code
    assert told(found) == ([("outside", says)] if code == ExitCode.NO else [])


@pytest.mark.parametrize(
    "path",
    [
        "/root/.cache/uv/archive-v0/abc/idna/fast.cpython-311-x86_64-linux-gnu.so",
        "/opt/conda/pkgs/openssl-3/lib/libssl.so.3",
    ],
)
def test_a_cache_that_was_emptied_is_no_other_program(tmp_path: Path, path: str) -> None:
    layers = (GOOD[0], {**GOOD[1], path: b"ELF"}, {path: Gone()}, GOOD[2])
    found = verified(image(tmp_path, layers=layers), against=PUBLISHED)
    assert (found.exit_code, told(found)) == (ExitCode.CANNOT_TELL, [])


@pytest.mark.usefixtures("_with_its_base")
@pytest.mark.parametrize("at", [1, 3])
def test_what_our_own_steps_take_away_is_fine(tmp_path: Path, at: int) -> None:
    gone: Layer = {path: Gone() for path in OF_STEPS}
    layers = list(LAYERS)
    layers[at:at] = [gone]
    found = verified(image(tmp_path, layers=layers), against=PUBLISHED, base=True)
    assert (found.exit_code, told(found), found.not_proved) == (ExitCode.OK, [], ())


@pytest.mark.usefixtures("_with_its_base")
@pytest.mark.parametrize("asked", [{}, {"base": True}])
def test_a_folder_in_the_place_of_a_file_is_told(tmp_path: Path, asked: dict[str, bool]) -> None:
    over = layer(Member(f"{LIBRARY}/os.py", 0o755))
    found = verified(image(tmp_path, over, layers=LAYERS), against=PUBLISHED, **asked)
    says = f"{LIBRARY}/os.py is a folder now, and was none"
    assert (found.exit_code, told(found)) == (ExitCode.NO, [("outside", says)])


@pytest.mark.usefixtures("_with_its_base")
@pytest.mark.parametrize("asked", [{}, {"base": True}])
@pytest.mark.parametrize(
    "member",
    [
        Member(f"{SITE}/idna/core.py", 0, "file", CORE),
        Member(f"{SITE}/idna/core.py", 0o600, "file", CORE),
        Member(f"{SITE}/idna", 0),
        Member(f"{SITE}/idna", 0o711),
        Member("/opt/env", 0o700),
        Member("/opt", 0),
        Member(f"{LIBRARY}/json", 0),
        Member("/opt/env/pyvenv.cfg", 0, "file", images.PYVENV),
    ],
)
def test_what_nobody_can_read_is_told(
    tmp_path: Path, member: Member, asked: dict[str, bool]
) -> None:
    reference = image(tmp_path, layer(member), layers=LAYERS, starts={"User": "10001:10001"})
    found = verified(reference, against=PUBLISHED, **asked)
    assert found.exit_code == ExitCode.NO
    says = f"{member.path} cannot be read by the image's user: its mode is {member.mode:o}"
    assert ("unreadable", says) in told(found)


@pytest.mark.parametrize(
    ("user", "folder", "code"),
    [
        ("1000", (0o700, 1000), ExitCode.OK),
        ("jovyan", (0o700, 1000), ExitCode.OK),
        ("1000", (0o700, 1001), ExitCode.NO),
        ("1000", (0o055, 1000), ExitCode.NO),
        ("nobody", (0o700, 1000), ExitCode.NO),
        ("1000", (0o750, 0), ExitCode.OK),  # whether he is in that group nobody knows
        ("", (0o700, 0), ExitCode.CANNOT_TELL),
        ("9" * 5000, (0o755, 0), ExitCode.OK),
        ("0:0", (0o755, 0), ExitCode.OK),
    ],
)
def test_the_images_own_user_may_be_the_only_one_who_reads_it(
    tmp_path: Path, user: str, folder: tuple[int, int], code: ExitCode
) -> None:
    users = {**BASE, "/etc/passwd": b"root:x:0:0::/:/bin/sh\njovyan:x:1000:100::/:/bin/sh\n"}
    made = layer(Member(f"{SITE}/idna", folder[0], owner=folder[1]), of=GOOD[1])
    reference = image(tmp_path, layers=(users, made, GOOD[2]), starts={"User": user})
    assert verified(reference, against=PUBLISHED).exit_code == code


def test_a_folder_above_that_root_alone_enters_is_fine_where_root_starts(tmp_path: Path) -> None:
    """uv keeps its Pythons below /root."""
    made = layer(Member("/opt", 0o700), of=GOOD[1])
    for user, code in (("", ExitCode.OK), ("10001:10001", ExitCode.NO)):
        reference = image(tmp_path, layers=(BASE, made, GOOD[2]), starts={"User": user})
        assert verified(reference, against=PUBLISHED).exit_code == code


@pytest.mark.usefixtures("_with_its_base")
def test_a_folder_of_libraries_that_nobody_can_enter_any_more_is_told(tmp_path: Path) -> None:
    closed = layer(Member("/usr/lib/x86_64-linux-gnu", 0o700))
    found = verified(image(tmp_path, closed, layers=LAYERS), against=PUBLISHED, base=True)
    says = "/usr/lib/x86_64-linux-gnu can no longer be read by everybody"
    assert (found.exit_code, told(found)) == (ExitCode.NO, [("outside", says)])


def test_an_image_without_layers_is_held_against_the_files_of_its_base(tmp_path: Path) -> None:
    found = read(image(tmp_path, layers=({**BASE, **GOOD[1], **GOOD[2]},)))[1]
    with open_image(image(tmp_path, layers=LAYERS)) as opened:
        base = Base(opened.config, tree(opened, lambda _: False))
    environment = Environment(found, None)
    named = Files(environment, Held(()), ()).named
    tampered, left = taken_away(environment, named, base, None)
    assert [each.says for each in tampered] == [f"{LIBRARY}/json of the base image is not there"]
    assert [each.names for each in left] == [("/etc", "/usr/lib")]


def test_the_lowest_layers_are_what_was_there_before_the_next(tmp_path: Path) -> None:
    with open_image(image(tmp_path, {f"{LIBRARY}/os.py": Gone()})) as opened:
        whole, lowest = read_layers(opened, lambda _: False, lambda _: None)
        assert f"{LIBRARY}/os.py" not in whole.entries
        assert [f"{LIBRARY}/os.py" in lowest(count).entries for count in (1, 3, 4)] == [
            True, True, False,
        ]  # fmt: skip
        assert f"{SITE}/socks.py" not in lowest(1).entries


@pytest.mark.parametrize("more", [(), (Member(f"{SITE}/sitecustomize.py", 0o755),)])
def test_bytecode_beside_a_folder_has_no_source(tmp_path: Path, more: tuple[Member, ...]) -> None:
    """Python passes over a folder without modules, and runs `sitecustomize.pyc` at each start."""
    record = f"{SITE}/idna-3.7.dist-info/RECORD"
    place, bytecode = f"{SITE}/sitecustomize.pyc", b"\xa7\r\r\nsteal"
    rows = IDNA[record] + row("sitecustomize.pyc", bytecode).encode()
    files = {**PYTHON, **IDNA, **SOCKS, record: rows, place: bytecode}
    reference = image(tmp_path, layers=(BASE, layer(*more, of=files), own_files()))
    found = verified(reference, against=PUBLISHED)
    assert (found.exit_code, told(found)) == (ExitCode.CANNOT_TELL, [])
    assert [(each.code, each.names) for each in found.not_proved] == [("bytecode", (place,))]
