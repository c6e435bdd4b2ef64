"""Source archives of CPython: which there are, where, and with which digest."""

from __future__ import annotations

import pytest

from envsnap.facts import Looked, NewerThanFacts, NotInTable
from envsnap.facts.python_images import python_slim_versions
from envsnap.facts.python_sources import source, versions

DATE = "2026-05-08"
FTP = "https://www.python.org/ftp/python"


def test_a_source_is_its_file_its_address_and_its_digest() -> None:
    found = source("3.11.2")
    assert isinstance(found, Looked)
    assert found.value == (
        "Python-3.11.2.tgz",
        f"{FTP}/3.11.2/Python-3.11.2.tgz",
        "2411c74bda5bbcfcddaf4531f66d1adc73f247f529aee981b029513aefdbf849",
    )
    assert found.confidence == "high"
    assert found.sources[0].title == "pyenv/pyenv plugins/python-build/share/python-build"


def test_a_pre_release_lies_in_the_folder_of_its_release() -> None:
    found = source("3.14.5rc1")
    assert isinstance(found, Looked)
    assert found.value.url == f"{FTP}/3.14.5/Python-3.14.5rc1.tgz"


def test_the_same_source_is_compiled_without_the_gil_from_the_first_that_can_be() -> None:
    found = source("3.13.2", free_threaded=True)
    assert isinstance(found, Looked)
    assert found.value.filename == "Python-3.13.2.tgz"
    assert source("3.12.1", free_threaded=True) == NotInTable(
        "The source of Python 3.12.1t", "python_sources"
    )
    assert versions(free_threaded=True)[0] == "3.13.0"


@pytest.mark.parametrize("version", ["3.6.16", "3.7.99", "3.9.99", "2.7.18", "3.5.10"])
def test_a_version_that_never_was_is_not_in_the_table(version: str) -> None:
    what = f"The source of Python {version}"
    assert source(version) == NotInTable(what, "python_sources")


@pytest.mark.parametrize("version", ["3.10.99", "3.14.99", "3.15.0", "3.16.0a1", "4.0.0"])
def test_a_version_after_the_newest_of_a_release_that_goes_on_is_newer(version: str) -> None:
    assert source(version) == NewerThanFacts(f"The source of Python {version}", DATE)


@pytest.mark.parametrize("version", ["", "3", "3.11", "3.11.7.1", "3.11.x", "9" * 5000, "3.1.²"])
def test_what_is_no_version_is_in_no_table(version: str) -> None:
    assert isinstance(source(version), NotInTable)


def test_versions_come_oldest_first_and_no_two_have_one_digest() -> None:
    found = versions()
    assert found[0] == "3.6.0"
    assert found[-1] == "3.15.0b1"
    assert found.index("3.14.4") + 1 == found.index("3.14.5rc1")
    digests = [source(each).value.sha256 for each in found]  # type: ignore[union-attr]
    assert len(set(digests)) == len(found)


def test_every_version_of_that_day_that_has_an_image_has_a_source() -> None:
    planned = [each for each in python_slim_versions() if not each.startswith(("2.", "3.4", "3.5"))]
    assert [each for each in planned if isinstance(source(each), NotInTable)] == []
