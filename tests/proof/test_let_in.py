"""What would let other code in under a name that is known: programs, places, settings, starts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from envsnap import _verify
from envsnap._verify import Published
from envsnap.errors import ExitCode
from envsnap.proof import Base
from tests.proof.images import (
    BASE,
    GOOD,
    IDNA,
    PYTHON,
    SOCKS,
    Layer,
    Link,
    image,
    manifest,
    own_files,
    told,
    verified,
)  # fmt: skip

if TYPE_CHECKING:
    from pathlib import Path

    from envsnap.images import Image

PUBLISHED = Published(manifest(), "paper.json")
PATH = "PATH=/opt/env/bin:/usr/local/bin"
EVIL = b"#!/bin/sh\nsteal\n"
WHEELS = "/opt/envsnap/wheels"


@pytest.fixture(autouse=True)
def _with_its_base(monkeypatch: pytest.MonkeyPatch) -> None:
    """The base image that a registry has is the first layer, and sets and starts nothing."""

    def base(opened: Image, _: object) -> tuple[str, Base, list[object]]:
        own = replace(
            opened.config, environ={}, entrypoint=(), command=(), health=(),
            diff_ids=opened.config.diff_ids[:1],
        )  # fmt: skip
        return "docker://base", Base(own, None), []

    monkeypatch.setattr(_verify, "_base", base)


def answer(reference: str) -> tuple[ExitCode, list[tuple[str, str]], list[str]]:
    found = verified(reference, against=PUBLISHED, base=True)
    return found.exit_code, told(found), [name for each in found.not_proved for name in each.names]


def test_the_good_image_is_the_environment(tmp_path: Path) -> None:
    assert answer(image(tmp_path)) == (ExitCode.OK, [], [])


@pytest.mark.parametrize(
    "name", ["python3", "python3.11", "python3.99", "activate", "activate.ps1"]
)
def test_a_program_of_a_later_layer_is_not_the_makers_by_its_name(
    tmp_path: Path, name: str
) -> None:
    found = answer(image(tmp_path, {f"/opt/env/bin/{name}": EVIL}))
    assert found == (ExitCode.NO, [("unowned", f"bin/{name} belongs to no package")], [])


def test_every_name_of_the_same_python_is_the_makers(tmp_path: Path) -> None:
    copy = BASE["/usr/local/bin/python3.11"]
    names: Layer = {"/opt/env/bin/python3": Link("python"), "/opt/env/bin/python3.11": copy}
    assert answer(image(tmp_path, layers=(BASE, {**GOOD[1], **names}, GOOD[2])))[0] == ExitCode.OK


@pytest.mark.parametrize("place", [f"{WHEELS}/py", "/.singularity.d/x", "/.singularity.d/env"])
def test_no_folder_is_left_out_that_could_hold_another_python(tmp_path: Path, place: str) -> None:
    config = f"home = {place}/bin\ninclude-system-site-packages = false\nversion = 3.11.7\n"
    layer: Layer = {
        **PYTHON, **IDNA, **SOCKS, "/opt/env/pyvenv.cfg": config.encode(),
        "/opt/env/bin/python": Link(f"{place}/bin/python3"), f"{place}/bin/python3": EVIL,
        f"{place}/lib/python3.11/os.py": b"steal()\n",
    }  # fmt: skip
    code, tampered, left = answer(image(tmp_path, layers=(BASE, layer, own_files())))
    assert code in {ExitCode.NO, ExitCode.CANNOT_TELL}
    assert f"{place}/lib/python3.11/os.py" in str((tampered, left))


@pytest.mark.parametrize("what", [EVIL, Link("/srv/x")])
def test_beside_the_verifier_lie_wheels_alone(tmp_path: Path, what: bytes | Link) -> None:
    layer: Layer = {f"{WHEELS}/a-1-py3-none-any.whl": b"PK", f"{WHEELS}/b": what}
    says = f"{WHEELS}/b lies beside the verifier, and is none of its files"
    assert answer(image(tmp_path, layer)) == (ExitCode.NO, [("verifier", says)], [])


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("home = /usr/local/bin", "pyvenv.cfg home: wanted one, found 2"),
        ("Home=x/bin", "pyvenv.cfg home: wanted an absolute path, found x/bin"),
    ],
)
def test_a_pyvenv_cfg_says_where_its_python_is_once(tmp_path: Path, line: str, says: str) -> None:
    """Python's start takes the first line of a key, and others the last."""
    text = PYTHON["/opt/env/pyvenv.cfg"]
    assert isinstance(text, bytes)
    found = answer(image(tmp_path, {"/opt/env/pyvenv.cfg": text + f"{line}\n".encode()}))
    assert found[0] == ExitCode.NO
    assert ("setting", says) in found[1]


@pytest.mark.parametrize("line", ["BASH_FUNC_python3%%=() {  steal; }", "PROMPT_COMMAND=steal"])
def test_what_a_shell_would_run_of_its_variables_is_told(tmp_path: Path, line: str) -> None:
    says = f"the image sets {line}, which the manifest does not have"
    assert answer(image(tmp_path, environ=(PATH, line))) == (ExitCode.NO, [("setting", says)], [])


@pytest.mark.parametrize(
    "starts",
    [
        {"Cmd": ["./python"]},
        {"Cmd": ["/srv/python"]},
        {"Healthcheck": {"Test": ["CMD", "python", "-c", "steal()"]}},
    ],
)
def test_what_an_image_starts_is_no_known_program_by_the_end_of_its_path(
    tmp_path: Path, starts: dict[str, object]
) -> None:
    code, tampered, left = answer(image(tmp_path, starts=starts))
    assert (code, tampered, len(left)) == (ExitCode.CANNOT_TELL, [], 1)


def test_the_scripts_of_a_sif_excuse_nothing_in_an_image_that_is_none(tmp_path: Path) -> None:
    script: Layer = {"/.singularity.d/env/90-environment.sh": b"export PATH=/opt/env/bin\n"}
    reference = image(
        tmp_path, script, environ=("PATH=/srv", "PYTHONPATH=/srv"),
        starts={"Entrypoint": ["sh", "-c", "steal"]},
    )  # fmt: skip
    code, tampered, left = answer(reference)
    assert code == ExitCode.NO
    says = "the image sets PYTHONPATH=/srv, which the manifest does not have"
    assert ("setting", says) in tampered
    assert left == ["sh -c steal", "/.singularity.d/env/90-environment.sh"]


def test_a_folder_of_programs_has_none_of_the_makers(tmp_path: Path) -> None:
    below: Layer = {"/opt/env/bin/x/activate": EVIL, "/opt/env/bin/x/python": Link("../python")}
    found = answer(image(tmp_path, layers=(BASE, {**GOOD[1], **below}, GOOD[2])))
    assert found[:2] == (
        ExitCode.NO,
        [("unowned", f"bin/x/{name} belongs to no package") for name in ("activate", "python")],
    )
