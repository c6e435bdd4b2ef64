"""What is around an environment in its image: programs, libraries, settings, the project's code."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from envsnap._templates import template
from envsnap._verify import Published
from envsnap.errors import ExitCode
from envsnap.images import Config, ImageTree
from envsnap.images._docker_archive import DockerArchive
from envsnap.manifest import Manifest
from envsnap.proof import Held, code
from envsnap.proof._environment import Environment
from envsnap.proof._files import Files
from envsnap.proof._outside import COMMAND, Base, command_text, outside
from envsnap.proof._starts import _RUNSCRIPT
from envsnap.proof._variables import said_by, value_of
from envsnap.sections import Git, Project
from tests import made
from tests.proof.images import (
    BASE,
    GOOD,
    Layer,
    Link,
    image,
    labels,
    manifest,
    read,
    told,
    verified,
)  # fmt: skip

if TYPE_CHECKING:
    from pathlib import Path

PUBLISHED = Published(manifest(), "paper.json")
LIBRARIES: Layer = {
    **BASE,
    "/usr/local/lib/libpython3.11.so.1.0": b"ELF",
    "/lib/x86_64-linux-gnu/libm.so.6": b"ELF",
    "/usr/local/cuda/lib64/libcudart.so.12": b"ELF",
    "/opt/nvidia/entrypoint.sh": b"#!/bin/sh\n",
}
LAYERS = (LIBRARIES, *GOOD[1:])
PATH = "PATH=/opt/env/bin:/usr/local/bin"


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/usr/local/bin/python3.11", "replaced"),
        ("/usr/local/lib/libpython3.11.so.1.0", "replaced"),
        ("/lib/x86_64-linux-gnu/libm.so.6", "replaced"),
        ("/etc/ld.so.conf.d/000.conf", "added"),
        ("/usr/bin/sitecustomize", "added"),
        ("/srv/any/libm.so.6", "added"),
        ("/opt/env/lib/libm.so.6", "added"),
    ],
)
def test_what_a_later_layer_does_to_programs_and_libraries_is_told(
    tmp_path: Path, path: str, what: str
) -> None:
    found = verified(image(tmp_path, {path: b"evil"}, layers=LAYERS), against=PUBLISHED)
    assert told(found) == [("outside", f"{path} was {what} after the environment was made")]
    assert found.tampered[0].layer == 3
    assert found.tampered[0].over == ((0,) if what == "replaced" else ())


def test_the_link_python_that_a_later_layer_sets_to_nowhere_is_told(tmp_path: Path) -> None:
    found = verified(image(tmp_path, {"/opt/env/bin/python": Link("/srv/evil")}, layers=LAYERS))
    assert told(found) == [("interpreter", "/opt/env/bin/python leads nowhere in the image")]


def test_what_nobody_vouches_for_is_not_proved_until_it_is_accepted(tmp_path: Path) -> None:
    reference = image(tmp_path, {"/srv/data.txt": b"1"}, layers=LAYERS)
    found = verified(reference)
    assert (found.exit_code, found.tampered) == (ExitCode.CANNOT_TELL, ())
    assert [(each.code, each.names) for each in found.not_proved] == [
        ("outside", ("/srv/data.txt",))
    ]
    assert verified(reference, allowed=frozenset({"outside"})).exit_code == ExitCode.OK


def test_a_layer_that_has_the_very_same_file_again_changes_nothing(tmp_path: Path) -> None:
    found = verified(image(tmp_path, {"/lib/x86_64-linux-gnu/libm.so.6": b"ELF"}, layers=LAYERS))
    assert (found.exit_code, found.tampered, found.not_proved) == (ExitCode.OK, (), ())


def test_the_command_that_install_writes_is_known_and_another_is_told(tmp_path: Path) -> None:
    good = {COMMAND: command_text("/opt/env").encode()}
    layers = (LIBRARIES, GOOD[1], {**GOOD[2], **good})
    assert verified(image(tmp_path, layers=layers)).exit_code == ExitCode.OK
    found = verified(image(tmp_path, {COMMAND: b"#!/bin/sh\nexit 0\n"}, layers=layers))
    assert told(found) == [
        ("verifier", f"{COMMAND} is not this envsnap's: do not trust what it prints")
    ]


def test_the_known_command_is_what_install_sh_writes() -> None:
    (block,) = re.findall(
        r"    \{\n((?:        .*\n)+)    \} >/usr/local/bin/envsnap-verify",
        template("install.sh.j2"),
    )
    words = ["sh", "-c", f"home=/opt/envsnap prefix=/opt/env\n{block}"]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    assert done.stdout == command_text("/opt/env")


def test_a_file_beside_the_verifier_is_told(tmp_path: Path) -> None:
    found = verified(image(tmp_path, {"/opt/envsnap/hashlib.py": b""}))
    assert told(found) == [
        ("verifier", "/opt/envsnap/hashlib.py lies beside the verifier, and is none of its files")
    ]


def test_a_verifier_of_which_no_label_tells_the_version_is_not_judged(tmp_path: Path) -> None:
    said = {name: value for name, value in labels().items() if not name.endswith("version")}
    found = verified(image(tmp_path, {"/opt/envsnap/verify.py": b""}, said=said))
    assert (found.tampered, [each.says for each in found.not_proved]) == (
        (), ["the verifier in the image, which is of a version that no label tells"]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("variable", "layer"),
    [
        ("LD_LIBRARY_PATH=/evil", {"/evil/x": b""}),
        ("LD_LIBRARY_PATH=lib", {}),
        ("PYTHONWARNINGS=ignore::evil.Warning", {}),
        ("BASH_ENV=/evil/x", {"/evil/x": b""}),
    ],
)
def test_variables_that_lead_to_other_code_are_told(
    tmp_path: Path, variable: str, layer: Layer
) -> None:
    found = verified(image(tmp_path, layer, layers=LAYERS, environ=(PATH, variable)))
    assert told(found) == [
        ("setting", f"the image sets {variable}, which the manifest does not have")
    ]


@pytest.mark.parametrize("folder", ["/usr/local/cuda/lib64", "/usr/local/nvidia/lib"])
def test_a_library_path_of_the_base_image_or_of_the_engine_is_fine(
    tmp_path: Path, folder: str
) -> None:
    environ = (PATH, f"LD_LIBRARY_PATH={folder}")
    assert verified(image(tmp_path, layers=LAYERS, environ=environ)).exit_code == ExitCode.OK


@pytest.mark.parametrize(
    ("starts", "names"),
    [
        ({"Entrypoint": ["/opt/nvidia/entrypoint.sh"], "Cmd": ["python"]}, []),
        ({"Entrypoint": ["/bin/sh", "-c", "evil"]}, ["/bin/sh -c evil"]),
        ({"Entrypoint": ["/evil"]}, ["/evil"]),
        ({"Cmd": ["python", "-c", "evil"]}, ["python -c evil"]),
    ],
)
def test_what_an_image_starts_with_is_known_or_told(
    tmp_path: Path, starts: dict[str, list[str]], names: list[str]
) -> None:
    found = verified(image(tmp_path, layers=LAYERS, starts=starts))
    assert [(each.code, *each.names) for each in found.not_proved] == [
        ("start", each) for each in names
    ]
    assert found.tampered == ()


SIF_PATH = b"""#!/bin/sh

    export PATH='/opt/env/bin':"$PATH"
    export CUBLAS_WORKSPACE_CONFIG=:4096:8
