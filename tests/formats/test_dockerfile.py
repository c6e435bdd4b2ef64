"""What the steps of a Dockerfile see: their own data, a password where they fetch, no more."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from envsnap.formats import formats
from envsnap.formats._files import image_files
from envsnap.lock._toml import loads
from envsnap.plan import BuildPlan, PlanOptions, plan
from envsnap.plan._model import (
    Interpreter,
    Layer,
    LeftOut,
    ProjectCode,
    Secret,
    SystemPackage,
    SystemPackages,
)
from tests import made
from tests.formats.test_golden import digest
from tests.linters import HADOLINT, SHELLCHECK

if TYPE_CHECKING:
    from pathlib import Path


def planned(**changes: object) -> BuildPlan:
    return dataclasses.replace(plan(made.manifest(), PlanOptions(), digest), **changes)  # type: ignore[arg-type]


def steps(text: str) -> dict[str, str]:
    """Every RUN of install.sh by its step and argument."""
    joined = text.replace("\\\n", " ")
    runs = [row for row in joined.splitlines() if row.startswith("RUN ")]
    return {row.rpartition("/install.sh ")[2]: row for row in (re.sub(r" +", " ", r) for r in runs)}


def test_a_step_sees_its_own_data_alone() -> None:
    found = steps(formats()["dockerfile"].render(planned())["Dockerfile"])
    assert list(found) == [
        "tools", "sources", "environment", "built", "layer 01-tiny", "finish",
    ]  # fmt: skip
    assert set(re.findall(r"source=(\S+?),", found["layer 01-tiny"])) == {
        "/mnt/envsnap/kit", "layers/01-tiny.json", "layers/pylock.01-tiny.toml",
    }  # fmt: skip


def test_what_is_built_from_source_comes_before_the_small_packages() -> None:
    large, *others = planned().wheels
    layers = (
        Layer(large.name, (large,)), Layer("medium", tuple(others)), Layer("tiny", ()),
        Layer("local", ()),
    )  # fmt: skip
    found = steps(formats()["dockerfile"].render(planned(layers=layers))["Dockerfile"])
    assert list(found) == [
        "tools", "sources", "environment", f"layer 01-{large.name}", "layer 02-medium", "built",
        "layer 03-tiny", "layer 04-local", "finish",
    ]  # fmt: skip


def test_passwords_and_authorities_are_seen_by_the_steps_that_fetch_and_by_no_other() -> None:
    secret = planned(
        secrets=(Secret("netrc", "/root/.netrc"),), ca_certificates="-----BEGIN CERTIFICATE-----\n"
    )
    files = formats()["dockerfile"].render(secret)
    assert files["ca.crt"] == "-----BEGIN CERTIFICATE-----\n"
    found = steps(files["Dockerfile"])
    mount = "--mount=type=secret,id=netrc,target=/root/.netrc,required=true"
    fetching = {name for name, row in found.items() if mount in row}
    assert fetching == {name for name, row in found.items() if "source=ca.crt" in row}
    assert fetching >= {"tools", "sources", "layer 01-tiny"}
    assert not fetching & {"environment", "built", "finish"}
    assert all(" NETRC=/root/.netrc sh " in found[each] for each in fetching)
    assert not any("NETRC=" in row for name, row in found.items() if name not in fetching)
    assert not re.search(r"(?m)^(ARG|ENV|COPY).*(netrc|ca\.crt)", files["Dockerfile"])


def test_a_relocatable_python_comes_by_a_stage_of_its_own() -> None:
    interpreter = Interpreter(
        how="archive", executable="/opt/python/bin/python3.11", filename="cpython-3.11.7.tar.gz",
        url="https://files.example/cpython-3.11.7.tar.gz", sha256="cd" * 32,
    )  # fmt: skip
    files = formats()["dockerfile"].render(planned(interpreter=interpreter))
    assert files["python.txt"] == (
        "executable /opt/python/bin/python3.11\n"
        "filename cpython-3.11.7.tar.gz\n"
        f"sha256 {'cd' * 32}\n"
        "url https://files.example/cpython-3.11.7.tar.gz\n"
    )
    text = files["Dockerfile"]
    assert text.count("COPY --from=python /opt/python /opt/python\n") == 2
    assert "\nFROM python AS tools\n" in text


def test_what_the_project_and_the_system_need_is_in_the_context() -> None:
    library = SystemPackage("libgl1", "libGL.so.1, which opencv-python needs\nRUN id")
    files = formats()["dockerfile"].render(
        planned(
            system=SystemPackages(image=(library,), snapshot="20260101T000000Z"),
            project=ProjectCode("mine", "ab" * 20, "cd" * 32),
            left_out=(LeftOut("a; rm -rf $HOME", "1", "because"),),
        )
    )
    assert files["system.txt"] == (
        "# Versions: those that the archive had on this day.\n"
        "snapshot 20260101T000000Z\npackage libgl1\n"
        "# libGL.so.1, which opencv-python needs?RUN id\n"
    )
    assert files["left-out.txt"] == "a; rm -rf $HOME\n"
    assert "!project.tar\n" in files[".dockerignore"]
    assert "\nWORKDIR /opt/project\n" in files["Dockerfile"]
    assert "rm -rf $HOME" not in files["install.sh"]


def test_a_layers_lock_and_its_proof_name_the_same_packages() -> None:
    files = image_files(planned())
    lock = loads(files["layers/pylock.01-tiny.toml"])
    proof = json.loads(files["layers/01-tiny.json"])
    wheels = {each.name: each for each in made.ARTIFACTS if each.filename.endswith(".whl")}
    assert {each["name"]: each["wheels"] for each in lock["packages"]} == {
        name: [{"name": each.filename, "url": each.url, "hashes": {"sha256": each.sha256}}]
        for name, each in wheels.items()
    }
    installed = proof["sections"]["packages"]["installed"]
    assert {each["name"].lower() for each in installed} == set(wheels)


def test_a_layer_is_held_to_both_digests_of_its_packages() -> None:
    whole = json.loads(planned().manifest)
    for each in whole["sections"]["packages"]["installed"]:
        each["outside"] = "ab" * 32
    files = image_files(planned(manifest=json.dumps(whole)))
    proof = json.loads(files["layers/01-tiny.json"])
    for each in proof["sections"]["packages"]["installed"]:
        assert (each["content"], each["outside"]) == ("0" * 64, "ab" * 32)


def test_a_small_change_of_the_manifest_leaves_the_layers_as_they_were() -> None:
    before, after = planned(), planned(captured="2026-02-01T00:00:00Z", labels=(("x", "y"),))
    files = [
        {path: text for path, text in image_files(each).items() if path.startswith("layers/")}
        for each in (before, after)
    ]
    assert files[0] == files[1]


@pytest.mark.skipif(not HADOLINT, reason="no hadolint")
def test_hadolint_finds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    secret = planned(secrets=(Secret("netrc", "/root/.netrc"),), ca_certificates="x")
    path.write_text(formats()["dockerfile"].render(secret)["Dockerfile"])
    done = subprocess.run([HADOLINT, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.skipif(not SHELLCHECK, reason="no shellcheck")
def test_shellcheck_finds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "install.sh"
    path.write_text(image_files(planned())["install.sh"])
    done = subprocess.run([SHELLCHECK, "-s", "sh", str(path)], capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")


def keys(plan: BuildPlan) -> dict[str, str]:
    """What each step says of the data that it sees."""
    found = steps(formats()["dockerfile"].render(plan)["Dockerfile"])
    return {name: row.partition("ENVSNAP_SEEN=")[2][:12] for name, row in found.items()}


def test_the_text_of_a_step_changes_with_the_data_that_it_sees_and_not_with_another_steps() -> None:
    """Buildah and Podman take a step with the same text from their cache, whatever it mounts."""
    before = keys(planned())
    other = made.artifact("idna", "3.7", "idna-3.7-py3-none-any.whl", sha256="ee" * 32)
    artifacts = tuple(other if each.name == "idna" else each for each in made.ARTIFACTS)
    after = keys(plan(made.manifest(artifacts=artifacts), PlanOptions(), digest))
    assert {name for name, key in after.items() if before[name] != key} == {"layer 01-tiny"}
    assert keys(planned(captured="2026-02-01T00:00:00Z")) == before


def test_a_file_that_travels_changes_the_text_of_the_step_that_installs_it() -> None:
    code = ProjectCode("mine", "ab" * 20, "cd" * 32)
    found = [keys(planned(project=each)) for each in (code, code._replace(sha256="ef" * 32))]
    assert {name for name, key in found[0].items() if found[1][name] != key} == {"project"}
