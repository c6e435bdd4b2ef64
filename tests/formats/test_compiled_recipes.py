"""What is written where Python is compiled: a stage that has compilers, and an image without."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap._build import without_network
from envsnap.errors import PlanError
from envsnap.formats import formats
from envsnap.formats.apptainer import based_on
from envsnap.lint import lint
from envsnap.lint._definition import definition
from envsnap.lint._files import Beside
from envsnap.plan import BuildPlan, PlanOptions, plan
from tests import made
from tests.formats.test_dockerfile import steps
from tests.formats.test_golden import digest
from tests.linters import HADOLINT, SHELLCHECK

if TYPE_CHECKING:
    from pathlib import Path

BASE = "debian:bookworm-slim@sha256:" + "ab" * 32
FETCHER = "python:3.13.15-slim-bookworm@sha256:" + "ab" * 32
NAME = "Python-3.11.2.tgz"
SOURCE = "2411c74bda5bbcfcddaf4531f66d1adc73f247f529aee981b029513aefdbf849"
CA = "-----BEGIN CERTIFICATE-----\n"


def planned(**options: object) -> BuildPlan:
    manifest = made.manifest(python=made.python(version="3.11.2"))
    asked = PlanOptions(base_image="debian:bookworm-slim", **options)  # type: ignore[arg-type]
    return plan(manifest, asked, digest)


def travelling() -> BuildPlan:
    """The plan of a context that was fetched: nothing in it asks a network."""
    return without_network(dataclasses.replace(planned(), offline=True, sources=()))


def stages(text: str) -> list[str]:
    return [row for row in text.splitlines() if row.startswith(("FROM ", "COPY --from"))]


def seen(step: str) -> list[str]:
    return re.findall(r"source=(\S+?),", step)


def dockerfile(found: BuildPlan) -> str:
    return formats()["dockerfile"].render(found)["Dockerfile"]


def test_python_is_compiled_on_the_base_image_and_it_alone_comes_out() -> None:
    assert stages(dockerfile(dataclasses.replace(planned(), sources=()))) == [
        f"FROM {BASE} AS python", f"FROM {FETCHER} AS tools", f"FROM {BASE}",
        "COPY --from=python /opt/python /opt/python",
    ]  # fmt: skip


def test_sources_are_built_where_python_was_compiled_for_its_libraries_are_there() -> None:
    found = planned()
    assert found.sources != ()
    assert stages(dockerfile(found)) == [
        f"FROM {BASE} AS python", f"FROM {FETCHER} AS tools", "FROM python AS sources",
        f"FROM {BASE}", "COPY --from=python /opt/python /opt/python",
    ]  # fmt: skip


def test_the_steps_of_the_stage_see_their_own_data_alone() -> None:
    found = steps(dockerfile(planned(ca_certificates=CA)))
    assert list(found)[:3] == ["system python", "python", "tools"]
    assert seen(found["system python"]) == ["install.sh", "system-python.txt", "ca.crt"]
    assert seen(found["python"]) == ["install.sh", "python.txt", "ca.crt"]


def test_what_is_compiled_is_told_by_its_hash() -> None:
    files = formats()["dockerfile"].render(planned())
    assert files["python.txt"] == (
        "executable /opt/python/bin/python3.11\ncompiled yes\n"
        f"filename {NAME}\nsha256 {SOURCE}\n"
        f"url https://www.python.org/ftp/python/3.11.2/{NAME}\n"
    )
    packages = re.findall(r"(?m)^package (\S+)$", files["system-python.txt"])
    assert packages[:4] == ["build-essential", "ca-certificates", "curl", "libbz2-dev"]


def test_without_a_network_source_and_compilers_lie_beside_the_recipe() -> None:
    files = formats()["dockerfile"].render(travelling())
    found = steps(files["Dockerfile"])
    assert stages(files["Dockerfile"]) == [
        f"FROM {BASE} AS python", "FROM python AS tools", f"FROM {BASE}",
        "COPY --from=python /opt/python /opt/python",
    ]  # fmt: skip
    assert seen(found["system python"]) == ["install.sh", "system-python.txt", "debs-python"]
    assert seen(found["python"]) == ["install.sh", "python.txt", f"wheels/{NAME}"]
    kept = files[".dockerignore"].splitlines()
    assert {"!debs", "!debs-python", f"!wheels/{NAME}"} <= {*kept}


def parts(text: str) -> tuple[list[tuple[str, str]], Mapping[str, str], Mapping[str, str]]:
    """Headers of the stages of a definition, and their sections by name."""
    first, last = definition(text, Beside(".")).stages
    headers = [(each.key, each.value) for stage in (first, last) for each in stage.headers]
    by_name = [
        {" ".join((each.name, *each.arguments)): each.body for each in stage.sections}
        for stage in (first, last)
    ]
    return headers, by_name[0], by_name[1]


def test_a_definition_compiles_in_a_stage_of_the_same_base() -> None:
    text = formats()["apptainer"].render(planned(ca_certificates=CA))["envsnap.def"]
    headers, first, last = parts(text)
    base = "docker.io/library/debian@sha256:" + "ab" * 32
    assert headers == [
        ("bootstrap", "docker"), ("from", base), ("stage", "python"),
        ("bootstrap", "docker"), ("from", base), ("stage", "image"),
    ]  # fmt: skip
    assert [row.split()[0] for row in first["files"].splitlines() if row.strip()] == [
        "install.sh", "ca.crt", "python.txt", "system-python.txt",
    ]  # fmt: skip
    assert re.findall(r"install\.sh (.*)", first["post"]) == ["system python", "python"]
    assert last["files from python"].split() == ["/opt/python", "/opt/python"]
    assert "system-python.txt" not in last["files"]


def test_the_stage_of_a_definition_that_was_fetched_has_what_it_needs() -> None:
    found = based_on(travelling(), "oci-archive:base.tar")
    headers, first, last = parts(formats()["apptainer"].render(found)["envsnap.def"])
    assert [value for key, value in headers if key == "from"] == ["base.tar", "base.tar"]
    assert [row.split()[0] for row in first["files"].splitlines() if row.strip()] == [
        "install.sh", "debs-python", "python.txt", "system-python.txt", f"wheels/{NAME}",
    ]  # fmt: skip
    copied = [row.split()[0] for row in last["files"].splitlines() if row.strip()]
    assert "debs" in copied
    assert "debs-python" not in copied


@pytest.mark.parametrize("name", ["dockerfile", "apptainer"])
@pytest.mark.parametrize("found", [planned(), travelling()], ids=["online", "fetched"])
def test_what_is_written_has_no_trap_in_it(name: str, found: BuildPlan, tmp_path: Path) -> None:
    if name == "apptainer" and found.offline:
        found = based_on(found, "oci-archive:base.tar")
    for path, text in formats()[name].render(found).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert [each.message for each in lint([str(tmp_path)]).problems] == []


@pytest.mark.skipif(not HADOLINT, reason="no hadolint")
@pytest.mark.parametrize("found", [planned(), travelling()], ids=["online", "fetched"])
def test_hadolint_finds_nothing(found: BuildPlan, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(dockerfile(found))
    done = subprocess.run([HADOLINT, str(tmp_path / "Dockerfile")], capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.skipif(not SHELLCHECK, reason="no shellcheck")
@pytest.mark.parametrize("found", [planned(), travelling()], ids=["online", "fetched"])
def test_shellcheck_finds_nothing(found: BuildPlan) -> None:
    beside = based_on(found, "oci-archive:base.tar")
    _, first, _ = parts(formats()["apptainer"].render(beside)["envsnap.def"])
    done = subprocess.run(
        [SHELLCHECK, "-s", "sh", "-S", "style", "-e", "SC1091", "-"],
        input=first["post"], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == ""


def test_repo2docker_is_refused_for_its_python_is_condas() -> None:
    with pytest.raises(PlanError) as caught:
        formats()["repo2docker"].render(planned())
    assert caught.value.message == (
        f"repo2docker takes Python from conda's channels, and Python 3.11.2 is compiled from {NAME}"
    )
    assert caught.value.hint == (
        "Write a Dockerfile or a definition instead: --docker, or --singularity"
    )
    assert caught.value.exit_code == 6


@given(text=st.text(st.sampled_from("aZ0 \n\r%{}$`'\"\\#;&|<>*?:/.-_\x00"), max_size=12))
def test_a_source_is_one_word_of_the_data_or_refused(text: str) -> None:
    found = planned()
    for field in ("filename", "url", "sha256", "executable"):
        changed = dataclasses.replace(found.interpreter, **{field: text or "a b"})  # type: ignore[arg-type]
        try:
            files = formats()["dockerfile"].render(dataclasses.replace(found, interpreter=changed))
        except PlanError:
            continue
        rows = [row.split(" ") for row in files["python.txt"].splitlines()]
        assert [row[1] for row in rows if row[0] == field] == [text]
        assert {len(row) for row in rows} == {2}
