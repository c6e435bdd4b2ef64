"""The manifest inside an image states nothing otherwise than the published one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from envsnap._verify import Published
from envsnap.errors import ExitCode
from envsnap.images import add_object
from envsnap.manifest import Manifest, encode
from envsnap.sections import Artifact, CondaArtifact, Lock, Reason, Unknown, Unlocked, replace
from tests import made
from tests.images.squash import Node, sif, squashfs
from tests.proof.images import (
    ARTIFACTS,
    BASE,
    GOOD,
    IDNA,
    PACKAGES,
    PYTHON,
    SOCKS,
    Layer,
    Link,
    digest,
    image,
    labels,
    manifest,
    own_files,
    told,
    verified,
)

if TYPE_CHECKING:
    from pathlib import Path

Change = Callable[[Lock], Lock]
PAPER = manifest()
UNKNOWN = Unknown(Reason.NOT_RECORDED)
CONDA = CondaArtifact(
    name="zlib", version="1.3", build="h0", subdir="linux-64", filename="zlib-1.3-h0.conda",
    url="https://conda.example/zlib-1.3-h0.conda", sha256=None, md5="0" * 32, size=UNKNOWN,
)  # fmt: skip


def locked(change: Change, of: Manifest = PAPER) -> Manifest:
    """A manifest with another lock."""
    assert of.lock is not None
    return of.with_lock(change(of.lock))


def first(**changes: object) -> Change:
    """The lock with another row for idna, its first."""

    def change(lock: Lock) -> Lock:
        return replace(lock, artifacts=(replace(lock.artifacts[0], **changes), *lock.artifacts[1:]))

    return change


def answer(
    folder: Path, inside: Manifest, published: Manifest = PAPER
) -> tuple[ExitCode, list[tuple[str, str]]]:
    """What is said of the good files with this manifest, held against the published one."""
    reference = image(folder, layers=(*GOOD[:2], own_files(inside)), said=labels(inside))
    found = verified(reference, against=Published(published, "paper.json"))
    return found.exit_code, told(found)


def with_row(row: Artifact) -> Change:
    """The lock with this row in the place of idna's."""
    return lambda lock: replace(lock, artifacts=(row, *lock.artifacts[1:]))


def twice(lock: Lock) -> Lock:
    evil = replace(lock.artifacts[0], sha256="0" * 64, url="https://evil.example/idna.whl")
    return replace(lock, artifacts=(*lock.artifacts, evil))


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (first(url="https://evil.example/idna-3.7-py3-none-any.whl"), "idna (url)"),
        (first(filename="evil.whl", size=1), "idna (filename, size)"),
        (first(sha256="0" * 64, url="https://evil.example/i.whl"), "idna"),
        (first(content="f" * 64), "idna (content)"),
        (first(is_installed=False), "idna (is_installed)"),
        (first(how="built"), "idna (how)"),
        (twice, "idna (2 files)"),
        (lambda lock: replace(lock, artifacts=lock.artifacts[1:]), "idna"),
        (lambda lock: replace(lock, conda=(CONDA,)), "zlib (1 files)"),
        (
            lambda lock: replace(
                lock, unlocked=(Unlocked(name="six", version="1.0", why="evil"),)
            ),
            "six (none)",
        ),
    ],
)  # fmt: skip
def test_a_lock_that_says_otherwise_is_named_by_its_packages(
    tmp_path: Path, change: Change, names: str
) -> None:
    says = f"the lock inside names other files than paper.json for {names}"
    assert answer(tmp_path, locked(change)) == (ExitCode.NO, [("manifest", says)])


@pytest.mark.parametrize(
    ("inside", "what"),
    [
        (PAPER.with_lock(None), "lock: there -> not there"),
        (locked(lambda lock: replace(lock, locker="evil 1")), "lock.locker: uv 0.9.1 -> evil 1"),
        (
            replace(PAPER, requires={"must": ["python >= 2"]}),
            "requires.must: not there -> ['python >= 2']",
        ),
        (
            replace(PAPER, captured=replace(PAPER.captured, time="2000-01-01T00:00:00Z")),
            "captured.time: 2026-01-31T12:00:00Z -> 2000-01-01T00:00:00Z",
        ),
        (
            replace(PAPER, captured=replace(PAPER.captured, verified=True)),
            "captured.verified: not there -> True",
        ),
    ],
)  # fmt: skip
def test_what_has_no_digest_is_named_by_its_path(
    tmp_path: Path, inside: Manifest, what: str
) -> None:
    says = f"the manifest inside is not paper.json: {what}"
    assert answer(tmp_path, inside) == (ExitCode.NO, [("manifest", says)])


def test_what_the_author_insists_on_cannot_be_dropped(tmp_path: Path) -> None:
    published = replace(PAPER, requires={"must": ["gpu.driver >= 999"]})
    says = (
        "the manifest inside is not paper.json: requires.must: ['gpu.driver >= 999'] -> not there"
    )
    assert answer(tmp_path, PAPER, published) == (ExitCode.NO, [("manifest", says)])


