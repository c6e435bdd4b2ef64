"""envsnap pack: one file with all that a reader needs, the same bytes each time."""

from __future__ import annotations

import io
import json
import os
import struct
import sys
import zipfile
from pathlib import Path

import pytest

from envsnap.cli import main
from envsnap.manifest import FILE_NAME, load, save
from tests import made, wheels
from tests.cli.processes import BASE, Ended, envsnap, variables

SMALL = wheels.wheel("small", "1.0")
LARGE = wheels.wheel("large", "2.0", {"large.bin": bytes(1_500_000)})
PLAIN = made.package("idna", "3.7")
WORDS = ("--python", BASE.path)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A manifest whose image needs a base that nobody is asked for, with two local wheels."""
    packages = (wheels.packaged(LARGE), wheels.packaged(SMALL))
    artifacts = (wheels.artifact(LARGE), wheels.artifact(SMALL))
    manifest = made.manifest(packages, artifacts, python=wheels.PYTHON)
    save(manifest, str(tmp_path / FILE_NAME))
    wheels.wheelhouse(tmp_path / "wh", manifest, LARGE, SMALL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pack(project: Path, *words: str) -> Ended:
    """As a whole process whose network leads nowhere: the base image stays without a digest."""
    path = f"{os.path.dirname(sys.executable)}:/usr/bin:/bin"
    env = variables(PATH=path, https_proxy="http://127.0.0.1:9", DOCKER_HOST="tcp://127.0.0.1:9")
    return envsnap("pack", "--wheelhouse", "wh", *words, cwd=project, env=env)


def test_a_pack_has_manifest_locks_recipes_wheels_and_ten_lines(project: Path) -> None:
    ended = pack(project)
    assert (ended.code, ended.out) == (0, "environment.zip\n")
    with zipfile.ZipFile("environment.zip") as opened:
        names = opened.namelist()
        readme = opened.read("README.txt").decode()
    assert {
        ".dockerignore", "Dockerfile", "envsnap.def", "binder/postBuild", "install.sh", FILE_NAME,
        "pylock.toml", "requirements.txt", "README.txt", "wheels/wheelhouse.json",
        f"wheels/{LARGE.filename}", f"wheels/{SMALL.filename}",
    } <= set(names)  # fmt: skip
    assert len(readme.splitlines()) == 10
    commands = [line.split()[1] for line in readme.splitlines() if line.startswith("  envsnap ")]
    assert commands == ["restore", "build", "check"]
    assert "another one" in readme
    assert readme.splitlines()[-1] == "On no index and not in here: nothing."


def test_two_runs_give_the_same_bytes_and_the_size_that_was_said(project: Path) -> None:
    assert pack(project).code == 0
    first = Path("environment.zip").read_bytes()
    again = pack(project)
    assert again.code == 0
    assert Path("environment.zip").read_bytes() == first
    said = next(line for line in again.err.splitlines() if line.startswith("environment.zip: "))
    assert said == f"environment.zip: {len(first) / 1e6:.1f} MB, with 2 files that no index has"


def test_its_size_is_known_to_the_byte(project: Path) -> None:
    from envsnap._pack import PackOptions, make_pack, write_pack
    from envsnap.sections import Reason, Unknown

    def nobody(_reference: str) -> Unknown:
        return Unknown(Reason.NOT_ASKED, "nobody is asked")

    options = PackOptions(output="x.zip", wheelhouses=("wh",))
    made_now = make_pack(load(FILE_NAME), options, nobody)
    write_pack(made_now, "x.zip")
    assert made_now.size == (project / "x.zip").stat().st_size


def test_a_pack_behind_a_link_is_replaced_there_and_stays_closed_to_others(project: Path) -> None:
    (project / "data").mkdir()
    Path("environment.zip").symlink_to("data/all.zip")
    assert pack(project).code == 0
    first = Path("data/all.zip").read_bytes()
    Path("data/all.zip").chmod(0o600)
    assert pack(project).code == 0
    assert os.readlink("environment.zip") == "data/all.zip"
    assert Path("data/all.zip").read_bytes() == first
    assert Path("data/all.zip").stat().st_mode & 0o777 == 0o600
    assert os.listdir("data") == ["all.zip"]


def test_what_is_too_large_is_not_written_and_the_largest_are_named(project: Path) -> None:
    ended = pack(project, "--max-size", "1")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.splitlines()[-2:] == [
        "More than --max-size 1 allows: nothing is written",
        "  --without large   saves 1.5 MB",
    ]
    assert not (project / "environment.zip").exists()
    less = pack(project, "--max-size", "1", "--without", "Large")
    assert less.code == 0
    assert "Not in it: large 2.0: left out of this file (--without)\n" in less.err
    with zipfile.ZipFile("environment.zip") as opened:
        assert f"wheels/{LARGE.filename}" not in opened.namelist()
        readme = opened.read("README.txt").decode()
    assert readme.splitlines()[-1] == "On no index and not in here: large 2.0."


def test_a_file_of_somebody_else_is_not_replaced(project: Path) -> None:
    (project / "environment.zip").write_bytes(b"my thesis")
    ended = pack(project)
    assert (ended.code, ended.err) == (
        7,
        (
            "error: environment.zip is there already, and is no pack of this environment\n"
            "hint: Name another file with -o, or replace it with --force\n"
        ),
    )
    assert (project / "environment.zip").read_bytes() == b"my thesis"
    assert pack(project, "--force").code == 0


def test_what_is_nowhere_is_asked_for(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The Python that is named has none of these packages."""
    assert main(["pack", "-q", *WORDS]) == 6
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "large 2.0" in said
    assert not (project / "environment.zip").exists()


