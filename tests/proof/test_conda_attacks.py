"""An attacker changes an image's files together with conda-meta: the answer is not YES."""

from __future__ import annotations

import json
import posixpath
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from envsnap.errors import ExitCode
from envsnap.proof import Verified
from tests.inside.rows import row
from tests.proof import conda
from tests.proof.conda import CONDA, PLACEHOLDER, PREFIX, SITE, installed, sha
from tests.proof.images import Gone, Layer, Link, told
from tests.proof.test_conda import looked

EVIL = b"#!/bin/sh\nsteal\n"
TOY, PYTHON = (f"{PREFIX}/conda-meta/{name}-0.json" for name in ("toy-1.0", "python-3.11.7"))
PIP = f"{PREFIX}/{SITE}/over-2.0.dist-info/RECORD"
CONTENT = "holds other files than it did: what conda-meta states is not what the manifest states"
NOT_OURS = (f"{PREFIX}/CACHEDIR.TAG", f"{PREFIX}/conda-meta/", PIP, PIP[:-6] + "INSTALLER")
"""What no archive gives: it starts nothing."""

Row = dict[str, Any]


def _data(path: str) -> bytes:
    data = CONDA[path]
    assert isinstance(data, bytes)
    return data


def rows_with(record: str, change: Callable[[list[Row]], object]) -> bytes:
    """conda's record of a package as an attacker writes it."""
    meta = json.loads(_data(record))
    change(meta["paths_data"]["paths"])
    return json.dumps(meta).encode()


def having(path: str, **fields: object) -> Callable[[list[Row]], object]:
    return lambda rows: [each.update(fields) for each in rows if each["_path"] == path]


def image_with(folder: Path, changes: Layer, *gone: str) -> Verified:
    base = {path: data for path, data in {**CONDA, **changes}.items() if path not in gone}
    return looked(folder, base=base)


@pytest.mark.parametrize("path", ["bin/python", "lib/libz.so"])
@pytest.mark.parametrize("digest", [sha(EVIL), "", None])
def test_a_file_in_the_place_of_a_link_is_not_believed(
    tmp_path: Path, path: str, digest: str | None
) -> None:
    meta = rows_with(PYTHON, having(path, sha256=digest))
    found = image_with(tmp_path, {f"{PREFIX}/{path}": EVIL, PYTHON: meta})
    assert ("content", f"python 3.11.7 {CONTENT}") in told(found)


def test_a_file_in_the_place_of_a_link_is_named_by_the_honest_row(tmp_path: Path) -> None:
    found = image_with(tmp_path, {f"{PREFIX}/lib/libz.so": EVIL})
    assert [(each.kind, each.package, each.path) for each in found.tampered] == [
        ("edited", "python", f"{PREFIX}/lib/libz.so")
    ]


def test_a_copy_in_the_place_of_a_link_is_the_same(tmp_path: Path) -> None:
    copy = _data(f"{PREFIX}/lib/libz.so.1")
    assert image_with(tmp_path, {f"{PREFIX}/lib/libz.so": copy}).exit_code == ExitCode.OK


def test_a_link_in_the_place_of_a_file_is_told(tmp_path: Path) -> None:
    found = image_with(tmp_path, {f"{PREFIX}/share/toy.txt": Link("../lib/libz.so.1")})
    assert told(found) == [("link", "share/toy.txt is a link to ../lib/libz.so.1")]


def test_a_link_whose_row_has_no_hash_is_not_proved(tmp_path: Path) -> None:
    python = {**conda.PYTHON}
    meta = rows_with(PYTHON, having("lib/libz.so", sha256=""))
    lines = [
        line.replace(sha(_data(f"{PREFIX}/lib/libz.so.1")).encode(), b"")
        if line.startswith(b"lib/libz.so\0")
        else line
        for line in conda.lines(python)
    ]
    known = conda.manifest(python=sha(b"".join(sorted(lines))))
    found = looked(tmp_path, base={**CONDA, PYTHON: meta}, wanted=known)
    assert (found.exit_code, told(found)) == (ExitCode.CANNOT_TELL, [])
    assert [(each.code, each.names) for each in found.not_proved] == [
        ("content", (f"{PREFIX}/lib/libz.so",))
    ]