"""
OF_BASE = b'#!/bin/sh\nexport PATH="/usr/local/bin:/bin"\nexport LANG="${LANG:-"C.UTF-8"}"\n'
ENV = "/.singularity.d/env"
SIF: Layer = {
    f"{ENV}/10-docker2singularity.sh": OF_BASE,
    f"{ENV}/90-environment.sh": SIF_PATH,
    "/.singularity.d/runscript": "\n".join(_RUNSCRIPT).encode(),
}


@pytest.fixture
def _as_sif(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is opened counts as a SIF: to make one needs Apptainer."""
    monkeypatch.setattr(DockerArchive, "is_sif", True)


def sif(folder: Path, *more: Layer) -> str:
    """The files of a SIF, in one layer."""
    base = {**LIBRARIES, "/usr/local/bin/python": Link("python3.11")}
    whole = {**base, **GOOD[1], **GOOD[2], **SIF}
    for each in more:
        whole.update(each)
    return image(folder, layers=(whole,), environ=("PATH=/usr/local/bin",))


@pytest.mark.usefixtures("_as_sif")
def test_the_variables_of_a_sif_are_those_of_its_scripts(tmp_path: Path) -> None:
    found, tree = read(sif(tmp_path))
    assert (found.exit_code, found.tampered, found.not_proved) == (ExitCode.OK, (), ())
    assert said_by(tree).variables == {
        "PATH": "/opt/env/bin:/usr/local/bin:/bin", "LANG": "C.UTF-8",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    }  # fmt: skip


