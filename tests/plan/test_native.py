"""What a native environment is made of, and what is refused."""

from __future__ import annotations

import pytest

from envsnap.errors import PlanError
from envsnap.manifest import Manifest
from envsnap.plan._native import native_plan
from envsnap.sections import CondaRecord, Packages, Unlocked, replace
from tests import made


def refusal(manifest: Manifest) -> str:
    with pytest.raises(PlanError) as caught:
        native_plan(manifest)
    return caught.value.message


def test_every_active_package_has_its_file() -> None:
    packages = (*made.PACKAGES, made.package("idna", "2.0", active=False, layer="user"))
    found = native_plan(made.manifest(packages))
    assert [each.name for each in found.artifacts] == [each.name for each in made.ARTIFACTS]
    assert (found.packages, found.shadowed, found.layers) == (4, ("idna 2.0",), ())


def test_layers_are_those_beside_the_environments_own() -> None:
    packages = (made.PACKAGES[0], *(made.package(e.name, e.version, layer="user")
                                    for e in made.PACKAGES[1:]))  # fmt: skip
    assert native_plan(made.manifest(packages)).layers == (("user", 3),)


def test_an_installation_of_one_layer_has_no_others() -> None:
    packages = tuple(made.package(e.name, e.version, layer="base") for e in made.PACKAGES)
    assert native_plan(made.manifest(packages)).layers == ()


def test_what_is_not_locked_is_named_with_the_reason() -> None:
    unlocked = (Unlocked(name="mine", version="1", why="it is an editable project\x1b[2J"),)
    manifest = made.manifest((*made.PACKAGES, made.package("mine", "1")), unlocked=unlocked)
    assert refusal(manifest) == (
        "1 package has no file in the lock:\n  mine 1: it is an editable project?[2J"
    )
    left_out = native_plan(manifest, allow_missing=True).left_out
    assert [(each.name, each.version) for each in left_out] == [("mine", "1")]


def test_a_manifest_without_a_lock_is_refused() -> None:
    said = refusal(made.manifest().with_lock(None))
    assert said == "The manifest has no lock, which names the file of every package"


def test_a_lock_of_another_environment_is_refused() -> None:
    other = made.manifest(made.PACKAGES[:1], made.ARTIFACTS[:1])
    assert refusal(made.manifest().with_lock(other.lock)).startswith("The lock is of environment '")


def test_conda_packages_need_their_archives_in_the_lock() -> None:
    record = CondaRecord(
        name="zlib", version="1.3", build="h1_0", channel=None, subdir="linux-64", url=None,
        md5=None, sha256=None,
    )  # fmt: skip
    packages = Packages(installed=made.PACKAGES, conda_only=(record,), broken=())
    manifest = made.manifest(packages=packages)
    assert refusal(manifest) == "The lock names no conda archive, and 1 packages are conda's"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"filename": "../a.whl"},
            "Expected the name of a wheel or source archive, not '../a.whl'",
        ),
        ({"filename": ".."}, "Expected the name of a wheel or source archive, not '..'"),
        ({"sha256": "no"}, "Expected 64 hex digits, not 'no'"),
        ({"url": "file:///etc/passwd"}, "Expected a plain http or https address, not 'file:///"),
        (
            {"url": "http://me:secret@host.example/a"},
            (
                "Expected a plain http or https address, not 'http://host.example/a' "
                "with a name or password, not shown, in"
            ),
        ),
        ({"name": "-r x"}, "Expected the name of a distribution, not '-r x'"),
    ],
)
def test_a_hostile_lock_is_refused(changes: dict[str, object], said: str) -> None:
    bad = replace(made.ARTIFACTS[1], **changes)
    found = refusal(made.manifest(made.PACKAGES[1:2], (bad,)))
    assert found.startswith(said)
    assert "secret" not in found
