"""What conda prints, and the files that it and pixi make environments from."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping

import pytest

from envsnap._import import read
from envsnap.errors import ManifestError
from envsnap.imports import NOT_TOLD, Text, Told
from envsnap.sections import CondaRecord, Packages, Python, Unknown

HOST = "https://conda.example"
LIST = """\
# packages in environment at /home/somebody/miniconda3/envs/work:
#
# Name                    Version                   Build  Channel
_libgcc_mutex             0.1                 conda_forge    conda-forge
numpy                     1.26.4          py310hb13e2d6_0    conda-forge
openssl                   3.0.13               h7f8727e_0
python                    3.10.13         hd12c33a_1_cpython    conda-forge
pytorch                   2.1.0           py3.10_cuda12.1_cudnn8.9.2_0    pytorch
idna                      3.7                      pypi_0    pypi
"""
EXPLICIT = f"""\
# This file may be used to create an environment using:
# $ conda create --name <env> --file <this file>
# platform: linux-64
@EXPLICIT
{HOST}/conda-forge/linux-64/python-3.10.13-hd12c33a_1_cpython.conda#{"1a" * 16}
{HOST}/t/tk-123456/conda-forge/noarch/idna-3.7-pyhd8ed1ab_0.conda#{"2a" * 32}
{HOST}/conda-forge/linux-64/openssl-3.0.13-h7f8727e_0.tar.bz2
"""
CONDA_LOCK = f"""\
version: 1
metadata:
  content_hash:
    linux-64: {"a" * 64}
  channels:
  - url: conda-forge
    used_env_vars: []
  platforms:
  - linux-64
  sources:
  - environment.yml
package:
- name: openssl
  version: 3.0.13
  manager: conda
  platform: linux-64
  dependencies: {{}}
  url: {HOST}/conda-forge/linux-64/openssl-3.0.13-h7f8727e_0.conda
  hash:
    md5: {"1a" * 16}
    sha256: {"2a" * 32}
  category: main
  optional: false
- name: rich
  version: 13.0.0
  manager: pip
  platform: linux-64
  dependencies: {{}}
  url: https://files.example/rich-13.0.0-py3-none-any.whl
  hash:
    sha256: {"3a" * 32}
  category: main
  optional: false
"""
PIXI = f"""\
version: 6
environments:
  default:
    channels:
    - url: {HOST}/conda-forge/
    indexes:
    - https://index.example/simple
    packages:
      linux-64:
      - conda: {HOST}/conda-forge/linux-64/openssl-3.0.13-h7f8727e_0.conda
      - pypi: https://files.example/rich-13.0.0-py3-none-any.whl
      osx-arm64:
      - conda: {HOST}/conda-forge/osx-arm64/openssl-3.0.13-h0d3ecfb_0.conda
packages:
- conda: {HOST}/conda-forge/linux-64/openssl-3.0.13-h7f8727e_0.conda
  sha256: {"2a" * 32}
  md5: {"1a" * 16}
  license: Apache-2.0
- conda: {HOST}/conda-forge/osx-arm64/openssl-3.0.13-h0d3ecfb_0.conda
  sha256: {"4a" * 32}
  md5: {"5a" * 16}
  license: Apache-2.0
- pypi: https://files.example/rich-13.0.0-py3-none-any.whl
  name: rich
  version: 13.0.0
  sha256: {"3a" * 32}
"""
YML = """\
name: work
channels: [conda-forge]
dependencies:
  - python=3.10
  - numpy=1.26.4
  - conda-forge::openssl=3.0.13=h7f8727e_0
  - pip
  - pip:
    - idna==3.7
    - rich>=13
