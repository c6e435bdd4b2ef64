"""A conda environment in an image, held against the digests that a manifest has of its archives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from envsnap._verify import Published
from envsnap.errors import ExitCode, ManifestError
from envsnap.inside import conda_files
from envsnap.sections import Lock, replace
from tests.images.squash import Node, sif, squashfs
from tests.proof import conda
from tests.proof.conda import CONDA, PLACEHOLDER, PREFIX, SITE, installed, layers, sha
from tests.proof.images import Gone, Layer, Link, image, labels, told, verified

if TYPE_CHECKING:
    from pathlib import Path

    from envsnap.manifest import Manifest
    from envsnap.proof import Verified

TOY = f"{PREFIX}/{SITE}/toy/__init__.py"
RECORD = f"{PREFIX}/conda-meta/toy-1.0-0.json"
EVIL = b"def main(): steal()\n"
PATH = ("PATH=/opt/env/bin:/usr/bin",)


def looked(
    folder: Path, *more: Layer, wanted: Manifest | None = None, base: Layer = CONDA
) -> Verified:
    """What the files prove, held against the published manifest."""
    known = wanted or conda.manifest()
    built = layers(known, base)
    reference = image(folder, *more, layers=built, said=labels(known), environ=PATH)
    return verified(reference, against=Published(known, "paper.json"))


def test_an_untouched_conda_environment_is_the_manifests(tmp_path: Path) -> None:
    found = looked(tmp_path)
    assert (told(found), found.not_proved) == ([], ())
    assert found.exit_code == ExitCode.OK
    assert (found.proof.packages, found.proof.proved) == (4, 4)
    assert dict(found.proof.by_version) == {}
    assert found.proof.python == "3.11.7"


def test_a_changed_file_is_named_with_its_package_and_layer(tmp_path: Path) -> None:
    found = looked(tmp_path, {TOY: EVIL})
    (only,) = found.tampered
    assert found.exit_code == ExitCode.NO
    assert (only.kind, only.package, only.path) == ("edited", "toy", TOY)
    assert (only.layer, only.over) == (3, (1,))
    assert only.says.startswith(f"toy {SITE}/toy/__init__.py is not the file of its archive (sha")
    assert (only.wanted, only.found) == (sha(b"def main(): ...\n"), sha(EVIL))


def test_a_file_that_is_changed_together_with_conda_meta_is_named(tmp_path: Path) -> None:
    evil = {**conda.TOY, f"{SITE}/toy/__init__.py": EVIL}
    meta = conda.package("toy", evil, more=conda.TOY_PROGRAM)[RECORD]
    found = looked(tmp_path, {TOY: EVIL, RECORD: meta})
    (only,) = found.tampered
    why = "what conda-meta states is not what the manifest states"
    assert (only.kind, only.says) == ("content", f"toy 1.0 holds other files than it did: {why}")
    assert (only.path, only.layer, only.over) == (RECORD, 3, (1,))
    assert only.others == (TOY,)


@pytest.mark.parametrize("path", ["bin/python3.11", "etc/where.cfg"])
def test_a_file_with_the_prefix_that_was_changed_elsewhere_is_named(
    tmp_path: Path, path: str
) -> None:
    was = conda.PYTHON[path]
    assert isinstance(was, bytes)
    evil = installed(was).replace(b"end", b"evi").replace(b"root=", b"evil=")
    meta = json.loads(_bytes(CONDA[f"{PREFIX}/conda-meta/python-3.11.7-0.json"]))
    for each in meta["paths_data"]["paths"]:
        if each["_path"] == path:
            each["sha256_in_prefix"] = sha(evil)  # which no digest of a manifest is over
    layer = {
        f"{PREFIX}/{path}": evil,
        f"{PREFIX}/conda-meta/python-3.11.7-0.json": json.dumps(meta).encode(),
    }
    (only,) = looked(tmp_path, layer).tampered
    assert (only.kind, only.package, only.path) == ("edited", "python", f"{PREFIX}/{path}")
    assert (only.wanted, only.layer) == (sha(was), 3)


def _bytes(what: object) -> bytes:
    assert isinstance(what, bytes)
    return what


def test_a_file_into_which_no_prefix_was_written_is_not_its_archives(tmp_path: Path) -> None:
    raw = conda.PYTHON["etc/where.cfg"]
    (only,) = looked(tmp_path, {f"{PREFIX}/etc/where.cfg": _bytes(raw)}).tampered
    assert (only.kind, only.package) == ("edited", "python")


@pytest.mark.parametrize(
    "path",
    [f"{SITE}/evil.pth", "lib/libevil.so", "etc/conda/activate.d/evil.sh", "bin/evil",
     "lib/python3.11/sitecustomize.py"],
)  # fmt: skip
def test_an_added_file_belongs_to_no_package(tmp_path: Path, path: str) -> None:
    apart, below = looked(tmp_path, {f"{PREFIX}/{path}": EVIL}), f"{path} belongs to no package"
    together = looked(tmp_path, base={**CONDA, f"{PREFIX}/{path}": EVIL})
    assert told(apart) == told(together) == [("unowned", below)]


def test_an_added_file_that_nothing_runs_is_told_as_not_proved(tmp_path: Path) -> None:
    path = f"{PREFIX}/share/more.txt"
    found = looked(tmp_path, base={**CONDA, path: b"x"})
    assert (found.exit_code, found.tampered) == (ExitCode.CANNOT_TELL, ())
    assert [(each.code, each.names) for each in found.not_proved] == [("outside", (path,))]


def test_an_added_file_that_conda_meta_owns_is_named_by_its_package(tmp_path: Path) -> None:
    evil = {**conda.TOY, f"{SITE}/evil.pth": EVIL}
    meta = conda.package("toy", evil, more=conda.TOY_PROGRAM)[RECORD]
    found = looked(tmp_path, {f"{PREFIX}/{SITE}/evil.pth": EVIL, RECORD: meta})
    assert [(each.kind, each.package, each.layer) for each in found.tampered] == [
        ("content", "toy", 3)
    ]


def test_a_second_record_of_a_package_is_told(tmp_path: Path) -> None:
    evil = conda.package("toy", {f"{SITE}/evil.pth": EVIL})
    layer = {
        f"{PREFIX}/{SITE}/evil.pth": EVIL,
        f"{PREFIX}/conda-meta/toy.json": evil[RECORD],
    }
    kinds = {each.kind: each.says for each in looked(tmp_path, layer).tampered}
    assert kinds["twice"] == "toy is there twice: toy-1.0-0.json, toy.json"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    found = looked(tmp_path, {f"{PREFIX}/share/toy.txt": Gone()})
    assert told(found) == [("missing", "toy share/toy.txt is not there")]


def test_a_link_that_leads_to_another_file_is_told(tmp_path: Path) -> None:
    found = looked(tmp_path, {f"{PREFIX}/lib/libz.so": Link("python3.11/os.py")})
    assert told(found) == [("link", "lib/libz.so is a link to python3.11/os.py")]


def test_a_link_out_of_the_environment_is_told(tmp_path: Path) -> None:
    evil = Link("/srv/libevil.so")
    layer: Layer = {f"{PREFIX}/lib/libz.so": evil, "/srv/libevil.so": b"ELF"}
    assert ("link", "lib/libz.so is a link to /srv/libevil.so") in told(looked(tmp_path, layer))


@pytest.mark.parametrize("module", ["os", "toy.evil"])
def test_a_program_that_calls_what_is_not_its_packages_is_no_installers(
    tmp_path: Path, module: str
) -> None:
    path = f"{PREFIX}/bin/toy"
    found = looked(tmp_path, {path: conda.PROGRAM.format(module=module).encode()})
    assert (found.exit_code, told(found)) == (
        ExitCode.NO, [("unowned", "bin/toy belongs to no package")]
    )  # fmt: skip


def test_a_program_that_does_more_than_to_call_is_no_installers(tmp_path: Path) -> None:
    text = conda.PROGRAM.format(module="toy").replace("import sys\n", "import sys, evil\n")
    found = looked(tmp_path, {f"{PREFIX}/bin/toy": text.encode()})
    assert ("unowned", "bin/toy belongs to no package") in told(found)


def test_a_program_that_another_python_runs_is_told(tmp_path: Path) -> None:
    text = conda.PROGRAM.format(module="toy").replace("/opt/env", "/srv/evil")
    (only, *_) = looked(tmp_path, {f"{PREFIX}/bin/toy": text.encode()}).tampered
    assert (only.kind, only.package, only.path) == ("unowned", "toy", f"{PREFIX}/bin/toy")


def test_bytecode_that_an_installer_made_is_no_proof(tmp_path: Path) -> None:
    inner = f"{SITE}/toy/__pycache__/__init__.cpython-311.pyc"
    rows = [{"_path": inner, "path_type": "pyc_file", "sha256_in_prefix": sha(b"compiled")},
            {"_path": "bin/toy", "path_type": "unix_python_entry_point"}]  # fmt: skip
    layer = {RECORD: conda.package("toy", conda.TOY, more=rows)[RECORD],
             f"{PREFIX}/{inner}": b"compiled"}  # fmt: skip
    found = looked(tmp_path, layer)
    assert (found.exit_code, found.tampered) == (ExitCode.CANNOT_TELL, ())
    assert [(each.code, each.names) for each in found.not_proved] == [
        ("bytecode", (f"{PREFIX}/{inner}",))
    ]


def test_a_manifest_without_such_digests_proves_no_package_of_condas(tmp_path: Path) -> None:
    found = looked(tmp_path, wanted=conda.manifest(content=False))
    assert (found.exit_code, found.tampered) == (ExitCode.CANNOT_TELL, ())
    (only,) = found.not_proved
    assert (only.code, only.names) == ("content", ("over", "python", "toy"))
    assert only.says.startswith("of conda, whose files conda-meta in the image alone states")
    assert found.proof.proved == 1


def test_an_image_without_any_record_of_condas_is_not_proved(tmp_path: Path) -> None:
    bare = {path: each for path, each in CONDA.items() if "/conda-meta/" not in path}
    found = looked(tmp_path, base=bare)
    assert found.exit_code != ExitCode.OK
    assert dict(found.proof.by_version) == {
        "over": "there is no conda-meta", "python": "there is no conda-meta"
    }  # fmt: skip


def aside(path: str) -> Layer:
    """The toy's record where rattler put a file aside, for another package's of the same name."""
    meta = json.loads(_bytes(CONDA[RECORD]))
    for each in meta["paths_data"]["paths"]:
        if each["_path"] == path:
            each |= {"_path": f"__clobbers__/toy/{path}", "original_path": path}
    return {RECORD: json.dumps(meta).encode()}


def test_a_file_that_was_put_aside_for_another_packages_is_compared_there(tmp_path: Path) -> None:
    other = {"share/toy.txt": b"another's\n"}
    base: Layer = {
        **CONDA, **aside("share/toy.txt"), **conda.package("other", other),
        f"{PREFIX}/__clobbers__/toy/share/toy.txt": b"toy\n",
    }  # fmt: skip
    known = conda.manifest(more=(conda.record("other", other, {}),))
    assert told(looked(tmp_path, wanted=known, base=base)) == []
    changed = {f"{PREFIX}/__clobbers__/toy/share/toy.txt": EVIL}
    (only,) = looked(tmp_path, changed, wanted=known, base=base).tampered
    assert (only.kind, only.package, only.layer) == ("edited", "toy", 3)


def test_a_file_that_was_put_aside_for_nobody_is_missing(tmp_path: Path) -> None:
    layer = {
        **aside("share/toy.txt"), f"{PREFIX}/share/toy.txt": Gone(),
        f"{PREFIX}/__clobbers__/toy/share/toy.txt": b"toy\n",
    }  # fmt: skip
    found = looked(tmp_path, layer)
    assert told(found) == [("missing", "toy share/toy.txt is not there")]


def test_a_file_that_a_record_calls_a_program_is_no_packages(tmp_path: Path) -> None:
    path = "lib/python3.11/sitecustomize.py"
    rows = [*conda.TOY_PROGRAM, {"_path": path, "path_type": "unix_python_entry_point"}]
    layer = {RECORD: conda.package("toy", conda.TOY, more=rows)[RECORD], f"{PREFIX}/{path}": EVIL}
    assert told(looked(tmp_path, layer)) == [("unowned", f"{path} belongs to no package")]


def test_an_archive_that_was_made_again_has_its_own_digest(tmp_path: Path) -> None:
    edited = {**conda.TOY, "share/toy.txt": b"edited before it was captured\n"}
    base = {**CONDA, **conda.package("toy", edited, more=conda.TOY_PROGRAM)}
    known = conda.manifest()
    assert isinstance(known.lock, Lock)
    row = conda.made_again("toy", edited)
    made = known.with_lock(replace(known.lock, conda=(row,)))
    found = looked(tmp_path, wanted=made, base=base)
    assert (found.exit_code, told(found)) == (ExitCode.OK, [])
    unknown = known.with_lock(replace(known.lock, conda=(replace(row, content=None),)))
    assert looked(tmp_path, wanted=unknown, base=base).exit_code == ExitCode.CANNOT_TELL


def test_the_digest_is_the_one_of_its_definition() -> None:
    meta = conda_files.parsed(b"x", _bytes(conda.package("python", conda.PYTHON, "3.11.7")[
        f"{PREFIX}/conda-meta/python-3.11.7-0.json"]))  # fmt: skip
    assert meta is not None
    assert meta.content == conda.digest(conda.PYTHON)
    assert PLACEHOLDER.encode() in _bytes(conda.PYTHON["bin/python3.11"])


def test_an_image_without_a_manifest_is_refused_before_it_is_read(tmp_path: Path) -> None:
    from envsnap._verify import VerifyOptions, verify
    from envsnap.images import open_image

    heard: list[str] = []
    reference = image(tmp_path, layers=layers()[:2], said={})
    with open_image(reference) as opened, pytest.raises(ManifestError) as error:
        verify(opened, VerifyOptions(), heard.append)
    assert error.value.message == f"{reference}: There is no /opt/envsnap/manifest.json"
    assert heard == []


def sif_of(folder: Path, *more: Layer) -> str:
    """The same files in the one file system of a SIF."""
    root = Node({})
    for layer in (*layers(), *more):
        for path, what in layer.items():
            *above, name = path.strip("/").split("/")
            node = root
            for part in above:
                assert isinstance(node.content, dict)
                node = node.content.setdefault(part, Node({}))
            assert isinstance(node.content, dict)
            assert isinstance(what, (bytes, Link))
            node.content[name] = Node(what.target if isinstance(what, Link) else what)
    place = folder / "image.sif"
    place.write_bytes(sif(squashfs(root)))
    return str(place)


def test_in_a_sif_a_file_with_the_prefix_is_told_as_well(tmp_path: Path) -> None:
    against = Published(conda.manifest(), "paper.json")
    found = verified(sif_of(tmp_path), against=against)
    assert told(found) == []
    assert (found.proof.packages, found.proof.proved) == (4, 4)
    path = f"{PREFIX}/etc/where.cfg"
    raw = conda.PYTHON["etc/where.cfg"]
    evil = installed(_bytes(raw)).replace(b"root=", b"evil=")
    (only,) = verified(sif_of(tmp_path, {path: evil}), against=against).tampered
    assert (only.kind, only.package, only.path) == ("edited", "python", path)
