"""A package whose version no installer takes: every recipe unpacks its wheel, or says why not."""

from __future__ import annotations

import json
import re

import pytest

from envsnap.errors import PlanError
from envsnap.formats import named
from envsnap.manifest import Manifest
from envsnap.plan import PlanOptions, plan
from envsnap.plan._model import BuildPlan
from envsnap.sections import Fact, replace
from tests import made, wheels

ODD = wheels.wheel("odd", "1.1build1")
USUAL = wheels.wheel("usual", "1.0")
BOTH = frozenset({ODD.sha256, USUAL.sha256})


def digest(_reference: str) -> Fact[str]:
    return "sha256:" + "ab" * 32


def of(**changes: object) -> Manifest:
    """A manifest of both, what is changed about the odd one's file."""
    both = tuple(wheels.packaged(each) for each in (ODD, USUAL))
    odd = replace(wheels.artifact(ODD), **changes)
    return made.manifest(both, (odd, wheels.artifact(USUAL)))


def planned(manifest: Manifest, **options: object) -> BuildPlan:
    return plan(manifest, PlanOptions(stored=BOTH, **options), digest)  # type: ignore[arg-type]


def test_its_wheel_is_unpacked_after_all_others() -> None:
    found = planned(of())
    layers = [
        (each.name, [one.name for one in each.wheels], each.unpacked) for each in found.layers
    ]
    assert layers == [("local", ["usual"], False), ("unpacked", ["odd"], True)]
    (why,) = [each for each in found.reasons if "own program" in each.decision]
    assert why.decision == "1 of them are unpacked by envsnap's own program (odd 1.1build1)"


def test_a_dockerfile_has_a_step_that_sees_the_wheel_and_the_program() -> None:
    files = named("dockerfile").render(planned(of()))
    step = files["Dockerfile"].partition("layers/02-unpacked.json")[2].partition("\nRUN")[0]
    assert re.findall(r"source=([^,]+),", step) == [
        "layers/02-unpacked.txt", "unpack.py", f"wheels/{ODD.filename}",
    ]  # fmt: skip
    assert "install.sh layer 02-unpacked" in step
    assert files["layers/02-unpacked.txt"] == f"{ODD.sha256} {ODD.filename}\n"
    cut = json.loads(files["layers/02-unpacked.json"])
    (package,) = cut["sections"]["packages"]["installed"]
    assert (package["name"], package["version"]) == ("odd", "1.1build1")
    assert "odd" not in files["layers/pylock.01-local.toml"]
    assert "unpack.py" in files[".dockerignore"]


def test_a_definition_brings_the_program() -> None:
    files = named("apptainer").render(planned(of()))
    assert "    unpack.py /opt/envsnap-context/unpack.py\n" in files["envsnap.def"]


def test_a_binder_folder_unpacks_it_after_pip() -> None:
    files = named("repo2docker").render(planned(of()))
    lines = files["binder/postBuild"].splitlines()
    at = lines.index("python -I -B unpack.py unpacked.txt ../wheels")
    assert any("requirements.lock" in line for line in lines[:at])
    assert files["binder/unpacked.txt"] == f"{ODD.sha256} {ODD.filename}\n"
    for name in ("binder/requirements.lock", "binder/artifacts.html"):
        assert "odd" not in files[name]
        assert "usual" in files[name]


def test_an_environment_yml_has_nothing_that_unpacks_it() -> None:
    with pytest.raises(PlanError) as caught:
        named("conda").render(planned(of()))
    assert caught.value.message == (
        "An environment.yml cannot have odd 1.1build1: pip takes no such version"
    )


WHY = "its version is none of PEP 440, and only a wheel of a wheelhouse installs it"


@pytest.mark.parametrize(
    "changes",
    [
        {"url": f"https://files.example/{ODD.filename}"},
        {"filename": "odd-1.1build1.tar.gz"},
        {"filename": "other-1.1build1-py3-none-any.whl"},
        {"filename": "odd-1.1build1.whl"},
        {"sha256": "0" * 64},
    ],
    ids=lambda each: next(iter(each)),
)
def test_another_file_of_it_is_none_that_is_unpacked(changes: dict[str, object]) -> None:
    with pytest.raises(PlanError) as caught:
        planned(of(**changes))
    assert caught.value.message == (
        f"1 package cannot be installed in an image:\n  odd 1.1build1: {WHY}"
    )
    (left,) = planned(of(**changes), allow_missing=True).left_out
    assert (left.name, left.version, left.why) == ("odd", "1.1build1", WHY)


def test_a_wheel_for_another_python_is_refused_whatever_its_version() -> None:
    with pytest.raises(PlanError) as caught:
        planned(of(filename="odd-1.1build1-cp27-none-any.whl"))
    assert "odd-1.1build1-cp27-none-any.whl" in caught.value.message


def test_copies_that_import_never_used_are_named() -> None:
    hidden = made.package("twice", "1.0", active=False)
    manifest = made.manifest((wheels.packaged(USUAL), hidden), (wheels.artifact(USUAL),))
    told = "Not in the image, for import never used them: twice 1.0"
    assert told in planned(manifest).notes