"""


def needs(module: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(module) is None
    return pytest.mark.skipif(missing, reason=f"{module} is not installed: envsnap[conda] has it")


def told(text: str, name: str = "-", **where: str) -> Told:
    (only,) = read(Text(name, text, **where)).told
    return only


def section(of: Told) -> Packages:
    found = of.sections["packages"]
    assert isinstance(found, Packages)
    return found


def pins(of: Told) -> list[str]:
    found = section(of).installed
    assert not isinstance(found, Unknown)
    return [f"{each.name} {each.version} {each.origin.kind}" for each in found]


def libraries(of: Told) -> Mapping[str, CondaRecord]:
    found = section(of).conda_only
    assert not isinstance(found, Unknown)
    return {each.name: each for each in found}


def test_conda_list_is_read_and_its_python_is_the_environments() -> None:
    found = told(LIST)
    assert found.form == "conda list"
    assert pins(found) == ["idna 3.7 index", "numpy 1.26.4 conda", "torch 2.1.0 conda"]
    assert sorted(libraries(found)) == ["_libgcc_mutex", "openssl", "python"]
    assert libraries(found)["openssl"].channel == "defaults"
    python = found.sections["python"]
    assert isinstance(python, Python)
    assert (python.implementation, python.version) == ("cpython", "3.10.13")
    assert "somebody" not in repr(found)


def test_what_conda_calls_otherwise_may_yet_be_there() -> None:
    assert str(section(told(LIST)).unlisted) == (
        "not-recorded: conda's name of a package is not always its distribution's"
    )


def test_an_explicit_list_keeps_hashes_and_channels_and_no_token() -> None:
    found = told(EXPLICIT)
    assert found.form == "conda list --explicit"
    assert pins(found) == ["idna 3.7 conda"]
    assert libraries(found)["openssl"] == CondaRecord(
        name="openssl", version="3.0.13", build="h7f8727e_0", channel=f"{HOST}/conda-forge",
        subdir="linux-64", url=f"{HOST}/conda-forge/linux-64/openssl-3.0.13-h7f8727e_0.tar.bz2",
        md5=NOT_TOLD, sha256=NOT_TOLD,
    )  # fmt: skip
    installed = section(found).installed
    assert not isinstance(installed, Unknown)
    assert installed[0].conda is not None
    assert installed[0].conda.sha256 == "2a" * 32
    assert libraries(found)["python"].md5 == "1a" * 16
    assert "tk-123456" not in repr(found)


def test_an_exported_list_and_one_as_json_tell_the_same() -> None:
    exported = told("# platform: linux-64\nnumpy=1.26.4=py310hb13e2d6_0\nopenssl=3.0.13=h7_0\n")
    row = {"base_url": f"{HOST}/conda-forge", "channel": "conda-forge", "platform": "linux-64"}
    rows = [
        {**row, "name": "numpy", "version": "1.26.4", "build_string": "py310hb13e2d6_0"},
        {**row, "name": "openssl", "version": "3.0.13", "build_string": "h7_0"},
    ]
    as_json = told(json.dumps(rows))
    assert (exported.form, as_json.form) == ("conda list --export", "conda list --json")
    assert pins(exported) == pins(as_json) == ["numpy 1.26.4 conda"]
    assert libraries(as_json)["openssl"].channel == f"{HOST}/conda-forge"


@needs("yaml")
def test_an_environment_file_says_which_versions_it_leaves_open() -> None:
    found = told(YML, "environment.yml")
    assert found.form == "environment.yml"
    assert pins(found) == ["idna 3.7 index"]
    assert sorted(libraries(found)) == ["numpy", "openssl"]
    assert found.notes == ("no version is told of rich>=13, python=3.10, pip",)
    assert isinstance(section(found).unlisted, Unknown)


@needs("yaml")
def test_an_exported_environment_means_each_version_as_it_stands() -> None:
    found = told(f"{YML}prefix: /home/somebody/envs/work\n", "environment.yml")
    python = found.sections["python"]
    assert isinstance(python, Python)
    assert python.version == "3.10"
    assert "somebody" not in repr(found)


def test_yaml_in_which_few_lines_stand_for_many_is_refused() -> None:
    text = "dependencies:\n  - &a [x, x]\n  - *a\n"
    with pytest.raises(ManifestError) as caught:
        read(Text("environment.yml", text))
    assert caught.value.message == "environment.yml: YAML with aliases is not read"


@needs("conda_lock")
def test_a_conda_lock_keeps_the_digests_of_what_it_locks() -> None:
    found = told(CONDA_LOCK, "conda-lock.yml")
    assert pins(found) == ["rich 13.0.0 index"]
    openssl = libraries(found)["openssl"]
    assert (openssl.md5, openssl.sha256) == ("1a" * 16, "2a" * 32)


@needs("conda_lock")
def test_a_lock_without_the_platform_names_one_that_it_has() -> None:
    with pytest.raises(ManifestError) as caught:
        told(CONDA_LOCK, "conda-lock.yml", platform="osx-arm64")
    assert caught.value.message == "conda-lock.yml: Locks nothing for osx-arm64"
    assert caught.value.hint == "Name one that it locks: --platform linux-64"


@needs("conda_lock")
def test_a_broken_conda_lock_is_no_fault_of_ours() -> None:
    text = CONDA_LOCK.replace("manager: conda", "manager: none")
    with pytest.raises(
        ManifestError, match=r"conda-lock\.yml: No conda-lock\.yml that can be read"
    ):
        told(text, "conda-lock.yml")


@needs("rattler")
def test_a_pixi_lock_is_read_for_the_platform_that_was_asked_for() -> None:
    here, mac = told(PIXI, "pixi.lock"), told(PIXI, "pixi.lock", platform="osx-arm64")
    assert pins(here) == ["rich 13.0.0 index"]
    assert libraries(here)["openssl"].sha256 == "2a" * 32
    assert here.notes == ("read for linux-64, not osx-arm64",)
    assert pins(mac) == []
    assert libraries(mac)["openssl"].build == "h0d3ecfb_0"


def test_an_environment_of_which_no_version_is_pinned_says_so_and_is_no_unknown_text() -> None:
    pytest.importorskip("yaml", reason="envsnap's extra conda is not installed")
    found = told("name: x\ndependencies:\n  - python=3.11\n  - numpy=1.26\n", "environment.yml")
    assert section(found).installed == ()
    assert found.notes == ("no version is told of python=3.11, numpy=1.26",)


def test_a_version_longer_than_any_is_none() -> None:
    endless = f"python 3.{'9' * 5000} h1_0 conda-forge"
    found = told(f"{LIST}{endless}\n")
    assert found.not_read == (endless,)