def test_a_link_that_was_led_elsewhere_with_its_row_is_told(tmp_path: Path) -> None:
    meta = rows_with(PYTHON, having("lib/libz.so", sha256=""))
    link: Layer = {f"{PREFIX}/lib/libz.so": Link("python3.11/os.py"), PYTHON: meta}
    assert ("content", f"python 3.11.7 {CONTENT}") in told(image_with(tmp_path, link))


OVER_INFO = {"_path": f"{SITE}/over-2.0.dist-info", "path_type": "directory"}


def test_no_directory_of_a_record_gives_its_files_up_to_pip(tmp_path: Path) -> None:
    meta = rows_with(PYTHON, lambda rows: rows.append(OVER_INFO))
    record = _data(PIP) + row("../../libz.so.1", EVIL).encode() + row("../os.py", EVIL).encode()
    files = {f"{PREFIX}/lib/libz.so.1": EVIL, f"{PREFIX}/lib/python3.11/os.py": EVIL}
    found = image_with(tmp_path, {**files, PIP: record, PYTHON: meta})
    assert found.exit_code == ExitCode.NO
    assert {(each.kind, each.path) for each in found.tampered} == {
        ("edited", path) for path in files
    }


def test_no_directory_of_a_record_excuses_a_missing_file(tmp_path: Path) -> None:
    meta = rows_with(PYTHON, lambda rows: rows.append(OVER_INFO))
    path = f"{PREFIX}/lib/python3.11/os.py"
    assert told(image_with(tmp_path, {PYTHON: meta}, path)) == [
        ("missing", "python lib/python3.11/os.py is not there")
    ]


def test_a_file_put_aside_for_one_that_only_pips_record_names_is_not_proved(tmp_path: Path) -> None:
    path, place = "lib/python3.11/os.py", "__clobbers__/python/lib/python3.11/os.py"
    meta = rows_with(PYTHON, having(path, _path=place))
    record = _data(PIP) + row("../os.py", EVIL).encode()
    moved = {f"{PREFIX}/{place}": _data(f"{PREFIX}/{path}"), f"{PREFIX}/{path}": EVIL}
    found = image_with(tmp_path, {**moved, PIP: record, PYTHON: meta})
    assert found.exit_code == ExitCode.CANNOT_TELL
    assert f"{PREFIX}/{path}" in found.not_proved[0].names


@pytest.mark.parametrize("name", ["git", "toy-git"])
def test_a_program_that_no_entry_point_names_is_no_packages(tmp_path: Path, name: str) -> None:
    added = {"_path": f"bin/{name}", "path_type": "unix_python_entry_point"}
    meta = rows_with(TOY, lambda rows: rows.append(added))
    text = conda.PROGRAM.format(module="toy").encode()
    found = image_with(tmp_path, {f"{PREFIX}/bin/{name}": text, TOY: meta})
    assert told(found) == [("unowned", f"bin/{name} belongs to no package")]


@pytest.mark.parametrize(
    "start",
    ["#!/opt/env/bin/python3.11 -cimport os", "#!/opt/env/bin/python3-evil",
     "#!/bin/sh\n'''exec' /opt/env/bin/python \"$0\" ; steal\n' '''"],
)  # fmt: skip
def test_a_program_that_starts_with_more_than_its_python_is_told(
    tmp_path: Path, start: str
) -> None:
    text = conda.PROGRAM.format(module="toy").replace("#!/opt/env/bin/python3.11", start)
    found = image_with(tmp_path, {f"{PREFIX}/bin/toy": text.encode()})
    assert ("unowned", "bin/toy belongs to no package") in told(found)


