"""check against an image: what is installed in it decides, for the image is the container."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from envsnap._check import CheckOptions, check
from envsnap.cli import main
from envsnap.errors import ExitCode
from envsnap.manifest import Manifest, environment_id, save
from envsnap.reports._lines import plain
from envsnap.reports.check_text import Sides, text
from envsnap.rules import Scope, Verdict
from envsnap.sections import Container, Lock, Packages, Unknown, replace
from tests import made
from tests.rules.machines import DEEP_LEARNING, UNSEEN, engines, machine, packages

if TYPE_CHECKING:
    from pathlib import Path

INSIDE = Container(kind="docker", image=None, host_libraries=())
OTHER_NUMPY = tuple(
    replace(each, version="1.26.3") if each.name == "numpy" else each for each in DEEP_LEARNING
)


def image(**changes: object) -> Manifest:
    """An image of the machine's environment, on a machine whose engines its inside cannot see."""
    return machine(**{"container": INSIDE, "engines": engines(), **changes})


@pytest.mark.parametrize(
    ("changes", "verdict", "code"),
    [
        ({}, Verdict.RUNS, ExitCode.OK),
        ({"os": made.linux(libc_version="2.31")}, Verdict.RUNS, ExitCode.OK),
        ({"packages": packages()}, Verdict.WILL_NOT_RUN, ExitCode.NO),
        ({"packages": packages(*DEEP_LEARNING[1:])}, Verdict.WILL_NOT_RUN, ExitCode.NO),
        ({"packages": packages(*OTHER_NUMPY)}, Verdict.RUNS, ExitCode.NO),
        ({"packages": UNSEEN}, Verdict.CANNOT_TELL, ExitCode.CANNOT_TELL),
        ({"python": made.python(version="3.12.1")}, Verdict.WILL_NOT_RUN, ExitCode.NO),
        ({"python": made.python(version="3.11.9")}, Verdict.RUNS, ExitCode.OK),
        ({"python": UNSEEN}, Verdict.CANNOT_TELL, ExitCode.CANNOT_TELL),
    ],
)
@pytest.mark.parametrize("scope", [None, Scope.CONTAINER])
def test_what_is_installed_in_an_image_decides(
    scope: Scope | None, changes: dict[str, object], verdict: Verdict, code: ExitCode
) -> None:
    checked = check(machine(), image(**changes), CheckOptions(scope=scope, is_image=True))
    assert (checked.scope, checked.verdict) == (Scope.CONTAINER, verdict)
    assert checked.exit_code is code


def test_a_machine_in_the_same_state_may_still_run_the_container() -> None:
    checked = check(machine(), machine(packages=packages()), CheckOptions(scope=Scope.CONTAINER))
    assert (checked.verdict, checked.exit_code) == (Verdict.RUNS, ExitCode.OK)


def rebuilt(manifest: Manifest, name: str) -> Manifest:
    """The manifest with other files of one package."""
    section = manifest.section(Packages)
    assert not isinstance(section, Unknown)
    assert not isinstance(section.installed, Unknown)
    there = tuple(
        replace(each, content="f" * 64, outside="e" * 64) if each.name == name else each
        for each in section.installed
    )
    return image(packages=packages(*there))


def test_what_was_built_again_from_its_source_is_told_by_its_version() -> None:
    unlocked = machine(packages=packages(*made.PACKAGES))
    ident = environment_id(unlocked)
    assert isinstance(ident, str)
    lock = Lock(environment=ident, locker="uv 0.9.1", artifacts=made.ARTIFACTS, unlocked=())
    wanted = unlocked.with_lock(lock)
    options = CheckOptions(is_image=True)
    checked = check(wanted, rebuilt(wanted, "antlr4-python3-runtime"), options)
    assert checked.exit_code is ExitCode.OK
    assert "1 package: antlr4-python3-runtime compared by version alone: no digest" in {
        each.text for each in checked.report.conditions
    }
    assert [each.id for each in check(wanted, rebuilt(wanted, "idna"), options).reached] == [
        "PKG003:idna"
    ]
    foreign = wanted.with_lock(replace(lock, environment="0" * 12))
    assert check(
        foreign, rebuilt(wanted, "antlr4-python3-runtime"), options
    ).exit_code is ExitCode.NO  # fmt: skip


GUTTED = """\
wanted  envsnap.lock.json: environment {environment}, 31 Jan 2026
found   the image docker-daemon:paper, environment "env": Debian 12,
        A100-SXM4-40GB, driver 550.54.14

  IN THE IMAGE       WILL NOT RUN                           (decides the exit)
  RESULTS            NONE   it does not run

1 thing that stops it
  packages    7 packages are not installed here: what imports them       PKG001
              stops there
              -> build the image again from its manifest: envsnap build

{fine}

Exit 1: it will not run here
Doubt it     envsnap explain PKG001   the rule and its source"""


def test_the_text_says_that_it_is_an_image() -> None:
    found = image(packages=packages())
    sides = Sides(machine(), "envsnap.lock.json", found, "docker-daemon:paper")
    lines = plain(text(check(machine(), found, CheckOptions(is_image=True)), sides))
    said = "\n".join(each.rstrip() for each in lines)
    fine = said[said.index("Fine  ") : said.index("\n\nExit 1")]  # it grows with every rule
    assert said == GUTTED.format(environment=environment_id(machine()), fine=fine)
    assert fine.startswith("Fine         driver 550.54.14 is new enough, torch has code for sm_80,")


ENGINE = """\
#!/bin/sh
# Starts what it is given on this machine, as if it were inside the image.
while [ "$1" != paper ]; do shift; done
shift
exec "$@"
"""


def test_the_command_takes_what_it_names_as_an_image_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = tmp_path / "docker"
    engine.write_text(ENGINE)
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    absent = made.package("a-package-that-is-nowhere", "1")
    save(machine(packages=packages(absent)), "m.json")
    words = ["check", "m.json", "--against", "docker-daemon:paper", "--for", "container"]
    assert main([*words, "--select", "PKG001", "-q"]) == 1
    assert capsys.readouterr().out == (
        "  IN THE IMAGE       WILL NOT RUN                           (decides the exit)\n"
        "  RESULTS            NONE   it does not run\n"
    )