def test_a_reader_restores_checks_and_builds_from_the_one_file(project: Path) -> None:
    assert pack(project).code == 0
    away = project / "away"
    away.mkdir()
    (project / "environment.zip").rename(away / "environment.zip")
    env = variables(PATH=f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}")
    words = ["restore", "env", "--manifest", "environment.zip", *WORDS]
    restored = envsnap(*words, cwd=away, env=env)
    assert (restored.code, restored.out) == (0, "env/bin/python\n")
    assert "Restored 2 of 2 packages; all as captured\n" in restored.err
    words = ["check", "environment.zip", "--python", "env", "--select", "PKG,PYT", "-q"]
    assert envsnap(*words, cwd=away, env=env).code == 0
    base = "127.0.0.1:9/python:3.11.7@sha256:" + "ab" * 32
    built = envsnap(
        "build", "environment.zip", "--docker", "--base-image", base, cwd=away, env=env
    )  # fmt: skip
    assert built.code == 0
    assert (away / "envsnap-build" / "wheels" / SMALL.filename).read_bytes() == SMALL.raw


def hostile(members: dict[str, bytes], path: Path) -> str:
    path.write_bytes(wheels.zipped(members))
    return str(path)


def test_a_zip_that_is_no_pack_is_said(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for raw, why in (
        (b"PK no zip", "x.zip is no zip: it may be cut short"),
        (
            wheels.zipped({"a": b""}),
            "x.zip holds no envsnap.lock.json: it is no pack of envsnap's",
        ),
    ):
        (project / "x.zip").write_bytes(raw)
        assert main(["show", "x.zip"]) == 3
        assert capsys.readouterr().err == f"error: {why}\n"


def test_a_table_of_contents_without_end_is_not_read(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, 1 << 30, 0, 0)
    (project / "x.zip").write_bytes(b"\0" * 100 + end)
    assert main(["show", "x.zip"]) == 3
    said = capsys.readouterr().err
    assert said == "error: x.zip has a table of contents of 1024 MiB: no pack has\n"


def test_a_pack_with_a_name_that_leads_out_is_refused(project: Path) -> None:
    manifest = (project / FILE_NAME).read_bytes()
    listed = (project / "wh" / "wheelhouse.json").read_bytes()
    evil = listed.replace(SMALL.filename.encode(), b"../../evil.whl")
    members = {FILE_NAME: manifest, "wheels/wheelhouse.json": evil, "wheels/../../evil.whl": b"x"}
    hostile(members, project / "x.zip")
    env = variables(PATH=f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}")
    ended = envsnap("restore", "env", "--manifest", "x.zip", *WORDS, cwd=project, env=env)
    assert ended.code == 7
    assert "names '../../evil.whl', which is no name of a file below it" in ended.err
    assert not list(project.parent.glob("**/evil.whl"))


def test_a_pack_whose_list_promises_more_bytes_than_it_has_is_refused(project: Path) -> None:
    manifest = (project / FILE_NAME).read_bytes()
    listed = (project / "wh" / "wheelhouse.json").read_bytes()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr(FILE_NAME, manifest)
        opened.writestr("wheels/wheelhouse.json", listed)
        opened.writestr(f"wheels/{LARGE.filename}", bytes(len(LARGE.raw)))
    (project / "x.zip").write_bytes(target.getvalue())
    ended = envsnap("restore", "env", "--manifest", "x.zip", cwd=project)
    assert (ended.code, ended.err) == (
        7,
        (
            "error: x.zip has fewer bytes than the wheels that its list names\n"
            "hint: Unzip it, and name its folder wheels with --wheelhouse\n"
        ),
    )


def test_sizes_of_a_list_do_not_outweigh_each_other(project: Path) -> None:
    """A file of negative size cannot make room for one that swells."""
    rows = [
        {"name": name, "version": "1", "filename": f"{name}-1-py3-none-any.whl", "sha256": "0" * 64,
         "size": size, "how": "made"}
        for name, size in (("a", 10**12), ("b", -(10**12)))
    ]  # fmt: skip
    listed = json.dumps({"wheelhouse": "1", "environment": "x", "files": rows}).encode()
    members = {FILE_NAME: (project / FILE_NAME).read_bytes(), "wheels/wheelhouse.json": listed}
    hostile(members, project / "x.zip")
    ended = envsnap("restore", "env", "--manifest", "x.zip", cwd=project)
    assert ended.code == 7
    assert ended.err.endswith("does not say the hash, size and origin of b-1-py3-none-any.whl\n")


def test_a_member_that_swells_is_not_unpacked_whatever_the_list_says(project: Path) -> None:
    row = {"name": "a", "version": "1", "filename": "a-1-py3-none-any.whl", "sha256": "0" * 64,
           "size": 1, "how": "made"}  # fmt: skip
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr(FILE_NAME, (project / FILE_NAME).read_bytes())
        listed = {"wheelhouse": "1", "environment": "x", "files": [row]}
        opened.writestr("wheels/wheelhouse.json", json.dumps(listed))
        opened.writestr("wheels/a-1-py3-none-any.whl", bytes(5_000_000))
    (project / "x.zip").write_bytes(target.getvalue())
    ended = envsnap("restore", "env", "--manifest", "x.zip", cwd=project)
    said = "error: x.zip has fewer bytes than the wheels that its list names"
    assert (ended.code, ended.err.splitlines()[0]) == (7, said)


def test_a_pack_with_spoiled_bytes_is_no_fault_of_envsnap(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr(FILE_NAME, (project / FILE_NAME).read_bytes())
    raw = target.getvalue()
    at = 30 + len(FILE_NAME)
    (project / "x.zip").write_bytes(raw[:at] + b"\xff\xff" + raw[at + 2 :])
    assert main(["show", "x.zip"]) == 3
    said = "error: x.zip is no pack that can be read: Error -3 while decompressing data: "
    assert capsys.readouterr().err.startswith(said)


def test_the_table_of_contents_of_a_large_zip_is_bounded_too(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 9, 9, 1 << 30, 0)
    where = struct.pack("<4sLQL", b"PK\x06\x07", 0, 100, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, 100, 0, 0)
    (project / "x.zip").write_bytes(bytes(100) + large + where + end)
    assert main(["show", "x.zip"]) == 3
    said = capsys.readouterr().err
    assert said == "error: x.zip has a table of contents of 1024 MiB: no pack has\n"


def test_a_file_on_an_inner_host_is_one_that_others_cannot_fetch(project: Path) -> None:
    artifacts = (
        wheels.artifact(LARGE, url=f"http://10.1.2.3/{LARGE.filename}", how="index"),
        wheels.artifact(SMALL, url=f"http://localhost:3141/{SMALL.filename}", how="index"),
    )
    packages = (wheels.packaged(LARGE), wheels.packaged(SMALL))
    save(made.manifest(packages, artifacts, python=wheels.PYTHON), str(project / FILE_NAME))
    ended = pack(project)
    assert ended.code == 0
    with zipfile.ZipFile("environment.zip") as opened:
        names = [name for name in opened.namelist() if name.endswith(".whl")]
    assert names == [f"wheels/{LARGE.filename}", f"wheels/{SMALL.filename}"]


def test_what_only_an_inner_index_has_is_carried_and_named_nowhere_else(project: Path) -> None:
    url = f"http://127.0.0.1:8080/{SMALL.filename}"
    artifacts = (wheels.artifact(LARGE), wheels.artifact(SMALL, url=url, how="index"))
    packages = (wheels.packaged(LARGE), wheels.packaged(SMALL))
    save(made.manifest(packages, artifacts, python=wheels.PYTHON), FILE_NAME)
    assert pack(project).code == 0
    with zipfile.ZipFile("environment.zip") as opened:
        texts = {each: opened.read(each) for each in opened.namelist()}
    assert texts[f"wheels/{SMALL.filename}"] == SMALL.raw
    named = {name.rpartition("/")[2] for name, raw in texts.items() if b"127.0.0.1" in raw}
    assert named == {FILE_NAME}  # the record says what was captured
    assert f"./wheels/{SMALL.filename}".encode() in texts["requirements.txt"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_pack_with_two_manifests_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "two.zip"
    with zipfile.ZipFile(target, "w") as twice:
        for text in ("{}", "[]"):
            twice.writestr(FILE_NAME, text)
    assert main(["show", str(target)]) == 3
    said = f"error: {target} holds '{FILE_NAME}' twice: no pack of envsnap's does\n"
    assert capsys.readouterr().err == said


def test_a_fault_in_a_pack_names_the_pack(project: Path) -> None:
    assert pack(project).code == 0
    with zipfile.ZipFile("environment.zip") as opened:
        texts = {each: opened.read(each) for each in opened.namelist()}
    with zipfile.ZipFile("other.zip", "w") as target:
        for name, raw in texts.items():
            target.writestr(name, raw.replace(b"VERSION", b"VERSIOM") if "small" in name else raw)
    ended = envsnap("restore", "env", "--manifest", "other.zip", *WORDS, cwd=project)
    assert (ended.code, ended.err.splitlines()[-2:]) == (
        7,
        [
            f"error: {SMALL.filename} in other.zip has other bytes than its list says",
            "hint: Make it again where the environment is: envsnap pack",
        ],
    )
