"""The answers on top of a report, and the words for what was not seen."""

from __future__ import annotations

import pytest

from envsnap._check import check
from envsnap.profiles import load
from envsnap.reports._answers import answers, is_aside
from envsnap.reports._left import lacking, places
from envsnap.reports._sides import machine_words, python_called
from envsnap.rules import CheckOptions, Outcome, Scope
from envsnap.sections import Reason, Unknown
from tests import made
from tests.reports.hand_made import OPEN, checked
from tests.rules.machines import cpu, engine, engines, machine, packages

NO_ENGINE = {"engines": engines(engine(usable=False))}


def open_at(*paths: str) -> str:
    left = tuple(OPEN._replace(path=each, code=f"GPU{n:03}") for n, each in enumerate(paths))
    return lacking(checked(left=left), left)


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (["found gpu.devices"], "found gpu.devices is not known"),
        (["found packages"], "found packages are not known"),
        (["found gpu.devices", "found gpu.visible"], "2 facts of found gpu are not known"),
        (["found gpu", "found gpu.visible"], "found gpu is not known"),
        (["found os.kernel", "found gpu.devices", "found gpu.visible"],
         "2 facts of found gpu and found os.kernel are not known"),
        (["found a.x", "found b.x", "found c.x", "found d.x"],
         "found a.x, found b.x and 2 more are not known"),
        (["wanted gpu_code.files.{env}/lib/nvidia/libcufile.so.0"],
         "wanted gpu_code of libcufile.so.0 is not known"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_named_by_what_most_rules_ask_for(
    paths: list[str], words: str
) -> None:
    assert open_at(*paths) == words


def test_a_place_at_which_no_digit_is_at_stake_is_mild() -> None:
    left = (OPEN, OPEN._replace(path="found os.kernel", worst=Outcome.NOTE))
    assert [each.is_mild for each in places(checked(left=left))] == [False, True]


def test_want_of_an_engine_is_aside_where_nobody_asked_for_a_container() -> None:
    assert is_aside(check(machine(), machine(**NO_ENGINE)))
    assert not is_aside(check(machine(), machine()))
    asked = CheckOptions(scope=Scope.CONTAINER)
    assert not is_aside(check(machine(), machine(**NO_ENGINE), asked))
    other = machine(**NO_ENGINE, os=made.linux(architecture="aarch64"))
    assert not is_aside(check(machine(), other))


def test_the_other_ways_reason_is_whole_words() -> None:
    found = machine(
        packages=packages(), cpu=cpu(model="another"),
        python=made.python(version="3.12.9", soabi="cpython-312-x86_64-linux-gnu"),
    )  # fmt: skip
    _, other, _ = answers(check(machine(), found))
    assert (other.word.text, other.why) == ("NOT SET UP", "7 packages are not installed here")


def test_a_system_is_called_as_its_makers_write_it() -> None:
    rhel = machine(os=made.linux(distribution="rhel", distribution_version="8.4"))
    assert machine_words(rhel).startswith("RHEL 8.4, ")


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        ("pyenv", "Python 3.11.7 of pyenv"),
        ("distribution", "Python 3.11.7 of the system"),
        ("other", "Python 3.11.7"),
        (Unknown(Reason.NOT_RECORDED), "Python 3.11.7"),
    ],
)
def test_an_interpreter_without_an_environment_is_called_by_who_made_it(
    origin: object, words: str
) -> None:
    assert python_called(machine(python=made.python(origin=origin))) == words
    assert python_called(load("t4-cloud")) == ""


def test_of_an_environment_that_goes_into_no_image_containers_are_aside() -> None:
    mac = machine(os=made.linux(system="Darwin", distribution="macos"))
    checked = check(mac, mac)
    assert is_aside(checked)
    assert [each.label for each in answers(checked)][:2] == ["NATIVELY", "IN THE CONTAINER"]
