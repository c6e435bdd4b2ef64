"""This machine's own GPUs: what capture says of them beside what nvidia-smi says."""

from __future__ import annotations

import subprocess
from functools import cache

import pytest

from envsnap._capture import capture
from envsnap.host import LocalHost
from envsnap.probes import Options
from envsnap.sections import Gpu, Unknown
from tests.live.smi import devices, driver

pytestmark = pytest.mark.live


@cache
def said() -> str:
    """nvidia-smi's whole answer."""
    return subprocess.run(
        ["nvidia-smi", "-q", "-x"], capture_output=True, text=True, check=True
    ).stdout


@cache
def captured() -> Gpu:
    """The section of a capture of this machine."""
    options = Options(host_only=True)
    section = capture(LocalHost(), options, sections=frozenset({"gpu"})).section(Gpu)
    assert isinstance(section, Gpu), section
    return section


def test_the_driver_is_what_nvidia_smi_says() -> None:
    found = captured().driver
    assert found is not None
    assert not isinstance(found, Unknown), found
    assert {"version": found.version, "cuda": found.cuda} == driver(said())


def test_every_card_is_what_nvidia_smi_says_field_by_field() -> None:
    found = captured().devices
    assert not isinstance(found, Unknown), found
    wanted = devices(said())
    shown = [each for each in found if "nvml" in str(each.shown_by)]
    assert [
        {name: getattr(one, name) for name in each} for one, each in zip(shown, wanted, strict=True)
    ] == wanted


def test_nothing_that_nvml_tells_is_left_unknown() -> None:
    found = captured().devices
    assert not isinstance(found, Unknown), found
    for each in found:
        for name in ("compute_capability", "multiprocessors", "memory_mib", "name"):
            assert not isinstance(getattr(each, name), Unknown), (name, getattr(each, name))