@pytest.mark.usefixtures("_as_sif")
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('export PATH="/evil:$PATH"', "PATH finds /evil/python before /opt/env/bin/python"),
        ("export LD_PRELOAD=/e.so",
         "the image sets LD_PRELOAD=/e.so, which the manifest does not have"),
    ],
)  # fmt: skip
def test_a_line_more_in_a_script_of_a_sif_is_told(tmp_path: Path, line: str, says: str) -> None:
    layer = {f"{ENV}/90-environment.sh": SIF_PATH + line.encode(), "/evil/python": b""}
    assert told(verified(sif(tmp_path, layer))) == [("setting", says)]


@pytest.mark.usefixtures("_as_sif")
def test_a_sif_is_held_against_the_files_of_its_base_image(tmp_path: Path) -> None:
    found = read(sif(tmp_path, {"/usr/local/bin/python3.11": b"evil", "/usr/bin/more": b""}))[1]
    environment = Environment(found, None)
    base = Base(made_config(), tree_of(tmp_path, {"/usr/local/bin/python": Link("python3.11")}))
    tampered, left = outside(environment, Files(environment, Held(()), ()).named, base)
    assert [each.says for each in tampered] == [
        "/usr/local/bin/python3.11 is not the file of the base image"
    ]
    assert "/usr/bin/more" in left[0].names


@pytest.mark.usefixtures("_as_sif")
def test_a_script_of_a_sif_that_nobody_knows_is_told(tmp_path: Path) -> None:
    path = f"{ENV}/96-more.sh"
    assert told(verified(sif(tmp_path, {path: b"export A=1\n"}))) == [
        ("setting", f"{path} runs at each start, and neither Apptainer nor a definition writes it")
    ]


@pytest.mark.usefixtures("_as_sif")
@pytest.mark.parametrize("name", ["env/99-base.sh", "actions/exec", "runscript", "startscript"])
def test_a_known_script_with_other_words_is_not_proved(tmp_path: Path, name: str) -> None:
    found = verified(sif(tmp_path, {f"/.singularity.d/{name}": b"#!/bin/sh\nevil\n"}))
    assert (found.exit_code, found.tampered) == (ExitCode.CANNOT_TELL, ())
    assert [(each.code, each.names) for each in found.not_proved] == [
        ("start", (f"/.singularity.d/{name}",))
    ]


@pytest.mark.usefixtures("_as_sif")
def test_a_library_where_a_sif_has_those_of_the_host_is_told(tmp_path: Path) -> None:
    path = "/.singularity.d/libs/libm.so.6"
    assert told(verified(sif(tmp_path, {path: b""}))) == [
        ("outside", f"{path} is loaded before other libraries, and nothing puts it there")
    ]


@pytest.mark.parametrize("text", ["$(id)", "`id`", '"$(id)"', '"${A:-$(id)}"', "a;id", "a b", "'"])
def test_a_value_that_a_shell_would_run_is_not_read(text: str) -> None:
    assert value_of(text, "A", {}) is None


def test_the_projects_code_is_held_against_the_commit_of_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("1\n")
    git = ("git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org")
    for words in (("init", "-q"), ("add", "train.py"), ("commit", "-q", "-m", "first")):
        subprocess.run((*git, *words), check=True)
    said = subprocess.run((*git, "rev-parse", "HEAD"), check=True, capture_output=True, text=True)
    wanted = of_commit(said.stdout.strip())
    layer = {"/opt/project/train.py": b"1\n"}
    tree = tree_of(tmp_path, layer)
    assert code(tree, wanted, str(tmp_path)) == ([], [])
    (unknown,) = code(tree, wanted, None)[1]
    assert (unknown.code, unknown.names) == ("project", ("/opt/project/train.py",))
    evil = tree_of(tmp_path, {"/opt/project/train.py": b"2\n", "/opt/project/numpy.py": b""})
    short = said.stdout[:12]
    assert [each.says for each in code(evil, wanted, str(tmp_path))[0]] == [
        f"/opt/project/numpy.py is not in the commit {short}",
        f"/opt/project/train.py is not as in the commit {short}",
    ]


def made_config() -> Config:
    """What a base image says of itself: nothing."""
    return Config(
        platform="", created="", labels={}, environ={}, user="", history=(), diff_ids=()
    )  # fmt: skip


def of_commit(commit: str) -> Manifest:
    git = Git(
        commit=commit, commit_time="2026-01-31T12:00:00Z", branch=None, changed_files=0,
        remote=None, pushed=True,
    )  # fmt: skip
    project = Project(name="paper", git=git, lock_files=(), newest_install=None)
    return made.manifest(project=project)


def tree_of(folder: Path, layer: Layer) -> ImageTree:
    return read(image(folder, layer))[1]
