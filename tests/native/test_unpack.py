"""Our own unpacking of a wheel: what is hostile in it is refused, and nothing is left outside."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from envsnap.engines._unpack import Schemes, unpack
from envsnap.errors import ToolError
from tests.wheels import TIME, coded, wheel, zipped

INFO = "a-1.dist-info"
FILES = {f"{INFO}/WHEEL": b"Root-Is-Purelib: true\n", f"{INFO}/METADATA": b"Name: a\nVersion: 1\n"}


@pytest.fixture
def place(tmp_path: Path) -> Schemes:
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    env = str(tmp_path / "env")
    return Schemes(env, str(site), str(site), f"{env}/bin/python")


def record(files: Mapping[str, bytes]) -> bytes:
    rows = [f"{name},sha256={coded(raw)},{len(raw)}\n" for name, raw in files.items()]
    return "".join([*rows, f"{INFO}/RECORD,,\n"]).encode()


def refused(tmp_path: Path, raw: bytes, place: Schemes) -> str:
    path = tmp_path / "a-1-py3-none-any.whl"
    path.write_bytes(raw)
    with pytest.raises(ToolError) as caught:
        unpack(str(path), place)
    return caught.value.message


def below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize(
    "name", ["../out.py", "/out/out.py", "a/../../out.py", "a\\..\\out.py", "C:/out.py", "./a.py"]
)
def test_a_member_that_leads_out_is_refused_before_anything_is_written(
    tmp_path: Path, place: Schemes, name: str
) -> None:
    files = {**FILES, "a.py": b"", name: b"evil"}
    said = refused(tmp_path, zipped({**files, f"{INFO}/RECORD": record(files)}), place)
    wheel_name = "a-1-py3-none-any.whl"
    assert said == f"{wheel_name} has a file that leads out of its folder: {name!a}"
    assert below(tmp_path) == {wheel_name}


def test_a_data_file_cannot_leave_the_prefix_by_a_link_that_is_there(
    tmp_path: Path, place: Schemes
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    os.symlink(outside, os.path.join(place.prefix, "share"))
    files = {**FILES, "a-1.data/data/share/x": b"evil"}
    said = refused(tmp_path, zipped({**files, f"{INFO}/RECORD": record(files)}), place)
    assert said == f"A link leads out of {place.prefix}: 'share/x'"
    assert below(outside) == set()


def test_a_link_in_a_wheel_is_refused(tmp_path: Path, place: Schemes) -> None:
    path = tmp_path / "a-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as whole:
        info = zipfile.ZipInfo("a", TIME)
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        whole.writestr(info, "/etc")
        files = {**FILES, "a": b"/etc"}
        for name, raw in {**FILES, f"{INFO}/RECORD": record(files)}.items():
            whole.writestr(name, raw)
    with pytest.raises(ToolError) as caught:
        unpack(str(path), place)
    assert caught.value.message == "a-1-py3-none-any.whl has a link or device in it: 'a'"
    assert below(Path(place.prefix)) == set()


def test_a_file_with_another_hash_than_its_record_does_not_stay(
    tmp_path: Path, place: Schemes
) -> None:
    files = {**FILES, "a.py": b"good"}
    raw = zipped({**files, "a.py": b"evil", f"{INFO}/RECORD": record(files)})
    said = refused(tmp_path, raw, place)
    assert said == "'a.py' in a-1-py3-none-any.whl is not what its RECORD says"
    assert "a.py" not in os.listdir(place.purelib)


def test_a_file_that_the_record_does_not_name_is_refused(tmp_path: Path, place: Schemes) -> None:
    raw = zipped({**FILES, "more.py": b"", f"{INFO}/RECORD": record(FILES)})
    said = refused(tmp_path, raw, place)
    assert said == "a-1-py3-none-any.whl holds 'more.py', which its RECORD does not name"
    assert below(Path(place.prefix)) == set()


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"no zip at all", "a-1-py3-none-any.whl is no wheel: File is not a zip file"),
        (zipped({"a.py": b""}), "a-1-py3-none-any.whl has 0 RECORDs, and a wheel has one"),
        (
            zipped({f"{INFO}/RECORD": b"", "b-2.dist-info/RECORD": b""}),
            "a-1-py3-none-any.whl has 2 RECORDs, and a wheel has one",
        ),
    ],
)
def test_what_is_no_wheel_is_said(tmp_path: Path, place: Schemes, raw: bytes, why: str) -> None:
    assert refused(tmp_path, raw, place) == why


def test_a_data_scheme_that_nobody_knows_is_refused(tmp_path: Path, place: Schemes) -> None:
    files = {**FILES, "a-1.data/etc/passwd": b"evil"}
    said = refused(tmp_path, zipped({**files, f"{INFO}/RECORD": record(files)}), place)
    wrong = "a-1.data/etc/passwd"
    assert said == f"a-1-py3-none-any.whl has a file of an unknown kind: {wrong!a}"


def test_an_entry_point_that_is_code_gets_no_script(tmp_path: Path, place: Schemes) -> None:
    points = "[console_scripts]\nok = a:main\nevil = os; import sys\n../up = a:main\n"
    made = wheel("a", "1", {"a.py": b""}, points=points)
    path = tmp_path / made.filename
    path.write_bytes(made.raw)
    unpack(str(path), place)
    assert os.listdir(os.path.join(place.prefix, "bin")) == ["ok"]
    assert not (tmp_path / "env" / "up").exists()


def spoiled(raw: bytes, name: str) -> bytes:
    """A zip in which this member's compressed bytes are no such thing."""
    with zipfile.ZipFile(io.BytesIO(raw)) as opened:
        info = opened.getinfo(name)
    at = info.header_offset + 30 + len(name)
    return raw[:at] + b"\xff\xff" + raw[at + 2 :]


def encrypted(raw: bytes) -> bytes:
    """A zip that says of its members that they are encrypted."""
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        parts = raw.split(mark)
        at = offset - 4
        raw = mark.join(
            [parts[0], *(part[:at] + bytes([part[at] | 1]) + part[at + 1 :] for part in parts[1:])]
        )
    return raw


def deflated(files: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as whole:
        for name, raw in files.items():
            whole.writestr(name, raw)
    return target.getvalue()


def test_what_the_zip_module_raises_is_told_of_the_wheel(tmp_path: Path, place: Schemes) -> None:
    files = {**FILES, f"{INFO}/RECORD": record(FILES)}
    shown = "a-1-py3-none-any.whl is no wheel: "
    for raw, why in (
        (spoiled(deflated(files), f"{INFO}/RECORD"), "Error -3 while decompressing data: "),
        (encrypted(zipped(files)), f"File '{INFO}/RECORD' is encrypted, password required"),
        (zipped({f"{INFO}/RECORD": b"a" * 200_000 + b",,\n"}), "field larger than field limit"),
        (b"PK", "File is not a zip file"),
    ):
        assert refused(tmp_path, raw, place).startswith(shown + why)
    assert below(tmp_path / "env") == set()


def test_a_wheel_that_swells_is_refused_before_anything_is_written(
    tmp_path: Path, place: Schemes
) -> None:
    target = io.BytesIO()
    with (
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as whole,
        whole.open("a.bin", "w", force_zip64=True) as member,
    ):
        for _ in range(300):
            member.write(bytes(1 << 20))
    raw = target.getvalue()
    assert refused(tmp_path, raw, place) == (
        f"a-1-py3-none-any.whl unpacks to more bytes than a wheel of {len(raw) >> 10} KiB can"
    )
    assert below(tmp_path / "env") == set()
