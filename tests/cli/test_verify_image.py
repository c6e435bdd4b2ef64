"""`envsnap verify IMAGE`, as whole processes over images made by hand."""

from __future__ import annotations

import hashlib
import json
import resource
import sys
from typing import TYPE_CHECKING

import pytest

from envsnap.cli import main
from envsnap.images import open_image
from envsnap.manifest import encode, environment_id, save
from envsnap.sections import replace
from tests.cli.processes import envsnap
from tests.proof.images import CORE, GOOD, SITE, image, labels, manifest, own_files

if TYPE_CHECKING:
    from pathlib import Path

    from envsnap.manifest import Manifest

EVIL = b"def encode(): steal()\n"


def test_an_image_that_is_the_environment(tmp_path: Path) -> None:
    save(manifest(), str(tmp_path / "paper.json"))
    reference = image(tmp_path)
    ended = envsnap("verify", reference, "--against", "paper.json", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    head, digest, rest = ended.out.split("\n", 2)
    assert head == f"Image       {reference}"
    assert digest.startswith("            sha256:")
    assert rest == (
        f"Manifest    paper.json, environment {environment_id(manifest())}\n"
        "Compared    Python 3.11.7 and 2 packages in /opt/env, 5 files, 147 B; nothing\n"
        "            of it was started\n"
        "\n"
        "  Is it the environment?  YES\n"
        "\n"
        "Proved      2 packages by the digest of all files\n"
        "Base        not compared, with the Python in it: --base asks its registry\n"
        "No image's  kernel 6.1.0 were the author's; envsnap check compares yours\n"
    )


def test_a_tampered_image_is_answered_with_what_was_done_to_it(tmp_path: Path) -> None:
    reference = image(tmp_path, {f"{SITE}/idna/core.py": EVIL, f"{SITE}/evil.pth": b"import os"})
    ended = envsnap("verify", reference, "-q", cwd=tmp_path)
    assert (ended.code, ended.err) == (1, "")
    wanted, found = (hashlib.sha256(each).hexdigest()[:12] for each in (CORE, EVIL))
    with open_image(reference) as opened:
        layer = opened.layers[3].digest[:19]
    assert ended.out == (
        "  Is it the environment?  NO   2 differences\n"
        "\n"
        "  edited        idna lib/python3.11/site-packages/idna/core.py is not the file\n"
        f"                that its RECORD states (sha256 {wanted}..., found\n"
        f"                {found}...)\n"
        f"                layer 4 of 4 brought it, over layer 2 ({layer})\n"
        "  unowned       lib/python3.11/site-packages/evil.pth belongs to no package\n"
        f"                layer 4 of 4 brought it ({layer})\n"
    )


def test_without_a_published_manifest_it_is_said_what_that_is_worth(tmp_path: Path) -> None:
    ended = envsnap("verify", image(tmp_path), cwd=tmp_path)
    assert ended.code == 0
    assert (
        "But         whoever changes an image can change its manifest, too: give the\n"
        "            published one\n"
    ) in ended.out


def test_the_document_for_programs_is_versioned_and_whole(tmp_path: Path) -> None:
    reference = image(tmp_path, {f"{SITE}/idna/core.py": EVIL})
    ended = envsnap("verify", reference, "--json", cwd=tmp_path)
    told = json.loads(ended.out)
    assert (ended.code, told["verify"], told["answer"]) == (1, "1.0", "differs")
    assert sorted(told) == [
        "answer", "base", "differs", "embedded", "environment", "files", "host", "image", "inside",
        "layers", "manifest", "not_proved", "packages", "system", "verify",
    ]  # fmt: skip
    (only,) = told["differs"]
    assert (only["kind"], only["package"], only["layer"], only["over"]) == (
        "edited",
        "idna",
        3,
        [1],
    )
    assert only["found"] == hashlib.sha256(EVIL).hexdigest()
    assert told["packages"] == {"found": 2, "by_content": 1, "by_version": {}}


def test_what_is_not_proved_is_4_unless_it_is_accepted(tmp_path: Path) -> None:
    reference = image(tmp_path, {f"{SITE}/__pycache__/socks.cpython-311.pyc": b"\0"})
    ended = envsnap("verify", reference, cwd=tmp_path)
    assert ended.code == 4
    assert "  Is it the environment?  CANNOT TELL\n" in ended.out
    assert "  bytecode      1: bytecode, which Python may load in the place of its" in ended.out
    assert envsnap("verify", reference, "--allow-unknown", "bytecode", cwd=tmp_path).code == 0


def test_what_is_no_image_is_refused_with_the_ways_to_name_one(tmp_path: Path) -> None:
    ended = envsnap("verify", "paper.tar", cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "error: paper.tar names no image\n"
        "hint: Say what it is: docker://NAME, docker-daemon:NAME, podman:NAME, "
        "docker-archive:FILE.tar, oci-archive:FILE.tar, oci:FOLDER or FILE.sif\n"
    )


def test_a_bare_name_is_answered_with_where_it_can_be(tmp_path: Path) -> None:
    ended = envsnap("verify", "paper:1", cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "error: paper:1 names no image\n"
        "hint: Say where it is: docker-daemon:paper:1, podman:paper:1 or docker://paper:1\n"
    )


def test_an_images_words_cannot_misuse_the_terminal(tmp_path: Path) -> None:
    name = "a\x1b[2J\x07b.py"
    ended = envsnap("verify", image(tmp_path, {f"{SITE}/{name}": b""}), cwd=tmp_path)
    assert ended.code == 1
    assert "\x1b" not in ended.out
    assert "a\\x1b[2J\\x07b.py belongs to no package" in " ".join(ended.out.split())


def test_a_base_that_the_labels_do_not_name_is_refused(tmp_path: Path) -> None:
    ended = envsnap("verify", image(tmp_path), "--base", cwd=tmp_path)
    assert ended.code == 2
    assert ended.err == (
        "error: The image's labels do not say from which base image it was made\n"
        "hint: Leave out --base\n"
    )


WHEEL = b"PK made here"
NAME = "idna-3.7-py3-none-any.whl"


def carrying(data: bytes, folder: Path) -> tuple[str, Manifest]:
    """An image whose manifest knows idna as a file that no index has; it carries `data` as that."""
    plain = manifest()
    assert plain.lock is not None
    first, *rest = plain.lock.artifacts
    digest = hashlib.sha256(WHEEL).hexdigest()
    alone = replace(first, url=None, sha256=digest, how="made", filename=NAME)
    wanted = plain.with_lock(replace(plain.lock, artifacts=(alone, *rest)))
    layer = {**own_files(wanted), f"/opt/envsnap/wheels/{NAME}": data}
    return image(folder, layer, layers=GOOD[:2], said=labels(wanted)), wanted


def test_the_manifest_and_the_wheels_come_out_of_an_image_again(tmp_path: Path) -> None:
    reference, wanted = carrying(WHEEL, tmp_path)
    ended = envsnap("verify", reference, "--extract", "kit", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "Wrote kit: the manifest, 1 wheel\n")
    assert (tmp_path / "kit/envsnap.lock.json").read_text() == encode(wanted)
    assert (tmp_path / "kit/wheels" / NAME).read_bytes() == WHEEL
    (row,) = json.loads((tmp_path / "kit/wheels/wheelhouse.json").read_text())["files"]
    assert (row["name"], row["filename"], row["how"]) == ("idna", NAME, "made")
    again = envsnap("verify", reference, "--extract", "kit", cwd=tmp_path)
    assert (again.code, again.err.splitlines()[0]) == (7, "error: kit is not empty")


@pytest.mark.parametrize("was_there", [False, True])
def test_of_an_extraction_that_fails_nothing_stays_and_the_next_one_is_whole(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    was_there: bool,
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # Python keeps what it cut short
    reference, wanted = carrying(WHEEL, tmp_path)
    kit = tmp_path / "kit"
    if was_there:
        kit.mkdir()
    words = ["verify", reference]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(encode(wanted)) - 1, limits[1]))
    try:
        code = main([*words, "--extract", str(kit)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code == 7
    assert capsys.readouterr().err.startswith(f"error: Cannot write {kit}/envsnap.lock.json: ")
    assert list(tmp_path.glob("kit*")) == ([kit] if was_there else [])
    assert list(tmp_path.glob("kit/*")) == []
    assert main([*words, "--extract", str(kit)]) == 0
    assert (kit / "wheels" / NAME).read_bytes() == WHEEL


def test_a_wheel_with_other_bytes_than_the_lock_says_does_not_come_out(tmp_path: Path) -> None:
    reference, _ = carrying(b"PK evil", tmp_path)
    ended = envsnap("verify", reference, "--extract", "kit", cwd=tmp_path)
    assert ended.err == (
        "Wrote kit: the manifest, 0 wheels\n"
        f"not taken: {NAME}: it has other bytes\n"
    )  # fmt: skip
    assert not (tmp_path / "kit/wheels" / NAME).exists()


def test_a_folder_that_is_no_image_ends_without_a_trace(tmp_path: Path) -> None:
    ended = envsnap("verify", "docker-archive:missing.tar", cwd=tmp_path)
    assert ended.code in {5, 7}
    assert ended.err.startswith("error: ")
