"""conda archives are somebody else's: what may be installed of them, and what is refused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from envsnap.engines._archives import file_hash
from envsnap.engines.conda import archive_path, install
from envsnap.errors import FileError, ManifestError, ToolError
from envsnap.sections import CondaArtifact, replace
from tests.torture.conda_packages import Link, Made, write

if TYPE_CHECKING:
    from pathlib import Path

SAID: list[str] = []


@pytest.fixture(autouse=True)
def _py_rattler() -> None:
    pytest.importorskip("rattler", reason="py-rattler is not installed")


def package(**changes: object) -> Made:
    fields: dict[str, object] = {
        "name": "toy", "version": "1.0", "build": "0", "subdir": "noarch", "noarch": "generic",
        "files": {"share/toy.txt": b"toy\n"}, **changes,
    }  # fmt: skip
    return Made(**fields)  # type: ignore[arg-type]


def stored(made: Made, wheelhouse: Path) -> CondaArtifact:
    path = write(made, str(wheelhouse / "conda"))
    return CondaArtifact(
        name=made.name, version=made.version, build=made.build, subdir=made.subdir,
        filename=made.filename, url="https://conda.example/lab/noarch/" + made.filename,
        sha256=file_hash(path, "sha256"), md5=file_hash(path, "md5"), size=os.path.getsize(path),
    )  # fmt: skip


def made_of(artifacts: list[CondaArtifact], folder: Path) -> tuple[str, ...]:
    prefix, cache = str(folder / "env"), str(folder / "cache")
    return install(artifacts, str(folder), prefix, SAID.append, cache=cache)


def refused(artifacts: list[CondaArtifact], tmp_path: Path) -> str:
    with pytest.raises(FileError) as caught:
        made_of(artifacts, tmp_path)
    assert not (tmp_path / "env").exists()
    assert not (tmp_path / "cache").exists()
    return caught.value.message.replace(str(tmp_path), "DIR")


def test_conda_meta_names_the_channel_and_no_folder_of_this_machine(tmp_path: Path) -> None:
    artifact = stored(package(), tmp_path)
    assert made_of([artifact], tmp_path) == ()
    text = (tmp_path / "env" / "conda-meta" / "toy-1.0-0.json").read_text()
    assert '"url": "https://conda.example/lab/noarch/toy-1.0-0.conda"' in text
    assert '"channel": "https://conda.example/lab"' in text
    assert str(tmp_path) not in text
    assert SAID[-1] == "conda package 1 of 1: toy"


def test_while_it_is_installed_nothing_lies_beside_the_environment(tmp_path: Path) -> None:
    seen: set[str] = set()
    archives, cache = [stored(package(), tmp_path)], tmp_path / "env" / "work" / "cache"
    install(
        archives, str(tmp_path), str(tmp_path / "env"),
        lambda _: seen.update(os.listdir(tmp_path)), cache=str(cache),
    )  # fmt: skip
    assert seen == {"conda", "env"}
    assert os.listdir(cache.parent) == []


def test_scripts_of_a_package_are_not_run_and_said(tmp_path: Path) -> None:
    script = b"#!/bin/sh\ntouch $PREFIX/ran\n"
    made = package(
        files={"bin/.toy-post-link.sh": script}, executable=frozenset({"bin/.toy-post-link.sh"})
    )
    found = made_of([stored(made, tmp_path)], tmp_path)
    assert found == ("not run: bin/.toy-post-link.sh, a script of toy",)
    assert not (tmp_path / "env" / "ran").exists()


@pytest.mark.parametrize("suffix", [".conda", ".tar.bz2"])
def test_an_archive_with_other_bytes_is_not_installed(tmp_path: Path, suffix: str) -> None:
    artifact = stored(package(suffix=suffix), tmp_path)
    with open(archive_path(str(tmp_path), artifact), "ab") as file:
        file.write(b"x")
    assert refused([artifact], tmp_path) == (
        f"DIR/conda/noarch/toy-1.0-0{suffix} has other bytes than the lock says"
    )


def test_an_archive_that_is_not_there_is_said(tmp_path: Path) -> None:
    artifact = stored(package(), tmp_path)
    os.unlink(archive_path(str(tmp_path), artifact))
    assert refused([artifact], tmp_path) == (
        "Cannot read DIR/conda/noarch/toy-1.0-0.conda: No such file or directory"
    )


@pytest.mark.parametrize("path", ["../evil", "share/../../evil", "/opt/evil"])
@pytest.mark.parametrize("suffix", [".conda", ".tar.bz2"])
def test_no_path_leads_out(tmp_path: Path, path: str, suffix: str) -> None:
    artifact = stored(package(files={path: b"", "b": b""}, suffix=suffix), tmp_path)
    with pytest.raises((FileError, ToolError)) as caught:  # py-rattler may see it before we do
        made_of([artifact], tmp_path)
    assert path in caught.value.message
    assert sorted(os.listdir(tmp_path)) == ["conda"]


@pytest.mark.parametrize("suffix", [".conda", ".tar.bz2"])
def test_nothing_is_written_through_a_link(tmp_path: Path, suffix: str) -> None:
    files = {"a": Link(target="b"), "b": b"", "a/evil": b""}
    artifact = stored(package(files=files, suffix=suffix), tmp_path)
    assert refused([artifact], tmp_path) == (
        f"DIR/conda/noarch/toy-1.0-0{suffix} would write outside the environment: 'a/evil'"
    )


@pytest.mark.parametrize("target", ["/etc", "../../x", "b/../../..", "../.."])
def test_no_link_leads_out(tmp_path: Path, target: str) -> None:
    made = package(files={"lib/out": Link(target=target)}, unlisted=frozenset({"lib/out"}))
    assert refused([stored(made, tmp_path)], tmp_path) == (
        "DIR/conda/noarch/toy-1.0-0.conda has a link out of the environment: 'lib/out'"
    )


def test_no_archive_writes_through_the_link_of_another(tmp_path: Path) -> None:
    one = package(name="one", files={"lib/x": Link(target="y"), "lib/y": b""})
    two = package(name="two", files={"lib/x/evil": b""})
    artifacts = [stored(each, tmp_path) for each in (one, two)]
    assert refused(artifacts, tmp_path) == (
        "DIR/conda/noarch/two-1.0-0.conda would write outside the environment: 'lib/x/evil'"
    )


def test_no_command_is_a_path(tmp_path: Path) -> None:
    made = package(noarch="python", entry_points=["../../evil = toy:main"])
    assert refused([stored(made, tmp_path)], tmp_path) == (
        "DIR/conda/noarch/toy-1.0-0.conda would write outside the environment: '../../evil'"
    )


def python(site: str | None = None) -> Made:
    files: dict[str, bytes | Link] = {"bin/python3.11": b"", "d1/keep": b""}
    return package(name="python", version="3.11.7", files=files, site_packages=site)


@pytest.mark.parametrize(
    "site", ["../../outside", "/opt/outside", "lib/python3.11/site-packages/../../..", "d1", ""]
)
def test_no_python_moves_the_packages_of_others_out(tmp_path: Path, site: str) -> None:
    other = package(noarch="python", files={"site-packages/toy.py": b""})
    artifacts = [stored(each, tmp_path) for each in (python(site), other)]
    assert refused(artifacts, tmp_path) == (
        f"DIR/conda/noarch/python-3.11.7-0.conda has packages in a folder of no Python: {site!a}"
    )


@pytest.mark.parametrize("site", [None, "lib/python3.11/site-packages"])
def test_a_noarch_package_is_judged_by_where_it_goes(tmp_path: Path, site: str | None) -> None:
    """A link of a second one lies below a link of the first, and so two folders higher up."""
    one = package(
        name="one", files={"lib/python3.11/site-packages/x": Link(target="../../../d1")},
        unlisted=frozenset({"lib/python3.11/site-packages/x"}),
    )  # fmt: skip
    two = package(
        name="two", noarch="python", files={"site-packages/x/l": Link(target="../../out")},
        unlisted=frozenset({"site-packages/x/l"}),
    )  # fmt: skip
    artifacts = [stored(each, tmp_path) for each in (python(site), one, two)]
    assert refused(artifacts, tmp_path) == (
        "DIR/conda/noarch/two-1.0-0.conda would write outside the environment: "
        "'lib/python3.11/site-packages/x/l'"
    )


def test_a_noarch_package_goes_to_the_packages_of_its_python(tmp_path: Path) -> None:
    toy = package(noarch="python", files={"site-packages/toy.py": b"", "python-scripts/t": b""})
    artifacts = [stored(each, tmp_path) for each in (python(), toy)]
    made_of(artifacts, tmp_path)
    assert (tmp_path / "env" / "lib" / "python3.11" / "site-packages" / "toy.py").exists()
    assert (tmp_path / "env" / "bin" / "t").exists()


def test_no_path_is_spelled_around_a_link(tmp_path: Path) -> None:
    one = package(name="one", files={"a": Link(target="b"), "b": b""})
    two = package(name="two", files={"./a/evil": b""})
    assert refused([stored(each, tmp_path) for each in (one, two)], tmp_path) == (
        "DIR/conda/noarch/two-1.0-0.conda would write outside the environment: 'a/evil'"
    )


def test_an_archive_of_another_package_is_refused(tmp_path: Path) -> None:
    artifact = stored(package(), tmp_path)
    other = replace(artifact, name="numpy")
    assert refused([other], tmp_path) == (
        "DIR/conda/noarch/toy-1.0-0.conda says that it is 'toy 1.0 0', which the lock does not"
    )


@pytest.mark.parametrize("suffix", [".conda", ".tar.bz2"])
def test_rubbish_is_no_archive(tmp_path: Path, suffix: str) -> None:
    artifact = stored(package(suffix=suffix), tmp_path)
    path = archive_path(str(tmp_path), artifact)
    with open(path, "wb") as file:
        file.write(b"rubbish")
    rubbish = replace(artifact, sha256=file_hash(path, "sha256"))
    with pytest.raises(ToolError) as caught:
        made_of([rubbish], tmp_path)
    assert caught.value.message.startswith("py-rattler could not install the conda packages: ")


def test_another_platform_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    mac = replace(stored(package(), tmp_path), subdir="osx-arm64")
    with pytest.raises(ToolError) as caught:
        made_of([mac], tmp_path)
    assert "'toy' is a conda package for 'osx-arm64'; this machine is " in caught.value.message


def test_a_filename_that_is_a_path_is_refused() -> None:
    artifact = CondaArtifact(
        name="toy", version="1.0", build="0", subdir="noarch", filename="../../x.conda",
        url=None, sha256="0" * 64, md5=None, size=1,
    )  # fmt: skip
    with pytest.raises(ManifestError) as caught:
        archive_path("/w", artifact)
    assert caught.value.message == (
        "Unexpected filename '../../x.conda' of a conda package in 'lock.conda'"
    )