def test_facts_that_are_unknown_for_another_reason_are_named(tmp_path: Path) -> None:
    inside = made.manifest(PACKAGES, ARTIFACTS, gpu=Unknown(Reason.NOT_ASKED, "a"))
    published = made.manifest(PACKAGES, ARTIFACTS, gpu=Unknown(Reason.NOT_ASKED, "b"))
    code, ((_, says),) = answer(tmp_path, inside, published)
    assert code == ExitCode.NO
    assert says == "the manifest inside is not paper.json: sections.gpu.detail: b -> a"


def test_a_build_locks_what_has_no_lock_or_that_of_another_environment(tmp_path: Path) -> None:
    stale = locked(lambda lock: replace(lock, environment="0" * 12, artifacts=()))
    for published in (PAPER, PAPER.with_lock(None), stale):
        assert answer(tmp_path, PAPER, published) == (ExitCode.OK, [])


def test_what_a_build_learns_of_a_file_that_it_fetched_is_fine(tmp_path: Path) -> None:
    whole = digest(IDNA)
    before = replace(locked(first(size=UNKNOWN, is_installed=UNKNOWN)).lock, conda=(CONDA,))
    archive = replace(CONDA, sha256="1" * 64, size=9)
    after = replace(
        locked(first(size=9, is_installed=True, content=whole)).lock, conda=(archive,)
    )  # fmt: skip
    published = PAPER.with_lock(before)
    assert answer(tmp_path, PAPER.with_lock(after), published) == (ExitCode.OK, [])
    evil = replace(after, conda=(replace(archive, md5="2" * 32),))
    assert answer(tmp_path, PAPER.with_lock(evil), published)[1] == [
        ("manifest", "the lock inside names other files than paper.json for zlib (md5)")
    ]


def test_a_file_that_was_made_here_stands_for_a_package_that_had_none(tmp_path: Path) -> None:
    own: Artifact = replace(ARTIFACTS[0], url=None, how="made", content=digest(IDNA))
    lost = (Unlocked(name="idna", version="3.7", why="no index has it"),)
    published = locked(lambda lock: replace(lock, artifacts=lock.artifacts[1:], unlocked=lost))
    for row, code in (
        (own, ExitCode.OK),
        (replace(own, content="f" * 64), ExitCode.NO),
        (replace(own, url="https://evil.example/i.whl"), ExitCode.NO),
        (replace(own, how="index"), ExitCode.NO),
    ):
        inside = locked(with_row(row))
        assert answer(tmp_path, inside, published)[0] == code


# --- a SIF's data object --------------------------------------------------------------------------

SETTING = b"export PATH=/opt/env/bin:/usr/local/bin\n"
FILES: Layer = {
    **BASE, **PYTHON, **IDNA, **SOCKS, "/.singularity.d/env/90-environment.sh": SETTING,
}  # fmt: skip
NONE_INSIDE = "the SIF's data object holds a manifest, and its file system has none"


def made_sif(folder: Path, files: Layer, beside: Manifest | None) -> str:
    """A SIF of these files; with a data object beside them."""
    root: dict[str, Node] = {}
    for inner, what in files.items():
        *above, name = inner.strip("/").split("/")
        place: object = root
        for each in above:
            assert isinstance(place, dict)
            place = place.setdefault(each, Node({})).content
        assert isinstance(place, dict)
        assert isinstance(what, (bytes, Link))
        place[name] = Node(what.target if isinstance(what, Link) else what)
    path = folder / "paper.sif"
    path.write_bytes(sif(squashfs(Node(root))))
    if beside is not None:
        add_object(str(path), "envsnap.lock.json", encode(beside).encode())
    return str(path)


def of_sif(folder: Path, files: Layer, beside: Manifest | None) -> list[tuple[str, str]]:
    found = verified(
        made_sif(folder, files, beside), against=Published(PAPER, "paper.json")
    )  # fmt: skip
    return [each for each in told(found) if each[0] == "manifest"]


def test_a_data_object_that_its_file_system_has_is_fine(tmp_path: Path) -> None:
    assert of_sif(tmp_path, {**FILES, **own_files()}, PAPER) == []
    assert of_sif(tmp_path, {**FILES, **own_files()}, None) == []


def test_a_data_object_that_its_file_system_does_not_have_is_told(tmp_path: Path) -> None:
    assert of_sif(tmp_path, FILES, PAPER) == [("manifest", NONE_INSIDE)]


@pytest.mark.parametrize("files", [FILES, {**FILES, **own_files()}])
def test_a_data_object_is_held_against_the_published_manifest(tmp_path: Path, files: Layer) -> None:
    evil = replace(PAPER, requires={"must": ["python >= 2"]})
    first_words, second = of_sif(tmp_path, files, evil)
    assert first_words[1].startswith("the SIF's data object holds a")
    assert second[1] == (
        "the manifest in the SIF's data object is not paper.json: "
        "requires.must: not there -> ['python >= 2']"
    )


def test_a_data_object_that_is_no_manifest_is_told(tmp_path: Path) -> None:
    path = made_sif(tmp_path, {**FILES, **own_files()}, None)
    add_object(path, "envsnap.lock.json", b"{}")
    found = told(verified(path, against=Published(PAPER, "paper.json")))
    assert [kind for kind, _ in found].count("manifest") == 2
    assert found[1][1].startswith("in the SIF's data object: ")