def test_a_program_of_a_package_without_entry_points_is_not_proved(tmp_path: Path) -> None:
    bare = conda.package("toy", conda.BARE, more=conda.TOY_PROGRAM)
    base = {path: each for path, each in CONDA.items() if "toy-1.0" not in path}
    known = conda.manifest(toy=conda.BARE)
    found = looked(tmp_path, base={**base, **bare}, wanted=known)
    assert (found.exit_code, told(found)) == (ExitCode.CANNOT_TELL, [])
    assert [each.names for each in found.not_proved] == [(f"{PREFIX}/bin/toy",)]


def test_a_folder_that_was_left_as_it_is_in_the_archive_is_told(tmp_path: Path) -> None:
    def without(rows: list[Row]) -> None:
        for each in rows:
            if each["_path"] == "etc/where.cfg":
                del each["prefix_placeholder"], each["file_mode"]

    raw = conda.PYTHON["etc/where.cfg"]
    layer = {f"{PREFIX}/etc/where.cfg": raw, PYTHON: rows_with(PYTHON, without)}
    assert ("content", f"python 3.11.7 {CONTENT}") in told(image_with(tmp_path, layer))


def test_a_folder_that_was_written_in_one_of_two_places_is_not_proved(tmp_path: Path) -> None:
    raw = conda.PYTHON["etc/where.cfg"]
    assert isinstance(raw, bytes)
    half = raw.replace(PLACEHOLDER.encode(), PREFIX.encode(), 1)
    found = image_with(tmp_path, {f"{PREFIX}/etc/where.cfg": half})
    assert found.exit_code == ExitCode.CANNOT_TELL
    assert [each.names for each in found.not_proved] == [(f"{PREFIX}/etc/where.cfg",)]


def test_a_wider_folder_takes_nothing_more_out_of_a_file(tmp_path: Path) -> None:
    wide = f"{PLACEHOLDER}/etc"
    raw = conda.PYTHON["etc/where.cfg"]
    assert isinstance(raw, bytes)
    meta = rows_with(PYTHON, having("etc/where.cfg", prefix_placeholder=wide))
    cut = raw.replace(wide.encode(), PREFIX.encode())
    found = image_with(tmp_path, {f"{PREFIX}/etc/where.cfg": cut, PYTHON: meta})
    assert ("content", f"python 3.11.7 {CONTENT}") in told(found)


@pytest.mark.parametrize(
    "path",
    ["bin/activate", "bin/python2", "bin/activate_this.py", "bin/python3.99", "pyvenv.cfg",
     "conda-meta/state"],
)  # fmt: skip
def test_what_only_a_venv_or_conda_itself_would_leave_is_no_packages(
    tmp_path: Path, path: str
) -> None:
    found = image_with(tmp_path, {f"{PREFIX}/{path}": b"home = /srv/evil/bin\n"})
    assert ("unowned", f"{path} belongs to no package") in told(found)


def test_another_file_of_conda_meta_is_not_proved(tmp_path: Path) -> None:
    path = f"{PREFIX}/conda-meta/pinned"
    found = image_with(tmp_path, {path: b"python 3.*\n"})
    assert (found.exit_code, told(found)) == (ExitCode.CANNOT_TELL, [])
    assert [(each.code, each.names) for each in found.not_proved] == [("outside", (path,))]


@pytest.mark.parametrize("mode", ["text", "binary"])
def test_a_file_that_names_a_common_folder_of_itself_is_not_called_edited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr(conda, "PREFIX", "/opt/conda")
    ends = b"\0" if mode == "binary" else b"\n"
    files = {f"{SITE}/a.py": b"", "lib/own": b"/lib".join([PLACEHOLDER.encode(), ends])}
    files["lib/own"] += b"/opt/conda/share" + ends
    record = conda.record("python", files, {}, "3.11.7")
    known = conda.manifest(more=(record,), only=True)
    base = conda.package("python", files, "3.11.7")
    found = looked(tmp_path, base=base, wanted=known)
    assert "edited" not in {each.kind for each in found.tampered}
    assert any("/opt/conda/lib/own" in each.names for each in found.not_proved)


