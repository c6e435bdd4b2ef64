"""What each format wrote, read back by the parser of its reader: right or refused, never misread.

Manifests are somebody else's files, so the values here are what means something in each syntax.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.errors import PlanError
from envsnap.formats import formats
from envsnap.formats._conda import channels
from envsnap.formats.apptainer import based_on, bootstrap
from envsnap.lint._definition import definition
from envsnap.lint._dockerfile import dockerfile, settings_of
from envsnap.lint._files import Beside
from envsnap.plan import BatchJob, LeftOut, Secret
from envsnap.plan._model import (
    FILES,
    BaseImage,
    SystemPackage,
    SystemPackages,
    Why,
)
from envsnap.sections import CondaArtifact, replace
from tests import made
from tests.formats.reading import NAMES, planned, rendered, yaml_of

if TYPE_CHECKING:
    from pathlib import Path

SPECIAL = st.text(
    st.sampled_from("aZ0 \t\n\r%{}$`'\"\\#;&|<>()[]*?!~^=:@,/.-_+\u2028\x00\x1b\N{SNOWMAN}"),
    max_size=12,
)
TRICKS = st.sampled_from((
    "{{ x }}", "{{x}}", "%post", "\n%post\n id", "bootstrap: docker", "\nbootstrap: docker",
    "$(id)", "`id`", "a b", "'", '"', "\\", "a\\", "#x", "\nRUN id", "EOF", "<<EOF", "x\ny", "--x",
    "https://a.example/x#sha256=0", "${localEnv:HOME}", "- pip:", "\n  - x", "*", "&a", "!x",
))  # fmt: skip
HOSTILE = st.one_of(SPECIAL, TRICKS)


def usual_shape(files: Mapping[str, str]) -> None:
    """Hold what its readers would do to what they do of a harmless plan."""
    if "Dockerfile" in files:
        usual = dockerfile(BASELINE["dockerfile"]["Dockerfile"], Beside("."))
        found = dockerfile(files["Dockerfile"], Beside("."))
        commands = ("RUN", "COPY", "ADD", "USER", "FROM", "CMD", "ENTRYPOINT", "SHELL")
        told = [(each.name, each.value) for each in found.instructions if each.name in commands]
        assert told == [
            (each.name, each.value) for each in usual.instructions if each.name in commands
        ]
        assert found.directives == ()
    if "envsnap.def" in files:
        parsed = definition(files["envsnap.def"], Beside("."))
        assert [each.name for each in parsed.sections] == [
            "files", "post", "environment", "labels", "test", "runscript", "help",
        ]  # fmt: skip
        bodies = {each.name: each.body for each in parsed.sections}
        usual_bodies = {
            each.name: each.body
            for each in definition(BASELINE["apptainer"]["envsnap.def"], Beside(".")).sections
        }
        assert bodies["post"] == usual_bodies["post"]
        assert bodies["files"] == usual_bodies["files"]
        assert not re.search(r"\{\{\s*\w+\s*\}\}", files["envsnap.def"])


BASELINE = {name: formats()[name].render(planned()) for name in NAMES}


@pytest.mark.parametrize("name", ["dockerfile", "apptainer"])
@given(variable=HOSTILE, value=HOSTILE)
def test_a_variable_is_read_back_or_refused(name: str, variable: str, value: str) -> None:
    for key in (variable, "X"):
        files = rendered(name, variables=((key, value),))
        if files is None:
            continue
        usual_shape(files)
        if name == "dockerfile":
            parsed = dockerfile(files["Dockerfile"], Beside("."))
            told: dict[str, str | None] = {
                each.name: each.value
                for one in parsed.instructions if one.name == "ENV" for each in settings_of(one)
            }  # fmt: skip
        else:
            parsed_def = definition(files["envsnap.def"], Beside("."))
            (section,) = [each for each in parsed_def.sections if each.name == "environment"]
            rows = [shlex.split(row) for row in section.rows if row.strip()]
            told = {row[1].partition("=")[0]: row[1].partition("=")[2] for row in rows}
        assert told[key] == value


@pytest.mark.parametrize("name", NAMES)
@given(text=HOSTILE)
def test_a_reason_and_a_label_change_nothing_that_is_run(name: str, text: str) -> None:
    why = Why(text, text, text)
    files = rendered(name, reasons=(why,), labels=(("io.envsnap.x", text),))
    if files is None:
        return
    usual_shape(files)
    if "envsnap.def" in files:
        parsed = definition(files["envsnap.def"], Beside("."))
        (labels,) = [each for each in parsed.sections if each.name == "labels"]
        assert [row.split()[0] for row in labels.rows if row.strip()] == ["io.envsnap.x"]


@pytest.mark.parametrize("name", NAMES)
@given(text=HOSTILE)
def test_a_name_that_is_left_out_changes_nothing_that_is_run(name: str, text: str) -> None:
    files = rendered(name, left_out=(LeftOut(text, text, text),))
    if files is None or name == "apptainer":  # one more file is copied there
        return
    scripts = [path for path in files if path.endswith((".sh", "postBuild", "job.sbatch"))]
    for path in scripts:
        assert (
            subprocess.run(["bash", "-n"], input=files[path].encode(), check=False).returncode == 0
        )


@given(text=HOSTILE)
def test_a_slurm_option_is_one_word_or_refused(text: str) -> None:
    for job in (BatchJob(partition=text), BatchJob(gres=text), BatchJob(time=text)):
        files = rendered("slurm", job=job)
        if files is None:
            continue
        asked = [row for row in files["job.sbatch"].splitlines() if row.startswith("#SBATCH")]
        assert len(asked) == 2
        assert shlex.split(asked[1].removeprefix("#SBATCH "))[0].split("=", 1)[1] == text


@given(text=HOSTILE)
def test_an_image_is_one_value_of_the_batch_script_or_refused(text: str) -> None:
    files = rendered("slurm", job=BatchJob(image=text))
    if files is None or not text:
        return
    (row,) = [row for row in files["job.sbatch"].splitlines() if row.startswith("image=")]
    done = subprocess.run(
        ["bash", "-c", f'unset ENVSNAP_IMAGE; {row}; printf %s "$image"'],
        capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout.decode() == text


def conda_package(**changes: object) -> CondaArtifact:
    found = CondaArtifact(
        name="zlib", version="1.3.1", build="h4ab18f5_1", subdir="linux-64",
        filename="zlib-1.3.1-h4ab18f5_1.conda", sha256="ab" * 32, md5="cd" * 16, size=1,
        url="https://conda.example/my-channel/linux-64/zlib-1.3.1-h4ab18f5_1.conda",
    )  # fmt: skip
    return replace(found, **changes)


@pytest.mark.parametrize("field", ["name", "version", "build"])
@given(text=HOSTILE)
def test_a_conda_package_is_read_back_or_refused(field: str, text: str) -> None:
    package = conda_package(**{field: text})
    files = rendered("conda", conda=(package,))
    if files is None:
        return
    wanted = f"{package.name}={package.version}={package.build}"
    assert wanted in yaml_of(files["environment.yml"])["dependencies"]  # type: ignore[operator]


@pytest.mark.parametrize("field", ["name", "version", "filename", "url", "sha256"])
@given(text=HOSTILE)
def test_a_package_of_pip_is_read_back_or_refused(field: str, text: str) -> None:
    wheel = replace(made.ARTIFACTS[1], **{field: text})
    files = rendered("conda", wheels=(wheel,), sources=())
    if files is None:
        return
    (below,) = [
        each for each in yaml_of(files["environment.yml"])["dependencies"]  # type: ignore[attr-defined]
        if isinstance(each, dict)
    ]  # fmt: skip
    (said,) = below["pip"]
    assert said == f"{wheel.name} @ {wheel.url}#sha256={wheel.sha256}"
    assert "\n" not in said


def test_a_conda_environment_names_the_channels_that_its_packages_are_from() -> None:
    packages = (conda_package(), conda_package(name="b", url=None), conda_package(name="c"))
    made_of = planned(conda=packages)
    assert channels(made_of) == ["https://conda.example/my-channel"]
    document = yaml_of(formats()["conda"].render(made_of)["environment.yml"])
    assert document["channels"] == ["https://conda.example/my-channel", "nodefaults"]
    assert document["dependencies"][:5] == [  # type: ignore[index]
        "b=1.3.1=h4ab18f5_1", "c=1.3.1=h4ab18f5_1", "pip", "python=3.11.7", "zlib=1.3.1=h4ab18f5_1",
    ]  # fmt: skip


def test_conda_lock_reads_the_environment_file(tmp_path: Path) -> None:
    parser = pytest.importorskip(
        "conda_lock.src_parser.environment_yaml", reason="conda-lock is not installed"
    )
    path = tmp_path / "environment.yml"
    path.write_text(formats()["conda"].render(planned(conda=(conda_package(),)))["environment.yml"])
    names = tmp_path / "names.json"  # which conda package a name of pip is: none is asked here
    names.write_text("{}")
    found = parser.parse_environment_file(path, ["linux-64"], mapping_url=str(names))
    told = {each.name: vars(each) for each in found.dependencies["linux-64"]}
    assert told["python"]["version"] == "3.11.7.*"
    assert (told["zlib"]["version"], told["zlib"]["build"]) == ("1.3.1", "h4ab18f5_1")
    idna = told["idna"]
    assert idna["url"] == "https://files.example/packages/idna-3.7-py3-none-any.whl"
    assert idna["hashes"] == ["sha256:" + "19" * 32]


@given(text=HOSTILE)
def test_a_line_of_apt_txt_is_a_name_or_refused(text: str) -> None:
    packages = SystemPackages(image=(SystemPackage(text, "somebody needs it"),))
    files = rendered("repo2docker", system=packages)
    if files is not None:
        assert re.fullmatch(r"[a-z0-9][a-z0-9+.-]+\n", files["binder/apt.txt"])


def test_a_system_package_has_the_name_that_repo2dockers_ubuntu_gives_it() -> None:
    packages = SystemPackages(
        image=(
            SystemPackage(
                "libgl1-mesa-glx", "they need it",
                ("libGL.so.1", "libGLX.so.0", "libgthread-2.0.so.0"),
                ("libgl1", "libglib2.0-0t64", "libglx0"),
            ),
            SystemPackage("git", "libX11.so.6 is only a word here"),
        )
    )  # fmt: skip
    files = formats()["repo2docker"].render(planned(system=packages))
    assert files["binder/apt.txt"] == "git\nlibgl1\nlibglib2.0-0t64\nlibglx0\n"


def test_a_devcontainer_points_at_the_dockerfile_and_asks_for_a_gpu_where_there_is_one() -> None:
    secrets = (Secret("netrc", "/root/.netrc"),)
    for gpu in (True, False):
        files = formats()["devcontainer"].render(planned(gpu=gpu, secrets=secrets))
        document = json.loads(files[".devcontainer/devcontainer.json"])
        assert document["build"] == {
            "dockerfile": "../Dockerfile", "context": "..",
            "options": [
                "--platform=linux/amd64",
                "--secret=id=netrc,src=${localEnv:ENVSNAP_NETRC:ENVSNAP_NETRC-names-no-file}",
            ],
        }  # fmt: skip
        assert document["remoteUser"] == "envsnap"
        assert document.get("hostRequirements") == ({"gpu": "optional"} if gpu else None)
        assert "Dockerfile" in files


def test_a_devcontainer_without_a_network_says_so_to_the_builder() -> None:
    files = formats()["devcontainer"].render(planned(offline=True))
    document = json.loads(files[".devcontainer/devcontainer.json"])
    assert document["build"]["options"] == ["--platform=linux/amd64", "--network=none"]


@pytest.mark.parametrize("agent", FILES)
def test_a_definition_starts_from_a_file(agent: str) -> None:
    text = formats()["apptainer"].render(based_on(planned(), f"{agent}:base.tar"))["envsnap.def"]
    assert text.splitlines()[:2] == [f"Bootstrap: {agent}", "From: base.tar"]


@given(text=HOSTILE)
def test_a_base_is_one_word_or_refused(text: str) -> None:
    for agent in (*FILES, "docker"):
        base = BaseImage(reference=f"{agent}:{text}", repository=text, tag=text, digest="sha256:0")
        try:
            found = bootstrap(base)
        except PlanError:
            continue
        assert re.fullmatch(r"[\w./:@!+~=-]+", found[1], re.ASCII)
