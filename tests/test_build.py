"""Recipes on disk, and what is said when an engine fails; no engine is needed."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

import pytest

from envsnap._build import BuildOptions, build
from envsnap.errors import FileError, PlanError
from envsnap.facts.registry_answers import NoSuchTag
from envsnap.formats._context import RECORD
from envsnap.images.registry import digest
from envsnap.manifest import load, parse
from envsnap.plan import PlanOptions
from envsnap.sections import Reason, Unknown
from tests import made
from tests.serving import served

if TYPE_CHECKING:
    from pathlib import Path

BASE = PlanOptions(base_image="registry.example/python:3.11.7@sha256:" + "ab" * 32)


def options(folder: Path, *formats: str, **changes: object) -> BuildOptions:
    return BuildOptions(formats=formats, output=str(folder), plan=BASE, **changes)  # type: ignore[arg-type]  # by name


def hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


ALL = ("dockerfile", "apptainer", "repo2docker")


def test_all_formats_share_a_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    recipes = build(made.manifest(), options(out, *ALL))
    assert below(out) == {*recipes.files, RECORD}
    assert {"Dockerfile", "envsnap.def", "binder/environment.yml"} <= below(out)
    assert load(str(out / "envsnap.lock.json")) == parse(recipes.plan.manifest.encode(), "plan")


def test_scripts_can_be_run_and_others_cannot(tmp_path: Path) -> None:
    build(made.manifest(), options(tmp_path, *ALL))
    mode = {
        path: stat.S_IMODE((tmp_path / path).stat().st_mode) & 0o111
        for path in ("install.sh", "binder/postBuild", "Dockerfile")
    }
    assert (mode["install.sh"] != 0, mode["binder/postBuild"] != 0, mode["Dockerfile"]) == (
        True,
        True,
        0,
    )


def test_the_record_names_bytes_and_no_place_or_time(tmp_path: Path) -> None:
    recipes = build(made.manifest(), options(tmp_path, "dockerfile"))
    record = json.loads((tmp_path / RECORD).read_text())
    assert record == {
        "about": "written by envsnap build; the folder can be deleted and made again",
        "base": {"digest": "sha256:" + "ab" * 32, "reference": BASE.base_image},
        "build": "2.0",
        "captured": "2026-01-31T12:00:00Z",
        "environment": recipes.plan.environment,
        "files": {path: hash_of(tmp_path / path) for path in below(tmp_path) - {RECORD}},
        "formats": ["dockerfile"],
        "image": None,
        "left_out": [],
        "manifest_sha256": recipes.plan.manifest_sha256,
        "platform": "linux/amd64",
        "system": None,
    }
    assert str(tmp_path) not in (tmp_path / RECORD).read_text()


def test_a_second_build_of_less_takes_its_own_files_away_and_no_others(tmp_path: Path) -> None:
    build(made.manifest(), options(tmp_path, *ALL))
    (tmp_path / "notes.txt").write_text("mine")
    build(made.manifest(), options(tmp_path, "apptainer"))
    assert "Dockerfile" not in below(tmp_path)
    assert "binder/postBuild" not in below(tmp_path)
    assert {"envsnap.def", "notes.txt"} <= below(tmp_path)


def test_a_record_that_leads_out_of_the_folder_deletes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(made.manifest(), options(out, "dockerfile"))
    mine = tmp_path / "mine"
    mine.write_text("kept")
    record = json.loads((out / RECORD).read_text())
    ways = ("../mine", str(mine), "a/../../mine", "..", "", "link/mine")
    (out / "link").symlink_to(tmp_path)
    record["files"].update(dict.fromkeys(ways, hash_of(mine)))
    (out / RECORD).write_text(json.dumps(record))
    build(made.manifest(), options(out, "dockerfile"))
    assert mine.read_text() == "kept"


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(FileError) as caught:
        build(made.manifest(), options(tmp_path, "dockerfile"))
    assert caught.value.message == f"{tmp_path} holds files that envsnap did not write"
    assert caught.value.hint == "Name another folder with -o, or give --force"
    assert below(tmp_path) == {"thesis.tex"}
    build(made.manifest(), options(tmp_path, "dockerfile", force=True))
    assert {"thesis.tex", "Dockerfile"} <= below(tmp_path)


def test_a_file_in_the_folders_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(FileError) as caught:
        build(made.manifest(), options(tmp_path / "out", "dockerfile"))
    assert caught.value.message == f"{tmp_path / 'out'} is no folder"


def test_a_manifest_without_a_plan_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(PlanError):
        build(made.manifest().with_lock(None), options(tmp_path / "out", "dockerfile"))
    assert not (tmp_path / "out").exists()


def test_the_same_manifest_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        build(made.manifest(), options(tmp_path / name, *ALL))
    assert below(tmp_path / "a") == below(tmp_path / "b")
    for path in below(tmp_path / "a"):
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()


class Registry(BaseHTTPRequestHandler):
    """Wants a token, as public registries do, and gives one to anybody."""

    def do_HEAD(self) -> None:
        known = self.path == "/v2/library/python/manifests/3.11.7"
        if self.headers.get("Authorization") != "Bearer t0ken":
            realm = f"http://{self.headers['Host']}/token"
            self.answer(401, "WWW-Authenticate", f'Bearer realm="{realm}",service="r",scope="s"')
        elif known:
            self.answer(200, "Docker-Content-Digest", "sha256:" + "cd" * 32)
        else:
            self.answer(404, "X-Nothing", "here")

    def do_GET(self) -> None:
        self.answer(200, "Content-Type", "application/json")
        self.wfile.write(json.dumps({"token": "t0ken"}).encode())

    def answer(self, status: int, name: str, value: str) -> None:
        self.send_response(status)
        self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[str]:
    with served(Registry) as address:
        yield address


def test_a_registry_is_asked_for_a_digest_with_an_anonymous_token(registry: str) -> None:
    assert digest(f"{registry}/library/python", "3.11.7") == "sha256:" + "cd" * 32


def test_a_tag_that_a_registry_lacks_has_no_digest(registry: str) -> None:
    assert digest(f"{registry}/library/python", "3.99") == NoSuchTag(
        f"{registry} answers 404 for library/python:3.99"
    )


def test_a_registry_that_is_not_there_is_no_error() -> None:
    found = digest("127.0.0.1:9/library/python", "3.11.7")
    assert isinstance(found, Unknown)
    assert found.reason is Reason.TIMED_OUT
    assert (found.detail or "").startswith("127.0.0.1:9 does not answer: ")
