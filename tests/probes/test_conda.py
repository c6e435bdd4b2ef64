"""Whose a package is where conda and pip both had a hand in it."""

from __future__ import annotations

import hashlib
import json

import pytest

from envsnap.sections import Packages, Unknown
from tests.probes.environments import captured, dist, installed

PREFIX = "/home/ada/work/.venv"
INSIDE = "lib/python3.11/site-packages/tide-1.0.dist-info"
RECORD = "tide/__init__.py,sha256=x,1\n"


def meta(record_hash: str | None = None) -> dict[str, str]:
    """conda-meta of tide 1.0, stating a hash of its RECORD."""
    rows = [] if record_hash is None else [{"_path": f"{INSIDE}/RECORD", "sha256": record_hash}]
    record = {
        "name": "tide", "version": "1.0", "build": "0", "sha256": "ab" * 32,
        "files": [f"{INSIDE}/METADATA", f"{INSIDE}/RECORD"], "paths_data": {"paths": rows},
    }  # fmt: skip
    return {f"{PREFIX}/conda-meta/tide-1.0-0.json": json.dumps(record)}


def whose(found: Packages) -> tuple[list[tuple[str, str, str]], list[str]]:
    assert not isinstance(found.conda_only, Unknown)
    rows = [(each.name, each.version, each.origin.kind) for each in installed(found)]
    return rows, [each.name for each in found.conda_only]


def test_what_conda_installed_is_condas() -> None:
    found = captured(dist("tide", "1.0", INSTALLER="conda\n", RECORD=RECORD) | meta("0" * 64))
    assert whose(found) == ([("tide", "1.0", "conda")], [])


def test_what_pip_wrote_over_it_is_pips_and_condas_package_stays() -> None:
    found = captured(dist("tide", "1.0", INSTALLER="pip\n", RECORD=RECORD) | meta("0" * 64))
    assert whose(found) == ([("tide", "1.0", "index")], ["tide"])


def test_what_pip_replaced_with_another_version_leaves_condas_package() -> None:
    found = captured(dist("tide", "2.0", INSTALLER="pip\n", RECORD=RECORD) | meta("0" * 64))
    assert whose(found) == ([("tide", "2.0", "index")], ["tide"])


def test_an_old_package_that_conda_built_with_pip_is_condas() -> None:
    own = hashlib.sha256(RECORD.encode()).hexdigest()
    found = captured(dist("tide", "1.0", INSTALLER="pip\n", RECORD=RECORD) | meta(own))
    assert whose(found) == ([("tide", "1.0", "conda")], [])


@pytest.mark.parametrize("rows", [None, "x", [1], [{"_path": 1}]])
def test_a_record_that_states_no_hash_leaves_it_condas(rows: object) -> None:
    tree = json.loads(meta()[f"{PREFIX}/conda-meta/tide-1.0-0.json"]) | {"paths_data": rows}
    odd = {f"{PREFIX}/conda-meta/tide-1.0-0.json": json.dumps(tree)}
    found = captured(dist("tide", "1.0", INSTALLER="pip\n", RECORD=RECORD) | odd)
    assert whose(found) == ([("tide", "1.0", "conda")], [])


def kept(rows: list[dict[str, object]]) -> str | None:
    """The digest that a capture keeps of a package with such files."""
    path = f"{PREFIX}/conda-meta/tide-1.0-0.json"
    tree = json.loads(meta()[path]) | {"paths_data": {"paths": rows}}
    found = captured({path: json.dumps(tree)})
    assert isinstance(found.conda_only, tuple)
    return found.conda_only[0].content


def test_a_digest_is_kept_of_what_its_archive_holds_and_not_of_what_installers_make() -> None:
    file: dict[str, object] = {"_path": "lib/tide.so.1", "sha256": "ab" * 32}
    link: dict[str, object] = {"_path": "lib/tide.so", "path_type": "softlink"}
    lines = b"lib/tide.so\0link\0\0\0\nlib/tide.so.1\0file\0" + b"ab" * 32 + b"\0\0\n"
    digest = hashlib.sha256(lines).hexdigest()
    assert kept([file, link]) == digest
    written: dict[str, object] = {
        "sha256_in_prefix": "cd" * 32, "prefix_placeholder": "/a", "file_mode": "text",
    }  # fmt: skip
    program: dict[str, object] = {"_path": "bin/tide", "path_type": "unix_python_entry_point"}
    bytecode: dict[str, object] = {"_path": "tide.pyc", "path_type": "pyc_file"}
    assert kept([file, link | {"size_in_bytes": 7}, program, bytecode]) == digest
    of_text = lines.replace(b"ab\0\0\n", b"ab\0text\0/a\n")
    assert kept([file | written, link, program]) == hashlib.sha256(of_text).hexdigest()


@pytest.mark.parametrize(
    "row",
    [{"_path": "a"}, {"_path": "a", "sha256": "AB" * 32}, {"_path": "a\nb", "sha256": "ab" * 32},
     {"sha256": "ab" * 32}],
)  # fmt: skip
def test_no_digest_is_kept_where_a_file_has_no_plain_hash_or_name(row: dict[str, object]) -> None:
    assert kept([{"_path": "b", "sha256": "ab" * 32}, row]) is None
