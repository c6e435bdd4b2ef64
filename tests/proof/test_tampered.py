"""An image in which something is not as its manifest says: each is named, and the answer is no."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from envsnap._verify import Published
from envsnap.errors import ExitCode, ManifestError
from envsnap.images import ImageError
from envsnap.manifest import encode
from envsnap.sections import replace
from tests import made
from tests.proof.images import (
    BASE,
    CORE,
    GOOD,
    IDNA,
    LIBRARY,
    PACKAGES,
    PYTHON,
    PYVENV,
    SITE,
    SOCKS,
    Gone,
    Layer,
    Link,
    dist_info,
    image,
    labels,
    manifest,
    own_files,
    package,
    told,
    verified,
)

if TYPE_CHECKING:
    from pathlib import Path

EVIL = b"def encode(): steal()\n"
PUBLISHED = Published(manifest(), "paper.json")


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_an_image_as_its_manifest_says_is_the_environment(tmp_path: Path) -> None:
    found = verified(image(tmp_path), against=PUBLISHED)
    assert (found.exit_code, found.tampered, found.not_proved) == (ExitCode.OK, (), ())
    assert (found.proof.packages, found.proof.proved, found.proof.files) == (2, 2, 5)
    assert (found.proof.prefix, found.proof.python) == ("/opt/env", "3.11.7")


def test_one_changed_file_is_named_with_both_digests_and_the_layer_that_brought_it(
    tmp_path: Path,
) -> None:
    found = verified(image(tmp_path, {f"{SITE}/idna/core.py": EVIL}))
    (only,) = found.tampered
    assert found.exit_code == ExitCode.NO
    assert (only.kind, only.package, only.path) == ("edited", "idna", f"{SITE}/idna/core.py")
    assert (only.wanted, only.found) == (sha(CORE), sha(EVIL))
    assert (only.layer, only.over) == (3, (1,))
    assert found.proof.proved == 1


def test_a_file_that_is_changed_together_with_its_record_is_named_by_its_layer(
    tmp_path: Path,
) -> None:
    evil = dist_info("idna", "3.7", {"idna/__init__.py": IDNA[f"{SITE}/idna/__init__.py"],
                                     "idna/core.py": EVIL})  # fmt: skip
    record = f"{SITE}/idna-3.7.dist-info/RECORD"
    layer = {f"{SITE}/idna/core.py": EVIL, record: evil[record]}
    (only,) = verified(image(tmp_path, layer)).tampered
    assert (only.kind, only.package) == ("content", "idna")
    assert only.others == (f"{SITE}/idna/core.py", record)


def test_without_a_layer_of_its_own_a_changed_record_still_names_the_package(
    tmp_path: Path,
) -> None:
    evil = dist_info("idna", "3.7", {"idna/__init__.py": b"", "idna/core.py": EVIL})
    layers = ({**BASE, **PYTHON, **evil, **SOCKS, **own_files()},)
    words = "holds other files than it did: what RECORD states is not what the manifest states"
    assert told(verified(image(tmp_path, layers=layers))) == [("content", f"idna 3.7 {words}")]


def test_a_swapped_manifest_is_told_by_the_published_one_and_by_the_label(tmp_path: Path) -> None:
    evil = dist_info("idna", "3.7", {"idna/__init__.py": b"", "idna/core.py": EVIL})
    swapped = manifest((package("idna", "3.7", evil), PACKAGES[1]))
    text = encode(swapped).encode()
    layers = (BASE, {**PYTHON, **evil, **SOCKS}, own_files(swapped))
    reference = image(tmp_path, layers=layers)
    inner = dict(told(verified(reference)))
    assert inner.keys() == {"label"}
    assert f"of the manifest inside it is {sha(text)}" in inner["label"]
    reference = image(tmp_path, layers=layers, said=labels(swapped))
    assert verified(reference).exit_code == ExitCode.OK  # it agrees with itself
    outer = dict(told(verified(reference, against=PUBLISHED)))
    assert outer.keys() == {"manifest", "content"}
    assert outer["manifest"].startswith("the manifest inside is not paper.json: packages.installed")


def test_an_edited_manifest_is_no_word_to_rely_on(tmp_path: Path) -> None:
    tree = json.loads(encode(manifest()))
    tree["sections"]["python"]["compiler"] = "another"
    own = {"/opt/envsnap/manifest.json": json.dumps(tree, indent=2).encode()}
    found = verified(image(tmp_path, own, said={}))
    assert told(found) == [
        ("manifest", "the manifest inside was edited: its facts are not those of its own digest")
    ]


def test_a_lock_that_names_other_files_than_the_published_one_is_told(tmp_path: Path) -> None:
    other = manifest()
    assert other.lock is not None
    changed = tuple(replace(each, sha256="0" * 64) for each in other.lock.artifacts[:1])
    lock = replace(other.lock, artifacts=(*changed, *other.lock.artifacts[1:]))
    inner = other.with_lock(lock)
    found = verified(image(tmp_path, own_files(inner), said=labels(inner)), against=PUBLISHED)
    assert told(found) == [
        ("manifest", "the lock inside names other files than paper.json for idna")
    ]


def test_a_package_too_many_is_told(tmp_path: Path) -> None:
    layer = dist_info("evil", "6.6", {"evil.py": b""})
    assert told(verified(image(tmp_path, layer))) == [
        ("not-wanted", "evil 6.6 is not the manifest's")
    ]


def test_where_others_may_be_there_nothing_is_said_of_them(tmp_path: Path) -> None:
    layer = {**dist_info("jupyter", "1.0", {"jupyter.py": b""}), f"{SITE}/other.pth": b""}
    reference = image(tmp_path, layer, {f"{SITE}/jupyter.py": b"edited"})
    assert verified(reference, others_ok=True).exit_code == ExitCode.OK
    edited = image(tmp_path, layer, {f"{SITE}/socks.py": b"edited"})
    assert [kind for kind, _ in told(verified(edited, others_ok=True))] == ["edited"]


def test_a_package_that_is_gone_is_told(tmp_path: Path) -> None:
    layer = {path: Gone() for path in SOCKS}
    found = verified(image(tmp_path, layer))
    assert told(found) == [("not-installed", "PySocks 1.7.1 is missing")]
    assert verified(image(tmp_path, layer), without=("pysocks",)).exit_code == ExitCode.OK


def test_a_file_that_a_later_layer_takes_away_is_missing(tmp_path: Path) -> None:
    found = verified(image(tmp_path, {f"{SITE}/socks.py": Gone()}))
    assert told(found) == [
        ("missing", "PySocks lib/python3.11/site-packages/socks.py is not there")
    ]


@pytest.mark.parametrize(
    "name", ["evil.pth", "sitecustomize.py", "idna/evil.py", "evil.pyc", "idna/__pycache__/a.sh"]
)
def test_a_file_that_belongs_to_no_package_is_told(tmp_path: Path, name: str) -> None:
    found = verified(image(tmp_path, {f"{SITE}/{name}": b"import os"}))
    assert told(found) == [
        ("unowned", f"lib/python3.11/site-packages/{name} belongs to no package")
    ]


def test_a_program_that_belongs_to_no_package_is_told(tmp_path: Path) -> None:
    found = verified(image(tmp_path, {"/opt/env/bin/ls": b"#!/bin/sh\n"}))
    assert told(found) == [("unowned", "bin/ls belongs to no package")]


def test_bytecode_that_nothing_vouches_for_is_no_proof_until_it_is_accepted(
    tmp_path: Path,
) -> None:
    path = f"{SITE}/idna/__pycache__/core.cpython-311.pyc"
    reference = image(tmp_path, {path: b"\0"})
    found = verified(reference)
    assert (found.exit_code, found.tampered) == (ExitCode.CANNOT_TELL, ())
    assert [(each.code, each.names) for each in found.not_proved] == [("bytecode", (path,))]
    assert verified(reference, allowed=frozenset({"bytecode"})).exit_code == ExitCode.OK


def test_bytecode_that_a_wheel_brought_is_held_against_its_record(tmp_path: Path) -> None:
    path = "idna/__pycache__/core.cpython-311.pyc"
    files = {"idna/__init__.py": IDNA[f"{SITE}/idna/__init__.py"], "idna/core.py": CORE}
    whole = dist_info("idna", "3.7", {**files, path: b"compiled"})
    layers = (BASE, {**PYTHON, **whole, **SOCKS}, own_files())
    found = verified(image(tmp_path, layers=layers))
    assert (found.exit_code, found.proof.outside) == (ExitCode.OK, 1)
    (only,) = verified(image(tmp_path, {f"{SITE}/{path}": b"evil"}, layers=layers)).tampered
    assert (only.kind, only.path) == ("edited", f"{SITE}/{path}")


def test_a_package_without_a_digest_is_known_by_its_version_alone(tmp_path: Path) -> None:
    wanted = manifest((PACKAGES[0], made.package("PySocks", "1.7.1", content=None)))
    found = verified(image(tmp_path, own_files(wanted), said=labels(wanted)))
    assert (found.exit_code, found.proof.proved) == (ExitCode.CANNOT_TELL, 1)
    assert [(each.code, each.names) for each in found.not_proved] == [("content", ("PySocks",))]


def test_a_verifier_that_is_not_ours_is_told_and_never_run(tmp_path: Path) -> None:
    lying = {"/opt/envsnap/verify.py": b"print('Python and 2 packages are those of the manifest')"}
    (only,) = verified(image(tmp_path, lying)).tampered
    assert (only.kind, only.path, only.layer) == ("verifier", "/opt/envsnap/verify.py", 3)


def test_the_verifier_of_another_envsnap_is_not_judged(tmp_path: Path) -> None:
    said = {**labels(), "io.envsnap.version": "9.9"}
    found = verified(image(tmp_path, {"/opt/envsnap/verify.py": b""}, said=said))
    assert (found.exit_code, found.tampered) == (ExitCode.CANNOT_TELL, ())
    assert [each.code for each in found.not_proved] == ["verifier"]


def test_site_packages_that_are_a_link_to_elsewhere_are_told(tmp_path: Path) -> None:
    elsewhere = {path.replace(SITE, "/srv/evil"): data for path, data in IDNA.items()}
    layers = (BASE, {**PYTHON, SITE: Link("/srv/evil"), **elsewhere}, own_files())
    assert told(verified(image(tmp_path, layers=layers)))[0] == (
        "link", f"{SITE} is a link to /srv/evil"
    )  # fmt: skip


def test_a_package_that_is_a_link_out_of_the_environment_is_not_read_there(tmp_path: Path) -> None:
    files = {path: data for path, data in IDNA.items() if "/idna/" not in path}
    layers = (
        BASE,
        {**PYTHON, **files, **SOCKS, f"{SITE}/idna": Link("/srv/idna"),
         "/srv/idna/core.py": CORE, "/srv/idna/__init__.py": IDNA[f"{SITE}/idna/__init__.py"]},
        own_files(),
    )  # fmt: skip
    assert [kind for kind, _ in told(verified(image(tmp_path, layers=layers)))] == [
        "unchecked", "unchecked", "link"
    ]  # fmt: skip


def test_a_row_that_leads_out_of_the_environment_is_not_followed(tmp_path: Path) -> None:
    files = dist_info("idna", "3.7", {"../../../../../etc/passwd": b"root"})
    layers = ({**BASE, "/etc/passwd": b"root"}, {**PYTHON, **files, **SOCKS}, own_files())
    assert ("unchecked", "idna /etc/passwd could not be read where it should lie") in told(
        verified(image(tmp_path, layers=layers))
    )


def test_settings_that_let_other_code_in_are_told(tmp_path: Path) -> None:
    layer = {
        "/opt/env/pyvenv.cfg": PYVENV.replace(b"false", b"true"),
        "/etc/ld.so.preload": b"/evil.so\n",
    }
    environ = ("PATH=/usr/local/bin:/opt/env/bin", "LD_PRELOAD=/evil.so", "LANG=C")
    base = {**BASE, "/usr/local/bin/python": Link("python3.11")}
    found = verified(image(tmp_path, layer, layers=(base, *GOOD[1:]), environ=environ))
    assert told(found) == [
        ("setting", "pyvenv.cfg include-system-site-packages: wanted false, found true"),
        ("setting", "/etc/ld.so.preload puts libraries before all others in every process"),
        ("setting", "the image sets LD_PRELOAD=/evil.so, which the manifest does not have"),
        ("setting", "PATH finds /usr/local/bin/python before /opt/env/bin/python"),
    ]


def test_what_is_put_into_pythons_own_library_later_is_told(tmp_path: Path) -> None:
    layer = {f"{LIBRARY}/os.py": EVIL, f"{LIBRARY}/sitecustomize.py": EVIL}
    found = verified(image(tmp_path, layer))
    assert [(each.kind, each.path, each.layer, each.over) for each in found.tampered] == [
        ("interpreter", f"{LIBRARY}/os.py", 3, (0,)),
        ("interpreter", f"{LIBRARY}/sitecustomize.py", 3, ()),
    ]


def test_another_program_in_the_place_of_python_is_told(tmp_path: Path) -> None:
    found = verified(image(tmp_path, {"/opt/env/bin/python": b"#!/bin/sh\n"}))
    assert told(found) == [
        (
            "interpreter",
            "/opt/env/bin/python is a program of its own, not the Python in /usr/local/bin",
        )
    ]


def test_another_version_of_python_is_told(tmp_path: Path) -> None:
    layer = {"/opt/env/pyvenv.cfg": PYVENV.replace(b"3.11.7", b"3.11.8")}
    assert told(verified(image(tmp_path, layer))) == [
        ("python", "Python's version: wanted 3.11.7, found 3.11.8")
    ]


def test_two_copies_of_a_package_are_told(tmp_path: Path) -> None:
    older = dist_info("idna", "3.6", {"idna/old.py": b""})
    assert ("twice", "idna is there twice: idna-3.6.dist-info, idna-3.7.dist-info") in told(
        verified(image(tmp_path, older))
    )


def test_a_label_that_lies_is_told(tmp_path: Path) -> None:
    said = {**labels(), "io.envsnap.environment": "0123456789ab"}
    ((kind, says),) = told(verified(image(tmp_path, said=said)))
    assert kind == "label"
    assert says.startswith("the label io.envsnap.environment says 0123456789ab; of the manifest")


def test_a_manifest_that_knows_no_packages_proves_nothing(tmp_path: Path) -> None:
    wanted = made.manifest(packages=made.NOT_LOOKED)
    against = Published(wanted, "host.json")
    found = verified(image(tmp_path), against=against, others_ok=True)
    assert found.exit_code == ExitCode.NO  # the manifest inside is another one
    assert [each.code for each in found.not_proved] == ["packages"]


def test_an_image_without_a_manifest_needs_the_published_one(tmp_path: Path) -> None:
    reference = image(tmp_path, layers=GOOD[:2])
    with pytest.raises(ManifestError, match="There is no /opt/envsnap/manifest"):
        verified(reference)
    assert verified(reference, against=PUBLISHED).exit_code == ExitCode.OK


def test_an_image_without_an_environment_is_said_to_have_none(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="has no Python environment in any of the usual folders"):
        verified(image(tmp_path, layers=({"/etc/os-release": b""}, own_files())))


def test_an_image_that_sets_no_path_has_that_of_its_engine(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    python: Layer = {"/usr/bin/python3": b"ELF"}
    without: tuple[Layer, ...] = tuple(
        {k: v for k, v in each.items() if "/usr/local/bin" not in k} for each in GOOD
    )
    for layers, expected in (
        (without, []),
        (
            (python, *without),
            [("setting", "PATH finds /usr/bin/python3 before /opt/env/bin/python3")],
        ),
    ):
        found = verified(image(tmp_path / "a", layers=layers, environ=()))
        assert [each for each in told(found) if each[1].startswith("PATH")] == expected
