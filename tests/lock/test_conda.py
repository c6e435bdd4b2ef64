"""The conda half of a lock, and the two lists that conda's own programs read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from envsnap.errors import ManifestError, PlanError
from envsnap.lock._conda import conda_artifacts, conda_lock, explicit
from envsnap.manifest import Manifest
from envsnap.sections import (
    CondaArtifact,
    CondaRecord,
    Lock,
    Packages,
    Reason,
    Unknown,
    Unlocked,
    replace,
)
from tests import made

if TYPE_CHECKING:
    from pathlib import Path

CHANNEL = "https://conda.example/forge"
SHA256, MD5 = "ab" * 32, "cd" * 16
NO_SIZE = Unknown(Reason.NOT_RECORDED, "the capture does not keep the sizes of archives")


def record(name: str = "zlib", **changes: object) -> CondaRecord:
    found = CondaRecord(
        name=name, version="1.3.1", build="hb9d3cd8_2", channel=CHANNEL, subdir="linux-64",
        url=f"{CHANNEL}/linux-64/{name}-1.3.1-hb9d3cd8_2.conda", md5=MD5, sha256=SHA256,
    )  # fmt: skip
    return replace(found, **changes)


def archive(name: str = "zlib", **changes: object) -> CondaArtifact:
    found = CondaArtifact(
        name=name, version="1.3.1", build="hb9d3cd8_2", subdir="linux-64",
        filename=f"{name}-1.3.1-hb9d3cd8_2.conda", sha256=SHA256, md5=MD5, size=NO_SIZE,
        url=f"{CHANNEL}/linux-64/{name}-1.3.1-hb9d3cd8_2.conda",
    )  # fmt: skip
    return replace(found, **changes)


def environment(*records: CondaRecord, **changes: object) -> Manifest:
    packages = Packages(installed=(), conda_only=records, broken=())
    return made.manifest(packages=replace(packages, **changes))


def lock_of(*archives: CondaArtifact, pip: bool = True) -> Lock:
    whole = made.manifest().lock
    assert whole is not None
    artifacts = made.ARTIFACTS[1:2] if pip else ()
    return replace(whole, environment="abc123abc123", artifacts=artifacts, conda=archives)


def test_a_conda_package_is_its_archive() -> None:
    assert conda_artifacts(environment(record())) == ((archive(),), ())


def test_a_package_that_brought_two_distributions_or_none_stands_once() -> None:
    owned = [made.package(name, "1.3.1", conda=record()) for name in ("pair-a", "pair-b")]
    found = conda_artifacts(environment(record("bzip2"), installed=tuple(owned)))
    assert [each.name for each in found.artifacts] == ["bzip2", "zlib"]


def test_a_channel_on_the_captured_machine_is_no_address() -> None:
    local = record(url="file://{other}/zlib-1.3.1-hb9d3cd8_2.tar.bz2")
    name = "zlib-1.3.1-hb9d3cd8_2.tar.bz2"
    assert conda_artifacts(environment(local)).artifacts == (archive(url=None, filename=name),)


def test_an_old_record_is_known_by_its_md5() -> None:
    found = conda_artifacts(environment(record(sha256=None)))
    assert found == ((archive(sha256=None),), ())


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"sha256": None, "md5": None},
            "conda's record of it has no hash; reinstall it with conda from its channel",
        ),
        (
            {"build": Unknown(Reason.NOT_RECORDED, "conda-meta has no build")},
            "conda's record of it names no build and platform; reinstall it with conda",
        ),
        ({"build": "0\n- evil"}, "its build is none that a channel can have"),
        ({"subdir": "../.."}, "its subdir is none that a channel can have"),
        (
            {"url": f"{CHANNEL}/linux-64/zlib;evil.conda"},
            "its filename is none that a channel can have",
        ),
    ],
)
def test_what_cannot_be_an_archive_is_said(changes: dict[str, Any], why: str) -> None:
    found = conda_artifacts(environment(record(**changes)))
    assert found == ((), (Unlocked(name="zlib", version="1.3.1", why=why),))


def test_a_conda_environment_whose_packages_are_unknown_is_not_locked() -> None:
    lost = Unknown(Reason.NO_PERMISSION, "conda-meta could not be listed")
    packages = Packages(installed=(), conda_only=lost, broken=())
    python = made.python(environment_kind="conda")
    with pytest.raises(PlanError) as caught:
        conda_artifacts(made.manifest(packages=packages, python=python))
    assert caught.value.message == (
        "The manifest does not know its conda packages "
        "(no-permission: conda-meta could not be listed)"
    )


EXPLICIT = f"""\
# The conda packages of environment abc123abc123, written by envsnap.
# Make it again:  conda create --prefix DIR --file THIS  (conda 24.9 or newer reads
# SHA-256), or  micromamba create --prefix DIR --file THIS
# platform: linux-64
# Not in this list, for want of a public address or an MD5: 1.
# A wheelhouse has them (envsnap lock --wheelhouse DIR, envsnap restore):
#   gone 1.3.1
# pip installed others on top (1), which this list cannot name.
@EXPLICIT
{CHANNEL}/linux-64/old-1.3.1-hb9d3cd8_2.conda#{MD5}
{CHANNEL}/linux-64/zlib-1.3.1-hb9d3cd8_2.conda#sha256:{SHA256}
"""


def test_the_explicit_list_has_every_address_with_its_hash() -> None:
    archives = (archive("gone", url=None), archive("old", sha256=None), archive())
    assert explicit(lock_of(*archives)) == EXPLICIT


def test_rattler_reads_the_explicit_list() -> None:
    module = "rattler.explicit_environment"
    rattler = pytest.importorskip(module, reason="py-rattler is not installed")
    found = rattler.ExplicitEnvironmentSpec.from_str(EXPLICIT)
    assert str(found.platform) == "linux-64"
    assert [each.url.partition("#")[0].rpartition("/")[2] for each in found.packages] == [
        "old-1.3.1-hb9d3cd8_2.conda",
        "zlib-1.3.1-hb9d3cd8_2.conda",
    ]


CONDA_LOCK = f"""\
# The packages of environment abc123abc123, written by envsnap.
# Make it again:  conda-lock install --prefix DIR THIS
version: 1
metadata:
  content_hash: {{"linux-64": "DIGEST"}}
  channels:
  - {{url: "{CHANNEL}", used_env_vars: []}}
  platforms: ["linux-64"]
  sources: []
  custom_metadata: {{envsnap_environment: "abc123abc123"}}
