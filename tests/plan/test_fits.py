"""Wheels of another Python or machine are no plan: an installer would refuse them hours later."""

from __future__ import annotations

import pytest

from envsnap.errors import PlanError
from envsnap.plan._fits import refuse_unfit
from tests import made

FITTING: tuple[tuple[str, dict[str, object], str], ...] = (
    ("3.11.7", {}, "a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"),
    ("3.11.7", {}, "a-1-cp38-abi3-linux_x86_64.whl"),
    ("3.11.7", {}, "a-1-py2.py3-none-any.whl"),
    ("3.11.7", {}, "a-1-cp311-cp311-musllinux_1_2_x86_64.whl"),
    ("3.11.7", {}, "a-1-py3-none-manylinux1_x86_64.whl"),
    ("3.11.7", {}, "a-1-cp311-none-any.whl"),
    ("3.7.16", {}, "a-1-cp37-cp37m-manylinux1_x86_64.whl"),
    ("3.13.0", {"free_threaded": True}, "a-1-cp313-cp313t-manylinux_2_28_x86_64.whl"),
    ("3.11.7", {"debug": True}, "a-1-cp311-cp311d-linux_x86_64.whl"),
    ("3.11.7", {"debug": True}, "a-1-cp311-cp311-linux_x86_64.whl"),
    ("3.12.3", {}, "a-1.tar.gz"),
)
UNFIT: tuple[tuple[str, dict[str, object], str], ...] = (
    ("3.12.3", {}, "a-1-cp311-cp311-manylinux_2_17_x86_64.whl"),
    ("3.8.18", {}, "a-1-cp39-abi3-linux_x86_64.whl"),
    ("3.11.7", {}, "a-1-cp311-cp311-manylinux_2_17_aarch64.whl"),
    ("3.11.7", {}, "a-1-cp311-cp311-manylinux_2_17_i686.whl"),
    ("3.11.7", {}, "a-1-cp311-cp311-macosx_11_0_x86_64.whl"),
    ("3.11.7", {}, "a-1-py2-none-any.whl"),
    ("3.7.16", {}, "a-1-cp37-cp37-manylinux1_x86_64.whl"),
    ("3.13.0", {"free_threaded": True}, "a-1-cp313-cp313-manylinux_2_28_x86_64.whl"),
    ("3.13.0", {}, "a-1-cp313-cp313t-manylinux_2_28_x86_64.whl"),
    ("3.11.7", {}, "a-1-cp311-cp311d-linux_x86_64.whl"),
)


@pytest.mark.parametrize(("version", "more", "filename"), FITTING)
def test_a_wheel_that_this_python_loads_is_installed(
    version: str, more: dict[str, object], filename: str
) -> None:
    own = made.python(version=version, **more)
    refuse_unfit((made.artifact("a", "1", filename),), own, "x86_64")


@pytest.mark.parametrize(("version", "more", "filename"), UNFIT)
def test_a_wheel_that_it_cannot_load_is_refused(
    version: str, more: dict[str, object], filename: str
) -> None:
    own = made.python(version=version, **more)
    with pytest.raises(PlanError):
        refuse_unfit((made.artifact("a", "1", filename),), own, "x86_64")


def test_the_refusal_names_the_files_and_what_they_are_not_for() -> None:
    names = [f"a-{number}-cp311-cp311-linux_x86_64.whl" for number in range(7)]
    files = [made.artifact("a", str(number), name) for number, name in enumerate(names)]
    with pytest.raises(PlanError) as caught:
        refuse_unfit(files, made.python(version="3.12.3"), "x86_64")
    assert (str(caught.value), caught.value.hint) == (
        "7 wheels of the lock are not for CPython 3.12.3 on x86_64:\n  "
        + "\n  ".join(names[:5])
        + "\n  and 2 more",
        "Lock again where the environment is: envsnap lock",
    )