PATHS = sorted(path for path in CONDA if not path.startswith(NOT_OURS))
INNER = [path.removeprefix(f"{PREFIX}/") for path in PATHS]
NEW = ["bin/git", "bin/activate", "pyvenv.cfg", "lib/libevil.so", f"{SITE}/evil.pth",
       "conda-meta/state", "conda-meta/evil.json", "share/more.txt"]  # fmt: skip
RAW = [data for data in conda.PYTHON.values() if isinstance(data, bytes)]
PUT = some.one_of(
    some.sampled_from([EVIL, b"", conda.PROGRAM.format(module="toy").encode(), *RAW]),
    some.sampled_from([installed(each).replace(b"etc", b"evi") for each in RAW]),
    some.sampled_from(["python3.11", "libz.so.1", "python3.11/os.py", "/srv/evil", "nowhere"]).map(
        Link
    ),
    some.just(Gone()),
)
SAID = some.one_of(
    some.sampled_from(["", None, sha(EVIL), sha(b""), *map(sha, RAW), PLACEHOLDER]),
    some.sampled_from([f"{PLACEHOLDER}/etc", "text", "binary", "softlink", "hardlink"]),
    some.sampled_from(["directory", "unix_python_entry_point", "pyc_file", 7, []]),
    some.sampled_from([*INNER, *NEW, *(f"__clobbers__/python/{each}" for each in INNER)]),
)
FIELD = some.sampled_from(
    ["_path", "path_type", "sha256", "sha256_in_prefix", "prefix_placeholder", "file_mode"]
)
EDIT = some.tuples(some.sampled_from([TOY, PYTHON]), some.sampled_from([*INNER, *NEW]), FIELD, SAID)


def _effective(files: Mapping[str, object], path: str) -> object:
    """What whoever opens a file reads; a link out of the environment stands for itself."""
    found, place = files.get(path), path
    for _ in range(9):
        if not isinstance(found, Link):
            return found
        place = posixpath.normpath(posixpath.join(posixpath.dirname(place), found.target))
        if place not in files:
            return found
        found = files[place]
    return found


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    path=some.sampled_from([*PATHS, *(f"{PREFIX}/{each}" for each in NEW)]),
    put=some.none() | PUT,
    edits=some.lists(EDIT, max_size=3),
    is_aimed=some.booleans(),
)
def test_only_what_an_install_of_the_archives_gives_is_answered_yes(
    path: str, put: bytes | Link | Gone | None, edits: list[Any], *, is_aimed: bool
) -> None:
    changes: dict[str, Any] = {} if put is None else {path: put}
    metas = {each: json.loads(_data(each)) for each in (TOY, PYTHON)}
    inner = path.removeprefix(f"{PREFIX}/")
    for record, name, field, value in edits:
        rows, wanted = metas[record]["paths_data"]["paths"], inner if is_aimed else name
        found = [each for each in rows if each["_path"] == wanted]
        if not found:
            found = [{"_path": wanted, "path_type": "hardlink", "sha256": sha(EVIL)}]
            rows += found
        is_hash = is_aimed and field == "sha256" and isinstance(put, bytes)
        found[0][field] = sha(put) if is_hash and isinstance(put, bytes) else value
    changes |= {each: json.dumps(meta).encode() for each, meta in metas.items()}
    whole = {**CONDA, **changes}
    files = {name: data for name, data in whole.items() if not isinstance(data, Gone)}
    with tempfile.TemporaryDirectory() as folder:
        answer = looked(Path(folder), base=files)
    if answer.exit_code == ExitCode.OK:
        kept = {each for each in files if not each.startswith(NOT_OURS)}
        assert kept == set(PATHS)
        assert {each: _effective(files, each) for each in PATHS} == {
            each: _effective(CONDA, each) for each in PATHS
        }