package:
- name: "zlib"
  version: "1.3.1"
  manager: "conda"
  platform: "linux-64"
  url: "{CHANNEL}/linux-64/zlib-1.3.1-hb9d3cd8_2.conda"
  hash: {{md5: "{MD5}", sha256: "{SHA256}"}}
  dependencies: {{}}
  category: main
  optional: false
- name: "idna"
  version: "3.7"
  manager: "pip"
  platform: "linux-64"
  url: "{made.FILES}/idna-3.7-py3-none-any.whl"
  hash: {{sha256: "{made.ARTIFACTS[1].sha256}"}}
  dependencies: {{}}
  category: main
  optional: false
"""


def test_the_conda_lock_file_has_conda_and_pip() -> None:
    text = conda_lock(lock_of(archive()), made.manifest())
    start = text.index('"linux-64": "') + len('"linux-64": "')
    assert text[:start] + "DIGEST" + text[start + 64 :] == CONDA_LOCK


def test_conda_lock_itself_reads_and_renders_it(tmp_path: Path) -> None:
    beside = shutil.which("conda-lock", path=os.path.dirname(sys.executable))
    program = beside or shutil.which("conda-lock")
    if program is None:
        pytest.skip("conda-lock is not installed")
    anywhere = archive("tzdata", subdir="noarch", url=f"{CHANNEL}/noarch/tzdata-1.3.1-0.conda")
    text = conda_lock(lock_of(anywhere, archive()), made.manifest())
    (tmp_path / "conda-lock.yml").write_text(text)
    argv = [program, "render", "--kind", "explicit", "--kind", "env", "conda-lock.yml"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = (tmp_path / "conda-linux-64.lock").read_text().splitlines()
    assert rows[rows.index("@EXPLICIT") + 1 :] == [
        f"{CHANNEL}/noarch/tzdata-1.3.1-0.conda#{MD5}",
        f"{CHANNEL}/linux-64/zlib-1.3.1-hb9d3cd8_2.conda#{MD5}",
        f"# pip idna @ {made.FILES}/idna-3.7-py3-none-any.whl#sha256={made.ARTIFACTS[1].sha256}",
    ]


def test_nothing_to_name_is_said_and_not_written() -> None:
    nowhere = lock_of(archive(url=None))
    with pytest.raises(PlanError) as caught:
        conda_lock(nowhere, made.manifest())
    assert caught.value.message == (
        "No conda package of this environment has the address and MD5 that conda-lock needs"
    )
    with pytest.raises(PlanError) as caught:
        explicit(nowhere)
    assert caught.value.message == "No conda package of this environment has a public address"


HOSTILE: dict[str, Any] = {
    "name": "zlib\nevil: yes",
    "version": '1.3"',
    "build": "../0",
    "subdir": "linux-64/..",
    "filename": "../../x.conda",
    "url": f'{CHANNEL}/"\n- evil.conda',
    "sha256": "AB",
    "md5": "x" * 32,
}


@pytest.mark.parametrize("field", sorted(HOSTILE))
def test_a_hostile_lock_reaches_neither_list(field: str) -> None:
    found = lock_of(archive(**{field: HOSTILE[field]}))
    expected = f"Unexpected {field} {HOSTILE[field][:60]!a} of a conda package in 'lock.conda[0]'"
    for write in (explicit, lambda lock: conda_lock(lock, made.manifest())):
        with pytest.raises(ManifestError) as caught:
            write(found)
        assert caught.value.message == expected


def test_a_hostile_pip_package_does_not_reach_the_file() -> None:
    evil = replace(made.ARTIFACTS[1], version='1"\n- {name: evil}')
    with pytest.raises(ManifestError) as caught:
        conda_lock(replace(lock_of(archive()), artifacts=(evil,)), made.manifest())
    expected = f"Unexpected version {evil.version!a} in 'lock.artifacts[0]'"
    assert caught.value.message == expected
